"""Refitting to mixtures of real and synthetic labels: variance factors, best weights, ridge, fresh designs."""

import jax
import numpy as np
import pytest
from scipy import optimize

from theorylab import problems, theory
from theorylab.numerics.quadrature import marchenko_pastur_graded_quadrature
from theorylab.numerics.ridge import effective_ridge

WEIGHTS = pytest.mark.parametrize("r", [0.05, 0.4, 0.618, 1.0])
NOISES = pytest.mark.parametrize("s", [0.0, 0.3, 1.0, 50.0])
POWER_LAW = problems.power_law_problem(100, 1.5, 0.7)
GOLDEN = (5**0.5 - 1) / 2

factor = theory.label_mixing_variance_factor
fixed_real = theory.label_mixing_variance_factor_fixed_real
best_weight = theory.label_mixing_optimal_weight
isotropic = theory.label_mixing_isotropic_risk
ridge = jax.jit(theory.label_mixing_ridge_risk)


def ridge_risk(problem, *values):
    return float(ridge(*problem, *map(float, values)))


def clean(problem, n, lam, sigma):
    return tuple(float(part) for part in theory.ridge_bias_variance(*problem, float(n), float(lam), float(sigma)))


# ------------------------------------------------------------------------------------------------ identities and limits


@WEIGHTS
@NOISES
def test_variance_factor_is_the_variance_of_an_autoregression(r, s):
    """e_t = r eps + (1-r) (e_{t-1} + sqrt(s) eps') , from e_0 = eps."""
    variance = 1.0
    for t in range(6):
        np.testing.assert_allclose(factor(r, s, t), variance, rtol=1e-14)
        variance = r**2 + (1 - r) ** 2 * (variance + s)
    np.testing.assert_allclose(factor(r, s, 2000), factor(r, s), rtol=1e-13)


@WEIGHTS
@NOISES
def test_real_labels_drawn_once_stay_and_synthetic_noise_adds(r, s):
    synthetic = 0.0
    for _ in range(1000):
        synthetic = (1 - r) ** 2 * (synthetic + s)
    np.testing.assert_allclose(fixed_real(r, s), 1 + synthetic, rtol=1e-12)
    assert fixed_real(r, s) >= 1


def test_without_real_labels_the_variance_grows_linearly():
    np.testing.assert_allclose([factor(0.0, 0.7, t) for t in (0, 1, 10)], [1.0, 1.7, 8.0], rtol=1e-15)
    np.testing.assert_allclose(factor(1e-9, 0.7, 10), factor(0.0, 0.7, 10), rtol=1e-7)


def test_real_labels_alone_change_nothing():
    for s in (0.3, 2.0):
        assert factor(1.0, s) == factor(1.0, s, 3) == factor(1.0, s, 0) == fixed_real(1.0, s) == 1.0


@pytest.mark.parametrize("s", [1e-12, 0.01, 1.0, 7.0, 1e6])
def test_best_weight_minimises_the_factor_which_there_equals_the_weight(s):
    r = float(best_weight(s))
    np.testing.assert_allclose(r**2 / s, 1 - r, rtol=1e-9, atol=1e-15)
    np.testing.assert_allclose(factor(r, s), r, rtol=1e-14)
    np.testing.assert_allclose(jax.grad(factor)(r, s), 0.0, atol=1e-9 * max(1.0, s))
    for other in (0.8 * r, r + 0.2 * (1 - r)):
        assert factor(other, s) > r


def test_best_weight_keeps_its_digits():
    np.testing.assert_allclose(best_weight(1e-20), 1e-10, rtol=1e-9)
    np.testing.assert_allclose(1 - best_weight(1e6), 1e-6, rtol=3e-6)
    assert best_weight(0.0) == 0.0
    assert jax.grad(best_weight)(0.0) == np.inf


@pytest.mark.parametrize("d, n", [(60, 30), (60, 58), (20, 22), (20, 90)])
@pytest.mark.parametrize("r", [0.0, 0.3, 0.618, 1.0])
def test_isotropic_risk_follows_first_and_second_moments(d, n, r):
    """M and S: mean of the fit along the truth, and of its squared norm."""
    sigma, sigma_syn, w2 = 0.5, 0.8, 1.7
    a, v = (n / d, n / (d - n - 1)) if n < d else (1.0, d / (n - d - 1))
    noise = (r**2 * sigma**2 + (1 - r) ** 2 * sigma_syn**2) * v
    M, S = a, a * w2 + sigma**2 * v
    for t in range(8):
        np.testing.assert_allclose(isotropic(d, n, r, sigma, sigma_syn, w2, t), S - 2 * M * w2 + w2, rtol=1e-12)
        S = a * (r**2 * w2 + 2 * r * (1 - r) * M * w2 + (1 - r) ** 2 * S) + noise
        M = a * (r + (1 - r) * M)
    if r > 0:
        M = a * r / (1 - a * (1 - r))
        S = (a * w2 * (r**2 + 2 * r * (1 - r) * M) + noise) / (1 - a * (1 - r) ** 2)
        np.testing.assert_allclose(isotropic(d, n, r, sigma, sigma_syn, w2), S - 2 * M * w2 + w2, rtol=1e-12)


