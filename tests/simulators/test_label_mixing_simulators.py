"""Rounds of fits to mixed labels: the simulators against NumPy, the claims, planted faults."""

from dataclasses import replace
from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from planted import beside_theory_of, run_small

from simulations import label_mixing as experiment
from theorylab import theory
from theorylab.compare.judge import judge
from theorylab.simulators import label_mixing as simulators

KEY, D = jax.random.key(5), 5
SPECTRUM, W_STAR = np.array([2.0, 1.0, 0.5, 0.3, 0.1]), np.array([0.3, -0.2, 0.5, 0.7, 1.0])
fits = jax.jit(simulators.simulate_label_mixing, static_argnames=("n", "rounds", "design"))
variance = jax.jit(simulators.simulate_label_mixing_variance, static_argnames=("n", "rounds"))
WEIGHTS, ROUNDS = np.array([0.0, 0.3, 1.0]), (0, 1, 4)


def normal(key, stage, shape):
    return np.asarray(jax.random.normal(jax.random.fold_in(key, stage), shape))


def by_hand(design, n, lam, sigma, sigma_syn):
    """Every fit by the normal equations or the pseudo-inverse, for one draw. Returns [weights, rounds]."""
    key_design, key_noise = jax.random.split(KEY)
    truth = W_STAR * np.sign(normal(key_noise, 0, (D,)))
    risks = np.empty((len(WEIGHTS), max(ROUNDS) + 1))
    for w, weight in enumerate(WEIGHTS):
        for t in range(max(ROUNDS) + 1):
            X = normal(key_design, t if design == "fresh" else 0, (n, D)) * np.sqrt(SPECTRUM)
            y = X @ truth + sigma * normal(key_noise, 1 if design == "fixed_real" else t + 1, (2, n))[0]
            if t > 0:
                y = weight * y + (1 - weight) * (X @ b + sigma_syn * normal(key_noise, t + 1, (2, n))[1])
            b = np.linalg.pinv(X) @ y if lam == 0 else np.linalg.solve(X.T @ X + n * lam * np.eye(D), X.T @ y)
            risks[w, t] = np.sum(SPECTRUM * (b - truth) ** 2)
    return risks[:, list(ROUNDS)]


@pytest.mark.parametrize("design, n", [("fixed", 3), ("fixed", 9), ("fresh", 3), ("fixed_real", 9)])
@pytest.mark.parametrize("lam", [0.0, 0.2])
def test_risks_equal_those_of_dense_fits_on_the_same_draws(design, n, lam):
    found = fits(KEY, SPECTRUM, W_STAR, n=n, lam=lam, real_weight=WEIGHTS, sigma=0.5, sigma_syn=0.8, rounds=ROUNDS,
                design=design)["risk"]  # fmt: skip
    np.testing.assert_allclose(found, by_hand(design, n, lam, 0.5, 0.8), rtol=1e-9)


def test_variance_is_the_risk_without_a_truth_in_units_of_real_labels_on_the_design():
    n, lam, s = 3, 0.1, np.array([0.2, 3.0])
    found = variance(KEY, SPECTRUM, n=n, lam=lam, s=s, real_weight=WEIGHTS, rounds=ROUNDS)["variance"]
    X = normal(jax.random.split(KEY)[0], 0, (n, D)) * np.sqrt(SPECTRUM)
    hat = np.linalg.solve(X.T @ X + n * lam * np.eye(D), X.T)
    unit = np.trace(SPECTRUM[:, None] * (hat @ hat.T))
    for i, level in enumerate(s):
        risk = fits(KEY, SPECTRUM, 0 * W_STAR, n=n, lam=lam, real_weight=WEIGHTS, sigma=1.0, sigma_syn=level**0.5,
                    rounds=ROUNDS, design="fixed")  # fmt: skip
        np.testing.assert_allclose(found[i], risk["risk"] / unit, rtol=1e-10)


@pytest.mark.parametrize("n", [3, 9])
def test_the_mean_fit_follows_the_filter_of_self_distillation(n):
    """On one design, eigenvalues x of X'X/n: steps of the filter at n x and n lam, first step to real labels."""
    lam, weight, rounds = 0.3, 0.4, 6
    only_truth = lambda stage, shape: jnp.where(stage == 0, 1.0, 0.0) * jnp.ones(shape)
    found = simulators.simulate_label_mixing.errors(
        KEY, only_truth, SPECTRUM, W_STAR, n, lam, np.array([weight]), 0.5, 0.8, tuple(range(rounds))
    )["risk"][0]
    X = normal(KEY, 0, (n, D)) * np.sqrt(SPECTRUM)
    x, U = np.linalg.eigh(X.T @ X / n)
    filters = theory.self_distillation_filter(n * np.maximum(x, 0), n * lam, np.array([1.0, *[weight] * (rounds - 1)]))
    expected = ((np.asarray(filters) - 1) * (U.T @ W_STAR)) @ U.T * np.sqrt(SPECTRUM)
    np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-12)


