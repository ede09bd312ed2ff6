"""Running the blocks of a sweep on an executor, resuming what a store already holds, adding rounds for precision."""

import concurrent.futures
import os
import signal
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats

from theorylab.errors import Interrupted, UsageError
from theorylab.sweep.assemble import result_in_memory
from theorylab.sweep.lanes import Carry, Lanes
from theorylab.sweep.plan import Block, Plan, Range
from theorylab.sweep.predict import check_predictors
from theorylab.sweep.result import Result
from theorylab.sweep.spec import Sweep
from theorylab.sweep.store import Store

__all__ = ["Inline", "Progress", "Stop", "check_plan", "finished_blocks", "run_blocks", "run_sweep"]

Values = Mapping[str, np.ndarray]
Progress = Callable[[str, int, int], Any]  # sweep, blocks done, blocks in all

ROUNDS = 12
"""At most so many rounds for `--precision`; each doubles the replicates of the cells that need more."""


class Inline(concurrent.futures.Executor):
    """Runs each task at once, in this process."""

    def submit(self, fn: Callable, /, *args: Any, **kwargs: Any) -> concurrent.futures.Future:
        future: concurrent.futures.Future = concurrent.futures.Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future


class Stop:
    """Set by the first interrupt: finish the blocks in flight, then leave. The second interrupt leaves at once."""

    def __init__(self) -> None:
        self.requested = False

    @contextmanager
    def listening(self) -> Iterator["Stop"]:
        def handle(*_: Any) -> None:
            if self.requested:
                raise KeyboardInterrupt
            self.requested = True

        previous = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield self
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)


@dataclass(frozen=True, kw_only=True)
class Precision:
    """Add replicates until the 95% half-width of the pooled relative mean of every cell is at most `target`."""

    target: float
    cap: int = 100_000


def run_sweep(name: str, sweep: Sweep, seed: int = 0) -> Result:
    """Simulate and predict one sweep in this process, in memory: the library's way in.

    Raises UsageError, before anything is compiled, when the sweep is outside a domain, ill-shaped or too large.
    """
    plan = Plan(name, sweep)
    check_plan(plan, seed)
    blocks: list[tuple[Block, Values]] = []
    counts = np.full(len(plan.points), sweep.values.get("replicates", 0))
    if sweep.simulate:
        lanes = Lanes(plan, seed)
        first = plan.blocks({cell: (0, int(n)) for cell, n in enumerate(counts)})
        blocks = [(block, _all_stages(lanes, block)) for block in first]
    return result_in_memory(plan, counts, blocks)


def _all_stages(lanes: Lanes, block: Block) -> Values:
    values = lanes.compute(block)
    while isinstance(values, Carry):
        values = lanes.compute(block, values)
    return values


def check_plan(plan: Plan, seed: int) -> None:
    """Refuse what cannot work, before anything is compiled."""
    check_predictors(plan.sweep, plan.binding)
    if plan.sweep.simulate:
        Lanes(plan, seed).check()


def run_blocks(
    plan: Plan,
    store: Store,
    submit: Callable[..., concurrent.futures.Future],
    *,
    in_flight: int = 1,
    precision: Precision | None = None,
    progress: Progress = lambda *_: None,
    stop: Stop | None = None,
) -> tuple[np.ndarray, list[list[Block]]]:
    """Make every block of a plan durable. Returns the replicates of every cell and the blocks, round by round.

    What the store already holds is not computed again. Further rounds depend on stored numbers alone, so that a
    resumed run takes the same decisions. A block of a simulator in stages is submitted once per stage, with what is
    stored of the stage before, so that a resumed run goes the same way as one that was never stopped.
    """
    counts = np.zeros(len(plan.points), int)
    rounds: list[list[Block]] = []
    if not plan.sweep.simulate:
        return counts, rounds
    needs: dict[int, Range] = {cell: (0, plan.sweep.values["replicates"]) for cell in range(len(counts))}
    while needs and len(rounds) < ROUNDS:
        blocks = plan.blocks(needs, len(rounds))
        _run_round(plan, blocks, store, submit, in_flight, progress, stop or Stop())
        rounds.append(blocks)
        for cell, (_, end) in needs.items():
            counts[cell] = end
        needs = _more(plan, store, rounds, counts, precision) if precision else {}
    return counts, rounds


