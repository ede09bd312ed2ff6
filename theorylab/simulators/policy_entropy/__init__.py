"""Entropy of policies: single steps, whole trainings, rules that keep it up (the setting of @cui2025entropy)."""

from theorylab.simulators.policy_entropy.control import simulate_entropy_control
from theorylab.simulators.policy_entropy.masks import clip_cov_mask, kl_cov_mask
from theorylab.simulators.policy_entropy.reward_law import simulate_entropy_reward_law
from theorylab.simulators.policy_entropy.steps import simulate_sampled_entropy_change, simulate_score_norms

__all__ = [
    "clip_cov_mask",
    "kl_cov_mask",
    "simulate_entropy_control",
    "simulate_entropy_reward_law",
    "simulate_sampled_entropy_change",
    "simulate_score_norms",
]
