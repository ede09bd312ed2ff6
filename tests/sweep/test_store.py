"""Faults: whatever happens to the process, the disk or the files, finished blocks count and damaged ones are redone."""

import concurrent.futures
import errno
import json
import os
import random
import signal
import subprocess
import sys
import time
import zipfile
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from driver import plan
from toy import toy_sweep

from theorylab.errors import Interrupted, UsageError
from theorylab.sweep import files
from theorylab.sweep.assemble import read_result, write_result
from theorylab.sweep.execute import Inline, Precision, Stop, finished_blocks, run_blocks, run_sweep
from theorylab.sweep.lanes import Lanes
from theorylab.sweep.plan import Plan
from theorylab.sweep.store import Store

HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def lanes():
    return Lanes(plan(), 0)


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "a folder, ünïcödé", "identity")


def compute(lanes, store, **kwargs):
    counts, rounds = run_blocks(lanes.plan, store, partial(Inline().submit, lanes.compute), **kwargs)
    write_result(store.result_path("toy"), lanes.plan, counts, finished_blocks(lanes.plan, store, rounds))
    return read_result(store.result_path("toy"))


@pytest.fixture(scope="module")
def reference(lanes, tmp_path_factory):
    return compute(lanes, Store(tmp_path_factory.mktemp("reference"), "identity")).samples.risk.load()


def blocks(store):
    return sorted((store.root / "blocks" / "toy").glob("*.npz"))


def test_the_file_holds_what_the_library_returns_in_memory(lanes, store):
    stored = compute(lanes, store)
    direct = run_sweep("toy", lanes.plan.sweep)
    np.testing.assert_array_equal(stored.samples.risk, direct.samples.risk)
    np.testing.assert_array_equal(stored.theory.risk, direct.theory.risk)
    assert stored.over == direct.over and stored.samples.risk.dims == direct.samples.risk.dims
    np.testing.assert_allclose(stored.mean("risk"), direct.samples.risk.mean("replicate"), rtol=1e-14)
    sem = direct.samples.risk.std("replicate", ddof=1) / 20
    np.testing.assert_allclose(stored.sem("risk"), sem, rtol=1e-12)


def start(folder):
    env = {**os.environ, "PYTHONPATH": f"{HERE}:{HERE.parents[1]}"}
    process = subprocess.Popen([sys.executable, str(HERE / "driver.py"), str(folder)], env=env, stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"started\n"
    return process


@pytest.mark.parametrize("kills", [4, pytest.param(50, marks=pytest.mark.slow)])
def test_killed_at_random_moments_and_resumed_the_result_is_bit_identical(store, reference, kills):
    moments = random.Random(kills)
    for _ in range(kills):
        process = start(store.root)
        time.sleep(moments.uniform(0.0, 0.8))
        process.kill()
        process.communicate()
    with start(store.root) as process:
        assert process.wait(60) == 0
    np.testing.assert_array_equal(read_result(store.result_path("toy")).samples.risk, reference)


def test_one_interrupt_finishes_the_block_and_keeps_it(store, reference, lanes):
    with start(store.root) as process:
        while not (store.root / "blocks" / "toy").exists() or len(blocks(store)) < 3:
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 130
    assert 3 <= len(blocks(store)) < 50
    np.testing.assert_array_equal(compute(lanes, store).samples.risk, reference)


def test_a_second_interrupt_leaves_at_once():
    with Stop().listening() as stop:
        signal.raise_signal(signal.SIGINT)
        assert stop.requested
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)


def truncate(path):
    path.write_bytes(path.read_bytes()[:-100])


def flip(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))


def object_array(path):
    np.savez(path, meta=np.array("{}"), risk=np.array([{"evil": 1}], object))


def bomb(path):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("risk.npy", bytes(10**8))


def older(path):
    with np.load(path) as file:
        content = dict(file)
    meta = {**json.loads(str(content["meta"])), "schema": 0}
    np.savez(path, **{**content, "meta": np.array(json.dumps(meta))})


def wrong_values(path):
    with np.load(path) as file:
        content = dict(file)
    np.savez(path, **{**content, "risk": content["risk"] * 1.01})


def traversal(path):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("../../risk.npy", b"x")


