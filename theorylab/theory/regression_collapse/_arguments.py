"""Arguments of the predictors: one floating dtype, one set of refusals."""

from collections.abc import Sequence
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Num

from theorylab.numerics.domain import in_domain
from theorylab.types import Real, Vector

__all__ = ["Stages", "fit_domain", "floats", "non_negative", "same_length", "stages"]

Stages: TypeAlias = Sequence[Real] | Num[Array, "J"] | Num[np.ndarray, "J"]


def floats(*values: Any, like: Any = None) -> list[Array]:
    """The values as arrays of the floating dtype of `like`, or of the default one."""
    dtype = jnp.result_type(float) if like is None else jnp.asarray(like).dtype
    return [jnp.asarray(value, dtype if jnp.issubdtype(dtype, jnp.floating) else float) for value in values]


def stages(values: Stages) -> Array | np.ndarray:
    """One value per stage, a NumPy array unless one is traced, so that a bad one can be refused."""
    try:
        return np.asarray(values, float)
    except jax.errors.TracerArrayConversionError:
        return jnp.asarray(values, float)


def non_negative(**values: Any) -> Any:
    """Every value (or array of values) is finite and >= 0."""
    ok = True
    for name, value in values.items():
        ok &= in_domain((value >= 0) & (value < np.inf), name, value, f"0 <= {name} < inf")
    return ok


def same_length(spectrum: Vector, name: str, vector: Any) -> None:
    """The vector (or the rows of the matrix) belongs to the spectrum."""
    allowed = f"as many entries as spectrum, {spectrum.shape[0]}"
    in_domain(vector.shape[:1] == spectrum.shape, name, f"array of shape {vector.shape}", allowed)


def fit_domain(spectrum: Vector, suffix: str = "", **fit: Any) -> Any:
    """A ridge fit of finite expected risk: spectrum, lam, sigma >= 0, T > 0, not at the interpolation threshold.

    fit: T, lam and, if there is label noise, sigma: numbers or one of each per stage.
    suffix: what follows these letters in the caller's names.
    """
    T, lam = fit["T"], fit["lam"]
    in_domain(spectrum.ndim == 1 and spectrum.size > 0, "spectrum", spectrum.shape, "one or more eigenvalues")
    ok = in_domain((spectrum >= 0) & (spectrum < np.inf), "spectrum", spectrum, "finite and >= 0")
    ok &= in_domain((T > 0) & (T < np.inf), f"T{suffix}", T, f"0 < T{suffix} < inf")
    ok &= non_negative(**{f"{name}{suffix}": value for name, value in fit.items() if name != "T"})
    allowed = "not the number of non-zero eigenvalues at zero ridge: there the expected risk is infinite"
    return ok & in_domain((lam > 0) | (T != _rank(spectrum, T)), f"T{suffix}", T, allowed)


def _rank(spectrum: Vector, T: Any) -> int | Array:
    """The number of non-zero eigenvalues, in a dtype that compares with T."""
    try:
        return int(np.count_nonzero(spectrum))
    except jax.errors.TracerArrayConversionError:
        return jnp.count_nonzero(spectrum).astype(getattr(T, "dtype", spectrum.dtype))
