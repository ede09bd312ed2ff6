"""From a sweep to its cells, groups of one compilation each, and blocks of lanes."""

import hashlib
import itertools
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from theorylab.errors import UsageError
from theorylab.sweep.bind import Binding, describe, parameters
from theorylab.sweep.spec import Sweep

__all__ = ["Block", "Group", "Plan"]

Range = tuple[int, int]  # replicates from (included) to (excluded)


@dataclass(frozen=True, kw_only=True)
class Group:
    """Cells whose simulations share one compiled program.

    cells: their indices. static: arguments that shape the computation. shared: arguments that are the same in every
    cell, passed once. stacked: the others, with one row per cell.
    """

    cells: tuple[int, ...]
    static: dict[str, Any]
    shared: dict[str, np.ndarray]
    stacked: dict[str, np.ndarray]

    def arguments(self, row: int) -> dict[str, Any]:
        """Arguments of the simulator in one cell of the group."""
        return {**self.static, **self.shared, **{name: rows[row] for name, rows in self.stacked.items()}}


@dataclass(frozen=True, kw_only=True)
class Block:
    """Lanes that are computed and stored together; row i is cell `rows[i]` of the group, replicate `replicates[i]`."""

    sweep: str
    group: int
    name: str
    rows: tuple[int, ...]
    replicates: tuple[int, ...]


class Plan:
    """Everything about the simulations of a sweep that follows from its configuration alone."""

    def __init__(self, name: str, sweep: Sweep):
        self.name, self.sweep = name, sweep
        self.binding = Binding(sweep)
        outer = [sweep.values[axis] for axis in sweep.over]
        self.shape = tuple(map(len, outer))
        self.points = [dict(zip(sweep.over, values)) for values in itertools.product(*outer)]
        self.groups = self._grouped() if sweep.simulate else []
        self.keys = np.array([self._cell_key(point) for point in self.points], np.uint32).reshape(-1, 2)

    def blocks(self, needs: Mapping[int, Range], round_: int = 0) -> list[Block]:
        """The lanes of some replicates of some cells, cut into blocks."""
        found = []
        for number, group in enumerate(self.groups):
            lanes = [(row, r) for row, cell in enumerate(group.cells) if cell in needs for r in range(*needs[cell])]
            for index, start in enumerate(range(0, len(lanes), self.sweep.block)):
                rows, replicates = zip(*lanes[start : start + self.sweep.block])
                name = f"{round_}-{number}-{index}"
                found.append(Block(sweep=self.name, group=number, name=name, rows=rows, replicates=replicates))
        return found

    def digest(self) -> str:
        """A digest of every number that enters the simulations, however it was derived."""
        digest = hashlib.sha256(self.keys.tobytes())
        for group in self.groups:
            digest.update(repr((group.cells, sorted(group.static.items()))).encode())
            for name, value in sorted({**group.shared, **group.stacked}.items()):
                digest.update(f"{name} {value.dtype.str} {value.shape}".encode())
                digest.update(np.ascontiguousarray(value).tobytes())
        return digest.hexdigest()

    def inner_shape(self, measurement: str) -> tuple[int, ...]:
        return tuple(len(self.sweep.values[axis]) for axis in self.sweep.measure[measurement])

    def _cell_key(self, point: Mapping[str, Any]) -> tuple[int, int]:
        """Two words that depend on the sweep's name and the outer axis values, except paired ones, alone."""
        own = sorted((axis, _canonical(point[axis])) for axis in point if axis not in self.sweep.paired)
        digest = hashlib.sha256(repr((self.name, own)).encode()).digest()
        return struct.unpack("<2I", digest[:8])

    def _grouped(self) -> list[Group]:
        assert self.sweep.simulate is not None
        hints = parameters(self.sweep.simulate)
        gathered: dict[tuple, list[tuple[int, dict[str, Any]]]] = {}
        whole = {axis: self.sweep.values[axis] for axis in self.sweep.inner}
        for index, point in enumerate(self.points):
            names = self.binding.arguments(self.sweep.simulate)
            values = {name: self.binding.value(name, {**point, **whole}) for name in names}
            static = {name: _static(name, values[name], point) for name in names if hints[name][0]}
            flowing = {name: array(name, values[name], point) for name in names if not hints[name][0]}
            key = (repr(sorted(static.items())), *((n, v.shape, v.dtype) for n, v in flowing.items()))
            gathered.setdefault(key, []).append((index, {**static, **flowing}))
        return [self._group(members, hints) for members in gathered.values()]

    @staticmethod
    def _group(members: list[tuple[int, dict[str, Any]]], hints: Mapping[str, tuple[bool, bool]]) -> Group:
        first = members[0][1]
        static = {name: value for name, value in first.items() if hints[name][0]}
        flowing = [name for name in first if name not in static]
        same = {n for n in flowing if all(_same(values[n], first[n]) for _, values in members)}
        return Group(
            cells=tuple(index for index, _ in members),
            static=static,
            shared={name: first[name] for name in flowing if name in same},
            stacked={n: np.stack([values[n] for _, values in members]) for n in flowing if n not in same},
        )


def product_points(axes: Mapping[str, tuple]) -> Iterator[dict[str, Any]]:
    """All points of a product of axes, the last one fastest."""
    for values in itertools.product(*axes.values()):
        yield dict(zip(axes, values))


def array(name: str, value: Any, point: Mapping[str, Any]) -> np.ndarray:
    """A flowing value as an array; integers become floats, since a size that flows enters as a number."""
    result = np.asarray(value)
    if result.dtype.kind in "iub":
        result = result.astype(float)
    if result.dtype.kind not in "fc":
        raise UsageError(f"{name} = {value!r} at {describe(point)} must be a number or an array of numbers")
    return result


def _static(name: str, value: Any, point: Mapping[str, Any]) -> Any:
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, (float, np.ndarray)):
        raise UsageError(f"{name} = {value!r} at {describe(point)} must be an integer, a flag, a string or a tuple")
    return value


def _same(a: np.ndarray, b: np.ndarray) -> bool:
    return a is b or (a.size < 1000 and np.array_equal(a, b))


def _canonical(value: Any) -> str:
    """One spelling for equal numbers, so that 1 and 1.0 draw the same."""
    return float(value).hex() if isinstance(value, (int, float)) and not isinstance(value, bool) else repr(value)
