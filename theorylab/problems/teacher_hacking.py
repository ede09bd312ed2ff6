"""An oracle and the Gaussian teacher who imitates it."""

from typing import NamedTuple

import numpy as np

from theorylab.numerics.domain import in_domain

__all__ = ["TeacherMeans", "teacher_means"]


class TeacherMeans(NamedTuple):
    """Means of the oracle, of norm 1, and of its teacher [d]."""

    mu_p: np.ndarray
    mu_q: np.ndarray


def teacher_means(d: int, scale: float, error: float) -> TeacherMeans:
    """A teacher whose mean is `scale` times the oracle's, plus an orthogonal error of norm `error`.

    Domain: d >= 2. Raises ValueError outside it.
    """
    in_domain(d >= 2, "d", d, "d >= 2")
    return TeacherMeans(np.eye(d)[0], scale * np.eye(d)[0] + error * np.eye(d)[1])
