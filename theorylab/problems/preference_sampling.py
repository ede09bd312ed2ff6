"""Policies on finite sets of responses: values, divergences, optimal policies, rankings by implicit reward.

Tables have one row per prompt and one column per response. A policy is softmax(logits) row by row; its implicit reward
is beta (log pi - log ref).
"""

import difflib
from typing import NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jax.nn import log_softmax
from jax.scipy.special import logsumexp
from jaxtyping import Array, Float, Int

from theorylab.numerics.domain import in_domain, nan_unless
from theorylab.types import Key, Real, Vector

__all__ = [
    "SCHEMES",
    "Curvature",
    "PolicyProblem",
    "PreferenceProblem",
    "check_preferences",
    "check_scheme",
    "check_table",
    "draw_policy_problem",
    "draw_preferences",
    "implicit_ranks",
    "kl_regularised_objective",
    "objective_curvature",
    "optimal_policy",
    "preference_problem",
    "reward_and_divergence",
    "value_gap",
]

Table: TypeAlias = Float[Array, "X Y"] | Float[np.ndarray, "X Y"]
Rows: TypeAlias = Float[Array, "*X Y"] | Float[np.ndarray, "*X Y"]

SCHEMES = ("t_pilaf", "pilaf_half", "vanilla", "hybrid", "best_of_n")

_TIE = 1e-12  # differences of log ratios that count as rounding


class PreferenceProblem(NamedTuple):
    """Log reference policy [X, Y], reward [X, Y], and probabilities of the prompts [X]."""

    logref: Float[Array, "X Y"] | Float[np.ndarray, "X Y"]
    reward: Float[Array, "X Y"] | Float[np.ndarray, "X Y"]
    rho: Vector


class PolicyProblem(NamedTuple):
    """Log probabilities of a policy [X, Y], and the preferences that it is to learn."""

    logits: Float[Array, "X Y"] | Float[np.ndarray, "X Y"]
    logref: Float[Array, "X Y"] | Float[np.ndarray, "X Y"]
    reward: Float[Array, "X Y"] | Float[np.ndarray, "X Y"]
    rho: Vector


class Curvature(NamedTuple):
    """Principal directions of the curvature of the objective at its maximum [Y-1, Y], flat ones first; curvatures."""

    directions: np.ndarray
    curvatures: np.ndarray


def preference_problem(reference: tuple[float, ...], rewards: tuple[float, ...]) -> PreferenceProblem:
    """One prompt: probabilities of the responses under the reference, and their rewards.

    Raises ValueError unless the probabilities are positive and sum to one.
    """
    in_domain(np.min(reference) > 0, "reference", reference, "positive probabilities")
    in_domain(abs(sum(reference) - 1) <= 1e-6, "reference", reference, "probabilities that sum to one")
    return PreferenceProblem(np.log(np.array(reference, float))[None], np.array(rewards, float)[None], np.ones(1))


def draw_preferences(
    key: Key, rho: Vector | tuple[float, ...], Y: int, logit_std: Real = 1.0, reward_std: Real = 1.0
) -> PreferenceProblem:
    """Reference logits and rewards of Y responses to each prompt, all independent normal. rho: prompt probabilities."""
    weights = _prompts(rho)
    key_logits, key_reward = jax.random.split(key)
    shape = (weights.size, Y)
    logref = log_softmax(logit_std * jax.random.normal(key_logits, shape))
    return PreferenceProblem(logref, reward_std * jax.random.normal(key_reward, shape), weights)


def draw_policy_problem(
    key: Key, rho: Vector | tuple[float, ...], Y: int, beta: Real, eps: Vector, start: str = "optimum"
) -> tuple[PreferenceProblem, Float[Array, "eps X Y"]]:
    """A random instance, and policies at distances eps from its optimum, or from its reference, in one direction.

    Reference logits, rewards and direction are standard normal.
    Returns the instance and the logits of the policies [eps, X, Y].
    """
    in_domain(start in ("optimum", "reference"), "start", start, "optimum or reference")
    ok = in_domain(beta > 0, "beta", beta, "beta > 0")
    key_problem, key_direction = jax.random.split(key)
    problem = draw_preferences(key_problem, rho, Y)
    centre = jnp.asarray(problem.logref) + (problem.reward / beta if start == "optimum" else 0.0)
    direction = jax.random.normal(key_direction, centre.shape)
    policies = centre[None] + jnp.asarray(eps, float)[:, None, None] * direction[None]
    return problem, nan_unless(ok, policies)


def kl_regularised_objective(logits: Table, logref: Table, reward: Table, beta: Real, rho: Vector) -> Float[Array, ""]:
    """Expected reward of a policy minus beta times its divergence from the reference.

        J = sum_x rho_x sum_y pi(y) [ reward(y) - beta (log pi(y) - logref(y)) ] ,   pi = softmax(logits)

    Exact. The best policy is proportional to exp(logref + reward / beta).

    Source: @feng2025pilaf.
    Domain: beta > 0; finite logits; logref log probabilities; rho probabilities.

    logits: of the policy, not necessarily normalised [X, Y]. logref: log reference policy, normalised [X, Y].
    reward: [X, Y]. beta: coefficient of the divergence. rho: probabilities of the prompts [X].
    Returns J.
    Raises ValueError outside the domain, or when shapes differ.
    """
    ok = check_preferences(logref, reward, rho, logits) & in_domain(beta > 0, "beta", beta, "beta > 0")
    gain, divergence = reward_and_divergence(logits, logref, reward, rho)
    return nan_unless(ok, gain - beta * divergence)


