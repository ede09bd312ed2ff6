"""Label mixing: derivatives, batching, and what lies outside the domains."""

from inspect import unwrap

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from predictor_checks import Case, check_batching, check_derivatives, check_refusal

from theorylab import cite, problems, theory

SMALL = problems.power_law_problem(6, 1.5, 0.7)
RIDGE = dict(
    spectrum=SMALL.spectrum, w_star=SMALL.w_star, n=4.0, lam=0.1, real_weight=0.3, sigma=0.5, sigma_syn=0.8
)  # fmt: skip
FRESH = dict(d=60.0, n=30.0, real_weight=0.4, sigma=0.5, sigma_syn=0.8, w_star_sq=1.3)
CASES = {
    "factor": Case(theory.label_mixing_variance_factor, dict(real_weight=0.4, s=1.3)),
    "factor at t": Case(theory.label_mixing_variance_factor, dict(real_weight=0.4, s=1.3, t=3.0)),
    "weight": Case(theory.label_mixing_optimal_weight, dict(s=1.3)),
    "fixed real": Case(theory.label_mixing_variance_factor_fixed_real, dict(real_weight=0.4, s=1.3)),
    "ridge": Case(theory.label_mixing_ridge_risk, RIDGE),
    "fresh": Case(theory.label_mixing_isotropic_risk, FRESH),
    "fresh at t": Case(theory.label_mixing_isotropic_risk, dict(FRESH, n=80.0, t=3.0)),
}


@pytest.mark.parametrize("name", CASES)
def test_derivatives(name):
    check_derivatives(CASES[name])


@pytest.mark.parametrize("name", CASES)
def test_batching(name):
    check_batching(CASES[name])


def test_derivatives_at_the_ends_of_the_weights():
    """Without real labels, 1 + s t to first order in the weight; with them only, all of theirs."""
    slope = jax.grad(lambda r, t: theory.label_mixing_variance_factor(r, 0.7, t))
    for t in (1.0, 5.0):
        np.testing.assert_allclose(slope(0.0, t), -2 * 0.7 * t - 0.7 * t * (t - 1) - 2 * t, rtol=1e-13)
        np.testing.assert_allclose(slope(1.0, t), 2.0, rtol=1e-13)
    np.testing.assert_allclose(slope(1.0, 0.0), 0.0, atol=1e-15)


@pytest.mark.parametrize("name, named, bad", [
    *((name, "real_weight", dict(real_weight=1.1)) for name in CASES if name != "weight"),
    *((name, "real_weight", dict(real_weight=0.0)) for name in ("factor", "fixed real", "ridge", "fresh")),
    ("factor at t", "real_weight", dict(real_weight=-0.1)),
    *((name, "s", dict(s=-0.1)) for name in ("factor", "factor at t", "weight", "fixed real")),
    ("weight", "s", dict(s=np.inf)),
    ("factor at t", "t", dict(t=-1.0)),
    ("factor at t", "t", dict(t=np.inf)),
    *((name, "sigma", dict(sigma=-0.1)) for name in ("ridge", "fresh")),
    *((name, "sigma_syn", dict(sigma_syn=-0.1)) for name in ("ridge", "fresh")),
    ("ridge", "lam", dict(lam=-0.1)),
    ("ridge", "n", dict(n=0.0)),
    ("ridge", "n", dict(n=6.0, lam=0.0)),
    ("ridge", "spectrum", dict(spectrum=-SMALL.spectrum)),
    ("fresh", "d", dict(d=0.0)),
    ("fresh", "w_star_sq", dict(w_star_sq=-1.0)),
    *(("fresh", "n", dict(n=n)) for n in (0.0, 59.0, 60.0, 61.0)),
    ("fresh at t", "t", dict(t=-1.0)),
])  # fmt: skip
def test_outside_the_domain(name, named, bad):
    check_refusal(CASES[name], named, **bad)


def test_lengths_that_differ_are_refused():
    with pytest.raises(ValueError, match="w_star has 5 entries, but spectrum has 6"):
        # without the run-time type checker of the tests, which would see it first
        unwrap(theory.label_mixing_ridge_risk)(SMALL.spectrum, SMALL.w_star[:5], 4.0, 0.1, 0.3, 0.5, 0.8)


def test_a_zero_eigenvalue_changes_nothing():
    spectrum, w_star = jnp.append(SMALL.spectrum, 0.0), jnp.append(SMALL.w_star, 3.0)
    risk = lambda *problem: theory.label_mixing_ridge_risk(*problem, 4.0, 0.1, 0.3, 0.5, 0.8)
    np.testing.assert_allclose(risk(spectrum, w_star), risk(*SMALL), rtol=1e-14)


def test_every_predictor_names_its_source():
    for predict in (case.function for case in CASES.values()):
        assert "Preventing Model Collapse Under Overparametrization" in cite(predict)
