"""Total variation of empirical laws: de Moivre's formula, exact curves, the two-term expansion."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import special, stats

from theorylab import theory

ZIPF = theory.zipf_probabilities(1.5, 100)


def mean_distance(N, b, a):
    x = np.arange(N + 1)
    return np.sum(np.abs(x - a) * stats.binom.pmf(x, N, b))


def curve(true, train, N):
    return sum(mean_distance(N, b, N * t) for t, b in zip(true, train)) / (2 * N) if N else 1.0


def enumerated(true, train, N):
    """The definition: every sample, its empirical law, its distance."""
    total = 0.0
    for draws in itertools.product(range(len(train)), repeat=N):
        empirical = np.bincount(draws, minlength=len(true)) / N
        total += np.prod(train[list(draws)]) * np.abs(empirical - true).sum() / 2
    return total


def infinite(beta, N):
    """The exact curve for a law without end: ranks beyond a million are seen once or never, and cost their mass."""
    j = np.arange(1.0, 1_000_001)
    p = j**-beta / special.zeta(beta)
    m = np.floor(N * p)
    term = special.xlogy(m + 1, p) + special.xlog1py(N - m, -p)
    choose = special.gammaln(N + 1) - special.gammaln(m + 2) - special.gammaln(N - m)
    return np.sum((m + 1) * np.exp(choose + term)) / N + special.zeta(beta, 1_000_001) / special.zeta(beta)


# ----------------------------------------------------------------------------------------------- definition and values


@pytest.mark.parametrize("N", [1, 2, 5])
def test_the_curve_is_the_mean_over_all_samples(N):
    true, train = np.array([0.6, 0.3, 0.1]), np.array([0.8, 0.2, 0.0])
    assert_allclose(theory.total_variation_learning_curve(true, train, N), enumerated(true, train, N), rtol=1e-12)
    assert_allclose(theory.total_variation_learning_curve(true, true, N), enumerated(true, true, N), rtol=1e-12)


def test_the_bigram_error_is_the_mean_over_contexts_and_counts():
    contexts, true, train = np.array([0.7, 0.2, 0.1]), np.array([0.6, 0.3, 0.1]), np.array([0.75, 0.25, 0.0])
    for T in (0, 1, 6):
        counts = np.arange(T + 1)
        expected = sum(p * sum(stats.binom.pmf(N, T, p) * curve(true, train, N) for N in counts) for p in contexts)
        assert_allclose(theory.bigram_total_variation_error(contexts, true, train, T), expected, rtol=1e-12)


# from an independent implementation, with ten digits (eight for the first); the expansions without the end of a sum
@pytest.mark.parametrize("value, expected", [
    (lambda: theory.binomial_mean_absolute_deviation(10, 0.25), 1.12627029),
    (lambda: theory.binomial_mean_absolute_deviation(4, 0.5), 0.75),
    (lambda: theory.total_variation_learning_curve(ZIPF, ZIPF, 100), 0.2058255130),
    (lambda: theory.total_variation_learning_curve(ZIPF, theory.truncate_tail(ZIPF, 10), 100), 0.2130813716),
    (lambda: theory.total_variation_asymptotic(1.5, 1000), 0.1399952736),
    (lambda: theory.total_variation_asymptotic(2.5, 1000), 0.0284744818),
    (lambda: theory.bigram_total_variation_error(
        theory.zipf_probabilities(1.5, 20), *[theory.zipf_probabilities(1.5, 30)] * 2, 100), 0.3802413429),
])  # fmt: skip
def test_published_values(value, expected):
    assert_allclose(value(), expected, atol=5e-9 if expected == 1.12627029 else 3e-10)


@pytest.mark.parametrize(
    "beta, error", [(1.3, 0.0021), (1.5, 0.0021), (1.8, 0.0021), (2.2, 0.0021), (2.5, 0.005), (3.5, 0.005)]
)
def test_two_terms_follow_the_exact_curve(beta, error):
    for N in (100, 1000, 10_000):
        assert_allclose(theory.total_variation_asymptotic(beta, N), infinite(beta, N), rtol=error)


# ----------------------------------------------------------------------------------------------- identities and limits


def test_limits():
    assert_allclose(theory.binomial_mean_absolute_deviation(1, 0.3), 2 * 0.3 * 0.7, rtol=1e-14)
    for p in (0.0, 1.0):
        assert theory.binomial_mean_absolute_deviation(7, p) == 0
    assert theory.binomial_mean_absolute_deviation(0, 0.3) == 0
    assert theory.total_variation_learning_curve(ZIPF, ZIPF, 0) == 1
    assert_allclose(theory.binomial_mean_absolute_deviation(10**8, 0.3), np.sqrt(2e8 * 0.21 / np.pi), rtol=1e-6)
    point = np.array([1.0, 0.0])
    assert theory.total_variation_learning_curve(point, point, 5) == 0
    assert theory.total_variation_learning_curve(point, point[::-1].copy(), 5) == 1
    assert_allclose(theory.total_variation_learning_curve(point, np.array([0.7, 0.3]), 5), 0.3, rtol=1e-13)


def test_equal_laws_need_no_special_case():
    for N in (1, 10, 1000, 100_000):
        assert_allclose(
            theory.total_variation_learning_curve(ZIPF, ZIPF.copy(), N),
            theory.total_variation_learning_curve(ZIPF, ZIPF, N),
            rtol=1e-13,
        )


def test_the_curve_is_a_distance_that_falls_to_the_removed_mass():
    cut = theory.truncate_tail(ZIPF, 10)
    N = np.array([1.0, 10.0, 100.0, 1e4, 1e6])
    for train, floor in ((ZIPF, 0.0), (cut, ZIPF[10:].sum())):
        values = jax.vmap(lambda N, train=train: theory.total_variation_learning_curve(ZIPF, train, N))(N)
        assert ((values >= 0) & (values <= 1)).all() and (np.diff(values) < 0).all()
        assert_allclose(values[-1], floor, atol=3e-3)


def test_one_context_is_the_curve_and_rare_contexts_are_unseen():
    only = np.ones(1)
    assert_allclose(
        theory.bigram_total_variation_error(only, ZIPF, ZIPF, 50),
        theory.total_variation_learning_curve(ZIPF, ZIPF, 50),
        rtol=1e-13,
    )
    many = np.full(1000, 1e-3)
    seen = 1 - (1 - 1e-3) ** 5
    error = theory.bigram_total_variation_error(many, ZIPF, ZIPF, 5)
    assert 1 - seen < error < 1


def test_the_slope_of_two_terms_tends_to_the_smaller_exponent():
    for beta, exponent in ((1.3, 1 - 1 / 1.3), (3.5, 0.5)):
        low, high = (theory.total_variation_asymptotic(beta, N) for N in (1e15, 1e18))
        assert_allclose(np.log(low / high) / np.log(1e3), exponent, atol=2e-3)


# ----------------------------------------------------------------------------------------------- independent, gradients


def test_de_moivre_at_200_random_points():
    rng = np.random.default_rng(0)
    N, p = rng.integers(1, 300, 200).astype(float), rng.random(200)
    values = jax.jit(jax.vmap(theory.binomial_mean_absolute_deviation))(N, p)
    assert_allclose(values, [mean_distance(int(n), x, n * x) for n, x in zip(N, p)], rtol=1e-11)


def test_curves_at_200_random_points():
    rng = np.random.default_rng(1)
    N = rng.integers(1, 200, 200).astype(float)
    true, train = rng.dirichlet(np.full(4, 0.5), (2, 200))
    values = jax.jit(jax.vmap(theory.total_variation_learning_curve))(true, train, N)
    assert_allclose(values, [curve(t, q, int(n)) for t, q, n in zip(true, train, N)], rtol=1e-10)


def test_the_expansion_against_its_plain_sums():
    """M = 20000 intervals with incomplete gamma functions, and 200000 ranks, one by one."""
    for beta in (1.3, 1.7, 2.4, 3.5):
        alpha, A, M = 1 / beta, 1 / special.zeta(beta), 20_000
        m = np.arange(M)
        lower = lambda x, alpha=alpha, m=m: special.gammainc(m + 1 - alpha, x)
        gamma = np.exp(special.gammaln(m + 1 - alpha) - special.gammaln(m + 1))
        integral = np.sum(2 * (lower(m + 1) - lower(m)) * gamma)
        integral += np.sqrt(2 / np.pi) * M ** (0.5 - alpha) / (alpha - 0.5)
        p = A * np.arange(1, 200_001.0) ** -beta
        s, end = beta / 2, 2000.0
        zeta = (np.arange(1, 2001.0) ** -s).sum() + end ** (1 - s) / (s - 1) - end**-s / 2 + s * end ** (-s - 1) / 12
        c2 = (np.sqrt(A) * zeta + np.sum(np.sqrt(p * (1 - p)) - np.sqrt(p))) / np.sqrt(2 * np.pi)
        for N in (100, 1e5):
            expected = 0.5 * alpha * A**alpha * integral * N ** (alpha - 1) + c2 / np.sqrt(N)
            assert_allclose(theory.total_variation_asymptotic(beta, N), expected, rtol=1e-7)


@pytest.mark.parametrize("f, x", [
    (lambda p: theory.binomial_mean_absolute_deviation(11, p), 0.33),
    (lambda x: theory.total_variation_learning_curve(0.9 * ZIPF + jnp.zeros(100).at[1].set(x), 0.9 * ZIPF, 11), 0.01),
    (lambda x: theory.total_variation_learning_curve(0.9 * ZIPF, 0.9 * ZIPF + jnp.zeros(100).at[1].set(x), 11), 0.01),
    (lambda x: theory.bigram_total_variation_error(0.9 * ZIPF + jnp.zeros(100).at[1].set(x), ZIPF, ZIPF, 11), 0.01),
    (lambda beta: theory.total_variation_asymptotic(beta, 300.0), 1.4),
    (lambda beta: theory.total_variation_asymptotic(beta, 300.0), 2.6),
    (lambda N: theory.total_variation_asymptotic(1.4, N), 300.0),
])  # fmt: skip
def test_gradients_and_tracing(f, x):
    h = 1e-5 * x
    assert_allclose(jax.grad(f)(x), (f(x + h) - f(x - h)) / (2 * h), rtol=2e-6)
    points = x * jnp.array([0.999, 1.0, 1.001])
    traces = []

    @jax.jit
    def traced(x):
        traces.append(x)
        return f(x)

    looped = [traced(point) for point in points]
    assert len(traces) == 1
    assert_allclose(jax.vmap(f)(points), looped, rtol=1e-12)
    assert_allclose([f(float(point)) for point in points], looped, rtol=1e-12)


def test_gradients_are_finite_at_certain_and_impossible_outcomes():
    at = jnp.array([1.0, 0.0])
    for argument in (0, 1):
        assert np.isfinite(jax.grad(theory.total_variation_learning_curve, argument)(at, at, 5.0)).all()
        assert np.isfinite(jax.grad(theory.total_variation_learning_curve, argument)(at, at[::-1], 5.0)).all()


# ---------------------------------------------------------------------------------------------------------- bad input


@pytest.mark.parametrize("call, named", [
    (lambda: theory.binomial_mean_absolute_deviation(2.5, 0.5), "n_samples = 2.5"),
    (lambda: theory.binomial_mean_absolute_deviation(-1, 0.5), "n_samples = -1"),
    (lambda: theory.binomial_mean_absolute_deviation(3, 1.5), "p = 1.5"),
    (lambda: theory.total_variation_learning_curve(ZIPF, ZIPF, 2.5), "n_samples = 2.5"),
    (lambda: theory.total_variation_learning_curve(ZIPF, ZIPF[:5], 3), "the length of q_train = 5"),
    (lambda: theory.total_variation_learning_curve(-ZIPF, ZIPF, 3), "q_true = "),
    (lambda: theory.total_variation_learning_curve(ZIPF, 2 * ZIPF, 3), "the sum of q_train"),
    (lambda: theory.bigram_total_variation_error(2 * ZIPF, ZIPF, ZIPF, 3), "the sum of p_ctx"),
    (lambda: theory.bigram_total_variation_error(np.array([]), ZIPF, ZIPF, 3), "p_ctx = "),
    (lambda: theory.bigram_total_variation_error(ZIPF, ZIPF, ZIPF, -3), "T = -3"),
    (lambda: theory.bigram_total_variation_error(ZIPF, ZIPF, ZIPF[:5], 3), "the length of q_train = 5"),
    (lambda: theory.total_variation_asymptotic(1.0, 100), "beta = 1.0"),
    (lambda: theory.total_variation_asymptotic(2, 100), "beta = 2"),
    (lambda: theory.total_variation_asymptotic(1.5, 0), "n_samples = 0"),
])  # fmt: skip
def test_refusals_name_the_argument(call, named):
    with pytest.raises(ValueError, match="outside its domain") as raised:
        call()
    assert str(raised.value).startswith(named)


@pytest.mark.parametrize("f, x", [
    (lambda N: theory.binomial_mean_absolute_deviation(N, 0.5), 2.5),
    (lambda p: theory.binomial_mean_absolute_deviation(3, p), -0.5),
    (lambda N: theory.total_variation_learning_curve(ZIPF, ZIPF, N), 2.5),
    (lambda x: theory.bigram_total_variation_error(x * jnp.asarray(ZIPF), ZIPF, ZIPF, 3), 2.0),
    (lambda beta: theory.total_variation_asymptotic(beta, 100), 2.0),
])  # fmt: skip
def test_traced_bad_input_is_nan(f, x):
    assert np.isnan(jax.jit(f)(x))


# ----------------------------------------------------------------------------------------------------- planted faults


def _with(b_exponent=0, m_shift=0, factor=2.0, choose_shift=1):
    def fault(N, p):
        m = int(np.floor(N * p)) + m_shift
        return factor * (m + 1) * special.comb(N, m + choose_shift) * p ** (m + 1 + b_exponent) * (1 - p) ** (N - m)

    return fault


@pytest.mark.parametrize("fault", [_with(b_exponent=-1), _with(m_shift=1), _with(factor=1.0), _with(choose_shift=0)])
def test_planted_faults_of_de_moivre_are_caught(fault):
    for N, p in ((10, 0.25), (7, 0.6)):
        expected = mean_distance(N, p, N * p)
        assert np.isclose(theory.binomial_mean_absolute_deviation(N, p), expected, rtol=1e-12)
        assert np.isclose(_with()(N, p), expected, rtol=1e-12)
        assert not np.isclose(fault(N, p), expected, rtol=1e-3)


@pytest.mark.parametrize("fault", [
    lambda t, q, N: 2 * curve(t, q, N),  # L1 distance in place of total variation
    lambda t, q, N: curve(q, q, N),  # the mean of the sample in place of the truth
    lambda t, q, N: curve(t, t, N) + np.abs(t - q).sum() / 2,  # fluctuation and bias added
    lambda t, q, N: curve(q, t, N),  # laws exchanged
])  # fmt: skip
def test_planted_faults_of_the_curve_are_caught(fault):
    true, train = np.array([0.6, 0.3, 0.1]), np.array([0.8, 0.2, 0.0])
    expected = enumerated(true, train, 5)
    assert np.isclose(theory.total_variation_learning_curve(true, train, 5), expected, rtol=1e-12)
    assert not np.isclose(fault(true, train, 5), expected, rtol=1e-3)


@pytest.mark.parametrize("fault", [
    lambda beta, N, terms: terms[0],  # the leading term alone
    lambda beta, N, terms: terms[0] - terms[1],  # sign of the second
    lambda beta, N, terms: 2 * terms[0] + terms[1],  # factor 1/2 of the first
    lambda beta, N, terms: terms[0] + np.sqrt(2 * np.pi) * terms[1],  # factor of the second
])  # fmt: skip
def test_planted_faults_of_the_expansion_are_caught(fault):
    beta, N = 1.5, 1000
    at = np.array([float(theory.total_variation_asymptotic(beta, x)) for x in (N, 4 * N)])
    powers = np.array([[N ** (1 / beta - 1), N**-0.5], [(4 * N) ** (1 / beta - 1), (4 * N) ** -0.5]])
    terms = np.linalg.solve(powers, at) * powers[0]
    assert_allclose(terms[0], 0.1692319526, rtol=1e-8)  # the leading term, from an independent implementation
    assert abs(sum(terms) / infinite(beta, N) - 1) < 0.0021
    assert abs(fault(beta, N, terms) / infinite(beta, N) - 1) > 0.05
