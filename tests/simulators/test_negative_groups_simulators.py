"""Training on groups of sampled answers: the simulators against loops in NumPy and the theory; planted faults."""

from dataclasses import replace
from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from ml_collections import ConfigDict
from planted import beside_theory_of, run_small

from simulations import negative_groups as experiment
from theorylab import theory
from theorylab.compare.judge import judge
from theorylab.problems.negative_groups import answer_bandit
from theorylab.simulators.negative_groups import (
    gradients,
    simulate_answer_training,
    simulate_group_gradient,
    simulate_likelihood_gradient,
    simulate_negative_group_gradient,
)
from theorylab.sweep.execute import run_sweep

ADVANTAGES = ("reinforce", "nsr", "grpo", "lens", "lens_full")
TRAINING = dict(
    X=5, Y=6, K=2, spread=1.5, G=3, eta=0.7, alpha=0.25, advantage=ADVANTAGES, steps=(0, 2, 5), k=(1, 4), window=2
)


questions = jax.jit(lambda key: answer_bandit(key, 5, 6, 2, 1.5))
uniforms = jax.jit(lambda key, t: jax.random.uniform(jax.random.fold_in(key, t), (1, 5, 3)))


def advantages(name, r, pibar):
    """As one reads them in the paper, for one group."""
    G = len(r)
    if name == "reinforce":
        return r
    if name == "nsr":
        return r - 1
    if name == "grpo":
        return (r - r.mean()) / r.std() if r.std() else 0 * r
    D = 2 * pibar.max()
    if r.any():
        D = max(1 / np.mean(r / pibar), D)
    reward = r - (1 - r) * pibar / (D - pibar) / G
    if not r.any():
        return {"lens": 0.25, "lens_full": 1.0}[name] * (reward - reward.mean())
    return (reward - reward.mean()) / reward.std() if not r.all() else 0 * r


def trained(key, name):
    """Success probabilities and shares of all-wrong groups before each step, by loops over questions and draws."""
    key_questions, key_draws = jax.random.split(key)
    logits, correct = (np.array(x) for x in questions(key_questions))
    path, wrong = [], []
    for t in range(7):
        u = np.asarray(uniforms(key_draws, t))[0]
        pi = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
        path.append((pi * correct).sum(1))
        wrong.append(0)
        for x in range(5):
            answers = np.searchsorted(np.cumsum(pi[x])[:-1], u[x], side="right")
            r = correct[x, answers].astype(float)
            wrong[-1] += (not r.any()) / 5
            for A, o in zip(advantages(name, r, pi[x, answers]), answers):
                logits[x] += 0.7 * A / 3 * ((np.arange(6) == o) - pi[x])
    return np.array(path), np.array(wrong)


def test_training_equals_loops_over_questions_and_draws():
    key = jax.random.key(5)
    out = jax.jit(lambda key: simulate_answer_training(key, **TRAINING))(key)
    for m, name in enumerate(ADVANTAGES):
        p, wrong = trained(key, name)
        np.testing.assert_allclose(out["accuracy"][m], p[[0, 2, 5]].mean(1), rtol=1e-11)
        np.testing.assert_allclose(out["hard_accuracy"][m], p[[0, 2, 5]][:, p[0].argmin()], rtol=1e-11)
        np.testing.assert_allclose(out["all_wrong"][m], [wrong[t : t + 2].mean() for t in (0, 2, 5)], atol=1e-14)
        expected = ((1 - p) ** 3).mean(1)
        np.testing.assert_allclose(
            out["expected_wrong"][m], [expected[t : t + 2].mean() for t in (0, 2, 5)], rtol=1e-11
        )
        np.testing.assert_allclose(out["pass_at_k"][m], [np.mean(1 - (1 - p[5]) ** k) for k in (1, 4)], rtol=1e-11)
    accuracy = np.asarray(out["accuracy"])
    np.testing.assert_allclose(out["gain"], accuracy - accuracy[0], atol=1e-15)


def test_questions_have_neighbouring_correct_answers():
    logits, correct = jax.jit(lambda key: answer_bandit(key, 300, 7, 2, 2.0))(jax.random.key(1))
    ranks = np.argsort(np.argsort(logits, -1), -1)[np.asarray(correct)].reshape(300, 2)
    assert np.all(np.abs(ranks[:, 0] - ranks[:, 1]) == 1)
    assert set(ranks.min(1)) == set(range(6))


@pytest.mark.parametrize("change, message", [
    (dict(advantage=("grpo", "lense")), "did you mean 'lens'"),
    (dict(advantage=()), "advantage"),
    (dict(G=1), "G = 1"),
    (dict(eta=0.0), "eta"),
    (dict(alpha=-1.0), "alpha"),
    (dict(K=6), "K = 6"),
    (dict(X=0), "X = 0"),
    (dict(spread=-1.0), "spread"),
    (dict(steps=(-1, 3)), "steps"),
    (dict(k=(0,)), "k = "),
    (dict(window=0), "window"),
])  # fmt: skip
def test_training_outside_the_domain_is_refused_by_name(change, message):
    with pytest.raises(ValueError, match=message):
        jax.eval_shape(lambda key: simulate_answer_training(key, **{**TRAINING, **change}), jax.random.key(0))


