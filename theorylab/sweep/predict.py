"""Theory at the points of a sweep and on its denser curve, in one compilation per group of points."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from theorylab.errors import UsageError
from theorylab.sweep.bind import Binding, describe, parameters
from theorylab.sweep.compiling import compiled
from theorylab.sweep.plan import array, product_points
from theorylab.sweep.spec import Sweep

__all__ = ["check_predictors", "predicted"]

Axes = dict[str, tuple]


def predicted(sweep: Sweep, binding: Binding) -> list[dict[str, tuple[Axes, np.ndarray]]]:
    """Measurement -> (axes, values): at the points of the sweep and, where there is a curve, on the curve.

    Both are evaluated together, so that they share their compilations.
    """
    functions = dict.fromkeys(sweep.predictors.values())
    evaluated = {function: _evaluate_grids(sweep, binding, function) for function in functions}
    found: list[dict[str, tuple[Axes, np.ndarray]]] = [{} for _ in range(2 if sweep.curve else 1)]
    for name, function in sweep.predictors.items():
        for grid, (axes, values) in zip(found, evaluated[function]):
            if name not in values and "" not in values:
                raise UsageError(f"the predictor of {name!r} returns {sorted(values)}")
            grid[name] = axes, values[name if name in values else ""]
    return found


def _evaluate_grids(sweep: Sweep, binding: Binding, function: Callable) -> list[tuple[Axes, dict[str, np.ndarray]]]:
    """(axes, field -> values) on the points and on the curve."""
    grids = [_axes(sweep, binding, function, curve) for curve in ((False, True) if sweep.curve else (False,))]
    points = [list(product_points(axes)) for axes in grids]
    values = _evaluate(binding, function, [point for part in points for point in part])
    found, start = [], 0
    for axes, part in zip(grids, points):
        shape = tuple(map(len, axes.values()))
        found.append((axes, {n: v[start : start + len(part)].reshape(shape) for n, v in values.items()}))
        start += len(part)
    return found


def check_predictors(sweep: Sweep, binding: Binding) -> None:
    """Trace every predictor with concrete numbers, in every cell and along every inner axis: what lies outside a
    domain is refused before anything is compiled."""
    for function in dict.fromkeys(sweep.predictors.values()):
        axes = _axes(sweep, binding, function, curve=False)
        first = {axis: points[0] for axis, points in axes.items()}
        outer = {axis: points for axis, points in axes.items() if axis in sweep.over}
        points = [{**first, **cell} for cell in product_points(outer)]
        points += [{**first, axis: value} for axis in axes if axis not in outer for value in axes[axis][1:]]
        for point in points:
            _trace(function, binding, point)


def _trace(function: Callable, binding: Binding, point: Mapping[str, Any]) -> None:
    static, flowing = _split(binding, function, point)
    scalars = {name: value.item() for name, value in flowing.items() if not value.ndim}
    arrays = {name: value for name, value in flowing.items() if value.ndim}
    try:
        jax.eval_shape(partial(function, **static, **scalars), **arrays)
    except ValueError as error:
        raise UsageError(f"theory at {describe(point)}: {error}") from error


def _axes(sweep: Sweep, binding: Binding, function: Callable, curve: bool) -> Axes:
    dense = {axis: tuple(points) for axis, points in sweep.curve.items()} if curve else {}
    return {axis: dense.get(axis, sweep.values[axis]) for axis in binding.axes_of(function)}


def _split(binding: Binding, function: Callable, point: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    hints = parameters(function)
    values = {name: binding.value(name, point) for name in binding.arguments(function)}
    static = {name: value for name, value in values.items() if hints[name][0]}
    return static, {n: array(n, v, point) for n, v in values.items() if n not in static}


def _evaluate(binding: Binding, function: Callable, points: list[dict[str, Any]]) -> dict[str, np.ndarray]:
    """Field -> value at every point ("" for a bare array)."""
    groups: dict[tuple, list[tuple[int, dict[str, Any], dict[str, Any]]]] = {}
    for index, point in enumerate(points):
        static, flowing = _split(binding, function, point)
        key = (repr(sorted(static.items())), *((n, v.shape, v.dtype) for n, v in flowing.items()))
        groups.setdefault(key, []).append((index, static, flowing))
    values: dict[str, np.ndarray] = {}
    for members in groups.values():
        indices, statics, flowing_values = zip(*members)
        for name, part in _map(partial(function, **statics[0]), flowing_values).items():
            values.setdefault(name, np.empty(len(points)))[list(indices)] = part
    return values


def _map(function: Callable, arguments: tuple[dict[str, np.ndarray], ...], chunk: int = 1024) -> dict[str, np.ndarray]:
    first = arguments[0]
    shared = {
        n: v
        for n, v in first.items()
        if all(a[n] is v or (v.size < 1000 and np.array_equal(a[n], v)) for a in arguments)
    }
    size = min(chunk, 1 << (len(arguments) - 1).bit_length())
    padding = [first] * (-len(arguments) % size)
    stacked = {
        n: np.stack([a[n] for a in (*arguments, *padding)]).reshape(-1, size, *first[n].shape)
        for n in first
        if n not in shared
    }
    if not stacked:
        return {
            name: np.repeat(value, len(arguments))
            for name, value in _fields(compiled(lambda shared: _masked(function(**shared)))(shared)).items()
        }

    @compiled
    def program(shared, stacked):
        one = lambda own: _masked(function(**shared, **own))
        return jax.lax.map(jax.vmap(one), stacked)

    out = _fields(program(shared, stacked))
    return {name: value.reshape(-1)[: len(arguments)] for name, value in out.items()}


def _masked(result: Any) -> Any:
    """NaN where a solve says that it did not converge."""
    if hasattr(result, "_fields"):
        result = result._asdict()
        ok = result.pop("converged", True)
        return {n: jnp.where(ok, v, jnp.nan) for n, v in result.items() if jnp.ndim(v) == 0}
    return {"": result}


def _fields(result: Mapping[str, Any]) -> dict[str, np.ndarray]:
    return {name: np.asarray(value) for name, value in result.items()}
