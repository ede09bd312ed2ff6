"""Roots and minima of a scalar function on a bracket: fixed cost, mappable, with implicit derivatives.

The function may close over traced values; the result differentiates with respect to them.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from theorylab.types import Real

__all__ = ["bisection", "golden_section"]

_GOLDEN = (5**0.5 - 1) / 2
Function = Callable[[Array], Array]


def bisection(f: Function, lower: Real, upper: Real, iterations: int = 64) -> Float[Array, ""]:
    """The root of f between two points where its signs differ; NaN when they are the same.

    Halves the bracket `iterations` times: to rounding from any bracket below 2^11 times the root.
    """
    lower, upper = _floating(lower, upper)

    def solve(g: Function, _: Array) -> Array:
        below, above = jnp.sign(g(lower)), jnp.sign(g(upper))

        def halve(_: Array, bracket: tuple) -> tuple:
            low, high = bracket
            middle = (low + high) / 2
            left = jnp.sign(g(middle)) == below
            return jnp.where(left, middle, low), jnp.where(left, high, middle)

        low, high = jax.lax.fori_loop(0, iterations, halve, (lower, upper))
        return jnp.where(below * above <= 0, (low + high) / 2, jnp.nan)

    return _implicit(f, (lower + upper) / 2, solve)


def golden_section(f: Function, lower: Real, upper: Real, iterations: int = 40) -> Float[Array, ""]:
    """The minimum of f, unimodal and smooth, in a bracket.

    Golden sections shrink the bracket by 0.618^iterations, which can find a smooth minimum to the square root of
    rounding only; a Newton step on the derivative then finds it to rounding.
    """
    lower, upper = _floating(lower, upper)

    def solve(slope: Function, _: Array) -> Array:
        def shrink(_: Array, state: tuple) -> tuple:
            low, high, x1, x2, f1, f2 = state
            left = f1 < f2
            low, high = jnp.where(left, low, x1), jnp.where(left, x2, high)
            new = jnp.where(left, high - _GOLDEN * (high - low), low + _GOLDEN * (high - low))
            value = f(new)
            x1, x2, f1, f2 = (
                jnp.where(left, new, x2),
                jnp.where(left, x1, new),
                jnp.where(left, value, f2),
                jnp.where(left, f1, value),
            )
            return low, high, x1, x2, f1, f2

        x1, x2 = upper - _GOLDEN * (upper - lower), lower + _GOLDEN * (upper - lower)
        low, high, *_ = jax.lax.fori_loop(0, iterations, shrink, (lower, upper, x1, x2, f(x1), f(x2)))
        x = (low + high) / 2
        value, curvature = jax.jvp(slope, (x,), (jnp.ones_like(x),))
        polished = x - value / jnp.where(curvature > 0, curvature, jnp.inf)
        return jnp.clip(polished, lower, upper)

    return _implicit(jax.grad(f), (lower + upper) / 2, solve)


def _floating(*values: Real) -> list[Array]:
    dtype = jnp.result_type(*values)
    return [jnp.asarray(value, dtype if jnp.issubdtype(dtype, jnp.floating) else float) for value in values]


def _implicit(f: Function, guess: Array, solve: Callable) -> Array:
    def divide(linear: Function, value: Array) -> Array:
        slope = linear(jnp.ones_like(value))
        return value / jnp.where(slope == 0, 1.0, slope)

    return jax.lax.custom_root(f, guess, solve, divide)
