"""Mixtures of real and synthetic rows: definitions, identities, limits, and independent computations."""

import inspect
import itertools
import types

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.optimize import brentq

from theorylab import theory
from theorylab.theory.strong_collapse import (
    dynamic,
    exact,
    floor,
    mixture,
    projection,
    ridge,
    sources,
    weighted,
)

D = 200
SPECTRUM = 1.0 / np.arange(1, D + 1)
W1_SQ, DELTA_SQ = np.full(D, 1 / D), np.full(D, 0.25 / D)
NOISE = dict(sigma1=0.5, sigma2=0.3)
SETTING = dict(spectrum=SPECTRUM, w1_sq=W1_SQ, delta_sq=DELTA_SQ, **NOISE)


def random_setting(rng, d=30):
    """A spectrum with a zero eigenvalue, true weights and a correlated shift, noises, a fraction and a ridge."""
    spectrum = rng.exponential(size=d) ** 2
    spectrum[0] = 0.0
    w1, delta = rng.normal(size=(2, d))
    delta += 0.5 * w1
    moments = dict(spectrum=spectrum, w1_sq=w1**2, delta_sq=delta**2, cross=w1 * delta)
    sigma1, sigma2, p2 = rng.uniform(0, 1, 3)
    return dict(**moments, p2=p2, sigma1=sigma1, sigma2=sigma2, lam=10 ** rng.uniform(-4, 0))


# ------------------------------------------------------------------------------------------- independent computations


def df(spectrum, kappa, order=1):
    return np.sum((spectrum / (spectrum + kappa)) ** order)


def assembled(spectrum, w1_sq, delta_sq, cross, p2, sigma1, sigma2, pi1, pi2, u):
    """total, bias, variance, zeta from the two vectors and the scalar, as one would write it down."""
    A, D, X = spectrum * w1_sq, spectrum * delta_sq, spectrum * cross
    p1 = 1 - p2
    s2bar = p1 * sigma1**2 + p2 * sigma2**2
    q2, h2 = 1 - 2 * pi1 + pi2, p1**2 + 2 * p1 * p2 * pi1 + p2**2 * pi2
    rho1 = np.sum(p2**2 * q2 * D + pi2 * A - 2 * p2 * (pi1 - pi2) * X)
    rho2 = np.sum(h2 * D + pi2 * A + 2 * (p1 * pi1 + p2 * pi2) * X)
    total = rho1 + u * (s2bar + p1 * rho1 + p2 * rho2) / (1 - u)
    shift = p2**2 * np.sum(q2 * D)
    zeta = shift + u / (1 - u) * (p1 * shift + p2 * np.sum(h2 * D))
    return total, np.sum(pi2 * A) / (1 - u), s2bar * u / (1 - u), zeta


def ridge_by_brentq(spectrum, n, lam, **rest):
    gap = lambda k: k - lam - k * df(spectrum, k) / n
    kappa = brentq(gap, lam, lam + spectrum.sum() / n, xtol=1e-15, rtol=1e-15)
    pi = kappa / (spectrum + kappa)
    return assembled(spectrum, **rest, pi1=pi, pi2=pi**2, u=df(spectrum, kappa, 2) / n)


def projection_by_four_unknowns(spectrum, n, m, lam, **rest):
    """The parametrisation of the paper, (e, tau, u, omega): e and tau by iteration, u and omega by a linear solve."""
    d = spectrum.size
    gamma, psi = m / d, m / n
    e = tau = 1.0
    for _ in range(200_000):
        K = gamma * tau * e * spectrum + lam
        new_e = 1 / (1 + psi * tau * np.mean(spectrum / K))
        new_tau = 1 / (1 + np.mean(e * spectrum / K))
        done = abs(new_e - e) + abs(new_tau - tau) < 1e-16
        e, tau = new_e, new_tau
        if done:
            break
    K = gamma * tau * e * spectrum + lam
    a = psi * e**2 * gamma * tau**2 * np.mean(spectrum**2 / K**2)
    b = psi * e**2 * np.mean(spectrum / K**2)
    c = tau**2 * gamma * np.mean((e * spectrum) ** 2 / K**2)
    f = tau**2 * lam**2 * np.mean(spectrum / K**2)
    u_paper, omega = np.linalg.solve([[1 - a, -b], [-f, 1 - c]], [a, f])
    kappa = lam / (gamma * tau * e)
    eta = 1 - omega / (gamma * tau**2 * kappa * (1 + u_paper))
    pi1 = kappa / (spectrum + kappa)
    pi2 = pi1 - kappa * eta * spectrum / (spectrum + kappa) ** 2
    return assembled(spectrum, **rest, pi1=pi1, pi2=pi2, u=u_paper / (1 + u_paper))


def weighted_by_bisection(spectrum, w1_sq, delta_sq, cross, n, p2, sigma1, sigma2, lam, a1, a2):
    p1 = 1 - p2
    share = lambda q: np.array([p1 * a1 / (1 + a1 * q), p2 * a2 / (1 + a2 * q)])
    gap = lambda k: k * share(k * df(spectrum, k) / (n * lam)).sum() - lam
    low, high = lam / (p1 * a1 + p2 * a2), lam / share(spectrum.sum() / (n * lam)).sum()
    kappa = brentq(gap, low, high, xtol=1e-15, rtol=1e-15)
    b = share(kappa * df(spectrum, kappa) / (n * lam))
    S, omega = spectrum / (spectrum + kappa), b[1] / b.sum()
    cc = b**2 / b.sum() ** 2 / np.array([p1, p2])
    u, A, D, X = df(spectrum, kappa, 2) / n, spectrum * w1_sq, spectrum * delta_sq, spectrum * cross
    rho1 = np.sum((omega * S) ** 2 * D + (1 - S) ** 2 * A - 2 * omega * S * (1 - S) * X)
    rho2 = np.sum((1 - omega * S) ** 2 * D + (1 - S) ** 2 * A + 2 * (1 - omega * S) * (1 - S) * X)
    total = rho1 + u * (cc[0] * (sigma1**2 + rho1) + cc[1] * (sigma2**2 + rho2)) / (1 - u * cc.sum())
    return total, kappa, omega


