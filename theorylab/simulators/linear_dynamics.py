"""Training of linear networks on Gaussian data: gradient flow by its exact solution, gradient descent, and ridge.

N inputs, P = alpha N samples, entries of X [N, P] of variance 1/N, labels y = X' wbar + eps. X has `columns` columns of
which the first P are filled, so that all alpha of a grid share one compilation. One design serves `draws` draws of true
weights, label noise and initial weights; their average is one replicate.
"""

from typing import NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from theorylab.numerics.domain import in_domain, nan_unless
from theorylab.types import Array, Key, Real

__all__ = ["simulate_gradient_descent", "simulate_gradient_flow", "simulate_stopping_and_ridge"]

Times: TypeAlias = Real | Float[Array, "times"] | Float[np.ndarray, "times"]
Variances: TypeAlias = Real | Float[Array, "variances"] | Float[np.ndarray, "variances"]


class _Data(NamedTuple):
    """A design, and draws of true weights, unit label noise (0 in empty columns) and unit initial weights."""

    X: Float[Array, "N columns"]
    truth: Float[Array, "N draws"]
    noise: Float[Array, "columns draws"]
    start: Float[Array, "N draws"]


def simulate_gradient_flow(
    key: Key,
    N: int,
    columns: int,
    alpha: Real,
    t: Times,
    sigma_w2: Real,
    sigma_e2: Variances,
    sigma_w0_2: Real,
    draws: int = 1,
) -> dict[str, Array]:
    """Test and training error of gradient flow dw/dt = X (y - X' w): one replicate.

        w(t) = V [ e^(-l t) V' w(0) + (1 - e^(-l t)) / l V' X y ] ,   X X' = V diag(l) V'

    averaged over both signs of w(0), which leaves out a term of mean zero.

    Source: the setting of @advani2020high.
    Domain: N, columns, draws >= 1; alpha N, rounded, in 1..columns; t >= 0, variances >= 0.

    N: inputs. columns: samples that there is room for. alpha: samples per input, rounded to whole samples.
    t: times, a grid [t] or a number. sigma_w2, sigma_w0_2: variance of each true weight, and of each initial one.
    sigma_e2: variance of the label noise, a grid [S] whose entries share all draws, or a number.
    draws: of weights and noise on the one design.
    Returns test_error = |w - wbar|^2 / N + sigma_e2 and train_error = |y - X' w|^2 / P, each [S, t] without the axis of
    a number. Raises ValueError outside the domain.
    """
    ok = _check(N, columns, alpha, sigma_w2, sigma_e2, sigma_w0_2, draws)
    ok &= in_domain(jnp.all(jnp.asarray(t) >= 0), "t", t, "t >= 0")
    data = _draw(key, N, columns, alpha, draws, sigma_w2, sigma_w0_2)
    l, V = _eigensystem(data.X)
    truth, noise, start = V.T @ data.truth, V.T @ (data.X @ data.noise), V.T @ data.start
    times = jnp.asarray(t, float).reshape(-1, 1)
    level = jnp.sqrt(jnp.asarray(sigma_e2, float)).reshape(-1, 1, 1, 1)
    decay = jnp.exp(-l[None] * times)[..., None]  # [t, N, 1], as all below without the axis of the noise levels
    memory = (decay * start[None])[None]
    error = level * (_gain(l[None], times)[..., None] * noise[None])[None] - (decay * truth[None])[None]
    test = jnp.sum(_mean_square(error) + _mean_square(memory), -1) / N + level[..., 0, 0] ** 2
    # of the labels, what the modes can fit, and the rest
    present = l > N * jnp.finfo(float).eps * l[-1]
    fitted = jnp.where(present, 1 / jnp.sqrt(jnp.where(present, l, 1.0)), 0.0)[:, None] * noise
    rest = jnp.sum(_mean_square(data.noise)) - jnp.sum(_mean_square(fitted))
    root = jnp.sqrt(l)[None, None, :, None]
    residual = root * (decay * truth[None])[None] + level * (decay * fitted[None])[None]
    train = jnp.sum(_mean_square(residual) + _mean_square(root * memory), -1) + level[..., 0, 0] ** 2 * rest
    shape = (*jnp.shape(sigma_e2), *jnp.shape(t))
    errors = {"test_error": test, "train_error": train / _samples(N, alpha)}
    return nan_unless(ok, {name: value.reshape(shape) for name, value in errors.items()})


def simulate_gradient_descent(
    key: Key,
    N: int,
    columns: int,
    alpha: Real,
    steps: tuple[int, ...],
    eta: Real,
    sigma_w2: Real,
    sigma_e2: Real,
    sigma_w0_2: Real,
    draws: int = 1,
) -> dict[str, Array]:
    """Test error of gradient descent w <- w + eta X (y - X' w), step by step: one replicate.

    Source: the setting of @advani2020high, with discrete steps.
    Domain: as for `simulate_gradient_flow`; eta > 0, steps >= 0.

    eta: step size. steps: after how many to measure. Other arguments as for `simulate_gradient_flow`.
    Returns test_error [steps]. Raises ValueError outside the domain.
    """
    ok = _check(N, columns, alpha, sigma_w2, sigma_e2, sigma_w0_2, draws) & in_domain(eta > 0, "eta", eta, "eta > 0")
    in_domain(len(steps) > 0 and min(steps) >= 0, "steps", steps, "at least one number, all >= 0")
    data = _draw(key, N, columns, alpha, draws, sigma_w2, sigma_w0_2)
    labels = data.X.T @ data.truth + jnp.sqrt(jnp.asarray(sigma_e2, float)) * data.noise

    def step(w: Array, _: None) -> tuple[Array, Array]:
        w = w + eta * (data.X @ (labels - data.X.T @ w))
        return w, jnp.sum(_mean_square(w - data.truth))

    path = jax.lax.scan(step, data.start, None, length=max(steps))[1]
    errors = jnp.concatenate([jnp.sum(_mean_square(data.start - data.truth))[None], path])[jnp.array(steps)]
    return {"test_error": nan_unless(ok, errors / N + sigma_e2)}


