"""Ridge regression on any number of sources, each with its own inputs, labels, noise and weight."""

from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

import jax.numpy as jnp
import numpy as np
from jax.scipy.linalg import cho_solve
from jaxtyping import Array, Bool, Float, Num

from theorylab.numerics.domain import in_domain, nan_unless
from theorylab.theory.strong_collapse._arguments import non_negative
from theorylab.theory.strong_collapse._fixed_point import concave_fixed_point
from theorylab.types import Real, Vector

__all__ = ["MultiSourceRisk", "multi_source_ridge_risk"]

PerSource: TypeAlias = Num[Array, "K"] | Num[np.ndarray, "K"] | tuple[Real, ...]
Matrix: TypeAlias = Float[Array, "d d"] | Float[np.ndarray, "d d"]
Matrices: TypeAlias = Float[Array, "K d d"] | Float[np.ndarray, "K d d"]
Vectors: TypeAlias = Float[Array, "K d"] | Float[np.ndarray, "K d"]

_CONVERGED = 1e-10


class MultiSourceRisk(NamedTuple):
    """Excess risk on the test law, effective residual variance of each source, and how well the solve went.

    residual: last relative Newton step, which bounds the relative error of the fixed point.
    """

    total: Float[Array, ""]
    tau2: Float[Array, "K"]
    converged: Bool[Array, ""]
    residual: Float[Array, ""]


def multi_source_ridge_risk(
    Sigmas: Matrices,
    Sigma_test: Matrix,
    thetas: Vectors,
    w_star: Vector,
    ns: PerSource,
    sigmas: PerSource,
    weights: PerSource,
    lam: Real,
    theta0: Vector | None = None,
) -> MultiSourceRisk:
    """Excess risk of ridge regression on K sources with arbitrary covariances, coefficients, noise and weights.

        w_hat = argmin_w (1/n) sum_k a_k sum_(i in k) (x_i . w - y_i)^2 + lam |w - theta0|^2 ,   n = sum_k n_k
        y = x . theta_k + sigma_k eps ,   x ~ N(0, Sigma_k) ,   risk = |w_hat - w_star|^2 in the norm of Sigma_test

        q_k  = tr(Sigma_k R) / n ,  b_k = a_k / (1 + a_k q_k) ,  R = (lam + sum_k p_k b_k Sigma_k)^-1 ,  p_k = n_k / n
        wbar = R (lam (theta0 - w_star) + sum_k p_k b_k Sigma_k (theta_k - w_star))
        H_kj = p_j b_j^2 tr(Sigma_j R Sigma_k R) / n ,   rho_k = |theta_k - w_star - wbar|^2 in the norm of Sigma_k
        tau2 = (I - H)^-1 (sigma^2 + rho) ,
        total = wbar' Sigma_test wbar + sum_j p_j b_j^2 tr(Sigma_j R Sigma_test R) / n tau2_j

    Limit of large n_k and d at fixed ratios; the covariances need not commute. Covers unequal real and synthetic
    inputs, several generations at once, transfer. The map of q is concave, so that Newton's method from above, with
    H as Jacobian, converges for every lam > 0.

    Source: derived here; extends @dohmatob2024strong to K sources of unequal covariance.
    Domain: lam > 0, Sigmas and Sigma_test symmetric and >= 0, n_k >= 0 with at least one row, sigma_k, a_k >= 0.

    Sigmas [K, d, d], thetas [K, d], ns, sigmas, weights [K]: covariance, coefficients, rows, standard deviation of the
    label noise and row weight of each source. Sigma_test [d, d], w_star [d]: law and coefficients of the test data.
    lam: ridge; weighted squared errors are summed and divided by n. theta0: prior centre, 0 when it is None.
    Returns MultiSourceRisk; the noise of a test label is not added.
    Raises ValueError outside the domain.
    """
    ok = _check(Sigmas, Sigma_test, thetas, w_star, ns, sigmas, weights, lam, theta0)
    Sigmas, Sigma_test, thetas, w_star, ns, sigmas, a, lam = (
        jnp.asarray(x, float) for x in (Sigmas, Sigma_test, thetas, w_star, ns, sigmas, weights, lam)
    )
    n = jnp.sum(ns)
    p, identity = ns / n, jnp.eye(w_star.size)
    centre = jnp.zeros_like(w_star) if theta0 is None else jnp.asarray(theta0, float)

    def resolvent(q: Array) -> tuple[Array, Callable[[Array], Array]]:
        """b_k, and the map v -> R v."""
        b = a / (1 + a * q)
        factor = jnp.linalg.cholesky(lam * identity + jnp.tensordot(p * b, Sigmas, 1))
        return b, lambda v: cho_solve((factor, True), v)

    def average(q: Array) -> tuple[Array, Array]:
        b, solve = resolvent(q)
        filtered = _each(solve, Sigmas)
        overlaps = jnp.einsum("jab,kba->kj", filtered, filtered)
        return jnp.einsum("kaa->k", filtered) / n, (p * b**2 / n)[None] * overlaps

    q, residual = concave_fixed_point(average, jnp.einsum("kaa->k", Sigmas) / (n * lam))
    b, solve = resolvent(q)
    gaps = thetas - w_star[None]
    wbar = solve(lam * (centre - w_star) + jnp.einsum("k,kij,kj->i", p * b, Sigmas, gaps))
    filtered = _each(solve, jnp.concatenate([Sigmas, Sigma_test[None]]))
    overlaps = jnp.einsum("jab,kba->kj", filtered[:-1], filtered) * (p * b**2 / n)[None]
    misfit = gaps - wbar[None]
    rho = jnp.einsum("ki,kij,kj->k", misfit, Sigmas, misfit)
    tau2 = jnp.linalg.solve(jnp.eye(p.size) - overlaps[:-1], sigmas**2 + rho)
    total = wbar @ Sigma_test @ wbar + overlaps[-1] @ tau2
    total, tau2, residual = nan_unless(ok, (total, tau2, residual))
    return MultiSourceRisk(total, tau2, residual < _CONVERGED, residual)


