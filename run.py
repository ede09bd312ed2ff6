"""theorylab: check machine-learning theory against simulation.

    python run.py --sim=kernel_collapse                          run, compare, draw, report
    python run.py --sim=kernel_collapse --config.risk.sigma=0.1  change a field of its configuration
    python run.py --sim=all --preset=quick                       everything, and one summary table
    python run.py --list                                         experiments, claims, last verdicts
    python run.py --sim=kernel_collapse --redraw                 figures and report from stored results

Exit status: 0 every claim held, 1 one failed, 3 none failed but one is unresolved, 2 the request was wrong.
"""

import json
import math
import re
import sys
from pathlib import Path

from absl import flags

from theorylab.errors import Interrupted, UsageError, nearest
from theorylab.experiment import PRESETS, load, names

FLAGS = flags.FlagValues()
flags.DEFINE_string("sim", None, "an experiment, several separated by commas, or all", flag_values=FLAGS)
flags.DEFINE_string("preset", "quick", "size of the experiment: quick or paper", flag_values=FLAGS)
flags.DEFINE_integer("seed", 0, "seed of all draws", lower_bound=0, upper_bound=2**32 - 1, flag_values=FLAGS)
flags.DEFINE_string("out", "out", "folder for results, figures and reports", flag_values=FLAGS)
flags.DEFINE_float(
    "precision", None, "add replicates until each cell's relative 95% half-width is below this", flag_values=FLAGS
)
flags.DEFINE_string("executor", "inline", "inline, or processes:N for N worker processes", flag_values=FLAGS)
flags.DEFINE_boolean("list", False, "list experiments, claims and last verdicts", flag_values=FLAGS)
flags.DEFINE_boolean("redraw", False, "figures and report from stored results only", flag_values=FLAGS)
flags.DEFINE_boolean("help", False, "show this help; with --sim, also the configuration", flag_values=FLAGS)


def main(arguments: list[str]) -> int:
    try:
        return _dispatch(arguments)
    except UsageError as error:
        print(f"run.py: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    except Interrupted as stopped:
        print(f"run.py: {stopped}; the same command goes on from there", file=sys.stderr)
        return 130


def _dispatch(arguments: list[str]) -> int:
    overrides = [a for a in arguments if re.match(r"--?config\b", a)]
    _parse(FLAGS, [a for a in arguments if a not in overrides], ["config.<field>"])
    if FLAGS.help:
        print(f"{__doc__}\n{FLAGS.get_help()}")
        return 0
    if FLAGS.preset not in PRESETS:
        raise UsageError(f"preset = {FLAGS.preset!r}: {nearest(FLAGS.preset, PRESETS)}")
    if FLAGS.list:
        return _list(Path(FLAGS.out))
    if not FLAGS.sim:
        raise UsageError(f"say which experiment: --sim=NAME, or --sim=all; experiments: {', '.join(names())}")
    chosen = names() if FLAGS.sim == "all" else list(dict.fromkeys(FLAGS.sim.split(",")))
    if overrides and len(chosen) > 1:
        raise UsageError("--config.* changes one experiment; give it with a single --sim")
    return _run([_request(name, overrides) for name in chosen])


def _parse(values: flags.FlagValues, arguments: list[str], known: list[str]) -> None:
    try:
        rest = values(["run.py", *arguments])[1:]
    except flags.UnrecognizedFlagError as error:
        raise UsageError(f"--{error.flagname} is no flag: {nearest(error.flagname, [*values, *known])}") from error
    except (flags.Error, TypeError, ValueError) as error:
        raise UsageError(str(error)) from error
    if rest:
        raise UsageError(f"{rest[0]!r} is no flag; flags look like --sim=NAME")


def _request(name: str, overrides: list[str]):
    from theorylab.runs import Request

    precision = FLAGS.precision
    if precision is not None and not (math.isfinite(precision) and precision > 0):
        raise UsageError(f"precision = {precision} must be a positive number")
    return Request(
        name=name,
        config=_config(name, overrides),
        preset=FLAGS.preset,
        seed=FLAGS.seed,
        out=Path(FLAGS.out),
        precision=precision,
        workers=_workers(FLAGS.executor),
        redraw=FLAGS.redraw,
    )


def _config(name: str, overrides: list[str]) -> str:
    """The experiment's own configuration, locked, with the overrides, as JSON."""
    from ml_collections import config_flags

    config = load(name).get_config(FLAGS.preset)
    values = flags.FlagValues()
    config_flags.DEFINE_config_dict("config", config, lock_config=True, flag_values=values)
    fields = _fields(config.to_dict(), "config")
    for override in overrides:
        field = re.sub(r"^--?", "", override).split("=")[0]
        if "=" not in override:
            raise UsageError(f"--{field} has no value; write --{field}=VALUE")
        if field not in fields:
            raise UsageError(f"--{field} is no field of {name}: {nearest(field, fields)}")
    try:
        _parse(values, overrides, fields)
        return json.dumps(values.config.to_dict(), sort_keys=True, allow_nan=False)
    except (TypeError, ValueError, SyntaxError) as error:
        raise UsageError(f"{' '.join(overrides)}: {error}") from error


def _fields(tree: dict, prefix: str) -> list[str]:
    return [
        field
        for name, value in tree.items()
        for field in (_fields(value, f"{prefix}.{name}") if isinstance(value, dict) else [f"{prefix}.{name}"])
    ]


def _workers(executor: str) -> int:
    match = re.fullmatch(r"inline|processes:([1-9]\d{0,3})", executor)
    if not match:
        raise UsageError(f"executor = {executor!r} must be inline or processes:N with N of at least 1")
    return int(match[1] or 0)


def _list(out: Path) -> int:
    from theorylab.runs import latest_report

    for name in names():
        module = load(name)
        report = latest_report(name, out) or {"claims": []}
        verdicts = {claim["says"]: claim["verdict"] for claim in report["claims"]}
        print(f"{name}\n  {(module.__doc__ or name).splitlines()[0]}\n  {module.PAPER}")
        for claim in module.CLAIMS:
            print(f"    {verdicts.get(claim.says, 'not run'):<10}  {claim.kind:<10}  {claim.says}")
    return 0


def _run(requests: list) -> int:
    from rich.console import Console

    from theorylab.progress import showing
    from theorylab.runs import run_experiment

    console = Console()
    reports: dict[str, dict] = {}
    for request in requests:
        try:
            with showing(console, request.name) as progress:
                reports[request.name] = run_experiment(request, progress)
        except UsageError as error:
            # the others of a batch still run
            print(f"run.py: {request.name}: {' '.join(str(error).split())}", file=sys.stderr)
    from theorylab.compare.report import exit_status, summary_table

    if reports:
        print(summary_table(reports.values()))
    for request in requests:
        if request.name in reports:
            print(f"{request.name}: figures and report in {request.out / request.name / reports[request.name]['run']}")
    verdicts = [claim["verdict"] for report in reports.values() for claim in report["claims"]]
    return exit_status(verdicts) if len(reports) == len(requests) else 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
