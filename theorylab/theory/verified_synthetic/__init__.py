"""Training on generated labels that a verifier has selected (@feng2024beyond)."""

from theorylab.problems.verified_synthetic.functionals import bayes_agreement
from theorylab.problems.verified_synthetic.rates import VerifierEstimate, estimate_verifier_rates
from theorylab.theory.verified_synthetic.coin_verifier import (
    CoinVerifierAccuracy,
    TeacherAccuracy,
    bernoulli_verifier_accuracy_label_noise,
    bernoulli_verifier_accuracy_linear_generator,
    clean_ridge_cosine,
)
from theorylab.theory.verified_synthetic.directions import (
    SelectedBulk,
    SelectedOverlaps,
    selected_ridge_bulk,
    selected_ridge_overlaps,
)
from theorylab.theory.verified_synthetic.linear_verifier import (
    LinearVerifierAccuracy,
    LinearVerifierRates,
    bisector_cosine,
    linear_verifier_accuracy,
    linear_verifier_rates,
)
from theorylab.theory.verified_synthetic.linear_verifier_mixture import (
    MixtureVerifierAccuracy,
    linear_verifier_accuracy_gmm,
)
from theorylab.theory.verified_synthetic.mixture import (
    MixtureAccuracy,
    PopulationAccuracy,
    verified_gmm_accuracy,
    verified_gmm_accuracy_population,
    verified_gmm_accuracy_with_real_data,
    verified_gmm_transition_slope,
)
from theorylab.theory.verified_synthetic.selection import (
    kept_label_noise,
    kept_label_signal,
    verifier_breakdown_point,
    verifier_keep_rate,
)

__all__ = [
    "CoinVerifierAccuracy",
    "LinearVerifierAccuracy",
    "LinearVerifierRates",
    "MixtureAccuracy",
    "MixtureVerifierAccuracy",
    "PopulationAccuracy",
    "SelectedBulk",
    "SelectedOverlaps",
    "TeacherAccuracy",
    "VerifierEstimate",
    "bayes_agreement",
    "bernoulli_verifier_accuracy_label_noise",
    "bernoulli_verifier_accuracy_linear_generator",
    "bisector_cosine",
    "clean_ridge_cosine",
    "estimate_verifier_rates",
    "kept_label_noise",
    "kept_label_signal",
    "linear_verifier_accuracy",
    "linear_verifier_accuracy_gmm",
    "linear_verifier_rates",
    "selected_ridge_bulk",
    "selected_ridge_overlaps",
    "verified_gmm_accuracy",
    "verified_gmm_accuracy_population",
    "verified_gmm_accuracy_with_real_data",
    "verified_gmm_transition_slope",
    "verifier_breakdown_point",
    "verifier_keep_rate",
]