def sources_by_iteration(Sigmas, Sigma_test, thetas, w_star, ns, sigmas, weights, lam, theta0):
    K, n = len(Sigmas), np.sum(ns)
    p, q = np.asarray(ns) / n, np.zeros(len(Sigmas))
    for _ in range(100_000):
        b = weights / (1 + weights * q)
        R = np.linalg.inv(lam * np.eye(len(w_star)) + sum(p[k] * b[k] * Sigmas[k] for k in range(K)))
        new = np.array([np.trace(Sigma @ R) / n for Sigma in Sigmas])
        done = np.abs(new - q).max() < 1e-16 * new.max()
        q = new
        if done:
            break
    pull = sum(p[k] * b[k] * Sigmas[k] @ (thetas[k] - w_star) for k in range(K))
    wbar = R @ (lam * (theta0 - w_star) + pull)
    weight = p * b**2 / n
    H = np.array([[weight[j] * np.trace(Sigmas[j] @ R @ Sigmas[k] @ R) for j in range(K)] for k in range(K)])
    gaps = [thetas[k] - w_star - wbar for k in range(K)]
    tau2 = np.linalg.solve(np.eye(K) - H, np.square(sigmas) + [g @ S @ g for g, S in zip(gaps, Sigmas)])
    spread = [weight[j] * np.trace(Sigmas[j] @ R @ Sigma_test @ R) for j in range(K)]
    return wbar @ Sigma_test @ wbar + spread @ tau2, tau2


def mixing_by_loop(spectrum, w1, mu0, cov0, n, p2, sigma1, sigma2, lam, steps):
    gap = lambda k: k - lam - k * df(spectrum, k) / n
    kappa = brentq(gap, lam, lam + spectrum.sum() / n, xtol=1e-15, rtol=1e-15)
    S, pi, u = spectrum / (spectrum + kappa), kappa / (spectrum + kappa), df(spectrum, kappa, 2) / n
    p1, mu, C = 1 - p2, mu0, cov0
    risks = [np.sum(spectrum * (mu**2 + C))]
    for _ in range(steps):
        new = p2 * S * mu - pi * w1
        rho1 = np.sum(spectrum * (new**2 + p2**2 * S**2 * C))
        rho2 = np.sum(spectrum * ((mu - new) ** 2 + (1 - p2 * S) ** 2 * C))
        tau2 = (p1 * sigma1**2 + p2 * sigma2**2 + p1 * rho1 + p2 * rho2) / (1 - u)
        mu, C = new, p2**2 * S**2 * C + tau2 / n * spectrum / (spectrum + kappa) ** 2
        risks.append(np.sum(spectrum * (mu**2 + C)))
    return risks


def random_sources(rng, K=3, d=8):
    roots = rng.normal(size=(K + 1, d, d)) / np.sqrt(d)
    Sigmas = roots @ roots.transpose(0, 2, 1)
    return dict(
        Sigmas=Sigmas[:K], Sigma_test=Sigmas[K], thetas=rng.normal(size=(K, d)), w_star=rng.normal(size=d),
        ns=rng.integers(5, 60, K).astype(float), sigmas=rng.uniform(0, 1, K), weights=rng.uniform(0.1, 2, K),
        lam=10 ** rng.uniform(-2, 0), theta0=rng.normal(size=d),
    )  # fmt: skip


def stacked(points):
    return {name: np.stack([point[name] for point in points]) for name in points[0]}


def test_ridge_against_an_independent_root():
    rng = np.random.default_rng(0)
    points = [dict(random_setting(rng), n=rng.uniform(5, 90)) for _ in range(200)]
    risk = jax.jit(jax.vmap(lambda point: theory.mixed_ridge_risk(**point)))(stacked(points))
    expected = np.array([ridge_by_brentq(**point) for point in points]).T
    assert_allclose([risk.total, risk.bias, risk.variance, risk.zeta], expected, rtol=1e-9)
    assert_allclose(risk.total, risk.bias + risk.variance + risk.zeta + risk.cross, rtol=1e-12)


def test_projections_against_the_four_unknowns_of_the_paper():
    rng = np.random.default_rng(1)
    points = [dict(random_setting(rng), n=rng.uniform(5, 90), m=rng.uniform(5, 90)) for _ in range(200)]
    risk = jax.jit(jax.vmap(lambda point: theory.mixed_projection_risk(**point)))(stacked(points))
    expected = np.array([projection_by_four_unknowns(**point) for point in points]).T
    assert_allclose([risk.total, risk.bias, risk.variance, risk.zeta], expected, rtol=1e-9)


def test_weighted_rows_against_bisection():
    rng = np.random.default_rng(2)
    weights = lambda: dict(a1=rng.uniform(0.1, 3), a2=rng.uniform(0.0, 3))
    points = [dict(random_setting(rng), n=rng.uniform(5, 90), **weights()) for _ in range(200)]
    risk = jax.jit(jax.vmap(lambda point: theory.weighted_mixed_ridge_risk(**point)))(stacked(points))
    assert_allclose(risk, np.array([weighted_by_bisection(**point) for point in points]).T, rtol=1e-9)


def test_sources_against_plain_iteration():
    rng = np.random.default_rng(3)
    points = [random_sources(rng) for _ in range(200)]
    risk = jax.jit(jax.vmap(lambda point: theory.multi_source_ridge_risk(**point)))(stacked(points))
    assert bool(risk.converged.all())
    expected = [sources_by_iteration(**point) for point in points]
    assert_allclose(risk.total, [total for total, _ in expected], rtol=1e-9)
    assert_allclose(risk.tau2, [tau2 for _, tau2 in expected], rtol=1e-9)


