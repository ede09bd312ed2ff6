"""Running one block of lanes: keys, vectorisation in fixed small batches, sharding over local accelerators."""

import math
from collections.abc import Mapping
from functools import partial
from types import MappingProxyType
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from theorylab.errors import UsageError
from theorylab.sweep.bind import describe
from theorylab.sweep.compiling import compiled
from theorylab.sweep.memory import available_memory, peak_bytes
from theorylab.sweep.plan import Block, Group, Plan

__all__ = ["Carry", "Lanes", "lane_mesh"]

STAGE = "stage"


def lane_mesh() -> jax.sharding.Mesh:
    """All local devices along one axis, `lanes`."""
    return jax.make_mesh(
        (jax.local_device_count(),), ("lanes",), (jax.sharding.AxisType.Auto,), devices=jax.local_devices()
    )


class Carry(dict[str, np.ndarray]):
    """What a block of lanes carries from one stage to the next: `stage`, how many are done, and the state's leaves."""


class Lanes:
    """Computes blocks of one plan. One compiled program per group (three for simulators in stages), kept for life."""

    def __init__(self, plan: Plan, seed: int):
        self.plan, self.seed = plan, np.uint32(seed)
        self.mesh = lane_mesh()
        self._programs: dict[tuple[int, str], Any] = {}
        self._shared: dict[int, Any] = {}
        self._traces: dict[tuple[int, int], tuple[Mapping[str, Any], int]] = {}
        self._stages: dict[int, tuple[int, dict[str, tuple[int, ...]]]] = {}

    def check(self) -> None:
        """Trace every cell with its own numbers: refuse what is outside a domain, of the wrong shape, or too large."""
        limit = 0.8 * available_memory(self.mesh.devices.flat[0])
        for group in self.plan.groups:
            for row, cell in enumerate(group.cells):
                self._check_shapes(group, row, self.plan.points[cell])
            self._check_memory(group, limit)

    def compute(self, block: Block, carry: Carry | None = None) -> dict[str, np.ndarray]:
        """Measurements of a block, [lanes, inner axes].

        Of a simulator in stages: one stage more than `carry`, which is a Carry again unless it was the last one.
        """
        stages = self.stages(block)
        if stages is None:
            return self._run(block, "whole")
        done = int(carry[STAGE][0]) if carry else 0
        state = {n: v for n, v in carry.items() if n != STAGE} if carry else self._run(block, "start")
        state = self._run(block, "advance", state, done)
        if done + 1 < stages[0]:
            return Carry({STAGE: np.full(len(block.rows), done + 1), **state})
        return self._run(block, "measure", state)

    def stages(self, block: Block) -> tuple[int, dict[str, tuple[int, ...]]] | None:
        """Number of stages, and the shapes of what a lane carries; None for a simulator that is not in stages."""
        describe = getattr(self.plan.sweep.simulate, "in_stages", None)
        if describe is None:
            return None
        if block.group not in self._stages:
            scalars, arrays = self._arguments(self.plan.groups[block.group], 0)
            number = 0

            def start(key: Any, arrays: Any) -> list[Any]:
                nonlocal number
                stages = describe(key, **scalars, **arrays)
                number = stages.number
                return jax.tree.leaves(stages.start())

            leaves = jax.eval_shape(start, jax.eval_shape(jax.random.key, np.uint32(0)), arrays)
            self._stages[block.group] = number, {STAGE: (), **{str(i): leaf.shape for i, leaf in enumerate(leaves)}}
        return self._stages[block.group]

    def _run(
        self, block: Block, phase: str, state: Mapping[str, np.ndarray] = MappingProxyType({}), stage: int = 0
    ) -> dict[str, np.ndarray]:
        group = self.plan.groups[block.group]
        if (block.group, phase) not in self._programs:
            self._programs[block.group, phase] = self._program(group, phase)
            self._shared[block.group] = jax.device_put(group.shared)
        width, program = self._programs[block.group, phase]
        pad = partial(_pad, length=math.ceil(self.plan.sweep.block / width) * width)
        rows = np.array(block.rows)
        stacked = {name: pad(values[rows]) for name, values in group.stacked.items()}
        keys = pad(self.plan.keys[np.array(group.cells)[rows]])
        replicates = pad(np.array(block.replicates, np.uint32))
        batches = np.int32(math.ceil(len(rows) / width))
        state = {name: pad(values) for name, values in state.items()}
        shared = self._shared[block.group]
        out = program(self.seed, np.int32(stage), batches, keys, replicates, shared, stacked, state)
        return {name: np.asarray(values)[: len(rows)] for name, values in out.items()}

    def _lane(self, group: Group, phase: str, seed, stage, key, replicate, shared, stacked, state):
        # the key is made inside the program: no eager operation, and no key array per lane
        base = jax.random.key(seed)
        for word in (key[0], key[1], replicate):
            base = jax.random.fold_in(base, word)
        simulate: Any = self.plan.sweep.simulate
        if phase == "whole":
            measured = simulate(base, **group.static, **shared, **stacked)
            return {name: measured[name] for name in self.plan.sweep.measure}
        stages = simulate.in_stages(base, **group.static, **shared, **stacked)
        if phase == "start":
            return _leaves(stages.start())
        leaves = [state[str(i)] for i in range(len(state))]
        state = jax.tree.unflatten(jax.tree.structure(jax.eval_shape(stages.start)), leaves)
        if phase == "advance":
            return _leaves(stages.advance(state, stage))
        measured = stages.measure(state)
        return {name: measured[name] for name in self.plan.sweep.measure}

    def _program(self, group: Group, phase: str):
        """(batch width, compiled function of a block). The number of batches is dynamic: padding costs no work."""
        width = self._width(group)
        sharding = jax.sharding.NamedSharding(self.mesh, jax.sharding.PartitionSpec("lanes"))
        lanes = jax.vmap(partial(self._lane, group, phase), in_axes=(None, None, 0, 0, None, 0, 0))

        @compiled
        def program(seed, stage, batches, keys, replicates, shared, stacked, state):
            inputs = (keys, replicates, stacked, state)

            def batch(index, out):
                take = lambda x: jax.lax.with_sharding_constraint(
                    jax.lax.dynamic_slice_in_dim(x, index * width, width), sharding
                )
                key, replicate, own, carried = jax.tree.map(take, inputs)
                part = lanes(seed, stage, key, replicate, shared, own, carried)
                put = lambda whole, x: jax.lax.dynamic_update_slice_in_dim(whole, x, index * width, 0)
                return jax.tree.map(put, out, part)

            shapes = jax.eval_shape(lanes, seed, stage, *inputs[:2], shared, *inputs[2:])
            empty = jax.tree.map(lambda s: jnp.zeros(s.shape, s.dtype), shapes)
            return jax.lax.fori_loop(0, batches, batch, empty)

        return width, program

    def _width(self, group: Group) -> int:
        """Lanes vectorised at a time: fixed on a CPU, what memory allows on accelerators."""
        device = self.mesh.devices.flat[0]
        if device.platform == "cpu":
            per_device = max(1, self.plan.sweep.batch // self.mesh.size)
        else:
            fits = available_memory(device) // (8 * self._trace(group)[1])
            per_device = 2 ** max(0, min(10, fits.bit_length() - 1))
        return per_device * self.mesh.size

    def _trace(self, group: Group, row: int = 0) -> tuple[Mapping[str, Any], int]:
        """Output shapes of one lane, and its peak memory; scalars are concrete, so that domains are checked."""
        known = id(group), row
        if known not in self._traces:
            self._traces[known] = self._traced(group, row)
        return self._traces[known]

    def _arguments(self, group: Group, row: int) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """(Scalars, arrays) among the arguments of one cell."""
        arguments = group.arguments(row)
        arrays = {n: v for n, v in arguments.items() if isinstance(v, np.ndarray) and v.ndim}
        scalars = {n: v.item() if isinstance(v, np.ndarray) else v for n, v in arguments.items() if n not in arrays}
        return {n: float(v) if n not in group.static else v for n, v in scalars.items()}, arrays

    def _traced(self, group: Group, row: int) -> tuple[Mapping[str, Any], int]:
        scalars, arrays = self._arguments(group, row)
        key = jax.eval_shape(jax.random.key, np.uint32(0))
        simulate = partial(self.plan.sweep.simulate, **scalars)  # type: ignore[arg-type,misc]
        jaxpr, shapes = jax.make_jaxpr(simulate, return_shape=True)(key, **arrays)
        return shapes, max(1, peak_bytes(jaxpr))

    def _check_shapes(self, group: Group, row: int, point: Mapping[str, Any]) -> None:
        try:
            shapes, _ = self._trace(group, row)
        except ValueError as error:
            raise UsageError(f"sweep {self.plan.name!r} at {describe(point)}: {error}") from error
        for name, axes in self.plan.sweep.measure.items():
            expected = self.plan.inner_shape(name)
            if name not in shapes or shapes[name].shape != expected:
                got = f"shape {shapes[name].shape}" if name in shapes else f"only {sorted(shapes)}"
                raise UsageError(
                    f"sweep {self.plan.name!r} at {describe(point)}: the simulator returns {got} where "
                    f"{name!r} with axes {axes}, shape {expected}, is measured"
                )

    def _check_memory(self, group: Group, limit: float) -> None:
        need = self._trace(group)[1] * self._width(group) / self.mesh.size
        if need > limit:
            point = self.plan.points[group.cells[0]]
            fitting = [g for g in self.plan.groups if self._trace(g)[1] * self._width(g) / self.mesh.size <= limit]
            largest = max(fitting, key=lambda g: self._trace(g)[1], default=None)
            advice = (
                f"the largest cell of this grid that fits is {describe(self.plan.points[largest.cells[0]])}"
                if largest
                else "no cell of this grid fits"
            )
            raise UsageError(
                f"sweep {self.plan.name!r} at {describe(point)} needs {need / 2**30:.3g} GiB for "
                f"{self._width(group)} lanes, {limit / 2**30:.3g} GiB are available; {advice}"
            )


def _leaves(state: Any) -> dict[str, Any]:
    return {str(i): leaf for i, leaf in enumerate(jax.tree.leaves(state))}


def _pad(values: np.ndarray, length: int) -> np.ndarray:
    return np.concatenate([values, np.repeat(values[-1:], length - len(values), axis=0)])
