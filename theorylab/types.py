"""Names for the shapes and kinds of arguments that appear in public signatures."""

from typing import TypeAlias

import numpy as np
from jaxtyping import Array, Float, Num, PRNGKeyArray

Real: TypeAlias = float | int | Num[np.floating, ""] | Num[np.integer, ""] | Num[np.ndarray, ""] | Num[Array, ""]
Vector: TypeAlias = Float[Array, "d"] | Float[np.ndarray, "d"]
Key: TypeAlias = PRNGKeyArray

__all__ = ["Array", "Key", "Real", "Vector"]
