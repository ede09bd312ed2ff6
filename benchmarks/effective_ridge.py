"""Effective ridge against what a user would write instead. Ratios of medians, interleaved in one run.

python benchmarks/effective_ridge.py
"""

import time
from collections.abc import Callable

import jax
import numpy as np
from scipy.optimize import brentq

import theorylab

theorylab.enable_x64()

from theorylab.numerics import compress_spectrum, effective_ridge  # noqa: E402

ROUNDS = 9


def main() -> None:
    grid_of_points()
    long_spectrum()


def grid_of_points(points: int = 100_000, sample: int = 1000, d: int = 200) -> None:
    spectrum = np.arange(1, d + 1.0) ** -1.5
    n, lam = draw_points(points, 0.1 * d, 2 * d)
    solve = batched(spectrum)
    times, (kappa, baseline) = race(
        lambda: jax.block_until_ready(solve(n, lam)),
        lambda: np.array([bracketed(spectrum, *point) for point in zip(n[:sample], lam)]),
    )
    per_point = times / (points, sample)
    print(f"effective ridge, {points} points, d = {d}: {1e6 * np.median(per_point[:, 0]):.2f} us a point")
    report("  against a SciPy brentq loop", per_point, np.asarray(kappa)[:sample], baseline)


def long_spectrum(points: int = 10_000, sample: int = 32, d: int = 100_000) -> None:
    spectrum = np.arange(1, d + 1.0) ** -1.5
    n, lam = draw_points(points, 100, d)
    few = compress_spectrum(spectrum)
    compressed, whole = batched(few.nodes, few.multiplicity), batched(spectrum, batch_size=1)
    times, (kappa, baseline) = race(
        lambda: jax.block_until_ready(compressed(n, lam)),
        lambda: jax.block_until_ready(whole(n[:sample], lam[:sample])),
    )
    print(f"effective ridge, {points} points, d = {d}, compressed to {few.nodes.size} nodes")
    report("  against the whole spectrum", times / (points, sample), np.asarray(kappa)[:sample], np.asarray(baseline))


def draw_points(points: int, low: float, high: float) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    return rng.uniform(low, high, points), 10 ** rng.uniform(-6, 0, points)


def batched(spectrum: np.ndarray, multiplicity: np.ndarray | None = None, batch_size: int = 1024) -> Callable:
    one = lambda point: effective_ridge(spectrum, *point, multiplicity)
    return jax.jit(lambda n, lam: jax.lax.map(one, (n, lam), batch_size=batch_size))


def bracketed(spectrum: np.ndarray, n: float, lam: float) -> float:
    equation = lambda kappa: kappa - lam - kappa * np.sum(spectrum / (spectrum + kappa)) / n
    return brentq(equation, lam, lam + spectrum.sum() / n, xtol=1e-300, rtol=1e-13)


def race(*functions: Callable) -> tuple[np.ndarray, list]:
    """Seconds [round, function], taken in turns after one warm-up, and the results."""
    results = [function() for function in functions]
    times = np.empty((ROUNDS, len(functions)))
    for row in times:
        for i, function in enumerate(functions):
            start = time.perf_counter()
            function()
            row[i] = time.perf_counter() - start
    return times, results


def report(what: str, times: np.ndarray, values: np.ndarray, reference: np.ndarray) -> None:
    ours, theirs = np.median(times, axis=0)
    error = np.max(np.abs(values / reference - 1))
    print(f"{what}: {theirs / ours:.1f} times as fast, largest relative difference {error:.1e}")


if __name__ == "__main__":
    main()
