"""The judge is judged: on thousands of made-up sweeps of known truth its error rates are those that it promises.

Points are dependent as in real sweeps: all lam of a replicate and both paired eps share half of their variance, while
cells along d and ratio are independent. Seeds are fixed and were not chosen. Counts are compared with binomial bounds:
at a true rate of 1e-3, more than 9 of 2,000 have a chance of 5e-5; elsewhere four standard errors, 3e-5 (one-sided).
"""

from collections import Counter

import numpy as np
import pytest
import xarray
from scipy import special, stats

from theorylab.compare.claims import asymptotic, bound, exact, exponent, order
from theorylab.compare.judge import chi_square_p, judge
from theorylab.compare.moments import gather, stream
from theorylab.sweep.result import Result

AXES = dict(d=[32, 64, 128, 256], ratio=[0.5, 2.0], eps=[0.0, 0.1], lam=[0.01, 0.1, 1.0])
OUTER = ("d", "ratio", "eps")
DIMS = (*OUTER, "replicate", "lam")
CLAIMS = {
    "exact": exact("a", sweep="s", of="risk"),
    "asymptotic": asymptotic("a", sweep="s", of="limit"),
    "exponent": exponent("a", sweep="s", of="law", axis="d"),
    "bound": bound("a", sweep="s", of="risk"),
    "order": order("a", sweep="s", of="contrast"),
}
# law of the replicates (None: normal; k: chi-square with k degrees of freedom, skewness sqrt(8/k)) and their number
SETTINGS = [(None, 8), (None, 16), (None, 64), (10, 32), (4, 64)]
CASES = 2000


def draw(rng, law, shape):
    if law is None:
        return rng.standard_normal(shape)
    return (rng.chisquare(law, shape) - law) / np.sqrt(2 * law)


def case(rng, law, R, shift=0.0, noise=0.2, share=0.5) -> dict[str, Result]:
    """One sweep. At shift 0 the theory is exact for `risk`, the limit of `limit` (which has its own b/d at every lam),
    of the same slope as `law`, just reached as a bound by `risk`, and `contrast` is zero."""
    shared, own = draw(rng, law, (4, 2, 1, R, 1)), draw(rng, law, (4, 2, 2, R, 3))
    z = np.sqrt(share) * shared + np.sqrt(1 - share) * own
    d = np.array(AXES["d"], float).reshape(-1, 1, 1, 1, 1)
    theory = np.exp(rng.standard_normal((1, 2, 2, 1, 3))) * d**-0.6
    deviation = shift + noise * z
    values = dict(
        risk=theory * (1 + deviation),
        limit=theory * (1 + deviation + np.array([3.0, -1.5, 0.6]) / d),
        law=theory * (1 + noise * z) * d**shift,
        contrast=noise * z - shift,
    )
    variables = {name: (DIMS, array) for name, array in values.items()}
    samples = xarray.Dataset({**variables, "count": (OUTER, np.full((4, 2, 2), R))}, coords=AXES)
    predicted = {name: ((*OUTER, "lam"), theory[:, :, :, 0]) for name in ("risk", "limit", "law")}
    return {"s": Result(samples=samples, theory=xarray.Dataset(predicted, coords=AXES), over=OUTER, paired=("eps",))}


def parts_of_exact(result) -> tuple[float, float]:
    """p-values of the chi-square over independent cells, and of one that takes all points for independent."""
    evidence = gather(CLAIMS["exact"], [result])
    moments = stream(evidence, lambda samples: samples / evidence.theory - 1)[:2]
    points, cells = (each.estimate() for each in moments)
    each = (2 * special.stdtr(e.df, -np.abs(e.value / e.sem)) for e in (cells, points))
    return tuple(map(chi_square_p, each))


@pytest.fixture(scope="module")
def null():
    """Verdicts on 2,000 sweeps with true theory, for each kind."""
    rng = np.random.default_rng(2024)
    found = {kind: [] for kind in CLAIMS}
    for i in range(CASES):
        results = case(rng, *SETTINGS[i % len(SETTINGS)])
        for kind, claim in CLAIMS.items():
            found[kind].append(judge(claim, results))
    return found


@pytest.mark.parametrize("kind", CLAIMS)
def test_false_alarms_stay_within_one_in_a_thousand(null, kind):
    verdicts = Counter(verdict.verdict for verdict in null[kind])
    assert verdicts["fails"] <= 9, verdicts


@pytest.mark.parametrize("kind", CLAIMS)
@pytest.mark.parametrize("level", [0.01, 0.05, 0.2, 0.5])
def test_family_p_values_are_uniform_or_larger(null, kind, level):
    rate = np.mean([verdict.p < level for verdict in null[kind]])
    assert rate < level + 4 * np.sqrt(level * (1 - level) / CASES)


