"""The exponential tilt: its optimality, its frontier, and large deviations of the mean reward."""

from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxtyping import TypeCheckError
from predictor_checks import Case, check_batching, check_derivatives
from scipy import integrate, optimize

from theorylab import cite, theory
from theorylab.problems.policies import entropy_of_policy, kl_divergence, response_problem

P, R = np.array([0.5, 0.3, 0.2]), np.array([0.0, 1.0, 3.0])
LOGP = np.log(P)
PROBLEM = response_problem(1, 12)
RNG = np.random.default_rng(0)


@cache
def compiled(name):
    return jax.jit(getattr(theory, name))


def objective(logpi, beta):
    pi = np.exp(logpi)
    return np.sum(pi * PROBLEM.reward) - beta * np.sum(pi * (logpi - PROBLEM.logref))


# ----------------------------------------------------------------------------------------------- optimality, identities


@pytest.mark.parametrize("beta", [0.1, 1.0, 5.0])
def test_no_other_policy_has_a_higher_objective(beta):
    best = np.asarray(compiled("tilted_policy")(PROBLEM.logref, PROBLEM.reward, 1 / beta))
    value = objective(best, beta)
    np.testing.assert_allclose(value, beta * compiled("tilt_log_partition")(*PROBLEM, 1 / beta), rtol=1e-12)
    for _ in range(100):
        other = best + 0.3 * RNG.normal(size=best.size)
        assert objective(other - np.logaddexp.reduce(other), beta) < value


def test_pythagorean_and_bayesian_identities():
    """For any policy: KL to the tilt is what it spends more plus lam times what it gains less."""
    for lam in (-0.7, 0.4, 3.0):
        tilt, point = compiled("tilted_policy")(*PROBLEM, lam), compiled("tilt_frontier_point")(*PROBLEM, lam)
        other = np.log(RNG.dirichlet(np.ones(12)))
        kl, gain = kl_divergence(other, PROBLEM.logref), np.exp(other) @ PROBLEM.reward
        np.testing.assert_allclose(kl_divergence(other, tilt), kl - point.kl - lam * (gain - point.reward), atol=1e-12)
        log_z = compiled("tilt_log_partition")(*PROBLEM, lam)
        np.testing.assert_allclose(gain - kl / lam, (log_z - kl_divergence(other, tilt)) / lam, rtol=1e-11)


def test_frontier_has_slope_beta_and_the_derivatives_of_the_log_partition():
    for lam in (0.2, 1.3, 4.0):
        point = compiled("tilt_frontier_point")(*PROBLEM, lam)
        slopes = jax.jit(jax.jacfwd(theory.tilt_frontier_point, 2))(*PROBLEM, lam)
        np.testing.assert_allclose((slopes.reward, slopes.kl), (point.var, lam * point.var), rtol=1e-10)
        Lambda = compiled("tilt_log_partition")(*PROBLEM, lam)
        np.testing.assert_allclose(point.kl, lam * point.reward - Lambda, rtol=1e-12)


def test_frontier_point_keeps_its_digits_near_the_reference():
    for lam in (1e-3, 1e-5):
        mean, var, third, _ = compiled("tilt_cumulant_rates")(LOGP, R, 0.0)
        expected = lam**2 * (var / 2 + lam * third / 3)
        np.testing.assert_allclose(compiled("tilt_frontier_point")(LOGP, R, lam).kl, expected, rtol=10 * lam**2 + 1e-9)
        np.testing.assert_allclose(mean, 0.9, rtol=1e-14)


@pytest.mark.parametrize("logref, reward", [(LOGP, R), PROBLEM, (np.log([1e-12, 1 - 1e-12]), np.array([2.0, -1.0]))])
def test_tilt_at_a_budget_has_that_divergence(logref, reward):
    limit = float(theory.max_attainable_kl(logref, reward))
    for delta in limit * np.array([1e-8, 1e-3, 0.5, 0.99, 1 - 1e-9]):
        lam = compiled("tilt_at_kl")(logref, reward, delta)
        np.testing.assert_allclose(compiled("tilt_frontier_point")(logref, reward, lam).kl, delta, rtol=1e-9)
    assert compiled("tilt_at_kl")(logref, reward, 0.0) == 0


def test_collapse_onto_the_responses_of_highest_reward():
    best = PROBLEM.reward == 4
    p = np.exp(PROBLEM.logref) * best
    tilt = compiled("tilted_policy")(*PROBLEM, 1000.0)
    np.testing.assert_allclose(np.exp(tilt), p / p.sum(), atol=1e-15)
    np.testing.assert_allclose(theory.max_attainable_kl(*PROBLEM), -np.log(p.sum()), rtol=1e-14)
    np.testing.assert_allclose(kl_divergence(tilt, PROBLEM.logref), -np.log(p.sum()), rtol=1e-13)
    conditioned = p[best] / p.sum()
    np.testing.assert_allclose(entropy_of_policy(tilt), -np.sum(conditioned * np.log(conditioned)), rtol=1e-13)


