"""Orthants and wedges of Gaussian vectors: SciPy's cubature, closed forms, and what is no correlation matrix."""

import jax
import numpy as np
import pytest
from scipy import stats

from theorylab.numerics.orthants import correlation_gap, orthant_probability, wedge_moments

TRIPLES = [(0.6, 0.8, 0.48), (-0.3, 0.5, 0.2), (0.0, 0.0, 0.0), (0.5, 0.5, -0.4), (0.9, 0.9, 0.9)]


@pytest.mark.parametrize("c", TRIPLES)
def test_orthant_probability_equals_scipys(c):
    cov = np.eye(3) + np.array([[0, c[0], c[1]], [c[0], 0, c[2]], [c[1], c[2], 0]])
    expected = stats.multivariate_normal(np.zeros(3), cov, abseps=1e-9, releps=1e-9, maxpts=3_000_000).cdf(np.zeros(3))
    np.testing.assert_allclose(orthant_probability(*c), expected, atol=2e-7)
    np.testing.assert_allclose(correlation_gap(*c), np.linalg.det(cov), atol=1e-14)


def test_orthants_of_dependent_variables():
    np.testing.assert_allclose(orthant_probability(1.0, 0.3, 0.3), 0.25 + np.arcsin(0.3) / (2 * np.pi), rtol=1e-14)
    np.testing.assert_allclose(orthant_probability(-1.0, 0.3, -0.3), 0.0, atol=1e-16)


@pytest.mark.parametrize("c", [(1.2, 0.0, 0.0), (0.9, 0.9, -0.9), (0.8, -0.8, 0.8)])
def test_what_is_no_correlation_matrix_is_refused(c):
    with pytest.raises(ValueError, match=r"^c12, c13, c23 = .* outside its domain"):
        orthant_probability(*c)
    assert np.isnan(jax.jit(orthant_probability)(*c))


@pytest.mark.parametrize("m1, m2, r", [(0.3, -0.8, 0.5), (-1.2, 0.4, -0.7), (2.5, 1.0, 0.999), (0.4, 0.4, -0.999)])
def test_wedge_moments_equal_scipy_and_polar_quadrature(m1, m2, r):
    s = np.sqrt(1 - r * r)
    found = wedge_moments(m1, m2, r)
    # P(u1 > 0, v > 0) of a bivariate normal vector is the distribution function of its negative
    expected = stats.multivariate_normal([-m1, -r * m1 - s * m2], [[1, r], [r, 1]], abseps=1e-12).cdf([0, 0])
    np.testing.assert_allclose(found.mass, expected, atol=1e-9)

    # polar coordinates: the wedge is a range of angles
    x, weights = np.polynomial.legendre.leggauss(300)
    low, high = np.arccos(r) - np.pi / 2, np.pi / 2
    angle, radius = (low + high) / 2 + (high - low) / 2 * x[:, None], 6.5 * (1 + x)
    u1, u2 = radius * np.cos(angle), radius * np.sin(angle)
    density = np.exp(-((u1 - m1) ** 2 + (u2 - m2) ** 2) / 2) / (2 * np.pi)
    density *= radius * (high - low) / 2 * 6.5 * weights[:, None] * weights
    np.testing.assert_allclose(found.first, [np.sum(density * u) for u in (u1, u2)], atol=1e-10)
    second = [[np.sum(density * u * v) for u in (u1, u2)] for v in (u1, u2)]
    np.testing.assert_allclose(found.second, second, atol=1e-10)


def test_a_wedge_and_its_opposite_make_two_half_planes_less_two_wedges():
    """P(u1 > 0) splits into the wedges on both sides of the second line."""
    for r in (0.2, 0.9999999, -0.9999):
        total = wedge_moments(0.7, -0.3, r).mass + wedge_moments(0.7, 0.3, -r).mass
        np.testing.assert_allclose(total, stats.norm.cdf(0.7), atol=1e-12)


def test_wedge_gradients():
    mass = jax.jit(lambda m1, m2, r: wedge_moments(m1, m2, r).mass)
    point, h = (0.4, -0.6, 0.7), 1e-5
    for i, slope in enumerate(jax.grad(mass, (0, 1, 2))(*point)):
        up, down = (mass(*(x + sign * h * (i == j) for j, x in enumerate(point))) for sign in (1, -1))
        np.testing.assert_allclose(slope, (up - down) / (2 * h), rtol=1e-7)


def test_a_wedge_without_opening_is_refused():
    with pytest.raises(ValueError, match=r"^r = 1\.0 is outside"):
        wedge_moments(0.1, 0.1, 1.0)
