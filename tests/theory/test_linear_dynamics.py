"""Learning curves of linear networks: gradient flow, gradient descent, optimal stopping and ridge."""

from functools import cache
from itertools import pairwise

import jax
import numpy as np
import pytest
from scipy import integrate, optimize

from theorylab import theory

VARIANCES = (0.8, 0.3, 0.1)  # of true weights, label noise, initial weights
ALPHAS = (0.05, 0.5, 0.99, 0.9999, 1.0, 1.0001, 1.5, 20.0)


@cache
def compiled(name):
    function = jax.jit(getattr(theory, name))
    return lambda *values: function(*map(float, values))


def flow(t, alpha, variances=VARIANCES):
    return float(compiled("gradient_flow_test_error")(t, alpha, *variances))


def train(t, alpha, variances=VARIANCES):
    return float(compiled("gradient_flow_train_error")(t, alpha, *variances))


def descent(steps, eta, alpha, variances=VARIANCES):
    return float(compiled("gradient_descent_test_error")(steps, eta, alpha, *variances))


def ridge(g, alpha, sigma_w2=0.8, sigma_e2=0.3):
    return float(compiled("isotropic_ridge_test_error")(g, alpha, sigma_w2, sigma_e2))


def stopping(alpha, sigma_w2=0.8, sigma_e2=0.3, sigma_w0_2=0.0):
    return compiled("optimal_stopping_time")(alpha, sigma_w2, sigma_e2, sigma_w0_2)


def average(f, alpha):
    """INT f over the continuous part of the Marchenko-Pastur law, by adaptive quadrature in the log of l - l_min."""
    low, width = ((1 - alpha) / (1 + alpha**0.5)) ** 2, 4 * alpha**0.5

    def integrand(u):
        share = np.exp(2 * u)
        l = low + width * share
        return (width * share) ** 2 / share**0.5 * np.sqrt(max(1 - share, 0.0)) / (np.pi * l) * f(l)

    edges = [-60, -25, -15, -10, -7, -5, -3, -2, -1, -0.3, -0.01, 0]
    parts = (integrate.quad(integrand, a, b, epsabs=1e-14, epsrel=1e-12, limit=200)[0] for a, b in pairwise(edges))
    return sum(parts)


def atom(alpha):
    return max(0.0, 1 - alpha)


# ------------------------------------------------------------------------------------------------ identities and limits


@pytest.mark.parametrize("alpha", ALPHAS)
def test_before_training_both_errors_are_the_variance_of_the_initial_residual(alpha):
    np.testing.assert_allclose([flow(0, alpha), train(0, alpha), descent(0, 0.01, alpha)], sum(VARIANCES), rtol=1e-14)


@pytest.mark.parametrize("alpha", [0.1, 0.5, 0.9, 1.1, 4.0])
def test_long_training_ends_at_the_limit(alpha):
    limit = theory.gradient_flow_test_error_limit(alpha, *VARIANCES)
    np.testing.assert_allclose([flow(1e7, alpha), descent(1e9, 0.02, alpha)], limit, rtol=1e-13)
    np.testing.assert_allclose(train(1e7, alpha), max(0.0, 1 - 1 / alpha) * 0.3, rtol=1e-14)


def test_limit_is_infinite_for_as_many_samples_as_parameters_unless_there_is_no_noise():
    limit = theory.gradient_flow_test_error_limit
    assert limit(1.0, *VARIANCES) == np.inf
    assert limit(1.0, 0.8, 0.0, 0.1) == 0.0
    np.testing.assert_allclose(limit(0.5, 0.8, 0.0, 0.1), 0.45, rtol=1e-15)
    assert np.isfinite(jax.grad(limit, 2)(0.5, 0.8, 0.0, 0.1))


@pytest.mark.parametrize("t", [1e6, 1e12])
def test_at_the_peak_the_error_grows_as_the_root_of_time(t):
    growth = 2 * (2 - 2**0.5) / np.pi**0.5
    np.testing.assert_allclose(growth, 0.66099, rtol=1e-5)
    np.testing.assert_allclose(flow(t, 1.0) / (0.3 * growth * t**0.5), 1.0, rtol=2 / t**0.5)


