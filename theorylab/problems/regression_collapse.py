"""Gaussian linear regression problems in the eigenbasis of the covariance, and the exact risk of given weights."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from theorylab.numerics.domain import in_domain, nan_unless
from theorylab.types import Real, Vector

__all__ = ["Problem", "excess_risk", "isotropic", "power_law_problem"]


class Problem(NamedTuple):
    """Covariance eigenvalues and the true weights in the eigenbasis."""

    spectrum: Vector
    w_star: Vector


def isotropic(d: int) -> Problem:
    """Identity covariance and true weights 1 / sqrt(d), of norm 1.

    Domain: d >= 1. Raises ValueError outside it.
    """
    in_domain(d >= 1, "d", d, "d >= 1")
    return Problem(np.ones(d), np.full(d, d**-0.5))


def power_law_problem(d: int, beta: Real, r: Real) -> Problem:
    """Power-law covariance and target.

        spectrum_k = k^-beta ,   spectrum_k w_star_k^2 = k^-(1 + 2 beta r) ,   k = 1..d

    Source: @dohmatob2024model, the capacity and source conditions.
    Domain: beta > 0, r > 0, d >= 1.
    beta: capacity exponent. r: source exponent.
    Returns Problem(spectrum, w_star), NumPy arrays unless beta or r is traced.
    Raises ValueError outside the domain.
    """
    in_domain(d >= 1, "d", d, "d >= 1")
    ok = in_domain((beta > 0) & (beta < np.inf), "beta", beta, "0 < beta < inf")
    ok &= in_domain((r > 0) & (r < np.inf), "r", r, "0 < r < inf")
    xp = _namespace(beta, r)
    beta, r = xp.asarray(beta, float), xp.asarray(r, float)
    k = np.arange(1, d + 1, dtype=float)
    return nan_unless(ok, Problem(k**-beta, k ** (-(1 + beta * (2 * r - 1)) / 2)))


def excess_risk(
    w: Float[Array, "*batch d"] | Float[np.ndarray, "*batch d"], w_star: Vector, spectrum: Vector
) -> Float[Array, "*batch"] | Float[np.ndarray, "*batch"] | Float[np.generic, ""]:
    """Excess risk of given weights, sum_k spectrum_k (w_k - w_star_k)^2; the noise of the labels is not added.

    w: weights in the eigenbasis, one vector or many. A NumPy result unless an argument belongs to JAX.
    Raises ValueError when the lengths differ.
    """
    same = w.shape[-1:] == w_star.shape == spectrum.shape
    in_domain(same, "w_star", w_star.shape, f"the length of w and spectrum, {w.shape[-1]} and {spectrum.shape}")
    xp = jnp if any(isinstance(x, jax.Array) for x in (w, w_star, spectrum)) else np
    error = w - xp.broadcast_to(w_star, w.shape)
    return xp.sum(error**2 * xp.broadcast_to(spectrum, w.shape), axis=-1)


def _namespace(*values: Any) -> Any:
    """NumPy for concrete values, so that the host compiles nothing; JAX for traced ones."""
    try:
        for value in values:
            np.asarray(value)
    except jax.errors.TracerArrayConversionError:
        return jnp
    return np
