"""Theory as a line, simulation as markers with error bars, the same colour and marker for the same parameter."""

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter

from theorylab.sweep.result import Result

__all__ = ["colours", "figure", "log_axes", "overlay", "panel_title", "theory_line"]

MARKERS = "osD^vPX*<>"


def figure(panels: int = 1, *, width: float = 4.6, height: float = 3.6, **kwargs: Any) -> tuple[Figure, list[Axes]]:
    """A figure of so many panels in a row, and its axes."""
    made = Figure(figsize=(width * panels, height), layout="constrained")
    return made, list(made.subplots(1, panels, squeeze=False, **kwargs)[0])


def colours(count: int) -> list[Any]:
    """So many ordered colours, dark to light, distinct in grey too."""
    return [mpl.colormaps["viridis"](x) for x in np.linspace(0.0, 0.82, max(count, 2))][:count]


def overlay(
    ax: Axes,
    result: Result,
    name: str,
    *,
    x: str,
    series: str | None = None,
    where: Mapping[str, Any] | None = None,
    label: str = "{}",
    only: Sequence[Any] | None = None,
    offset: int = 0,
    total: int = 0,
) -> None:
    """Draw a measurement against the axis (or coordinate) `x`, one curve for each value of `series`.

    where: the values of the remaining axes. label: how a value of the series reads in the legend.
    offset, total: place of the first curve among all those of a panel that takes several calls.
    Error bars are two standard errors.
    """
    points = only if only is not None else list(_dataset(result)[series].values) if series else [None]
    for index, (value, colour) in enumerate(zip(points, colours(max(total, len(points) + offset))[offset:])):
        at = {**(where or {}), **({series: value} if series else {})}
        marker = MARKERS[(index + offset) % len(MARKERS)]
        text = label.format(value)
        if any(part is not None and name in part for part in (result.curve, result.theory)):
            theory_line(ax, result, name, x=x, where=at, color=colour)
        if result.samples is not None:
            mean, sem = select(result.mean(name), at), select(result.sem(name), at)
            ax.errorbar(
                mean[x],
                mean,
                2 * sem,
                fmt=marker,
                color=colour,
                markersize=4.5,
                capsize=2,
                linewidth=0,
                elinewidth=1,
                label=text,
                zorder=3,
            )
        else:
            ax.lines[-1].set_label(text)


def theory_line(ax: Axes, result: Result, name: str, *, x: str, where: Mapping[str, Any], **style: Any) -> None:
    """The theory at a selection of the other axes, on the denser points where there are any."""
    source = result.curve if result.curve is not None and name in result.curve else result.theory
    assert source is not None
    line = select(source[name], where)
    ax.plot(line[x], line, **{"linewidth": 1.4, **style})


def select(data: Any, where: Mapping[str, Any]) -> Any:
    """Values of some axes fixed; axes on which the data do not depend are passed over."""
    for axis, value in where.items():
        if axis in data.dims:
            method = None if data[axis].dtype.kind in "OUSb" else "nearest"
            data = data.sel({axis: value}, method=method)
    return data


def log_axes(ax: Axes, axes: str = "xy") -> None:
    """Logarithmic axes; where one spans less than two decades near 1, its ticks read 0.2, 0.3, not powers of ten."""
    for axis in (getattr(ax, f"{name}axis") for name in axes):
        getattr(ax, f"set_{axis.axis_name}scale")("log")
        low, high = sorted(axis.get_view_interval())
        if low > 0.01 and high < 100 and high < 100 * low:
            plain = FuncFormatter(lambda value, _: f"{value:g}")
            axis.set_major_formatter(plain)
            axis.set_minor_formatter(plain if high < 10 * low else NullFormatter())


def panel_title(ax: Axes, text: str) -> None:
    ax.set_title(text, loc="left")


def _dataset(result: Result) -> Any:
    return result.samples if result.samples is not None else result.theory