def test_means_equal_those_of_numpy_on_the_same_samples():
    n, m, chains = 4, 6, 3
    found = simulators.simulate_mean_mixing(KEY, n, m, WEIGHTS, 0.7, ROUNDS, chains)["risk"]
    for w, weight in enumerate(WEIGHTS):
        path = []
        for t in range(max(ROUNDS) + 1):
            samples = 0.7 * normal(KEY, t, (n + m, chains))
            real, synthetic = samples[:n].mean(0), samples[n:].mean(0)
            mu = real if t == 0 else weight * real + (1 - weight) * (mu + synthetic)
            path.append((mu**2).mean())
        np.testing.assert_allclose(found[w], np.array(path)[list(ROUNDS)], rtol=1e-12)


FITS = dict(
    spectrum=SPECTRUM, w_star=W_STAR, n=3, lam=0.1, real_weight=WEIGHTS, sigma=0.5, sigma_syn=0.8, rounds=ROUNDS
)
VARIANCE = dict(spectrum=SPECTRUM, n=3, lam=0.1, s=np.ones(1), real_weight=WEIGHTS, rounds=ROUNDS)
MEAN = dict(n=3, m=3, real_weight=WEIGHTS, sigma=0.5, rounds=ROUNDS)


@pytest.mark.parametrize("name, given, bad", [
    *(("simulate_label_mixing", FITS, {name: -1.0}) for name in ("lam", "sigma", "sigma_syn")),
    ("simulate_label_mixing", FITS, dict(spectrum=-SPECTRUM)),
    ("simulate_label_mixing", FITS, dict(n=0)),
    ("simulate_label_mixing", FITS, dict(real_weight=np.array([0.5, 1.1]))),
    ("simulate_label_mixing", FITS, dict(real_weight=np.array([-0.1]))),
    ("simulate_label_mixing", FITS, dict(rounds=())),
    ("simulate_label_mixing", FITS, dict(rounds=(-1, 2))),
    ("simulate_label_mixing_variance", VARIANCE, dict(s=np.array([-1.0]))),
    ("simulate_label_mixing_variance", VARIANCE, dict(lam=-1.0)),
    ("simulate_label_mixing_variance", VARIANCE, dict(rounds=())),
    ("simulate_label_mixing_variance", VARIANCE, dict(real_weight=np.array([2.0]))),
    *(("simulate_mean_mixing", MEAN, {name: 0}) for name in ("n", "m", "chains")),
    ("simulate_mean_mixing", MEAN, dict(sigma=-1.0)),
    ("simulate_mean_mixing", MEAN, dict(rounds=(-1,))),
])  # fmt: skip
def test_outside_the_domain_is_refused_by_name(name, given, bad):
    (argument,) = bad
    with pytest.raises(ValueError, match=rf"^{argument} = .* is outside its domain"):
        getattr(simulators, name)(KEY, **{**given, **bad})


def test_a_mistyped_design_is_refused():
    with pytest.raises(ValueError, match="did you mean 'fresh'"):
        simulators.simulate_label_mixing(KEY, **FITS, design="frehs")


# ------------------------------------------------------------------------------------- the claims, and planted faults

SMALL = dict(
    golden=dict(d=16, n=(8,), covariance=("power law",), s=(0.1, 1.0, 10.0), real_weight=(0.1, 0.3, 0.618, 0.9, 1.0),
                rounds=(1, 2, 5, 12), probes=16, replicates=100),
    mean=dict(real_weight=(0.2, 0.45, 0.8), rounds=(1, 3, 12), replicates=100),
    path=dict(d=30, n=12, design=("fresh", "fixed"), rounds=(0, 1, 3, 10), replicates=100),
    ridge=dict(d=(12, 24, 48), sigma=(1.0,), s=(1.0, 0.3), rounds=(12, 15), replicates=300),
)  # fmt: skip


@cache
def simulated(name):
    return run_small(experiment, name, **SMALL[name])


