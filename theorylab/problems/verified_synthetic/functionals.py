"""Exact accuracies of a linear classifier, given its angle to the best one."""

import jax.numpy as jnp
import numpy as np
from jax.scipy.special import ndtr
from jaxtyping import Array, Float

from theorylab.numerics.domain import in_domain, nan_unless
from theorylab.types import Real

__all__ = ["bayes_agreement", "cosine_accuracy"]

_NODES, _WEIGHTS = (x / 2 for x in np.polynomial.legendre.leggauss(96))


def cosine_accuracy(cosine: Array | Real) -> Array:
    """Accuracy 1 - arccos(cosine) / pi on inputs N(0, I) and labels sign(x . w_star), for cosine = cos(w, w_star)."""
    return 1 - jnp.arccos(jnp.clip(cosine, -1.0, 1.0)) / jnp.pi


def bayes_agreement(rho: Real, D: Real) -> Float[Array, ""]:
    """Probability that a linear classifier agrees with the Bayes classifier of a Gaussian mixture.

        agreement = 2 Phi_2(D, rho D; rho) + 1 - Phi(D) - Phi(rho D)
                  = 1/2 + (2 Phi(D) - 1) (2 Phi(rho D) - 1) / 2
                    + (1/pi) int_0^(arcsin rho) exp(-(D^2/2) (1 + ((rho - sin a) / cos a)^2)) da

    Inputs x = y mu + Sigma^(1/2) z with balanced labels y. rho = 1 gives 1, rho = -1 gives 0, D = 0 gives
    1 - arccos(rho) / pi. Quadrature error below 1e-12 for D <= 10.

    Source: derived here (Plackett's identity) for the setting of @feng2024beyond.
    Domain: rho in [-1, 1], D >= 0.

    rho: cosine between w and Sigma^-1 mu in the inner product of Sigma. D: sqrt(mu . Sigma^-1 mu).
    Returns the agreement; do not confuse it with the label accuracy Phi(rho D).
    Raises ValueError outside the domain.
    """
    ok = in_domain((rho >= -1) & (rho <= 1), "rho", rho, "-1 <= rho <= 1")
    ok &= in_domain((D >= 0) & (D < np.inf), "D", D, "0 <= D < inf")
    rho, D = jnp.asarray(rho, float), jnp.asarray(D, float)
    end = jnp.arcsin(rho)
    angle = end * (0.5 + _NODES)
    tangent = (rho - jnp.sin(angle)) / jnp.cos(angle)
    integral = end * jnp.sum(_WEIGHTS * jnp.exp(-(D**2) / 2 * (1 + tangent**2)))
    return nan_unless(ok, 0.5 + 2 * (ndtr(D) - 0.5) * (ndtr(rho * D) - 0.5) + integral / jnp.pi)
