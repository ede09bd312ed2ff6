"""One run of one experiment, from a locked configuration to figures and a report."""

import json
import os
import time
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from theorylab import enable_x64
from theorylab.errors import UsageError
from theorylab.experiment import build, load
from theorylab.provenance import identity, provenance
from theorylab.sweep.files import write_text

if TYPE_CHECKING:
    from theorylab.sweep.plan import Block, Plan

__all__ = ["Request", "latest_report", "prepare_jax", "run_experiment"]


@dataclass(frozen=True, kw_only=True)
class Request:
    """What the command line asks of one experiment. `config` is the JSON of its locked configuration."""

    name: str
    config: str
    preset: str = "quick"
    seed: int = 0
    out: Path = Path("out")
    precision: float | None = None
    workers: int = 0
    redraw: bool = False


def prepare_jax() -> None:
    """float64, one BLAS thread, and a compilation cache that outlives the process."""
    # XLA calls BLAS from threads of its own: more of them wait for each other (measured: 1.5 times slower, and erratic)
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    import jax

    enable_x64()
    cache = os.environ.get("XDG_CACHE_HOME", os.path.join(os.path.expanduser("~"), ".cache"))
    jax.config.update("jax_compilation_cache_dir", os.path.join(cache, "theorylab", "jax"))
    # the default of one second keeps almost nothing of what is compiled on a CPU
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)


def run_experiment(request: Request, progress: Callable[[str, int, int], Any] = lambda *_: None) -> dict[str, Any]:
    """Simulate (or take up what is stored), compare, draw and report. Returns the content of report.json.

    Raises UsageError before any long work for a request that cannot be met, and Interrupted when asked to stop.
    """
    module = load(request.name)
    with ExitStack() as stack:
        root = _stored_run(request) if request.redraw else _simulate(request, module, progress, stack)
        return _finish(request, module, root)


def latest_report(name: str, out: Path) -> dict[str, Any] | None:
    """report.json of the newest run of an experiment, if there is a readable one."""
    for path in sorted((out / name).glob("*/report.json"), key=lambda path: path.stat().st_mtime, reverse=True):
        with suppress(OSError, ValueError):
            return json.loads(path.read_text(encoding="utf-8"))
    return None


def _configuration(request: Request) -> dict[str, Any]:
    return {"name": request.name, "preset": request.preset, "seed": request.seed, "config": json.loads(request.config)}


def _stored_run(request: Request) -> Path:
    """The newest folder whose run had this configuration."""
    for path in sorted((request.out / request.name).glob("*/provenance.json"), key=lambda p: -p.stat().st_mtime):
        with suppress(OSError, ValueError):
            if json.loads((path.parent / "config.json").read_text(encoding="utf-8")) == _configuration(request):
                return path.parent
    raise UsageError(
        f"redraw: {request.out / request.name} holds no finished run of this configuration; run once without --redraw"
    )


def _simulate(request: Request, module: ModuleType, progress: Callable, stack: ExitStack) -> Path:
    start = time.monotonic()
    prepare_jax()
    from theorylab.sweep.assemble import write_result
    from theorylab.sweep.execute import Precision, Stop, check_plan, finished_blocks, run_blocks
    from theorylab.sweep.plan import Plan
    from theorylab.sweep.store import Store

    plans = {name: Plan(name, sweep) for name, sweep in build(module, request.config).sweeps.items()}
    for plan in plans.values():
        check_plan(plan, request.seed)
    digest = identity(request.config, request.seed, plans.values())
    store = Store(request.out / request.name / f"{request.preset}-{digest[:12]}", digest)
    stack.enter_context(store.lock())
    store.write_json("config.json", _configuration(request))
    stop = stack.enter_context(Stop().listening())
    submit = _submitter(request, stack)
    target = Precision(target=request.precision) if request.precision else None
    for name, plan in plans.items():
        counts, rounds = run_blocks(
            plan,
            store,
            submit(plan),
            in_flight=max(1, 2 * request.workers),
            precision=target,
            progress=progress,
            stop=stop,
        )
        write_result(store.result_path(name), plan, counts, finished_blocks(plan, store, rounds))
    details = provenance(request.seed, time.monotonic() - start)
    details["set_aside"] = [path.name for path in store.set_aside]
    store.write_json("provenance.json", details)
    return store.root


def _submitter(request: Request, stack: ExitStack) -> Callable[["Plan"], Callable[["Block"], Future]]:
    """For a plan: the function that hands one of its blocks to the executor."""
    from theorylab.sweep.execute import Inline
    from theorylab.sweep.lanes import Lanes
    from theorylab.sweep.workers import compute_block, process_pool

    if not request.workers:
        return lambda plan: partial(Inline().submit, Lanes(plan, request.seed).compute)
    pool = stack.enter_context(process_pool(request.workers))
    stack.callback(pool.shutdown, wait=False, cancel_futures=True)
    task = (request.name, request.config, request.seed)
    return lambda plan: lambda block, *carry: pool.submit(compute_block, task, block, *carry)


def _finish(request: Request, module: ModuleType, root: Path) -> dict[str, Any]:
    """Verdicts, figures and reports from stored results; simulates nothing and needs no jax."""
    from theorylab.compare.judge import judge
    from theorylab.compare.report import report_json, report_markdown
    from theorylab.plotting.style import save_figures
    from theorylab.sweep.assemble import read_result

    results = {path.stem: read_result(path) for path in sorted((root / "results").glob("*.nc"))}
    verdicts = [judge(claim, results) for claim in module.CLAIMS]
    shown: dict[str, list] = {}
    for claim, verdict in zip(module.CLAIMS, verdicts):
        shown.setdefault(claim.figure, []).append(verdict)
    figures = save_figures(request.name, results, shown, root / "figures")
    details = json.loads((root / "provenance.json").read_text(encoding="utf-8"))
    content = report_json(
        name=request.name,
        paper=module.PAPER,
        preset=request.preset,
        seed=request.seed,
        run=root.name,
        verdicts=verdicts,
        figures=figures,
        provenance=details,
    )
    write_text(root / "report.json", json.dumps(content, indent=2, allow_nan=False) + "\n")
    write_text(root / "report.md", report_markdown(content))
    return content
