"""Small functions for the `of` of a claim: contrasts that keep the replicates. Heavy imports wait for a call."""

from typing import Any

__all__ = ["at", "log", "log_slope", "slope", "stack"]


def at(data: Any, **points: Any) -> Any:
    """`data` at the nearest points of some axes, without their coordinates, so that selections can be subtracted."""
    return data.sel(points, method="nearest", drop=True)


def log(data: Any) -> Any:
    """Natural logarithm."""
    import numpy as np

    return np.log(data)


def log_slope(data: Any, axis: str) -> Any:
    """Least-squares slope of log data against the log of an axis: the exponent of a power law."""
    return slope(log(data).assign_coords({axis: log(data[axis])}), axis)


def slope(data: Any, axis: str) -> Any:
    """Least-squares slope of `data` along an axis (or a coordinate that varies along one dimension)."""
    x = data[axis] - data[axis].mean()
    (dim,) = x.dims
    return (data * x).sum(dim) / (x**2).sum()


def stack(*contrasts: Any) -> Any:
    """Several contrasts as one, along a new dimension `contrast`."""
    import xarray

    return xarray.concat(contrasts, dim="contrast")
