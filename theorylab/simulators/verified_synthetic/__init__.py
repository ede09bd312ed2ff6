"""Training on generated labels that a verifier has selected (the setting of @feng2024beyond)."""

from theorylab.simulators.verified_synthetic.classes import simulate_verified_classes
from theorylab.simulators.verified_synthetic.groups import simulate_verified_groups, simulate_verified_transition
from theorylab.simulators.verified_synthetic.mixture import simulate_verified_mixture
from theorylab.simulators.verified_synthetic.scaling import simulate_verified_scaling
from theorylab.simulators.verified_synthetic.verifiers import (
    simulate_coin_verifier,
    simulate_linear_verifier_rates,
    simulate_verifier_panel,
)

__all__ = [
    "simulate_coin_verifier",
    "simulate_linear_verifier_rates",
    "simulate_verified_classes",
    "simulate_verified_groups",
    "simulate_verified_mixture",
    "simulate_verified_scaling",
    "simulate_verified_transition",
    "simulate_verifier_panel",
]
