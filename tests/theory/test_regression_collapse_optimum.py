"""The crossover and the optimal ridge, against SciPy and against the limits of isotropic problems."""

import numpy as np
from scipy.optimize import brentq, minimize_scalar

from theorylab.problems import isotropic, power_law_problem
from theorylab.theory import (
    clean_ridge_exponent,
    collapse_crossover_samples,
    optimal_collapse_ridge,
    ridge_bias_variance,
    ridge_collapse_risk,
    ridge_collapse_risk_ols_generators,
    ridge_collapse_slope,
)

PROBLEM = power_law_problem(300, 1.5, 0.5)
CLEAN = float(clean_ridge_exponent(1.5, 0.5))


def excess_of_collapse(T, problem, generations, T0, sigma, sigma0, ell):
    clean = sum(ridge_bias_variance(*problem, T, T**-ell, sigma))
    return generations * sigma0**2 * ridge_collapse_slope(problem.spectrum, T, T0, T**-ell) - clean


def test_values_of_the_theory_sheet():
    best = optimal_collapse_ridge(*PROBLEM, 5, 1000, 600, 0.3, 0.3)
    assert best.interior
    np.testing.assert_allclose(best.lam, 0.0202677, atol=6e-8)
    np.testing.assert_allclose(best.risk, 0.03396820491142604, rtol=1e-12)
    crossover = collapse_crossover_samples(*PROBLEM, 5, 600, 0.3, 0.3, CLEAN)
    np.testing.assert_allclose(crossover, 429.1885090448585, rtol=1e-12)


def test_the_terms_are_equal_at_the_crossover_and_change_order():
    for generations, T0, sigma, sigma0, ell in ((1, 600, 0.3, 0.3, CLEAN), (20, 400, 0.5, 0.1, 0.7), (3, 900, 0, 1, 1)):
        point = (PROBLEM, generations, T0, sigma, sigma0, ell)
        T = float(collapse_crossover_samples(*PROBLEM, *point[1:]))
        scale = sum(ridge_bias_variance(*PROBLEM, T, T**-ell, sigma))
        assert abs(excess_of_collapse(T, *point)) < 1e-12 * scale
        assert excess_of_collapse(0.99 * T, *point) < 0 < excess_of_collapse(1.01 * T, *point)
        root = brentq(excess_of_collapse, 0.9 * T, 1.1 * T, args=point, xtol=1e-300, rtol=1e-14)
        np.testing.assert_allclose(T, root, rtol=1e-11)


def test_of_several_crossings_the_last_upward_one():
    """ell far below the clean exponent: the ratio of the terms rises to .066, dips to .057 and rises again."""
    problem = power_law_problem(60, 2.2, 0.85)
    grid = np.geomspace(2, 1e8, 300)
    point = (problem, 4, 330, 0.4, np.sqrt(1 / 4 / 0.0615), 0.25)
    above = np.array([excess_of_collapse(T, *point) > 0 for T in grid])
    upward = np.flatnonzero(above[1:] & ~above[:-1])
    assert upward.size == 2
    T = collapse_crossover_samples(*problem, *point[1:])
    assert grid[upward[-1]] <= T <= grid[upward[-1] + 1]


def test_rule_of_thumb_for_the_crossover():
    """Variance dominates and phi0 is small: T ~ T0 (1 - phi0) sigma^2 / (generations sigma0^2)."""
    problem = power_law_problem(50, 1.5, 0.9)
    T = collapse_crossover_samples(*problem, 2, 20_000, 0.5, 0.1, 1.3)
    np.testing.assert_allclose(T, 20_000 * (1 - 50 / 20_000) * 25 / 2, rtol=0.01)


def random_problems(count, d=20):
    rng = np.random.default_rng(0)
    for _ in range(count):
        generations, T, T0 = int(rng.integers(0, 9)), rng.uniform(0.3, 20) * d, rng.uniform(1.5, 5) * d
        problem = power_law_problem(d, rng.uniform(1.1, 2.5), rng.uniform(0.3, 1.5))
        yield problem, (generations, T, T0, *rng.uniform(0.2, 1, 2))


def risk_of(log_lam, problem, generations, T, T0, sigma, sigma0):
    return float(ridge_collapse_risk_ols_generators(*problem, generations, T, T0, np.exp(log_lam), sigma, sigma0))


def test_optimal_ridge_is_scipys_minimum():
    for problem, point in random_problems(25):
        best = optimal_collapse_ridge(*problem, *point)
        assert best.interior
        x = np.log(best.lam)
        np.testing.assert_allclose(best.risk, risk_of(x, problem, *point), rtol=1e-13)
        found = minimize_scalar(risk_of, (x - 1, x + 0.1, x + 1), args=(problem, *point), tol=1e-10)
        np.testing.assert_allclose(best.risk, found.fun, rtol=1e-12)
        np.testing.assert_allclose(best.lam, np.exp(found.x), rtol=1e-5)
        # stationary to rounding
        near, far = (risk_of(x + h, problem, *point) - risk_of(x - h, problem, *point) for h in (0.01, 0.02))
        assert abs(8 * near - far) / 0.12 < 1e-8 * best.risk
        # planted faults: one generation more, half the noise
        generations, T, T0, sigma, sigma0 = point
        for fault in ((generations + 1, T, T0, sigma, sigma0), (generations, T, T0, sigma / 2, sigma0)):
            assert abs(optimal_collapse_ridge(*problem, *fault).lam / best.lam - 1) > 1e-4


def test_isotropic_optima():
    """Clean: sigma^2 d/(T |w*|^2) exactly; with collapse and T to infinity it does not vanish."""
    problem = isotropic(100)
    for T in (50.0, 400.0):
        clean = optimal_collapse_ridge(*problem, 0, T, 301, 0.5, 0.5)
        np.testing.assert_allclose(clean.lam, 0.25 * 100 / T, rtol=1e-9)
    adapted = optimal_collapse_ridge(*problem, 5, 1e5, 301, 0.5, 0.5).lam
    np.testing.assert_allclose(adapted, 0.6247, atol=5e-5)
    limit = optimal_collapse_ridge(*problem, 5, 1e12, 301, 0.5, 0.5).lam
    np.testing.assert_allclose(limit, 5 * 0.25 * 100 / (301 - 101), rtol=1e-6)
    asymptotic = minimize_scalar(
        lambda x: float(ridge_collapse_risk(*problem, 5, 1e5, 301, np.exp(x), 0, 0.5, 0.5)), (-1, 0), tol=1e-9
    )
    np.testing.assert_allclose(np.exp(asymptotic.x), 0.6216, atol=5e-5)


def test_without_an_interior_optimum_the_end_is_flagged():
    noise_free = optimal_collapse_ridge(*PROBLEM, 0, 200, 600, 0.0, 0.0)
    assert not noise_free.interior
    np.testing.assert_allclose(noise_free.lam, 1e-8, rtol=1e-12)
    swamped = optimal_collapse_ridge(*PROBLEM, 0, 200, 600, 1e6, 0.0)
    assert not swamped.interior
    np.testing.assert_allclose(swamped.lam, 1e3, rtol=1e-12)


def test_published_adaptive_ridge():
    """At T = 1e5, five generators: 0.0287 against 0.114 of the clean ridge, at lam = 0.018."""
    best = optimal_collapse_ridge(*PROBLEM, 5, 1e5, 600, 0.3, 0.3)
    np.testing.assert_allclose([best.risk, best.lam], [0.0287, 0.018], rtol=0.02)
