"""Arguments of the predictors: one floating dtype, that of the spectrum, and one set of refusals."""

from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from theorylab.numerics.domain import in_domain
from theorylab.types import Real, Vector

__all__ = [
    "check_levels",
    "check_mixture",
    "check_spectrum",
    "check_threshold",
    "floats",
    "non_negative",
    "same_length",
]


def floats(spectrum: Vector, *values: Any) -> list[Array]:
    """The spectrum and the values as arrays of the floating dtype of the spectrum."""
    spectrum = jnp.asarray(spectrum)
    dtype = spectrum.dtype if jnp.issubdtype(spectrum.dtype, jnp.floating) else jnp.result_type(float)
    return [jnp.asarray(value, dtype) for value in (spectrum, *values)]


def non_negative(**values: Any) -> Any:
    """Every value, or array of values, is finite and >= 0."""
    ok = True
    for name, value in values.items():
        ok &= in_domain((value >= 0) & (value < np.inf), name, value, f"0 <= {name} < inf")
    return ok


def same_length(spectrum: Vector, **vectors: Any) -> None:
    """Each vector has an entry for every eigenvalue; None stands for a vector that is not given."""
    for name, vector in vectors.items():
        allowed = f"as many entries as spectrum, {spectrum.shape[0]}"
        if vector is not None:
            in_domain(vector.shape == spectrum.shape, name, f"array of shape {vector.shape}", allowed)


def check_spectrum(spectrum: Vector) -> Any:
    """One or more eigenvalues, finite, not negative, not all zero."""
    in_domain(spectrum.ndim == 1 and spectrum.size > 0, "spectrum", spectrum.shape, "one or more eigenvalues")
    return non_negative(spectrum=spectrum) & in_domain((spectrum > 0).any(), "spectrum", spectrum, "not all zero")


def check_mixture(spectrum: Vector, w1_sq: Any, delta_sq: Any, cross: Any) -> Any:
    """The second moments of true weights and shift belong to the spectrum and to one another."""
    same_length(spectrum, w1_sq=w1_sq, delta_sq=delta_sq, cross=cross)
    ok = check_spectrum(spectrum) & non_negative(w1_sq=w1_sq, delta_sq=delta_sq)
    if cross is None:
        return ok
    allowed = "|cross| <= sqrt(w1_sq delta_sq) (cross violates Cauchy-Schwarz)"
    bound = (w1_sq * delta_sq) ** 0.5 * (1 + 1e-9) + 1e-9 * (w1_sq + delta_sq)
    return ok & in_domain(abs(cross) <= bound, "cross", cross, allowed)


def check_levels(n: Real, p2: Real, sigma1: Real, sigma2: Real, lam: Real) -> Any:
    """Rows, fraction of synthetic ones, noise levels and ridge."""
    ok = in_domain((n >= 1) & (n < np.inf), "n", n, "1 <= n < inf")
    ok &= in_domain((p2 >= 0) & (p2 <= 1), "p2", p2, "0 <= p2 <= 1")
    return ok & non_negative(sigma1=sigma1, sigma2=sigma2, lam=lam)


def check_threshold(n: Real, spectrum: Vector, lam: Real, m: Real | None = None) -> Any:
    """A ridgeless fit keeps off the interpolation threshold, where n equals the number of parameters that it sees."""
    rank = (spectrum > 0).sum(dtype=spectrum.dtype)
    diverges = "where lam = 0 (the ridgeless risk diverges; use lam > 0)"
    ok = (lam > 0) | (n != rank) | (False if m is None else m < rank)
    ok = in_domain(ok, "n", n, f"n different from the effective rank {diverges}")
    if m is None:
        return ok
    return ok & in_domain((lam > 0) | (n != m) | (m > rank), "n", n, f"n different from m {diverges}")
