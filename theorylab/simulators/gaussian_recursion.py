"""Refitting a Gaussian to its own samples, which replace the earlier ones or are added to them."""

import difflib
from typing import TypeAlias

import jax
import jax.numpy as jnp

from theorylab.numerics.domain import in_domain, nan_unless
from theorylab.types import Array, Key, Real

__all__ = ["simulate_gaussian_recursion"]

STRATEGIES = ("replace", "accumulate")
State: TypeAlias = tuple[Array, Array, Array, Array]  # mean, variance, sum and sum of squares of the samples so far


def simulate_gaussian_recursion(
    key: Key,
    n: int,
    refits: tuple[int, ...],
    var0: Real,
    unbiased: tuple[bool, ...],
    strategy: str = "replace",
    chains: int = 1,
) -> dict[str, Array]:
    """A Gaussian N(mu_t, var_t) fitted t times to its own samples, started from N(0, var0): one replicate.

        fit t:  sample mean and variance of n samples of fit t-1 ("replace"), or of these and all earlier ones

    Source: the setting of @shumailov2023curse; of @kazdan2024collapse for "accumulate".
    Domain: n >= 2, refits >= 0, var0 > 0, chains >= 1.

    n: samples per fit. refits: after which fits to measure; 0 is the start. var0: variance of the true distribution.
    unbiased: squared distances are divided by their number less one (True) or by their number (False, maximum
        likelihood); chains that differ only in this share their draws.
    strategy: "replace" or "accumulate".
    chains: independent chains that are averaged within the replicate.
    Returns averages [unbiased, refits] of mean_sq = mu_t^2, var = var_t, var_sq, std and log_var of var_t, and w2, the
    squared Wasserstein-2 distance mu_t^2 + (sqrt(var_t) - sqrt(var0))^2 to the start.
    Raises ValueError outside the domain.
    """
    if strategy not in STRATEGIES:
        near = difflib.get_close_matches(strategy, STRATEGIES, 1, 0.0)[0]
        raise ValueError(f"strategy = {strategy!r} is not one of {', '.join(STRATEGIES)}; did you mean {near!r}?")
    in_domain(n >= 2, "n", n, "n >= 2")
    in_domain(len(refits) > 0 and min(refits) >= 0, "refits", refits, "at least one number, all >= 0")
    in_domain(len(unbiased) > 0, "unbiased", unbiased, "at least one flag")
    in_domain(chains >= 1, "chains", chains, "chains >= 1")
    ok = in_domain(var0 > 0, "var0", var0, "var0 > 0")
    less = jnp.array(unbiased, float)[:, None]
    fit = _replaced if strategy == "replace" else _accumulated

    def step(state: State, t: Array) -> tuple[State, tuple[Array, Array]]:
        noise = jax.random.normal(jax.random.fold_in(key, t), (n, chains))
        state = fit(state, noise, t, less)
        return state, state[:2]

    nothing, start = jnp.zeros((len(unbiased), chains)), jnp.full((len(unbiased), chains), var0, float)
    path = jax.lax.scan(step, (nothing, start, nothing, nothing), jnp.arange(1, max(refits) + 1))[1]
    mu, var = (jnp.concatenate([a[None], b])[jnp.array(refits)] for a, b in zip((nothing, start), path))
    std = jnp.sqrt(var)
    moments = dict(mean_sq=mu**2, var=var, var_sq=var**2, std=std, log_var=jnp.log(var))
    moments["w2"] = mu**2 + (std - jnp.sqrt(var0)) ** 2
    return nan_unless(ok, {name: jnp.mean(value, -1).T for name, value in moments.items()})


def _replaced(state: State, noise: Array, t: Array, less: Array) -> State:
    """Mean and variance of x = mu + sqrt(var) noise, from those of the noise: var may fall far below mu^2 eps."""
    mu, var, total, squares = state
    mean = jnp.mean(noise, 0)
    spread = jnp.sum((noise - mean[None]) ** 2, 0)
    return mu + jnp.sqrt(var) * mean[None], var * spread[None] / (len(noise) - less), total, squares


def _accumulated(state: State, noise: Array, t: Array, less: Array) -> State:
    """Mean and variance of all samples, from their sums and sums of squares around the true mean."""
    mu, var, total, squares = state
    x = mu[:, None] + jnp.sqrt(var)[:, None] * noise[None]
    count = jnp.asarray(t * len(noise), float)
    total, squares = total + jnp.sum(x, 1), squares + jnp.sum(x**2, 1)
    mu = total / count
    return mu, (squares - count * mu**2) / (count - less), total, squares
