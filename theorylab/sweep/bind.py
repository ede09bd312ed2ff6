"""Binding by symbol name: who provides what, what depends on which axis, and the value at a point."""

import inspect
import math
import numbers
import types
import typing
from collections.abc import Callable, Mapping
from typing import Any

from theorylab.errors import UsageError, nearest
from theorylab.sweep.spec import Sweep

__all__ = ["Binding", "is_static", "parameters"]


def is_static(hint: Any) -> bool:
    """Whether an annotation says that the argument shapes the computation."""
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        return all(is_static(part) for part in typing.get_args(hint))
    return hint in (int, bool, str, tuple, type(None)) or typing.get_origin(hint) is tuple


def parameters(function: Callable) -> dict[str, tuple[bool, bool]]:
    """Argument name -> (static, has a default); the key of a simulator is left out."""
    hints = typing.get_type_hints(function)
    return {
        name: (is_static(hints.get(name)), parameter.default is not parameter.empty)
        for name, parameter in inspect.signature(function).parameters.items()
        if name != "key"
    }


class Binding:
    """The symbols of one sweep. Building it checks every name; nothing is derived before it is looked up."""

    def __init__(self, sweep: Sweep):
        self.sweep = sweep
        self._fields = {
            name: symbol
            for symbol, function in sweep.derive.items()
            for name in getattr(typing.get_type_hints(function).get("return"), "_fields", ())
        }
        self._cache: dict[tuple, Any] = {}
        self.depends: dict[str, frozenset[str]] = {}
        self._check()

    def __contains__(self, symbol: str) -> bool:
        return symbol in self.sweep.values or symbol in self.sweep.derive or symbol in self._fields

    def arguments(self, function: Callable) -> dict[str, bool]:
        """Symbol -> static, for those arguments of `function` that the sweep provides."""
        return {name: static for name, (static, _) in parameters(function).items() if name in self}

    def axes_of(self, function: Callable) -> tuple[str, ...]:
        """Axes on which a function depends, outer ones first."""
        used = frozenset().union(*(self._depends(name, ()) for name in self.arguments(function)))
        return tuple(axis for axis in self.sweep.axes if axis in used)

    def value(self, symbol: str, point: Mapping[str, Any]) -> Any:
        """The value of a symbol at a point (axis -> value there; an inner axis may be given whole)."""
        if symbol in point:
            return point[symbol]
        if symbol in self._fields:
            return getattr(self.value(self._fields[symbol], point), symbol)
        if symbol in self.sweep.values:
            return self.sweep.values[symbol]
        key = (symbol, *((axis, point[axis]) for axis in sorted(self._depends(symbol, ()))))
        if key not in self._cache:
            function = self.sweep.derive[symbol]
            arguments = {name: self.value(name, point) for name in self.arguments(function)}
            try:
                self._cache[key] = function(**arguments)
            except ValueError as error:
                raise UsageError(f"{symbol}, derived at {describe(point)}: {error}") from error
        return self._cache[key]

    def scalars(self, point: Mapping[str, Any]) -> dict[str, Any]:
        """Derived numbers at a point, for labelling: those that depend on axes of the point alone."""
        names = [s for s in self.sweep.derive if s in self.depends and self.depends[s] <= point.keys()]
        values = {name: self.value(name, point) for name in names}
        return {name: value for name, value in values.items() if isinstance(value, numbers.Real)}

    def _depends(self, symbol: str, above: tuple[str, ...]) -> frozenset[str]:
        if symbol in above:
            raise UsageError(f"derive is circular: {' -> '.join((*above, symbol))}")
        if symbol not in self.depends:
            if symbol in self.sweep.axes:
                found = frozenset({symbol})
            elif symbol in self._fields:
                found = self._depends(self._fields[symbol], (*above, symbol))
            elif symbol in self.sweep.derive:
                inputs = self._require(self.sweep.derive[symbol], f"derived symbol {symbol!r}")
                found = frozenset().union(*(self._depends(name, (*above, symbol)) for name in inputs))
            else:
                found = frozenset()
            self.depends[symbol] = found
        return self.depends[symbol]

    def _require(self, function: Callable, what: str) -> list[str]:
        for name, (_, optional) in parameters(function).items():
            if name not in self and not optional:
                known = {*self.sweep.values, *self.sweep.derive, *self._fields}
                raise UsageError(f"{what} needs {name!r}, which nothing provides; {nearest(name, known)}")
        return list(self.arguments(function))

    def _check(self) -> None:
        sweep = self.sweep
        for name, value in sweep.values.items():
            _check_value(name, value, axis=name in sweep.axes)
        for axis in sweep.axes:
            if axis not in sweep.values:
                raise UsageError(f"axis {axis!r} has no values; {nearest(axis, sweep.values)}")
        if unknown := set(sweep.predictors) - set(sweep.measure):
            raise UsageError(f"predict names {unknown.pop()!r}, which is not measured; measured: {list(sweep.measure)}")
        used: set[str] = set()
        for function in [*filter(None, [sweep.simulate]), *dict.fromkeys(sweep.predictors.values())]:
            for name in self._require(function, function_name(function)):
                self._depends(name, ())
                used.add(name)
        if sweep.simulate:
            used.add("replicates")
            self._check_simulator(sweep.simulate)
        for name in list(used):
            used |= self._inputs(name)
        for name in (*sweep.values, *sweep.derive):
            if name not in used:
                raise UsageError(f"{name!r} is used by nobody; {nearest(name, used)}")

    def _check_simulator(self, simulate: Callable) -> None:
        replicates = self.sweep.values.get("replicates")
        if not isinstance(replicates, int) or isinstance(replicates, bool) or replicates < 1:
            raise UsageError(f"replicates = {replicates!r} must be an integer of at least 1")
        arguments = self.arguments(simulate)
        for axis in self.sweep.inner:
            if axis not in arguments:
                raise UsageError(f"{function_name(simulate)} does not take the inner axis {axis!r}")
        for name in arguments:
            if name not in self.sweep.inner and self.depends[name] & set(self.sweep.inner):
                raise UsageError(f"{name!r} is derived from an inner axis, which reaches a simulator whole")

    def _inputs(self, symbol: str) -> set[str]:
        owner = self._fields.get(symbol, symbol)
        if owner not in self.sweep.derive:
            return {owner}
        return {owner}.union(*(self._inputs(name) for name in self.arguments(self.sweep.derive[owner])))


def describe(point: Mapping[str, Any]) -> str:
    """`T=80, d=100`"""
    return (
        ", ".join(
            f"{axis}={value:.6g}" if isinstance(value, float) else f"{axis}={value}" for axis, value in point.items()
        )
        or "the only cell"
    )


def function_name(function: Callable) -> str:
    return getattr(function, "__name__", repr(function))


def _check_value(name: str, value: Any, axis: bool) -> None:
    if axis:
        if not isinstance(value, tuple) or not value:
            raise UsageError(f"{name} = {value!r} is an axis and must list at least one point")
        if len(set(value)) < len(value):
            raise UsageError(f"{name} = {value!r} repeats a point of the axis")
    for entry in value if isinstance(value, tuple) else (value,):
        if isinstance(entry, float) and not math.isfinite(entry):
            raise UsageError(f"{name} = {value!r} must be finite")
