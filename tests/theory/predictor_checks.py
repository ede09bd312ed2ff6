"""Checks that every predictor passes, whatever it predicts: derivatives, batching, tracing, refusals."""

import re
from collections.abc import Callable
from functools import cached_property
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest


class Case:
    """A predictor inside its domain: the arguments that flow, and the static ones."""

    def __init__(self, function: Callable, real: dict[str, Any], **static: Any):
        self.function, self.real, self.static = function, real, static
        self.traces = 0

    def __str__(self) -> str:
        return "-".join([self.function.__name__, *(f"{name}={value}" for name, value in self.static.items())])

    def __call__(self, **real: Any) -> Any:
        return self.function(**{**self.real, **real}, **self.static)

    def arrays(self) -> dict[str, jax.Array]:
        return {name: jnp.asarray(value, float) for name, value in self.real.items()}

    def vector(self, real: dict[str, Any]) -> jax.Array:
        """Every floating-point number that it returns, in one vector."""
        self.traces += 1
        leaves = [leaf for leaf in jax.tree.leaves(self(**real)) if jnp.issubdtype(leaf.dtype, jnp.floating)]
        return jnp.concatenate([jnp.ravel(leaf) for leaf in leaves])

    @cached_property
    def program(self) -> Callable:
        return jax.jit(self.vector)


def check_derivatives(case: Case, rtol: float = 1e-6, step: float = 2e-3) -> None:
    """Forward and reverse mode against finite differences of fourth order, in every argument that flows."""
    point, rng = case.arrays(), np.random.default_rng(0)
    value = case.program(point)
    scale = np.max(np.abs(value))
    forward = jax.jit(lambda tangent: jax.jvp(case.vector, (point,), (tangent,))[1])
    weights = jnp.asarray(rng.normal(size=value.shape))
    (backward,) = jax.jit(lambda weights: jax.vjp(case.vector, point)[1](weights))(weights)
    for name in point:
        direction = point[name] * rng.uniform(0.5, 1.5, point[name].shape)
        moved = lambda h: case.program({**point, name: point[name] + h * direction})  # noqa: B023
        coarse, fine = ((moved(h) - moved(-h)) / (2 * h) for h in (step, step / 2))
        expected = (4 * fine - coarse) / 3
        along = forward({**jax.tree.map(jnp.zeros_like, point), name: direction})
        np.testing.assert_allclose(along, expected, rtol=rtol, atol=1e-9 * scale, err_msg=f"d/d {name}")
        reverse = np.sum(np.asarray(backward[name] * direction))
        np.testing.assert_allclose(reverse, weights @ along, rtol=1e-8, atol=1e-11 * scale, err_msg=f"reverse {name}")


def check_batching(case: Case, rtol: float = 1e-12) -> None:
    """vmap = loop, jit = plain, and one trace for all values of one shape."""
    points = [{n: v * (1 + 1e-3 * i) for n, v in case.arrays().items()} for i in range(3)]
    plain = np.stack([case.vector(point) for point in points])
    assert np.all(np.isfinite(plain))
    case.program(points[0])
    traces = case.traces
    jitted = np.stack([case.program(point) for point in points])
    assert case.traces == traces
    mapped = jax.vmap(case.vector)(jax.tree.map(lambda *x: jnp.stack(x), *points))
    np.testing.assert_allclose(jitted, plain, rtol=rtol)
    np.testing.assert_allclose(mapped, plain, rtol=rtol)


def check_refusal(case: Case, named: str, **bad: Any) -> None:
    """A concrete bad value is refused by name; the same value traced gives NaN and no number."""
    with pytest.raises(ValueError, match=rf"^{re.escape(named)}.* outside its domain"):
        case(**bad)
    traced = case.program({**case.arrays(), **{name: jnp.asarray(value, float) for name, value in bad.items()}})
    assert np.all(np.isnan(traced))
