"""The judge: claims against results. Every kind of claim ends in the same tests and the same three verdicts."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
import xarray
from scipy import special

from theorylab.compare.fits import ROUNDING, intercepts, slopes
from theorylab.compare.moments import Estimate, Evidence, Moments, coordinates, evaluate, gather, select, stream
from theorylab.errors import UsageError

if TYPE_CHECKING:
    from theorylab.compare.claims import Claim
    from theorylab.sweep.result import Result

__all__ = ["Verdict", "chi_square_p", "family_p", "holm_p", "judge"]

FAIL = 1e-3  # false alarms per claim
CONFIDENCE = 0.95
FEWEST = 8  # replicates below which nothing is said
SKEWED = 2.0  # skewness (that of an exponential law) from which a mean converges slowly
CARRIED = 0.1  # skewness of the mean itself from which that shows in a t interval


Word = Literal["holds", "fails", "unresolved"]


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What a run says about a claim.

    estimate, interval (95%), margin: of one and the same point or cell, the one that uses most of what it is allowed;
        `at` are its coordinates. Relative deviations; absolute ones for slopes; the contrast itself for an order.
    p: of the whole claim. replicates: of the point that has fewest. need: replicates that would settle it.
    max_z: largest normal score against the claim. max_deviation, median_deviation: over all points.
    """

    says: str
    kind: str
    verdict: Word
    estimate: float | None = None
    interval: tuple[float, float] | None = None
    margin: float | None = None
    at: Mapping[str, Any] | None = None
    p: float | None = None
    replicates: int | None = None
    need: int | None = None
    max_z: float | None = None
    max_deviation: float | None = None
    median_deviation: float | None = None
    note: str = ""


class Finding(NamedTuple):
    """What is to be zero (two-sided, with pooled cells) or not positive (one-sided, points only).

    flaw: why nothing may be concluded from it.
    """

    points: Estimate
    cells: Estimate | None = None
    note: str = ""
    flaw: str = ""


def judge(claim: Claim, results: Mapping[str, Result]) -> Verdict:
    """The verdict on a claim. Raises UsageError, naming the claim, when it does not fit the results."""
    try:
        parts = select([_named(results, name) for name in claim.sweeps], claim.where)
        return _judge_identity(claim, parts) if claim.kind == "identity" else _judge_means(claim, parts)
    except ValueError as error:
        raise UsageError(f"claim {claim.says!r}: {error}") from error


def _named(results: Mapping[str, Result], name: str) -> Result:
    if name not in results:
        raise ValueError(f"there is no sweep {name!r}, only {', '.join(results)}")
    return results[name]


# ---------------------------------------------------------------------------------------------------- kinds of claims


def _judge_means(claim: Claim, parts: list[Result]) -> Verdict:
    if (have := _stored(parts)) < FEWEST:
        return _too_few(claim, have)
    evidence = gather(claim, parts, theory=claim.kind != "order")
    replicates = int(evidence.count.min())
    if replicates < FEWEST:
        return _too_few(claim, replicates)
    if flaw := _theory_flaw(evidence):
        return _unresolved(claim, flaw, replicates)
    points, cells, bad = stream(evidence, _deviation(evidence.theory))
    if bad:
        return _unresolved(claim, f"{bad} samples are not finite", replicates)
    finding = _KINDS[claim.kind](claim, evidence, points, cells)
    return _rule(claim, evidence, finding, replicates)


def _deviation(theory: np.ndarray | None) -> Callable[[np.ndarray], np.ndarray]:
    return lambda samples: samples if theory is None else (samples - theory) / np.abs(theory)


def _theory_flaw(evidence: Evidence) -> str:
    if evidence.theory is None:
        return ""
    for flawed, what in (
        (~np.isfinite(evidence.theory), "the theory is not finite (not converged)"),
        (evidence.theory == 0, "the theory is zero, which leaves no relative deviation,"),
    ):
        if flawed.any():
            lead, cell, point = np.argwhere(flawed)[0]
            return f"{what} at {flawed.sum()} points, the first {_place(evidence.at(cell, point, lead))}"
    return ""


