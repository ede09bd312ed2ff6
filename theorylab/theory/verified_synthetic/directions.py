"""Ridge on selected pairs when label and selection depend on a few directions of an isotropic input: the engine."""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from theorylab.numerics.domain import in_domain, nan_unless
from theorylab.theory.verified_synthetic._arguments import check_ratio, floats
from theorylab.types import Real

__all__ = ["SelectedBulk", "SelectedOverlaps", "selected_ridge_bulk", "selected_ridge_overlaps"]


class SelectedBulk(NamedTuple):
    """delta: leverage of a kept pair. V: squared weights outside the subspace per unit of mean squared residual."""

    delta: Float[Array, ""]
    V: Float[Array, ""]


class SelectedOverlaps(NamedTuple):
    """Trained weights inside the subspace [k], and their squared norm outside it, where they are isotropic."""

    w: Float[Array, "k"]
    perp_norm2: Float[Array, ""]


def selected_ridge_bulk(pi: Real, gamma: Real, lam: Real) -> SelectedBulk:
    """Scalar fixed point of ridge on selected pairs, and the variance factor of the uninformative directions.

        lam delta^2 + (pi + lam - gamma) delta - gamma = 0 ,   delta >= 0
        V = gamma / ((pi + lam (1 + delta))^2 - gamma pi)

    Limit of large n and d at fixed ratio.

    Source: derived here for the setting of @feng2024beyond.
    Domain: 0 < pi <= 1, gamma, lam >= 0, and lam > 0 unless gamma < pi.

    pi: share of the pairs that is kept. gamma: dimensions per generated pair. lam: ridge; squared errors are summed
    over the kept pairs and divided by the number generated, the penalty is lam |w|^2.
    Returns SelectedBulk.
    Raises ValueError outside the domain.
    """
    ok = in_domain((pi > 0) & (pi <= 1), "pi", pi, "0 < pi <= 1: a verifier that keeps some pair")
    ok &= check_ratio(gamma, lam, pi)
    pi, gamma, lam = floats(pi, gamma, lam)
    b = pi + lam - gamma
    root = jnp.sqrt(b * b + 4 * lam * gamma)
    plus = b > 0
    delta = jnp.where(plus, 2 * gamma / jnp.where(plus, b + root, 1.0), (root - b) / (2 * jnp.where(plus, 1.0, lam)))
    stiffness = pi + lam * (1 + delta)
    return nan_unless(ok, SelectedBulk(delta, gamma / (stiffness**2 - gamma * pi)))


def selected_ridge_overlaps(
    pi: Real, M: Float[Array, "k k"] | Float[np.ndarray, "k k"], c: Float[Array, "k"] | Float[np.ndarray, "k"],
    gamma: Real, lam: Real,
) -> SelectedOverlaps:  # fmt: skip
    """Trained weights inside and outside the subspace on which label and selection depend.

        w = (M + lam (1 + delta))^-1 c ,   perp_norm2 = V (pi - 2 c . w + w . M w)

    with delta and V of `selected_ridge_bulk`. Inputs have independent standard normal coordinates outside the subspace.
    Limit of large n and d at fixed ratio; gamma = 0 gives infinitely many pairs.

    Source: derived here for the setting of @feng2024beyond.
    Domain: that of `selected_ridge_bulk`; the residual pi - 2 c . w + w . M w is not negative.

    pi: E q, share of the pairs that is kept. M: E q x x' in the subspace [k, k]. c: E q y x, y the given label [k].
    gamma, lam: as for `selected_ridge_bulk`.
    Returns SelectedOverlaps.
    Raises ValueError outside the domain, and where the shapes of M and c do not fit.
    """
    in_domain(M.shape == (len(c), len(c)), "M", f"matrix of shape {M.shape}", f"{len(c)} x {len(c)}, as c has")
    bulk = selected_ridge_bulk(pi, gamma, lam)
    pi, M, c, lam = floats(pi, M, c, lam)
    w = jnp.linalg.solve(M + lam * (1 + bulk.delta) * jnp.eye(len(c)), c)
    residual = pi - 2 * jnp.sum(c * w) + jnp.sum(w * (M @ w))
    ok = in_domain(~(residual < -1e-9), "M, c", "moments", "those of one law: no negative residual")
    return nan_unless(ok, SelectedOverlaps(w, bulk.V * jnp.maximum(residual, 0.0)))
