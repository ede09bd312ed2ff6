"""One shared design: slope, Marchenko-Pastur integrals against adaptive quadrature and against drawn matrices."""

from itertools import pairwise

import numpy as np
import pytest
from scipy.integrate import quad

from theorylab.numerics.ridge import effective_ridge
from theorylab.problems import isotropic, power_law_problem
from theorylab.theory import (
    isotropic_minnorm_generator_risk,
    isotropic_shared_design_risk,
    ridge_bias_variance,
    ridge_collapse_slope_shared,
)


def risk_by_quadrature(gamma, generations, lam0, lam, sigma, sigma0, w_star_sq):
    """The two integrals as they are stated, term by term, in an angle with breaks in geometric progression."""
    low, high = (1 - np.sqrt(gamma)) ** 2, (1 + np.sqrt(gamma)) ** 2

    def integrand(angle):
        x = np.sin(angle / 2) ** 2
        s = low + (high - low) * x
        a, a0 = s / (s + lam), s / (s + lam0)
        noise = sigma0**2 * sum(a0 ** (2 * (generations - j + 1)) for j in range(1, generations + 1)) + sigma**2
        density = (high - low) ** 2 * x * (1 - x) / (2 * np.pi * gamma * s)
        return density * (w_star_sq * (1 - a * a0**generations) ** 2 + gamma * noise * a * a / s)

    breaks = np.concatenate([[0], np.geomspace(1e-8, np.pi, 40)])
    total = sum(quad(integrand, *ends, epsabs=0, epsrel=1e-12)[0] for ends in pairwise(breaks))
    return total + w_star_sq * max(0, 1 - 1 / gamma)


def points(count, seed=0):
    rng = np.random.default_rng(seed)
    for _ in range(count):
        lam0, lam = 10 ** rng.uniform(-6, 1, 2)
        yield 10 ** rng.uniform(-1, 1), int(rng.integers(0, 6)), lam0, lam, *rng.uniform(0.1, 1, 3)


def disagreement(predictor, count=15):
    return max(abs(predictor(*point) / risk_by_quadrature(*point) - 1) for point in points(count))


def test_values_of_the_theory_sheet():
    risk = isotropic_shared_design_risk(2 / 3, 3, 0.1, 0.05, 0.1, 0.2, 1)
    np.testing.assert_allclose(risk, 0.31538410111519344, rtol=1e-12)
    slope = ridge_collapse_slope_shared(power_law_problem(100, 1.5, 0.7).spectrum, 80, 0.01)
    np.testing.assert_allclose(slope, 0.18716017590197703, rtol=1e-13)
    spectrum = power_law_problem(100, 1.5, 0.7).spectrum
    g = spectrum / (spectrum + effective_ridge(spectrum, 80, 0.01))
    for fault in (g.sum() / (80 - g.sum()), np.sum(g**2) / 80, np.sum(g**2) / (80 - g.sum())):
        assert abs(fault / slope - 1) > 0.05


def test_agrees_with_adaptive_quadrature():
    assert disagreement(isotropic_shared_design_risk, 60) < 1e-9


@pytest.mark.parametrize(("gamma", "lam0", "lam"), [
    (gamma, lam0, lam)
    for gamma in (0.98, 0.999, 0.9999, 1.0, 1.0001, 1.001, 1.02)
    for lam0, lam in ((0.1, 0.05), (1e-6, 1e-6), (0.0, 1e-4), (1e-4, 0.0), (0.0, 0.0))
    if gamma != 1 or lam > 0  # otherwise infinite
])  # fmt: skip
def test_next_to_as_many_samples_as_dimensions(gamma, lam0, lam):
    point = (gamma, 3, lam0, lam, 0.1, 0.2, 1.0)
    np.testing.assert_allclose(isotropic_shared_design_risk(*point), risk_by_quadrature(*point), rtol=1e-9)


