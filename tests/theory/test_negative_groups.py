"""Policy gradients of sampled groups: the likelihood, normalised rewards, and groups that are all wrong."""

from itertools import product

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from predictor_checks import Case, check_batching, check_derivatives, check_refusal

from theorylab import cite, theory

LOGITS = np.array([0.03, -0.05, 0.02, 0.09, -0.1])
FIRST = np.array([True, False, False, False])
BANDIT = np.array([0.05, 0.5, 0.3, 0.15])

gradient_scale = jax.jit(theory.grpo_gradient_scale, static_argnames="G")
wrong_gradient = jax.jit(theory.negative_group_gradient)


# ------------------------------------------------------------------------------------------------- rewards of a group


def group_rewards(correct, pibar):
    G, D = len(pibar), 2 * max(pibar)
    if any(correct):
        D = max(1 / (sum(r / q for r, q in zip(correct, pibar)) / G), D)
    return [1.0 if r else -q / (D - q) / G for r, q in zip(correct, pibar)]


@pytest.mark.parametrize("G", [2, 5])
def test_group_rewards(G):
    rng, program = np.random.default_rng(G), jax.jit(theory.confidence_penalised_group_rewards)
    for _ in range(40):
        correct, pibar = rng.random(G) < 0.3, rng.uniform(0.01, 1, G)
        rewards = np.asarray(program(correct, pibar))
        np.testing.assert_allclose(rewards, group_rewards(correct, pibar), rtol=1e-13)
        assert np.all((rewards >= -1 / G) & (rewards <= 1))
        assert np.all(rewards[~correct] < 0) and np.all(rewards[correct] == 1)
        if not correct.any():
            np.testing.assert_allclose(rewards[pibar.argmax()], -1 / G)


def test_a_wrong_group_of_equal_confidence_has_no_advantage():
    rewards = theory.confidence_penalised_group_rewards(np.zeros(4, int), np.full(4, 0.3))
    np.testing.assert_array_equal(rewards, -0.25)


# --------------------------------------------------------------------------------------------------- normalised rewards


def enumerated_scale(p, G, ddof=0):
    """E[(1/G) sum_i A_i d/dp log P(r_i)] over all outcomes of a group."""
    total = 0.0
    for r in product((0.0, 1.0), repeat=G):
        r = np.array(r)
        if r.std() > 0:
            A = (r - r.mean()) / r.std(ddof=ddof)
            total += np.prod(np.where(r == 1, p, 1 - p)) * np.mean(A * (r - p) / (p * (1 - p)))
    return total


@pytest.mark.parametrize("G", [2, 3, 8])
@pytest.mark.parametrize("p", [0.01, 0.2, 0.77])
def test_scale_equals_the_sum_over_all_outcomes(p, G):
    scale = gradient_scale(p, G)
    np.testing.assert_allclose(scale, enumerated_scale(p, G), rtol=1e-12)
    np.testing.assert_allclose(scale * np.sqrt((G - 1) / G), enumerated_scale(p, G, ddof=1), rtol=1e-12)


def test_scale_values_and_limits():
    np.testing.assert_allclose(gradient_scale(0.2, 8), 2.1067, atol=5e-5)
    np.testing.assert_allclose(gradient_scale(0.37, 2), 1, rtol=1e-13)
    for G in (3, 8):
        np.testing.assert_allclose(gradient_scale(1e-9, G), np.sqrt(G - 1), rtol=1e-6)
        np.testing.assert_allclose(gradient_scale(0.1, G), gradient_scale(0.9, G), rtol=1e-12)
    errors = [gradient_scale(0.3, G) / theory.grpo_gradient_scale_limit(0.3) - 1 for G in (1000, 2000)]
    np.testing.assert_allclose(errors[0] / errors[1], 2, rtol=0.01)
    np.testing.assert_allclose(errors[1], 0, atol=1e-3)


# ----------------------------------------------------------------------------------------------- groups that are wrong


def enumerated_gradient(pi, correct, G):
    gradient = np.zeros(len(pi))
    for group in product(range(len(pi)), repeat=G):
        group = np.array(group)
        if not np.any(correct[group]) and np.all(pi[group] > 0):
            R = np.array(group_rewards(correct[group], pi[group]))
            score = np.eye(len(pi))[group] - pi
            gradient += np.prod(pi[group]) * (R - R.mean()) @ score / G
    return gradient


@pytest.mark.parametrize("pi, correct, G", [
    (BANDIT, FIRST, 2),
    (BANDIT, FIRST, 4),
    (np.array([0.2, 0.2, 0.1, 0.4, 0.1]), np.array([0, 0, 0, 1, 0]), 4),  # ties
    (np.array([0.3, 0.0, 0.6, 0.1]), np.array([0, 0, 0, 1]), 3),  # an answer without mass
    (np.array([0.3, 0.2, 0.5]), np.array([0, 0, 0]), 5),  # none is correct
])  # fmt: skip
def test_negative_group_gradient_equals_the_sum_over_all_groups(pi, correct, G):
    gradient = np.asarray(wrong_gradient(pi, correct, G))
    np.testing.assert_allclose(gradient, enumerated_gradient(pi, correct, G), rtol=1e-11, atol=1e-16)
    np.testing.assert_array_equal(gradient[np.asarray(correct, bool)], 0)
    np.testing.assert_allclose(gradient.sum(), 0, atol=1e-16)


def test_negative_group_gradient_values():
    expected = (0, -0.024956, 0.011876, 0.013080)
    np.testing.assert_allclose(wrong_gradient(BANDIT, FIRST, 4), expected, atol=5e-7)
    assert not np.any(wrong_gradient(BANDIT, np.ones(4, bool), 4))
    assert np.all(np.isfinite(jax.jit(jax.jacobian(theory.negative_group_gradient))(BANDIT, FIRST, 2.0)))


