"""What a run was made with: enough to name it, and to make it again."""

import hashlib
import inspect
import json
import platform
import resource
import subprocess
import sys
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from theorylab.sweep.plan import Plan

__all__ = ["identity", "provenance"]

_PACKAGES = (
    "theorylab",
    "jax",
    "jaxlib",
    "flax",
    "optax",
    "numpy",
    "scipy",
    "xarray",
    "h5netcdf",
    "scikit-learn",
    "matplotlib",
)
_ROOT = Path(__file__).parent


def identity(config: str, seed: int, plans: Iterable["Plan"]) -> str:
    """A digest of everything on which the draws and floats of a run depend: the configuration, the seed, every number
    that enters a simulation, the code that simulates, the JAX version and the devices. Theory, verdicts and figures
    are made anew from stored results."""
    simulated = [plan for plan in plans if plan.sweep.simulate]
    parts = [config, str(seed), json.dumps(_backend(), sort_keys=True), metadata.version("jax")]
    parts += [f"{plan.name} {plan.digest()}" for plan in simulated]
    folders = {_ROOT / "numerics", _ROOT / "problems", _ROOT / "sweep"}
    folders |= {Path(inspect.getfile(inspect.unwrap(plan.sweep.simulate))).parent for plan in simulated}  # type: ignore[arg-type]
    for path in sorted(path for folder in folders for path in folder.glob("*.py")):
        parts.append(hashlib.sha256(path.read_bytes()).hexdigest())
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def provenance(seed: int, seconds: float) -> dict[str, Any]:
    """Versions, devices, seed, command, state of the sources, wall time and peak memory."""
    return {
        "command": " ".join(sys.argv),
        "seed": seed,
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}",
        "versions": {package: _version(package) for package in _PACKAGES},
        **_backend(),
        "sources": _git("describe", "--always", "--dirty", "--abbrev=12"),
        "seconds": round(seconds, 2),
        "peak_memory_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }


def _backend() -> dict[str, Any]:
    import jax

    devices = jax.local_devices()
    return {
        "devices": f"{len(devices)} x {devices[0].device_kind} ({devices[0].platform})",
        "float64": bool(jax.config.read("jax_enable_x64")),
    }


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "not installed"


def _git(*arguments: str) -> str:
    try:
        done = subprocess.run(["git", "-C", str(_ROOT), *arguments], capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return "unknown"
    return done.stdout.strip() or "unknown"
