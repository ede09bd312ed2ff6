"""Fits along an axis: the intercept of a large-size extrapolation, and log-log slopes, with their standard errors."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import special

from theorylab.compare.moments import Estimate, Evidence, Moments, stream

__all__ = ["Slopes", "intercepts", "slopes"]

ROUNDING = 1e-12  # relative; no mean of floating-point numbers is known better


class Slopes(NamedTuple):
    """Slope of the samples minus slope of the formula, at points and averaged over each cell; and both slopes."""

    points: Estimate
    cells: Estimate
    measured: np.ndarray
    formula: np.ndarray


def intercepts(sizes: np.ndarray, order: float, means: Estimate) -> tuple[Estimate, np.ndarray]:
    """Intercepts a of weighted fits mean = a + b / size^order along the first axis, and p-values of the fits.

    Weights 1/sem^2. Degrees of freedom are those of the worst size, which errs on the safe side; for the same reason
    the chi-square of the residuals is referred to an F distribution, the chi-square of estimated variances.
    Raises ValueError for fewer than three sizes, closer than a factor 1.5, or spanning less than a factor 4.
    """
    _check_sizes(sizes)
    x = ((sizes.min() / sizes) ** order).reshape(-1, *[1] * (means.value.ndim - 1))
    w = 1 / (means.sem**2 + ROUNDING**2)
    centre = (w * x).sum(0) / w.sum(0)
    scatter = (w * (x - centre) ** 2).sum(0)
    share = w / w.sum(0) - centre * w * (x - centre) / scatter  # of each size in the intercept
    value = (share * means.value).sum(0)
    slope = (w * (x - centre) * means.value).sum(0) / scatter
    sem = np.sqrt((share**2 / w).sum(0))
    df, spare = means.df.min(0), len(sizes) - 2
    misfit = (w * (means.value - value - slope * x) ** 2).sum(0)
    skew = (share**3 * means.skew * means.sem**3).sum(0) / sem**3
    return Estimate(value, sem, df, skew), special.fdtrc(spare, df, misfit / spare)


def slopes(evidence: Evidence, axis: np.ndarray, points: Moments) -> Slopes:
    """Least-squares slopes of log mean against log axis, relative to those of the formula over the same points.

    points: moments of the relative deviation. To second order a log mean lies below the log of the true mean by half
    the squared relative standard error, which is added back; the standard error comes from the influence of each
    replicate on the slope, so that it is right for cells that share draws and for cells that do not.
    """
    if len(np.unique(axis)) < 2 or axis.min() <= 0:
        raise ValueError(f"a slope needs two different positive points, not {axis}")
    theory = evidence.theory
    ratio = 1 + points.mean
    if theory is None or (theory <= 0).any() or (ratio <= 0).any():
        raise ValueError("a log-log slope needs positive theory and positive means")
    x = np.log(axis) - np.log(axis).mean()
    w = (x / (x**2).sum())[:, None, None]
    bias = points.variance / points.count / (2 * ratio**2)
    value = (w * (np.log(ratio) + bias)).sum(0)
    formula = (w * np.log(theory)).sum(0)

    def influence(samples: np.ndarray) -> np.ndarray:
        return (w * samples / (theory * ratio)).sum(1, keepdims=True)

    each, pooled, _ = stream(evidence, influence)
    spread, pooled_spread = each.estimate(), pooled.estimate()
    return Slopes(
        Estimate(value, spread.sem[0], spread.df[0], spread.skew[0]),
        Estimate(value.mean(-1), pooled_spread.sem[0], pooled_spread.df[0], pooled_spread.skew[0]),
        value + formula,
        formula,
    )


def _check_sizes(sizes: np.ndarray) -> None:
    ordered = np.sort(sizes)
    steps = ordered[1:] / ordered[:-1]
    if len(ordered) < 3 or ordered[0] <= 0 or steps.min() < 1.5 or ordered[-1] / ordered[0] < 4:
        raise ValueError(
            f"an extrapolation needs three sizes, each 1.5 times the one before, that span a factor 4; not {ordered}"
        )