# ----------------------------------------------------------------------------------- derivatives, batching, bad input


def of_policies(logits, pstar, G):
    pi = jax.nn.softmax(logits)
    wrong = theory.negative_group_gradient(pi, np.array([0, 1, 0, 0, 0]), G)
    return theory.confidence_penalised_value(pi, pstar), theory.confidence_penalised_gradient(pi, pstar), wrong


def of_numbers(pi, r, D, z, p):
    reward = theory.confidence_penalised_reward(pi, r, D)
    weights = theory.confidence_penalty_weight(z), theory.confidence_penalty_weight(z / 100)
    return reward, *weights, theory.grpo_gradient_scale(p, 6), theory.grpo_gradient_scale_limit(p)


GROUP = Case(
    theory.confidence_penalised_group_rewards, dict(pibar=np.array([0.3, 0.2, 0.6])), correct=np.array([0, 1, 0])
)
CASES = [
    Case(of_policies, dict(logits=LOGITS, pstar=np.array([0.5, 0.2, 0.1, 0.9, 0.3]), G=4.0)),
    Case(of_numbers, dict(pi=0.2, r=0.4, D=0.5, z=0.6, p=0.3)),
    GROUP,
]
REWARD = Case(theory.confidence_penalised_reward, dict(pi=0.2, r=0.4, D=0.5))
WEIGHT = Case(theory.confidence_penalty_weight, dict(z=0.6))
SCALE = Case(theory.grpo_gradient_scale, dict(p=0.3), G=6)
LIMIT = Case(theory.grpo_gradient_scale_limit, dict(p=0.3))


@pytest.mark.parametrize("case", CASES, ids=str)
def test_derivatives(case):
    check_derivatives(case)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_batching(case):
    check_batching(case)


@pytest.mark.parametrize("case, named, bad", [
    (REWARD, "pi", dict(pi=1.2)),
    (REWARD, "pi", dict(pi=-0.1)),
    (REWARD, "r", dict(r=1.5)),
    (REWARD, "D", dict(D=0.0)),
    (REWARD, "pi", dict(pi=0.5)),
    (WEIGHT, "z", dict(z=1.0)),
    (WEIGHT, "z", dict(z=-0.1)),
    (GROUP, "pibar", dict(pibar=np.array([0.3, 0.0, 0.6]))),
    (GROUP, "pibar", dict(pibar=np.array([0.3, 1.1, 0.6]))),
    (SCALE, "p", dict(p=0.0)),
    (SCALE, "p", dict(p=1.0)),
    (LIMIT, "p", dict(p=1.0)),
])  # fmt: skip
def test_outside_the_domain(case, named, bad):
    check_refusal(case, named, **bad)


@pytest.mark.parametrize("call, message", [
    (lambda: theory.confidence_penalised_reward(0.6, 0.0, 0.5), "wrong answer with pi >= D; D must exceed the largest"),
    (lambda: theory.confidence_penalised_value(BANDIT, np.array([1.0, 0.5, 1.0, 1.0])), "wrong answer with pi >="),
    (lambda: theory.confidence_penalised_gradient(np.array([0.5, 0.4]), np.array([1.0, 0.0])), "pi = .* sum to 1"),
    (lambda: theory.confidence_penalised_gradient(np.array([0.5, 0.5]), np.array([1.0, 1.1])), "pstar = "),
    (lambda: theory.confidence_penalised_value(np.array([0.5, 0.5]), np.zeros(2)), "pstar = .* not all 0"),
    (lambda: theory.confidence_penalised_value(BANDIT, np.ones(3)), "4 entries, but pstar has 3"),
    (lambda: theory.confidence_penalised_group_rewards(np.array([1]), np.array([0.5])), "at least two answers"),
    (lambda: theory.confidence_penalised_group_rewards(np.array([1, 2]), np.array([0.5, 0.1])), "correct = "),
    (lambda: theory.confidence_penalised_group_rewards(np.array([1, 0, 1]), np.array([0.5, 0.1])), "3 entries"),
    (lambda: theory.grpo_gradient_scale(0.5, 1), "G = 1"),
    (lambda: theory.negative_group_gradient(BANDIT, FIRST, 1), "G = 1"),
    (lambda: theory.negative_group_gradient(2 * BANDIT, FIRST, 4), "pi = .* sum to 1"),
    (lambda: theory.negative_group_gradient(BANDIT - 0.1, FIRST, 4), "0 <= pi <= 1"),
    (lambda: theory.negative_group_gradient(BANDIT, np.array([0, 1, 3, 0]), 4), "correct = "),
    (lambda: theory.negative_group_gradient(BANDIT, FIRST[:3], 4), "4 entries, but correct has 3"),
])  # fmt: skip
def test_refusals(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_traced_bad_policies_give_nan():
    bad = jnp.array([0.5, 0.4, 0.3, 0.2])
    assert np.all(np.isnan(jax.jit(lambda pi: theory.negative_group_gradient(pi, FIRST, 4))(bad)))
    certain = jnp.array([0.0, 0.0, 1.0, 1.0])
    assert np.all(np.isnan(jax.jit(theory.confidence_penalised_gradient)(jnp.array(BANDIT), certain)))


def test_every_predictor_names_its_source():
    for predict in (theory.confidence_penalised_reward, theory.grpo_gradient_scale, theory.negative_group_gradient):
        assert "Don't Waste Mistakes" in cite(predict)