def test_dynamic_mixing_against_a_loop():
    rng = np.random.default_rng(4)
    points = []
    for _ in range(200):
        point = random_setting(rng)
        w1, mu0 = rng.normal(size=(2, 30))
        keep = {name: point[name] for name in ("spectrum", "p2", "sigma1", "sigma2", "lam")}
        points.append(dict(**keep, w1=w1, mu0=mu0, cov0=rng.exponential(size=30), n=rng.uniform(5, 90)))
    risks = jax.jit(jax.vmap(lambda point: theory.dynamic_mixing_risk(**point, steps=5)))(stacked(points))
    assert_allclose(risks, [mixing_by_loop(**point, steps=5) for point in points], rtol=1e-9)


def test_the_floor_is_the_risk_at_a_huge_sample():
    rng = np.random.default_rng(5)
    for _ in range(20):
        point = random_setting(rng)
        floor = {name: value for name, value in point.items() if not name.startswith("sigma")}
        assert_allclose(theory.strong_collapse_floor(**floor), ridge_by_brentq(**point, n=1e11)[0], rtol=1e-7)
    for m in (7, 29, 60):
        risk = theory.mixed_projection_risk(**point, n=1e11, m=m).total
        assert_allclose(theory.strong_collapse_floor(**floor, m=m), risk, rtol=1e-7)
        ridgeless = theory.mixed_projection_risk(**{**point, "lam": 0.0}, n=1e11, m=m).total
        assert_allclose(theory.strong_collapse_floor(**{**floor, "lam": 0.0}, m=m), ridgeless, rtol=1e-7)


# from an independent implementation, to all digits given
@pytest.mark.parametrize(("risk", "expected"), [
    (lambda: theory.mixed_ridge_risk(**SETTING, n=400, p2=0.25, lam=0.05),
     dict(kappa=0.05619783, bias=0.00826882, variance=0.00866637, zeta=0.00025791, total=0.01719310)),
    (lambda: theory.mixed_ridge_risk(**SETTING, n=100, p2=0.5, lam=0.01),
     dict(kappa=0.02906503, bias=0.00750301, variance=0.06900311, zeta=0.00185985, total=0.07836598)),
    (lambda: theory.mixed_projection_risk(**SETTING, n=400, m=100, p2=0.25, lam=0.05),
     dict(kappa=0.13925590, bias=0.01313093, variance=0.00517748, zeta=0.00018327, total=0.01849168)),
    (lambda: theory.mixed_projection_risk(**SETTING, n=100, m=300, p2=0.5, lam=0.01),
     dict(kappa=0.02711109, bias=0.00883551, variance=0.09514852, zeta=0.00226197, total=0.10624600)),
    (lambda: theory.weighted_mixed_ridge_risk(**SETTING, n=400, p2=0.25, lam=0.05, a1=1, a2=0.5),
     dict(kappa=0.06400103, total=0.01795574, omega=0.1502536)),
    (lambda: theory.mixed_isotropic_ridgeless_risk(d=300, n=100, m=200, p2=0.3, c2=0.4, r2=1.2, s2bar=0.2),
     dict(bias=1.6, variance=0.3, zeta=0.162)),
    (lambda: theory.mixed_ols_risk(n1=30, n2=10, d=20, sigma1=0.5, sigma2=0.3, c2=0.4),
     dict(zeta=0.10366300, variance=0.22105263)),
])  # fmt: skip
def test_published_values(risk, expected):
    got = risk()._asdict()
    assert_allclose([got[name] for name in expected], list(expected.values()), atol=6e-9)


def test_published_floors_onset_weights_and_steps():
    floor = dict(spectrum=SPECTRUM, w1_sq=W1_SQ, delta_sq=DELTA_SQ, p2=0.25, lam=0.05)
    assert_allclose(theory.strong_collapse_floor(**floor), 0.00765783, atol=6e-9)
    assert_allclose(theory.strong_collapse_floor(**floor, m=100), 0.01276306, atol=6e-9)
    ns = tuple(100 * 2**i for i in range(10))
    assert theory.strong_collapse_onset(**SETTING, ns=ns, p2=0.5, lam=1e-4) == 25_600
    isotropic = dict(spectrum=np.ones(100), w1_sq=np.full(100, 0.01), delta_sq=np.full(100, 0.003))
    weighted = lambda n, a2: (
        theory.weighted_mixed_ridge_risk(**isotropic, n=n, p2=0.5, sigma1=0.5, sigma2=0.5, lam=0.0, a1=1.0, a2=a2).total
    )
    table = [(1e3, 0.130, 0.05266, 0.0625, 0.1111), (1e4, 0.0161, 0.005018, 0.005102, 0.0783),
             (1e5, 0.00166, 0.0005002, 0.0005010, 0.0753)]  # fmt: skip
    for n, best, error, real_only, unweighted in table:
        for a2, expected in ((best, error), (0.0, real_only), (1.0, unweighted)):
            assert_allclose(weighted(n, a2), expected, rtol=1e-3)
        slope = [weighted(n, best * factor) - weighted(n, best) for factor in (0.9, 1.1)]
        assert min(slope) > 0
    equal = dict(n=400, p2=0.5, sigma1=0.5, sigma2=0.5, lam=0.0)
    one = dict(spectrum=np.ones(100), w1=np.ones(100), mu0=np.zeros(100), cov0=np.full(100, 0.01))
    expected = [1, 0.41666667, 0.22222222, 0.15740741, 0.13580247, 0.12860082]
    assert_allclose(theory.dynamic_mixing_risk(**one, **equal, steps=5), expected, atol=6e-9)


@pytest.mark.parametrize(
    ("m", "zeta"), [(50, 0.037), (300, 0.34), (510, 1.24), (550, 1.18), (1500, 0.78), (20_000, 0.73)]
)
def test_published_amplification_of_projections(m, zeta):
    isotropic = dict(spectrum=np.ones(600), w1_sq=np.full(600, 1 / 600), delta_sq=np.full(600, 0.5 / 600))
    risk = theory.mixed_projection_risk(**isotropic, n=500, m=m, p2=0.5, sigma1=0.1, sigma2=0.1, lam=1e-3)
    assert_allclose(risk.zeta, zeta, rtol=0.015)


