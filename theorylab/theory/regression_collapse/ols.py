"""Chains of least-squares generators: exact risk at finite size, and the slope of a ridge fit behind them."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from theorylab.numerics.domain import in_domain, nan_unless
from theorylab.theory.regression_collapse._arguments import fit_domain, floats, non_negative
from theorylab.theory.regression_collapse._stages import ridge_fit
from theorylab.theory.regression_collapse.chain import ridge_bias_variance
from theorylab.types import Real, Vector

__all__ = [
    "ols_collapse_risk",
    "ridge_collapse_risk_leading_order",
    "ridge_collapse_risk_ols_generators",
    "ridge_collapse_slope",
]


def ols_collapse_risk(d: Real, generations: Real, T: Real, T0: Real, sigma: Real, sigma0: Real) -> Float[Array, ""]:
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
    ok = in_domain(d > 0, "d", d, "d > 0") & non_negative(generations=generations, sigma=sigma, sigma0=sigma0)
    ok &= in_domain(T >= d + 2, "T", T, "T >= d + 2 (use isotropic_minnorm_collapse_risk for T < d)")
    ok &= in_domain(T0 >= d + 2, "T0", T0, "T0 >= d + 2 (use isotropic_minnorm_collapse_risk for T0 < d)")
    d, generations, T, T0, sigma, sigma0 = floats(d, generations, T, T0, sigma, sigma0)
    return nan_unless(ok, sigma**2 * d / (T - d - 1) + generations * sigma0**2 * d / (T0 - d - 1))


def ridge_collapse_slope(spectrum: Vector, T: Real, T0: Real, lam: Real, finite_size: bool = True) -> Float[Array, ""]:
    """Growth of the risk of a ridge fit per least-squares generator and unit variance of the generators' label noise.

        rho = [df_2 + kappa^2 tr((Sigma + kappa)^-2) df_2 / (T - df_2)] / (T0 - d - 1)

    The risk is exactly linear in the number of generators, and 1 / (T0 - d - 1) is exact; the bracket is asymptotic.
    finite_size = False puts T0 - d there, the limit of large sizes and the slope of `ridge_collapse_risk`.

    Source: @dohmatob2024model, with the exact prefactor of the inverse Wishart law.
    Domain: spectrum > 0, T > 0, lam >= 0, T0 >= d + 2 (T0 > d without finite_size); at lam = 0 not T = d.
    spectrum: the d covariance eigenvalues. T, lam: samples and ridge (of ||y - X w||^2 / T + lam ||w||^2) of
    the downstream fit. T0: samples of each generator, which has no ridge.
    Returns rho; the risk is that of clean labels plus generations * sigma0^2 * rho.
    Raises ValueError outside the domain.
    """
    d = spectrum.shape[0]
    ok = fit_domain(spectrum, T=T, lam=lam) & in_domain(spectrum > 0, "spectrum", spectrum, "spectrum > 0")
    if finite_size:
        ok &= in_domain(T0 >= d + 2, "T0", T0, f"T0 >= d + 2 = {d + 2}: the generators are least squares")
    else:
        ok &= in_domain(T0 > d, "T0", T0, f"T0 > d = {d}: the generators are least squares")
    spectrum, T, T0, lam = floats(spectrum, T, T0, lam, like=spectrum)
    fit = ridge_fit(spectrum, T, lam, jnp.zeros_like(T))
    df2 = jnp.sum(fit.learned**2)
    bracket = df2 + jnp.sum(fit.missed**2) * df2 / fit.residual
    return nan_unless(ok, bracket / (T0 - d - 1 if finite_size else T0 - d))


def ridge_collapse_risk_ols_generators(
    spectrum: Vector, w_star: Vector, generations: Real, T: Real, T0: Real, lam: Real, sigma: Real, sigma0: Real
) -> Float[Array, ""]:
    """Excess risk of a ridge fit behind a chain of least-squares generators.

        risk = bias + var + generations sigma0^2 rho

    with bias and var of `ridge_bias_variance` and rho of `ridge_collapse_slope` with its exact prefactor.
    Exactly linear in generations and in sigma0^2; the three coefficients are asymptotic.

    Source: @dohmatob2024model.
    Domain: as for `ridge_collapse_slope`; generations, sigma, sigma0 >= 0.
    spectrum, w_star: covariance eigenvalues, and true weights in its eigenbasis.
    generations: number of generators; 0 means clean labels. T, T0: samples downstream, and of each generator.
    lam: ridge of the downstream fit, of ||y - X w||^2 / T + lam ||w||^2. sigma, sigma0: label noise.
    Returns ||w_hat - w_star||_Sigma^2 in expectation; irreducible noise is not added.
    Raises ValueError outside the domain.
    """
    ok = non_negative(generations=generations, sigma0=sigma0)
    clean = ridge_bias_variance(spectrum, w_star, T, lam, sigma)
    rho = ridge_collapse_slope(spectrum, T, T0, lam)
    generations, sigma0 = floats(generations, sigma0, like=rho)
    return nan_unless(ok, clean.bias + clean.var + generations * sigma0**2 * rho)


def ridge_collapse_risk_leading_order(
    spectrum: Vector, w_star: Vector, generations: Real, T: Real, T0: Real, lam: Real, sigma: Real, sigma0: Real
) -> Float[Array, ""]:
    """The same risk to leading order where T << d, valid for over-parametrised generators too.

        risk = bias + var + generations sigma0^2 df_2 / T0

    An order statement, for power-law spectra and its exponents: use `ridge_collapse_risk` for numbers.

    Source: @dohmatob2024model.
    Domain: T, T0 > 0, all others >= 0; at lam = 0 not T = number of non-zero eigenvalues.
    spectrum, w_star: covariance eigenvalues, and true weights in its eigenbasis.
    generations: number of generators; 0 means clean labels. T, T0: samples downstream, and of each generator.
    lam: ridge of the downstream fit, of ||y - X w||^2 / T + lam ||w||^2. sigma, sigma0: label noise.
    Returns ||w_hat - w_star||_Sigma^2 in expectation; irreducible noise is not added.
    Raises ValueError outside the domain.
    """
    ok = non_negative(generations=generations, sigma0=sigma0) & in_domain(T0 > 0, "T0", T0, "T0 > 0")
    clean = ridge_bias_variance(spectrum, w_star, T, lam, sigma)
    spectrum, generations, T, T0, lam, sigma0 = floats(spectrum, generations, T, T0, lam, sigma0, like=spectrum)
    df2 = jnp.sum(ridge_fit(spectrum, T, lam, sigma0).learned ** 2)
    return nan_unless(ok, clean.bias + clean.var + generations * sigma0**2 * df2 / T0)
