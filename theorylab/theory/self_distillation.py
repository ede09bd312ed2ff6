"""Self-distillation of kernel ridge regression with a share of the true labels: spectral filters, risks, best weights.

The ridge is un-normalised here, yhat = K (K + lam_total I)^-1 target: lam_total is n times the ridge of a loss averaged
over the n samples. One step fits the target real_weight y + (1 - real_weight) yhat_previous, the first one with y in
place of yhat_previous. In the eigenbasis of K step tau multiplies the labels by the filter b.
"""

from typing import TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from theorylab.numerics.domain import in_domain, nan_unless
from theorylab.problems.self_distillation import self_distillation_optimal_weight_validation
from theorylab.types import Real, Vector

__all__ = [
    "self_distillation_filter",
    "self_distillation_filter_constant",
    "self_distillation_filter_limit",
    "self_distillation_optimal_weight",
    "self_distillation_optimal_weight_validation",
    "self_distillation_risk",
]

Weights: TypeAlias = Float[Array, "tau"] | Float[np.ndarray, "tau"]


def self_distillation_filter(
    kernel_spectrum: Vector, lam_total: Real, real_weights: Weights, allow_extrapolation: bool = False
) -> Float[Array, "tau d"]:
    """Spectral filter after each step of self-distillation.

        b_0 = 1 ,   b_tau = a (real_weights_tau + (1 - real_weights_tau) b_{tau-1}) ,   a = e / (e + lam_total)

    for the eigenvalues e: the predictions at the training inputs are U diag(b_tau) U'y. Exact.

    Source: @borup2021even; @mobahi2020self for weights 0.
    Domain: kernel_spectrum >= 0, lam_total > 0, real_weights in [0, 1] unless allow_extrapolation.

    kernel_spectrum: eigenvalues of the kernel matrix itself, not divided by n [n]. lam_total: un-normalised ridge.
    real_weights: weight of the true labels in each step [tau]; the first one has no effect.
    Returns the filters of steps 1..tau [tau, n].
    Raises ValueError outside the domain.
    """
    a, ok = _shrink(kernel_spectrum, lam_total)
    low, high = (-np.inf, np.inf) if allow_extrapolation else (0, 1)
    allowed = f"{low} <= real_weights <= {high}" + ("" if allow_extrapolation else " unless allow_extrapolation")
    ok &= in_domain((real_weights >= low) & (real_weights <= high), "real_weights", real_weights, allowed)

    def step(b: Array, weight: Array) -> tuple[Array, Array]:
        b = a * (weight + (1 - weight) * b)
        return b, b

    return nan_unless(ok, jax.lax.scan(step, jnp.ones_like(a), jnp.asarray(real_weights, a.dtype))[1])


def self_distillation_filter_constant(
    kernel_spectrum: Vector, lam_total: Real, real_weight: Real, tau: Real
) -> Float[Array, "d"]:
    """Spectral filter after tau steps of self-distillation with the same weight.

        b = b_inf + q^tau (1 - b_inf) ,   q = (1 - real_weight) a ,   b_inf = e / (e + lam_total / real_weight)

    and a^tau for real_weight = 0, where a = e / (e + lam_total) for the eigenvalues e. Exact.

    Source: @borup2021even; @mobahi2020self for weight 0.
    Domain: kernel_spectrum >= 0, lam_total > 0, real_weight in [0, 1], tau >= 0.

    kernel_spectrum: eigenvalues of the kernel matrix itself, not divided by n [n]. lam_total: un-normalised ridge.
    real_weight: weight of the true labels. tau: number of steps; 0 gives 1.
    Returns the filter [n].
    Raises ValueError outside the domain.
    """
    a, ok = _shrink(kernel_spectrum, lam_total)
    ok &= _weight_domain(real_weight) & in_domain(tau >= 0, "tau", tau, "tau >= 0")
    limit = self_distillation_filter_limit(kernel_spectrum, lam_total, real_weight)
    return nan_unless(ok, limit + ((1 - real_weight) * a) ** jnp.asarray(tau, a.dtype) * (1 - limit))


def self_distillation_filter_limit(kernel_spectrum: Vector, lam_total: Real, real_weight: Real) -> Float[Array, "d"]:
    """Spectral filter after infinitely many steps: that of one ridge fit with a larger ridge.

        b = e / (e + lam_total / real_weight)

    for the eigenvalues e; 0 for real_weight = 0. It is approached as ((1 - real_weight) max a)^tau. The risk of the
    limit on new data is `ridge_bias_variance` at the ridge lam_total / (n real_weight).

    Source: @borup2021even.
    Domain, arguments and errors as for `self_distillation_filter_constant`.
    """
    a, ok = _shrink(kernel_spectrum, lam_total)
    ok &= _weight_domain(real_weight)
    weighted = real_weight * jnp.asarray(kernel_spectrum, a.dtype)
    return nan_unless(ok, weighted / (weighted + lam_total))


