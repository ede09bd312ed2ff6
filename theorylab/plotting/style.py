"""The house style, and saving every figure of an experiment with its verdicts underneath."""

import importlib
import importlib.util
import logging
import textwrap
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

from theorylab.sweep.files import write_atomically
from theorylab.sweep.result import Result

__all__ = ["STYLE", "caption", "save_figures"]

STYLE: Any = {
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.25,
    "grid.linewidth": 0.5,
    "axes.titlesize": 9,
    "legend.fontsize": 8,
    "legend.frameon": False,
    "savefig.dpi": 160,
    "pdf.fonttype": 42,
    "mathtext.fontset": "cm",
}
MARKS = {"holds": "\N{CHECK MARK}", "fails": "\N{BALLOT X}", "unresolved": "?"}


def caption(figure: Figure, verdicts: Sequence[Any]) -> None:
    """The claims that a figure shows, with their verdicts, below its panels."""
    width = int(figure.get_figwidth() * 17)
    lines = [
        line
        for v in verdicts
        for line in textwrap.wrap(f"{MARKS[v.verdict]} {v.verdict}: {v.says}", width, subsequent_indent="     ")
    ]
    if not lines:
        lines = ["An observation; no claim is judged here."]
    # matplotlib's own font has the marks in text, not in mathematics
    text = figure.supxlabel("\n".join(lines).replace("$", r"\$"), fontsize=7.5, x=0.02, ha="left", color="0.25")
    text.set_linespacing(1.35)
    figure.set_figheight(figure.get_figheight() + 0.17 * len(lines))


def save_figures(
    name: str, results: Mapping[str, Result], verdicts: Mapping[str, Sequence[Any]], folder: Path
) -> list[str]:
    """Draw every `fig_...` of the module `figures.<name>` as PNG and PDF, with its verdicts. Returns their ids."""
    if importlib.util.find_spec(f"figures.{name}") is None:
        return []
    module = importlib.import_module(f"figures.{name}")
    # it complains about the dates of matplotlib's own fonts
    logging.getLogger("fontTools").setLevel(logging.ERROR)
    ids = [attribute for attribute in vars(module) if attribute.startswith("fig_")]
    with mpl.rc_context(STYLE):
        for id_ in ids:
            figure = getattr(module, id_)(results)
            caption(figure, verdicts.get(id_, []))
            for kind, undated in (("png", "Software"), ("pdf", "CreationDate")):
                save = partial(figure.savefig, format=kind, metadata={undated: None})
                write_atomically(folder / f"{id_}.{kind}", save)
                figure.set_layout_engine("none")  # laid out once, for both
    return ids