def simulate_stopping_and_ridge(
    key: Key,
    N: int,
    columns: int,
    alpha: Real,
    t: Real,
    g: Real,
    relative: Float[Array, "R"] | Float[np.ndarray, "R"],
    sigma_w2: Real,
    sigma_e2: Real,
    draws: int = 1,
) -> dict[str, Array]:
    """Test errors of stopped gradient flow from zero, and of ridge (X X' + g)^-1 X y, on the same data: one replicate.

    Source: the setting of @advani2020high.
    Domain: as for `simulate_gradient_flow`; g > 0, relative > 0.

    t: stopping time. g: un-normalised ridge. relative: factors by which both are multiplied [R].
    Other arguments as for `simulate_gradient_flow`.
    Returns stopped and ridge, both |w - wbar|^2 / N + sigma_e2 [R]. Raises ValueError outside the domain.
    """
    ok = _check(N, columns, alpha, sigma_w2, sigma_e2, 0.0, draws)
    ok &= in_domain(t >= 0, "t", t, "t >= 0") & in_domain(g > 0, "g", g, "g > 0")
    ok &= in_domain(jnp.all(jnp.asarray(relative) > 0), "relative", relative, "relative > 0")
    data = _draw(key, N, columns, alpha, draws, sigma_w2, 0.0)
    l, V = _eigensystem(data.X)
    labels = data.X.T @ data.truth + jnp.sqrt(jnp.asarray(sigma_e2, float)) * data.noise
    truth, learned = V.T @ data.truth, V.T @ (data.X @ labels)
    times, ridges = (jnp.asarray(x * jnp.asarray(relative), float)[:, None] for x in (t, g))
    gains = {"stopped": _gain(l[None], times), "ridge": 1 / (l[None] + ridges)}
    errors = {name: gain[..., None] * learned[None] - truth[None] for name, gain in gains.items()}
    return nan_unless(ok, {n: jnp.sum(_mean_square(error), -1) / N + sigma_e2 for n, error in errors.items()})


def _draw(key: Key, N: int, columns: int, alpha: Real, draws: int, sigma_w2: Real, sigma_w0_2: Real) -> _Data:
    filled = (jnp.arange(columns, dtype=float) < _samples(N, alpha))[:, None]
    # one array of normals: every other one would cost another quarter of a second of compilation
    normal = jax.random.normal(key, (N * columns + (2 * N + columns) * draws,))
    X, rest = normal[: N * columns].reshape(columns, N), normal[N * columns :].reshape(2 * N + columns, draws)
    scales = (jnp.sqrt(jnp.asarray(variance, float)) for variance in (sigma_w2, sigma_w0_2))
    truth, start = (scale * part for scale, part in zip(scales, (rest[:N], rest[N : 2 * N])))
    return _Data(jnp.where(filled, X / N**0.5, 0.0).T, truth, jnp.where(filled, rest[2 * N :], 0.0), start)


def _samples(N: int, alpha: Real) -> Array:
    return jnp.round(jnp.asarray(alpha * N, float))


def _eigensystem(X: Array) -> tuple[Array, Array]:
    l, V = jnp.linalg.eigh(X @ X.T, symmetrize_input=False)
    return jnp.maximum(l, 0.0), V


def _gain(l: Array, t: Array) -> Array:
    """(1 - e^(-l t)) / l, which is t at l = 0."""
    l, t = jnp.broadcast_arrays(l, t)
    return jnp.where(l > 0, -jnp.expm1(-l * t) / jnp.where(l > 0, l, 1.0), t)


def _mean_square(vectors: Array) -> Array:
    """Over the draws, the last axis."""
    return jnp.mean(vectors**2, -1)


def _check(
    N: int, columns: int, alpha: Real, sigma_w2: Real, sigma_e2: Variances, sigma_w0_2: Real, draws: int
) -> bool | Array:
    for name, size in (("N", N), ("columns", columns), ("draws", draws)):
        in_domain(size >= 1, name, size, f"{name} >= 1")
    samples = _samples(N, alpha)
    fits = (samples >= 1) & (samples <= columns)
    ok = in_domain(fits, "alpha", alpha, f"1 to {columns} samples (columns) for N = {N} inputs")
    for name, value in (("sigma_w2", sigma_w2), ("sigma_e2", sigma_e2), ("sigma_w0_2", sigma_w0_2)):
        ok &= in_domain(jnp.all(jnp.asarray(value) >= 0), name, value, f"{name} >= 0")
    return ok
