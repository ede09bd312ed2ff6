"""Kernel regression on a finite population of real data: kernel matrix, targets, spectrum and coefficients."""

from typing import NamedTuple

import numpy as np

from theorylab.errors import UsageError, nearest
from theorylab.problems.datasets import load_dataset

__all__ = ["KERNELS", "KernelProblem", "kernel_problem", "polynomial_kernel", "rbf_kernel"]

POPULATION = 5000
"""Points that are kept of a larger data set: the first ones. The kernel matrix takes 8 N^2 bytes, its spectrum N^3."""


class KernelProblem(NamedTuple):
    """The N points as the whole population, K / N = U diag(spectrum) U'.

    K: kernel matrix [N, N]. F: targets, one-hot labels minus 0.1 [N, 10]. spectrum: eigenvalues, ascending, rounding
    errors below 1e-15 set to zero [N]. C: coefficients of the targets, U'F / sqrt(N) [N, 10].
    """

    K: np.ndarray
    F: np.ndarray
    spectrum: np.ndarray
    C: np.ndarray


def rbf_kernel(inputs: np.ndarray, bandwidth: float = 1.0) -> np.ndarray:
    """exp(-|x - x'|^2 / (2 bandwidth median)), with the median of the squared distances of distinct rows [N, N]."""
    if not bandwidth > 0:
        raise ValueError(f"bandwidth = {bandwidth} is outside its domain: bandwidth > 0")
    squares = (inputs**2).sum(1)
    distances = np.maximum(squares[:, None] + squares[None, :] - 2 * inputs @ inputs.T, 0.0)
    median = np.median(distances[~np.eye(len(inputs), dtype=bool)])
    return np.exp(-distances / (2 * bandwidth * median))


def polynomial_kernel(inputs: np.ndarray, bandwidth: float = 1.0) -> np.ndarray:
    """((1 + x.x' / (bandwidth mean|x|^2)) / 2)^5  [N, N]."""
    if not bandwidth > 0:
        raise ValueError(f"bandwidth = {bandwidth} is outside its domain: bandwidth > 0")
    return ((1 + inputs @ inputs.T / (bandwidth * (inputs**2).sum(1).mean())) / 2) ** 5


KERNELS = {"rbf": rbf_kernel, "poly": polynomial_kernel}


def kernel_problem(dataset: str, kernel: str, bandwidth: float = 1.0) -> KernelProblem:
    """Kernel regression of one-hot labels on a data set, by the names of both.

    Host code, NumPy float64. Raises UsageError with the nearest name for an unknown data set or kernel, and
    ValueError for a bandwidth that is not positive.
    """
    if kernel not in KERNELS:
        raise UsageError(f"kernel = {kernel!r}: {nearest(kernel, KERNELS)}")
    inputs, labels = (array[:POPULATION] for array in load_dataset(dataset))
    K = KERNELS[kernel](inputs, bandwidth)
    F = np.eye(10)[labels] - 0.1
    spectrum, U = np.linalg.eigh(K / len(K))
    return KernelProblem(K, F, np.where(spectrum < 1e-15, 0.0, spectrum), U.T @ F / len(K) ** 0.5)
