"""Least squares on the labels of earlier fits: replace the data, accumulate them, or subsample the accumulated pool."""

from typing import TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import digamma, zeta
from jaxtyping import Array, Float, Num

from theorylab.numerics.domain import in_domain, nan_unless
from theorylab.types import Real

__all__ = [
    "accumulation_ols_risk",
    "accumulation_ols_risk_equal_blocks",
    "accumulation_ols_risk_limit",
    "accumulation_ols_risk_shared_design",
    "replacement_ols_risk",
    "subsampled_accumulation_factor",
]

Sizes: TypeAlias = Num[Array, "fits"] | Num[np.ndarray, "fits"]
Sigmas: TypeAlias = Num[Array, "sigmas"] | Num[np.ndarray, "sigmas"]

_NO_MEAN = "> d + 1 = {}; nearer to d the OLS risk has no finite mean"


def replacement_ols_risk(d: Real, sizes: Sizes, sigmas: Sigmas) -> Float[Array, "fits"]:
    """Expected excess risk of each least-squares fit when every fit sees only the block labelled by the one before.

        risk_n = d sum_{i<=n} sigmas_i^2 / (sizes_i - d - 1) ,   n = 1..fits

    Exact at finite size, for Gaussian inputs of any covariance and any true weights, all designs independent. The
    first block has real labels, block i those of fit i-1 with fresh noise.

    Source: @gerstgrasser2024model, with the exact prefactors of the inverse Wishart law, derived here.
    Domain: sizes > d + 1, sigmas >= 0.

    d: dimension. sizes: rows of each block [fits]. sigmas: standard deviation of the label noise of each block [fits].
    Returns E |w_n - w_star|_Sigma^2 [fits]; irreducible noise is not added.
    Raises ValueError outside the domain, or when the lengths of sizes and sigmas differ.
    """
    d, sizes, sigmas, ok = _blocks(d, sizes, sigmas)
    ok &= in_domain(sizes > d + 1, "sizes", sizes, f"every block {_NO_MEAN.format(d + 1)}")
    return nan_unless(ok, d * jnp.cumsum(sigmas**2 / (sizes - d - 1)))


def accumulation_ols_risk_shared_design(d: Real, T: Real, sigmas: Sigmas) -> Float[Array, "sigmas"]:
    """Expected excess risk of each least-squares fit to all blocks so far, every block on one and the same design.

        risk_n = d / (T - d - 1) sum_{i<=n} sigmas_i^2 / i^2 ,   n = 1..fits

    For equal noise it tends to pi^2/6 times the first risk. Exact at finite size, for Gaussian inputs of any
    covariance.

    Source: @gerstgrasser2024model; @dey2024universality for the constant.
    Domain: T > d + 1, sigmas >= 0.

    d: dimension. T: rows of the design. sigmas: standard deviation of the label noise of each block [fits].
    Returns E |w_n - w_star|_Sigma^2 [fits]; irreducible noise is not added.
    Raises ValueError outside the domain.
    """
    ok = in_domain(d > 0, "d", d, "d > 0")
    ok &= in_domain(T - d > 1, "T", T, f"T {_NO_MEAN.format(d + 1)}")
    ok &= in_domain(sigmas >= 0, "sigmas", sigmas, "sigmas >= 0")
    i = jnp.arange(1, len(sigmas) + 1, dtype=float)
    return nan_unless(ok, d / (T - d - 1) * jnp.cumsum((jnp.asarray(sigmas, float) / i) ** 2))


def accumulation_ols_risk(d: Real, sizes: Sizes, sigmas: Sigmas) -> Float[Array, "fits"]:
    """Expected excess risk of each least-squares fit to all blocks so far, every block on a fresh design.

        risk_n = d sum_{i<=n} sigmas_i^2 (sizes_i / N_i) / (N_i - d - 1) ,   N_i = sizes_1 + .. + sizes_i

    Exact at finite size, for Gaussian inputs of any covariance and any true weights. The first block has real labels,
    block i those of fit i-1 with fresh noise.

    Source: derived here for the setting of @gerstgrasser2024model: w_n = w_{n-1} + M_n^-1 X_n' noise_n with the Gram
    matrix M_n of all rows so far, and E[X_n'X_n | M_n] = (sizes_n / N_n) M_n since rows are exchangeable.
    Domain: sizes >= 0 and sizes_1 > d + 1, sigmas >= 0.

    d: dimension. sizes: rows of each block [fits]. sigmas: standard deviation of the label noise of each block [fits].
    Returns E |w_n - w_star|_Sigma^2 [fits]; irreducible noise is not added.
    Raises ValueError outside the domain, or when the lengths of sizes and sigmas differ.
    """
    d, sizes, sigmas, ok = _blocks(d, sizes, sigmas)
    ok &= in_domain(sizes >= 0, "sizes", sizes, "sizes >= 0")
    ok &= in_domain(sizes[0] > d + 1, "sizes", sizes, f"first block {_NO_MEAN.format(d + 1)}")
    rows = jnp.cumsum(sizes)
    return nan_unless(ok, d * jnp.cumsum(sigmas**2 * (sizes / rows) / (rows - d - 1)))