@pytest.mark.parametrize("call, message", [
    (lambda key: simulate_group_gradient(key, jnp.array([0.2]), (2, 3), 64), "draws = 64"),
    (lambda key: simulate_group_gradient(key, jnp.array([0.2]), (1,), 64), "G = "),
    (lambda key: simulate_group_gradient(key, np.array([0.0]), (2,), 64), "p = "),
    (lambda key: simulate_negative_group_gradient(key, np.array([0.5, 0.5]), (True,), (2,), (0,), 64), "correct = "),
    (lambda key: simulate_negative_group_gradient(key, np.array([0.0, 1.0]), (True, False), (2,), (0,), 64), "pi = "),
    (lambda key: simulate_likelihood_gradient(key, 4, 4, (0,)), "K = 4"),
    (lambda key: simulate_likelihood_gradient(key, 4, 2, (4,)), "answer = "),
])  # fmt: skip
def test_gradients_outside_the_domain_are_refused_by_name(call, message):
    with pytest.raises(ValueError, match=message):
        call(jax.random.key(0))


# ------------------------------------------------------------------------------------- the claims, and planted faults

SMALL = dict(
    scale=dict(p=(0.1, 0.35, 0.8), G=(2, 8), draws=512, replicates=256),
    all_wrong=dict(G=(2, 4), replicates=64),
    likelihood=dict(replicates=16),
)


@cache
def simulated(name):
    return run_small(experiment, name, **SMALL[name])


def verdicts(name, predict=None):
    sweep, result = simulated(name)
    if predict:
        result = beside_theory_of(result, name, replace(sweep, predict=predict))
    return [judge(claim, {name: result}).verdict for claim in experiment.CLAIMS if claim.sweeps == (name,)]


def with_sample_deviation(p: float, G: int):
    return theory.grpo_gradient_scale(p, G) * ((G - 1) / G) ** 0.5


def large_groups(p: float):
    return theory.grpo_gradient_scale_limit(p)


def one_answer_more(p: float, G: int):
    return theory.grpo_gradient_scale(p, G + 1)


def without_its_probability(pi, correct: tuple[bool, ...], G: float, answer: float):
    """Conditional on the group being all wrong."""
    return experiment.all_wrong_gradient(pi, correct, G, answer) / 0.95**G


def biased_mean(pi, correct: tuple[bool, ...], G: float, answer: float):
    return experiment.all_wrong_gradient(pi, correct, G, answer) * G / (G - 1)


def penalty_not_divided_by_the_group(pi, correct: tuple[bool, ...], G: float, answer: float):
    return experiment.all_wrong_gradient(pi, correct, G, answer) * G


FAULTS = [
    ("scale", with_sample_deviation),
    ("scale", large_groups),
    ("scale", one_answer_more),
    ("all_wrong", without_its_probability),
    ("all_wrong", biased_mean),
    ("all_wrong", penalty_not_divided_by_the_group),
]


@pytest.mark.parametrize("name", SMALL)
def test_the_true_formula_does_not_fail(name):
    assert "fails" not in verdicts(name)  # at most 1e-3 per claim by chance


@pytest.mark.parametrize("name, fault", FAULTS, ids=lambda x: getattr(x, "__name__", x))
def test_planted_faults_are_caught(name, fault):
    assert "fails" in verdicts(name, fault)


@pytest.mark.parametrize("fault", [
    lambda pi, r, D: r - pi / (D - pi),
    lambda pi, r, D: r - (1 - r) * pi / D,
    lambda pi, r, D: r - (1 - r) * pi / (1 - pi),
], ids=["penalty on correct answers", "to first order in the confidence", "difficulty left out"])  # fmt: skip
def test_planted_faults_in_the_reward_break_the_identity(fault, monkeypatch):
    config = experiment.get_config("quick").to_dict()
    config["likelihood"].update(SMALL["likelihood"])
    monkeypatch.setattr(gradients, "confidence_penalised_reward", fault)
    result = run_sweep("likelihood", experiment.experiment(ConfigDict(config)).sweeps["likelihood"])
    (claim,) = (claim for claim in experiment.CLAIMS if claim.sweeps == ("likelihood",))
    assert judge(claim, {"likelihood": result}).verdict == "fails"


@pytest.mark.slow
def test_groups_are_as_often_all_wrong_as_expected_and_learning_from_them_helps():
    """24 replicates: the counted share within 4 standard errors, the gain at full weight positive by 4 of them."""
    arguments = dict(TRAINING, X=64, Y=50, spread=2.0, G=8, eta=0.5, advantage=("grpo", "lens_full"), steps=(0, 400))
    run = jax.jit(lambda keys: jax.lax.map(lambda key: simulate_answer_training(key, **arguments), keys, batch_size=8))
    out = run(jax.random.split(jax.random.key(0), 24))
    error = lambda x: x.std(0, ddof=1) / np.sqrt(len(x))
    surplus = np.asarray(out["all_wrong"] - out["expected_wrong"])
    assert np.all(np.abs(surplus.mean(0)) < 4 * error(surplus))
    gain = np.asarray(out["gain"][:, 1, 1])
    assert gain.mean() > 4 * error(gain)
