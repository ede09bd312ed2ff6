"""The gradient of the likelihood of outcomes is a policy gradient with penalised rewards, and that of a value."""

import jax
import numpy as np
import pytest

from theorylab import theory

weight_and_slope = jax.jit(jax.value_and_grad(theory.confidence_penalty_weight))
likelihood_gradient = jax.jit(theory.confidence_penalised_gradient)


def random_bandit(seed, Y=5):
    """A policy, and correctness with one sure answer (which may be likelier than D), the others below D."""
    rng = np.random.default_rng(seed)
    pstar = np.concatenate([[1.0], rng.uniform(0, 0.2, Y - 1)])
    logits = rng.normal(size=Y) + np.array([1.0, *[0.0] * (Y - 1)])
    return logits, pstar


def value_at(logits, pstar):
    return theory.confidence_penalised_value(jax.nn.softmax(logits), pstar)


def log_likelihood_gradient(logits, pstar):
    """E[grad log-likelihood of the outcome] by NumPy, answers and outcomes drawn from the policy and from pstar."""
    pi = np.exp(logits - np.logaddexp.reduce(logits))
    D = 1 / pstar.sum()
    gradient = np.zeros_like(pi)
    for o in range(len(pi)):
        score = (np.arange(len(pi)) == o) - pi
        gradient += pi[o] * pstar[o] * score
        if pstar[o] < 1:
            gradient += pi[o] * (1 - pstar[o]) * -pi[o] / D / (1 - pi[o] / D) * score
    return gradient


def test_the_gradient_of_the_value_is_that_of_the_likelihood():
    of_value = jax.jit(jax.grad(value_at))
    for seed in range(20):
        logits, pstar = random_bandit(seed)
        expected = log_likelihood_gradient(logits, pstar)
        pi = np.exp(logits - np.logaddexp.reduce(logits))
        np.testing.assert_allclose(likelihood_gradient(pi, pstar), expected, rtol=1e-10, atol=1e-14)
        np.testing.assert_allclose(of_value(logits, pstar), expected, rtol=1e-10, atol=1e-14)


def test_the_likelihood_itself_has_this_gradient():
    """Finite differences of the log-likelihood with the sampling law held fixed: independent of any formula for it."""
    logits, pstar = random_bandit(7)
    D, drawn = 1 / pstar.sum(), np.exp(logits - np.logaddexp.reduce(logits))

    def likelihood(z):
        pi = np.exp(z - np.logaddexp.reduce(z))
        wrong = [0.0 if s == 1 else (1 - s) * np.log(1 - q / D) for q, s in zip(pi, pstar)]
        return np.sum(drawn * (pstar * np.log(pi) + wrong))

    h = 1e-5
    expected = [(likelihood(logits + h * e) - likelihood(logits - h * e)) / (2 * h) for e in np.eye(5)]
    np.testing.assert_allclose(likelihood_gradient(drawn, pstar), expected, rtol=0, atol=1e-9)


def test_a_policy_in_proportion_to_correctness_is_stationary():
    pstar = np.array([0.9, 0.5, 0.2, 0.05])
    np.testing.assert_allclose(likelihood_gradient(pstar / pstar.sum(), pstar), 0, atol=1e-15)


@pytest.mark.parametrize("z", [1e-6, 0.0099, 0.0101, 0.3, 0.97])
def test_weight_and_penalty(z):
    """w + z w' = z / (1 - z), on both sides of the switch to the series; w against the series itself."""
    w, slope = weight_and_slope(z)
    np.testing.assert_allclose(w + z * slope, z / (1 - z), rtol=1e-11)
    np.testing.assert_allclose(w, sum(z**k / (k + 1) for k in range(1, 2000)), rtol=1e-12)
    np.testing.assert_allclose(theory.confidence_penalised_reward(z, 0.0, 1.0), -z / (1 - z), rtol=1e-15)


def test_weight_starts_at_zero_with_slope_one_half():
    assert weight_and_slope(0.0) == (0.0, 0.5)


def test_a_surely_correct_answer_may_exceed_the_difficulty():
    reward = theory.confidence_penalised_reward(np.array([0.8, 0.1]), np.array([1.0, 0.0]), np.array([0.5, 0.5]))
    np.testing.assert_allclose(reward, [1, -0.25])
    gradient = jax.grad(lambda pi: theory.confidence_penalised_reward(pi, 1.0, 0.5))(0.5)
    assert gradient == 0.0
