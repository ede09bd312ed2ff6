"""A small sweep with every feature of the engine: a size, a derived problem, two inner axes, an exact theory."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from theorylab.sweep.spec import Sweep
from theorylab.types import Key, Real

TRACES: list[str] = []


class Toy(NamedTuple):
    spectrum: np.ndarray
    offset: float


def toy_problem(d: int) -> Toy:
    return Toy(np.linspace(1.0, 2.0, d), 0.25)


def simulate(
    key: Key,
    spectrum: Float[Array, "d"],
    offset: Real,
    T: int,
    lam: Float[Array, "L"],
    sigma: Real,
    generations: tuple[int, ...],
) -> dict[str, Array]:
    """offset + mean of T squared normals, scaled by spectrum, penalty and generation."""
    TRACES.append("simulate")
    energy = offset + jnp.mean((sigma * jax.random.normal(key, (T,), spectrum.dtype)) ** 2)
    return {"risk": energy * spectrum.mean() * (1 + lam)[:, None] * jnp.array(generations, lam.dtype)[None, :]}


def predict(spectrum: Float[Array, "d"], offset: Real, lam: Real, sigma: Real, generations: Real) -> Array:
    TRACES.append("predict")
    return (offset + sigma**2) * spectrum.mean() * (1 + lam) * generations


def toy_sweep(**changes) -> Sweep:
    values = dict(d=(3, 5), T_per_d=(2.0, 4.0), lam=(0.1, 1.0, 2.0), sigma=0.5, generations=(1, 2), replicates=20)
    arguments = dict(
        simulate=simulate,
        predict=predict,
        values={**values, **changes.pop("values", {})},
        over=("d", "T_per_d"),
        measure={"risk": ("lam", "generations")},
        derive=dict(problem=toy_problem, T=lambda T_per_d, d: round(T_per_d * d)),
        curve={"lam": np.linspace(0.0, 3.0, 7)},
        block=16,
        batch=4,
    )
    return Sweep(**{**arguments, **changes})
