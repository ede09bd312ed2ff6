"""Chains of ridge fits: identities, limits, an independent computation, planted faults, simulation."""

import numpy as np
import pytest
from scipy.optimize import brentq

from theorylab.numerics.ridge import degrees_of_freedom, effective_ridge
from theorylab.problems import isotropic, power_law_problem
from theorylab.theory import (
    ridge_bias_variance,
    ridge_chain_moments,
    ridge_chain_risk,
    ridge_collapse_risk,
)

PROBLEM = power_law_problem(100, 1.5, 0.7)
C_STAR = np.sqrt(PROBLEM.spectrum) * PROBLEM.w_star


def kappa_by_bisection(spectrum, T, lam):
    if lam == 0 and np.count_nonzero(spectrum) <= T:
        return 0.0
    equation = lambda k: k - lam - k * np.sum(spectrum / (spectrum + k)) / T
    return brentq(equation, max(lam, 1e-15), lam + spectrum.sum() / T, xtol=1e-300, rtol=1e-14)


def chain_by_definition(spectrum, c_star, Ts, lams, sigmas, real_weights=None):
    """The recursion for mean and second moment as it is stated, in NumPy: (m, S) and risk after each stage."""
    m, S, rows = c_star, c_star**2, []
    for T, lam, sigma, real in zip(Ts, lams, sigmas, real_weights or [0.0] * len(Ts)):
        S = real**2 * c_star**2 + 2 * real * (1 - real) * c_star * m + (1 - real) ** 2 * S
        m = real * c_star + (1 - real) * m
        g = spectrum / (spectrum + kappa_by_bisection(spectrum, T, lam))
        q = (np.sum((1 - g) ** 2 * S) + sigma**2) / (T - np.sum(g**2))
        m, S = g * m, g**2 * (S + q)
        rows.append((m, S, np.sum(S - 2 * m * c_star + c_star**2)))
    return tuple(map(np.array, zip(*rows)))


def random_chain(rng, d=15):
    stages = rng.integers(1, 5)
    spectrum, c_star = rng.exponential(size=d), rng.normal(size=d)
    Ts = rng.uniform(2, 3 * d, stages)
    Ts += 3 * (np.abs(Ts - d) < 3)
    lams = np.where(rng.random(stages) < 0.3, 0.0, 10 ** rng.uniform(-4, 0, stages))
    return spectrum, c_star, Ts, lams, rng.uniform(0, 1, stages)


def disagreement(predictor, count=40):
    """Largest relative deviation of a chain predictor from the definition, on random chains."""
    rng, worst = np.random.default_rng(0), 0.0
    for _ in range(count):
        chain = random_chain(rng)
        expected = chain_by_definition(*chain)[2]
        worst = max(worst, np.max(np.abs(np.asarray(predictor(*chain)) / expected - 1)))
    return worst


def test_one_stage_is_bias_plus_variance():
    clean = ridge_bias_variance(*PROBLEM, 80, 0.01, 0.3)
    for risk in (
        ridge_chain_risk(PROBLEM.spectrum, C_STAR, [80], [0.01], [0.3])[0],
        ridge_collapse_risk(*PROBLEM, 0, 80, 200, 0.01, 0, 0.3, 0.2),
    ):
        np.testing.assert_allclose(risk, clean.bias + clean.var, rtol=1e-14)


def test_values_of_the_theory_sheet():
    clean = ridge_bias_variance(*PROBLEM, 80, 0.01, 0.3)
    np.testing.assert_allclose(clean, (0.0027027584931648726, 0.016844415831177934), rtol=1e-12)
    for risk, expected in (
        (ridge_collapse_risk(*PROBLEM, 3, 80, 200, 0.01, 0, 0.3, 0.2), 0.04817177909778235),
        (ridge_collapse_risk(*PROBLEM, 4, 150, 60, 0.01, 0.001, 0.1, 0.1), 0.01953069454465378),
        (ridge_collapse_risk(*isotropic(100), 5, 80, 200, 0.1, 0, 0.3, 0.2), 0.4725561427763037),
    ):
        np.testing.assert_allclose(risk, expected, rtol=1e-12)


@pytest.mark.parametrize(
    ("alpha", "lam", "rho", "noise_var", "risk"),
    [
        (2, 0.1, 1, 0, 0.01227176),
        (2, 0.1, 1, 0.25, 0.19266455),
        (2, 0.1, 2, 0.25, 0.20493631),
        (0.5, 0.01, 1, 0.1, 0.59301288),
    ],
)
def test_published_reference_case(alpha, lam, rho, noise_var, risk):
    """x ~ N(0, I/d), half sum of squares + lam/2 |w|^2, |w*|^2/d = rho: per dimension, w/sqrt(d) and lam/alpha."""
    d = 64
    clean = ridge_bias_variance(np.ones(d), np.full(d, np.sqrt(rho / d)), alpha * d, lam / alpha, np.sqrt(noise_var))
    np.testing.assert_allclose(clean.bias + clean.var, risk, atol=6e-9)


