"""Where collapse takes over, and the ridge that fits data of a chain best."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from theorylab.numerics.domain import in_domain, nan_unless
from theorylab.numerics.roots import bisection, golden_section
from theorylab.theory.regression_collapse._arguments import floats, non_negative
from theorylab.theory.regression_collapse.chain import ridge_bias_variance
from theorylab.theory.regression_collapse.ols import ridge_collapse_risk_ols_generators, ridge_collapse_slope
from theorylab.types import Real, Vector

__all__ = ["OptimalRidge", "collapse_crossover_samples", "optimal_collapse_ridge"]

_LOG_T = np.linspace(np.log(2), np.log(1e8), 400)
_LOG_LAM = np.linspace(np.log(1e-8), np.log(1e3), 121)


class OptimalRidge(NamedTuple):
    """The best ridge and its risk; interior is False when it is an end of the searched range."""

    lam: Float[Array, ""]
    risk: Float[Array, ""]
    interior: Bool[Array, ""]


def collapse_crossover_samples(
    spectrum: Vector, w_star: Vector, generations: Real, T0: Real, sigma: Real, sigma0: Real, ell: Real
) -> Float[Array, ""]:
    """The number of samples from which on the collapse term exceeds the clean risk.

        generations sigma0^2 rho(T) = bias(T) + var(T) ,   lam = T^-ell

    with rho of `ridge_collapse_slope`: the last upward crossing on 2 <= T <= 1e8, of which there can be several when
    ell < clean_ridge_exponent. Roughly T0 (1 - d/T0) sigma^2 / (generations sigma0^2) where variance dominates.

    Source: @dohmatob2024model, the crossover of its scaling laws.
    Domain: generations > 0, sigma0 > 0, sigma >= 0, ell >= 0, T0 >= d + 2, spectrum > 0; a crossing exists.
    spectrum, w_star: covariance eigenvalues, and true weights in its eigenbasis. generations: number of
    least-squares generators. T0: samples of each. sigma, sigma0: label noise downstream, and of the generators.
    ell: the downstream ridge is T^-ell, of ||y - X w||^2 / T + lam ||w||^2.
    Returns T. Raises ValueError outside the domain.
    """
    ok = in_domain(generations > 0, "generations", generations, "generations > 0: there is no collapse term")
    ok &= in_domain(sigma0 > 0, "sigma0", sigma0, "sigma0 > 0: there is no collapse term")
    ok &= non_negative(sigma=sigma, ell=ell)
    ridge_collapse_slope(spectrum, 1.0, T0, 1.0)  # refuses what is wrong with the generators, by name
    spectrum, w_star, generations, T0, sigma, sigma0, ell = floats(
        spectrum, w_star, generations, T0, sigma, sigma0, ell, like=spectrum
    )

    T, found = _last_upward_crossing(spectrum, w_star, generations, T0, sigma, sigma0, ell)
    allowed = "a problem whose collapse term overtakes its clean risk on 2 <= T <= 1e8"
    return nan_unless(ok & in_domain(found, "sigma0", sigma0, allowed), T)


def optimal_collapse_ridge(
    spectrum: Vector, w_star: Vector, generations: Real, T: Real, T0: Real, sigma: Real, sigma0: Real
) -> OptimalRidge:
    """The ridge that minimises the risk behind least-squares generators, and that risk.

        lam = argmin over [1e-8, 1e3] of ridge_collapse_risk_ols_generators(..., lam, ...)

    The best of 121 logarithmic points, then a golden section between its neighbours. Isotropic, T to infinity:
    lam tends to generations sigma0^2 d / ((T0 - d - 1) |w_star|^2), which does not vanish.

    Source: @dohmatob2024model.
    Domain: as for `ridge_collapse_risk_ols_generators`.
    spectrum, w_star: covariance eigenvalues, and true weights in its eigenbasis.
    generations: number of generators; 0 means clean labels. T, T0: samples downstream, and of each generator.
    sigma, sigma0: label noise. lam is the ridge of ||y - X w||^2 / T + lam ||w||^2.
    Returns (lam, risk, interior); without an interior optimum the better end of the range, flagged.
    Raises ValueError outside the domain.
    """
    # refuses by name what is outside, and is NaN where a traced value is
    ok = ~jnp.isnan(ridge_collapse_risk_ols_generators(spectrum, w_star, generations, T, T0, 1.0, sigma, sigma0))
    spectrum, w_star, generations, T, T0, sigma, sigma0 = floats(
        spectrum, w_star, generations, T, T0, sigma, sigma0, like=spectrum
    )

    lam, risk, interior = _best_ridge(spectrum, w_star, generations, T, T0, sigma, sigma0)
    lam, risk = nan_unless(ok, (lam, risk))
    return OptimalRidge(lam, risk, interior & ok)


@jax.jit  # else every eager call compiles its loops anew
def _last_upward_crossing(
    spectrum: Array, w_star: Array, generations: Array, T0: Array, sigma: Array, sigma0: Array, ell: Array
) -> tuple[Array, Array]:
    def log_ratio(log_T: Array) -> Array:
        T, lam = jnp.exp(log_T), jnp.exp(-ell * log_T)
        clean = ridge_bias_variance(spectrum, w_star, T, lam, sigma)
        collapse = generations * sigma0**2 * ridge_collapse_slope(spectrum, T, T0, lam)
        return jnp.log(collapse) - jnp.log(clean.bias + clean.var)

    grid = jnp.asarray(_LOG_T, spectrum.dtype)
    above = jax.lax.map(log_ratio, grid, batch_size=20) > 0
    upward = above[1:] & ~above[:-1]
    last = grid.size - 2 - jnp.argmax(upward[::-1])
    return jnp.exp(bisection(log_ratio, grid[last], grid[last + 1])), jnp.any(upward)


@jax.jit
def _best_ridge(
    spectrum: Array, w_star: Array, generations: Array, T: Array, T0: Array, sigma: Array, sigma0: Array
) -> OptimalRidge:
    def risk(log_lam: Array) -> Array:
        lam = jnp.exp(log_lam)
        return ridge_collapse_risk_ols_generators(spectrum, w_star, generations, T, T0, lam, sigma, sigma0)

    grid = jnp.asarray(_LOG_LAM, spectrum.dtype)
    best = jnp.argmin(jax.lax.map(risk, grid, batch_size=11))
    interior = (best > 0) & (best < grid.size - 1)
    middle = jnp.clip(best, 1, grid.size - 2)
    log_lam = jnp.where(interior, golden_section(risk, grid[middle - 1], grid[middle + 1]), grid[best])
    return OptimalRidge(jnp.exp(log_lam), risk(log_lam), interior)
