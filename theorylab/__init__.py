"""theorylab: machine-learning theory, checked against simulation.

`theorylab.theory` holds closed-form predictors, `theorylab.simulators` the finite-size experiments that they
describe, `theorylab.compare` the judge between the two. Everything loads on first use.
"""

import importlib
from typing import Any

__version__ = "0.1.0"
__all__ = ["cite", "compare", "enable_x64", "numerics", "plotting", "problems", "simulators", "sweep", "theory"]

_PACKAGES = {"compare", "numerics", "plotting", "problems", "simulators", "sweep", "theory"}


def __getattr__(name: str) -> Any:
    if name in _PACKAGES:
        return importlib.import_module(f"theorylab.{name}")
    if name == "cite":
        return importlib.import_module("theorylab.citations").cite
    raise AttributeError(f"module 'theorylab' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])


def enable_x64() -> None:
    """Switch JAX to float64, which the theory wants. Call it before the first array is made."""
    import jax

    jax.config.update("jax_enable_x64", True)
