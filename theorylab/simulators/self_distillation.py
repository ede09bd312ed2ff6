"""Self-distillation of kernel ridge regression by dense solves: on fixed inputs, on new data, on real data."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.linalg import cho_solve
from jaxtyping import Float

from theorylab.numerics.domain import in_domain, nan_unless
from theorylab.problems.self_distillation import gaussian_kernel, self_distillation_optimal_weight_validation
from theorylab.simulators.probes import Noise, quadratic_in_noise
from theorylab.types import Array, Key, Real, Vector

__all__ = [
    "simulate_distillation_on_data",
    "simulate_distillation_path",
    "simulate_distillation_test_risk",
    "simulate_distillation_weight",
    "simulate_self_distillation",
]

Weights = Float[Array, "tau"] | Float[np.ndarray, "tau"]
Matrix = Float[Array, "n n"] | Float[np.ndarray, "n n"]


@quadratic_in_noise
def simulate_self_distillation(
    key: Key,
    noise: Noise,
    K: Matrix,
    f: Vector,
    sigma: Real,
    lam_total: Real,
    real_weights: Weights,
    steps: tuple[int, ...],
) -> dict[str, Array]:
    """Error at the training inputs after steps of kernel ridge self-distillation: one replicate.

        y = f + sigma eps ,  yhat_0 = y ,  yhat_tau = K (K + lam_total)^-1 [r y + (1 - r) yhat_{tau-1}] ,
        r = real_weights_tau ,  risk = (1/n) |yhat_tau - f|^2

    Source: the setting of @borup2021even.
    Domain: lam_total > 0, sigma >= 0; steps within 1..len(real_weights).

    K: kernel matrix [n, n], not divided by n. f: true values [n]. sigma: standard deviation of the label noise.
    lam_total: un-normalised ridge. real_weights: weight of the true labels in each step. steps: which to report.
    probes: 0 for one draw of the noise, K for K noise vectors through one factorisation (see quadratic_in_noise).
    Returns risk [steps]. Raises ValueError outside the domain.
    """
    ok = _check(lam_total, sigma, len(real_weights), steps)
    y = jnp.asarray(f) + sigma * noise(0, (len(f),))
    path = _distil(jnp.asarray(K), y, lam_total, jnp.asarray(real_weights))[jnp.array(steps) - 1]
    return {"risk": nan_unless(ok, (path - jnp.asarray(f)[None]) / len(f) ** 0.5)}


def simulate_distillation_path(
    key: Key,
    x: Vector,
    bandwidth: Real,
    sigma: Real,
    lam_total: Real,
    real_weight: Real,
    steps: tuple[int, ...],
    mode: tuple[int, ...],
) -> dict[str, Array]:
    """The fitted curves themselves along self-distillation of a sine with a constant weight: one replicate.

    Source: the setting of @borup2021even.
    Domain: lam_total, bandwidth > 0, sigma >= 0, real_weight in [0, 1]; steps, mode >= 1.

    x: inputs on a line [n]; the truth is sin(2 pi x), the kernel Gaussian. mode: which eigenvectors of the kernel
    matrix to report, the largest eigenvalue first, counted from 1. Other arguments as for `simulate_self_distillation`.
    Returns fit [steps, n]; filter [steps, mode], each coefficient of the fit over that of the labels; and the labels
    [n], the truth [n], and ridge [n], one ridge fit with lam_total / real_weight. Raises ValueError outside the domain.
    """
    ok = _check(lam_total, sigma, max(steps, default=0), steps) & _weight_domain(real_weight)
    in_domain(len(mode) > 0 and 1 <= min(mode) <= max(mode) <= len(x), "mode", mode, f"at least one, in 1..{len(x)}")
    x, real_weight = jnp.asarray(x), jnp.asarray(real_weight, float)
    K, f = jnp.asarray(gaussian_kernel(x, bandwidth)), jnp.sin(2 * jnp.pi * x)
    y = f + sigma * jax.random.normal(key, f.shape)
    path = _distil(K, y, lam_total, jnp.full(max(steps), real_weight))[jnp.array(steps) - 1]
    ridge = real_weight * K @ _solver(real_weight * K, lam_total)(y)
    vectors = jnp.linalg.eigh(K)[1][:, -jnp.array(mode)]
    return nan_unless(ok, dict(fit=path, filter=path @ vectors / (y @ vectors)[None], labels=y, truth=f, ridge=ridge))


def simulate_distillation_weight(
    key: Key, K: Matrix, f: Vector, sigma: Real, lam_total: Real, draws: int
) -> dict[str, Array]:
    """The best weight of the true labels in the second step, by its errors over many draws of the noise: one replicate.

    Source: the setting of @borup2021even.
    Domain: lam_total > 0, sigma >= 0, draws >= 1.

    draws: noise vectors whose errors are averaged. Other arguments as for `simulate_self_distillation`.
    Returns the weight for which the average error is least, and gain, the share of the error of the first step that
    the second one then removes. Raises ValueError outside the domain.
    """
    ok = _check(lam_total, sigma, 1, (1,))
    in_domain(draws >= 1, "draws", draws, "draws >= 1")
    K, truth = jnp.asarray(K), jnp.broadcast_to(jnp.asarray(f)[:, None], (len(f), draws))
    solve = _solver(K, lam_total)
    first = K @ solve(truth + sigma * jax.random.normal(key, truth.shape))
    pure = K @ solve(first)
    weight = self_distillation_optimal_weight_validation(first, pure, truth)
    second = pure + weight * (first - pure)
    gain = 1 - jnp.sum((second - truth) ** 2) / jnp.sum((first - truth) ** 2)
    return nan_unless(ok, {"weight": weight, "gain": gain})


@quadratic_in_noise
def simulate_distillation_test_risk(
    key: Key,
    noise: Noise,
    spectrum: Vector,
    w_star: Vector,
    T: int,
    lam: Real,
    sigma: Real,
    real_weight: Real,
    steps: tuple[int, ...],
) -> dict[str, Array]:
    """Excess risk on new data along self-distillation with the linear kernel, inputs N(0, Sigma): one replicate.

        w_tau = argmin |target_tau - X w|^2 / T + lam |w|^2 ,  target_tau = r y + (1 - r) X w_{tau-1} ,  r = real_weight

    Source: the setting of @borup2021even with random inputs.
    Domain: lam > 0, sigma >= 0, real_weight in [0, 1]; steps >= 1.

    spectrum: eigenvalues of Sigma [d]. w_star: true weights in its eigenbasis [d]. T: samples.
    lam: ridge of a loss averaged over the samples, lam_total / T. sigma: standard deviation of the label noise.
    real_weight: weight of the true labels, in every step. steps: which to report.
    probes: 0 for one draw of the noise, K for K noise vectors through one factorisation (see quadratic_in_noise).
    Returns risk = |w_tau - w_star|_Sigma^2 [steps]. Raises ValueError outside the domain.
    """
    ok = _check(lam, sigma, max(steps, default=0), steps) & _weight_domain(real_weight)
    scale, truth = jnp.sqrt(jnp.asarray(spectrum)), jnp.asarray(w_star)
    X = jax.random.normal(key, (T, scale.size)) * scale[None]
    solve = _solver(X.T @ X / T, lam)
    moment = X.T @ (X @ truth + sigma * noise(0, (T,))) / T

    def step(w: Array, _: None) -> tuple[Array, Array]:
        w = solve(jnp.asarray(real_weight * moment + (1 - real_weight) * (X.T @ (X @ w)) / T))
        return w, w

    path = jax.lax.scan(step, solve(moment), None, length=max(steps) - 1)[1]
    weights = jnp.concatenate([solve(moment)[None], path])[jnp.array(steps) - 1]
    return {"risk": nan_unless(ok, (weights - truth[None]) * scale[None])}


def simulate_distillation_on_data(
    key: Key, K: Matrix, targets: Vector, lam_total: Real, n_train: int, n_val: int
) -> dict[str, Array]:
    """Two steps of self-distillation on a random split of real data, the second at three weights: one replicate.

    Source: the setting of @borup2021even.
    Domain: lam_total > 0; n_train, n_val >= 1, and points left for the test.

    K: kernel matrix of all points [N, N]. targets: their labels [N]. lam_total: un-normalised ridge.
    n_train, n_val: points for training and validation; the others are for the test.
    Returns mean squared test errors: teacher (first step, or weight 1), pure (weight 0), tuned (the weight that fits
    the validation labels best); and that weight. Raises ValueError outside the domain.
    """
    ok = in_domain(lam_total > 0, "lam_total", lam_total, "lam_total > 0")
    in_domain(n_train >= 1, "n_train", n_train, "n_train >= 1")
    in_domain(1 <= n_val < len(targets) - n_train, "n_val", n_val, "n_val >= 1, with points left for the test")
    order = jax.random.permutation(key, len(targets))
    train, val, test = order[:n_train], order[n_train : n_train + n_val], order[n_train + n_val :]
    rows, y = jnp.asarray(K)[train], jnp.asarray(targets)
    solve = _solver(rows[:, train], lam_total)
    teacher = rows.T @ solve(y[train])
    pure = rows.T @ solve(teacher[train])
    weight = self_distillation_optimal_weight_validation(teacher[val], pure[val], y[val])
    fits = dict(teacher=teacher, pure=pure, tuned=pure + weight * (teacher - pure))
    errors = {name: jnp.mean((fit[test] - y[test]) ** 2) for name, fit in fits.items()}
    return nan_unless(ok, {**errors, "weight": weight})


def _distil(K: Array, y: Array, lam_total: Real, real_weights: Array) -> Float[Array, "tau n"]:
    """Predictions at the training inputs after every step."""
    solve = _solver(K, lam_total)

    def step(prediction: Array, weight: Array) -> tuple[Array, Array]:
        prediction = K @ solve(weight * y + (1 - weight) * prediction)
        return prediction, prediction

    return jax.lax.scan(step, y, real_weights)[1]


def _solver(K: Array, lam_total: Real) -> Callable[[Array], Array]:
    factor = jnp.linalg.cholesky(K + lam_total * jnp.eye(len(K)), symmetrize_input=False)
    return lambda target: cho_solve((factor, True), target)


def _weight_domain(real_weight: Real) -> bool | Array:
    return in_domain((real_weight >= 0) & (real_weight <= 1), "real_weight", real_weight, "0 <= real_weight <= 1")


def _check(lam: Real, sigma: Real, last: int, steps: tuple[int, ...]) -> bool | Array:
    in_domain(len(steps) > 0 and min(steps) >= 1 and max(steps) <= last, "steps", steps, f"at least one, in 1..{last}")
    ok = in_domain(lam > 0, "lam, lam_total", lam, "> 0")
    return ok & in_domain(sigma >= 0, "sigma", sigma, "sigma >= 0")