def _each(solve: Callable[[Array], Array], matrices: Array) -> Array:
    """R Sigma_k for all k, by one solve."""
    count, d, _ = matrices.shape
    columns = solve(jnp.swapaxes(matrices, 0, 1).reshape(d, count * d))
    return jnp.swapaxes(columns.reshape(d, count, d), 0, 1)


def _check(
    Sigmas: Any, Sigma_test: Any, thetas: Any, w_star: Any, ns: Any, sigmas: Any, weights: Any, lam: Any, theta0: Any
) -> Any:
    K, d = Sigmas.shape[0], Sigma_test.shape[0]
    shapes = dict(Sigmas=(K, d, d), Sigma_test=(d, d), thetas=(K, d), w_star=(d,), theta0=(d,))
    shapes |= dict.fromkeys(("ns", "sigmas", "weights"), (K,))
    given = dict(Sigmas=Sigmas, Sigma_test=Sigma_test, thetas=thetas, w_star=w_star, ns=ns, sigmas=sigmas)
    given |= dict(weights=weights, theta0=w_star if theta0 is None else theta0)
    for name, values in given.items():
        shape = np.shape(values)
        in_domain(shape == shapes[name], name, f"array of shape {shape}", f"shape {shapes[name]}")
    in_domain(K > 0 and d > 0, "Sigmas", f"array of shape {Sigmas.shape}", "at least one source and one dimension")
    ns, sigmas, weights = (jnp.asarray(x, float) for x in (ns, sigmas, weights))
    ok = in_domain((lam > 0) & (lam < np.inf), "lam", lam, "0 < lam < inf")
    ok &= non_negative(ns=ns, sigmas=sigmas, weights=weights)
    ok &= in_domain(ns.sum() >= 1, "ns", ns, "at least one row")
    for name, matrices in (("Sigmas", Sigmas), ("Sigma_test", Sigma_test)):
        matrices = jnp.asarray(matrices, float)
        scale = jnp.abs(matrices).max()
        symmetric = (jnp.abs(matrices - matrices.mT) <= 1e-9 * scale).all()
        ok &= in_domain(symmetric, name, "a matrix", "symmetric")
        least = jnp.linalg.eigvalsh(matrices).min()
        ok &= in_domain(least >= -1e-9 * scale, f"smallest eigenvalue of {name}", least, "eigenvalues >= 0")
    return ok
