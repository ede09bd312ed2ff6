"""A Gaussian generator and the reward of its samples; budgets in whole samples."""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from theorylab.numerics.domain import in_domain
from theorylab.types import Real

__all__ = ["gaussian_expected_reward", "whole_samples"]


def gaussian_expected_reward(theta_sq: Real | Float[Array, "..."], d: Real, sigma: Real, kappa: Real) -> Array:
    """E exp(-|x|^2 / (2 kappa^2)) for x ~ N(theta, sigma^2 I_d), as a function of |theta|^2.

    (kappa^2 / S)^(d/2) exp(-|theta|^2 / (2 S)),   S = sigma^2 + kappa^2
    """
    total = sigma**2 + kappa**2
    return jnp.asarray((kappa**2 / total) ** (d / 2)) * jnp.exp(-jnp.asarray(theta_sq) / (2 * total))


def whole_samples(schedule: Float[Array, "rounds"] | Float[np.ndarray, "rounds"]) -> Float[np.ndarray, "rounds"]:
    """A schedule in whole samples, at least one in every round, with the same budget (rounded).

    Rounds below one sample get one, the others share the rest in proportion, and the largest fractions are rounded up.

    Raises ValueError when the budget is smaller than the number of rounds.
    """
    shares = np.asarray(schedule, float)
    in_domain((shares > 0).all(), "schedule", schedule, "schedule > 0")
    budget = round(float(shares.sum()))
    in_domain(budget >= shares.size, "budget", budget, f"at least one sample in each of {shares.size} rounds")
    small = np.zeros(shares.size, bool)
    while True:
        wanted = np.where(
            small, 1.0, shares * (budget - small.sum()) / shares[~small].sum() if not small.all() else 1.0
        )
        if not (wanted < 1).any():
            break
        small |= wanted < 1
    whole = np.floor(wanted)
    up = np.argsort(whole - wanted, kind="stable")[: budget - int(whole.sum())]
    whole[up] += 1
    return whole