# ----------------------------------------------------------------------------------------------- identities and limits


def each_risk(point, n=40.0, m=25.0):
    """The same mixture, by the linear model and through projections."""
    return theory.mixed_ridge_risk(**point, n=n), theory.mixed_projection_risk(**point, n=n, m=m)


def test_without_synthetic_rows_or_without_a_shift_nothing_collapses():
    point = random_setting(np.random.default_rng(6))
    for risk in each_risk({**point, "p2": 0.0}):
        assert risk.zeta == 0 and risk.cross == 0
    none = np.zeros(30)
    for risk, clean in zip(each_risk({**point, "delta_sq": none, "cross": none}),
                           each_risk({**point, "p2": 0.0, "sigma2": 0.0})):  # fmt: skip
        assert risk.zeta == 0 and risk.cross == 0
        assert_allclose(risk.bias, clean.bias, rtol=1e-13)
        assert_allclose(risk.total, risk.bias + risk.variance, rtol=1e-13)


def test_the_noise_enters_through_its_mean_variance():
    point = random_setting(np.random.default_rng(7))
    p2, s1, s2 = point["p2"], point["sigma1"], point["sigma2"]
    level = np.sqrt((1 - p2) * s1**2 + p2 * s2**2)
    for risk, equal in zip(each_risk(point), each_risk({**point, "sigma1": level, "sigma2": level})):
        assert_allclose(risk, equal, rtol=1e-13)


def test_the_collapse_term_is_linear_in_the_energy_of_the_shift_and_blind_to_the_truth():
    point = random_setting(np.random.default_rng(8))
    double = {**point, "delta_sq": 2 * point["delta_sq"], "cross": np.sqrt(2) * point["cross"]}
    other = {**point, "w1_sq": 3 * point["w1_sq"], "sigma1": 0.0, "cross": None}
    for risk, doubled, blind in zip(each_risk(point), each_risk(double), each_risk(other)):
        assert_allclose(doubled.zeta, 2 * risk.zeta, rtol=1e-13)
        assert_allclose(doubled.cross, np.sqrt(2) * risk.cross, rtol=1e-12)
        assert_allclose(blind.zeta, risk.zeta, rtol=1e-13)


def test_exchanging_the_roles_of_the_sources():
    """The risk on the synthetic law is the risk on the real law of the problem with the roles exchanged."""
    point = random_setting(np.random.default_rng(9))
    w1_sq, delta_sq, cross = point["w1_sq"], point["delta_sq"], point["cross"]
    swapped = dict(
        spectrum=point["spectrum"], w1_sq=w1_sq + 2 * cross + delta_sq, delta_sq=delta_sq, cross=-(cross + delta_sq),
        p2=1 - point["p2"], sigma1=point["sigma2"], sigma2=point["sigma1"], lam=point["lam"],
    )  # fmt: skip
    p1, p2 = 1 - point["p2"], point["p2"]
    s2bar = p1 * point["sigma1"] ** 2 + p2 * point["sigma2"] ** 2
    for risk, other in zip(each_risk(point), each_risk(swapped)):
        rho1 = risk.total - risk.u * risk.tau2
        rho2 = (risk.tau2 * (1 - risk.u) - s2bar - p1 * rho1) / p2
        assert_allclose(other.total, rho2 + risk.u * risk.tau2, rtol=1e-10)


def test_all_rows_synthetic_and_enough_of_them_give_the_synthetic_truth():
    isotropic = dict(spectrum=SPECTRUM, w1_sq=W1_SQ, delta_sq=DELTA_SQ, **NOISE, lam=0.0)
    risk = theory.mixed_ridge_risk(**isotropic, n=300, p2=1.0)
    assert_allclose(risk.zeta, SPECTRUM @ DELTA_SQ, rtol=1e-13)


def test_scaling_covariance():
    """Inputs times s: w / s is the same predictor. Labels times s: risks times s^2."""
    point, s = random_setting(np.random.default_rng(10)), 1.7
    moments = ("w1_sq", "delta_sq", "cross")
    inputs = {**point, "spectrum": s * point["spectrum"], "lam": s * point["lam"]}
    inputs |= {name: point[name] / s for name in moments}
    labels = {**point, **{name: s**2 * point[name] for name in moments}}
    labels |= {name: s * point[name] for name in ("sigma1", "sigma2")}
    weights = dict(n=40.0, a1=0.7, a2=1.9)
    functions = [
        lambda point: theory.mixed_ridge_risk(**point, n=40.0).total,
        lambda point: theory.mixed_projection_risk(**point, n=40.0, m=25.0).total,
        lambda point: theory.weighted_mixed_ridge_risk(**point, **weights).total,
    ]
    for function in functions:
        assert_allclose(function(inputs), function(point), rtol=1e-12)
        assert_allclose(function(labels), s**2 * function(point), rtol=1e-12)
    heavier = {**weights, "a1": s * weights["a1"], "a2": s * weights["a2"]}
    risk = theory.weighted_mixed_ridge_risk(**{**point, "lam": s * point["lam"]}, **heavier)
    assert_allclose(risk.total, functions[2](point), rtol=1e-12)


def test_many_projections_are_the_linear_model():
    for n, m, gap in ((400, 1e5, 1e-3), (100, 1e9, 1e-6)):
        linear = theory.mixed_ridge_risk(**SETTING, n=n, p2=0.25, lam=0.05)
        projected = theory.mixed_projection_risk(**SETTING, n=n, m=m, p2=0.25, lam=0.05 * m / D)
        assert_allclose(projected, linear, rtol=gap)


@pytest.mark.parametrize(("d", "n", "m"), [(60, 150, 90), (60, 150, 60), (60, 150, None), (60, 150, 25), (60, 40, 25),
                                           (60, 20, 25), (60, 20, 300), (60, 20, None)])  # fmt: skip
