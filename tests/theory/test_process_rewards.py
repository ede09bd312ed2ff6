"""Soft minima of process rewards: limits, bounds, and why sums can be hacked."""

import numpy as np
import pytest
from predictor_checks import Case, check_batching, check_derivatives, check_refusal
from scipy import special

from theorylab import cite, theory

R = np.array([0.7, -0.2, 0.4, 0.1])


def test_limits_are_minimum_and_mean():
    cold, hot = (theory.soft_min_returns(R, t) for t in (1e-3, 1e9))
    np.testing.assert_allclose(cold.total, R.min(), rtol=1e-14)
    np.testing.assert_allclose(cold.rtil, [0, -0.2, 0, 0], atol=1e-14)
    np.testing.assert_allclose(hot.rtil, R / 4, rtol=1e-8)
    np.testing.assert_allclose(hot.total, R.mean(), rtol=1e-7)


def test_equals_scipy_and_stays_within_its_bound():
    rng = np.random.default_rng(0)
    program = Case(theory.soft_min_returns, dict(r=np.ones(6), temperature=1.0)).program
    for temperature in np.geomspace(0.01, 100, 30):
        r = rng.normal(size=6) * rng.choice([0.1, 1, 10])
        *rtil, total = np.asarray(program(dict(r=r, temperature=np.float64(temperature))))
        np.testing.assert_allclose(rtil, r * special.softmax(-r / temperature), rtol=1e-11, atol=1e-300)
        np.testing.assert_allclose(total, np.sum(rtil), rtol=1e-10, atol=1e-14)
        assert r.min() - 1e-12 <= total <= r.min() + temperature * np.log(6)


def test_shift_and_scale():
    """All rewards larger by c: the total is larger by c. All rewards and the temperature times c: so is the total."""
    total = theory.soft_min_returns(R, 0.3).total
    np.testing.assert_allclose(theory.soft_min_returns(R + 100, 0.3).total, total + 100, rtol=1e-13)
    np.testing.assert_allclose(theory.soft_min_returns(5 * R, 1.5).total, 5 * total, rtol=1e-14)


def test_large_rewards_do_not_overflow():
    assert theory.soft_min_returns(np.array([1e6, -1e6]), 1e-3).total == -1e6


def test_a_sum_rewards_padding_and_a_soft_minimum_does_not():
    """One bad step among L - 1 good ones: the best length is the longest for the sum, and none for the minimum."""
    lengths = np.array([2, 3, 6])
    solutions = [np.array([-0.5] + [0.2] * (L - 1)) for L in lengths]
    sums = np.array([r.sum() for r in solutions])
    assert sums.argmax() == lengths.argmax()
    totals = np.array([theory.soft_min_returns(r, 0.02).total for r in solutions])
    np.testing.assert_allclose(totals, -0.5, rtol=1e-12)
    # along the gradient of its expected return, a uniform policy over these lengths gets longer for the sum alone
    for returns, drift in ((sums, 0.2 * lengths.var()), (totals, 0.0)):
        gradient = (returns - returns.mean()) / 3
        np.testing.assert_allclose(gradient @ lengths, drift, atol=1e-12)


def test_one_step():
    assert theory.soft_min_returns(np.array([0.3]), 0.1) == (0.3, 0.3)


CASE = Case(theory.soft_min_returns, dict(r=R, temperature=0.4))


def test_derivatives():
    check_derivatives(CASE)


def test_batching():
    check_batching(CASE)


@pytest.mark.parametrize("named, bad", [
    ("temperature", dict(temperature=0.0)),
    ("temperature", dict(temperature=-1.0)),
    ("r", dict(r=np.array([0.1, np.inf, 0.2, 0.3]))),
    ("r", dict(r=np.array([0.1, np.nan, 0.2, 0.3]))),
])  # fmt: skip
def test_outside_the_domain(named, bad):
    check_refusal(CASE, named, **bad)


def test_no_steps_are_refused():
    with pytest.raises(ValueError, match=r"r = .*at least one step"):
        theory.soft_min_returns(np.zeros(0), 1.0)


def test_source():
    assert "Stop Summation" in cite(theory.soft_min_returns)
