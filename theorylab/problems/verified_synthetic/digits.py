"""Two groups of real images as the two classes of a mixture whose covariance within classes is the identity."""

from typing import NamedTuple

import numpy as np

from theorylab.numerics.domain import in_domain
from theorylab.problems.datasets import load_dataset

__all__ = ["ClassPopulation", "digits_task"]


class ClassPopulation(NamedTuple):
    """Two classes of real data. positive, negative: their inputs [N, d]. mu_norm: half the distance of their means."""

    positive: np.ndarray
    negative: np.ndarray
    mu_norm: float


def digits_task(digit: int, against: tuple[int, ...], images: int, d: int) -> ClassPopulation:
    """Images of one digit against images of others, as d whitened principal components.

    The mean of the two class means is the origin; the mean of the two covariances is the identity, so that the mixture
    that is fitted to them is x = y mu + z with |mu| = mu_norm.

    digit: the positive class. against: digits of the negative class; empty for all others. images: of each class,
    at regular distances in the data. d: components, 1 to 50.
    Raises ValueError outside this domain.
    """
    others = against or tuple(set(range(10)) - {digit})
    in_domain(digit in range(10), "digit", digit, "0 to 9")
    in_domain(set(others) <= set(range(10)) - {digit}, "against", against, f"digits 0 to 9, other than {digit}")
    in_domain(1 <= d <= 50, "d", d, "1 <= d <= 50")
    inputs, labels = load_dataset("digits")
    classes = [inputs[labels == digit], inputs[np.isin(labels, others)]]
    most = min(map(len, classes))
    in_domain(d < images <= most, "images", images, f"d < images <= {most}")
    classes = [group[np.linspace(0, len(group) - 1, images).round().astype(int)] for group in classes]
    middle = (classes[0].mean(0) + classes[1].mean(0)) / 2
    classes = [group - middle for group in classes]
    second_moment = sum(group.T @ group / len(group) for group in classes) / 2
    components = np.linalg.eigh(second_moment)[1][:, : -d - 1 : -1]
    classes = [group @ components for group in classes]
    within = sum(np.cov(group.T, bias=True).reshape(d, d) for group in classes) / 2
    whitening = np.linalg.inv(np.linalg.cholesky(within)).T
    positive, negative = (group @ whitening for group in classes)
    return ClassPopulation(positive, negative, float(np.linalg.norm(positive.mean(0))))
