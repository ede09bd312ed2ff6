"""Policies for the best or the worst of several draws: the fixed point, its win rate, and simpler tilts."""

from functools import partial

import jax
import numpy as np
import pytest
from predictor_checks import Case, check_batching, check_derivatives, check_refusal

from theorylab import theory
from theorylab.problems.inference_aware import exponential_transform, power_of, tournament_win_rate

MODES = pytest.mark.parametrize("mode", ["best", "worst"])

_solve = jax.jit(theory.inference_aware_policy, static_argnames=("mode", "grid"))
_tilt = jax.jit(theory.transformed_tilt_at_kl, static_argnames=("mode", "grid"))


def solve(n_best, beta, mode, grid=2001):
    return _solve(float(n_best), beta, mode, grid)


def tilt(n_best, t, kl, mode, grid=2001):
    return _tilt(float(n_best), t, kl, mode, grid)


def objective(g, N, beta, mode):
    """W - beta KL of any density on a grid, by NumPy's trapezoid rule."""
    u = np.linspace(0, 1, len(g))
    G = np.concatenate([[0], np.cumsum((g[1:] + g[:-1]) / 2 * (u[1] - u[0]))])
    g, G = g / G[-1], G / G[-1]
    if mode == "best":
        win = 1 - np.trapezoid(N * u ** (N - 1) * G**N, u)
    else:
        win = np.trapezoid(N * (1 - u) ** (N - 1) * (1 - G) ** N, u)
    return win, np.trapezoid(g * np.log(g), u)


# ---------------------------------------------------------------------------------------------- the best policy


@MODES
@pytest.mark.parametrize("n_best, beta", [(4, 0.3), (2, 1.0)])
def test_the_policy_is_the_tilt_of_its_own_transform(mode, n_best, beta):
    found = solve(n_best, beta, mode)
    assert found.converged
    u, g = np.asarray(found.u), np.asarray(found.g)
    np.testing.assert_allclose(np.trapezoid(g, u), 1.0, rtol=1e-12)
    tilted = np.exp(found.Rt / beta)
    np.testing.assert_allclose(g, tilted / np.trapezoid(tilted, u), rtol=1e-11)
    G = np.concatenate([[0], np.cumsum((g[1:] + g[:-1]) / 4000)])
    slope = n_best**2 * ((u * G) if mode == "best" else (1 - u) * (1 - G)) ** (n_best - 1)
    Rt = np.concatenate([[0], np.cumsum((slope[1:] + slope[:-1]) / 4000)])
    np.testing.assert_allclose(found.Rt, Rt - Rt[-1], rtol=0, atol=1e-11)
    np.testing.assert_allclose((found.win, found.kl), objective(g, n_best, beta, mode), rtol=1e-11)


@MODES
def test_no_perturbation_improves_it(mode):
    found, rng = solve(4, 0.3, mode), np.random.default_rng(0)
    u, best = np.asarray(found.u), float(found.win - 0.3 * found.kl)
    for scale in (1e-3, 0.03, 0.3):
        for _ in range(70):
            waves = rng.normal(size=6) @ np.cos(np.outer(np.arange(1, 7), np.pi * u))
            win, kl = objective(np.asarray(found.g) * np.exp(scale * waves), 4, 0.3, mode)
            assert win - 0.3 * kl <= best + 1e-7  # the rule itself is right to 5e-7


@MODES
def test_a_single_response_is_a_plain_tilt(mode):
    """Win rate 1/(1 - e^-lam) - 1/lam, divergence lam win - log((e^lam - 1)/lam), lam = 1/beta."""
    found, lam = solve(1, 0.3, mode, 8001), 1 / 0.3
    np.testing.assert_allclose(found.Rt, found.u - 1, rtol=0, atol=1e-13)
    win = 1 / -np.expm1(-lam) - 1 / lam
    np.testing.assert_allclose(found.win, win, rtol=1e-8)
    np.testing.assert_allclose(found.kl, lam * win - np.log(np.expm1(lam) / lam), rtol=1e-7)


@MODES
def test_a_large_penalty_keeps_the_reference(mode):
    found = solve(4, 1e4, mode)
    np.testing.assert_allclose(found.g, 1.0, rtol=5e-4)
    np.testing.assert_allclose((found.win, found.kl), (0.5, 0.0), atol=1e-4)


