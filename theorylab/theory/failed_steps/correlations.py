"""Correlations of correct answers with the statistics of their traces: within one question, and over many."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array

from theorylab.numerics.domain import in_domain, nan_unless
from theorylab.problems.failed_steps import MainLaw
from theorylab.theory.failed_steps.table import failed_step_table, review_domain
from theorylab.types import Real, Vector


class FailedStepCorrelations(NamedTuple):
    """Accuracy, mean share of failed steps s, correlations of correctness, and partial correlations given s."""

    acc: Array
    mean_s: Array
    corr_s: Array
    corr_L: Array
    corr_RR: Array
    partial_L: Array
    partial_RR: Array


class MixedCorrelations(NamedTuple):
    """Correlations of correctness over many questions: averages within a question, and over all traces together."""

    within_s: Array
    within_L: Array
    within_RR: Array
    pooled_s: Array
    pooled_L: Array
    pooled_RR: Array


class _Moments(NamedTuple):
    """Means and second moments of (correct, s, L, RR)."""

    mean: Array
    second: Array


def failed_step_correlations(
    phi: Real, g: Real, m_pmf: MainLaw, F_max: int, p0: Real, J: Real, r_m: Real, r_f: Real
) -> FailedStepCorrelations:
    """Correlations of a correct answer with the failed-step share, the length and the review ratio of its trace.

        Cov(correct, X) = Cov(p0 (1 - s)^J, X) ,  Var(correct) = acc (1 - acc) ,  E[RR | m, F] = (1 - s) r_m + s r_f
        partial_X = (corr_X - corr_s corr(s, X)) / sqrt((1 - corr_s^2) (1 - corr(s, X)^2))

    for L = m + F and the review ratio RR = reviews / L, with the variance of RR by the law of total variance. Exact.
    partial_RR = 0 for every J, since E[RR | trace] is linear in s; partial_L = 0 for J = 1; corr_RR = 0 for r_m = r_f.

    Source: a model, derived here, for the findings of @feng2025what.
    Domain: 0 <= r_m, r_f <= 1; the rest as for `failed_step_table`.

    r_m, r_f: probability that a main step, or a failed one, is a review; the rest as for `failed_step_table`.
    Returns acc, mean_s, corr_s, corr_L, corr_RR, partial_L, partial_RR; a correlation with a constant is NaN.
    Raises ValueError outside the domain.
    """
    ok = review_domain(r_m, r_f)
    moments = _moments(phi, g, m_pmf, F_max, p0, J, r_m, r_f)
    corr = _correlations(moments)
    r_s = corr[0, 1]

    def partial(x: int) -> Array:
        spread = (1 - r_s**2) * (1 - corr[1, x] ** 2)
        some = spread > 1e-12
        return jnp.where(some, (corr[0, x] - r_s * corr[1, x]) / jnp.sqrt(jnp.where(some, spread, 1.0)), jnp.nan)

    found = moments.mean[0], moments.mean[1], r_s, corr[0, 2], corr[0, 3], partial(2), partial(3)
    return nan_unless(ok, FailedStepCorrelations(*found))


def mixed_failed_step_correlations(
    phis: Vector, weights: Vector, g: Real, m_pmf: MainLaw, F_max: int, p0: Real, J: Real, r_m: Real, r_f: Real
) -> MixedCorrelations:
    """Correlations of a correct answer with statistics of its trace, over questions that differ in their phi.

        within_X = E_phi corr(correct, X | phi)
        pooled_X = (E_phi Cov(correct, X | phi) + Cov(E[correct | phi], E[X | phi])) / sqrt(Var(correct) Var(X))

    Exact for a discrete law of phi, or one replaced by the nodes of a quadrature rule.

    Source: a model, derived here, for the findings of @feng2025what.
    Domain: weights >= 0 of sum 1; the rest as for `failed_step_correlations`, for every phi.

    phis: values of phi [Q]. weights: their probabilities [Q]; the rest as for `failed_step_correlations`.
    Returns within_s, within_L, within_RR, pooled_s, pooled_L, pooled_RR; a correlation with a constant is NaN.
    Raises ValueError outside the domain, or when the lengths of phis and weights differ.
    """
    if len(phis) != len(weights):
        raise ValueError(f"phis has {len(phis)} entries, but weights has {len(weights)}")
    ok = review_domain(r_m, r_f) & in_domain(weights >= 0, "weights", weights, "weights >= 0")
    ok &= in_domain(jnp.abs(jnp.sum(jnp.asarray(weights)) - 1) < 1e-6, "weights", weights, "of sum 1")
    ok &= in_domain((phis >= 0) & (phis < 1), "phis", phis, "0 <= phis < 1")
    weights = jnp.asarray(weights, float)
    each = jax.vmap(lambda phi: _moments(phi, g, m_pmf, F_max, p0, J, r_m, r_f))(jnp.asarray(phis, float))
    within = weights @ jax.vmap(_correlations)(each)[:, 0, 1:]
    pooled = _correlations(_Moments(*(jnp.tensordot(weights, x, 1) for x in each)))[0, 1:]
    return nan_unless(ok, MixedCorrelations(*within, *pooled))


def _moments(
    phi: Real, g: Real, m_pmf: MainLaw, F_max: int, p0: Real, J: Real, r_m: Real, r_f: Real
) -> _Moments:  # fmt: skip
    prob, m, F, s, acc = failed_step_table(phi, g, m_pmf, F_max, p0, J)
    L = m + F
    RR = (1 - s) * r_m + s * r_f
    x = jnp.stack([acc, s, L, RR])
    noise = jnp.stack([acc * (1 - acc), jnp.zeros_like(s), jnp.zeros_like(s), _review_noise(m, F, r_m, r_f) / L**2])
    return _Moments(x @ prob, (x * prob[None]) @ x.T + jnp.diag(noise @ prob))


def _review_noise(m: Array, F: Array, r_m: Real, r_f: Real) -> Array:
    return m * (r_m * (1 - r_m)) + F * (r_f * (1 - r_f))


def _correlations(moments: _Moments) -> Array:
    """Correlation matrix of (correct, s, L, RR), NaN for a constant."""
    cov = moments.second - moments.mean[:, None] * moments.mean[None]
    var = jnp.diag(cov)
    varies = var > 1e-14 * (jnp.diag(moments.second) + 1e-300)
    std = jnp.sqrt(jnp.where(varies, var, 1.0))
    corr = cov / (std[:, None] * std[None])
    return jnp.where(varies[:, None] & varies[None], corr, jnp.nan)
