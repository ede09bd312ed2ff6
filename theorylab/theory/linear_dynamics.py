"""Learning curves of linear networks with many inputs and samples: gradient flow and descent, stopping, ridge.

The normalisation of the paper: N inputs, P = alpha N samples, entries of X [N, P] of variance 1/N, labels
y = X' wbar + eps, gradient flow dw/dt = X (y - X' w). Against a loss averaged over the samples, inputs of variance 1,
eigenvalues are larger by alpha and times shorter by alpha. The test error |w - wbar|^2 / N + sigma_e2 contains the
noise of the labels.
"""

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float

from theorylab.numerics.domain import in_domain, nan_unless
from theorylab.numerics.quadrature import marchenko_pastur_graded_quadrature
from theorylab.numerics.roots import bisection
from theorylab.types import Real

__all__ = [
    "OptimalIsotropicRidge",
    "OptimalStopping",
    "gradient_descent_test_error",
    "gradient_flow_test_error",
    "gradient_flow_test_error_limit",
    "gradient_flow_train_error",
    "isotropic_ridge_optimum",
    "isotropic_ridge_test_error",
    "optimal_stopping_time",
]

_NODES = 384
"""Nodes of the graded rule: its error is rounding, at every alpha and every time."""


class OptimalStopping(NamedTuple):
    """The time of the least test error, and that error."""

    t: Float[Array, ""]
    error: Float[Array, ""]


class OptimalIsotropicRidge(NamedTuple):
    """The ridge of the least test error, and that error."""

    g: Float[Array, ""]
    error: Float[Array, ""]


def gradient_flow_test_error(
    t: Real, alpha: Real, sigma_w2: Real, sigma_e2: Real, sigma_w0_2: Real
) -> Float[Array, ""]:
    """Test error of gradient flow on the squared loss of a linear network at time t.

        E_g = INT [ (sigma_w2 + sigma_w0_2) e^(-2 l t) + sigma_e2 (1 - e^(-l t))^2 / l ] + sigma_e2 ,

    the integral over the Marchenko-Pastur law of X X', its atom of mass max(0, 1 - alpha) at l = 0 included.

    Source: @advani2020high.
    Domain: 0 <= t < inf, alpha > 0, variances >= 0. Limit of many inputs, with an error of order 1/N.

    t: time, in the units of dw/dt = X (y - X' w), entries of X of variance 1/N. alpha: samples per input.
    sigma_w2: variance of each true weight. sigma_e2: variance of the label noise. sigma_w0_2: of each initial weight.
    Returns |w - wbar|^2 / N + sigma_e2: the noise of the labels is included.
    Raises ValueError outside the domain.
    """
    ok = _domain(alpha, sigma_w2, sigma_e2, sigma_w0_2) & _finite("t", t)
    alpha, prior, noise = _floats(alpha, sigma_w2, sigma_e2, sigma_w0_2)
    return nan_unless(ok, _flow_error(jnp.asarray(t, float), alpha, prior, noise))


def gradient_flow_train_error(
    t: Real, alpha: Real, sigma_w2: Real, sigma_e2: Real, sigma_w0_2: Real
) -> Float[Array, ""]:
    """Training error of gradient flow on the squared loss of a linear network at time t.

        E_t = (1/alpha) INT [ l (sigma_w2 + sigma_w0_2) + sigma_e2 ] e^(-2 l t) + max(0, 1 - 1/alpha) sigma_e2 ,

    the integral over the continuous part of the Marchenko-Pastur law of X X'.

    Source: @advani2020high.
    Domain, arguments and errors as for `gradient_flow_test_error`.
    Returns |y - X' w|^2 / P.
    """
    ok = _domain(alpha, sigma_w2, sigma_e2, sigma_w0_2) & _finite("t", t)
    alpha, prior, noise = _floats(alpha, sigma_w2, sigma_e2, sigma_w0_2)
    l, weights = marchenko_pastur_graded_quadrature(alpha, _NODES)
    fitted = jnp.sum(weights * (l * prior + noise) * jnp.exp(-2 * l * t)) / alpha
    return nan_unless(ok, fitted + jnp.maximum(0.0, 1 - 1 / alpha) * noise)


