"""Local worker processes: each builds the experiment from its name and configuration, and computes blocks of it.

Imports no jax at the top: a worker sets its threads before jax starts.
"""

import concurrent.futures
import multiprocessing
import os
from typing import Any

from theorylab.sweep.plan import Block

__all__ = ["WorkerTask", "process_pool"]

WorkerTask = tuple[str, str, int]  # experiment, configuration as JSON, seed

_lanes: dict[tuple[WorkerTask, str], Any] = {}


def process_pool(workers: int) -> concurrent.futures.ProcessPoolExecutor:
    """`workers` fresh processes of one thread each, pinned to a core of its own where the system allows it."""
    context = multiprocessing.get_context("spawn")
    counter = context.Value("i", 0)
    return concurrent.futures.ProcessPoolExecutor(workers, context, initializer=_start, initargs=(counter,))


def compute_block(task: WorkerTask, block: Block, *carry: Any) -> dict[str, Any]:
    """One block, or one stage of it, in a worker."""
    if (task, block.sweep) not in _lanes:
        _lanes[task, block.sweep] = _build(task, block.sweep)
    return _lanes[task, block.sweep].compute(block, *carry)


def _start(counter: Any) -> None:
    import signal

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the driver decides when to stop
    os.environ["XLA_FLAGS"] = (
        os.environ.get("XLA_FLAGS", "") + " --xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
    ).strip()
    with counter.get_lock():
        number = counter.value
        counter.value += 1
    if hasattr(os, "sched_setaffinity"):
        cores = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, {cores[number % len(cores)]})


def _build(task: WorkerTask, sweep: str) -> Any:
    from theorylab.experiment import build, load
    from theorylab.runs import prepare_jax
    from theorylab.sweep.lanes import Lanes
    from theorylab.sweep.plan import Plan

    name, config, seed = task
    prepare_jax()
    return Lanes(Plan(sweep, build(load(name), config).sweeps[sweep]), seed)
