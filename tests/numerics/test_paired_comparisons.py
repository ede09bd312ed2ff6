"""Grounded Laplacians, connectivity, and Bradley-Terry fits against NumPy and SciPy."""

import jax
import numpy as np
import pytest
from scipy import optimize, special

from theorylab.numerics.bradley_terry import bradley_terry_fit
from theorylab.numerics.graphs import grounded_laplacian_inverse, strongly_connected

FIT = jax.jit(bradley_terry_fit)
INVERSE = jax.jit(grounded_laplacian_inverse)


def symmetric(rng, Y, spread=1.0):
    weights = np.exp(spread * rng.normal(size=(Y, Y)))
    return weights + weights.T


@pytest.mark.parametrize("ground", [0, 3])
def test_grounded_inverse_equals_numpy(ground):
    weights = symmetric(np.random.default_rng(0), 5)
    np.fill_diagonal(weights, 7.0)  # ignored
    off = weights - np.diag(np.diag(weights))
    keep = np.delete(np.arange(5), ground)
    expected = np.zeros((5, 5))
    expected[np.ix_(keep, keep)] = np.linalg.inv((np.diag(off.sum(1)) - off)[np.ix_(keep, keep)])
    np.testing.assert_allclose(INVERSE(weights, ground), expected, rtol=1e-12)


def test_every_entry_keeps_its_digits_where_weights_span_forty_orders():
    """A path 0 - 1 - 2 - 3 - 4 grounded at 0: the inverse is the resistance of the common part of two ways."""
    resistance = 10.0 ** np.array([20, -20, 3, -7])
    weights = np.zeros((5, 5))
    for i, r in enumerate(resistance):
        weights[i, i + 1] = weights[i + 1, i] = 1 / r
    common = np.concatenate([[0], np.cumsum(resistance)])
    expected = common[np.minimum(*np.indices((5, 5)))]
    np.testing.assert_allclose(INVERSE(weights, 0), expected, rtol=1e-14)
    # grounded at 4 the common parts are tiny differences of the whole resistance
    expected = np.concatenate([np.cumsum(resistance[::-1])[::-1], [0]])[np.maximum(*np.indices((5, 5)))]
    np.testing.assert_allclose(INVERSE(weights, 4), expected, rtol=1e-14)


def test_grounded_inverse_has_derivatives():
    weights = symmetric(np.random.default_rng(1), 5)
    change = symmetric(np.random.default_rng(2), 5)
    trace = lambda h: INVERSE(weights + h * change, 2).sum()
    expected = (trace(1e-5) - trace(-1e-5)) / 2e-5
    np.testing.assert_allclose(jax.grad(trace)(0.0), expected, rtol=1e-8)


def test_strong_connection():
    cycle = np.roll(np.eye(5, dtype=bool), 1, axis=1)
    assert strongly_connected(cycle)
    broken = cycle.copy()
    broken[4, 0] = False
    assert not strongly_connected(broken)
    assert strongly_connected(broken | broken.T)
    assert not strongly_connected(np.zeros((3, 3), bool))


def test_fit_equals_scipy():
    rng = np.random.default_rng(3)
    for Y in (3, 5):
        s = 2 * rng.normal(size=Y)
        met = rng.integers(20, 400, (Y, Y))
        wins = rng.binomial(met, special.expit(s[:, None] - s[None])) * (1.0 - np.eye(Y))

        def minus_log_likelihood(free, wins=wins):
            scores = np.concatenate([[0], free])
            return -(wins * special.log_expit(scores[:, None] - scores[None])).sum() / wins.sum()

        best = optimize.minimize(minus_log_likelihood, np.zeros(Y - 1), method="BFGS", tol=1e-10).x
        expected = np.concatenate([[0], best])
        fit = FIT(wins)
        assert fit.converged and fit.residual < 1e-12
        np.testing.assert_allclose(fit.scores, expected - expected.mean(), atol=2e-5)


def test_two_items_have_the_log_odds():
    fit = FIT(np.array([[0.0, 30.0], [10.0, 0.0]]))
    np.testing.assert_allclose(fit.scores[0] - fit.scores[1], np.log(3.0), rtol=1e-12)


def test_wins_that_do_not_connect_are_refused():
    """Item 2 never wins: its score would be minus infinity."""
    wins = np.array([[0.0, 3.0, 2.0], [1.0, 0.0, 2.0], [0.0, 0.0, 0.0]])
    with pytest.raises(ValueError, match=r"^wins .* outside its domain: a connected comparison graph"):
        bradley_terry_fit(wins)
    fit = FIT(wins)
    assert np.isnan(fit.scores).all() and not fit.converged
    with pytest.raises(ValueError, match=r"^wins .*wins >= 0"):
        bradley_terry_fit(-wins)
