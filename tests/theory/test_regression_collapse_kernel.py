"""Kernel chains: the same map per output, checked on the digits of scikit-learn."""

import numpy as np
import pytest

from theorylab.theory import kernel_ridge_chain_risk, kernel_ridge_collapse_risk, ridge_chain_risk

RNG = np.random.default_rng(0)
SPECTRUM = np.append(np.arange(1, 31.0) ** -2.0, np.zeros(5))
C = RNG.normal(size=(35, 4)) * np.append(np.arange(1, 31.0) ** -1.0, np.full(5, 0.01))[:, None]
STAGES = ([20, 25, 40], [0.01, 0.001, 0.02], [0.1, 0.3, 0.2])


@pytest.fixture(scope="module")
def digits():
    """Eigenvalues of K/N and coefficients of the targets for the RBF kernel at the median squared distance."""
    from sklearn.datasets import load_digits

    data, labels = load_digits(return_X_y=True)
    x, target = data / 16, np.eye(10)[labels] - 0.1
    squared = np.sum(x**2, axis=1)
    distance = np.maximum(squared[:, None] + squared[None, :] - 2 * x @ x.T, 0)
    median = np.median(distance[np.triu_indices(len(x), 1)])
    assert median == pytest.approx(9.4140625)
    spectrum, vectors = np.linalg.eigh(np.exp(-distance / (2 * median)) / len(x))
    return spectrum, vectors.T @ target / np.sqrt(len(x))


def per_output(predictor, spectrum, c, *stages):
    return sum(predictor(spectrum, column, *stages) for column in c.T)


def test_the_sum_over_outputs_of_the_chain():
    ours = kernel_ridge_chain_risk(SPECTRUM, C, *STAGES)
    np.testing.assert_allclose(ours, per_output(ridge_chain_risk, SPECTRUM, C, *STAGES), rtol=1e-12)
    # planted faults: noise once for all outputs, ridge of the un-normalised problem, targets not divided
    for fault in (
        ridge_chain_risk(SPECTRUM, np.sqrt(np.sum(C**2, axis=1)), *STAGES),
        kernel_ridge_chain_risk(SPECTRUM, C, STAGES[0], np.multiply(*STAGES[:2]), STAGES[2]),
        kernel_ridge_chain_risk(SPECTRUM, C * np.sqrt(35), *STAGES),
    ):
        assert np.max(np.abs(fault / ours - 1)) > 0.01


def test_collapse_risk_is_the_last_stage():
    for n in (0, 1, 3):
        stages = [[20] * n + [40], [0.01] * n + [0.02], [0.1] * n + [0.2]]
        expected = kernel_ridge_chain_risk(SPECTRUM, C, *stages)[-1]
        ours = kernel_ridge_collapse_risk(SPECTRUM, C, n, 40, 20, 0.02, 0.01, 0.2, 0.1)
        np.testing.assert_allclose(ours, expected, rtol=1e-13)


def test_eigenvalues_of_rounding_size_are_unlearnable_targets():
    noisy = SPECTRUM + np.append(np.zeros(30), [1e-17, -1e-17, 2e-16, -3e-16, 0])
    np.testing.assert_allclose(
        kernel_ridge_chain_risk(noisy, C, *STAGES), kernel_ridge_chain_risk(SPECTRUM, C, *STAGES), rtol=1e-14
    )
    unlearnable = np.sum(C[30:] ** 2)
    assert kernel_ridge_chain_risk(SPECTRUM, C, [10**9], [0.0], [0.1])[0] == pytest.approx(unlearnable, rel=1e-4)


def test_values_on_digits(digits):
    arguments = dict(T=400, T0=400, lam=1e-3, sigma=0.1, sigma0=0.1)
    clean = kernel_ridge_collapse_risk(*digits, generations=0, lam0=1e-3, **arguments)
    np.testing.assert_allclose(clean, 0.18794208345488, rtol=1e-10)
    chain = kernel_ridge_collapse_risk(*digits, generations=3, lam0=1e-4, **arguments)
    np.testing.assert_allclose(chain, 0.26239842422413, rtol=1e-10)


def test_published_curves_on_digits(digits):
    """lam = 1/T, T0 = 400, lam0 = 1e-3, sigma = sigma0 = .2 (theory sheet, crossover figure)."""
    for n, expected in ((0, (0.563, 0.257, 0.150)), (1, (0.575, 0.329, 0.265)), (6, (0.662, 0.512, 0.491))):
        risks = [kernel_ridge_collapse_risk(*digits, n, T, 400, 1 / T, 1e-3, 0.2, 0.2) for T in (50, 400, 1500)]
        np.testing.assert_allclose(risks, expected, atol=6e-4)