@pytest.mark.parametrize(
    "fault",
    [
        lambda g, n, lam0, lam, s, s0, w: isotropic_shared_design_risk(1 / g, n, lam0, lam, s, s0, w),
        lambda g, n, lam0, lam, s, s0, w: isotropic_shared_design_risk(g, n, lam, lam0, s, s0, w),
        lambda g, n, lam0, lam, s, s0, w: isotropic_shared_design_risk(g, n + 1, lam0, lam, s, s0, w),
        lambda g, n, lam0, lam, s, s0, w: isotropic_shared_design_risk(g, n, lam0, g * lam, s, s0, w),
        lambda g, n, lam0, lam, s, s0, w: isotropic_shared_design_risk(g, n, lam0, lam, s0, s, w),
        lambda g, n, lam0, lam, s, s0, w: isotropic_shared_design_risk(g, n, lam0, lam, s, s0, w) - (g > 1) * w * 0.01,
    ],
    ids=["gamma inverted", "ridges exchanged", "one generation more", "lam in other units", "noises exchanged", "atom"],
)
def test_planted_faults_are_caught(fault):
    assert disagreement(fault) > 1e-3


def test_no_generators_is_the_clean_ridge_risk():
    for gamma in (0.3, 0.9, 1.0, 1.6):
        clean = ridge_bias_variance(*isotropic(90), 90 / gamma, 0.05, 0.4)
        risk = isotropic_shared_design_risk(gamma, 0, 0.7, 0.05, 0.4, 0.9, 1.0)
        np.testing.assert_allclose(risk, clean.bias + clean.var, rtol=1e-11)


def test_ridgeless_generators_inflate_the_noise():
    """lam0 = 0: bias + (sigma^2 + generations sigma0^2) rho_shared, at any ridge downstream."""
    for gamma in (0.4, 1.7):
        spectrum, w_star = isotropic(70)
        T = 70 / gamma
        rho = ridge_collapse_slope_shared(spectrum, T, 0.05)
        clean = ridge_bias_variance(spectrum, w_star, T, 0.05, 0.4)
        np.testing.assert_allclose(clean.var, 0.16 * rho, rtol=1e-13)
        for n in (1, 5):
            risk = isotropic_shared_design_risk(gamma, n, 0.0, 0.05, 0.4, 0.3, 1.0)
            np.testing.assert_allclose(risk, clean.bias + (0.16 + n * 0.09) * rho, rtol=1e-10)


def test_ridgeless_everywhere():
    np.testing.assert_allclose(
        isotropic_shared_design_risk(0.5, 4, 0, 0, 0.3, 0.2, 1.0), (0.09 + 4 * 0.04) * 0.5 / 0.5, rtol=1e-11
    )
    # over-parametrised: the atom is forgotten once; equals a shared-design minimum-norm generator of large d
    d = 3e6
    large = isotropic_minnorm_generator_risk(d, 5, d / 2, 0.2, 1.0, shared=True)
    np.testing.assert_allclose(isotropic_shared_design_risk(2.0, 4, 0, 0, 0.2, 0.2, 1.0), large, rtol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("T", [40, 140])
def test_drawn_matrices(T):
    """Noise averaged in closed form given the design, d = 80: 4 standard errors and 1%."""
    rng, d, n, lam0, lam, sigma, sigma0 = np.random.default_rng(1), 80, 3, 0.1, 0.05, 0.1, 0.2
    risks = []
    for _ in range(60):
        s = np.linalg.eigvalsh((X := rng.normal(size=(T, d))).T @ X / T).clip(0)
        a, a0 = s / (s + lam), s / (s + lam0)
        propagated = sigma**2 + sigma0**2 * sum(a0 ** (2 * j) for j in range(1, n + 1))
        inverse = np.divide(1, s, where=s > 1e-9, out=np.zeros(d))
        risks.append(np.mean((1 - a * a0**n) ** 2) + np.sum(a**2 * propagated * inverse) / T)
    theory = isotropic_shared_design_risk(d / T, n, lam0, lam, sigma, sigma0, 1.0)
    assert abs(np.mean(risks) - theory) < 4 * np.std(risks) / np.sqrt(60) + 0.01 * theory
