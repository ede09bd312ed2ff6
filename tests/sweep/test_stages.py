"""Simulators in stages: killed between two of them and resumed, a run ends as if it had never been stopped."""

import errno
import os
import pickle
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxtyping import Array, Float

from theorylab.errors import Interrupted, UsageError
from theorylab.simulators.stages import Stages, in_stages
from theorylab.sweep import files
from theorylab.sweep.execute import Inline, Stop, finished_blocks, run_blocks, run_sweep
from theorylab.sweep.lanes import Carry, Lanes
from theorylab.sweep.plan import Plan
from theorylab.sweep.spec import Sweep
from theorylab.sweep.store import Store
from theorylab.types import Key, Real

STAGES = 4
LEAVES = 12  # more than ten: their names as text are in another order
BLOCKS = 3  # of four lanes each, the last one padded


@in_stages
def simulate_walk(key: Key, offset: Real, scale: Float[Array, "s"], dims: int, leaf: tuple[int, ...]) -> Stages:
    """A random walk in float32 from `offset`, and the number of steps that it took, counted by many leaves."""

    def start():
        first = jax.random.normal(key, (dims,), jnp.float32)
        return {"at": offset + first.astype(float), "low": first, "steps": [jnp.int32(i) for i in range(LEAVES)]}

    def advance(state, stage):
        step = jax.random.normal(jax.random.fold_in(key, stage), (dims,), jnp.float32)
        low = jnp.sin(state["low"]) + step
        steps = [count + jnp.int32(1) for count in state["steps"]]
        return {"at": state["at"] + low.astype(float), "low": low, "steps": steps}

    def measure(state):
        return {"at": scale * jnp.mean(state["at"]), "steps": jnp.stack(state["steps"]).astype(float)}

    return Stages(STAGES, start, advance, measure)


def walk() -> Plan:
    values = dict(offset=(0.0, 3.0), scale=(1.0, 2.0, 4.0), dims=5, leaf=tuple(range(LEAVES)), replicates=5)
    measure = {"at": ("scale",), "steps": ("leaf",)}
    return Plan("walk", Sweep(simulate=simulate_walk, values=values, over=("offset",), measure=measure, block=4))


@pytest.fixture(scope="module")
def lanes():
    return Lanes(walk(), 0)


@pytest.fixture(scope="module")
def reference():
    return run_sweep("walk", walk().sweep).samples.load()


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path, "identity")


def finish(lanes, store, compute=None, **kwargs):
    """Run to the end; the stored blocks."""
    submit = partial(Inline().submit, compute or lanes.compute)
    _, rounds = run_blocks(lanes.plan, store, submit, **kwargs)
    return list(finished_blocks(lanes.plan, store, rounds))


def check(parts, reference):
    for block, values in parts:
        for lane, (row, replicate) in enumerate(zip(block.rows, block.replicates)):
            at = dict(offset=row, replicate=replicate)
            np.testing.assert_array_equal(values["at"][lane], reference["at"].isel(at))
            np.testing.assert_array_equal(values["steps"][lane], STAGES + np.arange(LEAVES))


def carries(store):
    return sorted(store.root.glob("blocks/walk/*.carry.npz"))


def killed_after(tasks, lanes, store):
    """Compute so many stages, then raise; what was asked for is recorded."""
    asked = []

    def compute(block, carry):
        if len(asked) == tasks:
            raise ZeroDivisionError
        asked.append((block.name, 0 if carry is None else int(carry["stage"][0])))
        return lanes.compute(block, carry)

    with pytest.raises(ZeroDivisionError):
        finish(lanes, store, compute)
    return asked


def test_stage_by_stage_equals_the_whole_at_once(reference):
    for offset in (0, 1):
        for replicate in (0, 4):
            key = jax.random.key(np.uint32(0))
            for word in (*walk().keys[offset], np.uint32(replicate)):
                key = jax.random.fold_in(key, word)
            whole = simulate_walk(key, float(reference.offset[offset]), jnp.array([1.0, 2.0, 4.0]), 5, (0,))
            np.testing.assert_allclose(whole["at"], reference["at"][offset, replicate], rtol=1e-6)


