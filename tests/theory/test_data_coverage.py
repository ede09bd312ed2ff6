"""Coverage in a divergence ball, and what direct preference optimisation on some of the responses loses."""

import jax
import numpy as np
import pytest
from predictor_checks import Case, check_batching, check_derivatives, check_refusal
from scipy import optimize, special

from theorylab import theory
from theorylab.problems.data_coverage import alignment_value_gap, coverage_problem

PROBLEM = coverage_problem(0, 6, 4, 0.3)
BETA = 0.5

coverage = jax.jit(theory.kl_ball_coverage)


def binary_kl(q, p):
    return special.rel_entr(q, p) + special.rel_entr(1 - q, 1 - p)


# ------------------------------------------------------------------------------------------------------- the ball


@pytest.mark.parametrize("p", [1e-8, 1e-3, 0.1, 0.5, 0.97])
@pytest.mark.parametrize("share", [1e-6, 0.01, 0.5, 0.999])
def test_coverage_solves_its_equation(p, share):
    eps = share * -np.log(p)
    ratio = float(coverage(p, eps))
    assert 1 < ratio <= 1 / p
    root = optimize.brentq(lambda c: binary_kl(c * p, p) - eps, 1.0, 1 / p, xtol=1e-14, rtol=1e-14)
    np.testing.assert_allclose(ratio, root, rtol=1e-9)
    np.testing.assert_allclose(binary_kl(ratio * p, p), eps, rtol=1e-8, atol=1e-17)


def test_limits_of_the_radius():
    for p in (1e-6, 0.2, 1.0):
        assert coverage(p, 0.0) == 1
        for more in (0.0, 1e-9, 3.0):
            np.testing.assert_allclose(coverage(p, -np.log(p) + more), 1 / p, rtol=1e-13)
    np.testing.assert_allclose(coverage(0.2, 1e-10) - 1, np.sqrt(2e-10 * 0.8 / 0.2), rtol=1e-4)  # quadratic near 1
    grid = [coverage(0.1, eps) for eps in np.linspace(0, 3, 30)]
    assert np.all(np.diff(grid) >= 0)


@pytest.mark.parametrize("eps", [0.05, 0.4])
def test_no_policy_of_the_ball_has_a_larger_ratio(eps):
    """The constrained maximum over all policies on five responses, by SciPy."""
    logref = special.log_softmax(np.array([-1.0, 0.3, 0.8, 0.0, -0.4]))
    room = lambda logits: eps - np.sum(special.rel_entr(special.softmax(logits), np.exp(logref)))
    loss = lambda logits: -special.log_softmax(logits)[0]
    best = optimize.minimize(loss, logref, constraints=dict(type="ineq", fun=room), tol=1e-12)
    np.testing.assert_allclose(np.exp(-best.fun - logref[0]), coverage(np.exp(logref[0]), eps), rtol=1e-5)


# -------------------------------------------------------------------------------------------- offline preferences


def end_of_training(problem, shift):
    """SciPy's minimum of the expected DPO loss over the covered logits, their sum and the other logits fixed."""
    seen = problem.covered == 1
    law = special.softmax(problem.logref[seen])
    reward = problem.reward[seen]
    wins = np.outer(law, law) * special.expit(reward[:, None] - reward)

    def loss(h):
        slope = special.expit(-BETA * (h[:, None] - h)) * wins
        return -np.sum(wins * special.log_expit(BETA * (h[:, None] - h))), BETA * (slope.sum(0) - slope.sum(1))

    h = optimize.minimize(loss, np.zeros(seen.sum()), jac=True, method="BFGS", options=dict(gtol=1e-12)).x
    logits = problem.logref + shift
    logits[seen] = problem.logref[seen] + h - h.mean()
    return special.log_softmax(logits)


@pytest.mark.parametrize("shift", [-1.0, 0.0, 4.0])
def test_gap_is_that_of_the_minimiser(shift):
    logpi = end_of_training(PROBLEM, shift)
    pi, log_ratio = np.exp(logpi), logpi - PROBLEM.logref
    value = pi @ (PROBLEM.reward - BETA * log_ratio)
    best = BETA * special.logsumexp(PROBLEM.logref + PROBLEM.reward / BETA)
    gap = theory.offline_dpo_value_gap(*PROBLEM[:2], BETA, PROBLEM.covered, shift)
    np.testing.assert_allclose(gap, best - value, rtol=1e-6)
    np.testing.assert_allclose(alignment_value_gap(logpi, *PROBLEM[:2], BETA), best - value, rtol=1e-10)


def test_full_coverage_loses_nothing_whatever_the_shift():
    for shift in (0.0, 7.0):
        gap = theory.offline_dpo_value_gap(*PROBLEM[:2], BETA, np.ones(6), shift)
        np.testing.assert_allclose(gap, 0.0, atol=1e-15)


