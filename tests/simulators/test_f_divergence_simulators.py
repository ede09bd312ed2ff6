"""Policies trained against an f-divergence: the simulators against SciPy and the closed forms, and planted faults."""

from dataclasses import replace
from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from planted import beside_theory_of, run_small
from scipy import optimize

from simulations import diversity_collapse, f_divergence_policies
from theorylab import theory
from theorylab.compare.judge import judge
from theorylab.problems.policies import response_problem
from theorylab.simulators import f_divergence as simulators

PROBLEM = response_problem(2, 8)
KEY = jax.random.key(2)
EVERY = tuple(range(8))
GRID = np.array([0.01, 0.2, 0.4])


def test_newton_ends_at_the_maximum_that_scipy_finds():
    beta = 3.0
    run = jax.jit(simulators.simulate_f_divergence_policy, static_argnames=("name", "outcome"))
    found = run(KEY, *PROBLEM, beta, "jsd", 0.5, EVERY)
    ref = np.exp(PROBLEM.logref)

    def loss(logits):
        pi = np.exp(logits - np.logaddexp.reduce(logits))
        u = pi / ref
        return -(pi @ PROBLEM.reward - beta * ref @ (u * np.log(u) - (u + 1) * np.log((u + 1) / 2)))

    best = optimize.minimize(loss, PROBLEM.logref, method="BFGS", options=dict(gtol=1e-7))
    pi = np.asarray(found["pi"])
    np.testing.assert_allclose(loss(np.log(pi)), best.fun, atol=1e-9)
    np.testing.assert_allclose(found["reward"], pi @ PROBLEM.reward, rtol=1e-13)
    np.testing.assert_allclose(run(jax.random.key(9), *PROBLEM, beta, "jsd", 0.5, EVERY)["pi"], pi, rtol=1e-11)


def test_preferences_are_fitted_exactly():
    """At the minimum of the f-DPO loss beta (f'(u_i) - f'(u_j)) is the log odds of every pair."""
    beta = 0.8
    pi = np.asarray(simulators.simulate_f_dpo(KEY, *PROBLEM, beta, "forward_kl", 0.5, EVERY)["pi"])
    scores = -beta * np.exp(PROBLEM.logref) / pi
    np.testing.assert_allclose(np.subtract.outer(scores, scores), np.subtract.outer(*2 * [PROBLEM.reward]), atol=1e-10)


def test_attempts_and_their_expectation_agree():
    """Mean over 200 replicates of the sampled share solved against the expectation under the same policies."""
    run = jax.jit(jax.vmap(lambda key: simulators.simulate_verified_prompts(
        key, GRID, 0.3, 0.5, "forward_kl", 0.5, (1, 5), 32)))  # fmt: skip
    found = run(jax.random.split(KEY, 200))
    gap = np.asarray(found["sampled"] - found["pass_at_k"])
    assert np.all(np.abs(gap.mean(0)) < 4 * gap.std(0) / np.sqrt(200))
    np.testing.assert_allclose(found["base"][0], [np.mean(1 - (1 - GRID) ** k) for k in (1, 5)], rtol=1e-12)


@pytest.mark.parametrize("call, message", [
    (lambda: simulators.simulate_f_divergence_policy(KEY, *PROBLEM, 0.0, "jsd", 0.5, EVERY), "beta = 0.0"),
    (lambda: simulators.simulate_f_divergence_policy(KEY, *PROBLEM, 1.0, "jds", 0.5, EVERY), "did you mean 'jsd'"),
    (lambda: simulators.simulate_f_dpo(KEY, *PROBLEM, 1.0, "alpha", 1.5, EVERY), "alpha = 1.5"),
    (lambda: simulators.simulate_verified_policy(KEY, np.array([0.0]), 1.0, "jsd", 0.5), "p0"),
    (lambda: simulators.simulate_verified_prompts(KEY, np.array([0.5]), 0.1, 1.0, "jsd", 0.5, (1,), 4), "p0_grid"),
    (lambda: simulators.simulate_verified_prompts(KEY, GRID, -0.1, 1.0, "jsd", 0.5, (1,), 4), "q = -0.1"),
    (lambda: simulators.simulate_verified_prompts(KEY, GRID, 0.1, 1.0, "jsd", 0.5, (0,), 4), "k"),
])  # fmt: skip
def test_outside_the_domain(call, message):
    with pytest.raises(ValueError, match=message):
        call()


