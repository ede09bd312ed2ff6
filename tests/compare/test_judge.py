"""The judge on made-up sweeps whose truth is known: verdicts, the numbers behind them, and what it must notice.

Seeds are fixed. With other seeds a true theory is found to fail with a chance of 1e-3 in each claim, by construction;
every other assertion has more than four standard errors of room (6e-5), unless a comment says otherwise.
"""

import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
import xarray
from scipy import optimize, stats

from theorylab.compare import moments
from theorylab.compare.claims import asymptotic, bound, exact, exponent, identity, order
from theorylab.compare.judge import chi_square_p, family_p, judge, unskewed
from theorylab.compare.moments import gather, stream
from theorylab.sweep.result import Result

D, RATIO, LAM = [32, 64, 128, 256], [0.5, 2.0], [0.01, 0.1, 1.0]


def frame(outer: dict, inner: dict, values: np.ndarray, theory, paired=(), count=None, name="risk") -> Result:
    """A result with one measurement; `theory` is an array over the last axes of (outer, inner), or None."""
    shape = [len(points) for points in outer.values()]
    coords = {**outer, **inner}
    counts = np.full(shape, values.shape[len(shape)]) if count is None else np.asarray(count)
    samples = xarray.Dataset(
        {"count": (tuple(outer), counts), name: ((*outer, "replicate", *inner), values)}, coords=coords
    )
    if theory is not None:
        dims = [*coords][len(coords) - np.ndim(theory) :]
        theory = xarray.Dataset({name: (dims, theory)}, coords={dim: coords[dim] for dim in dims})
    return Result(samples=samples, theory=theory, over=tuple(outer), paired=tuple(paired))


def risk(seed=0, R=400, shift=0.0, noise=0.2, size_effect=0.0, outer=None, paired=(), power=0.0) -> Result:
    """risk [d, ratio, replicate, lam], half of its variance shared by all lam; the theory depends on lam only."""
    rng = np.random.default_rng(seed)
    outer = outer or dict(d=D, ratio=RATIO)
    shape = [len(points) for points in outer.values()]
    z = (rng.standard_normal((*shape, R, 1)) + rng.standard_normal((*shape, R, 3))) / np.sqrt(2)
    first = np.array(next(iter(outer.values())), float).reshape(-1, *[1] * len(shape), 1)
    theory = np.array([1.0, 0.3, 0.5])
    values = theory * (1 + shift + size_effect / first + noise * z) * first**power
    return frame(outer, dict(lam=LAM), values, theory, paired)


def verdict(claim, **results):
    return judge(claim, results)


EXACT = exact("a", sweep="s", of="risk")


# ------------------------------------------------------------------------------- verdicts of each kind, truth known


def test_exact_holds_fails_and_stays_open():
    assert verdict(EXACT, s=risk(R=4000)).verdict == "holds"
    failed = verdict(EXACT, s=risk(R=4000, shift=0.02))  # 2% everywhere: pooled z of about 8 in each cell
    assert failed.verdict == "fails" and failed.p < 1e-12 and failed.need is None
    opened = verdict(EXACT, s=risk(R=40))  # half-width about 5%
    assert opened.verdict == "unresolved" and "too wide" in opened.note and opened.need > 40


def test_an_exact_formula_is_rejected_at_finite_size_where_the_asymptotic_claim_holds():
    result = risk(R=8000, size_effect=3.0, noise=0.1)  # 9% at d = 32
    assert verdict(EXACT, s=result).verdict == "fails"
    limit = verdict(asymptotic("a", sweep="s", of="risk"), s=result)
    assert limit.verdict == "holds" and set(limit.at) <= {"ratio", "lam"} and "32, 64, 128, 256" in limit.note
    assert verdict(asymptotic("a", sweep="s", of="risk"), s=risk(R=8000, shift=0.03, noise=0.1)).verdict == "fails"


