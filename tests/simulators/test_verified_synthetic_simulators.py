"""Training on verified labels: simulators against NumPy on the same rows, fast forms against direct ones, faults."""

from dataclasses import replace
from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from planted import beside_theory_of, run_small
from scipy import stats

from simulations import verified_synthetic as experiment
from theorylab import problems, simulators, theory
from theorylab.compare.judge import judge
from theorylab.simulators.verified_synthetic import _subspace

family = simulators.verified_synthetic
D = 6
SPECTRUM, MU = np.linspace(0.5, 1.5, D), np.full(D, 0.5)
TASK = dict(spectrum=SPECTRUM, mu=MU, lam=0.1, phi=0.9, psi=0.4)


def draws(simulate, count, name="accuracy", seed=0):
    run = jax.jit(lambda keys: jax.lax.map(lambda key: simulate(key)[name], keys))
    return np.asarray(run(jax.random.split(jax.random.key(seed), count)))


def agree(first, second, level=1e-4):
    """Means within four standard errors, and a Kolmogorov-Smirnov test, entry by entry."""
    first, second = (x.reshape(len(x), -1).T for x in (first, second))
    for a, b in zip(first, second):
        assert abs(a.mean() - b.mean()) < 4 * np.hypot(a.std() / len(a) ** 0.5, b.std() / len(b) ** 0.5)
        assert stats.ks_2samp(a, b).pvalue > level


# ----------------------------------------------------------------------------------------- the same rows, and one law


def test_the_mixture_equals_numpy_on_the_same_rows():
    key, n, n_real, p = jax.random.key(3), 30, 4, 0.3
    key_y, key_z, key_u = jax.random.split(jax.random.fold_in(key, 0), 3)
    y = np.asarray(jax.random.rademacher(key_y, (64,), float))[:34]
    z = np.asarray(jax.random.normal(key_z, (64, D)))[:34]
    flip, coin = np.asarray(jax.random.uniform(key_u, (2, 64)))[:, :34]
    x, real = y[:, None] * MU + z * np.sqrt(SPECTRUM), np.arange(34) < n_real
    wrong = (flip < p) & ~real
    keep = real | (coin < np.where(wrong, 0.4, 0.9))
    w = np.linalg.solve(x[keep].T @ x[keep] / 34 + 0.1 * np.eye(D), x[keep].T @ np.where(wrong, -y, y)[keep] / 34)
    score = MU @ w / np.sqrt(w @ (SPECTRUM * w))
    found = jax.jit(lambda key: family.simulate_verified_mixture(key, **TASK, n=n, p=p, n_real=n_real, chunk=64))(key)
    np.testing.assert_allclose(found["accuracy"], stats.norm.cdf(score), rtol=1e-10)
    best = np.sqrt(MU @ (MU / SPECTRUM))
    np.testing.assert_allclose(found["agreement"], theory.bayes_agreement(score / best, best), rtol=1e-10)


def test_several_flip_rates_share_the_rows():
    rates, key = np.array([0.1, 0.6]), jax.random.key(4)
    run = jax.jit(lambda p: family.simulate_verified_mixture(key, **TASK, n=20, p=p, chunk=32)["accuracy"])
    both, each = run(rates), [run(p) for p in rates]
    np.testing.assert_allclose(both, each, rtol=1e-13)


@cache
def group_program():
    rates = np.array([0.2, 0.7])
    one = lambda key, n, n_real: family.simulate_verified_groups(key, **TASK, n=n, p=rates, n_real=n_real)["accuracy"]
    return jax.jit(lambda keys, n, n_real: jax.lax.map(lambda key: one(key, n, n_real), keys))


def groups(n, n_real=0):
    return np.asarray(group_program()(jax.random.split(jax.random.key(1), 1500), float(n), float(n_real)))


FEW = [(12, 0), pytest.param(40, 3, marks=pytest.mark.slow), pytest.param(3, 0, marks=pytest.mark.slow)]


@pytest.mark.parametrize("n, n_real", FEW)
def test_groups_have_the_law_of_the_rows(n, n_real):
    """With more and with fewer pairs than dimensions, and sometimes none."""
    setting = dict(**TASK, p=np.array([0.2, 0.7]), n_real=n_real)
    direct = draws(lambda key: family.simulate_verified_mixture(key, n=n, **setting, chunk=n + n_real), 1500)
    agree(direct, groups(n, n_real))


