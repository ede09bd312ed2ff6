"""Values of the uniform policy on a tree of actions, and the policies that follow them (@he2025random).

A deterministic tree of depth H with A actions in every state; the reward comes at the leaf. States of depth h are
numbered 0..A^h - 1, action a leads from s to s A + a.
"""

from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from theorylab.numerics.domain import in_domain, nan_unless
from theorylab.types import Real, Vector

__all__ = [
    "TreeLeaves",
    "TreeSuccess",
    "expected_distinct_leaves",
    "greedy_rollout_success",
    "softmax_tree_leaves",
    "softmax_tree_success",
    "uniform_policy_values",
]

Level: TypeAlias = Float[Array, "_states A"] | Float[np.ndarray, "_states A"]


class TreeSuccess(NamedTuple):
    """Probability of a leaf with reward, and a lower bound on it."""

    success: Array
    bound: Array


class TreeLeaves(NamedTuple):
    """Probability of every leaf [A^H], and the entropy of this law."""

    prob: Array
    entropy: Array


def uniform_policy_values(leaves: Vector, A: int, H: int) -> list[Float[Array, "_states A"]]:
    """Action values of the uniform policy on a tree: backward means of the rewards at the leaves.

        Q_h(s, a) = mean over the leaves below action a of state s

    Exact. For rewards in {0, 1} it is the share of rewarded leaves, so that the greedy policy reaches a rewarded leaf
    whenever there is one; for graded rewards, or where transitions are random, it need not be optimal.

    Source: @he2025random.
    Domain: leaves finite, of length A^H; A, H >= 1.

    leaves: reward of every leaf, the first action the most significant digit in base A [A^H].
    A: actions per state. H: depth.
    Returns the values Q_0 .. Q_{H-1}, Q_h of shape [A^h, A].
    Raises ValueError outside the domain.
    """
    in_domain(A >= 1, "A", A, "A >= 1")
    in_domain(H >= 1, "H", H, "H >= 1")
    in_domain(len(leaves) == A**H, "leaves", f"{len(leaves)} values", f"A^H = {A**H} values")
    leaves = jnp.asarray(leaves, float)
    ok = in_domain(jnp.isfinite(leaves), "leaves", leaves, "finite")
    return [nan_unless(ok, jnp.mean(leaves.reshape(A**h, A, -1), -1)) for h in range(H)]


def softmax_tree_success(Q: Sequence[Level], temperature: Real) -> TreeSuccess:
    """Success of the policy that draws actions from the softmax of the values of the uniform policy.

        success = P(the leaf has reward) ,   pi(a | s) = exp(Q(s, a) / temperature) / sum_b exp(Q(s, b) / temperature)
        bound = 1 - sum_{alive s} P(s) N_0(s) exp(-max_a Q(s, a) / temperature)

    exact by forward recursion; P(s) is the probability of reaching s, s is alive when max_a Q(s, a) > 0, and N_0(s)
    counts its actions of value 0. Both are 0 where no leaf has reward.

    Source: @he2025random.
    Domain: temperature > 0; Q >= 0, and an action has value 0 exactly where everything below it has.

    Q: values of every depth h, [A^h, A], as `uniform_policy_values` returns them. temperature: of the softmax.
    Returns (success, bound); the bound may be negative.
    Raises ValueError outside the domain, or when the shapes are not those of a tree.
    """
    levels, ok = _tree(Q, temperature)
    lost = jnp.zeros(())
    for q, log_p in zip(levels, _log_reach(levels, temperature)):
        best = jnp.max(q, 1)
        risk = jnp.sum(q == 0, 1, dtype=float) * jnp.exp(-best / temperature)
        lost += jnp.sum(jnp.where(best > 0, jnp.exp(log_p) * risk, 0.0))
    prob = jnp.exp(_log_reach(levels, temperature)[-1])
    alive = jnp.max(levels[0]) > 0
    success = jnp.sum(jnp.where(levels[-1].ravel() > 0, prob, 0.0))
    return nan_unless(ok, TreeSuccess(success, jnp.where(alive, 1 - lost, 0.0)))


