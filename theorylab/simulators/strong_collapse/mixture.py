"""One fit on real and synthetic rows, as a person would do it."""

import jax
import jax.numpy as jnp

from theorylab.numerics.domain import in_domain, nan_unless
from theorylab.simulators.probes import Noise, quadratic_in_noise
from theorylab.simulators.regression_collapse.fits import Penalty, ridge_path, ridge_solver
from theorylab.simulators.strong_collapse._designs import check_non_negative, check_rows, check_vectors
from theorylab.types import Array, Key, Real, Vector

__all__ = ["simulate_mixture"]


@quadratic_in_noise
def simulate_mixture(
    key: Key,
    noise: Noise,
    spectrum: Vector,
    w1: Vector,
    delta: Vector,
    n1: int,
    n2: int,
    sigma1: Real,
    sigma2: Real,
    lam: Penalty,
    m: int | None = None,
    a1: Real = 1.0,
    a2: Real = 1.0,
) -> dict[str, Array]:
    """Excess risk on real data of a ridge fit to n1 real and n2 synthetic rows: one replicate.

        y = x . w1 + sigma1 eps on real rows,  y = x . (w1 + delta) + sigma2 eps on synthetic rows,  x ~ N(0, Sigma)
        w_hat = argmin (1/n) (a1 |real residuals|^2 + a2 |synthetic residuals|^2) + lam |w|^2,   n = n1 + n2
        or, with S [m, d] of independent N(0, 1/d) entries, w_hat = S' v_hat, v_hat the same fit on S x
        risk = |w_hat - w1|_Sigma^2

    Source: the setting of @dohmatob2024strong.
    Domain: lam, sigma1, sigma2, a1, a2, spectrum >= 0; at lam = 0 spectrum > 0, and more rows of positive weight than
    parameters or no weight of 0.

    spectrum: eigenvalues of Sigma [d]. w1, delta: true weights and shift of the synthetic ones in its eigenbasis [d].
    n1, n2: real and synthetic rows. sigma1, sigma2: standard deviations of their label noise.
    lam: ridge, a scalar (one Cholesky factor) or a grid [L] (one eigendecomposition); 0 gives least squares or the
    interpolator of least norm. Squared errors are averaged over the rows, the penalty is lam |w|^2 or lam |v|^2.
    m: random projections; None for the linear model. a1, a2: weights of the rows.
    probes: 0 for one draw of the noise, K for K noise vectors through one factorisation (see quadratic_in_noise).
    Returns risk, a scalar or [L]; the noise of a test label is not added.
    Raises ValueError outside the domain.
    """
    check_vectors(spectrum, w1=w1, delta=delta)
    ok = check_rows(n1=n1, n2=n2) & check_non_negative(
        spectrum=spectrum, sigma1=sigma1, sigma2=sigma2, lam=lam, a1=a1, a2=a2
    )
    in_domain(m is None or m >= 1, "m", m, "m >= 1")
    key_rows, key_projections = jax.random.split(key)
    scale, truth, n = jnp.sqrt(jnp.asarray(spectrum)), jnp.asarray(w1), n1 + n2
    synthetic = jnp.arange(n) >= n1
    by_source = lambda real, fake: jnp.where(synthetic, jnp.asarray(fake, float), jnp.asarray(real, float))
    X = jax.random.normal(key_rows, (n, scale.size)) * scale[None]
    y = X @ truth + jnp.where(synthetic, X @ jnp.asarray(delta), 0.0) + by_source(sigma1, sigma2) * noise(0, (n,))
    root = jnp.sqrt(by_source(a1, a2))
    project = None if m is None else _projections(key_projections, m, scale.size)
    features = root[:, None] * (X if project is None else X @ project.T)
    if jnp.ndim(lam) == 0:
        fitted = ridge_solver(features, lam)(root * y)
    else:
        fitted = ridge_path(features, jnp.asarray(lam), (root * y)[:, None])[:, 0]
    w = fitted if project is None else fitted @ project
    return {"risk": nan_unless(ok, jnp.broadcast_to(scale, w.shape) * (w - jnp.broadcast_to(truth, w.shape)))}


def _projections(key: Array, m: int, d: int) -> Array:
    """S [m, d], or its triangular factor R [d, d] when m > d: S = Q R, so that S'v = R'(Q'v) and |v| = |Q'v|."""
    S = jax.random.normal(key, (m, d)) / jnp.sqrt(float(d))
    return jnp.linalg.qr(S, mode="r") if m > d else S