def self_distillation_risk(kernel_spectrum: Vector, f_coef_sq: Vector, sigma: Real, b: Vector) -> Float[Array, ""]:
    """Expected squared error of a spectral filter at the training inputs.

        risk = (1/n) [ sum_k (1 - b_k)^2 f_coef_sq_k + sigma^2 sum_k b_k^2 ]

    Exact, for labels f + sigma eps; distance to the true values f, so the noise itself is not added.

    Source: @borup2021even.
    Domain: kernel_spectrum, f_coef_sq, sigma >= 0.

    kernel_spectrum: eigenvalues of the kernel matrix [n]. f_coef_sq: squared coefficients (U'f)^2 [n].
    sigma: standard deviation of the label noise. b: filter [n].
    Returns the risk.
    Raises ValueError outside the domain, or when the lengths differ.
    """
    f2, b, ok = _coefficients(kernel_spectrum, f_coef_sq, sigma, b)
    return nan_unless(ok, jnp.mean((1 - b) ** 2 * f2 + sigma**2 * b**2))


def self_distillation_optimal_weight(
    kernel_spectrum: Vector, f_coef_sq: Vector, sigma: Real, lam_total: Real, b: Vector, clip: bool = False
) -> Float[Array, ""]:
    """Weight of the true labels in the next step that minimises the risk at the training inputs.

        real_weight = sum_k h_k [(1 - u_k) f2_k - sigma^2 u_k] / sum_k h_k^2 (f2_k + sigma^2) ,
        u = a b ,  h = a - u ,  a = e / (e + lam_total) ,  f2 = f_coef_sq

    The next filter is u + real_weight h, so this is the exact minimiser of `self_distillation_risk`. It is not confined
    to [0, 1]: it is negative where lam_total is too small for the noise.

    Source: derived here for the setting of @borup2021even.
    Domain: lam_total > 0, sigma >= 0, kernel_spectrum >= 0, f_coef_sq >= 0; some mode with e > 0, b != 1 carries
    signal or noise.

    kernel_spectrum: eigenvalues of the kernel matrix [n]. f_coef_sq: squared coefficients (U'f)^2 [n].
    sigma: standard deviation of the label noise. lam_total: un-normalised ridge. b: filter of the previous step [n].
    clip: confine the weight to [0, 1].
    Returns the weight.
    Raises ValueError outside the domain, or when the lengths differ.
    """
    f2, b, ok = _coefficients(kernel_spectrum, f_coef_sq, sigma, b)
    a, positive = _shrink(kernel_spectrum, lam_total)
    u = a * b
    h = a * (1 - b)
    power = jnp.sum(h**2 * (f2 + sigma**2))
    ok &= positive & in_domain(power > 0, "b", b, "a filter that the weight of the next step changes")
    weight = jnp.sum(h * ((1 - u) * f2 - sigma**2 * u)) / jnp.where(power > 0, power, 1.0)
    return nan_unless(ok, jnp.clip(weight, 0, 1) if clip else weight)


def _shrink(kernel_spectrum: Vector, lam_total: Real) -> tuple[Array, bool | Array]:
    """The filter a of one ridge fit."""
    ok = in_domain(lam_total > 0, "lam_total", lam_total, "lam_total > 0")
    ok &= in_domain(kernel_spectrum >= 0, "kernel_spectrum", kernel_spectrum, "kernel_spectrum >= 0")
    e = jnp.asarray(kernel_spectrum, float)
    return e / (e + lam_total), ok


def _weight_domain(real_weight: Real) -> bool | Array:
    return in_domain((real_weight >= 0) & (real_weight <= 1), "real_weight", real_weight, "0 <= real_weight <= 1")


def _coefficients(
    kernel_spectrum: Vector, f_coef_sq: Vector, sigma: Real, b: Vector
) -> tuple[Array, Array, bool | Array]:
    if not len(kernel_spectrum) == len(f_coef_sq) == len(b):
        lengths = f"{len(kernel_spectrum)}, {len(f_coef_sq)} and {len(b)}"
        raise ValueError(f"kernel_spectrum, f_coef_sq and b have {lengths} entries")
    ok = in_domain(sigma >= 0, "sigma", sigma, "sigma >= 0")
    ok &= in_domain(f_coef_sq >= 0, "f_coef_sq", f_coef_sq, "f_coef_sq >= 0")
    ok &= in_domain(kernel_spectrum >= 0, "kernel_spectrum", kernel_spectrum, "kernel_spectrum >= 0")
    return jnp.asarray(f_coef_sq, float), jnp.asarray(b, float), ok
