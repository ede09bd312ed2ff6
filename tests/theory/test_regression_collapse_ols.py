"""Least-squares generators: exact risk, slope in the number of generations, published numbers, simulation."""

import numpy as np
import pytest

from theorylab.numerics.ridge import effective_ridge
from theorylab.problems import isotropic, power_law_problem
from theorylab.theory import (
    ols_collapse_risk,
    ridge_bias_variance,
    ridge_chain_risk,
    ridge_collapse_risk,
    ridge_collapse_risk_leading_order,
    ridge_collapse_risk_ols_generators,
    ridge_collapse_slope,
)

PROBLEM = power_law_problem(100, 1.5, 0.7)


def test_values_of_the_theory_sheet():
    np.testing.assert_allclose(ols_collapse_risk(100, 3, 250, 180, 0.5, 0.3), 0.5095573867980631, rtol=1e-13)
    np.testing.assert_allclose(ridge_collapse_slope(PROBLEM.spectrum, 80, 200, 0.01), 0.24094785162828064, rtol=1e-13)


@pytest.mark.parametrize(
    "fault",
    [
        0.25 * 100 / 150 + 3 * 0.09 * 100 / 80,  # T - d for T - d - 1
        0.25 * 100 / 149 + 3 * 0.3 * 100 / 79,  # noise not squared
        0.25 * 100 / 149 + 4 * 0.09 * 100 / 79,  # one generation more
        0.25 * 250 / 149 + 3 * 0.09 * 180 / 79,  # T for d
        0.25 * 100 / 79 + 3 * 0.09 * 100 / 149,  # sizes exchanged
    ],
)
def test_planted_faults_are_caught(fault):
    assert abs(ols_collapse_risk(100, 3, 250, 180, 0.5, 0.3) / fault - 1) > 0.005


def test_replacement_with_equal_blocks():
    """Equal sizes and noises: generations + 1 times the risk of one fit."""
    np.testing.assert_allclose(ols_collapse_risk(20, 5, 60, 60, 0.7, 0.7), 6 * 0.49 * 20 / 39, rtol=1e-14)


def test_the_slope_is_that_of_the_chain_for_large_sizes():
    spectrum, w_star = PROBLEM
    for T, lam in ((80, 0.01), (300, 0.0), (40, 1e-3)):
        rho = ridge_collapse_slope(spectrum, T, 200, lam, finite_size=False)
        risks = [ridge_collapse_risk(spectrum, w_star, n, T, 200, lam, 0, 0.3, 0.2) for n in range(4)]
        np.testing.assert_allclose(np.diff(risks), 0.04 * rho, rtol=1e-10)
        np.testing.assert_allclose(ridge_collapse_slope(spectrum, T, 200, lam), rho * 100 / 99, rtol=1e-13)


def test_limits_of_the_slope():
    np.testing.assert_allclose(ridge_collapse_slope(PROBLEM.spectrum, 250, 180, 0.0), 100 / 79, rtol=1e-13)
    np.testing.assert_allclose(ridge_collapse_slope(PROBLEM.spectrum, 250, 180, 1e-10), 100 / 79, rtol=1e-6)
    assert ridge_collapse_slope(PROBLEM.spectrum, 250, 180, 1e9) < 1e-15


def test_risk_is_linear_in_generations_and_exact_without_ridge():
    clean = ridge_bias_variance(*PROBLEM, 80, 0.01, 0.3)
    rho = ridge_collapse_slope(PROBLEM.spectrum, 80, 200, 0.01)
    for n in (0, 1, 7.5):
        risk = ridge_collapse_risk_ols_generators(*PROBLEM, n, 80, 200, 0.01, 0.3, 0.2)
        np.testing.assert_allclose(risk, clean.bias + clean.var + n * 0.04 * rho, rtol=1e-14)
    ridgeless = ridge_collapse_risk_ols_generators(*PROBLEM, 3, 250, 180, 0.0, 0.5, 0.3)
    downstream = 0.25 * 100 * (1 / 150 - 1 / 149)  # the clean variance is the asymptotic one
    np.testing.assert_allclose(ridgeless - downstream, ols_collapse_risk(100, 3, 250, 180, 0.5, 0.3), rtol=1e-13)


def slope_by_matrices(d, T, T0, lam, draws, rng):
    """E tr[Sigma^-1 A' Sigma A] / (T0 - d - 1) from drawn designs, A = S (S + lam)^-1."""
    spectrum = power_law_problem(d, 1.5, 0.7).spectrum
    total = 0.0
    for _ in range(draws):
        X = rng.normal(size=(T, d)) * np.sqrt(spectrum)
        A = np.linalg.solve(X.T @ X / T + lam * np.eye(d), X.T @ X / T)
        total += np.sum((A * np.sqrt(spectrum)[:, None] / np.sqrt(spectrum)[None, :]) ** 2)
    return total / draws / (T0 - d - 1)


