"""Groups of sampled answers: drawing them, and rewards normalised within a group."""

import jax.numpy as jnp
from jaxtyping import Float, Int

from theorylab.types import Array

__all__ = ["draw_answers", "normalised_rewards"]


def draw_answers(pi: Float[Array, "... Y"], u: Float[Array, "... draws"]) -> Int[Array, "... draws"]:
    """Answers from uniform numbers u, by the inverse of the distribution function.

    Policies of the same leading axes share the numbers where u has a leading axis of length 1.
    """
    cdf = jnp.cumsum(pi, -1)[..., None, :-1]
    return jnp.sum(cdf <= u[..., None], -1)


def normalised_rewards(reward: Array) -> Array:
    """Distance from the mean of the group over its standard deviation; 0 where all agree."""
    centred = reward - jnp.mean(reward, -1, keepdims=True)
    variance = jnp.mean(centred**2, -1, keepdims=True)
    some = variance > 1e-24
    return jnp.where(some, centred / jnp.sqrt(jnp.where(some, variance, 1.0)), 0.0)
