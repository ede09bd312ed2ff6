"""Preference learning on finite sets of responses, with pairs drawn by five schemes (the setting of @feng2025pilaf)."""

from theorylab.simulators.preference_sampling.alignment import (
    simulate_gradient_alignment,
    simulate_preference_gradient,
)
from theorylab.simulators.preference_sampling.estimation import simulate_preference_estimation
from theorylab.simulators.preference_sampling.online import simulate_online_dpo, simulate_online_dpo_enumerated
from theorylab.simulators.preference_sampling.pairs import (
    draw_preference_pairs,
    draw_uniforms,
    enumerate_preference_pairs,
)

__all__ = [
    "draw_preference_pairs",
    "draw_uniforms",
    "enumerate_preference_pairs",
    "simulate_gradient_alignment",
    "simulate_online_dpo",
    "simulate_online_dpo_enumerated",
    "simulate_preference_estimation",
    "simulate_preference_gradient",
]
