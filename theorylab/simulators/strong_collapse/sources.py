"""One fit on several sources of unequal inputs, labels, noise and weight."""

from typing import TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.linalg import cho_solve
from jaxtyping import Float, Num

from theorylab.numerics.domain import in_domain, nan_unless
from theorylab.numerics.random_matrices import gram_rows
from theorylab.simulators.probes import Noise, quadratic_in_noise
from theorylab.simulators.strong_collapse._designs import check_non_negative, check_rows
from theorylab.types import Array, Key, Real, Vector

__all__ = ["simulate_multi_source", "simulate_multi_source_averaged"]

PerSource: TypeAlias = Num[Array, "K"] | Num[np.ndarray, "K"] | tuple[Real, ...]
Matrix: TypeAlias = Float[Array, "d d"] | Float[np.ndarray, "d d"]
Matrices: TypeAlias = Float[Array, "K d d"] | Float[np.ndarray, "K d d"]
Vectors: TypeAlias = Float[Array, "K d"] | Float[np.ndarray, "K d"]


@quadratic_in_noise
def simulate_multi_source(
    key: Key,
    noise: Noise,
    Sigmas: Matrices,
    Sigma_test: Matrix,
    thetas: Vectors,
    w_star: Vector,
    ns: tuple[int, ...],
    sigmas: PerSource,
    weights: PerSource,
    lam: Real,
    theta0: Vector | None = None,
) -> dict[str, Array]:
    """Excess risk of a ridge fit to K sources of Gaussian rows: one replicate.

        w_hat = argmin (1/n) sum_k a_k |y_k - X_k w|^2 + lam |w - theta0|^2,   n = sum_k n_k
        y_k = X_k theta_k + sigma_k eps,   rows of X_k ~ N(0, Sigma_k)
        risk = (w_hat - w_star)' Sigma_test (w_hat - w_star)

    Source: the setting of @dohmatob2024strong, extended to K sources of unequal covariance.
    Domain: lam > 0, Sigmas and Sigma_test positive definite, n_k, sigma_k, a_k >= 0, at least one row.

    Sigmas [K, d, d], thetas [K, d], ns, sigmas, weights [K]: covariance, coefficients, rows, standard deviation of the
    label noise and row weight of each source. Sigma_test [d, d], w_star [d]: law and coefficients of the test data.
    lam: ridge; weighted squared errors are summed and divided by n. theta0: prior centre, 0 when it is None.
    probes: 0 for one draw of the noise, K for K noise vectors through one factorisation (see quadratic_in_noise).
    Returns risk; the noise of a test label is not added.
    Raises ValueError outside the domain.
    """
    ok = check_rows(**{f"ns[{k}]": n for k, n in enumerate(ns)}) & _check(sigmas, weights, lam)
    roots, test_root = jnp.linalg.cholesky(jnp.asarray(Sigmas)), jnp.linalg.cholesky(jnp.asarray(Sigma_test))
    truth, n = jnp.asarray(w_star), sum(ns)
    centre = jnp.zeros_like(truth) if theta0 is None else jnp.asarray(theta0)
    system, target = n * lam * jnp.eye(truth.size), n * lam * centre
    for k, rows in enumerate(ns):
        X = jax.random.normal(jax.random.fold_in(key, k), (rows, truth.size)) @ roots[k].T
        y = X @ jnp.asarray(thetas)[k] + jnp.asarray(sigmas, float)[k] * noise(k, (rows,))
        weighted = jnp.asarray(weights, float)[k] * X.T
        system, target = system + weighted @ X, target + weighted @ y
    w = cho_solve((jnp.linalg.cholesky(system), True), target)
    return {"risk": nan_unless(ok, test_root.T @ (w - truth))}


def simulate_multi_source_averaged(
    key: Key,
    Sigmas: Matrices,
    Sigma_test: Matrix,
    thetas: Vectors,
    w_star: Vector,
    ns: PerSource,
    sigmas: PerSource,
    weights: PerSource,
    lam: Real,
    theta0: Vector | None = None,
) -> dict[str, Array]:
    """Excess risk of a ridge fit to K sources, averaged over the label noise given the designs: one replicate.

    The setting, arguments and domain of simulate_multi_source. Each Gram matrix is drawn by its triangular factor,
    exactly in law, so that ns may be traced and costs nothing. No expectation over a design enters.

    Source: the setting of @dohmatob2024strong, extended to K sources of unequal covariance.
    Normalisation of lam: weighted squared errors are summed and divided by n = sum(ns).
    Returns total; the noise of a test label is not added.
    Raises ValueError outside the domain.
    """
    ns, sigmas, a = (jnp.asarray(x, float) for x in (ns, sigmas, weights))
    ok = in_domain((ns >= 0).all() & (ns % 1 == 0).all() & (ns.sum() >= 1), "ns", ns, "integers >= 0, one row or more")
    ok &= _check(sigmas, a, lam)
    roots, test_root = jnp.linalg.cholesky(jnp.asarray(Sigmas)), jnp.linalg.cholesky(jnp.asarray(Sigma_test))
    truth, penalty = jnp.asarray(w_star), jnp.sum(ns) * lam
    centre = jnp.zeros_like(truth) if theta0 is None else jnp.asarray(theta0)
    keys = jax.random.split(key, ns.size)
    rows = jax.vmap(lambda key, n, root: gram_rows(key, n, truth.size) @ root.T)(keys, ns, roots)
    rows = jnp.sqrt(a)[:, None, None] * rows
    system = jnp.einsum("kri,krj->ij", rows, rows) + penalty * jnp.eye(truth.size)
    filtered = cho_solve((jnp.linalg.cholesky(system), True), test_root)
    fits = rows @ filtered[None]
    gaps = jnp.einsum("kri,ki->kr", rows, jnp.asarray(thetas) - truth[None])
    bias = penalty * filtered.T @ (centre - truth) + jnp.einsum("krj,kr->j", fits, gaps)
    noise = jnp.sum(a * sigmas**2 * jnp.sum(fits**2, (1, 2)))
    return {"total": nan_unless(ok, jnp.sum(bias**2) + noise)}


def _check(sigmas: PerSource, weights: PerSource, lam: Real) -> bool | Array:
    ok = in_domain(lam > 0, "lam", lam, "lam > 0")
    return ok & check_non_negative(sigmas=jnp.asarray(sigmas), weights=jnp.asarray(weights))
