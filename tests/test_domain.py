"""Domains: concrete values outside are refused by name, traced ones become NaN."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from theorylab.numerics.domain import in_domain, nan_unless


@pytest.mark.parametrize("ok", [True, np.True_, np.array([True, True]), jnp.array(True), jnp.ones(3, bool)])
def test_concrete_and_true(ok):
    assert in_domain(ok, "x", 1, "x > 0") is True


@pytest.mark.parametrize("ok", [False, np.False_, np.array([True, False]), jnp.array([True, False])])
def test_concrete_and_false(ok):
    with pytest.raises(ValueError, match=r"^x = 3 is outside its domain: x > 7$"):
        in_domain(ok, "x", 3, "x > 7")


def test_long_values_are_cut():
    with pytest.raises(ValueError, match=r"^x = .{57}\.\.\. is outside its domain") as error:
        in_domain(False, "x", np.arange(1000.0), "short")
    assert "\n" not in str(error.value)


def root(x):
    ok = in_domain(x >= 0, "x", x, "x >= 0")
    return nan_unless(ok, {"root": jnp.sqrt(jnp.where(jnp.asarray(ok), x, 0.0)), "twice": jnp.asarray(2.0 * x)})


def test_traced_is_nan_where_false():
    values = jax.jit(jax.vmap(root))(jnp.array([4.0, -1.0]))
    np.testing.assert_array_equal(values["root"], [2, np.nan])
    np.testing.assert_array_equal(values["twice"], [8, np.nan])


def test_conditions_combine():
    def both(x, y):
        ok = in_domain(x > 0, "x", x, "x > 0")
        ok &= in_domain(y > 0, "y", y, "y > 0")
        return nan_unless(ok, jnp.asarray(x * y))

    for x, y, expected in ((1.0, 2.0, 2.0), (-1.0, 2.0, np.nan), (1.0, -2.0, np.nan)):
        np.testing.assert_array_equal(jax.jit(both)(x, y), expected)
    np.testing.assert_array_equal(jax.jit(lambda y: both(1.0, y))(-2.0), np.nan)
    with pytest.raises(ValueError, match=r"x = -1\.0"):  # concrete within a trace: refused while tracing
        jax.jit(lambda y: both(-1.0, y))(2.0)


def test_gradient_stays_finite_inside():
    assert jax.grad(lambda x: root(x)["root"])(4.0) == 0.25
    assert np.isfinite(jax.jit(jax.grad(lambda x: root(x)["root"]))(4.0))
