"""Alignment as a game: two policies that a judge compares, who pay for their divergence from a reference.

J(pi_1, pi_2) = pi_1' P pi_2 - beta KL(pi_1 || ref) + beta KL(pi_2 || ref), of which the first is the maximising player.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from theorylab.numerics.domain import in_domain, nan_unless
from theorylab.problems.full_support import checked_full_support
from theorylab.problems.policies import LogPolicy, kl_divergence
from theorylab.problems.preference_games import Preferences, RegularisedNash, checked_game, regularised_nash_policy
from theorylab.types import Real

__all__ = [
    "NashLearning",
    "RegularisedNash",
    "nash_duality_gap",
    "nash_last_iterate_bound",
    "nash_learning_curve",
    "nash_local_rate",
    "nash_policy_iterates",
    "nash_step_threshold",
    "regularised_nash_policy",
]


class NashLearning(NamedTuple):
    """Divergence KL(Nash || pi_t) and duality gap of an iterate."""

    kl: Float[Array, ""]
    gap: Float[Array, ""]


def nash_duality_gap(P: Preferences, logref: LogPolicy, beta: Real, logpi: LogPolicy) -> Float[Array, ""]:
    """What two best responses gain together against a policy: its exploitability.

        gap = max_{pi'} J(pi', pi) - min_{pi'} J(pi, pi')
            = 2 [ beta logsumexp(log ref + P pi / beta) + beta KL(pi || ref) ] - 1
            = 2 beta KL(pi || ref exp(P pi / beta) / Z)

    Zero at `regularised_nash_policy`, and at least 2 beta KL(pi || Nash) elsewhere, since J(Nash, pi) = 1/2 + beta
    KL(pi || Nash). Exact; computed in the last form, which does not cancel near the equilibrium.

    Source: @zhang2025iterative; the lower bound derived here.
    Domain: 0 <= P <= 1, P + P' = 1, both policies with full support, beta > 0.

    P: P[i, j] is the probability that response i beats j [Y, Y]. logref: log reference policy [Y]. beta: coefficient
    of the divergence. logpi: log policy [Y].
    Returns the gap.
    Raises ValueError outside the domain.
    """
    P, logref, beta, ok = checked_game(P, logref, beta)
    logpi, full = checked_full_support(logpi, "logpi")
    best = jax.nn.log_softmax(logref + P @ jnp.exp(logpi) / beta)
    return nan_unless(ok & full, 2 * beta * kl_divergence(logpi, best))


def nash_policy_iterates(
    P: Preferences, logref: LogPolicy, beta: Real, steps: int, eta: Real | None = None
) -> Float[Array, "rows outcomes"]:
    """Policies along iterative Nash policy optimisation, started from the reference.

        pi_{t+1} = pi_t^(1 - beta/eta_t) ref^(beta/eta_t) exp(P pi_t / eta_t) / Z ,   eta_t = beta (t + 2) / 2

    or a constant eta. Each is the unique zero of the regression loss over pairs y, y' of responses of pi_t

        E [ (h(y) - h(y') - ((P pi_t)(y) - (P pi_t)(y')) / eta)^2 ] ,
        h = log pi - (beta/eta) log ref - (1 - beta/eta) log pi_t

    With the schedule the iterates converge; with a constant eta only above `nash_step_threshold`.

    Source: @zhang2025iterative.
    Domain: 0 <= P <= 1, P + P' = 1, ref with full support, beta > 0, eta >= beta, steps >= 0.

    P: P[i, j] is the probability that response i beats j [Y, Y]. logref: log reference policy [Y]. beta: coefficient
    of the divergence. steps: number of updates. eta: inverse of the step size.
    Returns log probabilities of pi_0 = ref, .., pi_steps [steps + 1, Y].
    Raises ValueError outside the domain.
    """
    return _iterates(P, logref, beta, steps, eta)[0]


def nash_learning_curve(
    P: Preferences, logref: LogPolicy, beta: Real, horizon: int, steps: Real, eta: Real | None = None
) -> NashLearning:
    """How far an iterate of `nash_policy_iterates` is from the equilibrium.

    Source: @zhang2025iterative.
    Domain: 0 <= steps <= horizon, steps whole; otherwise that of `nash_policy_iterates`.

    horizon: number of updates that are computed. steps: number of updates of the iterate, rounded down. The other
    arguments as there.
    Returns KL(Nash || pi_steps) and the duality gap of pi_steps; NaN where the equilibrium was not found.
    Raises ValueError outside the domain.
    """
    ok = in_domain((steps >= 0) & (steps <= horizon), "steps", steps, f"0 <= steps <= horizon = {horizon}")
    path = nash_policy_iterates(P, logref, beta, horizon, eta)
    logpi = path[jnp.asarray(steps, float).astype(int)]
    nash = regularised_nash_policy(P, logref, beta)
    found = NashLearning(kl_divergence(nash.logpi, logpi), nash_duality_gap(P, logref, beta, logpi))
    return nan_unless(ok & nash.converged, found)


def nash_last_iterate_bound(P: Preferences, logref: LogPolicy, beta: Real, steps: int) -> Float[Array, "rows"]:
    """Upper bound on KL(Nash || pi_T), T = 1..steps, of the scheduled iterates of `nash_policy_iterates`.

        2 B^2 / (beta^2 (T + 1)) ,   B = max_{t < T} span(P pi_t - beta log(pi_t / ref)) / 2 ,  span = max - min

    Mirror descent in the half-span norm: the preferences cancel by skew symmetry, and the divergence gives KL_{t+1} <=
    (1 - beta/eta_t) KL_t + B^2 / (2 eta_t^2). Loose: near the equilibrium the iterates approach like T^-4.

    Source: @zhang2025iterative, with the constant derived here.
    Domain: steps >= 1; arguments and errors otherwise as for `nash_policy_iterates`.

    Returns the bounds [steps].
    """
    in_domain(steps >= 1, "steps", steps, "steps >= 1")
    _, spans, beta = _iterates(P, logref, beta, steps, None)
    return 2 * jax.lax.cummax(spans) ** 2 / (beta**2 * jnp.arange(2, steps + 2, dtype=float))


def nash_step_threshold(P: Preferences, logref: LogPolicy, beta: Real) -> Float[Array, ""]:
    """The constant eta above which the iterates of `nash_policy_iterates` approach the equilibrium from nearby.

        eta > (s^2 + beta^2) / (2 beta) ,   s = spectral radius of P (diag(pi) - pi pi')

    at the equilibrium pi. Below it they leave its neighbourhood and cycle. Twice the threshold contracts fastest, by
    s / sqrt(s^2 + beta^2) per step where a single pair of eigenvalues is different from zero. Exact to first order
    around the equilibrium.

    Source: derived here for the algorithm of @zhang2025iterative.
    Domain: 0 <= P <= 1, P + P' = 1, ref with full support, beta > 0.

    P: P[i, j] is the probability that response i beats j [Y, Y]. logref: log reference policy [Y]. beta: coefficient
    of the divergence.
    Returns the threshold; NaN where the equilibrium was not found.
    Raises ValueError outside the domain.
    """
    s, beta, ok = _rotation(P, logref, beta)
    return nan_unless(ok, (s**2 + beta**2) / (2 * beta))


def nash_local_rate(P: Preferences, logref: LogPolicy, beta: Real, eta: Real) -> Float[Array, ""]:
    """Factor by which a step of constant eta shrinks (or, above 1, grows) a small distance from the equilibrium.

        rate = sqrt((1 - beta/eta)^2 + (s/eta)^2) ,   s as in `nash_step_threshold`

    of the most rotating pair of directions; log pi - log Nash is multiplied by it in every step. Exact to first order.

    Source: derived here for the algorithm of @zhang2025iterative.
    Domain: eta >= beta; arguments and errors otherwise as for `nash_step_threshold`.

    Returns the factor.
    """
    s, beta, ok = _rotation(P, logref, beta)
    ok &= in_domain(eta >= beta, "eta", eta, "eta >= beta")
    eta = jnp.asarray(eta, float)
    return nan_unless(ok, jnp.sqrt((1 - beta / eta) ** 2 + (s / eta) ** 2))


def _iterates(
    P: Preferences, logref: LogPolicy, beta: Real, steps: int, eta: Real | None
) -> tuple[Float[Array, "rows outcomes"], Float[Array, "steps"], Array]:
    """The policies, and half the span of the gradient of J at all but the last of them."""
    in_domain(steps >= 0, "steps", steps, "steps >= 0")
    P, logref, beta, ok = checked_game(P, logref, beta)
    if eta is not None:
        ok &= in_domain(eta >= beta, "eta", eta, "eta >= beta: a mixture of the policy and the reference")
    step_size: Callable[[Array], Array] = lambda t: beta * (t + 2) / 2 if eta is None else jnp.asarray(eta, float)

    def update(logpi: Array, t: Array) -> tuple[Array, tuple[Array, Array]]:
        win, share = P @ jnp.exp(logpi), beta / step_size(t)
        gradient = win - beta * (logpi - logref)
        new = jax.nn.log_softmax((1 - share) * logpi + share * logref + win / step_size(t))
        return new, (new, (jnp.max(gradient) - jnp.min(gradient)) / 2)

    later, spans = jax.lax.scan(update, logref, jnp.arange(steps, dtype=float))[1]
    return *nan_unless(ok, (jnp.concatenate([logref[None], later]), spans)), beta


def _rotation(P: Preferences, logref: LogPolicy, beta: Real) -> tuple[Array, Array, bool | Array]:
    """Spectral radius of P (diag(pi) - pi pi') at the equilibrium.

    With the root L = diag(sqrt pi) (I - sqrt pi sqrt pi') of that covariance it is the norm of the skew matrix
    L' (P - 1/2) L.
    """
    nash = regularised_nash_policy(P, logref, beta)
    preferences, _, beta, ok = checked_game(P, logref, beta)
    root = jnp.exp(nash.logpi / 2)
    projector = jnp.eye(root.size) - root[:, None] * root[None]
    skew = projector @ (root[:, None] * (preferences - 0.5) * root[None]) @ projector
    return jnp.max(jnp.linalg.svd(skew, compute_uv=False)), beta, ok & nash.converged