def _exact(claim: Claim, evidence: Evidence, points: Moments, cells: Moments) -> Finding:
    return Finding(_only(points.estimate()), _only(cells.estimate()))


def _asymptotic(claim: Claim, evidence: Evidence, points: Moments, cells: Moments) -> Finding:
    sizes = evidence.along(claim.size)
    limits, _ = intercepts(sizes, claim.order, points.estimate())
    pooled, fit = intercepts(sizes, claim.order, cells.estimate())
    p = fit.min() * fit.size
    where = _place(evidence.at(int(fit.argmin())))
    law = f"a + b/{claim.size}" + ("" if claim.order == 1 else f"^{claim.order:g}")
    flaw = f"the sizes do not follow {law} (p = {p:.1g}{' at ' if where else ''}{where})" if p < FAIL else ""
    return Finding(limits, pooled, f"limit of {claim.size} = {_list(sizes)}", flaw)


def _exponent(claim: Claim, evidence: Evidence, points: Moments, cells: Moments) -> Finding:
    found = slopes(evidence, evidence.along(claim.axis), points)
    note = f"slopes in {claim.axis}: measured {_span(found.measured)}, formula {_span(found.formula)}"
    return Finding(found.points, found.cells, note)


def _bound(claim: Claim, evidence: Evidence, points: Moments, cells: Moments) -> Finding:
    estimate = _only(points.estimate())
    return Finding(estimate if claim.upper else _negative(estimate))


def _order(claim: Claim, evidence: Evidence, points: Moments, cells: Moments) -> Finding:
    return Finding(_negative(_only(points.estimate())))


_KINDS = {"exact": _exact, "asymptotic": _asymptotic, "exponent": _exponent, "bound": _bound, "order": _order}


def _only(estimate: Estimate) -> Estimate:
    return Estimate(*(array[0] for array in estimate))


def _negative(estimate: Estimate) -> Estimate:
    return estimate._replace(value=-estimate.value, skew=-estimate.skew)


# ---------------------------------------------------------------------------------------------------- one statistics


class _Test(NamedTuple):
    """Estimates against what they are allowed: p-values (plain, and with the skewness taken out) and intervals."""

    what: str
    estimate: Estimate
    allowed: float
    two_sided: bool
    t: np.ndarray
    p: np.ndarray
    p_unskewed: np.ndarray

    @classmethod
    def of(cls, what: str, estimate: Estimate, allowed: float, error: float, two_sided: bool) -> _Test:
        excess = np.maximum(np.abs(estimate.value) - error, 0.0) if two_sided else estimate.value - error
        t = np.where(excess == 0, 0.0, np.copysign(np.inf, excess))
        np.divide(excess, estimate.sem, out=t, where=estimate.sem > 0)
        signed = np.copysign(t, estimate.value) if two_sided else t
        p, p_unskewed = (_tail(each, estimate.df, two_sided) for each in (signed, unskewed(signed, estimate.skew)))
        return cls(what, estimate, allowed, two_sided, t, p, p_unskewed)

    @property
    def half(self) -> np.ndarray:
        """Half of the 95% interval."""
        return special.stdtrit(self.estimate.df, (1 + CONFIDENCE) / 2) * self.estimate.sem

    @property
    def gap(self) -> np.ndarray:
        return np.abs(self.estimate.value) if self.two_sided else self.estimate.value

    def strain(self) -> np.ndarray:
        """How much of what is allowed an interval uses; where nothing is allowed, its t."""
        return (self.gap + self.half) / self.allowed if self.allowed > 0 else self.t

    def max_z(self) -> float:
        scores = -special.ndtri(self.p / 2 if self.two_sided else self.p)
        return float(np.where(np.isfinite(scores), scores, self.t).max())  # t where p is beyond floating point

    def need(self) -> float:
        """Replicates that would settle it either way: intervals, and noise in the estimates, shrink by their root.

        Where nothing is allowed and an estimate is on the wrong side, only its significance settles anything.
        """
        have, half = self.estimate.df + 1, self.half
        if self.allowed == 0 and (self.gap >= 0).any():
            crossed = self.t > 0
            t = special.stdtrit(self.estimate.df, 1 - FAIL / 2 / self.p.size) / np.where(crossed, self.t, 1.0)
            return float(np.min(have * t**2, where=crossed, initial=np.inf))
        reach = (np.maximum(self.gap, 0.0) + half) / (self.allowed - np.minimum(self.gap, 0.0))
        return float((have * reach**2).max())

    def shortfall(self) -> list[str]:
        """Which intervals do not lie within what is allowed, and why."""
        outside = self.gap >= self.allowed
        counts = int(outside.sum()), int(((self.gap + self.half >= self.allowed) & ~outside).sum())
        reasons = ("themselves lie outside the margin", "have intervals too wide for the margin")
        if self.allowed == 0:
            reasons = ("themselves are not on the right side", "are on the right side, but not beyond their intervals")
        return [f"{n} of {self.p.size} {self.what} {why}" for n, why in zip(counts, reasons) if n]


