"""What verdicts rest on: the selected replicates, read in slices and reduced to moments, however many there are."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import xarray

if TYPE_CHECKING:
    from theorylab.compare.claims import Claim, Of, Where
    from theorylab.sweep.result import Result

__all__ = ["Estimate", "Evidence", "Moments", "coordinates", "evaluate", "gather", "select", "stream"]

CHUNK = 512  # replicates in memory at a time
MATCH = 1e-9  # relative distance within which a coordinate is the value asked for


class Estimate(NamedTuple):
    """Estimates of several means: values, standard errors, degrees of freedom, and the skewness of the estimate."""

    value: np.ndarray
    sem: np.ndarray
    df: np.ndarray
    skew: np.ndarray


@dataclass(frozen=True)
class Moments:
    """Count, mean, and sums of squared and cubed distances from the mean, per entry."""

    count: np.ndarray
    mean: np.ndarray
    m2: np.ndarray
    m3: np.ndarray

    @classmethod
    def of(cls, values: np.ndarray, valid: np.ndarray) -> Moments:
        """Moments over the first axis of the valid values."""
        count = np.asarray(valid.sum(0))
        mean = np.where(valid, values, 0.0).sum(0) / np.maximum(count, 1)
        distance = np.where(valid, values - mean, 0.0)
        return cls(count, mean, (distance**2).sum(0), (distance**3).sum(0))

    def merge(self, other: Moments) -> Moments:
        """Moments of both sets of values together."""
        a, b, n = self.count, other.count, np.maximum(self.count + other.count, 1)
        gap = other.mean - self.mean
        m2 = self.m2 + other.m2 + gap**2 * a * b / n
        m3 = self.m3 + other.m3 + gap**3 * a * b * (a - b) / n**2 + 3 * gap * (a * other.m2 - b * self.m2) / n
        return Moments(a + b, self.mean + gap * b / n, m2, m3)

    @property
    def variance(self) -> np.ndarray:
        return self.m2 / np.maximum(self.count - 1, 1)

    @property
    def skewness(self) -> np.ndarray:
        """Bias-corrected; 0 where the values do not vary."""
        n = np.maximum(self.count, 3)
        spread = np.where(self.m2 > 0, self.m2, 1.0)
        return np.where(self.m2 > 0, n * np.sqrt(n - 1.0) / (n - 2) * self.m3 / spread**1.5, 0.0)

    def estimate(self) -> Estimate:
        root = np.sqrt(np.maximum(self.count, 1))
        return Estimate(self.mean, np.sqrt(self.variance) / root, self.count - 1, self.skewness / root)


@dataclass(frozen=True)
class Evidence:
    """The samples that a claim is about, as arrays [replicate, lead, cell, point], and the theory for them.

    lead: the dimension along which a fit runs, if any. cells: dimensions whose cells are independent.
    points: dimensions whose entries share their draws. Replicates from `count` on do not exist.
    """

    of: Of
    parts: tuple[Result, ...]
    template: xarray.DataArray
    lead: tuple[str, ...]
    cells: tuple[str, ...]
    points: tuple[str, ...]
    count: np.ndarray
    theory: np.ndarray | None

    def chunks(self) -> Iterator[tuple[np.ndarray, np.ndarray, int]]:
        """Values, which of them exist, and how many of those are not finite, slice by slice."""
        start, stop = 0, int(self.count.max())
        parts = [replace(part, samples=_samples(part).isel(replicate=slice(stop))) for part in self.parts]
        for slices in zip(*(part.chunks(CHUNK) for part in parts)):
            values = evaluate(self.of, slices).variable  # cheaper without coordinates
            values = values.transpose("replicate", *self.lead, *self.cells, *self.points)
            array = np.asarray(values.values, dtype=float).reshape(-1, *self.count.shape)
            index = np.arange(start, start + len(array))
            start += len(array)
            valid = index[:, None, None, None] < self.count
            bad = int((valid & ~np.isfinite(array)).sum())
            yield array, valid, bad or _hidden(self.of, self.parts, slices, index)

    def at(self, cell: int, point: int | None = None, lead: int | None = None) -> dict[str, Any]:
        """Coordinates of a cell, or of a point in it."""
        position: dict[Any, int] = {}
        for dims, index in ((self.lead, lead), (self.cells, cell), (self.points, point)):
            if index is not None:
                where = np.unravel_index(index, [self.template.sizes[dim] for dim in dims])
                position |= dict(zip(dims, map(int, where)))
        return coordinates(self.template.isel(position))

    def along(self, name: str) -> np.ndarray:
        """Values of a coordinate along the leading dimension."""
        return np.asarray(self.template[name].values, dtype=float)


def stream(evidence: Evidence, reduce: Callable[[np.ndarray], np.ndarray]) -> tuple[Moments, Moments, int]:
    """Moments of reduce(values) at every point and of its mean over the points of a cell; number of bad values.

    reduce: [replicate, lead, cell, point] -> the same, or with a leading dimension of one.
    """
    points = cells = None
    total = 0
    for values, valid, bad in evidence.chunks():
        total += bad
        reduced = reduce(np.where(np.isfinite(values), values, 0.0))
        valid = valid[:, : reduced.shape[1]]
        here, pooled = Moments.of(reduced, valid), Moments.of(reduced.mean(-1), np.all(valid, axis=-1))
        points = here if points is None else points.merge(here)
        cells = pooled if cells is None else cells.merge(pooled)
    assert points is not None and cells is not None, "the judge asks for eight replicates first"
    return points, cells, total


def evaluate(of: Of, datasets: Sequence[xarray.Dataset]) -> xarray.DataArray:
    """`of` the datasets; points that do not match are an error, never dropped."""
    if callable(of):
        try:
            with xarray.set_options(arithmetic_join="exact"):
                return of(*datasets)
        except Exception as error:  # whatever a function of the user raises
            raise ValueError(f"its function of the data raised {type(error).__name__}: {error}") from error
    if of not in datasets[0].data_vars:
        raise ValueError(f"there is no measurement {of!r}, only {', '.join(map(str, datasets[0].data_vars))}")
    return datasets[0][of]


def gather(claim: Claim, parts: Sequence[Result], theory: bool = True) -> Evidence:
    """The samples of the selected `parts` that a claim is about, with their theory unless it needs none."""
    template, mixed = _template(claim.of, parts)
    if not callable(claim.of):  # other measurements stay on disk
        parts = [replace(part, samples=_samples(part)[[claim.of, "count"]]) for part in parts]
    counts = [_count(part, template, mixed) for part in parts]
    lead = _lead(template, claim.size or claim.axis)
    rest = [str(dim) for dim in template.dims if dim not in lead]
    cells = tuple(dim for dim in rest if dim not in mixed and _independent(dim, parts))
    points = tuple(dim for dim in rest if dim not in cells)
    groups = (lead, cells, points)
    count = np.minimum.reduce([_spread(array, template, groups) for array in counts])
    if claim.size and (lead[0] in mixed or not _independent(lead[0], parts)):
        raise ValueError(f"size = {claim.size!r} must run along an outer axis whose cells are independent")
    if claim.axis:
        count = np.broadcast_to(count.min(0), count.shape)
    expected = _spread(_theory(claim.of, parts), template, groups) if theory else None
    return Evidence(claim.of, tuple(parts), template, lead, cells, points, count, expected)


def _template(of: Of, parts: Sequence[Result]) -> tuple[xarray.DataArray, set[str]]:
    """The points of `of`, and the outer axes along which an entry draws on other cells than its own."""
    if not callable(of):
        return evaluate(of, [_samples(part) for part in parts]).isel(replicate=0, drop=True), set()
    few = [_samples(part).drop_vars("count").isel(replicate=slice(8)).load() for part in parts]
    sample = evaluate(of, few)
    if "replicate" not in getattr(sample, "dims", ()):
        raise ValueError("`of` must return a DataArray that keeps 'replicate'")
    outer = {dim for part in parts for dim in part.over if dim in _samples(part).dims}
    return sample.isel(replicate=0, drop=True), {dim for dim in outer if _mixes(of, few, sample, dim)}


def _mixes(of: Of, data: Sequence[xarray.Dataset], sample: xarray.DataArray, dim: str) -> bool:
    """Whether entries of `of` draw on several cells along `dim`: change some cells, and look at the others."""
    if any(dim not in array.dims or not np.array_equal(array[dim], sample[dim]) for array in (sample, *data)):
        return True
    index = np.arange(sample.sizes[dim])
    for bit in range((len(index) - 1).bit_length()):  # any two cells differ in some bit of their index
        for changed in (index >> bit & 1 == 0, index >> bit & 1 == 1):
            factor = xarray.DataArray(changed.astype(float), dims=dim)
            other = evaluate(of, [ds * (1 + 0.7 * factor) + 0.3 * factor for ds in data])
            before, after = (array.transpose(*sample.dims).isel({dim: ~changed}) for array in (sample, other))
            if not np.array_equal(before.values, after.values, equal_nan=True):
                return True
    return False


def _samples(part: Result) -> xarray.Dataset:
    if part.samples is None:
        raise ValueError("the sweep has no samples")
    return part.samples


def _independent(dim: str, parts: Sequence[Result]) -> bool:
    return all(dim in part.over and dim not in part.paired and dim in _samples(part).dims for part in parts)


def _lead(template: xarray.DataArray, name: str) -> tuple[str, ...]:
    if not name:
        return ()
    if name not in template.coords or template[name].ndim != 1:
        raise ValueError(f"{name!r} must be a coordinate of the selected points that runs along one axis")
    return (str(template[name].dims[0]),)


def _count(part: Result, template: xarray.DataArray, mixed: set[str]) -> xarray.DataArray:
    count = _samples(part)["count"]
    return count.min([dim for dim in count.dims if dim in mixed or dim not in template.dims])


def _theory(of: Of, parts: Sequence[Result]) -> xarray.DataArray:
    """`of` the theory, on the axes of the samples, so that a contrast may name axes on which theory is constant."""
    data = []
    for part in parts:
        if part.theory is None:
            raise ValueError("the sweep predicts nothing")
        for dim in set(part.theory.dims) & set(_samples(part).dims):
            if not part.theory.get_index(dim).equals(_samples(part).get_index(dim)):
                raise ValueError(f"theory and samples have different points along {dim!r}")
        data.append(_on_all_axes(part.theory, _samples(part)) if callable(of) else part.theory)
    return evaluate(of, data)


def _on_all_axes(theory: xarray.Dataset, samples: xarray.Dataset) -> xarray.Dataset:
    sample = samples.isel(replicate=0, drop=True)
    shared = [name for name in theory.data_vars if name in sample.data_vars]
    return theory.assign({name: theory[name].broadcast_like(sample[name]) for name in shared})


def _spread(array: xarray.DataArray, template: xarray.DataArray, groups: tuple[tuple[str, ...], ...]) -> np.ndarray:
    """An array over some of the dimensions as one over all, each group of dimensions flattened."""
    dims = [dim for group in groups for dim in group]
    for dim in array.dims:
        if dim not in dims:
            raise ValueError(f"the theory varies along {dim!r}, but the samples do not")
    mine = [dim for dim in dims if dim in array.dims]
    values = array.variable.transpose(*mine).values.reshape([template.sizes[dim] if dim in mine else 1 for dim in dims])
    full = np.broadcast_to(values, [template.sizes[dim] for dim in dims])
    return full.reshape([math.prod(template.sizes[dim] for dim in group) for group in groups])


def _hidden(of: Of, parts: Sequence[Result], slices: Sequence[xarray.Dataset], index: np.ndarray) -> int:
    """Samples that are not finite but that a function leaves out, as xarray's averages do."""
    if not callable(of):
        return 0
    total = 0
    for i, (part, data) in enumerate(zip(parts, slices)):
        exists = xarray.DataArray(index, dims="replicate") < _samples(part)["count"]
        for name, values in data.items():
            bad = int((exists & ~np.isfinite(values)).sum())
            total += bad if bad and _reads(of, slices, i, name) else 0
    return total


