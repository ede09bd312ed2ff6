"""Draws of items by the inverse distribution function, and sizes of samples along a learning curve."""

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp

from theorylab.numerics.domain import in_domain
from theorylab.problems.scaling_tails import Law
from theorylab.types import Array

__all__ = ["item_sampler", "sample_sizes"]


def item_sampler(q: Law) -> Callable[[Array], Array]:
    """The map from uniform numbers to items of probabilities q; q may lack a factor.

    Raises ValueError in single precision, in which no item of a tail below 6e-8 would ever be drawn.
    """
    cumulative = jnp.cumsum(jnp.asarray(q))
    allowed = "float64: call theorylab.enable_x64() first"
    in_domain(cumulative.dtype == jnp.float64, "the dtype of the law", cumulative.dtype, allowed)
    last = q.shape[0] - 1 - jnp.argmax(jnp.asarray(q)[::-1] > 0)

    def items(uniform: Array) -> Array:
        # an item of probability 0 repeats the sum before it and is passed over; rounding may pass the last one
        found = jnp.searchsorted(cumulative, uniform * cumulative[-1], side="right").astype(int)
        return jnp.minimum(found, last)

    return items


def sample_sizes(T: int | tuple[int, ...]) -> tuple[int, ...]:
    """The sizes along a learning curve. Raises ValueError unless they are >= 0 and increase."""
    sizes: Any = T if isinstance(T, tuple) else (T,)
    in_domain(len(sizes) > 0, "T", T, "one or more sample sizes")
    in_domain(min(sizes) >= 0, "T", T, "T >= 0")
    in_domain(sizes == tuple(sorted(set(sizes))), "T", T, "increasing sample sizes")
    return sizes
