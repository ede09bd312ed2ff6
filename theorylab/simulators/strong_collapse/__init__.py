"""Fits on mixtures of real and synthetic rows (the setting of @dohmatob2024strong)."""

from theorylab.simulators.strong_collapse.averaged import simulate_mixture_averaged
from theorylab.simulators.strong_collapse.dynamic import simulate_dynamic_mixing
from theorylab.simulators.strong_collapse.mixture import simulate_mixture
from theorylab.simulators.strong_collapse.sources import simulate_multi_source, simulate_multi_source_averaged

__all__ = [
    "simulate_dynamic_mixing",
    "simulate_mixture",
    "simulate_mixture_averaged",
    "simulate_multi_source",
    "simulate_multi_source_averaged",
]
