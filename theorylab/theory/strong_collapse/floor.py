"""What more data cannot remove, and from where on it is what counts."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Num

from theorylab.numerics.domain import in_domain, nan_unless
from theorylab.numerics.ridge import effective_ridge, shrinkage
from theorylab.theory.strong_collapse._arguments import check_levels, check_mixture, floats
from theorylab.theory.strong_collapse.mixture import MixedRisk
from theorylab.theory.strong_collapse.projection import kept_fluctuation, mixed_projection_risk
from theorylab.theory.strong_collapse.ridge import mixed_ridge_risk
from theorylab.types import Real, Vector

__all__ = ["strong_collapse_floor", "strong_collapse_onset"]


def strong_collapse_floor(
    spectrum: Vector,
    w1_sq: Vector,
    delta_sq: Vector,
    p2: Real,
    lam: Real,
    m: Real | None = None,
    cross: Vector | None = None,
) -> Float[Array, ""]:
    """Excess risk on real data that is left at infinitely many rows, with d, lam and m fixed.

        floor = sum(spectrum (p2^2 q2 delta_sq + pi2 w1_sq - 2 p2 (pi1 - pi2) cross))

    with kappa = lam for the linear model (m = None) and the notation of mixed_projection_risk; with projections
    lam = (m/d) kappa (1 - df_1(kappa)/m), the root with df_1 < m. For lam = 0 and the linear model the floor is
    p2^2 c2, c2 = sum(spectrum delta_sq), and for no other ridge.

    Source: @dohmatob2024strong; the form at a fixed ridge is derived here.
    Domain: that of mixed_ridge_risk, m >= 1.
    p2: synthetic rows / rows. The other arguments are those of mixed_projection_risk.
    lam: ridge; squared errors are averaged over the rows. Returns the floor; the noise of a test label is not added.
    Raises ValueError outside the domain.
    """
    ok = check_mixture(spectrum, w1_sq, delta_sq, cross) & check_levels(1, p2, 0.0, 0.0, lam)
    spectrum, w1_sq, delta_sq, cross, p2, lam = floats(
        spectrum, w1_sq, delta_sq, jnp.zeros(spectrum.shape) if cross is None else cross, p2, lam
    )
    if m is None:
        learned, missed = shrinkage(spectrum, lam)
        eta = jnp.ones_like(lam)
    else:
        ok &= in_domain(m >= 1, "m", m, "m >= 1")
        m = jnp.asarray(m, lam.dtype)
        target = lam * spectrum.size / m
        kappa = effective_ridge(spectrum, m, target)
        learned, missed = shrinkage(spectrum, kappa)
        # 1 - df_1/m by the equation of kappa, accurate where it vanishes
        free = jnp.where(kappa > 0, target / jnp.where(kappa > 0, kappa, 1.0), 1 - jnp.sum(learned) / m)
        eta = kept_fluctuation(learned, missed, free, m)
    spread = (1 - eta) * learned * missed
    floor = p2**2 * (learned**2 + spread) * delta_sq + (missed**2 + spread) * w1_sq
    floor -= 2 * p2 * (learned * missed - spread) * cross
    return nan_unless(ok, jnp.sum(spectrum * floor))


def strong_collapse_onset(
    spectrum: Vector,
    w1_sq: Vector,
    delta_sq: Vector,
    ns: Num[Array, "grid"] | Num[np.ndarray, "grid"] | tuple[Real, ...] | list[Real],
    p2: Real,
    sigma1: Real,
    sigma2: Real,
    lam: Real,
    m: Real | None = None,
    cross: Vector | None = None,
) -> Float[Array, ""] | None:
    """Smallest number of rows on the grid `ns` at which the collapse term reaches bias and variance together.

    bias + variance <= zeta, all at that n, by mixed_ridge_risk (m = None) or mixed_projection_risk. A grid point at a
    ridgeless threshold, where the risk diverges, does not count.

    Source: @dohmatob2024strong; the criterion is derived here.
    Domain: that of mixed_projection_risk, ns >= 1 and not empty.
    ns: numbers of rows, in any order. The other arguments are those of mixed_projection_risk.
    lam: ridge; squared errors are averaged over the rows.
    Returns the entry of ns; when there is none, None, or NaN where the arguments are traced.
    Raises ValueError outside the domain.
    """
    ok = check_mixture(spectrum, w1_sq, delta_sq, cross) & check_levels(1, p2, sigma1, sigma2, lam)
    if m is not None:
        ok &= in_domain(m >= 1, "m", m, "m >= 1")
    rows = jnp.asarray(ns, float)
    in_domain(rows.ndim == 1 and rows.size > 0, "ns", ns, "one or more numbers of rows")
    ok &= in_domain((rows >= 1) & (rows < np.inf), "ns", ns, "1 <= ns < inf")

    def risk(n: Array) -> MixedRisk:
        if m is None:
            return mixed_ridge_risk(spectrum, w1_sq, delta_sq, n, p2, sigma1, sigma2, lam, cross)
        return mixed_projection_risk(spectrum, w1_sq, delta_sq, n, m, p2, sigma1, sigma2, lam, cross)

    risks = jax.vmap(risk)(rows)
    # NaN, at a threshold, compares as false
    first = jnp.min(jnp.where(risks.bias + risks.variance <= risks.zeta, rows, jnp.inf))
    onset = nan_unless(ok, jnp.where(jnp.isfinite(first), first, jnp.nan))
    try:
        return onset if np.isfinite(onset) else None
    except jax.errors.TracerArrayConversionError:
        return onset
