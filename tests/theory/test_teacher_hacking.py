"""Distillation from an imperfect teacher: turning points of the golden distance."""

import jax
import numpy as np
import pytest
from predictor_checks import Case, check_batching, check_derivatives, check_refusal
from scipy import optimize, special

from theorylab import theory

MU_P, MU_Q = np.array([1.0, 0.5, -0.3]), np.array([0.7, 0.6, 0.1])


def laws(seed, responses=6):
    return special.log_softmax(np.random.default_rng(seed).normal(size=(3, responses)), axis=1)


goodhart_point = jax.jit(theory.goodhart_point)


def golden(s, log_init, log_teacher, log_oracle):
    log_law = special.log_softmax((1 - s) * log_init + s * log_teacher)
    return np.exp(log_law) @ (log_law - log_oracle)


# ------------------------------------------------------------------------------------------- the geometric path


@pytest.mark.parametrize("seed", range(6))
def test_goodhart_point_is_the_first_minimum_of_the_golden_distance(seed):
    given = laws(seed)
    s = float(goodhart_point(*given))
    grid = np.arange(0, 50, 1e-3)
    values = np.array([golden(x, *given) for x in grid[: int(min(s, 49) * 1000) + 50]])
    first = np.flatnonzero(np.diff(values) >= 0)[0]
    assert abs(s - grid[first]) < 1.1e-3
    best = optimize.minimize_scalar(golden, (s - 0.01, s + 0.01), args=tuple(given), options=dict(xtol=1e-12)).x
    np.testing.assert_allclose(s, best, rtol=0, atol=2e-7)  # a minimum is found to the root of rounding


def test_second_minima_are_passed_over():
    """For this start the golden distance has minima at .29 and at 2.32."""
    given = special.log_softmax(2.5 * np.random.default_rng(6).normal(size=(3, 4)), axis=1)
    slopes = np.diff([golden(s, *given) for s in np.arange(0, 4, 0.01)])
    minima = np.flatnonzero((slopes[:-1] < -1e-9) & (slopes[1:] > 1e-9))
    np.testing.assert_array_equal(minima, [28, 231])
    np.testing.assert_allclose(goodhart_point(*given), 0.29, atol=0.01)


def test_limits_of_the_teacher():
    init, teacher, _ = laws(1)
    np.testing.assert_allclose(goodhart_point(init, teacher, teacher), 1.0, rtol=1e-12)  # a perfect one
    assert goodhart_point(init, teacher, init) == 0  # the truth is where the student starts
    assert goodhart_point(init, init, teacher) == 0  # no motion, nothing gained
    half = special.log_softmax(0.5 * init + 0.5 * teacher)
    np.testing.assert_allclose(goodhart_point(init, teacher, half), 0.5, rtol=1e-10)  # the oracle on the path
    double = special.log_softmax(-init + 2 * teacher)
    np.testing.assert_allclose(goodhart_point(init, teacher, double), 2.0, rtol=1e-10)
    favourite = np.log([1 - 2e-9, 1e-9, 1e-9])  # beyond any step: the student never gets there
    assert goodhart_point(np.log([0.4, 0.3, 0.3]), np.log([0.41, 0.295, 0.295]), favourite) == np.inf


def test_natural_gradient_descent_stops_there():
    """Euler steps of 1e-3 on KL(pi || teacher): the golden distance is least after -log(1 - s*) units of time."""
    given = np.random.default_rng(5).normal(size=(3, 5)) * 0.6
    init, teacher, oracle = special.log_softmax(given, axis=1)
    s = float(goodhart_point(init, teacher, oracle))
    assert 0.1 < s < 0.95
    logits, values = init, []
    for _ in range(4000):
        law = special.log_softmax(logits)
        values.append(np.exp(law) @ (law - oracle))
        logits = logits - 1e-3 * (law - teacher)
    assert abs(1 - np.exp(-1e-3 * np.argmin(values)) - s) < 1e-3


# ----------------------------------------------------------------------------------------------- Gaussian means


@pytest.mark.parametrize("sigma2, m", [(0.5, 3.0), (2.0, 40.0), (0.7, np.inf)])
def test_turning_points_are_minima_of_the_distances(sigma2, m):
    points = theory.gaussian_teacher_hacking(MU_P, MU_Q, sigma2, m)
    slopes = jax.jacobian(lambda s: theory.gaussian_distillation_distances(MU_P, MU_Q, sigma2, m, s))
    for name, s in (("golden", points.s_golden), ("proxy", points.s_proxy), ("training", 1.0)):
        np.testing.assert_allclose(getattr(slopes(s), name), 0.0, atol=1e-14)


def test_threshold_is_where_the_golden_distance_is_least_at_the_end():
    m_star = theory.gaussian_teacher_hacking(MU_P, 0.6 * MU_P, 0.5, 1.0).m_star
    np.testing.assert_allclose(m_star, 0.5 * 3 / (0.24 * MU_P @ MU_P), rtol=1e-14)
    at = lambda m: theory.gaussian_teacher_hacking(MU_P, 0.6 * MU_P, 0.5, m)
    np.testing.assert_allclose(at(m_star).s_golden, 1.0, rtol=1e-14)
    assert at(0.9 * m_star).s_golden < 1 < at(1.1 * m_star).s_golden
    assert at(m_star).s_proxy < 1  # the held-out proxy turns before


