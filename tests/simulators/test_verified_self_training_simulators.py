"""Verified self-training: the chain of angles against NumPy on all coordinates, and planted faults."""

from dataclasses import replace
from functools import cache

import jax
import numpy as np
import pytest
from ml_collections import ConfigDict
from planted import beside_theory_of

from simulations import verified_self_training as experiment
from theorylab import problems, theory
from theorylab.compare.judge import judge
from theorylab.simulators.verified_self_training import simulate_verified_self_training
from theorylab.sweep.execute import run_sweep

ANGLES = (0.4, 0.9, 0.36)


def numpy_chain(seed, d, sizes, lam):
    """Every coordinate of every pair."""
    truth, w, v = (np.pad(np.asarray(row), (0, d - 3)) for row in problems.verifier_directions(*ANGLES))
    rng, path = np.random.default_rng(seed), []
    for n in sizes:
        x = rng.normal(size=(n, d))
        given = np.sign(x @ w)
        kept = given * (x @ v) > 0
        w = np.linalg.solve(x[kept].T @ x[kept] / n + lam * np.eye(d), x[kept].T @ given[kept] / n)
        path.append([w @ truth, w @ v] / np.linalg.norm(w))
    return np.array(path)


def test_the_chain_of_angles_has_the_law_of_the_chain_of_classifiers():
    d, sizes = 8, (20, 30, 60)
    direct = np.array([numpy_chain(seed, d, sizes, 0.1) for seed in range(800)])
    one = lambda key: simulate_verified_self_training(key, d, np.array(sizes, float), 60, 0.1, *ANGLES, (1, 2, 3))
    fast = jax.jit(lambda keys: jax.lax.map(one, keys))(jax.random.split(jax.random.key(0), 800))
    fast = np.stack([fast["rho"], fast["r"]], -1)
    error = np.hypot(direct.std(0), fast.std(0)) / 800**0.5
    assert (np.abs(direct.mean(0) - fast.mean(0)) < 4 * error).all()
    np.testing.assert_allclose(direct.std(0), fast.std(0), rtol=0.15)


def test_round_zero_is_the_start():
    run = jax.jit(lambda key: simulate_verified_self_training(key, 8, np.array([20.0]), 20, 0.1, *ANGLES, (0,)))
    found = run(jax.random.key(0))
    np.testing.assert_allclose([found["rho"][0], found["r"][0]], [0.4, 0.36], rtol=1e-15)


# ------------------------------------------------------------------------------------- the claims, and planted faults


@cache
def simulated():
    config = experiment.get_config("quick").to_dict()
    small = dict(d=(100,), schedule=("constant", "growing"), last=3, rounds=(1, 2, 3), replicates=60)
    config["chain"].update(small)
    sweep = experiment.experiment(ConfigDict(config)).sweeps["chain"]
    return sweep, run_sweep("chain", sweep)


def verdict(predict=None):
    sweep, result = simulated()
    if predict:
        faulty = replace(sweep, predict=dict(accuracy=predict))
        result = beside_theory_of(result, "chain", faulty)
    (claim,) = [c for c in experiment.CLAIMS if c.kind == "exact"]
    return judge(claim, {"chain": result}).verdict


def infinitely_many_pairs(rho_g: float, rho_v: float, r: float, gammas, lam: float, rounds: float):
    return experiment.accuracy(rho_g, rho_v, r, 0 * gammas, lam, rounds)


def one_round_less(rho_g: float, rho_v: float, r: float, gammas, lam: float, rounds: float):
    return experiment.accuracy(rho_g, rho_v, r, gammas, lam, rounds - 1)


def an_angle_to_the_verifier_that_stays(rho_g: float, rho_v: float, r: float, gammas, lam: float, rounds: float):
    from theorylab.problems.verified_synthetic import cosine_accuracy

    rho = rho_g
    for t, gamma in enumerate(gammas):
        step = theory.linear_verifier_accuracy(rho_g, rho_v, r, gamma, lam).cos_bisector
        rho = jax.numpy.where(t < rounds, step * (rho + rho_v) / (2 * (1 + r)) ** 0.5, rho)
    return cosine_accuracy(rho)


def test_the_true_recursion_does_not_fail():
    assert verdict() != "fails"


@pytest.mark.parametrize("fault", [infinitely_many_pairs, one_round_less, an_angle_to_the_verifier_that_stays])
def test_planted_faults_are_caught(fault):
    assert verdict(fault) == "fails"