@pytest.mark.parametrize(("alpha", "g", "risk"), [(0.5, 0.3, 0.5439145805736), (2, 0.7, 0.2025031456298)])
def test_ridge_error_of_linear_dynamics(alpha, g, risk):
    """Inputs of variance 1/N and an un-normalised ridge g: T = alpha N, lam = g/alpha."""
    clean = ridge_bias_variance(np.ones(40), np.full(40, np.sqrt(0.8 / 40)), alpha * 40, g / alpha, np.sqrt(0.3))
    np.testing.assert_allclose(clean.bias + clean.var, risk, rtol=1e-12)


def test_least_squares_limit():
    clean = ridge_bias_variance(*PROBLEM, 250, 0.0, 0.3)
    assert clean.bias == 0
    np.testing.assert_allclose(clean.var, 0.3**2 * 100 / 150, rtol=1e-13)
    np.testing.assert_allclose(
        ridge_collapse_risk(*PROBLEM, 4, 250, 180, 0, 0, 0.3, 0.2), 0.09 * 100 / 150 + 4 * 0.04 * 100 / 80, rtol=1e-12
    )


def test_infinite_ridge_learns_nothing():
    risk = ridge_collapse_risk(*PROBLEM, 3, 80, 90, 1e12, 0.1, 0.3, 0.3)
    np.testing.assert_allclose(risk, C_STAR @ C_STAR, rtol=1e-9)


def test_isotropic_interpolation_forgets_exponentially():
    """Without noise, T < d, j stages: sum S = (T/d)^j |w*|^2 and m = (T/d)^j c*."""
    _, w_star = isotropic(100)
    m, S = ridge_chain_moments(np.ones(100), w_star, [60.0] * 5, [0.0] * 5, [0.0] * 5)
    left = 0.6 ** np.arange(1, 6)
    np.testing.assert_allclose(S.sum(axis=1), left, rtol=1e-13)
    np.testing.assert_allclose(m, left[:, None] * w_star, rtol=1e-13)


def test_real_labels_at_every_stage_are_one_fit():
    risk = ridge_chain_risk(PROBLEM.spectrum, C_STAR, [60] * 4, [0.01] * 4, [0.2] * 4, [1] * 4)
    np.testing.assert_allclose(risk, risk[0], rtol=1e-13)


def test_mixed_chain_values_and_variance_factor():
    spectrum, (T, lam, sigma) = PROBLEM.spectrum, (60, 0.01, 0.2)
    mixed = ridge_chain_risk(spectrum, C_STAR, [T] * 4, [lam] * 4, [sigma] + [sigma / 2**0.5] * 3, [1, 0.5, 0.5, 0.5])
    np.testing.assert_allclose(mixed, [0.0129174241, 0.0115994839, 0.0122281161, 0.0126467375], atol=6e-11)
    # least squares: sigma^2 d/(T-d) times the variance factor of label mixing, at every stage
    p, s = 0.3, 0.8
    sigmas = [sigma] + [sigma * np.sqrt(p**2 + s * (1 - p) ** 2)] * 5
    risk = ridge_chain_risk(spectrum, C_STAR, [250] * 6, [0] * 6, sigmas, [1] + [p] * 5)
    limit, decay = (p**2 + s * (1 - p) ** 2) / (p * (2 - p)), (1 - p) ** (2 * np.arange(6))
    np.testing.assert_allclose(risk, sigma**2 * 100 / 150 * (limit * (1 - decay) + decay), rtol=1e-12)


def test_small_risks_do_not_cancel():
    """A risk of 1e-22 beside coefficients of order 1, against its expansion lam^2 sum w^2/s / (1 - d/T)^3."""
    spectrum, w_star = power_law_problem(10, 1.0, 1.0)
    c_star = np.sqrt(spectrum) * w_star
    risk = ridge_chain_risk(spectrum, c_star, [40, 40], [0, 1e-12], [0, 0])[-1]
    np.testing.assert_allclose(risk, 1e-24 * np.sum(w_star**2 / spectrum) / (1 - 10 / 40) ** 3, rtol=1e-9)


def test_moments_and_risk_belong_together():
    rng = np.random.default_rng(1)
    for _ in range(20):
        spectrum, c_star, *stages = random_chain(rng)
        m, S = map(np.asarray, ridge_chain_moments(spectrum, c_star, *stages))
        by_moments = np.sum(S - 2 * m * c_star + c_star**2, axis=1)
        np.testing.assert_allclose(ridge_chain_risk(spectrum, c_star, *stages), by_moments, rtol=1e-10)


def test_collapse_risk_is_the_last_stage():
    for generations in (0, 1, 4):
        stages = lambda generator, last: [generator] * generations + [last]  # noqa: B023
        chain = ridge_chain_risk(PROBLEM.spectrum, C_STAR, stages(60, 150), stages(0.001, 0.01), stages(0.1, 0.2))
        risk = ridge_collapse_risk(*PROBLEM, generations, 150, 60, 0.01, 0.001, 0.2, 0.1)
        np.testing.assert_allclose(risk, chain[-1], rtol=1e-13)


