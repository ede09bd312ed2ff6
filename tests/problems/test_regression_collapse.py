"""Regression problems in the eigenbasis, and the excess risk of given weights."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from theorylab.problems import Problem, excess_risk, isotropic, power_law_problem


def test_power_law_definition():
    spectrum, w_star = power_law_problem(50, 1.5, 0.7)
    k = np.arange(1, 51.0)
    np.testing.assert_allclose(spectrum, k**-1.5, rtol=1e-15)
    np.testing.assert_allclose(spectrum * w_star**2, k ** -(1 + 2 * 1.5 * 0.7), rtol=1e-13)
    delta = (1 + 1.5 * (2 * 0.7 - 1)) / 2
    np.testing.assert_allclose(w_star, k**-delta, rtol=1e-14)


def test_isotropic():
    problem = isotropic(7)
    assert isinstance(problem, Problem)
    assert problem.spectrum.tolist() == [1.0] * 7
    np.testing.assert_allclose(problem.w_star @ problem.w_star, 1, rtol=1e-14)
    assert np.ptp(problem.w_star) == 0


def test_concrete_arguments_stay_in_numpy():
    for problem in (isotropic(3), power_law_problem(3, 1.5, 0.5), power_law_problem(3, np.float64(1.5), 1)):
        assert all(type(field) is np.ndarray for field in problem)
    assert isinstance(excess_risk(np.ones(3), np.zeros(3), np.ones(3)), np.generic)


def test_traced_exponents():
    problem = jax.jit(lambda beta, r: power_law_problem(9, beta, r))(1.5, 0.7)
    for traced, plain in zip(problem, power_law_problem(9, 1.5, 0.7)):
        np.testing.assert_allclose(traced, plain, rtol=1e-14)
    slope = jax.jacfwd(lambda r: power_law_problem(9, 1.5, r).w_star)(0.7)
    np.testing.assert_allclose(slope, -1.5 * np.log(np.arange(1, 10)) * problem.w_star, rtol=1e-13)
    assert np.isnan(jax.jit(lambda beta: power_law_problem(9, beta, 0.5).spectrum)(-1.0)).all()


@pytest.mark.parametrize("asarray", [np.asarray, jnp.asarray])
def test_excess_risk(asarray):
    rng = np.random.default_rng(0)
    w, w_star, spectrum = rng.normal(size=(4, 5, 6)), rng.normal(size=6), rng.exponential(size=6)
    risk = excess_risk(asarray(w), w_star, spectrum)
    error = w - w_star
    np.testing.assert_allclose(risk, np.einsum("abi,i,abi->ab", error, spectrum, error), rtol=1e-13)
    np.testing.assert_allclose(excess_risk(asarray(w[1, 2]), w_star, spectrum), risk[1, 2], rtol=1e-14)
    X = rng.normal(size=(200_000, 6)) * np.sqrt(spectrum)  # the definition: mean square over fresh inputs
    np.testing.assert_allclose(np.mean((X @ error[0, 0]) ** 2), risk[0, 0], rtol=0.02)
    assert excess_risk(asarray(np.broadcast_to(w_star, (2, 6))), w_star, spectrum).tolist() == [0, 0]


@pytest.mark.parametrize(
    "bad",
    [
        lambda: power_law_problem(0, 1.5, 0.5),
        lambda: power_law_problem(5, 0.0, 0.5),
        lambda: power_law_problem(5, 1.5, 0.0),
        lambda: power_law_problem(5, np.nan, 0.5),
        lambda: power_law_problem(5, 1.5, np.inf),
        lambda: isotropic(0),
    ],
)
def test_refusals(bad):
    with pytest.raises(ValueError, match="is outside its domain"):
        bad()


def test_lengths_must_agree():
    from inspect import unwrap  # without the run-time type checker of the tests, which would see it first

    with pytest.raises(ValueError, match="w_star"):
        unwrap(excess_risk)(np.ones((2, 6)), np.ones(1), np.ones(6))
