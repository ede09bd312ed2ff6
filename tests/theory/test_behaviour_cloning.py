"""Cloning from demonstrations with one added to every count."""

import itertools
from math import factorial, prod

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from predictor_checks import Case, check_batching, check_derivatives, check_refusal
from scipy import stats

from theorylab import theory

EXPERT = np.array([0.6, 0.3, 0.1])


def divergence(p, counts):
    phat = (counts + 1) / (counts.sum() + len(p))
    return np.sum(np.where(p > 0, p * np.log(np.where(p > 0, p, 1) / phat), 0))


@pytest.mark.parametrize("p", [EXPERT, np.array([1.0, 0.0]), np.array([0.25, 0.25, 0.5, 0.0])])
@pytest.mark.parametrize("n", [1, 2, 5])
def test_average_over_all_possible_counts(p, n):
    """Every vector of counts, with its multinomial probability."""
    expected = 0.0
    for counts in itertools.product(range(n + 1), repeat=len(p)):
        if sum(counts) == n:
            ways = factorial(n) / prod(map(factorial, counts))
            expected += ways * np.prod(p ** np.array(counts)) * divergence(p, np.array(counts))
    np.testing.assert_allclose(theory.laplace_cloning_kl(p, n), expected, rtol=1e-12)


def test_stated_value_and_a_simulation():
    """.018296; drawn .018247 with standard error .000041."""
    value = float(theory.laplace_cloning_kl(EXPERT, 50))
    assert round(value, 6) == 0.018296
    draws = np.random.default_rng(0).multinomial(50, EXPERT, 20_000)
    sample = np.array([divergence(EXPERT, counts) for counts in draws])
    assert abs(sample.mean() - value) < 4 * sample.std() / np.sqrt(len(sample))


def test_binomial_law_of_scipy():
    k = np.arange(2001)
    for p in (np.array([0.7, 0.2, 0.1]), np.array([1 - 1e-6, 1e-6])):
        logs = [stats.binom.pmf(k, 2000, q) @ np.log((k + 1) / (2000 + len(p))) for q in p]
        expected = np.sum(p * (np.log(p) - np.array(logs)))
        np.testing.assert_allclose(theory.laplace_cloning_kl(p, 2000), expected, rtol=1e-7, atol=1e-13)


def test_many_demonstrations():
    """(A - 1) / (2 n), up to the next order."""
    for actions in (2, 5):
        value = theory.laplace_cloning_kl(np.full(actions, 1 / actions), 4000)
        np.testing.assert_allclose(value, (actions - 1) / 8000, rtol=5e-3)


def test_an_expert_without_choice():
    """One action of two: log((n + 2) / (n + 1))."""
    np.testing.assert_allclose(theory.laplace_cloning_kl(np.array([1.0, 0.0]), 9), np.log(11 / 10), rtol=1e-13)


def clone(logits, n):
    return theory.laplace_cloning_kl(jax.nn.softmax(jnp.asarray(logits)), n)


CASE = Case(clone, dict(logits=np.array([0.5, -0.2, 1.0])), n=7)


def test_derivatives():
    check_derivatives(CASE)


def test_batching():
    check_batching(CASE)


@pytest.mark.parametrize("bad", [np.array([0.5, 0.4]), np.array([1.2, -0.2]), np.array([np.nan, 1.0])])
def test_outside_the_domain(bad):
    check_refusal(Case(theory.laplace_cloning_kl, dict(p=np.array([0.5, 0.5])), n=3), "p", p=bad)


@pytest.mark.parametrize("n", [0, -3])
def test_demonstrations_are_needed(n):
    with pytest.raises(ValueError, match=f"n = {n} is outside its domain: n >= 1"):
        theory.laplace_cloning_kl(EXPERT, n)
