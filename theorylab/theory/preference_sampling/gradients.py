"""The loss of direct preference optimisation at fixed laws of the pairs, its gradient, and that of the objective."""

from typing import TypeAlias

import jax.numpy as jnp
import numpy as np
from jax.nn import log_sigmoid, log_softmax, sigmoid
from jaxtyping import Array, Float

from theorylab.numerics.domain import in_domain, nan_unless
from theorylab.problems.preference_sampling import Table, check_preferences
from theorylab.types import Real, Vector

__all__ = ["dpo_population_gradient", "dpo_population_loss", "kl_regularised_gradient"]

Laws: TypeAlias = Float[Array, "X Y Y"] | Float[np.ndarray, "X Y Y"]


def dpo_population_loss(
    logits: Table, logref: Table, reward: Table, beta: Real, rho: Vector, mus: Laws, weights: Vector
) -> Float[Array, ""]:
    """Expected loss of direct preference optimisation, over pairs of given laws and Bradley-Terry labels.

        L = - sum_x rho_x weights_x sum_ab mus_x(a, b) [ sigmoid(D*) log sigmoid(D) + sigmoid(-D*) log sigmoid(-D) ]

    with D the difference of the implicit rewards beta (log pi - logref) of a and b, D* that of their rewards.

    Source: @feng2025pilaf.
    Domain: beta > 0; finite logits; logref log probabilities; rho and every mus_x probabilities; weights >= 0.

    logits: of the policy, not necessarily normalised [X, Y]. logref: log reference policy [X, Y]. reward: [X, Y].
    beta: coefficient of the divergence. rho: probabilities of the prompts [X]. mus: laws of the pair [X, Y, Y], which
    do not move with the logits. weights: of the prompts in the loss [X].
    Returns L.
    Raises ValueError outside the domain, or when shapes differ.
    """
    D, D_star, scale, ok = _differences(logits, logref, reward, beta, rho, mus, weights)
    label = sigmoid(D_star)
    surprise = label * log_sigmoid(D) + (1 - label) * log_sigmoid(-D)
    return nan_unless(ok, -jnp.sum(scale[:, None, None] * jnp.asarray(mus, float) * surprise))


def dpo_population_gradient(
    logits: Table, logref: Table, reward: Table, beta: Real, rho: Vector, mus: Laws, weights: Vector
) -> Float[Array, "X Y"]:
    """Gradient of `dpo_population_loss` in the logits, at fixed laws of the pairs.

        dL/dlogits_xa = - beta rho_x weights_x sum_b (mus_x(a, b) + mus_x(b, a)) (sigmoid(D*_ab) - sigmoid(D_ab))

    Source: @feng2025pilaf. Domain, arguments and errors as for `dpo_population_loss`.
    """
    D, D_star, scale, ok = _differences(logits, logref, reward, beta, rho, mus, weights)
    gradient = population_gradient(D, D_star, jnp.asarray(mus, float))
    return nan_unless(ok, beta * scale[:, None] * gradient)


def kl_regularised_gradient(
    logits: Table, logref: Table, reward: Table, beta: Real, rho: Vector
) -> Float[Array, "X Y"]:
    """Gradient of `kl_regularised_objective` in the logits.

        dJ/dlogits_xy = rho_x pi(y) (A(y) - sum_z pi(z) A(z)) ,   A = reward - beta (log pi - logref)

    Source: @feng2025pilaf.
    Domain: beta > 0; finite logits; logref log probabilities; rho probabilities.

    logits: of the policy, not necessarily normalised [X, Y]. logref: log reference policy [X, Y]. reward: [X, Y].
    beta: coefficient of the divergence. rho: probabilities of the prompts [X].
    Returns the gradient [X, Y].
    Raises ValueError outside the domain, or when shapes differ.
    """
    ok = check_preferences(logref, reward, rho, logits) & in_domain(beta > 0, "beta", beta, "beta > 0")
    logpi = log_softmax(jnp.asarray(logits, float))
    pi = jnp.exp(logpi)
    gain = jnp.asarray(reward, float) - beta * (logpi - jnp.asarray(logref, float))
    mean = jnp.sum(pi * gain, -1, keepdims=True)
    return nan_unless(ok, jnp.asarray(rho, float)[:, None] * pi * (gain - mean))


def population_gradient(D: Array, D_star: Array, mus: Array) -> Array:
    """Gradient of the loss of one prompt in its implicit rewards; accurate where D is near D*."""
    error = sigmoid(D_star) * sigmoid(-D) * -jnp.expm1(D - D_star)  # sigmoid(D*) - sigmoid(D)
    return -jnp.sum((mus + jnp.swapaxes(mus, -1, -2)) * error, -1)


def pair_differences(table: Array) -> Array:
    """table_a - table_b for all pairs of responses [..., Y, Y]."""
    return table[..., :, None] - table[..., None, :]


def _differences(
    logits: Table, logref: Table, reward: Table, beta: Real, rho: Vector, mus: Laws, weights: Vector
) -> tuple[Array, Array, Array, bool | Array]:
    ok = check_preferences(logref, reward, rho, logits) & in_domain(beta > 0, "beta", beta, "beta > 0")
    X, Y = np.shape(logref)
    if np.shape(mus) != (X, Y, Y) or np.shape(weights) != (X,):
        raise ValueError(f"mus has shape {np.shape(mus)} and weights {np.shape(weights)}, not {(X, Y, Y)} and {(X,)}")
    laws, scale = jnp.asarray(mus, float), jnp.asarray(weights, float)
    ok &= in_domain(laws >= 0, "mus", mus, "mus >= 0")
    ok &= in_domain(jnp.abs(jnp.sum(laws, (1, 2)) - 1) <= 1e-6, "mus", mus, "probabilities that sum to one per prompt")
    ok &= in_domain(scale >= 0, "weights", weights, "weights >= 0")
    implicit = jnp.asarray(beta, float) * (jnp.asarray(logits, float) - jnp.asarray(logref, float))
    return pair_differences(implicit), pair_differences(jnp.asarray(reward, float)), jnp.asarray(rho, float) * scale, ok
