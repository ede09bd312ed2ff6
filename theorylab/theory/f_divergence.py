"""Policies that maximise reward minus an f-divergence from their reference, and what they do to pass@k.

With u = pi/ref the optimum is u = (f')^-1((r - mu)/beta), mu from normalisation. Away from chi2 it is solved in the
variable w = (mu - lim)/beta > 0, lim the pole of the best response: there u = g(w + (max r - r)/beta) with a decreasing
g, and g(w) lies between 1 and 1/p(best), so that the bracket is known and log w is found to rounding.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from theorylab.numerics.domain import in_domain, nan_unless
from theorylab.numerics.roots import bisection
from theorylab.problems.f_divergence import known_divergence
from theorylab.problems.policies import LogPolicy, Rewards, checked_responses
from theorylab.types import Real, Vector

__all__ = [
    "BinaryPolicy",
    "FDivergencePolicy",
    "binary_f_divergence_policy",
    "f_divergence_beta_at_pass",
    "f_divergence_beta_at_reward",
    "f_divergence_pass_at_k",
    "f_divergence_policy",
]

_WIDEST = 12.0  # log of the largest and smallest beta / (spread of the reward) that are tried


class FDivergencePolicy(NamedTuple):
    """Probabilities of the responses [outcomes], and the multiplier of their normalisation."""

    pi: Float[Array, "outcomes"]
    mu: Float[Array, ""]


class BinaryPolicy(NamedTuple):
    """Probability of success, and density ratios pi/ref of right and of wrong responses."""

    p_c: Float[Array, ""]
    u_c: Float[Array, ""]
    u_w: Float[Array, ""]


def f_divergence_policy(
    logref: LogPolicy, reward: Rewards, beta: Real, name: str, alpha: Real | None = None
) -> FDivergencePolicy:
    """The policy that maximises E_pi r - beta E_ref f(pi/ref).

        pi = ref (f')^-1((r - mu)/beta) ,   clipped at 0 where f'(0) is finite (chi2)

        f                                    (f')^-1(s)                 f                      (f')^-1(s)
        reverse_kl, u log u                  e^(s-1)                    forward_kl, -log u     -1/s
        jsd, u log u - (u+1) log((u+1)/2)    e^s/(2 - e^s)              chi2, (u-1)^2/2        max(0, 1+s)
        alpha, (u^(1-a) - (1-a)u - a)/(a(a-1))   (1 - a s)^(-1/a)

    jsd is twice the usual Jensen-Shannon divergence. f-DPO, -log sigma(beta f'(u_w) - beta f'(u_l)) on pairs, has the
    same minimiser wherever no response is clipped.

    Source: @wang2024beyond.
    Domain: logref normalised, everything finite, beta > 0; 0 < alpha < 1 where name = "alpha", unused otherwise.

    logref: log probabilities of the reference [outcomes]. reward: of each response [outcomes]. beta: coefficient.
    name: which divergence. alpha: its order.
    Returns the probabilities [outcomes] and mu. Differentiable, for chi2 where no response is just about clipped.
    Raises ValueError outside the domain, for an unknown name, or when the shapes differ.
    """
    ok = known_divergence(name, alpha) & _penalty(beta)
    logref, reward, valid = checked_responses(logref, reward)
    u, mu = _ratios(logref, reward, jnp.asarray(beta, float), name, alpha)
    return nan_unless(ok & valid, FDivergencePolicy(jnp.exp(logref) * u, mu))


def binary_f_divergence_policy(p0: Real, beta: Real, name: str, alpha: Real | None = None) -> BinaryPolicy:
    """The same for a verifiable reward, 1 for right responses and 0 for wrong ones.

        reverse_kl   u_w = 1 / (1 - p0 + p0 e^(1/beta)) ,  exponentially small
        forward_kl   u_w = beta/mu >= beta/(1+beta) ,  mu = ((1+beta) + sqrt((1+beta)^2 - 4 beta (1-p0))) / 2

    For p0 -> 0 reverse_kl and chi2 multiply the success by a bounded factor; forward_kl, alpha and jsd lift it to
    1 - g(1/beta) > 0 however rare it was, where beta < 1, alpha, 1/log 2 (derived here).

    Source: @li2026choice.
    Domain: 0 < p0 < 1, beta > 0; 0 < alpha < 1 where name = "alpha", unused otherwise.

    p0: success of the reference. beta: coefficient of the divergence. name, alpha: which divergence.
    Returns p_c = p0 u_c and the ratios. Raises ValueError outside the domain, or for an unknown name.
    """
    ok = known_divergence(name, alpha) & _penalty(beta)
    ok &= in_domain((p0 > 0) & (p0 < 1), "p0", p0, "0 < p0 < 1")
    p0 = jnp.asarray(p0, float)
    logref = jnp.stack([jnp.log(p0), jnp.log1p(-p0)])
    u, _ = _ratios(logref, jnp.array([1.0, 0.0]), jnp.asarray(beta, float), name, alpha)
    return nan_unless(ok, BinaryPolicy(p0 * u[0], u[0], u[1]))


def f_divergence_pass_at_k(
    p0_grid: Vector, q: Real, beta: Real, name: str, k: Real, alpha: Real | None = None
) -> Float[Array, ""]:
    """Probability that one of k responses is right, averaged over prompts, for a verifier that is wrong on some.

        mean_p0[ (1-q) (1 - (1 - p_c)^k) + q (1 - (1 - p0 u_w)^k) ]

    With probability q the verifier of a prompt rewards, in place of the right answer, a wrong one that is as likely
    under the reference: the model of this library, not of the paper. The two answers fit into one policy for
    p0 <= 1/2; for a larger p0 and q > 0 the formula has no such policy behind it.

    Source: derived here for the setting of @li2026choice.
    Domain: 0 < p0_grid < 1, 0 <= q <= 1, k > 0; otherwise as for `binary_f_divergence_policy`.

    p0_grid: success of the reference on each prompt [d]. q: share of wrongly verified prompts. k: responses.
    Other arguments as for `binary_f_divergence_policy`. One prompt type has, at equal pass@1, the same pass@k under
    every divergence; differences come from unequal prompts. Compare divergences at equal pass@1, not at equal beta.
    Raises ValueError outside the domain, or for an unknown name.
    """
    ok = in_domain((q >= 0) & (q <= 1), "q", q, "0 <= q <= 1") & in_domain(k > 0, "k", k, "k > 0")
    ok &= known_divergence(name, alpha) & _penalty(beta)
    ok &= in_domain((p0_grid > 0) & (p0_grid < 1), "p0_grid", p0_grid, "0 < p0_grid < 1")
    p0, k = jnp.asarray(p0_grid, float), jnp.asarray(k, float)
    policy = jax.vmap(lambda p: binary_f_divergence_policy(p, beta, name, alpha))(p0)
    fooled = -jnp.expm1(k * jnp.log1p(-p0 * policy.u_w))
    return nan_unless(ok, jnp.mean((1 - q) * (1 - ((1 - p0) * policy.u_w) ** k) + q * fooled))


def f_divergence_beta_at_reward(
    logref: LogPolicy, reward: Rewards, target: Real, name: str, alpha: Real | None = None
) -> Float[Array, ""]:
    """The beta at which the optimal policy has a given mean reward: what divergences are to be compared at.

    Source: derived here for the setting of @wang2024beyond.
    Domain: E_ref reward < target < max(reward), with beta between e^-12 and e^12 times the spread of the reward: NaN
    beyond. Other arguments and errors as for `f_divergence_policy`.
    """
    logref, reward, ok = checked_responses(logref, reward)
    low, high = jnp.sum(jnp.exp(logref) * reward), jnp.max(reward)
    ok &= in_domain((target > low) & (target < high), "target", target, "E_ref reward < target < max(reward)")
    ok &= known_divergence(name, alpha)
    mean = lambda beta: jnp.sum(jnp.exp(logref) * _ratios(logref, reward, beta, name, alpha)[0] * reward)
    return nan_unless(ok, _beta_where(lambda beta: mean(beta) - target, high - jnp.min(reward)))


def f_divergence_beta_at_pass(
    p0_grid: Vector, q: Real, target: Real, name: str, alpha: Real | None = None
) -> Float[Array, ""]:
    """The beta at which pass@1 has a given value, between that of the reference and that of beta -> 0.

    Source: derived here for the setting of @li2026choice.
    Domain: mean(p0_grid) < target < 1; NaN where no beta between e^-12 and e^12 gives it, which q > 0 can exclude.
    Unique where every p0 < 1 - q. Other arguments and errors as for `f_divergence_pass_at_k`.
    """
    ok = in_domain(
        (target > jnp.mean(jnp.asarray(p0_grid))) & (target < 1), "target", target, "mean(p0_grid) < target < 1"
    )
    ok &= known_divergence(name, alpha)
    return nan_unless(
        ok, _beta_where(lambda beta: f_divergence_pass_at_k(p0_grid, q, beta, name, 1.0, alpha) - target, 1.0)
    )


def _ratios(logref: Array, reward: Array, beta: Array, name: str, alpha: Real | None) -> tuple[Array, Array]:
    """pi/ref of the optimum, and mu."""
    best = jnp.max(reward)
    a = (best - reward) / beta
    if name == "reverse_kl":
        log_sum = jax.nn.logsumexp(logref - a)
        return jnp.exp(-a - log_sum), best + beta * (log_sum - 1)
    if name == "chi2":
        order = jnp.argsort(a)
        held = jnp.cumsum(jnp.exp(logref[order]))
        t = jnp.min((1 + jnp.cumsum(jnp.exp(logref[order]) * a[order])) / held)
        return jnp.maximum(t - a, 0.0), best + beta * (1 - t)
    g, inverse, pole = _BRANCHES[name](None if alpha is None else jnp.asarray(alpha, float))
    mass = lambda w: jnp.sum(jnp.exp(logref) * g(w + a))
    top = jnp.exp(-jax.nn.logsumexp(jnp.where(a == 0, logref, -jnp.inf)))
    bracket = jax.lax.stop_gradient((jnp.log(inverse(top)) - 1e-6, jnp.log(inverse(1.0)) + 1e-6))
    w = jnp.exp(bisection(lambda log_w: mass(jnp.exp(log_w)) - 1, *bracket))
    return g(w + a), best + beta * (w - pole)


def _forward_kl(_: Array | None) -> tuple[Callable, Callable, Real]:
    return lambda z: 1 / z, lambda u: 1 / u, 0.0


def _jsd(_: Array | None) -> tuple[Callable, Callable, Real]:
    return lambda z: jnp.exp(-z) / -jnp.expm1(-z), lambda u: jnp.log1p(1 / u), jnp.log(2.0)


def _alpha(alpha: Array | None) -> tuple[Callable, Callable, Real]:
    assert alpha is not None  # `known_divergence` has refused that
    return lambda z: (alpha * z) ** (-1 / alpha), lambda u: u**-alpha / alpha, 1 / alpha


# divergence -> u = g(z), z = g^-1(u), and the largest s = (r - mu)/beta; z is what s falls short of it
_BRANCHES = {"forward_kl": _forward_kl, "jsd": _jsd, "alpha": _alpha}


def _beta_where(excess: Callable[[Array], Array], scale: float | Array) -> Array:
    return scale * jnp.exp(bisection(lambda log_beta: excess(scale * jnp.exp(log_beta)), -_WIDEST, _WIDEST))


def _penalty(beta: Real) -> bool | Array:
    return in_domain((beta > 0) & (beta < jnp.inf), "beta", beta, "0 < beta < inf")
