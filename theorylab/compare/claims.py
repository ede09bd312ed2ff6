"""Claims: a sentence of a paper and the way to test it. They are plain data, so that listing them loads nothing."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal

__all__ = ["Claim", "asymptotic", "bound", "exact", "exponent", "identity", "order"]

Kind = Literal["exact", "asymptotic", "exponent", "bound", "order", "identity"]
Of = str | Callable[..., Any]
Sweeps = str | tuple[str, ...]
Where = Mapping[str, Any]

KINDS = ("exact", "asymptotic", "exponent", "bound", "order", "identity")
EVERYWHERE: Where = MappingProxyType({})


@dataclass(frozen=True, kw_only=True)
class Claim:
    """A sentence and its test. Made by the constructors of this module, one for each kind.

    says: the sentence of the paper.
    sweeps: names of the sweeps that it speaks about; with several, `of` gets all their datasets.
    of: a measurement, or a function Dataset -> DataArray that keeps "replicate"; applied to samples and theory alike.
    margin: allowed relative deviation of the mean over dependent points, in every independent cell.
    pointwise: allowed relative deviation at every single point.
    error: relative error bound that the theory itself states (numerical, or of its approximation); a deviation counts
        against the theory only as far as it exceeds this. The margins are not widened by it.
    where: axis -> a value, a list of values, a slice (both ends included), or a predicate on the coordinate values.
    figure: the figure under which the verdict stands.
    """

    kind: Kind
    says: str
    sweeps: tuple[str, ...]
    of: Of
    margin: float = 0.0
    pointwise: float = 0.0
    error: float = 0.0
    where: Where = field(default_factory=dict)
    figure: str = ""
    size: str = ""
    order: float = 1.0
    axis: str = ""
    upper: bool = True
    equals: float | Of | None = None
    tolerance: float = 0.0
    on: Literal["theory", "samples"] = "theory"

    def __post_init__(self) -> None:
        _check(self.kind in KINDS, "kind", self.kind, f"one of {', '.join(KINDS)}")
        _check(isinstance(self.says, str) and self.says.strip() != "", "says", self.says, "a sentence")
        _check(_are_names(self.sweeps), "sweep", self.sweeps, "the name of a sweep, or a tuple of names")
        named = isinstance(self.of, str) and self.of != "" and len(self.sweeps) == 1
        _check(named or callable(self.of), "of", self.of, "a measurement of one sweep, or a function of the datasets")
        _check(isinstance(self.where, Mapping), "where", self.where, "a mapping from axes to values")
        for name in ("margin", "pointwise", "error", "tolerance"):
            value = getattr(self, name)
            _check(_is_real(value) and 0 <= value < math.inf, name, value, f"{name} >= 0")
        _check(_is_real(self.order) and 0 < self.order < math.inf, "order", self.order, "order > 0")
        _check(self.on in ("theory", "samples"), "on", self.on, "theory or samples")
        if self.kind in ("exact", "asymptotic", "exponent"):
            _check(self.margin > 0, "margin", self.margin, "margin > 0")
            _check(self.pointwise > 0, "pointwise", self.pointwise, "pointwise > 0")
        if self.kind == "identity":
            ok = _is_real(self.equals) or isinstance(self.equals, str) or callable(self.equals)
            _check(ok, "equals", self.equals, "a number, a measurement or a function of the datasets")


def exact(
    says: str, *, sweep: Sweeps, of: Of, margin: float = 0.02, pointwise: float = 0.10, error: float = 0.0,
    where: Where = EVERYWHERE, figure: str = "",
) -> Claim:  # fmt: skip
    """The theory is an expectation at finite size: it equals the mean of the samples at every point."""
    return Claim(
        kind="exact", says=says, sweeps=_names(sweep), of=of, margin=margin, pointwise=pointwise, error=error,
        where=where, figure=figure,
    )  # fmt: skip


def asymptotic(
    says: str, *, sweep: Sweeps, of: Of, size: str = "d", order: float = 1.0, margin: float = 0.02,
    pointwise: float = 0.10, error: float = 0.0, where: Where = EVERYWHERE, figure: str = "",
) -> Claim:  # fmt: skip
    """The theory is the limit of a large `size`: the intercept of deviation = a + b / size^order is zero."""
    return Claim(
        kind="asymptotic", says=says, sweeps=_names(sweep), of=of, size=size, order=order, margin=margin,
        pointwise=pointwise, error=error, where=where, figure=figure,
    )  # fmt: skip


def exponent(
    says: str, *, sweep: Sweeps, of: Of, axis: str = "T", margin: float = 0.03, pointwise: float | None = None,
    error: float = 0.0, where: Where = EVERYWHERE, figure: str = "",
) -> Claim:  # fmt: skip
    """The log-log slope along `axis` equals that of the formula over the same points.

    margin, pointwise (the same unless given), error: absolute, in units of the slope.
    """
    return Claim(
        kind="exponent", says=says, sweeps=_names(sweep), of=of, axis=axis, margin=margin,
        pointwise=margin if pointwise is None else pointwise, error=error, where=where, figure=figure,
    )  # fmt: skip


def bound(
    says: str, *, sweep: Sweeps, of: Of, upper: bool = True, pointwise: float = 0.02, error: float = 0.0,
    where: Where = EVERYWHERE, figure: str = "",
) -> Claim:  # fmt: skip
    """The theory bounds the mean of the samples from above (or from below) at every point."""
    return Claim(
        kind="bound", says=says, sweeps=_names(sweep), of=of, upper=upper, pointwise=pointwise, error=error,
        where=where, figure=figure,
    )  # fmt: skip


def order(says: str, *, sweep: Sweeps, of: Of, where: Where = EVERYWHERE, figure: str = "") -> Claim:
    """Every entry of `of` is positive: an ordering, a sign, a monotone curve, a minimum, written as contrasts."""
    return Claim(kind="order", says=says, sweeps=_names(sweep), of=of, where=where, figure=figure)


def identity(
    says: str, *, sweep: Sweeps, of: Of, equals: float | Of, digits: float | None = None,
    tolerance: float | None = None, on: Literal["theory", "samples"] = "theory", where: Where = EVERYWHERE,
    figure: str = "",
) -> Claim:  # fmt: skip
    """Two computations agree to so many digits (10 unless given), in the theory or in every single replicate.

    equals: a number, a measurement, or a function of the datasets.
    tolerance: the same as a number, relative to `equals`, absolute where that is zero; instead of `digits`.
    """
    _check(digits is None or tolerance is None, "tolerance", tolerance, "absent when digits are given")
    _check(digits is None or _is_real(digits), "digits", digits, "a number")
    if tolerance is None:
        tolerance = 10.0 ** -(10 if digits is None else digits)
    return Claim(
        kind="identity", says=says, sweeps=_names(sweep), of=of, equals=equals, tolerance=tolerance, on=on,
        where=where, figure=figure,
    )  # fmt: skip


def _names(sweep: Sweeps) -> tuple[str, ...]:
    return (sweep,) if isinstance(sweep, str) else sweep


def _are_names(sweep: Any) -> bool:
    return isinstance(sweep, tuple) and len(sweep) > 0 and all(isinstance(name, str) and name for name in sweep)


def _is_real(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and not math.isnan(value)


def _check(ok: bool, name: str, value: Any, allowed: str) -> None:
    if not ok:
        raise ValueError(f"{name} = {value!r} is outside its domain: {allowed}")
