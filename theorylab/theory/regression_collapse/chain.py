"""Chains of ridge fits, each on labels made by the one before: any mixture of sizes, ridges and noises."""

from typing import Any, NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float

from theorylab.numerics.domain import in_domain, nan_unless
from theorylab.theory.regression_collapse._arguments import Stages, fit_domain, floats, same_length
from theorylab.theory.regression_collapse._stages import (
    Fit,
    chain_fits,
    chain_risk,
    last_risk,
    ridge_fit,
    run_stages,
)
from theorylab.types import Real, Vector

__all__ = [
    "BiasVariance",
    "ChainMoments",
    "ridge_bias_variance",
    "ridge_chain_moments",
    "ridge_chain_risk",
    "ridge_collapse_risk",
]


class BiasVariance(NamedTuple):
    """Squared bias and variance of a fit; their sum is its expected excess risk."""

    bias: Float[Array, ""]
    var: Float[Array, ""]


class ChainMoments(NamedTuple):
    """Mean and second moment of the fitted coefficients sqrt(spectrum) w_hat after each stage."""

    m: Float[Array, "J d"]
    S: Float[Array, "J d"]


def ridge_bias_variance(spectrum: Vector, w_star: Vector, T: Real, lam: Real, sigma: Real) -> BiasVariance:
    """Squared bias and variance of one ridge fit on clean data.

        bias = kappa^2 sum_k spectrum_k w_star_k^2 / (spectrum_k + kappa)^2 T / (T - df_2)
        var  = sigma^2 df_2 / (T - df_2) ,   kappa = effective_ridge(spectrum, T, lam)

    Asymptotic: exact as d and T grow in proportion, with a relative error of order 1 / d.

    Source: @hastie2022surprises, @dobriban2018high.
    Domain: T > 0, lam >= 0, sigma >= 0, spectrum >= 0; at lam = 0 not T = number of non-zero eigenvalues.
    spectrum, w_star: covariance eigenvalues, and true weights in its eigenbasis.
    T: samples. lam: ridge of ||y - X w||^2 / T + lam ||w||^2. sigma: standard deviation of the label noise.
    Returns (bias, var) of the excess risk ||w_hat - w_star||_Sigma^2.
    Raises ValueError outside the domain.
    """
    same_length(spectrum, "w_star", w_star)
    ok = fit_domain(spectrum, T=T, lam=lam, sigma=sigma)
    spectrum, w_star, T, lam, sigma = floats(spectrum, w_star, T, lam, sigma, like=spectrum)
    fit = ridge_fit(spectrum, T, lam, sigma**2)
    bias = jnp.sum(fit.missed**2 * spectrum * w_star**2) * T / fit.residual
    return nan_unless(ok, BiasVariance(bias, fit.noise_var * jnp.sum(fit.learned**2) / fit.residual))


def ridge_chain_moments(
    spectrum: Vector,
    c_star: Vector,
    Ts: Stages,
    lams: Stages,
    sigmas: Stages,
    real_weights: Stages | None = None,
) -> ChainMoments:
    """First two moments of the fit after each stage of a chain of ridge fits, all designs independent.

        q = (sum_k (1 - g_k)^2 S_k + sigma^2) / (T - df_2) ,   m <- g m ,   S <- g^2 (S + q)
        g = spectrum / (spectrum + kappa) ,   start m = c_star, S = c_star^2

    With real_weights the labels of a stage are real_weight * real + (1 - real_weight) * synthetic; the first
    weight changes nothing. Asymptotic: sizes to infinity in proportion, relative error of order 1 / d.

    Source: derived here, extending @dohmatob2024model; one stage is the risk estimate of @hastie2022surprises.
    Domain: T > 0, lam >= 0, sigma >= 0, 0 <= real_weight <= 1, spectrum >= 0; at lam = 0 not T = number of non-zero
    eigenvalues.
    spectrum, c_star: covariance eigenvalues, and sqrt(spectrum) * w_star.
    Ts, lams, sigmas: samples, ridge (of ||y - X w||^2 / T + lam ||w||^2) and noise of the labels at each stage,
    the noise of mixed labels being that of the mixture.
    Returns (m, S), stages by directions, diagonal of the second moment.
    Raises ValueError outside the domain.
    """
    ok, fits, c_sq = _chain(spectrum, c_star, Ts, lams, sigmas, real_weights)
    state = run_stages(fits, c_sq)
    (c_star,) = floats(c_star, like=c_sq)
    m = jnp.broadcast_to(c_star, state.error.shape) * (1 + state.error)
    return nan_unless(ok, ChainMoments(m, m**2 + state.variance))