# ------------------------------------------------------------------------------------- the claims, and planted faults

POLICIES, SOLVED = (f_divergence_policies, "policies"), (diversity_collapse, "solved")
SMALL = {
    POLICIES: dict(name=("jsd",), replicates=8),
    SOLVED: dict(name=("forward_kl",), prompts=("all",), q=(0.2,), k=(1, 4, 16), copies=64, replicates=32),
}


@cache
def simulated(module, name):
    return run_small(module, name, **SMALL[module, name])


def verdicts(module, name, **wrong):
    """Verdicts of the claims that compare a sweep with theory; with other predictors, if any are given."""
    sweep, result = simulated(module, name)
    if wrong:
        faulty = replace(sweep, predict={**sweep.predictors, **wrong})
        result = beside_theory_of(result, name, faulty)
    claims = [c for c in module.CLAIMS if c.sweeps == (name,) and c.kind == "exact" and c.where.get("name") != "chi2"]
    claims = [replace(c, where={a: v for a, v in c.where.items() if a != "name"}) for c in claims]
    return [judge(claim, {name: result}).verdict for claim in claims]


def half_the_penalty(logref, reward, beta: float, name: str, alpha: float, outcome: float):
    return f_divergence_policies.probability(logref, reward, beta / 2, name, alpha, outcome)


def tilt_for_all(logref, reward, beta: float, name: str, alpha: float, outcome: float):
    return f_divergence_policies.probability(logref, reward, beta, "reverse_kl", alpha, outcome)


def unnormalised(logref, reward, beta: float, name: str, alpha: float, outcome: float):
    return f_divergence_policies.probability(logref, reward, beta, name, alpha, outcome) * 1.05


def perfect_verifier(p0_grid, q: float, beta: float, name: str, k: float, alpha: float):
    return theory.f_divergence_pass_at_k(p0_grid, 0.0 * q, beta, name, k, alpha)


def fooled_prompts_are_lost(p0_grid, q: float, beta: float, name: str, k: float, alpha: float):
    return (1 - q) * theory.f_divergence_pass_at_k(p0_grid, 0.0, beta, name, k, alpha)


def fooled_prompts_are_untouched(p0_grid, q: float, beta: float, name: str, k: float, alpha: float):
    return fooled_prompts_are_lost(p0_grid, q, beta, name, k, alpha) + q * jnp.mean(1 - (1 - p0_grid) ** k)


def mean_prompt(p0_grid, q: float, beta: float, name: str, k: float, alpha: float):
    return theory.f_divergence_pass_at_k(jnp.mean(p0_grid)[None], q, beta, name, k, alpha)


FAULTS = {
    "jsd of half the size": (POLICIES, dict(pi=half_the_penalty)),
    "the tilt for every divergence": (POLICIES, dict(pi=tilt_for_all)),
    "probabilities that do not sum to one": (POLICIES, dict(pi=unnormalised)),
    **{
        fault.__name__.replace("_", " "): (SOLVED, dict(pass_at_k=fault))
        for fault in (perfect_verifier, fooled_prompts_are_lost, fooled_prompts_are_untouched, mean_prompt)
    },
}


@pytest.mark.parametrize("sweep", SMALL, ids=lambda sweep: sweep[1])
def test_the_true_formula_does_not_fail(sweep):
    assert "fails" not in verdicts(*sweep)


@pytest.mark.parametrize("fault", FAULTS)
def test_planted_faults_are_caught(fault):
    sweep, wrong = FAULTS[fault]
    assert "fails" in verdicts(*sweep, **wrong)