def test_four_pairs_less_are_seen():
    """The test above has the power to see a difference."""
    with pytest.raises(AssertionError):
        agree(groups(12), groups(8))


def test_axes_of_the_groups():
    axes = dict(n=np.array([10.0, 30.0]), p=np.array([0.1, 0.5, 0.8]), psi=np.array([0.2, 0.4]))
    found = family.simulate_verified_groups(jax.random.key(0), **{**TASK, **axes})["accuracy"]
    assert found.shape == (2, 3, 2)
    one = family.simulate_verified_groups(jax.random.key(0), **{**TASK, "n": 30.0, "p": 0.5})["accuracy"]
    np.testing.assert_allclose(found[1, 1, 1], one, rtol=1e-12)


def row_by_row(key, n, d, angles, lam):
    """A linear generator and verifier on rows of all d coordinates; the same for a NumPy user."""
    truth, g, v = (np.pad(np.asarray(row), (0, d - 3)) for row in problems.verifier_directions(*angles))
    rng = np.random.default_rng(key)
    x = rng.normal(size=(n, d))
    given = np.sign(x @ g)
    kept = given * (x @ v) > 0
    w = np.linalg.solve(x[kept].T @ x[kept] / n + lam * np.eye(d), x[kept].T @ given[kept] / n)
    return 1 - np.arccos(w @ truth / np.linalg.norm(w)) / np.pi


def test_drawing_three_coordinates_has_the_law_of_drawing_all():
    angles, n, d = (0.5, 0.7, 0.2), 40, 8
    direct = np.array([row_by_row(i, n, d, angles, 0.1) for i in range(800)])
    panel = lambda key: family.simulate_verifier_panel(
        key, d, n, 0.1, 0.5, np.array([0.7]), np.array([0.2]), np.ones(1), np.ones(1), 50, ("linear",), (0,)
    )
    agree(direct, draws(panel, 800)[:, 0, 0])
    chain = lambda key: simulators.verified_self_training.simulate_verified_self_training(
        key, d, np.array([40.0]), 40, 0.1, *angles, (1,)
    )
    agree(direct, draws(chain, 800)[:, 0])


def test_counts_of_the_kept_rows_in_bounded_memory():
    """Chunks that do not divide the limits: the sums of all limits are those of the first rows."""
    label = lambda x, u: ((_subspace.sign(x[:, 0]), (u < 0.5).astype(float)),)
    limits = jnp.array([5, 13, 30])
    whole = _subspace.accumulate(jax.random.key(1), limits, 30, 2, label, chunk=8)
    rows = []
    for start in range(0, 32, 8):
        key_x, key_u = jax.random.split(jax.random.fold_in(jax.random.key(1), start))
        x, u = (np.asarray(f(k, (8, 2))) for f, k in ((jax.random.normal, key_x), (jax.random.uniform, key_u)))
        rows.append(np.concatenate([x, np.sign(x[:, :1]), u < 0.5], 1))
    rows = np.concatenate(rows)
    for i, limit in enumerate((5, 13, 30)):
        for series in (0, 1):
            F = rows[:limit, :3] * rows[:limit, 3 + series, None]
            np.testing.assert_allclose(whole[i, series], F.T @ F, rtol=1e-12, atol=1e-12)


def test_rates_are_those_of_the_angles():
    found = draws(lambda key: family.simulate_linear_verifier_rates(key, 0.6, 0.8, 0.48, 500, 10), 40, "p_star")
    assert abs(found.mean() - 0.752878) < 4 * found.std() / 40**0.5 + 1e-3


def test_digits_keep_the_images():
    task = problems.digits_task(1, (8,), 170, 20)
    assert task.positive.shape == task.negative.shape == (170, 20)
    means = task.positive.mean(0), task.negative.mean(0)
    np.testing.assert_allclose(means[0], -means[1], atol=1e-12)
    np.testing.assert_allclose(np.linalg.norm(means[0]), task.mu_norm)
    within = (np.cov(task.positive.T, bias=True) + np.cov(task.negative.T, bias=True)) / 2
    np.testing.assert_allclose(within, np.eye(20), atol=1e-10)
    for change in (dict(digit=11), dict(against=(1,)), dict(images=400), dict(d=0)):
        with pytest.raises(ValueError, match=f"^{next(iter(change))} = "):
            problems.digits_task(**{**dict(digit=1, against=(8,), images=170, d=20), **change})


