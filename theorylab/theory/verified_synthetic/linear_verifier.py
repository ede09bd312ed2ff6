"""Inputs N(0, I) with labels of a linear teacher; a linear generator, and a linear verifier that must agree with it."""

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float

from theorylab.numerics.domain import in_domain, nan_unless
from theorylab.numerics.orthants import orthant_probability
from theorylab.problems.verified_synthetic.functionals import cosine_accuracy
from theorylab.theory.verified_synthetic._arguments import check_angles, check_ratio, floats
from theorylab.theory.verified_synthetic.directions import selected_ridge_overlaps
from theorylab.types import Real

__all__ = [
    "LinearVerifierAccuracy",
    "LinearVerifierRates",
    "bisector_cosine",
    "linear_verifier_accuracy",
    "linear_verifier_rates",
]


class LinearVerifierRates(NamedTuple):
    """Error rate of the generator, keep rate, keep rates of correct and of wrong pairs, breakdown point, kept noise."""

    p: Float[Array, ""]
    keep: Float[Array, ""]
    phi: Float[Array, ""]
    psi: Float[Array, ""]
    p_star: Float[Array, ""]
    kept_noise: Float[Array, ""]


class LinearVerifierAccuracy(NamedTuple):
    """Cosine to the bisector of generator and verifier, cosine to the teacher, accuracy, and its limit gamma -> 0."""

    cos_bisector: Float[Array, ""]
    cos: Float[Array, ""]
    accuracy: Float[Array, ""]
    limit: Float[Array, ""]


def linear_verifier_rates(rho_g: Real, rho_v: Real, r: Real) -> LinearVerifierRates:
    """Flip rate, keep rates and breakdown point of a linear generator and a linear verifier.

        p = arccos(rho_g) / pi_circle ,   keep = 1 - arccos(r) / pi_circle ,
        both = 1/4 + (arcsin rho_g + arcsin rho_v + arcsin r) / (2 pi_circle) ,
        phi = both / (1 - p) ,   psi = (keep - both) / p ,   p_star = phi / (phi + psi) ,   kept_noise = 1 - both / keep

    both: probability that a label is correct and kept. Exact.

    Source: derived here for the setting of @feng2024beyond.
    Domain: the cosines of three vectors; r > -1, which keeps nothing.

    rho_g, rho_v: cosines of generator and verifier with the teacher. r: cosine between the two.
    Returns LinearVerifierRates; psi and p_star are NaN for a perfect generator, phi and p_star for one that is always
    wrong.
    Raises ValueError outside the domain.
    """
    ok = check_angles(rho_g, rho_v, r)
    rho_g, rho_v, r = floats(rho_g, rho_v, r)
    p, keep = jnp.arccos(rho_g) / jnp.pi, 1 - jnp.arccos(r) / jnp.pi
    both = jnp.clip(2 * orthant_probability(rho_g, rho_v, r), 0.0, jnp.minimum(keep, 1 - p))
    phi = jnp.where(p < 1, both / jnp.where(p < 1, 1 - p, 1.0), jnp.nan)
    psi = jnp.where(p > 0, (keep - both) / jnp.where(p > 0, p, 1.0), jnp.nan)
    fields = LinearVerifierRates(p, keep, phi, psi, phi / (phi + psi), 1 - both / jnp.where(keep > 0, keep, 1.0))
    return nan_unless(ok, fields)


def linear_verifier_accuracy(
    rho_g: Real, rho_v: Real, r: Real, gamma: Real, lam: Real, keep_frac: Real = 1
) -> LinearVerifierAccuracy:
    """Accuracy after selection by a linear verifier that keeps the labels with which it agrees.

        cos = cos_bisector (rho_g + rho_v) / sqrt(2 (1 + r)) ,   accuracy = 1 - arccos(cos) / pi_circle

    with cos_bisector of `bisector_cosine`: with infinitely many pairs the classifier is the bisector of generator and
    verifier, for every ridge. A perfect verifier halves the angle error; one that equals the generator changes nothing
    (r = 1: no selection). Limit of large n and d at fixed ratio.

    Source: derived here for the setting of @feng2024beyond.
    Domain: the cosines of three vectors, r > -1; 0 < keep_frac <= 1; gamma, lam >= 0, and lam > 0 unless more pairs are
    kept than there are dimensions.

    rho_g, rho_v: cosines of generator and verifier with the teacher. r: cosine between the two.
    gamma: dimensions per generated pair. lam: ridge; squared errors are summed over the kept pairs and divided by the
    number generated. keep_frac: share of the verified pairs that is used, chosen at random.
    Returns LinearVerifierAccuracy.
    Raises ValueError outside the domain.
    """
    ok = check_angles(rho_g, rho_v, r)
    cos_bisector = bisector_cosine(r, gamma, lam, keep_frac)
    rho_g, rho_v, r = floats(rho_g, rho_v, r)
    best = (rho_g + rho_v) / jnp.sqrt(2 * jnp.where(r > -1, 1 + r, 1.0))
    cos = cos_bisector * best
    ok = ok & ~jnp.isnan(cos_bisector)
    return nan_unless(ok, LinearVerifierAccuracy(cos_bisector, cos, cosine_accuracy(cos), cosine_accuracy(best)))


def bisector_cosine(r: Real, gamma: Real, lam: Real, keep_frac: Real = 1) -> Float[Array, ""]:
    """Cosine between a classifier trained on verified labels and the bisector of generator and verifier.

        alpha = (pi_circle - arccos r) / 2 ,   pi = 2 alpha / pi_circle ,
        c = sqrt(2 / pi_circle) sin alpha ,   M = 2 (alpha + sin alpha cos alpha) / pi_circle

    in `selected_ridge_overlaps` along the bisector, all three times keep_frac. Limit of large n and d at fixed ratio.

    Source: derived here for the setting of @feng2024beyond.
    Domain, arguments and errors as for `linear_verifier_accuracy`.
    """
    ok = in_domain((r > -1) & (r <= 1), "r", r, "-1 < r <= 1: a verifier opposite to the generator keeps nothing")
    ok &= in_domain((keep_frac > 0) & (keep_frac <= 1), "keep_frac", keep_frac, "0 < keep_frac <= 1")
    angle, keep_frac = floats(r, keep_frac)
    alpha = (jnp.pi - jnp.arccos(angle)) / 2
    keep = keep_frac * 2 * alpha / jnp.pi
    ok &= check_ratio(gamma, lam, keep)
    keep = jnp.where(ok, keep, 1.0)
    sin, cos = jnp.sin(alpha), jnp.cos(alpha)
    M, c = keep_frac * 2 * (alpha + sin * cos) / jnp.pi, keep_frac * (2 / jnp.pi) ** 0.5 * sin
    w, perp = selected_ridge_overlaps(keep, M[None, None], c[None], gamma, lam)
    return nan_unless(ok, w[0] / jnp.sqrt(w[0] ** 2 + perp))