def gradient_descent_test_error(
    steps: Real, eta: Real, alpha: Real, sigma_w2: Real, sigma_e2: Real, sigma_w0_2: Real
) -> Float[Array, ""]:
    """Test error after discrete steps of gradient descent: e^(-l t) of the flow becomes (1 - eta l)^steps.

    Source: @advani2020high, with discrete steps.
    Domain: 0 <= steps < inf, 0 < eta < 2 / (1 + sqrt(alpha))^2 (stable), alpha > 0, variances >= 0.

    steps: number of steps w <- w + eta X (y - X' w); between whole numbers (1 - eta l)^steps is continued as
    |1 - eta l|^steps cos(pi steps) where eta l > 1. eta: step size; the time is eta steps.
    Other arguments, result and errors as for `gradient_flow_test_error`.
    """
    ok = _domain(alpha, sigma_w2, sigma_e2, sigma_w0_2) & _finite("steps", steps)
    alpha, prior, noise = _floats(alpha, sigma_w2, sigma_e2, sigma_w0_2)
    ok &= in_domain((eta > 0) & (eta * (1 + jnp.sqrt(alpha)) ** 2 < 2), "eta", eta, "0 < eta < 2 / (1 + sqrt(alpha))^2")
    l, weights = marchenko_pastur_graded_quadrature(alpha, _NODES)
    forward = eta * l < 1
    # |1 - eta l| without cancellation for small eta l; where it is negative, odd powers are
    log = jnp.where(forward, jnp.log1p(-jnp.where(forward, eta * l, 0.0)), 0.0)
    beyond = jnp.where(forward, 1.0, eta * l - 1)
    log = jnp.where(forward, log, jnp.log(jnp.where(beyond > 0, beyond, jnp.finfo(float).tiny)))
    sign = jnp.where(forward, 1.0, jnp.cos(jnp.pi * steps))
    learned = jnp.where(forward, -jnp.expm1(steps * log), 1 - sign * jnp.exp(steps * log))
    return nan_unless(ok, _error(alpha, prior, noise, l, weights, jnp.exp(2 * steps * log), learned))


def gradient_flow_test_error_limit(alpha: Real, sigma_w2: Real, sigma_e2: Real, sigma_w0_2: Real) -> Float[Array, ""]:
    """Test error of gradient flow after infinite time.

        alpha > 1:  sigma_e2 / (alpha - 1) + sigma_e2
        alpha < 1:  sigma_e2 alpha / (1 - alpha) + (1 - alpha) (sigma_w2 + sigma_w0_2) + sigma_e2

    Infinite at alpha = 1, unless sigma_e2 = 0. The directions without data keep their initial weights for ever.

    Source: @advani2020high.
    Domain: alpha > 0, variances >= 0. Arguments, result and errors as for `gradient_flow_test_error`.
    """
    ok = _domain(alpha, sigma_w2, sigma_e2, sigma_w0_2)
    alpha, prior, noise = _floats(alpha, sigma_w2, sigma_e2, sigma_w0_2)
    gap = jnp.abs(1 - alpha)
    finite = gap > 0
    fitted = noise * jnp.minimum(alpha, 1.0) / jnp.where(finite, gap, 1.0)
    fitted = jnp.where(finite | (noise == 0), fitted, jnp.inf)
    return nan_unless(ok, fitted + _atom(alpha) * prior + noise)


def optimal_stopping_time(alpha: Real, sigma_w2: Real, sigma_e2: Real, sigma_w0_2: Real) -> OptimalStopping:
    """The time at which gradient flow has the least test error.

        INT [ -l (sigma_w2 + sigma_w0_2) e^(-2 l t) + sigma_e2 (1 - e^(-l t)) e^(-l t) ] = 0 ,

    one root, which lies between log(1 + l s) / l for the largest and the smallest eigenvalue l > 0, where s is
    (sigma_w2 + sigma_w0_2) / sigma_e2: the optimal times of single modes.

    Source: @advani2020high.
    Domain: alpha > 0, sigma_e2 > 0 (without noise one never stops), sigma_w2, sigma_w0_2 >= 0.

    Arguments as for `gradient_flow_test_error`.
    Returns the time and the test error there, the noise of the labels included.
    Raises ValueError outside the domain.
    """
    ok = _domain(alpha, sigma_w2, sigma_e2, sigma_w0_2)
    ok &= in_domain(sigma_e2 > 0, "sigma_e2", sigma_e2, "sigma_e2 > 0 (without noise there is no finite optimum)")
    alpha, prior, noise = _floats(alpha, sigma_w2, sigma_e2, sigma_w0_2)
    signal = prior > 0
    snr = jnp.where(signal, prior, 1.0) / jnp.where(noise > 0, noise, 1.0)
    l, weights = marchenko_pastur_graded_quadrature(alpha, _NODES)

    def slope(log_t: Array) -> Array:
        decay = jnp.exp(-l * jnp.exp(log_t))
        return jnp.sum(weights * decay * (-jnp.expm1(-l * jnp.exp(log_t)) - l * snr * decay))

    edges = jnp.stack([jnp.max(l), jnp.min(l)])
    low, high = jnp.log(jnp.log1p(edges * snr) / edges)
    # a little wider, so that rounding cannot put the root outside
    t = jnp.where(signal, jnp.exp(bisection(slope, low - 1e-6, high + 1e-6)), 0.0)
    return nan_unless(ok, OptimalStopping(t, _flow_error(t, alpha, prior, noise)))


