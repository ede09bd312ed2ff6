"""Which tokens of a batch the interventions act on: those whose log-probability and advantage are large together."""

from typing import TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float

from theorylab.numerics.domain import in_domain
from theorylab.types import Array, Key, Real

__all__ = ["clip_cov_mask", "kl_cov_mask"]

Tokens: TypeAlias = Float[Array, "N"] | Float[np.ndarray, "N"]
Advantages: TypeAlias = Float[Array, "adv"] | Float[np.ndarray, "adv"]


def clip_cov_mask(key: Key, logpi: Tokens, adv: Advantages, lo: Real, hi: Real, frac: Real) -> Bool[Array, "N"]:
    """Tokens of a batch whose gradient is dropped: some of those whose covariance lies in [lo, hi], at random.

        cov_i = (log pi_i - mean log pi) (A_i - mean A) ;   max(1, floor(frac N)) of the candidates, or all of them

    Source: @cui2025entropy.
    Domain: lo <= hi, 0 < frac <= 1.

    logpi: log-probability of each token of the batch under the policy that drew it [N]. adv: its advantage [N].
    lo, hi: bounds on the covariance, both included. frac: share of the tokens of the batch.
    Returns the mask, true where the gradient is dropped [N].
    Raises ValueError outside the domain, or when the lengths differ.
    """
    in_domain(lo <= hi, "lo", lo, f"lo <= hi = {hi}")
    cov, count = _covariance(logpi, adv, frac)
    candidate = (cov >= lo) & (cov <= hi)
    order = jnp.where(candidate, jax.random.uniform(key, cov.shape), 2.0)
    return candidate & (jnp.argsort(jnp.argsort(order)) < count)


def kl_cov_mask(logpi: Tokens, adv: Advantages, frac: Real) -> Bool[Array, "N"]:
    """Tokens of a batch that get a divergence penalty: those of the largest covariance.

        cov_i = (log pi_i - mean log pi) (A_i - mean A) ;   the first max(1, floor(frac N)), ties by their position

    Source: @cui2025entropy.
    Domain, arguments and errors as for `clip_cov_mask`.
    Returns the mask, true where a token is penalised [N].
    """
    cov, count = _covariance(logpi, adv, frac)
    return jnp.argsort(jnp.argsort(-cov)) < count


def _covariance(logpi: Tokens, adv: Advantages, frac: Real) -> tuple[Array, Array]:
    """Covariance of each token, and how many a rule takes."""
    if len(logpi) != len(adv):
        raise ValueError(f"logpi has {len(logpi)} entries, but adv has {len(adv)}")
    in_domain((frac > 0) & (frac <= 1), "frac", frac, "0 < frac <= 1")
    logpi, adv = jnp.asarray(logpi, float), jnp.asarray(adv, float)
    # 1e-9 so that floor(0.29 * 100) is 29
    count = jnp.maximum(1, jnp.floor(jnp.asarray(frac * len(logpi), float) + 1e-9).astype(int))
    return (logpi - jnp.mean(logpi)) * (adv - jnp.mean(adv)), count
