"""Policies that give every response a positive probability."""

from typing import Any

import jax.numpy as jnp
from jaxtyping import Array, Float

from theorylab.numerics.domain import in_domain
from theorylab.problems.policies import LogPolicy, checked_policy

__all__ = ["checked_full_support", "policy_covariance"]


def checked_full_support(logp: LogPolicy, name: str) -> tuple[Array, Any]:
    """Log probabilities, normalised to rounding, and whether they were finite and within 1e-6 of a sum of one.

    Raises ValueError naming the argument when they are not.
    """
    ok = in_domain(jnp.isfinite(jnp.asarray(logp)), name, logp, "finite: every response in the support")
    logp, normalised = checked_policy(logp, name)
    return logp, ok & normalised


def policy_covariance(logp: LogPolicy, u: Float[Array, "outcomes"], v: Float[Array, "outcomes"]) -> Float[Array, ""]:
    """Cov(u, v) of two functions of a response under a policy."""
    p = jnp.exp(jnp.asarray(logp))
    return jnp.sum(p * (u - jnp.sum(p * u)) * (v - jnp.sum(p * v)))
