"""The divergence of best-of-n from its reference, estimated from the responses that it selects."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from theorylab.numerics.domain import in_domain, nan_unless
from theorylab.types import Real

__all__ = ["best_of_n_kl_estimator"]


def best_of_n_kl_estimator(eps: Real, n_best: Real) -> Float[Array, ""]:
    """Estimate of KL(best-of-n || reference) from the probability of a selected response, to be averaged over those.

        D(eps) = w [ log n + (n-1) log(1-eps) - (n-1)/n ] + (1-w) log((1-w)/eps) ,   w = (1-eps)^n

    Exact for one response of probability eps above a continuum; otherwise an approximation, which is too large where
    responses of equal reward share a level: then use the probability of the level.

    Source: @beirami2024theoretical.
    Domain: 0 < eps <= 1, n_best >= 1.

    eps: probability of the selected response under the reference. n_best: responses to choose from.
    Returns D, 0 for eps = 1. Raises ValueError outside the domain.
    """
    ok = in_domain((eps > 0) & (eps <= 1), "eps", eps, "0 < eps <= 1")
    ok &= in_domain(n_best >= 1, "n_best", n_best, "n_best >= 1")
    eps, n = jnp.asarray(eps, float), jnp.asarray(n_best, float)
    inside = eps < 1
    safe = jnp.where(inside, eps, 0.5)
    log_rest = jnp.log1p(-safe)
    w, top = jnp.exp(n * log_rest), -jnp.expm1(n * log_rest)
    divergence = w * (jnp.log(n) + (n - 1) * log_rest - (n - 1) / n) + top * jnp.log(top / safe)
    return nan_unless(ok, jnp.where(inside, divergence, 0.0))
