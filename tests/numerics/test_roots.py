"""Roots and minima on a bracket, and their implicit derivatives."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import brentq, minimize_scalar

from theorylab.numerics.roots import bisection, golden_section

cubic_root = lambda a: bisection(lambda x: x**3 + x - a, -10.0, 10.0)
# minimum of a quartic in x at x^3 + x = a
quartic_minimum = lambda a: golden_section(lambda x: x**4 / 4 + x**2 / 2 - a * x, -10.0, 10.0)


@pytest.mark.parametrize("solve", [cubic_root, quartic_minimum])
def test_equation_derivatives_and_batching(solve):
    values = np.random.default_rng(0).uniform(-100, 100, 20)
    roots = np.array([solve(a) for a in values])
    np.testing.assert_allclose(roots**3 + roots, values, rtol=1e-13)
    expected = [brentq(lambda x, a=a: x**3 + x - a, -10, 10, xtol=1e-15) for a in values]
    np.testing.assert_allclose(roots, expected, rtol=1e-13)
    slope = 1 / (3 * roots**2 + 1)
    for derivative in (jax.grad, jax.jacfwd):
        np.testing.assert_allclose(jax.vmap(derivative(solve))(values), slope, rtol=1e-12)
    second = jax.vmap(jax.grad(jax.grad(solve)))(values)
    np.testing.assert_allclose(second, -6 * roots * slope**3, rtol=1e-10)
    np.testing.assert_allclose(jax.jit(jax.vmap(solve))(values), roots, rtol=1e-13)


def test_bisection_finds_ends_and_falling_functions():
    assert bisection(lambda x: x - 1, 1.0, 2.0) == 1
    assert bisection(lambda x: x - 2, 1.0, 2.0) == 2
    np.testing.assert_allclose(bisection(lambda x: 2 - x * x, 0.0, 2.0), np.sqrt(2), rtol=1e-15)
    assert bisection(lambda x: x - 1, jnp.float32(0), jnp.float32(3)).dtype == jnp.float32


def test_bisection_without_a_sign_change_is_flagged():
    assert np.isnan(bisection(lambda x: x**2 + 1, -1.0, 1.0))
    assert np.isnan(bisection(lambda x: x * jnp.nan, -1.0, 1.0))


def test_golden_section_agrees_with_scipy_and_stays_in_the_bracket():
    f = lambda x: np.log1p(np.exp(-3 * x)) + 0.1 * (x - 1) ** 2
    ours = golden_section(lambda x: jnp.log1p(jnp.exp(-3 * x)) + 0.1 * (x - 1) ** 2, -3.0, 8.0)
    np.testing.assert_allclose(ours, minimize_scalar(f, (-3, 8), tol=1e-12).x, rtol=1e-7)
    assert golden_section(lambda x: x, 2.0, 3.0) == pytest.approx(2.0, abs=1e-7)