def test_isotropic_forms_are_the_general_solver_without_ridge(d, n, m):
    one = np.ones(d)
    general = dict(spectrum=one, w1_sq=1.2 / d * one, delta_sq=0.4 / d * one, n=n, p2=0.3, sigma1=0.5, sigma2=0.3)
    s2bar = 0.7 * 0.25 + 0.3 * 0.09
    closed = theory.mixed_isotropic_ridgeless_risk(d, n, m, 0.3, 0.4, 1.2, s2bar)
    # m = d is approached as the square root of the ridge
    for lam, rtol in ((0.0, 1e-12), (1e-15 if m == d else 1e-9, 2e-6)):
        if m is None:
            risk = theory.mixed_ridge_risk(**general, lam=lam)
        else:
            risk = theory.mixed_projection_risk(**general, m=m, lam=lam)
        assert_allclose(
            [risk.total, risk.bias, risk.variance, risk.zeta], closed, rtol=rtol, atol=1e-7 if lam else 1e-15
        )


def test_least_squares_at_finite_size():
    for n1, n2, d in ((600, 200, 300), (60_000, 20_000, 30_000)):
        exact = theory.mixed_ols_risk(n1, n2, d, 0.5, 0.3, 0.4)
        limit = theory.mixed_isotropic_ridgeless_risk(d, n1 + n2, None, 0.25, 0.4, 1.0, 0.75 * 0.25 + 0.25 * 0.09)
        assert_allclose([exact.total, exact.zeta], [limit.total, limit.zeta], rtol=3.0 / (n1 + n2 - d))
    alone = theory.mixed_ols_risk(100, 0, 20, 0.5, 0.3, 0.4)
    assert alone.zeta == 0
    assert_allclose(alone.total, theory.ols_collapse_risk(20, 0, 100, 50, 0.5, 0.0), rtol=1e-13)
    assert_allclose(theory.mixed_ols_risk(0, 100, 20, 0.5, 0.3, 0.4).zeta, 0.4, rtol=1e-13)


def test_equal_weights_are_no_weights_and_a_weight_of_zero_removes_the_rows():
    point = random_setting(np.random.default_rng(11))
    weighted = lambda point, a1, a2: theory.weighted_mixed_ridge_risk(**point, n=40.0, a1=a1, a2=a2)
    plain = theory.mixed_ridge_risk(**point, n=40.0)
    assert_allclose(weighted(point, 1.0, 1.0).total, plain.total, rtol=1e-12)
    assert_allclose(weighted(point, 1.0, 1.0).omega, point["p2"], rtol=1e-12)
    p1 = 1 - point["p2"]
    real_only = theory.mixed_ridge_risk(**{**point, "p2": 0.0, "lam": point["lam"] / p1}, n=40.0 * p1)
    assert_allclose(weighted(point, 1.0, 0.0).total, real_only.total, rtol=1e-12)


@pytest.mark.parametrize("n", [90.0, 20.0])
def test_weighted_rows_without_ridge_are_the_limit(n):
    point = {**random_setting(np.random.default_rng(12)), "lam": 0.0}
    for a1, a2 in ((1.0, 0.3), (2.0, 1.0)):
        risk = theory.weighted_mixed_ridge_risk(**point, n=n, a1=a1, a2=a2)
        near = theory.weighted_mixed_ridge_risk(**{**point, "lam": 1e-11}, n=n, a1=a1, a2=a2)
        assert_allclose(risk.total, near.total, rtol=1e-6)
        assert_allclose(risk.omega, near.omega, rtol=1e-6)
    interpolator = theory.mixed_ridge_risk(**point, n=20.0)
    assert_allclose(
        theory.weighted_mixed_ridge_risk(**point, n=20.0, a1=3.0, a2=0.2).total, interpolator.total, rtol=1e-12
    )


def test_small_phi_optimum_of_the_weight():
    """Isotropic least squares with d/n -> 0: the best effective weight vanishes as 1/n."""
    d, n, s2, c2, p2 = 50, 1e7, 0.25, 0.3, 0.4
    phi, p1 = d / n, 1 - p2
    isotropic = dict(spectrum=np.ones(d), w1_sq=np.full(d, 1 / d), delta_sq=np.full(d, c2 / d), sigma1=0.5, sigma2=0.5)
    best = s2 * phi / p1 / (s2 * phi * (1 / p1 + 1 / p2) + c2)
    a2 = p1 / p2 * best / (1 - best)
    risk = theory.weighted_mixed_ridge_risk(**isotropic, n=n, p2=p2, lam=0.0, a1=1.0, a2=a2)
    assert_allclose(risk.omega, best, rtol=1e-4)
    error = s2 * phi * ((1 - best) ** 2 / p1 + best**2 / p2) + best**2 * c2
    assert_allclose(risk.total, error, rtol=1e-4)
    fixed = theory.weighted_mixed_ridge_risk(**isotropic, n=1e9, p2=p2, lam=0.0, a1=1.0, a2=0.5)
    omega = p2 * 0.5 / (p1 + p2 * 0.5)
    assert_allclose(fixed.total, omega**2 * c2, rtol=1e-5)


def test_two_equal_sources_are_a_mixture_in_any_basis():
    point = random_setting(np.random.default_rng(13), 12)
    w1, delta = np.random.default_rng(14).normal(size=(2, 12))
    point |= dict(w1_sq=w1**2, delta_sq=delta**2, cross=w1 * delta, p2=0.25)
    basis = np.linalg.qr(np.random.default_rng(15).normal(size=(12, 12)))[0]
    Sigma = (basis * point["spectrum"]) @ basis.T
    sources = dict(Sigmas=np.stack([Sigma, Sigma]), Sigma_test=Sigma, thetas=np.stack([w1, w1 + delta]) @ basis.T,
                   w_star=basis @ w1, ns=(30, 10), sigmas=(point["sigma1"], point["sigma2"]),
                   lam=point["lam"])  # fmt: skip
    risk = theory.multi_source_ridge_risk(**sources, weights=(1.0, 1.0))
    assert risk.converged
    assert_allclose(risk.total, theory.mixed_ridge_risk(**point, n=40).total, rtol=1e-10)
    weighted = theory.weighted_mixed_ridge_risk(**point, n=40, a1=0.5, a2=2.0)
    assert_allclose(theory.multi_source_ridge_risk(**sources, weights=(0.5, 2.0)).total, weighted.total, rtol=1e-10)