def test_sizes_that_follow_another_law_leave_the_limit_open():
    rng = np.random.default_rng(3)
    effect = 20 / np.array(D, float) ** 1.5  # not b/d: 11% at d = 32, 0.5% at d = 256
    values = (1 + effect[:, None] + 0.02 * rng.standard_normal((4, 4000)))[..., None]
    result = frame(dict(d=D), dict(lam=[0.1]), values, np.ones(1))
    bent = verdict(asymptotic("a", sweep="s", of="risk"), s=result)
    assert bent.verdict == "unresolved" and "do not follow a + b/d (p = " in bent.note and bent.need is None
    assert verdict(asymptotic("a", sweep="s", of="risk", order=1.5), s=result).verdict == "holds"


@pytest.mark.parametrize("sizes", [[32, 64], [32, 64, 90], [32, 40, 128], [50, 60, 75, 90, 110]])
def test_sizes_too_few_or_too_close_are_an_error(sizes):
    with pytest.raises(ValueError, match="claim 'a': an extrapolation needs three sizes"):
        verdict(asymptotic("a", sweep="s", of="risk"), s=risk(R=20, outer=dict(d=sizes)))


def test_a_size_must_be_an_independent_outer_axis():
    with pytest.raises(ValueError, match="independent"):
        verdict(asymptotic("a", sweep="s", of="risk"), s=risk(R=20, paired=("d",)))
    with pytest.raises(ValueError, match="'lam' must run along an outer axis"):
        verdict(asymptotic("a", sweep="s", of="risk", size="lam"), s=risk(R=20))
    with pytest.raises(ValueError, match="'n' must be a coordinate"):
        verdict(asymptotic("a", sweep="s", of="risk", size="n"), s=risk(R=20))
    with pytest.raises(ValueError, match="'d' must be a coordinate of the selected points"):
        verdict(asymptotic("a", sweep="s", of="risk", where={"d": 32}), s=risk(R=20))


def test_exponent_is_that_of_the_formula_over_the_same_points():
    result = risk(R=2000, power=-0.64)
    theory = xarray.Dataset({"risk": result.theory.risk * xarray.DataArray(np.array(D, float) ** -0.64, dict(d=D))})
    slope = exponent("a", sweep="s", of="risk", axis="d")
    right = verdict(slope, s=replace(result, theory=theory))
    assert right.verdict == "holds" and "formula -0.640" in right.note and set(right.at) <= {"ratio", "lam"}
    theory["risk"] = theory.risk * xarray.DataArray(np.array(D, float) ** 0.04, dict(d=D))
    assert verdict(slope, s=replace(result, theory=theory)).verdict == "fails"


def test_bound_from_above_and_from_below():
    above, below = (bound("a", sweep="s", of="risk", upper=upper) for upper in (True, False))
    assert verdict(above, s=risk(shift=-0.1)).verdict == "holds"
    assert verdict(below, s=risk(shift=0.1)).verdict == "holds"
    crossed = verdict(above, s=risk(shift=0.1))
    assert crossed.verdict == "fails" and crossed.estimate > 0.05 and crossed.max_deviation > 0.05
    assert verdict(below, s=risk(shift=-0.1)).verdict == "fails"
    assert verdict(above, s=risk(R=16)).verdict == "unresolved"  # half-width 10% around the bound itself


def test_order_is_judged_without_theory_and_pairwise():
    result = replace(risk(), theory=None)
    falls = order("a", sweep="s", of=lambda data: data.risk.sel(lam=0.01) - data.risk.sel(lam=1.0))
    rises = order("a", sweep="s", of=lambda data: data.risk.sel(lam=1.0) - data.risk.sel(lam=0.01))
    held, failed = verdict(falls, s=result), verdict(rises, s=result)
    assert (held.verdict, failed.verdict) == ("holds", "fails")
    assert held.estimate == pytest.approx(0.5, abs=0.05) and held.interval[0] > 0 and held.margin == 0
    same = order("a", sweep="s", of=lambda data: data.risk.sel(lam=0.1) - 0.3)
    tied = verdict(same, s=result)
    assert tied.verdict == "unresolved"


