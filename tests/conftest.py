"""Strict settings for every test: float64, no implicit promotion, run-time checks of the annotations."""

import jax
from jaxtyping import install_import_hook

jax.config.update("jax_enable_x64", True)
jax.config.update("jax_numpy_rank_promotion", "raise")
jax.config.update("jax_numpy_dtype_promotion", "strict")

_hook = install_import_hook(
    ["theorylab.theory", "theorylab.numerics", "theorylab.problems", "theorylab.simulators"],
    "beartype.beartype",
)
