"""Generations of resampling: the branching factor, the exact sum, and both against enumeration."""

import itertools
from collections import Counter

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import stats

from theorylab import theory

ZIPF = theory.zipf_probabilities(1.5, 300)


def enumerated(p, Ts):
    """The definition: every data set of every generation, with its probability."""
    sets = Counter()
    for draws in itertools.product(range(len(p)), repeat=Ts[0]):
        sets[draws] += np.prod(p[list(draws)])
    for T in Ts[1:]:
        later = Counter()
        for data, weight in sets.items():
            for picks in itertools.product(data, repeat=T):
                later[tuple(sorted(picks))] += weight / len(data) ** T
        sets = later
    return sum(weight * sum(p[i] for i in range(len(p)) if i not in data) for data, weight in sets.items())


def by_matrices(p, Ts):
    """The chain of counts of each item, as SciPy's binomials."""
    absent = np.eye(1, Ts[-1] + 1)[0]
    for before, after in reversed(list(itertools.pairwise(Ts))):
        x = np.arange(before + 1) / before
        absent = stats.binom.pmf(np.arange(after + 1)[None], after, x[:, None]) @ absent
    return p @ stats.binom.pmf(np.arange(Ts[0] + 1)[None], Ts[0], p[:, None]) @ absent


# ----------------------------------------------------------------------------------------------- definition and values


@pytest.mark.parametrize("Ts", [(3,), (2, 3), (3, 2, 2), (2, 3, 1, 2)])
def test_the_exact_form_is_the_mean_over_all_histories(Ts):
    p = np.array([0.5, 0.3, 0.15, 0.05])
    assert_allclose(theory.unseen_item_error_generations(p, Ts, "exact"), enumerated(p, Ts), rtol=1e-12)


# from an independent implementation, with ten and four digits
def test_published_values():
    assert_allclose(theory.unseen_item_error_generations(ZIPF, [100] * 4), 0.2439639626, atol=6e-11)
    assert_allclose(theory.unseen_item_error_generations(ZIPF, [100] * 4, "exact"), 0.2419713246, atol=6e-11)
    factors = {0: 1, 1: 0.6321, 2: 0.4685, 3: 0.3741, 10: 0.1582}
    for n, s in factors.items():
        assert_allclose(theory.generation_survival_factor([50] * (n + 1)), s, atol=5e-5)
    assert_allclose(theory.generation_survival_factor([50] * 101), 0.01935, atol=5e-6)


# ----------------------------------------------------------------------------------------------- identities and limits


def test_one_data_set_is_the_clean_error():
    exact = theory.unseen_item_error_generations(ZIPF, [70], "exact")
    assert_allclose(exact, theory.unseen_item_error(ZIPF, ZIPF, 70), rtol=1e-12)
    assert theory.generation_survival_factor([70]) == 1


def test_one_resampling_has_an_effective_size():
    s = theory.generation_survival_factor([100, 250])
    assert_allclose(100 * s, 100 * (1 - np.exp(-2.5)), rtol=1e-13)


def test_a_large_resample_of_a_finite_set_loses_nothing():
    exact = theory.unseen_item_error_generations(ZIPF, [40, 2000], "exact")
    assert_allclose(exact, theory.unseen_item_error(ZIPF, ZIPF, 40), rtol=1e-12)


def test_every_generation_loses():
    for method in ("poisson", "exact"):
        errors = [theory.unseen_item_error_generations(ZIPF, [60] * (n + 1), method) for n in range(7)]
        assert (np.diff(errors) > 0).all()


def test_equal_sizes_decay_like_two_over_n():
    for n in (10, 30, 100, 1000):
        s = theory.generation_survival_factor([10] * (n + 1))
        assert_allclose(s, 2 / (n + np.log(n) / 3 + 1.8), rtol=0.006)


@pytest.mark.parametrize("growth, limit", [(1.2, 0.3137), (1.5, 0.5828), (2.0, 0.7968)])
def test_growing_sizes_stop_the_collapse(growth, limit):
    s = theory.generation_survival_factor(10 * growth ** np.arange(200.0))
    assert_allclose(s, limit, atol=5e-5)
    assert_allclose(s, 1 - np.exp(-growth * s), rtol=1e-12)


def test_only_ratios_of_sizes_matter_to_the_factor():
    assert_allclose(
        theory.generation_survival_factor([10, 20, 5]), theory.generation_survival_factor([20, 40, 10]), rtol=1e-14
    )


@pytest.mark.parametrize("n", [1, 3, 8])
def test_poisson_exceeds_the_exact_form_by_less_than_two_over_T(n):
    p = theory.zipf_probabilities(1.5, 2000)
    for T in (50, 100, 300):
        Ts = [T] * (n + 1)
        exact = theory.unseen_item_error_generations(p, Ts, "exact")
        assert 0 < theory.unseen_item_error_generations(p, Ts) / exact - 1 < 2 / T


# ----------------------------------------------------------------------------------------------- independent, gradients


@pytest.mark.parametrize("Ts", [(100,), (40, 40, 40), (30, 90, 10, 50), (7,) * 9])
def test_against_scipys_binomials(Ts):
    rng = np.random.default_rng(0)
    p = rng.dirichlet(np.full(25, 0.3))
    assert_allclose(theory.unseen_item_error_generations(p, Ts, "exact"), by_matrices(p, Ts), rtol=1e-10)


def test_the_factor_at_200_random_points():
    rng = np.random.default_rng(1)
    Ts = rng.uniform(1, 1000, (200, 5))
    s = np.ones(200)
    for g in range(4, 0, -1):
        s = 1 - np.exp(-Ts[:, g] / Ts[:, g - 1] * s)
    assert_allclose(jax.jit(jax.vmap(theory.generation_survival_factor))(Ts), s, rtol=1e-12)