def test_stated_win_rates():
    """N = 4, beta = .3: .84014 and .92500; worst of 6, beta = .2: .9666667."""
    assert round(float(solve(4, 0.3, "best").win), 5) == 0.84014
    assert round(float(solve(4, 0.3, "worst").win), 5) == 0.92500
    fine, finer = (float(solve(6, 0.2, "worst", grid).win) for grid in (2001, 4001))
    np.testing.assert_allclose(finer + (finer - fine) / 3, 0.9666667, atol=5e-8)


@pytest.mark.parametrize("n_best, beta", [(4, 0.1), (6, 0.2), (2, 0.05)])
def test_worst_of_n_at_small_beta_loses_beta_over_n(n_best, beta):
    """Extrapolated in the grid. On 2001 points the rule itself is off by 2e-7: .9750002 for N = 4, beta = .1."""
    fine, finer = (float(solve(n_best, beta, "worst", grid).win) for grid in (2001, 4001))
    np.testing.assert_allclose(finer + (finer - fine) / 3, 1 - beta / n_best, rtol=0, atol=2e-9)
    assert round(float(solve(4, 0.1, "worst").win), 7) == 0.9750002


@MODES
def test_error_of_the_grid_is_quadratic(mode):
    coarse, fine, finer = (float(solve(4, 0.3, mode, grid).win) for grid in (501, 1001, 2001))
    np.testing.assert_allclose((coarse - fine) / (fine - finer), 4.0, rtol=0.02)
    assert abs(fine - finer) < 3e-6


@MODES
def test_win_rate_by_drawn_tournaments(mode):
    """10^5 tournaments, both sides drawn: within four standard errors."""
    found, rng = solve(4, 0.3, mode), np.random.default_rng(1)
    cumulative = np.concatenate([[0], np.cumsum((found.g[1:] + found.g[:-1]) / 4000)])
    ours = np.interp(rng.uniform(size=(100_000, 4)), cumulative / cumulative[-1], found.u)
    theirs = rng.uniform(size=(100_000, 4))
    pick = np.max if mode == "best" else np.min
    won = np.mean(pick(ours, axis=1) > pick(theirs, axis=1))
    assert abs(won - found.win) < 4 * np.sqrt(won * (1 - won) / 100_000)


def test_what_the_grid_cannot_resolve_is_flagged():
    """On 2001 points best of 64 at beta = .05 comes out as .9840, on 4001 as .9920."""
    assert not solve(64, 0.05, "best").converged
    assert not solve(2, 1e-3, "worst").converged  # nor is it solved
    assert not tilt(4, 0.0, 9.0, "best").converged


# ----------------------------------------------------------------------------------------------- simpler tilts


def test_stated_win_rates_of_exponential_tilts():
    """At the divergence of the best policy, N = 4, beta = .3."""
    stated = {
        "best": {0.0: 0.7685, 1.0: 0.785, 3.0: 0.810, 5.0: 0.826, 10.0: 0.8393},
        "worst": {0.0: 0.8558, 1.0: 0.880, 3.0: 0.910, 5.0: 0.921, 10.0: 0.9245},
    }
    for mode, rates in stated.items():
        kl = solve(4, 0.3, mode).kl
        for t, expected in rates.items():
            found = tilt(4, t, kl, mode)
            assert found.converged
            np.testing.assert_allclose(found.win, expected, rtol=0, atol=5.1e-4)
            assert found.win < solve(4, 0.3, mode).win


@MODES
def test_a_tilt_has_the_divergence_asked_for(mode):
    found = tilt(3, 2.0, 0.4, mode)
    u = np.linspace(0, 1, 2001)
    g = np.exp(found.strength * exponential_transform(u, 2.0, mode))
    win, kl = objective(np.asarray(g), 3, 1.0, mode)
    np.testing.assert_allclose((win, kl), (found.win, 0.4), rtol=1e-9)


@MODES
def test_the_transform_is_continuous_at_zero_curvature(mode):
    u = np.linspace(0, 1, 11)
    np.testing.assert_allclose(exponential_transform(u, 0.0, mode), u, rtol=1e-15)
    for t in (1e-5, 9.9e-5, 1.01e-4, 1e-3):
        np.testing.assert_allclose(exponential_transform(u, t, mode)[1:-1], u[1:-1], rtol=1.1 * t)
    sign = 1 if mode == "best" else -1
    expected = np.expm1(sign * 3 * u) / np.expm1(sign * 3.0)
    np.testing.assert_allclose(exponential_transform(u, 3.0, mode), expected, rtol=1e-13, atol=1e-15)


