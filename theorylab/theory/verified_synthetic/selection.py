"""What a verifier that looks at correctness makes of the labels: an exact algebra, whatever the inputs."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from theorylab.numerics.domain import in_domain, nan_unless
from theorylab.theory.verified_synthetic._arguments import check_kept, check_probabilities
from theorylab.types import Real

__all__ = ["kept_label_noise", "kept_label_signal", "verifier_breakdown_point", "verifier_keep_rate"]


def verifier_keep_rate(p: Real, phi: Real, psi: Real) -> Float[Array, ""]:
    """Probability that a generated pair is kept.

        keep = phi (1 - p) + psi p

    Source: @feng2024beyond.
    Domain: p, phi, psi in [0, 1].

    p: error rate of the generator. phi, psi: probability that the verifier keeps a correct and a wrong pair.
    Returns the keep rate.
    Raises ValueError outside the domain.
    """
    ok = check_probabilities(p=p, phi=phi, psi=psi)
    return nan_unless(ok, jnp.asarray(phi * (1 - p) + psi * p, float))


def kept_label_noise(p: Real, phi: Real, psi: Real) -> Float[Array, ""]:
    """Error rate among the kept pairs.

        p_kept = psi p / (phi (1 - p) + psi p)

    Below 1/2 exactly when p is below the breakdown point.

    Source: @feng2024beyond.
    Domain: p, phi, psi in [0, 1], some pair is kept. Arguments and errors as for `verifier_keep_rate`.
    """
    ok = check_kept(p, phi, psi)
    return nan_unless(ok, _share(jnp.asarray(psi * p, float), p, phi, psi))


def kept_label_signal(p: Real, phi: Real, psi: Real) -> Float[Array, ""]:
    """Mean of true times given label among the kept pairs, 1 - 2 kept_label_noise.

        a = (phi (1 - p) - psi p) / (phi (1 - p) + psi p)

    Source: @feng2024beyond.
    Domain, arguments and errors as for `kept_label_noise`.
    """
    ok = check_kept(p, phi, psi)
    return nan_unless(ok, _share(jnp.asarray(phi * (1 - p) - psi * p, float), p, phi, psi))


def verifier_breakdown_point(phi: Real, psi: Real) -> Float[Array, ""]:
    """Error rate of the generator at which half of the kept labels are wrong.

        p_star = phi / (phi + psi)

    Source: @feng2024beyond.
    Domain: phi, psi in [0, 1], not both 0.

    phi, psi: probability that the verifier keeps a correct and a wrong pair.
    Returns the breakdown point.
    Raises ValueError outside the domain.
    """
    ok = check_probabilities(phi=phi, psi=psi)
    ok &= in_domain(phi + psi > 0, "phi, psi", (phi, psi), "a verifier that keeps some pair")
    total = jnp.asarray(phi + psi, float)
    return nan_unless(ok, phi / jnp.where(total > 0, total, 1.0))


def _share(part: Array, p: Real, phi: Real, psi: Real) -> Array:
    keep = jnp.asarray(phi * (1 - p) + psi * p, float)
    return part / jnp.where(keep > 0, keep, 1.0)
