"""Regularised games of preferences: equilibrium, exploitability, iterates and their stability."""

import jax
import numpy as np
import pytest
from scipy import optimize, special

from theorylab import theory
from theorylab.problems.policies import kl_divergence
from theorylab.problems.preference_games import cyclic_game, preference_game_value, random_game

GAMES = {"cyclic": cyclic_game(1.0), "random": random_game(0, 6)}
WEAK = cyclic_game(0.4)
BETAS = (1.0, 0.1, 0.02)

nash = jax.jit(theory.regularised_nash_policy)
gap = jax.jit(theory.nash_duality_gap)
value = jax.jit(preference_game_value)
bound = jax.jit(theory.nash_last_iterate_bound, static_argnames="steps")
threshold = jax.jit(theory.nash_step_threshold)
rate = jax.jit(theory.nash_local_rate)
divergences = jax.jit(jax.vmap(kl_divergence, (None, 0)))
scheduled = jax.jit(theory.nash_policy_iterates, static_argnames="steps")


def policies(count, responses, seed=0):
    return special.log_softmax(2 * np.random.default_rng(seed).normal(size=(count, responses)), axis=1)


EVERY = pytest.mark.parametrize("game", GAMES.values(), ids=GAMES)


# --------------------------------------------------------------------------------------------------- the equilibrium


@EVERY
@pytest.mark.parametrize("beta", BETAS)
def test_equilibrium_is_its_own_best_response(game, beta):
    found = nash(*game, beta)
    assert found.converged and found.residual < 1e-12
    logits = game.logref + game.P @ np.exp(found.logpi) / beta
    np.testing.assert_allclose(np.exp(found.logpi), special.softmax(logits), rtol=0, atol=1e-12)
    assert abs(gap(*game, beta, found.logpi)) < 1e-12


def test_equilibrium_against_a_root_finder():
    game, beta = GAMES["random"], 0.1
    equation = lambda logits: logits - special.log_softmax(game.logref + game.P @ special.softmax(logits) / beta)
    found = optimize.root(equation, game.logref, tol=1e-14)
    np.testing.assert_allclose(nash(*game, beta).logpi, found.x, rtol=0, atol=1e-10)


def test_limits_of_the_penalty():
    game = GAMES["cyclic"]
    np.testing.assert_allclose(nash(*game, 1e6).logpi, game.logref, atol=2e-6)
    np.testing.assert_allclose(np.exp(nash(*game, 2e-3).logpi), 1 / 3, atol=4e-3)  # the equilibrium without penalty


def test_too_small_a_penalty_is_flagged():
    found = nash(*GAMES["random"], 1e-7)
    assert not found.converged and found.residual > 1e-12


@EVERY
@pytest.mark.parametrize("beta", BETAS)
def test_equilibrium_wins_by_beta_times_the_divergence(game, beta):
    found = nash(*game, beta)
    for logpi in policies(5, len(game.logref)):
        won = value(*game, beta, found.logpi, logpi) - 0.5
        np.testing.assert_allclose(won, beta * kl_divergence(logpi, found.logpi), rtol=1e-11, atol=1e-13)
        np.testing.assert_allclose(value(*game, beta, logpi, found.logpi), 0.5 - won, rtol=1e-12)


@EVERY
@pytest.mark.parametrize("beta", BETAS)
def test_gap_in_its_two_forms_and_by_two_best_responses(game, beta):
    for logpi in policies(5, len(game.logref), seed=1):
        wins = game.P @ np.exp(logpi)
        stated = (
            2 * (beta * special.logsumexp(game.logref + wins / beta) + beta * kl_divergence(logpi, game.logref)) - 1
        )
        here = gap(*game, beta, logpi)
        np.testing.assert_allclose(here, stated, rtol=1e-11, atol=1e-13)
        best = special.log_softmax(game.logref + wins / beta)
        np.testing.assert_allclose(here, value(*game, beta, best, logpi) - value(*game, beta, logpi, best), rtol=1e-11)
        assert here >= 2 * beta * kl_divergence(logpi, nash(*game, beta).logpi) > 0


def test_no_optimiser_exploits_more_than_the_gap():
    game, beta = WEAK, 0.1
    (logpi,) = policies(1, 3, seed=3)
    won = lambda logits, sign: -sign * float(value(*game, beta, *[special.log_softmax(logits), logpi][::sign]))
    best = [-optimize.minimize(won, game.logref, args=(sign,), tol=1e-12).fun for sign in (1, -1)]
    np.testing.assert_allclose(sum(best), gap(*game, beta, logpi), rtol=1e-6)


# ----------------------------------------------------------------------------------------------------- the iterates


