"""Credit assignment with process rewards: the return of a solution is its worst step, made differentiable."""

from typing import NamedTuple, TypeAlias

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from theorylab.numerics.domain import in_domain, nan_unless
from theorylab.types import Real

__all__ = ["SoftMinReturns", "soft_min_returns"]

Steps: TypeAlias = Float[Array, "n"] | Float[np.ndarray, "n"]


class SoftMinReturns(NamedTuple):
    """Weighted process rewards rtil [n], and their total."""

    rtil: Float[Array, "n"]
    total: Float[Array, ""]


def soft_min_returns(r: Steps, temperature: Real) -> SoftMinReturns:
    """Process rewards weighted so that their sum is a soft minimum.

        rtil_t = r_t exp(-r_t / temperature) / sum_j exp(-r_j / temperature) ,   total = sum_t rtil_t

    The total tends to min r for temperature -> 0 and to mean r for temperature -> infinity, and
    min r <= total <= min r + temperature log n: it does not grow with the number of steps, as a plain sum does.

    Source: @cheng2025stop; the bound is derived here (the Gibbs variational principle).
    Domain: r finite, at least one step; temperature > 0.

    r: process reward of each step [n]. temperature: in units of the rewards.
    Returns rtil [n] and their total.
    Raises ValueError outside the domain.
    """
    in_domain(len(r) > 0, "r", r, "at least one step")
    ok = in_domain(jnp.isfinite(r), "r", r, "finite")
    ok &= in_domain(temperature > 0, "temperature", temperature, "temperature > 0")
    r = jnp.asarray(r, float)
    weight = jnp.exp(-(r - jnp.min(r)) / temperature)
    rtil = r * weight / jnp.sum(weight)
    return nan_unless(ok, SoftMinReturns(rtil, jnp.sum(rtil)))
