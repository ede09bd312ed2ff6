"""Power-law exponents: balance of the terms, and the slopes of the formulas at large size."""

import numpy as np
import pytest

from theorylab.problems import power_law_problem
from theorylab.theory import (
    clean_ridge_exponent,
    collapse_rate_exponent,
    collapse_ridge_exponent,
    ridge_bias_variance,
    ridge_collapse_risk_leading_order,
)

GRID = [(beta, r) for beta in (1.1, 1.5, 3.0) for r in (0.2, 0.5, 1.0, 2.5)]


def test_values_of_the_theory_sheet():
    ell = clean_ridge_exponent(1.5, 0.5)
    corrected = collapse_ridge_exponent(1.5, 0.5, c=0.6)
    np.testing.assert_allclose([ell, corrected], [0.6, 0.36], rtol=1e-14)
    np.testing.assert_allclose(collapse_rate_exponent(1.5, 0.5, ell, c=0.6), 0.2, rtol=1e-14)
    np.testing.assert_allclose(collapse_rate_exponent(1.5, 0.5, corrected, c=0.6), 0.36, rtol=1e-14)


@pytest.mark.parametrize(("beta", "r"), GRID)
def test_the_exponents_balance_and_maximise_the_rate(beta, r):
    ells = np.linspace(0, beta, 2000, endpoint=False)
    for c, a in ((np.inf, 0.0), (0.4, 0.0), (0.9, 0.2), (1.7, 0.3), (0.2, 0.5)):
        best = collapse_ridge_exponent(beta, r, c, a)
        rate = collapse_rate_exponent(beta, r, best, c, a)
        rates = [collapse_rate_exponent(beta, r, ell, c, a) for ell in ells[::50]]
        assert np.max(rates) <= rate + 1e-12
        e = np.clip(min(c, 1) - a, 0, 1)
        if min(c, 1) - a >= 0:
            np.testing.assert_allclose(rate, e * 2 * beta * min(r, 1) / (1 + 2 * beta * min(r, 1)), rtol=1e-12)


@pytest.mark.parametrize(("beta", "r"), GRID)
def test_limits(beta, r):
    clean = clean_ridge_exponent(beta, r)
    for many in (1.0, 5.0, np.inf):
        np.testing.assert_allclose(collapse_ridge_exponent(beta, r, many), clean, rtol=1e-14)
        np.testing.assert_allclose(collapse_rate_exponent(beta, r, clean, many), 2 * min(r, 1) * clean, rtol=1e-13)
    assert collapse_ridge_exponent(beta, r, 0.3, a=0.4) == 0
    # generators that know the truth: their number does not matter
    assert collapse_ridge_exponent(beta, r, np.inf, a=2.0) == clean
    # many of finite quality: with the clean ridge the error grows
    np.testing.assert_allclose(
        collapse_rate_exponent(beta, r, clean, 0.1), 0.1 - 1 / (1 + 2 * beta * min(r, 1)), rtol=1e-12
    )
    np.testing.assert_allclose(clean_ridge_exponent(beta, 1.0), clean_ridge_exponent(beta, 9.0), rtol=1e-14)


def local_slope(risk):
    return -np.log10(risk(1e5) / risk(1e4))


def test_slopes_of_the_formula_with_few_generator_samples():
    """d = 1e5, T0 = T^c, T from 1e4 to 1e5; slopes of the theory sheet, clean-tuned and corrected."""
    problem = power_law_problem(100_000, 1.5, 0.5)
    for c, *expected in ((0.4, -0.003, 0.229), (0.6, 0.207, 0.355), (0.8, 0.437, 0.479), (1.0, 0.600, 0.600)):
        for ell, slope in zip((clean_ridge_exponent(1.5, 0.5), collapse_ridge_exponent(1.5, 0.5, c)), expected):
            risk = lambda T: ridge_collapse_risk_leading_order(*problem, 5, T, T**c, T**-ell, 0.3, 0.3)  # noqa: B023
            np.testing.assert_allclose(local_slope(risk), slope, atol=6e-4)
            assert abs(slope - collapse_rate_exponent(1.5, 0.5, ell, c)) < 0.04


@pytest.mark.parametrize(
    ("beta", "r", "share", "tolerance"),
    [(1.5, 0.5, 1.0, 0.03), (1.5, 0.5, 0.9, 0.03), (2.0, 0.8, 1.0, 0.03), (2.0, 0.8, 0.5, 0.06), (1.3, 1.5, 1.0, 0.06)],
)
def test_clean_slopes_tend_to_the_exponents(beta, r, share, tolerance):
    """d = 1e5, T from 1e4 to 1e5; 0.03 for r <= 1 near the clean exponent, 0.06 beyond (slow corrections)."""
    problem = power_law_problem(100_000, beta, r)
    ell = share * clean_ridge_exponent(beta, r)
    slope = local_slope(lambda T: sum(ridge_bias_variance(*problem, T, T**-ell, 0.3)))
    exponent = collapse_rate_exponent(beta, r, ell, c=np.inf)
    np.testing.assert_allclose(slope, exponent, atol=tolerance)
    assert abs(slope - min(r, 1) * ell) > tolerance  # planted fault: r not doubled


def test_noise_free_labels_follow_the_bias():
    problem = power_law_problem(100_000, 1.5, 0.5)
    slope = local_slope(lambda T: sum(ridge_bias_variance(*problem, T, T**-0.9, 0.0)))
    np.testing.assert_allclose(slope, 2 * 0.5 * 0.9, atol=0.03)