def test_slope_against_drawn_designs():
    """The bracket is asymptotic: within 0.3% at d = 300 in the sheet; here within 1% at d = 150, 8 draws."""
    drawn = slope_by_matrices(150, 120, 300, 1e-2, 8, np.random.default_rng(0))
    slope = lambda T, T0, lam: ridge_collapse_slope(power_law_problem(150, 1.5, 0.7).spectrum, T, T0, lam)
    np.testing.assert_allclose(slope(120, 300, 1e-2), drawn, rtol=0.01)
    # planted faults: ridge doubled, un-normalised; T0 for T0 - d - 1; sizes exchanged
    for fault in (slope(120, 300, 2e-2), slope(120, 300, 1.2), slope(120, 451, 1e-2), slope(300, 300, 1e-2)):
        assert abs(fault / drawn - 1) > 0.05


def test_planted_faults_in_the_slope_are_caught_by_the_chain():
    """Brackets with one mistake each differ from the slope of the chain, which the right one meets to 1e-10."""
    spectrum, w_star = PROBLEM
    g = spectrum / (spectrum + effective_ridge(spectrum, 80, 0.01))
    df1, df2, missed = g.sum(), (g**2).sum(), ((1 - g) ** 2).sum()
    chain = [ridge_collapse_risk(spectrum, w_star, n, 80, 200, 0.01, 0, 0.3, 1.0) for n in (0, 1)]
    slope = (chain[1] - chain[0]) * 100
    np.testing.assert_allclose(df2 + missed * df2 / (80 - df2), slope, rtol=1e-10)
    for fault in (df2, df1 + missed * df2 / (80 - df2), df2 + missed * df2 / 80, df2 + missed / (80 - df2)):
        assert abs(fault / slope - 1) > 1e-3


def test_leading_order():
    """Its collapse term is df_2/T0; for T << d and T0 >> d the exact slope tends to it times 1/(1 - phi0)(1 + ...)."""
    spectrum, w_star = power_law_problem(2000, 1.5, 0.5)
    arguments = (spectrum, w_star, 5, 100.0, 20_000.0, 100.0**-0.6, 0.3, 0.3)
    leading, exact = (f(*arguments) for f in (ridge_collapse_risk_leading_order, ridge_collapse_risk_ols_generators))
    clean = sum(ridge_bias_variance(spectrum, w_star, 100.0, 100.0**-0.6, 0.3))
    g = spectrum / (spectrum + effective_ridge(spectrum, 100.0, 100.0**-0.6))
    np.testing.assert_allclose(leading - clean, 5 * 0.09 * np.sum(g**2) / 20_000, rtol=1e-10)
    assert 0 < leading - clean < exact - clean
    # planted faults: df_1, T for T0, noise not squared
    for fault in (5 * 0.09 * np.sum(g) / 20_000, 5 * 0.09 * np.sum(g**2) / 100, 5 * 0.3 * np.sum(g**2) / 20_000):
        assert abs(fault / (leading - clean) - 1) > 0.1


def test_published_curves():
    """power_law_problem(300, 1.5, .5), T0 = 600, sigma = sigma0 = .3, lam = T^-.6 (theory sheet, crossover figure)."""
    problem = power_law_problem(300, 1.5, 0.5)
    risk = lambda n, T: ridge_collapse_risk_ols_generators(*problem, n, T, 600.0, T**-0.6, 0.3, 0.3)
    for n, T, expected in (
        (1, 5e3, 0.0118),
        (1, 1e5, 0.023),
        (5, 1260.0, 0.0342),
        (5, 1e5, 0.114),
        (20, 630.0, 0.0998),
        (20, 1e5, 0.456),
    ):
        np.testing.assert_allclose(risk(n, T), expected, rtol=0.02)
    slopes = [np.log10(risk(0, 10.0 ** (k + 1)) / risk(0, 10.0**k)) for k in (1, 2, 3, 4)]
    np.testing.assert_allclose(slopes, [-0.71, -0.64, -0.62, -0.65], atol=0.006)


@pytest.mark.slow
def test_simulation():
    """Exact: 4 standard errors; two chains of which the second has a correlated covariance's spectrum."""
    rng = np.random.default_rng(1)
    for spectrum, w_star in (isotropic(10), power_law_problem(10, 1.5, 0.7)):
        risks = []
        for _ in range(4000):
            w = w_star
            for T, sigma in ((22, 0.3), (22, 0.3), (30, 0.5)):
                X = rng.normal(size=(T, 10)) * np.sqrt(spectrum)
                w = np.linalg.lstsq(X, X @ w + sigma * rng.normal(size=T))[0]
            risks.append(np.sum(spectrum * (w - w_star) ** 2))
        theory = ols_collapse_risk(10, 2, 30, 22, 0.5, 0.3)
        error = np.std(risks) / np.sqrt(4000)
        assert abs(np.mean(risks) - theory) < 4 * error
        asymptotic = ridge_chain_risk(np.ones(10), np.ones(10), [22, 22, 30], [0] * 3, [0.3, 0.3, 0.5])[-1]
        assert abs(np.mean(risks) - asymptotic) > 4 * error  # planted fault: T - d for T - d - 1
