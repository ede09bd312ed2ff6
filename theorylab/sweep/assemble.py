"""Blocks and theory to one `Result`: netCDF on disk in bounded memory, or arrays when nothing is stored."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import h5netcdf
import numpy as np
import xarray

from theorylab.sweep.bind import Binding
from theorylab.sweep.files import replacing
from theorylab.sweep.plan import Block, Plan
from theorylab.sweep.predict import Axes, predicted
from theorylab.sweep.result import Result

__all__ = ["read_result", "result_in_memory", "theory_datasets", "write_result"]

Parts = Iterable[tuple[Block, Mapping[str, np.ndarray]]]


def result_in_memory(plan: Plan, counts: np.ndarray, parts: Parts) -> Result:
    """The result of a sweep whose blocks fit in memory."""
    samples = None
    if plan.sweep.simulate:
        arrays = {name: np.full(_shape(plan, counts, name), np.nan) for name in plan.sweep.measure}
        _fill(plan, arrays, parts)
        samples = _frame(plan, counts)
        for name, values in arrays.items():
            samples[name] = (_dims(plan, name), values)
    theory, curve = theory_datasets(plan)
    return Result(samples=samples, theory=theory, curve=curve, over=plan.sweep.over, paired=plan.sweep.paired)


def write_result(path: Path, plan: Plan, counts: np.ndarray, parts: Parts) -> None:
    """Write the netCDF file of a sweep from its blocks, one block at a time, then put it in place in one step."""
    groups = dict(zip(("theory", "curve"), theory_datasets(plan)))
    if plan.sweep.simulate:
        groups["samples"] = _frame(plan, counts)
    with replacing(path) as temporary:
        with h5netcdf.File(temporary, "w") as file:
            file.attrs.update(over=json.dumps(plan.sweep.over), paired=json.dumps(plan.sweep.paired))
        for group, dataset in groups.items():
            if dataset is not None:
                dataset.to_netcdf(temporary, mode="a", group=group, engine="h5netcdf")
        if plan.sweep.simulate:
            with h5netcdf.File(temporary, "a") as file:
                made = {name: _create(file["samples"], plan, counts, name) for name in plan.sweep.measure}
                _fill(plan, made, parts)


def read_result(path: Path) -> Result:
    """Open a stored result; the samples stay on disk until they are asked for."""
    with h5netcdf.File(path, "r") as file:
        present = list(file.groups)
        over, paired = (tuple(json.loads(file.attrs[name])) for name in ("over", "paired"))
    groups: dict[str, xarray.Dataset] = {}
    for group in present:
        groups[group] = xarray.open_dataset(path, group=group, engine="h5netcdf")
        if group != "samples":
            groups[group].load().close()
    return Result(over=over, paired=paired, **{name: groups.get(name) for name in ("samples", "theory", "curve")})


def _dims(plan: Plan, name: str) -> tuple[str, ...]:
    return (*plan.sweep.over, "replicate", *plan.sweep.measure[name])


def _shape(plan: Plan, counts: np.ndarray, name: str) -> tuple[int, ...]:
    return (*plan.shape, int(counts.max()), *plan.inner_shape(name))


def _frame(plan: Plan, counts: np.ndarray) -> xarray.Dataset:
    """Coordinates and counts of the samples, without the samples."""
    sweep = plan.sweep
    coords: dict[str, Any] = {axis: list(sweep.values[axis]) for axis in sweep.axes}
    coords["replicate"] = np.arange(int(counts.max()))
    frame = xarray.Dataset({"count": (sweep.over, counts.reshape(plan.shape))}, coords=coords)
    return frame.assign_coords(_labels(plan.binding, {a: sweep.values[a] for a in sweep.over}))


def _labels(binding: Binding, axes: Axes) -> dict[str, Any]:
    """Derived numbers (T from T_per_d and d) as coordinates over those outer axes on which they depend."""
    labels = {}
    for name in binding.scalars({axis: points[0] for axis, points in axes.items()}):
        own = [axis for axis in axes if axis in binding.depends[name]]
        values = np.empty([len(axes[axis]) for axis in own])
        for index in np.ndindex(values.shape):
            values[index] = binding.value(name, {a: axes[a][i] for a, i in zip(own, index)})
        labels[name] = (own, values)
    return labels


def theory_datasets(plan: Plan) -> tuple[xarray.Dataset | None, xarray.Dataset | None]:
    """(theory at the points, theory on the curve), None where there is nothing."""
    if not plan.sweep.predictors:
        return None, None
    datasets = []
    for found in predicted(plan.sweep, plan.binding):
        arrays = {
            name: xarray.DataArray(values, dims=list(axes), coords={a: list(v) for a, v in axes.items()})
            for name, (axes, values) in found.items()
        }
        axes = {a: v for found_axes, _ in found.values() for a, v in found_axes.items() if a in plan.sweep.over}
        dataset = xarray.Dataset(arrays)
        datasets.append(dataset.assign_coords(_labels(plan.binding, axes)))
    return datasets[0], datasets[1] if len(datasets) > 1 else None


def _create(group: Any, plan: Plan, counts: np.ndarray, name: str) -> Any:
    shape = _shape(plan, counts, name)
    depth = len(plan.shape)
    chunks = (*(1,) * depth, min(shape[depth], 1024), *shape[depth + 1 :])
    return group.create_variable(name, _dims(plan, name), dtype="f8", chunks=chunks, fillvalue=np.nan)


def _fill(plan: Plan, targets: Mapping[str, Any], parts: Parts) -> None:
    """Copy lanes to their places, consecutive replicates of a cell in one piece."""
    for block, values in parts:
        cells = np.array(plan.groups[block.group].cells)[np.array(block.rows)]
        replicates = np.array(block.replicates)
        cuts = np.flatnonzero((np.diff(cells) != 0) | (np.diff(replicates) != 1)) + 1
        for start, stop in zip([0, *cuts], [*cuts, len(cells)]):
            where = np.unravel_index(cells[start], plan.shape) if plan.shape else ()
            place = (*map(int, where), slice(int(replicates[start]), int(replicates[start]) + int(stop - start)))
            for name, target in targets.items():
                target[place] = values[name][start:stop]
