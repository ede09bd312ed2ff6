"""Chains of ridge fits: the same data through scikit-learn, faster forms of the same law, exact formulas."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import Ridge

from theorylab import problems, simulators, theory

family = simulators.regression_collapse
D, LAM = 6, np.array([1e-2, 0.3])
SPECTRUM = np.linspace(0.5, 2.0, D)
W_STAR = np.linspace(-1.0, 1.0, D)


def replicates(simulate, count, seed=0):
    """[count, ...]: risks of independent replicates, one lane at a time."""
    keys = jax.random.split(jax.random.key(seed), count)
    return np.asarray(jax.jit(lambda keys: jax.lax.map(lambda key: simulate(key)["risk"], keys))(keys))


def score(samples, expected):
    """Deviation of the mean in standard errors."""
    return (samples.mean(0) - expected) / (samples.std(0, ddof=1) / len(samples) ** 0.5)


def recorded_chain(key, T, T0, lam, lam0, sigma, sigma0, generations):
    """The draws of the direct simulator, fitted by scikit-learn."""
    key_design, key_noise = jax.random.split(key)
    fold = jax.random.fold_in

    def rows(m, n):
        return np.asarray(jax.random.normal(fold(key_design, m), (n, D))) * np.sqrt(SPECTRUM)

    def noise(m, n):
        return np.asarray(jax.random.normal(fold(key_noise, m), (n,)))

    def fit(X, y, penalty):
        return Ridge(alpha=len(X) * penalty, fit_intercept=False, solver="cholesky").fit(X, y).coef_

    weights = [W_STAR]
    for m in range(1, max(generations) + 1):
        X = rows(m, T0)
        weights.append(fit(X, X @ weights[-1] + sigma0 * noise(m, T0), lam0))
    X = rows(0, T)
    labels = [X @ weights[g] + sigma * noise(0, T) for g in generations]
    return [[SPECTRUM @ (fit(X, y, penalty) - W_STAR) ** 2 for y in labels] for penalty in lam]


@pytest.mark.parametrize("T, T0", [(4, 20), (20, 4), (20, 20)])
def test_the_direct_simulator_is_scikit_learns_ridge_on_the_same_data(T, T0):
    key, generations = jax.random.key(7), (0, 1, 3)
    ours = family.simulate_ridge_chain(key, SPECTRUM, W_STAR, T, T0, LAM, 0.1, 0.3, 0.2, generations)["risk"]
    theirs = recorded_chain(key, T, T0, LAM, 0.1, 0.3, 0.2, generations)
    np.testing.assert_allclose(ours, theirs, rtol=1e-10)


def test_a_scalar_penalty_and_a_single_generation_drop_their_axes():
    arguments = (jax.random.key(0), SPECTRUM, W_STAR, 12, 20)
    grid = family.simulate_ridge_chain(*arguments, LAM, 0.0, 0.3, 0.2, (0, 2))["risk"]
    scalar = family.simulate_ridge_chain(*arguments, LAM[1], 0.0, 0.3, 0.2, 2)["risk"]
    np.testing.assert_allclose(scalar, grid[1, 1], rtol=1e-10)


def test_without_noise_probes_change_nothing_and_with_it_they_share_the_design():
    arguments = (jax.random.key(3), SPECTRUM, W_STAR, 12, 20, LAM, 0.1)
    direct = family.simulate_ridge_chain(*arguments, 0.0, 0.0, (0, 2))["risk"]
    probes = family.simulate_ridge_chain(*arguments, 0.0, 0.0, (0, 2), probes=4)["risk"]
    np.testing.assert_allclose(direct, probes, rtol=1e-12)


def test_many_probes_are_the_noise_average_of_their_design():
    arguments = (jax.random.key(3), SPECTRUM, W_STAR, 12, 20, LAM, 0.1, 0.3, 0.2, (0, 2))
    fine = family.simulate_ridge_chain(*arguments, probes=40_000)["risk"]
    bias = family.simulate_ridge_chain(*arguments[:7], 0.0, 0.0, (0, 2))["risk"]
    coarse = family.simulate_ridge_chain(*arguments, probes=400)["risk"]
    # a mean of K squared norms of d directions: relative spread below sqrt(2 / K) of the noise part
    assert np.all(np.abs(fine - coarse) < 5 * np.sqrt(2 / 400) * (fine - bias))


FORMS = {
    "probes": partial(family.simulate_ridge_chain, probes=4),
    "noise averaged": family.simulate_ridge_chain_noise_averaged,
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("T, T0, lam0", [(4, 20, 0.0), (12, 20, 0.0), (12, 20, 0.2), (12, 3, 0.0), (4, 3, 0.1)])
def test_faster_forms_have_the_mean_of_the_direct_one_and_less_spread(form, T, T0, lam0):
    arguments = (SPECTRUM, W_STAR, T, T0, LAM, lam0, 0.3, 0.2, (0, 1, 3))
    direct = replicates(lambda key: family.simulate_ridge_chain(key, *arguments), 6000)
    fast = replicates(lambda key: FORMS[form](key, *arguments), 6000, seed=1)
    difference = fast.mean(0) - direct.mean(0)
    error = np.sqrt((fast.var(0, ddof=1) + direct.var(0, ddof=1)) / 6000)
    assert np.abs(difference / error).max() < 5  # 6 points: a chance of 3e-6
    assert np.all(fast.var(0) < direct.var(0))


def test_a_wrong_number_of_degrees_of_freedom_is_caught(monkeypatch):
    """The planted fault that the comparison of forms must see: Gram factors of T0 - 1 samples."""
    from theorylab.simulators.regression_collapse import averaged

    draw = averaged.draw_inverse_wishart_traces
    monkeypatch.setattr(averaged, "draw_inverse_wishart_traces", lambda key, d, T, n: draw(key, d, T - 1, n))
    arguments = (SPECTRUM, W_STAR, 12, 12, LAM, 0.0, 0.3, 0.5, (5,))
    direct = replicates(lambda key: family.simulate_ridge_chain(key, *arguments, probes=8), 6000)
    fast = replicates(lambda key: family.simulate_ridge_chain_noise_averaged(key, *arguments), 6000, seed=1)
    error = np.sqrt((fast.var(0, ddof=1) + direct.var(0, ddof=1)) / 6000)
    assert np.all((fast.mean(0) - direct.mean(0)) / error > 5)


@pytest.mark.parametrize("T", [4, 12, 400])
def test_the_form_for_least_squares_generators_draws_what_the_general_one_draws(T):
    common = dict(spectrum=SPECTRUM, w_star=W_STAR, lam=LAM, sigma=0.3, sigma0=0.2, generations=(0, 1, 4))
    key = jax.random.key(5)
    general = family.simulate_ridge_chain_noise_averaged(key, T=T, T0=20, lam0=0.0, **common)["risk"]
    special = family.simulate_ols_chain_noise_averaged(key, T=T, T0=20, rows=min(T, D), **common)["risk"]
    np.testing.assert_allclose(special, general, rtol=1e-12)


@pytest.mark.parametrize("simulate", [family.simulate_ridge_chain, family.simulate_ridge_chain_noise_averaged])
def test_least_squares_chains_have_their_exact_risk(simulate):
    samples = replicates(lambda key: simulate(key, SPECTRUM, W_STAR, 16, 24, 0.0, 0.0, 0.4, 0.3, (0, 3)), 20_000)
    expected = [float(theory.ols_collapse_risk(D, n, 16, 24, 0.4, 0.3)) for n in (0, 3)]
    assert np.abs(score(samples, expected)).max() < 5
    assert np.abs(samples.mean(0) / expected - 1).max() < 0.03


@pytest.mark.parametrize("design, expected", [
    ("generators", lambda n: theory.ols_collapse_risk(D, n, 20, 20, 0.4, 0.3)),
    ("last", lambda n: theory.ols_collapse_risk(D, n - 1, 20, 20, (0.4**2 + 0.3**2) ** 0.5, 0.3)),
    ("all", lambda n: theory.ols_collapse_risk(D, 0, 20, 20, (0.4**2 + n * 0.3**2) ** 0.5, 0.3)),
])  # fmt: skip
def test_shared_designs_have_their_exact_risk(design, expected):
    simulate = lambda key: family.simulate_ridge_chain(
        key, SPECTRUM, W_STAR, 20, 20, 0.0, 0.0, 0.4, 0.3, (1, 3), design=design, probes=4
    )
    samples = replicates(simulate, 10_000)
    assert np.abs(score(samples, [float(expected(n)) for n in (1, 3)])).max() < 5


@pytest.mark.parametrize("shared, teachers", [(False, 1), (True, 1), (False, 5), (True, 5)])
def test_interpolating_generators_have_their_exact_risk(shared, teachers):
    simulate = lambda key: family.simulate_minnorm_chain(
        key, 20, 12, 0.3, (0, 1, 4), shared=shared, teachers=teachers, probes=2
    )
    samples = replicates(simulate, 8000)
    expected = [float(theory.isotropic_minnorm_generator_risk(20, n, 12, 0.3, 1.0, shared)) for n in (1, 4)]
    assert np.all(samples[:, 0] < 1e-20)  # no generator, no error
    assert np.abs(score(samples[:, 1:], expected)).max() < 5


def small_population():
    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(40, 3))
    return problems.rbf_kernel(inputs), rng.normal(size=(40, 2))


@pytest.mark.parametrize("lam", [np.array([1e-3, 0.1]), np.array(0.02)])
def test_the_kernel_chain_is_scikit_learns_kernel_ridge_on_the_same_data(lam):
    K, F = small_population()
    key, T, T0, generations = jax.random.key(2), 15, 12, (0, 1, 3)
    ours = family.simulate_kernel_chain(key, K, F, T, T0, lam, 0.05, 0.3, 0.2, generations)["risk"]
    key_design, key_noise = jax.random.split(key)

    def draw(key, shape):
        return np.sort(np.asarray(jax.random.randint(key, shape, 0, 40, jnp.int32)), -1)

    drawn = [draw(key_design, (T,)), *draw(jax.random.fold_in(key_design, 1), (4, T0))]

    def stage(m, size, values, sigma, penalty):
        points = drawn[m]
        noise = np.asarray(jax.random.normal(jax.random.fold_in(key_noise, m), (size, 2)))
        model = KernelRidge(alpha=size * penalty, kernel="precomputed")
        return model.fit(K[np.ix_(points, points)], values[points] + sigma * noise).predict(K[:, points])

    chain = [F]
    for m in range(1, 4):
        chain.append(stage(m, T0, chain[-1], 0.2, 0.05))
    fits = [[stage(0, T, chain[g], 0.3, penalty) for g in generations] for penalty in np.atleast_1d(lam)]
    theirs = [[((fit - F) ** 2).sum() / 40 for fit in row] for row in fits]
    np.testing.assert_allclose(ours, theirs if lam.ndim else theirs[0], rtol=1e-9)


def test_kernel_probes_have_the_mean_of_single_draws():
    K, F = small_population()
    arguments = (K, F, 15, 12, LAM, 0.05, 0.3, 0.2, (0, 2))
    single = replicates(lambda key: family.simulate_kernel_chain(key, *arguments), 3000)
    probed = replicates(lambda key: family.simulate_kernel_chain(key, *arguments, probes=4), 3000, seed=1)
    error = np.sqrt((single.var(0, ddof=1) + probed.var(0, ddof=1)) / 3000)
    assert np.abs((single.mean(0) - probed.mean(0)) / error).max() < 5


@pytest.mark.parametrize("change, message", [
    (dict(lam=np.float64(-1.0)), "lam"),
    (dict(lam0=-0.1), "lam0 = -0.1"),
    (dict(sigma=-0.1), "sigma = -0.1"),
    (dict(sigma0=-0.1), "sigma0 = -0.1"),
    (dict(generations=()), "generations = ()"),
    (dict(generations=(-1,)), "generations = (-1,)"),
    (dict(T=0), "T = 0"),
    (dict(T0=0), "T0 = 0"),
])  # fmt: skip
@pytest.mark.parametrize("form", ["simulate_ridge_chain", "simulate_ridge_chain_noise_averaged"])
def test_bad_arguments_are_named(form, change, message):
    good = dict(spectrum=SPECTRUM, w_star=W_STAR, T=12, T0=20, lam=0.1, lam0=0.0, sigma=0.3, sigma0=0.2,
                generations=(0, 1))  # fmt: skip
    with pytest.raises(ValueError) as caught:
        getattr(family, form)(jax.random.key(0), **{**good, **change})
    assert message in str(caught.value)


def test_an_unknown_design_suggests_the_nearest():
    with pytest.raises(ValueError, match="did you mean 'fresh'"):
        family.simulate_ridge_chain(jax.random.key(0), SPECTRUM, W_STAR, 9, 9, 0.1, 0.0, 0.1, 0.1, (1,), design="fesh")


def test_probes_expose_the_signature_that_the_engine_binds_by():
    import inspect

    names = list(inspect.signature(family.simulate_ridge_chain).parameters)
    assert names[0] == "key" and "noise" not in names and names[-1] == "probes"
    with pytest.raises(ValueError, match="probes = -1"):
        family.simulate_minnorm_chain(jax.random.key(0), 20, 12, 0.3, (1,), probes=-1)


def test_triangular_factors_have_the_law_of_gram_matrices():
    from theorylab.numerics.random_matrices import wishart_factor

    keys = jax.random.split(jax.random.key(0), 4000)
    factors = np.asarray(jax.jit(jax.vmap(lambda key: wishart_factor(key, 3, 7)))(keys))
    direct = np.random.default_rng(0).normal(size=(4000, 7, 3))
    ours, theirs = factors @ factors.transpose(0, 2, 1), direct.transpose(0, 2, 1) @ direct
    for statistic in (np.trace, np.linalg.det, lambda a: a[..., 0, 1]):
        pair = (statistic(x, axis1=1, axis2=2) if statistic is np.trace else statistic(x) for x in (ours, theirs))
        assert stats.ks_2samp(*pair).pvalue > 1e-5
    assert jnp.isnan(jax.jit(lambda T: wishart_factor(keys[0], 3, T))(2.0)).all()
