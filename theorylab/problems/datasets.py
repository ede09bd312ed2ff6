"""Real data: the digits that ship with scikit-learn, and MNIST where the user has it."""

import gzip
import os
import struct
from pathlib import Path
from typing import NamedTuple

import numpy as np

from theorylab.errors import UsageError, nearest

__all__ = ["DATASETS", "Dataset", "digits", "load_dataset", "mnist"]

_MNIST_SHAPE = (70_000, 784)
_MNIST_FILES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)


class Dataset(NamedTuple):
    """inputs [N, d], pixels in [0, 1]; labels [N], integers."""

    inputs: np.ndarray
    labels: np.ndarray


def digits() -> Dataset:
    """The 1,797 handwritten digits of 8 x 8 pixels that ship with scikit-learn."""
    from sklearn.datasets import load_digits

    data = load_digits()
    return Dataset(data.data / 16.0, data.target.astype(int))


def mnist(path: str | os.PathLike | None = None) -> Dataset:
    """The 70,000 handwritten digits of 28 x 28 pixels.

    path: a .npz file with x_train, y_train, x_test, y_test; or a folder with the four original idx files, gzipped or
        not. Without one, the environment variable THEORYLAB_MNIST; without that, scikit-learn's fetcher, online.
    Raises UsageError saying what was tried when the data cannot be had, and when a file is not MNIST.
    """
    path = path or os.environ.get("THEORYLAB_MNIST")
    images, labels = _fetch_mnist() if path is None else _read_mnist(Path(path))
    if images.shape != _MNIST_SHAPE or labels.shape != _MNIST_SHAPE[:1]:
        raise UsageError(f"mnist: {path} holds images of shape {images.shape}, not {_MNIST_SHAPE}")
    return Dataset(images / 255.0, labels.astype(int))


DATASETS = {"digits": digits, "mnist": mnist}


def load_dataset(name: str) -> Dataset:
    """A data set by its name. Raises UsageError with the nearest name when there is none."""
    if name not in DATASETS:
        raise UsageError(f"dataset = {name!r}: {nearest(name, DATASETS)}")
    return DATASETS[name]()


def _fetch_mnist() -> tuple[np.ndarray, np.ndarray]:
    from sklearn.datasets import fetch_openml

    try:
        data = fetch_openml("mnist_784", version=1, as_frame=False, parser="liac-arff")
    except OSError as error:  # no network, no cache
        raise UsageError(
            "mnist: no file was named and the download failed; set THEORYLAB_MNIST to an mnist.npz, or to a folder "
            f"with the four idx files ({', '.join(_MNIST_FILES)}, gzipped or not)"
        ) from error
    return np.asarray(data.data, float), np.asarray(data.target, float)


def _read_mnist(path: Path) -> tuple[np.ndarray, np.ndarray]:
    try:
        return _read_npz(path) if path.is_file() else _read_idx_folder(path)
    except (OSError, KeyError, ValueError, struct.error) as error:
        raise UsageError(
            f"mnist: {path} is neither an mnist.npz nor a folder with the four idx files: {error}"
        ) from error


def _read_npz(path: Path) -> tuple[np.ndarray, np.ndarray]:
    with np.load(path, allow_pickle=False) as file:
        images = np.concatenate([file["x_train"], file["x_test"]])
        labels = np.concatenate([file["y_train"], file["y_test"]])
    return images.reshape(len(images), -1).astype(float), labels


def _read_idx_folder(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    train, train_labels, test, test_labels = (_read_idx(folder, name) for name in _MNIST_FILES)
    images = np.concatenate([train, test])
    return images.reshape(len(images), -1).astype(float), np.concatenate([train_labels, test_labels])


def _read_idx(folder: Path, name: str) -> np.ndarray:
    """An idx file: two zeros, the type (8: bytes), the number of dimensions, the dimensions, the data."""
    plain = folder / name
    with open(plain, "rb") if plain.exists() else gzip.open(folder / f"{name}.gz", "rb") as file:
        zeros, kind, dims = struct.unpack(">HBB", file.read(4))
        if (zeros, kind) != (0, 8) or dims not in (1, 3):
            raise ValueError(f"{name} is no idx file of bytes")
        shape = struct.unpack(f">{dims}I", file.read(4 * dims))
        size = int(np.prod(shape, dtype=object))
        if size > _MNIST_SHAPE[0] * _MNIST_SHAPE[1]:
            raise ValueError(f"{name} claims {size} bytes")
        data = np.frombuffer(file.read(size), np.uint8)
    return data.reshape(shape)
