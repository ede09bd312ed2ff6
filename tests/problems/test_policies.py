"""Policies over finitely many responses: divergences by their definition, and what is refused."""

import numpy as np
import pytest

from theorylab.problems.f_divergence import DIVERGENCES, divergence_generator, f_divergence, policy_prices
from theorylab.problems.policies import entropy_of_policy, kl_divergence, outcomes_holding, response_problem

P, Q = np.array([0.5, 0.3, 0.2]), np.array([0.2, 0.3, 0.5])
GAP = np.array([0.5, 0.5, 0.0])  # no support in the last response


def log(p):
    with np.errstate(divide="ignore"):
        return np.log(p)


def test_divergence_and_entropy_by_their_definition():
    np.testing.assert_allclose(kl_divergence(log(P), log(Q)), np.sum(P * np.log(P / Q)), rtol=1e-14)
    np.testing.assert_allclose(kl_divergence(log(GAP), log(P)), 0.5 * np.log(0.5 / 0.3), rtol=1e-14)
    assert kl_divergence(log(P), log(P)) == 0
    np.testing.assert_allclose(entropy_of_policy(log(P)), -np.sum(P * np.log(P)), rtol=1e-14)
    np.testing.assert_allclose(entropy_of_policy(log(GAP)), np.log(2), rtol=1e-14)


@pytest.mark.parametrize("h", [1e-3, 1e-6, 1e-9])
def test_a_small_divergence_keeps_its_digits(h):
    """p (1 + h t) with sum p t = 0: half the chi-square, of order h^2, less a third of the third moment."""
    t = np.array([1.0, -1.0, -1.0])
    expected = h**2 / 2 * np.sum(P * t**2) - h**3 / 6 * np.sum(P * t**3) + h**4 / 12 * np.sum(P * t**4)
    np.testing.assert_allclose(
        kl_divergence(log(P) + np.log1p(h * t), log(P)), expected, rtol=1e-6 if h < 1e-8 else 1e-9
    )


def test_number_of_responses_that_hold_a_share():
    assert [float(outcomes_holding(log(P), share)) for share in (0.4, 0.6, 0.9)] == [1, 2, 3]


@pytest.mark.parametrize("name", DIVERGENCES)
def test_generators_are_convex_with_their_zero_at_one(name):
    u = np.linspace(0.05, 4, 200)
    f = np.array([divergence_generator(x, name, 0.3) for x in u])
    assert np.all(np.diff(f, 2) > 0)
    assert abs(divergence_generator(1.0, name, 0.3)) < 1e-15


def test_divergences_are_what_their_names_say():
    reverse, forward = np.sum(P * np.log(P / Q)), np.sum(Q * np.log(Q / P))
    middle = (P + Q) / 2
    jensen_shannon = (np.sum(P * np.log(P / middle)) + np.sum(Q * np.log(Q / middle))) / 2
    values = {name: float(f_divergence(log(P), log(Q), name, 0.5)) for name in DIVERGENCES}
    expected = dict(
        reverse_kl=reverse, forward_kl=forward, jsd=2 * jensen_shannon, alpha=4 * (1 - np.sum(np.sqrt(P * Q))),
        chi2=np.sum((P - Q) ** 2 / Q) / 2,
    )  # fmt: skip
    assert values == pytest.approx(expected, rel=1e-13)


@pytest.mark.parametrize("name", ["reverse_kl", "jsd", "alpha", "chi2"])
def test_a_policy_may_drop_a_response_where_that_costs_a_finite_amount(name):
    nearly = GAP * (1 - 1e-9) + 1e-9 * P
    np.testing.assert_allclose(
        f_divergence(log(GAP), log(P), name, 0.5), f_divergence(log(nearly), log(P), name, 0.5), rtol=1e-3
    )


def test_prices_of_a_policy():
    prices = policy_prices(P, log(Q), np.array([0.0, 0.0, 2.0]))
    np.testing.assert_allclose(prices, (0.4, np.sum(P * np.log(P / Q)), np.sum(Q * np.log(Q / P)), 0.8), rtol=1e-14)
    assert policy_prices(GAP, log(P), np.arange(3.0)).forward_kl == np.inf


def test_instances_differ_and_have_two_best_responses():
    first, second = response_problem(1, 12), response_problem(2, 12)
    assert not np.array_equal(first.logref, second.logref)
    for problem in (first, second):
        np.testing.assert_allclose(np.exp(problem.logref).sum(), 1, rtol=1e-14)
        assert np.sum(problem.reward == 4) == 2 and set(problem.reward) == set(range(5))


@pytest.mark.parametrize("call, message", [
    (lambda: kl_divergence(log(2 * P), log(Q)), "logp = .* sum to one"),
    (lambda: kl_divergence(log(P), log(2 * Q)), "logq = .* sum to one"),
    (lambda: kl_divergence(log(P), log(GAP)), "logq = .* support wherever logp has some"),
    (lambda: f_divergence(log(GAP), log(P), "forward_kl"), "logpi = .* support wherever the reference"),
    (lambda: f_divergence(log(P), log(GAP), "jsd"), "logref = .* finite"),
    (lambda: f_divergence(log(2 * P), log(P), "jsd"), "logpi = .* sum to one"),
    (lambda: f_divergence(log(P), log(P), "alpha"), "alpha = None"),
    (lambda: f_divergence(log(P), log(P), "alpha", 1.0), "alpha = 1.0"),
    (lambda: f_divergence(log(P), log(P), "forward"), "name = 'forward'.* did you mean 'forward_kl'"),
    (lambda: divergence_generator(0.0, "jsd"), "u = 0.0"),
    (lambda: entropy_of_policy(log(2 * P)), "logp"),
    (lambda: outcomes_holding(log(P), 1.0), "share = 1.0"),
    (lambda: response_problem(1, 5), "outcomes = 5"),
])  # fmt: skip
def test_outside_the_domain(call, message):
    with pytest.raises(ValueError, match=message):
        call()
