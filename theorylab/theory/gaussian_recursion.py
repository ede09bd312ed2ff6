"""Refitting a Gaussian to its own samples: moments of the fit when the samples are replaced, or accumulated."""

from typing import NamedTuple

import jax.numpy as jnp
from jax.scipy.special import digamma
from jaxtyping import Array, Float

from theorylab.numerics.domain import in_domain, nan_unless
from theorylab.types import Real

__all__ = [
    "AccumulatedMoments",
    "ReplacedMoments",
    "gaussian_accumulation_moments",
    "gaussian_accumulation_variance_limit",
    "gaussian_replacement_moments",
]


class ReplacedMoments(NamedTuple):
    """Expectations over the fitted Gaussian N(mu_t, var_t), started from N(mu0, var0).

    mean_sq: of (mu_t - mu0)^2. var, var_sq, std, log_var: of var_t, its square, root and logarithm.
    w2: of the squared Wasserstein-2 distance between the fit and the start.
    """

    mean_sq: Float[Array, ""]
    var: Float[Array, ""]
    var_sq: Float[Array, ""]
    std: Float[Array, ""]
    log_var: Float[Array, ""]
    w2: Float[Array, ""]


class AccumulatedMoments(NamedTuple):
    """Expectations of (mu_t - mu0)^2 and of var_t."""

    mean_sq: Float[Array, ""]
    var: Float[Array, ""]


def gaussian_replacement_moments(n: Real, refits: Real, var0: Real, unbiased: bool) -> ReplacedMoments:
    """Moments after t = refits fits of a Gaussian, each to n samples of the fit before.

        unbiased:  E (mu_t - mu0)^2 = t var0 / n ,            E var_t = var0 ,  E var_t^2 = var0^2 (1 + 2/(n-1))^t
        ML:        E (mu_t - mu0)^2 = var0 (1 - (1 - 1/n)^t) ,  E var_t = var0 (1 - 1/n)^t ,
                   E var_t^2 = var0^2 ((n^2 - 1) / n^2)^t
        both:      E std_t = sqrt(var0) c^t ,  c = sqrt(2/m) Gamma(n/2) / Gamma((n-1)/2) ,  m = n-1 or n ,
                   E log var_t = log var0 + t [psi((n-1)/2) - log(m/2)] ,
                   w2 = E (mu_t - mu0)^2 + E var_t - 2 sqrt(var0) E std_t + var0

    Exact, for one dimension; in more, the covariance scales by the same factors. The logarithm drifts down even where
    the mean of var_t is constant: the fit collapses almost surely, and rare large values carry the mean.

    Source: derived here for the setting of @shumailov2023curse.
    Domain: n >= 2, refits >= 0, var0 > 0.

    n: samples per fit. refits: number of fits; 0 is the start itself. var0: variance of the true distribution.
    unbiased: squared distances are divided by n - 1; otherwise by n (maximum likelihood).
    Returns the six moments.
    Raises ValueError outside the domain.
    """
    ok = _domain(n, var0) & in_domain(refits >= 0, "refits", refits, "refits >= 0")
    n, t, var0 = (jnp.asarray(x, float) for x in (n, refits, var0))
    half = (n - 1) / 2
    # logarithms of E var_t, E var_t^2 and E std_t, which are linear in t
    var = jnp.zeros_like(t) if unbiased else t * jnp.log1p(-1 / n)
    var_sq = t * jnp.log1p(1 / half) + 2 * var
    std = t * _log_gamma_ratio(half) + var / 2
    log_var = t * (digamma(half) - jnp.log(half)) + var + jnp.log(var0)
    mean_sq = var0 * (t / n if unbiased else -jnp.expm1(var))
    w2 = mean_sq + var0 * (jnp.expm1(var) - 2 * jnp.expm1(std))
    moments = (mean_sq, var0 * jnp.exp(var), var0**2 * jnp.exp(var_sq), jnp.sqrt(var0) * jnp.exp(std), log_var, w2)
    return nan_unless(ok, ReplacedMoments(*moments))


def gaussian_accumulation_moments(n: Real, refits: int, var0: Real, unbiased: bool) -> AccumulatedMoments:
    """Moments after t = refits fits of a Gaussian, each to all samples so far; every fit adds n samples of its own.

        unbiased:  E var_t = var0 prod_{s=2}^{t} (1 - 1/(s (s n - 1))) ,  E (mu_t - mu0)^2 = sum_s E var_{s-1} / (s^2 n)
        ML:        E var_t = var0 prod_{s=1}^{t} (1 - 1/(n s^2)) ,        E (mu_t - mu0)^2 = var0 - E var_t

    Exact. The first n samples come from N(mu0, var0), the s-th n samples from fit s-1.

    Source: derived here for the setting of @kazdan2024collapse.
    Domain: n >= 2, refits >= 0, var0 > 0.

    n: samples per fit. refits: number of fits; 0 is the start itself. var0: variance of the true distribution.
    unbiased: squared distances are divided by their number less one; otherwise by their number (maximum likelihood).
    Returns the two moments.
    Raises ValueError outside the domain.
    """
    in_domain(refits >= 0, "refits", refits, "refits >= 0")
    ok = _domain(n, var0)
    n, var0 = jnp.asarray(n, float), jnp.asarray(var0, float)
    s = jnp.arange(1, refits + 1, dtype=float)
    lost = jnp.where(s > 1, 1 / (s * (s * n - 1)), 0.0) if unbiased else 1 / (n * s**2)
    var = var0 * jnp.concatenate([jnp.ones(1), jnp.cumprod(1 - lost)])
    mean_sq = jnp.sum(var[:-1] / (s**2 * n))  # for ML this telescopes to var0 - E var_t
    return nan_unless(ok, AccumulatedMoments(mean_sq, var[-1]))


def gaussian_accumulation_variance_limit(n: Real, var0: Real) -> Float[Array, ""]:
    """Expected variance after infinitely many maximum-likelihood fits to all samples so far.

        E var_inf = var0 sin(pi / sqrt(n)) / (pi / sqrt(n))

    Source: derived here for the setting of @kazdan2024collapse.
    Domain: n >= 2, var0 > 0. Arguments and errors as for `gaussian_accumulation_moments`.
    """
    ok = _domain(n, var0)
    return nan_unless(ok, var0 * jnp.sinc(1 / jnp.sqrt(jnp.asarray(n, float))))


def _domain(n: Real, var0: Real) -> bool | Array:
    return in_domain(n >= 2, "n", n, "n >= 2") & in_domain(var0 > 0, "var0", var0, "var0 > 0")


def _log_gamma_ratio(z: Array) -> Array:
    """log[ Gamma(z + 1/2) / (Gamma(z) sqrt(z)) ], whose terms would cancel for large z.

    Sixteen steps of Gamma(z + 1) = z Gamma(z), then Stirling's series.
    """
    k = jnp.arange(16, dtype=float)
    steps = jnp.sum(jnp.log1p(-0.25 / (z + k + 0.5) ** 2)) / 2
    u = 1 / (z + 16)
    series = (-1 / 8, 1 / 192, -1 / 640, 17 / 14336, -31 / 18432)
    return steps + u * sum(c * u ** (2 * i) for i, c in enumerate(series))