def test_identity_on_theory_and_on_every_replicate():
    result = risk(R=12)
    near, far = (
        identity("a", sweep="s", of="risk", equals=lambda data, x=x: data.risk * x) for x in (1 + 1e-11, 1 + 1e-9)
    )
    assert verdict(near, s=result).verdict == "holds"
    off = verdict(far, s=result)
    assert off.verdict == "fails" and off.estimate == pytest.approx(1e-9, rel=1e-6) and off.replicates is None
    only_theory = replace(result, samples=None)
    number = identity("a", sweep="s", of=lambda data: data.risk.sum(), equals=1.8, digits=14)
    assert verdict(number, s=only_theory).verdict == "holds"
    near_zero = identity("a", sweep="s", of=lambda data: data.risk - data.risk + 1e-5, equals=0.0, tolerance=2e-5)
    assert verdict(near_zero, s=only_theory).verdict == "holds"  # absolute where the other side is zero
    result.samples.risk[2, 1, 7, 0] *= 1 + 1e-6
    copy = replace(result, samples=result.samples.assign(other=risk(R=12).samples.risk))
    strict = identity("a", sweep="s", of="risk", equals="other", on="samples")
    spoiled = verdict(strict, s=copy)
    assert spoiled.verdict == "fails" and spoiled.at == {"d": 128, "ratio": 2.0, "lam": 0.01}
    assert spoiled.estimate == pytest.approx(1e-6, rel=1e-6) and spoiled.replicates == 12
    assert verdict(replace(strict, tolerance=1e-5), s=copy).verdict == "holds"


# ---------------------------------------------------------------------------------- the numbers, computed otherwise


def test_the_numbers_of_an_exact_claim_against_scipy():
    result = risk(seed=5, R=50, shift=0.01)
    got = verdict(EXACT, s=result)
    deviation = (result.samples.risk.values / result.theory.risk.values - 1).transpose(2, 0, 1, 3)
    points = stats.ttest_1samp(deviation, 0).pvalue
    pooled = stats.ttest_1samp(deviation.mean(-1), 0).pvalue
    family = 2 * min(points.min() * points.size, stats.chi2.sf((stats.norm.isf(pooled / 2) ** 2).sum(), 8))
    assert got.p >= min(1.0, family) * (1 - 1e-12)  # the other candidate has the skewness taken out
    assert family_p(points, pooled) == pytest.approx(min(1.0, family), rel=1e-12)
    assert got.max_z == pytest.approx(stats.norm.isf(points.min() / 2), rel=1e-9)
    assert got.max_deviation == pytest.approx(np.abs(deviation.mean(0)).max(), rel=1e-12)
    assert got.median_deviation == pytest.approx(np.median(np.abs(deviation.mean(0))), rel=1e-12)
    # the worst is a pooled cell here: 8 cells against 2% use more of it than 24 points against 10%
    reach = np.abs(deviation.mean((0, 3))) + stats.t.ppf(0.975, 49) * stats.sem(deviation.mean(-1))
    i, j = np.unravel_index(reach.argmax(), reach.shape)
    assert got.at == {"d": D[i], "ratio": RATIO[j]} and got.margin == 0.02
    assert got.estimate == pytest.approx(deviation[:, i, j].mean(), rel=1e-9)
    expected = stats.t.interval(0.95, 49, got.estimate, stats.sem(deviation[:, i, j].mean(-1)))
    assert got.interval == pytest.approx(expected, rel=1e-9)


def test_the_worst_is_a_point_when_a_point_uses_most_of_its_allowance():
    result = risk(R=3000)
    result.samples.risk[1, 0, :, 2] *= 1.2
    got = verdict(exact("a", sweep="s", of="risk", margin=0.3), s=result)
    assert got.at == {"d": 64, "ratio": 0.5, "lam": 1.0} and got.margin == 0.10
    assert got.estimate == pytest.approx(0.2, abs=0.02) and got.interval[0] < got.estimate < got.interval[1]


