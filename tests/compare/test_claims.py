"""Claims as data: what is refused when they are written, and which points a selection picks."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import xarray

from theorylab.compare.claims import Claim, asymptotic, bound, exact, exponent, identity, order
from theorylab.compare.moments import select
from theorylab.sweep.result import Result

ROOT = Path(__file__).parents[2]


def test_defaults_are_those_of_the_design():
    claim = exact("a", sweep="risk", of="risk")
    assert (claim.kind, claim.sweeps, claim.margin, claim.pointwise, claim.error) == ("exact", ("risk",), 0.02, 0.10, 0)
    assert asymptotic("a", sweep="s", of="r").size == "d" and asymptotic("a", sweep="s", of="r").order == 1.0
    slope = exponent("a", sweep="s", of="r")
    assert (slope.axis, slope.margin, slope.pointwise) == ("T", 0.03, 0.03)
    assert exponent("a", sweep="s", of="r", margin=0.1, pointwise=0.2).pointwise == 0.2
    assert bound("a", sweep="s", of="r").pointwise == 0.02 and bound("a", sweep="s", of="r").upper
    assert identity("a", sweep="s", of="r", equals=1.0).tolerance == pytest.approx(1e-10, rel=1e-12)
    assert identity("a", sweep="s", of="r", equals=1.0, digits=3).tolerance == pytest.approx(1e-3, rel=1e-12)
    assert identity("a", sweep="s", of="r", equals=1.0, tolerance=0.0).tolerance == 0.0
    assert order("a", sweep=("s", "t"), of=lambda s, t: s.r - t.r, figure="fig_x").sweeps == ("s", "t")


def test_a_claim_is_frozen():
    with pytest.raises(AttributeError):
        exact("a", sweep="s", of="r").margin = 1.0


@pytest.mark.parametrize("make, named", [
    (lambda: exact("a", sweep="s", of="r", margin=-0.1), "margin = -0.1"),
    (lambda: exact("a", sweep="s", of="r", margin=0), "margin = 0 "),
    (lambda: exact("a", sweep="s", of="r", margin=float("nan")), "margin = nan"),
    (lambda: exact("a", sweep="s", of="r", margin="wide"), "margin = 'wide'"),
    (lambda: exact("a", sweep="s", of="r", pointwise=-1), "pointwise = -1"),
    (lambda: exact("a", sweep="s", of="r", error=-1e-3), "error = -0.001"),
    (lambda: exact("a", sweep="s", of="r", error=float("inf")), "error = inf"),
    (lambda: exact("a", sweep="s", of="r", where=["T"]), "where = ['T']"),
    (lambda: exact("", sweep="s", of="r"), "says = ''"),
    (lambda: exact("a", sweep="", of="r"), "sweep = ('',)"),
    (lambda: exact("a", sweep=(), of="r"), "sweep = ()"),
    (lambda: exact("a", sweep=["s"], of="r"), "sweep = ['s']"),
    (lambda: exact("a", sweep="s", of=3), "of = 3"),
    (lambda: exact("a", sweep=("s", "t"), of="r"), "of = 'r'"),
    (lambda: asymptotic("a", sweep="s", of="r", order=0), "order = 0"),
    (lambda: bound("a", sweep="s", of="r", pointwise=-1), "pointwise = -1"),
    (lambda: identity("a", sweep="s", of="r", equals=None), "equals = None"),
    (lambda: identity("a", sweep="s", of="r", equals=1.0, tolerance=-1.0), "tolerance = -1.0"),
    (lambda: identity("a", sweep="s", of="r", equals=1.0, digits=3, tolerance=0.1), "tolerance = 0.1"),
    (lambda: identity("a", sweep="s", of="r", equals=1.0, digits="ten"), "digits = 'ten'"),
    (lambda: identity("a", sweep="s", of="r", equals=1.0, on="curve"), "on = 'curve'"),
    (lambda: Claim(kind="guess", says="a", sweeps=("s",), of="r"), "kind = 'guess'"),
])  # fmt: skip
def test_a_senseless_claim_is_refused_by_the_name_of_its_argument(make, named):
    with pytest.raises(ValueError) as caught:
        make()
    assert named in str(caught.value) and "outside its domain" in str(caught.value)


def test_claims_load_no_numerical_library():
    code = "import sys, theorylab.compare.claims; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert not set(done.stdout.split()) & {"numpy", "xarray", "scipy", "jax"}


# ------------------------------------------------------------------------------------------------------------ selection


def grid() -> Result:
    """Outer axes d, ratio, kind; inner axis lam; T = ratio d spans two axes, half = d / 2 one; theory knows no lam."""
    coords = dict(d=[10, 20, 40], ratio=[0.5, 1.0, 2.0], kind=["fresh", "shared"], lam=[0.1, 0.1 * 3, 1.0])
    dims = ("d", "ratio", "kind")
    samples = xarray.Dataset(
        {"count": (dims, np.full((3, 3, 2), 4)), "risk": ((*dims, "replicate", "lam"), np.zeros((3, 3, 2, 4, 3)))},
        coords={**coords, "T": (("d", "ratio"), np.outer([10, 20, 40], [0.5, 1.0, 2.0])), "half": ("d", [5, 10, 20])},
    )
    theory = xarray.Dataset({"risk": (("d",), np.zeros(3))}, coords={"d": coords["d"], "half": ("d", [5, 10, 20])})
    return Result(samples=samples, theory=theory, over=dims)


@pytest.mark.parametrize("where, sizes", [
    ({}, dict(d=3, ratio=3, kind=2, lam=3)),
    ({"d": 20}, dict(ratio=3, kind=2, lam=3)),
    ({"d": 20.0}, dict(ratio=3, kind=2, lam=3)),
    ({"lam": 0.3}, dict(d=3, ratio=3, kind=2)),  # stored as 0.30000000000000004
    ({"lam": [0.3, 1.0]}, dict(d=3, ratio=3, kind=2, lam=2)),
    ({"lam": (1.0,)}, dict(d=3, ratio=3, kind=2, lam=1)),
    ({"lam": slice(0.3, None)}, dict(d=3, ratio=3, kind=2, lam=2)),  # both ends belong to it
    ({"lam": slice(None, 0.3)}, dict(d=3, ratio=3, kind=2, lam=2)),
    ({"lam": slice(0.2, 0.5)}, dict(d=3, ratio=3, kind=2, lam=1)),
    ({"d": lambda d: d > 10}, dict(d=2, ratio=3, kind=2, lam=3)),
    ({"kind": "shared"}, dict(d=3, ratio=3, lam=3)),
    ({"kind": ["shared"], "d": 10}, dict(ratio=3, kind=1, lam=3)),
    ({"half": 10}, dict(d=1, ratio=3, kind=2, lam=3)),
    ({"T": 5}, dict(d=1, ratio=1, kind=2, lam=3)),
    ({"T": lambda T: T >= 5}, dict(d=3, ratio=3, kind=2, lam=3)),
    ({"T": 20, "d": 20}, dict(ratio=1, kind=2, lam=3)),  # one axis is left once d is fixed
    ({"d": 20, "ratio": 1.0, "T": 20}, dict(kind=2, lam=3)),
])  # fmt: skip
def test_where_picks_points(where, sizes):
    (part,) = select([grid()], where)
    assert dict(part.samples.risk.sizes) == {**sizes, "replicate": 4}
    assert part.samples["count"].sizes == {dim: n for dim, n in sizes.items() if dim != "lam"}
    assert dict(part.theory.risk.sizes) == {dim: n for dim, n in sizes.items() if dim == "d"}


def test_where_keeps_the_order_of_the_grid_and_the_values():
    (part,) = select([grid()], {"d": [40, 10]})
    assert part.samples.d.values.tolist() == part.theory.d.values.tolist() == [10, 40]


@pytest.mark.parametrize("where, named", [
    ({"t": 20}, "'t'"),
    ({"replicates": 20}, "'replicates'"),
    ({"d": 30}, "'d' = 30"),
    ({"d": 20.001}, "'d'"),
    ({"lam": 0.3 * (1 + 1e-8)}, "'lam'"),
    ({"lam": [0.3, 0.5]}, "'lam' = 0.5"),
    ({"lam": slice(2.0, 3.0)}, "'lam'"),
    ({"lam": slice(0.1, 1.0, 2)}, "'lam'"),
    ({"lam": lambda lam: lam > 5}, "'lam'"),
    ({"lam": lambda lam: lam.sum() > 5}, "'lam'"),
    ({"lam": lambda lam: lam}, "'lam'"),
    ({"kind": "new"}, "'kind' = new"),
    ({"T": 20}, "'T'"),  # three cells that are no grid
    ({"d": 20, "ratio": 1.0, "T": 5}, "'T'"),
])  # fmt: skip
def test_a_selection_of_nothing_or_along_no_axis_is_an_error_that_names_it(where, named):
    with pytest.raises(ValueError) as caught:
        select([grid()], where)
    assert named in str(caught.value)