def test_the_chi_square_is_uniform_over_independent_cells_and_not_over_dependent_points():
    """Taking all points of nearly parallel curves for independent raises 60 times the false alarms it should."""
    rng = np.random.default_rng(5)
    sweeps = (case(rng, None, (8, 16, 64)[i % 3], share=0.9)["s"] for i in range(CASES))
    cells, points = np.array([parts_of_exact(sweep) for sweep in sweeps]).T
    assert stats.kstest(cells, "uniform").pvalue > 1e-4  # which is the chance that this fails
    assert (cells < 1e-3).sum() <= 9
    # in the limit 5.5 chi2(8) + 0.1 chi2(40) exceeds the 1e-3 quantile of chi2(48) in 6.8%; measured 6.2%, error 0.5%
    assert (points < 1e-3).mean() > 0.04


# margin, and the shift of the truth that is twice that
TWICE = {"exact": (0.02, 0.04), "asymptotic": (0.02, 0.04), "exponent": (0.03, 0.06), "bound": (0.02, 0.04)}


@pytest.mark.parametrize("kind", TWICE)
def test_false_holds_under_twice_the_margin(kind):
    rng = np.random.default_rng(7)
    holds = sum(judge(CLAIMS[kind], case(rng, 4, 300, TWICE[kind][1])).verdict == "holds" for _ in range(60))
    # within 5%: at that rate, more than 10 of 60 have a chance of 2e-4. Measured: none, all 60 fail; what is narrow
    # enough to hold is significant. The test below has the case that is hardest for `holds`.
    assert holds <= 10


def one_point(rng, law, R, mean) -> dict[str, Result]:
    values = mean + 0.1 * draw(rng, law, (1, R))
    samples = xarray.Dataset({"risk": (("d", "replicate"), values), "count": ("d", [R])}, coords={"d": [32]})
    theory = xarray.Dataset({"risk": ("d", [1.0])}, coords={"d": [32]})
    return {"s": Result(samples=samples, theory=theory, over=("d",))}


@pytest.mark.parametrize("claim, mean", [
    (exact("a", sweep="s", of="risk"), 1.02),
    (bound("a", sweep="s", of="risk"), 1.02),
    (order("a", sweep="s", of="risk"), 0.0),
])  # fmt: skip
@pytest.mark.parametrize("law", [None, 4])
def test_false_holds_at_the_margin_itself_where_the_risk_is_largest(claim, mean, law):
    """One point, truth on the edge of what is allowed: holds in 2.5%, the upper end of a 95% interval."""
    rng = np.random.default_rng(8)
    holds = np.mean([judge(claim, one_point(rng, law, 400, mean)).verdict == "holds" for _ in range(600)])
    # to first order skewness 1.4 at 400 replicates makes it 3.1% on one side (Edgeworth); measured 1.5% to 3.7%
    assert holds < 0.031 + 4 * np.sqrt(0.031 * 0.969 / 600)


def test_a_shift_of_two_percent_everywhere_is_found():
    rng = np.random.default_rng(9)
    for _ in range(20):  # the pooled z of each of 8 cells is about 6 at 2,000 replicates
        verdict = judge(CLAIMS["exact"], case(rng, None, 2000, 0.02))
        assert verdict.verdict == "fails" and verdict.p < 1e-9


def test_a_wrong_factor_is_found_with_sixteen_replicates():
    rng = np.random.default_rng(10)
    for kind, shift in (("exact", 1.0), ("bound", 1.0), ("order", 1.0), ("exponent", 0.5)):
        for _ in range(20):
            assert judge(CLAIMS[kind], case(rng, 4, 16, shift)).verdict == "fails"


@pytest.mark.slow
def test_false_alarms_of_ten_thousand_sweeps():
    rng = np.random.default_rng(11)
    fails = Counter()
    for i in range(10_000):
        results = case(rng, *SETTINGS[i % len(SETTINGS)])
        for kind, claim in CLAIMS.items():
            fails[kind] += judge(claim, results).verdict == "fails"
    assert max(fails.values()) <= 24, fails  # 10 expected at 1e-3; more than 24 have a chance of 5e-5


@pytest.mark.slow
@pytest.mark.parametrize("noticed", [True, False])
def test_ratios_to_one_noisy_cell_are_no_independent_cells(monkeypatch, noticed):
    """Eight cells over a first one of five times their noise deviate together: taken for independent, 7% fail."""
    if not noticed:
        monkeypatch.setattr("theorylab.compare.moments._mixes", lambda *_: False)
    rng = np.random.default_rng(12)
    d, fails = np.arange(1.0, 10.0), 0
    claim = exact("a", sweep="s", of=lambda data: data.risk / data.risk.sel(d=1))
    theory = xarray.Dataset({"risk": ("d", np.ones(9))}, coords={"d": d})
    for _ in range(1000):
        values = 1 + np.where(d == 1, 0.05, 0.01)[:, None] * rng.standard_normal((9, 64))
        samples = xarray.Dataset({"risk": (("d", "replicate"), values), "count": ("d", [64] * 9)}, coords={"d": d})
        fails += judge(claim, {"s": Result(samples=samples, theory=theory, over=("d",))}).verdict == "fails"
    assert fails <= 7 if noticed else fails > 15  # more than 7 at a rate of 1e-3: 1e-5
