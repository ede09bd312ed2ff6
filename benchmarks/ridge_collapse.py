"""Time to 1% standard error of the risks of a chain of ridge regressions, against what a user would write instead.

The sweep of the collapse experiment: power law of beta = 1.5, r = 0.7, d = 100, T = 80, T0 = 200, sigma = 0.3,
sigma0 = 0.2, sixteen ridges, generations 0 to 10 on least-squares generators. The cost of a form is its time per
replicate times the replicates that its spread asks for, at the median point of the grid (the worst one in brackets)
and 8 at least. NumPy, scikit-learn and the direct simulator draw the same law and share one estimate of its spread.
Medians of interleaved rounds in one process, one thread of BLAS, without compilation.
"""

import os
import statistics
import time

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import jax
import numpy as np
from sklearn.linear_model import LinearRegression, Ridge

import theorylab
from theorylab import problems, simulators

D, T, T0, SIGMA, SIGMA0 = 100, 80, 200, 0.3, 0.2
LAM, GENERATIONS = np.geomspace(1e-3, 1e-1, 16), tuple(range(11))
LANES, BATCH, ROUNDS, SPREAD = 32, 8, 7, 1024


def numpy_chain(rng, spectrum, w_star):
    """Careful NumPy: normal equations by Cholesky, one eigendecomposition for all ridges and labels: risks [L, G]."""
    scale, weights = spectrum**0.5, [w_star]
    for _ in range(max(GENERATIONS)):
        X = rng.standard_normal((T0, D)) * scale
        moment = X.T @ (X @ weights[-1] + SIGMA0 * rng.standard_normal(T0))
        L = np.linalg.cholesky(X.T @ X)
        weights.append(np.linalg.solve(L.T, np.linalg.solve(L, moment)))
    X = rng.standard_normal((T, D)) * scale
    labels = X @ np.array(weights).T + SIGMA * rng.standard_normal((T, 1))
    eigenvalues, vectors = np.linalg.eigh(X @ X.T / T)
    inverse = 1 / (eigenvalues + LAM[:, None])
    fits = (inverse[:, None, :] * (vectors.T @ labels / T).T) @ (X.T @ vectors).T
    return (fits - w_star) ** 2 @ spectrum


def sklearn_chain(rng, spectrum, w_star):
    """As a user writes it: one fit for every ridge and every number of generators."""
    scale, weights = spectrum**0.5, [w_star]
    for _ in range(max(GENERATIONS)):
        X = rng.standard_normal((T0, D)) * scale
        y = X @ weights[-1] + SIGMA0 * rng.standard_normal(T0)
        weights.append(LinearRegression(fit_intercept=False).fit(X, y).coef_)
    X, noise = rng.standard_normal((T, D)) * scale, SIGMA * rng.standard_normal(T)
    fit = lambda w, lam: Ridge(alpha=T * lam, fit_intercept=False).fit(X, X @ w + noise).coef_
    return np.array([[spectrum @ (fit(weights[g], lam) - w_star) ** 2 for g in GENERATIONS] for lam in LAM])


def main():
    theorylab.enable_x64()
    spectrum, w_star = problems.power_law_problem(D, 1.5, 0.7)
    rng = np.random.default_rng(0)
    family = simulators.regression_collapse

    def lanes(simulate, *arguments, **options):
        lane = lambda key: simulate(key, spectrum, w_star, *arguments, SIGMA, SIGMA0, GENERATIONS, **options)["risk"]
        program = jax.jit(lambda keys: jax.lax.map(lane, keys, batch_size=BATCH))
        seeds = iter(range(10**6))
        return lambda: np.asarray(program(jax.random.split(jax.random.key(next(seeds)), LANES)))

    direct = (family.simulate_ridge_chain, T, T0, LAM, 0.0)
    forms = {
        "careful NumPy": lambda: [numpy_chain(rng, spectrum, w_star) for _ in range(LANES)],
        "scikit-learn loop": lambda: [sklearn_chain(rng, spectrum, w_star) for _ in range(LANES // 8)],
        "direct simulator": lanes(*direct),
        "16 noise probes": lanes(*direct, probes=16),
        "noise averaged": lanes(family.simulate_ols_chain_noise_averaged, T, T0, T, LAM),
    }
    times = {name: [] for name in forms}
    for _ in range(ROUNDS + 1):
        for name, form in forms.items():
            start = time.perf_counter()
            count = len(form())
            times[name].append((time.perf_counter() - start) / count)
    spread, cost = {}, {}
    for name in list(forms)[2:]:
        risk = np.concatenate([forms[name]() for _ in range(SPREAD // LANES)])
        spread[name] = (risk.std(0, ddof=1) / risk.mean(0) / 0.01) ** 2
    for name in forms:
        asked = spread.get(name, spread["direct simulator"])
        typical, worst = max(8, np.median(asked)), max(8, asked.max())
        per_replicate = statistics.median(times[name][1:])  # the first call compiles
        cost[name] = per_replicate * np.array([typical, worst])
        print(f"{name}: {1e3 * per_replicate:.2f} ms a replicate, {typical:.0f} replicates ({worst:.0f})")
    for slow, fast in (("careful NumPy", "noise averaged"), ("scikit-learn loop", "16 noise probes")):
        typical, worst = cost[slow] / cost[fast]
        print(f"{fast} against {slow}: {typical:.0f} times as fast ({worst:.0f})")


if __name__ == "__main__":
    main()
