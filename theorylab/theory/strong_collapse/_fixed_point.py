"""The fixed point of a positive, increasing and concave map, by Newton's method from above."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array

__all__ = ["concave_fixed_point"]

_MAX_STEPS = 200


def concave_fixed_point(f: Callable[[Array], tuple[Array, Array]], upper: Array) -> tuple[Array, Array]:
    """The fixed point q = F(q) in (0, upper], a scalar or a vector, and the last relative step.

    f(q) returns F(q) and its Jacobian. F(upper) <= upper is needed. A tangent of a concave map lies above it, so that
    every Newton step stays above the fixed point and goes down: no damping, quadratic convergence, and the step bounds
    the error. Derivatives of any order are implicit.
    """

    def newton(q: Array) -> Array:
        value, jacobian = f(q)
        return q + _solve(jacobian, value - q)

    def solve(_: Callable, start: Array) -> Array:
        eps = jnp.finfo(start.dtype).eps

        def unfinished(state: tuple) -> Array:
            q, previous, step = state
            return jnp.any(q < previous * (1 - 4 * eps)) & (step < _MAX_STEPS)

        def update(state: tuple) -> tuple:
            q, _, step = state
            return jnp.minimum(newton(q), q), q, step + 1

        return jax.lax.while_loop(unfinished, update, (start, 2 * start, 0))[0]

    def divide(linear: Callable, value: Array) -> Array:
        # linear(x) = jacobian x - x
        return -_solve(jax.jacfwd(lambda x: linear(x) + x)(value), value)

    q = jax.lax.custom_root(lambda q: f(q)[0] - q, upper, solve, divide)
    fixed = jax.lax.stop_gradient(q)
    return q, jnp.max(jnp.abs(newton(fixed) - fixed) / fixed)


def _solve(jacobian: Array, value: Array) -> Array:
    """(1 - jacobian)^-1 value."""
    if value.ndim == 0:
        return value / (1 - jacobian)
    return jnp.linalg.solve(jnp.eye(value.size, dtype=value.dtype) - jacobian, value)
