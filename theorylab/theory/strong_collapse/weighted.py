"""Ridge regression on a mixture whose real and synthetic rows count with different weights."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from theorylab.numerics.domain import in_domain, nan_unless
from theorylab.numerics.ridge import effective_ridge, shrinkage
from theorylab.theory.strong_collapse._arguments import (
    check_levels,
    check_mixture,
    check_threshold,
    floats,
    non_negative,
)
from theorylab.theory.strong_collapse._fixed_point import concave_fixed_point
from theorylab.types import Real, Vector

__all__ = ["WeightedRisk", "weighted_mixed_ridge_risk"]


class WeightedRisk(NamedTuple):
    """Excess risk on real data, the effective ridge, and the effective weight of the synthetic rows."""

    total: Float[Array, ""]
    kappa: Float[Array, ""]
    omega: Float[Array, ""]


def weighted_mixed_ridge_risk(
    spectrum: Vector,
    w1_sq: Vector,
    delta_sq: Vector,
    n: Real,
    p2: Real,
    sigma1: Real,
    sigma2: Real,
    lam: Real,
    a1: Real,
    a2: Real,
    cross: Vector | None = None,
) -> WeightedRisk:
    """Excess risk on real data of ridge regression on a mixture, real rows weighted by a1, synthetic ones by a2.

        w_hat = argmin_w (1/n) (a1 sum_real (x_i . w - y_i)^2 + a2 sum_syn (x_i . w - y_i)^2) + lam |w|^2

        b_k = a_k / (1 + a_k q) ,   B = p1 b1 + p2 b2 ,   q = sum(spectrum / (lam + B spectrum)) / n ,   kappa = lam / B
        omega = p2 b2 / B ,   g = spectrum / (spectrum + kappa) ,   c_k = p_k b_k^2 / B^2 ,   u = df_2(kappa) / n
        rho1 = sum(spectrum (omega^2 g^2 delta_sq + (1 - g)^2 w1_sq - 2 omega g (1 - g) cross))
        rho2 = sum(spectrum ((1 - omega g)^2 delta_sq + (1 - g)^2 w1_sq + 2 (1 - omega g) (1 - g) cross))
        total = rho1 + u (c1 (sigma1^2 + rho1) + c2 (sigma2^2 + rho2)) / (1 - u (c1 + c2))

    Limit of large n and d at fixed ratio. The interpolator (lam = 0, fewer weighted rows than dimensions) ignores the
    weights. Weights (1 - alpha) / p1 and alpha / p2 give the sources the shares 1 - alpha and alpha of the loss.

    Source: derived here; extends @dohmatob2024strong, which weights the two sources in its section on data mixing.
    Domain: that of mixed_ridge_risk, a1, a2 >= 0, some row of positive weight; at lam = 0 the rows of positive weight
    differ in number from the non-zero eigenvalues.

    a1, a2: weights of a real and of a synthetic row. The other arguments are those of mixed_ridge_risk.
    lam: ridge; weighted squared errors are summed and divided by n, the penalty is lam |w|^2.
    Returns WeightedRisk; the noise of a test label is not added.
    Raises ValueError outside the domain.
    """
    ok = check_mixture(spectrum, w1_sq, delta_sq, cross) & check_levels(n, p2, sigma1, sigma2, lam)
    ok &= non_negative(a1=a1, a2=a2)
    allowed = "a positive weight on a source that has rows"
    ok &= in_domain((1 - p2) * a1 + p2 * a2 > 0, "a1, a2, p2", (a1, a2, p2), allowed)
    ok &= check_threshold(n * ((1 - p2) * _positive(a1) + p2 * _positive(a2)), spectrum, lam)
    spectrum, w1_sq, delta_sq, cross, n, p2, sigma1, sigma2, lam, a1, a2 = floats(
        spectrum, w1_sq, delta_sq, jnp.zeros(spectrum.shape) if cross is None else cross,
        n, p2, sigma1, sigma2, lam, a1, a2,
    )  # fmt: skip
    p, a = jnp.stack([1 - p2, p2]), jnp.stack([a1, a2])
    kappa, share, excess = _effective_weights(spectrum, n, p, a, lam)
    omega = share[1]
    g, missed = shrinkage(spectrum, kappa)
    df1, df2, u = jnp.sum(g), jnp.sum(g**2), jnp.sum(g**2) / n
    # 1 - u (c1 + c2), as a sum of positive terms
    free = (jnp.sum(g * missed) + df2 * excess) / df1
    c = share**2 / jnp.where(p > 0, p, 1.0)
    A, D, X = spectrum * w1_sq, spectrum * delta_sq, spectrum * cross
    unlearned = jnp.sum(missed**2 * A)
    rho1 = jnp.sum((omega * g) ** 2 * D - 2 * omega * g * missed * X) + unlearned
    rho2 = jnp.sum((1 - omega * g) ** 2 * D + 2 * (1 - omega * g) * missed * X) + unlearned
    residuals = c[0] * (sigma1**2 + rho1) + c[1] * (sigma2**2 + rho2)
    return nan_unless(ok, WeightedRisk(rho1 + u * residuals / free, kappa, omega))


def _effective_weights(spectrum: Array, n: Array, p: Array, a: Array, lam: Array) -> tuple[Array, Array, Array]:
    """kappa, the effective shares p_k b_k / B of the sources, and sum_k share_k / (1 + a_k q), 0 when interpolating."""
    positive = spectrum > 0
    rank = jnp.sum(positive, dtype=spectrum.dtype)
    present = (a > 0) & (p > 0)
    rows = n * jnp.sum(jnp.where(present, p, 0.0))
    interpolating, unpenalised = (lam <= 0) & (rank >= rows), (lam <= 0) & (rank < rows)
    solvable = jnp.where(interpolating, 1.0, lam)

    def total(q: Array) -> Array:
        return jnp.sum(p * a / (1 + a * q))

    def average(q: Array) -> tuple[Array, Array]:
        scale = solvable + total(q) * spectrum
        filtered = jnp.where(positive, spectrum / jnp.where(positive, scale, 1.0), 0.0)
        return jnp.sum(filtered) / n, jnp.sum(p * (a / (1 + a * q)) ** 2) * jnp.sum(filtered**2) / n

    least_weight = jnp.min(jnp.where(present, a, jnp.inf))
    over = jnp.where(unpenalised, (rows - rank) * least_weight, 1.0)
    upper = jnp.where(unpenalised, rank / over, jnp.sum(spectrum) / (n * jnp.where(unpenalised, 1.0, solvable)))
    q, _ = concave_fixed_point(average, upper)
    share = jnp.where(interpolating, jnp.where(present, p * n / jnp.where(rows > 0, rows, 1.0), 0.0),
                      p * a / (1 + a * q) / total(q))  # fmt: skip
    excess = jnp.where(interpolating, 0.0, jnp.sum(p * a / (1 + a * q) ** 2) / total(q))
    limit = effective_ridge(spectrum, jnp.where(interpolating & (rows > 0), rows, 1.0), 0.0)
    return jnp.where(interpolating, limit, lam / total(q)), share, excess


def _positive(weight: Real) -> Real:
    """1 for a positive weight, else 0; concrete where the weight is, so that a bad one can be refused."""
    return jnp.where(weight > 0, 1.0, 0.0) if isinstance(weight, jax.Array) else float(weight > 0)
