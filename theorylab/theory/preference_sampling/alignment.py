"""How parallel the gradient of preference learning is to that of the objective: exact values, and a bound."""

from typing import NamedTuple

import jax.numpy as jnp
from jax.nn import log_softmax
from jaxtyping import Array, Float

from theorylab.numerics.domain import in_domain, nan_unless
from theorylab.problems.preference_sampling import Table, check_preferences, check_scheme
from theorylab.theory.preference_sampling.gradients import (
    dpo_population_gradient,
    kl_regularised_gradient,
    pair_differences,
)
from theorylab.theory.preference_sampling.samplers import pair_density, prompt_weights
from theorylab.types import Real, Vector

__all__ = ["GradientAlignment", "dpo_alignment_remainder_bound", "dpo_gradient_alignment"]


class GradientAlignment(NamedTuple):
    """Cosine of the angle between -grad L and grad J, |grad L + (beta / zbar) grad J|, and zbar."""

    cosine: Float[Array, ""]
    residual: Float[Array, ""]
    zbar: Float[Array, ""]


def dpo_gradient_alignment(
    logits: Table, logref: Table, reward: Table, beta: Real, rho: Vector, scheme: str, n_best: int | None = None,
    weighted: bool = True,
) -> GradientAlignment:  # fmt: skip
    """How parallel the descent of the preference loss is to the ascent of the objective, under a sampling scheme.

        cosine = - <grad L, grad J> / (|grad L| |grad J|) ,   residual = |grad L + (beta / zbar) grad J|

    L is `dpo_population_loss` with the pairs drawn from the policy itself by the scheme, J `kl_regularised_objective`.
    Under t_pilaf with prompt weights the residual is of second order in the error of the implicit rewards; near the
    optimum it is of first order under every other scheme, and without the weights unless there is one prompt.

    Source: @feng2025pilaf.
    Domain: beta > 0; finite logits; logref log probabilities; rho probabilities; n_best >= 2 for best_of_n.

    logits: of the policy, not necessarily normalised [X, Y]. logref: log reference policy [X, Y]. reward: [X, Y].
    beta: coefficient of the divergence. rho: probabilities of the prompts [X]. scheme, n_best: as in
    `preference_pair_density`. weighted: apply `pilaf_prompt_weights` in the loss, whatever the scheme.
    Returns cosine, residual and zbar; the cosine is NaN at the optimum, where both gradients vanish.
    Raises ValueError outside the domain, for an unknown scheme, or when shapes differ.
    """
    check_scheme(scheme, n_best)
    ok = check_preferences(logref, reward, rho, logits) & in_domain(beta > 0, "beta", beta, "beta > 0")
    logpi, ref, share = log_softmax(jnp.asarray(logits, float)), jnp.asarray(logref, float), jnp.asarray(rho, float)
    weights, zbar = prompt_weights(logpi, ref, beta, share)
    mus = pair_density(scheme, logpi, ref, beta, n_best)
    weights = weights if weighted else jnp.ones_like(weights)
    down = -dpo_population_gradient(logpi, ref, reward, beta, share, mus, weights)
    up = kl_regularised_gradient(logpi, ref, reward, beta, share)
    cosine = jnp.sum(down * up) / jnp.sqrt(jnp.sum(down**2) * jnp.sum(up**2))
    residual = jnp.sqrt(jnp.sum((down - beta / zbar * up) ** 2))
    return nan_unless(ok, GradientAlignment(cosine, residual, zbar))


def dpo_alignment_remainder_bound(
    logits: Table, logref: Table, reward: Table, beta: Real, rho: Vector
) -> Float[Array, ""]:
    """Upper bound on the residual of `dpo_gradient_alignment` under t_pilaf with prompt weights.

        residual <= beta sqrt(2) / (4 zbar) sum_x rho_x sum_(a != b) pi_a pi_b delta_ab^2 exp |delta_ab|

    with delta_ab = (reward - r)_a - (reward - r)_b the error of the implicit rewards r = beta (log pi - logref).

    Source: the second-order statement is that of @feng2025pilaf; the explicit constant is derived here, from
    |sigmoid''| <= sigmoid' and sigmoid'(xi) / sigmoid'(D) <= exp |xi - D|.
    Domain: beta > 0; finite logits; logref log probabilities; rho probabilities.

    Arguments and errors as for `dpo_gradient_alignment`. Returns the bound.
    """
    ok = check_preferences(logref, reward, rho, logits) & in_domain(beta > 0, "beta", beta, "beta > 0")
    logpi, ref, share = log_softmax(jnp.asarray(logits, float)), jnp.asarray(logref, float), jnp.asarray(rho, float)
    delta = pair_differences(jnp.asarray(reward, float) - beta * (logpi - ref))
    both = jnp.exp(logpi[:, :, None] + logpi[:, None, :])
    moment = jnp.sum(both * delta**2 * jnp.exp(jnp.abs(delta)), (1, 2))
    zbar = prompt_weights(logpi, ref, beta, share).zbar
    return nan_unless(ok, beta * jnp.sqrt(2.0) / (4 * zbar) * (share @ moment))
