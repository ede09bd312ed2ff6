"""A memory that knows an item once it was seen: whole learning curves from one stream of draws."""

import jax
import jax.numpy as jnp
import numpy as np

from theorylab.numerics.domain import nan_unless
from theorylab.problems.scaling_tails import Law, check_law, check_masses, check_same_items
from theorylab.simulators.scaling_tails._sampling import item_sampler, sample_sizes
from theorylab.types import Array, Key

__all__ = ["simulate_unseen_items", "simulate_unseen_items_fast"]

CHUNK = 1 << 16  # draws at a time
FEW = 1 << 10


def simulate_unseen_items(key: Key, p: Law, q: Law, T: int | tuple[int, ...]) -> dict[str, Array]:
    """Mass of the items that T draws have not shown: one replicate, one stream of draws for all T.

        x_1, x_2, .. ~ q ,   risk(T) = sum of p_i over the items i that are not among x_1, .., x_T

    The samples are nested, so that the points of one curve are dependent. The mass is summed exactly; no test items
    are drawn.

    Source: the setting of @hutter2021learning and @dohmatob2024tale.
    Domain: p, q >= 0 of equal length, q of sum 1; T >= 0; double precision.

    p: masses of the test items [n]. q: law of the training items [n].
    T: number of training samples, or increasing numbers.
    Returns risk, a number, or [len(T)] for a tuple.
    Raises ValueError outside the domain.
    """
    ok = _check(p, q)
    sizes, items = sample_sizes(T), item_sampler(q)
    length = min(CHUNK, max(sizes[-1], 1))
    never = sizes[-1]

    def draw(first: Array, chunk: Array) -> tuple[Array, None]:
        uniform = jax.random.uniform(jax.random.fold_in(key, chunk), (length,))
        when = chunk * length + jnp.arange(length)
        return first.at[items(uniform)].min(when), None

    first = jnp.full(p.shape[0], never)  # the first draw that shows an item
    first = jax.lax.scan(draw, first, jnp.arange(-(-sizes[-1] // length)))[0]
    known = jnp.searchsorted(jnp.array(sizes), first, side="right")  # number of sizes too small for the item
    mass = jax.ops.segment_sum(jnp.asarray(p), known, len(sizes) + 1)
    risk = jnp.cumsum(mass[::-1])[::-1][1:]
    return {"risk": nan_unless(ok, risk if isinstance(T, tuple) else risk[0])}


def simulate_unseen_items_fast(key: Key, p: Law, q: Law, T: int | tuple[int, ...]) -> dict[str, Array]:
    """Mass of unseen items: the law of simulate_unseen_items at a cost that falls with the error, one replicate.

    Once items are known, only draws of the others matter: between two sizes their number is binomial, with the mass of
    the unknown items at the first one, and they follow q restricted to these. The sizes in between at which the unknown
    items are counted anew are the powers of two. The cost is about the integral of the error over T, so that T = 1e9 is
    a matter of seconds. No formula for the error enters.

    Source: the setting of @hutter2021learning and @dohmatob2024tale.
    Domain: p, q >= 0 of equal length, q of sum 1; T >= 0; double precision.

    p: masses of the test items [n]. q: law of the training items [n].
    T: number of training samples, or increasing numbers, whose samples are nested.
    Returns risk, a number, or [len(T)] for a tuple.
    Raises ValueError outside the domain.
    """
    ok = _check(p, q)
    sizes = sample_sizes(T)
    item_sampler(q)
    stages = sorted({*sizes, *(2**i for i in range(sizes[-1].bit_length()))})
    steps = jnp.array(np.diff([0, *stages]), float)
    masses = jnp.asarray(p)

    def advance(known: Array, step: tuple[Array, Array]) -> tuple[Array, Array]:
        index, more = step
        key_count, key_draws = jax.random.split(jax.random.fold_in(key, index))
        unknown = jnp.where(known, 0.0, jnp.asarray(q))
        items = item_sampler(unknown)
        count = _binomial(key_count, more, unknown.sum())

        def draw(state: tuple[Array, Array]) -> tuple[Array, Array]:
            known, chunk = state
            uniform = jax.random.uniform(jax.random.fold_in(key_draws, chunk), (FEW,))
            counted = chunk * FEW + jnp.arange(FEW) < count
            found = jnp.where(counted, items(uniform), known.shape[0])
            return known.at[found].set(True, mode="drop"), chunk + 1

        known, _ = jax.lax.while_loop(lambda state: state[1] * FEW < count, draw, (known, jnp.zeros((), int)))
        return known, jnp.sum(jnp.where(known, 0.0, masses))

    none = jnp.zeros(p.shape[0], bool)
    after = jax.lax.scan(advance, none, (jnp.arange(len(stages)), steps))[1]
    risk = after[jnp.array([stages.index(size) for size in sizes])]
    return {"risk": nan_unless(ok, risk if isinstance(T, tuple) else risk[0])}


def _binomial(key: Array, n: Array, probability: Array) -> Array:
    inside = (probability > 0) & (probability < 1)
    count = jax.random.binomial(key, n, jnp.where(inside, probability, 0.5))
    return jnp.where(inside, count, jnp.where(probability > 0, n, 0.0)).astype(int)


def _check(p: Law, q: Law) -> Array | bool:
    check_same_items(p=p, q=q)
    return check_masses(p=p) & check_law(whole=True, q=q)
