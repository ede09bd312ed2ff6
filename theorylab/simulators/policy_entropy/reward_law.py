"""Accuracies against entropies in the course of a training on group-normalised rewards, and a law fitted to them."""

import jax.numpy as jnp

from theorylab.numerics.domain import in_domain
from theorylab.problems.policy_entropy_steps import fit_entropy_reward_law
from theorylab.simulators.negative_groups.training import simulate_answer_training
from theorylab.types import Array, Key, Real

__all__ = ["simulate_entropy_reward_law"]


def simulate_entropy_reward_law(
    key: Key, X: int, Y: int, K: int, spread: Real, G: int, eta: Real, steps: tuple[int, ...], early: int
) -> dict[str, Array]:
    """A training on group-normalised rewards, and fits of its accuracies R by R = -a exp(H) + b: one replicate.

    Source: the setting of @cui2025entropy, on the questions of `simulate_answer_training`.
    Domain: that of `simulate_answer_training`; 4 <= early <= number of steps.

    steps: after how many steps to measure, ascending. early: the first so many of them make a fit of their own. Other
    arguments as for `simulate_answer_training`.
    Returns [steps]: entropy and reward (the accuracy); fitted and extrapolated, the values of the fits to all points
    and to the early ones; straight, those of the straight line R = -a H + b to all points. r2 and r2_later, of fits to
    all points and to all but the first; r2_straight; ceiling = b - a of the fit to all points; final, the last reward.
    Raises ValueError outside the domain.
    """
    in_domain(4 <= early <= len(steps), "early", early, f"4 <= early <= {len(steps)}, the number of steps")
    run = simulate_answer_training(key, X, Y, K, spread, G, eta, 1.0, ("grpo",), steps, (1,), 1)
    H, R = run["entropy"][0], run["accuracy"][0]
    whole, first = fit_entropy_reward_law(H, R), fit_entropy_reward_law(H[:early], R[:early])
    dH, dR = H - jnp.mean(H), R - jnp.mean(R)
    slope = (dH @ dR) / (dH @ dH)
    return dict(
        entropy=H,
        reward=R,
        fitted=whole.b - whole.a * jnp.exp(H),
        extrapolated=first.b - first.a * jnp.exp(H),
        straight=jnp.mean(R) + slope * dH,
        r2=whole.r2,
        r2_straight=slope * (dH @ dR) / (dR @ dR),
        r2_later=fit_entropy_reward_law(H[1:], R[1:]).r2,
        ceiling=whole.b - whole.a,
        final=R[-1],
    )
