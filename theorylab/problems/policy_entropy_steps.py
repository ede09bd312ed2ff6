"""One step of a softmax policy and what it does to the entropy; the fit of rewards against entropies."""

from typing import NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from theorylab.numerics.domain import in_domain, nan_unless
from theorylab.types import Real

__all__ = [
    "EntropyRewardLaw",
    "PolicyStep",
    "aligned_policy_step",
    "categorical_entropy",
    "entropy_change_of_step",
    "fit_entropy_reward_law",
    "random_policy_step",
]

Answers: TypeAlias = Float[Array, "Y"] | Float[np.ndarray, "Y"]
Points: TypeAlias = Float[Array, "points"] | Float[np.ndarray, "points"]
Rewards: TypeAlias = Float[Array, "rewards"] | Float[np.ndarray, "rewards"]


class PolicyStep(NamedTuple):
    """Log-probabilities of a policy [Y], and the advantage of each answer [Y]."""

    logpi: np.ndarray
    adv: np.ndarray


def random_policy_step(instance: int, Y: int) -> PolicyStep:
    """Logits and advantages N(0, 1), the same for the same instance.

    Domain: instance >= 0, Y >= 2. Raises ValueError outside it.
    """
    in_domain(instance >= 0, "instance", instance, "instance >= 0")
    in_domain(Y >= 2, "Y", Y, "Y >= 2")
    logits, adv = np.random.default_rng(instance).normal(size=(2, Y))
    return PolicyStep(logits - np.log(np.exp(logits).sum()), adv)


def aligned_policy_step(alignment: float, Y: int) -> PolicyStep:
    """A fixed policy, and advantages of variance 1 whose correlation with log pi under the policy is `alignment`.

    Domain: -1 <= alignment <= 1, Y >= 3. Raises ValueError outside it.
    """
    in_domain(-1 <= alignment <= 1, "alignment", alignment, "-1 <= alignment <= 1")
    in_domain(Y >= 3, "Y", Y, "Y >= 3")
    logits = -np.sqrt(np.arange(Y))
    logpi = logits - np.log(np.exp(logits).sum())
    pi = np.exp(logpi)
    scale = lambda x: (x - pi @ x) / np.sqrt(pi @ (x - pi @ x) ** 2)
    along, other = scale(logpi), np.cos(np.arange(Y))
    across = scale(other - along * (pi @ (along * (other - pi @ other))))
    return PolicyStep(logpi, alignment * along + np.sqrt(1 - alignment**2) * across)


def categorical_entropy(logpi: Float[Array, "*batch Y"]) -> Float[Array, "*batch"]:
    """-sum_y pi_y log pi_y of normalised log-probabilities."""
    return -jnp.sum(jnp.exp(logpi) * logpi, -1)


def entropy_change_of_step(logpi: Answers, adv: Answers, eta: Real, natural: bool = False) -> Float[Array, ""]:
    """Change of the entropy of a policy in one exact step: before and after, without any expansion.

        logits <- logits + eta grad sum_y pi_y adv_y ,   or, if natural,  pi <- pi exp(eta adv) / Z

    logpi: log-probabilities [Y]. adv: advantages [Y]. eta: step size.
    """
    logpi, adv = jnp.asarray(logpi), jnp.asarray(adv)
    value = lambda logits: jnp.sum(jax.nn.softmax(logits) * adv)
    after = jax.nn.log_softmax(logpi + eta * (adv if natural else jax.grad(value)(logpi)))
    return categorical_entropy(after) - categorical_entropy(logpi)


class EntropyRewardLaw(NamedTuple):
    """Coefficients of R = -a exp(H) + b, and the share r2 of the variance of R that it explains."""

    a: Float[Array, ""]
    b: Float[Array, ""]
    r2: Float[Array, ""]


def fit_entropy_reward_law(H: Points, R: Rewards) -> EntropyRewardLaw:
    """Least-squares fit of rewards against exponentials of entropies.

        R = -a exp(H) + b ,   whose ceiling at H = 0 is b - a

    An empirical law: a fit, not a theorem.

    Source: @cui2025entropy.
    Domain: H >= 0, at least three points, not all H equal and not all R equal.

    H: entropies of the policy in the course of a training [points]. R: rewards at the same times [points].
    Returns a, b, and r2.
    Raises ValueError outside the domain, or when the lengths differ.
    """
    if len(H) != len(R):
        raise ValueError(f"H has {len(H)} entries, but R has {len(R)}")
    in_domain(len(H) >= 3, "H", H, "at least three points")
    ok = in_domain(H >= 0, "H", H, "H >= 0")
    H, R = jnp.asarray(H, float), jnp.asarray(R, float)
    ok &= in_domain(jnp.max(H) > jnp.min(H), "H", H, "entropies that are not all equal")
    ok &= in_domain(jnp.max(R) > jnp.min(R), "R", R, "rewards that are not all equal")
    x = jnp.exp(H)
    dx, dR = x - jnp.mean(x), R - jnp.mean(R)
    xx, xR, RR = jnp.sum(dx**2), jnp.sum(dx * dR), jnp.sum(dR**2)
    slope = xR / jnp.where(xx > 0, xx, 1.0)
    b = jnp.mean(R) - slope * jnp.mean(x)
    return nan_unless(ok, EntropyRewardLaw(-slope, b, slope * xR / jnp.where(RR > 0, RR, 1.0)))
