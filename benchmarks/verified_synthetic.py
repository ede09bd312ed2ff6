"""Training on verified labels: a phase diagram, a replicate of many pairs. Ratios of medians, interleaved in one run.

python benchmarks/verified_synthetic.py
"""

import time
from collections.abc import Callable

import jax
import numpy as np
from scipy import optimize, stats

import theorylab

theorylab.enable_x64()

from theorylab import simulators, theory  # noqa: E402

D, SIDE, ROUNDS = 100, 200, 5
MU, LAM, P = 2.0, 0.1, 0.35
FEW = 400  # points of the phase diagram that the SciPy loop computes; its time is scaled up


def main() -> None:
    phase_diagram()
    replicates()


def phase_diagram() -> None:
    """Accuracy at SIDE x SIDE keep rates: one compiled call against a loop over SciPy's root finder."""
    spectrum, mu, n = np.ones(D), np.full(D, MU / D**0.5), 20.0 * D
    rates = np.linspace(0.005, 1, SIDE)
    phi, psi = (grid.ravel() for grid in np.meshgrid(rates, rates, indexing="ij"))
    one = lambda phi, psi: theory.verified_gmm_accuracy(spectrum, mu, n, LAM, P, phi, psi).accuracy
    run = jax.jit(lambda phi, psi: jax.lax.map(lambda pair: one(*pair), (phi, psi), batch_size=1000))
    some = np.random.default_rng(0).choice(phi.size, FEW, replace=False)
    ours = lambda: np.asarray(run(phi, psi))
    loop = lambda: np.array([scipy_accuracy(spectrum, mu, n, phi[i], psi[i]) for i in some])
    times, (fast, slow) = race(ours, loop)
    times[:, 1] *= phi.size / FEW
    error = np.max(np.abs(fast[some] - slow))
    seconds = np.median(times, 0)
    print(f"phase diagram of the breakdown, {SIDE} x {SIDE} points, d = {D}, any spectrum")
    print(f"  SciPy brentq, point by point: {seconds[1]:.1f} s")
    print(f"  one compiled call: {seconds[0]:.3f} s, {seconds[1] / seconds[0]:.0f} times as fast, error {error:.0e}")


def scipy_accuracy(spectrum: np.ndarray, mu: np.ndarray, n: float, phi: float, psi: float) -> float:
    """What a person writes who has the formulas."""
    keep = phi * (1 - P) + psi * P
    n_kept, lam, a = n * keep, LAM / keep, (phi * (1 - P) - psi * P) / keep
    gap = lambda delta: np.sum(spectrum / (spectrum / (1 + delta) + lam)) / n_kept - delta
    delta = optimize.brentq(gap, 0, spectrum.sum() / (n_kept * lam), xtol=1e-13)
    G = 1 / (spectrum / (1 + delta) + lam)
    g, t = mu**2 @ G, (spectrum**2 @ G**2) / n_kept / (1 + delta) ** 2
    T, h = (1 + delta) ** 2 * t / (1 - t), (mu**2 * spectrum) @ G**2 / (1 - t)
    s2 = a**2 * (h + T) / (1 + delta + g) ** 2 + (1 - a**2) * T / (1 + delta) ** 2
    return stats.norm.cdf(a * g / (1 + delta + g) / np.sqrt(s2))


def replicates() -> None:
    """One replicate: a person's NumPy, rows in bounded memory, and groups, whose cost is free of n."""
    family, spectrum, mu = simulators.verified_synthetic, np.ones(D), np.full(D, MU / D**0.5)
    task = dict(spectrum=spectrum, mu=mu, lam=LAM, p=0.6, phi=0.9, psi=0.3)
    keys = lambda count: jax.random.split(jax.random.key(0), count)
    groups = jax.jit(
        lambda keys, n: jax.lax.map(lambda key: family.simulate_verified_groups(key, n=n, **task)["accuracy"], keys)
    )
    for n, count in ((2000, 50), (100_000, 3), (1_000_000, 1)):
        rows = jax.jit(lambda keys, n=n: jax.lax.map(
            lambda key: family.simulate_verified_mixture(key, n=n, **task)["accuracy"], keys))  # fmt: skip
        formula = float(theory.verified_gmm_accuracy(spectrum, mu, n, LAM, 0.6, 0.9, 0.3).accuracy)
        ways = {
            "careful NumPy": (count, lambda count=count, n=n: numpy_replicates(count, n, mu)),
            "simulate_verified_mixture, rows": (count, lambda count=count, rows=rows: np.asarray(rows(keys(count)))),
            "simulate_verified_groups": (200, lambda n=n: np.asarray(groups(keys(200), float(n)))),
        }
        times, found = race(*(way for _, way in ways.values()))
        print(f"verified mixture, d = {D}, n = {n}: milliseconds a replicate")
        each = np.median(times, 0) / [repeats for repeats, _ in ways.values()]
        for name, seconds, accuracy in zip(ways, each, found):
            ratio, gap = each[0] / seconds, np.mean(accuracy) - formula
            print(f"  {name}: {1e3 * seconds:.3f}, {ratio:.1f} times as fast, off the formula by {gap:+.4f}")


def numpy_replicates(count: int, n: int, mu: np.ndarray) -> np.ndarray:
    """Only the kept rows enter the products: what a person who knows NumPy writes."""
    rng, found = np.random.default_rng(0), np.empty(count)
    for i in range(count):
        y = rng.choice([-1.0, 1.0], n)
        x = y[:, None] * mu + rng.standard_normal((n, D))
        wrong = rng.random(n) < 0.6
        kept = rng.random(n) < np.where(wrong, 0.3, 0.9)
        x, given = x[kept], np.where(wrong, -y, y)[kept]
        w = np.linalg.solve(x.T @ x / n + LAM * np.eye(D), x.T @ given / n)
        found[i] = stats.norm.cdf(mu @ w / np.linalg.norm(w))
    return found


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


if __name__ == "__main__":
    main()
