"""Training for post-processed responses: the simulators against SciPy and the theory; planted faults."""

from dataclasses import replace
from functools import cache

import jax
import numpy as np
import pytest
from planted import beside_theory_of, run_small
from scipy import optimize, special

from simulations import inference_aware_alignment as experiment
from theorylab import theory
from theorylab.compare.judge import judge
from theorylab.problems.inference_aware import tournament_win_rate
from theorylab.simulators.inference_aware import simulate_finite_calibration, simulate_inference_aware_training

T, U = np.array([0.0, 2.0]), np.array([0.2, 0.8])
TRAIN = dict(responses=12, n_best=3.0, beta=0.4, mode="best", t=T, u=U, steps=200)
CALIBRATE = dict(responses=20, samples=(4, 30), kl=0.3, spread=1.0, repeats=3)


@pytest.mark.parametrize("mode", ["best", "worst"])
def test_training_finds_the_maximum_that_scipy_finds(mode):
    key = jax.random.key(5)
    measured = simulate_inference_aware_training(key, **{**TRAIN, "mode": mode})
    weights = np.asarray(jax.random.uniform(key, (12,), float, 0.5, 1.5))
    reference = weights / weights.sum()
    win_rate = jax.jit(lambda policy: tournament_win_rate(policy, reference, 3.0, mode))

    def loss(logits):
        policy = special.softmax(logits)
        return 0.4 * np.sum(special.rel_entr(policy, reference)) - float(win_rate(policy))

    found = optimize.minimize(loss, np.log(reference), method="BFGS", options=dict(gtol=1e-6))
    best = measured["win"] - 0.4 * measured["kl"]
    np.testing.assert_allclose(best, -found.fun, rtol=1e-9)
    assert np.all(measured["tilted_win"] < measured["win"])
    policy = special.softmax(found.x)
    reward, middle = 0.4 * np.log(policy / reference), np.cumsum(reference) - reference / 2
    end = np.polyval(np.polyfit(middle[-2:], reward[-2:], 1), 1.0)
    np.testing.assert_allclose(measured["transform"], np.interp(U, middle, reward) - end, atol=1e-4)


def test_calibration_against_numpy_on_the_same_samples():
    key = jax.random.key(2)
    measured = simulate_finite_calibration(key, **CALIBRATE)
    drawn = np.asarray(jax.random.randint(key, (3, 30), 0, 20))
    quantile = np.arange(1, 21) / 20
    for i, count in enumerate((4, 30)):
        estimate = np.mean(drawn[:, :count, None] <= np.arange(20), axis=1)
        np.testing.assert_allclose(measured["error"][i], np.mean((estimate - quantile) ** 2), rtol=1e-12)
        wins = [win_at_kl(row) for row in estimate]
        np.testing.assert_allclose(measured["win"][i], np.mean(wins), rtol=1e-8)
    np.testing.assert_allclose(measured["exact_win"], win_at_kl(quantile), rtol=1e-8)
    np.testing.assert_allclose(measured["raw_win"], win_at_kl(np.exp(special.ndtri(quantile - 0.025))), rtol=1e-8)


def win_at_kl(score):
    """Win rate of the tilt of divergence .3, ties shared, against a uniform reference."""
    policy = lambda strength: special.softmax(strength * score)
    kl = lambda strength: np.sum(special.xlogy(policy(strength), policy(strength))) + np.log(len(score))
    law = policy(optimize.brentq(lambda strength: kl(strength) - 0.3, 1e-6, 50 / np.ptp(score), xtol=1e-13))
    return law @ (np.arange(len(score)) + 0.5) / len(score)


@pytest.mark.parametrize("change, message", [
    (dict(mode="bets"), "did you mean 'best'"),
    (dict(responses=1), "responses = 1"),
    (dict(steps=0), "steps = 0"),
    (dict(n_best=0.5), "n_best = 0.5"),
    (dict(beta=0.0), "beta = 0"),
    (dict(t=np.array([-1.0])), "t = "),
    (dict(u=np.array([1.5])), "u = "),
])  # fmt: skip
def test_training_refuses_by_name(change, message):
    with pytest.raises(ValueError, match=message):
        simulate_inference_aware_training(jax.random.key(0), **{**TRAIN, **change})


@pytest.mark.parametrize("change", [
    dict(responses=1), dict(samples=()), dict(samples=(0,)), dict(repeats=0), dict(kl=0.0), dict(kl=3.1),
    dict(spread=0.0),
])  # fmt: skip
def test_calibration_refuses_by_name(change):
    (name,) = change
    with pytest.raises(ValueError, match=f"^{name} = "):
        simulate_finite_calibration(jax.random.key(0), **{**CALIBRATE, **change})


# ------------------------------------------------------------------------------------- the claims, and planted faults

SMALL = dict(
    trained=dict(mode=("worst",), responses=(64, 128, 256), beta=(0.4,), steps=150, t=(0.0, 5.0), grid=1001),
    calibration=dict(replicates=32, repeats=32),
)


@cache
def simulated(name):
    return run_small(experiment, name, **SMALL[name])


def verdicts(name, **predict):
    sweep, result = simulated(name)
    if predict:
        faulty = replace(sweep, predict={**sweep.predictors, **predict})
        result = beside_theory_of(result, name, faulty)
    claims = [c for c in experiment.CLAIMS if c.sweeps == (name,) and c.kind in ("exact", "asymptotic")]
    return [judge(claim, {name: result}).verdict for claim in claims]


def policy(change):
    def predict(n_best: float, beta: float, mode: str, grid: int):
        return change(theory.inference_aware_policy, n_best, beta, mode, grid)

    return predict


def tilted(change):
    def predict(n_best: float, beta: float, mode: str, t: float, grid: int):
        return change(experiment.tilted_win, n_best, beta, mode, t, grid)

    return predict


def transform(change):
    def predict(n_best: float, beta: float, mode: str, u: float, grid: int):
        return change(experiment.transformed_reward, n_best, beta, mode, u, grid)

    return predict


FAULTS = {
    "best for worst": ("trained", dict(win=policy(lambda f, n, b, m, g: f(n, b, "best", g)))),
    "one draw less": ("trained", dict(win=policy(lambda f, n, b, m, g: f(n - 1, b, m, g)))),
    "beta doubled": ("trained", dict(kl=policy(lambda f, n, b, m, g: f(n, 2 * b, m, g)))),
    "the plain quantile": ("trained", dict(win=policy(lambda f, n, b, m, g: experiment.tilted_win(n, b, m, 0.0, g)))),
    "curvature of the other sign": ("trained", dict(tilted_win=tilted(lambda f, n, b, m, t, g: f(n, b, "best", t, g)))),
    "N for N^2": ("trained", dict(transform=transform(lambda f, n, b, m, u, g: f(n, b, m, u, g) / n))),
    "transform from the other end": (
        "trained",
        dict(transform=transform(lambda f, n, b, m, u, g: f(n, b, m, 1 - u, g))),
    ),
    "error without 1 - u": ("calibration", dict(error=lambda responses, samples: 1 / (2 * samples))),
    "standard error for its square": (
        "calibration",
        dict(error=lambda responses, samples: ((1 - responses**-2) / (6 * samples)) ** 0.5),
    ),
}


@pytest.mark.parametrize("name", SMALL)
def test_the_true_formula_does_not_fail(name):
    assert "fails" not in verdicts(name)  # at most 1e-3 per claim by chance


@pytest.mark.parametrize("fault", FAULTS)
def test_planted_faults_are_caught(fault):
    name, predict = FAULTS[fault]
    assert "fails" in verdicts(name, **predict)
