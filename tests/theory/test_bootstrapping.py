"""Rounds of generating, keeping and refitting a Gaussian: laws, schedules, limits."""

import jax
import numpy as np
import pytest
from predictor_checks import Case, check_batching, check_derivatives, check_refusal
from scipy import optimize, stats

from theorylab import problems, theory

SCHEDULE = np.array([3.0, 5.0, 9.0, 20.0])
CHECK = theory.bootstrapping_schedule("exp", 600, 12, 0.25)
POLICIES = {
    ("constant", None): (0.221591, 0.066478, 0.022159, 0.006648),
    ("poly", 1.0): (0.120055, 0.036017, 0.012006, 0.003602),
    ("poly", 2.0): (0.085415, 0.025625, 0.008542, 0.002563),
    ("exp", 4 / 9): (0.048740, 0.014622, 0.004874, 0.001462),
    ("exp", 0.2): (0.064498, 0.019350, 0.006450, 0.001935),
    ("exp", 1.0): (0.145459, 0.043638, 0.014546, 0.004364),
}


# ------------------------------------------------------------------------------------------------ values, independent


def test_stated_values():
    """sigma = 1, kappa = 2, d = 2, |theta_0| = 4, twelve rounds that grow by a quarter: computed once in NumPy."""
    np.testing.assert_allclose(theory.bootstrapping_constants(1.0, 2.0), (0.8, 0.8), rtol=1e-14)
    np.testing.assert_allclose(theory.bootstrapping_mse(4.0, CHECK, 2, 1.0, 2.0)[-1], 0.1333767579, rtol=1e-9)
    np.testing.assert_allclose(theory.bootstrapping_reward(4.0, CHECK, 2, 1.0, 2.0)[-1], 0.7894481353, rtol=1e-9)
    np.testing.assert_allclose(
        theory.bootstrapping_generation_cost(4.0, CHECK, 2, 1.0, 2.0).sum(), 923.7488518, rtol=1e-9
    )
    hit = theory.bootstrapping_success_probability(4.0, CHECK, 2, 1.0, 2.0, 0.2)
    np.testing.assert_allclose(hit, 0.1975142983, rtol=1e-9)
    best = (17.34417344, 21.68021680, 27.10027100, 33.87533875)
    np.testing.assert_allclose(theory.bootstrapping_optimal_allocation(100, 4, 1.0, 2.0), best, rtol=1e-9)
    np.testing.assert_allclose(theory.bootstrapping_minimal_variance(100, 4, 1.0, 2.0), 0.06971443200, rtol=1e-9)


@pytest.mark.parametrize("policy", POLICIES)
def test_equal_budgets(policy):
    kind, param = policy
    for budget, expected in zip((300, 1000, 3000, 10_000), POLICIES[policy]):
        schedule = theory.bootstrapping_schedule(kind, budget, 25, param)
        np.testing.assert_allclose(theory.bootstrapping_mse(5.0, schedule, 2, 1.0, 1.5)[-1], expected, atol=6e-7)


def test_one_round_equals_tilted_samples():
    """Four million samples of N(theta, 1), kept with probability exp(-x^2 / (2 kappa^2)), weighted."""
    x = 1.5 + np.random.default_rng(0).normal(size=4_000_000)
    weight = np.exp(-(x**2) / (2 * 0.7**2))
    mean = np.average(x, weights=weight)
    var = np.average((x - mean) ** 2, weights=weight)
    for lr in (1.0, 0.3):
        moments = theory.bootstrapping_moments(1.5, np.array([1.0]), 1.0, 0.7, lr)
        np.testing.assert_allclose(moments.mean[1], (1 - lr) * 1.5 + lr * mean, rtol=3e-3)
        np.testing.assert_allclose(moments.v[1], lr**2 * var, rtol=5e-3)
    cost = theory.bootstrapping_generation_cost(1.5, np.array([1.0]), 1, 1.0, 0.7)
    np.testing.assert_allclose(cost, 1 / weight.mean(), rtol=3e-3)


def test_reward_and_cost_are_averages_over_the_law_of_theta():
    """Gauss-Hermite over theta of the reward given theta, and of its inverse."""
    mean, v = (m[-2] for m in theory.bootstrapping_moments(2.0, SCHEDULE, 1.0, 1.5))
    nodes, weights = np.polynomial.hermite_e.hermegauss(80)
    reward = problems.gaussian_expected_reward((mean + np.sqrt(v) * nodes) ** 2, 1, 1.0, 1.5)
    weights = weights / weights.sum()
    np.testing.assert_allclose(
        theory.bootstrapping_reward(2.0, SCHEDULE, 1, 1.0, 1.5)[-2], weights @ reward, rtol=1e-12
    )
    cost = theory.bootstrapping_generation_cost(2.0, SCHEDULE, 1, 1.0, 1.5)[-1]
    np.testing.assert_allclose(cost, SCHEDULE[-1] * weights @ (1 / reward), rtol=1e-12)