def test_powers_at_zero():
    x = np.array([0.0, 0.5, 1.0])
    np.testing.assert_allclose(power_of(x, 0.0), 1.0)
    np.testing.assert_allclose(power_of(x, 3.0), x**3, rtol=1e-15)
    assert np.all(np.isfinite(jax.jacobian(power_of, (0, 1))(x, 1.5)[0]))


@MODES
def test_tournaments_against_draws(mode):
    rng = np.random.default_rng(2)
    policy, reference = rng.dirichlet(np.ones(5)), rng.dirichlet(np.ones(5))
    won = tournament_win_rate(policy, reference, 3, mode)
    pick = np.max if mode == "best" else np.min
    ours, theirs = (pick(rng.choice(5, (40_000, 3), p=law), axis=1) for law in (policy, reference))
    drawn = np.mean(ours > theirs) + np.mean(ours == theirs) / 2
    assert abs(drawn - won) < 4 * 0.5 / 200
    np.testing.assert_allclose(tournament_win_rate(reference, policy, 3, mode), 1 - won, rtol=1e-12)


# ----------------------------------------------------------------------------------- derivatives, batching, bad input


def named(predict, keep, **static):
    """Without the residual, which is rounding."""

    def function(**real):
        found = predict(**real, **static)
        return {name: getattr(found, name) for name in keep}

    function.__name__ = f"{predict.__name__}_{static['mode']}"
    return function


POLICY_OF = lambda **static: named(theory.inference_aware_policy, ("g", "Rt", "win", "kl"), grid=61, **static)
TILT_OF = lambda **static: named(theory.transformed_tilt_at_kl, ("win", "strength"), grid=61, **static)
CASES = [
    Case(POLICY_OF(mode="best"), dict(n_best=3.0, beta=0.4)),
    Case(POLICY_OF(mode="worst"), dict(n_best=2.5, beta=0.4)),
    Case(TILT_OF(mode="best"), dict(n_best=3.0, t=2.0, kl=0.3)),
    Case(TILT_OF(mode="worst"), dict(n_best=3.0, t=2.0, kl=0.3)),
]
SOME = [CASES[0], *(pytest.param(case, marks=pytest.mark.slow) for case in CASES[1:3]), CASES[3]]


@pytest.mark.parametrize("case", SOME, ids=str)
def test_derivatives(case):
    check_derivatives(case)


@pytest.mark.parametrize("case", SOME, ids=str)
def test_batching(case):
    check_batching(case, rtol=1e-10)


def test_derivatives_are_finite_at_the_corners():
    win = partial(theory.transformed_tilt_at_kl, mode="best", grid=61)
    assert np.all(np.isfinite(jax.grad(lambda t: win(1.0, t, 0.3).win)(0.0)))
    assert np.isfinite(jax.grad(lambda n: theory.inference_aware_policy(n, 0.5, "worst", 61).win)(1.0))


POLICY = Case(theory.inference_aware_policy, dict(n_best=3.0, beta=0.4), mode="best", grid=31)
TILT = Case(theory.transformed_tilt_at_kl, dict(n_best=3.0, t=2.0, kl=0.3), mode="worst", grid=31)


@pytest.mark.parametrize("case, name, bad", [
    (POLICY, "n_best", dict(n_best=0.5)),
    (POLICY, "beta", dict(beta=0.0)),
    (POLICY, "beta", dict(beta=-1.0)),
    (POLICY, "beta", dict(beta=np.nan)),
    (TILT, "n_best", dict(n_best=0.0)),
    (TILT, "t", dict(t=-0.1)),
    (TILT, "kl", dict(kl=0.0)),
])  # fmt: skip
def test_outside_the_domain(case, name, bad):
    check_refusal(case, name, **bad)


@pytest.mark.parametrize("call, message", [
    (lambda: theory.inference_aware_policy(4.0, 0.3, "Best"), "did you mean 'best'"),
    (lambda: theory.transformed_tilt_at_kl(4.0, 1.0, 0.3, "worse"), "did you mean 'worst'"),
    (lambda: theory.inference_aware_policy(4.0, 0.3, "best", 2), "grid = 2"),
    (lambda: theory.transformed_tilt_at_kl(4.0, 1.0, 0.3, "best", 1), "grid = 1"),
    (lambda: tournament_win_rate(np.ones(2) / 2, np.ones(2) / 2, 0, "best"), "n_best = 0"),
])  # fmt: skip
def test_static_arguments_are_refused_by_name(call, message):
    with pytest.raises(ValueError, match=message):
        call()
