"""Isotropic chains of minimum-norm generators with fewer samples than dimensions: exact at finite size."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from theorylab.numerics.domain import in_domain, nan_unless
from theorylab.theory.regression_collapse._arguments import floats, non_negative
from theorylab.types import Real

__all__ = ["isotropic_minnorm_collapse_risk", "isotropic_minnorm_generator_risk"]


def isotropic_minnorm_generator_risk(
    d: Real, generations: Real, T0: Real, sigma0: Real, w_star_sq: Real, shared: bool = False
) -> Float[Array, ""]:
    """Expected squared error of the last of a chain of minimum-norm generators.

        fresh designs:   w_star_sq (1 - a^generations) + v (1 - a^generations) / (1 - a)
        shared design:   w_star_sq (1 - a) + generations v ,   0 at generations = 0
        a = T0 / d ,   v = sigma0^2 T0 / (d - T0 - 1)

    Exact at finite size, for inputs N(0, I). Without noise, fresh designs forget everything, exponentially fast.

    Source: @dohmatob2024model, with the exact finite-size moments.
    Domain: 0 < T0 <= d - 2 (nearer to d there is no finite mean; beyond d + 1 use `ols_collapse_risk`).
    d: dimension. generations: number of generators. T0: samples of each. sigma0: their label noise.
    w_star_sq: squared norm of the true weights. shared: all generators have the same inputs, with fresh noise.
    Returns ||w_hat - w_star||^2 in expectation.
    Raises ValueError outside the domain.
    """
    ok = _generator_domain(d, generations, T0, sigma0, w_star_sq)
    d, generations, T0, sigma0, w_star_sq = floats(d, generations, T0, sigma0, w_star_sq)
    v = sigma0**2 * T0 / (d - T0 - 1)
    lost = (d - T0) / d
    if shared:
        risk = jnp.where(generations > 0, w_star_sq * lost + generations * v, 0.0)
    else:
        risk = (w_star_sq + v / lost) * _forgotten(d, generations, T0)
    return nan_unless(ok, risk)


def isotropic_minnorm_collapse_risk(
    d: Real, generations: Real, T: Real, T0: Real, sigma: Real, sigma0: Real, w_star_sq: Real
) -> Float[Array, ""]:
    """Expected excess risk of a ridgeless fit behind a chain of minimum-norm generators, all designs independent.

        T >= d + 2 (least squares):   generator error + sigma^2 d / (T - d - 1)
        T <= d - 2 (minimum norm):    (T/d) (E|w|^2 - 2 E<w, w_star>) + w_star_sq + sigma^2 T / (d - T - 1)
        E|w|^2 = a^generations w_star_sq + v (1 - a^generations) / (1 - a) ,   E<w, w_star> = a^generations w_star_sq

    with w the last generator, a = T0 / d and v = sigma0^2 T0 / (d - T0 - 1). Exact at finite size, inputs N(0, I).

    Source: @dohmatob2024model, with the exact finite-size moments.
    Domain: 0 < T0 <= d - 2; 0 < T <= d - 2 or T >= d + 2 (in between there is no finite mean).
    d: dimension. generations: number of generators; 0 means clean labels. T, T0: samples downstream, and of
    each generator. sigma, sigma0: their label noise. w_star_sq: squared norm of the true weights.
    Returns ||w_hat - w_star||^2 in expectation; irreducible noise is not added.
    Raises ValueError outside the domain.
    """
    ok = _generator_domain(d, generations, T0, sigma0, w_star_sq) & non_negative(sigma=sigma)
    allowed = "0 < T <= d - 2 or T >= d + 2: in between the risk has no finite mean"
    ok &= in_domain((T > 0) & ((T <= d - 2) | (T >= d + 2)), "T", T, allowed)
    d, generations, T, T0, sigma, sigma0, w_star_sq = floats(d, generations, T, T0, sigma, sigma0, w_star_sq)
    forgotten = _forgotten(d, generations, T0)
    noise = sigma0**2 * T0 / (d - T0 - 1) * forgotten * d / (d - T0)
    over = T < d
    share = jnp.where(over, T / d, 1.0)
    # w_star_sq (1 - (T/d) a^generations), written so that a small risk does not cancel
    bias = w_star_sq * ((1 - share) + share * forgotten)
    gap = jnp.where(over, d - T - 1, T - d - 1)
    return nan_unless(ok, bias + share * noise + sigma**2 * jnp.where(over, T, d) / gap)


def _forgotten(d: Array, generations: Array, T0: Array) -> Array:
    """1 - (T0/d)^generations."""
    return -jnp.expm1(generations * jnp.log1p((T0 - d) / d))


def _generator_domain(d: Real, generations: Real, T0: Real, sigma0: Real, w_star_sq: Real) -> bool | Array:
    allowed = "0 < T0 <= d - 2 (no finite mean at d - 1, d, d + 1; use ols_collapse_risk for T0 >= d + 2)"
    ok = in_domain(d > 2, "d", d, "d > 2") & in_domain((T0 > 0) & (T0 <= d - 2), "T0", T0, allowed)
    return ok & non_negative(generations=generations, sigma0=sigma0, w_star_sq=w_star_sq)