def _reads(of: Of, data: Sequence[xarray.Dataset], i: int, name: Any) -> bool:
    without = [ds.drop_vars(name) if j == i else ds for j, ds in enumerate(data)]
    try:
        return not evaluate(of, without).identical(evaluate(of, data))
    except ValueError:
        return True


def coordinates(array: xarray.DataArray, chosen: np.ndarray | None = None) -> dict[str, Any]:
    """Coordinates of an array that have one value, or those of the first entry that is chosen."""
    if chosen is not None:
        array = array.isel(dict(zip(array.dims, map(int, np.argwhere(chosen)[0]))))
    variables = {str(name): coord for name, coord in array.coords.variables.items()}
    return {name: coord.values.item() for name, coord in variables.items() if coord.ndim == 0}


def select(parts: Sequence[Result], where: Where) -> list[Result]:
    """The results at the points that `where` names. Raises ValueError where that is nothing, or no axis of theirs."""
    data = [ds for part in parts for ds in (part.samples, part.theory) if ds is not None]
    for axis in where:
        if not any(axis in ds.coords for ds in data):
            known = sorted({str(name) for ds in data for name in ds.coords} - {"replicate"})
            raise ValueError(f"`where` names {axis!r}, which is no axis of the sweep: {', '.join(known)}")
    return [_selected(part, where) for part in parts]


