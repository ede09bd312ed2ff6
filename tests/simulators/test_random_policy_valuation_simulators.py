"""Acting on learned values of a tree: the simulators against brute force and the theory; planted faults."""

from dataclasses import replace
from functools import cache

import jax
import numpy as np
import pytest
from planted import beside_theory_of, run_small

from simulations import random_policy_valuation as experiment
from theorylab import problems, theory
from theorylab.compare.judge import judge
from theorylab.simulators.random_policy_valuation import (
    simulate_greedy_tree,
    simulate_rollout_tree,
    simulate_softmax_tree,
)

TREE = dict(A=3, H=3)
LEAVES = problems.random_reward_tree(3, 3, 4, 0)


def test_a_cold_softmax_takes_the_best_values_and_a_hot_one_every_leaf():
    draw = jax.jit(lambda temperature: simulate_softmax_tree(jax.random.key(1), LEAVES, 3, 3, temperature, (1, 8), 512))
    cold, hot = draw(1e-3), draw(1e6)
    Q = theory.uniform_policy_values(LEAVES, 3, 3)
    assert cold["success"] == cold["distinct"][0] == 1
    np.testing.assert_allclose(cold["entropy"], theory.softmax_tree_leaves(Q, 1e-3).entropy, atol=0.1)
    np.testing.assert_allclose(hot["entropy"], 3 * np.log(3), rtol=1e-5)
    np.testing.assert_allclose(hot["success"], 4 / 27, atol=4 * np.sqrt(4 / 27 / 512))
    assert hot["distinct"][1] >= hot["distinct"][0] == hot["success"]


def test_greedy_on_averages_equals_numpy_on_the_same_episodes():
    key, episodes = jax.random.key(3), (1, 5, 20)
    actions = np.asarray(jax.random.randint(key, (2, 20, 3), 0, 3))
    expected = []
    for n in episodes:
        rewards = []
        for stream in actions:
            totals: dict[tuple, list] = {}
            for path in stream[:n]:
                for h in range(1, 4):
                    totals.setdefault(tuple(path[:h]), []).append(LEAVES[int("".join(map(str, path)), 3)])
            node: tuple = ()
            for _ in range(3):
                node = max(((*node, a) for a in range(3)), key=lambda child: np.mean(totals.get(child, [0.0])))
            rewards.append(LEAVES[int("".join(map(str, node)), 3)])
        expected.append(np.mean(rewards))
    found = jax.jit(lambda key: simulate_rollout_tree(key, LEAVES, 3, 3, episodes, 2)["success"])(key)
    np.testing.assert_allclose(found, expected)


def test_greedy_on_exact_values_finds_the_reward_but_not_the_best_one():
    simulate = jax.jit(lambda key: [simulate_greedy_tree(key, 3, 3, 0.3, flag, 64) for flag in (False, True)])
    binary, graded = simulate(jax.random.key(0))
    assert binary["reward"] == binary["best"]
    assert graded["reward"] < graded["best"] < 1


@pytest.mark.parametrize("call, message", [
    (lambda key: simulate_softmax_tree(key, LEAVES, 3, 3, 0.0, (1,), 8), "temperature = 0"),
    (lambda key: simulate_softmax_tree(key, LEAVES, 3, 3, 1.0, (3,), 8), "k = "),
    (lambda key: simulate_softmax_tree(key, LEAVES, 3, 2, 1.0, (1,), 8), "leaves = 27 values"),
    (lambda key: simulate_rollout_tree(key, LEAVES, 3, 3, (0,)), "episodes"),
    (lambda key: simulate_rollout_tree(key, LEAVES, 3, 3, (1,), 0), "repeats = 0"),
    (lambda key: simulate_greedy_tree(key, 3, 3, 1.5, False), "share = 1.5"),
    (lambda key: simulate_greedy_tree(key, 3, 3, 0.5, False, 0), "trees = 0"),
])  # fmt: skip
def test_outside_the_domain_is_refused_by_name(call, message):
    with pytest.raises(ValueError, match=message):
        call(jax.random.key(0))


# ------------------------------------------------------------------------------------- the claims, and planted faults

SMALL = dict(
    softmax=dict(H=3, rewarded=(6,), temperature=(0.1, 0.2, 0.5), k=(4, 16), replicates=64),
    floor=dict(H=3, rewarded=(5,), temperature=(0.05, 0.1, 0.2), replicates=64),
    rollouts=dict(H=3, rewarded=(1, 2), episodes=(3, 10, 30), replicates=64),
)


@cache
def simulated(name):
    return run_small(experiment, name, **SMALL[name])


def verdicts(name, **predict):
    """Verdicts of the claims that compare a sweep with theory; with other predictors, if some are given."""
    sweep, result = simulated(name)
    claims = [c for c in experiment.CLAIMS if c.sweeps == (name,) and c.kind in ("exact", "bound")]
    if predict:
        claims = [c for c in claims if c.of in predict]
        result = beside_theory_of(result, name, replace(sweep, predict=predict))
    return [judge(replace(c, where={}), {name: result}).verdict for c in claims]


def double_temperature(leaves, A: int, H: int, temperature: float):
    return experiment.success(leaves, A, H, 2 * temperature)


def values_of_the_best_leaf(leaves, A: int, H: int, temperature: float):
    Q = [leaves.reshape(A**h, A, -1).max(-1) for h in range(H)]
    return theory.softmax_tree_success(Q, temperature)


def entropy_in_bits(leaves, A: int, H: int, temperature: float):
    return experiment.entropy(leaves, A, H, temperature).entropy / np.log(2)


def every_draw_is_new(leaves, A: int, H: int, temperature: float, k: float):
    return k * experiment.success(leaves, A, H, temperature).success


def all_leaves_count(leaves, A: int, H: int, temperature: float, k: float):
    return theory.expected_distinct_leaves(experiment.entropy(leaves, A, H, temperature).prob, k)


def one_episode_less(leaves, episodes: float):
    return theory.greedy_rollout_success(leaves.mean(), episodes - 1)


def bound_without_the_number_of_actions(leaves, A: int, H: int, temperature: float):
    return 1 - (1 - experiment.lower_bound(leaves, A, H, temperature)) / (A * H)


FAULTS = [
    ("softmax", dict(success=double_temperature)),
    ("softmax", dict(success=values_of_the_best_leaf)),
    ("softmax", dict(entropy=entropy_in_bits)),
    ("softmax", dict(distinct=every_draw_is_new)),
    ("softmax", dict(distinct=all_leaves_count)),
    ("rollouts", dict(success=one_episode_less)),
    ("floor", dict(success=bound_without_the_number_of_actions)),
]


@pytest.mark.parametrize("name", SMALL)
def test_the_true_formula_does_not_fail(name):
    assert "fails" not in verdicts(name)  # at most 1e-3 per claim by chance


@pytest.mark.parametrize(
    "name, fault", FAULTS, ids=lambda x: x if isinstance(x, str) else next(iter(x.values())).__name__
)
def test_planted_faults_are_caught(name, fault):
    assert "fails" in verdicts(name, **fault)
