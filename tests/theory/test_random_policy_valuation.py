"""Values of the uniform policy on a tree, and the policies that follow them."""

import itertools

import numpy as np
import pytest
from predictor_checks import Case, check_batching, check_derivatives, check_refusal

from theorylab import cite, problems, theory

A, H = 3, 3
GRADED = np.random.default_rng(0).uniform(0.2, 1.0, A**H)


def binary(rewarded, seed=0, A=A, H=H):
    return problems.random_reward_tree(A, H, rewarded, seed)


def greedy_leaf(Q):
    state = 0
    for q in Q:
        state = state * q.shape[1] + int(np.argmax(q[state]))
    return state


def enumerated(Q, temperature):
    """Probability of every leaf, and the bound, by walking every path."""
    A, prob, lost = Q[0].shape[1], [], {}
    for path in itertools.product(range(A), repeat=len(Q)):
        state, p = 0, 1.0
        for q, action in zip(Q, path):
            values = np.asarray(q[state])
            if values.max() > 0:
                lost[len(q), state] = p * np.sum(values == 0) * np.exp(-values.max() / temperature)
            p *= np.exp(values[action] / temperature) / np.exp(values / temperature).sum()
            state = state * A + action
        prob.append(p)
    return np.array(prob), 1 - sum(lost.values())


# -------------------------------------------------------------------------------- defining property, identities, limits


def test_values_are_the_mean_reward_below_an_action():
    leaves = binary(7)
    for h, q in enumerate(theory.uniform_policy_values(leaves, A, H)):
        assert q.shape == (A**h, A)
        for path in itertools.product(range(A), repeat=h + 1):
            below = [
                leaves[int("".join(map(str, (*path, *rest))), A)]
                for rest in itertools.product(range(A), repeat=H - h - 1)
            ]
            state = int("".join(map(str, path[:-1])) or "0", A)
            np.testing.assert_allclose(q[state, path[-1]], np.mean(below), rtol=1e-15)


@pytest.mark.parametrize("A, H", [(2, 4), (3, 3), (5, 2)])
def test_greedy_finds_a_reward_whenever_there_is_one(A, H):
    for seed in range(20):
        leaves = binary(1 + seed % (A**H - 1), seed, A, H)
        assert leaves[greedy_leaf(theory.uniform_policy_values(leaves, A, H))] == 1


def test_graded_rewards_lead_greedy_astray():
    leaves = np.array([1.0, 0.0, 0.6, 0.6])
    assert leaves[greedy_leaf(theory.uniform_policy_values(leaves, 2, 2))] == 0.6


def test_random_transitions_lead_greedy_astray():
    """An action that slips half of the time to either of two states, and a sure one: means of leaf values again."""
    risky, sure = np.array([1.0, 1.0, 0.0, 0.0]), np.array([1.0, 0.0, 1.0, 0.0])  # leaves of two states, two actions
    uniform = [np.mean(tree) for tree in (risky, sure)]
    optimal = [np.mean([tree[:2].max(), tree[2:].max()]) for tree in (risky, sure)]
    assert uniform[0] == uniform[1] and optimal[1] > optimal[0]


def test_success_and_bound_equal_a_walk_along_every_path():
    for rewarded, temperature in itertools.product((1, 5, 20), (0.02, 0.1, 1.0)):
        leaves = binary(rewarded, rewarded)
        Q = theory.uniform_policy_values(leaves, A, H)
        prob, bound = enumerated(Q, temperature)
        success, law = theory.softmax_tree_success(Q, temperature), theory.softmax_tree_leaves(Q, temperature)
        np.testing.assert_allclose(success, (prob @ leaves, bound), rtol=1e-12)
        np.testing.assert_allclose(law.prob, prob, rtol=1e-11)
        np.testing.assert_allclose(law.entropy, -np.sum(prob * np.log(prob)), rtol=1e-11)


@pytest.mark.parametrize("temperature", [0.03, 0.1, 0.5, 2.0])
def test_the_bound_holds(temperature):
    for seed in range(12):
        leaves = binary(1 + 2 * seed, seed)
        success, bound = theory.softmax_tree_success(theory.uniform_policy_values(leaves, A, H), temperature)
        assert bound <= success + 1e-15


def test_limits_of_the_temperature():
    leaves = binary(4)
    Q = theory.uniform_policy_values(leaves, A, H)
    np.testing.assert_allclose(theory.softmax_tree_success(Q, 1e-3), 1.0, rtol=1e-12)
    np.testing.assert_allclose(theory.softmax_tree_success(Q, 1e9).success, leaves.mean(), rtol=1e-8)
    np.testing.assert_allclose(theory.softmax_tree_leaves(Q, 1e9).entropy, H * np.log(A), rtol=1e-12)


def test_no_reward_and_nothing_but_rewards():
    nothing, everything = (theory.uniform_policy_values(np.full(A**H, x), A, H) for x in (0.0, 1.0))
    assert theory.softmax_tree_success(nothing, 0.1) == (0.0, 0.0)
    np.testing.assert_allclose(theory.softmax_tree_success(everything, 0.1), 1.0, rtol=1e-14)


