"""Ridge fits of one design: for one penalty and many labels, or for a whole grid of penalties."""

from collections.abc import Callable
from typing import TypeAlias

import jax.numpy as jnp
import numpy as np
from jax.scipy.linalg import cho_solve
from jaxtyping import Array, Float

from theorylab.types import Real

__all__ = ["Penalty", "penalised_inverse", "ridge_path", "ridge_solver"]

Penalty: TypeAlias = Real | Float[Array, "L"] | Float[np.ndarray, "L"]


def ridge_solver(X: Float[Array, "T d"], lam: Real) -> Callable[[Array], Array]:
    """The map y [T] or [T, G] -> argmin |y - X w|^2 / T + lam |w|^2, factorised once.

    lam = 0 gives least squares for T >= d (X of full rank) and the interpolator of least norm for T < d.
    """
    T, d = X.shape
    if T >= d:
        factor = jnp.linalg.cholesky(X.T @ X + T * lam * jnp.eye(d), symmetrize_input=False)
        return lambda y: cho_solve((factor, True), X.T @ y)
    factor = jnp.linalg.cholesky(X @ X.T + T * lam * jnp.eye(T), symmetrize_input=False)
    return lambda y: X.T @ cho_solve((factor, True), y)


def ridge_path(X: Float[Array, "T d"], lam: Float[Array, "L"], Y: Float[Array, "T G"]) -> Float[Array, "L G d"]:
    """Ridge fits of every column of Y for every penalty, from one eigendecomposition; pseudo-inverse at lam = 0."""
    T, d = X.shape
    if T >= d:
        eigenvalues, basis = jnp.linalg.eigh(X.T @ X / T, symmetrize_input=False)
        coordinates = basis.T @ (X.T @ Y) / T
    else:
        eigenvalues, vectors = jnp.linalg.eigh(X @ X.T / T, symmetrize_input=False)
        basis, coordinates = X.T @ vectors, vectors.T @ Y / T
    inverse = penalised_inverse(eigenvalues, lam)
    return (inverse[:, None, :] * coordinates.T[None]) @ basis.T


def penalised_inverse(eigenvalues: Float[Array, "q"], lam: Float[Array, "L"]) -> Float[Array, "L q"]:
    """1 / (eigenvalue + lam), and 0 for eigenvalues that are 0 to rounding (ascending order)."""
    size = eigenvalues.shape[0]
    present = eigenvalues > size * jnp.finfo(eigenvalues.dtype).eps * eigenvalues[-1]
    return jnp.where(present[None], 1 / (jnp.where(present, eigenvalues, 1.0)[None] + lam[:, None]), 0.0)
