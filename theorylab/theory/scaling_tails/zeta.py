"""The Hurwitz zeta function, continued below s = 1 and differentiable in both arguments."""

import math

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from theorylab.types import Real

__all__ = ["hurwitz_zeta"]

TERMS = 12  # summed directly
# Bernoulli numbers over factorials, B_2m / (2 m)!
BERNOULLI = (1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730, 7 / 6, -3617 / 510, 43867 / 798, -174611 / 330)
COEFFICIENTS = np.array([b / math.factorial(2 * m) for m, b in enumerate(BERNOULLI, 1)])


def hurwitz_zeta(s: Real, q: Real) -> Float[Array, ""]:
    """zeta(s, q) = sum_{j >= 0} (q + j)^-s, by its analytic continuation for s < 1; q > 0, s != 1.

    Twelve terms and ten Euler-Maclaurin corrections: rounding error for 0 < s <= 30. JAX's own function has no
    derivative in s and ends at s = 1.
    """
    s, q = jnp.asarray(s, float), jnp.asarray(q, float)
    head = jnp.sum((q + np.arange(float(TERMS))) ** -s)
    end = q + TERMS
    # s (s + 1) .. (s + 2 m - 2) end^(-s - 2 m + 1), for m = 1, 2, ..
    rising = jnp.cumprod((s + np.arange(2.0 * len(BERNOULLI) - 1)) / end)[::2]
    corrections = jnp.sum(COEFFICIENTS * rising)
    return head + end**-s * (end / (s - 1) + 0.5 + corrections)
