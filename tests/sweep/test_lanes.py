"""Draws depend on the cell and the replicate alone; one program per group."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from toy import TRACES, simulate, toy_sweep

from theorylab.errors import UsageError
from theorylab.sweep.execute import check_plan, run_sweep
from theorylab.sweep.lanes import Lanes
from theorylab.sweep.memory import peak_bytes
from theorylab.sweep.plan import Plan
from theorylab.types import Key, Real, Vector


def samples(sweep, **kwargs):
    return run_sweep("toy", sweep, **kwargs).samples.risk


def test_the_simulation_agrees_with_its_theory_and_varies_as_it_should():
    result = run_sweep("toy", toy_sweep(values={"replicates": 2000}))
    z = (result.mean("risk") - result.theory.risk) / result.sem("risk")
    assert np.abs(z).max() < 5  # 4 independent cells; a chance of 2e-6
    # the variance of a mean of T squared normals is 2 sigma^4 / T
    spread = result.samples.risk.std("replicate", ddof=1) / result.theory.risk
    expected = np.sqrt(2 * 0.5**4 / result.samples.T) / 0.5
    assert np.allclose(spread.isel(lam=0, generations=0), expected, rtol=0.12)


def test_draws_do_not_depend_on_blocks_on_the_grid_or_on_the_number_of_replicates():
    whole = samples(toy_sweep())
    for changes in (
        dict(block=7),
        dict(block=64),
        dict(values={"replicates": 37}),
        dict(values={"d": (5, 4, 3)}),
        dict(values={"T_per_d": (4.0, 1.0, 2.0)}),
    ):
        other = samples(toy_sweep(**changes)).sel(d=whole.d, T_per_d=whole.T_per_d).isel(replicate=slice(0, 20))
        np.testing.assert_array_equal(whole, other)
    np.testing.assert_allclose(whole, samples(toy_sweep(batch=1)), rtol=1e-13)


def test_draws_depend_on_the_seed_the_cell_the_replicate_and_the_sweep():
    whole = samples(toy_sweep())
    assert len(np.unique(whole.isel(lam=0, generations=0))) == 4 * 20
    assert not np.any(whole == samples(toy_sweep(), seed=1))
    assert not np.any(whole.values == run_sweep("other", toy_sweep()).samples.risk.values)


def test_paired_cells_share_their_draws():
    paired = samples(toy_sweep(paired=("d",), derive=dict(problem=toy_sweep().derive["problem"], T=lambda T_per_d: 8)))
    np.testing.assert_allclose(paired.sel(d=3), paired.sel(d=5), rtol=1e-14)


def test_a_group_is_traced_and_compiled_once_however_many_blocks_it_has():
    plan = Plan("toy", toy_sweep(values={"d": (4,), "T_per_d": (2.0,), "replicates": 100}))
    lanes = Lanes(plan, 0)
    blocks = plan.blocks({0: (0, 100)})
    lanes.compute(blocks[0])
    TRACES.clear()
    for block in blocks[1:]:
        lanes.compute(block)
    assert len(blocks) == 7 and TRACES == []
    assert lanes._programs[0, "whole"][1]._cache_size() == 1


def test_cells_of_one_shape_are_one_group():
    sweep = toy_sweep(over=("sigma", "T_per_d"), values={"d": 3, "sigma": (0.1, 0.2, 0.3)})
    plan = Plan("toy", sweep)
    assert [len(group.cells) for group in plan.groups] == [3, 3]
    assert list(plan.groups[0].stacked) == ["sigma"] and plan.groups[0].stacked["sigma"].shape == (3,)


def test_theory_is_traced_once_per_group_of_points():
    TRACES.clear()
    run_sweep("toy", toy_sweep(values={"replicates": 1, "d": (3,)}, curve={}))
    # once in the first cell, once more for each further point of an inner axis and cell, once to compile
    assert TRACES.count("predict") == 1 + (2 + 1) + 1


def test_memory_is_read_off_the_traced_program():
    import jax

    jaxpr = jax.make_jaxpr(lambda x: (x[:, None] * x[None, :]).sum())(np.zeros(1000))
    assert 8e6 <= peak_bytes(jaxpr) <= 2.1 * 8e6


@pytest.mark.parametrize(
    "changes, message",
    [
        (
            dict(values={"T_per_d": (2.0, 1e12)}),
            "available; the largest cell of this grid that fits is d=5, T_per_d=2",
        ),
        (dict(measure={"risk": ("generations", "lam")}), "with axes ('generations', 'lam'), shape (2, 3)"),
        (dict(measure={"error": ("lam", "generations")}, predict=None), "returns only ['risk']"),
    ],
)
def test_what_cannot_run_is_refused_before_it_is_compiled(changes, message):
    with pytest.raises(UsageError) as caught:
        check_plan(Plan("toy", toy_sweep(**changes)), 0)
    assert message in str(caught.value)


def test_lanes_are_sharded_over_all_local_devices(tmp_path):
    """Two forced host devices give the draws of one (reductions may differ in the last digit)."""
    script = (
        "import jax, numpy as np, sys; jax.config.update('jax_enable_x64', True)\n"
        "from toy import toy_sweep; from theorylab.sweep.execute import run_sweep\n"
        "assert jax.local_device_count() == 2\n"
        "np.save(sys.argv[1], run_sweep('toy', toy_sweep()).samples.risk.values)"
    )
    here = Path(__file__).parent
    out = tmp_path / "sharded.npy"
    env = {
        **os.environ,
        "XLA_FLAGS": "--xla_force_host_platform_device_count=2",
        "PYTHONPATH": f"{here}:{here.parents[1]}",
    }
    subprocess.run([sys.executable, "-c", script, str(out)], env=env, check=True, timeout=120)
    np.testing.assert_allclose(np.load(out), samples(toy_sweep()).values, rtol=1e-12)


def test_what_is_not_measured_is_left_out():
    def more(key: Key, spectrum: Vector, offset: Real, T: int, lam: Vector, sigma: Real, generations: tuple[int, ...]):
        return {**simulate(key, spectrum, offset, T, lam, sigma, generations), "other": spectrum}

    result = run_sweep("toy", toy_sweep(simulate=more))
    assert set(result.samples) == {"count", "risk"}
    np.testing.assert_array_equal(result.samples.risk, samples(toy_sweep()))
