"""Measuring a verifier on labelled data."""

from typing import NamedTuple, TypeAlias

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Num

from theorylab.numerics.domain import in_domain, nan_unless

__all__ = ["VerifierEstimate", "estimate_verifier_rates"]

Labels: TypeAlias = Num[Array, "_"] | Num[np.ndarray, "_"]
Flags: TypeAlias = Labels | Bool[Array, "_"] | Bool[np.ndarray, "_"]


class VerifierEstimate(NamedTuple):
    """Measured error rate of the generator, keep rates of correct and of wrong pairs, breakdown point and its error."""

    p: Float[Array, ""]
    phi: Float[Array, ""]
    psi: Float[Array, ""]
    p_star: Float[Array, ""]
    p_star_se: Float[Array, ""]


def estimate_verifier_rates(y: Labels, y_gen: Labels, keep: Flags, mask: Flags | None = None) -> VerifierEstimate:
    """Keep rates and breakdown point of a verifier, from pairs whose true labels are known.

        phi = kept share of the correct pairs ,   psi = kept share of the wrong ones ,   p_star = phi / (phi + psi)
        p_star_se^2 = (psi^2 phi (1 - phi) / n_correct + phi^2 psi (1 - psi) / n_wrong) / (phi + psi)^4

    Source: the proxy of @feng2024beyond; its error bar by the delta method, derived here.
    Domain: some correct pair, some wrong one, and some pair kept.

    y, y_gen: true and generated labels [n]. keep: whether the verifier keeps the pair, as booleans or 0 and 1 [n].
    mask: which pairs count [n]; all unless given.
    Returns VerifierEstimate.
    Raises ValueError outside the domain, and where the lengths differ.
    """
    if not len(y) == len(y_gen) == len(keep) == (len(y) if mask is None else len(mask)):
        raise ValueError(f"y, y_gen and keep have {len(y)}, {len(y_gen)} and {len(keep)} entries; mask has as many")
    counted = jnp.ones(len(y)) if mask is None else jnp.asarray(mask).astype(float)
    correct = counted * (jnp.asarray(y) == jnp.asarray(y_gen)).astype(float)
    kept = jnp.asarray(keep).astype(float)
    total, n_correct = jnp.sum(counted), jnp.sum(correct)
    n_wrong = total - n_correct
    kept_correct, kept_wrong = jnp.sum(correct * kept), jnp.sum((counted - correct) * kept)
    ok = in_domain(n_correct > 0, "y_gen", "labels of which none is correct", "some correct label (phi is unknown)")
    ok &= in_domain(n_wrong > 0, "y_gen", "labels of which none is wrong", "some wrong label (psi, p_star are unknown)")
    ok &= in_domain(kept_correct + kept_wrong > 0, "keep", "nothing", "a verifier that keeps some pair")
    n_correct, n_wrong, total = (jnp.maximum(count, 1.0) for count in (n_correct, n_wrong, total))
    phi, psi = kept_correct / n_correct, kept_wrong / n_wrong
    both = jnp.where(phi + psi > 0, phi + psi, 1.0)
    variance = psi**2 * phi * (1 - phi) / n_correct + phi**2 * psi * (1 - psi) / n_wrong
    return nan_unless(ok, VerifierEstimate(n_wrong / total, phi, psi, phi / both, jnp.sqrt(variance) / both**2))
