"""The best of n responses: exact law, divergence and win rate, and the tilt that it equals on long sequences."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from theorylab.numerics.domain import in_domain, nan_unless
from theorylab.problems.best_of_n import best_of_n_kl_estimator
from theorylab.problems.policies import LogPolicy, Rewards, checked_responses
from theorylab.theory.exponential_tilt import tilt_at_kl, tilt_frontier_point, tilt_log_partition
from theorylab.types import Real

__all__ = [
    "BestOfNTiltGap",
    "best_of_n_kl_bound",
    "best_of_n_kl_estimator",
    "best_of_n_log_probabilities",
    "best_of_n_tilt_gap",
    "best_of_n_win_rate",
]

_DEEP = -700.0  # log probability below which a level of the sequence reward is dropped


class BestOfNTiltGap(NamedTuple):
    """lam of the tilt; per symbol: rewards of best-of-n and of the tilt, KL(bon || tilt) and KL(bon || reference)."""

    lam: Float[Array, ""]
    bon: Float[Array, ""]
    tilt: Float[Array, ""]
    kl_bon_tilt: Float[Array, ""]
    kl_bon_p: Float[Array, ""]


def best_of_n_log_probabilities(logref: LogPolicy, reward: Rewards, n_best: Real) -> Float[Array, "outcomes"]:
    """Exact law of the best of n responses of the reference, the first one drawn where several are best.

        P(level v) = F(v)^n - F(v-)^n ,   F(v) = p(reward <= v) ,   shared inside a level in proportion to p

    in logarithms from end to end: 10^4 responses and n = 10^4 or 10^300 are no special case.

    Source: @beirami2024theoretical, with ties.
    Domain: logref normalised and finite, n_best >= 1; it need not be whole.

    logref: log probabilities of the reference [outcomes]. reward: of each response [outcomes].
    n_best: responses to choose from.
    Returns log probabilities [outcomes]; -inf only where they are below every float.
    Raises ValueError outside the domain, or when the shapes differ.
    """
    logref, reward, ok = checked_responses(logref, reward)
    ok &= _draws(n_best)
    order = jnp.argsort(reward)
    value, logp = reward[order], logref[order]
    first, last = (jnp.searchsorted(value, value, side=side) for side in ("left", "right"))
    nothing = jnp.full(1, -jnp.inf)
    cumulative = jnp.concatenate([nothing, jax.lax.cumlogsumexp(logp)])
    above = jnp.concatenate([jax.lax.cumlogsumexp(logp, reverse=True), nothing])[last]
    peak = jax.lax.stop_gradient(jax.ops.segment_max(logp, first, len(logp)))[first]
    level = peak + jnp.log(jax.ops.segment_sum(jnp.exp(logp - peak), first, len(logp)))[first]
    chosen = _log_level_probability(level, cumulative[first], cumulative[last], above, jnp.asarray(n_best, float))
    return nan_unless(ok, jnp.zeros_like(logp).at[order].set(chosen + logp - level))


def best_of_n_kl_bound(n_best: Real) -> Float[Array, ""]:
    """Upper bound of KL(best-of-n || reference), an equality only where no response has positive probability.

        kl <= log n - (n-1)/n

    Often quoted as an equality, which is wrong for finitely many responses: their divergence saturates at -log p of
    the best reward level, while the bound grows without limit.

    Source: @beirami2024theoretical.
    Domain: n_best >= 1.

    n_best: responses to choose from. Returns the bound. Raises ValueError outside the domain.
    """
    ok = _draws(n_best)
    n = jnp.asarray(n_best, float)
    return nan_unless(ok, jnp.log(n) - (n - 1) / n)


def best_of_n_win_rate(n_best: Real) -> Float[Array, ""]:
    """Probability that the best of n responses has a higher reward than one draw, for rewards without ties.

        win = n / (n + 1) ,   whatever the law of the reward

    Source: @beirami2024theoretical. Domain, arguments and errors as for `best_of_n_kl_bound`.
    """
    ok = _draws(n_best)
    n = jnp.asarray(n_best, float)
    return nan_unless(ok, n / (n + 1))


def best_of_n_tilt_gap(
    logref: LogPolicy, reward_int: tuple[int, ...], n_symbols: int, delta: Real
) -> BestOfNTiltGap:  # fmt: skip
    """The best of N = exp(n delta) sequences of n independent symbols against the tilt of divergence n delta.

        R = sum_i reward_int[y_i] ,   y_i from p ,   E_tilt R - E_bon R -> log(n) / (2 lam) + O(1)

    Exact at every n: sums of positive terms over the levels of R. The two agree to first order per symbol; the
    logarithm, derived here, comes from the factor n^(-1/2) in front of large-deviation probabilities.

    Source: @yang2024asymptotics.
    Domain: logref normalised, 0 <= delta < -log p(argmax reward_int), n_symbols >= 1, n_symbols delta <= 600.

    logref: log probabilities of a symbol [letters]. reward_int: reward of each symbol, whole numbers.
    n_symbols: length n. delta: budget per symbol.
    Returns lam, and per symbol the mean rewards of both, KL(bon || tilt) and KL(bon || reference).
    Raises ValueError outside the domain.
    """
    reward = np.array(reward_int, float)
    logref, _, ok = checked_responses(logref, reward)
    in_domain(n_symbols >= 1, "n_symbols", n_symbols, "n_symbols >= 1")
    ok &= in_domain(n_symbols * delta <= 600, "delta", delta, f"n_symbols delta <= 600 for n_symbols = {n_symbols}")
    lam = tilt_at_kl(logref, reward, delta)
    steps = np.array(reward_int) - min(reward_int)
    pmf = _law_of_the_sum(jnp.exp(logref), tuple(map(int, steps)), n_symbols)
    known = pmf > jnp.exp(_DEEP)
    kept = jnp.where(known, pmf, 0.0)
    level = jnp.where(known, _log(kept), 0.0)
    nothing, cumulative = jnp.zeros(1), jnp.cumsum(kept)
    below = jnp.where(known, _log(jnp.concatenate([nothing, cumulative[:-1]])), -jnp.inf)
    above = _log(jnp.concatenate([jnp.cumsum(kept[:0:-1])[::-1], nothing]))
    upto = jnp.where(known, _log(cumulative), 0.0)
    log_bon = _log_level_probability(level, below, upto, above, jnp.exp(n_symbols * jnp.asarray(delta, float)))
    bon = jnp.where(known, jnp.exp(log_bon), 0.0)
    log_bon = jnp.where(bon > 0, log_bon, 0.0)
    rewards = jnp.arange(len(pmf), dtype=float) + float(n_symbols * min(reward_int))
    log_tilt = level + lam * rewards - n_symbols * tilt_log_partition(logref, reward, lam)
    per_symbol = lambda value: jnp.sum(bon * value) / n_symbols
    return nan_unless(
        ok & jnp.isfinite(lam),
        BestOfNTiltGap(
            lam=lam,
            bon=per_symbol(rewards),
            tilt=tilt_frontier_point(logref, reward, lam).reward,
            kl_bon_tilt=per_symbol(log_bon - jnp.where(bon > 0, log_tilt, 0.0)),
            kl_bon_p=per_symbol(log_bon - jnp.where(bon > 0, level, 0.0)),
        ),
    )


def _log_level_probability(level: Array, below: Array, upto: Array, above: Array, n: Array) -> Array:
    """log(F^n - F-^n) for levels of log probability `level`, with log F- = `below`, log F = `upto`, log(1-F) = `above`.

    = n log F + log(1 - (F-/F)^n). Near 1, F is known from what lies above, and F-/F from the level itself.
    """
    high = above < -0.7
    upto = jnp.where(high, jnp.log1p(-jnp.exp(jnp.where(high, above, -1.0))), upto)
    lowest = below == -jnp.inf
    log_share = jnp.where(lowest, -1.0, level - upto)
    thin = log_share < -0.7
    log_ratio = jnp.where(
        thin, jnp.log1p(-jnp.exp(jnp.where(thin, log_share, -1.0))), jnp.where(lowest, -1.0, below) - upto
    )
    vanishing = log_share < -40  # where log(1 - s) = -s, which may be below every float
    log_x = jnp.log(n) + jnp.where(vanishing, log_share, jnp.log(-jnp.where(vanishing | lowest, -1.0, log_ratio)))
    inside = jnp.where(log_x < -40, log_x, jnp.log(-jnp.expm1(-jnp.exp(jnp.clip(log_x, -40, 6)))))
    return n * upto + jnp.where(lowest, 0.0, inside)


def _log(x: Array) -> Array:
    return jnp.where(x > 0, jnp.log(jnp.where(x > 0, x, 1.0)), -jnp.inf)


def _law_of_the_sum(p: Array, steps: tuple[int, ...], n_symbols: int) -> Array:
    """Probabilities of the sum of n whole numbers, symbol by symbol: only positive terms, so that no digit is lost."""
    length = n_symbols * max(steps) + 1
    shifted = lambda law, step: law if step == 0 else jnp.concatenate([jnp.zeros(step), law[:-step]])

    def add(law: Array, _: None) -> tuple[Array, None]:
        return jnp.sum(jnp.stack([p[i] * shifted(law, step) for i, step in enumerate(steps)]), 0), None

    return jax.lax.scan(add, jnp.zeros(length).at[0].set(1.0), None, length=n_symbols)[0]


def _draws(n_best: Real) -> bool | Array:
    return in_domain((n_best >= 1) & (n_best < jnp.inf), "n_best", n_best, "1 <= n_best < inf")
