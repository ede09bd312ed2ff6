"""Chains of kernel ridge regressions on a finite population of real data points."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.linalg import cho_solve
from jaxtyping import Float

from theorylab.numerics.domain import in_domain, nan_unless
from theorylab.simulators.probes import Noise, quadratic_in_noise
from theorylab.simulators.regression_collapse._arguments import Generations, as_tuple, check_chain, drop_scalar_axes
from theorylab.simulators.regression_collapse.fits import Penalty, penalised_inverse
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
        f = K_{.,J} (K_{J,J} + T lam)^-1 (f_g(J) + sigma eps),  J: T points,  risk = (1/N) sum_i |f(x_i) - F_i|^2

    The N points are the whole population. The fits for every g in `generations` and every penalty share their draws.

    Source: the setting of @dohmatob2024model, section on kernel regression.
    Domain: lam > 0 and lam0 > 0 (points repeat, so K_{I,I} is singular); sigma, sigma0 >= 0; T, T0 >= 1.

    K: kernel matrix [N, N], symmetric. F: targets [N, p], each output with its own label noise.
    T, T0: samples of the downstream fit, and of each generator. sigma, sigma0: standard deviation of their noise.
    lam: ridge of the downstream fit, a grid [L] (one eigendecomposition) or a scalar (one Cholesky factor).
    lam0: ridge of the generators. Squared errors are averaged over the samples, the penalty is lam times the squared
    norm of the kernel's space.
    generations: numbers of generators, or one number; 0 means true labels.
    probes: 0 for one draw of the noise, K for K noise vectors through each factorisation (see quadratic_in_noise).
    Returns risk [L, G], without the axis of a scalar lam or generations; irreducible noise is not added.
    Raises ValueError outside the domain.
    """
    if K.shape != (len(F), len(F)):
        raise ValueError(f"K has shape {K.shape}, but F has {len(F)} rows")
    ok = check_chain(T, T0, lam, lam0, sigma, sigma0, generations)
    ok &= in_domain(jnp.all(jnp.asarray(lam) > 0), "lam", lam, "lam > 0 (points repeat)")
    ok &= in_domain(lam0 > 0, "lam0", lam0, "lam0 > 0 (points repeat)")
    K, F = jnp.asarray(K), jnp.asarray(F)
    counts = as_tuple(generations)
    last, outputs = max(counts), F.shape[1]
    points, drawn = _draw(key, (T,), len(F)), _draw(jax.random.fold_in(key, 1), (last + 1, T0), len(F))

    def generator(labels: Array, stage: tuple[Array, Array, Array]) -> tuple[Array, Array]:
        """Coefficients of generator m from the labels of its points; it labels the points of the next one alone."""
        m, own, following = stage
        gram = _block(K, own, own) + T0 * lam0 * jnp.eye(T0)
        factor = jnp.linalg.cholesky(gram, symmetrize_input=False)
        weights = cho_solve((factor, True), labels + sigma0 * noise(m, (T0, outputs)))
        return _block(K, following, own) @ weights, weights

    stages = jnp.arange(1, last + 1), drawn[:-1], drawn[1:]
    weights = jax.lax.scan(generator, F[drawn[0]], stages)[1]

    def labels(g: Array) -> Array:
        """What generator g says about the points of the downstream fit; generator 0 is the truth."""
        predict = lambda: _block(K, points, drawn[g - 1]) @ weights[g - 1]
        return jax.lax.cond(g == 0, lambda: F[points], predict)

    targets = jax.lax.map(labels, jnp.array(counts)) if last else jnp.stack([F[points]] * len(counts))
    fitted = _predictions(K, points, targets + sigma * noise(0, (T, outputs))[None], lam)
    errors = (fitted - F.T[None, None]).reshape(*fitted.shape[:2], -1) / len(F) ** 0.5
    return {"risk": nan_unless(ok, drop_scalar_axes(errors, lam, generations))}


def _draw(key: Array, shape: tuple[int, ...], N: int) -> Array:
    """Points with replacement. A fit does not depend on their order, and in order K is read twice as fast."""
    return jnp.sort(jax.random.randint(key, shape, 0, N, jnp.int32), -1)


def _block(K: Array, rows: Array, columns: Array) -> Array:
    return K[rows[:, None], columns[None, :]]


def _predictions(K: Array, points: Array, labels: Float[Array, "G T p"], lam: Any) -> Float[Array, "L G p N"]:
    """Fits to every set of labels for every penalty (L = 1 for a scalar), on the whole population."""
    T = len(points)
    gram, columns = _block(K, points, points), jnp.moveaxis(labels, 1, -1)
    if jnp.ndim(lam) == 0:
        factor = jnp.linalg.cholesky(gram + T * lam * jnp.eye(T), symmetrize_input=False)
        flat = columns.reshape(-1, T)
        weights = cho_solve((factor, True), flat.T).T.reshape(1, *columns.shape)
    else:
        eigenvalues, vectors = jnp.linalg.eigh(gram, symmetrize_input=False)
        inverse = penalised_inverse(eigenvalues, T * jnp.asarray(lam))
        weights = (inverse[:, None, None, :] * (columns @ vectors)[None]) @ vectors.T
    return weights @ K[points]
