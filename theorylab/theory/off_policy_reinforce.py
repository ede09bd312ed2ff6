"""Policy gradients from the responses of another policy, with tapered importance ratios (@leroux2025tapered).

One prompt with Y responses. The gradient of tapered off-policy REINFORCE is

    sum_{R >= 0} mu R grad log pi + sum_{R < 0} mu min(pi / mu, 1) R grad log pi

with the ratio held fixed; the naive one leaves the ratio out. Policies are a softmax of Y logits.
"""

from typing import TypeAlias

import jax.numpy as jnp
from jaxtyping import Array, Float

from theorylab.numerics.domain import in_domain, nan_unless
from theorylab.types import Real, Vector

__all__ = [
    "effective_positive_fraction",
    "naive_off_policy_rate",
    "tapered_off_policy_maximiser",
    "tapered_off_policy_objective",
    "tapered_off_policy_wrong_mass",
]

Flag: TypeAlias = bool | Array


def tapered_off_policy_objective(pi: Vector, mu: Vector, R: Vector) -> Float[Array, ""]:
    """Potential of the tapered off-policy gradient: its gradient in the logits is the one above.

        J = sum_{R >= 0} mu R log pi + sum_{R < 0} R (pi if pi < mu else mu (1 + log(pi / mu)))

    Exact. Bounded above, while that of the naive gradient, sum mu R log pi, is not.

    Source: @leroux2025tapered; the potential is derived here.
    Domain: pi and mu are probabilities; pi > 0 where mu R > 0.

    pi: probability of each response under the policy [Y]. mu: under the policy that the responses come from [Y].
    R: reward of each response, of either sign [Y].
    Returns J.
    Raises ValueError outside the domain, or when the lengths differ.
    """
    _lengths(pi=pi, mu=mu, R=R)
    ok = _distribution("pi", pi) & _behaviour(mu, R)
    ok &= in_domain((pi > 0) | (mu * R <= 0), "pi", pi, "pi > 0 where mu R > 0")
    pi, mu, R = (jnp.asarray(x, float) for x in (pi, mu, R))
    positive, beyond = mu * R > 0, (pi >= mu) & (mu > 0)
    gained = jnp.where(positive, mu * R * jnp.log(jnp.where(positive, pi, 1.0)), 0.0)
    ratio = jnp.where(beyond, pi, 1.0) / jnp.where(beyond, mu, 1.0)
    lost = R * jnp.where(beyond, mu * (1 + jnp.log(ratio)), jnp.where(mu > 0, pi, 0.0))
    return nan_unless(ok, jnp.sum(jnp.where(R < 0, lost, gained)))


def tapered_off_policy_maximiser(mu: Vector, R: Vector) -> Float[Array, "d"]:
    """The policy to which the tapered off-policy gradient leads: the maximiser of its potential.

        pi = mu R / sum_{R > 0} mu R   on R > 0 ,   0 elsewhere

    Exact, for a softmax over all responses.

    Source: derived here for the setting of @leroux2025tapered.
    Domain: mu is a probability; some response has mu R > 0.

    mu: probability of each response under the policy that the responses come from [Y]. R: reward of each response [Y].
    Returns pi [Y].
    Raises ValueError outside the domain, or when the lengths differ.
    """
    _lengths(mu=mu, R=R)
    ok = _behaviour(mu, R) & _some_positive(mu, R)
    weight = jnp.asarray(mu, float) * jnp.maximum(jnp.asarray(R, float), 0.0)
    total = jnp.sum(weight)
    return nan_unless(ok, weight / jnp.where(total > 0, total, 1.0))


def tapered_off_policy_wrong_mass(mu: Vector, R: Vector, eta: Real, steps: Real) -> Float[Array, ""]:
    """Probability of responses without positive reward after many steps of the tapered gradient.

        wrong = n_positive / (Y eta steps) sum_{R <= 0} 1 / (|R| + S) ,   S = sum_{R > 0} mu R

    Leading order for eta steps -> infinity, whatever the start: d z_y / dt = -eta pi_y (|R_y| + S) on R <= 0, while the
    logits of the n_positive others rise together, and the sum of all is conserved. The relative error decays as
    (eta steps)^(-n_positive / Y); as its square, or log(eta steps) / (eta steps), where all |R| are equal. Learning
    from the positive responses alone is the case |R| = 0, slower by (|R| + S) / S.

    Source: derived here for the setting of @leroux2025tapered.
    Domain: mu is a probability; some response has mu R > 0, and every one with R > 0 has mu > 0; eta, steps > 0.

    mu, R: as for `tapered_off_policy_maximiser`. eta: step size of gradient ascent in the logits. steps: their number.
    Returns the probability.
    Raises ValueError outside the domain, or when the lengths differ.
    """
    _lengths(mu=mu, R=R)
    ok = _behaviour(mu, R) & _some_positive(mu, R) & _steps(eta)
    ok &= in_domain((mu > 0) | (R <= 0), "mu", mu, "mu > 0 where R > 0")
    ok &= in_domain(steps > 0, "steps", steps, "steps > 0")
    mu, R = jnp.asarray(mu, float), jnp.asarray(R, float)
    S = jnp.sum(mu * jnp.maximum(R, 0.0))
    slow = jnp.where(R > 0, 1.0, jnp.abs(R) + jnp.where(S > 0, S, 1.0))
    share = jnp.mean(R > 0, dtype=float)
    return nan_unless(ok, share / (eta * steps) * jnp.sum(jnp.where(R > 0, 0.0, 1 / slow)))


