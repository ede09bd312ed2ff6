"""Failed steps of a reasoning trace, and what they say about its answer (a model for @feng2025what)."""

from theorylab.theory.failed_steps.correlations import (
    FailedStepCorrelations,
    MixedCorrelations,
    failed_step_correlations,
    mixed_failed_step_correlations,
)
from theorylab.theory.failed_steps.selection import key_interval_accuracy, lowest_key_accuracy
from theorylab.theory.failed_steps.table import (
    FailedStepTable,
    ReviewTable,
    branch_editing_phi,
    failed_step_editing_accuracy,
    failed_step_review_table,
    failed_step_table,
)

__all__ = [
    "FailedStepCorrelations",
    "FailedStepTable",
    "MixedCorrelations",
    "ReviewTable",
    "branch_editing_phi",
    "failed_step_correlations",
    "failed_step_editing_accuracy",
    "failed_step_review_table",
    "failed_step_table",
    "key_interval_accuracy",
    "lowest_key_accuracy",
    "mixed_failed_step_correlations",
]
