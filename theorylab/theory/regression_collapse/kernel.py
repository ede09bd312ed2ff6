"""Chains of kernel ridge fits on a finite population."""

from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from theorylab.numerics.domain import in_domain, nan_unless
from theorylab.theory.regression_collapse._arguments import Stages, fit_domain, floats, same_length
from theorylab.theory.regression_collapse._stages import chain_fits, chain_risk, last_risk, ridge_fit, run_stages
from theorylab.types import Real, Vector

__all__ = ["kernel_ridge_chain_risk", "kernel_ridge_collapse_risk"]

Coefficients = Float[Array, "N p"] | Float[np.ndarray, "N p"]


def kernel_ridge_chain_risk(
    spectrum: Vector, C: Coefficients, Ts: Stages, lams: Stages, sigmas: Stages
) -> Float[Array, "J"]:
    """Risk after each stage of a chain of kernel ridge fits, summed over the outputs.

        K / N = U diag(spectrum) U^T ,   C = U^T F / sqrt(N) ,   f = k(., I) (K_II + T lam)^-1 y_I

    The N points are the population; a stage draws T of them with replacement and labels them by the stage before,
    plus noise. The map of `ridge_chain_risk` for each output. Asymptotic, and treating features as Gaussian: within
    a few percent for smooth kernels, worse for localised ones.

    Source: derived here, extending @dohmatob2024model.
    Domain: T > 0, lam >= 0, sigma >= 0; at lam = 0 not T = number of non-zero eigenvalues; eigenvalues below 1e-15
    of their sum count as zero, with targets that no fit can learn; below -1e-12 of it they are refused.
    spectrum, C: eigenvalues of K / N, and coefficients of the targets F (N x outputs) in its eigenvectors.
    Ts, lams, sigmas: samples, ridge (mean loss) and label noise of each output, at each stage.
    Returns (1/N) sum_i |f(x_i) - F_i|^2 in expectation after each stage.
    Raises ValueError outside the domain.
    """
    ok, spectrum, c_sq = _population(spectrum, C)
    in_stages, fits = chain_fits(spectrum, Ts, lams, sigmas, None, outputs=C.shape[1])
    return nan_unless(ok & in_stages, chain_risk(run_stages(fits, c_sq), c_sq))


def kernel_ridge_collapse_risk(
    spectrum: Vector,
    C: Coefficients,
    generations: int,
    T: Real,
    T0: Real,
    lam: Real,
    lam0: Real,
    sigma: Real,
    sigma0: Real,
) -> Float[Array, ""]:
    """Risk of a kernel ridge fit behind a chain of kernel ridge generators, summed over the outputs.

        risk = kernel_ridge_chain_risk(spectrum, C, [T0] * generations + [T], [lam0] * generations + [lam],
                                       [sigma0] * generations + [sigma])[-1]

    Source: derived here, extending @dohmatob2024model.
    Domain, spectrum, C: as for `kernel_ridge_chain_risk`.
    generations: number of generators; 0 means clean labels.
    T, lam, sigma: samples, ridge (mean loss) and label noise of each output, downstream; T0, lam0, sigma0: the same
    of each generator.
    Returns (1/N) sum_i |f(x_i) - F_i|^2 in expectation.
    Raises ValueError outside the domain.
    """
    ok, spectrum, c_sq = _population(spectrum, C)
    ok &= fit_domain(spectrum, T=T, lam=lam, sigma=sigma) & fit_domain(spectrum, "0", T=T0, lam=lam0, sigma=sigma0)
    in_domain(generations >= 0, "generations", generations, "generations >= 0")
    T, T0, lam, lam0, sigma, sigma0 = floats(T, T0, lam, lam0, sigma, sigma0, like=spectrum)
    outputs = C.shape[1]
    generator = ridge_fit(spectrum, T0, lam0, outputs * sigma0**2)
    downstream = ridge_fit(spectrum, T, lam, outputs * sigma**2)
    return nan_unless(ok, last_risk(generations, generator, downstream, c_sq))


def _population(spectrum: Vector, C: Coefficients) -> tuple[Any, Array, Array]:
    """The spectrum without rounding errors, and the squared coefficients summed over the outputs."""
    same_length(spectrum, "C", C)
    spectrum, C = floats(spectrum, C, like=spectrum)
    total = jnp.sum(spectrum)
    ok = in_domain(spectrum >= -1e-12 * total, "spectrum", spectrum, ">= 0 up to rounding")
    return ok, jnp.where(spectrum < 1e-15 * total, 0.0, spectrum), jnp.sum(C**2, axis=1)
