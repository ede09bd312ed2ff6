"""Repeated retraining on fresh real rows and rows that the last model has labelled."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from theorylab.numerics.domain import in_domain, nan_unless
from theorylab.numerics.ridge import effective_ridge, residual_degrees_of_freedom, shrinkage
from theorylab.theory.strong_collapse._arguments import (
    check_levels,
    check_spectrum,
    check_threshold,
    floats,
    non_negative,
    same_length,
)
from theorylab.theory.strong_collapse.exact import mixed_ols_risk
from theorylab.types import Real, Vector

__all__ = ["dynamic_mixing_ols_risk", "dynamic_mixing_risk"]


def dynamic_mixing_risk(
    spectrum: Vector,
    w1: Vector,
    mu0: Vector,
    cov0: Vector,
    n: Real,
    p2: Real,
    sigma1: Real,
    sigma2: Real,
    lam: Real,
    steps: int,
) -> Float[Array, "t"]:
    """Excess risk of w_0, w_1, .., w_steps, each refitted on fresh real rows and fresh rows that the last one labels.

        w_(t+1) = ridge fit on n1 rows y = x . w1 + sigma1 eps and n2 = p2 n rows y = x . w_t + sigma2 eps

    With kappa, g, u as in mixed_ridge_risk, the error w_t - w1 has mean mu and covariance diag(C):

        mu'  = p2 g mu - (1 - g) w1
        rho1 = sum(spectrum (mu'^2 + p2^2 g^2 C)) ,   rho2 = sum(spectrum ((mu - mu')^2 + (1 - p2 g)^2 C))
        tau2 = (p1 sigma1^2 + p2 sigma2^2 + p1 rho1 + p2 rho2) / (1 - u)
        C'   = p2^2 g^2 C + tau2 / n spectrum / (spectrum + kappa)^2 ,   risk = sum(spectrum (mu^2 + C))

    Limit of large n and d at fixed ratio. For lam = 0 < n - d an affine recursion, risk' = r risk + noise, with
    r = p2^2 + p1 p2 phi / (1 - phi), phi = d/n; its exact form at finite size is dynamic_mixing_ols_risk.

    Source: the dynamic mixing of @dohmatob2024strong after @ferbach2024self; derived here, for fresh rows at each step.
    Domain: n >= 1, 0 <= p2 <= 1, lam, sigma1, sigma2, cov0 >= 0, spectrum >= 0 and not all zero, steps >= 0; at lam = 0
    n differs from the number of non-zero eigenvalues.

    spectrum: eigenvalues of the covariance of x [d]. w1: true weights in the eigenbasis, signed [d].
    mu0, cov0: mean, signed, and variances of the first error w_0 - w1 [d].
    n: rows of each refit. p2: fraction that the last model labels. sigma1, sigma2: standard deviations of label noise.
    lam: ridge; squared errors are averaged over the rows, the penalty is lam |w|^2.
    Returns the risks [steps + 1]; the noise of a test label is not added.
    Raises ValueError outside the domain.
    """
    same_length(spectrum, w1=w1, mu0=mu0, cov0=cov0)
    ok = check_spectrum(spectrum) & check_levels(n, p2, sigma1, sigma2, lam) & non_negative(cov0=cov0)
    ok &= check_threshold(n, spectrum, lam) & in_domain(steps >= 0, "steps", steps, "steps >= 0")
    spectrum, w1, mu0, cov0, n, p2, sigma1, sigma2, lam = floats(spectrum, w1, mu0, cov0, n, p2, sigma1, sigma2, lam)
    kappa = effective_ridge(spectrum, n, lam)
    g, missed = shrinkage(spectrum, kappa)
    free = residual_degrees_of_freedom(spectrum, kappa, n, lam) / n
    s2bar = (1 - p2) * sigma1**2 + p2 * sigma2**2
    noise = g**2 / jnp.where(spectrum > 0, spectrum, 1.0) / n

    def risk(mu: Array, C: Array) -> Array:
        return jnp.sum(spectrum * (mu**2 + C))

    def refit(state: tuple[Array, Array], _: None) -> tuple[tuple[Array, Array], Array]:
        mu, C = state
        new = p2 * g * mu - missed * w1
        rho1 = risk(new, (p2 * g) ** 2 * C)
        rho2 = risk(mu - new, (1 - p2 * g) ** 2 * C)
        tau2 = (s2bar + (1 - p2) * rho1 + p2 * rho2) / free
        C = (p2 * g) ** 2 * C + tau2 * noise
        return (new, C), risk(new, C)

    risks = jax.lax.scan(refit, (mu0, cov0), length=steps)[1]
    return nan_unless(ok, jnp.concatenate([risk(mu0, cov0)[None], risks]))


def dynamic_mixing_ols_risk(
    n1: Real, n2: Real, d: Real, sigma1: Real, sigma2: Real, c2: Real, steps: Real
) -> Float[Array, ""]:
    """Excess risk of the last model after so many least-squares refits on fresh mixtures, exact at every size.

        risk_t = r^t c2 + (1 - r^t) / (1 - r) variance ,   r = zeta(c2 = 1) and variance those of mixed_ols_risk

    Each refit sees the last error as a shift, so that risk_(t+1) = mixed_ols_risk(.., c2 = risk_t). The shift contracts
    when r < 1.

    Source: derived here; extends @dohmatob2024strong.
    Domain: that of mixed_ols_risk, steps >= 0.
    n1, n2: real rows and rows labelled by the last model in each refit. c2: risk of the first model. steps: refits.
    Returns the risk after the last refit; the noise of a test label is not added.
    Raises ValueError outside the domain.
    """
    ok = non_negative(c2=c2, steps=steps)
    c2, steps = jnp.asarray(c2, float), jnp.asarray(steps, float)
    r = mixed_ols_risk(n1, n2, d, 0.0, 0.0, 1.0).zeta
    variance = mixed_ols_risk(n1, n2, d, sigma1, sigma2, 0.0).variance
    moving = (r != 1) & (r > 0)
    log_r = jnp.log(jnp.where(moving, r, 0.5))
    power = jnp.where(moving, jnp.exp(steps * log_r), jnp.where((r == 1) | (steps == 0), 1.0, 0.0))
    total = jnp.where(moving, jnp.expm1(steps * log_r) / jnp.where(moving, r - 1, 1.0),
                      jnp.where(r == 1, steps, jnp.minimum(steps, 1.0)))  # fmt: skip
    return nan_unless(ok, power * c2 + total * variance)
