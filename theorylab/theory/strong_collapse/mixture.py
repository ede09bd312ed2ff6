"""What all fits on a mixture of real and synthetic rows share: how the risk is put together."""

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float

__all__ = ["MixedRisk", "assemble_risk"]


class MixedRisk(NamedTuple):
    """Excess risk on real data of a fit on a mixture, total = bias + variance + zeta + cross.

    bias, variance: the risk of as many rows that are all real, with noise of the mean variance. zeta: what the shift of
    the synthetic labels adds, quadratic in the shift and independent of the true weights and of the noise.
    cross: linear in the correlation of weights and shift.
    kappa: effective ridge. u: variance inflation, in [0, 1). tau2: effective (leave-one-out) residual variance.
    eta: share of the learned fluctuation that the projections keep, 1 without projections.
    """

    total: Float[Array, ""]
    bias: Float[Array, ""]
    variance: Float[Array, ""]
    zeta: Float[Array, ""]
    cross: Float[Array, ""]
    kappa: Float[Array, ""]
    u: Float[Array, ""]
    tau2: Float[Array, ""]
    eta: Float[Array, ""]


def assemble_risk(
    energies: tuple[Array, Array, Array],
    shares: tuple[Array, Array],
    eta: Array,
    free: Array,
    p2: Array,
    sigmas: tuple[Array, Array],
    kappa: Array,
) -> MixedRisk:
    """The risk from the mean and mean square of the unlearned part of each direction.

        E Pi = missed ,   E Pi^2 = missed^2 + (1 - eta) learned missed

    energies: spectrum times w1_sq, delta_sq and cross. shares: learned and missed share of each direction.
    free: 1 - u, which must be accurate near interpolation. sigmas: noise of real and of synthetic rows.
    """
    A, D, X = energies
    learned, missed = shares
    p1, u = 1 - p2, 1 - free
    spread = (1 - eta) * learned * missed
    unlearned = jnp.sum((missed**2 + spread) * A)
    real_shift = p2**2 * jnp.sum((learned**2 + spread) * D)
    synthetic_shift = jnp.sum(((p1 + p2 * missed) ** 2 + p2**2 * spread) * D)
    real_cross = -2 * p2 * jnp.sum((learned * missed - spread) * X)
    synthetic_cross = 2 * jnp.sum((missed - p2 * (learned * missed - spread)) * X)
    bias = unlearned / free
    s2bar = p1 * sigmas[0] ** 2 + p2 * sigmas[1] ** 2
    variance = s2bar * u / free
    zeta = real_shift + u / free * (p1 * real_shift + p2 * synthetic_shift)
    cross = real_cross + u / free * (p1 * real_cross + p2 * synthetic_cross)
    rho1 = unlearned + real_shift + real_cross
    rho2 = unlearned + synthetic_shift + synthetic_cross
    tau2 = (s2bar + p1 * rho1 + p2 * rho2) / free
    return MixedRisk(bias + variance + zeta + cross, bias, variance, zeta, cross, kappa, u, tau2, eta)
