"""Training on verified labels: identities, limits, stated values, independent computations, refusals."""

from itertools import pairwise

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from predictor_checks import Case, check_batching, check_derivatives, check_refusal
from scipy import integrate, optimize, special, stats

from theorylab import cite, problems, theory

ONES, MU = np.ones(100), 2.0 * np.eye(100)[0]
SPREAD, EVEN = np.linspace(0.5, 1.5, 100), np.full(100, 0.15)
VERIFIER = dict(phi=0.9, psi=0.3)


# --------------------------------------------------------------------------------------------------- selection algebra


@pytest.mark.parametrize("p, phi, psi", [(0.3, 0.9, 0.3), (0.8, 0.5, 0.5), (0.6, 0.7, 0.0), (0.2, 0.1, 0.9)])
def test_selection_algebra(p, phi, psi):
    keep, noise = theory.verifier_keep_rate(p, phi, psi), theory.kept_label_noise(p, phi, psi)
    signal, star = theory.kept_label_signal(p, phi, psi), theory.verifier_breakdown_point(phi, psi)
    np.testing.assert_allclose(keep, phi * (1 - p) + psi * p, rtol=1e-15)
    np.testing.assert_allclose(signal, 1 - 2 * noise, atol=1e-15)
    assert (signal > 0) == (p < star) == (noise < 0.5)
    if phi == psi:
        np.testing.assert_allclose([star, signal], [0.5, 1 - 2 * p], atol=1e-15)
    if psi == 0:
        assert (star, signal) == (1, 1)
    half = [f(p, phi / 2, psi / 2) for f in (theory.kept_label_noise, theory.kept_label_signal)]
    np.testing.assert_allclose(half, [noise, signal], rtol=1e-14, atol=1e-16)
    if psi > 0:
        np.testing.assert_allclose(theory.kept_label_signal(star, phi, psi), 0, atol=1e-15)


def test_measured_rates_and_their_error_bar():
    rng = np.random.default_rng(0)
    y, flipped = rng.choice([-1, 1], 500), rng.uniform(size=500) < 0.3
    keep = rng.uniform(size=500) < np.where(flipped, 0.3, 0.9)
    mask = np.arange(500) < 400
    found = theory.estimate_verifier_rates(y, np.where(flipped, -y, y), keep, mask)
    right, wrong, kept = mask & ~flipped, mask & flipped, mask & keep
    phi, psi = (right & kept).sum() / right.sum(), (wrong & kept).sum() / wrong.sum()
    np.testing.assert_allclose(found[:4], [wrong.sum() / 400, phi, psi, phi / (phi + psi)], rtol=1e-14)
    rates, counts = np.array([phi, psi]), np.array([right.sum(), wrong.sum()])
    slopes = np.asarray(jax.grad(lambda x: x[0] / (x[0] + x[1]))(jnp.asarray(rates)))
    expected = np.sqrt(np.sum(slopes**2 * rates * (1 - rates) / counts))
    np.testing.assert_allclose(found.p_star_se, expected, rtol=1e-12)


@pytest.mark.parametrize("y_gen, keep, named", [
    ([1, -1, 1], [1, 1, 0], "y_gen"),
    ([-1, 1, -1], [1, 1, 0], "y_gen"),
    ([1, 1, 1], [0, 0, 0], "keep"),
])  # fmt: skip
def test_rates_that_cannot_be_measured_are_refused(y_gen, keep, named):
    y, y_gen, keep = np.array([1, -1, 1]), np.array(y_gen), np.array(keep)
    with pytest.raises(ValueError, match=f"^{named} = .* outside its domain"):
        theory.estimate_verifier_rates(y, y_gen, keep)
    assert np.isnan(jax.jit(theory.estimate_verifier_rates)(y, y_gen, keep).p_star)
    with pytest.raises(ValueError, match="3, 2 and 3 entries"):
        theory.estimate_verifier_rates(y, y_gen[:2], keep)


# ------------------------------------------------------------------------------------------------------------- mixture


def mixture(spectrum=ONES, mu=MU, n=200.0, lam=0.1, p=0.3, phi=0.9, psi=0.3):
    return theory.verified_gmm_accuracy(spectrum, mu, n, lam, p, phi, psi)