def test_success_in_one_dimension_is_a_difference_of_normal_distribution_functions():
    mean, v = (m[-1] for m in theory.bootstrapping_moments(2.0, SCHEDULE, 1.0, 1.5))
    normal = stats.norm(mean, np.sqrt(v))
    hit = theory.bootstrapping_success_probability(2.0, SCHEDULE, 1, 1.0, 1.5, 0.4)
    np.testing.assert_allclose(hit, normal.cdf(0.4) - normal.cdf(-0.4), rtol=1e-10)


def test_the_optimal_allocation_is_the_minimum_found_by_scipy():
    split = lambda shares: 100 * jax.nn.softmax(shares)
    variance = jax.jit(lambda shares: theory.bootstrapping_moments(0.0, split(shares), 1.0, 0.8).v[-1])
    found = optimize.minimize(lambda s: float(variance(s)), np.zeros(4), method="Nelder-Mead",
                              options=dict(xatol=1e-8, fatol=1e-14, maxfev=4000)).x  # fmt: skip
    best = theory.bootstrapping_optimal_allocation(100, 4, 1.0, 0.8)
    np.testing.assert_allclose(split(found), best, rtol=1e-4)
    np.testing.assert_allclose(theory.bootstrapping_moments(0.0, best, 1.0, 0.8).v[-1],
                               theory.bootstrapping_minimal_variance(100, 4, 1.0, 0.8), rtol=1e-13)  # fmt: skip


# ------------------------------------------------------------------------------------------------ identities and limits


def test_a_half_step_is_between_no_step_and_a_full_one():
    still, half, full = (theory.bootstrapping_moments(2.0, SCHEDULE, 1.0, 1.5, lr) for lr in (1e-9, 0.5, 1.0))
    assert np.all(still.mean[1:] > half.mean[1:]) and np.all(half.mean[1:] > full.mean[1:])
    np.testing.assert_allclose(still.v, 0.0, atol=1e-15)


def test_scaling_all_lengths_scales_the_errors():
    one, three = (theory.bootstrapping_mse(2.0 * c, SCHEDULE, 3, 1.0 * c, 1.5 * c, 0.6) for c in (1.0, 3.0))
    np.testing.assert_allclose(three, 9 * one, rtol=1e-13)


def test_unlimited_samples_reach_the_optimal_reward():
    reward = theory.bootstrapping_reward(2.0, np.full(200, 1e14), 3, 1.0, 1.5)[-1]
    np.testing.assert_allclose(reward, theory.bootstrapping_optimal_reward(3, 1.0, 1.5), rtol=1e-12)


@pytest.mark.parametrize("u", [0.1, 0.25, 0.4])
def test_efficiency_of_exponential_schedules(u):
    """Against the sum over 200 rounds; the rest is of the order (1 + u)^-200."""
    rho, tau2 = theory.bootstrapping_constants(1.0, 1.5)
    n = 10 * (1 + u) ** np.arange(200)
    v = theory.bootstrapping_moments(0.0, n, 1.0, 1.5).v[-1]
    limit = theory.exponential_schedule_efficiency(u, rho) * tau2 / ((1 - rho) ** 2 * n.sum())
    np.testing.assert_allclose(v, limit, rtol=2e-8)


def test_efficiency_is_one_at_the_best_growth_only_and_infinite_from_its_square_on():
    rho = 0.7
    np.testing.assert_allclose(theory.exponential_schedule_efficiency(1 / rho - 1, rho), 1.0, rtol=1e-14)
    assert theory.exponential_schedule_efficiency(0.9 * (1 / rho - 1), rho) > 1
    assert np.isinf(theory.exponential_schedule_efficiency(1.0001 / rho**2 - 1, rho))
    np.testing.assert_allclose(theory.exponential_schedule_rate(1 / rho**3 - 1, rho), 2 / 3, rtol=1e-14)
    assert theory.exponential_schedule_rate(0.5 / rho - 0.4, rho) == 1.0


