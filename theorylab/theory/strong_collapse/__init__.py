"""Strong model collapse: ridge and random-projection regression on real and synthetic rows (@dohmatob2024strong)."""

from theorylab.theory.strong_collapse.dynamic import dynamic_mixing_ols_risk, dynamic_mixing_risk
from theorylab.theory.strong_collapse.exact import (
    MixedOlsRisk,
    RidgelessRisk,
    mixed_isotropic_ridgeless_risk,
    mixed_ols_risk,
)
from theorylab.theory.strong_collapse.floor import strong_collapse_floor, strong_collapse_onset
from theorylab.theory.strong_collapse.mixture import MixedRisk
from theorylab.theory.strong_collapse.projection import mixed_projection_risk
from theorylab.theory.strong_collapse.ridge import mixed_ridge_risk
from theorylab.theory.strong_collapse.sources import MultiSourceRisk, multi_source_ridge_risk
from theorylab.theory.strong_collapse.weighted import WeightedRisk, weighted_mixed_ridge_risk

__all__ = [
    "MixedOlsRisk",
    "MixedRisk",
    "MultiSourceRisk",
    "RidgelessRisk",
    "WeightedRisk",
    "dynamic_mixing_ols_risk",
    "dynamic_mixing_risk",
    "mixed_isotropic_ridgeless_risk",
    "mixed_ols_risk",
    "mixed_projection_risk",
    "mixed_ridge_risk",
    "multi_source_ridge_risk",
    "strong_collapse_floor",
    "strong_collapse_onset",
    "weighted_mixed_ridge_risk",
]
