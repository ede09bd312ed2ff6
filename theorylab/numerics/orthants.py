"""Probabilities and moments of Gaussian vectors in orthants and in wedges of the plane."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import ndtr
from jaxtyping import Array, Float

from theorylab.numerics.domain import in_domain, nan_unless
from theorylab.types import Real

__all__ = ["WedgeMoments", "correlation_gap", "orthant_probability", "wedge_moments"]

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(200)


def correlation_gap(c12: Real, c13: Real, c23: Real) -> Real:
    """Determinant of the correlation matrix of three variables: three cosines are possible where it is >= 0.

    1 + 2 c12 c13 c23 - c12^2 - c13^2 - c23^2 = (1 - c12^2) (1 - c13^2) (1 - partial correlation^2)
    """
    return 1 + 2 * c12 * c13 * c23 - c12 * c12 - c13 * c13 - c23 * c23


def orthant_probability(c12: Real, c13: Real, c23: Real) -> Float[Array, ""]:
    """Probability that three standard normal variables of these correlations are all positive.

        1/8 + (arcsin c12 + arcsin c13 + arcsin c23) / (4 pi)

    Domain: the correlations form a positive semi-definite matrix; 1e-9 is left to rounding.
    Raises ValueError outside the domain.
    """
    ok = True
    for c in (c12, c13, c23):
        ok &= in_domain((c >= -1) & (c <= 1), "c12, c13, c23", (c12, c13, c23), "in [-1, 1]")
    gap = correlation_gap(c12, c13, c23)
    ok &= in_domain(gap >= -1e-9, "c12, c13, c23", (c12, c13, c23), "correlations of three variables")
    angles = sum(jnp.arcsin(jnp.asarray(c, float)) for c in (c12, c13, c23))
    return nan_unless(ok, 1 / 8 + angles / (4 * jnp.pi))


class WedgeMoments(NamedTuple):
    """Integrals of 1, u and u u' over a wedge, against a normal density."""

    mass: Float[Array, ""]
    first: Float[Array, "2"]
    second: Float[Array, "2 2"]


def wedge_moments(m1: Real, m2: Real, r: Real) -> WedgeMoments:
    """Moments of u ~ N((m1, m2), I) over the wedge u1 > 0, r u1 + sqrt(1 - r^2) u2 > 0.

    The inner integral over u2 is closed, the outer one a Gauss-Legendre rule with an edge where the wedge ceases to
    cut: 1e-12 absolute for |r| <= 1 - 1e-9.

    Domain: |r| < 1. Raises ValueError outside it.
    m1, m2: mean in orthonormal coordinates. r: cosine of the two normals of the wedge, of opening pi - arccos r.
    """
    ok = in_domain((r > -1) & (r < 1), "r", r, "-1 < r < 1")
    m1, m2, r = (jnp.asarray(x, float) for x in (m1, m2, r))
    s = jnp.sqrt((1 - r) * (1 + r))
    # the edges carry no mass, or none that moves with them
    low, high = jnp.maximum(m1 - 10, 0.0), jnp.maximum(m1, 0.0) + 10
    edge = jnp.clip((12 + jnp.abs(m2)) * s / jnp.maximum(jnp.abs(r), 1e-12), low, high)
    panels = jax.lax.stop_gradient(jnp.stack([low, edge, high]))
    half = jnp.diff(panels)[:, None] / 2
    u = (panels[:-1, None] + half + half * _NODES[None]).ravel()
    weight = (half * _WEIGHTS[None]).ravel() * _density(u - m1)
    beta = -u * r / s - m2
    tail, edge_density = ndtr(-beta), _density(beta)
    v1 = m2 * tail + edge_density
    v2 = (m2 * m2 + 1) * tail + (2 * m2 + beta) * edge_density
    integral = lambda values: jnp.sum(weight * values)
    mixed = integral(u * v1)
    second = jnp.stack([jnp.stack([integral(u * u * tail), mixed]), jnp.stack([mixed, integral(v2)])])
    return nan_unless(ok, WedgeMoments(integral(tail), jnp.stack([integral(u * tail), integral(v1)]), second))


def _density(x: Array) -> Array:
    return jnp.exp(-x * x / 2) / (2 * jnp.pi) ** 0.5
