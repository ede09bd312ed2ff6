"""Closed forms without a fixed point: isotropic ridgeless fits, and least squares at finite size."""

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float

from theorylab.numerics.domain import in_domain, nan_unless
from theorylab.theory.strong_collapse._arguments import non_negative
from theorylab.types import Real

__all__ = ["MixedOlsRisk", "RidgelessRisk", "mixed_isotropic_ridgeless_risk", "mixed_ols_risk"]


class RidgelessRisk(NamedTuple):
    """total = bias + variance + zeta, as in MixedRisk."""

    total: Float[Array, ""]
    bias: Float[Array, ""]
    variance: Float[Array, ""]
    zeta: Float[Array, ""]


class MixedOlsRisk(NamedTuple):
    """total = variance + zeta."""

    total: Float[Array, ""]
    variance: Float[Array, ""]
    zeta: Float[Array, ""]


def mixed_isotropic_ridgeless_risk(
    d: Real, n: Real, m: Real | None, p2: Real, c2: Real, r2: Real, s2bar: Real
) -> RidgelessRisk:
    """Excess risk of a ridgeless fit on a mixture with isotropic inputs, on m projections or (m = None) on x itself.

    With phi = d/n, gamma = min(m/d, 1), psi = gamma phi and p1 = 1 - p2,

        min(d, m) < n:  bias = (1 - gamma) r2 / (1 - psi) ,   variance = s2bar psi / (1 - psi) ,
                        zeta = c2 (gamma p2^2 + psi / (1 - psi) p2 (1 - gamma p2))
        n < min(d, m):  eta = (1 - n/m) / (1 - n^2/(d m)) (1 for m = None) ,   pi1 = 1 - 1/phi ,
                        pi2 = pi1 (1 - eta/phi) ,   1 - u = eta pi1 ,
                        bias = (1/eta - 1/phi) r2 ,   variance = s2bar u / (1 - u) ,
                        zeta = c2 (p2^2 q2 + u/(1 - u) (p1 p2^2 q2 + p2 h2)) ,
                        q2 = 1 - 2 pi1 + pi2 ,   h2 = p1^2 + 2 p1 p2 pi1 + p2^2 pi2

    The limit lam -> 0 of mixed_ridge_risk and mixed_projection_risk for Sigma = I.

    Source: @dohmatob2024strong, its isotropic examples.
    Domain: d, n, m >= 1, n different from min(d, m), 0 <= p2 <= 1, c2, r2, s2bar >= 0.

    d: dimension. n: rows in all. m: random projections. p2: synthetic rows / n.
    c2: |delta|^2, the shift energy (not divided by d). r2: |w1|^2. s2bar: mean noise variance of the rows,
        p1 sigma1^2 + p2 sigma2^2.
    Returns RidgelessRisk; the noise of a test label is not added.
    Raises ValueError outside the domain.
    """
    ok = in_domain(d >= 1, "d", d, "d >= 1") & in_domain(n >= 1, "n", n, "n >= 1")
    ok &= in_domain((p2 >= 0) & (p2 <= 1), "p2", p2, "0 <= p2 <= 1")
    ok &= non_negative(c2=c2, r2=r2, s2bar=s2bar)
    threshold = n != d
    if m is not None:
        ok &= in_domain(m >= 1, "m", m, "m >= 1")
        threshold = (threshold | (m < d)) & ((n != m) | (m > d))
    ok &= in_domain(threshold, "n", n, "n different from the smaller of d and m (the ridgeless risk diverges)")
    d, n, p2, c2, r2, s2bar = (jnp.asarray(x, float) for x in (d, n, p2, c2, r2, s2bar))
    size, per_m = (d, jnp.zeros(())) if m is None else (jnp.minimum(d, m), 1 / jnp.asarray(m, float))
    few = n < size  # fewer rows than parameters: the fit interpolates
    eta = jnp.where(few, (1 - n * per_m) / jnp.where(few, 1 - n * per_m * n / d, 1.0), 0.0)
    pi1 = 1 - jnp.where(few, n, size) / d
    pi2 = pi1 * (1 - eta * (1 - pi1))
    free = jnp.where(few, eta * pi1, 1 - size / n)
    inflation = (1 - free) / free
    p1, q2 = 1 - p2, 1 - 2 * pi1 + pi2
    h2 = p1**2 + 2 * p1 * p2 * pi1 + p2**2 * pi2
    bias, variance = pi2 * r2 / free, s2bar * inflation
    zeta = c2 * (p2**2 * q2 + inflation * (p1 * p2**2 * q2 + p2 * h2))
    return nan_unless(ok, RidgelessRisk(bias + variance + zeta, bias, variance, zeta))


def mixed_ols_risk(n1: Real, n2: Real, d: Real, sigma1: Real, sigma2: Real, c2: Real) -> MixedOlsRisk:
    """Excess risk on real data of least squares on n1 real and n2 synthetic rows, exact at every size.

        n = n1 + n2 ,   beta = n1 n2 / (n (n - 1) (n + 2)) ,   alpha = n2 (n2 + 2) / (n (n + 2)) - beta
        zeta = c2 (alpha + beta (n d - 2) / (n - d - 1)) ,   variance = s2bar d / (n - d - 1)

    For Gaussian inputs of any covariance of full rank and any true weights. X'X is independent of the matrix-variate
    Beta variable (X'X)^(-1/2) X2'X2 (X'X)^(-1/2), X2 the synthetic rows, whose second moment gives alpha and beta.

    Source: derived here; extends the asymptotic form of @dohmatob2024strong.
    Domain: n1, n2 >= 0, n > d + 1, d >= 1, sigma1, sigma2, c2 >= 0.

    d: dimension. sigma1, sigma2: standard deviations of the label noise. c2: shift energy delta' Sigma delta.
    Returns MixedOlsRisk; the noise of a test label is not added.
    Raises ValueError outside the domain.
    """
    ok = in_domain(d >= 1, "d", d, "d >= 1")
    ok &= non_negative(n1=n1, n2=n2, sigma1=sigma1, sigma2=sigma2, c2=c2)
    infinite = "n1 + n2 > d + 1 (the OLS mean risk is infinite or undefined)"
    ok &= in_domain(n1 + n2 > d + 1, "n1 + n2", n1 + n2, infinite)
    n1, n2, d, sigma1, sigma2, c2 = (jnp.asarray(x, float) for x in (n1, n2, d, sigma1, sigma2, c2))
    n = n1 + n2
    beta = n1 * n2 / (n * (n - 1) * (n + 2))
    alpha = n2 * (n2 + 2) / (n * (n + 2)) - beta
    zeta = c2 * (alpha + beta * (n * d - 2) / (n - d - 1))
    variance = (n1 * sigma1**2 + n2 * sigma2**2) / n * d / (n - d - 1)
    return nan_unless(ok, MixedOlsRisk(zeta + variance, variance, zeta))