def test_moments_are_those_of_scipy_however_the_replicates_are_sliced(monkeypatch):
    rng = np.random.default_rng(1)
    values = 1e3 + rng.exponential(size=(3, 200, 2))  # a large mean: naive sums of powers would lose digits
    count = [200, 31, 90]
    result = frame(dict(d=[1, 2, 3]), dict(lam=[0.1, 1.0]), values, np.ones(2), count=count)
    monkeypatch.setattr(moments, "CHUNK", 17)
    points, cells, bad = stream(gather(EXACT, [result]), lambda samples: samples)
    assert bad == 0 and points.count[0, :, 0].tolist() == cells.count[0].tolist() == count
    for cell, n in enumerate(count):
        x = values[cell, :n]
        np.testing.assert_allclose(points.mean[0, cell], x.mean(0), rtol=1e-14)
        np.testing.assert_allclose(points.variance[0, cell], x.var(0, ddof=1), rtol=1e-9)
        np.testing.assert_allclose(points.skewness[0, cell], stats.skew(x, 0, bias=False), rtol=1e-7)
        np.testing.assert_allclose(cells.skewness[0, cell], stats.skew(x.mean(1), bias=False), rtol=1e-7)


def test_the_intercept_is_that_of_scipy():
    result = risk(seed=2, R=300, size_effect=2.0, outer=dict(d=D))
    got = verdict(asymptotic("a", sweep="s", of="risk"), s=result)
    pooled = (result.samples.risk.values / result.theory.risk.values - 1).mean(-1)  # [d, replicate]
    (a, _), covariance = optimize.curve_fit(
        lambda d, a, b: a + b / d, np.array(D), pooled.mean(1), sigma=stats.sem(pooled, 1), absolute_sigma=True
    )
    half = stats.t.ppf(0.975, 299) * covariance[0, 0] ** 0.5
    assert got.margin == 0.02 and got.at == {}
    assert (got.estimate, *got.interval) == pytest.approx((a, a - half, a + half), rel=1e-5)


@pytest.mark.parametrize("paired", [(), ("d",)])
def test_the_slope_is_that_of_polyfit_and_its_error_that_of_the_jackknife(paired):
    result = risk(seed=4, R=200, power=-0.5, outer=dict(d=D), paired=paired)
    if paired:  # cells along d share most of their noise, so that the slope is sharper than the points
        shared = 0.3 * np.random.default_rng(9).standard_normal((1, 200, 1))
        result = replace(result, samples=result.samples.assign(risk=result.samples.risk * (1 + shared)))
    got = verdict(exponent("a", sweep="s", of="risk", axis="d", margin=1e-4, pointwise=10.0), s=result)
    x, values = np.log(D), result.samples.risk.values  # [d, replicate, lam]

    def pooled_slope(keep):
        mean = values[:, keep].mean(1)
        bias = values[:, keep].var(1, ddof=1) / mean**2 / 2 / keep.sum()
        return np.polyfit(x, np.log(mean) + bias, 1)[0].mean()

    everyone = np.ones(200, bool)
    left_out = [pooled_slope(np.arange(200) != r) for r in range(200)]
    jackknife = np.sqrt(199**2 / 200) * np.std(left_out, ddof=1)
    assert got.margin == 1e-4 and got.estimate == pytest.approx(pooled_slope(everyone), abs=1e-10)
    half = (got.interval[1] - got.interval[0]) / 2
    assert half == pytest.approx(stats.t.ppf(0.975, 199) * jackknife, rel=0.01)  # they differ at order 1/R


def test_the_bias_of_the_logarithm_is_taken_out():
    """The log of a mean of 8 exponentials is digamma(8) - log 8 = -0.064 on average, although the mean is 1."""
    values = np.random.default_rng(11).exponential(size=(2, 8, 4000))
    values[0] = 1.0
    result = frame(dict(T=[1.0, np.e]), dict(lam=np.arange(4000.0)), values, np.ones(4000))
    got = verdict(exponent("a", sweep="s", of="risk", margin=1e-6, pointwise=1e6), s=result)
    # second order leaves -0.008 (2e6 draws); the standard error of this mean is 0.0058, four of them have chance 6e-5
    assert got.at == {} and abs(got.estimate + 0.008) < 4 * 0.0058


