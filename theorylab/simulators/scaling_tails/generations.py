"""Generations that each resample the data of the one before."""

import jax
import jax.numpy as jnp

from theorylab.numerics.domain import in_domain, nan_unless
from theorylab.problems.scaling_tails import Law, check_law
from theorylab.simulators.scaling_tails._sampling import item_sampler
from theorylab.types import Array, Key

__all__ = ["simulate_item_generations"]


def simulate_item_generations(
    key: Key, p: Law, Ts: tuple[int, ...], generations: tuple[int, ...] | None = None
) -> dict[str, Array]:
    """Mass of the items that are lost after generations of resampling: one replicate.

        generation 0 draws Ts[0] items from p, generation g draws Ts[g] items from the data of generation g - 1,
        risk(g) = sum of p_i over the items i that are not in the data of generation g

    All generations of a replicate belong to one history and are dependent.

    Source: the setting of @dohmatob2024tale.
    Domain: p >= 0 of sum 1; every size >= 1; 0 <= generations < len(Ts); double precision.

    p: true law [n]. Ts: samples of each generation.
    generations: those at which to measure, the last one by default.
    Returns risk [len(generations)], or a number by default.
    Raises ValueError outside the domain.
    """
    ok = check_law(whole=True, p=p)
    in_domain(len(Ts) > 0 and min(Ts) >= 1, "Ts", Ts, "one or more sizes >= 1")
    measured = (len(Ts) - 1,) if generations is None else generations
    allowed = f"one or more of 0..{len(Ts) - 1}"
    in_domain(len(measured) > 0 and min(measured) >= 0 and max(measured) < len(Ts), "generations", generations, allowed)
    slots = jnp.arange(max(Ts))

    def lost(data: Array, size: Array) -> Array:
        present = jnp.where(slots < size, data, p.shape[0])  # slots beyond the size of a generation are empty
        seen = jnp.zeros(p.shape[0], bool).at[present].set(True, mode="drop")
        return jnp.sum(jnp.where(seen, 0.0, jnp.asarray(p)))

    def resample(data: Array, stage: tuple[Array, ...]) -> tuple[Array, Array]:
        index, before, size = stage
        pick = jax.random.randint(jax.random.fold_in(key, index), slots.shape, 0, before)
        data = data[pick]
        return data, lost(data, size)

    sizes = jnp.array(Ts)
    data = item_sampler(p)(jax.random.uniform(jax.random.fold_in(key, 0), slots.shape))
    stages = (jnp.arange(1, len(Ts)), sizes[:-1], sizes[1:])
    later = jax.lax.scan(resample, data, stages)[1]
    risk = jnp.concatenate([lost(data, sizes[0])[None], later])[jnp.array(measured)]
    return {"risk": nan_unless(ok, risk[0] if generations is None else risk)}