def test_stages_as_lists_tuples_and_arrays():
    given = [[80, 90], [0.1, 0.2], [0.3, 0.3]]
    lists = ridge_chain_risk(PROBLEM.spectrum, C_STAR, *given)
    for kind in (tuple, np.array):
        assert np.array_equal(ridge_chain_risk(PROBLEM.spectrum, C_STAR, *map(kind, given)), lists)


def test_zero_eigenvalues_are_never_learned():
    spectrum = np.append(PROBLEM.spectrum, np.zeros(3))
    c_star = np.append(C_STAR, [0.5, 0.0, 0.1])
    stages = [150, 60], [0.01, 0.02], [0.1, 0.1]
    m, S = ridge_chain_moments(spectrum, c_star, *stages)
    assert not m[:, -3:].any() and not S[:, -3:].any()
    # what they hold is noise of the first stage and missing signal at the end
    sigmas = [np.hypot(0.1, np.hypot(0.5, 0.1)), 0.1]
    seen = ridge_chain_risk(PROBLEM.spectrum, C_STAR, *stages[:2], sigmas)
    np.testing.assert_allclose(ridge_chain_risk(spectrum, c_star, *stages), seen + 0.26, rtol=1e-12)


def test_agrees_with_the_definition_on_random_chains():
    assert disagreement(ridge_chain_risk, count=200) < 1e-9


@pytest.mark.parametrize(
    "fault",
    [
        lambda s, c, T, lam, sig: ridge_chain_risk(s, c, T, 2 * lam, sig),
        lambda s, c, T, lam, sig: ridge_chain_risk(s, c, T, lam * T, sig),
        lambda s, c, T, lam, sig: ridge_chain_risk(s, c, T, lam, np.sqrt(sig)),
        lambda s, c, T, lam, sig: ridge_chain_risk(s, c, T - 1, lam, sig),
        lambda s, c, T, lam, sig: ridge_chain_risk(s, np.sqrt(s) * c, T, lam, sig),
        lambda s, c, T, lam, sig: ridge_chain_risk(s, c, T, lam, sig, [0.01] * len(T)),
        lambda s, c, T, lam, sig: ridge_chain_risk(s, c, T, lam, sig) + 1e-6,
    ],
    ids=["lam doubled", "lam un-normalised", "sigma unsquared", "T - 1", "function basis", "real labels", "offset"],
)
def test_planted_faults_are_caught(fault):
    assert disagreement(fault) > 1e-7


def test_planted_faults_of_bias_and_variance_are_caught():
    """Variants of the formula with one mistake each, against the definition of one stage."""
    rng, worst = np.random.default_rng(2), {}
    for _ in range(20):
        spectrum, c_star, (T, *_), (lam, *_), (sigma, *_) = random_chain(rng)
        (expected,) = chain_by_definition(spectrum, c_star, [T], [lam], [sigma])[2]
        kappa = effective_ridge(spectrum, T, lam)
        df1, df2 = (degrees_of_freedom(spectrum, kappa, order) for order in (1, 2))
        missed = np.sum((kappa / (spectrum + kappa)) ** 2 * c_star**2)
        clean = ridge_bias_variance(spectrum, c_star / np.sqrt(spectrum), T, lam, sigma)
        variants = dict(
            right=clean.bias + clean.var,
            no_inflation=missed + clean.var,
            df1=clean.bias + sigma**2 * df1 / (T - df1),
            mixed_df=clean.bias + sigma**2 * df1 / (T - df2),
            lam_for_kappa=np.sum((lam / (spectrum + lam)) ** 2 * c_star**2) * T / (T - df2) + clean.var,
        )
        for name, value in variants.items():
            worst[name] = max(worst.get(name, 0), abs(value / expected - 1))
    assert worst.pop("right") < 1e-10
    assert min(worst.values()) > 0.01


def simulate_chain(rng, spectrum, w_star, Ts, lams, sigmas):
    """One honest chain of ridge fits: draw, label by the last fit, fit; the excess risk of the last one."""
    w = w_star
    for T, lam, sigma in zip(Ts, lams, sigmas):
        X = rng.normal(size=(T, spectrum.size)) * np.sqrt(spectrum)
        y = X @ w + sigma * rng.normal(size=T)
        w = X.T @ np.linalg.solve(X @ X.T + T * lam * np.eye(T), y) if lam else np.linalg.pinv(X) @ y
    return np.sum(spectrum * (w - w_star) ** 2)


@pytest.mark.slow
@pytest.mark.parametrize(
    "stages",
    [([60, 60, 80], [0.01, 0.01, 0.05], [0.3] * 3), ([40, 90], [0.0, 0.02], [0.1, 0.3]), ([150], [0.01], [0.4])],
)
def test_simulation(stages):
    """Asymptotic: 4 standard errors and 3% at d = 100 (measured finite-size part: 1 to 3%)."""
    rng = np.random.default_rng(3)
    risks = [simulate_chain(rng, *PROBLEM, *stages) for _ in range(400)]
    theory = ridge_chain_risk(PROBLEM.spectrum, C_STAR, *stages)[-1]
    assert abs(np.mean(risks) - theory) < 4 * np.std(risks) / 20 + 0.03 * theory