def naive_off_policy_rate(mu: Vector, R: Vector, eta: Real) -> Float[Array, ""]:
    """Rate at which naive off-policy REINFORCE drives the logits of wrong and right responses apart.

        d/d steps [mean logit on R > 0 - mean logit on R < 0] = eta sum_{R < 0} mu |R| (1/n_positive + 1/n_negative)

    Once the policy has left the responses of negative reward. It never slows down: the logits diverge linearly. When
    sum mu R = 0 it is the expected rate from the first step on, provided the positive rewards weigh as much.

    Source: derived here for the setting of @leroux2025tapered.
    Domain: mu is a probability; R has both signs, and no zero.

    mu, R: as for `tapered_off_policy_maximiser`. eta: step size of gradient ascent in the logits.
    Returns the rate per step.
    Raises ValueError outside the domain, or when the lengths differ.
    """
    _lengths(mu=mu, R=R)
    ok = _behaviour(mu, R) & _steps(eta)
    ok &= in_domain(R != 0, "R", R, "no reward of 0")
    mixed = jnp.any(jnp.asarray(R) > 0) & jnp.any(jnp.asarray(R) < 0)
    ok &= in_domain(mixed, "R", R, "rewards of both signs")
    mu, R = jnp.asarray(mu, float), jnp.asarray(R, float)
    positive = jnp.sum(R > 0, dtype=float)
    counts = jnp.where(mixed, positive, 1.0), jnp.where(mixed, len(R) - positive, 1.0)
    return nan_unless(ok, eta * jnp.sum(jnp.where(R < 0, -mu * R, 0.0)) * (1 / counts[0] + 1 / counts[1]))


def effective_positive_fraction(p: Real, c: Real) -> Float[Array, ""]:
    """Share of the positive examples in the gradient when a baseline is subtracted from rewards of +1 and -1.

        p (1 - c) / (1 + (1 - 2 p) c)

    Exact: data with a share p and baseline c have the same expected gradient, up to its scale 1 + (1 - 2 p) c, as data
    with this share and no baseline.

    Source: @leroux2025tapered.
    Domain: 0 <= p <= 1, -1 <= c <= 1, and some example has weight.

    p: share of positive examples. c: baseline, subtracted from the reward.
    Returns the effective share.
    Raises ValueError outside the domain.
    """
    ok = in_domain((p >= 0) & (p <= 1), "p", p, "0 <= p <= 1")
    ok &= in_domain((c >= -1) & (c <= 1), "c", c, "-1 <= c <= 1")
    total = 1 + (1 - 2 * jnp.asarray(p, float)) * c
    ok &= in_domain(total > 0, "c", c, "a baseline that is not the reward of all examples")
    return nan_unless(ok, p * (1 - c) / jnp.where(total > 0, total, 1.0))


def _lengths(**vectors: Vector) -> None:
    if len({len(vector) for vector in vectors.values()}) > 1:
        raise ValueError(f"{', '.join(vectors)} have {', '.join(str(len(v)) for v in vectors.values())} entries")


def _distribution(name: str, p: Vector) -> Flag:
    ok = in_domain((p >= 0) & (p <= 1), name, p, f"0 <= {name} <= 1")
    return ok & in_domain(jnp.abs(jnp.sum(jnp.asarray(p)) - 1) < 1e-6, name, p, "of sum 1")


def _behaviour(mu: Vector, R: Vector) -> Flag:
    return _distribution("mu", mu) & in_domain(jnp.isfinite(R), "R", R, "finite")


def _some_positive(mu: Vector, R: Vector) -> Flag:
    return in_domain(jnp.any(jnp.asarray(mu * R) > 0), "R", R, "some response with mu R > 0")


def _steps(eta: Real) -> Flag:
    return in_domain(eta > 0, "eta", eta, "eta > 0")
