"""The path of online direct preference optimisation when every gradient is an exact expectation."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.nn import log_softmax
from jaxtyping import Array, Float

from theorylab.numerics.domain import in_domain, nan_unless
from theorylab.problems.preference_sampling import Table, check_preferences, check_scheme, reward_and_divergence
from theorylab.theory.preference_sampling.gradients import pair_differences, population_gradient
from theorylab.theory.preference_sampling.samplers import pair_density
from theorylab.types import Real, Vector

__all__ = ["OnlinePath", "online_dpo_path"]


class OnlinePath(NamedTuple):
    """Expected reward, divergence from the reference, and objective after 0..steps steps."""

    reward: Float[Array, "times"]
    divergence: Float[Array, "times"]
    objective: Float[Array, "times"]


def online_dpo_path(
    logits: Table, logref: Table, reward: Table, beta: Real, rho: Vector, eta: Real, steps: int, scheme: str,
    n_best: int | None = None,
) -> OnlinePath:  # fmt: skip
    """Gradient descent on the preference loss whose pairs are always drawn by the current policy.

        logits_x <- logits_x - (eta / rho_x) dL/dlogits_x ,   L = `dpo_population_loss` with unit prompt weights

    The limit of stochastic gradient descent with many labelled pairs per step; the laws of the pairs are not
    differentiated. Exact, by enumeration.

    Source: derived here for the setting of @feng2025pilaf.
    Domain: beta > 0; eta > 0; steps >= 0; finite logits; logref log probabilities; rho probabilities.

    logits: of the first policy [X, Y]. logref: log reference policy [X, Y]. reward: [X, Y]. beta: coefficient of the
    divergence. rho: probabilities of the prompts [X]. eta: step size. steps: number of steps. scheme, n_best: as in
    `preference_pair_density`.
    Returns reward, divergence and objective after every step, the start included [steps + 1].
    Raises ValueError outside the domain, for an unknown scheme, or when shapes differ.
    """
    check_scheme(scheme, n_best)
    in_domain(steps >= 0, "steps", steps, "steps >= 0")
    ok = check_preferences(logref, reward, rho, logits) & in_domain(beta > 0, "beta", beta, "beta > 0")
    ok &= in_domain(eta > 0, "eta", eta, "eta > 0")
    logits, ref, gain = (jnp.asarray(table, float) for table in (logits, logref, reward))
    D_star, scale = pair_differences(gain), jnp.asarray(beta, float)

    def step(logits: Array, _: None) -> tuple[Array, tuple[Array, Array]]:
        logpi = log_softmax(logits)
        mus = pair_density(scheme, logpi, ref, beta, n_best)
        gradient = population_gradient(scale * pair_differences(logpi - ref), D_star, mus)
        return logits - eta * beta * gradient, reward_and_divergence(logits, ref, gain, rho)

    _, (value, divergence) = jax.lax.scan(step, logits, None, length=steps + 1)
    return nan_unless(ok, OnlinePath(value, divergence, value - beta * divergence))
