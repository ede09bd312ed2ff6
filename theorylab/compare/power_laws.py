"""Fits of power laws to measured curves: pure, with a floor, or broken; robust, weighted, with bootstrap intervals.

Fits run in log space, on relative errors, in units of the data, so that a change of units changes the fit by that
change and nothing else.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from theorylab.compare._power_law_kinds import KINDS, Kind, Solution, solve

__all__ = ["PowerLawFit", "bootstrap_interval", "compare_exponent", "fit_power_law", "local_log_slopes"]

SHORTEST = 0.5  # decades of x
SLACK, SLACK_ESTIMATED = 2.0, 6.0  # BIC units within which the simpler kind is preferred
SIGNIFICANT = 3.29  # normal score of a two-sided p-value of 1e-3


@dataclass(frozen=True, kw_only=True)
class PowerLawFit:
    """A fitted law; calling it evaluates it, printing it shows kind, parameters and intervals.

        pure    y = A x^-a
        floor   y = A x^-a + C ,   C >= 0
        broken  log y = log A - a1 z - (a2 - a1) s log(1 + e^(z/s)) ,   z = log(x/x0)

    Parameters that the kind lacks are None. se, ci: standard error and interval of each parameter; the standard error
    of one at a bound is NaN. chi2: sum of squared standardised residuals, whatever the loss. bic: loss + parameters *
    log points, for every kind that was tried. at_bound: parameters at a bound. residual_bootstrap: whether ci comes
    from resampled residuals of one curve. window: smallest and largest x. rel_se, loss, seed: what a refit needs;
    estimated: rel_se was read off the residuals.
    """

    kind: Kind
    A: float
    a: float | None = None
    C: float | None = None
    x0: float | None = None
    a1: float | None = None
    a2: float | None = None
    s: float | None = None
    se: Mapping[str, float]
    ci: Mapping[str, tuple[float, float]]
    chi2: float
    bic: Mapping[Kind, float]
    at_bound: tuple[str, ...]
    residual_bootstrap: bool
    window: tuple[float, float]
    rel_se: np.ndarray
    estimated: bool
    loss: str
    seed: int

    @property
    def parameters(self) -> dict[str, float]:
        return {name: getattr(self, name) for name in KINDS[self.kind].names}

    def __call__(self, x: Any) -> np.ndarray:
        law = KINDS[self.kind]
        return np.exp(law.log_model(law.theta(self.parameters), np.log(np.asarray(x, float))))

    def __str__(self) -> str:
        return f"{self.kind}: " + ", ".join(
            f"{name} = {value:.4g} [{self.ci[name][0]:.4g}, {self.ci[name][1]:.4g}]"
            for name, value in self.parameters.items()
        )


def fit_power_law(
    x: Any,
    y: Any,
    rel_se: Any = None,
    kind: str = "auto",
    loss: str = "soft_l1",
    n_boot: int = 200,
    seed: int = 0,
) -> PowerLawFit:
    """Fit y = A x^-a, y = A x^-a + C, or a power law with a bend, to positive data.

    An exponential approach to a floor is none of the three: fits to such a curve give a wrong exponent. Points of one
    learning curve share their draws, which makes `se` too small: resample whole curves with bootstrap_interval.
    A curve that rises to 1 is fitted as 1 - y: its ceiling is 1 - C.

    rel_se: relative standard error of y, a number or one for each point; None reads it off the residuals.
    kind: "pure", "floor", "broken", or "auto", the smallest BIC among those that the number of points allows, where the
    simpler one is preferred within 2 units (6 when rel_se is None).
    loss: "soft_l1", robust against single outliers, or "linear", least squares.
    n_boot: refits to resampled residuals behind `ci`; 0 gives 1.96 standard errors. seed: of the resampling.
    Raises ValueError for x or y that are not positive and finite, for less than half a decade of x, and for fewer than
    3 (pure), 5 (floor), 8 (broken) points.
    """
    x, y, kinds = _checked(x, y, kind)
    _check(loss in ("soft_l1", "linear"), "loss", loss, "soft_l1 or linear")
    _check(n_boot >= 0, "n_boot", n_boot, "n_boot >= 0")
    estimated = rel_se is None
    scale = np.ones_like(x) if estimated else np.asarray(rel_se, float)
    ok = scale.shape in ((), x.shape) and np.all((scale > 0) & np.isfinite(scale))
    _check(ok, "rel_se", rel_se, "positive and finite, a number or one per point")
    scale = np.broadcast_to(scale, x.shape)
    if estimated:
        scale = np.full_like(x, _spread(solve(kinds[-1], x, y, scale, loss)))
    solutions = {name: solve(name, x, y, scale, loss) for name in kinds}
    best = min(solution.bic for solution in solutions.values())
    slack = SLACK_ESTIMATED if estimated else SLACK
    chosen = next(name for name, solution in solutions.items() if solution.bic <= best + slack)
    law, solution = KINDS[chosen], solutions[chosen]
    parameters = law.parameters(solution.theta)
    units = [value if i in law.logs else 1.0 for i, value in enumerate(parameters.values())]
    se = {name: float(unit * error) for name, unit, error in zip(parameters, units, solution.errors)}
    fit = PowerLawFit(
        kind=chosen,
        **parameters,
        se=se,
        ci={name: (value - 1.96 * se[name], value + 1.96 * se[name]) for name, value in parameters.items()},
        chi2=float((solution.residuals**2).sum()),
        bic={name: tried.bic for name, tried in solutions.items()},
        at_bound=tuple(name for name, bound in zip(parameters, solution.bound) if bound),
        residual_bootstrap=False,
        window=(float(x.min()), float(x.max())),
        rel_se=scale,
        estimated=estimated,
        loss=loss,
        seed=seed,
    )
    return _with_residual_bootstrap(fit, x, y, n_boot, 0.95) if n_boot else fit


def local_log_slopes(x: Any, y: Any) -> np.ndarray:
    """Centred differences of log y against log x at every point (one-sided at the ends): what a fitted exponent hides.

    x: positive and increasing. Raises ValueError otherwise, and for fewer than two points.
    """
    x, y = np.asarray(x, float), np.asarray(y, float)
    _check_points(x, y, 2)
    _check(bool(np.all(np.diff(x) > 0)), "x", x, "increasing")
    return np.gradient(np.log(y), np.log(x))


def bootstrap_interval(
    fit: PowerLawFit, x: Any, Y: Any, n_boot: int, level: float = 0.95, nested: bool = False
) -> PowerLawFit:
    """The fit with intervals `ci` from refits to resampled replicates.

    Y: replicates [R, points]. With R > 1 the replicates are resampled independently at each x, or as whole curves if
    they are `nested` in x, and the fit's kind is fitted to their mean. With R = 1 the residuals are resampled, and
    `residual_bootstrap` is set. n_boot: number of refits. level: coverage. The generator has the fit's seed.
    Raises ValueError when Y does not belong to x.
    """
    x, Y = np.asarray(x, float), np.atleast_2d(np.asarray(Y, float))
    _check(Y.ndim == 2 and Y.shape[1:] == x.shape, "Y", f"array of shape {Y.shape}", f"shape (R, {x.size})")
    _check(x.shape == fit.rel_se.shape, "x", f"{x.size} points", f"the {fit.rel_se.size} points of the fit")
    _check(n_boot >= 1, "n_boot", n_boot, "n_boot >= 1")
    _check(0 < level < 1, "level", level, "0 < level < 1")
    _check_points(x, Y.mean(0), KINDS[fit.kind].fewest)
    if len(Y) == 1:
        return _with_residual_bootstrap(fit, x, Y[0], n_boot, level)
    picks = np.random.default_rng(fit.seed).integers(len(Y), size=(n_boot, len(Y), 1 if nested else x.size))
    curves = np.take_along_axis(Y[None], np.broadcast_to(picks, (n_boot, *Y.shape)), axis=1).mean(1)
    return replace(fit, ci=_percentiles(fit, x, curves, level), residual_bootstrap=False)


def compare_exponent(fit: PowerLawFit, predicted: float) -> dict[str, Any]:
    """A fitted exponent (a; for a broken law a2) against a predicted one, ready for a legend or JSON.

    Returns measured, ci, predicted, z = (measured - predicted) / se, and a verdict: "holds" when the prediction lies in
    the interval, "fails" when it does not and |z| > 3.29, "unresolved" otherwise, and without a standard error.
    """
    name = "a2" if fit.kind == "broken" else "a"
    measured, (low, high), se = fit.parameters[name], fit.ci[name], fit.se[name]
    z = (measured - predicted) / se if se > 0 else math.nan
    inside = low <= predicted <= high
    verdict = "holds" if inside and not math.isnan(z) else "fails" if abs(z) > SIGNIFICANT else "unresolved"
    return {"measured": measured, "ci": (low, high), "predicted": float(predicted), "z": z, "verdict": verdict}


def _spread(solution: Solution) -> float:
    """Common relative standard error that the residuals of a fit with rel_se = 1 show."""
    points = len(solution.residuals)
    lost = math.sqrt(points / (points - len(solution.theta)))
    return max(1e-12, 1.4826 * float(np.median(np.abs(solution.residuals))) * lost)


def _with_residual_bootstrap(fit: PowerLawFit, x: np.ndarray, y: np.ndarray, n_boot: int, level: float) -> PowerLawFit:
    """Intervals from refits to the fitted curve times resampled residuals, widened for the parameters they lost."""
    fitted, rng = fit(x), np.random.default_rng(fit.seed)
    residuals = np.log(y / fitted) / fit.rel_se
    residuals = (residuals - residuals.mean()) * math.sqrt(len(x) / (len(x) - len(fit.parameters)))
    curves = fitted * np.exp(fit.rel_se * rng.choice(residuals, (n_boot, len(x))))
    return replace(fit, ci=_percentiles(fit, x, curves, level), residual_bootstrap=True)


def _percentiles(fit: PowerLawFit, x: np.ndarray, curves: np.ndarray, level: float) -> dict[str, tuple[float, float]]:
    law = KINDS[fit.kind]
    start = law.theta(fit.parameters)
    refits = [law.parameters(solve(fit.kind, x, curve, fit.rel_se, fit.loss, start).theta) for curve in curves]
    ends = (1 - level) / 2, (1 + level) / 2
    found = {name: np.quantile([refit[name] for refit in refits], ends) for name in fit.parameters}
    return {name: (float(low), float(high)) for name, (low, high) in found.items()}


def _checked(x: Any, y: Any, kind: str) -> tuple[np.ndarray, np.ndarray, tuple[Kind, ...]]:
    x, y = np.asarray(x, float), np.asarray(y, float)
    _check(kind == "auto" or kind in KINDS, "kind", kind, "auto, pure, floor or broken")
    kinds = tuple(n for n, law in KINDS.items() if kind == n or (kind == "auto" and x.size >= law.fewest))
    _check_points(x, y, KINDS[kinds[0] if kinds else "pure"].fewest)
    decades = math.log10(x.max() / x.min())
    _check(decades >= SHORTEST, "x", f"{decades:.2g} decades", "half a decade or more")
    return x, y, kinds


def _check_points(x: np.ndarray, y: np.ndarray, fewest: int) -> None:
    _check(x.ndim == 1 and x.shape == y.shape, "y", f"array of shape {y.shape}", f"one number per x, shape {x.shape}")
    _check(x.size >= fewest, "x", f"{x.size} points", f"at least {fewest} points")
    for name, values in (("x", x), ("y", y)):
        _check(bool(np.all((values > 0) & np.isfinite(values))), name, values, "positive and finite")


def _check(ok: Any, name: str, value: Any, allowed: str) -> None:
    if not ok:
        text = " ".join(str(value).split())
        raise ValueError(f"{name} = {text if len(text) <= 60 else text[:57] + '...'} is outside its domain: {allowed}")
