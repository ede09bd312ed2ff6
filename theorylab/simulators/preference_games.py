"""Policies that learn to win a game of preferences by regression on pairs of their own responses."""

import jax
import jax.numpy as jnp

from theorylab.numerics.domain import in_domain, nan_unless
from theorylab.problems.policies import LogPolicy, kl_divergence
from theorylab.problems.preference_games import (
    Preferences,
    checked_game,
    preference_game_value,
    regularised_nash_policy,
)
from theorylab.types import Array, Key, Real

__all__ = ["simulate_nash_learning", "simulate_nash_neighbourhood"]


def simulate_nash_learning(
    key: Key,
    P: Preferences,
    logref: LogPolicy,
    beta: Real,
    steps: tuple[int, ...],
    response: tuple[int, ...] = (0,),
    eta: Real | None = None,
    opponents: int = 0,
) -> dict[str, Array]:
    """Iterative Nash policy optimisation: every step minimises the regression loss over pairs of responses.

        loss = E_{y, y' ~ pi_t} [ (h(y) - h(y') - (v(y) - v(y')) / eta_t)^2 ] ,   eta_t = beta (t + 2) / 2 or constant ,
        h = log pi - (beta/eta_t) log ref - (1 - beta/eta_t) log pi_t

    with v(y) the mean probability to beat one of the opponents drawn from pi_t. One natural gradient step on the loss,
    with pairs enumerated, minimises it, since it is quadratic in the logits. One replicate.

    Source: the algorithm of @zhang2025iterative.
    Domain: that of the game; eta >= beta, steps >= 0, opponents >= 0.

    P: P[i, j] is the probability that response i beats j [Y, Y]. logref: log reference policy, the start [Y].
    beta: coefficient of the divergence. steps: after which to measure. response: whose probabilities to report.
    eta: inverse step size; None for the schedule. opponents: drawn in each step; 0 for all, by their probability.
    Returns kl = KL(Nash || pi_t), reverse_kl = KL(pi_t || Nash), excess = J(Nash, pi_t) - 1/2, gap = J(best, pi_t) -
    J(pi_t, best) played against the best response, loss after the last update [steps], policy [steps, response].
    Raises ValueError outside the domain.
    """
    _check(steps, opponents)
    in_domain(min(response) >= 0 and max(response) < len(logref), "response", response, f"0..{len(logref) - 1}")
    P, logref, beta, ok = checked_game(P, logref, beta)
    if eta is not None:
        ok &= in_domain(eta >= beta, "eta", eta, "eta >= beta")
    nash = regularised_nash_policy(P, logref, beta).logpi

    def update(logpi: Array, t: Array) -> tuple[Array, tuple[Array, Array]]:
        step_size = beta * (t + 2) / 2 if eta is None else jnp.asarray(eta, float)
        law = _drawn(jax.random.fold_in(key, t.astype(int)), logpi, opponents) if opponents else jnp.exp(logpi)
        logpi, loss = _regress(logpi, logref, P @ law, beta, step_size)
        return logpi, (logpi, loss)

    path, losses = jax.lax.scan(update, logref, jnp.arange(max(steps), dtype=float))[1]
    chosen = jnp.array(steps)
    policies = jnp.concatenate([logref[None], path])[chosen]
    measured = jax.vmap(lambda logpi: _measure(P, logref, beta, nash, logpi))(policies)
    measured["loss"] = jnp.concatenate([jnp.zeros(1), losses])[chosen]
    measured["policy"] = jnp.exp(policies[:, jnp.array(response)])
    return nan_unless(ok, measured)


def simulate_nash_neighbourhood(
    key: Key, P: Preferences, logref: LogPolicy, beta: Real, eta: Real, steps: int, scale: float = 1e-6
) -> dict[str, Array]:
    """How fast the updates of `simulate_nash_learning` leave or approach the equilibrium from nearby: one replicate.

    The start is the equilibrium with logits moved by `scale` standard normal numbers; the distance is the standard
    deviation of log pi - log Nash under the equilibrium.

    Source: the algorithm of @zhang2025iterative.
    Domain: that of the game; eta >= beta, steps >= 1, scale > 0. Arguments as there.

    Returns log_rate, the logarithm of the last distance over the first, per step.
    Raises ValueError outside the domain.
    """
    in_domain(steps >= 1, "steps", steps, "steps >= 1")
    in_domain(scale > 0, "scale", scale, "scale > 0")
    P, logref, beta, ok = checked_game(P, logref, beta)
    ok &= in_domain(eta >= beta, "eta", eta, "eta >= beta")
    nash = regularised_nash_policy(P, logref, beta).logpi
    start = jax.nn.log_softmax(nash + scale * jax.random.normal(key, nash.shape))

    def update(logpi: Array, _: None) -> tuple[Array, None]:
        return _regress(logpi, logref, P @ jnp.exp(logpi), beta, jnp.asarray(eta, float))[0], None

    def log_distance(logpi: Array) -> Array:
        away, law = logpi - nash, jnp.exp(nash)
        return jnp.log(jnp.sum(law * (away - jnp.sum(law * away)) ** 2)) / 2

    end = jax.lax.scan(update, start, length=steps)[0]
    return nan_unless(ok, {"log_rate": (log_distance(end) - log_distance(start)) / steps})


def _regress(logpi: Array, logref: Array, wins: Array, beta: Array, eta: Array) -> tuple[Array, Array]:
    """The minimiser of the loss over enumerated pairs, and the loss there."""
    law = jnp.exp(logpi)

    def loss(logits: Array) -> Array:
        h = logits - beta / eta * logref - (1 - beta / eta) * logpi
        off = (h[:, None] - h[None]) - (wins[:, None] - wins[None]) / eta
        return jnp.sum(law[:, None] * law[None] * off**2)

    new = jax.nn.log_softmax(logpi - jax.grad(loss)(logpi) / (4 * law))
    return new, loss(new)


def _drawn(key: Key, logpi: Array, count: int) -> Array:
    """Frequencies of the responses among so many draws."""
    edges = jnp.cumsum(jnp.exp(logpi))[:-1]
    below = jnp.mean((jax.random.uniform(key, (count, 1)) < edges[None]).astype(float), axis=0)
    return jnp.diff(jnp.concatenate([jnp.zeros(1), below, jnp.ones(1)]))


def _measure(P: Array, logref: Array, beta: Array, nash: Array, logpi: Array) -> dict[str, Array]:
    value = lambda first, second: preference_game_value(P, logref, beta, first, second)
    best = jax.nn.log_softmax(logref + P @ jnp.exp(logpi) / beta)
    return dict(
        kl=kl_divergence(nash, logpi),
        reverse_kl=kl_divergence(logpi, nash),
        excess=value(nash, logpi) - 0.5,
        gap=value(best, logpi) - value(logpi, best),
    )


def _check(steps: tuple[int, ...], opponents: int) -> None:
    in_domain(len(steps) > 0 and min(steps) >= 0, "steps", steps, "at least one number, all >= 0")
    in_domain(opponents >= 0, "opponents", opponents, "opponents >= 0")
