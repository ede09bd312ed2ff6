"""Games between two policies that a judge compares, their values, and their symmetric equilibrium."""

from typing import Any, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from theorylab.numerics.domain import in_domain, nan_unless
from theorylab.problems.full_support import checked_full_support
from theorylab.problems.policies import LogPolicy, kl_divergence
from theorylab.types import Real

__all__ = [
    "PreferenceGame",
    "Preferences",
    "RegularisedNash",
    "checked_game",
    "cyclic_game",
    "preference_game_value",
    "random_game",
    "regularised_nash_policy",
]

Preferences: TypeAlias = Float[Array, "outcomes outcomes"] | Float[np.ndarray, "outcomes outcomes"]

_ITERATIONS = 100_000
_ENOUGH = 1e-14  # change of the probabilities at which the iteration stops
_SOLVED = 1e-12  # residual up to which it has converged


class PreferenceGame(NamedTuple):
    """P[i, j], probability that response i beats j [outcomes, outcomes], and the log reference policy [outcomes]."""

    P: np.ndarray
    logref: np.ndarray


class RegularisedNash(NamedTuple):
    """The symmetric equilibrium, log probabilities [outcomes].

    residual: largest difference between the policy and its best response, in probability. converged: residual < 1e-12.
    """

    logpi: Float[Array, "outcomes"]
    residual: Float[Array, ""]
    converged: Bool[Array, ""]


def cyclic_game(strength: float) -> PreferenceGame:
    """Rock, paper, scissors: each beats the one after it with probability (1 + strength) / 2; logits of ref (0, 1, -1).

    Domain: 0 <= strength <= 1. Raises ValueError outside it.
    """
    in_domain(0 <= strength <= 1, "strength", strength, "0 <= strength <= 1")
    ahead = np.roll(np.eye(3), 1, axis=1)
    logits = np.array([0.0, 1.0, -1.0])
    return PreferenceGame(0.5 + strength / 2 * (ahead - ahead.T), logits - np.logaddexp.reduce(logits))


def random_game(game: int, responses: int) -> PreferenceGame:
    """The preferences sigmoid(A_ij - A_ji) and the logits of the reference from standard normal numbers.

    Domain: game >= 0, responses >= 2. Raises ValueError outside it.
    """
    in_domain(game >= 0, "game", game, "game >= 0")
    in_domain(responses >= 2, "responses", responses, "responses >= 2")
    rng = np.random.default_rng([game, responses])
    scores, logits = rng.normal(size=(responses, responses)), rng.normal(size=responses)
    return PreferenceGame(1 / (1 + np.exp(scores.T - scores)), logits - np.logaddexp.reduce(logits))


def checked_game(P: Preferences, logref: LogPolicy, beta: Real) -> tuple[Array, Array, Array, Any]:
    """Preferences, reference and coefficient of the divergence as floats, and whether they make a game.

    Raises ValueError naming the argument when they do not.
    """
    if np.shape(P) != (len(logref), len(logref)):
        raise ValueError(f"P has shape {np.shape(P)}, but logref has {len(logref)} entries")
    ok = in_domain(beta > 0, "beta", beta, "beta > 0")
    preferences = jnp.asarray(P, float)
    ok &= in_domain((preferences >= 0) & (preferences <= 1), "P", P, "probabilities in [0, 1]")
    ok &= in_domain(jnp.abs(preferences + preferences.T - 1) <= 1e-6, "P", P, "P + P' = 1: one of two responses wins")
    logref, full = checked_full_support(logref, "logref")
    return preferences, logref, jnp.asarray(beta, float), ok & full


def preference_game_value(
    P: Preferences, logref: LogPolicy, beta: Real, log_first: LogPolicy, log_second: LogPolicy
) -> Float[Array, ""]:
    """How often the first policy wins, less beta times its divergence from the reference, plus that of the second.

        J = pi_1' P pi_2 - beta KL(pi_1 || ref) + beta KL(pi_2 || ref)

    Raises ValueError where the arguments make no game, or a policy lacks full support.
    """
    P, logref, beta, ok = checked_game(P, logref, beta)
    (first, ok_first), (second, ok_second) = (
        checked_full_support(logpi, name) for logpi, name in ((log_first, "log_first"), (log_second, "log_second"))
    )
    value = jnp.exp(first) @ P @ jnp.exp(second) - beta * (kl_divergence(first, logref) - kl_divergence(second, logref))
    return nan_unless(ok & ok_first & ok_second, value)


def regularised_nash_policy(P: Preferences, logref: LogPolicy, beta: Real) -> RegularisedNash:
    """The symmetric equilibrium of the game between two policies that both pay for their divergence from a reference.

        pi = ref exp(P pi / beta) / Z

    the fixed point of J = pi_1' P pi_2 - beta KL(pi_1 || ref) + beta KL(pi_2 || ref), unique for beta > 0. Found by
    mirror-prox steps from ref, which converge linearly for every beta; iterating the equation itself diverges for small
    beta. Derivatives by the implicit function theorem.

    Source: @zhang2025iterative.
    Domain: 0 <= P <= 1, P + P' = 1, ref with full support, beta > 0.

    P: P[i, j] is the probability that response i beats j [Y, Y]. logref: log reference policy [Y]. beta: coefficient
    of the divergence.
    Returns log probabilities, the residual |pi - ref exp(P pi / beta) / Z| and whether it is below 1e-12.
    Raises ValueError outside the domain.
    """
    P, logref, beta, ok = checked_game(P, logref, beta)

    def response(logpi: Array) -> Array:
        return jax.nn.log_softmax(logref + P @ jnp.exp(logpi) / beta)

    def residual(logpi: Array) -> Array:
        return jnp.max(jnp.abs(jnp.exp(logpi) - jnp.exp(response(logpi))))

    eta = 1 / (beta + jnp.max(jnp.abs(P - 0.5)) + 0.5)

    def solve(_: Any, start: Array) -> Array:
        def towards(logpi: Array, opponent: Array) -> Array:
            kept = (1 - eta * beta) * logpi + eta * beta * logref
            return jax.nn.log_softmax(kept + eta * (P @ jnp.exp(opponent)))

        def step(state: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
            logpi, _, count = state
            new = towards(logpi, towards(logpi, logpi))
            return new, jnp.max(jnp.abs(jnp.exp(new) - jnp.exp(logpi))), count + 1

        goes_on = lambda state: (state[1] > _ENOUGH * eta * beta) & (state[2] < _ITERATIONS)
        return jax.lax.while_loop(goes_on, step, (start, jnp.ones_like(beta), jnp.array(0)))[0]

    def invert(linear: Any, value: Array) -> Array:
        return jnp.linalg.solve(jax.jacobian(linear)(value), value)

    logpi = jax.lax.custom_root(lambda logpi: logpi - response(logpi), logref, solve, invert)
    left = residual(jax.lax.stop_gradient(logpi))
    return nan_unless(ok, RegularisedNash(logpi, left, jnp.ones(())))._replace(converged=left < _SOLVED)