PANEL = dict(d=10, n=20, lam=0.1, rho_g=0.5, rho_v=np.array([0.7]), r=np.array([0.2]), phi=np.ones(1), psi=np.ones(1),
             labelled=50, kind=("linear",), verifier=(0,))  # fmt: skip
SCALING = dict(d=10, n_0=5, n_v=(5, 5), lam=0.1, rate=0.5, selection=("none",), n=(20,))
CLASSES = dict(
    positive=np.ones((5, 2)), negative=-np.ones((5, 2)), n_0=2, n=5, lam=0.1, labelled=5, gaussian=0, n_v=(2,)
)
MEASURED = dict(rho_g=0.5, rho_v=0.5, r=0.2, labelled=9, sets=2)
COIN = dict(d=10, lam=0.1, p=0.3, phi=0.5, model=("noise",), n=(20,), psi=np.array([0.2]))
CHAIN = dict(d=10, sizes=np.array([9.0]), most=10, lam=0.1, rho_g=0.5, rho_v=0.7, r=0.2, rounds=(1,))


@pytest.mark.parametrize("simulate, given, change, message", [
    (family.simulate_verified_mixture, {**TASK, "n": 9, "p": 0.2}, dict(p=1.2), "p = 1.2"),
    (family.simulate_verified_mixture, {**TASK, "n": 9, "p": 0.2}, dict(n=0), "n, n_real"),
    (family.simulate_verified_groups, {**TASK, "n": 9, "p": 0.2}, dict(phi=-1.0), "phi = -1.0"),
    (family.simulate_verified_transition, {**TASK, "n": 9, "width": 0.1}, dict(width=2.0), "width"),
    (family.simulate_verifier_panel, PANEL, dict(kind=("linaer",)), "kind"),
    (family.simulate_verifier_panel, PANEL, dict(d=3), "d = 3"),
    (family.simulate_verified_scaling, SCALING, dict(selection=("weka",)), "selection = weka"),
    (family.simulate_verified_scaling, SCALING, dict(rate=2.0), "rate = 2.0"),
    (family.simulate_verified_classes, CLASSES, dict(lam=0.0), "lam = 0.0"),
    (family.simulate_verified_classes, CLASSES, dict(gaussian=2), "gaussian = 2"),
    (family.simulate_coin_verifier, COIN, dict(model=("coin",)), "model"),
    (family.simulate_coin_verifier, COIN, dict(psi=np.array([1.5])), "psi"),
    (family.simulate_linear_verifier_rates, MEASURED, dict(sets=3), "sets"),
    (family.simulate_linear_verifier_rates, MEASURED, dict(r=-1.0), "rho_g"),
    (simulators.verified_self_training.simulate_verified_self_training, CHAIN, dict(rounds=(2,)), "rounds"),
    (simulators.verified_self_training.simulate_verified_self_training, CHAIN, dict(sizes=np.array([11.0])), "sizes"),
    (problems.random_verifiers, dict(count=5, rho_g=0.5, seed=0), dict(rho_g=1.0), "rho_g"),
    (problems.isotropic_mixture, dict(d=5, mu_norm=1.0), dict(d=0), "d = 0"),
], ids=lambda x: getattr(x, "__name__", next(iter(x)) if isinstance(x, dict) else x))  # fmt: skip
def test_outside_the_domain_is_refused_by_name(simulate, given, change, message):
    key = {} if simulate.__module__.startswith("theorylab.problems") else {"key": jax.random.key(0)}
    with pytest.raises(ValueError, match=message):
        simulate(**key, **{**given, **change})


# ------------------------------------------------------------------------------------- the claims, and planted faults

SMALL = dict(
    breakdown=dict(d=40, n=(160, 800), p=(0.1, 0.5, 0.7), psi=(0.3,), replicates=400),
    models=dict(d=40, n=(800,), psi=(0.1, 0.4, 0.9), replicates=150),
)
CLOSED = dict(
    breakdown="In a Gaussian mixture the accuracy",
    models="The accuracy is the closed form's for labels wrong by chance",
)


@cache
def simulated(name):
    return run_small(experiment, name, **SMALL[name])


