"""Chains of least-squares generators: exact risk at finite size, and the slope of a ridge fit behind them."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from theorylab.numerics.domain import in_domain, nan_unless
from theorylab.types import Real

__all__ = ["ols_collapse_risk"]


def ols_collapse_risk(
    d: Real, generations: Real, T: Real, T0: Real, sigma: Real, sigma0: Real
) -> Float[Array, ""]:
    """Expected excess risk of least squares behind a chain of least-squares generators.

        risk = sigma^2 d / (T - d - 1) + generations sigma0^2 d / (T0 - d - 1)

    Exact at finite size, for Gaussian inputs of any covariance and any true weights, all designs independent.

    Source: @dohmatob2024model, with the exact prefactors of the inverse Wishart law in place of 1 / (T - d).
    Domain: T >= d + 2 and T0 >= d + 2 (nearer to d the risk has no finite mean).

    d: dimension. generations: number of generators; 0 means clean labels.
    T, T0: samples of the downstream fit, and of each generator.
    sigma, sigma0: standard deviation of the label noise of the downstream fit, and of the generators.
    Returns ||w_hat - w_star||_Sigma^2 in expectation; irreducible noise is not added.
    Raises ValueError outside the domain.
    """
    ok = in_domain(T >= d + 2, "T", T, "T >= d + 2 (use isotropic_minnorm_collapse_risk for T < d)")
    ok &= in_domain(T0 >= d + 2, "T0", T0, "T0 >= d + 2 (use isotropic_minnorm_collapse_risk for T0 < d)")
    ok &= in_domain(generations >= 0, "generations", generations, "generations >= 0")
    risk = sigma**2 * d / (T - d - 1) + generations * sigma0**2 * d / (T0 - d - 1)
    return nan_unless(ok, jnp.asarray(risk, float))
