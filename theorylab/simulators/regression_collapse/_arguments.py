"""Arguments that the simulators of this family share: their types, their domains, and the axes that they give."""

from typing import Any, TypeAlias

import jax.numpy as jnp
from jaxtyping import Array

from theorylab.numerics.domain import in_domain
from theorylab.simulators.regression_collapse.fits import Penalty
from theorylab.types import Real, Vector

__all__ = [
    "Generations",
    "Penalty",
    "as_tuple",
    "check_chain",
    "check_generations",
    "check_problem",
    "drop_scalar_axes",
]

Generations: TypeAlias = int | tuple[int, ...]


def as_tuple(generations: Generations) -> tuple[int, ...]:
    return (generations,) if isinstance(generations, int) else generations


def drop_scalar_axes(values: Array, lam: Penalty, generations: Generations) -> Array:
    """[L, G, ...] without the axes of arguments that were given as scalars."""
    values = values[:, 0] if isinstance(generations, int) else values
    return values[0] if jnp.ndim(lam) == 0 else values


def check_generations(generations: Generations) -> None:
    """Raise unless there is at least one number of generators, none of them negative."""
    counts = as_tuple(generations)
    in_domain(bool(counts) and min(counts) >= 0, "generations", generations, "at least one number, all >= 0")


def check_chain(
    T: Real, T0: Real, lam: Penalty, lam0: Real, sigma: Real, sigma0: Real, generations: Generations
) -> Any:
    """True, a traced condition, or a ValueError that names the argument."""
    check_generations(generations)
    in_domain(T >= 1, "T", T, "T >= 1")
    in_domain(T0 >= 1, "T0", T0, "T0 >= 1")
    ok = in_domain(jnp.all(jnp.asarray(lam) >= 0), "lam", lam, "lam >= 0")
    ok &= in_domain(lam0 >= 0, "lam0", lam0, "lam0 >= 0")
    ok &= in_domain(sigma >= 0, "sigma", sigma, "sigma >= 0")
    return ok & in_domain(sigma0 >= 0, "sigma0", sigma0, "sigma0 >= 0")


def check_problem(spectrum: Vector, w_star: Vector) -> Any:
    """The same for a covariance and true weights."""
    if w_star.shape != spectrum.shape:
        raise ValueError(f"w_star has {w_star.size} entries, but spectrum has {spectrum.size}")
    return in_domain(jnp.all(jnp.asarray(spectrum) >= 0), "spectrum", spectrum, "spectrum >= 0")
