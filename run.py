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


def command_line() -> flags.FlagValues:
    values = flags.FlagValues()
    text, number = flags.DEFINE_string, flags.DEFINE_integer
    text("sim", None, "an experiment, several separated by commas, or all", flag_values=values)
    text("preset", "quick", "size of the experiment: quick or paper", flag_values=values)
    number("seed", 0, "seed of all draws", lower_bound=0, upper_bound=2**32 - 1, flag_values=values)
    text("out", "out", "folder for results, figures and reports", flag_values=values)
    precision = "add replicates until each cell's relative 95% half-width is below this"
    flags.DEFINE_float("precision", None, precision, flag_values=values)
    text("executor", "inline", "inline, or processes:N for N worker processes", flag_values=values)
    flags.DEFINE_boolean("list", False, "list experiments, claims and last verdicts", flag_values=values)
    flags.DEFINE_boolean("redraw", False, "figures and report from stored results only", flag_values=values)
    flags.DEFINE_boolean("help", False, "show this help", flag_values=values)
    return values


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
    values = command_line()
    _parse(values, [a for a in arguments if a not in overrides], ["config.<field>"])
    if values.help:
        print(f"{__doc__}\n{values.get_help()}")
        return 0
    if values.preset not in PRESETS:
        raise UsageError(f"preset = {values.preset!r}: {nearest(values.preset, PRESETS)}")
    if values.list:
        return _list(Path(values.out))
    if not values.sim:
        raise UsageError(f"say which experiment: --sim=NAME, or --sim=all; experiments: {', '.join(names())}")
    chosen = names() if values.sim == "all" else list(dict.fromkeys(values.sim.split(",")))
    if overrides and len(chosen) > 1:
        raise UsageError("--config.* changes one experiment; give it with a single --sim")
    return _run([_request(name, values, overrides) for name in chosen])


def _parse(values: flags.FlagValues, arguments: list[str], known: list[str]) -> None:
    try:
        rest = values(["run.py", *arguments])[1:]
    except flags.UnrecognizedFlagError as error:
        raise UsageError(f"--{error.flagname} is no flag: {nearest(error.flagname, [*values, *known])}") from error
    except (flags.Error, TypeError, ValueError) as error:
        raise UsageError(str(error)) from error
    if rest:
        raise UsageError(f"{rest[0]!r} is no flag; flags look like --sim=NAME")


def _request(name: str, flag: flags.FlagValues, overrides: list[str]):
    from theorylab.runs import Request

    precision = flag.precision
    if precision is not None and not (math.isfinite(precision) and precision > 0):
        raise UsageError(f"precision = {precision} must be a positive number")
    return Request(
        name=name,
        config=_config(name, flag.preset, overrides),
        preset=flag.preset,
        seed=flag.seed,
        out=Path(flag.out),
        precision=precision,
        workers=_workers(flag.executor),
        redraw=flag.redraw,
    )


def _config(name: str, preset: str, overrides: list[str]) -> str:
    """The experiment's own configuration, locked, with the overrides, as JSON."""
    from ml_collections import config_flags

    config = load(name).get_config(preset)
    fields = _fields(config.to_dict(), "config")
    for override in overrides:
        field = re.sub(r"^--?", "", override).split("=")[0]
        if "=" not in override:
            raise UsageError(f"--{field} has no value; write --{field}=VALUE")
        if field not in fields:
            raise UsageError(f"--{field} is no field of {name}: {nearest(field, fields)}")
    values, argv = flags.FlagValues(), sys.argv
    try:
        sys.argv = ["run.py", *overrides]  # config_flags looks for the fields there
        config_flags.DEFINE_config_dict("config", config, lock_config=True, flag_values=values)
        _parse(values, overrides, fields)
        return json.dumps(values.config.to_dict(), sort_keys=True, allow_nan=False)
    except (TypeError, ValueError, SyntaxError) as error:
        raise UsageError(f"{' '.join(overrides)}: {error}") from error
    finally:
        sys.argv = argv


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