def finished_blocks(plan: Plan, store: Store, rounds: list[list[Block]]) -> Iterator[tuple[Block, Values]]:
    """Stored blocks, read one at a time."""
    for blocks in rounds:
        for block in blocks:
            values = store.read_block(block, _shapes(plan))
            if values is None:
                raise UsageError(f"a stored block of sweep {plan.name!r} was damaged; run again to recompute it")
            yield block, values


def _run_round(
    plan: Plan, blocks: list[Block], store: Store, submit: Callable, in_flight: int, progress: Progress, stop: Stop
) -> None:
    todo = [block for block in blocks if store.read_block(block, _shapes(plan)) is None]
    done = len(blocks) - len(todo)
    progress(plan.name, done, len(blocks))
    waiting: dict[concurrent.futures.Future, Block] = {}
    queue, lanes = deque(todo), Lanes(plan, 0)
    while True:
        while len(waiting) < in_flight and not stop.requested and queue:
            block = queue.popleft()
            waiting[submit(block, *_carried(lanes, store, block))] = block
        if not waiting:
            break
        finished, _ = concurrent.futures.wait(waiting, return_when=concurrent.futures.FIRST_COMPLETED)
        for future in finished:
            block = waiting.pop(future)
            if _keep(store, block, future):
                done += 1
                progress(plan.name, done, len(blocks))
            else:
                queue.appendleft(block)
    if done < len(blocks):
        raise Interrupted(f"stopped in sweep {plan.name!r} with {done} of {len(blocks)} blocks stored")


def _carried(lanes: Lanes, store: Store, block: Block) -> tuple[Carry | None, ...]:
    """For a simulator in stages: what the store holds of the block, if anything."""
    stages = lanes.stages(block)
    if stages is None:
        return ()
    carry = store.read_block(block, stages[1], carry=True)
    return (None if carry is None else Carry(carry),)


def _keep(store: Store, block: Block, future: concurrent.futures.Future) -> bool:
    """Make what was computed durable; whether the block is finished."""
    try:
        values = future.result()
        unfinished = isinstance(values, Carry)
        store.write_block(block, values, carry=unfinished)
        return not unfinished
    except concurrent.futures.BrokenExecutor as error:
        raise UsageError(
            f"a worker process died in sweep {block.sweep!r} (out of memory?); "
            "finished blocks are kept, start again to go on"
        ) from error
    except OSError as error:
        raise UsageError(
            f"out: cannot write to {store.root}: {os.strerror(error.errno or 0)}; finished blocks are kept"
        ) from error


def _shapes(plan: Plan) -> dict[str, tuple[int, ...]]:
    return {name: plan.inner_shape(name) for name in plan.sweep.measure}


def _more(
    plan: Plan, store: Store, rounds: list[list[Block]], counts: np.ndarray, precision: Precision
) -> dict[int, Range]:
    """Cells whose pooled mean is not yet known well enough, and the replicates to add."""
    needs: dict[int, Range] = {}
    width = _half_widths(plan, finished_blocks(plan, store, rounds), counts)
    for cell, count in enumerate(counts):
        if not width[cell] <= precision.target and count < precision.cap:
            wanted = count * min(4.0, max(2.0, (width[cell] / precision.target) ** 2))
            needs[cell] = (int(count), min(precision.cap, int(np.ceil(wanted)) if np.isfinite(wanted) else 2 * count))
    return needs


def _half_widths(plan: Plan, parts: Iterator[tuple[Block, Values]], counts: np.ndarray) -> np.ndarray:
    """Half-width of the 95% interval of each cell's pooled mean, relative to it; the widest measurement counts."""
    pooled: dict[str, list[list[float]]] = {name: [[] for _ in plan.points] for name in plan.sweep.measure}
    for block, values in parts:
        cells = plan.groups[block.group].cells
        for name, lanes in values.items():
            for row, lane in zip(block.rows, lanes.reshape(len(block.rows), -1).mean(axis=1)):
                pooled[name][cells[row]].append(float(lane))
    width = np.zeros(len(counts))
    for cells_of_name in pooled.values():
        for cell, lane_means in enumerate(cells_of_name):
            n = len(lane_means)
            sem = np.std(lane_means, ddof=1) / np.sqrt(n) if n > 1 else np.inf
            width[cell] = max(width[cell], stats.t.ppf(0.975, max(n - 1, 1)) * sem / abs(np.mean(lane_means)))
    return width
