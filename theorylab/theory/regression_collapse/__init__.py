"""Model collapse in ridge regression (@dohmatob2024model)."""

from theorylab.theory.regression_collapse.chain import (
    BiasVariance,
    ChainMoments,
    ridge_bias_variance,
    ridge_chain_moments,
    ridge_chain_risk,
    ridge_collapse_risk,
)
from theorylab.theory.regression_collapse.exponents import (
    clean_ridge_exponent,
    collapse_rate_exponent,
    collapse_ridge_exponent,
)
from theorylab.theory.regression_collapse.kernel import kernel_ridge_chain_risk, kernel_ridge_collapse_risk
from theorylab.theory.regression_collapse.minnorm import (
    isotropic_minnorm_collapse_risk,
    isotropic_minnorm_generator_risk,
)
from theorylab.theory.regression_collapse.ols import (
    ols_collapse_risk,
    ridge_collapse_risk_leading_order,
    ridge_collapse_risk_ols_generators,
    ridge_collapse_slope,
)
from theorylab.theory.regression_collapse.optimum import (
    OptimalRidge,
    collapse_crossover_samples,
    optimal_collapse_ridge,
)
from theorylab.theory.regression_collapse.shared import isotropic_shared_design_risk, ridge_collapse_slope_shared

__all__ = [
    "BiasVariance",
    "ChainMoments",
    "OptimalRidge",
    "clean_ridge_exponent",
    "collapse_crossover_samples",
    "collapse_rate_exponent",
    "collapse_ridge_exponent",
    "isotropic_minnorm_collapse_risk",
    "isotropic_minnorm_generator_risk",
    "isotropic_shared_design_risk",
    "kernel_ridge_chain_risk",
    "kernel_ridge_collapse_risk",
    "ols_collapse_risk",
    "optimal_collapse_ridge",
    "ridge_bias_variance",
    "ridge_chain_moments",
    "ridge_chain_risk",
    "ridge_collapse_risk",
    "ridge_collapse_risk_leading_order",
    "ridge_collapse_risk_ols_generators",
    "ridge_collapse_slope",
    "ridge_collapse_slope_shared",
]
