"""Model collapse as a change of scaling laws: heavy-tailed data whose tail is cut or narrowed (@dohmatob2024tale)."""

from theorylab.problems.scaling_tails import narrow_tail, truncate_tail, truncate_top_p, zipf_probabilities
from theorylab.theory.scaling_tails.continuum import (
    tail_grokking_time,
    truncated_zipf_error,
    truncated_zipf_mixture_error,
    unseen_item_error_asymptotic,
)
from theorylab.theory.scaling_tails.exponents import tail_scaling_exponents
from theorylab.theory.scaling_tails.generations import generation_survival_factor, unseen_item_error_generations
from theorylab.theory.scaling_tails.memory import associative_memory_error
from theorylab.theory.scaling_tails.total_variation import (
    bigram_total_variation_error,
    binomial_mean_absolute_deviation,
    total_variation_asymptotic,
    total_variation_learning_curve,
)
from theorylab.theory.scaling_tails.unseen import (
    limited_capacity_error,
    unseen_item_error,
    unseen_item_error_fixed_mixture,
    unseen_item_error_mixture,
)

__all__ = [
    "associative_memory_error",
    "bigram_total_variation_error",
    "binomial_mean_absolute_deviation",
    "generation_survival_factor",
    "limited_capacity_error",
    "narrow_tail",
    "tail_grokking_time",
    "tail_scaling_exponents",
    "total_variation_asymptotic",
    "total_variation_learning_curve",
    "truncate_tail",
    "truncate_top_p",
    "truncated_zipf_error",
    "truncated_zipf_mixture_error",
    "unseen_item_error",
    "unseen_item_error_asymptotic",
    "unseen_item_error_fixed_mixture",
    "unseen_item_error_generations",
    "unseen_item_error_mixture",
    "zipf_probabilities",
]