def unskewed(t: np.ndarray, skew: np.ndarray) -> np.ndarray:
    """Hall's cubic transformation of Student's t, which takes the skewness of the mean out of it.

    Source: P. Hall, On the removal of skewness by transformation, J. R. Stat. Soc. B 54 (1992).
    """
    finite = np.where(np.isfinite(t), t, 0.0)
    return np.where(np.isfinite(t), finite + skew * finite**2 / 3 + skew**2 * finite**3 / 27 + skew / 6, t)


def _tail(t: np.ndarray, df: np.ndarray, two_sided: bool) -> np.ndarray:
    return 2 * special.stdtr(df, -np.abs(t)) if two_sided else special.stdtr(df, -t)


def holm_p(p: np.ndarray) -> float:
    """Smallest p-value, adjusted for their number: valid however the points depend on each other."""
    return min(1.0, float(p.min()) * p.size)


def chi_square_p(p: np.ndarray) -> float:
    """p-value of the sum of squared normal scores of the two-sided p-values of independent cells."""
    return float(special.chdtrc(p.size, (special.ndtri(p / 2) ** 2).sum()))


def family_p(points: np.ndarray, *cells: np.ndarray) -> float:
    """p-value of a whole claim, from those of all points and, where it pools, those of independent cells."""
    return min(1.0, 2 * min(holm_p(points), *map(chi_square_p, cells), 1.0))


def _rule(claim: Claim, evidence: Evidence, finding: Finding, replicates: int) -> Verdict:
    """The shared end of all kinds: tests, verdict, and the point or cell that uses most of what it is allowed."""
    two_sided = finding.cells is not None
    error = claim.error if claim.kind == "order" else claim.error + ROUNDING
    tests = [_Test.of("points", finding.points, claim.pointwise, error, two_sided)]
    if finding.cells is not None:
        tests.append(_Test.of("pooled cells", finding.cells, claim.margin, error, two_sided))
    # skewed replicates make Student's t reject too often: what fails must do so with the skewness taken out, too
    p = max(family_p(*(test.p for test in tests)), family_p(*(test.p_unskewed for test in tests)))
    short = [reason for test in tests for reason in test.shortfall()]
    verdict: Word = "unresolved" if finding.flaw or (short and p >= FAIL) else "fails" if p < FAIL else "holds"
    test = max(tests, key=lambda each: each.strain().max())
    index = np.unravel_index(test.strain().argmax(), test.p.shape)
    value, half = float(test.estimate.value[index]), float(test.half[index])
    value = -value if claim.kind == "order" else value
    need = max(test.need() for test in tests) if verdict == "unresolved" and not finding.flaw else math.inf
    notes = [finding.flaw, finding.note, _skewness(evidence, finding.points)]
    notes += [_significant(tests[0])] if verdict == "fails" else short
    return Verdict(
        says=claim.says,
        kind=claim.kind,
        verdict=verdict,
        estimate=value,
        interval=(value - half, value + half),
        margin=test.allowed,
        at=evidence.at(*map(int, index)),
        p=p,
        replicates=replicates,
        need=max(math.ceil(need), replicates + 1) if math.isfinite(need) else None,
        max_z=tests[0].max_z(),
        max_deviation=None if claim.kind == "order" else float(tests[0].gap.max()),
        median_deviation=None if claim.kind == "order" else float(np.median(tests[0].gap)),
        note="; ".join(note for note in notes if note),
    )


