"""Laws of the pair of responses that is shown to the annotator, under five sampling schemes."""

from typing import NamedTuple

import jax.numpy as jnp
from jax.nn import log_sigmoid, log_softmax
from jax.scipy.special import logsumexp
from jaxtyping import Array, Float

from theorylab.numerics.domain import in_domain, nan_unless
from theorylab.problems.preference_sampling import (
    Rows,
    Table,
    check_preferences,
    check_scheme,
    check_table,
    implicit_ranks,
)
from theorylab.types import Real, Vector

__all__ = ["PilafPolicies", "PromptWeights", "pilaf_policies", "pilaf_prompt_weights", "preference_pair_density"]


class PilafPolicies(NamedTuple):
    """Log probabilities of the optimistic and the pessimistic policy, and their normalisers."""

    log_plus: Float[Array, "*X Y"]
    log_minus: Float[Array, "*X Y"]
    Z_plus: Float[Array, "*X"]
    Z_minus: Float[Array, "*X"]


class PromptWeights(NamedTuple):
    """Weight of every prompt in the loss [X], and the average of 1 + Z_plus Z_minus over the prompts."""

    weights: Float[Array, "X"]
    zbar: Float[Array, ""]


def pilaf_policies(logpi: Rows, logref: Rows, beta: Real) -> PilafPolicies:
    """Tilts of a policy towards and away from the responses that it prefers to the reference.

        plus = pi e^r / Z_plus ,  minus = pi e^-r / Z_minus ,  r = beta (logpi - logref)

    So plus ~ pi^(1+beta) ref^-beta and minus ~ pi^(1-beta) ref^beta, and Z_plus Z_minus >= 1.

    Source: @feng2025pilaf.
    Domain: beta > 0; log probabilities that are finite and sum to one.

    logpi, logref: log probabilities of the policy and of the reference [Y], or one row for each prompt [X, Y].
    beta: coefficient of the divergence.
    Returns log_plus, log_minus, Z_plus, Z_minus.
    Raises ValueError outside the domain, or when shapes differ.
    """
    logpi, logref, ok = _policies(logpi, logref, beta)
    return nan_unless(ok, _tilts(logpi, logref, beta))


def preference_pair_density(
    scheme: str, logpi: Rows, logref: Rows, beta: Real, n_best: int | None = None
) -> Float[Array, "*X Y Y"]:
    """Probability that a sampling scheme submits the responses a and b, symmetrised in a and b.

        vanilla     pi_a pi_b
        hybrid      one from pi, one from the reference
        t_pilaf     pi_a pi_b / (2 (1 + Z_plus Z_minus) sigmoid'(D)) ,  D = r_a - r_b ,  r = beta (logpi - logref)
        pilaf_half  (vanilla + one from plus, one from minus) / 2
        best_of_n   those of largest and of smallest r among n_best draws from pi

    t_pilaf draws both from pi with probability 1 / (1 + Z_plus Z_minus), else one from plus and one from minus. Equal
    r are ranked by the index of the response. The diagonal is kept: a pair of equal responses teaches nothing.

    Source: @feng2025pilaf.
    Domain: beta > 0; log probabilities that are finite and sum to one; n_best >= 2 for best_of_n.

    scheme: one of the five. logpi, logref: log probabilities of the current policy and of the reference [Y], or one
    row for each prompt [X, Y]. beta: coefficient of the divergence. n_best: draws of best_of_n.
    Returns the law [Y, Y], or [X, Y, Y].
    Raises ValueError outside the domain, for an unknown scheme, or when shapes differ.
    """
    check_scheme(scheme, n_best)
    logpi, logref, ok = _policies(logpi, logref, beta)
    return nan_unless(ok, pair_density(scheme, logpi, logref, beta, n_best))


def pilaf_prompt_weights(logits: Table, logref: Table, beta: Real, rho: Vector) -> PromptWeights:
    """Weights of the prompts with which the gradient under t_pilaf is parallel to that of the objective.

        w_x = (1 + Z_plus Z_minus)_x / zbar ,   zbar = sum_x rho_x (1 + Z_plus Z_minus)_x

    Source: @feng2025pilaf.
    Domain: beta > 0; finite logits; logref log probabilities; rho probabilities.

    logits: of the policy, not necessarily normalised [X, Y]. logref: log reference policy [X, Y].
    beta: coefficient of the divergence. rho: probabilities of the prompts [X].
    Returns weights [X] and zbar.
    Raises ValueError outside the domain, or when shapes differ.
    """
    ok = check_preferences(logref, logref, rho, logits) & in_domain(beta > 0, "beta", beta, "beta > 0")
    logpi = log_softmax(jnp.asarray(logits, float))
    return nan_unless(ok, prompt_weights(logpi, jnp.asarray(logref, float), beta, jnp.asarray(rho, float)))


