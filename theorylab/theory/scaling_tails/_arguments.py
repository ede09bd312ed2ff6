"""Arguments of the predictors: one floating dtype, one set of refusals."""

from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from theorylab.numerics.domain import in_domain

__all__ = ["floats", "heavy_tailed", "non_negative", "share"]


def floats(*values: Any, like: Any = None) -> list[Array]:
    """The values as arrays of the floating dtype of `like`, or of the default one."""
    dtype = jnp.result_type(float) if like is None else like.dtype
    return [jnp.asarray(value, dtype) for value in values]


def non_negative(**values: Any) -> Any:
    ok = True
    for name, value in values.items():
        ok &= in_domain((value >= 0) & (value < np.inf), name, value, f"0 <= {name} < inf")
    return ok


def share(**values: Any) -> Any:
    ok = True
    for name, value in values.items():
        ok &= in_domain((value >= 0) & (value <= 1), name, value, f"0 <= {name} <= 1")
    return ok


def heavy_tailed(**exponents: Any) -> Any:
    """Exponents of laws over infinitely many ranks."""
    ok = True
    for name, beta in exponents.items():
        allowed = f"1 < {name} < inf: the exponent of an infinite Zipf law must exceed 1"
        ok &= in_domain((beta > 1) & (beta < np.inf), name, beta, allowed)
    return ok
