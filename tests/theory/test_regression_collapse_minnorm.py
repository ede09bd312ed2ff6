"""Minimum-norm chains: values, limits, and the recursion of first and second moments they solve."""

import numpy as np
import pytest

from theorylab.problems import isotropic
from theorylab.theory import (
    isotropic_minnorm_collapse_risk,
    isotropic_minnorm_generator_risk,
    ols_collapse_risk,
    ridge_collapse_risk,
)


def moments_by_recursion(d, generations, T0, sigma0, w_star_sq):
    """E|w_n|^2 and E<w_n, w*>: a projection keeps a share T0/d, and the noise adds T0/(d-T0-1)."""
    second, mean = w_star_sq, w_star_sq
    for _ in range(generations):
        second = second * T0 / d + sigma0**2 * T0 / (d - T0 - 1)
        mean = mean * T0 / d
    return second, mean


def risk_by_recursion(d, generations, T, T0, sigma, sigma0, w_star_sq):
    second, mean = moments_by_recursion(d, generations, T0, sigma0, w_star_sq)
    if T > d:
        return second - 2 * mean + w_star_sq + sigma**2 * d / (T - d - 1)
    return T / d * (second - 2 * mean) + w_star_sq + sigma**2 * T / (d - T - 1)


def random_points(count):
    rng = np.random.default_rng(0)
    for _ in range(count):
        d = int(rng.integers(5, 200))
        T = rng.choice([rng.integers(1, d - 1), rng.integers(d + 2, 4 * d)])
        yield d, int(rng.integers(0, 8)), int(T), int(rng.integers(1, d - 1)), *rng.uniform(0, 2, 3)


def disagreement(predictor, count=60):
    return max(abs(predictor(*point) / risk_by_recursion(*point) - 1) for point in random_points(count))


def test_values_of_the_theory_sheet():
    np.testing.assert_allclose(isotropic_minnorm_collapse_risk(100, 3, 250, 60, 0.1, 0.1, 1), 0.8208652555498194)
    np.testing.assert_allclose(isotropic_minnorm_collapse_risk(100, 3, 50, 60, 0.1, 0.1, 1), 0.9172810047095762)
    np.testing.assert_allclose(isotropic_minnorm_generator_risk(100, 3, 60, 0.1, 1), 0.8141538461538462)
    np.testing.assert_allclose(isotropic_minnorm_generator_risk(100, 3, 60, 0.1, 1, shared=True), 0.4461538461538462)


def test_agrees_with_the_recursion_on_random_points():
    assert disagreement(isotropic_minnorm_collapse_risk, 200) < 1e-11
    for d, n, _, T0, _, sigma0, w_star_sq in random_points(200):
        second, mean = moments_by_recursion(d, n, T0, sigma0, w_star_sq)
        risk = isotropic_minnorm_generator_risk(d, n, T0, sigma0, w_star_sq)
        np.testing.assert_allclose(risk, second - 2 * mean + w_star_sq, rtol=1e-10, atol=1e-14)


@pytest.mark.parametrize(
    "fault",
    [
        lambda d, n, T, T0, s, s0, w: isotropic_minnorm_collapse_risk(d, n, T, T0, s, 1.01 * s0, w),
        lambda d, n, T, T0, s, s0, w: isotropic_minnorm_collapse_risk(d, n + 1, T, T0, s, s0, w),
        lambda d, n, T, T0, s, s0, w: isotropic_minnorm_collapse_risk(d, n, T, T0, s, s0, np.sqrt(w)),
        lambda d, n, T, T0, s, s0, w: isotropic_minnorm_collapse_risk(d + 0.1, n, T, T0, s, s0, w),
        lambda d, n, T, T0, s, s0, w: ols_collapse_risk(d, 0, T, 2 * d + 9, s, s0) if d < T else s**2 * T / (d - T - 1),
    ],
    ids=["noise", "one generation more", "norm unsquared", "d - T - 1", "no bias"],
)
def test_planted_faults_are_caught(fault):
    assert disagreement(fault) > 1e-3


def test_limits():
    for d, T0 in ((100, 30), (100, 90)):
        without_noise = [isotropic_minnorm_generator_risk(d, n, T0, 0.0, 2.0) for n in range(5)]
        np.testing.assert_allclose(without_noise, 2 * (1 - (T0 / d) ** np.arange(5)), rtol=1e-13)
        shared = [isotropic_minnorm_generator_risk(d, n, T0, 0.0, 2.0, shared=True) for n in range(4)]
        np.testing.assert_allclose(shared, [0, *[2 * (1 - T0 / d)] * 3], rtol=1e-14)
        for noise in (0.0, 0.7):  # one generator: fresh and shared are the same
            one = [isotropic_minnorm_generator_risk(d, 1, T0, noise, 2.0, shared=s) for s in (False, True)]
            np.testing.assert_allclose(*one, rtol=1e-13)
    # no generators, T > d: clean least squares
    np.testing.assert_allclose(
        isotropic_minnorm_collapse_risk(40, 0, 90, 20, 0.3, 0.5, 1.0), ols_collapse_risk(40, 0, 90, 90, 0.3, 0.5)
    )


def test_asymptotic_chain_is_its_large_size_limit():
    """ridge_collapse_risk at zero ridge: the deviation halves when the sizes double."""
    gaps = []
    for k in (1, 2, 4):
        asymptotic = ridge_collapse_risk(*isotropic(100 * k), 3, 50 * k, 60 * k, 0, 0, 0.3, 0.4)
        gaps.append(isotropic_minnorm_collapse_risk(100 * k, 3, 50 * k, 60 * k, 0.3, 0.4, 1.0) - asymptotic)
    assert 0 < gaps[0] < 0.02
    np.testing.assert_allclose(np.divide(gaps[:2], gaps[1:]), 2, rtol=0.03)


@pytest.mark.slow
@pytest.mark.parametrize("shared", [False, True])
def test_simulation(shared):
    """Exact at d = 12: 4 standard errors, generators and both kinds of downstream fit."""
    rng, d, T0, n, count = np.random.default_rng(1), 12, 7, 3, 6000
    w_star = isotropic(d).w_star
    risks = {"generator": [], 5: [], 20: []}
    for _ in range(count):
        w, X = w_star, rng.normal(size=(T0, d))
        for _ in range(n):
            X = X if shared else rng.normal(size=(T0, d))
            w = np.linalg.pinv(X) @ (X @ w + 0.2 * rng.normal(size=T0))
        risks["generator"].append(np.sum((w - w_star) ** 2))
        for T in (5, 20):
            X = rng.normal(size=(T, d))
            risks[T].append(np.sum((np.linalg.pinv(X) @ (X @ w + 0.3 * rng.normal(size=T)) - w_star) ** 2))
    expected = {"generator": isotropic_minnorm_generator_risk(d, n, T0, 0.2, 1.0, shared=shared)}
    if not shared:
        expected |= {T: isotropic_minnorm_collapse_risk(d, n, T, T0, 0.3, 0.2, 1.0) for T in (5, 20)}
    for name, theory in expected.items():
        assert abs(np.mean(risks[name]) - theory) < 4 * np.std(risks[name]) / np.sqrt(count)