@pytest.mark.parametrize("tasks", [1, STAGES - 1, STAGES, STAGES + 2, BLOCKS * STAGES - 1])
def test_killed_between_stages_and_resumed_the_result_is_bit_identical(lanes, store, reference, tasks):
    before = killed_after(tasks, lanes, store)
    assert len(carries(store)) == (tasks % STAGES > 0)
    after = []

    def compute(block, carry):
        after.append((block.name, 0 if carry is None else int(carry["stage"][0])))
        return lanes.compute(block, carry)

    check(finish(lanes, Store(store.root, "identity"), compute), reference)
    assert len({*before, *after}) == len(before) + len(after) == BLOCKS * STAGES  # no stage is computed twice
    assert not carries(store)


KILLED = """
import os, signal, sys
from functools import partial
import theorylab
theorylab.enable_x64()
from test_stages import Inline, Lanes, Store, Path, run_blocks, walk
lanes, tasks = Lanes(walk(), 0), []
def compute(block, carry):
    tasks.append(block)
    if len(tasks) == 7:
        os.kill(os.getpid(), signal.SIGKILL)
    return lanes.compute(block, carry)
run_blocks(lanes.plan, Store(Path(sys.argv[1]), "identity"), partial(Inline().submit, compute))
"""


def test_a_process_that_is_killed_resumes_in_another_process_bit_identically(lanes, store, reference):
    env = {**os.environ, "PYTHONPATH": f"{Path(__file__).parent}:{Path(__file__).parents[2]}"}
    done = subprocess.run([sys.executable, "-c", KILLED, str(store.root)], env=env, timeout=120)
    assert done.returncode == -signal.SIGKILL
    assert len(carries(store)) == 1 and len(list(store.root.glob("blocks/walk/*.npz"))) == 2
    check(finish(lanes, store), reference)


@pytest.mark.parametrize("damage", [
    lambda path: path.write_bytes(path.read_bytes()[:-50]),
    lambda path: path.write_bytes(path.read_bytes().replace(b"stage", b"other")),
    lambda path: path.write_bytes(b""),
])  # fmt: skip
def test_a_damaged_carry_is_set_aside_and_the_block_computed_anew(lanes, store, reference, damage):
    killed_after(2, lanes, store)
    damage(carries(store)[0])
    check(finish(lanes, store), reference)
    assert [path.name for path in store.set_aside] == ["0-0-0.carry.corrupt"]


def test_the_carry_of_another_run_is_never_taken_up(lanes, store, reference):
    killed_after(2, Lanes(walk(), 1), store)
    mine = Store(store.root, "another identity")
    check(finish(lanes, mine), reference)
    assert len(mine.set_aside) == 1


def test_an_interrupt_leaves_after_the_stage_in_flight(lanes, store, reference):
    stop = Stop()

    def compute(block, carry):
        stop.requested = carry is not None
        return lanes.compute(block, carry)

    with pytest.raises(Interrupted, match="0 of 3 blocks stored"):
        finish(lanes, store, compute, stop=stop)
    with np.load(carries(store)[0]) as file:
        assert file["stage"].tolist() == [2, 2, 2, 2]
    check(finish(lanes, store), reference)


def test_a_full_disk_keeps_the_stages_that_were_finished(lanes, store, reference, monkeypatch):
    written, flush = [], files._flush

    def full(path):
        written.append(path)
        if len(written) > 4:
            raise OSError(errno.ENOSPC, "No space left on device")
        flush(path)

    monkeypatch.setattr(files, "_flush", full)
    with pytest.raises(UsageError, match="No space left on device"):
        finish(lanes, store)
    monkeypatch.undo()
    with np.load(carries(store)[0]) as file:
        assert file["stage"].tolist() == [2, 2, 2, 2]
    check(finish(lanes, store), reference)


def test_what_is_carried_travels_to_workers_and_back():
    sent = pickle.loads(pickle.dumps(Carry(stage=np.ones(2))))
    assert isinstance(sent, Carry) and sent["stage"].tolist() == [1, 1]