def test_stated_values_of_the_mixture():
    first, second = mixture(), mixture(SPREAD, EVEN, 300.0, 0.01, 0.4, 0.8, 0.2)
    expected = [1.14954542, 0.56619285, 0.46625305, 0.41459451, 0.79650127, 0.79952256, 0.72]
    np.testing.assert_allclose(first, expected, atol=1e-8)
    found = (second.delta, second.m, second.s2, second.accuracy, second.agreement)
    np.testing.assert_allclose(found, [1.32214935, 0.50160951, 0.86329281, 0.70535558, 0.71243182], atol=1e-8)
    population = theory.verified_gmm_accuracy_population(SPREAD, EVEN, 0.01, 0.4, 0.8, 0.2)
    np.testing.assert_allclose(population, [0.94224295, 0.99997719, 0.99937701], atol=1e-8)
    slope = lambda n: theory.verified_gmm_transition_slope(ONES, MU, n, 0.1, 0.9, 0.3)
    np.testing.assert_allclose(slope(200), -0.91972238, atol=1e-8)
    np.testing.assert_allclose([slope(n) for n in (100, 1000, 10_000)], [-0.9154, -2.0191, -6.6485], atol=1e-4)
    slope = theory.verified_gmm_transition_slope(SPREAD, EVEN, 300, 0.01, 0.8, 0.2)
    np.testing.assert_allclose(slope, -0.54737245, atol=1e-8)


@pytest.mark.parametrize("phi, psi, expected", [
    (0.9, 0.1, (0.893, 0.864, 0.897, 0.952, 0.971)),
    (0.9, 0.6, (0.893, 0.756, 0.764, 0.856, 0.936)),
    (1.0, 1.0, (0.893, 0.704, 0.707, 0.786, 0.892)),
])  # fmt: skip
def test_stated_values_with_real_data(phi, psi, expected):
    for n_syn, value in zip((0.0, 50.0, 200.0, 800.0, 3200.0), expected):
        found = theory.verified_gmm_accuracy_with_real_data(ONES, MU, 50.0, n_syn, 0.1, 0.35, phi, psi)
        np.testing.assert_allclose(found.accuracy, value, atol=5e-4)


@pytest.mark.parametrize(
    "spectrum, mu, n, lam", [(SPREAD, EVEN, 300, 0.01), (SPREAD**3, MU, 90, 0.2), (ONES, EVEN, 400, 0.0)]
)
def test_mixture_equals_the_fixed_point_solved_by_scipy(spectrum, mu, n, lam):
    p, phi, psi = 0.35, 0.8, 0.4
    keep = phi * (1 - p) + psi * p
    n_k, lam_k, a = n * keep, lam / keep, (phi * (1 - p) - psi * p) / keep
    gap = lambda x: np.sum(spectrum / (spectrum / (1 + x) + lam_k)) / n_k - x
    delta = optimize.brentq(gap, 1e-9, 1e4, xtol=1e-14, rtol=1e-14)
    G = 1 / (spectrum / (1 + delta) + lam_k)
    g, t = np.sum(mu**2 * G), np.sum(spectrum**2 * G**2) / n_k / (1 + delta) ** 2
    T, h = (1 + delta) ** 2 * t / (1 - t), np.sum(mu**2 * spectrum * G**2) / (1 - t)
    m = a * g / (1 + delta + g)
    s2 = a**2 * (h + T) / (1 + delta + g) ** 2 + (1 - a**2) * T / (1 + delta) ** 2
    found = mixture(spectrum, mu, n, lam, p, phi, psi)
    np.testing.assert_allclose([found.delta, found.m, found.s2], [delta, m, s2], rtol=1e-10)
    np.testing.assert_allclose(found.accuracy, stats.norm.cdf(m / np.sqrt(s2)), rtol=1e-10)


def test_identities_of_the_mixture():
    keep, noise = 0.72, 0.3 * 0.3 / 0.72
    np.testing.assert_allclose(
        mixture(n=200 * keep, lam=0.1 / keep, p=noise, phi=1.0, psi=1.0)[:-1], mixture()[:-1], rtol=1e-12
    )
    half = mixture(phi=0.5, psi=0.5)
    np.testing.assert_allclose(half[:-1], mixture(n=100.0, lam=0.2, phi=1.0, psi=1.0)[:-1], rtol=1e-12)
    np.testing.assert_allclose(mixture(p=0.75)[4:6], 0.5, atol=1e-14)
    # exchanging right and wrong labels reverses the classifier
    np.testing.assert_allclose(mixture(p=0.7, phi=0.3, psi=0.9).accuracy, 1 - mixture().accuracy, rtol=1e-13)
    real = lambda n_real, n_syn: theory.verified_gmm_accuracy_with_real_data(
        ONES, MU, n_real, n_syn, 0.1, 0.3, 0.9, 0.3
    )
    np.testing.assert_allclose(real(0.0, 200.0), mixture(), rtol=1e-12)
    np.testing.assert_allclose(real(200.0, 0.0)[:-1], mixture(p=0.0, phi=1.0, psi=1.0)[:-1], rtol=1e-12)


