"""Chains of kernel ridge regressions on a finite population of real data points."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.linalg import cho_solve
from jaxtyping import Float

from theorylab.numerics.domain import in_domain, nan_unless
from theorylab.simulators.probes import Noise, quadratic_in_noise
from theorylab.simulators.regression_collapse._arguments import (
    Generations,
    Penalty,
    as_tuple,
    check_generations,
    drop_scalar_axes,
)
from theorylab.simulators.regression_collapse.fits import penalised_inverse
from theorylab.types import Array, Key, Real

__all__ = ["simulate_kernel_chain"]

Matrix = Float[Array, "N _"] | Float[np.ndarray, "N _"]


@quadratic_in_noise
def simulate_kernel_chain(
    key: Key,
    noise: Noise,
    K: Matrix,
    F: Matrix,
    T: int,
    T0: int,
    lam: Penalty,
    lam0: Real,
    sigma: Real,
    sigma0: Real,
    generations: Generations,
) -> dict[str, Array]:
    """Test error of a kernel ridge fit to labels from a chain of kernel ridge generators: one replicate.

        f_0 = F,  f_m = K_{.,I} (K_{I,I} + T0 lam0)^-1 (f_{m-1}(I) + sigma0 eps),  I: T0 points, with replacement,
        f = K_{.,I} (K_{I,I} + T lam)^-1 (f_g(I) + sigma eps),  risk = (1/N) sum_i |f(x_i) - F_i|^2

    The N points are the whole population. The fits for every g in `generations` and every penalty share their draws.

    Source: the setting of @dohmatob2024model, section on kernel regression.
    Domain: lam > 0 and lam0 > 0 (points repeat, so K_{I,I} is singular); sigma, sigma0 >= 0; T, T0 >= 1.

    K: kernel matrix [N, N]. F: targets [N, p], each output with its own label noise.
    T, T0: samples of the downstream fit, and of each generator. sigma, sigma0: standard deviation of their noise.
    lam: ridge of the downstream fit (mean loss), a grid [L] (one eigendecomposition) or a scalar (one Cholesky factor).
    lam0: ridge of the generators. generations: numbers of generators, or one number; 0 means true labels.
    Returns risk [L, G], without the axis of a scalar lam or generations. Raises ValueError outside the domain.
    """
    check_generations(generations)
    ok = in_domain((T >= 1) & (T0 >= 1), "T, T0", (T, T0), "T >= 1 and T0 >= 1")
    ok &= in_domain(jnp.all(jnp.asarray(lam) > 0) if jnp.ndim(lam) else lam > 0, "lam", lam, "lam > 0")
    ok &= in_domain(lam0 > 0, "lam0", lam0, "lam0 > 0")
    ok &= in_domain((sigma >= 0) & (sigma0 >= 0), "sigma, sigma0", (sigma, sigma0), "sigma >= 0 and sigma0 >= 0")
    K, F = jnp.asarray(K), jnp.asarray(F)

    def draw(m: int | Array, size: int) -> Array:
        return jax.random.randint(jax.random.fold_in(key, m), (size,), 0, K.shape[0])

    def generator(values: Array, m: Array) -> tuple[Array, Array]:
        points = draw(m, T0)
        rows = K[points]  # K is symmetric, and rows are contiguous
        factor = jnp.linalg.cholesky(rows[:, points] + T0 * lam0 * jnp.eye(T0), symmetrize_input=False)
        labels = values[points] + sigma0 * noise(m, (T0, F.shape[1]))
        values = rows.T @ cho_solve((factor, True), labels)
        return values, values

    chain = jax.lax.scan(generator, F, jnp.arange(1, max(as_tuple(generations)) + 1))[1]
    targets = jnp.concatenate([F[None], chain])[jnp.array(as_tuple(generations))]
    points = draw(0, T)
    labels = targets[:, points] + sigma * noise(0, (T, F.shape[1]))[None]
    errors = _errors(K, F, points, jnp.moveaxis(labels, 1, 0), lam)
    return {"risk": nan_unless(ok, drop_scalar_axes(errors, lam, generations) / K.shape[0] ** 0.5)}


def _errors(K: Array, F: Array, points: Array, labels: Float[Array, "T G p"], lam: Any) -> Array:
    """Predictions minus targets on all points, flattened: [L, G, N p], with L = 1 for a scalar penalty."""
    T, G, p = labels.shape
    rows, columns = K[points], labels.reshape(T, G * p)
    gram = rows[:, points]
    if jnp.ndim(lam) == 0:
        factor = jnp.linalg.cholesky(gram + T * lam * jnp.eye(T), symmetrize_input=False)
        fitted = (rows.T @ cho_solve((factor, True), columns))[None]
    else:
        eigenvalues, vectors = jnp.linalg.eigh(gram, symmetrize_input=False)
        inverse = penalised_inverse(eigenvalues, T * jnp.asarray(lam))
        rotated = rows.T @ vectors
        fitted = jnp.einsum("nt,lt,tc->lnc", rotated, inverse, vectors.T @ columns)
    fitted = fitted.reshape(-1, K.shape[0], G, p)
    return jnp.moveaxis(fitted - F[None, :, None, :], 2, 1).reshape(-1, G, K.shape[0] * p)
