"""Sample correlations of correct answers with the statistics of their traces, and curves of their accuracy."""

from typing import TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from theorylab.numerics.domain import in_domain, nan_unless
from theorylab.problems.failed_steps import MainLaw
from theorylab.simulators.failed_steps.traces import answer, at_least_one, trace_domain, walk
from theorylab.types import Array, Key, Real

NAMES = ("s", "L", "RR")
Points: TypeAlias = Float[Array, "_points"] | Float[np.ndarray, "_points"]


def simulate_failed_step_correlations(
    key: Key, n: int, phi: Real, g: Real, m_pmf: MainLaw, p0: Real, J: tuple[int, ...], r_m: Real, r_f: Real,
    answers: int = 1,
) -> dict[str, Array]:  # fmt: skip
    """Sample correlations of correct answers with the statistics of their traces, within one question: one replicate.

    Source: a model for the findings of @feng2025what.
    Domain: 0 <= phi, g < 1; m_pmf of sum 1; p0, r_m, r_f in [0, 1]; n, answers >= 1, J >= 0.

    n: number of traces. phi: probability that a failed branch comes next. g: probability that it goes on. m_pmf: law of
    the number of main steps, from 1 on [M]. p0: accuracy of an answer that is not spoiled. J: numbers of steps that an
    answer looks at; more are added to the same ones. r_m, r_f: probability that a main step, or a failed one, is a
    review. answers: answers to every trace.
    Returns acc, corr_s, corr_L, corr_RR, partial_L and partial_RR (given s), and the rank correlations spearman_s,
    spearman_L, spearman_RR [J]; mean_s.
    Raises ValueError outside the domain.
    """
    ok = trace_domain(phi, g, m_pmf, p0, J, r_m, r_f) & at_least_one(n=n, answers=answers)
    key_walk, key_answer = jax.random.split(key)
    traces = walk(key_walk, jnp.full(n, phi, float), g, m_pmf, r_m, r_f)
    correct = answer(key_answer, traces.m, traces.F, p0, J, answers)
    keys = traces.keys()
    right = jnp.mean(correct, 1, dtype=float)  # averages over the answers to a trace
    acc = jnp.mean(right, -1)
    std = jnp.sqrt(acc * (1 - acc))

    def with_correct(x: Array) -> Array:
        return jnp.mean(right * (x - jnp.mean(x))[None], -1) / (std * jnp.std(x))

    corr, ranks = jax.vmap(with_correct)(keys), jax.vmap(lambda x: with_correct(_ranks(x)))(keys)
    with_s = jax.vmap(_corr, (None, 0))(keys[0], keys)[1:, None]
    partial = (corr[1:] - corr[:1] * with_s) / jnp.sqrt((1 - corr[:1] ** 2) * (1 - with_s**2))
    found = dict(acc=acc, mean_s=jnp.mean(keys[0]), partial_L=partial[0], partial_RR=partial[1])
    for i, name in enumerate(NAMES):
        found |= {f"corr_{name}": corr[i], f"spearman_{name}": ranks[i]}
    return nan_unless(ok, found)


def simulate_failed_step_curves(
    key: Key, n: int, phi: Real, g: Real, m_pmf: MainLaw, p0: Real, J: int, r_m: Real, r_f: Real, answers: int,
    s: Points, L: Points, RR: Points, s_width: Real, L_width: Real, RR_width: Real,
) -> dict[str, Array]:  # fmt: skip
    """Accuracy of the answers whose traces have a key in an interval: one replicate.

    Source: the curves of @feng2025what, in a model.
    Domain: as for `simulate_failed_step_correlations`.

    s, L, RR: lower ends of intervals of the share of failed steps, the length, the share of reviews, each moved down by
    1e-9. s_width, L_width, RR_width: widths of these intervals; the rest as for `simulate_failed_step_correlations`.
    Returns by_s [s], by_L [L], by_RR [RR]; NaN where no trace lies. Raises ValueError outside the domain.
    """
    ok = trace_domain(phi, g, m_pmf, p0, (J,), r_m, r_f) & at_least_one(n=n, answers=answers)
    key_walk, key_answer = jax.random.split(key)
    traces = walk(key_walk, jnp.full(n, phi, float), g, m_pmf, r_m, r_f)
    right = jnp.mean(answer(key_answer, traces.m, traces.F, p0, (J,), answers)[0], 0, dtype=float)

    def accuracy(x: Array, low: Points, width: Real) -> Array:
        low = jnp.asarray(low)[:, None] - 1e-9
        inside = jnp.asarray((x[None] >= low) & (x[None] < low + width), float)
        return inside @ right / jnp.sum(inside, 1)

    intervals = zip(traces.keys(), (s, L, RR), (s_width, L_width, RR_width))
    return nan_unless(ok, dict(zip(("by_s", "by_L", "by_RR"), (accuracy(*interval) for interval in intervals))))


