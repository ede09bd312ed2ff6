"""`cite(f)`: the BibTeX of the papers that a docstring names as `Source: @key`."""

import inspect
import re
from collections.abc import Callable
from functools import cache
from importlib import resources

__all__ = ["cite"]


@cache
def _bibliography() -> dict[str, str]:
    text = resources.files("theorylab").joinpath("bibliography.bib").read_text(encoding="utf-8")
    entries = [entry.strip() for entry in re.split(r"\n(?=@)", text)]
    return {match[1]: entry for entry in entries if (match := re.match(r"@\w+\{([^,\s]+),", entry))}


def cite(function: Callable | str) -> str:
    """BibTeX entries of the sources of a predictor, a simulator or a module, or of a key of the bibliography.

    Raises ValueError when the docstring names no source, or the bibliography lacks it.
    """
    doc = function if isinstance(function, str) else inspect.getdoc(function) or ""
    keys = list(dict.fromkeys(re.findall(r"@([a-z]+\d{4}[a-z]+)", f"@{doc}" if " " not in doc else doc)))
    if not keys:
        raise ValueError(f"{getattr(function, '__name__', function)!r} names no source (@key) in its docstring")
    missing = [key for key in keys if key not in _bibliography()]
    if missing:
        raise ValueError(f"the bibliography has no entry {missing[0]!r}")
    return "\n\n".join(_bibliography()[key] for key in keys)
