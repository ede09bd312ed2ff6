"""Policies that learn to win: the simulators against NumPy and the theory; planted faults."""

from dataclasses import replace
from functools import cache

import jax
import numpy as np
import pytest
from planted import beside_theory_of, run_small
from scipy import special

from simulations import preference_games as experiment
from theorylab import theory
from theorylab.compare.judge import judge
from theorylab.problems.policies import kl_divergence
from theorylab.problems.preference_games import cyclic_game, random_game, regularised_nash_policy
from theorylab.simulators.preference_games import simulate_nash_learning, simulate_nash_neighbourhood

GAME = cyclic_game(0.6)
BASE = dict(**GAME._asdict(), beta=0.2, steps=(0, 1, 4), response=(0, 2), eta=0.5, opponents=0)
NEAR = dict(**GAME._asdict(), beta=0.2, eta=0.5, steps=10, scale=1e-6)


def test_enumerated_learning_on_a_game_of_many_responses():
    game, beta = random_game(3, 7), 0.1
    measured = simulate_nash_learning(jax.random.key(0), *game, beta, (0, 2, 5), tuple(range(7)))
    path = theory.nash_policy_iterates(*game, beta, 5)
    nash = regularised_nash_policy(*game, beta).logpi
    assert measured["loss"].max() < 1e-25
    for i, t in enumerate((0, 2, 5)):
        np.testing.assert_allclose(measured["policy"][i], np.exp(path[t]), rtol=1e-10)
        np.testing.assert_allclose(measured["kl"][i], kl_divergence(nash, path[t]), rtol=1e-9)
        np.testing.assert_allclose(measured["reverse_kl"][i], kl_divergence(path[t], nash), rtol=1e-9)
        np.testing.assert_allclose(measured["excess"][i], beta * measured["reverse_kl"][i], rtol=1e-9)
        np.testing.assert_allclose(measured["gap"][i], theory.nash_duality_gap(*game, beta, path[t]), rtol=1e-9)


def test_sampled_opponents_are_those_that_numpy_would_count():
    key, count = jax.random.key(4), 50
    logpi = GAME.logref
    for t in range(4):
        uniform = np.asarray(jax.random.uniform(jax.random.fold_in(key, t), (count, 1)))[:, 0]
        drawn = np.searchsorted(np.cumsum(np.exp(logpi))[:-1], uniform, side="right")
        wins = GAME.P @ np.bincount(drawn, minlength=3) / count
        logpi = special.log_softmax(0.6 * logpi + 0.4 * GAME.logref + wins / 0.5)
    measured = simulate_nash_learning(key, **{**BASE, "opponents": count})
    np.testing.assert_allclose(measured["policy"][2], np.exp(logpi)[[0, 2]], rtol=1e-10)


def test_neighbourhood_shrinks_at_the_local_rate():
    measured = simulate_nash_neighbourhood(jax.random.key(1), **NEAR)["log_rate"]
    np.testing.assert_allclose(measured, np.log(theory.nash_local_rate(*GAME, 0.2, 0.5)), rtol=1e-5)


@pytest.mark.parametrize("change", [
    dict(steps=()), dict(steps=(-1,)), dict(response=(3,)), dict(eta=0.1), dict(opponents=-1), dict(beta=0.0),
    dict(P=np.eye(3)), dict(logref=np.zeros(3)),
])  # fmt: skip
def test_learning_refuses_by_name(change):
    (name,) = change
    with pytest.raises(ValueError, match=f"^{name} = "):
        simulate_nash_learning(jax.random.key(0), **{**BASE, **change})


@pytest.mark.parametrize("change", [dict(steps=0), dict(scale=0.0), dict(eta=0.1), dict(beta=-1.0)])
def test_neighbourhood_refuses_by_name(change):
    (name,) = change
    with pytest.raises(ValueError, match=f"^{name} = "):
        simulate_nash_neighbourhood(jax.random.key(0), **{**NEAR, **change})


# ------------------------------------------------------------------------------------- the claims, and planted faults

SMALL = dict(
    schedule=dict(game=(0,), beta=(0.1,), steps=(1, 3, 10, 30), horizon=30),
    bound=dict(game=(0,), beta=(0.02, 1.0), steps=(1, 3, 10, 30), horizon=30),
    sampled=dict(replicates=256),
    local=dict(strength=(1.0,), beta=(0.1,), eta_ratio=(0.9, 1.1, 2.0, 3.0)),
)
KINDS = ("exact", "asymptotic", "bound")


@cache
def simulated(name):
    return run_small(experiment, name, **SMALL[name])


def verdicts(name, predict=None):
    sweep, result = simulated(name)
    if predict:
        measured = sweep.predict if isinstance(sweep.predict, dict) else sweep.measure
        faulty = replace(sweep, predict=dict.fromkeys(measured, predict))
        result = beside_theory_of(result, name, faulty)
    claims = [c for c in experiment.CLAIMS if c.sweeps == (name,) and c.kind in KINDS]
    where = {"beta": [0.1]} if name == "schedule" else {}
    claims = [replace(c, where={**c.where, **where} if "beta" in c.where else c.where) for c in claims]
    return [judge(claim, {name: result}).verdict for claim in claims]


def curve(change):
    def predict(P, logref, beta: float, horizon: int, steps: float):
        return change(theory.nash_learning_curve, P, logref, beta, horizon, steps)

    return predict


def bound(change):
    def predict(P, logref, beta: float, horizon: int, steps: float):
        return change(experiment.bound_on_kl, P, logref, beta, horizon, steps)

    return predict


def local(change):
    def predict(P, logref, beta: float, eta: float):
        return change(experiment.log_local_rate, P, logref, beta, eta)

    return predict


FAULTS = {
    "one update too few": ("schedule", curve(lambda f, P, r, b, h, t: f(P, r, b, h, t - 1))),
    "losing for winning": ("schedule", curve(lambda f, P, r, b, h, t: f(P.T, r, b, h, t))),
    "a step of one schedule later": ("schedule", curve(lambda f, P, r, b, h, t: f(P, r, b, h, t, 1.5 * b))),
    "half the exploitability": (
        "schedule",
        curve(lambda f, P, r, b, h, t: (d := f(P, r, b, h, t))._replace(gap=d.gap / 2)),
    ),
    "twice the penalty": ("sampled", curve(lambda f, P, r, b, h, t: f(P, r, 2 * b, h, t))),
    "bound that falls like the square": ("bound", bound(lambda f, P, r, b, h, t: f(P, r, b, h, t) / (t + 1) ** 3)),
    "bound without 1/beta^2": ("bound", bound(lambda f, P, r, b, h, t: f(P, r, b, h, t) * b**2)),
    "rotation left out": ("local", local(lambda f, P, r, b, e: f(0.5 + 0 * P, r, b, e))),
    "step size for its inverse": ("local", local(lambda f, P, r, b, e: f(P, r, b, b + 1 / e))),
    "rate of the square": ("local", local(lambda f, P, r, b, e: 2 * f(P, r, b, e))),
}


@pytest.mark.parametrize("name", SMALL)
def test_the_true_formula_does_not_fail(name):
    assert "fails" not in verdicts(name)


@pytest.mark.parametrize("fault", FAULTS)
def test_planted_faults_are_caught(fault):
    assert "fails" in verdicts(*FAULTS[fault])