def _significant(points: _Test) -> str:
    count = int((points.p * points.p.size * 2 < FAIL).sum())
    return f"{count} of {points.p.size} points significant" if count else "significant only when pooled"


def _skewness(evidence: Evidence, points: Estimate) -> str:
    skewness = points.skew * np.sqrt(points.df + 1)
    heavy = (np.abs(skewness) > SKEWED) & (np.abs(points.skew) > CARRIED)
    if not heavy.any():
        return ""
    index = np.unravel_index(np.where(heavy, np.abs(points.skew), 0.0).argmax(), heavy.shape)
    return f"heavily skewed: skewness {skewness[index]:.1f} at {_place(evidence.at(*map(int, index)))}"


# ---------------------------------------------------------------------------------------------- identities, and words


def _judge_identity(claim: Claim, parts: list[Result]) -> Verdict:
    def difference(*data: xarray.Dataset) -> xarray.DataArray:
        other = claim.equals
        equals = evaluate(other, data) if callable(other) or isinstance(other, str) else xarray.DataArray(other)
        return abs(evaluate(claim.of, data) - equals) / abs(equals).where(equals != 0, 1.0)

    if claim.on == "samples":
        return _identity_of_samples(claim, parts, difference)
    if any(part.theory is None for part in parts):
        raise ValueError("the sweep predicts nothing")
    off = evaluate(difference, [part.theory for part in parts if part.theory is not None])
    if (bad := ~np.isfinite(off.values)).any():
        return _unresolved(claim, f"the theory is not finite (not converged) at {_place(coordinates(off, bad))}")
    return _identical(claim, float(off.max()), coordinates(off, off.values == off.values.max()))


def _identity_of_samples(claim: Claim, parts: list[Result], difference: Callable[..., Any]) -> Verdict:
    if _stored(parts) == 0:
        return _unresolved(claim, "no replicates", 0)
    evidence = gather(replace(claim, of=difference), parts, theory=False)
    replicates, total, off = int(evidence.count.min()), 0, np.zeros(evidence.count.shape)
    for values, valid, bad in evidence.chunks():
        total += bad
        off = np.maximum(off, np.where(valid & np.isfinite(values), values, 0.0).max(0))
    if total or not replicates:
        return _unresolved(claim, f"{total} samples are not finite" if total else "no replicates", replicates)
    _, cell, point = np.unravel_index(off.argmax(), off.shape)
    return _identical(claim, float(off.max()), evidence.at(int(cell), int(point)), replicates)


def _identical(claim: Claim, off: float, at: dict[str, Any], replicates: int | None = None) -> Verdict:
    return Verdict(
        says=claim.says,
        kind=claim.kind,
        verdict="holds" if off <= claim.tolerance else "fails",
        estimate=off,
        interval=(off, off),
        margin=claim.tolerance,
        at=at,
        replicates=replicates,
        max_deviation=off,
    )


def _stored(parts: list[Result]) -> int:
    if any(part.samples is None for part in parts):
        raise ValueError("the sweep has no samples")
    return min(part.samples.sizes["replicate"] for part in parts if part.samples is not None)


def _too_few(claim: Claim, replicates: int) -> Verdict:
    return _unresolved(claim, f"fewer than {FEWEST} replicates in some cell", replicates, FEWEST)


def _unresolved(claim: Claim, note: str, replicates: int | None = None, need: int | None = None) -> Verdict:
    return Verdict(says=claim.says, kind=claim.kind, verdict="unresolved", replicates=replicates, need=need, note=note)


def _place(at: Mapping[str, Any]) -> str:
    return ", ".join(
        f"{name} = {value:.4g}" if isinstance(value, float) else f"{name} = {value}" for name, value in at.items()
    )


def _list(values: np.ndarray) -> str:
    return ", ".join(f"{value:g}" for value in np.sort(values))


def _span(values: np.ndarray) -> str:
    low, high = f"{values.min():.3f}", f"{values.max():.3f}"
    return low if low == high else f"{low} to {high}"
