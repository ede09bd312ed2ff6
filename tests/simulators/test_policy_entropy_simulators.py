"""Entropy in training: masks, steps and whole trainings against loops in NumPy; planted faults."""

from dataclasses import replace
from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from ml_collections import ConfigDict
from planted import beside_theory_of

from simulations import policy_entropy as experiment
from theorylab import theory
from theorylab.compare.judge import judge
from theorylab.problems.policy_entropy_steps import aligned_policy_step
from theorylab.simulators.policy_entropy import (
    clip_cov_mask,
    kl_cov_mask,
    simulate_sampled_entropy_change,
    simulate_score_norms,
)
from theorylab.sweep.execute import run_sweep

# -------------------------------------------------------------------------------------------------------------- masks

RNG = np.random.default_rng(0)
LOGPI, ADV = RNG.normal(size=40) - 2, RNG.normal(size=40)
COV = (LOGPI - LOGPI.mean()) * (ADV - ADV.mean())


@pytest.mark.parametrize("frac, count", [(0.001, 1), (0.1, 4), (0.29, 11), (0.3, 12), (1.0, 40)])
def test_kl_cov_takes_the_largest_covariances(frac, count):
    mask = np.asarray(kl_cov_mask(LOGPI, ADV, frac))
    np.testing.assert_array_equal(np.flatnonzero(mask), np.sort(np.argsort(-COV)[:count]))


def test_a_share_that_rounding_spoils_is_not_cut():
    assert kl_cov_mask(RNG.normal(size=100), RNG.normal(size=100), 0.29).sum() == 29  # 0.29 * 100 = 28.999..


def test_ties_are_taken_by_their_position():
    np.testing.assert_array_equal(kl_cov_mask(np.zeros(5), np.zeros(5), 0.4), [1, 1, 0, 0, 0])


@pytest.mark.parametrize("frac, lo, hi, count", [(0.1, 0.2, 3.0, 4), (1.0, 0.2, 3.0, None), (0.1, 50.0, 60.0, 0)])
def test_clip_cov_takes_some_of_the_candidates(frac, lo, hi, count):
    candidates = (COV >= lo) & (COV <= hi)
    masks = np.array([clip_cov_mask(jax.random.key(i), LOGPI, ADV, lo, hi, frac) for i in range(6)])
    assert np.all(masks.sum(1) == (candidates.sum() if count is None else count))
    assert not np.any(masks & ~candidates)
    assert (len(np.unique(masks, axis=0)) > 1) == (count == 4)  # at random, unless all or none are taken


@pytest.mark.slow
def test_clip_cov_takes_all_candidates_equally_often():
    masks = jax.vmap(lambda key: clip_cov_mask(key, LOGPI, ADV, 0.2, 3.0, 0.1))(
        jax.random.split(jax.random.key(0), 4000)
    )
    candidates = (COV >= 0.2) & (COV <= 3)
    rate = 4 / candidates.sum()
    error = np.sqrt(rate * (1 - rate) / 4000)
    assert np.all(np.abs(np.asarray(masks).mean(0)[candidates] - rate) < 4.5 * error)


# -------------------------------------------------------------------------------------------------------- single steps


def test_a_sampled_step_equals_numpy():
    logpi, adv = aligned_policy_step(0.5, 5)
    key, pi = jax.random.key(3), np.exp(logpi)
    out = simulate_sampled_entropy_change(key, logpi, adv, 0.3, 7, (False, True))["change"]
    o = np.searchsorted(np.cumsum(pi)[:-1], jax.random.uniform(key, (7,)), side="right")
    A = adv - pi @ adv
    entropy = lambda z: -np.sum(np.exp(z - np.logaddexp.reduce(z)) * (z - np.logaddexp.reduce(z)))
    plain = np.mean([A[i] * ((np.arange(5) == i) - pi) for i in o], axis=0)
    natural = np.mean([A[i] * (np.arange(5) == i) / pi for i in o], axis=0)
    expected = [entropy(logpi + 0.3 * step) - entropy(logpi) for step in (plain, natural)]
    np.testing.assert_allclose(out, expected, rtol=1e-11)


def test_score_norms_are_those_of_the_formula():
    logits = np.sort(1.5 * np.asarray(jax.random.normal(jax.random.key(2), (6,))))
    pi = np.exp(logits) / np.exp(logits).sum()
    out = simulate_score_norms(jax.random.key(2), 6, 1.5, (0, 3, 5))
    norms = [theory.softmax_score_norm(pi, a) for a in (0, 3, 5)]
    np.testing.assert_allclose(out["norm"], norms, rtol=1e-11)
    np.testing.assert_allclose(out["ratio"], norms / (1 - pi[[0, 3, 5]]), rtol=1e-11)


