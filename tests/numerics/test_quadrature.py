"""Marchenko-Pastur quadrature against closed forms and adaptive integration."""

import jax
import numpy as np
import pytest
from scipy.integrate import quad

from theorylab.numerics.quadrature import marchenko_pastur_graded_quadrature, marchenko_pastur_quadrature

RULES = [(marchenko_pastur_quadrature, 400), (marchenko_pastur_graded_quadrature, 512)]
rules = pytest.mark.parametrize(("rule", "num"), RULES, ids=["chebyshev", "graded"])


@rules
@pytest.mark.parametrize("alpha", [0.05, 0.5, 0.9, 1.0, 1.1, 2.0, 20.0])
def test_moments(rule, num, alpha):
    """Mass min(1, alpha), mean alpha, second moment alpha + alpha^2, third alpha + 3 alpha^2 + alpha^3."""
    nodes, weights = rule(alpha, num)
    moments = [min(1, alpha), alpha, alpha + alpha**2, alpha + 3 * alpha**2 + alpha**3]
    np.testing.assert_allclose([weights @ nodes**k for k in range(4)], moments, rtol=1e-12)


@rules
@pytest.mark.parametrize("alpha", [0.3, 0.8, 1.25, 3.0])
def test_against_adaptive_integration(rule, num, alpha):
    low, high = (1 - np.sqrt(alpha)) ** 2, (1 + np.sqrt(alpha)) ** 2
    nodes, weights = rule(alpha, num)
    for f in (np.exp, np.cos, lambda l: l / (l + 0.1), np.log):
        density = lambda l: f(l) / (2 * np.pi * l)  # noqa: B023
        expected, _ = quad(density, low, high, weight="alg", wvar=(0.5, 0.5), epsabs=1e-12, epsrel=1e-12)
        np.testing.assert_allclose(weights @ f(np.asarray(nodes)), expected, rtol=1e-10)


@pytest.mark.parametrize("alpha", [0.5, 0.999, 0.9999, 1.0, 1.0001, 1.001, 2.0])
@pytest.mark.parametrize("lam", [1e-8, 1e-4, 0.3])
def test_graded_rule_resolves_small_ridges_near_alpha_one(alpha, lam):
    """Stieltjes transform of the continuous part, in closed form (cancellation-free), and its limit 1/|1 - alpha|."""
    nodes, weights = marchenko_pastur_graded_quadrature(alpha, 512)
    b = lam + alpha - 1
    root = np.sqrt(((1 - np.sqrt(alpha)) ** 2 + lam) * ((1 + np.sqrt(alpha)) ** 2 + lam))
    # l / (l + lam) = 1 - lam / (l + lam); with the atom, m = 2 / (b + root)
    learned = 1 - (2 * lam / (b + root) if b > 0 else (root - b) / 2)
    np.testing.assert_allclose(weights @ (nodes / (nodes + lam)), learned, rtol=1e-11, atol=1e-12)
    if alpha != 1:
        inverse = min(1, alpha) / abs(1 - alpha)
        np.testing.assert_allclose(weights @ (1 / nodes), inverse, rtol=2e-11)


@pytest.mark.parametrize("alpha", [0.99, 0.999, 1.001, 1.01])
def test_the_atom_repairs_the_chebyshev_rule_near_alpha_one(alpha):
    """At f(0) != 0 the bare rule is off by its error in the mass; 1 - sum(weights) as the atom's mass repairs it."""
    nodes, weights = marchenko_pastur_quadrature(alpha, 256)
    fine, fine_weights = marchenko_pastur_graded_quadrature(alpha, 512)
    exact = fine_weights @ np.exp(-fine) + max(0, 1 - alpha)
    assert abs(weights @ np.exp(-nodes) + max(0, 1 - alpha) - exact) > 1e-5
    np.testing.assert_allclose(weights @ np.exp(-nodes) + 1 - weights.sum(), exact, rtol=1e-12)


@rules
def test_derivative_batching_and_tracing(rule, num):
    traces = []

    @jax.jit
    def mean_exp(alpha):
        traces.append(1)
        nodes, weights = rule(alpha, num)
        return weights @ jax.numpy.exp(-nodes)

    points = np.array([0.4, 0.7, 1.9])
    values = [mean_exp(alpha) for alpha in points]
    assert len(traces) == 1
    np.testing.assert_allclose(jax.vmap(mean_exp)(points), values, rtol=1e-13)
    difference = [(mean_exp(a + 1e-5) - mean_exp(a - 1e-5)) / 2e-5 for a in points]
    np.testing.assert_allclose(jax.vmap(jax.grad(mean_exp))(points), difference, rtol=1e-8)


@rules
def test_planted_faults_are_caught(rule, num):
    nodes, weights = rule(2.0, num)
    for fault in (weights * 2, weights / nodes, weights * np.pi, rule(0.5, num).weights):
        assert abs(fault @ nodes - 2.0) > 0.1


@rules
@pytest.mark.parametrize(("alpha", "size"), [(0.0, 9), (-1.0, 9), (np.inf, 9), (np.nan, 9), (1.0, 0)])
def test_refusals(rule, num, alpha, size):
    with pytest.raises(ValueError, match="is outside its domain"):
        rule(alpha, size)
    if size:
        assert np.all(np.isnan(jax.jit(lambda a: rule(a, size).nodes)(alpha)))
