"""Kernel problems on real data, and reading data that the user brings."""

import gzip
import struct

import numpy as np
import pytest

from theorylab.errors import UsageError
from theorylab.problems import datasets, kernels


def test_digits_are_the_population_of_the_published_numbers():
    data = datasets.digits()
    assert data.inputs.shape == (1797, 64) and data.inputs.max() == 1.0 and set(data.labels) == set(range(10))
    squares = ((data.inputs[:, None, :8] - data.inputs[None, :50, :8]) ** 2).sum(-1)  # a corner, computed directly
    assert squares.shape == (1797, 50)
    # the bandwidth is the median squared distance of distinct images, 9.4140625
    K = kernels.rbf_kernel(data.inputs)
    pair = ((data.inputs[0] - data.inputs[1]) ** 2).sum()
    assert K[0, 1] == pytest.approx(np.exp(-pair / (2 * 9.4140625)), rel=1e-12)
    assert np.allclose(K, K.T, rtol=0, atol=1e-15) and np.all(np.diag(K) == pytest.approx(1.0, abs=1e-12))


@pytest.mark.parametrize("kernel", kernels.KERNELS)
def test_spectrum_and_coefficients_give_back_kernel_and_targets(kernel):
    problem = kernels.kernel_problem("digits", kernel)
    N = 1797
    assert problem.spectrum.sum() == pytest.approx(np.trace(problem.K) / N, rel=1e-10)
    assert (problem.C**2).sum() == pytest.approx((problem.F**2).sum() / N, rel=1e-12)
    # |K F|^2 / N^3 is the same in the eigenbasis
    expected = ((problem.K @ problem.F) ** 2).sum() / N**3
    assert (problem.spectrum[:, None] ** 2 * problem.C**2).sum() == pytest.approx(expected, rel=1e-10)
    assert problem.spectrum.min() >= 0 and problem.F.sum() == pytest.approx(0.0, abs=1e-9)


def test_polynomial_kernel_of_two_points():
    K = kernels.polynomial_kernel(np.array([[1.0, 0.0], [0.0, 1.0]]))
    np.testing.assert_allclose(K, [[1.0, 1 / 32], [1 / 32, 1.0]])


@pytest.mark.parametrize("call, message", [
    (lambda: kernels.kernel_problem("digit", "rbf"), "did you mean 'digits'"),
    (lambda: kernels.kernel_problem("digits", "rfb"), "did you mean 'rbf'"),
    (lambda: kernels.kernel_problem("digits", "rbf", 0.0), "bandwidth = 0.0 is outside its domain"),
    (lambda: kernels.polynomial_kernel(np.ones((3, 2)), -1.0), "bandwidth = -1.0 is outside its domain"),
])  # fmt: skip
def test_unknown_names_and_bad_bandwidths_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.fixture
def small_mnist(monkeypatch):
    monkeypatch.setattr(datasets, "_MNIST_SHAPE", (5, 4))
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (5, 2, 2), np.uint8), rng.integers(0, 10, 5, np.uint8)


def write_idx(path, array, opener=open):
    with opener(path, "wb") as file:
        file.write(
            struct.pack(">HBB", 0, 8, array.ndim) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()
        )


@pytest.mark.parametrize("packed", [False, True])
def test_mnist_from_idx_files(small_mnist, tmp_path, packed):
    images, labels = small_mnist
    parts = (images[:3], labels[:3], images[3:], labels[3:])
    for name, part in zip(datasets._MNIST_FILES, parts):
        write_idx(tmp_path / (f"{name}.gz" if packed else name), part, gzip.open if packed else open)
    data = datasets.mnist(tmp_path)
    np.testing.assert_allclose(data.inputs, images.reshape(5, 4) / 255)
    np.testing.assert_array_equal(data.labels, labels)


def test_mnist_from_npz_and_from_the_environment(small_mnist, tmp_path, monkeypatch):
    images, labels = small_mnist
    path = tmp_path / "mnist.npz"
    np.savez(path, x_train=images[:3], y_train=labels[:3], x_test=images[3:], y_test=labels[3:])
    monkeypatch.setenv("THEORYLAB_MNIST", str(path))
    np.testing.assert_array_equal(datasets.load_dataset("mnist").labels, labels)


def objects(path):
    np.savez(path, x_train=np.array([{}], object), y_train=np.zeros(1), x_test=np.zeros(1), y_test=np.zeros(1))


def other_shape(path):
    np.savez(path, x_train=np.zeros((2, 3)), y_train=np.zeros(2), x_test=np.zeros((1, 3)), y_test=np.zeros(1))


@pytest.mark.parametrize("write", [objects, other_shape, lambda path: path.write_bytes(b"no archive")])
def test_a_file_that_is_not_mnist_is_refused(tmp_path, write):
    write(tmp_path / "mnist.npz")
    with pytest.raises(UsageError, match="mnist: "):
        datasets.mnist(tmp_path / "mnist.npz")


def test_a_folder_without_the_files_and_no_network_say_what_to_do(tmp_path, monkeypatch):
    with pytest.raises(UsageError, match="nor a folder with the four idx files"):
        datasets.mnist(tmp_path)
    import sklearn.datasets

    def offline(*args, **kwargs):
        raise OSError("no network")

    monkeypatch.setattr(sklearn.datasets, "fetch_openml", offline)
    with pytest.raises(UsageError, match="set THEORYLAB_MNIST"):
        datasets.mnist()
