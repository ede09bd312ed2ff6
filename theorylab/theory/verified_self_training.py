"""Verified self-training: a classifier labels inputs, a fixed linear verifier selects, the next one is trained."""

from typing import NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from theorylab.numerics.domain import in_domain, nan_unless
from theorylab.theory.verified_synthetic._arguments import check_angles
from theorylab.theory.verified_synthetic.linear_verifier import bisector_cosine
from theorylab.types import Real

__all__ = ["SelfTrainingOverlaps", "verified_self_training_overlaps"]

Ratios: TypeAlias = Float[Array, "rounds"] | Float[np.ndarray, "rounds"]


class SelfTrainingOverlaps(NamedTuple):
    """Cosines of the classifier with the teacher and with the verifier, before the first and after every round."""

    rho: Float[Array, "states"]
    r: Float[Array, "states"]


def verified_self_training_overlaps(
    rho_g: Real, rho_v: Real, r: Real, gammas: Ratios, lam: Real
) -> SelfTrainingOverlaps:  # fmt: skip
    """State evolution of repeated verified self-training.

        k_t = bisector_cosine(r_t, gamma_t, lam)
        rho_(t+1) = k_t (rho_t + rho_v) / sqrt(2 (1 + r_t)) ,   r_(t+1) = k_t sqrt((1 + r_t) / 2)

    With infinitely many pairs (gamma = 0) the angle to the verifier halves in every round, so that the classifier tends
    to the verifier itself; on the way it may be better than that. A constant number of pairs leaves a fixed point below
    the verifier. Limit of large n and d at fixed ratios.

    Source: derived here for the setting of @yi2025escaping.
    Domain: the cosines of three vectors, r > -1; gammas, lam >= 0, and lam > 0 unless every round keeps more pairs than
    there are dimensions.

    rho_g, rho_v: cosines of the first generator and of the verifier with the teacher. r: cosine between the two.
    gammas: dimensions per generated pair of each round [rounds]. lam: ridge; squared errors are summed over the kept
    pairs and divided by the number generated. Inputs N(0, I), labels sign(x . w_star).
    Returns SelfTrainingOverlaps [rounds + 1].
    Raises ValueError outside the domain.
    """
    ok = check_angles(rho_g, rho_v, r)
    ok &= in_domain((gammas >= 0) & (gammas < np.inf), "gammas", gammas, "0 <= gammas < inf")
    ok &= in_domain((lam >= 0) & (lam < np.inf), "lam", lam, "0 <= lam < inf")
    rho_g, rho_v, r = (jnp.asarray(x, float) for x in (rho_g, rho_v, r))
    safe = jnp.where(ok, r, 0.0)

    def one_round(state: tuple[Array, Array], gamma: Array) -> tuple[tuple[Array, Array], tuple[Array, Array]]:
        rho, r = state
        k = bisector_cosine(r, gamma, lam)
        state = k * (rho + rho_v) / jnp.sqrt(2 * (1 + r)), k * jnp.sqrt((1 + r) / 2)
        return state, state

    path = jax.lax.scan(one_round, (rho_g, safe), jnp.asarray(gammas, float))[1]
    rho, r = (jnp.concatenate([start[None], after]) for start, after in zip((rho_g, safe), path))
    return nan_unless(ok, SelfTrainingOverlaps(rho, r))
