"""Policies over finitely many responses: log probabilities, their divergences, and instances to try methods on."""

from math import factorial
from typing import Any, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import logsumexp
from jaxtyping import Array, Float, Num

from theorylab.numerics.domain import in_domain, nan_unless
from theorylab.types import Real

__all__ = [
    "LogPolicy",
    "ResponseProblem",
    "Rewards",
    "checked_policy",
    "checked_responses",
    "entropy_of_policy",
    "kl_divergence",
    "outcomes_holding",
    "response_problem",
]

LogPolicy: TypeAlias = Float[Array, "outcomes"] | Float[np.ndarray, "outcomes"]
Rewards: TypeAlias = Num[Array, "outcomes"] | Num[np.ndarray, "outcomes"]

SUM = 1e-6  # how far probabilities may be from a sum of one


class ResponseProblem(NamedTuple):
    """Log probabilities of a reference policy over the responses, and the reward of each [outcomes]."""

    logref: np.ndarray
    reward: np.ndarray


def response_problem(instance: int, outcomes: int) -> ResponseProblem:
    """A random instance in which better responses are rarer: rewards 0..4, of which 4 twice, the others at least once.

    In the order of the reward; logits of the reference N(-0.6 reward, 1.2^2).

    Domain: outcomes >= 6. Raises ValueError outside it.
    """
    in_domain(outcomes >= 6, "outcomes", outcomes, "outcomes >= 6")
    rng = np.random.default_rng([instance, outcomes])
    reward = np.sort(np.concatenate([np.arange(5), [4], rng.integers(0, 4, outcomes - 6)]).astype(float))
    logits = 1.2 * rng.normal(size=outcomes) - 0.6 * reward
    return ResponseProblem(logits - np.logaddexp.reduce(logits), reward)


def checked_policy(logp: LogPolicy, name: str) -> tuple[Array, Any]:
    """Log probabilities, normalised to rounding, and whether they were within 1e-6 of it before.

    Raises ValueError naming the argument when they are not.
    """
    total = logsumexp(jnp.asarray(logp, float))
    ok = in_domain(abs(total) <= SUM, name, logp, "log probabilities whose exponentials sum to one")
    return jnp.asarray(logp, float) - total, ok


def checked_responses(logref: LogPolicy, reward: Rewards) -> tuple[Array, Array, Any]:
    """Reference policy and rewards as floats, and whether both are finite and the policy is normalised."""
    if jnp.shape(logref) != jnp.shape(reward):
        raise ValueError(f"logref and reward have shapes {jnp.shape(logref)} and {jnp.shape(reward)}")
    ok = in_domain(jnp.isfinite(logref), "logref", logref, "finite: leave out what the reference never says")
    ok &= in_domain(jnp.isfinite(reward), "reward", reward, "finite")
    logref, normalised = checked_policy(logref, "logref")
    return logref, jnp.asarray(reward, float), ok & normalised


def kl_divergence(logp: LogPolicy, logq: LogPolicy) -> Float[Array, ""]:
    """KL(p || q) = sum p log(p/q) >= 0, without cancellation: a sum of terms q (u log u - u + 1), u = p/q.

    Domain: both normalised; q > 0 wherever p > 0. p may vanish.
    Raises ValueError outside the domain.
    """
    ok = in_domain((jnp.asarray(logq) > -jnp.inf) | (jnp.asarray(logp) == -jnp.inf), "logq", logq,
                   "support wherever logp has some")  # fmt: skip
    logp, ok_p = checked_policy(logp, "logp")
    logq, ok_q = checked_policy(logq, "logq")
    here = logp > -jnp.inf
    t = jnp.where(here, logp, 0.0) - jnp.where(here, logq, 0.0)
    p, q = jnp.exp(logp), jnp.exp(logq)
    small = jnp.abs(t) < 0.3
    near = jnp.where(small, t, 0.0)
    series = sum(near**k * ((k - 1) / factorial(k)) for k in range(2, 16))
    terms = jnp.where(small & here, q * series, p * t - p + q)
    return nan_unless(ok & ok_p & ok_q, jnp.sum(terms))


def entropy_of_policy(logp: LogPolicy) -> Float[Array, ""]:
    """-sum p log p of a policy, which may vanish somewhere. Raises ValueError unless it sums to one."""
    logp, ok = checked_policy(logp, "logp")
    return nan_unless(ok, -jnp.sum(jnp.exp(logp) * jnp.where(logp > -jnp.inf, logp, 0.0)))


def outcomes_holding(logp: LogPolicy, share: Real) -> Float[Array, ""]:
    """The smallest number of responses that together hold at least a share of the probability.

    Domain: 0 < share < 1. Raises ValueError outside it, or when the policy does not sum to one.
    """
    ok = in_domain((share > 0) & (share < 1), "share", share, "0 < share < 1")
    logp, normalised = checked_policy(logp, "logp")
    held = jnp.cumsum(jnp.sort(jnp.exp(logp), descending=True))
    return nan_unless(ok & normalised, 1 + jnp.sum(jnp.where(jax.lax.stop_gradient(held) < share, 1.0, 0.0)))
