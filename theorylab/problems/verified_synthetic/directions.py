"""Mixtures and linear verifiers, by their angles to the generator and to the truth."""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from theorylab.numerics.domain import in_domain, nan_unless
from theorylab.numerics.orthants import correlation_gap
from theorylab.types import Real

__all__ = ["IsotropicMixture", "LinearVerifiers", "isotropic_mixture", "random_verifiers", "verifier_directions"]


class IsotropicMixture(NamedTuple):
    """Covariance eigenvalues, all 1, and class mean with equal entries [d]."""

    spectrum: np.ndarray
    mu: np.ndarray


def isotropic_mixture(d: int, mu_norm: float) -> IsotropicMixture:
    """The mixture x = y mu + z, z ~ N(0, I_d), with |mu| = mu_norm."""
    in_domain(d >= 1, "d", d, "d >= 1")
    in_domain(mu_norm >= 0, "mu_norm", mu_norm, "mu_norm >= 0")
    return IsotropicMixture(np.ones(d), np.full(d, mu_norm / d**0.5))


class LinearVerifiers(NamedTuple):
    """Cosines of linear verifiers with the truth and with the generator [count]."""

    rho_v: np.ndarray
    r: np.ndarray


def random_verifiers(count: int, rho_g: float, seed: int) -> LinearVerifiers:
    """Verifiers with rho_v uniform in [0, 1] and r uniform in the range that rho_g and rho_v leave.

    Domain: count >= 1, -1 < rho_g < 1. Raises ValueError outside it.
    """
    in_domain(count >= 1, "count", count, "count >= 1")
    in_domain((rho_g > -1) & (rho_g < 1), "rho_g", rho_g, "-1 < rho_g < 1")
    uniform = np.random.default_rng(seed).uniform(size=(2, count))
    rho_v = uniform[0]
    half_width = np.sqrt((1 - rho_g**2) * (1 - rho_v**2))
    return LinearVerifiers(rho_v, rho_g * rho_v + (2 * uniform[1] - 1) * half_width)


def verifier_directions(rho_g: Real, rho_v: Real, r: Real) -> Float[Array, "3 3"]:
    """Unit vectors of truth, generator and verifier, as rows, in an orthonormal basis that starts with the truth.

    Domain: the cosines rho_g = cos(g, w_star), rho_v = cos(v, w_star), r = cos(g, v) are those of three vectors (1e-9
    is left to rounding), and |rho_g| < 1. Raises ValueError outside it.
    """
    ok = in_domain((rho_g > -1) & (rho_g < 1), "rho_g", rho_g, "-1 < rho_g < 1")
    ok &= in_domain(
        correlation_gap(rho_g, rho_v, r) >= -1e-9, "rho_g, rho_v, r", (rho_g, rho_v, r), "cosines of three vectors"
    )
    rho_g, rho_v, r = (jnp.asarray(x, float) for x in (rho_g, rho_v, r))
    s = jnp.sqrt(1 - rho_g**2)
    b = (r - rho_g * rho_v) / s
    rest = jnp.sqrt(jnp.maximum(1 - rho_v**2 - b**2, 0.0))
    zero = jnp.zeros_like(s)
    rows = [jnp.stack([zero + 1, zero, zero]), jnp.stack([rho_g, s, zero]), jnp.stack([rho_v, b, rest])]
    return nan_unless(ok, jnp.stack(rows))