def test_a_teacher_that_overshoots_needs_more_than_any_number_of_samples():
    for scale in (1.0, 1.3):
        hacked = theory.gaussian_teacher_hacking(MU_P, scale * MU_P, 0.5, np.inf)
        assert hacked.m_star == np.inf
        np.testing.assert_allclose(hacked.s_golden, 1 / scale, rtol=1e-14)
        assert hacked.s_proxy == 1


def test_noise_and_means_scale_together():
    one = theory.gaussian_teacher_hacking(MU_P, MU_Q, 0.5, 7.0)
    np.testing.assert_allclose(theory.gaussian_teacher_hacking(3 * MU_P, 3 * MU_Q, 9 * 0.5, 7.0), one, rtol=1e-14)
    near = theory.gaussian_distillation_distances(MU_P, MU_Q, 0.5, 7.0, 0.4)
    far = theory.gaussian_distillation_distances(3 * MU_P, 3 * MU_Q, 9 * 0.5, 7.0, 0.4)
    np.testing.assert_allclose(far, 9 * np.array(near), rtol=1e-14)


def test_turning_points_of_drawn_students():
    """Minima of the distances averaged over 4000 draws, within four standard errors of the ratio."""
    rng = np.random.default_rng(3)
    means = MU_Q + np.sqrt(0.5 / 4) * rng.normal(size=(4000, 3))
    expected = theory.gaussian_teacher_hacking(MU_P, MU_Q, 0.5, 4.0)
    square = np.sum(means**2, 1)
    for target, s in ((MU_P, expected.s_golden), (MU_Q, expected.s_proxy)):
        error = (means @ target - float(s) * square).std() / square.mean() / np.sqrt(4000)
        assert abs((means @ target).mean() / square.mean() - s) < 4 * error


def test_online_steps_against_the_recursion_of_the_moments():
    lr, batch, sigma2 = 0.3, 5.0, 0.8
    mean, spread = np.zeros(3), 0.0  # of w
    for steps in range(8):
        got = theory.gaussian_online_distillation_distances(MU_P, MU_Q, sigma2, batch, lr, float(steps))
        expected = (np.sum((mean - target) ** 2) + spread for target in (MU_Q, MU_P))
        np.testing.assert_allclose(got, tuple(expected), rtol=1e-13)
        mean, spread = mean + lr * (MU_Q - mean), (1 - lr) ** 2 * spread + lr**2 * 3 * sigma2 / batch


# ----------------------------------------------------------------------------------- derivatives, batching, bad input


def goodhart_of_logits(init, teacher, oracle):
    return theory.goodhart_point(*map(jax.nn.log_softmax, (init, teacher, oracle)))


LAWS = dict(zip(("log_init", "log_teacher", "log_oracle"), laws(4)))
CASES = [
    Case(theory.gaussian_teacher_hacking, dict(mu_p=2 * MU_P, mu_q=MU_Q, sigma2=0.5, m=6.0)),
    Case(theory.gaussian_distillation_distances, dict(mu_p=MU_P, mu_q=MU_Q, sigma2=0.5, m=6.0, s=0.7)),
    Case(
        theory.gaussian_online_distillation_distances,
        dict(mu_p=MU_P, mu_q=MU_Q, sigma2=0.5, batch=6.0, lr=0.2, steps=7.0),
    ),
    Case(goodhart_of_logits, dict(zip(("init", "teacher", "oracle"), laws(4)))),
]
HACKING, OFFLINE, ONLINE, _ = CASES
GOODHART = Case(theory.goodhart_point, LAWS)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_derivatives(case):
    check_derivatives(case)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_batching(case):
    check_batching(case)


def test_gradients_are_finite_where_there_is_no_turn():
    init, teacher, _ = laws(1)
    gradient = jax.jit(jax.grad(theory.goodhart_point, (0, 1, 2)))
    for given in ((init, teacher, init), (init, init, teacher)):
        assert np.all(np.isfinite(gradient(*given)))


@pytest.mark.parametrize("case, named, bad", [
    (HACKING, "sigma2", dict(sigma2=-1.0)),
    (HACKING, "m", dict(m=0.5)),
    (HACKING, "m", dict(m=np.nan)),
    (HACKING, "mu_q", dict(mu_q=np.zeros(3), sigma2=0.0)),
    (OFFLINE, "m", dict(m=0.0)),
    (OFFLINE, "sigma2", dict(sigma2=-0.1)),
    (ONLINE, "batch", dict(batch=0.5)),
    (ONLINE, "lr", dict(lr=0.0)),
    (ONLINE, "lr", dict(lr=1.5)),
    (ONLINE, "steps", dict(steps=-1.0)),
    *((GOODHART, name, {name: LAWS[name] + 0.1}) for name in LAWS),
    *((GOODHART, name, {name: np.array([-np.inf, *[np.log(0.2)] * 5])}) for name in LAWS),
])  # fmt: skip
def test_outside_the_domain(case, named, bad):
    check_refusal(case, named, **bad)


def test_lengths_must_agree():
    with pytest.raises(Exception, match=r"entries|annotation|type-check"):
        theory.goodhart_point(*laws(0)[:2], laws(0, 5)[2])
    with pytest.raises(Exception, match=r"entries|annotation|type-check"):
        theory.gaussian_teacher_hacking(MU_P, MU_Q[:2], 1.0, 3.0)
