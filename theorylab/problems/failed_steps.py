"""Questions of a benchmark that differ in how often their reasoning fails."""

from typing import NamedTuple, TypeAlias

import numpy as np
from jaxtyping import Array, Float

from theorylab.numerics.domain import in_domain
from theorylab.types import Real

__all__ = ["MainLaw", "PhiLaw", "beta_phi_law"]

MainLaw: TypeAlias = Float[Array, "M"] | Float[np.ndarray, "M"]  # law of the number of main steps of a trace, from 1 on


class PhiLaw(NamedTuple):
    """A discrete law of phi: values and their probabilities [nodes]."""

    phis: np.ndarray
    weights: np.ndarray


def beta_phi_law(alpha: Real, beta: Real, nodes: int) -> PhiLaw:
    """The Gauss-Jacobi nodes that replace phi ~ Beta(alpha, beta) in expectations of smooth functions.

    Domain: alpha, beta > 0, nodes >= 1. Raises ValueError outside it.
    """
    from scipy.special import roots_jacobi

    in_domain(alpha > 0, "alpha", alpha, "alpha > 0")
    in_domain(beta > 0, "beta", beta, "beta > 0")
    in_domain(nodes >= 1, "nodes", nodes, "nodes >= 1")
    x, weights = roots_jacobi(nodes, beta - 1, alpha - 1)
    return PhiLaw((1 + x) / 2, weights / weights.sum())
