"""Choosing among traces, and editing them."""

import jax
import jax.numpy as jnp

from theorylab.numerics.domain import in_domain, nan_unless
from theorylab.problems.failed_steps import MainLaw
from theorylab.simulators.failed_steps.traces import answer, at_least_one, trace_domain, walk
from theorylab.types import Array, Key, Real, Vector


def simulate_failed_step_selection(
    key: Key, n: int, n_candidates: tuple[int, ...], phi: Real, g: Real, m_pmf: MainLaw, p0: Real, J: int, r_m: Real,
    r_f: Real, answers: int,
) -> dict[str, Array]:  # fmt: skip
    """Accuracy of the trace of lowest key among several, ties broken at random: one replicate.

    Source: the selection of @feng2025what, in a model.
    Domain: every n_candidates divides n; the rest as for `simulate_failed_step_correlations`.

    n: number of traces, cut into groups. n_candidates: sizes of the groups; the rest as for
    `simulate_failed_step_correlations`.
    Returns by_s, by_L, by_RR and random [n_candidates]. Raises ValueError outside the domain.
    """
    ok = trace_domain(phi, g, m_pmf, p0, (J,), r_m, r_f) & at_least_one(n=n, answers=answers)
    divides = all(N >= 1 and n % N == 0 for N in n_candidates)
    in_domain(divides, "n_candidates", n_candidates, f"divisors of n = {n}")
    key_walk, key_answer, key_tie = jax.random.split(key, 3)
    traces = walk(key_walk, jnp.full(n, phi, float), g, m_pmf, r_m, r_f)
    right = jnp.mean(answer(key_answer, traces.m, traces.F, p0, (J,), answers)[0], 0, dtype=float)
    lot = jax.random.uniform(key_tie, (n,))

    keys = jnp.concatenate([traces.keys(), jnp.zeros((1, n))])

    def chosen(N: int) -> Array:
        x, tie = keys.reshape(4, -1, N), lot.reshape(1, -1, N)
        best = jnp.argmax(jnp.where(x == jnp.min(x, 2, keepdims=True), tie, -1.0), 2, keepdims=True)
        return jnp.mean(jnp.take_along_axis(right.reshape(1, -1, N), best, 2), (1, 2))

    accuracy = jnp.stack([chosen(N) for N in n_candidates], 1)
    return nan_unless(ok, dict(zip(("by_s", "by_L", "by_RR", "random"), accuracy)))


def simulate_failed_step_editing(
    key: Key, n: int, phi: Real, g: Real, m_pmf: MainLaw, p0: Real, J: tuple[int, ...], q: Vector
) -> dict[str, Array]:
    """Accuracy after failed steps have been deleted from the traces that answers look at: one replicate.

    Source: the editing of @feng2025what, in a model.
    Domain: 0 <= q <= 1; the rest as for `simulate_failed_step_correlations`.

    q: share of the text of every failed step that is deleted (text), or probability that a failed branch is deleted as
    a whole (branches) [q]; the rest as for `simulate_failed_step_correlations`.
    Returns text and branches [q, J]. Raises ValueError outside the domain.
    """
    ok = trace_domain(phi, g, m_pmf, p0, J, 0.0, 0.0) & at_least_one(n=n)
    q = jnp.asarray(q, float)
    ok &= in_domain((q >= 0) & (q <= 1), "q", q, "0 <= q <= 1")
    key_walk, key_answer = jax.random.split(key)
    traces = walk(key_walk, jnp.full(n, phi, float), g, m_pmf, 0.0, 0.0, q)
    accuracy = lambda F: jnp.mean(answer(key_answer, traces.m, F, p0, J, 1), (1, 2), dtype=float)
    text, branches = jax.lax.map(accuracy, (1 - q)[:, None] * traces.F[None]), jax.lax.map(accuracy, traces.kept)
    return nan_unless(ok, dict(text=text, branches=branches))
