"""Strict settings for every test: float64, no implicit promotion, run-time checks of the annotations."""

import os
import tempfile

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # as a run has it
# tests compile much and compute little: without LLVM's passes they take two thirds of the time
os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} --xla_backend_optimization_level=0".strip()

import jax
from jaxtyping import install_import_hook

jax.config.update("jax_enable_x64", True)
jax.config.update("jax_numpy_rank_promotion", "raise")
jax.config.update("jax_numpy_dtype_promotion", "strict")

# many tests compile the same small programs: compile each once
_cache = os.path.join(tempfile.gettempdir(), f"theorylab-tests-{os.getuid()}")
jax.config.update("jax_compilation_cache_dir", _cache)
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)
jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)

_hook = install_import_hook(
    ["theorylab.theory", "theorylab.numerics", "theorylab.problems", "theorylab.simulators"],
    "beartype.beartype",
)