def test_sources_near_interpolation_with_a_tiny_ridge_converge():
    """Plain iteration needs 10^5 steps and more here."""
    d = 30
    Sigmas = np.stack([np.diag(1.0 / np.arange(1, d + 1) ** 2), np.eye(d)])
    setting = dict(Sigmas=Sigmas, Sigma_test=Sigmas[0], thetas=np.zeros((2, d)), w_star=np.ones(d),
                   sigmas=(0.5, 0.3), weights=(1.0, 1.0))  # fmt: skip
    for ns in ((15.0, 15.0), (14.0, 15.0), (16.0, 15.0)):
        for lam in (1e-6, 1e-10):
            risk = theory.multi_source_ridge_risk(**setting, ns=ns, lam=lam)
            assert risk.converged and risk.residual < 1e-10


def test_a_prior_at_the_truth_and_sources_that_agree_leave_noise_alone():
    point = random_sources(np.random.default_rng(16))
    point |= dict(thetas=np.tile(point["w_star"], (3, 1)), theta0=point["w_star"], sigmas=np.zeros(3))
    assert_allclose(theory.multi_source_ridge_risk(**point).total, 0, atol=1e-25)


def test_one_step_of_mixing_is_the_risk_of_a_mixture():
    point = random_setting(np.random.default_rng(17))
    w1, delta = np.random.default_rng(18).normal(size=(2, 30))
    point |= dict(w1_sq=w1**2, delta_sq=delta**2, cross=w1 * delta)
    chain = {name: point[name] for name in ("spectrum", "p2", "sigma1", "sigma2", "lam")}
    risks = theory.dynamic_mixing_risk(**chain, w1=w1, mu0=delta, cov0=np.zeros(30), n=40, steps=1)
    assert_allclose(risks[0], np.sum(point["spectrum"] * delta**2), rtol=1e-13)
    assert_allclose(risks[1], theory.mixed_ridge_risk(**point, n=40).total, rtol=1e-12)
    # an uncertain shift is one without correlation
    spread = theory.dynamic_mixing_risk(**chain, w1=w1, mu0=np.zeros(30), cov0=delta**2, n=40, steps=1)
    assert_allclose(spread[1], theory.mixed_ridge_risk(**{**point, "cross": None}, n=40).total, rtol=1e-12)


def test_mixing_by_least_squares_is_an_affine_recursion():
    one = dict(spectrum=np.ones(50), w1=np.ones(50), mu0=np.full(50, 0.1), cov0=np.full(50, 0.01))
    p2, phi = 0.3, 0.25
    r = p2**2 + (1 - p2) * p2 * phi / (1 - phi)
    noise = (0.7 * 0.25 + 0.3 * 0.09) * phi / (1 - phi)
    risks = theory.dynamic_mixing_risk(**one, n=200, p2=p2, **NOISE, lam=0.0, steps=6)
    assert_allclose(risks[1:], r * risks[:-1] + noise, rtol=1e-12)
    exact = [theory.dynamic_mixing_ols_risk(140, 60, 50, **NOISE, c2=1.0, steps=t) for t in range(4)]
    for now, after in itertools.pairwise(exact):
        assert_allclose(theory.mixed_ols_risk(140, 60, 50, **NOISE, c2=now).total, after, rtol=1e-12)
    # nothing synthetic, or all of it: the first refit forgets the shift, or every refit adds its noise to it
    assert_allclose(theory.dynamic_mixing_ols_risk(200, 0, 50, **NOISE, c2=1.0, steps=5),
                    theory.mixed_ols_risk(200, 0, 50, **NOISE, c2=0.0).total, rtol=1e-12)  # fmt: skip
    added = theory.mixed_ols_risk(0, 200, 50, **NOISE, c2=0.0).total
    assert_allclose(theory.dynamic_mixing_ols_risk(0, 200, 50, **NOISE, c2=1.0, steps=5), 1 + 5 * added, rtol=1e-12)


def test_floor_values():
    floor = lambda lam, **more: theory.strong_collapse_floor(SPECTRUM, W1_SQ, DELTA_SQ, 0.3, lam, **more)
    c2, r2 = SPECTRUM @ DELTA_SQ, SPECTRUM @ W1_SQ
    assert_allclose(floor(0.0), 0.09 * c2, rtol=1e-13)
    assert_allclose(floor(1e9), r2, rtol=1e-6)
    assert abs(floor(0.05) / (0.09 * c2) - 1) > 0.5  # a fixed ridge has another floor
    assert_allclose(floor(0.0, m=200), floor(0.0), rtol=1e-13)
    # fewer projections than directions leave some of the truth unlearned
    assert floor(0.0, m=100) > floor(0.0)
    identity = np.ones(50)
    small = theory.strong_collapse_floor(identity, identity / 50, 0.4 * identity / 50, 0.3, 0.0, m=20)
    assert_allclose(small, 0.6 + 0.4 * 0.09 * 0.4, rtol=1e-12)


