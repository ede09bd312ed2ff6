"""Cloning an expert from demonstrations."""

import jax
import jax.numpy as jnp
from jax.scipy.special import gammaln, xlogy
from jaxtyping import Array, Float

from theorylab.numerics.domain import in_domain, nan_unless
from theorylab.types import Vector

__all__ = ["laplace_cloning_kl"]


def laplace_cloning_kl(p: Vector, n: int) -> Float[Array, ""]:
    """Expected divergence of the expert from a clone that counts its n actions in one state and adds one to each count.

        E KL(p || phat) = sum_a p_a ( log p_a - sum_k Bin(k; n, p_a) log((k + 1)/(n + A)) ) ,   phat = (k + 1)/(n + A)

    Exact; about (A - 1) / (2 n) for many demonstrations.

    Source: derived here for the setting of @tiapkin2024demonstration.
    Domain: p >= 0 sums to 1, n >= 1.

    p: probabilities of the expert's A actions; an action that it never takes adds nothing but a count of one [A].
    n: number of demonstrations.
    Returns the divergence.
    Raises ValueError outside the domain.
    """
    in_domain(n >= 1, "n", n, "n >= 1")
    p = jnp.asarray(p, float)
    ok = in_domain(p >= 0, "p", p, "p >= 0")
    ok &= in_domain(jnp.abs(jnp.sum(p) - 1) <= 1e-6, "p", p, "probabilities that sum to one")
    k = jnp.arange(n + 1, dtype=float)
    log_choose = gammaln(n + 1.0) - gammaln(k + 1) - gammaln(n - k + 1)

    def cost(p: Array) -> Array:
        law = jnp.exp(log_choose + xlogy(k, p) + xlogy(n - k, 1 - p))
        return xlogy(p, p) - p * jnp.sum(law * jnp.log((k + 1) / (n + actions)))

    actions = p.size
    return nan_unless(ok, jnp.sum(jax.vmap(cost)(p)))
