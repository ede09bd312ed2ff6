"""The f-divergences that may hold a policy near its reference, by their definition."""

import difflib
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from theorylab.numerics.domain import in_domain, nan_unless
from theorylab.problems.policies import LogPolicy, Rewards, checked_policy
from theorylab.types import Real

__all__ = [
    "DIVERGENCES",
    "PolicyPrices",
    "divergence_generator",
    "f_divergence",
    "known_divergence",
    "policy_prices",
]

DIVERGENCES = ("reverse_kl", "forward_kl", "jsd", "alpha", "chi2")


def known_divergence(name: str, alpha: Real | None) -> bool | Array:
    """Whether alpha is a valid order. Raises ValueError for an unknown name, or when "alpha" has no valid order."""
    if name not in DIVERGENCES:
        near = difflib.get_close_matches(name, DIVERGENCES, 1, 0.0)[0]
        raise ValueError(f"name = {name!r} is not one of {', '.join(DIVERGENCES)}; did you mean {near!r}?")
    if name != "alpha":
        return True
    if alpha is None:
        raise ValueError("alpha = None is outside its domain: 0 < alpha < 1 where name = 'alpha'")
    return in_domain((alpha > 0) & (alpha < 1), "alpha", alpha, "0 < alpha < 1")


def divergence_generator(u: Real, name: str, alpha: Real | None = None) -> Float[Array, ""]:
    """The convex function f with f(1) = 0 of a density ratio u = pi/ref.

        reverse_kl   u log u                                        alpha   (u^(1-a) - (1-a) u - a) / (a (a-1))
        forward_kl   -log u                                         chi2    (u - 1)^2 / 2
        jsd          u log u - (u+1) log((u+1)/2)

    jsd is twice the usual Jensen-Shannon divergence; alpha -> 0 is reverse_kl + 1 - u, alpha -> 1 forward_kl + u - 1.

    Domain: u > 0; 0 < alpha < 1 where name = "alpha", unused otherwise.
    Raises ValueError outside the domain, or for an unknown name.
    """
    ok = known_divergence(name, alpha) & in_domain(u > 0, "u", u, "u > 0")
    u = jnp.asarray(u, float)
    if name == "reverse_kl":
        f = u * jnp.log(u)
    elif name == "forward_kl":
        f = -jnp.log(u)
    elif name == "jsd":
        f = u * jnp.log(u) - (u + 1) * jnp.log((u + 1) / 2)
    elif name == "chi2":
        f = (u - 1) ** 2 / 2
    else:
        a = jnp.asarray(alpha, float)
        f = (u ** (1 - a) - (1 - a) * u - a) / (a * (a - 1))
    return nan_unless(ok, f)


def f_divergence(logpi: LogPolicy, logref: LogPolicy, name: str, alpha: Real | None = None) -> Float[Array, ""]:
    """E_ref f(pi/ref) of a policy, where f is `divergence_generator`.

    Domain: both normalised, the reference positive; for forward_kl the policy too, whose divergence is infinite where
    it lacks support that the reference has.
    Raises ValueError outside the domain, or for an unknown name.
    """
    ok = known_divergence(name, alpha) & in_domain(jnp.isfinite(logref), "logref", logref, "finite")
    here = jnp.asarray(logpi) > -jnp.inf
    if name == "forward_kl":
        ok &= in_domain(here, "logpi", logpi, "support wherever the reference has some")
    logpi, ok_pi = checked_policy(logpi, "logpi")
    logref, ok_ref = checked_policy(logref, "logref")
    u = jnp.exp(jnp.where(here, logpi - logref, 0.0))
    a = 0.5 if alpha is None else alpha
    at_zero = {"reverse_kl": 0.0, "forward_kl": 0.0, "jsd": jnp.log(2.0), "alpha": 1 / (1 - a), "chi2": 0.5}[name]
    f = jnp.where(here, jax.vmap(lambda u: divergence_generator(u, name, alpha))(u), at_zero)
    return nan_unless(ok & ok_pi & ok_ref, jnp.sum(jnp.exp(logref) * f))


class PolicyPrices(NamedTuple):
    """Mean reward, KL(pi || ref), KL(ref || pi), and the probability of the responses of lowest reward."""

    reward: Float[Array, ""]
    reverse_kl: Float[Array, ""]
    forward_kl: Float[Array, ""]
    worst: Float[Array, ""]


def policy_prices(pi: LogPolicy, logref: LogPolicy, reward: Rewards) -> PolicyPrices:
    """What a policy, given by its probabilities, gains and costs; forward_kl is inf where it drops a response."""
    pi, ref, reward = jnp.asarray(pi, float), jnp.exp(jnp.asarray(logref, float)), jnp.asarray(reward, float)
    log_ratio = jnp.log(jnp.where(pi > 0, pi / ref, 1.0))
    return PolicyPrices(
        reward=jnp.sum(pi * reward),
        reverse_kl=jnp.sum(pi * log_ratio),
        forward_kl=jnp.where(jnp.all(pi > 0), -jnp.sum(ref * log_ratio), jnp.inf),
        worst=jnp.sum(jnp.where(reward == jnp.min(reward), pi, 0.0)),
    )