def test_halls_transformation_takes_the_skewness_out_of_t():
    """Exponential replicates, R = 30: the nominal 0.5% lower tail of Student's t holds 2.7% of them, corrected 0.9%."""
    x = np.random.default_rng(0).exponential(size=(30, 40_000))
    t = (x.mean(0) - 1) / stats.sem(x)
    skew = stats.skew(x, 0, bias=False) / np.sqrt(30)
    edge = stats.t.ppf(0.005, 29)
    plain, corrected = (t < edge).mean(), (unskewed(t, skew) < edge).mean()
    # standard errors 4e-4 to 8e-4
    assert plain > 0.02 and corrected < 0.012
    assert unskewed(np.array([np.inf, -np.inf, 0.0]), np.array([1.0, -1.0, 0.0])).tolist() == [np.inf, -np.inf, 0.0]


# ------------------------------------------------------------------------------------ what the tests may rely on


def test_fewer_than_eight_replicates_say_nothing():
    for R in (0, 1, 7):
        few = verdict(EXACT, s=risk(R=R, shift=1.0))
        assert few.verdict == "unresolved" and few.need == 8 and few.replicates == R and "fewer than 8" in few.note
    assert verdict(EXACT, s=risk(R=8, shift=1.0)).verdict == "fails"
    ragged = risk(R=40)
    ragged.samples["count"][2, 1] = 7
    assert verdict(EXACT, s=ragged).need == 8


def test_ragged_counts_leave_out_exactly_what_does_not_exist():
    full, ragged = risk(R=1200), risk(R=1200)
    ragged.samples["count"][0, 0] = 100
    ragged.samples.risk[0, 0, 100:] = np.nan
    cut = verdict(exact("a", sweep="s", of="risk", where={"d": 32, "ratio": 0.5}), s=ragged)
    alone = replace(full, samples=full.samples.isel(replicate=slice(100)).assign(count=full.samples["count"] * 0 + 100))
    assert cut == verdict(exact("a", sweep="s", of="risk", where={"d": 32, "ratio": 0.5}), s=alone)
    whole = verdict(EXACT, s=ragged)
    assert whole.replicates == 100 and whole.at == {"d": 32, "ratio": 0.5} and whole.p > 1e-3
    everyone = replace(ragged, samples=ragged.samples.fillna(1e6))  # what lies beyond the count is never read
    assert verdict(EXACT, s=everyone) == whole


@pytest.mark.parametrize("paired", [(), ("ratio",)])
def test_a_contrast_has_as_many_replicates_as_its_smaller_cell(paired):
    result = risk(R=200, paired=paired)
    result.samples["count"][:, 1] = 50
    result.samples.risk[:, 1, 50:] = np.nan
    for of in (
        lambda data: data.risk.sel(ratio=0.5) / data.risk.sel(ratio=2.0),
        lambda data: data.risk / data.risk.sel(ratio=2.0),  # keeps the axis
        lambda data: 1 + data.risk.diff("ratio"),  # shortens it
        lambda data: data.risk.mean("ratio"),  # skips what is NaN
    ):
        got = verdict(order("a", sweep="s", of=of), s=result)
        assert got.replicates == 50 and got.verdict == "holds" and "finite" not in got.note


def test_a_contrast_over_a_paired_axis_is_judged_pairwise():
    rng = np.random.default_rng(0)
    shared, own = rng.standard_normal((1, 100, 1)), rng.standard_normal((2, 100, 1))
    values = 1 + np.array([0.0, 0.05])[:, None, None] + 0.3 * shared + 0.05 * own
    result = frame(dict(eps=[0.0, 0.1]), dict(lam=[0.1]), values, None, paired=("eps",))
    contrast = order("a", sweep="s", of=lambda data: data.risk.sel(eps=0.1) - data.risk.sel(eps=0.0))
    got = verdict(contrast, s=result)  # unpaired, the half-width would be 0.085
    assert got.verdict == "holds" and got.interval[1] - got.interval[0] < 0.04


def test_paired_cells_are_pooled_and_others_are_not():
    apart, paired = gather(EXACT, [risk(R=20)]), gather(EXACT, [risk(R=20, paired=("ratio",))])
    assert apart.cells == ("d", "ratio") and apart.points == ("lam",)
    assert paired.cells == ("d",) and paired.points == ("ratio", "lam")