def prompt_weights(logpi: Array, logref: Array, beta: Real, rho: Array) -> PromptWeights:
    """`pilaf_prompt_weights` of a normalised policy, unchecked."""
    tilts = _tilts(logpi, logref, beta)
    total = 1 + tilts.Z_plus * tilts.Z_minus
    return PromptWeights(total / (rho @ total), rho @ total)


def pair_density(scheme: str, logpi: Array, logref: Array, beta: Real, n_best: int | None) -> Array:
    """`preference_pair_density`, unchecked."""
    if scheme == "best_of_n":
        assert n_best is not None
        return _extremes(jnp.exp(logpi), implicit_ranks(logpi, logref), n_best)
    both = logpi[..., :, None] + logpi[..., None, :]
    if scheme == "vanilla":
        return jnp.exp(both)
    if scheme == "hybrid":
        one = jnp.exp(logpi[..., :, None] + logref[..., None, :])
        return (one + jnp.swapaxes(one, -1, -2)) / 2
    r = beta * (logpi - logref)
    D = r[..., :, None] - r[..., None, :]
    log_ZZ = (logsumexp(logpi + r, -1) + logsumexp(logpi - r, -1))[..., None, None]
    if scheme == "t_pilaf":
        log_slope = log_sigmoid(D) + log_sigmoid(-D)
        return jnp.exp(both - log_slope - jnp.log(2.0) - jnp.logaddexp(0.0, log_ZZ))
    return (jnp.exp(both) + (jnp.exp(both + D - log_ZZ) + jnp.exp(both - D - log_ZZ)) / 2) / 2


def _extremes(p: Array, ranks: Array, n: int) -> Array:
    """Law of the responses of largest and smallest rank among n draws, symmetrised.

    With p, q and m the masses of two responses and of those ranked in between, P = (m+p+q)^n - (m+p)^n - (m+q)^n + m^n;
    built up draw by draw, so that nothing cancels where masses are small.
    """
    below = ranks[..., None, :] < ranks[..., :, None]  # [a, b]: b ranks below a
    cumulative = jnp.sum(jnp.where(below, p[..., None, :], 0.0), -1)
    high, low = p[..., :, None], p[..., None, :]
    between = cumulative[..., :, None] - cumulative[..., None, :] - low
    m = jnp.where(below, jnp.maximum(between, 0.0), 0.0)
    # of k draws, all from these three: both ends present, only the higher, only the lower, neither
    both, higher, lower, neither = jnp.zeros_like(m), high + 0 * m, low + 0 * m, m
    for _ in range(n - 1):
        both, higher, lower, neither = (
            (m + high + low) * both + low * higher + high * lower,
            (m + high) * higher + high * neither,
            (m + low) * lower + low * neither,
            m * neither,
        )
    one_way = jnp.where(below, both, 0.0)
    same = jnp.where(jnp.eye(p.shape[-1], dtype=bool), (p**n)[..., None], 0.0)
    return (one_way + jnp.swapaxes(one_way, -1, -2)) / 2 + same


def _tilts(logpi: Array, logref: Array, beta: Real) -> PilafPolicies:
    r = beta * (logpi - logref)
    log_plus, log_minus = log_softmax(logpi + r), log_softmax(logpi - r)
    return PilafPolicies(log_plus, log_minus, jnp.exp(logsumexp(logpi + r, -1)), jnp.exp(logsumexp(logpi - r, -1)))


def _policies(logpi: Rows, logref: Rows, beta: Real) -> tuple[Array, Array, bool | Array]:
    if jnp.shape(logpi) != jnp.shape(logref):
        raise ValueError(f"logpi has shape {jnp.shape(logpi)}, but logref has {jnp.shape(logref)}")
    ok = check_table("logpi", logpi) & check_table("logref", logref) & in_domain(beta > 0, "beta", beta, "beta > 0")
    return jnp.asarray(logpi, float), jnp.asarray(logref, float), ok
