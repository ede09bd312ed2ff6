"""A stand-alone run of the toy sweep into a folder, for tests that kill it: `driver.py FOLDER [workers]`."""

import sys
import time
from functools import partial
from pathlib import Path

import numpy as np
from toy import toy_sweep

import theorylab
from theorylab.errors import Interrupted
from theorylab.sweep.assemble import write_result
from theorylab.sweep.execute import Inline, Stop, finished_blocks, run_blocks
from theorylab.sweep.lanes import Lanes
from theorylab.sweep.plan import Plan
from theorylab.sweep.store import Store

PAUSE = 0.02  # seconds a block takes at least, so that there is time to be killed


def plan() -> Plan:
    return Plan("toy", toy_sweep(values={"d": (3,), "replicates": 400}, curve={}))


def compute(lanes: Lanes, block) -> dict[str, np.ndarray]:
    time.sleep(PAUSE)
    return lanes.compute(block)


def main(folder: str) -> int:
    theorylab.enable_x64()
    toy = plan()
    store = Store(Path(folder), "identity")
    submit = partial(Inline().submit, partial(compute, Lanes(toy, 0)))
    print("started", flush=True)
    try:
        with store.lock(), Stop().listening() as stop:
            counts, rounds = run_blocks(toy, store, submit, stop=stop)
            write_result(store.result_path("toy"), toy, counts, finished_blocks(toy, store, rounds))
    except Interrupted:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
