"""Least squares on labels of earlier fits: the data are replaced, accumulated, or drawn from the accumulated pool."""

import difflib
from typing import TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.linalg import cho_solve
from jaxtyping import Float, Num

from theorylab.numerics.domain import in_domain, nan_unless
from theorylab.numerics.random_matrices import wishart_factor
from theorylab.simulators.probes import Noise, quadratic_in_noise
from theorylab.types import Array, Key, Vector

__all__ = ["simulate_accumulation", "simulate_accumulation_noise_averaged"]

Sizes: TypeAlias = Num[Array, "blocks"] | Num[np.ndarray, "blocks"]

STRATEGIES = ("replace", "accumulate", "accumulate_shared", "subsample")


@quadratic_in_noise
def simulate_accumulation(
    key: Key,
    noise: Noise,
    d: int,
    sizes: tuple[int, ...],
    sigmas: Vector,
    fits: tuple[int, ...],
    strategy: str = "accumulate",
) -> dict[str, Array]:
    """Excess risk of a sequence of least-squares fits, each of which labels the next block of data: one replicate.

        block i:  y_i = X_i w_{i-1} + sigmas_i eps_i ,  w_0 = w_star ,  X_i of sizes_i rows N(0, I) ,
        w_n = least squares on the rows that the strategy keeps ,  risk_n = |w_n - w_star|^2

    Source: the setting of @gerstgrasser2024model, and of @kazdan2024collapse for "subsample".
    Domain: least squares is determined: sizes_1 >= d, for "replace" every size.

    d: dimension; neither the covariance of the inputs nor w_star, here of norm 1, changes the law of the risk.
    sizes: rows of each block. sigmas: standard deviation of the label noise of each block.
    fits: which fits to report, counted from 1.
    strategy: "replace", block n alone; "accumulate", blocks 1..n; "accumulate_shared", the same with one design for
        all blocks; "subsample", as many rows as a block has, drawn from blocks 1..n without replacement.
    probes: 0 for one draw of the noise, K for K noise vectors through each factorisation (see quadratic_in_noise).
    Returns risk [fits]; irreducible noise is not added.
    Raises ValueError outside the domain.
    """
    _check(d, len(sizes), sigmas, fits, strategy)
    _check_rows(d, sizes, strategy)
    ok = in_domain(jnp.asarray(sigmas) >= 0, "sigmas", sigmas, "sigmas >= 0")
    truth = jnp.full(d, d**-0.5)
    sequence = _subsampled if strategy == "subsample" else _growing
    weights = sequence(key, noise, truth, sizes, jnp.asarray(sigmas), strategy)
    return {"risk": nan_unless(ok, weights[jnp.array(fits) - 1] - truth[None])}


def simulate_accumulation_noise_averaged(
    key: Key, d: int, sizes: Sizes, sigmas: Vector, fits: tuple[int, ...], strategy: str = "accumulate"
) -> dict[str, Array]:
    """The risk of `simulate_accumulation` averaged over all label noise given the designs: one replicate.

        risk_n = sum_{i<=n} sigmas_i^2 tr(M_i^-1 X_i'X_i M_i^-1) ,  M_i the Gram matrix of the rows of fit i,

    since w_n = w_{n-1} + M_n^-1 X_n' noise_n. Of equal expectation and far smaller spread. Every design is drawn, by
    the triangular factor of its Gram matrix: exact in law, at a cost that does not depend on the sizes.

    Source: the setting of @gerstgrasser2024model.
    Domain: sizes >= d. Arguments and errors as for `simulate_accumulation`, without "subsample", whose noises do not
    add up.
    """
    if strategy == "subsample":
        raise ValueError("strategy = 'subsample' has no closed form given the designs; use simulate_accumulation")
    _check(d, len(sizes), sigmas, fits, strategy)
    ok = in_domain(jnp.asarray(sizes) >= d, "sizes", sizes, f"at least d = {d} rows in every block")
    ok &= in_domain(jnp.asarray(sigmas) >= 0, "sigmas", sigmas, "sigmas >= 0")

    def fit(gram: Array, block: tuple[Array, Array, Array]) -> tuple[Array, Array]:
        i, size, sigma = block
        root = wishart_factor(_design_key(key, strategy, i), d, size)
        gram = root @ root.T + (0.0 if strategy == "replace" else gram)
        factor = jnp.linalg.cholesky(gram, symmetrize_input=False)
        return gram, sigma**2 * jnp.sum(cho_solve((factor, True), root) ** 2)

    blocks = (jnp.arange(1, len(sizes) + 1), jnp.asarray(sizes), jnp.asarray(sigmas))
    added = jax.lax.scan(fit, jnp.zeros((d, d)), blocks)[1]
    return {"risk": nan_unless(ok, jnp.cumsum(added)[jnp.array(fits) - 1])}


