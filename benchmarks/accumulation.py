"""Accumulated least squares to 1% standard error, against careful NumPy. Ratios of medians, interleaved in one run.

python benchmarks/accumulation.py
"""

import time
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

import theorylab

theorylab.enable_x64()

from theorylab import simulators, theory  # noqa: E402

D, T, FITS = 20, 60, 20
ROUNDS = 9
FEWEST = 8  # replicates below which no standard error is known


def main() -> None:
    family = simulators.accumulation
    sizes, sigmas, fits = (T,) * FITS, np.ones(FITS), tuple(range(1, FITS + 1))
    ways = {
        "careful NumPy, full Monte Carlo": numpy_sequence,
        "simulate_accumulation": batched(lambda key: family.simulate_accumulation(key, D, sizes, sigmas, fits)),
        "simulate_accumulation, 16 probes": batched(
            lambda key: family.simulate_accumulation(key, D, sizes, sigmas, fits, probes=16)
        ),
        "simulate_accumulation_noise_averaged": batched(
            lambda key: family.simulate_accumulation_noise_averaged(key, D, np.array(sizes), sigmas, fits)
        ),
    }
    formula = theory.accumulation_ols_risk(D, np.array(sizes), sigmas)
    times, samples = race(1000, *ways.values())
    print(
        f"accumulated least squares, d = {D}, T = {T}, {FITS} fits, to 1% of every risk, at least {FEWEST} replicates"
    )
    seconds = []
    for name, each, risk in zip(ways, times.T / 1000, samples):
        needed = max(FEWEST, float(np.max(risk.var(0, ddof=1) / risk.mean(0) ** 2)) / 0.01**2)
        seconds.append(needed * each)
        z = (risk.mean(0) - formula) / (risk.std(0, ddof=1) / len(risk) ** 0.5)
        print(
            f"  {name}: {1e3 * np.median(each):.3f} ms a replicate, {needed:.0f} replicates, largest |z| against the "
            f"formula {np.max(np.abs(z)):.1f}: {np.median(seconds[0]) / np.median(seconds[-1]):.1f} times as fast"
        )


def numpy_sequence(replicates: int, batch: int = 100) -> np.ndarray:
    """Batched normal equations: what a person who knows NumPy writes."""
    rng = np.random.default_rng(0)
    truth = np.full(D, D**-0.5)
    risk = np.empty((replicates, FITS))
    for start in range(0, replicates, batch):
        gram, moment = np.zeros((batch, D, D)), np.zeros((batch, D, 1))
        w = np.tile(truth[:, None], (batch, 1, 1))
        for n in range(FITS):
            X = rng.standard_normal((batch, T, D))
            transposed = X.transpose(0, 2, 1)
            gram += transposed @ X
            moment += transposed @ (X @ w + rng.standard_normal((batch, T, 1)))
            w = np.linalg.solve(gram, moment)
            risk[start : start + batch, n] = np.sum((w[..., 0] - truth) ** 2, -1)
    return risk


def batched(simulate: Callable) -> Callable[[int], np.ndarray]:
    run = jax.jit(lambda keys: jax.lax.map(lambda key: simulate(key)["risk"], keys, batch_size=25))
    keys = lambda count: jax.vmap(jax.random.fold_in, (None, 0))(jax.random.key(0), jnp.arange(count))
    return lambda count: np.asarray(run(keys(count)))


def race(replicates: int, *functions: Callable) -> tuple[np.ndarray, list]:
    """Seconds [round, function], taken in turns after one warm-up, and the results."""
    results = [function(replicates) for function in functions]
    times = np.empty((ROUNDS, len(functions)))
    for row in times:
        for i, function in enumerate(functions):
            start = time.perf_counter()
            function(replicates)
            row[i] = time.perf_counter() - start
    return times, results


if __name__ == "__main__":
    main()
