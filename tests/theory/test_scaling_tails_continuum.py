"""Power laws and incomplete-gamma forms for infinitely many items, against sums over a million of them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import special

from theorylab import theory
from theorylab.theory.scaling_tails.zeta import hurwitz_zeta

ITEMS = np.arange(1.0, 1_000_001)


def infinite(beta, rate):
    """sum_i A i^-beta exp(T log(1 - q_i)) with T log(1 - q_i) = -rate(i^-beta), beyond a million items never seen."""
    p = ITEMS**-beta / special.zeta(beta)
    return np.sum(p * np.exp(rate(ITEMS**-beta))) + special.zeta(beta, ITEMS.size + 1) / special.zeta(beta)


def clean(beta, T):
    return infinite(beta, lambda x: T * np.log1p(-x / special.zeta(beta)))


def cut(beta, T, k):
    i = ITEMS[:k]
    p = i**-beta / special.zeta(beta)
    return np.sum(p * (1 - p / p.sum()) ** T) + special.zeta(beta, k + 1) / special.zeta(beta)


def mixture(beta, T, pi, k):
    p = ITEMS**-beta / special.zeta(beta)
    q = pi * p
    q[:k] += (1 - pi) * p[:k] / p[:k].sum()
    return np.sum(p * np.exp(T * np.log1p(-q))) + special.zeta(beta, ITEMS.size + 1) / special.zeta(beta)


# ----------------------------------------------------------------------------------------------- definition and values


@pytest.mark.parametrize("beta", [1.3, 1.5, 2.0, 2.5, 3.0])
def test_the_power_law_is_the_limit_of_the_exact_sum(beta):
    for T in (100, 1000):
        correction = 1 + (2 - 1 / beta) * (1 - 1 / beta) / (2 * T)
        ratio = theory.unseen_item_error_asymptotic(beta, T) / clean(beta, T)
        # what the correction leaves, measured: 3e-6 for beta <= 2, 1e-4 and 1.3e-3 at 2.5 and 3 for T = 100
        assert_allclose(ratio, correction, rtol=1e-5 if beta <= 2 or T == 1000 else 2e-3)


@pytest.mark.parametrize("beta", [1.2, 1.5, 2.0, 3.0])
@pytest.mark.parametrize("k", [10, 100, 1000])
def test_double_scaling_follows_the_exact_sum_through_the_crossover(beta, k):
    for T, tolerance in ((10, 0.037), (100, 0.0043), (1000, 6e-4), (1e4, 3e-4), (1e5, 3e-4)):
        assert_allclose(theory.truncated_zipf_error(beta, T, k), cut(beta, T, k), rtol=tolerance)


@pytest.mark.parametrize("pi", [0.0, 0.01, 0.1, 0.5])
def test_mixture_follows_the_exact_sum_through_plateau_and_drop(pi):
    for T in (1e3, 1e4, 1e5, 1e6):
        assert_allclose(theory.truncated_zipf_mixture_error(1.5, T, pi, 100), mixture(1.5, T, pi, 100), rtol=3e-4)


# from an independent implementation, with ten digits; the first to 1.2e-10, since its last digit is off
@pytest.mark.parametrize("value, expected", [
    (lambda: theory.unseen_item_error_asymptotic(1.5, 1000), 0.0941559507),
    (lambda: theory.unseen_item_error_asymptotic(1.5, 1000, 2), 0.1397502605),
    (lambda: theory.truncated_zipf_error(1.5, 1000, 100), 0.0987077250),
    (lambda: theory.truncated_zipf_mixture_error(1.5, 1e4, 0.1, 100), 0.0699290951),
])  # fmt: skip
def test_published_values(value, expected):
    assert_allclose(value(), expected, atol=1.3e-10)


def test_grokking_time():
    assert_allclose(theory.tail_grokking_time(1.5, 100, 0.01), 2.612375e5, rtol=1e-6)
    assert_allclose(theory.tail_grokking_time(1.5, 100, 1.0), 1000 * special.zeta(1.5), rtol=1e-13)
    assert theory.tail_grokking_time(1.5, 100, 0) == np.inf


# ----------------------------------------------------------------------------------------------- identities and limits


def test_limits_of_the_double_law():
    for beta in (1.3, 1.5, 2.0):
        few = 1e-3 * 1000**beta
        assert_allclose(theory.truncated_zipf_error(beta, few, 1000), clean(beta, few), rtol=0.03)
        floor = special.zeta(beta, 101) / special.zeta(beta)
        assert_allclose(theory.truncated_zipf_error(beta, 100 * 100**beta, 100), floor, rtol=1e-12)
        assert_allclose(floor, 100 ** (1 - beta) / (beta - 1) / special.zeta(beta), rtol=0.01)


def test_limits_of_the_mixture():
    args = (1.5, 3e4)
    assert_allclose(theory.truncated_zipf_mixture_error(*args, 0, 100), theory.truncated_zipf_error(*args, 100))
    assert_allclose(
        theory.truncated_zipf_mixture_error(*args, 1, 100), theory.unseen_item_error_asymptotic(*args), rtol=1e-12
    )
    # continuous in pi up to the midpoint rule for the tail, 1/(24 k^2) to leading order
    small = theory.truncated_zipf_mixture_error(*args, 1e-12, 100)
    assert_allclose(small, theory.truncated_zipf_error(*args, 100), rtol=1e-5)
    late = 1e3 * theory.tail_grokking_time(1.5, 100, 0.1)
    assert_allclose(
        theory.truncated_zipf_mixture_error(1.5, late, 0.1, 100),
        theory.unseen_item_error_asymptotic(1.5, 0.1 * late),
        rtol=1e-12,
    )


def test_monotone():
    T = np.geomspace(10, 1e7, 60)
    for pi in (0.0, 0.1, 1.0):
        curve = jax.vmap(lambda T, pi=pi: theory.truncated_zipf_mixture_error(1.5, T, pi, 100))(T)
        assert (np.diff(curve) < 1e-15).all()
    pi = np.linspace(0.01, 1, 50)
    assert (np.diff(jax.vmap(lambda pi: theory.truncated_zipf_mixture_error(1.5, 1e5, pi, 100))(pi)) < 0).all()


@pytest.mark.parametrize("beta, factor, where", [(1.3, 1.9, 2.6), (1.5, 1.8, 2.1), (2.0, 1.7, 1.5), (3.0, 1.6, 1.2)])
def test_the_additive_law_is_right_up_to_constants_only(beta, factor, where):
    k, x = 200, np.geomspace(1e-3, 1e3, 400)
    T = x * k**beta
    floor = special.zeta(beta, k + 1) / special.zeta(beta)
    additive = jax.vmap(lambda T: theory.unseen_item_error_asymptotic(beta, T))(T) + floor
    ratio = additive / jax.vmap(lambda T: theory.truncated_zipf_error(beta, T, k))(T)
    assert_allclose(ratio.max(), factor, atol=0.06)
    assert_allclose(x[ratio.argmax()], where, atol=0.35)
    assert ratio[0] < 1.3 and ratio[-1] < 1.3


def test_a_finite_number_of_items_is_a_shift_of_the_infinite_law():
    p = theory.zipf_probabilities(1.5, 10_000)
    t = special.zeta(1.5, 10_001) / special.zeta(1.5)
    shifted = (theory.unseen_item_error_asymptotic(1.5, 1000 / (1 - t)) - t) / (1 - t)
    assert_allclose(shifted, theory.unseen_item_error(p, p, 1000), rtol=5e-4)


def test_scaling_of_the_power_law():
    one, ten = (theory.unseen_item_error_asymptotic(1.7, T, 2.3) for T in (500.0, 5000.0))
    assert_allclose(one / ten, 10 ** (0.7 / 2.3), rtol=1e-12)
    assert_allclose(theory.unseen_item_error_asymptotic(1.7, 50.0, 1.7), theory.unseen_item_error_asymptotic(1.7, 50.0))


# ----------------------------------------------------------------------------------------------- independent, gradients


def test_zeta_against_scipy_at_200_random_points():
    rng = np.random.default_rng(0)
    s, q = 1 + 10 ** rng.uniform(-3, 1.2, 200), 10 ** rng.uniform(-1, 5, 200)
    assert_allclose(jax.vmap(hurwitz_zeta)(s, q), special.zeta(s, q), rtol=1e-12)


@pytest.mark.parametrize("s", [0.1, 0.3, 0.5, 0.75, 0.97])
def test_zeta_below_one_is_the_continuation(s):
    j = np.arange(1, 2001.0)
    end = 2000.0
    expected = (j**-s).sum() + end ** (1 - s) / (s - 1) - end**-s / 2 + s * end ** (-s - 1) / 12
    assert_allclose(hurwitz_zeta(s, 1), expected, rtol=1e-12)


def test_200_random_points_against_scipy():
    rng = np.random.default_rng(1)
    beta, T = rng.uniform(1.1, 4, 200), 10 ** rng.uniform(0, 8, 200)
    pi, k, b2 = rng.random(200), 10 ** rng.uniform(0, 4, 200), rng.uniform(1.1, 5, 200)
    zeta, c = special.zeta(beta), 1 - 1 / beta
    A, tail = 1 / zeta, special.zeta(beta, k + 1) / zeta
    half = (k + 0.5) ** -beta

    def head(rate):
        return A / beta * (rate * T) ** -c * special.gamma(c) * special.gammaincc(c, rate * T * half)

    a, r = A / (1 - tail), A * (pi + (1 - pi) / (1 - tail))
    low = A / beta * (pi * A * T) ** -c * special.gamma(c) * special.gammainc(c, pi * A * T * half)
    e = (beta - 1) / b2
    power = A / b2 * special.gamma(e) * (T / special.zeta(b2)) ** -e
    for f, arguments, expected in (
        (theory.unseen_item_error_asymptotic, (beta, T, b2), power),
        (theory.truncated_zipf_error, (beta, T, k), head(a) + tail),
        (theory.truncated_zipf_mixture_error, (beta, T, pi, k), head(r) + low),
        (theory.tail_grokking_time, (beta, k, pi), k**beta * zeta / pi),
    ):
        assert_allclose(jax.jit(jax.vmap(f))(*arguments), expected, rtol=1e-9)


POINTS = [
    (theory.unseen_item_error_asymptotic, (1.5, 300.0)),
    (theory.unseen_item_error_asymptotic, (1.5, 300.0, 2.2)),
    (theory.truncated_zipf_error, (1.5, 300.0, 40.0)),
    (theory.truncated_zipf_error, (1.5, 3e5, 40.0)),
    (theory.truncated_zipf_mixture_error, (1.5, 3e4, 0.1, 100.0)),
    (theory.tail_grokking_time, (1.5, 100.0, 0.1)),
]


@pytest.mark.parametrize("f, arguments", POINTS)
def test_gradients_in_every_argument(f, arguments):
    gradient = jax.grad(f, range(len(arguments)))(*arguments)
    for i, x in enumerate(arguments):
        step = np.array([h if j == i else 0.0 for j, h in enumerate([1e-5 * x] * len(arguments))])
        difference = (f(*(arguments + step)) - f(*(arguments - step))) / (2e-5 * x)
        assert_allclose(gradient[i], difference, rtol=2e-6, atol=1e-12)


def test_gradients_at_the_ends_of_the_domain_are_finite():
    assert np.isfinite(jax.grad(theory.truncated_zipf_mixture_error, (0, 1, 3))(1.5, 1e4, 0.0, 100.0)).all()
    assert np.isfinite(jax.grad(theory.truncated_zipf_mixture_error, (0, 1, 2, 3))(1.5, 1e12, 1.0, 1.0)).all()
    assert np.isfinite(jax.grad(theory.truncated_zipf_error, (0, 1, 2))(1.5, 1e12, 1.0)).all()
    assert np.isfinite(jax.grad(theory.tail_grokking_time, (0, 1, 2))(1.5, 100.0, 1.0)).all()


@pytest.mark.parametrize("f, arguments", POINTS)
def test_vmap_is_the_loop_and_jit_the_plain_function_in_one_trace(f, arguments):
    grid = np.array(arguments)[None] * np.array([0.97, 1.0, 1.01])[:, None]
    traces = []

    @jax.jit
    def traced(*row):
        traces.append(row)
        return f(*row)

    looped = [traced(*map(float, row)) for row in grid]
    assert len(traces) == 1
    assert_allclose(looped, [f(*map(float, row)) for row in grid], rtol=1e-12)
    assert_allclose(jax.vmap(f)(*grid.T), looped, rtol=1e-13)


# ---------------------------------------------------------------------------------------------------------- bad input


@pytest.mark.parametrize("call, named", [
    (lambda: theory.unseen_item_error_asymptotic(1.0, 10), "beta = 1.0"),
    (lambda: theory.unseen_item_error_asymptotic(1.5, 0), "T = 0"),
    (lambda: theory.unseen_item_error_asymptotic(1.5, -1), "T = -1"),
    (lambda: theory.unseen_item_error_asymptotic(1.5, 10, 1), "beta_train = 1"),
    (lambda: theory.truncated_zipf_error(0.9, 10, 5), "beta = 0.9"),
    (lambda: theory.truncated_zipf_error(1.5, 0, 5), "T = 0"),
    (lambda: theory.truncated_zipf_error(1.5, 10, 0.5), "k = 0.5"),
    (lambda: theory.truncated_zipf_mixture_error(1, 10, 0.5, 5), "beta = 1"),
    (lambda: theory.truncated_zipf_mixture_error(1.5, 0, 0.5, 5), "T = 0"),
    (lambda: theory.truncated_zipf_mixture_error(1.5, 10, 1.5, 5), "pi = 1.5"),
    (lambda: theory.truncated_zipf_mixture_error(1.5, 10, 0.5, 0), "k = 0"),
    (lambda: theory.tail_grokking_time(1, 10, 0.5), "beta = 1"),
    (lambda: theory.tail_grokking_time(1.5, 0, 0.5), "k = 0"),
    (lambda: theory.tail_grokking_time(1.5, 10, -0.5), "pi = -0.5"),
])  # fmt: skip
def test_refusals_name_the_argument(call, named):
    with pytest.raises(ValueError, match="outside its domain") as raised:
        call()
    assert str(raised.value).startswith(named)


def test_the_refusal_says_what_an_exponent_must_be():
    with pytest.raises(ValueError, match="Zipf law must exceed 1"):
        theory.unseen_item_error_asymptotic(0.5, 10)


@pytest.mark.parametrize("f, arguments", [
    (theory.unseen_item_error_asymptotic, (1.0, 10.0)),
    (theory.unseen_item_error_asymptotic, (1.5, 0.0)),
    (theory.truncated_zipf_error, (1.5, 10.0, 0.5)),
    (theory.truncated_zipf_mixture_error, (1.5, 10.0, 1.5, 5.0)),
    (theory.tail_grokking_time, (1.5, 10.0, -0.5)),
])  # fmt: skip
def test_traced_bad_input_is_nan(f, arguments):
    assert np.isnan(jax.jit(f)(*arguments))


# ----------------------------------------------------------------------------------------------------- planted faults


def parts(beta, T, k):
    c, zeta = 1 - 1 / beta, special.zeta(beta)
    tail = special.zeta(beta, k + 1) / zeta
    upper = lambda x, s=c: special.gamma(s) * special.gammaincc(s, x)
    return c, 1 / zeta, tail, upper


def agrees(f):
    """Within the stated error of the exact sum, before, at and behind the crossover."""
    points = ((100, 10), (100, 100), (1000, 100), (3000, 100), (1e5, 100))
    return all(abs(f(1.5, T, k) / cut(1.5, T, k) - 1) < 0.003 for T, k in points)


def _no_renormalisation(beta, T, k):
    c, A, tail, upper = parts(beta, T, k)
    return A / beta * (A * T) ** -c * upper(A * T * (k + 0.5) ** -beta) + tail


def _tail_from_k(beta, T, k):
    c, A, tail, upper = parts(beta, T, k)
    a = A / (1 - tail)
    return A / beta * (a * T) ** -c * upper(a * T * (k + 0.5) ** -beta) + special.zeta(beta, k) * A


def _no_continuity_correction(beta, T, k):
    c, A, tail, upper = parts(beta, T, k)
    a = A / (1 - tail)
    return A / beta * (a * T) ** -c * upper(a * T * float(k) ** -beta) + tail


def _exponent_beta_minus_1(beta, T, k):
    _, A, tail, upper = parts(beta, T, k)
    a = A / (1 - tail)
    return A / beta * (a * T) ** -(beta - 1) * upper(a * T * (k + 0.5) ** -beta, beta - 1) + tail


def _additive(beta, T, k):
    return theory.unseen_item_error_asymptotic(beta, T) + parts(beta, T, k)[2]


@pytest.mark.parametrize(
    "fault",
    [_no_renormalisation, _tail_from_k, _no_continuity_correction, _exponent_beta_minus_1, _additive],
)
def test_planted_faults_of_the_double_law_are_caught(fault):
    assert agrees(theory.truncated_zipf_error)
    assert not agrees(fault)


@pytest.mark.parametrize("fault", [
    lambda beta, T: theory.unseen_item_error_asymptotic(beta, T / special.zeta(beta)),  # A twice
    lambda beta, T: theory.unseen_item_error_asymptotic(beta, T) * beta,  # 1/beta dropped
    lambda beta, T: theory.unseen_item_error_asymptotic(beta, T) / special.gamma(1 - 1 / beta),  # Gamma dropped
    lambda beta, T: theory.unseen_item_error_asymptotic(beta, T, 2.0),  # the exponent of another law
])  # fmt: skip
def test_planted_faults_of_the_power_law_are_caught(fault):
    assert abs(theory.unseen_item_error_asymptotic(1.5, 1000) / clean(1.5, 1000) - 1) < 0.005
    assert abs(fault(1.5, 1000) / clean(1.5, 1000) - 1) > 0.05


@pytest.mark.parametrize("fault", [
    lambda T, pi: theory.truncated_zipf_mixture_error(1.5, T, 1 - pi, 100),  # shares exchanged
    lambda T, pi: theory.truncated_zipf_error(1.5, T, 100),  # real rows forgotten
    lambda T, pi: theory.truncated_zipf_error(1.5, (1 - pi) * T, 100),  # and taken away
    lambda T, pi: pi * theory.unseen_item_error_asymptotic(1.5, T)
    + (1 - pi) * theory.truncated_zipf_error(1.5, T, 100),  # errors mixed in place of laws
])  # fmt: skip
def test_planted_faults_of_the_mixture_are_caught(fault):
    T, pi = 1e5, 0.1
    expected = mixture(1.5, T, pi, 100)
    assert abs(theory.truncated_zipf_mixture_error(1.5, T, pi, 100) / expected - 1) < 3e-4
    assert abs(fault(T, pi) / expected - 1) > 0.01


def test_ten_thousand_points_in_one_compiled_call():
    T = jnp.geomspace(1, 1e8, 10_000)
    curve = jax.jit(jax.vmap(lambda T: theory.truncated_zipf_mixture_error(1.5, T, 0.1, 100)))(T)
    assert np.isfinite(curve).all()