def test_limits_of_the_mixture():
    many = mixture(SPREAD, EVEN, 1e13, 0.01, 0.4, 0.8, 0.2)
    population = theory.verified_gmm_accuracy_population(SPREAD, EVEN, 0.01, 0.4, 0.8, 0.2)
    np.testing.assert_allclose((many.accuracy, many.rho), population[:2], rtol=1e-9)
    averaging = mixture(lam=1e6)
    a = (0.9 * 0.7 - 0.3 * 0.3) / 0.72
    np.testing.assert_allclose(averaging.m / np.sqrt(averaging.s2), 4 * a / np.sqrt(4 * a**2 + 100 / 144), rtol=1e-5)
    for p, expected in ((0.74, 1.0), (0.76, 0.0)):
        step = theory.verified_gmm_accuracy_population(ONES, MU, 0.1, p, 0.9, 0.3)
        np.testing.assert_allclose(
            [step.agreement, step.accuracy], [expected, stats.norm.cdf(4 * expected - 2)], atol=1e-7
        )
    assert theory.verified_gmm_accuracy_population(SPREAD, MU + EVEN, 5.0, 0.4, 0.8, 0.2).rho < 0.999


def test_the_slope_is_the_derivative_at_the_breakdown_point():
    slope = jax.jit(jax.grad(lambda p: mixture(SPREAD, EVEN, 300.0, 0.01, p, 0.8, 0.2).accuracy))(0.8)
    np.testing.assert_allclose(
        slope, theory.verified_gmm_transition_slope(SPREAD, EVEN, 300, 0.01, 0.8, 0.2), rtol=1e-10
    )
    large = [theory.verified_gmm_transition_slope(ONES, MU, n, 0.1, 0.9, 0.3) for n in (1e8, 1e10)]
    np.testing.assert_allclose(large[1] / large[0], 10, rtol=1e-5)


@pytest.mark.parametrize("rho", [-0.9, -0.2, 0.0, 0.4, 0.999, 1 - 1e-6])
@pytest.mark.parametrize("D", [0.0, 1.3, 5.0])
def test_agreement_equals_adaptive_quadrature(rho, D):
    scale = rho / np.sqrt(1 - rho * rho)
    value = lambda u: stats.norm.pdf(u - D) * special.ndtr(abs(u) * scale)
    width = 12 / max(abs(scale), 1.2)
    edges = sorted({-9.0, -width, 0.0, width, D, D + 9.0})
    expected = sum(integrate.quad(value, a, b, epsabs=1e-13, limit=200)[0] for a, b in pairwise(edges))
    np.testing.assert_allclose(theory.bayes_agreement(rho, D), expected, atol=1e-11)


def test_agreement_at_its_ends():
    for D in (0.0, 0.7, 4.0):
        found = [theory.bayes_agreement(rho, D) for rho in (1.0, -1.0, 0.0)]
        np.testing.assert_allclose(found, [1, 0, 0.5], atol=1e-13)
    np.testing.assert_allclose(theory.bayes_agreement(0.3, 0.0), 1 - np.arccos(0.3) / np.pi, rtol=1e-14)


# --------------------------------------------------------------------------------------------------------- the engine


