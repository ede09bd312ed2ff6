"""Learning the values of the uniform policy on a tree of actions, and acting on them.

Nodes are numbered as in a heap: action a leads from node i to node A i + 1 + a. A value belongs to a node, that of the
action that leads to it.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Float, Int

from theorylab.numerics.domain import in_domain, nan_unless
from theorylab.types import Array, Key, Real, Vector

__all__ = ["simulate_greedy_tree", "simulate_rollout_tree", "simulate_softmax_tree"]


def simulate_softmax_tree(
    key: Key, leaves: Vector, A: int, H: int, temperature: Real, k: tuple[int, ...], draws: int
) -> dict[str, Array]:
    """Draws from the softmax policy on learned values of the uniform policy: one replicate.

    Values start at 0 and are updated to the reward or to the mean of the values of the next actions, everywhere at
    once, H times.

    Source: the setting of @he2025random.
    Domain: temperature > 0; every k divides draws.

    leaves: reward of every leaf, 0 or 1 [A^H]. A: actions per state. H: depth. temperature: of the softmax.
    k: sizes of the groups of draws in which distinct rewarded leaves are counted. draws: number of draws.
    Returns the share of draws that find a reward (success), their mean -log probability (entropy), and the mean number
    of distinct rewarded leaves per group (distinct [k]).
    Raises ValueError outside the domain.
    """
    in_domain(all(size >= 1 and draws % size == 0 for size in k), "k", k, f"divisors of draws = {draws}")
    ok = in_domain(temperature > 0, "temperature", temperature, "temperature > 0")
    values, first = _learned(leaves, A, H)
    node, surprise = jnp.zeros(draws, int), jnp.zeros(draws)
    for h in range(H):
        log_policy = jax.nn.log_softmax(values[_children(node, A)] / temperature, -1)
        action = jax.random.categorical(jax.random.fold_in(key, h), log_policy)
        surprise -= jnp.take_along_axis(log_policy, action[:, None], 1)[:, 0]
        node = A * node + 1 + action
    leaf, reward = node - first, values[node]

    def distinct(size: int) -> Array:
        group = jnp.arange(draws) // size
        found = jnp.zeros((draws // size, len(leaves))).at[group, leaf].max(reward)
        return jnp.sum(found) / len(found)

    measured = dict(success=jnp.mean(reward), entropy=jnp.mean(surprise), distinct=jnp.stack([distinct(n) for n in k]))
    return nan_unless(ok, measured)


def simulate_rollout_tree(
    key: Key, leaves: Vector, A: int, H: int, episodes: tuple[int, ...], repeats: int = 1
) -> dict[str, Array]:
    """The greedy policy on values that are averages over the first episodes of the uniform policy: one replicate.

    Source: the setting of @he2025random.
    Domain: episodes >= 1, repeats >= 1.

    leaves, A, H: as for `simulate_softmax_tree`. episodes: numbers of episodes, in one and the same stream.
    repeats: independent streams that are averaged within the replicate.
    Returns the share of greedy paths that end at a reward (success [episodes]). Raises ValueError outside the domain.
    """
    in_domain(len(episodes) > 0 and min(episodes) >= 1, "episodes", episodes, "at least one number, all >= 1")
    in_domain(repeats >= 1, "repeats", repeats, "repeats >= 1")
    count, size = max(episodes), _first_leaf(A, H) + A**H
    actions = jax.random.randint(key, (repeats, count, H), 0, A)

    def success(actions: Array, n: Array) -> Array:
        node, path = jnp.zeros(count, int), []
        for h in range(H):
            node = A * node + 1 + actions[:, h]
            path.append(node)
        counts = jnp.asarray(jnp.arange(count) < n, float)
        returns = counts * jnp.asarray(leaves)[node - _first_leaf(A, H)]
        visits, total = jnp.zeros(size), jnp.zeros(size)
        for node in path:
            visits, total = visits.at[node].add(counts), total.at[node].add(returns)
        return _greedy(total / jnp.maximum(visits, 1.0), leaves, A, H)

    over_streams = jax.vmap(success, (0, None))
    return {"success": jnp.mean(jax.vmap(over_streams, (None, 0))(actions, jnp.array(episodes)), 1)}


def simulate_greedy_tree(key: Key, A: int, H: int, share: Real, graded: bool, trees: int = 1) -> dict[str, Array]:
    """The greedy policy on learned values of the uniform policy, on fresh random trees: one replicate.

    Source: the setting of @he2025random.
    Domain: 0 <= share <= 1, trees >= 1.

    A: actions per state. H: depth. share: probability that a leaf has reward, independently.
    graded: a reward is uniform in (0, 1) instead of 1. trees: random trees that are averaged within the replicate.
    Returns the mean reward of the greedy leaf (reward) and of the best one (best).
    Raises ValueError outside the domain.
    """
    in_domain(trees >= 1, "trees", trees, "trees >= 1")
    ok = in_domain((share >= 0) & (share <= 1), "share", share, "0 <= share <= 1")

    def outcome(key: Key) -> tuple[Array, Array]:
        key_place, key_size = jax.random.split(key)
        size = jax.random.uniform(key_size, (A**H,)) if graded else jnp.ones(A**H)
        leaves = jnp.where(jax.random.uniform(key_place, (A**H,)) < share, size, 0.0)
        return _greedy(_learned(leaves, A, H)[0], leaves, A, H), jnp.max(leaves)

    reward, best = jax.vmap(outcome)(jax.random.split(key, trees))
    return nan_unless(ok, {"reward": jnp.mean(reward), "best": jnp.mean(best)})


def _first_leaf(A: int, H: int) -> int:
    return sum(A**h for h in range(H))


def _children(node: Int[Array, "*n"], A: int) -> Int[Array, "*n A"]:
    return A * node[..., None] + 1 + jnp.arange(A).reshape((1,) * node.ndim + (A,))


def _learned(leaves: Vector, A: int, H: int) -> tuple[Float[Array, "nodes"], int]:
    """Values of all nodes by Bellman updates from 0, and the number of the first leaf."""
    in_domain(len(leaves) == A**H, "leaves", f"{len(leaves)} values", f"A^H = {A**H} values")
    first = _first_leaf(A, H)
    inner = _children(jnp.arange(first), A)
    values = jnp.concatenate([jnp.zeros(first), jnp.asarray(leaves, float)])
    return jax.lax.fori_loop(0, H, lambda _, q: q.at[:first].set(jnp.mean(q[inner], 1)), values), first


def _greedy(values: Array, leaves: Vector, A: int, H: int) -> Float[Array, ""]:
    """Reward of the leaf that the largest values lead to."""
    node = jnp.zeros((), int)
    for _ in range(H):
        node = A * node + 1 + jnp.argmax(values[_children(node, A)])
    return jnp.asarray(leaves)[node - _first_leaf(A, H)]
