"""What preference data must cover: density ratios in a divergence ball, and policies fitted to pairs of some responses.

pi* = ref exp(r / beta) / Z maximises J = E_pi r - beta KL(pi || ref), and J* - J(pi) = beta KL(pi || pi*).
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from theorylab.numerics.domain import in_domain, nan_unless
from theorylab.numerics.roots import bisection
from theorylab.problems.data_coverage import alignment_value_gap
from theorylab.problems.policies import LogPolicy, Rewards, checked_responses
from theorylab.types import Real

__all__ = [
    "kl_ball_coverage",
    "offline_dpo_value_gap",
    "offline_dpo_worst_value_gap",
]


def kl_ball_coverage(p: Real, eps: Real) -> Float[Array, ""]:
    """The largest density ratio pi(y) / ref(y) of a response y among all policies with KL(pi || ref) <= eps.

        q / p ,  where q >= p solves  q log(q/p) + (1 - q) log((1 - q)/(1 - p)) = eps ;   1/p  for eps >= -log p

    Exact for any number of responses: the others keep their proportions. Between 1 at eps = 0 and the global coverage
    1/p.

    Source: @song2024importance, with the solution derived here.
    Domain: 0 < p <= 1, eps >= 0.

    p: reference probability of the response. eps: radius of the ball, in nats.
    Returns the ratio.
    Raises ValueError outside the domain.
    """
    ok = in_domain((p > 0) & (p <= 1), "p", p, "0 < p <= 1") & in_domain(eps >= 0, "eps", eps, "eps >= 0")
    p, eps = jnp.asarray(p, float), jnp.asarray(eps, float)
    widest = -jnp.log(p)
    inside = (eps > 0) & (eps < widest) & (p < 1)
    # outside the ball's range any equation with a solution will do
    mass, radius, top = (jnp.where(inside, x, y) for x, y in ((p, 0.5), (eps, 0.1), (widest, np.log(2.0))))

    def excess(log_ratio: Array) -> Array:
        rest = -jnp.expm1(log_ratio - top)
        other = jnp.where(rest > 0, rest * jnp.log(jnp.where(rest > 0, rest, 1.0) / (1 - mass)), 0.0)
        return jnp.exp(log_ratio) * mass * log_ratio + other - radius

    ratio = jnp.exp(bisection(excess, jnp.zeros_like(top), top))
    return nan_unless(ok, jnp.where(inside, ratio, jnp.where(eps > 0, 1 / p, 1.0)))


def offline_dpo_value_gap(
    logref: LogPolicy, reward: Rewards, beta: Real, covered: Rewards, shift: Real
) -> Float[Array, ""]:
    """J* - J of direct preference optimisation on infinitely many pairs of the covered responses alone.

        log pi = log ref + r/beta - mean_S(r/beta)  on the covered S ,  log ref + shift  elsewhere ,  normalised

    Where gradient descent on tabular logits ends: they start at log ref, plus what a function approximator may do to
    responses that it does not see; the loss is constant in those and in the sum of the others.

    Source: derived here for the setting of @song2024importance.
    Domain: ref with full support, beta > 0, covered 0 or 1 and somewhere 1.

    logref: log reference policy [Y]. reward: of each response; labels are sigmoid of differences [Y]. beta: coefficient
    of the divergence. covered: 1 for the responses in the data [Y]. shift: of the initial logits elsewhere.
    Returns the gap; 0 where all are covered.
    Raises ValueError outside the domain, or when the shapes differ.
    """
    logref, reward, beta, covered, ok = _checked(logref, reward, beta, covered)
    scaled = reward / beta
    logits = logref + jnp.where(covered, scaled - jnp.mean(scaled, where=covered), shift)
    return nan_unless(ok, alignment_value_gap(jax.nn.log_softmax(logits), logref, reward, beta))


def offline_dpo_worst_value_gap(logref: LogPolicy, reward: Rewards, beta: Real, covered: Rewards) -> Float[Array, ""]:
    """The limit of `offline_dpo_value_gap` for a large shift: all the mass on responses outside the data.

        beta KL(ref given not S || pi*) = beta log Z - E_{ref given not S} r - beta log ref(not S)

    Finite: on finitely many responses with full support no policy loses an unbounded amount. It grows with
    -beta log ref(not S) as the responses outside the data become rare.

    Source: derived here for the setting of @song2024importance.
    Domain: some response is not covered; arguments and errors otherwise as for `offline_dpo_value_gap`.

    Returns the gap.
    """
    logref, reward, beta, covered, ok = _checked(logref, reward, beta, covered)
    ok &= in_domain(jnp.any(~covered), "covered", covered, "0 for some response")
    out = _log_mass(logref, ~covered)
    law = jnp.where(covered, 0.0, jnp.exp(logref - out))
    return nan_unless(ok, beta * jax.nn.logsumexp(logref + reward / beta) - jnp.sum(law * reward) - beta * out)


def _log_mass(logits: Array, chosen: Array) -> Array:
    top = jnp.max(jnp.where(chosen, logits, -jnp.inf))
    return top + jnp.log(jnp.sum(jnp.where(chosen, jnp.exp(jnp.where(chosen, logits - top, 0.0)), 0.0)))


def _checked(
    logref: LogPolicy, reward: Rewards, beta: Real, covered: Rewards
) -> tuple[Array, Array, Array, Array, Any]:
    logref, reward, ok = checked_responses(logref, reward)
    ok &= in_domain(beta > 0, "beta", beta, "beta > 0")
    if np.shape(covered) != np.shape(logref):
        raise ValueError(f"covered has shape {np.shape(covered)}, but logref {np.shape(logref)}")
    mask = jnp.asarray(covered)
    ok &= in_domain((mask == 0) | (mask == 1), "covered", covered, "0 or 1 for each response")
    ok &= in_domain(jnp.any(mask == 1), "covered", covered, "1 for some response")
    return logref, reward, jnp.asarray(beta, float), mask == 1, ok
