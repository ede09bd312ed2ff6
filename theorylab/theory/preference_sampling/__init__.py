"""Which pairs of responses to show an annotator: samplers, gradients and estimates of preference learning.

Source: @feng2025pilaf. Everything lives on finite sets of responses: tables have one row per prompt and one column per
response, policies are softmax(logits) row by row, and every expectation is an exact sum.
"""

from theorylab.problems.preference_sampling import kl_regularised_objective
from theorylab.theory.preference_sampling.alignment import (
    GradientAlignment,
    dpo_alignment_remainder_bound,
    dpo_gradient_alignment,
)
from theorylab.theory.preference_sampling.estimation import DpoAsymptotics, dpo_asymptotics
from theorylab.theory.preference_sampling.gradients import (
    dpo_population_gradient,
    dpo_population_loss,
    kl_regularised_gradient,
)
from theorylab.theory.preference_sampling.online import OnlinePath, online_dpo_path
from theorylab.theory.preference_sampling.samplers import (
    PilafPolicies,
    PromptWeights,
    pilaf_policies,
    pilaf_prompt_weights,
    preference_pair_density,
)

__all__ = [
    "DpoAsymptotics",
    "GradientAlignment",
    "OnlinePath",
    "PilafPolicies",
    "PromptWeights",
    "dpo_alignment_remainder_bound",
    "dpo_asymptotics",
    "dpo_gradient_alignment",
    "dpo_population_gradient",
    "dpo_population_loss",
    "kl_regularised_gradient",
    "kl_regularised_objective",
    "online_dpo_path",
    "pilaf_policies",
    "pilaf_prompt_weights",
    "preference_pair_density",
]