def test_least_squares_on_fresh_designs_has_the_factor_of_a_fixed_one():
    for t in (0, 4, None):
        expected = 0.25 * 20 / 29 * factor(0.4, 0.64 / 0.25, t)
        np.testing.assert_allclose(isotropic(20, 50, 0.4, 0.5, 0.8, 3.0, t), expected, rtol=1e-14)


@pytest.mark.parametrize("T", [30, 90])
def test_fresh_designs_are_the_chain_of_fits(T):
    """The deterministic equivalent, where 1 next to d - n does not count; at T > d also the factor."""
    spectrum, w = np.ones(60), np.full(60, 60**-0.5)
    r, sigma, sigma_syn, rounds = 0.4, 0.5, 0.8, 5
    mixed = np.hypot(r * sigma, (1 - r) * sigma_syn)
    chain = theory.ridge_chain_risk(
        spectrum, w, np.full(rounds, float(T)), np.zeros(rounds), np.array([sigma, *[mixed] * (rounds - 1)]),
        np.array([1.0, *[r] * (rounds - 1)]),
    )  # fmt: skip
    for t in range(rounds):
        np.testing.assert_allclose(isotropic(60e12, T * 1e12, r, sigma, sigma_syn, 1.0, t), chain[t], rtol=1e-11)
        if T > 60:
            expected = sigma**2 * 60 / (T - 60) * factor(r, (sigma_syn / sigma) ** 2, t)
            np.testing.assert_allclose(chain[t], expected, rtol=1e-12)


# ---------------------------------------------------------------------------------------------------- ridge, and others


@pytest.mark.parametrize("n", [60, 150])
@pytest.mark.parametrize("lam", [0.0, 1e-3, 0.5])
def test_ridge_on_real_labels_alone_is_ridge(n, lam):
    np.testing.assert_allclose(
        ridge_risk(POWER_LAW, n, lam, 1.0, 0.5, 0.8), sum(clean(POWER_LAW, n, lam, 0.5)), rtol=1e-12
    )


@pytest.mark.parametrize("n, lam", [(60, 0.0), (60, 1e-12), (99.9, 0.0), (150, 0.0), (150, 1e-12)])
def test_ridgeless_is_the_common_factor(n, lam):
    bias, variance = clean(POWER_LAW, n, lam, 0.5)
    expected = bias + variance * factor(0.3, 0.64 / 0.25)
    np.testing.assert_allclose(ridge_risk(POWER_LAW, n, lam, 0.3, 0.5, 0.8), expected, rtol=1e-13 if lam == 0 else 1e-7)


@pytest.mark.parametrize("lam", [0.01, 1.0])
@pytest.mark.parametrize("r", [0.05, 0.5, 0.9])
def test_ridge_variance_has_a_second_form(lam, r):
    """By partial fractions: [(k1 - lam/r) - (k2 - lam/(2-r))] / (2 lam (1-r))."""
    kappa = [effective_ridge(POWER_LAW.spectrum, 60.0, lam / x) for x in (r, 2 - r)]
    second = (kappa[0] - lam / r - kappa[1] + lam / (2 - r)) / (2 * lam * (1 - r))
    expected = clean(POWER_LAW, 60, lam / r, 0.0)[0] + (r**2 * 0.25 + (1 - r) ** 2 * 0.64) * second
    np.testing.assert_allclose(ridge_risk(POWER_LAW, 60, lam, r, 0.5, 0.8), expected, rtol=1e-10)