def test_distinct_leaves_are_counted_by_inclusion():
    prob = np.array([0.5, 0.3, 0.0])
    draws = list(itertools.product(range(3), repeat=4))
    law = np.array([0.5, 0.3, 0.2])  # the third place stands for all leaves that do not count
    found = sum(np.prod(law[list(draw)]) * len(set(draw) - {2}) for draw in draws)
    np.testing.assert_allclose(theory.expected_distinct_leaves(prob, 4), found, rtol=1e-14)
    np.testing.assert_allclose(theory.expected_distinct_leaves(prob, 1), 0.8, rtol=1e-14)
    assert theory.expected_distinct_leaves(np.array([1.0, 0.0]), 3) == 1.0
    assert theory.expected_distinct_leaves(prob, 0) == 0.0


def test_greedy_on_averages_succeeds_when_an_episode_did():
    """All 3^(2 * 2) pairs of episodes on a tree of depth 2."""
    leaves = binary(2, 1, 3, 2)
    outcomes = []
    for episodes in itertools.product(itertools.product(range(3), repeat=2), repeat=2):
        q = [np.zeros((1, 3)), np.zeros((3, 3))]
        for (a, b), h in itertools.product(episodes, range(2)):
            place = (0, a) if h == 0 else (a, b)
            q[h][place] += leaves[3 * a + b]
        counts = [np.zeros((1, 3)), np.zeros((3, 3))]
        for a, b in episodes:
            counts[0][0, a] += 1
            counts[1][a, b] += 1
        outcomes.append(leaves[greedy_leaf([total / np.maximum(n, 1) for total, n in zip(q, counts)])])
    np.testing.assert_allclose(theory.greedy_rollout_success(leaves.mean(), 2), np.mean(outcomes), rtol=1e-14)


# ----------------------------------------------------------------------------------- derivatives, batching, bad input


def success(leaves, temperature):
    return theory.softmax_tree_success(theory.uniform_policy_values(leaves, A, H), temperature)


def law(leaves, temperature):
    return theory.softmax_tree_leaves(theory.uniform_policy_values(leaves, A, H), temperature)


SUCCESS = Case(success, dict(leaves=GRADED * binary(15), temperature=0.2))
LAW = Case(law, dict(leaves=GRADED, temperature=0.2))
VALUES = Case(lambda leaves: theory.uniform_policy_values(leaves, A, H), dict(leaves=GRADED))
DISTINCT = Case(theory.expected_distinct_leaves, dict(prob=np.array([0.4, 0.2, 0.0]), k=3.0))
ROLLOUTS = Case(theory.greedy_rollout_success, dict(value=0.3, episodes=4.0))
CASES = [SUCCESS, LAW, VALUES, DISTINCT, ROLLOUTS]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_derivatives(case):
    check_derivatives(case)


@pytest.mark.parametrize("case", [SUCCESS, DISTINCT, ROLLOUTS], ids=str)
def test_batching(case):
    check_batching(case)


@pytest.mark.parametrize("case, named, bad", [
    (SUCCESS, "temperature", dict(temperature=0.0)),
    (SUCCESS, "temperature", dict(temperature=np.nan)),
    (SUCCESS, "Q", dict(leaves=-GRADED)),
    (LAW, "temperature", dict(temperature=-1.0)),
    (VALUES, "leaves", dict(leaves=np.full(A**H, np.inf))),
    (DISTINCT, "prob", dict(prob=np.array([0.4, 1.2, 0.0]))),
    (DISTINCT, "k", dict(k=-1.0)),
    (ROLLOUTS, "value", dict(value=1.5)),
    (ROLLOUTS, "episodes", dict(episodes=-1.0)),
])  # fmt: skip
def test_outside_the_domain(case, named, bad):
    check_refusal(case, named, **bad)


@pytest.mark.parametrize("call, message", [
    (lambda: theory.uniform_policy_values(GRADED, 3, 2), "leaves = 27 values"),
    (lambda: theory.uniform_policy_values(GRADED, 0, 2), "A = 0"),
    (lambda: theory.uniform_policy_values(np.ones(1), 3, 0), "H = 0"),
    (lambda: theory.softmax_tree_success([], 1.0), "Q"),
    (lambda: theory.softmax_tree_success([np.ones((1, 2)), np.ones((3, 2))], 1.0), "Q = shapes"),
    (lambda: theory.softmax_tree_success([np.zeros((1, 2)), np.ones((2, 2))], 1.0), "0 exactly where"),
    (lambda: problems.random_reward_tree(2, 2, 5, 0), "rewarded = 5"),
])  # fmt: skip
def test_what_is_no_tree_is_refused_by_name(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_every_predictor_names_its_source():
    for name in theory.random_policy_valuation.__all__:
        if name[0].islower():
            assert "2509.24981" in cite(getattr(theory, name))
