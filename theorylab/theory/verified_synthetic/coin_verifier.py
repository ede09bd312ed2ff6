"""Inputs N(0, I) with labels of a linear teacher; a verifier that tosses a coin, by correctness."""

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float

from theorylab.numerics.domain import in_domain, nan_unless
from theorylab.problems.verified_synthetic.functionals import cosine_accuracy
from theorylab.theory.verified_synthetic._arguments import check_kept, check_ratio, floats
from theorylab.theory.verified_synthetic.directions import selected_ridge_overlaps
from theorylab.types import Real

__all__ = [
    "CoinVerifierAccuracy",
    "TeacherAccuracy",
    "bernoulli_verifier_accuracy_label_noise",
    "bernoulli_verifier_accuracy_linear_generator",
    "clean_ridge_cosine",
]


class TeacherAccuracy(NamedTuple):
    """Cosine to the teacher, and accuracy 1 - arccos(cos) / pi."""

    cos: Float[Array, ""]
    accuracy: Float[Array, ""]


class CoinVerifierAccuracy(NamedTuple):
    """Error rate of the generator, share of pairs kept, cosine to the teacher, accuracy, and its limit gamma -> 0."""

    p: Float[Array, ""]
    keep: Float[Array, ""]
    cos: Float[Array, ""]
    accuracy: Float[Array, ""]
    limit: Float[Array, ""]


def clean_ridge_cosine(gamma: Real, lam: Real) -> Float[Array, ""]:
    """Cosine between a ridge classifier trained on clean labels and the teacher.

    `bernoulli_verifier_accuracy_label_noise` at p = 0, phi = psi = 1. Limit of large n and d at fixed ratio.

    Source: derived here for the setting of @feng2024beyond.
    Domain: gamma >= 0, lam >= 0, and lam > 0 unless gamma < 1.

    gamma: dimensions per sample. lam: ridge; squared errors are averaged over the samples, the penalty is lam |w|^2.
    Inputs N(0, I), labels sign(x . w_star).
    Returns the cosine.
    Raises ValueError outside the domain.
    """
    return bernoulli_verifier_accuracy_label_noise(gamma, lam, 0.0, 1.0, 1.0).cos


def bernoulli_verifier_accuracy_label_noise(
    gamma: Real, lam: Real, p: Real, phi: Real, psi: Real
) -> TeacherAccuracy:  # fmt: skip
    """Accuracy when labels are flipped at random, independently of the input, and selected by a coin.

        pi = phi (1 - p) + psi p ,   M = pi ,   c = sqrt(2 / pi_circle) (phi (1 - p) - psi p)

    in `selected_ridge_overlaps`, the subspace being the teacher's direction. The cosine changes its sign at
    p = phi / (phi + psi), from 1 to -1 when gamma -> 0. Limit of large n and d at fixed ratio.

    Source: derived here for the setting of @feng2024beyond.
    Domain: p, phi, psi in [0, 1], some pair is kept; gamma, lam >= 0, and lam > 0 unless gamma < pi.

    gamma: dimensions per generated pair. lam: ridge; squared errors are summed over the kept pairs and divided by the
    number generated. p: flip rate. phi, psi: probability that a correct and a wrong pair is kept.
    Returns TeacherAccuracy.
    Raises ValueError outside the domain.
    """
    ok = check_kept(p, phi, psi)
    keep = phi * (1 - p) + psi * p
    ok &= check_ratio(gamma, lam, keep)
    keep, p, phi, psi = floats(keep, p, phi, psi)
    keep = jnp.where(ok, keep, 1.0)
    c = (2 / jnp.pi) ** 0.5 * (phi * (1 - p) - psi * p)
    w, perp = selected_ridge_overlaps(keep, keep[None, None], c[None], gamma, lam)
    cos = w[0] / jnp.sqrt(w[0] ** 2 + perp)
    return nan_unless(ok, TeacherAccuracy(cos, cosine_accuracy(cos)))


def bernoulli_verifier_accuracy_linear_generator(
    rho_g: Real, phi: Real, psi: Real, gamma: Real, lam: Real
) -> CoinVerifierAccuracy:
    """Accuracy when the labels are those of a linear generator, selected by a coin.

        theta = arccos(rho_g) ,   p = theta / pi_circle ,   alpha = (pi_circle - theta) / 2
        c = sqrt(2 / pi_circle) (phi sin alpha, psi cos alpha) ,
        M = diag(psi + (phi - psi) 2 (alpha +- sin alpha cos alpha) / pi_circle)

    in `selected_ridge_overlaps`, along the bisector of generator and teacher and its normal in their plane. The wrong
    labels are a function of the input: nothing is sharp in p, and selection helps with infinitely many pairs exactly
    when phi > psi. Limit of large n and d at fixed ratio.

    Source: derived here for the setting of @feng2024beyond.
    Domain: rho_g in [-1, 1], phi, psi in [0, 1], some pair is kept; gamma, lam >= 0, lam > 0 unless gamma < keep.

    rho_g: cosine between generator and teacher. Other arguments as for `bernoulli_verifier_accuracy_label_noise`.
    Returns CoinVerifierAccuracy, with the limit of infinitely many pairs at the same ridge.
    Raises ValueError outside the domain.
    """
    ok = in_domain((rho_g >= -1) & (rho_g <= 1), "rho_g", rho_g, "-1 <= rho_g <= 1")
    rho_g, phi_, psi_ = floats(rho_g, phi, psi)
    theta = jnp.arccos(rho_g)
    p = theta / jnp.pi
    ok &= check_kept(p, phi, psi)
    keep = phi_ * (1 - p) + psi_ * p
    ok &= check_ratio(gamma, lam, keep)
    keep = jnp.where(ok, keep, 1.0)
    alpha = (jnp.pi - theta) / 2
    sin, cos = jnp.sin(alpha), jnp.cos(alpha)
    sector = jnp.stack([alpha + sin * cos, alpha - sin * cos]) * 2 / jnp.pi
    M = jnp.diag(psi_ + (phi_ - psi_) * sector)
    c = (2 / jnp.pi) ** 0.5 * jnp.stack([phi_ * sin, psi_ * cos])
    teacher = jnp.stack([sin, -cos])

    def cosine(gamma: Real) -> Array:
        w, perp = selected_ridge_overlaps(keep, M, c, gamma, lam)
        return jnp.sum(w * teacher) / jnp.sqrt(jnp.sum(w**2) + perp)

    reached = cosine(gamma)
    fields = p, keep, reached, cosine_accuracy(reached), cosine_accuracy(cosine(0.0))
    return nan_unless(ok, CoinVerifierAccuracy(*fields))
