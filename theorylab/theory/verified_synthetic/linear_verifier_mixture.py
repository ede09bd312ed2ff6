"""A linear generator and a linear verifier on the inputs of an isotropic Gaussian mixture."""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jax.scipy.special import ndtr
from jaxtyping import Array, Float

from theorylab.numerics.domain import in_domain, nan_unless
from theorylab.numerics.orthants import WedgeMoments, wedge_moments
from theorylab.theory.verified_synthetic._arguments import check_angles, check_ratio, floats
from theorylab.theory.verified_synthetic.directions import selected_ridge_overlaps
from theorylab.types import Real

__all__ = ["MixtureVerifierAccuracy", "linear_verifier_accuracy_gmm"]


class MixtureVerifierAccuracy(NamedTuple):
    """Rates as in LinearVerifierRates; label accuracy, its limit of infinitely many pairs, and the best possible."""

    p: Float[Array, ""]
    phi: Float[Array, ""]
    psi: Float[Array, ""]
    p_star: Float[Array, ""]
    keep: Float[Array, ""]
    accuracy: Float[Array, ""]
    limit: Float[Array, ""]
    bayes: Float[Array, ""]


def linear_verifier_accuracy_gmm(
    mu_norm: Real, rho_g: Real, rho_v: Real, r: Real, gamma: Real, lam: Real
) -> MixtureVerifierAccuracy:
    """Accuracy after selection by a linear verifier, for inputs y mu + z of an isotropic Gaussian mixture.

    Label times input, kept, is N(+-mu, I) in the wedge g . u > 0, v . u > 0: + for the correct labels. Its moments over
    the wedge (`wedge_moments`) and along the rest of mu give pi, M and c of `selected_ridge_overlaps` in three
    dimensions, and accuracy = Phi(mu . w / sqrt(|w|^2 + perp_norm2)). Limit of large n and d at fixed ratio.

    Source: derived here for the setting of @feng2024beyond.
    Domain: mu_norm > 0; the cosines of three vectors, |r| <= 1 - 1e-9 (r = 1 is no selection: give v = g a small angle,
    or use `verified_gmm_accuracy`); gamma, lam >= 0, and lam > 0 unless more pairs are kept than there are dimensions.

    mu_norm: norm of the class mean; labels are balanced. rho_g, rho_v: cosines of generator and verifier with mu.
    r: cosine between the two. gamma: dimensions per generated pair. lam: ridge; squared errors are summed over the kept
    pairs and divided by the number generated.
    Returns MixtureVerifierAccuracy, with the limit of infinitely many pairs at the same ridge.
    Raises ValueError outside the domain.
    """
    ok = in_domain((mu_norm > 0) & (mu_norm < np.inf), "mu_norm", mu_norm, "0 < mu_norm < inf")
    ok &= check_angles(rho_g, rho_v, r)
    ok &= in_domain((r >= 1e-9 - 1) & (r <= 1 - 1e-9), "r", r, "|r| <= 1 - 1e-9")
    mu_norm, rho_g, rho_v, r = floats(mu_norm, rho_g, rho_v, r)
    r = jnp.where(ok, r, 0.0)
    m1 = mu_norm * rho_g
    m2 = mu_norm * (rho_v - r * rho_g) / jnp.sqrt((1 - r) * (1 + r))
    outside = mu_norm**2 - m1**2 - m2**2
    positive = outside > 0
    m3 = jnp.where(positive, jnp.sqrt(jnp.where(positive, outside, 1.0)), 0.0)
    correct, wrong = wedge_moments(m1, m2, r), wedge_moments(-m1, -m2, r)
    (c, M), (c_wrong, M_wrong) = _extended(correct, m3), _extended(wrong, -m3)
    keep = correct.mass + wrong.mass
    ok &= check_ratio(gamma, lam, keep)
    mu = jnp.stack([m1, m2, m3])

    def accuracy(gamma: Real) -> Array:
        w, perp = selected_ridge_overlaps(jnp.where(ok, keep, 1.0), M + M_wrong, c + c_wrong, gamma, lam)
        return ndtr(jnp.sum(mu * w) / jnp.sqrt(jnp.sum(w**2) + perp))

    phi, psi = correct.mass / ndtr(m1), wrong.mass / ndtr(-m1)
    fields = ndtr(-m1), phi, psi, phi / (phi + psi), keep, accuracy(gamma), accuracy(0.0), ndtr(mu_norm)
    return nan_unless(ok, MixtureVerifierAccuracy(*fields))


def _extended(plane: WedgeMoments, m3: Array) -> tuple[Array, Array]:
    """First and second moments with a third coordinate N(m3, 1), which the selection does not see."""
    first = jnp.concatenate([plane.first, (m3 * plane.mass)[None]])
    corner = jnp.concatenate([m3 * plane.first, ((1 + m3**2) * plane.mass)[None]])
    return first, jnp.concatenate([jnp.concatenate([plane.second, corner[:2, None]], 1), corner[None]])
