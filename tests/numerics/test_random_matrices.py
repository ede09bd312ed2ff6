"""Exact-in-law draws: the laws themselves, against SciPy and against the matrices that they stand for."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from theorylab.numerics.random_matrices import chi_square, draw_inverse_wishart_traces, wishart_factor

N = 20_000
# a two-sided test of this level fails one run in a thousand when the draws are right; the seeds are fixed
LEVEL = 1e-3


def draw(function, count=N, seed=0):
    return np.asarray(jax.jit(jax.vmap(function))(jax.random.split(jax.random.key(seed), count)))


def gram(d, T, count=N):
    X = np.random.default_rng(1).normal(size=(count, T, d))
    return np.einsum("rti,rtj->rij", X, X)


def factor_gram(d, T, rows=None):
    L = draw(lambda key: wishart_factor(key, d, rows or T))
    return L @ L.transpose(0, 2, 1)


def inverse_traces(d, T):
    return draw(lambda key: draw_inverse_wishart_traces(key, d, T, 4), N // 4).ravel()


@pytest.mark.parametrize("df", [0.3, 1.0, 2.0, 3.0, 7.5, 200.0])
def test_chi_square_has_its_law(df):
    ours = draw(lambda key: chi_square(key, jnp.full(3, df)), N // 4)
    assert stats.kstest(ours.ravel(), stats.chi2(df).cdf).pvalue > LEVEL
    correlation = np.corrcoef(ours.T)[np.triu_indices(3, 1)]  # entries of one draw are independent
    assert np.abs(correlation).max() < 4.5 / (N // 4) ** 0.5


def test_chi_square_without_degrees_of_freedom_is_flagged():
    ours = chi_square(jax.random.key(0), jnp.array([-3.0, 0.0, jnp.nan, 2.0]))
    np.testing.assert_array_equal(jnp.isnan(ours), [True, True, True, False])


STATISTICS = {
    "trace": lambda M: np.trace(M, axis1=1, axis2=2),
    "log determinant": lambda M: np.linalg.slogdet(M)[1],
    "an entry off the diagonal": lambda M: M[:, 0, -1],
    "the last entry": lambda M: M[:, -1, -1],
    "an entry of the inverse": lambda M: np.linalg.inv(M)[:, 0, 0],
    "the smallest eigenvalue": lambda M: np.linalg.eigvalsh(M)[:, 0],
}


@pytest.mark.parametrize("d, T", [(1, 1), (3, 3), (3, 7), (4, 30)])
def test_factors_have_the_law_of_gram_matrices(d, T):
    ours, theirs = factor_gram(d, T), gram(d, T)
    assert np.all(np.triu(np.asarray(wishart_factor(jax.random.key(0), d, T)), 1) == 0)
    for name, statistic in STATISTICS.items():
        assert stats.ks_2samp(statistic(ours), statistic(theirs)).pvalue > LEVEL, name


def test_factors_have_the_first_two_moments_of_the_wishart_law():
    """E W = T I, Var W_ij = T for i != j and 2 T for i = j."""
    d, T = 4, 9
    W = factor_gram(d, T)
    assert np.abs(W.mean(0) - T * np.eye(d)).max() < 5 * (2 * T / N) ** 0.5
    np.testing.assert_allclose(W.var(0), T * (1 + np.eye(d)), rtol=0.1)


@pytest.mark.parametrize("d, T", [(1, 1), (1, 6), (2, 4), (5, 5), (5, 12)])
def test_traces_have_the_law_of_inverse_gram_matrices(d, T):
    theirs = np.trace(np.linalg.inv(gram(d, T)), axis1=1, axis2=2)
    assert stats.ks_2samp(inverse_traces(d, T), theirs).pvalue > LEVEL


def test_traces_have_their_first_two_moments():
    """E tr W^-1 = d / (T - d - 1); E (W^-1)_ii (W^-1)_jj = c1 + 2 c2 [i = j], published for the inverse Wishart law."""
    d, T = 30, 80
    traces = inverse_traces(d, T)
    c2 = 1 / ((T - d) * (T - d - 1) * (T - d - 3))
    second = (T - d - 2) * c2 * d**2 + 2 * c2 * d
    mean = d / (T - d - 1)
    spread = (second - mean**2) ** 0.5
    assert abs(traces.mean() - mean) < 4.5 * spread / N**0.5
    assert traces.var() == pytest.approx(spread**2, rel=0.06)


@pytest.mark.parametrize("fault", [-1, 1])
def test_one_degree_of_freedom_too_many_or_too_few_is_caught(fault):
    d, T = 3, 12
    theirs = gram(d, T)
    for name in ("trace", "log determinant"):
        ours = STATISTICS[name](factor_gram(d, T, rows=T + fault))
        assert stats.ks_2samp(ours, STATISTICS[name](theirs)).pvalue < LEVEL**3
    inverse = np.trace(np.linalg.inv(theirs), axis1=1, axis2=2)
    assert stats.ks_2samp(inverse_traces(d, T + fault), inverse).pvalue < LEVEL**3


def test_sizes_flow_and_one_program_serves_them_all():
    traces = 0

    @jax.jit
    def sample(key, T):
        nonlocal traces
        traces += 1
        return wishart_factor(key, 3, T), draw_inverse_wishart_traces(key, 3, T, 2)

    key = jax.random.key(4)
    for T in (3.0, 5.0, 7.5, 1e6):
        L, inverse = sample(key, T)
        np.testing.assert_allclose(L, wishart_factor(key, 3, T), rtol=1e-14)
        np.testing.assert_allclose(inverse, draw_inverse_wishart_traces(key, 3, T, 2), rtol=1e-14)
    assert traces == 1
    assert all(jnp.all(jnp.isnan(x)) for x in sample(key, 2.0))


@pytest.mark.parametrize(
    "call", [lambda key: wishart_factor(key, 3, 2), lambda key: draw_inverse_wishart_traces(key, 3, 2, 1)]
)
def test_fewer_samples_than_dimensions_are_refused(call):
    with pytest.raises(ValueError, match="T = 2 is outside its domain: T >= d = 3"):
        call(jax.random.key(0))