@pytest.mark.parametrize(
    "damage",
    [
        truncate,
        flip,
        object_array,
        bomb,
        older,
        wrong_values,
        traversal,
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(b"hello" * 100),
    ],
)
def test_a_damaged_or_foreign_block_is_set_aside_and_recomputed(lanes, store, reference, damage):
    compute(lanes, store)
    damage(blocks(store)[2])
    np.testing.assert_array_equal(compute(lanes, store).samples.risk, reference)
    assert [path.suffix for path in store.set_aside] == [".corrupt"] and store.set_aside[0].exists()


def test_blocks_of_another_run_are_never_mixed_in(lanes, store, reference):
    other = Lanes(plan(), 1)
    compute(other, store)
    mine = Store(store.root, "another identity")
    np.testing.assert_array_equal(compute(lanes, mine).samples.risk, reference)
    assert len(mine.set_aside) == len(blocks(mine))


@pytest.mark.parametrize("failing", range(0, 6))
def test_a_full_disk_keeps_what_was_finished(lanes, store, reference, monkeypatch, failing):
    written = []
    flush = files._flush

    def full(path):
        written.append(path)
        if len(written) > failing:
            raise OSError(errno.ENOSPC, "No space left on device")
        flush(path)

    monkeypatch.setattr(files, "_flush", full)
    with pytest.raises(UsageError, match="No space left on device; finished blocks are kept"):
        compute(lanes, store)
    monkeypatch.undo()
    assert len(blocks(store)) == (failing + 1) // 2  # a file is flushed, put in place, then its folder is flushed
    np.testing.assert_array_equal(compute(lanes, store).samples.risk, reference)


def test_a_folder_that_cannot_be_written_is_refused_at_once(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="out: cannot write to"):
        Store(tmp_path / "file" / "run", "identity")


def test_two_drivers_in_one_folder_are_kept_apart(store):
    with (
        store.lock(),
        pytest.raises(UsageError, match="another process is working in"),
        Store(store.root, "identity").lock(),
    ):
        pass


def test_a_worker_that_raises_or_dies_keeps_what_was_finished(lanes, store, reference):
    def failing(error, block):
        if len(blocks(store)) == 3 if (store.root / "blocks" / "toy").exists() else False:
            raise error
        return lanes.compute(block)

    with pytest.raises(ZeroDivisionError):
        run_blocks(lanes.plan, store, partial(Inline().submit, failing, ZeroDivisionError()))
    broken = concurrent.futures.BrokenExecutor()
    with pytest.raises(UsageError, match="a worker process died"):
        run_blocks(lanes.plan, store, partial(Inline().submit, failing, broken))
    assert len(blocks(store)) == 3
    np.testing.assert_array_equal(compute(lanes, store).samples.risk, reference)


def test_a_stop_before_the_first_block_says_what_is_stored(lanes, store):
    stop = Stop()
    stop.requested = True
    with pytest.raises(Interrupted, match="0 of 50 blocks stored"):
        compute(lanes, store, stop=stop)


def test_precision_adds_replicates_where_they_are_needed_and_resumes_the_same(store):
    sweep = toy_sweep(values={"d": (3,), "T_per_d": (2.0, 40.0), "replicates": 20}, curve={})
    lanes = Lanes(Plan("toy", sweep), 0)
    result = compute(lanes, store, precision=Precision(target=0.05))
    few, many = result.samples["count"].values.ravel()[::-1]
    assert many > few >= 20
    width = 1.97 * (result.sem("risk") / result.mean("risk")).isel(lam=0, generations=0)
    assert float(width.max()) <= 0.051
    assert int(np.isfinite(result.samples.risk.isel(lam=0, generations=0)).sum()) == few + many
    again = compute(lanes, Store(store.root, "identity"), precision=Precision(target=0.05))
    np.testing.assert_array_equal(again.samples.risk, result.samples.risk)


def test_precision_stops_at_its_cap(store):
    sweep = toy_sweep(values={"d": (3,), "T_per_d": (2.0,), "replicates": 8}, curve={})
    result = compute(Lanes(Plan("toy", sweep), 0), store, precision=Precision(target=1e-6, cap=50))
    assert result.samples["count"].values.ravel().tolist() == [50]
