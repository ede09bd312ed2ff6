"""Simulators of mixtures: the same data by other means, faster forms in law, theory at finite size, planted faults."""

import inspect
import re
import types

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import stats
from sklearn.linear_model import Ridge

from theorylab import simulators, theory
from theorylab.numerics.random_matrices import gram_rows
from theorylab.simulators import strong_collapse
from theorylab.simulators.strong_collapse import averaged, dynamic, mixture, sources

D = 8
RNG = np.random.default_rng(0)
SPECTRUM = np.arange(1, D + 1) ** -0.7
W1, DELTA = RNG.normal(size=(2, D))
PROBLEM = dict(spectrum=SPECTRUM, w1=W1, delta=DELTA)
NOISE = dict(sigma1=0.5, sigma2=0.3)
KEY = jax.random.key(7)


def draws(simulate, replicates, seed=1, field="risk"):
    """So many independent replicates."""
    keys = jax.random.split(jax.random.key(seed), replicates)
    one = lambda key: simulate(key)[field]
    return np.asarray(jax.jit(lambda keys: jax.lax.map(one, keys, batch_size=64))(keys))


def z_scores(samples, expected):
    return (samples.mean(0) - expected) / (samples.std(0, ddof=1) / np.sqrt(len(samples)))


# ------------------------------------------------------------------------------------------------------- the same data


def recorded(errors, *args, **kwargs):
    """The error vectors of one replicate and the noise that entered, by stage."""
    taken = {}

    def noise(stage, shape):
        taken[int(stage)] = np.random.default_rng(int(stage)).normal(size=shape)
        return jnp.asarray(taken[int(stage)])

    return np.asarray(errors(*args[:1], noise, *args[1:], **kwargs)["risk"]), taken


def design_of(key, n, m=None):
    key_rows, key_projections = jax.random.split(key)
    X = np.asarray(jax.random.normal(key_rows, (n, D))) * np.sqrt(SPECTRUM)
    return X, None if m is None else np.asarray(jax.random.normal(key_projections, (m, D))) / np.sqrt(D)