KEY = jax.random.key(0)


@pytest.mark.parametrize("call, message", [
    (lambda: clip_cov_mask(KEY, LOGPI, ADV, 1.0, 0.5, 0.1), "lo = 1.0"),
    (lambda: kl_cov_mask(LOGPI, ADV, 0.0), "frac = 0.0"),
    (lambda: kl_cov_mask(LOGPI, ADV, 1.1), "frac = 1.1"),
    (lambda: kl_cov_mask(LOGPI, ADV[:3], 0.1), "40 entries, but adv has 3"),
    (lambda: simulate_sampled_entropy_change(KEY, LOGPI, ADV, 0.1, 0, (False,)), "batch = 0"),
    (lambda: simulate_sampled_entropy_change(KEY, LOGPI, ADV, 0.1, 2, ()), "natural"),
    (lambda: simulate_sampled_entropy_change(KEY, LOGPI, ADV, -0.1, 2, (False,)), "eta = -0.1"),
    (lambda: simulate_score_norms(KEY, 1, 1.0, (0,)), "Y = 1"),
    (lambda: simulate_score_norms(KEY, 4, 1.0, (4,)), "answer"),
    (lambda: simulate_score_norms(KEY, 4, -1.0, (0,)), "spread"),
])  # fmt: skip
def test_outside_the_domain_is_refused_by_name(call, message):
    with pytest.raises(ValueError, match=message):
        call()


# ------------------------------------------------------------------------------------- the claims, and planted faults

SMALL = dict(sampled=dict(alignment=(-0.9, 0.9), replicates=512), steps=dict(instance=tuple(range(32)), eta=(0.001,)))


@cache
def simulated(name):
    config = experiment.get_config("quick").to_dict()
    config[name].update(SMALL[name])
    sweep = experiment.experiment(ConfigDict(config)).sweeps[name]
    return sweep, run_sweep(name, sweep)


def verdicts(name, **predict):
    sweep, result = simulated(name)
    if predict:
        faulty = replace(sweep, predict={**dict.fromkeys(sweep.measure, sweep.predict), **predict})
        if isinstance(sweep.predict, dict):
            faulty = replace(sweep, predict={**sweep.predict, **predict})
        result = beside_theory_of(result, name, faulty)
    claims = [c for c in experiment.CLAIMS if c.sweeps == (name,) and c.kind in ("exact", "identity")]
    return [judge(claim, {name: result}).verdict for claim in claims]


def not_centred(logpi, adv, eta: float, natural: bool):
    """The advantage is centred after it has been multiplied by pi."""
    pi = jnp.exp(logpi)
    v = adv + 1.0 if natural else pi * (adv + 1.0)
    return -eta * jnp.sum(pi * (logpi - jnp.sum(pi * logpi)) * v)


def exchanged(logpi, adv, eta: float, natural: bool):
    return theory.policy_entropy_change(logpi, adv, eta, not natural)


def without_weights(logpi, adv, eta: float, natural: bool):
    """A covariance over answers instead of draws."""
    v = adv if natural else jnp.exp(logpi) * (adv - jnp.sum(jnp.exp(logpi) * adv))
    return -eta * jnp.mean((logpi - jnp.mean(logpi)) * (v - jnp.mean(v)))


def variance_alone(logpi, adv, natural: bool):
    pi = jnp.exp(logpi)
    v = adv - jnp.sum(pi * adv)
    v = v if natural else pi * v
    return -0.5 * (jnp.sum(pi * v**2) - jnp.sum(pi * v) ** 2)


def twice_the_remainder(logpi, adv, natural: bool):
    return 2 * theory.policy_entropy_remainder(logpi, adv, natural)


@pytest.mark.parametrize("name", SMALL)
def test_the_true_formulas_do_not_fail(name):
    assert "fails" not in verdicts(name)  # at most 1e-3 per claim by chance


@pytest.mark.parametrize("fault", [not_centred, exchanged, without_weights])
def test_planted_faults_of_the_law_are_caught(fault):
    assert "fails" in verdicts("sampled", change=fault)
    assert verdicts("steps", first_order=fault)[0] == "fails"


@pytest.mark.parametrize("fault", [variance_alone, twice_the_remainder])
def test_planted_faults_of_the_remainder_are_caught(fault):
    assert verdicts("steps", remainder=fault) == ["holds", "fails"]
