"""Reports: valid JSON whatever the numbers are, a table a person can read, a summary for a batch, the exit status."""

import json

import numpy as np
import pytest

from theorylab.compare.judge import Verdict
from theorylab.compare.report import exit_status, report_json, report_markdown, summary_table

HELD = Verdict(
    says="Risk grows linearly in |n|", kind="exact", verdict="holds", estimate=-0.0037, interval=(-0.0105, 0.0031),
    margin=0.02, at={"d": np.int64(32), "T_per_d": 0.5, "shared": np.True_}, p=0.57, replicates=2000, max_z=2.2,
    max_deviation=0.0097, median_deviation=0.0025,
)  # fmt: skip
FAILED = Verdict(
    says="The bound is never crossed", kind="bound", verdict="fails", estimate=0.31, interval=(0.2, 0.4), margin=0.02,
    at={"lam": np.float64(1e-3)}, p=0.0, replicates=64, max_z=float("inf"), max_deviation=np.float64("nan"),
    note="24 of 24 points significant",
)  # fmt: skip
OPEN = Verdict(says="More data helps", kind="order", verdict="unresolved", estimate=0.1, interval=(-0.1, 0.3),
               margin=0.0, at={}, p=1.0, replicates=16, need=130, note="1 of 1 points are too wide")  # fmt: skip
BARE = Verdict(says="Two forms agree", kind="identity", verdict="unresolved", note="the theory is not finite at d = 2")


def content(*verdicts, **changes):
    arguments = dict(
        name="ridge_collapse", paper="Somebody, Something, 2024", preset="quick", seed=3, run="quick-0a1b2c",
        figures=["fig_lambda_sweep"], provenance={"versions": {"jax": "0.10", "numpy": "2.4"}, "seconds": 12.5},
    )  # fmt: skip
    return report_json(verdicts=verdicts, **{**arguments, **changes})


def test_json_is_valid_and_complete_and_knows_no_nan():
    report = content(HELD, FAILED, OPEN, BARE)
    again = json.loads(json.dumps(report, allow_nan=False))
    assert again == report
    first, second, _, last = again["claims"]
    assert first["says"] == HELD.says and first["interval"] == [-0.0105, 0.0031]
    assert first["at"] == {"d": 32, "T_per_d": 0.5, "shared": True} and first["at"]["shared"] is True
    assert second["max_z"] is None and second["max_deviation"] is None and second["p"] == 0.0
    assert last["estimate"] is None and last["interval"] is None and last["at"] is None
    for name in ("kind", "verdict", "estimate", "interval", "margin", "at"):  # of one and the same point
        assert name in first


def test_anything_in_the_provenance_becomes_plain():
    odd = {1: np.arange(3), "path": np.array("x"), "nested": {"inf": float("inf"), "set": {2}}, "type": complex(1, 2)}
    report = content(provenance=odd)
    expected = {"1": [0, 1, 2], "path": "x", "nested": {"inf": None, "set": [2]}, "type": "(1+2j)"}
    assert json.loads(json.dumps(report, allow_nan=False))["provenance"] == expected


def test_markdown_has_a_line_for_each_claim_and_every_part():
    text = report_markdown(content(HELD, FAILED, OPEN, BARE))
    assert text.startswith("# ridge_collapse\n\nSomebody, Something, 2024\n\npreset quick, seed 3, run `quick-0a1b2c`")
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert len(rows) == 2 + 4
    assert all(row.replace(r"\|", "").count("|") == rows[0].count("|") for row in rows)
    assert rows[2] == (
        r"| ✓ holds | Risk grows linearly in \|n\| | -0.0037 [-0.0105, 0.0031] | ± 0.02 "
        "| d = 32, T_per_d = 0.5, shared = True | 2000 |  |"
    )
    assert "✗ fails" in rows[3] and "< 0.02" in rows[3] and "lam = 0.001" in rows[3]
    assert "? unresolved" in rows[4] and "> 0" in rows[4] and "| 16 | 130 |" in rows[4]
    assert "- The bound is never crossed: 24 of 24 points significant" in text
    assert "fig_lambda_sweep.png" in text and "- versions: jax 0.10, numpy 2.4" in text and "- seconds: 12.5" in text
    assert " nan" not in text and "inf" not in text and "None" not in text


def test_markdown_leaves_out_what_there_is_not():
    text = report_markdown(content(HELD, figures=[], provenance=None))
    assert "## " not in text
    assert report_markdown(content()).count("\n|") == 2  # no claims: the table is empty


def test_markdown_survives_being_stored():
    report = content(HELD, FAILED, OPEN, BARE)
    assert report_markdown(json.loads(json.dumps(report))) == report_markdown(report)


def test_summary_counts_verdicts_and_names_what_does_not_hold():
    lines = summary_table([content(HELD, FAILED, OPEN), content(HELD, HELD, name="short")]).splitlines()
    assert lines[0].split() == ["experiment", "preset", "holds", "fails", "unresolved"]
    assert lines[2].split() == ["ridge_collapse", "quick", "1", "1", "1"]
    assert lines[3].split() == ["short", "quick", "2", "0", "0"]
    assert lines[4] == "ridge_collapse: fails: The bound is never crossed"
    assert lines[5] == "ridge_collapse: unresolved: More data helps (130 replicates would settle it)"
    assert len(lines) == 6
    assert all(ord(letter) < 128 for letter in "".join(lines))  # for terminals that know no more
    assert len(summary_table([]).splitlines()) == 2


@pytest.mark.parametrize("verdicts, status", [
    ([], 0), ([HELD], 0), ([HELD, OPEN], 3), ([OPEN, BARE], 3), ([HELD, OPEN, FAILED], 1), ([FAILED], 1),
    (["holds", "unresolved"], 3), (["fails", "unresolved"], 1), (iter(["holds"]), 0),
])  # fmt: skip
def test_exit_status(verdicts, status):
    assert exit_status(verdicts) == status
