"""Time to 1% standard error of a chain of kernel regressions on digits, against a loop over scikit-learn's KernelRidge.

RBF kernel, T = T0 = 400, generations 0, 1, 3, 6, eleven ridges. Both sides take the kernel matrix as given. The cost is
the time per replicate times the replicates that the spread of the average over the grid asks for (at least 8). Medians
of rounds, interleaved in one process; without compilation.
"""

import os
import statistics
import time

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import jax
import numpy as np
from sklearn.kernel_ridge import KernelRidge

import theorylab
from theorylab import problems, simulators

T, LAM0, SIGMA, GENERATIONS = 400, 1e-3, 0.2, (0, 1, 3, 6)
LAM = np.geomspace(1e-5, 1.0, 11)
ROUNDS = 5


def sklearn_chain(rng, K, F):
    def fit(points, values, lam):
        labels = values[points] + SIGMA * rng.standard_normal((T, F.shape[1]))
        model = KernelRidge(alpha=T * lam, kernel="precomputed").fit(K[np.ix_(points, points)], labels)
        return model.predict(K[:, points])

    chain = [F]
    for _ in range(max(GENERATIONS)):
        chain.append(fit(rng.integers(0, len(K), T), chain[-1], LAM0))
    points = rng.integers(0, len(K), T)
    return [[((fit(points, chain[g], lam) - F) ** 2).sum() / len(K) for g in GENERATIONS] for lam in LAM]


def main():
    theorylab.enable_x64()
    problem = problems.kernel_problem("digits", "rbf")
    rng = np.random.default_rng(0)
    simulate = simulators.regression_collapse.simulate_kernel_chain
    program = jax.jit(lambda key: simulate(key, problem.K, problem.F, T, T, LAM, LAM0, SIGMA, SIGMA, GENERATIONS))
    seeds = iter(range(10**6))
    forms = {
        "scikit-learn loop": lambda: np.array(sklearn_chain(rng, problem.K, problem.F)),
        "simulator": lambda: np.asarray(program(jax.random.key(next(seeds)))["risk"]),
    }
    times, samples = {name: [] for name in forms}, {name: [form()] for name, form in forms.items()}
    for _ in range(ROUNDS):
        for name, form in forms.items():
            start = time.perf_counter()
            samples[name].append(form())
            times[name].append(time.perf_counter() - start)
    cost = {}
    for name in forms:
        # both draw the same law: one spread, pooled over both, keeps the ratio from being a ratio of two noisy spreads
        pooled = np.concatenate([np.array(samples[form]).mean((1, 2)) for form in forms])
        needed = max(8, (pooled.std(ddof=1) / pooled.mean() / 0.01) ** 2)
        cost[name] = statistics.median(times[name]) * needed
        print(f"{name}: {1e3 * statistics.median(times[name]):.0f} ms a replicate, {needed:.0f} replicates to 1%")
    print(f"simulator against a KernelRidge loop: {cost['scikit-learn loop'] / cost['simulator']:.1f} times as fast")


if __name__ == "__main__":
    main()
