"""Sequences of least-squares fits: the simulators against NumPy, each other and the theory; planted faults."""

from dataclasses import replace
from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from ml_collections import ConfigDict
from planted import beside_theory_of
from scipy import stats

from simulations import accumulate_replace as experiment
from theorylab import theory
from theorylab.compare.judge import judge
from theorylab.simulators.accumulation import simulate_accumulation, simulate_accumulation_noise_averaged
from theorylab.sweep.execute import run_sweep

SIZES, SIGMAS, FITS = (60, 30, 90, 45), np.array([1.0, 0.5, 0.7, 1.2]), (1, 2, 3, 4)


def sample(simulate, replicates, *arguments, seed=0, **options):
    keys = jax.random.split(jax.random.key(seed), replicates)
    one = lambda key: simulate(key, *arguments, **options)["risk"]
    return np.asarray(jax.jit(lambda keys: jax.lax.map(one, keys, batch_size=16))(keys))


# --------------------------------------------------------------------------------------------- the same data in NumPy


def blocks_of(key, sizes, sigmas, d, shared):
    """The designs and noises that the simulator draws for a key."""
    key_design, key_noise = jax.random.split(key)
    largest = max(sizes)
    for i, (size, sigma) in enumerate(zip(sizes, sigmas), start=1):
        X = jax.random.normal(jax.random.fold_in(key_design, 0 if shared else i), (largest, d))
        noise = jax.random.normal(jax.random.fold_in(key_noise, i), (largest,))
        yield np.asarray(X)[:size], sigma * np.asarray(noise)[:size]


@pytest.mark.parametrize("strategy, sizes", [
    ("replace", SIZES), ("accumulate", SIZES), ("accumulate", (60, 5, 0, 45)), ("accumulate_shared", (60, 60, 60, 60)),
])  # fmt: skip
def test_weights_equal_least_squares_of_numpy_on_the_same_data(strategy, sizes):
    d, key = 20, jax.random.key(3)
    truth = np.full(d, d**-0.5)
    rows, labels, w, expected = np.zeros((0, d)), np.zeros(0), truth, []
    for X, noise in blocks_of(key, sizes, SIGMAS, d, strategy == "accumulate_shared"):
        keep = 0 if strategy == "replace" else len(rows)
        rows, labels = np.concatenate([rows[:keep], X]), np.concatenate([labels[:keep], X @ w + noise])
        w = np.linalg.lstsq(rows, labels)[0]
        expected.append(np.sum((w - truth) ** 2))
    risk = jax.jit(lambda key: simulate_accumulation(key, d, sizes, SIGMAS, FITS, strategy)["risk"])(key)
    np.testing.assert_allclose(risk, expected, rtol=1e-10)


def test_the_pool_keeps_its_labels_and_is_drawn_without_replacement():
    """Noise in the first block alone, to first order in d/T: e_2 = e_1/2 + (noise of half of block 1), of variance
    1/4 + 1/2 + 1/2, in units of the variance of e_1; with replacement, or labels drawn anew, it would be smaller."""
    noise = np.array([1.0, 0.0, 0.0])
    risk = sample(simulate_accumulation, 600, 5, (60,) * 3, noise, (1, 2, 3), "subsample", probes=32).mean(0)
    np.testing.assert_allclose(risk / risk[0], [1, 1.25, 1.25], atol=0.05)


# --------------------------------------------------------------------------------------------------- equal in law


@pytest.mark.parametrize("strategy", ["replace", "accumulate", "accumulate_shared"])
def test_the_noise_averaged_form_has_the_same_mean_and_the_probes_too(strategy):
    setting = (4, (12,) * 3, np.array([1.0, 0.5, 2.0]), (1, 2, 3), strategy)
    direct = sample(simulate_accumulation, 4000, *setting)
    probed = sample(simulate_accumulation, 4000, *setting, probes=8)
    averaged = sample(simulate_accumulation_noise_averaged, 4000, 4, np.full(3, 12.0), *setting[2:], seed=1)
    for other in (probed, averaged):
        assert np.all(stats.ttest_ind(direct, other, equal_var=False).pvalue > 1e-3)
        assert np.all(other.var(0) < direct.var(0))


