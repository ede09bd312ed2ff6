"""Training on the responses of another policy: the simulators against NumPy and the theory; planted faults."""

from dataclasses import replace
from functools import cache

import jax
import numpy as np
import pytest
from planted import beside_theory_of, run_small

from simulations import off_policy_reinforce as experiment
from theorylab import theory
from theorylab.compare.judge import judge
from theorylab.simulators.off_policy_reinforce import METHODS, simulate_baseline_share, simulate_off_policy_training

MU, R = np.array([0.2, 0.3, 0.4, 0.1]), np.array([1.0, 0.5, -1.0, -0.3])
POINT = dict(mu=MU, R=R, start=1.5, eta=0.3, samples=8, steps=(1, 4, 12), gradient=METHODS, response=(1, 4))


def train(gradient, key):
    """One run of one gradient, sample by sample."""
    logits, path = np.array([0, 0, 0, 1.5]), []
    for t in range(12):
        u = np.asarray(jax.random.uniform(jax.random.fold_in(key, t), (8,), np.float32))
        pi = np.exp(logits) / np.exp(logits).sum()
        push = np.zeros(4)
        for y in np.searchsorted(np.float32(np.cumsum(MU)[:-1]), u, side="right"):
            ratio = min(pi[y] / MU[y], 1.0)
            weight = dict(
                naive=1.0, truncated=ratio, tapered=1.0 if R[y] >= 0 else ratio, positives=float(R[y] > 0)
            )[gradient]  # fmt: skip
            push += weight * R[y] * (np.eye(4)[y] - pi) / 8
        logits = logits + 0.3 * push
        path.append(logits)
    return np.array(path)


def test_every_gradient_equals_numpy_on_the_same_samples():
    key = jax.random.key(5)
    found = simulate_off_policy_training(key, **POINT)
    for i, gradient in enumerate(METHODS):
        path = train(gradient, key)
        pi = np.exp(path) / np.exp(path).sum(1, keepdims=True)
        gap = path[:, :2].mean(1) - path[:, 2:].mean(1)
        at = [0, 3, 11]
        np.testing.assert_allclose(found["max_logit"][i], np.abs(path).max(1)[at], rtol=1e-10)
        np.testing.assert_allclose(found["reward"][i], (pi @ R)[at], rtol=1e-10)
        np.testing.assert_allclose(found["wrong"][i], pi[at, 2:].sum(1), rtol=1e-10)
        np.testing.assert_allclose(found["gap"][i], gap[at], rtol=1e-9)
        np.testing.assert_allclose(found["rate"][i], (gap[11] - gap[5]) / 6, rtol=1e-9)
        np.testing.assert_allclose(found["final_policy"][i], pi[11, [0, 3]], rtol=1e-10)
        np.testing.assert_allclose(found["final_wrong"][i], pi[11, 2:].sum(), rtol=1e-10)


def test_the_share_of_weights_equals_that_of_the_examples_without_a_baseline():
    share = simulate_baseline_share(jax.random.key(0), 0.25, np.array([-0.5, 0.0, 0.5]), 4000)["share"]
    p = share[1]  # the share of the drawn examples
    np.testing.assert_allclose(share, [p * 1.5 / (p * 1.5 + (1 - p) * 0.5), p, p * 0.5 / (p * 0.5 + (1 - p) * 1.5)])
    np.testing.assert_allclose(p, 0.25, atol=4 * 0.5 / 4000**0.5)


@pytest.mark.parametrize("change, message", [
    (dict(gradient=("taper",)), "did you mean 'tapered'"),
    (dict(samples=0), "samples = 0"),
    (dict(steps=(0, 3)), "steps"),
    (dict(mu=np.array([0.0, 0.3, 0.6, 0.1])), "mu"),
    (dict(mu=MU[:3], R=R), "entries|[Tt]ype-check"),
    (dict(eta=0.0), "eta = 0"),
    (dict(R=np.abs(R)), "R ="),
    (dict(response=(5,)), "response"),
])  # fmt: skip
def test_outside_the_domain_is_refused_by_name(change, message):
    with pytest.raises(Exception, match=message):
        simulate_off_policy_training(jax.random.key(0), **{**POINT, **change})


