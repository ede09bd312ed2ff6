"""Domains of arguments: concrete values outside are refused by name, traced ones become NaN."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

__all__ = ["in_domain", "nan_unless"]


def in_domain(ok: Any, name: str, value: Any, allowed: str) -> Any:
    """Return the condition `ok`; where it is concrete and false, raise.

    ok: condition on `value`, boolean or an array of booleans; traced when any part of it is.
    Raises ValueError naming the argument, its value and what is allowed.
    """
    try:
        holds = bool(np.all(ok))
    except (jax.errors.TracerArrayConversionError, jax.errors.TracerBoolConversionError):
        return jnp.all(ok)
    if not holds:
        raise ValueError(f"{name} = {_short(value)} is outside its domain: {allowed}")
    return True


def nan_unless(ok: Any, result: Any) -> Any:
    """`result` where `ok`, NaN elsewhere; `result` may be a tree of floating-point arrays."""
    return jax.tree.map(lambda leaf: leaf if ok is True else jnp.where(ok, leaf, jnp.nan), result)


def _short(value: Any) -> str:
    text = " ".join(str(value).split())
    return text if len(text) <= 60 else text[:57] + "..."