def _growing(
    key: Key, noise: Noise, truth: Array, sizes: tuple[int, ...], sigmas: Array, strategy: str
) -> Float[Array, "blocks d"]:
    """Weights of all fits to block n alone ("replace") or to blocks 1..n, by their normal equations."""

    def fit(state: tuple[Array, Array, Array], block: tuple) -> tuple[tuple[Array, Array, Array], Array]:
        gram, moment, w = state
        i, size, sigma = block
        rows = jax.random.normal(_design_key(key, strategy, i), (max(sizes), truth.size))
        X = jnp.where((jnp.arange(max(sizes)) < size)[:, None], rows, 0.0)
        y = X @ w + sigma * noise(i, (max(sizes),))
        kept = 0.0 if strategy == "replace" else 1.0
        gram, moment = kept * gram + X.T @ X, kept * moment + X.T @ y
        w = cho_solve((jnp.linalg.cholesky(gram, symmetrize_input=False), True), moment)
        return (gram, moment, w), w

    start = (jnp.zeros((truth.size, truth.size)), jnp.zeros_like(truth), truth)
    return jax.lax.scan(fit, start, _stages(sizes, sigmas))[1]


def _subsampled(
    key: Key, noise: Noise, truth: Array, sizes: tuple[int, ...], sigmas: Array, strategy: str
) -> Float[Array, "blocks d"]:
    """Weights of all fits to T rows of the pool, which keep their first label; they are drawn anew for every fit."""
    T, count = sizes[0], len(sizes)
    key_pool, key_choice = jax.random.split(key)
    pool = jax.random.normal(key_pool, (count * T, truth.size))

    def fit(state: tuple[Array, Array], block: tuple) -> tuple[tuple[Array, Array], Array]:
        labels, w = state
        i, _, sigma = block
        start = (i - 1) * T
        rows = jax.lax.dynamic_slice_in_dim(pool, start, T)
        labels = jax.lax.dynamic_update_slice_in_dim(labels, rows @ w + sigma * noise(i, (T,)), start, 0)
        # ranks in float32: ten times as fast, and a tie (one in 10^7 pairs) only breaks towards the earlier row
        rank = jax.random.uniform(jax.random.fold_in(key_choice, i), (count * T,), jnp.float32)
        chosen = jax.lax.top_k(jnp.where(jnp.arange(count * T) < i * T, rank, -1.0), T)[1]
        X = pool[chosen]
        factor = jnp.linalg.cholesky(X.T @ X, symmetrize_input=False)
        w = cho_solve((factor, True), X.T @ labels[chosen])
        return (labels, w), w

    return jax.lax.scan(fit, (jnp.zeros(count * T), truth), _stages(sizes, sigmas))[1]


def _design_key(key: Key, strategy: str, i: Array) -> Key:
    return jax.random.fold_in(key, 0 if strategy == "accumulate_shared" else i)


def _stages(sizes: tuple[int, ...], sigmas: Array) -> tuple[Array, Array, Array]:
    return jnp.arange(1, len(sizes) + 1), jnp.array(sizes), sigmas


def _check(d: int, blocks: int, sigmas: Vector, fits: tuple[int, ...], strategy: str) -> None:
    if strategy not in STRATEGIES:
        near = difflib.get_close_matches(strategy, STRATEGIES, 1, 0.0)[0]
        raise ValueError(f"strategy = {strategy!r} is not one of {', '.join(STRATEGIES)}; did you mean {near!r}?")
    in_domain(d >= 1, "d", d, "d >= 1")
    if blocks != len(sigmas):
        raise ValueError(f"sizes has {blocks} entries, but sigmas has {len(sigmas)}")
    reported = len(fits) > 0 and min(fits) >= 1 and max(fits) <= blocks
    in_domain(reported, "fits", fits, f"at least one fit, all in 1..{blocks}, the number of blocks")


def _check_rows(d: int, sizes: tuple[int, ...], strategy: str) -> None:
    in_domain(min(sizes) >= 0, "sizes", sizes, "sizes >= 0")
    few, where = (min(sizes), "every") if strategy == "replace" else (sizes[0], "the first")
    in_domain(few >= d, "sizes", sizes, f"at least d = {d} rows in {where} block")
    equal = strategy not in ("accumulate_shared", "subsample") or len(set(sizes)) == 1
    in_domain(equal, "sizes", sizes, f"equal blocks where strategy = {strategy!r}")