@pytest.mark.parametrize("change, message", [
    (dict(p=1.5), "p = 1.5"), (dict(c=np.array([1.0])), "c ="), (dict(n=0), "n = 0"),
])  # fmt: skip
def test_impossible_examples_are_refused_by_name(change, message):
    with pytest.raises(ValueError, match=message):
        simulate_baseline_share(jax.random.key(0), **{**dict(p=0.5, c=np.zeros(1), n=10), **change})


# ------------------------------------------------------------------------------------- the claims, and planted faults

SMALL = dict(
    training=dict(p=(0.15, 0.5), steps=(1000,), replicates=128),
    decay=dict(p=(0.5,), horizon=(500, 1000, 2000), replicates=256),
    baseline=dict(p=(0.3,), n=1024, replicates=64),
)


@cache
def simulated(name):
    return run_small(experiment, name, **SMALL[name])


def verdicts(name, **predict):
    """Verdicts of the claims that compare a sweep with theory; with other predictors, if some are given."""
    sweep, result = simulated(name)
    claims = [c for c in experiment.CLAIMS if c.sweeps == (name,) and c.kind in ("exact", "asymptotic")]
    if predict:
        claims = [c for c in claims if c.of in predict]
        result = beside_theory_of(result, name, replace(sweep, predict=predict))
    return [judge(claim, {name: result}).verdict for claim in claims]


def rate_of_the_wrong_alone(mu, R, eta: float, gradient: str):
    return 2 / 3 * experiment.rate(mu, R, eta, gradient)  # 1/n_+ without 1/n_-


def rate_of_right_weights(mu, R, eta: float, gradient: str):
    return experiment.rate(mu, -R, eta, gradient)


def policy_of_the_rewards(mu, R, gradient: str, response: float):
    return 0.5 * experiment.final_policy(mu, R, gradient, response) / experiment.final_policy(mu, R, gradient, response)


def policy_of_the_data(mu, R, gradient: str, response: float):
    return experiment.final_policy(mu, R, gradient, response) * mu[:2].sum()


def wrong_without_the_drift(mu, R, eta: float, horizon: float, gradient: str):
    return theory.tapered_off_policy_wrong_mass(mu, R, eta, horizon) * (1 + mu[:2].sum())


def wrong_without_sharing(mu, R, eta: float, horizon: float, gradient: str):
    return experiment.final_wrong(mu, R, eta, horizon, gradient) * 6 / 2


def negative_baseline(p: float, c: float):
    return theory.effective_positive_fraction(p, -c)


def other_share(p: float, c: float):
    return p * (1 - c) / (1 + (1 - p) * c)


FAULTS = [
    ("training", dict(rate=rate_of_the_wrong_alone)),
    ("training", dict(rate=rate_of_right_weights)),
    ("training", dict(final_policy=policy_of_the_rewards)),
    ("training", dict(final_policy=policy_of_the_data)),
    ("decay", dict(final_wrong=wrong_without_the_drift)),
    ("decay", dict(final_wrong=wrong_without_sharing)),
    ("baseline", dict(share=negative_baseline)),
    ("baseline", dict(share=other_share)),
]


@pytest.mark.parametrize("name", SMALL)
def test_the_true_formula_does_not_fail(name):
    assert "fails" not in verdicts(name)  # at most 1e-3 per claim by chance


@pytest.mark.parametrize(
    "name, fault", FAULTS, ids=lambda x: x if isinstance(x, str) else next(iter(x.values())).__name__
)
def test_planted_faults_are_caught(name, fault):
    assert "fails" in verdicts(name, **fault)
