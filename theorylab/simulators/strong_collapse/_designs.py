"""Designs of the mixtures, and the arguments that their simulators share."""

from typing import Any

from theorylab.numerics.domain import in_domain
from theorylab.types import Vector

__all__ = ["check_non_negative", "check_rows", "check_vectors"]


def check_rows(**counts: Any) -> Any:
    """Each number of rows is an integer >= 0, and together there is at least one."""
    ok = True
    for name, n in counts.items():
        ok &= in_domain((n >= 0) & (n % 1 == 0), name, n, f"an integer {name} >= 0")
    total = sum(counts.values())
    return ok & in_domain(total >= 1, " + ".join(counts), total, "at least one row")


def check_non_negative(**values: Any) -> Any:
    """Each value, or array of values, is >= 0."""
    ok = True
    for name, value in values.items():
        ok &= in_domain((value >= 0).all() if hasattr(value, "all") else value >= 0, name, value, f"{name} >= 0")
    return ok


def check_vectors(spectrum: Vector, **vectors: Vector) -> None:
    """Each vector has an entry for every eigenvalue."""
    for name, vector in vectors.items():
        if len(vector) != len(spectrum):
            raise ValueError(f"{name} has {len(vector)} entries, but spectrum has {len(spectrum)}")
