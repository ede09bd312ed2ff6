"""The Gaussian theory of an associative memory, against quadrature and against its limits."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import integrate, special, stats

from theorylab import theory

N, M = 1000, 20
ZIPF = theory.zipf_probabilities(1.5, N)
CLASSES = np.arange(N) % M


def weights(rho):
    return (ZIPF / ZIPF[0]) ** rho


def by_quadrature(p, w, y, M, d, present=None, random_outputs=False, *, own=True, guess=True, per_d=True):
    """The formula item by item with adaptive quadrature; the flags plant faults."""
    present = np.ones_like(p) if present is None else present
    error = 0.0
    for i in range(len(p)):
        keep = np.arange(len(p)) != i if own else np.ones(len(p), bool)
        s2 = np.array([np.sum((present * w**2)[keep & (y == c)]) for c in range(M)])
        v = s2 / (d if per_d else 1) + (s2.sum() / d**2 if random_outputs else 0)
        others = np.arange(M) != y[i]

        def success(signal, v=v, others=others, mine=y[i]):
            at = lambda z: np.prod(stats.norm.cdf((signal + np.sqrt(v[mine]) * z) / np.sqrt(v[others])))
            return integrate.quad(lambda z: at(z) * stats.norm.pdf(z), -9, 9, limit=200, epsabs=1e-12)[0]

        error += p[i] * (1 - present[i] * success(w[i]) - (guess * (1 - present[i]) * success(0.0)))
    return error


SMALL = theory.zipf_probabilities(1.2, 12)
SMALL_Y = np.arange(12) % 3
SMALL_W = (SMALL / SMALL[0]) ** 0.5
PRESENT = 1 - (1 - SMALL) ** 6


# ----------------------------------------------------------------------------------------------- definition and values


@pytest.mark.parametrize("random_outputs", [False, True])
@pytest.mark.parametrize("present", [None, PRESENT])
def test_against_adaptive_quadrature(random_outputs, present):
    for d in (4, 40):
        arguments = (SMALL, SMALL_W, SMALL_Y, 3, d, present, random_outputs)
        assert_allclose(theory.associative_memory_error(*arguments), by_quadrature(*arguments), rtol=1e-9)


# from an independent implementation, with ten digits
@pytest.mark.parametrize("rho, expected", [(0.25, 0.0524047100), (1.0, 0.2217120437)])
def test_published_values(rho, expected):
    assert_allclose(theory.associative_memory_error(ZIPF, weights(rho), CLASSES, M, 128), expected, atol=6e-11)


@pytest.mark.parametrize("rho, error", [(0.25, 3e-9), (0.5, 7e-5), (1.0, 3e-4)])
def test_the_stated_error_of_80_nodes(rho, error):
    z = np.linspace(-8.5, 8.5, 1701)
    density = stats.norm.pdf(z) * (z[1] - z[0])
    w, fine = weights(rho), 0.0
    per_class = np.bincount(CLASSES, w**2, M)
    for i in range(N):
        own = np.arange(M) == CLASSES[i]
        std = np.sqrt((per_class - own * w[i] ** 2) / 128)
        score = w[i] + std[own] * z
        fine += ZIPF[i] * (1 - density @ np.prod(special.ndtr(score[None] / std[~own][:, None]), 0))
    assert_allclose(theory.associative_memory_error(ZIPF, w, CLASSES, M, 128), fine, rtol=error)


# ----------------------------------------------------------------------------------------------- identities and limits


def test_a_large_memory_knows_what_it_saw():
    present = 1 - (1 - ZIPF) ** 300
    w = np.maximum(weights(0.25), 0.3)
    error = theory.associative_memory_error(ZIPF, w, CLASSES, M, 1e9, present)
    unseen = theory.unseen_item_error(ZIPF, ZIPF, 300)
    assert_allclose(error, unseen * (1 - 1 / M), rtol=0.1)  # what was not seen is guessed among 20 classes
    assert_allclose(theory.associative_memory_error(ZIPF, w, CLASSES, M, 1e9), 0, atol=1e-12)


def test_what_is_not_stored_is_guessed():
    nothing = theory.associative_memory_error(ZIPF, weights(0.5), CLASSES, M, 128, np.zeros(N))
    assert 0 <= nothing <= 1
    threshold = (np.arange(N) < 400).astype(float)
    error = theory.associative_memory_error(ZIPF, threshold, CLASSES, M, 100_000)
    assert_allclose(error, ZIPF[400:].sum() * (1 - 1 / M), rtol=0.02)


def test_order_of_items_and_scale_of_weights_do_not_matter():
    rng = np.random.default_rng(0)
    order = rng.permutation(N)
    error = theory.associative_memory_error(ZIPF, weights(0.5), CLASSES, M, 128)
    moved = theory.associative_memory_error(ZIPF[order], weights(0.5)[order], CLASSES[order], M, 128)
    assert_allclose(moved, error, rtol=1e-12)
    assert_allclose(theory.associative_memory_error(ZIPF, 7 * weights(0.5), CLASSES, M, 128), error, rtol=1e-12)


def test_more_dimensions_fewer_errors_and_random_outputs_more():
    d = np.array([32.0, 64.0, 128.0, 256.0, 512.0])
    errors = [
        jax.vmap(lambda d, flag=flag: theory.associative_memory_error(
            ZIPF, weights(0.5), CLASSES, M, d, random_outputs=flag))(d)
        for flag in (False, True)
    ]  # fmt: skip
    assert (np.diff(errors) < 0).all() and (errors[1] > errors[0]).all()


@pytest.mark.parametrize("beta, rho, exponent, tolerance", [
    (1.5, 1.0, 1 / 6, 0.02), (2.0, 1.0, 1 / 4, 0.01), (2.0, 0.5, 1 / 2, 0.03)
])  # fmt: skip
def test_slopes_in_the_dimension(beta, rho, exponent, tolerance):
    p = theory.zipf_probabilities(beta, 4000)
    d = np.geomspace(256, 4096, 3)
    error = jax.vmap(lambda d: theory.associative_memory_error(p, (p / p[0]) ** rho, np.arange(4000) % 20, 20, d))(d)
    slope = np.polyfit(np.log(d), np.log(error), 1)[0]
    assert_allclose(-slope, exponent, atol=tolerance)
    assert theory.tail_scaling_exponents(beta, rho=rho)["memory"] == pytest.approx(exponent)


def test_a_class_without_items_is_a_step_function():
    p, w = np.full(4, 0.25), np.array([1.0, 0.5, 1.0, 0.5])
    error = theory.associative_memory_error(p, w, np.array([0, 0, 1, 1]), 3, 1e6)
    assert_allclose(error, 0, atol=1e-12)
    gradient = jax.grad(lambda w: theory.associative_memory_error(p, w, np.array([0, 0, 1, 1]), 3, 10.0))(w)
    assert np.isfinite(gradient).all()


# ----------------------------------------------------------------------------------------------- independent, gradients


def test_random_small_memories_against_quadrature():
    rng = np.random.default_rng(1)
    for _ in range(5):
        p, w, y = rng.dirichlet(np.ones(9)), rng.uniform(0.5, 1, size=9), np.arange(9) % 3
        present, d, random_outputs = rng.random(9), rng.uniform(3, 100), bool(rng.integers(2))
        arguments = (p, w, y, 3, d, present, random_outputs)
        assert_allclose(theory.associative_memory_error(*arguments), by_quadrature(*arguments), rtol=1e-8)


def call(p=SMALL, w=SMALL_W, d=10.0, present=PRESENT):
    return theory.associative_memory_error(p, w, SMALL_Y, 3, d, present, True)


@pytest.mark.parametrize("f, x", [
    (lambda d: call(d=d), 10.0),
    (lambda x: call(p=(0.9 * jnp.asarray(SMALL)).at[2].add(x)), 0.01),
    (lambda x: call(w=jnp.asarray(SMALL_W).at[2].add(x)), 0.01),
    (lambda x: call(present=jnp.asarray(PRESENT).at[2].add(x)), 0.01),
])  # fmt: skip
def test_gradients_and_tracing(f, x):
    h = 1e-4 * x
    assert_allclose(jax.grad(f)(x), (f(x + h) - f(x - h)) / (2 * h), rtol=1e-6)
    points = x * jnp.array([0.9, 1.0, 1.1])
    traces = []

    @jax.jit
    def traced(x):
        traces.append(x)
        return f(x)

    looped = [traced(point) for point in points]
    assert len(traces) == 1
    assert_allclose(jax.vmap(f)(points), looped, rtol=1e-12)
    assert_allclose([f(float(point)) for point in points], looped, rtol=1e-12)


# ---------------------------------------------------------------------------------------------------------- bad input


@pytest.mark.parametrize("arguments, named", [
    ((SMALL, SMALL_W[:5], SMALL_Y, 3, 8), "the length of w"),
    ((SMALL, SMALL_W, SMALL_Y[:5], 3, 8), "the length of y"),
    ((SMALL, SMALL_W, SMALL_Y, 3, 8, PRESENT[:5]), "the length of present"),
    ((SMALL, SMALL_W, SMALL_Y, 2, 8), "y = "),
    ((SMALL, SMALL_W, SMALL_Y - 1, 3, 8), "y = "),
    ((SMALL, SMALL_W, SMALL_Y + 0.5, 4, 8), "y = "),
    ((SMALL, SMALL_W, 0 * SMALL_Y, 1, 8), "M = 1"),
    ((SMALL, SMALL_W, SMALL_Y, 3, 0.5), "d = 0.5"),
    ((SMALL, SMALL_W, SMALL_Y, 3, 8, PRESENT + 1), "present = "),
    ((SMALL, SMALL_W * np.nan, SMALL_Y, 3, 8), "w = "),
    ((-SMALL, SMALL_W, SMALL_Y, 3, 8), "p = "),
    ((2 * SMALL, SMALL_W, SMALL_Y, 3, 8), "the sum of p"),
])  # fmt: skip
def test_refusals_name_the_argument(arguments, named):
    with pytest.raises(ValueError, match="outside its domain") as raised:
        theory.associative_memory_error(*arguments)
    assert str(raised.value).startswith(named)


def test_traced_bad_input_is_nan():
    assert np.isnan(jax.jit(lambda d: call(d=d))(0.0))
    assert np.isnan(jax.jit(lambda present: call(present=present))(PRESENT + 1))


# ----------------------------------------------------------------------------------------------------- planted faults


def test_planted_faults_are_caught():
    arguments = (SMALL, SMALL_W, SMALL_Y, 3, 10.0, PRESENT, True)
    value = float(theory.associative_memory_error(*arguments))
    assert by_quadrature(*arguments) == pytest.approx(value, rel=1e-9)
    for fault in (
        by_quadrature(*arguments, own=False),  # the item's own term left in the interference
        by_quadrature(*arguments, guess=False),  # no guessing
        by_quadrature(*arguments, per_d=False),  # variance not divided by d
        by_quadrature(*arguments[:6], False),  # interference of random outputs dropped
        by_quadrature(SMALL, SMALL_W**2, *arguments[2:]),  # weights squared
        by_quadrature(*arguments[:5], None, True),  # every item present
    ):
        assert abs(fault / value - 1) > 1e-3