@pytest.mark.parametrize("n", [60, 150])
@pytest.mark.parametrize("r", [0.1, 0.35, 1.0])
def test_without_noise_it_is_the_limit_of_self_distillation(n, r):
    """Both are ridge with lam / weight: the filter of infinitely many steps, in the mean over random designs."""
    d, lam = 100, 0.2
    noiseless = ridge_risk(POWER_LAW, n, lam, r, 0.0, 0.0)
    np.testing.assert_allclose(noiseless, clean(POWER_LAW, n, lam / r, 0.0)[0], rtol=1e-13)
    # isotropic: the eigenvalues of X'X / n, those of the kernel matrix over n, have the Marchenko-Pastur law
    l, mass = marchenko_pastur_graded_quadrature(n / d, 512)
    x = l / (n / d)
    b = theory.self_distillation_filter_limit(n * x, n * lam, r)
    bias = np.sum(mass * (1 - b) ** 2) + max(0, 1 - n / d)
    np.testing.assert_allclose(ridge_risk(problems.isotropic(d), n, lam, r, 0.0, 0.0), bias, rtol=1e-10)


@pytest.mark.parametrize("n", [60, 150])
@pytest.mark.parametrize("r", [0.1, 0.35, 1.0])
def test_in_the_long_run_bias_and_variance_follow_the_filter_of_self_distillation(n, r):
    """Step by step in the modes: mean filter f = a (r + (1-r) f), noise V = a^2 (1-r)^2 V + noise a^2 / (n x)."""
    d, lam, sigma, sigma_syn, rounds = 100, 0.2, 0.5, 0.8, 200
    l, mass = marchenko_pastur_graded_quadrature(n / d, 512)
    x = l / (n / d)
    a = x / (x + lam)
    f = theory.self_distillation_filter(n * x, n * lam, np.array([1.0, *[r] * rounds]))[-1]
    unit = x / (x + lam) ** 2 / n
    V = sigma**2 * unit
    for _ in range(rounds):
        V = a**2 * (1 - r) ** 2 * V + (r**2 * sigma**2 + (1 - r) ** 2 * sigma_syn**2) * unit
    risk = np.sum(mass * (1 - f) ** 2) + max(0, 1 - n / d) + d * np.sum(mass * V)
    np.testing.assert_allclose(ridge_risk(problems.isotropic(d), n, lam, r, sigma, sigma_syn), risk, rtol=1e-9)


@pytest.mark.parametrize("d_per_n", [0.2, 2.0, 5.0])
@pytest.mark.parametrize("lam", [1e-3, 0.3, 10.0])
def test_best_weight_for_ridge_and_equal_noise_is_at_least_one_half(d_per_n, lam):
    problem = problems.isotropic(4)

    def best(sigma, sigma_syn):
        risk = lambda r: ridge_risk(problem, 4 / d_per_n, lam, r, sigma, sigma_syn)
        return optimize.minimize_scalar(risk, bounds=(0.01, 1), method="bounded").x

    assert min(best(sigma, sigma) for sigma in (0.1, 1.0, 10.0)) >= 0.52
    if lam < 1:
        assert best(10.0, 0.3**0.5 * 10.0) < 0.43  # less noisy synthetic labels


# ----------------------------------------------------------------------------------------------------------- values


def test_stated_values():
    np.testing.assert_allclose(factor(0.4, 1, 3), 0.821248, rtol=1e-14)
    np.testing.assert_allclose(factor(0.4), 0.8125, rtol=1e-14)
    np.testing.assert_allclose(fixed_real(0.4, 1), 1.5625, rtol=1e-14)
    np.testing.assert_allclose([best_weight(), best_weight(2)], [GOLDEN, 0.7320508075688772], rtol=1e-14)
    np.testing.assert_allclose(GOLDEN, 0.6180339887498949, rtol=1e-15)
    np.testing.assert_allclose(ridge_risk(POWER_LAW, 60, 0.1, 0.3, 0.5, 0.8), 0.15974519705275592, rtol=1e-13)
    np.testing.assert_allclose(isotropic(60, 30, 0.4, 0.5, 0.8, 1, t=3), 0.9497618206896553, rtol=1e-14)
    np.testing.assert_allclose(isotropic(60, 30, 0.4, 0.5, 0.8, 1), 0.950883095037847, rtol=1e-14)
    c_star = np.sqrt(POWER_LAW.spectrum) * POWER_LAW.w_star
    chain = theory.ridge_chain_risk(
        POWER_LAW.spectrum, c_star, np.full(4, 60.0), np.full(4, 0.01), np.array([0.2, *[0.2 / 2**0.5] * 3]),
        np.array([1.0, 0.5, 0.5, 0.5]),
    )  # fmt: skip
    np.testing.assert_allclose(chain, [0.0129174241, 0.0115994839, 0.0122281161, 0.0126467375], rtol=1e-8)