def test_power_law_limits():
    """With the ridge n^(-beta/2) the risk reaches p2^2 c2; without a ridge neither noise nor collapse decays."""
    d, beta, n = 400_000, 2.0, 1000
    j = np.arange(1, d + 1.0)
    spectrum, D = j**-beta, j**-4.0
    energies = dict(spectrum=spectrum, w1_sq=D / spectrum, delta_sq=D / spectrum)
    ridgeless = theory.mixed_ridge_risk(**energies, n=n, p2=0.4, sigma1=0.5, sigma2=0.5, lam=0.0)
    c2 = D.sum()
    assert_allclose(ridgeless.kappa, (np.pi / beta / np.sin(np.pi / beta) / n) ** beta, rtol=0.01)
    assert_allclose(ridgeless.u, 1 - 1 / beta, rtol=0.01)
    assert_allclose(ridgeless.variance, 0.25 * (beta - 1), rtol=0.02)
    assert_allclose(ridgeless.zeta, c2 * (0.16 + 0.24 * (beta - 1)), rtol=0.02)
    ridged = theory.mixed_ridge_risk(**energies, n=1e8, p2=0.4, sigma1=0.5, sigma2=0.5, lam=1e8 ** (-beta / 2))
    assert_allclose(ridged.zeta, 0.16 * c2, rtol=1e-3)
    assert ridged.u < 1e-3


def test_onset():
    ns = (100.0, 200.0, 400.0, 25_600.0, 800.0)
    onset = lambda **change: theory.strong_collapse_onset(**{**SETTING, "ns": ns, "p2": 0.5, "lam": 1e-4, **change})
    assert onset() == 25_600
    assert onset(p2=0.0) is None
    assert np.isnan(jax.jit(lambda p2: onset(p2=p2))(0.0)) and jax.jit(lambda p2: onset(p2=p2))(0.5) == 25_600
    shifted = dict(delta_sq=1e4 * DELTA_SQ)
    assert onset(**shifted) == 100
    assert onset(**shifted, lam=0.0, ns=(200.0, 300.0)) == 300  # n = d diverges and does not count
    assert onset(**shifted, m=250.0) == 100
    assert onset(**shifted, m=150.0, lam=0.0, ns=(150.0, 160.0)) == 160


def test_a_grid_of_ten_thousand_points_compiles_once():
    traces = []

    @jax.jit
    def grid(n, m, lam):
        def one(n, m, lam):
            traces.append(1)
            return theory.mixed_projection_risk(**SETTING, n=n, m=m, p2=0.3, lam=lam).total

        return jax.vmap(one)(n, m, lam)

    rng = np.random.default_rng(19)
    n, m = rng.uniform(50, 800, (2, 10_000))
    lam = 10 ** rng.uniform(-6, 0, 10_000)
    assert np.isfinite(grid(n, m, lam)).all() and np.isfinite(grid(m, n, lam)).all()
    assert len(traces) == 1


def test_collapse_grows_with_the_model_up_to_the_threshold_and_falls_behind_it():
    isotropic = dict(spectrum=np.ones(600), w1_sq=np.full(600, 1 / 600), delta_sq=np.full(600, 0.5 / 600))
    risk = jax.vmap(lambda m: theory.mixed_projection_risk(**isotropic, n=500, m=m, p2=0.5, sigma1=0.1, sigma2=0.1,
                                                           lam=1e-3))  # fmt: skip
    before, after = jnp.linspace(20.0, 495.0, 40), jnp.linspace(520.0, 20_000.0, 40)
    assert (np.diff(risk(before).zeta) > 0).all()
    assert (np.diff(risk(after).zeta) < 0).all()
    assert risk(after).zeta[-1] > 0.7


# ------------------------------------------------------------------------------------------------------ planted faults


def one_point():
    return dict(random_setting(np.random.default_rng(20)), n=40.0)


def check_ridge(module):
    point = one_point()
    risk = module.mixed_ridge_risk(**point)
    assert_allclose([risk.total, risk.bias, risk.variance, risk.zeta], ridge_by_brentq(**point), rtol=1e-9)


def check_projection(module):
    point = dict(one_point(), m=25.0)
    risk = module.mixed_projection_risk(**point)
    assert_allclose([risk.total, risk.bias, risk.variance, risk.zeta], projection_by_four_unknowns(**point), rtol=1e-9)


def check_assembly(module):
    point, g, eta, free = one_point(), np.linspace(0.1, 0.9, 30), 0.7, 0.6
    A, D_, X = (point["spectrum"] * point[name] for name in ("w1_sq", "delta_sq", "cross"))
    arguments = ((A, D_, X), (g, 1 - g), eta, free, point["p2"], (point["sigma1"], point["sigma2"]), 0.0)
    risk = module.assemble_risk(*jax.tree.map(jnp.asarray, arguments))
    spread = (1 - eta) * g * (1 - g)
    moments = {name: point[name] for name in ("spectrum", "w1_sq", "delta_sq", "cross", "p2", "sigma1", "sigma2")}
    expected = assembled(**moments, pi1=1 - g, pi2=(1 - g) ** 2 + spread, u=1 - free)
    assert_allclose([risk.total, risk.bias, risk.variance, risk.zeta], expected, rtol=1e-12)


def check_weighted(module):
    point = dict(one_point(), a1=0.7, a2=1.9)
    assert_allclose(module.weighted_mixed_ridge_risk(**point), weighted_by_bisection(**point), rtol=1e-9)


def check_sources(module):
    point = random_sources(np.random.default_rng(21))
    risk = module.multi_source_ridge_risk(**point)
    assert_allclose(risk.total, sources_by_iteration(**point)[0], rtol=1e-9)


def check_dynamic(module):
    point, rng = one_point(), np.random.default_rng(22)
    chain = {name: point[name] for name in ("spectrum", "n", "p2", "sigma1", "sigma2", "lam")}
    chain |= dict(w1=rng.normal(size=30), mu0=rng.normal(size=30), cov0=rng.exponential(size=30), steps=3)
    assert_allclose(module.dynamic_mixing_risk(**chain), mixing_by_loop(**chain), rtol=1e-9)
    recursion = module.dynamic_mixing_ols_risk(140, 60, 50, **NOISE, c2=1.0, steps=2)
    once = theory.mixed_ols_risk(140, 60, 50, **NOISE, c2=1.0).total
    assert_allclose(recursion, theory.mixed_ols_risk(140, 60, 50, **NOISE, c2=once).total, rtol=1e-9)


