"""Accuracy of answers that are chosen, or sorted, by a key of their traces."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from theorylab.numerics.domain import in_domain, nan_unless
from theorylab.types import Real, Vector

TIE = 1e-12  # keys closer than this are equal


def lowest_key_accuracy(prob: Vector, key: Vector, acc: Vector, n_candidates: Real) -> Float[Array, ""]:
    """Accuracy of the answer whose trace has the lowest key among several, ties broken at random.

        sum_v E[acc | key = v] ( P(key >= v)^N - P(key > v)^N ) ,   N = n_candidates

    Exact, for independent traces.

    Source: order statistics, derived here, for the selection of @feng2025what.
    Domain: prob >= 0 of sum 1, 0 <= acc <= 1, n_candidates >= 1; keys finite.

    prob: law of a trace over the cells of a table. key: of each cell, for instance its share of failed steps.
    acc: accuracy in each cell. n_candidates: number of traces.
    Returns the accuracy. Keys that differ by less than 1e-12 are equal; the derivative in `key` is 0.
    Raises ValueError outside the domain, or when the lengths differ.
    """
    ok = _cells(prob, key, acc)
    ok &= in_domain(n_candidates >= 1, "n_candidates", n_candidates, "n_candidates >= 1")
    order = jnp.argsort(key)
    key, prob, acc = (jnp.asarray(x, float)[order] for x in (key, prob, acc))
    group = jnp.cumsum(jnp.concatenate([jnp.zeros(1), key[1:] - key[:-1]]) > TIE)
    total = lambda x: jax.ops.segment_sum(x, group, len(key), indices_are_sorted=True)
    mass, right = total(prob), total(prob * acc)
    above = jnp.cumsum(mass[::-1])[::-1]  # P(key >= v)
    beyond = jnp.concatenate([above[1:], jnp.zeros(1)])
    chosen = above**n_candidates - beyond**n_candidates
    present = mass > 0
    return nan_unless(ok, jnp.sum(jnp.where(present, right / jnp.where(present, mass, 1.0) * chosen, 0.0)))


def key_interval_accuracy(prob: Vector, key: Vector, acc: Vector, low: Real, high: Real) -> Float[Array, ""]:
    """Accuracy of the answers whose traces have a key in an interval.

        E[acc | low <= key < high]

    Exact. An interval without mass gives NaN.

    Source: elementary; the curves of @feng2025what.
    Domain: prob >= 0 of sum 1, 0 <= acc <= 1; keys finite, low < high.

    prob, key, acc: as for `lowest_key_accuracy`. low, high: ends of the interval, each moved down by 1e-9, so that
        ratios of integers do not depend on their rounding.
    Returns the accuracy.
    Raises ValueError outside the domain, or when the lengths differ.
    """
    ok = _cells(prob, key, acc) & in_domain(low < high, "high", high, f"above low = {low}")
    inside = (key >= low - 1e-9) & (key < high - 1e-9)
    mass = jnp.sum(jnp.where(inside, prob, 0.0))
    some = mass > 0
    right = jnp.sum(jnp.where(inside, prob * acc, 0.0))
    return nan_unless(ok, jnp.where(some, right / jnp.where(some, mass, 1.0), jnp.nan))


def _cells(prob: Vector, key: Vector, acc: Vector) -> bool | Array:
    if not len(prob) == len(key) == len(acc):
        raise ValueError(f"prob, key and acc have {len(prob)}, {len(key)} and {len(acc)} entries")
    ok = in_domain(prob >= 0, "prob", prob, "prob >= 0")
    ok &= in_domain(jnp.abs(jnp.sum(jnp.asarray(prob)) - 1) < 1e-6, "prob", prob, "of sum 1")
    ok &= in_domain(jnp.isfinite(key), "key", key, "finite")
    return ok & in_domain((acc >= 0) & (acc <= 1), "acc", acc, "0 <= acc <= 1")