@pytest.mark.parametrize("of, cells", [
    (lambda data: np.log(data.risk), ("d", "ratio")),
    (lambda data: data.risk / data.risk.sel(d=32), ("ratio",)),
    (lambda data: data.risk / data.risk.sel(d=128), ("ratio",)),
    (lambda data: data.risk / data.risk.isel(d=[1, 2, 3, 0]).values, ("ratio",)),
    (lambda data: data.risk / data.risk.mean("d"), ("ratio",)),
    (lambda data: data.risk.diff("d"), ("ratio",)),
    (lambda data: data.risk.sel(d=[32, 128]), ("ratio",)),  # which cells it draws on is not known: safe, less sharp
    (lambda data: data.risk.cumsum("ratio"), ("d",)),
    (lambda data: data.risk.mean("lam"), ("d", "ratio")),
    (lambda data: data.risk - data.risk.min(["d", "ratio"]), ()),
])  # fmt: skip
def test_cells_that_a_function_mixes_count_as_dependent(of, cells):
    assert gather(order("a", sweep="s", of=of), [risk(R=20)], theory=False).cells == cells


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("of", [
    "risk", lambda data: 2 * data.risk, lambda data: data.risk.mean("lam"), lambda data: (data.risk > 1).astype(float),
])  # fmt: skip
def test_samples_that_are_not_finite_are_noticed(bad, of):
    result = risk(R=30)
    result.samples.risk[1, 1, 4, :2] = bad
    result.samples.risk[3, 0, 29, 0] = bad
    result = replace(result, samples=result.samples.assign(other=result.samples.risk * np.nan))  # of no concern here
    got = verdict(order("a", sweep="s", of=of), s=result)
    assert got.verdict == "unresolved" and got.estimate is None
    assert got.note in ("3 samples are not finite", "2 samples are not finite")  # of `of`, else of what it reads


def test_a_function_that_leaves_its_domain_is_noticed():
    result = risk(R=30)
    result.samples.risk[1, 1, 4, 0] = 0.0
    with np.errstate(divide="ignore"):
        got = verdict(order("a", sweep="s", of=lambda data: np.log(data.risk)), s=result)
    assert got.verdict == "unresolved" and got.note == "1 samples are not finite"


@pytest.mark.parametrize("value, words", [(np.nan, "not finite"), (np.inf, "not finite"), (0.0, "is zero")])
def test_theory_that_is_no_number_or_zero_leaves_the_claim_open_and_names_the_point(value, words):
    result = risk(R=30)
    result.theory.risk[1] = value
    for claim in (EXACT, asymptotic("a", sweep="s", of="risk"), exponent("a", sweep="s", of="risk", axis="d")):
        got = verdict(claim, s=result)
        assert got.verdict == "unresolved" and words in got.note and "lam = 0.1" in got.note
    if value != 0:
        got = verdict(identity("a", sweep="s", of="risk", equals="risk"), s=result)
        assert got.verdict == "unresolved" and "lam = 0.1" in got.note
    assert verdict(exact("a", sweep="s", of="risk", where={"lam": [0.01, 1.0]}), s=result).p is not None


def test_theory_spreads_over_axes_that_it_lacks_also_under_a_contrast():
    result = risk(R=3000, noise=0.1)
    ratio = exact("a", sweep="s", of=lambda data: data.risk.sel(ratio=2.0) / data.risk.sel(ratio=0.5), margin=0.05)
    got = verdict(ratio, s=result)  # the theory knows no `ratio`: its contrast is 1; noise adds 1% by convexity
    assert got.estimate == pytest.approx(0.01, abs=0.01)
    assert verdict(exact("a", sweep="s", of=lambda data: data.risk.mean("lam")), s=result).verdict == "holds"


def test_theory_that_does_not_fit_the_samples_is_an_error():
    result = risk(R=20)
    moved = replace(result, theory=result.theory.assign_coords(lam=[0.01, 0.1, 2.0]))
    with pytest.raises(ValueError, match="claim 'a': theory and samples have different points along 'lam'"):
        verdict(EXACT, s=moved)
    more = replace(result, theory=result.theory.expand_dims(extra=[1, 2]))
    with pytest.raises(ValueError, match="varies along 'extra'"):
        verdict(EXACT, s=more)