def simulate_failed_step_benchmark(
    key: Key, questions: int, n: int, alpha: int, beta: int, g: Real, m_pmf: MainLaw, p0: Real, J: int, r_m: Real,
    r_f: Real, truth: Real,
) -> dict[str, Array]:  # fmt: skip
    """Sample correlations over a benchmark of questions, phi ~ Beta(alpha, beta) in each: one replicate.

    Source: a model for the findings of @feng2025what.
    Domain: alpha, beta >= 1, questions >= 2, n >= 2; the rest as for `simulate_failed_step_correlations`.

    questions: their number. n: traces of each. truth: the value that the intervals of the pooled correlation with s
    should cover; the rest as for `simulate_failed_step_correlations`.
    Returns within_s, within_L, within_RR, averages over the questions that have right and wrong answers; pooled_s,
    pooled_L, pooled_RR over all traces; covered_naive and covered_clustered, whether truth lies within two standard
    errors of pooled_s, for independent traces or for independent questions.
    Raises ValueError outside the domain.
    """
    ok = trace_domain(0.5, g, m_pmf, p0, (J,), r_m, r_f)
    in_domain(questions >= 2, "questions", questions, "questions >= 2")
    in_domain(n >= 2, "n", n, "n >= 2")
    in_domain(alpha >= 1, "alpha", alpha, "alpha >= 1")
    in_domain(beta >= 1, "beta", beta, "beta >= 1")
    key_phi, key_walk, key_answer = jax.random.split(key, 3)
    # the alpha-th smallest of alpha + beta - 1 uniforms has the Beta law
    phi = jnp.sort(jax.random.uniform(key_phi, (questions, alpha + beta - 1)), 1)[:, alpha - 1]
    traces = walk(key_walk, jnp.repeat(phi, n), g, m_pmf, r_m, r_f)
    correct = jnp.asarray(answer(key_answer, traces.m, traces.F, p0, (J,), 1)[0, 0], float)
    keys = traces.keys()
    pooled = jax.vmap(_corr, (None, 0))(correct, keys)
    within = jax.vmap(jax.vmap(_corr), (None, 0))(correct.reshape(questions, n), keys.reshape(3, questions, n))
    found = {f"within_{name}": jnp.nanmean(each) for name, each in zip(NAMES, within)}
    found |= {f"pooled_{name}": each for name, each in zip(NAMES, pooled)}
    influence = _influence(correct, keys[0]).reshape(questions, n)
    miss = jnp.abs(found["pooled_s"] - truth)
    naive = jnp.sqrt(jnp.sum(influence**2)) / influence.size
    clustered = jnp.sqrt(jnp.sum(jnp.sum(influence, 1) ** 2) * (questions / (questions - 1))) / influence.size
    for name, error in (("naive", naive), ("clustered", clustered)):
        found[f"covered_{name}"] = jnp.asarray(miss < 2 * error, float)
    return nan_unless(ok, found)


def _corr(x: Array, y: Array) -> Array:
    x, y = x - jnp.mean(x), y - jnp.mean(y)
    return jnp.mean(x * y) / jnp.sqrt(jnp.mean(x**2) * jnp.mean(y**2))


def _influence(x: Array, y: Array) -> Array:
    """What each observation adds to a correlation, to first order, times their number."""
    x, y = (x - jnp.mean(x)) / jnp.std(x), (y - jnp.mean(y)) / jnp.std(y)
    return x * y - jnp.mean(x * y) * (x**2 + y**2) / 2


def _ranks(x: Array) -> Array:
    """Ranks, averages for ties."""
    ordered = jnp.sort(x)
    below, up_to = (jnp.searchsorted(ordered, x, side=side) for side in ("left", "right"))
    return jnp.asarray(below + up_to, float) / 2
