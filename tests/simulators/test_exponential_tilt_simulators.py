"""Policies trained for reward: the simulators against NumPy, and planted faults in the claims about the frontier."""

from dataclasses import replace
from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from planted import run_small

from simulations import reward_kl_frontier as experiment
from theorylab import theory
from theorylab.compare.judge import judge
from theorylab.problems.policies import response_problem
from theorylab.simulators import exponential_tilt as simulators
from theorylab.sweep.assemble import theory_datasets
from theorylab.sweep.plan import Plan

PROBLEM = response_problem(1, 12)
KEY = jax.random.key(3)


def test_natural_gradient_is_mirror_ascent_in_numpy():
    """One run of four random steps: probabilities multiplied by exp(dt r), which ends at the sum of the steps."""
    found = jax.jit(simulators.simulate_natural_gradient, static_argnames="steps")(
        KEY, *PROBLEM, jnp.array([1.7]), steps=4
    )
    dt = 1.7 * np.asarray(jax.nn.softmax(jax.random.normal(KEY, (1, 4))))[0]
    pi, p = np.exp(PROBLEM.logref), np.exp(PROBLEM.logref)
    for step in dt:
        pi = pi * np.exp(step * PROBLEM.reward)
        pi = pi / pi.sum()
    np.testing.assert_allclose(found["reward"], [pi @ PROBLEM.reward], rtol=1e-12)
    np.testing.assert_allclose(found["kl"], [pi @ np.log(pi / p)], rtol=1e-12)


def test_sampled_gradient_equals_numpy_on_the_same_samples():
    rate, batch, steps = 0.3, 8, 5
    found = simulators.simulate_sampled_gradient(KEY, *PROBLEM, (1, steps), rate, batch)
    logits, path = PROBLEM.logref.copy(), []
    for key in jax.random.split(KEY, steps):
        pi = np.exp(logits - np.logaddexp.reduce(logits))
        y = np.asarray(jax.random.categorical(key, jnp.asarray(np.log(pi)), shape=(batch,)))
        better = PROBLEM.reward[y] - PROBLEM.reward[y].mean()
        gradient = np.mean([b * (np.eye(12)[i] - pi) for b, i in zip(better, y)], axis=0)
        logits = logits + rate * gradient
        path.append(np.exp(logits - np.logaddexp.reduce(logits)))
    np.testing.assert_allclose(found["reward"], [path[0] @ PROBLEM.reward, path[-1] @ PROBLEM.reward], rtol=1e-10)
    np.testing.assert_allclose(found["kl"][1], path[-1] @ (np.log(path[-1]) - PROBLEM.logref), rtol=1e-9)


def test_training_with_a_penalty_maximises_it():
    """No random change of the policy that it ends at has a higher objective; its measures are those of one policy."""
    beta = 0.7
    run = jax.jit(lambda key: simulators.simulate_regularised_policy(key, *PROBLEM, jnp.array([beta])))
    first, second = run(KEY), run(jax.random.key(4))
    for name in first:
        np.testing.assert_allclose(first[name], second[name], rtol=1e-12, err_msg=name)
    value = float(first["reward"][0] - beta * first["kl"][0])
    rng = np.random.default_rng(0)
    for size in 10.0 ** rng.uniform(-3, 0, 200):
        logits = PROBLEM.logref + PROBLEM.reward / beta + size * rng.normal(size=12)
        pi = np.exp(logits - np.logaddexp.reduce(logits))
        other = pi @ PROBLEM.reward - beta * pi @ np.log(pi / np.exp(PROBLEM.logref))
        assert other < value and (size > 0.01 or value - other < 1e-3)


@pytest.mark.parametrize("call, message", [
    (lambda: simulators.simulate_regularised_policy(KEY, *PROBLEM, np.array([0.0])), "beta"),
    (lambda: simulators.simulate_natural_gradient(KEY, *PROBLEM, np.array([-1.0])), "time"),
    (lambda: simulators.simulate_sampled_gradient(KEY, *PROBLEM, (0,)), "step"),
    (lambda: simulators.simulate_sampled_gradient(KEY, *PROBLEM, (1,), batch=1), "batch = 1"),
])  # fmt: skip
def test_outside_the_domain(call, message):
    with pytest.raises(ValueError, match=message):
        call()


# ------------------------------------------------------------------------------------- the claims, and planted faults

SMALL = dict(
    trained=dict(instance=(1,), beta=(0.2, 1.0, 5.0), replicates=8),
    best=dict(instance=(1,), n_best=(1, 2, 8, 32), draws=512, replicates=64),
)


@cache
def simulated(name):
    return run_small(experiment, name, **SMALL[name])


def verdicts(name, **wrong):
    """Verdicts of the claims that compare a sweep with theory; with other predictors, if any are given."""
    sweep, result = simulated(name)
    if wrong:
        result = replace(
            result, theory=theory_datasets(Plan(name, replace(sweep, predict={**sweep.predict, **wrong})))[0]
        )
    return [judge(c, {name: result}).verdict for c in experiment.CLAIMS if c.sweeps == (name,) and c.kind == "exact"]


def tilt_by_beta(logref, reward, beta: float):
    return theory.tilt_frontier_point(logref, reward, beta)


def tilt_by_half(logref, reward, beta: float):
    return theory.tilt_frontier_point(logref, reward, 0.5 / beta)


def log_partition_for_kl(logref, reward, beta: float):
    return theory.tilt_log_partition(logref, reward, 1 / beta)


def uniform_entropy(logref, reward, beta: float):
    return experiment.entropy_of_penalty(jnp.full_like(logref, -jnp.log(1.0 * len(logref))), reward, beta)


def one_more_draw(logref, reward, n_best: float):
    return experiment.reward_of_best(logref, reward, n_best + 1)


def textbook_kl(n_best: float):
    return theory.best_of_n_kl_bound(n_best)


FAULTS = {
    "beta for its inverse": ("trained", dict(reward=tilt_by_beta, kl=tilt_by_beta)),
    "beta doubled": ("trained", dict(reward=tilt_by_half, kl=tilt_by_half)),
    "log partition for the divergence": ("trained", dict(kl=log_partition_for_kl)),
    "no reference in the entropy": ("trained", dict(entropy=uniform_entropy)),
    "one more draw": ("best", dict(reward=one_more_draw)),
    "bound for the divergence": ("best", dict(kl=textbook_kl)),
}


@pytest.mark.parametrize("name", SMALL)
def test_the_true_formula_does_not_fail(name):
    assert "fails" not in verdicts(name)


@pytest.mark.parametrize("fault", FAULTS)
def test_planted_faults_are_caught(fault):
    name, wrong = FAULTS[fault]
    assert "fails" in verdicts(name, **wrong)