@EVERY
@pytest.mark.parametrize("eta", [None, 0.4])
def test_every_iterate_is_the_zero_of_its_regression_loss(game, eta):
    beta, steps = 0.1, 6
    path = np.asarray(theory.nash_policy_iterates(*game, beta, steps, eta))
    np.testing.assert_allclose(path[0], game.logref, atol=1e-15)
    for t in range(steps):
        size = beta * (t + 2) / 2 if eta is None else eta
        h = path[t + 1] - beta / size * game.logref - (1 - beta / size) * path[t]
        wins = game.P @ np.exp(path[t])
        off = (h[:, None] - h) - (wins[:, None] - wins) / size
        law = np.exp(path[t])
        assert law @ off**2 @ law < 1e-28


@EVERY
@pytest.mark.parametrize("beta", BETAS)
def test_last_iterate_stays_below_its_bound(game, beta):
    steps = 400
    path = np.asarray(scheduled(*game, beta, steps=steps))
    kl = divergences(nash(*game, beta).logpi, path[1:])
    limits = bound(*game, beta, steps=steps)
    assert limits.shape == (steps,)
    assert np.all(kl <= limits)
    gradients = np.exp(path[:-1]) @ game.P.T - beta * (path[:-1] - game.logref)
    half_span = np.max(np.ptp(gradients, axis=1)) / 2
    np.testing.assert_allclose(limits[-1], 2 * half_span**2 / (beta**2 * (steps + 1)), rtol=1e-12)


def test_iterates_approach_like_the_fourth_power():
    """Near the equilibrium of three responses an update multiplies the KL by (t^2 + 4 s^2/beta^2) / (t + 2)^2."""
    game, beta = GAMES["cyclic"], 0.3
    path = scheduled(*game, beta, steps=1000)
    kl = divergences(nash(*game, beta).logpi, path)
    t = np.arange(300.0, 1000.0)
    turn = 2 * float(threshold(*game, beta)) / beta - 1  # s^2 / beta^2
    expected = np.prod((t**2 + 4 * turn) / (t + 2) ** 2)
    np.testing.assert_allclose(kl[1000] / kl[300], expected, rtol=1e-3)
    np.testing.assert_allclose(np.log(kl[1000] / kl[300]) / np.log(1002 / 302), -4, rtol=2e-2)


def test_learning_curve_is_that_of_the_iterates():
    game, beta = GAMES["random"], 0.1
    path = theory.nash_policy_iterates(*game, beta, 20, 0.5)
    curve = theory.nash_learning_curve(*game, beta, 20, 7, 0.5)
    expected = kl_divergence(nash(*game, beta).logpi, path[7]), gap(*game, beta, path[7])
    np.testing.assert_allclose(curve, expected, rtol=1e-12)


# ---------------------------------------------------------------------------------------------- constant step sizes


def test_stated_threshold():
    """Rock, paper, scissors, beta = .05, logits of the reference (0, 1, -1)."""
    np.testing.assert_allclose(threshold(*GAMES["cyclic"], 0.05), 0.8356, rtol=0, atol=5e-5)


@EVERY
@pytest.mark.parametrize("beta", BETAS)
def test_threshold_and_rate_are_those_of_the_eigenvalues(game, beta):
    """Eigenvalues of the derivative of one update, by NumPy; those of P (diag pi - pi pi') alone are imaginary."""
    pi = np.exp(nash(*game, beta).logpi)
    turning = np.linalg.eigvals(game.P @ (np.diag(pi) - np.outer(pi, pi)))
    assert np.abs(turning.real).max() < 1e-7
    s = np.abs(turning).max()
    eta = float(threshold(*game, beta))
    np.testing.assert_allclose(eta, (s**2 + beta**2) / (2 * beta), rtol=1e-9)
    for ratio in (2.0, 5.0):
        expected = np.abs(1 - beta / (ratio * eta) + turning / (ratio * eta)).max()
        np.testing.assert_allclose(rate(*game, beta, ratio * eta), expected, rtol=1e-9)
    np.testing.assert_allclose(rate(*game, beta, 2 * eta), s / np.hypot(s, beta), rtol=1e-9)
    if eta > beta:
        np.testing.assert_allclose(rate(*game, beta, eta), 1.0, rtol=1e-12)


@pytest.mark.parametrize("ratio, expected", [(0.95, 0.036), (1.05, 0.0)])
def test_last_iterate_cycles_below_the_threshold_and_converges_above(ratio, expected):
    """Stated: KL .036 five percent below, 1e-16 five percent above."""
    game, beta = GAMES["cyclic"], 0.05
    path = theory.nash_policy_iterates(*game, beta, 8000, ratio * threshold(*game, beta))
    kl = divergences(nash(*game, beta).logpi, path[-200:])
    np.testing.assert_allclose(kl.mean(), expected, rtol=0.05, atol=1e-16)
