"""Model collapse in ridge regression (@dohmatob2024model)."""

from theorylab.theory.regression_collapse.ols import ols_collapse_risk

__all__ = ["ols_collapse_risk"]
