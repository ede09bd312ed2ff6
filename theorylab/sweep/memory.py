"""How much memory a simulation needs, read off its traced program before anything is compiled."""

import math
from typing import Any

import jax

__all__ = ["available_memory", "peak_bytes"]


def peak_bytes(jaxpr: Any) -> int:
    """Largest sum of live arrays while a traced program runs, with no fusion and no reuse of buffers."""
    jaxpr = getattr(jaxpr, "jaxpr", jaxpr)
    last = {v: i for i, eqn in enumerate(jaxpr.eqns) for v in eqn.invars if _is_variable(v)}
    last.update({v: len(jaxpr.eqns) for v in jaxpr.outvars if _is_variable(v)})
    live = {v: _bytes(v) for v in (*jaxpr.invars, *jaxpr.constvars)}
    peak = total = sum(live.values())
    for index, eqn in enumerate(jaxpr.eqns):
        made = {v: _bytes(v) for v in eqn.outvars}
        inside = max((peak_bytes(part) for part in _parts(eqn.params)), default=0)
        live.update(made)
        total += sum(made.values())
        peak = max(peak, total + inside)
        for v in [v for v in (*eqn.invars, *eqn.outvars) if _is_variable(v) and last.get(v, -1) <= index]:
            total -= live.pop(v, 0)
    return peak


def available_memory(device: Any) -> int:
    """Bytes that an accelerator gives to programs; for a CPU, what the operating system calls available."""
    stats = device.memory_stats() if device.platform != "cpu" else None
    if stats and "bytes_limit" in stats:
        return stats["bytes_limit"]
    try:
        with open("/proc/meminfo", encoding="ascii") as lines:
            return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable"))
    except (OSError, StopIteration):
        return 2**63 - 1


def _parts(params: dict[str, Any]) -> list[Any]:
    leaves = jax.tree.leaves(list(params.values()), is_leaf=lambda leaf: hasattr(leaf, "eqns"))
    return [leaf for leaf in leaves if hasattr(getattr(leaf, "jaxpr", leaf), "eqns")]


def _is_variable(v: Any) -> bool:
    return not hasattr(v, "val")  # a literal carries its value


def _bytes(v: Any) -> int:
    aval = v.aval
    itemsize = getattr(getattr(aval, "dtype", None), "itemsize", 0)
    return math.prod(getattr(aval, "shape", ())) * itemsize
