"""A whole run through the command line: files, verdicts, second start, redraw, other grids, worker processes."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import run
from theorylab.sweep.assemble import read_result

SMALL = [
    "--sim=overparam_collapse",
    "--config.generator.replicates=40", "--config.shared.replicates=40", "--config.downstream.replicates=40",
    "--config.generator.d=20", "--config.generator.teachers=4", "--config.generator.T0=(6,12)",
    "--config.shared.d=20", "--config.shared.T0=(6,12)",
    "--config.downstream.d=20", "--config.downstream.T=(12,50)", "--config.downstream.T0=12",
]  # fmt: skip


@pytest.fixture(scope="module")
def first(tmp_path_factory):
    out = tmp_path_factory.mktemp("runs out")
    status = run.main([*SMALL, f"--out={out}"])
    (folder,) = (out / "overparam_collapse").iterdir()
    return out, folder, status


def test_a_run_leaves_every_file_and_its_status_is_that_of_the_verdicts(first):
    _, folder, status = first
    report = json.loads((folder / "report.json").read_text())
    verdicts = [claim["verdict"] for claim in report["claims"]]
    assert status == (1 if "fails" in verdicts else 3 if "unresolved" in verdicts else 0)
    assert "fails" not in verdicts  # true theory: a false alarm has a chance of 6e-3
    for name in ("config.json", "provenance.json", "report.md", "results/generator.nc", "results/downstream.nc",
                 "figures/fig_exponential.png", "figures/fig_exponential.pdf"):  # fmt: skip
        assert (folder / name).stat().st_size > 0
    provenance = json.loads((folder / "provenance.json").read_text())
    assert provenance["float64"] is True and provenance["versions"]["jax"]


def test_a_second_start_computes_nothing_and_finds_the_same(first, monkeypatch):
    out, folder, status = first
    before = read_result(folder / "results" / "generator.nc").samples.risk.load()
    monkeypatch.setattr("theorylab.sweep.lanes.Lanes.compute", None)
    assert run.main([*SMALL, f"--out={out}"]) == status
    np.testing.assert_array_equal(read_result(folder / "results" / "generator.nc").samples.risk, before)


def test_redraw_needs_stored_results_only(first, monkeypatch):
    out, folder, status = first
    report = (folder / "report.json").read_text()
    (folder / "report.json").unlink()
    monkeypatch.setattr("theorylab.runs._simulate", None)
    assert run.main([*SMALL, f"--out={out}", "--redraw"]) == status
    assert (folder / "report.json").read_text() == report


def test_another_configuration_is_another_run(first):
    out, _, _ = first
    run.main([*SMALL, f"--out={out}", "--config.generator.w_star_sq=2.0"])
    assert len(list((out / "overparam_collapse").iterdir())) == 2


def test_worker_processes_give_the_same_draws(first, tmp_path):
    _, folder, status = first
    arguments = [sys.executable, "run.py", *SMALL, f"--out={tmp_path}", "--executor=processes:2"]
    done = subprocess.run(arguments, cwd=Path(__file__).parents[1], capture_output=True, text=True, timeout=300,
                          env={**os.environ, "JAX_PLATFORMS": "cpu"})  # fmt: skip
    assert done.returncode == status, done.stderr
    (other,) = (tmp_path / "overparam_collapse").iterdir()
    for sweep in ("generator", "downstream"):
        ours, theirs = (read_result(path / "results" / f"{sweep}.nc").samples.risk.load() for path in (folder, other))
        np.testing.assert_allclose(theirs, ours, rtol=1e-12, atol=1e-14)


def test_list_shows_the_last_verdicts(first, capsys):
    out, _, _ = first
    assert run.main(["--list", f"--out={out}"]) == 0
    assert "holds" in capsys.readouterr().out