def reward_and_divergence(
    logits: Table, logref: Table, reward: Table, rho: Vector
) -> tuple[Float[Array, ""], Float[Array, ""]]:
    """Expected reward of a policy, and its Kullback-Leibler divergence from the reference, averaged over prompts."""
    logpi = log_softmax(jnp.asarray(logits, float))
    weights = jnp.asarray(rho, float)[:, None] * jnp.exp(logpi)
    return jnp.sum(weights * jnp.asarray(reward, float)), jnp.sum(weights * (logpi - jnp.asarray(logref, float)))


def optimal_policy(logref: Table, reward: Table, beta: Real) -> Float[Array, "X Y"]:
    """Log probabilities of the policy proportional to exp(logref + reward / beta), which maximises the objective."""
    return log_softmax(jnp.asarray(logref, float) + jnp.asarray(reward, float) / beta)


def objective_curvature(logref: Table, reward: Table, beta: float) -> Curvature:
    """Eigensystem of beta^2 Cov(one-hot response) under the best policy of the first prompt, without the null vector.

    It is -beta times the Hessian of the objective in the logits.
    """
    pi = np.exp(np.asarray(optimal_policy(logref, reward, beta))[0])
    curvatures, directions = np.linalg.eigh(beta**2 * (np.diag(pi) - np.outer(pi, pi)))
    return Curvature(directions.T[1:], curvatures[1:])


def value_gap(logits: Table, logref: Table, reward: Table, beta: Real, rho: Vector) -> Float[Array, ""]:
    """The best value of the objective minus that of a policy: beta times its divergence from the best policy."""
    return (
        jnp.asarray(beta, float) * reward_and_divergence(logits, optimal_policy(logref, reward, beta), reward, rho)[1]
    )


def implicit_ranks(logpi: Rows, logref: Rows) -> Int[Array, "*X Y"]:
    """Rank of every response by implicit reward, 0 the lowest; ties go by the index of the response."""
    ratio = jnp.round((jnp.asarray(logpi, float) - jnp.asarray(logref, float)) / _TIE)
    return jnp.argsort(jnp.argsort(ratio, axis=-1), axis=-1)


def check_scheme(scheme: str, n_best: int | None) -> None:
    """Raise ValueError for an unknown sampling scheme, and for best_of_n without n_best >= 2."""
    if scheme not in SCHEMES:
        near = difflib.get_close_matches(scheme, SCHEMES, 1, 0.0)[0]
        raise ValueError(f"scheme = {scheme!r} is not one of {', '.join(SCHEMES)}; did you mean {near!r}?")
    enough = scheme != "best_of_n" or (n_best is not None and n_best >= 2)
    in_domain(enough, "n_best", n_best, "n_best >= 2 where scheme = 'best_of_n'")


def check_table(name: str, logs: Rows, normalised: bool = True) -> bool | Array:
    """Whether a table holds finite logits, or log probabilities; ValueError where it is concrete and does not."""
    finite = jnp.isfinite(jnp.asarray(logs))
    ok = in_domain(finite, name, logs, "finite: support wherever the reference has some, and only there")
    if normalised:
        total = jnp.exp(logsumexp(jnp.asarray(logs, float), -1))
        ok &= in_domain(jnp.abs(total - 1) <= 1e-6, name, logs, "log probabilities that sum to one")
    return ok


def check_preferences(logref: Table, reward: Table, rho: Vector, logits: Table | None = None) -> bool | Array:
    """Whether tables fit together and hold what they should; ValueError where they are concrete and do not."""
    tables = {"logref": logref, "reward": reward} | ({} if logits is None else {"logits": logits})
    X, Y = np.shape(logref)
    for name, table in tables.items():
        if np.shape(table) != (X, Y):
            raise ValueError(f"{name} has shape {np.shape(table)}, but logref has {(X, Y)}")
    if np.shape(rho) != (X,):
        raise ValueError(f"rho has shape {np.shape(rho)}, but logref has {X} prompts")
    ok = check_table("logref", logref) & in_domain(jnp.isfinite(jnp.asarray(reward)), "reward", reward, "finite")
    if logits is not None:
        ok &= check_table("logits", logits, normalised=False)
    return ok & _probabilities(rho)


def _probabilities(rho: Vector) -> bool | Array:
    weights = jnp.asarray(rho, float)
    ok = in_domain(weights >= 0, "rho", rho, "rho >= 0")
    return ok & in_domain(jnp.abs(jnp.sum(weights) - 1) <= 1e-6, "rho", rho, "probabilities that sum to one")


def _prompts(rho: Vector | tuple[float, ...]) -> Array:
    weights = jnp.asarray(rho, float)
    _probabilities(weights)
    return weights
