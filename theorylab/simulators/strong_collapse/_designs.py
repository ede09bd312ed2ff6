"""Designs of the mixtures, and the arguments that their simulators share."""

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Float

from theorylab.numerics.domain import in_domain
from theorylab.numerics.random_matrices import chi_square
from theorylab.types import Array, Key, Real, Vector

__all__ = ["check_non_negative", "check_rows", "check_vectors", "gram_rows"]


def gram_rows(key: Key, n: Real, d: int) -> Float[Array, "d d"]:
    """R, upper triangular, with R'R distributed as X'X for n rows X of d independent standard normals.

        R_ii^2 ~ chi-square with n - i degrees of freedom (i = 0, 1, ..), R_ij ~ N(0, 1) for j > i, rows from n on are 0

    Exact in law (the triangular factor of X), for every integer n >= 0. n may be traced: neither shape nor cost depend
    on it. Given the design, R'z with z standard normal is distributed as X' eps.
    """
    key_diagonal, key_rest = jax.random.split(key)
    row = jnp.arange(d, dtype=float)
    present = row < n
    diagonal = jnp.where(present, jnp.sqrt(chi_square(key_diagonal, jnp.where(present, n - row, 1.0))), 0.0)
    above = (row[:, None] < row[None, :]) & present[:, None]
    return jnp.where(above, jax.random.normal(key_rest, (d, d)), 0.0) + jnp.diag(diagonal)


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