def test_two_sweeps_are_judged_replicate_by_replicate():
    first, second = risk(seed=1, R=300), risk(seed=2, R=200, shift=-0.2)
    better = order("a", sweep=("s", "t"), of=lambda s, t: s.risk - t.risk)
    got = verdict(better, s=first, t=second)
    assert got.verdict == "holds" and got.replicates == 200
    same = exact("a", sweep=("s", "t"), of=lambda s, t: s.risk - 0.5 * t.risk, margin=0.05, pointwise=0.2)
    evidence = gather(same, [first, second])
    assert evidence.cells == ("d", "ratio") and evidence.count.max() == 200
    small = risk(seed=3, R=200, outer=dict(ratio=RATIO))  # one draw for all d: cells along d now share it
    assert gather(same, [first, small]).cells == ("ratio",)
    with pytest.raises(ValueError, match="claim 'a'"):  # other points: never matched by leaving some out
        verdict(better, s=first, t=risk(R=200, outer=dict(d=[32, 64], ratio=RATIO)))


# --------------------------------------------------------------------------------------------- bounds and allowances


def test_a_deviation_counts_only_as_far_as_it_exceeds_the_error_of_the_theory():
    result = risk(R=4000, shift=0.04)
    assert verdict(EXACT, s=result).verdict == "fails"
    stated = exact("a", sweep="s", of="risk", error=0.05, margin=0.06)
    assert verdict(stated, s=result).verdict == "holds" and verdict(stated, s=result).p > 0.05
    assert verdict(exact("a", sweep="s", of="risk", error=0.02, margin=0.06), s=result).verdict == "fails"


def test_a_measurement_without_noise_is_judged_to_rounding():
    for shift, word in ((0.0, "holds"), (1e-14, "holds"), (1e-6, "fails")):
        assert verdict(EXACT, s=risk(R=8, noise=0.0, shift=shift)).verdict == word
    assert verdict(bound("a", sweep="s", of="risk"), s=risk(R=8, noise=0.0)).verdict == "holds"
    flat = verdict(order("a", sweep="s", of=lambda data: data.risk.diff("d")), s=risk(R=8, noise=0.0))
    assert flat.verdict == "unresolved" and flat.need is None  # an exact tie, for ever
    assert "18 of 18 points themselves are not on the right side" in flat.note


def test_the_replicates_asked_for_settle_half_of_the_claims_at_once():
    settled = 0
    for seed in range(20):
        asked = verdict(EXACT, s=risk(seed=seed, R=200))
        assert asked.verdict == "unresolved" and 200 < asked.need < 4000
        settled += verdict(EXACT, s=risk(seed=100 + seed, R=asked.need)).verdict == "holds"
    # measured: 10 of 20, the others ask again; at a rate of one half, 2 or fewer have a chance of 2e-4
    assert settled > 2


def test_a_deviation_outside_the_margin_is_named():
    z = stats.norm.ppf((np.arange(60) + 0.5) / 60)
    values = (1.05 + 0.2 * z / z.std(ddof=1))[None, :, None]  # mean 5%, t = 0.05 / (0.2 / sqrt(60)) = 1.94
    got = verdict(EXACT, s=frame(dict(d=[32]), dict(lam=[0.1]), values, np.ones(1)))
    assert got.verdict == "unresolved" and "1 of 1 pooled cells themselves lie outside the margin" in got.note
    half = stats.t.ppf(0.975, 59) * 0.2 / 60**0.5
    assert got.need == pytest.approx(60 * ((0.05 + half) / 0.02) ** 2, abs=1)  # 1,500: t is then 10, or it was noise


def test_what_an_order_needs():
    z = stats.norm.ppf((np.arange(60) + 0.5) / 60)
    z, claim, half = z / z.std(ddof=1), order("a", sweep="s", of="risk"), stats.t.ppf(0.975, 59) / 60**0.5
    right, wrong = (frame(dict(d=[32]), {}, (mean + z)[None], None) for mean in (0.1, -0.1))
    assert verdict(claim, s=right).need == pytest.approx(60 * (half / 0.1) ** 2, abs=1)
    assert verdict(claim, s=wrong).need == pytest.approx(60 * (stats.t.isf(5e-4, 59) / (0.1 * 60**0.5)) ** 2, abs=1)


