"""Kernel regression on fixed inputs, in the eigenbasis of the kernel matrix; the weight that fits validation data."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from theorylab.numerics.domain import in_domain, nan_unless
from theorylab.types import Real, Vector

__all__ = [
    "DiabetesProblem",
    "FixedDesign",
    "diabetes_problem",
    "fixed_design",
    "gaussian_kernel",
    "self_distillation_optimal_weight_validation",
    "sine_problem",
]

Predictions = Float[Array, "..."] | Float[np.ndarray, "..."]


class FixedDesign(NamedTuple):
    """A kernel matrix K = U diag(kernel_spectrum) U' on n fixed inputs, and the true values f there.

    K: [n, n]. f: [n]. kernel_spectrum: eigenvalues of K itself, descending, negative rounding errors set to zero [n].
    basis: U [n, n]. f_coef_sq: squared coefficients (U'f)^2 [n].
    """

    K: np.ndarray
    f: np.ndarray
    kernel_spectrum: np.ndarray
    basis: np.ndarray
    f_coef_sq: np.ndarray


def fixed_design(K: np.ndarray, f: np.ndarray) -> FixedDesign:
    """The eigensystem of a kernel matrix. Raises ValueError unless K is symmetric, positive and fits f."""
    K, f = np.asarray(K, float), np.asarray(f, float)
    in_domain(f.ndim == 1 and K.shape == (f.size, f.size), "K", f"matrix of shape {K.shape}", f"[n, n], n = {f.size}")
    in_domain(np.abs(K - K.T) <= 1e-12 * np.abs(K).max(), "K", "matrix", "symmetric")
    eigenvalues, vectors = np.linalg.eigh(K)
    rounding = 1e-12 * np.abs(eigenvalues).max()
    in_domain(eigenvalues >= -rounding, "K", f"matrix with eigenvalue {eigenvalues.min():.3g}", "positive")
    basis = vectors[:, ::-1]
    return FixedDesign(K, f, np.maximum(eigenvalues[::-1], 0.0), basis, (basis.T @ f) ** 2)


def sine_problem(n: int, bandwidth: float) -> FixedDesign:
    """f = sin(2 pi x) on n equidistant inputs in [0, 1], K_ij = exp(-(x_i - x_j)^2 / (2 bandwidth^2)).

    Domain: n >= 2, bandwidth > 0. Raises ValueError outside it.
    """
    in_domain(n >= 2, "n", n, "n >= 2")
    x = np.linspace(0, 1, n)
    return fixed_design(np.asarray(gaussian_kernel(x, bandwidth)), np.sin(2 * np.pi * x))


def gaussian_kernel(x: Vector, bandwidth: Real) -> Float[Array, "d d"] | Float[np.ndarray, "d d"]:
    """exp(-(x_i - x_j)^2 / (2 bandwidth^2)) for inputs on a line; NumPy unless an argument belongs to JAX.

    Domain: bandwidth > 0. Raises ValueError outside it.
    """
    ok = in_domain(bandwidth > 0, "bandwidth", bandwidth, "bandwidth > 0")
    xp = jnp if isinstance(x, jax.Array) or isinstance(bandwidth, jax.Array) else np
    return nan_unless(ok, xp.exp(-((x[:, None] - x[None]) ** 2) / (2 * bandwidth**2)))


class DiabetesProblem(NamedTuple):
    """Kernel matrix of all inputs [N, N], and targets of mean zero and variance one [N]."""

    K: np.ndarray
    targets: np.ndarray


def diabetes_problem(bandwidth: float) -> DiabetesProblem:
    """The 442 patients of the diabetes data that ship with scikit-learn, inputs of unit variance, Gaussian kernel.

    K_ij = exp(-|x_i - x_j|^2 / (2 d bandwidth^2)) with d = 10 inputs.

    Domain: bandwidth > 0. Raises ValueError outside it.
    """
    from sklearn.datasets import load_diabetes

    in_domain(bandwidth > 0, "bandwidth", bandwidth, "bandwidth > 0")
    data = load_diabetes()
    inputs, targets = ((values - values.mean(0)) / values.std(0) for values in (data.data, data.target))
    squares = np.sum((inputs[:, None] - inputs[None]) ** 2, -1)
    return DiabetesProblem(np.exp(-squares / (2 * inputs.shape[1] * bandwidth**2)), targets)


def self_distillation_optimal_weight_validation(
    p1: Predictions, p0: Predictions, y_val: Predictions, clip: bool = False
) -> Float[Array, ""]:
    """Weight of the true labels in the next distillation step that fits validation labels best.

        real_weight = <y_val - p0, p1 - p0> / |p1 - p0|^2

    The next model predicts real_weight p1 + (1 - real_weight) p0 for every weight, so this is the exact minimiser of
    its squared validation error. It is not confined to [0, 1].

    Source: derived here for the setting of @borup2021even.
    Domain: p1 and p0 differ.

    p1: predictions of a model trained on the true labels, at the validation points. p0: of one trained on the
    predictions of the previous model. y_val: the labels there. Sums run over all entries, points and outputs.
    clip: confine the weight to [0, 1].
    Returns the weight.
    Raises ValueError when the shapes differ, and outside the domain.
    """
    p1, p0, y_val = jnp.asarray(p1), jnp.asarray(p0), jnp.asarray(y_val)
    if not p1.shape == p0.shape == y_val.shape:
        raise ValueError(f"p1, p0 and y_val have shapes {p1.shape}, {p0.shape} and {y_val.shape}")
    change = p1 - p0
    power = jnp.sum(change**2)
    ok = in_domain(power > 0, "p1", "p0", "predictions that differ from p0")
    weight = jnp.sum((y_val - p0) * change) / jnp.where(power > 0, power, 1.0)
    return nan_unless(ok, jnp.clip(weight, 0, 1) if clip else weight)