def verdict(name, predict=None):
    """Verdict on the closed form; on another one, if it is given."""
    sweep, result = simulated(name)
    if predict:
        result = beside_theory_of(result, name, replace(sweep, predict=predict))
    (claim,) = [c for c in experiment.CLAIMS if c.sweeps == (name,) and c.says.startswith(CLOSED[name])]
    return judge(claim, {name: result}).verdict


def mixture_fault(change):
    def predict(spectrum, mu, n: float, lam: float, p: float, phi: float, psi: float):
        given = dict(spectrum=spectrum, mu=mu, n=n, lam=lam, p=p, phi=phi, psi=psi)
        return theory.verified_gmm_accuracy(**{**given, **change(given)})

    return predict


MIXTURE_FAULTS = {
    "the verifier counts for nothing": lambda x: dict(phi=1.0, psi=1.0),
    "rates exchanged": lambda x: dict(phi=x["psi"], psi=x["phi"]),
    "ridge per kept pair": lambda x: dict(lam=10 * x["lam"]),
    "all pairs are kept": lambda x: dict(n=x["n"] / theory.verifier_keep_rate(x["p"], x["phi"], x["psi"])),
}


def sharp_for_generators(model: str, p: float, phi: float, psi: float, d: float, n: float, lam: float):
    """The breakdown of independent noise, believed of a linear generator."""
    return experiment.coin_accuracy("noise", p, phi, psi, d, n, lam)


def smooth_for_noise(model: str, p: float, phi: float, psi: float, d: float, n: float, lam: float):
    return experiment.coin_accuracy("generator", p, phi, psi, d, n, lam)


def samples_per_dimension_inverted(model: str, p: float, phi: float, psi: float, d: float, n: float, lam: float):
    return experiment.coin_accuracy(model, p, phi, psi, n, d, lam)


@pytest.mark.parametrize("name", SMALL)
def test_the_true_formula_does_not_fail(name):
    assert verdict(name) != "fails"  # at most 1e-3 by chance


@pytest.mark.parametrize("fault", MIXTURE_FAULTS)
def test_planted_faults_in_the_mixture_are_caught(fault):
    assert verdict("breakdown", mixture_fault(MIXTURE_FAULTS[fault])) == "fails"


@pytest.mark.parametrize("fault", [sharp_for_generators, smooth_for_noise, samples_per_dimension_inverted])
def test_planted_faults_in_the_models_are_caught(fault):
    assert verdict("models", fault) == "fails"


# ------------------------------------------------------------------------------------------- theory, at d = 100 (slow)


@pytest.mark.slow
@pytest.mark.parametrize("angles", [(0.6, 0.8, 0.48), (0.5, 0.3, 0.6), (0.3, 0.9, -0.1)])
def test_linear_verifier_in_a_mixture(angles):
    """NumPy, d = 120, n = 480, |mu| = 1.2: four standard errors and 0.005."""
    d, n, found = 120, 480, []
    directions = np.pad(np.asarray(problems.verifier_directions(*angles)), ((0, 0), (0, d - 3)))
    mu, g, v = 1.2 * directions[0], *directions[1:]
    for seed in range(60):
        rng = np.random.default_rng(seed)
        y = rng.choice([-1.0, 1.0], n)
        x = y[:, None] * mu + rng.normal(size=(n, d))
        given = np.sign(x @ g)
        kept = given * (x @ v) > 0
        w = np.linalg.solve(x[kept].T @ x[kept] / n + 0.01 * np.eye(d), x[kept].T @ given[kept] / n)
        found.append(stats.norm.cdf(mu @ w / np.linalg.norm(w)))
    expected = theory.linear_verifier_accuracy_gmm(1.2, *angles, d / n, 0.01).accuracy
    assert abs(np.mean(found) - expected) < 4 * np.std(found) / 60**0.5 + 0.005


@pytest.mark.slow
@pytest.mark.parametrize("n, p, phi, psi, lam", [(300, 0.3, 0.9, 0.2, 0.1), (150, 0.5, 0.8, 0.6, 0.02)])
def test_any_spectrum(n, p, phi, psi, lam):
    spectrum, mu = np.arange(1, 101) ** -0.5, np.linspace(0, 0.25, 100)
    one = lambda key: family.simulate_verified_groups(key, spectrum, mu, n, lam, p, phi, psi)
    samples = draws(one, 400)
    expected = theory.verified_gmm_accuracy(spectrum, mu, n, lam, p, phi, psi).accuracy
    assert abs(samples.mean() - expected) < 4 * samples.std() / 20 + 0.005