def softmax_tree_leaves(Q: Sequence[Level], temperature: Real) -> TreeLeaves:
    """Law of the leaf that the softmax policy reaches, and its entropy.

        P(leaf) = prod_h pi(a_h | s_h) ,   entropy = -sum P log P

    Source: @he2025random.
    Domain, arguments and errors as for `softmax_tree_success`.
    """
    levels, ok = _tree(Q, temperature)
    log_p = _log_reach(levels, temperature)[-1]
    prob = jnp.exp(log_p)
    return nan_unless(ok, TreeLeaves(prob, -jnp.sum(prob * log_p)))


def expected_distinct_leaves(prob: Vector, k: Real) -> Float[Array, ""]:
    """Expected number of distinct leaves, among those listed, that k independent draws find.

        sum_l 1 - (1 - prob_l)^k

    Source: elementary; the measure of diversity of @he2025random.
    Domain: 0 <= prob <= 1, k >= 0.

    prob: probability of each leaf that counts, for instance of the rewarded ones [leaves]. k: draws.
    Returns the expected number.
    Raises ValueError outside the domain.
    """
    ok = in_domain((prob >= 0) & (prob <= 1), "prob", prob, "0 <= prob <= 1")
    ok &= in_domain(k >= 0, "k", k, "k >= 0")
    prob = jnp.asarray(prob, float)
    sure = prob >= 1
    found = jnp.where(sure, jnp.asarray(k > 0, float), -jnp.expm1(k * jnp.log1p(-jnp.where(sure, 0.0, prob))))
    return nan_unless(ok, jnp.sum(found))


def greedy_rollout_success(value: Real, episodes: Real) -> Float[Array, ""]:
    """Success of the greedy policy on values that are averages over episodes of the uniform policy.

        1 - (1 - value)^episodes

    Exact, for rewards in {0, 1} and values 0 where no episode has been: whoever follows positive averages follows an
    episode with reward, and there is one with this probability.

    Source: derived here for the setting of @he2025random.
    Domain: 0 <= value <= 1, episodes >= 0.

    value: share of rewarded leaves of the tree. episodes: number of episodes.
    Returns the probability over the episodes.
    Raises ValueError outside the domain.
    """
    ok = in_domain((value >= 0) & (value <= 1), "value", value, "0 <= value <= 1")
    ok &= in_domain(episodes >= 0, "episodes", episodes, "episodes >= 0")
    return nan_unless(ok, expected_distinct_leaves(jnp.atleast_1d(jnp.asarray(value, float)), episodes))


def _log_reach(levels: list[Array], temperature: Real) -> list[Array]:
    """Log-probability of every state of depth 0..H under the softmax policy; those of depth H are the leaves."""
    reach = [jnp.zeros(1)]
    for q in levels:
        reach.append((reach[-1][:, None] + jax.nn.log_softmax(q / temperature, 1)).ravel())
    return reach


def _tree(Q: Sequence[Level], temperature: Real) -> tuple[list[Array], bool | Array]:
    levels = [jnp.asarray(q, float) for q in Q]
    in_domain(len(levels) > 0, "Q", levels, "at least one depth")
    shapes, A = [q.shape for q in levels], levels[0].shape[1]
    in_domain(shapes == [(A**h, A) for h in range(len(levels))], "Q", f"shapes {shapes}", "[A^h, A] at depth h")
    ok = in_domain(temperature > 0, "temperature", temperature, "temperature > 0")
    for q, below in zip(levels, [*levels[1:], None]):
        ok &= in_domain(jnp.isfinite(q) & (q >= 0), "Q", q, "Q >= 0")
        if below is not None:
            agree = (q.ravel() > 0) == (jnp.max(below, 1) > 0)
            ok &= in_domain(agree, "Q", q, "0 exactly where all values below are 0")
    return levels, ok
