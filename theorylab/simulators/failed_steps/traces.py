"""A reasoning trace as a walk on a stochastic graph: main steps, failed branches, reviews, and answers to them.

Every main step may be preceded by failed branches, one after the other. An answer looks at J steps of its trace, drawn
uniformly, and is correct with probability p0 unless one of them failed.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Bool, Float

from theorylab.numerics.domain import in_domain
from theorylab.problems.failed_steps import MainLaw
from theorylab.types import Array, Key, Real


class Traces(NamedTuple):
    """Main, failed and review steps of n traces [n], and the failed steps that editing keeps [q, n]."""

    m: Array
    F: Array
    reviews: Array
    kept: Array

    def keys(self) -> Float[Array, "3 n"]:
        """Share of failed steps, length, share of reviews."""
        L = self.m + self.F
        return jnp.stack([self.F / L, L, self.reviews / L])


def walk(
    key: Key, phi: Float[Array, "n"], g: Real, m_pmf: MainLaw, r_m: Real, r_f: Real, q: Array | None = None
) -> Traces:
    """One step of every unfinished trace at a time, until all have made their main steps.

    Decisions compare float32 uniforms: probabilities are exact to 6e-8.
    """
    key_main, key_step = jax.random.split(key)
    g, r_m, r_f, phi32 = (jnp.asarray(x, jnp.float32) for x in (g, r_m, r_f, phi))
    q32 = jnp.zeros(0, jnp.float32) if q is None else jnp.asarray(q, jnp.float32)
    ends = jnp.cumsum(jnp.asarray(m_pmf))[:-1]
    m = 1.0 + jnp.sum(jax.random.uniform(key_main, phi.shape)[:, None] >= ends[None], 1, dtype=float)
    nothing = jnp.zeros_like(phi)

    def step(state: tuple) -> tuple:
        t, (phi, left, branch, lot, F, reviews, kept) = state
        u = jax.random.uniform(jax.random.fold_in(key_step, t), (4 if len(q32) else 3, *phi.shape), jnp.float32)
        goes_on = branch & (u[0] < g)
        starts = ~goes_on & (u[1] < phi)
        failed = (left > 0) & (goes_on | starts)
        main = (left > 0) & ~failed
        lot = jnp.where(starts, u[-1], lot)  # a branch is kept as a whole, where its lot is at least q
        kept = kept + jnp.asarray(failed[None] & (lot[None] >= q32[:, None]), float)
        reviews = reviews + jnp.asarray((failed & (u[2] < r_f)) | (main & (u[2] < r_m)), float)
        left = left - jnp.asarray(main, float)
        return t + 1, (phi, left, failed, lot, F + jnp.asarray(failed, float), reviews, kept)

    t, state = 0, (phi32, m, nothing > 0, 0 * phi32, nothing, nothing, jnp.zeros((len(q32), *phi.shape)))
    n = len(phi)
    for width, rest in ((n, n // 8), (max(n // 8, 1), 0)):  # few are long: these go on alone
        unfinished = jax.lax.top_k(state[1], width)[1]
        part = jax.tree.map(lambda x: x[..., unfinished], state)  # noqa: B023
        more = lambda loop: jnp.sum(loop[1][1] > 0) > rest  # noqa: B023
        t, part = jax.lax.while_loop(more, step, (t, part))
        state = jax.tree.map(lambda whole, x: whole.at[..., unfinished].set(x), state, part)  # noqa: B023
    *_, F, reviews, kept = state
    return Traces(m, F, reviews, kept)


def answer(key: Key, m: Array, F: Array, p0: Real, J: tuple[int, ...], answers: int) -> Bool[Array, "J answers n"]:
    """Correct answers to traces; those that look at more steps look at the same ones first."""
    u = jax.random.uniform(key, (max(J) + 1, answers, len(m)), jnp.float32)
    length, failed = (jnp.asarray(x, jnp.float32)[None, None] for x in (m + F, F))
    spoiled = u[1:] * length < failed
    return jnp.stack([(u[0] < jnp.asarray(p0, jnp.float32)) & ~jnp.any(spoiled[:seen], 0) for seen in J])


def trace_domain(
    phi: Real, g: Real, m_pmf: MainLaw, p0: Real, J: tuple[int, ...], r_m: Real, r_f: Real
) -> bool | Array:  # fmt: skip
    in_domain(len(J) > 0 and min(J) >= 0, "J", J, "at least one number, all >= 0")
    ok = in_domain((phi >= 0) & (phi < 1), "phi", phi, "0 <= phi < 1")
    ok &= in_domain((g >= 0) & (g < 1), "g", g, "0 <= g < 1")
    total = jnp.abs(jnp.sum(jnp.asarray(m_pmf)) - 1) < 1e-6
    ok &= in_domain((m_pmf >= 0) & total, "m_pmf", m_pmf, "probabilities of sum 1")
    for name, value in (("p0", p0), ("r_m", r_m), ("r_f", r_f)):
        ok &= in_domain((value >= 0) & (value <= 1), name, value, f"0 <= {name} <= 1")
    return ok


def at_least_one(**sizes: int) -> bool:
    return all(in_domain(size >= 1, name, size, f"{name} >= 1") for name, size in sizes.items())
