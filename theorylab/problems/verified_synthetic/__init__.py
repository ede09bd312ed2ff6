"""Classification on generated labels: mixtures, directions, and exact functionals of trained classifiers."""

from theorylab.problems.verified_synthetic.digits import ClassPopulation, digits_task
from theorylab.problems.verified_synthetic.directions import (
    IsotropicMixture,
    LinearVerifiers,
    isotropic_mixture,
    random_verifiers,
    verifier_directions,
)
from theorylab.problems.verified_synthetic.functionals import bayes_agreement, cosine_accuracy
from theorylab.problems.verified_synthetic.rates import VerifierEstimate, estimate_verifier_rates

__all__ = [
    "ClassPopulation",
    "IsotropicMixture",
    "LinearVerifiers",
    "VerifierEstimate",
    "bayes_agreement",
    "cosine_accuracy",
    "digits_task",
    "estimate_verifier_rates",
    "isotropic_mixture",
    "random_verifiers",
    "verifier_directions",
]