def test_the_loss_saturates():
    worst = theory.offline_dpo_worst_value_gap(*PROBLEM[:2], BETA, PROBLEM.covered)
    for shift in (30.0, 300.0):
        gap = theory.offline_dpo_value_gap(*PROBLEM[:2], BETA, PROBLEM.covered, shift)
        np.testing.assert_allclose(gap, worst, rtol=1e-10)
    rest = PROBLEM.covered == 0
    logpi = np.where(rest, PROBLEM.logref, PROBLEM.logref - 60)
    expected = alignment_value_gap(logpi - special.logsumexp(logpi), *PROBLEM[:2], BETA)
    np.testing.assert_allclose(worst, expected, rtol=1e-12)


def test_the_worst_loss_grows_as_the_uncovered_become_rare():
    problems = [coverage_problem(0, 6, 4, 10.0**-k) for k in (7, 8)]
    one, two = (float(theory.offline_dpo_worst_value_gap(*q[:2], BETA, q.covered)) for q in problems)
    np.testing.assert_allclose(two - one, BETA * np.log(10), rtol=1e-6)


def test_rewards_scale_with_beta():
    one = theory.offline_dpo_value_gap(*PROBLEM[:2], BETA, PROBLEM.covered, 1.3)
    three = theory.offline_dpo_value_gap(PROBLEM.logref, 3 * PROBLEM.reward, 3 * BETA, PROBLEM.covered, 1.3)
    np.testing.assert_allclose(three, 3 * one, rtol=1e-13)


# ----------------------------------------------------------------------------------- derivatives, batching, bad input


def of_logits(predict):
    def function(logits, **rest):
        return predict(jax.nn.log_softmax(logits), covered=PROBLEM.covered, **rest)

    function.__name__ = predict.__name__
    return function


FREE = dict(logits=PROBLEM.logref, reward=PROBLEM.reward, beta=BETA)
CASES = [
    Case(theory.kl_ball_coverage, dict(p=0.1, eps=0.3)),
    Case(of_logits(theory.offline_dpo_value_gap), {**FREE, "shift": 1.5}),
    Case(of_logits(theory.offline_dpo_worst_value_gap), FREE),
]
GIVEN = {**PROBLEM._asdict(), "beta": BETA}
GAP = Case(theory.offline_dpo_value_gap, {**GIVEN, "shift": 1.0})
WORST = Case(theory.offline_dpo_worst_value_gap, GIVEN)
HOLED = np.array([-np.inf, *special.log_softmax(np.zeros(5))])


@pytest.mark.parametrize("case", CASES, ids=str)
def test_derivatives(case):
    check_derivatives(case)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_batching(case):
    check_batching(case)


def test_gradients_are_finite_at_the_ends_of_the_ball():
    for p, eps in ((0.1, 5.0), (1.0, 0.3), (0.1, 0.0), (1.0, 0.0)):
        assert np.all(np.isfinite(jax.grad(coverage, (0, 1))(p, eps)))


@pytest.mark.parametrize("case, named, bad", [
    (CASES[0], "p", dict(p=0.0)),
    (CASES[0], "p", dict(p=1.1)),
    (CASES[0], "p", dict(p=np.nan)),
    (CASES[0], "eps", dict(eps=-1e-3)),
    *((case, "beta", dict(beta=0.0)) for case in (GAP, WORST)),
    (GAP, "logref", dict(logref=PROBLEM.logref + 0.01)),
    (GAP, "logref", dict(logref=HOLED)),
    (GAP, "reward", dict(reward=np.full(6, np.inf))),
    (GAP, "covered", dict(covered=np.full(6, 0.5))),
    (GAP, "covered", dict(covered=np.zeros(6))),
    (WORST, "covered", dict(covered=np.ones(6))),
])  # fmt: skip
def test_outside_the_domain(case, named, bad):
    check_refusal(case, named, **bad)


@pytest.mark.parametrize("call, message", [
    (lambda: theory.offline_dpo_value_gap(*PROBLEM[:2], BETA, np.ones(5), 0.0), "shape|annotation"),
    (lambda: coverage_problem(0, 6, 1, 0.3), "covered_responses = 1"),
    (lambda: coverage_problem(-1, 6, 4, 0.3), "instance = -1"),
    (lambda: coverage_problem(0, 6, 4, 0.0), "uncovered = 0"),
    (lambda: alignment_value_gap(HOLED, *PROBLEM[:2], BETA), "logpi = "),
    (lambda: alignment_value_gap(PROBLEM.logref, *PROBLEM[:2], -1.0), "beta = -1"),
])  # fmt: skip
def test_refused_by_name(call, message):
    with pytest.raises((ValueError, TypeError), match=message):
        call()


def test_the_problem_has_the_mass_asked_for():
    problem = coverage_problem(2, 9, 5, 0.01)
    np.testing.assert_allclose(np.exp(problem.logref[5:]).sum(), 0.01, rtol=1e-12)
    np.testing.assert_allclose(np.exp(problem.logref).sum(), 1.0, rtol=1e-12)
    np.testing.assert_array_equal(problem.covered, [1, 1, 1, 1, 1, 0, 0, 0, 0])
