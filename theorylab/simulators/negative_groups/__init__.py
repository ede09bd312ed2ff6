"""A bandit trained on groups of sampled answers, and gradients of such groups (the setting of @feng2025dont)."""

from theorylab.simulators.negative_groups.gradients import (
    simulate_group_gradient,
    simulate_likelihood_gradient,
    simulate_negative_group_gradient,
)
from theorylab.simulators.negative_groups.training import simulate_answer_training

__all__ = [
    "simulate_answer_training",
    "simulate_group_gradient",
    "simulate_likelihood_gradient",
    "simulate_negative_group_gradient",
]
