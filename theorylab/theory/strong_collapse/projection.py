"""Ridge regression on random projections, whose number is the size of the model, on a mixture."""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from theorylab.numerics.domain import in_domain, nan_unless
from theorylab.numerics.projection import effective_ridge_projection, projection_shares
from theorylab.numerics.ridge import shrinkage
from theorylab.theory.strong_collapse._arguments import check_levels, check_mixture, check_threshold, floats
from theorylab.theory.strong_collapse.mixture import MixedRisk, assemble_risk
from theorylab.types import Real, Vector

__all__ = ["kept_fluctuation", "mixed_projection_risk"]


def mixed_projection_risk(
    spectrum: Vector,
    w1_sq: Vector,
    delta_sq: Vector,
    n: Real,
    m: Real,
    p2: Real,
    sigma1: Real,
    sigma2: Real,
    lam: Real,
    cross: Vector | None = None,
) -> MixedRisk:
    """Excess risk on real data of ridge regression on m random projections of n rows, a fraction p2 of them synthetic.

        v_hat = argmin_v (1/n) sum_i (v . S x_i - y_i)^2 + lam |v|^2 ,   w_hat = S' v_hat ,   S_ij ~ N(0, 1/d)

        lam = (m/d) kappa (1 - df_1/n) (1 - df_1/m) ,   eta = (1 - df_1/m) / (1 - df_2/m)
        pi1 = kappa / (spectrum + kappa) ,   pi2 = pi1 - eta kappa spectrum / (spectrum + kappa)^2
        u   = (df_1 - eta (df_1 - df_2)) / n ,   q2 = 1 - 2 pi1 + pi2 ,   h2 = p1^2 + 2 p1 p2 pi1 + p2^2 pi2
        rho1 = sum(spectrum (p2^2 q2 delta_sq + pi2 w1_sq - 2 p2 (pi1 - pi2) cross))
        rho2 = sum(spectrum (h2 delta_sq + pi2 w1_sq + 2 (p1 pi1 + p2 pi2) cross))
        tau2 = (p1 sigma1^2 + p2 sigma2^2 + p1 rho1 + p2 rho2) / (1 - u) ,   total = rho1 + u tau2

    Limit of large n, m and d at fixed ratios. As m grows with lam d / m fixed, mixed_ridge_risk at that ridge.

    Source: @dohmatob2024strong, its random projections model, whose four unknowns are reduced here to one: the paper's
    e and tau are 1 - df_1/n and 1 - df_1/m.
    Domain: that of mixed_ridge_risk and m >= 1; at lam = 0 n differs from the smaller of m and the number of non-zero
    eigenvalues.

    m: random projections, the size of the model. d = len(spectrum). The other arguments are those of mixed_ridge_risk.
    lam: ridge; squared errors are averaged over the rows, the penalty is lam |v|^2. A convention with entries of S of
        variance 1/m has lam d/m in place of lam.
    Returns MixedRisk; the noise of a test label is not added.
    Raises ValueError outside the domain.
    """
    ok = check_mixture(spectrum, w1_sq, delta_sq, cross) & check_levels(n, p2, sigma1, sigma2, lam)
    ok &= in_domain((m >= 1) & (m < np.inf), "m", m, "1 <= m < inf")
    ok &= check_threshold(n, spectrum, lam, m)
    spectrum, w1_sq, delta_sq, cross, n, m, p2, sigma1, sigma2, lam = floats(
        spectrum, w1_sq, delta_sq, jnp.zeros(spectrum.shape) if cross is None else cross, n, m, p2, sigma1, sigma2, lam
    )
    kappa = effective_ridge_projection(spectrum, n, m, lam)
    free_n, free_m = projection_shares(spectrum, kappa, n, m, lam)
    learned, missed = shrinkage(spectrum, kappa)
    eta = kept_fluctuation(learned, missed, free_m, m)
    free = free_n + eta * jnp.sum(learned * missed) / n
    energies = (spectrum * w1_sq, spectrum * delta_sq, spectrum * cross)
    return nan_unless(ok, assemble_risk(energies, (learned, missed), eta, free, p2, (sigma1, sigma2), kappa))


def kept_fluctuation(learned: Array, missed: Array, free_m: Array, m: Array) -> Array:
    """eta = (1 - df_1/m) / (1 - df_2/m), and 1 where nothing is missed and it is 0/0."""
    total = free_m + jnp.sum(learned * missed) / m
    return jnp.where(total > 0, free_m / jnp.where(total > 0, total, 1.0), 1.0)