def accumulation_ols_risk_equal_blocks(d: Real, T: Real, fits: Real, sigma: Real) -> Float[Array, ""]:
    """Expected excess risk of the last of `fits` least-squares fits to accumulated blocks of equal size and noise.

        risk = sigma^2 d sum_{i<=fits} 1 / (i (i T - d - 1))
             = sigma^2 d / (d+1) [ psi(fits+1-x) - psi(1-x) - psi(fits+1) + psi(1) ] ,   x = (d+1) / T

    with the digamma function psi, at a cost that does not grow with `fits`: `accumulation_ols_risk` for equal blocks.

    Source: derived here for the setting of @gerstgrasser2024model.
    Domain: T > d + 1, fits >= 1, sigma >= 0.

    d: dimension. T: rows of each block. fits: number of fits. sigma: standard deviation of the label noise.
    Returns E |w_fits - w_star|_Sigma^2; irreducible noise is not added.
    Raises ValueError outside the domain.
    """
    d, T, sigma, ok = _equal_blocks(d, T, sigma)
    ok &= in_domain(fits >= 1, "fits", fits, "fits >= 1")
    x = (d + 1) / T
    rest = _pair_sum(jnp.asarray(fits, float) + 1, x)
    return nan_unless(ok, sigma**2 * d / T * (_pair_sum(jnp.ones_like(x), x) - rest))


def accumulation_ols_risk_limit(d: Real, T: Real, sigma: Real) -> Float[Array, ""]:
    """Expected excess risk after infinitely many least-squares fits to accumulated blocks of equal size and noise.

        risk = sigma^2 d / (d+1) [ psi(1) - psi(1-x) ] ,   x = (d+1) / T

    At most pi^2/6 times the first risk, which it approaches for d/T -> 0.

    Source: derived here for the setting of @gerstgrasser2024model.
    Domain: T > d + 1, sigma >= 0. Arguments and errors as for `accumulation_ols_risk_equal_blocks`.
    """
    d, T, sigma, ok = _equal_blocks(d, T, sigma)
    x = (d + 1) / T
    return nan_unless(ok, sigma**2 * d / T * _pair_sum(jnp.ones_like(x), x))


def subsampled_accumulation_factor(fits: int) -> Float[Array, "fits"]:
    """Risk of each fit on T rows drawn from the accumulated pool of equal blocks, in units of the first risk.

        factor_n = 3 sum_{i<=n} 1/i^2 - 2 ,   n = 1..fits ,   which tends to pi^2/2 - 2

    Large-sample form, of error O(d/T), in units of sigma^2 d / (T - d - 1). To first order the error of fit n is the
    mean of the errors of the models that labelled its pool (the truth included) plus its own noise, of unit variance
    and of covariance 1/max(m, n) with that of fit m, because the two share rows.

    Source: derived here for the setting of @kazdan2024collapse.
    Domain: fits >= 1.

    fits: number of fits; n draws T of n T rows without replacement.
    Returns the factor of each fit [fits].
    Raises ValueError outside the domain.
    """
    in_domain(fits >= 1, "fits", fits, "fits >= 1")
    return 3 * jnp.cumsum(jnp.arange(1, fits + 1, dtype=float) ** -2) - 2


def _blocks(d: Real, sizes: Sizes, sigmas: Sigmas) -> tuple[Array, Array, Array, bool | Array]:
    if len(sizes) != len(sigmas):
        raise ValueError(f"sizes has {len(sizes)} entries, but sigmas has {len(sigmas)}")
    in_domain(len(sizes) > 0, "sizes", sizes, "at least one block")
    ok = in_domain(d > 0, "d", d, "d > 0") & in_domain(sigmas >= 0, "sigmas", sigmas, "sigmas >= 0")
    return jnp.asarray(d, float), jnp.asarray(sizes, float), jnp.asarray(sigmas, float), ok


def _equal_blocks(d: Real, T: Real, sigma: Real) -> tuple[Array, Array, Array, bool | Array]:
    ok = in_domain(d > 0, "d", d, "d > 0") & in_domain(sigma >= 0, "sigma", sigma, "sigma >= 0")
    ok &= in_domain(T - d > 1, "T", T, f"T {_NO_MEAN.format(d + 1)}")
    return jnp.asarray(d, float), jnp.asarray(T, float), jnp.asarray(sigma, float), ok


def _pair_sum(q: Array, x: Array) -> Array:
    """sum_{i>=0} 1 / ((q+i) (q+i-x)) = [psi(q) - psi(q-x)] / x for 0 < x < q, by a series where that cancels."""
    near = x < q / 4
    k = jnp.arange(28, dtype=float)
    series = jnp.sum(jnp.where(near, x, 0.0) ** k * jax.vmap(zeta, (0, None))(k + 2, q))
    far = jnp.where(near, q / 2, x)
    return jnp.where(near, series, (digamma(q) - digamma(q - far)) / far)