# --------------------------------------------------------------------------------- values and independent computations


def test_stated_values():
    lam = compiled("tilt_at_kl")(LOGP, R, 0.3)
    np.testing.assert_allclose(lam, 0.60341, atol=5e-6)
    np.testing.assert_allclose(compiled("tilt_frontier_point")(LOGP, R, lam).reward, 1.856390, atol=5e-7)
    np.testing.assert_allclose(1 / (2 * lam), 0.829, atol=5e-4)
    np.testing.assert_allclose(compiled("tilt_rate_function")(LOGP, R, 0.0, 1.8563904), 0.3, atol=1e-7)


def test_win_rate_at_the_divergence_of_best_of_n():
    """Win rates of the tilt less n/(n+1) at equal divergence."""
    for n, gap, atol in ((2, 0.0092, 5e-5), (4, 0.003996, 5e-7), (16, 0.00011, 5e-6), (64, 1.9e-6, 5e-8)):
        excess = lambda lam: float(compiled("tilt_win_rate")(lam).kl - np.log(n) + (n - 1) / n)  # noqa: B023
        lam = optimize.brentq(excess, 0.01, 1e3, xtol=1e-13)
        np.testing.assert_allclose(compiled("tilt_win_rate")(lam).win - n / (n + 1), gap, atol=atol)


@pytest.mark.parametrize("lam", [1e-4, 0.3, 0.9999, 1.0, 1.5, 40.0, 900.0])
def test_win_rate_equals_integrals_of_the_tilted_density(lam):
    g = lambda u: lam * np.exp(lam * (u - 1)) / -np.expm1(-lam)
    tail = [1 - 30 / lam] if lam > 100 else None
    integral = lambda f: integrate.quad(f, 0, 1, epsabs=1e-15, epsrel=1e-13, points=tail)[0]
    found = compiled("tilt_win_rate")(lam)
    np.testing.assert_allclose(found.win, integral(lambda u: u * g(u)), rtol=1e-12)
    series = lam**2 / 24 - lam**4 / 960 if lam < 1e-2 else None
    expected = series or integral(lambda u: g(u) * np.log(max(g(u), 1e-300)))
    np.testing.assert_allclose(found.kl, expected, rtol=1e-11)


def test_cumulants_of_the_sum_of_three_symbols():
    """Moments over all 27 sequences of the tilted source."""
    lam = 0.7
    q = P * np.exp(lam * R) / np.sum(P * np.exp(lam * R))
    weight = np.einsum("i,j,k->ijk", q, q, q).ravel()
    total = np.add.outer(np.add.outer(R, R), R).ravel()
    mean = weight @ total
    m2, m3, m4 = (weight @ (total - mean) ** k for k in (2, 3, 4))
    np.testing.assert_allclose(
        3 * compiled("tilt_cumulant_rates")(LOGP, R, lam), [mean, m2, m3, m4 - 3 * m2**2], rtol=1e-12
    )


@pytest.mark.parametrize("lam, x", [(0.0, 0.2), (0.0, 0.9), (0.0, 2.9), (0.6, 1.0), (-0.5, 2.0)])
def test_rate_function_is_the_legendre_transform(lam, x):
    Lambda = lambda t: np.log(np.sum(P * np.exp(t * R)))
    negative = lambda t: -(t * x - Lambda(t))
    best = optimize.minimize_scalar(negative, bracket=(-1, 1), tol=1e-12)
    np.testing.assert_allclose(
        compiled("tilt_rate_function")(LOGP, R, lam, x), -best.fun - lam * x + Lambda(lam), atol=1e-12
    )


def test_rate_function_vanishes_at_its_mean_and_is_the_divergence_of_another_tilt():
    for lam, other in ((0.0, 0.8), (1.1, -0.4)):
        mean = compiled("tilt_frontier_point")(LOGP, R, lam).reward
        np.testing.assert_allclose(compiled("tilt_rate_function")(LOGP, R, lam, mean), 0, atol=1e-15)
        x = compiled("tilt_frontier_point")(LOGP, R, other).reward
        direct = kl_divergence(compiled("tilted_policy")(LOGP, R, other), compiled("tilted_policy")(LOGP, R, lam))
        np.testing.assert_allclose(compiled("tilt_rate_function")(LOGP, R, lam, x), direct, rtol=1e-12)


