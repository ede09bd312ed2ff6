"""Problems with a real and a shifted synthetic truth, in the eigenbasis of the inputs or with one basis per source."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from theorylab.numerics.domain import in_domain
from theorylab.types import Real, Vector

__all__ = ["ShiftProblem", "SourceProblem", "isotropic_shift", "power_law_shift", "rotated_sources"]


class ShiftProblem(NamedTuple):
    """Eigenvalues, second moments of the true weights, and those of a shift of energy sum(spectrum shift_sq) = 1."""

    spectrum: Vector
    w1_sq: Vector
    shift_sq: Vector


class SourceProblem(NamedTuple):
    """Covariance and coefficients of each source, and those of the test data."""

    Sigmas: Float[np.ndarray, "K d d"]
    Sigma_test: Float[np.ndarray, "d d"]
    thetas: Float[np.ndarray, "K d"]
    w_star: Vector


def isotropic_shift(d: int) -> ShiftProblem:
    """Identity covariance, true weights of mean square norm 1, and a shift spread evenly.

    Domain: d >= 1. Raises ValueError outside it.
    """
    in_domain(d >= 1, "d", d, "d >= 1")
    return ShiftProblem(np.ones(d), np.full(d, 1 / d), np.full(d, 1 / d))


def power_law_shift(d: int, beta: Real, decay: Real) -> ShiftProblem:
    """Power-law covariance; true weights and shift of energy 1 each, spread as another power law.

        spectrum_j = j^-beta ,   spectrum_j w1_sq_j = spectrum_j shift_sq_j proportional to j^-decay ,   j = 1..d

    Domain: d >= 1, beta > 0, decay > 0. Raises ValueError outside it.
    """
    in_domain(d >= 1, "d", d, "d >= 1")
    in_domain((beta > 0) & (beta < np.inf), "beta", beta, "0 < beta < inf")
    in_domain((decay > 0) & (decay < np.inf), "decay", decay, "0 < decay < inf")
    j = np.arange(1, d + 1, dtype=float)
    energy = j**-decay / np.sum(j**-decay)
    return ShiftProblem(j**-beta, energy * j**beta, energy * j**beta)


def rotated_sources(d: int, beta: Real, beta_synthetic: Real, c2: Real, seed: int) -> SourceProblem:
    """A real and a synthetic source whose covariances are power laws in different bases; the test law is the real one.

        Sigma_1 = diag(j^-beta) ,   Sigma_2 = Q diag(j^-beta_synthetic) Q'
        theta_1 = w_star ,          theta_2 = w_star + delta

    Drawn from a seed: Q, a random rotation; w_star and delta, random directions of energy 1 and c2 under Sigma_1.

    Domain: d >= 1, beta, beta_synthetic >= 0, c2 >= 0. Raises ValueError outside it.
    """
    in_domain(d >= 1, "d", d, "d >= 1")
    for name, value in (("beta", beta), ("beta_synthetic", beta_synthetic), ("c2", c2)):
        in_domain((value >= 0) & (value < np.inf), name, value, f"0 <= {name} < inf")
    rng, j = np.random.default_rng(seed), np.arange(1, d + 1, dtype=float)
    spectrum, basis = j**-beta, np.linalg.qr(rng.normal(size=(d, d)))[0]
    directions = rng.normal(size=(2, d))
    w_star, delta = directions / np.sqrt(directions**2 @ spectrum)[:, None]
    synthetic = (basis * j**-beta_synthetic) @ basis.T
    thetas = np.stack([w_star, w_star + np.sqrt(c2) * delta])
    return SourceProblem(
        np.stack([np.diag(spectrum), (synthetic + synthetic.T) / 2]), np.diag(spectrum), thetas, w_star
    )
