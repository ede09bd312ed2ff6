"""Verdicts for people and for programs: the report of one run, the summary of a batch, the exit status."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from theorylab.compare.judge import Verdict

__all__ = ["exit_status", "report_json", "report_markdown", "summary_table"]

MARKS = {"holds": "\N{CHECK MARK}", "fails": "\N{BALLOT X}", "unresolved": "?"}


def report_json(
    *,
    name: str,
    paper: str,
    preset: str,
    seed: int,
    run: str,
    verdicts: Iterable[Verdict],
    figures: Sequence[str] = (),
    provenance: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """The content of report.json: plain dicts, lists, strings and finite numbers; what is not finite becomes None."""
    return _plain(
        dict(
            name=name,
            paper=paper,
            preset=preset,
            seed=seed,
            run=run,
            claims=[asdict(verdict) for verdict in verdicts],
            figures=figures,
            provenance=provenance or {},
        )
    )


def report_markdown(report: Mapping[str, Any]) -> str:
    """The same for people, from what `report_json` returns."""
    lines = [
        f"# {report['name']}",
        "",
        report["paper"],
        "",
        f"preset {report['preset']}, seed {report['seed']}, run `{report['run']}`",
        "",
        "| | claim | estimate [95% interval] | allowed | at | replicates | needed |",
        "|---|---|---|---|---|---|---|",
        *(_row(claim) for claim in report["claims"]),
        "",
    ]
    if noted := [claim for claim in report["claims"] if claim["note"]]:
        lines += ["## Notes", "", *(f"- {_cell(claim['says'])}: {claim['note']}" for claim in noted), ""]
    if report["figures"]:
        lines += ["## Figures", "", *(f"- ![{figure}](figures/{figure}.png)" for figure in report["figures"]), ""]
    if report["provenance"]:
        lines += ["## Provenance", "", *(f"- {key}: {_text(value)}" for key, value in report["provenance"].items()), ""]
    return "\n".join(lines)


def summary_table(reports: Iterable[Mapping[str, Any]]) -> str:
    """One line for each run, and below it each claim that does not hold; plain text, for any terminal or none."""
    words = ("holds", "fails", "unresolved")
    rows: list[Sequence[str]] = [("experiment", "preset", *words)]
    open_claims = []
    for report in reports:
        verdicts = [claim["verdict"] for claim in report["claims"]]
        rows.append((report["name"], report["preset"], *(str(verdicts.count(word)) for word in words)))
        open_claims += [
            f"{report['name']}: {claim['verdict']}: {claim['says']}{_hint(claim)}"
            for claim in report["claims"]
            if claim["verdict"] != "holds"
        ]
    widths = [max(map(len, column)) for column in zip(*rows)]
    table = ["  ".join(text.ljust(width) for text, width in zip(row, widths)).rstrip() for row in rows]
    return "\n".join([table[0], "-" * len(table[0]), *table[1:], *open_claims])


def exit_status(verdicts: Iterable[Verdict | str]) -> int:
    """0 when every claim holds, 1 when one fails, 3 when none fails but one is unresolved."""
    words = {verdict if isinstance(verdict, str) else verdict.verdict for verdict in verdicts}
    return 1 if "fails" in words else 3 if "unresolved" in words else 0


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_plain(entry) for entry in value]
    if hasattr(value, "tolist"):  # NumPy scalars and arrays
        return _plain(value.tolist())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if value is None or isinstance(value, (str, int)) else str(value)


def _row(claim: Mapping[str, Any]) -> str:
    low, high = claim["interval"] or (None, None)
    estimate = "" if claim["estimate"] is None else f"{_number(claim['estimate'])} [{_number(low)}, {_number(high)}]"
    at = ", ".join(f"{name} = {_number(value)}" for name, value in (claim["at"] or {}).items())
    cells = [
        f"{MARKS[claim['verdict']]} {claim['verdict']}",
        claim["says"],
        estimate,
        _allowed(claim),
        at,
        _number(claim["replicates"]),
        _number(claim["need"]),
    ]
    return f"| {' | '.join(map(_cell, cells))} |"


def _allowed(claim: Mapping[str, Any]) -> str:
    if claim["margin"] is None:
        return ""
    margin = _number(claim["margin"])
    return {"order": "> 0", "bound": f"< {margin}", "identity": f"<= {margin}"}.get(claim["kind"], f"± {margin}")


def _hint(claim: Mapping[str, Any]) -> str:
    return f" ({claim['need']} replicates would settle it)" if claim["need"] else ""


def _number(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _text(value: Any) -> str:
    return ", ".join(f"{key} {entry}" for key, entry in value.items()) if isinstance(value, Mapping) else str(value)


def _cell(text: str) -> str:
    return " ".join(text.replace("|", r"\|").split())
