"""A learner that counts which token follows which context."""

import jax
import jax.numpy as jnp

from theorylab.numerics.domain import nan_unless
from theorylab.problems.scaling_tails import Law, check_law, check_same_items
from theorylab.simulators.scaling_tails._sampling import item_sampler, sample_sizes
from theorylab.types import Array, Key

__all__ = ["simulate_bigram"]


def simulate_bigram(
    key: Key, p_ctx: Law, cond_true: Law, cond_train: Law, T: int | tuple[int, ...]
) -> dict[str, Array]:
    """Total variation between the true and the counted conditional law, averaged over contexts: one replicate.

        contexts i ~ p_ctx, tokens j ~ cond_train, n_ij = counts of T pairs, n_i = sum_j n_ij,
        risk(T) = sum_i p_ctx_i TV_i ,   TV_i = sum_j |n_ij / n_i - cond_true_j| / 2 ,   TV_i = 1 where n_i = 0

    Samples of increasing T are nested, so that the points of one curve are dependent.

    Source: the setting of @dohmatob2024tale.
    Domain: p_ctx, cond_true, cond_train >= 0 of sum 1, the last two of equal length; T >= 0; double precision.

    p_ctx: law of the contexts [n], in training and at test. cond_true, cond_train: law of the next token by rank [J];
    a context may order the tokens as it likes. T: number of training pairs, or increasing numbers.
    Returns risk, a number, or [len(T)] for a tuple.
    Raises ValueError outside the domain.
    """
    check_same_items(cond_true=cond_true, cond_train=cond_train)
    ok = check_law(whole=True, p_ctx=p_ctx, cond_true=cond_true, cond_train=cond_train)
    sizes, (contexts, tokens) = sample_sizes(T), (p_ctx.shape[0], cond_true.shape[0])
    key_ctx, key_token = jax.random.split(key)
    context = item_sampler(p_ctx)(jax.random.uniform(key_ctx, (sizes[-1],)))
    token = item_sampler(cond_train)(jax.random.uniform(key_token, (sizes[-1],)))
    pair, when = context * tokens + token, jnp.arange(sizes[-1])

    def error(size: Array) -> Array:
        counts = jax.ops.segment_sum((when < size).astype(float), pair, contexts * tokens).reshape(contexts, tokens)
        total = counts.sum(1)
        empirical = counts / jnp.maximum(total, 1.0)[:, None]
        distance = jnp.abs(empirical - jnp.asarray(cond_true)[None]).sum(1) / 2
        return jnp.sum(jnp.asarray(p_ctx) * jnp.where(total > 0, distance, 1.0))

    risk = jax.lax.map(error, jnp.array(sizes))
    return {"risk": nan_unless(ok, risk if isinstance(T, tuple) else risk[0])}