def check_direct(simulate, n1, n2, lam, m, a2):
    """One fit against scikit-learn on the same data."""
    error, noise = recorded(simulate.errors, KEY, **PROBLEM, n1=n1, n2=n2, **NOISE, lam=lam, m=m, a2=a2)
    n = n1 + n2
    X, S = design_of(KEY, n, m)
    labels = np.concatenate([X[:n1] @ W1, X[n1:] @ (W1 + DELTA)])
    labels = labels + np.repeat([0.5, 0.3], [n1, n2]) * noise[0]
    a = np.repeat([1.0, a2], [n1, n2])
    F = X if S is None else X @ S.T
    if lam:
        fitted = Ridge(alpha=n * lam, fit_intercept=False, solver="svd", tol=0).fit(F, labels, sample_weight=a).coef_
    else:
        fitted = np.linalg.lstsq(np.sqrt(a)[:, None] * F, np.sqrt(a) * labels)[0]
    w = fitted if S is None else S.T @ fitted
    assert_allclose(error, np.sqrt(SPECTRUM) * (w - W1), rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("m", [None, 5, 8, 30])
@pytest.mark.parametrize(("n1", "n2"), [(12, 6), (4, 2), (18, 0)])
@pytest.mark.parametrize("lam", [0.1, 0.0])
def test_one_fit_against_scikit_learn(n1, n2, lam, m):
    check_direct(simulators.simulate_mixture, n1, n2, lam, m, a2=0.4)


def test_a_grid_of_ridges_is_one_ridge_after_the_other():
    lam = np.array([0.0, 0.01, 1.0])
    for m in (None, 5, 30):
        setting = dict(**PROBLEM, n1=14, n2=7, **NOISE, m=m)
        grid = simulators.simulate_mixture(KEY, **setting, lam=lam)["risk"]
        single = [simulators.simulate_mixture(KEY, **setting, lam=x)["risk"] for x in lam]
        assert_allclose(grid, single, rtol=1e-9)


def test_mixing_again_and_again_against_numpy():
    mu0, cov0 = RNG.normal(size=D), RNG.exponential(size=D)
    for lam, n1, n2 in ((0.0, 10, 6), (0.05, 3, 2)):
        # the noise is recorded stage by stage, which a scan would trace
        chain = dict(spectrum=SPECTRUM, w1=W1, mu0=mu0, cov0=cov0, n1=n1, n2=n2, **NOISE, lam=lam, steps=3)
        with jax.disable_jit():
            error, noise = recorded(dynamic.simulate_dynamic_mixing.errors, KEY, **chain)
        w = W1 + mu0 + np.sqrt(cov0) * noise[0]
        assert_allclose(error[0], np.sqrt(SPECTRUM) * (w - W1), rtol=1e-12)
        for t in (1, 2, 3):
            X = np.asarray(jax.random.normal(jax.random.fold_in(KEY, t), (n1 + n2, D))) * np.sqrt(SPECTRUM)
            y = np.concatenate([X[:n1] @ W1, X[n1:] @ w]) + np.repeat([0.5, 0.3], [n1, n2]) * noise[t]
            w = np.linalg.solve(X.T @ X + (n1 + n2) * lam * np.eye(D), X.T @ y)
            assert_allclose(error[t], np.sqrt(SPECTRUM) * (w - W1), rtol=1e-9, atol=1e-11)
    chosen = simulators.simulate_dynamic_mixing(KEY, SPECTRUM, W1, mu0, cov0, 10, 6, **NOISE, lam=0.05, steps=(3, 0))
    every = simulators.simulate_dynamic_mixing(KEY, SPECTRUM, W1, mu0, cov0, 10, 6, **NOISE, lam=0.05, steps=3)
    assert_allclose(chosen["risk"], every["risk"][np.array([3, 0])], rtol=1e-12)


def some_sources(rng, d=D):
    roots = rng.normal(size=(3, d, d)) / np.sqrt(d)
    Sigmas = roots @ roots.transpose(0, 2, 1) + 0.1 * np.eye(d)
    return dict(Sigmas=Sigmas[:2], Sigma_test=Sigmas[2], thetas=rng.normal(size=(2, d)), w_star=rng.normal(size=d),
                sigmas=(0.5, 0.3), weights=(1.0, 0.4), lam=0.05, theta0=rng.normal(size=d))  # fmt: skip


def test_several_sources_against_numpy():
    point = some_sources(RNG)
    ns = (9, 5)
    error, noise = recorded(sources.simulate_multi_source.errors, KEY, **point, ns=ns)
    system, target = 14 * 0.05 * np.eye(D), 14 * 0.05 * point["theta0"]
    for k, n in enumerate(ns):
        Z = np.asarray(jax.random.normal(jax.random.fold_in(KEY, k), (n, D)))
        X = Z @ np.linalg.cholesky(point["Sigmas"][k]).T
        y = X @ point["thetas"][k] + point["sigmas"][k] * noise[k]
        system, target = system + point["weights"][k] * X.T @ X, target + point["weights"][k] * X.T @ y
    gap = np.linalg.solve(system, target) - point["w_star"]
    assert_allclose(error @ error, gap @ point["Sigma_test"] @ gap, rtol=1e-10)


def check_averaged(module, m, n1=5, n2=9, lam=0.07):
    """The averages over noise, truth and shift, given the Gram matrices that were drawn, by the dual system."""
    a1, a2, c2 = 0.8, 1.3, 0.6
    w1_sq, shift_sq = W1**2, DELTA**2
    got = module.simulate_mixture_averaged(
        KEY, SPECTRUM, w1_sq, shift_sq, c2, n1, n2, **NOISE, lam=lam, m=m, a1=a1, a2=a2
    )
    keys = jax.random.split(KEY, 3)
    R1, R2 = (np.asarray(gram_rows(k, n, D)) * np.sqrt(SPECTRUM) for k, n in zip(keys, (n1, n2)))
    B = np.eye(D) if m is None else np.asarray(gram_rows(keys[2], m, D)).T / np.sqrt(D)
    weights = np.sqrt(np.repeat([a1, a2], D))
    F = weights[:, None] * np.vstack([R1, R2])
    fit = B @ np.linalg.solve((F @ B) @ (F @ B).T + (n1 + n2) * lam * np.eye(2 * D), F @ B).T  # weighted labels -> w
    energy = lambda error, moments: np.sum(SPECTRUM[:, None] * error**2 * moments[None])
    shift = (fit * weights)[:, D:] @ R2
    parts = dict(bias=energy(fit @ F - np.eye(D), w1_sq), zeta=c2 * energy(shift, shift_sq),
                 variance=energy(fit * weights, np.repeat([0.25, 0.09], D)))  # fmt: skip
    for name, value in (*parts.items(), ("total", sum(parts.values()))):
        assert_allclose(got[name], value, rtol=1e-9 if lam > 1e-6 else 1e-6)


@pytest.mark.parametrize("m", [None, 5, 8, 30])
def test_the_averaged_form_is_the_mean_given_the_design(m):
    check_averaged(averaged, m)
    check_averaged(averaged, m, n1=3, n2=2, lam=1e-8)


# ------------------------------------------------------------------------------------------------ equality of the laws


def test_gram_rows_have_the_law_of_the_gram_matrix():
    """Kolmogorov-Smirnov tests of four functionals, fewer and more rows than dimensions."""
    keys = jax.random.split(jax.random.key(3), 4000)
    for n in (1, 3, 5, 9):
        R = jax.vmap(lambda key: gram_rows(key, n, 5))(keys)  # noqa: B023
        X = np.random.default_rng(n).normal(size=(4000, n, 5))
        assert (np.asarray(R)[:, n:] == 0).all()
        fast, direct = (np.einsum("...ri,...rj->...ij", A, A) for A in (np.asarray(R), X))
        functionals = [lambda G: G[:, 0, 0], lambda G: G[:, 3, 4], lambda G: G.trace(axis1=1, axis2=2),
                       lambda G: np.linalg.slogdet(G + np.eye(5))[1]]  # fmt: skip
        for functional in functionals:
            assert stats.ks_2samp(functional(fast), functional(direct)).pvalue > 1e-4
    wrong = jax.vmap(lambda key: gram_rows(key, 8, 5))(keys)
    G = np.einsum("...ri,...rj->...ij", np.asarray(wrong), np.asarray(wrong))
    assert stats.ks_2samp(functionals[3](G), functionals[3](direct)).pvalue < 1e-6  # one row too few is seen


def signs(simulate):
    """The direct form, at independent random signs of the entries of w1 and delta."""

    def one(key):
        key, key_w1, key_delta = jax.random.split(key, 3)
        w1, delta = (jax.random.rademacher(k, (D,), float) * x for k, x in ((key_w1, W1), (key_delta, DELTA)))
        return simulate(key, w1=w1, delta=delta)

    return one


def agree(direct, fast):
    error = np.hypot(direct.std() / np.sqrt(direct.size), fast.std() / np.sqrt(fast.size))
    return abs(direct.mean() - fast.mean()) < 4 * error


FORMS = [(12, 10, 5, 0.05), (3, 2, None, 0.05), (12, 10, 20, 0.0), (4, 2, 20, 0.05), (20, 10, None, 0.0)]


@pytest.mark.parametrize(
    ("n1", "n2", "m", "lam"), [FORMS[0], *(pytest.param(*form, marks=pytest.mark.slow) for form in FORMS[1:])]
)
def test_the_averaged_form_has_the_mean_of_the_direct_one(n1, n2, m, lam):
    setting = dict(n1=n1, n2=n2, **NOISE, lam=lam, m=m, a1=1.0, a2=0.7)
    direct = draws(signs(lambda key, **w: simulators.simulate_mixture(key, SPECTRUM, **w, **setting)), 4_000)
    one = lambda key: simulators.simulate_mixture_averaged(key, SPECTRUM, W1**2, DELTA**2, 1.0, **setting)
    fast = draws(one, 1_000, field="total")
    assert agree(direct, fast)
    assert fast.std() < 0.7 * direct.std()


@pytest.mark.parametrize("ns", [(12, 10), (3, 2)])
def test_averaged_sources_have_the_mean_of_the_direct_ones(ns):
    point = some_sources(np.random.default_rng(5))
    direct = draws(lambda key: simulators.simulate_multi_source(key, **point, ns=ns, probes=4), 2_000)
    fast = draws(lambda key: simulators.simulate_multi_source_averaged(key, **point, ns=ns), 2_000, field="total")
    assert agree(direct, fast)


def test_probes_keep_the_mean():
    setting = dict(**PROBLEM, n1=12, n2=10, **NOISE, lam=0.05)
    direct = draws(lambda key: simulators.simulate_mixture(key, **setting), 4_000)
    assert agree(direct, draws(lambda key: simulators.simulate_mixture(key, **setting, probes=8), 2_000, seed=2))


# ----------------------------------------------------------------------------------------- theory, exact at finite size


def ols(d, n1, n2, c2=0.4):
    one = np.ones(d)
    return dict(spectrum=one, w1=one / np.sqrt(d), delta=np.sqrt(c2 / d) * one, n1=n1, n2=n2, **NOISE, lam=0.0)


@pytest.mark.parametrize(("n", "d", "n2"), [(60, 20, 30), (40, 30, 10), (30, 10, 24)])
def test_exact_least_squares(n, d, n2):
    """The exact form passes; the large-size form is rejected by the same test where it is off by several per cent."""
    setting = ols(d, n - n2, n2)
    samples = draws(lambda key: simulators.simulate_mixture(key, **setting, probes=8), 4_000)
    exact = theory.mixed_ols_risk(n - n2, n2, d, **NOISE, c2=0.4)
    assert abs(z_scores(samples, float(exact.total))) < 4
    if n == 40:
        s2bar = ((n - n2) * 0.25 + n2 * 0.09) / n
        limit = theory.mixed_isotropic_ridgeless_risk(d, n, None, n2 / n, 0.4, 1.0, s2bar)
        assert abs(z_scores(samples, float(limit.total))) > 6


def test_exact_least_squares_whatever_the_covariance_and_the_truth():
    setting = dict(spectrum=SPECTRUM, w1=5 * W1, delta=DELTA, n1=20, n2=10, **NOISE, lam=0.0)
    samples = draws(lambda key: simulators.simulate_mixture(key, **setting, probes=4), 4_000)
    exact = theory.mixed_ols_risk(20, 10, D, **NOISE, c2=SPECTRUM @ DELTA**2)
    assert abs(z_scores(samples, float(exact.total))) < 4


def test_exact_recursion_of_dynamic_mixing():
    d, n1, n2 = 20, 36, 24
    setting = dict(spectrum=np.ones(d), w1=np.ones(d), mu0=np.zeros(d), cov0=np.full(d, 1 / d), n1=n1, n2=n2, **NOISE,
                   lam=0.0, steps=4)  # fmt: skip
    samples = draws(lambda key: simulators.simulate_dynamic_mixing(key, **setting, probes=8), 2_000)
    expected = [theory.dynamic_mixing_ols_risk(n1, n2, d, **NOISE, c2=1.0, steps=t) for t in range(5)]
    assert (np.abs(z_scores(samples, np.array(expected, float))) < 4).all()


# --------------------------------------------------------------------------------- theory, at growing size (slow tests)


def correlated(d, exponent, rng):
    """A power-law problem with a shift that is correlated with the truth, and its moments."""
    spectrum = np.arange(1, d + 1) ** -exponent
    w1, delta = rng.normal(size=(2, d)) / np.sqrt(d)
    delta = 0.6 * delta - 0.3 * w1
    return dict(spectrum=spectrum, w1=w1, delta=delta), dict(
        spectrum=spectrum, w1_sq=w1**2, delta_sq=delta**2, cross=w1 * delta
    )


def check_asymptotic(predict, rows, exponent, **fit):
    """|theory - mean| <= 4 s.e. + 3 % at d = 200, and four times as much at d = 50.

    rows: numbers of real and synthetic rows, and perhaps of projections, per dimension.
    """
    for d in (50, 200):
        problem, moments = correlated(d, exponent, np.random.default_rng(d))
        sizes = {name: round(value * d) for name, value in rows.items()}
        one = lambda key: simulators.simulate_mixture(key, **problem, **sizes, **NOISE, **fit, probes=8)  # noqa: B023
        samples = draws(one, 400, seed=d)
        n1, n2 = sizes.pop("n1"), sizes.pop("n2")
        expected = float(predict(**moments, n=n1 + n2, p2=n2 / (n1 + n2), **sizes, **NOISE, **fit).total)
        assert abs(samples.mean() - expected) <= 4 * samples.std() / 20 + 0.03 * expected * 200 / d


@pytest.mark.slow
@pytest.mark.parametrize(("ratio", "lam"), [(0.5, 0.01), (0.75, 0.1), (2.0, 0.01), (2.0, 0.0)])
@pytest.mark.parametrize("exponent", [0.0, 1.3])
def test_mixed_ridge(ratio, lam, exponent):
    check_asymptotic(theory.mixed_ridge_risk, dict(n1=0.7 * ratio, n2=0.3 * ratio), exponent, lam=lam)


@pytest.mark.slow
@pytest.mark.parametrize(("ratio", "m", "lam"), [(0.5, 1.5, 0.01), (2.0, 0.5, 0.01), (2.0, 1.5, 0.05), (0.5, 0.8, 0.05),
                                                 (2.0, 0.5, 0.0), (0.5, 1.5, 0.0)])  # fmt: skip
@pytest.mark.parametrize("exponent", [0.0, 1.3])
def test_mixed_projections(ratio, m, lam, exponent):
    check_asymptotic(theory.mixed_projection_risk, dict(n1=0.6 * ratio, n2=0.4 * ratio, m=m), exponent, lam=lam)


@pytest.mark.slow
@pytest.mark.parametrize(("ratio", "a2", "lam"), [(2.0, 0.3, 0.01), (2.0, 3.0, 0.0), (0.5, 0.3, 0.05)])
def test_weighted_rows(ratio, a2, lam):
    rows = dict(n1=0.6 * ratio, n2=0.4 * ratio)
    check_asymptotic(theory.weighted_mixed_ridge_risk, rows, 1.3, lam=lam, a1=1.0, a2=a2)


@pytest.mark.slow
def test_sources_of_unequal_covariance():
    point, ns = some_sources(np.random.default_rng(6), 120), (150, 90)
    samples = draws(lambda key: simulators.simulate_multi_source(key, **point, ns=ns, probes=8), 400)
    expected = float(theory.multi_source_ridge_risk(**point, ns=ns).total)
    assert abs(samples.mean() - expected) <= 4 * samples.std() / 20 + 0.03 * expected


@pytest.mark.slow
def test_dynamic_mixing_with_a_ridge():
    """The finite-size bias accumulates over the steps: 5 % at d = 100."""
    problem, _ = correlated(100, 1.3, np.random.default_rng(8))
    chain = dict(
        spectrum=problem["spectrum"], w1=problem["w1"], mu0=problem["delta"], cov0=np.zeros(100), **NOISE, lam=0.02
    )
    samples = draws(lambda key: simulators.simulate_dynamic_mixing(key, **chain, n1=90, n2=60, probes=8), 400)
    expected = np.asarray(theory.dynamic_mixing_risk(**chain, n=150, p2=0.4))
    assert (np.abs(samples.mean(0) - expected) <= 4 * samples.std(0) / 20 + 0.05 * expected).all()


@pytest.mark.slow
def test_signs_for_features_are_as_good_as_normals():
    """Rademacher inputs instead of Gaussian ones: an independent NumPy simulation."""
    d, n, n2, lam, rng = 200, 300, 90, 0.02, np.random.default_rng(9)
    problem, moments = correlated(d, 0.7, rng)
    risks = []
    for _ in range(120):
        X = rng.choice([-1.0, 1.0], size=(n, d)) * np.sqrt(problem["spectrum"])
        y = X @ problem["w1"] + np.repeat([0.0, 1.0], [n - n2, n2]) * (X @ problem["delta"]) + 0.4 * rng.normal(size=n)
        gap = np.linalg.solve(X.T @ X + n * lam * np.eye(d), X.T @ y) - problem["w1"]
        risks.append(gap**2 @ problem["spectrum"])
    expected = float(theory.mixed_ridge_risk(**moments, n=n, p2=n2 / n, sigma1=0.4, sigma2=0.4, lam=lam).total)
    assert abs(np.mean(risks) - expected) < 4 * np.std(risks) / np.sqrt(120) + 0.02 * expected


# ------------------------------------------------------------------------------------------------------ planted faults


def planted(module, *changes):
    """The module with a piece of its source changed."""
    source = inspect.getsource(module)
    for old, new in changes:
        assert source.count(old) >= 1, old
        source = source.replace(old, new)
    faulty = types.ModuleType(module.__name__)
    exec(compile(source, module.__file__, "exec"), faulty.__dict__)
    return faulty


FAULTS = [
    # noise levels exchanged, weights forgotten, a projection of variance 1/m, a shift of every row, a ridge without n
    (mixture, "jnp.where(synthetic, X @ jnp.asarray(delta), 0.0)", "X @ jnp.asarray(delta)"),
    (mixture, "by_source(sigma1, sigma2)", "by_source(sigma2, sigma1)"),
    (mixture, "root[:, None] * (X", "(X"),
    (mixture, "(root * y)", "(y)"),
    (mixture, "jnp.sqrt(float(d))", "jnp.sqrt(float(m))"),
    (mixture, 'mode="r")', 'mode="r").T'),
    (averaged, "(n1 + n2) * lam", "lam"),
    (averaged, "a2 * sigma2**2", "sigma2**2"),
    (averaged, "jnp.sqrt(float(d))", "jnp.sqrt(jnp.asarray(m, float))"),
    (averaged, "real.T @ real_fit - shifted", "real.T @ real_fit"),
    (averaged, "jnp.sqrt(a2) * ", ""),
    (averaged, "w1_sq[:, None]", "w1_sq[None]"),
]


@pytest.mark.parametrize(("module", "right", "wrong"), FAULTS, ids=lambda x: x if isinstance(x, str) else None)
def test_faults_show(module, right, wrong):
    faulty = planted(module, (right, wrong))
    with pytest.raises(AssertionError, match="Not equal to tolerance"):
        for m in (5, 30):
            if module is mixture:
                check_direct(faulty.simulate_mixture, 12, 6, 0.1, m, a2=0.4)
            else:
                check_averaged(faulty, m)


# ----------------------------------------------------------------------------------------------------------- bad input

AVERAGED = dict(spectrum=SPECTRUM, w1_sq=W1**2, shift_sq=DELTA**2, c2=1.0, n1=12, n2=10, **NOISE, lam=0.05)
CHAIN = dict(spectrum=SPECTRUM, w1=W1, mu0=DELTA, cov0=DELTA**2, n1=12, n2=10, **NOISE, lam=0.05, steps=2)
MIXTURE = dict(**PROBLEM, n1=12, n2=10, **NOISE, lam=0.05)
SOURCES = dict(some_sources(np.random.default_rng(5)), ns=(12, 10))


@pytest.mark.parametrize(("simulate", "good", "named", "bad"), [
    *[(simulators.simulate_mixture, MIXTURE, name, {name: value}) for name, value in
      dict(lam=-0.1, sigma1=-0.1, sigma2=-0.1, a1=-1.0, a2=-1.0, m=0, spectrum=-SPECTRUM, n1=-1).items()],
    (simulators.simulate_mixture, MIXTURE, "n1 + n2", dict(n1=0, n2=0)),
    *[(simulators.simulate_mixture_averaged, AVERAGED, name, {name: value}) for name, value in
      dict(lam=-0.1, sigma1=-0.1, sigma2=-0.1, a1=-1.0, a2=-1.0, m=0, spectrum=-SPECTRUM, n1=0.5, c2=-1.0,
           w1_sq=-W1**2, shift_sq=-W1**2).items()],
    (simulators.simulate_mixture_averaged, AVERAGED, "lam", dict(lam=0.0, n1=3, n2=3)),
    *[(simulators.simulate_dynamic_mixing, CHAIN, name, {name: value}) for name, value in
      dict(lam=-0.1, sigma1=-0.1, sigma2=-0.1, cov0=-W1**2, n2=-1, steps=-1).items()],
    *[(simulators.simulate_multi_source, SOURCES, name, {name: value}) for name, value in
      dict(lam=0.0, sigmas=(0.1, -0.1), weights=(1.0, -1.0)).items()],
    (simulators.simulate_multi_source, SOURCES, "ns[1]", dict(ns=(12, -1))),
    *[(simulators.simulate_multi_source_averaged, SOURCES, name, {name: value}) for name, value in
      dict(lam=0.0, sigmas=(0.1, -0.1), weights=(1.0, -1.0), ns=(1.5, 2.0)).items()],
])  # fmt: skip
def test_bad_input_is_refused_by_name(simulate, good, named, bad):
    with pytest.raises(ValueError, match=rf"^{re.escape(named)} = .* outside its domain"):
        simulate(KEY, **{**good, **bad})
    flowing = {name: value for name, value in bad.items() if name in ("lam", "sigma1", "a2", "c2")}
    if flowing == bad:
        traced = jax.jit(lambda bad: simulate(KEY, **{**good, **bad}))({n: jnp.asarray(v) for n, v in bad.items()})
        assert all(np.isnan(leaf).all() for leaf in jax.tree.leaves(traced))


def test_one_program_for_all_numbers_of_rows_and_projections():
    traces = []

    @jax.jit
    def program(n1, n2, m):
        traces.append(1)
        return simulators.simulate_mixture_averaged(KEY, **{**AVERAGED, "n1": n1, "n2": n2, "m": m})["total"]

    assert all(np.isfinite(program(*map(float, sizes))) for sizes in ((12, 10, 3), (2, 0, 100), (1000, 10_000, 8)))
    assert len(traces) == 1


def test_every_simulator_is_tested_here():
    source = inspect.getsource(inspect.getmodule(ols))
    assert all(f"simulators.{name}(" in source for name in strong_collapse.__all__)
