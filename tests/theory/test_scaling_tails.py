"""Laws over ranked items and the exact error of a memory that knows what it saw."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.testing import assert_allclose

from theorylab import theory

ZIPF = theory.zipf_probabilities(1.5, 10_000)
CUT = theory.truncate_tail(ZIPF, 100)


def random_law(rng, n, decreasing=False):
    p = rng.exponential(size=n) ** 2
    p = np.sort(p)[::-1] if decreasing else p
    return p / p.sum()


def enumerated(p, q, T):
    """The definition: the mass of the items that are in no sequence of T draws, weighted by its probability."""
    items = range(len(q))
    return sum(
        np.prod(q[list(draws)]) * sum(p[i] for i in items if i not in draws)
        for draws in itertools.product(items, repeat=T)
    )


def direct(p, q, T):
    return np.sum(p * (1 - q) ** T)


# ----------------------------------------------------------------------------------------------- definition and values


@pytest.mark.parametrize("T", [0, 1, 2, 5])
def test_the_error_is_the_mean_mass_of_unseen_items(T):
    rng = np.random.default_rng(T)
    p, q = random_law(rng, 4), random_law(rng, 4)
    assert_allclose(theory.unseen_item_error(p, q, T), enumerated(p, q, T), rtol=1e-13)
    mixed = 0.3 * p + 0.7 * q
    assert_allclose(theory.unseen_item_error_mixture(p, q, T, 0.3), enumerated(p, mixed, T), rtol=1e-13)


def test_a_fixed_mixture_is_the_mean_over_both_samples():
    rng = np.random.default_rng(0)
    p, q = random_law(rng, 3), random_law(rng, 3)
    total = 0.0
    for real in itertools.product(range(3), repeat=2):
        for syn in itertools.product(range(3), repeat=3):
            weight = np.prod(p[list(real)]) * np.prod(q[list(syn)])
            total += weight * sum(p[i] for i in range(3) if i not in (*real, *syn))
    assert_allclose(theory.unseen_item_error_fixed_mixture(p, q, 2, 3), total, rtol=1e-13)


def test_limited_capacity_forgets_rare_items():
    rng = np.random.default_rng(1)
    p, q = random_law(rng, 5, decreasing=True), random_law(rng, 5)
    for capacity in (0, 2, 5, 9):
        forgotten = np.where(np.arange(5) < capacity, q, 0.0)
        expected = direct(p, forgotten, 7)
        assert_allclose(theory.limited_capacity_error(p, q, 7, capacity), expected, rtol=1e-12)


# from an independent implementation, with ten digits
@pytest.mark.parametrize("value, expected", [
    (lambda: theory.unseen_item_error(ZIPF, ZIPF, 10), 0.4207257634),
    (lambda: theory.unseen_item_error(ZIPF, ZIPF, 100), 0.1957287511),
    (lambda: theory.unseen_item_error(ZIPF, ZIPF, 1000), 0.0869045722),
    (lambda: theory.unseen_item_error(ZIPF, CUT, 10), 0.4109010266),
    (lambda: theory.unseen_item_error(ZIPF, CUT, 1000), 0.0917347587),
    (lambda: theory.unseen_item_error(ZIPF, CUT, 1e5), 0.0692421780),
    (lambda: theory.unseen_item_error(ZIPF, theory.narrow_tail(ZIPF, 0.75), 1000), 0.1330895315),
    (lambda: theory.unseen_item_error_mixture(ZIPF, CUT, 1e4, 0.1), 0.0627083656),
    (lambda: theory.unseen_item_error_fixed_mixture(ZIPF, CUT, 1000, 9000), 0.0627078088),
    (lambda: ZIPF[: int(theory.truncate_top_p(ZIPF, 0.9).k)].sum(), 0.9002110661),
    (lambda: theory.truncate_top_p(ZIPF, 0.9).k, 51),
])  # fmt: skip
def test_published_values(value, expected):
    assert_allclose(value(), expected, atol=6e-11)


# --------------------------------------------------------------------------------------------------------------- laws


def test_zipf():
    p = theory.zipf_probabilities(1.5, 50)
    assert_allclose(p.sum(), 1, rtol=1e-14)
    assert_allclose(p[3] / p[0], 4**-1.5, rtol=1e-14)
    assert_allclose(theory.zipf_probabilities(0, 4), 0.25)


def test_a_cut_keeps_the_proportions_of_the_most_frequent_whatever_their_order():
    rng = np.random.default_rng(2)
    p = random_law(rng, 9)
    for k in range(1, 10):
        q = theory.truncate_tail(p, k)
        kept = np.argsort(-p)[:k]
        assert set(np.flatnonzero(q)) == set(kept)
        assert_allclose(q[kept], p[kept] / p[kept].sum(), rtol=1e-14)
    assert_allclose(theory.truncate_tail(p, 9), p, rtol=1e-14)
    assert (np.flatnonzero(theory.truncate_tail(np.full(4, 0.25), 2)) == [0, 1]).all()


def test_top_p_is_the_smallest_head_that_reaches_the_mass():
    rng = np.random.default_rng(3)
    for mass in (1e-9, 0.3, 0.5, 0.99, 1.0):
        p = random_law(rng, 30)
        q, k = theory.truncate_top_p(p, mass)
        head = np.sort(p)[::-1].cumsum()
        assert head[k - 1] >= mass - 1e-15 and (k == 1 or head[k - 2] < mass)
        assert_allclose(q, theory.truncate_tail(p, int(k)), rtol=1e-14)
    assert theory.truncate_top_p(np.full(10, 0.1), 1.0).k == 10  # the tenth cumulative sum rounds below 1


def test_temperature_divides_the_exponent():
    assert_allclose(theory.narrow_tail(ZIPF, 1.0), ZIPF, rtol=1e-13)
    narrowed = theory.narrow_tail(theory.zipf_probabilities(1.5, 100), 0.75)
    assert_allclose(narrowed, theory.zipf_probabilities(2.0, 100), rtol=1e-13)
    assert_allclose(theory.narrow_tail(np.array([0.7, 0.3, 0.0]), 1e-3), [1, 0, 0])  # no underflow, no NaN


# ----------------------------------------------------------------------------------------------- identities and limits


def test_limits():
    clean = theory.unseen_item_error(ZIPF, ZIPF, 300)
    assert_allclose(theory.unseen_item_error(ZIPF, theory.truncate_tail(ZIPF, 10_000), 300), clean, rtol=1e-12)
    assert_allclose(theory.unseen_item_error_mixture(ZIPF, CUT, 300, 1), clean, rtol=1e-13)
    cut = theory.unseen_item_error(ZIPF, CUT, 300)
    assert_allclose(theory.unseen_item_error_mixture(ZIPF, CUT, 300, 0), cut, rtol=1e-13)
    assert_allclose(theory.unseen_item_error_fixed_mixture(ZIPF, CUT, 300, 0), clean, rtol=1e-13)
    assert_allclose(theory.unseen_item_error_fixed_mixture(ZIPF, CUT, 0, 300), cut, rtol=1e-13)
    assert_allclose(theory.limited_capacity_error(ZIPF, CUT, 300, 1e9), cut, rtol=1e-12)
    assert_allclose(theory.unseen_item_error(ZIPF, CUT, 1e9), ZIPF[100:].sum(), rtol=1e-12)
    certain = np.concatenate([[1.0], np.zeros(9999)])
    for q in (ZIPF, certain):
        assert_allclose(theory.unseen_item_error(ZIPF, q, 0), 1, rtol=1e-14)
    assert_allclose(theory.unseen_item_error(ZIPF, certain, 1), 1 - ZIPF[0], rtol=1e-13)


def test_monotone():
    T = np.geomspace(1, 1e6, 40)
    assert (np.diff(jax.vmap(lambda T: theory.unseen_item_error(ZIPF, CUT, T))(T)) <= 0).all()
    pi = np.linspace(0, 1, 20)
    assert (np.diff(jax.vmap(lambda pi: theory.unseen_item_error_mixture(ZIPF, CUT, 1e4, pi))(pi)) < 0).all()


def test_both_mixtures_agree_up_to_one_over_T():
    for T in (1e2, 1e3, 1e4, 1e5):
        fixed = theory.unseen_item_error_fixed_mixture(ZIPF, CUT, 0.1 * T, 0.9 * T)
        assert 0 < theory.unseen_item_error_mixture(ZIPF, CUT, T, 0.1) - fixed < fixed / (0.1 * T)


def test_masses_scale():
    rng = np.random.default_rng(4)
    p, q = random_law(rng, 6), random_law(rng, 6)
    assert_allclose(theory.unseen_item_error(0.3 * p, q, 9), 0.3 * theory.unseen_item_error(p, q, 9), rtol=1e-13)
    order = rng.permutation(6)
    assert_allclose(theory.unseen_item_error(p[order], q[order], 9), theory.unseen_item_error(p, q, 9), rtol=1e-13)


def test_exponents_of_the_table():
    table = theory.tail_scaling_exponents(1.5, 2.0, 0.5)
    expected = dict(clean=1 / 3, cut_floor=0.5, generator_floor=1 / 3, narrow=0.25, generations=1 / 3, bigram=1 / 3,
                    memory=1 / 3)  # fmt: skip
    assert table.keys() == expected.keys()
    assert_allclose([table[name] for name in expected], list(expected.values()), rtol=1e-14)
    assert "memory" not in theory.tail_scaling_exponents(1.5)
    assert theory.tail_scaling_exponents(3)["bigram"] == 0.5
    assert theory.tail_scaling_exponents(2.0)["narrow"] == 0.5


# ----------------------------------------------------------------------------------------------- independent, gradients


def test_200_random_points_against_numpy():
    rng = np.random.default_rng(5)
    p = np.stack([random_law(rng, 20, decreasing=True) for _ in range(200)])
    q = np.stack([random_law(rng, 20) for _ in range(200)])
    T, S, pi = rng.integers(0, 1000, 200).astype(float), rng.integers(0, 1000, 200).astype(float), rng.random(200)

    def check(f, arguments, expected):
        assert_allclose(jax.jit(jax.vmap(f))(p, q, *arguments), expected.sum(-1), rtol=1e-11, atol=1e-300)

    check(theory.unseen_item_error, (T,), p * (1 - q) ** T[:, None])
    mixed = pi[:, None] * p + (1 - pi[:, None]) * q
    check(theory.unseen_item_error_mixture, (T, pi), p * (1 - mixed) ** T[:, None])
    check(theory.unseen_item_error_fixed_mixture, (T, S), p * (1 - p) ** T[:, None] * (1 - q) ** S[:, None])


FIVE = theory.zipf_probabilities(1.2, 5)
OTHER = np.array([0.4, 0.0, 0.1, 0.3, 0.1])
GRADIENTS = [
    (lambda T: theory.unseen_item_error(FIVE, OTHER, T), 4.0),
    (lambda x: theory.unseen_item_error(FIVE, jnp.asarray(OTHER).at[2].add(x), 4), 0.01),
    (lambda x: theory.unseen_item_error(jnp.asarray(FIVE).at[0].add(x), OTHER, 4), 0.01),
    (lambda T: theory.unseen_item_error(FIVE, jnp.eye(5)[0], T), 3.0),
    (lambda pi: theory.unseen_item_error_mixture(FIVE, OTHER, 4, pi), 0.3),
    (lambda T: theory.unseen_item_error_mixture(FIVE, OTHER, T, 0.3), 4.0),
    (lambda T: theory.unseen_item_error_fixed_mixture(FIVE, OTHER, T, 3), 4.0),
    (lambda T: theory.unseen_item_error_fixed_mixture(FIVE, OTHER, 4, T), 3.0),
    (lambda T: theory.limited_capacity_error(FIVE, OTHER, T, 3), 4.0),
    (lambda beta: theory.zipf_probabilities(beta, 5)[2], 1.3),
    (lambda x: theory.truncate_tail(jnp.asarray(FIVE).at[1].add(x), 3)[0], 0.01),
    (lambda x: theory.truncate_top_p(jnp.asarray(FIVE).at[1].add(x), 0.8).q[0], 0.01),
    (lambda t: theory.narrow_tail(OTHER, t)[0], 0.7),
    (lambda x: theory.narrow_tail(jnp.asarray(OTHER).at[0].add(x), 0.7)[0], 0.01),
]


@pytest.mark.parametrize("f, x", GRADIENTS)
def test_gradients(f, x):
    h = 1e-5 * max(1.0, abs(x))
    difference = (f(x + h) - f(x - h)) / (2 * h)
    assert_allclose(jax.grad(f)(x), difference, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("f, x", GRADIENTS)
def test_vmap_is_the_loop_and_jit_the_plain_function_in_one_trace(f, x):
    points = jnp.asarray(x) * jnp.array([0.9, 1.0, 1.1])
    traces = []

    @jax.jit
    def traced(x):
        traces.append(x)
        return f(x)

    looped = jnp.array([traced(point) for point in points])
    assert len(traces) == 1
    assert_allclose(looped, [f(float(point)) for point in points], rtol=1e-13)
    assert_allclose(jax.vmap(f)(points), looped, rtol=1e-13)


def test_single_precision_stays_single():
    p = np.asarray(FIVE, np.float32)
    assert theory.unseen_item_error(p, p, 3).dtype == np.float32
    assert theory.narrow_tail(p, 0.5).dtype == np.float32


# ---------------------------------------------------------------------------------------------------------- bad input


@pytest.mark.parametrize("call, named", [
    (lambda: theory.zipf_probabilities(-0.1, 5), "beta = -0.1"),
    (lambda: theory.zipf_probabilities(np.inf, 5), "beta = inf"),
    (lambda: theory.zipf_probabilities(1.5, 0), "n_items = 0"),
    (lambda: theory.truncate_tail(FIVE, 0), "k = 0"),
    (lambda: theory.truncate_tail(FIVE, 6), "k = 6"),
    (lambda: theory.truncate_tail(FIVE, 2.5), "k = 2.5"),
    (lambda: theory.truncate_tail(np.array([]), 1), "p = "),
    (lambda: theory.truncate_tail(np.array([0.5, -0.1]), 1), "p = "),
    (lambda: theory.truncate_top_p(FIVE, 0), "mass = 0"),
    (lambda: theory.truncate_top_p(FIVE, 1.1), "mass = 1.1"),
    (lambda: theory.narrow_tail(FIVE, 0), "temperature = 0"),
    (lambda: theory.narrow_tail(FIVE, -1), "temperature = -1"),
    (lambda: theory.unseen_item_error(FIVE, FIVE[:4], 3), "the length of q = 4"),
    (lambda: theory.unseen_item_error(FIVE, -FIVE, 3), "q = "),
    (lambda: theory.unseen_item_error(-FIVE, FIVE, 3), "p = "),
    (lambda: theory.unseen_item_error(np.array([np.nan]), np.ones(1), 3), "p = "),
    (lambda: theory.unseen_item_error(np.array([]), np.array([]), 3), "p = "),
    (lambda: theory.unseen_item_error(FIVE, 2 * FIVE, 3), "the sum of q"),
    (lambda: theory.unseen_item_error(FIVE, FIVE, -1), "T = -1"),
    (lambda: theory.unseen_item_error(FIVE, FIVE, np.inf), "T = inf"),
    (lambda: theory.unseen_item_error_mixture(FIVE, FIVE, 3, 1.1), "pi = 1.1"),
    (lambda: theory.unseen_item_error_mixture(FIVE, FIVE, 3, -0.1), "pi = -0.1"),
    (lambda: theory.unseen_item_error_mixture(2 * FIVE, FIVE, 3, 0.5), "the sum of p"),
    (lambda: theory.unseen_item_error_mixture(FIVE, FIVE[:2], 3, 0.5), "the length of q = 2"),
    (lambda: theory.unseen_item_error_fixed_mixture(FIVE, FIVE, -1, 3), "T_real = -1"),
    (lambda: theory.unseen_item_error_fixed_mixture(FIVE, FIVE, 1, -3), "T_syn = -3"),
    (lambda: theory.limited_capacity_error(FIVE[::-1], FIVE, 3, 2), "p = "),
    (lambda: theory.limited_capacity_error(FIVE, FIVE, 3, -2), "capacity = -2"),
    (lambda: theory.limited_capacity_error(FIVE, FIVE, -3, 2), "T = -3"),
    (lambda: theory.tail_scaling_exponents(1.0), "beta = 1.0"),
    (lambda: theory.tail_scaling_exponents(1.5, 0.9), "beta_train = 0.9"),
    (lambda: theory.tail_scaling_exponents(1.5, rho=1 / 3), "rho = 0.33"),
])  # fmt: skip
def test_refusals_name_the_argument(call, named):
    with pytest.raises(ValueError, match="outside its domain") as raised:
        call()
    assert str(raised.value).startswith(named)


@pytest.mark.parametrize("f, x", [
    (lambda T: theory.unseen_item_error(FIVE, FIVE, T), -1.0),
    (lambda x: theory.unseen_item_error(FIVE, x * jnp.asarray(FIVE), 3), 2.0),
    (lambda pi: theory.unseen_item_error_mixture(FIVE, FIVE, 3, pi), 1.5),
    (lambda T: theory.unseen_item_error_fixed_mixture(FIVE, FIVE, T, 3), -1.0),
    (lambda c: theory.limited_capacity_error(FIVE, FIVE, 3, c), -1.0),
    (lambda beta: theory.zipf_probabilities(beta, 5)[0], -1.0),
    (lambda k: theory.truncate_tail(FIVE, k)[0], 2.5),
    (lambda mass: theory.truncate_top_p(FIVE, mass).q[0], 0.0),
    (lambda t: theory.narrow_tail(FIVE, t)[0], 0.0),
])  # fmt: skip
def test_traced_bad_input_is_nan(f, x):
    assert np.isnan(jax.jit(f)(x))


# ----------------------------------------------------------------------------------------------------- planted faults


def agrees(f):
    """The checks above in one: the definition on a small law, for both uses of the exact sum."""
    rng = np.random.default_rng(6)
    p, q = random_law(rng, 4, decreasing=True), random_law(rng, 4)
    return np.allclose(f(p, q, 3), enumerated(p, q, 3), rtol=1e-10)


@pytest.mark.parametrize("fault", [
    lambda p, q, T: np.sum(p * (1 - p) ** T),  # trained on the truth
    lambda p, q, T: np.sum(q * (1 - q) ** T),  # tested on the training law
    lambda p, q, T: np.sum(p * (1 - q) ** (T + 1)),  # one draw too many
    lambda p, q, T: np.sum(p * np.exp(-T * q)),  # Poisson in place of multinomial
    lambda p, q, T: np.sum(p * (1 - q**T)),  # parenthesis
])  # fmt: skip
def test_planted_faults_of_the_exact_sum_are_caught(fault):
    assert agrees(theory.unseen_item_error)
    assert not agrees(fault)


@pytest.mark.parametrize("fault", [
    lambda p, q, T, pi: direct(p, pi * q + (1 - pi) * p, T),  # shares exchanged
    lambda p, q, T, pi: direct(p, pi * p + q, T),  # share of the rest forgotten
    lambda p, q, T, pi: pi * direct(p, p, T) + (1 - pi) * direct(p, q, T),  # errors mixed in place of laws
    lambda p, q, T, pi: np.sum(p * (1 - p) ** (pi * T) * (1 - q) ** ((1 - pi) * T)),  # fixed numbers
])  # fmt: skip
def test_planted_faults_of_the_mixture_are_caught(fault):
    rng = np.random.default_rng(7)
    p, q = random_law(rng, 4), random_law(rng, 4)
    expected = enumerated(p, 0.3 * p + 0.7 * q, 5)
    assert np.isclose(theory.unseen_item_error_mixture(p, q, 5, 0.3), expected, rtol=1e-10)
    assert not np.isclose(fault(p, q, 5, 0.3), expected, rtol=1e-4)


@pytest.mark.parametrize("fault", [
    lambda p, q, T, c: np.sum(p[:c] * (1 - q[:c]) ** T),  # items beyond the capacity count as known
    lambda p, q, T, c: direct(p, q, T) + p[c:].sum(),  # counted twice
    lambda p, q, T, c: direct(p, np.where(np.arange(len(q)) <= c, q, 0), T),  # one item too many
])  # fmt: skip
def test_planted_faults_of_the_capacity_are_caught(fault):
    p, q = np.array([0.4, 0.3, 0.2, 0.06, 0.04]), np.full(5, 0.2)
    expected = 1 - sum(p[i] * (1 - (1 - q[i]) ** 4) for i in range(3))
    assert np.isclose(theory.limited_capacity_error(p, q, 4, 3), expected, rtol=1e-12)
    assert not np.isclose(fault(p, q, 4, 3), expected, rtol=1e-4)
