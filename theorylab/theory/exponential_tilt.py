"""Reward against divergence: the exponential tilt of a reference policy, its frontier and its large deviations.

p is the reference policy exp(logref), r the reward, and lam = 1/beta the inverse of the coefficient of KL(pi || p).
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import logsumexp
from jaxtyping import Array, Float

from theorylab.numerics.domain import in_domain, nan_unless
from theorylab.numerics.roots import bisection
from theorylab.problems.policies import LogPolicy, Rewards, checked_policy, checked_responses, kl_divergence
from theorylab.types import Real

__all__ = [
    "FrontierPoint",
    "WinRate",
    "max_attainable_kl",
    "renyi_cross_entropy",
    "tilt_at_kl",
    "tilt_cumulant_rates",
    "tilt_frontier_point",
    "tilt_log_partition",
    "tilt_rate_function",
    "tilt_win_rate",
    "tilted_policy",
]

_DEEP = 745.0  # exp(-_DEEP) is the smallest positive float
_BERNOULLI = (1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730, 7 / 6, -3617 / 510, 43867 / 798, -174611 / 330)


class FrontierPoint(NamedTuple):
    """Mean reward, KL to the reference, and variance of the reward."""

    reward: Float[Array, ""]
    kl: Float[Array, ""]
    var: Float[Array, ""]


class WinRate(NamedTuple):
    """Probability of a higher reward than the reference, and KL to it."""

    win: Float[Array, ""]
    kl: Float[Array, ""]


def tilted_policy(logref: LogPolicy, reward: Rewards, lam: Real) -> Float[Array, "outcomes"]:
    """Log probabilities of the policy that maximises E r - KL(pi || p) / lam.

        pi = p exp(lam r) / sum p exp(lam r)

    It is also the Bayesian posterior of prior p and log likelihood lam r, and where natural policy gradient without a
    penalty has come from p after the time lam. Negative lam minimises the reward.

    Source: @korbak2022rl, @yang2024asymptotics.
    Domain: logref normalised; everything finite.

    logref: log probabilities of the reference [outcomes]. reward: of each response [outcomes]. lam: 1/beta.
    Returns log probabilities [outcomes].
    Raises ValueError outside the domain, or when the shapes differ.
    """
    logref, reward, lam, ok = _arguments(logref, reward, lam)
    return nan_unless(ok, _tilt(logref, reward, lam))


def tilt_log_partition(logref: LogPolicy, reward: Rewards, lam: Real) -> Float[Array, ""]:
    """Log normaliser of the tilt, the cumulant generating function of the reward under the reference.

        Lambda(lam) = log sum p exp(lam r) = lam max_pi [E r - KL(pi || p) / lam]

    Source: @korbak2022rl, @yang2024asymptotics. Domain, arguments and errors as for `tilted_policy`.
    """
    logref, reward, lam, ok = _arguments(logref, reward, lam)
    return nan_unless(ok, logsumexp(logref + lam * reward))


def tilt_frontier_point(logref: LogPolicy, reward: Rewards, lam: Real) -> FrontierPoint:
    """Reward, divergence and variance of the tilt.

        reward = Lambda'(lam) ,   kl = lam Lambda' - Lambda ,   var = Lambda''(lam)

    No policy of this divergence has more reward. Along the frontier d reward / d kl = 1/lam = beta: it is concave.

    Source: @yang2024asymptotics. Domain, arguments and errors as for `tilted_policy`.
    """
    logref, reward, lam, ok = _arguments(logref, reward, lam)
    logp = _tilt(logref, reward, lam)
    mean, var = _moments(logp, reward)
    return nan_unless(ok, FrontierPoint(mean, kl_divergence(logp, logref), var))


def max_attainable_kl(logref: LogPolicy, reward: Rewards) -> Float[Array, ""]:
    """Divergence of the tilt for lam -> inf: of the reference conditioned on the responses of highest reward.

        kl = -log p(argmax r)

    Source: @yang2024asymptotics. Domain, arguments and errors as for `tilted_policy`.
    """
    logref, reward, ok = checked_responses(logref, reward)
    return nan_unless(ok, -logsumexp(jnp.where(reward == jnp.max(reward), logref, -jnp.inf)))


def tilt_at_kl(logref: LogPolicy, reward: Rewards, delta: Real) -> Float[Array, ""]:
    """The lam >= 0 of the tilt with KL(pi || p) = delta, which has the most reward under that budget.

    Source: @yang2024asymptotics.
    Domain: 0 <= delta < `max_attainable_kl`; from there on the answer is no tilt. Differentiable for delta > 0.

    delta: the budget. Other arguments as for `tilted_policy`.
    Returns lam. Raises ValueError outside the domain.
    """
    logref, reward, ok = checked_responses(logref, reward)
    limit = max_attainable_kl(logref, reward)
    allowed = "0 <= delta < -log p(argmax reward), the divergence that tilts do not reach"
    ok &= in_domain((delta >= 0) & (delta < limit), "delta", delta, allowed)
    budget = jnp.where(jnp.asarray(delta) > 0, jnp.asarray(delta, float), 0.5 * limit)
    span = jnp.max(reward) - jnp.min(reward)
    low, high = jnp.sqrt(8 * budget) / span, _DEEP / _gap(reward)  # kl <= (lam span)^2 / 8; beyond: one level is left
    excess = lambda log_lam: kl_divergence(_tilt(logref, reward, jnp.exp(log_lam)), logref) - budget
    bracket = jax.lax.stop_gradient((jnp.log(low) - 1e-6, jnp.log(jnp.maximum(low, high)) + 1e-6))
    lam = jnp.exp(bisection(excess, *bracket))
    return nan_unless(ok, jnp.where(jnp.asarray(delta) > 0, lam, 0.0))


def tilt_cumulant_rates(logref: LogPolicy, reward: Rewards, lam: Real) -> Float[Array, "4"]:
    """The first four cumulants of the reward of one symbol under the tilt: mean, variance, third and fourth cumulant.

        Lambda^(k)(lam) ,   k = 1..4

    The reward of n independent symbols has n times these.

    Source: @yang2024asymptotics. Domain, arguments and errors as for `tilted_policy`.
    """
    logref, reward, lam, ok = _arguments(logref, reward, lam)
    p = jnp.exp(_tilt(logref, reward, lam))
    mean = jnp.sum(p * reward)
    second, third, fourth = (jnp.sum(p * (reward - mean) ** k) for k in (2, 3, 4))
    return nan_unless(ok, jnp.stack([mean, second, third, fourth - 3 * second**2]))


def tilt_rate_function(logref: LogPolicy, reward: Rewards, lam: Real, x: Real) -> Float[Array, ""]:
    """Rate at which the mean reward of n independent symbols of the tilt deviates: P(mean near x) = exp(-n rate).

        I(x) = sup_t [t x - Lambda(t)] - lam x + Lambda(lam) = KL(p_t || p_lam)   where E_t r = x

    From the reference (lam = 0) to the mean of a tilt it is the divergence of that tilt: this is why the best of
    exp(n delta) sequences and the tilt of divergence n delta agree to first order.

    Source: @yang2024asymptotics.
    Domain: min r < x < max r.

    x: mean reward per symbol. Other arguments as for `tilted_policy`.
    Returns the rate. Raises ValueError outside the domain.
    """
    logref, reward, lam, ok = _arguments(logref, reward, lam)
    ok &= in_domain((x > jnp.min(reward)) & (x < jnp.max(reward)), "x", x, "min(reward) < x < max(reward)")
    reach = jax.lax.stop_gradient(_DEEP * jnp.maximum(1 / _gap(reward), 1 / _gap(-reward)))
    tilt = lambda t: _tilt(logref, reward, t)
    t = bisection(lambda t: _moments(tilt(t), reward)[0] - x, -reach, reach, 80)
    slack = (t - lam) * (x - _moments(tilt(t), reward)[0])  # of the rounding of t, to first order
    return nan_unless(ok, kl_divergence(tilt(t), tilt(lam)) + slack)


def tilt_win_rate(lam: Real) -> WinRate:
    """Win rate against the reference, and divergence, of the tilt of a reward without ties, in its quantile u.

        density lam e^(lam u) / (e^lam - 1) on [0, 1] ,   win = 1/(1 - e^-lam) - 1/lam ,
        kl = lam win - log((e^lam - 1) / lam)

    Source: @beirami2024theoretical.
    Domain: lam > 0.

    lam: strength of the tilt by the quantile of the reward.
    Returns the probability of a higher reward than that of one draw from the reference, and the divergence.
    Raises ValueError outside the domain.
    """
    ok = in_domain((lam > 0) & (lam < jnp.inf), "lam", lam, "0 < lam < inf")
    lam = jnp.asarray(lam, float)
    near, far = jnp.minimum(lam, 1.0), jnp.maximum(lam, 0.5)
    order = 2.0 * np.arange(1, len(_BERNOULLI) + 1)
    terms = np.array(_BERNOULLI) / np.cumprod(np.arange(1.0, order[-1] + 1))[1::2] * near ** (order - 1)
    win = 1 / -jnp.expm1(-far) - 1 / far
    kl = far * win - far - jnp.log(-jnp.expm1(-far)) + jnp.log(far)
    small = lam < 1
    win = jnp.where(small, 0.5 + jnp.sum(terms), win)
    return nan_unless(ok, WinRate(win, jnp.where(small, near * jnp.sum(terms * (1 - 1 / order)), kl)))


def renyi_cross_entropy(logp: LogPolicy, logq: LogPolicy, a: Real) -> Float[Array, ""]:
    """Renyi cross entropy of order a, which gives Lambda(t) = -t H_{1+t}(p, q) for the reward r = log q.

        H_a(p, q) = log( sum p q^(a-1) ) / (1 - a) ,   -sum p log q   at a = 1

    Source: @yang2024asymptotics.
    Domain: both normalised, q > 0 everywhere.

    logp: log probabilities of the law that is averaged over [outcomes]. logq: of the law inside the logarithm.
    a: order. Returns the entropy. Raises ValueError outside the domain, or when the shapes differ.
    """
    if jnp.shape(logp) != jnp.shape(logq):
        raise ValueError(f"logp and logq have shapes {jnp.shape(logp)} and {jnp.shape(logq)}")
    ok = in_domain(jnp.isfinite(logq), "logq", logq, "finite")
    ok &= in_domain(jnp.isfinite(a), "a", a, "finite")
    logp, ok_p = checked_policy(logp, "logp")
    logq, ok_q = checked_policy(logq, "logq")
    h, mean = jnp.asarray(a, float) - 1, jnp.sum(jnp.exp(logp) * logq)
    y = h * (logq - mean)
    near = jnp.max(jnp.abs(y)) < 0.1
    small = jnp.where(near, y, 0.0)
    # log(sum p e^y) / h without cancellation: sum p (e^y - 1 - y) = h^2 spread, and log(1 + s) = s (1 - s/2 + ..)
    phi = sum(small**k / np.prod(np.arange(1.0, k + 3)) for k in range(10))
    spread = jnp.sum(jnp.exp(logp) * (logq - mean) ** 2 * phi)
    s = jnp.where(near, h**2 * spread, 0.0)
    log1p = sum((-s) ** k / (k + 1) for k in range(12))
    direct = logsumexp(logp + y) / jnp.where(near, 1.0, h)
    return nan_unless(ok & ok_p & ok_q, -mean - jnp.where(near, h * spread * log1p, direct))


def _arguments(logref: LogPolicy, reward: Rewards, lam: Real) -> tuple[Array, Array, Array, bool | Array]:
    logref, reward, ok = checked_responses(logref, reward)
    ok &= in_domain(jnp.isfinite(lam), "lam", lam, "finite; beta = 1 / lam is not 0")
    return logref, reward, jnp.asarray(lam, float), ok


def _tilt(logref: Array, reward: Array, lam: Array) -> Array:
    """Rewards relative to the one that lam favours: of a large lam the others may lose digits, not that one."""
    best = jnp.where(lam > 0, jnp.max(reward), jnp.min(reward))
    return jax.nn.log_softmax(logref + lam * (reward - best))


def _moments(logp: Array, reward: Array) -> tuple[Array, Array]:
    """Mean and variance of the reward."""
    p = jnp.exp(logp)
    mean = jnp.sum(p * reward)
    return mean, jnp.sum(p * (reward - mean) ** 2)


def _gap(reward: Array) -> Array:
    """Distance of the two highest reward levels."""
    top = jnp.max(reward)
    return top - jnp.max(jnp.where(reward < top, reward, -jnp.inf))