def verdicts(name, predict=None):
    """Verdicts of the claims that compare a sweep with theory; with another predictor, if one is given."""
    sweep, result = simulated(name)
    if predict:
        result = beside_theory_of(result, name, replace(sweep, predict=predict))
    claims = [c for c in experiment.CLAIMS if c.sweeps == (name,) and c.kind in ("exact", "asymptotic")]
    claims = [c for c in claims if c.where.get("design") != "fixed_real"]
    return [judge(claim, {name: result}).verdict for claim in claims]


def golden(change):
    def predict(real_weight: float, s: float, rounds: float):
        return change(real_weight, s, rounds)

    return predict


factor, steady = theory.label_mixing_variance_factor, theory.label_mixing_variance_factor_fixed_real
GOLDEN_FAULTS = {
    "noise ratio inverted": lambda r, s, t: factor(r, 1 / s, t),
    "decay not squared": lambda r, s, t: factor(r, s, t / 2),
    "one round too many": lambda r, s, t: factor(r, s, t + 1),
    "long run at every round": lambda r, s, t: factor(r, s),
    "real labels drawn once": lambda r, s, t: steady(r, s),
    "weights of real and synthetic labels exchanged": lambda r, s, t: factor(1 - r, s, t),
    "standard deviation for variance": lambda r, s, t: factor(r, s**0.5, t),
}


def path(change):
    def predict(
        d: float, n: float, real_weight: float, sigma: float, s: float, w_star_sq: float, rounds: float, design: str
    ):
        return change(d, n, real_weight, sigma, s, w_star_sq, rounds, design)

    return predict


PATH_FAULTS = {
    "designs exchanged": lambda *v: experiment.risk_of_round(*v[:-1], "fixed" if v[-1] == "fresh" else "fresh"),
    "no bias": lambda d, n, r, o, s, w, t, design: experiment.risk_of_round(d, n, r, o, s, 0.0 * w, t, design),
    "one round too many": lambda d, n, r, o, s, w, t, design: experiment.risk_of_round(d, n, r, o, s, w, t + 1, design),
    "large-size variance": lambda d, n, r, o, s, w, t, design: experiment.risk_of_round(
        1e9 * d, 1e9 * n, r, o, s, w, t, design
    ),
}


def ridges(change):
    def predict(n_per_d: float, lam: float, real_weight: float, sigma: float, s: float):
        return change(n_per_d, lam, real_weight, sigma, s)

    return predict


def clean_ridge(n_per_d, lam, sigma):
    return theory.ridge_bias_variance(jnp.array(experiment.LEVELS), jnp.full(2, 0.5**0.5), 2 * n_per_d, lam, sigma)


RIDGE_FAULTS = {
    "bias of the ridge itself": lambda n, lam, r, o, s: experiment.ridge_on_two_levels(n, lam, r, o, s)
    - clean_ridge(n, lam / r, o)[0] + clean_ridge(n, lam, o)[0],
    "variance of ridgeless fits": lambda n, lam, r, o, s: clean_ridge(n, lam / r, o)[0]
    + clean_ridge(n, lam, o)[1] * factor(r, s),
    "ridge doubled": lambda n, lam, r, o, s: experiment.ridge_on_two_levels(n, 2 * lam, r, o, s),
    "as many samples as dimensions": lambda n, lam, r, o, s: experiment.ridge_on_two_levels(1.0 + 0 * n, lam, r, o, s),
}  # fmt: skip


@pytest.mark.parametrize("name", ["golden", "mean", "path", pytest.param("ridge", marks=pytest.mark.slow)])
def test_the_true_formula_does_not_fail(name):
    assert "fails" not in verdicts(name)  # at most 1e-3 per claim by chance


@pytest.mark.parametrize("fault", GOLDEN_FAULTS)
def test_planted_faults_of_the_factor_are_caught(fault):
    assert "fails" in verdicts("golden", golden(GOLDEN_FAULTS[fault]))


def test_planted_fault_of_pooled_means_is_caught():
    def samples_exchanged(n: float, m: float, sigma: float, real_weight: float, rounds: float):
        return sigma**2 / n * theory.label_mixing_variance_factor(real_weight, m / n, rounds)

    assert "fails" in verdicts("mean", samples_exchanged)


@pytest.mark.parametrize("fault", PATH_FAULTS)
def test_planted_faults_of_the_rounds_are_caught(fault):
    assert "fails" in verdicts("path", path(PATH_FAULTS[fault]))


@pytest.mark.slow
@pytest.mark.parametrize("fault", RIDGE_FAULTS)
def test_planted_faults_of_ridge_are_caught(fault):
    assert "fails" in verdicts("ridge", ridges(RIDGE_FAULTS[fault]))