FEW = np.array([0.5, 0.3, 0.15, 0.05])


@pytest.mark.parametrize("f, x", [
    (lambda x: theory.generation_survival_factor(jnp.array([20.0, 30.0, 25.0]).at[0].add(x)), 0.0),
    (lambda x: theory.generation_survival_factor(jnp.array([20.0, 30.0, 25.0]).at[1].add(x)), 0.0),
    (lambda x: theory.unseen_item_error_generations(FEW, jnp.array([20.0, 30.0, 25.0]).at[2].add(x)), 0.0),
    (lambda x: theory.unseen_item_error_generations(0.9 * jnp.asarray(FEW).at[1].add(x), (4, 6, 5)), 0.0),
    (lambda x: theory.unseen_item_error_generations(0.9 * jnp.asarray(FEW).at[1].add(x), (4, 6, 5), "exact"), 0.0),
])  # fmt: skip
def test_gradients_and_tracing(f, x):
    h = 1e-6
    assert_allclose(jax.grad(f)(x), (f(x + h) - f(x - h)) / (2 * h), rtol=1e-6)
    points = jnp.array([0.0, 1e-3, 2e-3])
    traces = []

    @jax.jit
    def traced(x):
        traces.append(x)
        return f(x)

    looped = [traced(point) for point in points]
    assert len(traces) == 1
    assert_allclose(jax.vmap(f)(points), looped, rtol=1e-13)
    assert_allclose([f(float(point)) for point in points], looped, rtol=1e-13)


def test_certain_and_impossible_items_have_finite_gradients():
    for method in ("poisson", "exact"):
        error = lambda p, method=method: theory.unseen_item_error_generations(p, (5, 5), method)
        assert np.isfinite(jax.grad(error)(jnp.array([1.0, 0.0]))).all()


# ---------------------------------------------------------------------------------------------------------- bad input


@pytest.mark.parametrize("call, named", [
    (lambda: theory.generation_survival_factor([]), "Ts = "),
    (lambda: theory.generation_survival_factor([10, 0]), "Ts = "),
    (lambda: theory.generation_survival_factor([10, np.nan]), "Ts = "),
    (lambda: theory.unseen_item_error_generations(ZIPF, []), "Ts = "),
    (lambda: theory.unseen_item_error_generations(ZIPF, [0.5]), "Ts = "),
    (lambda: theory.unseen_item_error_generations(ZIPF, [10.5, 10], "exact"), "Ts = "),
    (lambda: theory.unseen_item_error_generations(ZIPF, [5001], "exact"), "Ts = "),
    (lambda: theory.unseen_item_error_generations(ZIPF, [10], "monte carlo"), "method = monte carlo"),
    (lambda: theory.unseen_item_error_generations(-ZIPF, [10]), "p = "),
    (lambda: theory.unseen_item_error_generations(2 * ZIPF, [10]), "the sum of p"),
    (lambda: theory.unseen_item_error_generations(np.array([]), [10]), "p = "),
])  # fmt: skip
def test_refusals_name_the_argument(call, named):
    with pytest.raises(ValueError, match="outside its domain") as raised:
        call()
    assert str(raised.value).startswith(named)


def test_traced_bad_input():
    assert np.isnan(jax.jit(theory.generation_survival_factor)(jnp.array([10.0, 0.0])))
    assert np.isnan(jax.jit(lambda Ts: theory.unseen_item_error_generations(FEW, Ts))(jnp.array([10.0, 0.0])))
    with pytest.raises(ValueError, match="traced"):
        jax.jit(lambda Ts: theory.unseen_item_error_generations(FEW, Ts, "exact"))(jnp.array([10.0, 5.0]))


# ----------------------------------------------------------------------------------------------------- planted faults


def _factor(Ts, step):
    s = 1.0
    for g in range(len(Ts) - 1, 0, -1):
        s = step(s, Ts[g], Ts[g - 1])
    return s


@pytest.mark.parametrize("step", [
    lambda s, T, before: 1 - np.exp(-(before / T) * s),  # ratio inverted
    lambda s, T, before: 1 - np.exp(-s),  # ratio dropped
    lambda s, T, before: s * (1 - np.exp(-T / before)),  # generations multiplied in place of composed
    lambda s, T, before: np.exp(-(T / before) * s),  # extinction in place of survival
])  # fmt: skip
def test_planted_faults_of_the_factor_are_caught(step):
    Ts = [200, 300, 150, 400]
    exact = theory.unseen_item_error_generations(ZIPF, Ts, "exact")
    assert abs(theory.unseen_item_error_generations(ZIPF, Ts) / exact - 1) < 2 / 150
    assert abs(np.sum(ZIPF * np.exp(-200 * ZIPF * _factor(Ts, step))) / exact - 1) > 3 / 150


def _shifted(p, Ts):
    return by_matrices(p, Ts[:-1])  # one generation too few


def _reversed(p, Ts):
    return by_matrices(p, Ts[::-1])


def _fresh(p, Ts):
    return np.sum(p * (1 - p) ** Ts[-1])  # the last generation drawn from the truth


@pytest.mark.parametrize("fault", [_shifted, _reversed, _fresh])
def test_planted_faults_of_the_exact_form_are_caught(fault):
    Ts = (2, 3, 2, 4)
    assert abs(theory.unseen_item_error_generations(FEW, Ts, "exact") / enumerated(FEW, Ts) - 1) < 1e-10
    assert abs(fault(FEW, Ts) / enumerated(FEW, Ts) - 1) > 0.01
