"""Errors that a user can act on; the command line turns them into one line and an exit status."""

import difflib
from collections.abc import Iterable

__all__ = ["Interrupted", "UsageError", "nearest"]


class UsageError(ValueError):
    """The request cannot be carried out as stated; the message names what is wrong and what is allowed."""


class Interrupted(Exception):
    """The run was asked to stop; what was finished is stored."""


def nearest(name: str, allowed: Iterable[str]) -> str:
    """A suffix for an error message: the nearest allowed name, or all of them."""
    allowed = sorted(allowed)
    close = difflib.get_close_matches(name, allowed, n=1)
    return f"did you mean {close[0]!r}?" if close else f"allowed: {', '.join(allowed) or 'none'}"