def test_heavy_skewness_is_reported():
    values = np.random.default_rng(0).lognormal(0, 1.5, (1, 100, 1)) / np.exp(1.125)
    got = verdict(EXACT, s=frame(dict(d=[32]), dict(lam=[0.1]), values, np.ones(1)))
    assert "heavily skewed: skewness" in got.note and "at d = 32, lam = 0.1" in got.note
    assert "skewed" not in verdict(EXACT, s=risk(R=100)).note


def test_p_values_of_families_by_hand():
    assert chi_square_p(np.array([1.0])) == 1.0
    assert chi_square_p(np.array([0.03])) == pytest.approx(0.03, rel=1e-12)
    assert chi_square_p(np.array([0.0, 0.5])) == 0.0
    assert family_p(np.array([0.2, 0.01])) == pytest.approx(0.04, rel=1e-12)


# -------------------------------------------------------------------------------------------------- errors, memory


@pytest.mark.parametrize("claim, message", [
    (exact("x", sweep="t", of="risk"), "claim 'x': there is no sweep 't', only s"),
    (exact("x", sweep="s", of="rsk"), "claim 'x': there is no measurement 'rsk', only"),
    (exact("x", sweep="s", of="risk", where={"lm": 1}), "claim 'x': `where` names 'lm'"),
    (exact("x", sweep="s", of=lambda data: data.rsk), "claim 'x': its function of the data raised AttributeError"),
    (exact("x", sweep="s", of=lambda data: data.risk.mean("replicate")), "must return a DataArray that keeps"),
    (exact("x", sweep="s", of=lambda data: 3.0), "must return a DataArray that keeps 'replicate'"),
    (exponent("x", sweep="s", of="risk", axis="d", where={"d": [32]}), "two different positive points"),
    (exponent("x", sweep="s", of=lambda data: -data.risk, axis="d"), "needs positive theory"),
])  # fmt: skip
def test_errors_name_the_claim_and_what_is_wrong(claim, message):
    with pytest.raises(ValueError) as caught:
        verdict(claim, s=risk(R=20))
    assert message in str(caught.value)


def test_a_sweep_without_samples_or_theory_is_an_error():
    with pytest.raises(ValueError, match="no samples"):
        verdict(EXACT, s=replace(risk(R=20), samples=None))
    for claim in (EXACT, identity("a", sweep="s", of="risk", equals=1.0)):
        with pytest.raises(ValueError, match="predicts nothing"):
            verdict(claim, s=replace(risk(R=20), theory=None))
    of_samples = identity("a", sweep="s", of="risk", equals="risk", on="samples")
    assert verdict(of_samples, s=risk(R=0)).verdict == "unresolved"


@pytest.mark.parametrize("of", ["risk", lambda data: data.risk.mean("lam")])
def test_a_hundred_times_the_replicates_need_no_more_memory(tmp_path, of):
    peaks = []
    for R in (1000, 100_000):
        values = 1 + 0.1 * np.random.default_rng(0).standard_normal((2, R, 5))
        result = frame(dict(d=[32, 64]), dict(lam=np.arange(1.0, 6.0)), values, np.ones(5))
        result.samples.to_netcdf(tmp_path / f"{R}.nc", engine="h5netcdf")
        with xarray.open_dataset(tmp_path / f"{R}.nc", engine="h5netcdf") as samples:
            tracemalloc.start()
            assert verdict(exact("a", sweep="s", of=of), s=replace(result, samples=samples)).verdict == "holds"
            peaks.append(tracemalloc.get_traced_memory()[1])
            tracemalloc.stop()
    # the samples are 8 MB; what is left to grow is a little garbage of xarray's, about a kB a slice until collected
    assert peaks[1] - peaks[0] < 0.05 * values.nbytes and peaks[1] < 0.1 * values.nbytes