def _selected(part: Result, where: Where) -> Result:
    samples, theory = _cut(part.samples, where), _cut(part.theory, where)
    if samples is not None and theory is not None:  # the theory may lack a derived coordinate that was selected
        short = {str(dim) for dim in theory.dims if theory.sizes[dim] > samples.sizes.get(dim, theory.sizes[dim])}
        theory = theory.isel({dim: np.isin(theory[dim], samples[dim]) for dim in short}) if short else theory
    return replace(part, samples=samples, theory=theory)


def _cut(data: xarray.Dataset | None, where: Where) -> xarray.Dataset | None:
    if data is None:
        return None
    derived = {axis: axis not in data.dims for axis in where}
    for axis in sorted(where, key=derived.__getitem__):  # derived coordinates after what they span
        if axis not in data.coords:
            continue
        coord = data.coords[axis]
        chosen = _chosen(axis, coord.values, where[axis])
        box = [np.flatnonzero(chosen.any(tuple(j for j in range(coord.ndim) if j != i))) for i in range(coord.ndim)]
        if not chosen.any():
            raise ValueError(f"`where` selects nothing along {axis!r}: {where[axis]!r} of {coord.values}")
        if not chosen[np.ix_(*box)].all():
            raise ValueError(f"`where` on {axis!r} selects no full grid of {', '.join(map(str, coord.dims))}")
        single = coord.dims == (axis,) and _is_single(where[axis])
        data = data.isel({dim: int(kept[0]) if single else kept for dim, kept in zip(coord.dims, box)})
    return data


