"""The command line: whatever is wrong is named in one line, with status 2, before any compilation."""

import pytest

import run

RIDGE, KERNEL, OVER = "--sim=ridge_collapse", "--sim=kernel_collapse", "--sim=overparam_collapse"


@pytest.fixture(autouse=True)
def nothing_compiles(monkeypatch, tmp_path):
    import jax

    def refuse(*args, **kwargs):
        raise AssertionError("compiled something")

    monkeypatch.setattr("jax.stages.Lowered.compile", refuse)
    monkeypatch.chdir(tmp_path)
    jax.clear_caches()


@pytest.mark.parametrize("arguments, message", [
    ([], "say which experiment: --sim=NAME"),
    (["--sim=ridge_colapse"], "'ridge_colapse' is no experiment: did you mean 'ridge_collapse'?"),
    (["--sim=ridge_collapse,kernel"], "'kernel' is no experiment"),
    (["--sim="], "say which experiment"),
    (["--simm=all"], "--simm is no flag: did you mean 'sim'?"),
    (["ridge_collapse"], "'ridge_collapse' is no flag; flags look like --sim=NAME"),
    ([RIDGE, "--preset=quik"], "preset = 'quik': did you mean 'quick'?"),
    ([RIDGE, "--seed=-1"], "seed"),
    ([RIDGE, "--seed=half"], "seed"),
    ([RIDGE, "--precision=0"], "precision = 0.0 must be a positive number"),
    ([RIDGE, "--precision=nan"], "precision = nan must be a positive number"),
    ([RIDGE, "--executor=threads:2"], "executor = 'threads:2' must be inline or processes:N"),
    ([RIDGE, "--executor=processes:0"], "executor = 'processes:0' must be inline or processes:N"),
    (["--sim=all", "--config.risk.d=3"], "--config.* changes one experiment"),
    ([RIDGE, "--config.rsk.sigma=1"], "is no field of ridge_collapse: did you mean 'config.risk.sigma'?"),
    ([RIDGE, "--config.risk.sigma"], "has no value"),
    ([RIDGE, "--config.risk.sigma=loud"], "sigma"),
    ([RIDGE, "--config.risk.sigma=nan"], "nan"),
    ([RIDGE, "--config.risk.sigma=-0.1"], "sigma = -0.1 is outside its domain: 0 <= sigma < inf"),
    ([RIDGE, "--config.risk.sigma0=-0.1"], "sigma0 = -0.1 is outside its domain"),
    ([RIDGE, "--config.risk.lam=(0.1,-0.2)"], "lam = -0.2 is outside its domain"),
    ([RIDGE, "--config.risk.lam=()"], "lam = () is an axis and must list at least one point"),
    ([RIDGE, "--config.risk.lam=(0.1,0.1)"], "repeats a point of the axis"),
    ([RIDGE, "--config.designs.lam0=-1.0"], "lam0 = -1.0 is outside its domain"),
    ([RIDGE, "--config.risk.d=(0,)"], "d = 0"),
    ([RIDGE, "--config.risk.T_per_d=(-1.0,)"], "T = "),
    ([RIDGE, "--config.risk.replicates=0"], "replicates = 0 must be an integer of at least 1"),
    ([RIDGE, "--config.risk.replicates=2.5"], "replicates"),
    ([RIDGE, "--config.risk.generations=(-1,)"], "generations"),
    ([RIDGE, "--config.linear.T0=101"], "T0 = 101"),
    ([RIDGE, "--config.linear.T=0"], "T = 0"),
    ([RIDGE, "--config.linear.beta=-1.5"], "beta = -1.5"),
    ([OVER, "--config.generator.T0=(99,)"], "T0 = 99"),
    ([OVER, "--config.downstream.T=(60,)"], "T = 60"),
    ([OVER, "--config.generator.d=100000000"], "GiB"),
    ([KERNEL, "--config.ridge.dataset=digit"], "did you mean 'digits'?"),
    ([KERNEL, "--config.ridge.kernel=rbv"], "did you mean 'rbf'?"),
    ([KERNEL, "--config.ridge.bandwidth=0.0"], "bandwidth"),
    ([RIDGE, "--redraw"], "holds no finished run of this configuration"),
    ([RIDGE, "--out=/proc/nowhere"], "cannot write to"),
])  # fmt: skip
def test_a_wrong_request_is_one_line_and_status_2(arguments, message, capsys):
    assert run.main(arguments) == 2
    printed = capsys.readouterr()
    assert printed.out == "" and len(printed.err.splitlines()) == 1
    assert message in printed.err


def test_help_and_list(capsys):
    assert run.main(["--help"]) == 0 and "--sim" in capsys.readouterr().out
    assert run.main(["--list"]) == 0
    printed = capsys.readouterr().out
    for name in ("ridge_collapse", "overparam_collapse", "kernel_collapse", "2402.07712", "not run"):
        assert name in printed