def isotropic_ridge_test_error(g: Real, alpha: Real, sigma_w2: Real, sigma_e2: Real) -> Float[Array, ""]:
    """Test error of ridge regression w = (X X' + g)^-1 X y in the normalisation of this module.

        E_g = sigma_e2 + [ sigma_w2 g^2 m (1 + m) + sigma_e2 alpha m / (1 + m) ] / root ,
        root = sqrt((g + alpha - 1)^2 + 4 g) ,  m = 2 / (g + alpha - 1 + root) = INT 1 / (l + g)

    Source: @advani2020high; @dobriban2018high.
    Domain: 0 < g < inf, alpha > 0, variances >= 0. Limit of many inputs, with an error of order 1/N.

    g: un-normalised ridge; alpha times the ridge of a loss averaged over the samples, inputs of variance 1.
    alpha: samples per input. sigma_w2: variance of each true weight. sigma_e2: variance of the label noise.
    Returns |w - wbar|^2 / N + sigma_e2: the noise of the labels is included.
    Raises ValueError outside the domain.
    """
    ok = _domain(alpha, sigma_w2, sigma_e2, 0.0) & in_domain((g > 0) & (g < jnp.inf), "g", g, "0 < g < inf")
    alpha, signal, noise = _floats(alpha, sigma_w2, sigma_e2)
    g = jnp.asarray(g, float)
    m, root = _resolvent(g, alpha)
    return nan_unless(ok, noise + (signal * (g * m) * (g * (1 + m)) + noise * alpha * m / (1 + m)) / root)


def isotropic_ridge_optimum(alpha: Real, sigma_w2: Real, sigma_e2: Real) -> OptimalIsotropicRidge:
    """The ridge with the least test error: g = sigma_e2 / sigma_w2 at every alpha, error sigma_e2 (1 + m(g)).

    Source: @advani2020high; @dobriban2018high.
    Domain: alpha > 0, sigma_w2 > 0, sigma_e2 > 0. Arguments and errors as for `isotropic_ridge_test_error`.
    """
    ok = _domain(alpha, sigma_w2, sigma_e2, 0.0)
    ok &= in_domain(sigma_w2 > 0, "sigma_w2", sigma_w2, "sigma_w2 > 0")
    ok &= in_domain(sigma_e2 > 0, "sigma_e2", sigma_e2, "sigma_e2 > 0")
    alpha, signal, noise = _floats(alpha, sigma_w2, sigma_e2)
    g = noise / signal
    return nan_unless(ok, OptimalIsotropicRidge(g, noise * (1 + _resolvent(g, alpha)[0])))


def _resolvent(g: Array, alpha: Array) -> tuple[Array, Array]:
    """m = INT 1 / (l + g), the atom at 0 included, and the root in its closed form."""
    b = g + alpha - 1
    root = jnp.sqrt(b**2 + 4 * g)
    return jnp.where(b > 0, 2 / jnp.where(b > 0, b + root, 1.0), (root - b) / (2 * g)), root


def _flow_error(t: Array, alpha: Array, prior: Array, noise: Array) -> Array:
    l, weights = marchenko_pastur_graded_quadrature(alpha, _NODES)
    return _error(alpha, prior, noise, l, weights, jnp.exp(-2 * l * t), -jnp.expm1(-l * t))


def _error(
    alpha: Array, prior: Array, noise: Array, l: Array, weights: Array, unlearned_sq: Array, learned: Array
) -> Array:
    """Test error of modes of which the share `learned` of the least-squares solution is learned."""
    return jnp.sum(weights * (prior * unlearned_sq + noise * learned**2 / l)) + _atom(alpha) * prior + noise


def _atom(alpha: Array) -> Array:
    return jnp.maximum(0.0, 1 - alpha)


def _floats(alpha: Real, sigma_w2: Real, sigma_e2: Real, sigma_w0_2: Real = 0.0) -> tuple[Array, Array, Array]:
    """alpha, the variance of the initial error of each weight, and that of the noise."""
    alpha, signal, noise, start = (jnp.asarray(value, float) for value in (alpha, sigma_w2, sigma_e2, sigma_w0_2))
    return alpha, signal + start, noise


def _finite(name: str, value: Real) -> bool | Array:
    return in_domain((value >= 0) & (value < jnp.inf), name, value, f"0 <= {name} < inf")


def _domain(alpha: Real, sigma_w2: Real, sigma_e2: Real, sigma_w0_2: Real) -> bool | Array:
    ok = in_domain((alpha > 0) & (alpha < jnp.inf), "alpha", alpha, "0 < alpha < inf")
    for name, value in (("sigma_w2", sigma_w2), ("sigma_e2", sigma_e2), ("sigma_w0_2", sigma_w0_2)):
        ok &= _finite(name, value)
    return ok
