"""Kinds of power laws, and their robust least-squares solutions in log space; the private half of `power_laws`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple, TypeAlias

import numpy as np
from scipy import optimize, special

__all__ = ["KINDS", "Kind", "Solution", "solve"]

Kind: TypeAlias = Literal["pure", "floor", "broken"]
Points: TypeAlias = np.ndarray

EXPONENTS = (1e-3, 10.0)  # of the approach to a floor
WIDTHS = (0.02, 3.0)  # of a bend, in units of log x
NEAR = 1e-6  # distance from a bound that counts as being there
PATIENCE = 100  # evaluations; fits of data without a bend can creep along a flat valley for ever


class Pure:
    """log y = log A - a log x. In `theta` levels, lengths and widths (`logs`) enter by their logarithms."""

    names: tuple[str, ...] = ("A", "a")
    logs: tuple[int, ...] = (0,)
    fewest = 3  # points

    def log_model(self, theta: Points, lx: Points) -> Points:
        return theta[0] - theta[1] * lx

    def derivatives(self, theta: Points, lx: Points) -> Points:
        """Of the log model by theta, [points, parameters]."""
        return np.stack([np.ones_like(lx), -lx], axis=1)

    def starts(self, lx: Points, ly: Points, scale: Points) -> list[Points]:
        slope, level = np.polyfit(lx, ly, 1, w=1 / scale)
        return [np.array([level, -slope])]

    def bounds(self, lx: Points) -> tuple[Points, Points]:
        return np.full(2, -np.inf), np.full(2, np.inf)

    def moved(self, theta: Points, sx: float, sy: float) -> Points:
        """The same law for x e^sx and y e^sy."""
        return np.array([theta[0] + theta[1] * sx + sy, theta[1]])

    def theta(self, parameters: Mapping[str, float]) -> Points:
        return np.array([np.log(v) if i in self.logs else v for i, v in enumerate(parameters.values())])

    def parameters(self, theta: Points) -> dict[str, float]:
        return {n: float(np.exp(v) if i in self.logs else v) for i, (n, v) in enumerate(zip(self.names, theta))}


class Floor(Pure):
    """y = A x^-a + C, C >= 0."""

    names, fewest = ("A", "a", "C"), 5

    def log_model(self, theta: Points, lx: Points) -> Points:
        with np.errstate(divide="ignore"):
            return np.logaddexp(super().log_model(theta, lx), np.log(theta[2]))

    def derivatives(self, theta: Points, lx: Points) -> Points:
        log_model = self.log_model(theta, lx)
        share = np.exp(super().log_model(theta, lx) - log_model)
        return np.stack([share, -share * lx, np.exp(-log_model)], axis=1)

    def starts(self, lx: Points, ly: Points, scale: Points) -> list[Points]:
        """Variable projection: for each exponent, level and floor solve a non-negative linear problem."""
        tried = [
            (optimize.nnls(np.exp([-a * lx - ly, -ly]).T / scale[:, None], 1 / scale), a)
            for a in np.geomspace(0.02, 4, 60)
        ]
        ((A, C), _), a = min(tried, key=lambda solved: solved[0][1])
        return [np.array([np.log(max(A, 1e-12)), a, np.clip(C, 1e-3, 1.4)])]

    def bounds(self, lx: Points) -> tuple[Points, Points]:
        return np.array([-np.inf, EXPONENTS[0], 0.0]), np.array([np.inf, EXPONENTS[1], 1.5])  # smallest y is 1

    def moved(self, theta: Points, sx: float, sy: float) -> Points:
        return np.append(super().moved(theta, sx, sy), theta[2] * np.exp(sy))


class Broken(Pure):
    """log y = log A - a1 z - (a2 - a1) s log(1 + e^(z/s)), z = log(x/x0)."""

    names, logs, fewest = ("A", "x0", "a1", "a2", "s"), (0, 1, 4), 8

    def log_model(self, theta: Points, lx: Points) -> Points:
        level, lx0, a1, a2, log_s = theta
        z, s = lx - lx0, np.exp(log_s)
        return level - a1 * z - (a2 - a1) * s * np.logaddexp(0, z / s)

    def derivatives(self, theta: Points, lx: Points) -> Points:
        _, lx0, a1, a2, log_s = theta
        z, s = lx - lx0, np.exp(log_s)
        bend, behind = s * np.logaddexp(0, z / s), special.expit(z / s)
        columns = [np.ones_like(z), a1 + (a2 - a1) * behind, bend - z, -bend, -(a2 - a1) * (bend - z * behind)]
        return np.stack(columns, axis=1)

    def starts(self, lx: Points, ly: Points, scale: Points) -> list[Points]:
        """The bend at each quartile, with the slopes of straight lines on both sides."""
        found = []
        for lx0 in np.clip(np.quantile(lx, (0.25, 0.5, 0.75)), *np.sort(lx)[[2, -3]]):
            sides = [np.polyfit(lx[side] - lx0, ly[side], 1, w=1 / scale[side]) for side in (lx <= lx0, lx >= lx0)]
            (slope1, level1), (slope2, level2) = sides
            found.append(np.array([(level1 + level2) / 2, lx0, -slope1, -slope2, np.log(0.3)]))
        return found

    def bounds(self, lx: Points) -> tuple[Points, Points]:
        """At least three points on either side of the bend."""
        free, ends, widths = np.inf, np.sort(lx)[[2, -3]], np.log(WIDTHS)
        return np.array([-free, ends[0], -free, -free, widths[0]]), np.array([free, ends[1], free, free, widths[1]])

    def moved(self, theta: Points, sx: float, sy: float) -> Points:
        return theta + np.array([sy, sx, 0, 0, 0])


KINDS: dict[Kind, Pure] = {"pure": Pure(), "floor": Floor(), "broken": Broken()}
"""From the simplest to the most flexible."""


class Solution(NamedTuple):
    """theta, the standard error of each of its entries (NaN at a bound), standardised residuals, which are at a bound.

    bic: misfit + parameters * log points, where the misfit is that of the loss: with plain squares a single outlier
    would choose the kind (measured: the floor was then found in 5 of 25 data sets, in 24 with the robust loss).
    """

    theta: Points
    errors: Points
    residuals: Points
    bound: Points
    bic: float


def solve(kind: Kind, x: Points, y: Points, scale: Points, loss: str, start: Points | None = None) -> Solution:
    """Fit a kind of law; inside, the geometric mean of x and the smallest y are 1.

    scale: relative standard error of y. start: theta in the units of the data, for refits.
    """
    law, sx, sy = KINDS[kind], float(np.log(x).mean()), float(np.log(y).min())
    lx, ly = np.log(x) - sx, np.log(y) - sy
    low, high = law.bounds(lx)
    inset = NEAR * np.where(np.isfinite(high - low), high - low, 1.0)
    starts = law.starts(lx, ly, scale) if start is None else [law.moved(start, -sx, -sy)]
    results = [
        optimize.least_squares(
            lambda theta: (law.log_model(theta, lx) - ly) / scale,
            np.clip(theta, low + inset, high - inset),
            lambda theta: law.derivatives(theta, lx) / scale[:, None],
            bounds=(low, high), loss=loss, xtol=1e-10, ftol=1e-10, gtol=1e-10, max_nfev=PATIENCE,
        )
        for theta in starts
    ]  # fmt: skip
    best = min(results, key=lambda result: result.cost)
    theta = np.where(best.x <= low + NEAR, low, np.where(best.x >= high - NEAR, high, best.x))
    bound, residuals = (theta == low) | (theta == high), (law.log_model(theta, lx) - ly) / scale
    theta = law.moved(theta, sx, sy)
    jacobian = law.derivatives(theta, np.log(x)) / scale[:, None]
    bic = 2 * float(best.cost) + len(theta) * float(np.log(len(x)))
    return Solution(theta, _errors(jacobian, residuals, bound), residuals, bound, bic)


def _errors(jacobian: Points, residuals: Points, bound: Points) -> Points:
    """Square roots of the diagonal of (J^T J)^-1 inside the bounds, widened where residuals exceed their scale."""
    free = jacobian[:, ~bound]
    units = np.sqrt((free**2).sum(0))
    units = np.where(units > 0, units, 1.0)
    spare = max(len(residuals) - jacobian.shape[1], 1)
    errors = np.full(len(bound), np.nan)
    errors[~bound] = np.sqrt((np.linalg.pinv(free / units) ** 2).sum(1)) / units
    return errors * np.sqrt(max(1.0, (residuals**2).sum() / spare))