def test_the_noise_averaged_form_has_the_law_of_traces_of_inverse_gram_matrices():
    averaged = sample(
        simulate_accumulation_noise_averaged, 2000, 3, np.array([9.0, 9.0]), np.ones(2), (1, 2), "accumulate"
    )
    X = np.random.default_rng(0).normal(size=(2000, 2, 9, 3))
    gram = X.transpose(0, 1, 3, 2) @ X
    first = np.trace(np.linalg.inv(gram[:, 0]), axis1=1, axis2=2)
    both = np.linalg.inv(gram.sum(1))
    second = first + np.trace(both @ gram[:, 1] @ both, axis1=1, axis2=2)
    for mine, other in zip(averaged.T, (first, second)):
        assert stats.ks_2samp(mine, other).pvalue > 1e-3


def test_neither_covariance_nor_truth_changes_the_risk_of_least_squares():
    """NumPy, correlated inputs and another truth, on the same white rows: the risk is the same."""
    rng, d = np.random.default_rng(0), 6
    X, noise, root = rng.normal(size=(30, d)), rng.normal(size=30), rng.normal(size=(d, d))
    error = np.linalg.lstsq(X, noise)[0]
    truth = rng.normal(size=d)
    w = np.linalg.lstsq(X @ root.T, X @ root.T @ truth + noise)[0]
    np.testing.assert_allclose(np.sum((root.T @ (w - truth)) ** 2), np.sum(error**2), rtol=1e-9)


# -------------------------------------------------------------------------------------------------------- bad input


@pytest.mark.parametrize("change, message", [
    (dict(strategy="acumulate"), "did you mean 'accumulate'"),
    (dict(d=0), "d = 0"),
    (dict(sizes=(19, 60, 60, 60)), "sizes .* the first block"),
    (dict(sizes=(60, -1, 60, 60)), "sizes"),
    (dict(sizes=(60, 19, 60, 60), strategy="replace"), "sizes .* every block"),
    (dict(strategy="subsample"), "sizes .* equal blocks"),
    (dict(strategy="accumulate_shared"), "sizes .* equal blocks"),
    (dict(sizes=(60, 60)), "sizes has 2 entries, but sigmas has 4"),
    (dict(sigmas=np.array([1.0, -1.0, 1.0, 1.0])), "sigmas"),
    (dict(fits=(0, 1)), "fits"),
    (dict(fits=(5,)), "fits"),
    (dict(fits=()), "fits"),
])  # fmt: skip
def test_outside_the_domain_is_refused_by_name(change, message):
    arguments = {**dict(d=20, sizes=SIZES, sigmas=SIGMAS, fits=FITS, strategy="accumulate"), **change}
    with pytest.raises(ValueError, match=message):
        simulate_accumulation(jax.random.key(0), **arguments)


@pytest.mark.parametrize("change, message", [
    (dict(strategy="subsample"), "subsample"),
    (dict(sizes=np.array([60.0, 19.0, 60.0, 60.0])), "sizes .* every block"),
])  # fmt: skip
def test_the_noise_averaged_form_refuses_what_it_cannot_do(change, message):
    sizes = np.array(SIZES, float)
    arguments = {**dict(d=20, sizes=sizes, sigmas=SIGMAS, fits=FITS, strategy="accumulate"), **change}
    with pytest.raises(ValueError, match=message):
        simulate_accumulation_noise_averaged(jax.random.key(0), **arguments)


# ------------------------------------------------------------------------------------- the claims, and planted faults


SMALL = dict(
    risk=dict(blocks=6, fits=(1, 2, 4, 6), replicates=256),
    pool=dict(T=(40, 80, 160), blocks=6, fits=(1, 2, 4, 6), replicates=128),
    ratio=dict(d_per_T=(0.1, 0.4), blocks=10, fits=(1, 10), replicates=128),
    schedule=dict(blocks=10, fits=(1, 3, 10), replicates=64),
)


@cache
def simulated(name):
    config = experiment.get_config("quick").to_dict()
    config[name].update(SMALL[name])
    sweep = experiment.experiment(ConfigDict(config)).sweeps[name]
    return sweep, run_sweep(name, sweep)


