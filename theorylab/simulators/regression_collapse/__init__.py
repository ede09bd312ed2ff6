"""Chains of ridge regressions, each fitted to the labels of the one before."""

from theorylab.simulators.regression_collapse.averaged import (
    simulate_ols_chain_noise_averaged,
    simulate_ridge_chain_noise_averaged,
)
from theorylab.simulators.regression_collapse.chain import simulate_ridge_chain
from theorylab.simulators.regression_collapse.kernel import simulate_kernel_chain
from theorylab.simulators.regression_collapse.minnorm import simulate_minnorm_chain

__all__ = [
    "simulate_kernel_chain",
    "simulate_minnorm_chain",
    "simulate_ols_chain_noise_averaged",
    "simulate_ridge_chain",
    "simulate_ridge_chain_noise_averaged",
]
