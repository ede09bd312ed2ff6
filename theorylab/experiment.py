"""Experiments: how a module of `simulations/` is found, configured and built. Imports neither jax nor numpy."""

import importlib
import json
import pkgutil
from collections.abc import Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import TYPE_CHECKING, Any, TypeVar

from theorylab.errors import UsageError, nearest

if TYPE_CHECKING:
    from theorylab.compare.claims import Claim
    from theorylab.sweep.spec import Sweep

__all__ = ["PRESETS", "Experiment", "build", "geomspace", "load", "names", "preset"]

PRESETS = ("quick", "paper")

Value = TypeVar("Value")


@dataclass(frozen=True)
class Experiment:
    """The executable form of a paper's experimental section: named sweeps, and the claims that they test."""

    sweeps: Mapping[str, "Sweep"]
    claims: tuple["Claim", ...]

    def __post_init__(self) -> None:
        for claim in self.claims:
            for sweep in claim.sweeps:
                if sweep not in self.sweeps:
                    raise UsageError(f"claim {claim.says!r} is about sweep {sweep!r}; {nearest(sweep, self.sweeps)}")


def preset(name: str, **values: Value) -> Value:
    """The value of a preset: `d=preset(name, quick=(32, 64), paper=(100, 200))` keeps both on one line.

    Raises UsageError for an unknown preset.
    """
    if name not in values:
        raise UsageError(f"preset = {name!r}: {nearest(name, values)}")
    return values[name]


def geomspace(start: float, stop: float, num: int, digits: int = 4) -> tuple[float, ...]:
    """`num` points from `start` to `stop` in constant ratio, rounded to so many digits for people to type."""
    ratio = (stop / start) ** (1 / max(num - 1, 1))
    return tuple(float(f"{start * ratio**i:.{digits}g}") for i in range(num))


def names() -> list[str]:
    """All experiments: the modules of the package `simulations`."""
    package = importlib.import_module("simulations")
    return sorted(info.name for info in pkgutil.iter_modules(package.__path__) if not info.name.startswith("_"))


def load(name: str) -> ModuleType:
    """The module of an experiment. Raises UsageError with the nearest name when there is none."""
    if name not in names():
        raise UsageError(f"sim = {name!r} is no experiment: {nearest(name, names())}")
    return importlib.import_module(f"simulations.{name}")


def build(module: ModuleType, config: str | Mapping[str, Any]) -> Experiment:
    """The experiment of a module for a configuration, given as a ConfigDict or as its JSON."""
    from ml_collections import ConfigDict

    return module.experiment(ConfigDict(json.loads(config), convert_dict=True) if isinstance(config, str) else config)