def verdicts(name, predict=None):
    """Verdicts of the claims that compare a sweep with theory; with another predictor, if one is given."""
    sweep, result = simulated(name)
    if predict:
        result = beside_theory_of(result, name, replace(sweep, predict=predict))
    claims = [c for c in experiment.CLAIMS if c.sweeps == (name,) and c.kind in ("exact", "asymptotic")]
    return [judge(claim, {name: result}).verdict for claim in claims]


def wrong(risk):
    """A predictor of the experiment with `risk(strategy, d, T, n, sigmas)` in place of the closed forms."""

    def predict(strategy: str, d: float, T: float, sigmas, fits: float):
        n = jnp.arange(1, len(sigmas) + 1, dtype=float)
        return risk(strategy, d, T, n, jnp.asarray(sigmas))[jnp.asarray(fits, int) - 1]

    return predict


def true_risk(strategy, d, T, n, sigmas):
    if strategy == "subsample":
        return sigmas[0] ** 2 * d / (T - d - 1) * theory.subsampled_accumulation_factor(len(n))
    weight = {"replace": 1 / (T - d - 1), "accumulate": 1 / (n * (n * T - d - 1))}.get(
        strategy, 1 / (n**2 * (T - d - 1))
    )
    return d * jnp.cumsum(sigmas**2 * weight)


FAULTS = {
    "T - d for T - d - 1": lambda s, d, T, n, g: true_risk(s, d - 1, T, n, g) * d / (d - 1),
    "replacing adds nothing": lambda s, d, T, n, g: (
        true_risk(s, d, T, n, g) if s != "replace" else g**2 * d / (T - d - 1)
    ),
    "the standard deviation for the variance": lambda s, d, T, n, g: true_risk(s, d, T, n, jnp.sqrt(g)),
    "one block too many": lambda s, d, T, n, g: true_risk(s, d, T, n, g) * (1 if s != "replace" else (n + 1) / n),
    "the shared design for fresh ones": lambda s, d, T, n, g: true_risk(
        "accumulate_shared" if s == "accumulate" else s, d, T, n, g
    ),
    "fresh designs for the shared one": lambda s, d, T, n, g: true_risk(
        "accumulate" if s == "accumulate_shared" else s, d, T, n, g
    ),
}


@pytest.mark.parametrize("name", SMALL)
def test_the_true_formula_does_not_fail(name):
    assert "fails" not in verdicts(name)  # at most 1e-3 per claim by chance
    if name != "schedule":
        assert verdicts(name) == verdicts(name, wrong(true_risk))


@pytest.mark.parametrize("fault", FAULTS)
def test_planted_faults_are_caught(fault):
    assert "fails" in verdicts("risk", wrong(FAULTS[fault]))


@pytest.mark.parametrize("factor", [
    lambda n: 2 * jnp.cumsum(n**-2) - 1,  # common rows carry no common noise
    lambda n: jnp.cumsum(n**-2),  # the factor of accumulation
    lambda n: jnp.cumsum(1 / n),  # an average that was not squared
])  # fmt: skip
def test_planted_faults_of_the_pool_are_caught(factor):
    unit = lambda d, T, sigmas: sigmas[0] ** 2 * d / (T - d - 1)
    assert verdicts("pool", wrong(lambda s, d, T, n, g: unit(d, T, g) * factor(n))) == ["fails"]


@pytest.mark.parametrize("sweep", ["schedule", "ratio"])
def test_a_dropped_share_of_the_rows_is_caught(sweep):
    fault = wrong(lambda s, d, T, n, g: d * jnp.cumsum(g**2 / (n * T - d - 1)))
    assert verdicts(sweep, fault) == ["fails"]


@pytest.mark.slow
@pytest.mark.parametrize("strategy", ["replace", "accumulate"])
def test_unequal_sizes_and_noises_within_four_standard_errors(strategy):
    risk = sample(simulate_accumulation, 6000, 20, SIZES, SIGMAS, FITS, strategy)
    formula = theory.replacement_ols_risk if strategy == "replace" else theory.accumulation_ols_risk
    z = (risk.mean(0) - formula(20, np.array(SIZES), SIGMAS)) / (risk.std(0) / np.sqrt(len(risk)))
    assert np.all(np.abs(z) < 4)