def test_peak_sharpens_with_time_and_optimal_stopping_is_monotone():
    """Signal-to-noise ratio 3: 0.777, 1.785, 7.15 at alpha = 1."""
    one = (1.0, 1 / 3, 0.0)
    peak = [float(stopping(1.0, *one).error), flow(50, 1.0, one), flow(1000, 1.0, one)]
    np.testing.assert_allclose(peak, [0.7775, 1.785, 7.15], rtol=1e-3)
    for t in (50, 1000):
        curve = [flow(t, alpha, one) for alpha in (0.8, 0.9, 1.0, 1.1, 1.3)]
        assert np.argmax(curve) == 2
    errors = [float(stopping(alpha, *one).error) for alpha in (0.1, 0.5, 0.9, 1.0, 1.1, 2.0, 10.0)]
    assert np.all(np.diff(errors) < 0)


@pytest.mark.parametrize("alpha", [0.05, 0.5, 1.0, 1.55, 20.0])
@pytest.mark.parametrize("ratio", [0.01, 3.0, 100.0])
def test_ridge_beats_optimal_stopping_beats_every_time(alpha, ratio):
    t, error = stopping(alpha, 1.0, 1 / ratio)
    best = theory.isotropic_ridge_optimum(alpha, 1.0, 1 / ratio)
    assert best.error <= error
    for factor in (0.1, 0.7, 0.99, 1.01, 1.5, 10.0):
        assert flow(t * factor, alpha, (1.0, 1 / ratio, 0.0)) >= error
        assert ridge(best.g * factor, alpha, 1.0, 1 / ratio) >= best.error
    np.testing.assert_allclose(best.error, ridge(best.g, alpha, 1.0, 1 / ratio), rtol=1e-14)


@pytest.mark.parametrize("alpha, stopped, penalised", [
    (0.5, 1.0048, 1.0000), (1.0, 0.7775, 0.7676), (1.25, 0.6989, 0.6885),
])  # fmt: skip
def test_early_stopping_is_nearly_as_good_as_ridge(alpha, stopped, penalised):
    np.testing.assert_allclose(stopping(alpha, 1.0, 1 / 3).error, stopped, atol=5e-5)
    np.testing.assert_allclose(theory.isotropic_ridge_optimum(alpha, 1.0, 1 / 3).error, penalised, atol=5e-5)


def test_initial_weights_act_as_signal_that_cannot_be_learned_by_ridge():
    np.testing.assert_allclose(flow(3, 0.5, (0.8, 0.3, 0.1)), flow(3, 0.5, (0.9, 0.3, 0.0)), rtol=1e-15)
    np.testing.assert_allclose(stopping(0.5, 0.8, 0.3, 0.1), stopping(0.5, 0.9, 0.3, 0.0), rtol=1e-14)
    assert stopping(0.5, 0.0, 0.3, 0.0).t == 0.0
    np.testing.assert_allclose(stopping(0.5, 0.0, 0.3, 0.0).error, 0.3, rtol=1e-15)


def test_small_steps_are_gradient_flow():
    np.testing.assert_allclose(descent(3e7, 1e-7, 0.7), flow(3.0, 0.7), rtol=3e-7)


@pytest.mark.parametrize("alpha, g, expected", [(0.5, 0.3, 0.5439145805736), (2.0, 0.7, 0.2025031456298)])
def test_ridge_is_the_deterministic_equivalent_in_other_units(alpha, g, expected):
    """N = 50 unit eigenvalues, T = alpha N samples, lam = g / alpha; stated values without the noise of the labels."""
    spectrum, w_star = np.ones(50), np.full(50, (0.8 / 50) ** 0.5)
    bias, variance = theory.ridge_bias_variance(spectrum, w_star, alpha * 50, g / alpha, 0.3**0.5)
    np.testing.assert_allclose(ridge(g, alpha) - 0.3, bias + variance, rtol=1e-13)
    np.testing.assert_allclose(ridge(g, alpha) - 0.3, expected, rtol=1e-12)


# ----------------------------------------------------------------------------------------- values, other computations


