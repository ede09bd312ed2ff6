"""Reasoning traces with failed steps: correlations, selection and editing (a model for @feng2025what)."""

from theorylab.simulators.failed_steps.correlations import (
    simulate_failed_step_benchmark,
    simulate_failed_step_correlations,
    simulate_failed_step_curves,
)
from theorylab.simulators.failed_steps.selection import simulate_failed_step_editing, simulate_failed_step_selection

__all__ = [
    "simulate_failed_step_benchmark",
    "simulate_failed_step_correlations",
    "simulate_failed_step_curves",
    "simulate_failed_step_editing",
    "simulate_failed_step_selection",
]
