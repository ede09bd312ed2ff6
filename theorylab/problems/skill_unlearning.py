"""Greatest common divisors as skills: how often each is needed."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from theorylab.numerics.domain import in_domain

__all__ = ["gcd_probabilities"]


def gcd_probabilities(classes: int) -> Float[Array, "classes"]:
    """P(g) = g^-2 / sum_{h <= classes} h^-2 for g = 1..classes: the gcd of two random integers, cut at `classes`.

    Domain: classes >= 1. Raises ValueError outside the domain.
    """
    in_domain(classes >= 1, "classes", classes, "classes >= 1")
    weights = jnp.arange(1, classes + 1, dtype=float) ** -2
    return weights / jnp.sum(weights)