def test_renyi_cross_entropy():
    q = np.array([0.2, 0.3, 0.5])
    for a in (-1.0, 0.5, 2.0, 5.0):
        expected = np.log(np.sum(P * q ** (a - 1))) / (1 - a)
        np.testing.assert_allclose(compiled("renyi_cross_entropy")(LOGP, np.log(q), a), expected, rtol=1e-13)
        t = a - 1
        Lambda = compiled("tilt_log_partition")(LOGP, np.log(q), t)
        np.testing.assert_allclose(Lambda, -t * compiled("renyi_cross_entropy")(LOGP, np.log(q), 1 + t), rtol=1e-13)
    shannon, var = -P @ np.log(q), P @ np.log(q) ** 2 - (P @ np.log(q)) ** 2
    for h in (0.0, 1e-12, 1e-6, -1e-4):
        np.testing.assert_allclose(
            compiled("renyi_cross_entropy")(LOGP, np.log(q), 1 + h), shannon - h * var / 2, rtol=1e-8
        )
    assert compiled("renyi_cross_entropy")(LOGP, np.log(q), 1.0) == pytest.approx(shannon, rel=1e-15)


# ----------------------------------------------------------------------------------- derivatives, batching, bad input


def of_logits(logits, reward, lam, delta, x):
    """Everything, as functions of logits that may move freely."""
    logref = jax.nn.log_softmax(logits)
    return (
        theory.tilted_policy(logref, reward, lam),
        theory.tilt_log_partition(logref, reward, lam),
        theory.tilt_frontier_point(logref, reward, lam),
        theory.max_attainable_kl(logref, reward),
        theory.tilt_at_kl(logref, reward, delta),
        theory.tilt_win_rate(lam),
        theory.tilt_cumulant_rates(logref, reward, lam),
        theory.tilt_rate_function(logref, reward, lam, x),
        theory.renyi_cross_entropy(logref, jax.nn.log_softmax(reward), lam),
    )


POINT = dict(logits=np.array([0.5, -0.3, 0.4, -1.0]), reward=np.array([0.3, 1.0, 1.7, 3.0]), lam=0.8, delta=0.6, x=1.4)
CASE = Case(of_logits, POINT)


def test_derivatives():
    check_derivatives(CASE)


@pytest.mark.slow
def test_batching():
    check_batching(CASE)


def test_solves_batch():
    """vmap = loop for the two that search for a root."""
    for name, values in (("tilt_at_kl", (0.2, 0.9)), ("tilt_rate_function", (0.4, 2.2))):
        fixed = (LOGP, R) if name == "tilt_at_kl" else (LOGP, R, 0.3)
        mapped = jax.jit(jax.vmap(lambda x: getattr(theory, name)(*fixed, x)))(jnp.array(values))  # noqa: B023
        np.testing.assert_allclose(mapped, [compiled(name)(*fixed, x) for x in values], rtol=1e-12)


UNNORMALISED, GAP = np.log([0.5, 0.3, 0.3]), np.array([np.log(0.5), np.log(0.5), -np.inf])


@pytest.mark.parametrize("name, arguments, named", [
    ("tilted_policy", (UNNORMALISED, R, 1.0), "logref"),
    ("tilted_policy", (GAP, R, 1.0), "logref"),
    ("tilted_policy", (LOGP, np.array([0.0, 1.0, np.inf]), 1.0), "reward"),
    ("tilted_policy", (LOGP, R, np.inf), "lam"),
    ("tilt_log_partition", (UNNORMALISED, R, 1.0), "logref"),
    ("tilt_frontier_point", (LOGP, R, np.nan), "lam"),
    ("max_attainable_kl", (UNNORMALISED, R), "logref"),
    ("tilt_at_kl", (LOGP, R, -0.1), "delta"),
    ("tilt_at_kl", (LOGP, R, 1.6095), "delta"),
    ("tilt_at_kl", (LOGP, np.ones(3), 0.0), "delta"),
    ("tilt_cumulant_rates", (GAP, R, 1.0), "logref"),
    ("tilt_rate_function", (LOGP, R, 0.0, 3.0), "x"),
    ("tilt_rate_function", (LOGP, R, 0.0, 0.0), "x"),
    ("tilt_win_rate", (0.0,), "lam"),
    ("renyi_cross_entropy", (UNNORMALISED, LOGP, 2.0), "logp"),
    ("renyi_cross_entropy", (LOGP, GAP, 2.0), "logq"),
    ("renyi_cross_entropy", (LOGP, LOGP, np.inf), "a"),
])  # fmt: skip
def test_outside_the_domain(name, arguments, named):
    with pytest.raises(ValueError, match=rf"^{named} = .* outside its domain"):
        getattr(theory, name)(*arguments)
    traced = compiled(name)(*(jnp.asarray(a, float) for a in arguments))
    assert all(np.all(np.isnan(leaf)) for leaf in jax.tree.leaves(traced))


def test_shapes_must_agree():
    for call in (theory.tilted_policy, theory.renyi_cross_entropy):
        with pytest.raises((ValueError, TypeCheckError)):
            call(LOGP, R[:2], 1.0)


def test_every_predictor_names_its_source():
    assert "yang2024" in cite(theory.tilt_rate_function) and "korbak2022" in cite(theory.tilted_policy)
    assert "beirami2024" in cite(theory.tilt_win_rate)
