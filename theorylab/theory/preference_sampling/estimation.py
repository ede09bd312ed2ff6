"""Large-sample law of the policy that is fitted to labelled pairs, and what it loses in value."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.nn import log_sigmoid
from jaxtyping import Array, Float

from theorylab.numerics.domain import in_domain, nan_unless
from theorylab.numerics.graphs import grounded_laplacian_inverse, strongly_connected
from theorylab.problems.preference_sampling import Table, check_preferences, check_scheme, optimal_policy
from theorylab.theory.preference_sampling.gradients import pair_differences
from theorylab.theory.preference_sampling.samplers import pair_density, prompt_weights
from theorylab.types import Real, Vector

__all__ = ["DpoAsymptotics", "dpo_asymptotics"]


class DpoAsymptotics(NamedTuple):
    """Blocks of the prompts [X, Y, Y] (blocks between prompts are zero), and numbers.

    H: Hessian of the loss. V: covariance of its gradient. Omega: covariance of sqrt(n) (logits - optimum), logits of
    mean zero. Sigma: -beta times the Hessian of the objective. n_gap: limit of n times the expected value gap.
    zbar: as in `pilaf_prompt_weights`.
    """

    H: Float[Array, "X Y Y"]
    V: Float[Array, "X Y Y"]
    Omega: Float[Array, "X Y Y"]
    Sigma: Float[Array, "X Y Y"]
    n_gap: Float[Array, ""]
    zbar: Float[Array, ""]


def dpo_asymptotics(
    logref: Table, reward: Table, beta: Real, rho: Vector, scheme: str, n_best: int | None = None,
    weighted: bool = False,
) -> DpoAsymptotics:  # fmt: skip
    """Asymptotic covariance and value gap of direct preference optimisation on n pairs sampled at the optimum.

        sqrt(n) (theta_hat - theta*) -> N(0, Omega) ,  Omega = H^+ V H^+ ,  n E[J* - J(theta_hat)] -> n_gap
        H = sum_x rho_x w_x E_mu[sigmoid'(D*) v v'] ,  V the same with w_x^2 ,  v = grad D
        Sigma = sum_x rho_x Cov(grad r) ,  n_gap = tr(Sigma Omega) / (2 beta)

    for a tabular softmax policy and prompts drawn from rho. Under t_pilaf with prompt weights H = Sigma / zbar, with
    one prompt Omega = zbar Sigma^+: the covariance has the shape of the level sets of J. Its gap is
    sum_x (1 + Z_plus Z_minus)_x (Y - 1) / (2 beta), with or without the weights, which cancel prompt by prompt; it is
    not the smallest gap of all schemes.

    Source: @feng2025pilaf; the value gap for any scheme is derived here.
    Domain: beta > 0; logref log probabilities; rho positive probabilities; every response linked to every other by
    pairs that are drawn with a probability that a float64 holds.

    logref: log reference policy [X, Y]. reward: [X, Y]. beta: coefficient of the divergence. rho: probabilities of the
    prompts [X]. scheme, n_best: as in `preference_pair_density`. weighted: apply `pilaf_prompt_weights` in the loss.
    Returns the matrices and numbers above.
    Raises ValueError outside the domain, for an unknown scheme, or when shapes differ.
    """
    check_scheme(scheme, n_best)
    ok = check_preferences(logref, reward, rho) & in_domain(beta > 0, "beta", beta, "beta > 0")
    ok &= in_domain(jnp.asarray(rho) > 0, "rho", rho, "rho > 0: a prompt that is never drawn is never learned")
    ref, reward, share = jnp.asarray(logref, float), jnp.asarray(reward, float), jnp.asarray(rho, float)
    logpi = optimal_policy(ref, reward, beta)
    w, zbar = prompt_weights(logpi, ref, beta, share)
    w = w if weighted else jnp.ones_like(w)
    D = pair_differences(reward)
    slope = jnp.exp(log_sigmoid(D) + log_sigmoid(-D))
    drawn = jnp.where(jnp.eye(D.shape[1], dtype=bool)[None], 0.0, pair_density(scheme, logpi, ref, beta, n_best))
    edges = 2 * beta**2 * (share * w)[:, None, None] * drawn * slope
    linked = jnp.all(jax.vmap(strongly_connected)(edges > 0))
    ok &= in_domain(linked, "reward", reward, "a connected comparison graph: some responses are never drawn together")
    inverse = jax.vmap(grounded_laplacian_inverse)(edges, jnp.argmax(logpi, -1))
    pi = jnp.exp(logpi)
    Sigma = share[:, None, None] * beta**2 * (jax.vmap(jnp.diag)(pi) - pi[:, :, None] * pi[:, None, :])
    H = jax.vmap(jnp.diag)(jnp.sum(edges, -1)) - edges
    trace = jnp.sum(w[:, None, None] * Sigma * inverse)
    centre = jnp.eye(pi.shape[1]) - 1 / pi.shape[1]
    Omega = w[:, None, None] * (centre[None] @ inverse @ centre[None])
    result = DpoAsymptotics(H, w[:, None, None] * H, Omega, Sigma, trace / (2 * beta), zbar)
    return nan_unless(ok, result)
