"""Risks of fits on real and synthetic rows, against careful NumPy; projections in constant memory; theory grids.

python benchmarks/strong_collapse.py
"""

import time
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from scipy.linalg import cho_factor, cho_solve

import theorylab

theorylab.enable_x64()

from theorylab import problems, simulators, theory  # noqa: E402

D, N1, N2 = 200, 420, 180
LEVELS = dict(sigma1=0.3, sigma2=0.3, lam=1e-3)
C2 = 0.25
ROUNDS = 7
FEWEST = 8  # replicates below which no standard error is known


def main() -> None:
    to_one_per_cent()
    constant_memory()
    theory_grid()


def to_one_per_cent() -> None:
    problem = problems.isotropic_shift(D)
    family = simulators.strong_collapse
    direct = lambda key: family.simulate_mixture(key, *directions(key), N1, N2, **LEVELS)["risk"]
    probed = lambda key: family.simulate_mixture(key, *directions(key), N1, N2, **LEVELS, probes=16)["risk"]
    averaged = lambda key: family.simulate_mixture_averaged(key, *problem, C2, N1, N2, **LEVELS)["total"]
    ways = {
        "careful NumPy, full Monte Carlo": numpy_mixture,
        "simulate_mixture": batched(direct),
        "simulate_mixture, 16 probes": batched(probed),
        "simulate_mixture_averaged": batched(averaged),
    }
    formula = float(theory.mixed_ridge_risk(problem.spectrum, problem.w1_sq, C2 * problem.shift_sq, N1 + N2,
                                            N2 / (N1 + N2), **LEVELS).total)  # fmt: skip
    times, samples = race(64, *ways.values())
    print(f"mixture of {N1} real and {N2} synthetic rows, d = {D}, to 1%, at least {FEWEST} replicates")
    seconds = []
    for name, each, risk in zip(ways, times.T / 64, samples):
        needed = max(FEWEST, risk.var(ddof=1) / risk.mean() ** 2 / 0.01**2)
        seconds.append(needed * each)
        z = (risk.mean() - formula) / (risk.std(ddof=1) / 8)
        print(f"  {name}: {1e3 * np.median(each):.2f} ms a replicate, {needed:.0f} replicates, z = {z:.1f}: "
              f"{np.median(seconds[0]) / np.median(seconds[-1]):.1f} times as fast")  # fmt: skip


def constant_memory(d: int = 400, n: int = 500) -> None:
    problem = problems.isotropic_shift(d)
    one = lambda key, m: simulators.simulate_mixture_averaged(key, *problem, C2, n / 2, n / 2, 0.1, 0.1, 1e-3, m=m)[
        "total"
    ]
    program = jax.jit(one).lower(jax.random.key(0), 100.0).compile()
    memory = program.memory_analysis()
    print(f"projections, d = {d}: one program, {memory.temp_size_in_bytes / 2**20:.1f} MiB at every m")
    for m in (50, 200, 400, 800, 1200):
        jax.block_until_ready(program(jax.random.key(0), float(m)))
        start = time.perf_counter()
        jax.block_until_ready(program(jax.random.key(1), float(m)))
        elapsed = time.perf_counter() - start
        print(f"  m = {m}: {1e3 * elapsed:.0f} ms a replicate (direct: {direct_memory(problem, n, m):.1f} MiB)")


def direct_memory(problem: problems.ShiftProblem, n: int, m: int) -> float:
    """MiB of the direct simulator, which keeps the projections and the features."""
    vectors = (problem.spectrum, problem.w1_sq**0.5, problem.shift_sq**0.5)
    one = lambda key: simulators.simulate_mixture(key, *vectors, n // 2, n // 2, 0.1, 0.1, 1e-3, m=m)["risk"]
    return jax.jit(one).lower(jax.random.key(0)).compile().memory_analysis().temp_size_in_bytes / 2**20


def theory_grid(points: int = 10_000) -> None:
    rng = np.random.default_rng(0)
    n, m = rng.uniform(50, 2000, (2, points))
    lam, p2 = 10 ** rng.uniform(-6, 0, points), rng.uniform(0, 1, points)
    spectrum = np.arange(1, 401.0) ** -1.2
    moments = (spectrum, np.full(400, 1 / 400), np.full(400, C2 / 400))
    grids = {
        "mixed_ridge_risk": lambda n, m, p2, lam: theory.mixed_ridge_risk(*moments, n, p2, 0.3, 0.3, lam).total,
        "mixed_projection_risk": lambda n, m, p2, lam: (
            theory.mixed_projection_risk(*moments, n, m, p2, 0.3, 0.3, lam).total
        ),
        "weighted_mixed_ridge_risk": lambda n, m, p2, lam: (
            theory.weighted_mixed_ridge_risk(*moments, n, p2, 0.3, 0.3, lam, 1.0, 0.3).total
        ),
    }
    for name, function in grids.items():
        grid = jax.jit(jax.vmap(function))
        jax.block_until_ready(grid(n, m, p2, lam))
        start = time.perf_counter()
        jax.block_until_ready(grid(n, m, p2, lam))
        print(f"{name}: {points} points at d = 400 in {time.perf_counter() - start:.2f} s, one compiled call")


def directions(key: jax.Array) -> tuple:
    """Spectrum, true weights and shift, each in a random direction."""
    w1, delta = jax.random.normal(jax.random.fold_in(key, 1), (2, D)) / jnp.sqrt(float(D))
    return np.ones(D), w1, jnp.sqrt(C2) * delta


def numpy_mixture(replicates: int) -> np.ndarray:
    """Normal equations by Cholesky, the draws made in place: what a person who knows NumPy writes."""
    rng, n = np.random.default_rng(0), N1 + N2
    risk, X = np.empty(replicates), np.empty((n, D))
    for i in range(replicates):
        w1, delta = rng.standard_normal((2, D)) / np.sqrt(D)
        rng.standard_normal(out=X)
        y = X @ w1 + 0.3 * rng.standard_normal(n)
        y[N1:] += X[N1:] @ (np.sqrt(C2) * delta)
        gram = X.T @ X
        gram.flat[:: D + 1] += n * LEVELS["lam"]
        risk[i] = np.sum((cho_solve(cho_factor(gram, overwrite_a=True, check_finite=False), X.T @ y) - w1) ** 2)
    return risk


def batched(simulate: Callable) -> Callable[[int], np.ndarray]:
    run = jax.jit(lambda keys: jax.lax.map(simulate, keys, batch_size=4))
    keys = lambda count: jax.vmap(jax.random.fold_in, (None, 0))(jax.random.key(0), jnp.arange(count))
    return lambda count: np.asarray(run(keys(count)))


def race(replicates: int, *functions: Callable) -> tuple[np.ndarray, list]:
    """Seconds [round, function], taken in turns after one warm-up, and the results."""
    results = [function(replicates) for function in functions]
    times = np.empty((ROUNDS, len(functions)))
    for i in range(ROUNDS):
        for j, function in enumerate(functions):
            start = time.perf_counter()
            function(replicates)
            times[i, j] = time.perf_counter() - start
    return times, results


if __name__ == "__main__":
    main()
