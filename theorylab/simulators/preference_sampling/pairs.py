"""Pairs of responses as the schemes draw them: one by one, or every outcome of the draws with its probability.

`best_of_n` draws n_best responses from the policy and submits those of largest and of smallest implicit reward. The
other schemes toss a coin between two products of policies.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.nn import log_sigmoid, log_softmax, sigmoid
from jax.scipy.special import logsumexp
from jaxtyping import Array, Float, Int

from theorylab.problems.preference_sampling import check_scheme, implicit_ranks
from theorylab.types import Key, Real, Vector

__all__ = [
    "LabelledPairs",
    "draw_labelled_pairs",
    "draw_preference_pairs",
    "draw_uniforms",
    "enumerate_preference_pairs",
    "labelled_loss",
    "pilaf_partition",
]


class LabelledPairs(NamedTuple):
    """Prompts, and the responses that won and lost, one of each per pair."""

    prompts: Int[Array, "pairs"]
    winners: Int[Array, "pairs"]
    losers: Int[Array, "pairs"]


def draw_uniforms(key: Key, pairs: int, n_best: int | None = None) -> Float[Array, "draws pairs"]:
    """Independent uniform numbers, enough for so many labelled pairs under any scheme; schemes may share them."""
    return jax.random.uniform(key, (2 + max(3, n_best or 0), pairs))


def draw_labelled_pairs(
    uniforms: Float[Array, "draws pairs"], scheme: str, logits: Float[Array, "X Y"], logref: Float[Array, "X Y"],
    reward: Float[Array, "X Y"], beta: Real, rho: Vector, n_best: int | None = None,
) -> LabelledPairs:  # fmt: skip
    """Prompts from rho, pairs of responses by a scheme, and labels from the Bradley-Terry model."""
    edges = jnp.cumsum(jnp.asarray(rho, float))[:-1]
    prompts = jnp.sum(uniforms[0][:, None] >= edges[None], -1)
    first, second = draw_preference_pairs(uniforms[2:], scheme, logits, logref, beta, prompts, n_best)
    won = uniforms[1] < sigmoid(reward[prompts, first] - reward[prompts, second])
    return LabelledPairs(prompts, jnp.where(won, first, second), jnp.where(won, second, first))


def labelled_loss(logits: Array, logref: Array, beta: Real, batch: LabelledPairs) -> Float[Array, ""]:
    """Mean preference loss of labelled pairs."""
    prompts, winners, losers = batch
    r = beta * (logits - logref)
    return -jnp.mean(log_sigmoid(r[prompts, winners] - r[prompts, losers]))


def draw_preference_pairs(
    uniforms: Float[Array, "draws pairs"], scheme: str, logits: Float[Array, "X Y"], logref: Float[Array, "X Y"],
    beta: Real, prompts: Int[Array, "pairs"], n_best: int | None = None,
) -> tuple[Int[Array, "pairs"], Int[Array, "pairs"]]:  # fmt: skip
    """One pair of responses for every prompt that is listed.

    uniforms: at least three rows of independent uniform numbers, and n_best for best_of_n.
    scheme: see `preference_pair_density`. logits, logref: policy and reference. prompts: rows of both, one per pair.
    Raises ValueError for an unknown scheme, or best_of_n without n_best >= 2.
    """
    check_scheme(scheme, n_best)
    if scheme == "best_of_n":
        logpi = log_softmax(logits)
        draws = _draw(uniforms[:n_best], jnp.exp(logpi)[prompts])
        ranks = jnp.take_along_axis(implicit_ranks(logpi, logref)[prompts].T, draws, axis=0)
        ends = jnp.stack([jnp.argmax(ranks, 0), jnp.argmin(ranks, 0)])
        best, worst = jnp.take_along_axis(draws, ends, axis=0)
        return best, worst
    heads, (first, second), (third, fourth) = _coin(scheme, logits, logref, beta)
    tossed = (uniforms[0] < heads[prompts])[:, None]
    left, right = (jnp.where(tossed, a[prompts], b[prompts]) for a, b in ((first, third), (second, fourth)))
    return _draw(uniforms[1:2], left)[0], _draw(uniforms[2:3], right)[0]


def enumerate_preference_pairs(
    scheme: str, logits: Float[Array, "X Y"], logref: Float[Array, "X Y"], beta: Real, n_best: int | None = None
) -> Float[Array, "X Y Y"]:
    """Probability of every ordered outcome of `draw_preference_pairs`, (larger, smaller) for best_of_n."""
    check_scheme(scheme, n_best)
    if scheme == "best_of_n":
        assert n_best is not None
        logpi = log_softmax(logits)
        return jax.vmap(lambda p, ranks: _running_extremes(p, ranks, n_best))(
            jnp.exp(logpi), implicit_ranks(logpi, logref)
        )
    heads, one, other = _coin(scheme, logits, logref, beta)
    products = (pair[0][:, :, None] * pair[1][:, None, :] for pair in (one, other))
    heads = heads[:, None, None]
    return heads * next(products) + (1 - heads) * next(products)


def pilaf_partition(logits: Array, logref: Array, beta: Real) -> Float[Array, "X"]:
    """The product of E exp(r) and E exp(-r) under the policy, for the implicit reward r."""
    logpi = log_softmax(logits)
    r = beta * (logpi - logref)
    return jnp.exp(logsumexp(logpi + r, -1) + logsumexp(logpi - r, -1))


def _coin(
    scheme: str, logits: Array, logref: Array, beta: Real
) -> tuple[Array, tuple[Array, Array], tuple[Array, Array]]:
    """Probability of heads [X], the two policies of heads, and those of tails."""
    logpi = log_softmax(logits)
    pi, fair = jnp.exp(logpi), jnp.full(len(logits), 0.5)
    if scheme in ("vanilla", "hybrid"):
        pair = (pi, pi if scheme == "vanilla" else jnp.exp(logref))
        return fair, pair, pair
    r = beta * (logpi - logref)
    tilted = jax.nn.softmax(logpi + r), jax.nn.softmax(logpi - r)
    heads = fair if scheme == "pilaf_half" else 1 / (1 + pilaf_partition(logits, logref, beta))
    return heads, (pi, pi), tilted


def _draw(uniforms: Array, p: Array) -> Int[Array, "count pairs"]:
    """Responses from every row of p, by inversion of the distribution function."""
    cumulative = jnp.cumsum(p, -1)
    u = uniforms * cumulative[None, :, -1]
    return jnp.sum(u[:, :, None] >= cumulative[None, :, :-1], -1)


def _running_extremes(p: Array, ranks: Array, n: int) -> Array:
    """Law of (best, worst) of n draws: a chain over the draws, whose state is the best and the worst so far."""
    higher = ranks[:, None] > ranks[None, :]
    inside = ~higher.T[:, None, :] & ~higher[None, :, :]  # [best, worst, y]: a draw y that changes neither
    stays = jnp.sum(jnp.where(inside, p[None, None, :], 0.0), -1)
    above, state = higher.astype(p.dtype), jnp.diag(p)
    for _ in range(n - 1):
        state = state * stays + p[:, None] * (above @ state) + (state @ above) * p[None, :]
    return state