def ridge_chain_risk(
    spectrum: Vector,
    c_star: Vector,
    Ts: Stages,
    lams: Stages,
    sigmas: Stages,
    real_weights: Stages | None = None,
) -> Float[Array, "J"]:
    """Excess risk after each stage of a chain of ridge fits, all designs independent.

        risk = sum_k (S_k - 2 m_k c_star_k + c_star_k^2) ,   (m, S) from `ridge_chain_moments`

    Asymptotic. Computed as a sum of squares: no cancellation when the risk is small.

    Source: derived here, extending @dohmatob2024model; one stage is the risk estimate of @hastie2022surprises.
    Domain and arguments: as for `ridge_chain_moments`.
    Returns the risk against the truth after each stage.
    Raises ValueError outside the domain.
    """
    ok, fits, c_sq = _chain(spectrum, c_star, Ts, lams, sigmas, real_weights)
    return nan_unless(ok, chain_risk(run_stages(fits, c_sq), c_sq))


def ridge_collapse_risk(
    spectrum: Vector,
    w_star: Vector,
    generations: int,
    T: Real,
    T0: Real,
    lam: Real,
    lam0: Real,
    sigma: Real,
    sigma0: Real,
) -> Float[Array, ""]:
    """Excess risk of a ridge fit behind a chain of ridge generators, regularised or over-parametrised.

        risk = ridge_chain_risk(spectrum, sqrt(spectrum) w_star, [T0] * generations + [T],
                                [lam0] * generations + [lam], [sigma0] * generations + [sigma])[-1]

    Asymptotic: for least-squares generators (lam0 = 0, T0 > d) each of them adds with 1 / (T0 - d);
    `ridge_collapse_risk_ols_generators` has the exact 1 / (T0 - d - 1).

    Source: derived here, extending @dohmatob2024model.
    Domain: T, T0 > 0, all others >= 0; at zero ridge not as many samples as non-zero eigenvalues.
    spectrum, w_star: covariance eigenvalues, and true weights in its eigenbasis.
    generations: number of generators; 0 means clean labels.
    T, lam, sigma: samples, ridge (of ||y - X w||^2 / T + lam ||w||^2), label noise of the downstream fit.
    T0, lam0, sigma0: the same of each generator.
    Returns ||w_hat - w_star||_Sigma^2 in expectation; irreducible noise is not added.
    Raises ValueError outside the domain.
    """
    same_length(spectrum, "w_star", w_star)
    ok = fit_domain(spectrum, T=T, lam=lam, sigma=sigma) & fit_domain(spectrum, "0", T=T0, lam=lam0, sigma=sigma0)
    in_domain(generations >= 0, "generations", generations, "generations >= 0")
    spectrum, w_star, *reals = floats(spectrum, w_star, T, T0, lam, lam0, sigma, sigma0, like=spectrum)
    T, T0, lam, lam0, sigma, sigma0 = reals
    generator, downstream = ridge_fit(spectrum, T0, lam0, sigma0**2), ridge_fit(spectrum, T, lam, sigma**2)
    return nan_unless(ok, last_risk(generations, generator, downstream, spectrum * w_star**2))


def _chain(spectrum: Vector, c_star: Any, *arguments: Any) -> tuple[Any, Fit, Array]:
    same_length(spectrum, "c_star", c_star)
    ok, fits = chain_fits(spectrum, *arguments)
    (c_star,) = floats(c_star, like=spectrum)
    return ok, fits, c_star**2