def test_stated_values_of_the_engine():
    np.testing.assert_allclose(theory.selected_ridge_bulk(0.6, 0.25, 0.01), [0.6815416923, 1.0847810238], atol=1e-10)
    np.testing.assert_allclose(theory.clean_ridge_cosine(1, 0.1), 0.6485338341, atol=1e-10)
    np.testing.assert_allclose(theory.clean_ridge_cosine(0.25, 0.01), 0.9172052499, atol=1e-10)
    found = theory.bernoulli_verifier_accuracy_label_noise(0.25, 0.05, 0.4, 0.8, 0.3)
    np.testing.assert_allclose(found, [0.56932178, 0.69279414], atol=1e-8)
    found = theory.linear_verifier_rates(0.6, 0.8, 0.48)
    expected = [0.29516724, 0.65936334, 0.82243860, 0.26995433, 0.75287800, 0.12084638]
    np.testing.assert_allclose(found, expected, atol=1e-8)
    found = theory.linear_verifier_accuracy(0.6, 0.8, 0.48, 0.25, 0.01)
    np.testing.assert_allclose(found, [0.89026379, 0.72443745, 0.75790039, 0.80256846], atol=1e-8)
    found = theory.bernoulli_verifier_accuracy_linear_generator(0.5, 0.9, 0.1, 0.25, 0.05)
    np.testing.assert_allclose(found, [1 / 3, 0.63333333, 0.70459261, 0.74887023, 0.79366002], atol=1e-8)
    ridgeless = theory.bernoulli_verifier_accuracy_linear_generator(0.5, 0.9, 0.1, 0.25, 0.0)
    np.testing.assert_allclose(ridgeless.limit, 0.79134149, atol=1e-8)


def test_stated_values_of_the_linear_verifier_in_a_mixture():
    found = theory.linear_verifier_accuracy_gmm(1.2, 0.6, 0.8, 0.48, 0.25, 0.01)
    expected = [0.23576250, 0.88916279, 0.35553430, 0.71436079, 0.76335320, 0.81547072, 0.85078179, 0.88493033]
    np.testing.assert_allclose(found, expected, atol=1e-8)
    found = theory.linear_verifier_accuracy_gmm(1.2, 0.6, 0.8, 0.48, 0.25, 0.0)
    np.testing.assert_allclose(found.limit, 0.85030377, atol=1e-8)


@pytest.mark.parametrize("pi, gamma, lam", [(0.6, 0.25, 0.01), (0.3, 2.0, 0.01), (1.0, 1.0, 1e-9), (0.5, 0.2, 0.0)])
def test_bulk_solves_its_equation(pi, gamma, lam):
    delta, V = theory.selected_ridge_bulk(pi, gamma, lam)
    terms = np.array([lam * delta**2, (pi + lam - gamma) * delta, -gamma])
    assert abs(terms.sum()) < 1e-12 * abs(terms).max()
    gb = 1 / (pi / (1 + delta) + lam)
    t = gamma * pi * gb**2 / (1 + delta) ** 2
    np.testing.assert_allclose(V, gamma * gb**2 / ((1 + delta) ** 2 * (1 - t)), rtol=1e-6)


def test_the_isotropic_mixture_is_a_case_of_the_engine():
    keep, a = 0.72, (0.9 * 0.7 - 0.3 * 0.3) / 0.72
    w, perp = theory.selected_ridge_overlaps(keep, np.array([[keep * 5]]), np.array([keep * a * 2]), 0.5, 0.1)
    np.testing.assert_allclose(2 * w[0], mixture().m, rtol=1e-12)
    np.testing.assert_allclose(w[0] ** 2 + perp, mixture().s2, rtol=1e-12)


def test_consequences_for_a_linear_verifier():
    accuracy = lambda *angles: theory.linear_verifier_accuracy(*angles, 0.0, 0.3).limit
    own = theory.linear_verifier_rates(0.6, 1.0, 0.6)
    np.testing.assert_allclose(accuracy(0.6, 1.0, 0.6), 1 - own.p / 2, rtol=1e-12)  # a perfect one halves the error
    np.testing.assert_allclose([own.phi, own.psi, own.p_star], [1, 0, 1], atol=1e-12)
    np.testing.assert_allclose(accuracy(0.6, 0.6, 1.0), 1 - own.p, rtol=1e-12)  # the generator itself changes nothing
    for rho_v in (0.1, 0.4):
        helps = (0.6 + rho_v) > 0.6 * np.sqrt(2 * (1 + 0.3))
        assert (accuracy(0.6, rho_v, 0.3) > 1 - own.p) == helps
    # a coin that is never wrong is a perfect linear verifier
    coin = theory.bernoulli_verifier_accuracy_linear_generator(0.6, 1.0, 0.0, 0.3, 0.02)
    linear = theory.linear_verifier_accuracy(0.6, 1.0, 0.6, 0.3, 0.02)
    np.testing.assert_allclose([coin.cos, coin.accuracy], [linear.cos, linear.accuracy], rtol=1e-12)
    # thinning at random is fewer pairs and a larger ridge
    thin = theory.linear_verifier_accuracy(0.6, 0.8, 0.48, 0.2, 0.02, 0.4)
    np.testing.assert_allclose(thin, theory.linear_verifier_accuracy(0.6, 0.8, 0.48, 0.5, 0.05), rtol=1e-12)