def _is_single(wanted: Any) -> bool:
    return not (callable(wanted) or isinstance(wanted, slice) or np.ndim(wanted))


def _chosen(axis: str, values: np.ndarray, wanted: Any) -> np.ndarray:
    if callable(wanted):
        chosen = np.asarray(wanted(values))
        if chosen.shape != values.shape or chosen.dtype != bool:
            raise ValueError(f"the predicate of `where` on {axis!r} must give one boolean for each value")
        return chosen
    if isinstance(wanted, slice):
        if wanted.step is not None:
            raise ValueError(f"`where` on {axis!r}: a slice takes no step")
        low = True if wanted.start is None else (values >= wanted.start) | _matches(values, wanted.start)
        high = True if wanted.stop is None else (values <= wanted.stop) | _matches(values, wanted.stop)
        return np.broadcast_to(low & high, values.shape)
    each = [_matches(values, value) for value in np.atleast_1d(wanted)]
    for value, match in zip(np.atleast_1d(wanted), each):
        if not match.any():
            raise ValueError(f"`where` finds no {axis!r} = {value} among {values}")
    return np.logical_or.reduce(each)


def _matches(values: np.ndarray, value: Any) -> np.ndarray:
    if values.dtype.kind == "f":
        return np.abs(values - value) <= MATCH * np.abs(value)
    return np.asarray(values == value)
