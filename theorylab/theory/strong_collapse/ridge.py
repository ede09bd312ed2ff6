"""Ridge regression on a mixture of real and synthetic rows."""

import jax.numpy as jnp

from theorylab.numerics.domain import nan_unless
from theorylab.numerics.ridge import effective_ridge, residual_degrees_of_freedom, shrinkage
from theorylab.theory.strong_collapse._arguments import check_levels, check_mixture, check_threshold, floats
from theorylab.theory.strong_collapse.mixture import MixedRisk, assemble_risk
from theorylab.types import Real, Vector

__all__ = ["mixed_ridge_risk"]


def mixed_ridge_risk(
    spectrum: Vector,
    w1_sq: Vector,
    delta_sq: Vector,
    n: Real,
    p2: Real,
    sigma1: Real,
    sigma2: Real,
    lam: Real,
    cross: Vector | None = None,
) -> MixedRisk:
    """Excess risk on real data of ridge regression on n rows, a fraction p2 of which carries shifted labels.

        w_hat = argmin_w (1/n) sum_i (x_i . w - y_i)^2 + lam |w|^2 ,   risk = E (x . (w_hat - w1))^2
        y = x . w1 + sigma1 eps on real rows,  y = x . (w1 + delta) + sigma2 eps on synthetic rows

        kappa = lam + kappa df_1(kappa) / n ,  g = spectrum / (spectrum + kappa) ,  u = df_2(kappa) / n ,  p1 = 1 - p2
        rho1  = sum(spectrum (p2^2 g^2 delta_sq + (1 - g)^2 w1_sq - 2 p2 g (1 - g) cross))
        rho2  = sum(spectrum ((1 - p2 g)^2 delta_sq + (1 - g)^2 w1_sq + 2 (1 - p2 g) (1 - g) cross))
        tau2  = (p1 sigma1^2 + p2 sigma2^2 + p1 rho1 + p2 rho2) / (1 - u) ,   total = rho1 + u tau2

    Limit of large n and d at fixed ratio; the error is of the order 1 / |n - d|.

    Source: @dohmatob2024strong, its classical linear model, with a correlation of weights and shift added here.
    Domain: n >= 1, 0 <= p2 <= 1, lam >= 0, sigma1, sigma2 >= 0, spectrum >= 0 and not all zero, w1_sq, delta_sq >= 0,
    cross^2 <= w1_sq delta_sq; at lam = 0 n differs from the number of non-zero eigenvalues.

    spectrum: eigenvalues of the covariance of x, the same for both sources [d].
    w1_sq, delta_sq, cross: second moments of the true weights, of the shift, and of the two together, in the
        eigenbasis [d]; squares of given vectors, or variances of a prior. The shift energy is
        c2 = sum(spectrum delta_sq). cross = None means 0.
    n: rows in all. p2: synthetic rows / n, the realised ratio. sigma1, sigma2: standard deviations of the label noise.
    lam: ridge; squared errors are averaged over the rows, the penalty is lam |w|^2.
    Returns MixedRisk; the noise of a test label is not added. Only the sum of p1 sigma1^2 and p2 sigma2^2 counts.
    Raises ValueError outside the domain.
    """
    ok = check_mixture(spectrum, w1_sq, delta_sq, cross) & check_levels(n, p2, sigma1, sigma2, lam)
    ok &= check_threshold(n, spectrum, lam)
    spectrum, w1_sq, delta_sq, cross, n, p2, sigma1, sigma2, lam = floats(
        spectrum, w1_sq, delta_sq, jnp.zeros(spectrum.shape) if cross is None else cross, n, p2, sigma1, sigma2, lam
    )
    kappa = effective_ridge(spectrum, n, lam)
    free = residual_degrees_of_freedom(spectrum, kappa, n, lam) / n
    energies = (spectrum * w1_sq, spectrum * delta_sq, spectrum * cross)
    shares, eta = shrinkage(spectrum, kappa), jnp.ones_like(kappa)
    return nan_unless(ok, assemble_risk(energies, shares, eta, free, p2, (sigma1, sigma2), kappa))