@pytest.mark.parametrize("phi, psi, better", [(0.6, 0.4, 1), (0.5, 0.5, 0), (0.4, 0.6, -1)])
def test_a_coin_helps_a_linear_generator_exactly_when_phi_exceeds_psi(phi, psi, better):
    found = theory.bernoulli_verifier_accuracy_linear_generator(0.3, phi, psi, 0.1, 0.0)
    gain = float(found.limit - (1 - found.p))
    assert np.sign(np.round(gain, 12)) == better


def test_a_linear_verifier_in_a_mixture_agrees_with_sampled_moments():
    """2 10^6 samples of the folded inputs; four standard errors."""
    rng, mu_norm, rho_g, rho_v, r = np.random.default_rng(0), 1.2, 0.6, 0.8, 0.48
    truth, g, v = np.asarray(problems.verifier_directions(rho_g, rho_v, r))
    y = rng.choice([-1.0, 1.0], 2_000_000)
    x = y[:, None] * mu_norm * truth + rng.normal(size=(len(y), 3))
    given = np.sign(x @ g)
    keep = given * (x @ v) > 0
    found = theory.linear_verifier_accuracy_gmm(mu_norm, rho_g, rho_v, r, 0.25, 0.01)
    right = given == y
    for value, flags in ((found.p, ~right), (found.keep, keep), (found.phi, keep[right]), (found.psi, keep[~right])):
        assert abs(flags.mean() - value) < 4 * np.sqrt(value * (1 - value) / flags.size)


# ----------------------------------------------------------------------------------- derivatives, batching, bad input

SMALL = dict(spectrum=np.array([0.5, 1.0, 2.0, 0.8]), mu=np.array([0.5, -0.2, 0.9, 0.3]), lam=0.1)
RATES = dict(p=0.3, phi=0.9, psi=0.4)
ANGLES = dict(rho_g=0.6, rho_v=0.7, r=0.48)
CASES = [
    Case(theory.verifier_keep_rate, RATES),
    Case(theory.kept_label_noise, RATES),
    Case(theory.kept_label_signal, RATES),
    Case(theory.verifier_breakdown_point, dict(phi=0.9, psi=0.4)),
    Case(theory.verified_gmm_accuracy_population, {**SMALL, **RATES}),
    Case(theory.verified_gmm_accuracy, {**SMALL, **RATES, "n": 12.0}),
    Case(theory.verified_gmm_accuracy_with_real_data, {**SMALL, **RATES, "n_real": 5.0, "n_syn": 9.0}),
    Case(theory.verified_gmm_transition_slope, {**SMALL, "phi": 0.9, "psi": 0.4, "n": 12.0}),
    Case(theory.bayes_agreement, dict(rho=0.6, D=1.4)),
    Case(theory.selected_ridge_bulk, dict(pi=0.6, gamma=0.3, lam=0.02)),
    Case(theory.selected_ridge_bulk, dict(pi=0.3, gamma=1.3, lam=0.02)),
    Case(theory.selected_ridge_overlaps, dict(pi=0.7, M=np.array([[0.8, 0.1], [0.1, 0.5]]), c=np.array([0.3, 0.2]),
                                              gamma=0.3, lam=0.02)),
    Case(theory.bernoulli_verifier_accuracy_label_noise, {**RATES, "gamma": 0.3, "lam": 0.02}),
    Case(theory.clean_ridge_cosine, dict(gamma=0.7, lam=0.1)),
    Case(theory.linear_verifier_rates, ANGLES),
    Case(theory.linear_verifier_accuracy, {**ANGLES, "gamma": 0.3, "lam": 0.02, "keep_frac": 0.8}),
    Case(theory.bernoulli_verifier_accuracy_linear_generator, dict(rho_g=0.5, phi=0.9, psi=0.2, gamma=0.3, lam=0.02)),
    Case(theory.linear_verifier_accuracy_gmm, {**ANGLES, "mu_norm": 1.2, "gamma": 0.3, "lam": 0.02}),
]  # fmt: skip


HEAVY = {  # compile for seconds
    "verified_gmm_accuracy_population", "verified_gmm_accuracy_with_real_data", "verified_gmm_transition_slope",
    "bernoulli_verifier_accuracy_linear_generator", "linear_verifier_accuracy_gmm", "linear_verifier_accuracy",
    "bernoulli_verifier_accuracy_label_noise",
}  # fmt: skip
SOME_SLOW = [pytest.param(case, marks=pytest.mark.slow) if case.function.__name__ in HEAVY else case for case in CASES]


