"""Running one block of lanes: keys, vectorisation in fixed small batches, sharding over local accelerators."""

import math
from collections.abc import Mapping
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from theorylab.errors import UsageError
from theorylab.sweep.bind import describe
from theorylab.sweep.compiling import compiled
from theorylab.sweep.memory import available_memory, peak_bytes
from theorylab.sweep.plan import Block, Group, Plan

__all__ = ["Lanes", "lane_mesh"]


def lane_mesh() -> jax.sharding.Mesh:
    """All local devices along one axis, `lanes`."""
    return jax.make_mesh(
        (jax.local_device_count(),), ("lanes",), (jax.sharding.AxisType.Auto,), devices=jax.local_devices()
    )


class Lanes:
    """Computes blocks of one plan. One compiled program per group, kept for the life of the object."""

    def __init__(self, plan: Plan, seed: int):
        self.plan, self.seed = plan, np.uint32(seed)
        self.mesh = lane_mesh()
        self._programs: dict[int, Any] = {}
        self._shared: dict[int, Any] = {}
        self._traces: dict[tuple[int, int], tuple[Mapping[str, Any], int]] = {}

    def check(self) -> None:
        """Trace every cell with its own numbers: refuse what is outside a domain, of the wrong shape, or too large."""
        limit = 0.8 * available_memory(self.mesh.devices.flat[0])
        for group in self.plan.groups:
            for row, cell in enumerate(group.cells):
                self._check_shapes(group, row, self.plan.points[cell])
            self._check_memory(group, limit)

    def compute(self, block: Block) -> dict[str, np.ndarray]:
        """Measurements of a block, [lanes, inner axes]."""
        group = self.plan.groups[block.group]
        if block.group not in self._programs:
            self._programs[block.group] = self._program(group)
            self._shared[block.group] = jax.device_put(group.shared)
        width, program = self._programs[block.group]
        pad = partial(_pad, length=math.ceil(self.plan.sweep.block / width) * width)
        rows = np.array(block.rows)
        stacked = {name: pad(values[rows]) for name, values in group.stacked.items()}
        keys = pad(self.plan.keys[np.array(group.cells)[rows]])
        replicates = pad(np.array(block.replicates, np.uint32))
        batches = np.int32(math.ceil(len(rows) / width))
        out = program(self.seed, batches, keys, replicates, self._shared[block.group], stacked)
        return {name: np.asarray(values)[: len(rows)] for name, values in out.items()}

    def _lane(self, group: Group, seed, key, replicate, shared, stacked):
        # the key is made inside the program: no eager operation, and no key array per lane
        base = jax.random.key(seed)
        for word in (key[0], key[1], replicate):
            base = jax.random.fold_in(base, word)
        measured = self.plan.sweep.simulate(base, **group.static, **shared, **stacked)  # type: ignore[misc]
        return {name: measured[name] for name in self.plan.sweep.measure}

    def _program(self, group: Group):
        """(batch width, compiled function of a block). The number of batches is dynamic: padding costs no work."""
        width = self._width(group)
        sharding = jax.sharding.NamedSharding(self.mesh, jax.sharding.PartitionSpec("lanes"))
        lanes = jax.vmap(partial(self._lane, group), in_axes=(None, 0, 0, None, 0))

        @compiled
        def program(seed, batches, keys, replicates, shared, stacked):
            inputs = (keys, replicates, stacked)

            def batch(index, out):
                take = lambda x: jax.lax.with_sharding_constraint(
                    jax.lax.dynamic_slice_in_dim(x, index * width, width), sharding
                )
                key, replicate, own = jax.tree.map(take, inputs)
                part = lanes(seed, key, replicate, shared, own)
                put = lambda whole, x: jax.lax.dynamic_update_slice_in_dim(whole, x, index * width, 0)
                return jax.tree.map(put, out, part)

            shapes = jax.eval_shape(lanes, seed, *inputs[:2], shared, stacked)
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

    def _traced(self, group: Group, row: int) -> tuple[Mapping[str, Any], int]:
        arguments = group.arguments(row)
        arrays = {n: v for n, v in arguments.items() if isinstance(v, np.ndarray) and v.ndim}
        scalars = {n: v.item() if isinstance(v, np.ndarray) else v for n, v in arguments.items() if n not in arrays}
        scalars = {n: float(v) if n not in group.static else v for n, v in scalars.items()}
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


def _pad(values: np.ndarray, length: int) -> np.ndarray:
    return np.concatenate([values, np.repeat(values[-1:], length - len(values), axis=0)])