def test_polynomial_rounds_reach_their_floor():
    """alpha = 1: 1.005 times d tau2 / ((1 - rho^2) n_T) after 200 rounds, 1.001 after 800."""
    rho, tau2 = theory.bootstrapping_constants(1.0, 1.5)
    for rounds, excess in ((200, 1.005), (800, 1.001)):
        n = 10 * (1 + np.arange(rounds, dtype=float))
        v = theory.bootstrapping_moments(0.0, n, 1.0, 1.5).v[-1]
        np.testing.assert_allclose(v / (tau2 / ((1 - rho**2) * n[-1])), excess, atol=5e-4)


def test_whole_samples_keep_the_budget_and_give_every_round_one():
    for kind, param, rounds in (("exp", 3.0, 60), ("exp", 0.2, 25), ("poly", 2.0, 30), ("constant", None, 7)):
        schedule = theory.bootstrapping_schedule(kind, 1000, rounds, param)
        whole = problems.whole_samples(schedule)
        assert whole.sum() == 1000 and whole.min() >= 1 and np.all(whole % 1 == 0)
        if schedule.min() >= 1:
            assert np.all(np.abs(whole - schedule) < 1)
    with pytest.raises(ValueError, match=r"budget = 5 .* each of 7 rounds"):
        problems.whole_samples(theory.bootstrapping_schedule("constant", 5, 7))


# ----------------------------------------------------------------------------------- derivatives, batching, bad input

PATH = dict(theta0_norm=2.0, n_schedule=SCHEDULE, sigma=1.0, kappa=1.5, lr=0.7)
SPLIT = dict(budget=100.0, sigma=1.0, kappa=1.5, lr=0.7)
CASES = [
    Case(theory.bootstrapping_mse, dict(PATH, d=2.0)),
    Case(theory.bootstrapping_reward, dict(PATH, d=2.0)),
    Case(theory.bootstrapping_generation_cost, dict(PATH, d=2.0)),
    Case(theory.bootstrapping_optimal_allocation, SPLIT, rounds=4),
    Case(theory.bootstrapping_minimal_variance, SPLIT, rounds=4),
    Case(theory.exponential_schedule_efficiency, dict(u=0.3, rho=0.7)),
    Case(theory.exponential_schedule_rate, dict(u=2.0, rho=0.7)),
]
MSE, _, COST, SPLITS, _, EFFICIENCY, RATE = CASES
SCHEDULES = Case(theory.bootstrapping_schedule, dict(budget=100.0, param=0.3), kind="exp", rounds=4)
SUCCESS = Case(theory.bootstrapping_success_probability, dict(PATH, d=2.0, eps=0.4), terms=128)


@pytest.mark.parametrize("case", [*CASES, SCHEDULES], ids=str)
def test_derivatives(case):
    check_derivatives(case)


@pytest.mark.parametrize("case", [*CASES, SCHEDULES, SUCCESS], ids=str)
def test_batching(case):
    check_batching(case)


@pytest.mark.parametrize("case, named, bad", [
    (MSE, "sigma", dict(sigma=0.0)),
    (MSE, "kappa", dict(kappa=-1.0)),
    (MSE, "lr", dict(lr=0.0)),
    (MSE, "lr", dict(lr=1.1)),
    (MSE, "n_schedule", dict(n_schedule=np.array([1.0, 0.0, 2.0, 3.0]))),
    (MSE, "theta0_norm", dict(theta0_norm=-1.0)),
    (MSE, "d", dict(d=0.0)),
    (COST, "n_schedule", dict(n_schedule=np.array([0.01, 1.0, 1.0, 1.0]))),
    (SPLITS, "budget", dict(budget=0.0)),
    (SCHEDULES, "param", dict(param=-0.1)),
    (EFFICIENCY, "u", dict(u=0.0)),
    (RATE, "rho", dict(rho=1.0)),
    (SUCCESS, "eps", dict(eps=-0.1)),
])  # fmt: skip
def test_outside_the_domain(case, named, bad):
    check_refusal(case, named, **bad)


def test_schedules_that_cannot_be():
    with pytest.raises(ValueError, match="n_schedule"):
        theory.bootstrapping_moments(1.0, np.array([]), 1.0, 1.0)
    with pytest.raises(ValueError, match="rounds = 0"):
        theory.bootstrapping_optimal_allocation(100, 0, 1.0, 1.0)
    with pytest.raises(ValueError, match="kind = 'linear'"):
        theory.bootstrapping_schedule("linear", 100, 4)
    with pytest.raises(ValueError, match="param = None"):
        theory.bootstrapping_schedule("exp", 100, 4)
