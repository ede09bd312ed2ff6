"""Rejection and refitting: the two forms against each other and NumPy; planted faults of the claims."""

from dataclasses import replace
from functools import cache

import jax
import numpy as np
import pytest
from ml_collections import ConfigDict
from planted import beside_theory_of
from scipy import stats

from simulations import bootstrapping as experiment
from theorylab import simulators, theory
from theorylab.compare.judge import judge
from theorylab.sweep.execute import run_sweep

ARGUMENTS = dict(
    theta0_norm=1.5, n_schedule=np.array([3.0, 7.0, 20.0]), rounds=(0, 1, 2, 3), d=2, sigma=1.0, kappa=1.2, lr=0.8
)


@cache
def samples(form, count=4000, **change):
    run = lambda key: getattr(simulators, form)(key, **{**ARGUMENTS, **change})
    keys = jax.random.split(jax.random.key(1), count)
    return jax.tree.map(np.asarray, jax.jit(lambda keys: jax.lax.map(run, keys, batch_size=50))(keys))


def test_both_forms_have_one_law():
    direct, law = samples("simulate_bootstrapping"), samples("simulate_bootstrapping_exact_law")
    np.testing.assert_array_equal(direct["kept"], law["kept"])
    for t in (1, 2, 3):
        assert stats.ks_2samp(direct["mse"][:, t], law["mse"][:, t]).pvalue > 1e-3
    spread = (direct["generated"][:, 1:].var(0) + law["generated"][:, 1:].var(0)) / 4000
    z = (direct["generated"] - law["generated"])[:, 1:].mean(0) / np.sqrt(spread)
    assert np.abs(z).max() < 4


def test_blocks_of_draws_do_not_change_the_law():
    """Kept and generated samples do not depend on how many are drawn at a time."""
    one, many = samples("simulate_bootstrapping", 1500, draws=1), samples("simulate_bootstrapping", 1500, draws=256)
    for name in ("mse", "generated"):
        assert stats.ks_2samp(one[name][:, 3], many[name][:, 3]).pvalue > 1e-3


def test_rejection_follows_the_theory():
    arguments = [ARGUMENTS[name] for name in ("theta0_norm", "n_schedule", "d", "sigma", "kappa", "lr")]
    measured = samples("simulate_bootstrapping")
    cost = np.concatenate([[0.0], np.cumsum(theory.bootstrapping_generation_cost(*arguments))])
    for name, expected in (
        ("mse", theory.bootstrapping_mse(*arguments)), ("reward", theory.bootstrapping_reward(*arguments)),
        ("generated", cost),
    ):  # fmt: skip
        values = measured[name][:, 1:]
        z = (values.mean(0) - expected[1:]) / (values.std(0) / np.sqrt(len(values)))
        assert np.abs(z).max() < 4, name


@pytest.mark.parametrize("form", ["simulate_bootstrapping", "simulate_bootstrapping_exact_law"])
@pytest.mark.parametrize("change, message", [
    (dict(sigma=0.0), "sigma = 0.0"),
    (dict(kappa=-1.0), "kappa = -1.0"),
    (dict(lr=0.0), "lr = 0.0"),
    (dict(theta0_norm=-1.0), "theta0_norm"),
    (dict(n_schedule=np.array([0.5, 2.0, 2.0])), "n_schedule"),
    (dict(n_schedule=np.array([1.5, 2.0, 2.0])), "n_schedule"),
    (dict(rounds=(4,)), "rounds"),
    (dict(d=0), "d = 0"),
])  # fmt: skip
def test_outside_the_domain_is_refused_by_name(form, change, message):
    with pytest.raises(ValueError, match=message):
        getattr(simulators, form)(jax.random.key(0), **{**ARGUMENTS, **change})


# ------------------------------------------------------------------------------------- the claims, and planted faults


@cache
def simulated():
    config = experiment.get_config("quick").to_dict()
    config["rejection"].update(replicates=2000, lr=(0.5,))
    sweep = experiment.experiment(ConfigDict(config)).sweeps["rejection"]
    return sweep, run_sweep("rejection", sweep)


def verdicts(change=lambda **given: given):
    sweep, result = simulated()

    def faulty(name):
        def predict(theta0_norm, n_schedule, d: float, sigma: float, kappa: float, rounds: float, lr: float):
            given = dict(
                theta0_norm=theta0_norm, n_schedule=n_schedule, d=d, sigma=sigma, kappa=kappa, rounds=rounds, lr=lr
            )
            return experiment.each_round(**change(**given))[name]

        return predict

    theirs = replace(sweep, predict={name: faulty(name) for name in sweep.measure})
    result = beside_theory_of(result, "rejection", theirs)
    claims = [claim for claim in experiment.CLAIMS if claim.sweeps == ("rejection",)]
    return [judge(claim, {"rejection": result}).verdict for claim in claims]


FAULTS = {
    "width of the reward for its square": lambda kappa, **rest: dict(rest, kappa=kappa**2),
    "a full step": lambda lr, **rest: dict(rest, lr=1.0),
    "one round too few": lambda rounds, **rest: dict(rest, rounds=np.float64(1.0)),
    "twice the samples": lambda n_schedule, **rest: dict(rest, n_schedule=2 * n_schedule),
    "another dimension": lambda d, **rest: dict(rest, d=d + 1),
}


def test_the_true_formula_does_not_fail():
    assert "fails" not in verdicts()


@pytest.mark.parametrize("fault", FAULTS)
def test_planted_faults_are_caught(fault):
    assert "fails" in verdicts(FAULTS[fault])