def test_stated_values():
    """Variances 0.8, 0.3 and 0.1; t = 0.2, 1.5, 12; then no initial weights."""
    for alpha, test, training in [
        (0.5, [1.0676171984264693, 0.9054273982431271, 1.0103219013933167],
         [0.7226800367411705, 0.11144196858783789, 0.001591273631240884]),
        (1.5, [0.8595057045344507, 0.5765135200626336, 0.7599546993889251],
         [0.5942254473914215, 0.161420377974675, 0.10210526303727148]),
    ]:  # fmt: skip
        np.testing.assert_allclose([flow(t, alpha) for t in (0.2, 1.5, 12)], test, rtol=1e-14)
        np.testing.assert_allclose([train(t, alpha) for t in (0.2, 1.5, 12)], training, rtol=1e-12)
    np.testing.assert_allclose(stopping(0.5), (1.5794386385, 0.8462973022), rtol=1e-10)
    np.testing.assert_allclose(stopping(1.5), (1.5798639559, 0.5602980206), rtol=1e-10)
    np.testing.assert_allclose([ridge(0.2, 0.5), ridge(0.2, 1.5)], [0.853498993003021, 0.5707178889595648], rtol=1e-14)
    optima = [theory.isotropic_ridge_optimum(alpha, 0.8, 0.3) for alpha in (0.5, 1.5)]
    np.testing.assert_allclose([best.error for best in optima], [0.8424428900898052, 0.5520797289396148], rtol=1e-14)
    np.testing.assert_allclose([best.g for best in optima], 0.375, rtol=1e-14)
    discrete = [descent(3, 0.1, 0.5), descent(50, 0.1, 0.5)]
    np.testing.assert_allclose(discrete, [1.0199971078125, 0.94784685088600], rtol=1e-13)


@pytest.mark.parametrize("alpha", ALPHAS)
def test_flow_equals_adaptive_quadrature(alpha):
    prior, noise = 0.9, 0.3
    for t in (0.2, 30.0, 2e4):
        modes = average(lambda l: prior * np.exp(-2 * l * t) + noise * np.expm1(-l * t) ** 2 / l, alpha)  # noqa: B023
        np.testing.assert_allclose(flow(t, alpha), modes + atom(alpha) * prior + noise, rtol=1e-11)
        modes = average(lambda l: (l * prior + noise) * np.exp(-2 * l * t), alpha) / alpha  # noqa: B023
        np.testing.assert_allclose(train(t, alpha), modes + atom(1 / alpha) * noise, rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize("alpha", [0.5, 1.0, 1.5])
@pytest.mark.parametrize("relative_step", [0.3, 1.2, 1.99])
def test_descent_equals_adaptive_quadrature(alpha, relative_step):
    eta = relative_step / (1 + alpha**0.5) ** 2
    for steps in (1, 2, 7, 1001):
        power = lambda l: (1 - eta * l) ** steps  # noqa: B023
        modes = average(lambda l: 0.9 * power(l) ** 2 + 0.3 * (1 - power(l)) ** 2 / l, alpha)  # noqa: B023
        np.testing.assert_allclose(descent(steps, eta, alpha), modes + atom(alpha) * 0.9 + 0.3, rtol=1e-11)


@pytest.mark.parametrize("alpha", [0.3, 1.0, 4.0])
@pytest.mark.parametrize("g", [1e-10, 0.2, 30.0])
def test_ridge_equals_adaptive_quadrature(alpha, g):
    modes = average(lambda l: (0.8 * g**2 + 0.3 * l) / (l + g) ** 2, alpha)
    np.testing.assert_allclose(ridge(g, alpha), modes + atom(alpha) * 0.8 + 0.3, rtol=1e-11)


@pytest.mark.parametrize("alpha", [0.05, 0.5, 1.0, 1.5, 20.0])
@pytest.mark.parametrize("ratio", [0.01, 1.0, 100.0])
def test_optimal_stopping_equals_a_minimiser(alpha, ratio):
    variances = (1.0, 1 / ratio, 0.0)
    t, error = stopping(alpha, *variances)
    bracket = (np.log(t) - 1, np.log(t) + 1)
    error_at = lambda u: flow(np.exp(u), alpha, variances)
    found = optimize.minimize_scalar(error_at, bounds=bracket, method="bounded", options=dict(xatol=1e-9))
    np.testing.assert_allclose(np.log(t), found.x, atol=1e-5)
    np.testing.assert_allclose(error, found.fun, rtol=1e-13)


def test_errors_scale_with_the_variances():
    np.testing.assert_allclose(flow(2, 0.7, (3.2, 1.2, 0.4)), 4 * flow(2, 0.7), rtol=1e-14)
    one, four = stopping(0.7, 0.8, 0.3, 0.1), stopping(0.7, 3.2, 1.2, 0.4)
    np.testing.assert_allclose(four, (one.t, 4 * one.error), rtol=1e-13)
