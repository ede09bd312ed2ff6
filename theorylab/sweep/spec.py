"""What a sweep is: functions, values and axes, bound by symbol name. Imports neither jax nor numpy."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from theorylab.errors import UsageError

__all__ = ["Sweep"]


@dataclass(frozen=True, kw_only=True)
class Sweep:
    """Simulations and predictions over a grid, judged side by side.

    Every function gets exactly the symbols that its signature names. An argument annotated `int`, `bool`, `str` or
    `tuple[...]` is static: it shapes the computation, and points are grouped by it; everything else flows.

    simulate: one replicate, `simulate(key, ...) -> {measurement: array over its inner axes}`; None for theory only.
        One that is decorated by `simulators.in_stages` is stored after every stage, and goes on there after a kill.
    predict: one function, or one per measurement, at ONE point of every axis; it is mapped over the axes on which it
        depends. It returns an array, or a NamedTuple with a field of the measurement's name (and perhaps `converged`,
        where False becomes NaN).
    values: symbol -> a value, or the points of an axis; `replicates`, the number of simulations per cell.
    over: outer axes; a cell is a point of their product and has its own draws.
    measure: measurement -> its inner axes, in order; an inner axis reaches the simulator whole.
    derive: symbol -> function of other symbols, computed on the host once per distinct arguments. A derived NamedTuple
        (say so in the return annotation) also provides its fields.
    curve: axis -> denser points for the drawn theory.
    paired: outer axes whose cells share their draws (common random numbers).
    block: lanes (cell, replicate) that are computed and stored together. batch: lanes vectorised at a time on a CPU.
        Neither changes a draw. Leave batch at 1 for a simulator with factorisations: with two independent batched ones
        in a program, jax 0.10 can deadlock on a CPU. Raise it where the work per lane is small and elementwise.
    """

    simulate: Callable[..., Mapping[str, Any]] | None = None
    predict: Callable[..., Any] | Mapping[str, Callable[..., Any]] | None = None
    values: Mapping[str, Any]
    over: tuple[str, ...] = ()
    measure: Mapping[str, tuple[str, ...]]
    derive: Mapping[str, Callable[..., Any]] = field(default_factory=dict)
    curve: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    paired: tuple[str, ...] = ()
    block: int = 64
    batch: int = 1

    def __post_init__(self) -> None:
        # a ConfigDict stops here: from now on values are plain, and axes are tuples
        values = {name: self.values[name] for name in self.values}
        values = {n: tuple(v) if isinstance(v, list) else v for n, v in values.items()}
        object.__setattr__(self, "values", values)
        object.__setattr__(self, "measure", {name: tuple(axes) for name, axes in self.measure.items()})
        if self.simulate is None and self.predict is None:
            raise UsageError("a sweep needs simulate, predict, or both")
        if not self.measure:
            raise UsageError("measure = {} names no measurement")
        if min(self.block, self.batch) < 1:
            raise UsageError(f"block = {self.block} and batch = {self.batch} must be at least 1")
        for axis in self.paired:
            if axis not in self.over:
                raise UsageError(f"paired axis {axis!r} is no outer axis; over = {self.over}")
        for axis in self.axes:
            if axis in ("method", "tolerance", "drop"):
                raise UsageError(f"axis {axis!r} is a keyword of xarray's selections; call it something else")
        for axis in self.curve:
            if axis not in self.axes:
                raise UsageError(f"curve names {axis!r}, which is no axis; axes: {self.axes}")

    @property
    def inner(self) -> tuple[str, ...]:
        """Inner axes of all measurements, each once."""
        return tuple(dict.fromkeys(axis for axes in self.measure.values() for axis in axes))

    @property
    def axes(self) -> tuple[str, ...]:
        """Outer axes, then inner axes."""
        return (*self.over, *self.inner)

    @property
    def predictors(self) -> dict[str, Callable[..., Any]]:
        """The predictor of each measurement that has one."""
        if self.predict is None:
            return {}
        if isinstance(self.predict, Mapping):
            return dict(self.predict)
        return dict.fromkeys(self.measure, self.predict)
