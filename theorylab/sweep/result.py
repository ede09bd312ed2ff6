"""What a sweep leaves behind: replicates, theory at the same points, and theory on a denser curve."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import xarray

__all__ = ["Result"]


@dataclass(frozen=True, kw_only=True)
class Result:
    """The outcome of one sweep.

    samples: one variable per measurement, dims (outer axes, "replicate", inner axes), read lazily from disk; and
        `count` [outer axes], the replicates that each cell has (entries beyond are NaN). None for a sweep that only
        evaluates theory.
    theory: one variable per measurement, on those axes on which it depends. None when nothing is predicted.
    curve: the same on denser points, for drawing. None when not asked for.
    over: outer axes; cells along them are independent unless they are in `paired`.
    paired: outer axes whose cells share their draws.

    Scalars that were derived per cell (T from T_per_d and d) are coordinates of all three.
    """

    samples: xarray.Dataset | None
    theory: xarray.Dataset | None
    curve: xarray.Dataset | None = None
    over: tuple[str, ...] = ()
    paired: tuple[str, ...] = ()

    def chunks(self, replicates: int = 4096) -> Iterator[xarray.Dataset]:
        """The samples in slices of so many replicates, loaded one at a time; `count` stays behind."""
        if self.samples is None:
            return
        data = self.samples.drop_vars("count")
        for start in range(0, data.sizes["replicate"], replicates):
            yield data.isel(replicate=slice(start, start + replicates)).load()

    def mean(self, name: str) -> xarray.DataArray:
        """Average of a measurement over its replicates."""
        return self._moments(name)[0]

    def sem(self, name: str) -> xarray.DataArray:
        """Standard error of that average."""
        return self._moments(name)[1]

    def _moments(self, name: str) -> tuple[xarray.DataArray, xarray.DataArray]:
        assert self.samples is not None
        count = self.samples["count"]
        total = sum((chunk[name].sum("replicate") for chunk in self.chunks()), start=0.0)
        mean = total / count
        squares = sum((((chunk[name] - mean) ** 2).sum("replicate") for chunk in self.chunks()), start=0.0)
        return mean, (squares / (count - 1) / count) ** 0.5
