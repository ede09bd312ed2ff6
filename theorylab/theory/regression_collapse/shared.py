"""Chains whose fits share one design, with fresh label noise at each of them."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from theorylab.numerics.domain import in_domain, nan_unless
from theorylab.numerics.quadrature import marchenko_pastur_graded_quadrature
from theorylab.theory.regression_collapse._arguments import fit_domain, floats, non_negative
from theorylab.theory.regression_collapse._stages import ridge_fit
from theorylab.types import Real, Vector

__all__ = ["isotropic_shared_design_risk", "ridge_collapse_slope_shared"]


def ridge_collapse_slope_shared(spectrum: Vector, T: Real, lam: Real) -> Float[Array, ""]:
    """Growth of the risk per generator and unit noise variance when all fits share one design.

        rho_shared = df_2 / (T - df_2) ,   risk = bias + (sigma^2 + generations sigma0^2) rho_shared

    Generators without ridge, a downstream fit with the ridge lam. Exact given the clean ridge risk, asymptotic in it.

    Source: derived here, from the ridge risk that @dohmatob2024model extends to chains.
    Domain: T > 0, lam >= 0, spectrum >= 0; at lam = 0 not T = number of non-zero eigenvalues.
    spectrum: covariance eigenvalues. T: samples of every fit. lam: ridge of ||y - X w||^2 / T + lam ||w||^2.
    Returns rho_shared. Raises ValueError outside the domain.
    """
    ok = fit_domain(spectrum, T=T, lam=lam)
    spectrum, T, lam = floats(spectrum, T, lam, like=spectrum)
    fit = ridge_fit(spectrum, T, lam, jnp.zeros_like(T))
    return nan_unless(ok, jnp.sum(fit.learned**2) / fit.residual)


def isotropic_shared_design_risk(
    gamma: Real, generations: Real, lam0: Real, lam: Real, sigma: Real, sigma0: Real, w_star_sq: Real
) -> Float[Array, ""]:
    """Excess risk when ridge generators and the downstream ridge fit share one isotropic design.

        risk = w_star_sq INT (1 - a a0^generations)^2
               + gamma INT a^2 [sigma0^2 sum_{j=1..generations} a0^(2j) + sigma^2] / s
        a = s / (s + lam) ,   a0 = s / (s + lam0)

    over the Marchenko-Pastur law of the eigenvalues s of X^T X / T; its atom at s = 0 counts 1 in the first
    integral, 0 in the second. Limit of d and T to infinity at gamma = d / T.

    Source: derived here, extending @dohmatob2024model.
    Domain: gamma > 0, all others >= 0; at lam = 0 not gamma = 1 (the risk is infinite).
    gamma: dimensions per sample. generations: number of generators; 0 means clean labels.
    lam, lam0: ridge downstream and of the generators, of ||y - X w||^2 / T + lam ||w||^2, inputs N(0, I).
    sigma, sigma0: label noise. w_star_sq: squared norm of the true weights.
    Returns ||w_hat - w_star||^2 in expectation; irreducible noise is not added.
    Raises ValueError outside the domain.
    """
    ok = in_domain((gamma > 0) & (gamma < jnp.inf), "gamma", gamma, "0 < gamma < inf")
    ok &= non_negative(generations=generations, lam0=lam0, lam=lam, sigma=sigma, sigma0=sigma0, w_star_sq=w_star_sq)
    ok &= in_domain((lam > 0) | (gamma != 1), "gamma", gamma, "not 1 at lam = 0: there the risk is infinite")
    gamma, *reals = floats(gamma, generations, lam0, lam, sigma, sigma0, w_star_sq)
    generations, lam0, lam, sigma, sigma0, w_star_sq = reals
    nodes, weights = marchenko_pastur_graded_quadrature(1 / gamma, 512)
    s = gamma * nodes
    decay, decay0 = jnp.log1p(lam / s), jnp.log1p(lam0 / s)  # -log a, -log a0
    missed = jnp.expm1(-decay - generations * decay0) ** 2
    noise = jnp.exp(-2 * decay) / s * (sigma0**2 * _geometric_sum(decay0, generations) + sigma**2)
    atom = jnp.maximum(1 - 1 / gamma, 0.0)
    return nan_unless(ok, w_star_sq * (weights @ missed + atom) + gamma * (weights @ noise))


def _geometric_sum(u: Array, n: Array) -> Array:
    """sum_{j=1..n} exp(-2 j u) = exp(-(n + 1) u) sinh(n u) / sinh(u), with its derivative also at u = 0."""
    small = (n + 1) * u < 1e-4
    u_large, u_small = jnp.where(small, 1.0, u), jnp.where(small, u, 0.0)
    ratio = jnp.expm1(-2 * n * u_large) / jnp.expm1(-2 * u_large)
    series = n * (1 + (n**2 - 1) * u_small**2 / 6)
    return jnp.where(small, jnp.exp(-(n + 1) * u_small) * series, jnp.exp(-2 * u_large) * ratio)
