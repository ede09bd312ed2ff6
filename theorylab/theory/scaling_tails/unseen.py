"""Exact error of a memory that knows an item once it was seen: clean, cut, narrowed and mixed training laws."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from theorylab.numerics.domain import in_domain, nan_unless
from theorylab.problems.scaling_tails import Law, check_law, check_masses, check_same_items
from theorylab.theory.scaling_tails._arguments import floats, non_negative, share
from theorylab.types import Real

__all__ = [
    "limited_capacity_error",
    "unseen_item_error",
    "unseen_item_error_fixed_mixture",
    "unseen_item_error_mixture",
]


def unseen_item_error(p: Law, q: Law, T: Real) -> Float[Array, ""]:
    """Expected error of an infinite memory trained on T independent draws from q and tested on p.

        E = sum_i p_i (1 - q_i)^T

    Source: @hutter2021learning for q = p, @dohmatob2024tale for other training laws.
    Domain: p >= 0; q >= 0 of sum at most 1, as long as p; T >= 0.

    p: masses of the test items [n]; they need not sum to 1. q: probabilities of the training items [n]; the rest of
    their sum falls on items that no test asks for. T: training samples, not necessarily an integer.
    Returns the mass of the items that were not drawn, in expectation.
    Raises ValueError outside the domain.
    """
    check_same_items(p=p, q=q)
    ok = check_masses(p=p) & check_law(q=q) & non_negative(T=T)
    p, q, T = floats(p, q, T, like=p)
    return nan_unless(ok, jnp.sum(p * _missed(q, T)))


def unseen_item_error_mixture(p: Law, q: Law, T: Real, pi: Real) -> Float[Array, ""]:
    """Expected error when each training row is real with probability pi, and drawn from q otherwise.

        E = sum_i p_i (1 - pi p_i - (1 - pi) q_i)^T

    Source: @dohmatob2024tale.
    Domain: p, q >= 0 of sum at most 1 and of equal length; T >= 0; 0 <= pi <= 1.

    p: true law [n]. q: law of the generated rows [n]. T: training samples. pi: share of real rows.
    Returns the mass under p of the items that were not drawn, in expectation.
    Raises ValueError outside the domain.
    """
    check_same_items(p=p, q=q)
    ok = check_law(p=p, q=q) & non_negative(T=T) & share(pi=pi)
    p, q, T, pi = floats(p, q, T, pi, like=p)
    return nan_unless(ok, jnp.sum(p * _missed(pi * p + (1 - pi) * q, T)))


def unseen_item_error_fixed_mixture(p: Law, q: Law, T_real: Real, T_syn: Real) -> Float[Array, ""]:
    """Expected error after fixed numbers of real and of generated rows.

        E = sum_i p_i (1 - p_i)^T_real (1 - q_i)^T_syn

    Differs from unseen_item_error_mixture at the same numbers on average by O(1/T).

    Source: @dohmatob2024tale.
    Domain: p, q >= 0 of sum at most 1 and of equal length; T_real, T_syn >= 0.

    p: true law [n]. q: law of the generated rows [n]. T_real, T_syn: numbers of rows from p and from q.
    Returns the mass under p of the items that were not drawn, in expectation.
    Raises ValueError outside the domain.
    """
    check_same_items(p=p, q=q)
    ok = check_law(p=p, q=q) & non_negative(T_real=T_real, T_syn=T_syn)
    p, q, T_real, T_syn = floats(p, q, T_real, T_syn, like=p)
    return nan_unless(ok, jnp.sum(p * _missed(p, T_real) * _missed(q, T_syn)))


def limited_capacity_error(p: Law, q: Law, T: Real, capacity: Real) -> Float[Array, ""]:
    """Expected error of a memory that keeps the most frequent items only, trained on T draws from q.

        E = 1 - sum_{i <= capacity} p_i (1 - (1 - q_i)^T)

    With q cut at rank k the three limits add up, each up to constants: T^-(1 - 1/beta), k^-(beta - 1) and
    capacity^-(beta - 1) for Zipf's law.

    Source: @dohmatob2024tale; limited memory after @cabannes2024scaling.
    Domain: p, q >= 0 of sum at most 1 and of equal length, p in decreasing order; T >= 0; capacity >= 0.

    p: true law [n], most frequent item first; what its sum lacks to 1 counts as error. q: training law [n].
    T: training samples. capacity: number of items that the memory can keep (all, beyond n).
    Returns the mass under p of the items that are not known, in expectation.
    Raises ValueError outside the domain.
    """
    check_same_items(p=p, q=q)
    ok = check_law(p=p, q=q) & non_negative(T=T, capacity=capacity)
    ok &= in_domain(p[1:] <= p[:-1], "p", p, "sorted in decreasing order")
    p, q, T, capacity = floats(p, q, T, capacity, like=p)
    kept = jnp.arange(1, p.shape[0] + 1, dtype=p.dtype) <= capacity
    return nan_unless(ok, 1 - jnp.sum(jnp.where(kept, p * (1 - _missed(q, T)), 0.0)))


def _missed(q: Array, T: Array) -> Float[Array, "n"]:
    """(1 - q)^T, without the 0 * inf of its logarithm where some q is 1 and T is 0."""
    certain = q >= 1
    missed = jnp.exp(T * jnp.log1p(-jnp.where(certain, 0.5, q)))
    return jnp.where(certain, jnp.where(T > 0, 0.0, 1.0), missed)