@pytest.mark.parametrize("case", SOME_SLOW, ids=str)
def test_derivatives(case):
    check_derivatives(case)


@pytest.mark.parametrize("case", SOME_SLOW, ids=str)
def test_batching(case):
    check_batching(case)


@pytest.mark.parametrize("name, named, bad", [
    ("verifier_keep_rate", "p", dict(p=1.1)),
    ("verifier_keep_rate", "phi", dict(phi=-0.1)),
    ("verifier_breakdown_point", "phi, psi", dict(phi=0.0, psi=0.0)),
    ("kept_label_noise", "p, phi, psi", dict(p=1.0, psi=0.0)),
    ("kept_label_signal", "psi", dict(psi=np.nan)),
    ("verified_gmm_accuracy_population", "p, phi, psi", dict(phi=0.0, psi=0.0)),
    ("verified_gmm_accuracy_population", "spectrum", dict(spectrum=np.array([1.0, 0.0, 1.0, 1.0]))),
    ("verified_gmm_accuracy_population", "mu", dict(mu=np.zeros(4))),
    ("verified_gmm_accuracy", "p", dict(p=-0.1)),
    ("verified_gmm_accuracy", "lam", dict(lam=-1.0)),
    ("verified_gmm_accuracy", "lam", dict(lam=0.0, n=5.0)),
    ("verified_gmm_accuracy", "n", dict(n=0.0)),
    ("verified_gmm_accuracy_with_real_data", "n_real, n_syn", dict(n_real=0.0, n_syn=0.0)),
    ("verified_gmm_accuracy_with_real_data", "lam", dict(lam=0.0, n_real=1.0, n_syn=3.0)),
    ("verified_gmm_transition_slope", "phi, psi", dict(psi=0.0)),
    ("verified_gmm_transition_slope", "lam", dict(lam=0.0, n=6.0)),
    ("bayes_agreement", "rho", dict(rho=1.1)),
    ("bayes_agreement", "D", dict(D=-1.0)),
    ("selected_ridge_bulk", "pi", dict(pi=0.0)),
    ("selected_ridge_bulk", "lam", dict(lam=0.0, gamma=0.9)),
    ("selected_ridge_overlaps", "M, c", dict(c=np.array([5.0, 5.0]))),
    ("bernoulli_verifier_accuracy_label_noise", "psi", dict(psi=1.5)),
    ("bernoulli_verifier_accuracy_label_noise", "lam", dict(lam=0.0, gamma=0.9)),
    ("clean_ridge_cosine", "lam", dict(lam=0.0, gamma=1.0)),
    ("linear_verifier_rates", "rho_g, rho_v, r", dict(r=-0.9)),
    ("linear_verifier_rates", "r", dict(rho_g=0.0, rho_v=0.0, r=-1.0)),
    ("linear_verifier_accuracy", "rho_g", dict(rho_g=1.2)),
    ("linear_verifier_accuracy", "rho_g, rho_v, r", dict(rho_v=-0.99)),
    ("linear_verifier_accuracy", "keep_frac", dict(keep_frac=0.0)),
    ("linear_verifier_accuracy", "lam", dict(lam=0.0, gamma=0.9)),
    ("bernoulli_verifier_accuracy_linear_generator", "p, phi, psi", dict(phi=0.0, psi=0.0)),
    ("linear_verifier_accuracy_gmm", "r", dict(rho_v=0.6, r=1.0)),
    ("linear_verifier_accuracy_gmm", "mu_norm", dict(mu_norm=0.0)),
    ("linear_verifier_accuracy_gmm", "rho_g, rho_v, r", dict(r=-0.9)),
])  # fmt: skip
def test_outside_the_domain(name, named, bad):
    case = next(case for case in CASES if case.function.__name__ == name)
    check_refusal(case, named, **bad)


def test_a_perfect_generator_leaves_psi_undefined():
    rates = theory.linear_verifier_rates(1.0, 0.7, 0.7)
    assert np.isnan([rates.psi, rates.p_star]).all() and rates.p == 0
    np.testing.assert_allclose(rates.phi, rates.keep, rtol=1e-12)


def test_every_predictor_names_its_source():
    for case in CASES:
        assert "feng2024beyond" in cite(case.function) or "firdoussi2024maximizing" in cite(case.function)