def check_exact(module):
    got = module.mixed_ols_risk(30, 10, 20, 0.5, 0.3, 0.4)
    assert_allclose([got.zeta, got.variance], [0.10366300, 0.22105263], atol=6e-9)  # published values
    for n, m in ((100, 200), (500, 200), (500, 400)):
        general = dict(spectrum=np.ones(300), w1_sq=np.full(300, 0.004), delta_sq=np.full(300, 0.4 / 300), n=n, p2=0.3)
        risk = theory.mixed_projection_risk(**general, m=m, sigma1=0.5, sigma2=0.3, lam=0.0)
        closed = module.mixed_isotropic_ridgeless_risk(300, n, m, 0.3, 0.4, 1.2, 0.7 * 0.25 + 0.3 * 0.09)
        assert_allclose([risk.total, risk.bias, risk.variance, risk.zeta], closed, rtol=1e-9, atol=1e-14)


def check_floor(module):
    point = one_point()
    floor = {name: point[name] for name in ("spectrum", "w1_sq", "delta_sq", "cross", "p2", "lam")}
    huge = {**point, "n": 1e11}
    assert_allclose(module.strong_collapse_floor(**floor), ridge_by_brentq(**huge)[0], rtol=1e-7)
    projected = theory.mixed_projection_risk(**huge, m=25.0).total
    assert_allclose(module.strong_collapse_floor(**floor, m=25.0), projected, rtol=1e-7)
    setting, ns = {**SETTING, "delta_sq": 16 * DELTA_SQ, "p2": 0.5, "lam": 0.05}, np.arange(50.0, 1000.0, 50.0)
    risks = [theory.mixed_ridge_risk(**setting, n=n) for n in ns]
    expected = next(n for n, risk in zip(ns, risks) if risk.bias + risk.variance <= risk.zeta)
    assert module.strong_collapse_onset(**setting, ns=ns) == expected


FAULTS = [
    (check_ridge, ridge, "residual_degrees_of_freedom(spectrum, kappa, n, lam) / n",
     "1 - jnp.sum(shrinkage(spectrum, kappa)[0]) / n"),
    (check_ridge, ridge, "effective_ridge(spectrum, n, lam)", "effective_ridge(spectrum, n, 2 * lam)"),
    (check_ridge, ridge, "spectrum * delta_sq", "delta_sq"),
    (check_assembly, mixture, "p2**2 * jnp.sum", "p2 * jnp.sum"),
    (check_assembly, mixture, "-2 * p2", "-p2"),
    (check_assembly, mixture, "(p1 + p2 * missed)", "(p1 + missed)"),
    (check_assembly, mixture, "bias = unlearned / free", "bias = unlearned"),
    (check_assembly, mixture, "(1 - eta) * learned", "learned"),
    (check_assembly, mixture, "(p1 * real_shift + p2 * synthetic_shift)", "(p2 * real_shift + p1 * synthetic_shift)"),
    (check_projection, projection, "projection_shares(spectrum, kappa, n, m, lam)",
     "projection_shares(spectrum, kappa, m, n, lam)"),
    (check_projection, projection, "free_n + eta * ", "free_n + "),
    (check_projection, projection, "free_m + jnp.sum(learned * missed) / m", "free_m + jnp.sum(learned) / m"),
    (check_projection, projection, "effective_ridge_projection(spectrum, n, m, lam)",
     "effective_ridge_projection(spectrum, n, m, lam * m / 30)"),
    (check_exact, exact, "n2 * (n2 + 2)", "n2 * n2"),
    (check_exact, exact, "(n - d - 1)", "(n - d)"),
    (check_exact, exact, "(n * d - 2)", "n * d"),
    (check_exact, exact, "1 - n * per_m * n / d", "1 - n * per_m"),
    (check_exact, exact, "pi2 = pi1 * (1 - eta * (1 - pi1))", "pi2 = pi1**2"),
    (check_exact, exact, "2 * p1 * p2 * pi1", "p1 * p2 * pi1"),
    (check_weighted, weighted, "c = share**2", "c = share"),
    (check_weighted, weighted, "+ df2 * excess", ""),
    (check_weighted, weighted, "jnp.stack([a1, a2])", "jnp.stack([a2, a1])"),
    (check_weighted, weighted, "(1 - omega * g) ** 2", "(omega * g) ** 2"),
    (check_sources, sources, "(p * b**2 / n)[None]", "(p * b / n)[None]"),
    (check_sources, sources, "lam * (centre - w_star)", "lam * centre"),
    (check_sources, sources, "misfit = gaps - wbar[None]", "misfit = gaps"),
    (check_dynamic, dynamic, "- missed * w1", ""),
    (check_dynamic, dynamic, "risk(mu - new, (1 - p2 * g) ** 2 * C)", "risk(mu - new, C)"),
    (check_dynamic, dynamic, "tau2 * noise", "tau2 * noise * n / (n - 1)"),
    (check_dynamic, dynamic, "power * c2", "power**2 * c2"),
    (check_floor, floor, "lam * spectrum.size / m", "lam"),
    (check_floor, floor, "floor -= 2 * p2", "floor += 2 * p2"),
    (check_floor, floor, "p2**2 * (learned**2 + spread)", "p2**2 * (1.0 + spread)"),
    (check_floor, floor, "risks.bias + risks.variance <= risks.zeta", "risks.variance <= risks.zeta"),
]  # fmt: skip


@pytest.mark.parametrize(("check", "module"), list(dict.fromkeys(fault[:2] for fault in FAULTS)))
def test_the_checks_pass_without_a_fault(check, module):
    check(module)


@pytest.mark.parametrize(("check", "module", "right", "wrong"), FAULTS, ids=lambda x: x if isinstance(x, str) else "")
def test_planted_faults_are_caught(check, module, right, wrong):
    source = inspect.getsource(module)
    assert right in source
    faulty = types.ModuleType(module.__name__)
    exec(compile(source.replace(right, wrong), module.__file__, "exec"), faulty.__dict__)
    with pytest.raises(AssertionError):
        check(faulty)
