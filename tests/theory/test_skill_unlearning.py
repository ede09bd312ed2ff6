"""Skills of models that read last digits: against enumeration, limits, derivatives, refusals."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.testing import assert_allclose
from predictor_checks import Case, check_batching, check_derivatives

from theorylab.problems.skill_unlearning import gcd_probabilities
from theorylab.theory.scaling_tails.unseen import unseen_item_error
from theorylab.theory.skill_unlearning import answered_gcd, skill_coverage, skill_limit, skill_summary

BASES = (2, 6, 10, 12, 30, 31)


def law(classes):
    weights = np.array([g**-2.0 for g in range(1, classes + 1)])
    return weights / weights.sum()


# ---------------------------------------------------------------------------------------------- the defining property


@pytest.mark.parametrize("base", BASES)
def test_the_answer_is_what_two_last_digits_tell(base):
    """The largest number that divides a + base i and b + base j for all i, j divides base, a and b."""
    for a, b in ((12, 18), (30, 60), (7, 21), (base, 3 * base), (25, 10)):
        digits = {(a + base * i, b + base * j) for i in range(3) for j in range(3)}
        common = math.gcd(*(math.gcd(x, y) for x, y in digits))
        assert float(answered_gcd(base, math.gcd(a, b))) == common
        divisors = [k for k in range(1, base + 1) if base % k == 0 and math.gcd(a, b) % k == 0]
        assert common == max(divisors)


@pytest.mark.parametrize("base", BASES)
def test_skills_are_the_gcds_that_are_answered_right(base):
    right = np.array([float(answered_gcd(base, g)) == g for g in range(1, 31)])
    assert_allclose([skill_limit(base, g) for g in range(1, 31)], right)
    found = skill_summary(base, 30)
    expected = (right.sum(), right.mean(), (law(30) * ~right).sum())
    assert_allclose(found, expected, rtol=1e-12, atol=1e-15)


# -------------------------------------------------------------------------------------------------- values and limits


def test_base_30_has_the_eight_skills_that_a_trained_teacher_showed():
    """Trained teachers: 7 to 8 skills (1, 2, 3, 5, 6, 10, 15, 30), accuracy 0.27, error 0.097 to 0.105."""
    assert [g for g in range(1, 31) if skill_limit(30, g) == 1] == [1, 2, 3, 5, 6, 10, 15, 30]
    found = skill_summary(30, 30)
    assert found.skills == 8
    assert_allclose(found.accuracy, 8 / 30, rtol=1e-14)
    product = math.prod(1 + q**-2 for q in (2, 3, 5)) / sum(g**-2 for g in range(1, 31))
    assert_allclose(found.weighted_error, 1 - product, rtol=1e-12)
    assert abs(found.accuracy - 0.270) < 0.01 and abs(found.weighted_error - 0.097) < 0.01


def test_the_likelier_label_wins():
    assert skill_summary(30, 30, 0.49) == skill_summary(30, 30, 0.0)
    assert skill_summary(30, 30, 0.51) == (30, 1, pytest.approx(0, abs=1e-12))
    assert np.isnan(skill_summary(30, 30, 0.5)).all() and np.isnan(skill_limit(30, 7, 0.5))


def test_the_variety_of_labels():
    T = np.geomspace(1, 1e9, 40)
    curves = np.array([[skill_coverage(30, 30, pi, t) for t in T] for pi in (0.0, 0.01, 0.3, 1.0)])
    assert_allclose(curves[:, 0], 1, rtol=1e-12)  # one label
    assert_allclose(curves[:, -1], [8, 30, 30, 30], rtol=1e-9)
    assert (np.diff(curves, axis=1) > -1e-9).all() and (np.diff(curves, axis=0) > -1e-9).all()
    assert_allclose([skill_coverage(30, 30, pi, 0) for pi in (0.0, 0.5, 1.0)], 0, atol=1e-15)
    p = gcd_probabilities(30)
    unseen = [30 * unseen_item_error(jnp.ones(30) / 30, p, t) for t in T[:20]]
    assert_allclose(curves[-1, :20], 30 - np.array(unseen), rtol=1e-12)


@pytest.mark.parametrize("base, classes, pi", [(30, 30, 0.0), (6, 12, 0.25), (10, 25, 1.0), (31, 5, 0.6)])
def test_variety_against_a_sum_over_labels(base, classes, pi):
    q = np.zeros(classes + 1)
    for h, chance in enumerate(law(classes), start=1):
        q[h] += pi * chance
        q[math.gcd(base, h)] += (1 - pi) * chance
    assert_allclose(q.sum(), 1, rtol=1e-12)
    for T in (1, 7, 300):
        assert_allclose(skill_coverage(base, classes, pi, T), (1 - (1 - q) ** T).sum(), rtol=1e-12)


# --------------------------------------------------------------------------------- derivatives, batching and refusals

COVERAGE = Case(skill_coverage, dict(pi=0.3, T=40.0), base=30, classes=12)


def test_derivatives():
    check_derivatives(COVERAGE)
    for pi in (0.0, 1.0):  # finite at the ends
        slope = jax.grad(skill_coverage, argnums=(2, 3))(30, 12, pi, 40.0)
        assert np.isfinite(slope).all() and min(slope) >= 0


def test_batching():
    check_batching(COVERAGE)
    g = jnp.arange(1.0, 31.0)
    assert_allclose(jax.vmap(lambda g: answered_gcd(30, g))(g), np.gcd(30, np.arange(1, 31)))
    assert_allclose(jax.jit(jax.vmap(lambda b: skill_summary(b, 30).skills))(jnp.array([10.0, 30.0])), [4, 8])
    assert_allclose(jnp.sum(gcd_probabilities(30)), 1, rtol=1e-14)
    assert_allclose(gcd_probabilities(30), law(30), rtol=1e-14)


@pytest.mark.parametrize("call, named", [
    (lambda: answered_gcd(1, 3), "base = 1"),
    (lambda: answered_gcd(2.5, 3), "base = 2.5"),
    (lambda: answered_gcd(10, 0), "gcd = 0"),
    (lambda: skill_limit(10, 1.5), "gcd = 1.5"),
    (lambda: skill_limit(10, 2, -0.1), "pi = -0.1"),
    (lambda: skill_summary(10, 0), "classes = 0"),
    (lambda: skill_summary(10, 5, 1.1), "pi = 1.1"),
    (lambda: skill_coverage(10, 5, 2.0, 3), "pi = 2.0"),
    (lambda: skill_coverage(10, 5, 0.5, -1), "T = -1"),
    (lambda: gcd_probabilities(0), "classes = 0"),
])  # fmt: skip
def test_refusals_name_the_argument(call, named):
    with pytest.raises(ValueError, match="outside its domain") as raised:
        call()
    assert str(raised.value).startswith(named)


def test_traced_values_outside_the_domain_give_nan():
    assert np.isnan(jax.jit(lambda pi: skill_coverage(10, 5, pi, 3.0))(1.5))
    assert np.isnan(jax.jit(lambda base: answered_gcd(base, 4))(2.5))
    assert np.isnan(jax.jit(lambda base: skill_summary(base, 5).accuracy)(1.0))
