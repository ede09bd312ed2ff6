"""Rounds of refitting to a mixture of fresh real labels and labels from the last fit."""

import difflib
from typing import TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from theorylab.numerics.domain import in_domain, nan_unless
from theorylab.simulators.probes import Noise, quadratic_in_noise
from theorylab.simulators.regression_collapse.fits import ridge_solver
from theorylab.types import Array, Key, Real, Vector

__all__ = ["simulate_label_mixing", "simulate_label_mixing_variance", "simulate_mean_mixing"]

DESIGNS = ("fixed", "fresh", "fixed_real")
Weights: TypeAlias = Float[Array, "W"] | Float[np.ndarray, "W"]
Ratios: TypeAlias = Float[Array, "S"] | Float[np.ndarray, "S"]


@quadratic_in_noise
def simulate_label_mixing(
    key: Key,
    noise: Noise,
    spectrum: Vector,
    w_star: Vector,
    n: int,
    lam: Real,
    real_weight: Weights,
    sigma: Real,
    sigma_syn: Real,
    rounds: tuple[int, ...],
    design: str = "fixed",
) -> dict[str, Array]:
    """Excess risk along rounds of ridge regression on mixed labels: one replicate.

        y_t = X_t w_star + sigma eps_t ,  z_t = X_t b_{t-1} + sigma_syn eps'_t ,
        b_t = argmin |r y_t + (1 - r) z_t - X_t b|^2 / n + lam |b|^2 ,  r = real_weight, or 1 at t = 0

    Source: the setting of @garg2025preventing.
    Domain: lam, sigma, sigma_syn, spectrum >= 0; 0 <= real_weight <= 1; n >= 1, rounds >= 0.

    spectrum: eigenvalues of Sigma [d]; the rows of X are N(0, Sigma). w_star: true weights in its eigenbasis [d], each
    with a random sign, which changes nothing on average: reflected rows have the same law.
    n: samples per round. lam: ridge of a loss averaged over the samples; 0 for least squares (n >= d) or the
    interpolator of least norm. real_weight: weights of the real labels, which share all draws [W].
    sigma, sigma_syn: standard deviation of the noise of the real and of the synthetic labels.
    rounds: which to report; 0 is the first fit. design: "fixed", one X for all rounds; "fresh", a new X in each round;
    "fixed_real", one X and real labels that are drawn once.
    probes: 0 for one draw of the noise, K for K noise vectors through one factorisation (see quadratic_in_noise).
    Returns risk = |b_t - w_star|_Sigma^2 [W, rounds]. Raises ValueError outside the domain.
    """
    ok = _check(real_weight, rounds, sigma=sigma, sigma_syn=sigma_syn)
    ok &= _check_design(spectrum, n, lam)
    if design not in DESIGNS:
        near = difflib.get_close_matches(design, DESIGNS, 1, 0.0)[0]
        raise ValueError(f"design = {design!r} is not one of {', '.join(DESIGNS)}; did you mean {near!r}?")
    weights = jnp.asarray(real_weight)
    errors = _fits(key, noise, spectrum, w_star, n, lam, weights, sigma, sigma_syn, rounds, design)
    return {"risk": nan_unless(ok, errors)}


@quadratic_in_noise
def simulate_label_mixing_variance(
    key: Key,
    noise: Noise,
    spectrum: Vector,
    n: int,
    lam: Real,
    s: Ratios,
    real_weight: Weights,
    rounds: tuple[int, ...],
) -> dict[str, Array]:
    """Variance of the fits of `simulate_label_mixing` on a fixed design, relative to real labels alone: one replicate.

    The unit is the exact variance of one fit to real labels on the same design. The truth, which does not matter, is 0.

    Source: the setting of @garg2025preventing; @he2025recursive.
    Domain: lam, spectrum, s >= 0; 0 <= real_weight <= 1; n >= 1, rounds >= 0.

    s: noise variances of the synthetic labels over that of the real ones, which share all draws [S].
    Other arguments as for `simulate_label_mixing`.
    Returns variance [S, W, rounds]. Raises ValueError outside the domain.
    """
    ok = _check(real_weight, rounds) & _check_design(spectrum, n, lam)
    ok &= in_domain(jnp.all(jnp.asarray(s) >= 0), "s", s, "s >= 0")
    truth, weight = jnp.zeros(len(spectrum)), jnp.asarray(real_weight)
    # fits are linear in the labels: the noise of both kinds of labels is followed on its own
    real, synthetic = (
        _fits(key, noise, spectrum, truth, n, lam, weight, *levels, rounds, "fixed")
        for levels in ((1.0, 0.0), (0.0, 1.0))
    )
    hat = _design(key, spectrum, n, lam, 0)[0]
    unit = jnp.sqrt(jnp.sum(jnp.asarray(spectrum)[:, None] * hat**2))
    errors = real[None] + jnp.sqrt(jnp.asarray(s))[:, None, None, None] * synthetic[None]
    return {"variance": nan_unless(ok, errors / unit)}


def simulate_mean_mixing(
    key: Key, n: int, m: int, real_weight: Weights, sigma: Real, rounds: tuple[int, ...], chains: int = 1
) -> dict[str, Array]:
    """Squared error of a mean that is estimated from pooled real and synthetic samples, round by round: one replicate.

        mu_t = real_weight mean(n samples of N(0, sigma^2)) + (1 - real_weight) mean(m samples of N(mu_{t-1}, sigma^2))

    Source: the setting of @he2025recursive.
    Domain: n, m, chains >= 1; 0 <= real_weight <= 1; sigma, rounds >= 0.

    n, m: real and synthetic samples per round; mu_0 is the mean of n real ones. sigma: their standard deviation.
    real_weight: weights of the real samples, which share all draws [W]. rounds: which to report.
    chains: independent repetitions that are averaged within the replicate.
    Returns risk = mu_t^2 [W, rounds]. Raises ValueError outside the domain.
    """
    ok = _check(real_weight, rounds, sigma=sigma)
    for name, value in (("n", n), ("m", m), ("chains", chains)):
        in_domain(value >= 1, name, value, f"{name} >= 1")
    weight = jnp.asarray(real_weight)[:, None]

    def samples(t: int | Array) -> tuple[Array, Array]:
        drawn = sigma * jax.random.normal(jax.random.fold_in(key, t), (n + m, chains))
        return jnp.mean(drawn[:n], 0)[None], jnp.mean(drawn[n:], 0)[None]

    def fit(mu: Array, t: Array) -> tuple[Array, Array]:
        real, synthetic = samples(t)
        mu = weight * real + (1 - weight) * (mu + synthetic)
        return mu, mu

    first = jnp.broadcast_to(samples(0)[0], (weight.size, chains))
    path = jnp.concatenate([first[None], jax.lax.scan(fit, first, jnp.arange(1, max(rounds) + 1))[1]])
    return {"risk": nan_unless(ok, jnp.mean(path[jnp.array(rounds)] ** 2, -1).T)}


def _fits(
    key: Key,
    noise: Noise,
    spectrum: Vector,
    w_star: Vector,
    n: int,
    lam: Real,
    weight: Array,
    sigma: Real,
    sigma_syn: Real,
    rounds: tuple[int, ...],
    design: str,
) -> Float[Array, "W rounds d"]:
    """sqrt(spectrum) (b_t - w_star) for every weight."""
    # stage 0 is no round. Without noise the truth is 0, too, so that probes are averaged as they are
    truth = jnp.asarray(w_star) * jnp.sign(noise(0, (len(w_star),)))
    once = None if design == "fresh" else _design(key, spectrum, n, lam, 0)

    def fit(b: Array, t: Array) -> tuple[Array, Array]:
        hat, kept = once or _design(key, spectrum, n, lam, t)
        real, synthetic = noise(t + 1, (2, n))
        real = noise(1, (2, n))[0] if design == "fixed_real" else real
        weight_t = jnp.where(t == 0, 1.0, weight)[None]
        # a fit is linear in its labels
        to_real = kept @ truth + sigma * (hat @ real)
        to_synthetic = kept @ b + sigma_syn * (hat @ synthetic)[:, None]
        b = weight_t * to_real[:, None] + (1 - weight_t) * to_synthetic
        return b, b

    fits = jax.lax.scan(fit, jnp.zeros((truth.size, weight.size)), jnp.arange(max(rounds) + 1))[1]
    errors = fits[jnp.array(rounds)] - truth[None, :, None]
    return jnp.transpose(errors * jnp.sqrt(jnp.asarray(spectrum))[None, :, None], (2, 0, 1))


def _design(key: Key, spectrum: Vector, n: int, lam: Real, t: int | Array) -> tuple[Array, Array]:
    """Of the design X [n, d] of a round: the matrix H [d, n] that makes ridge fits of labels, and H X."""
    X = jax.random.normal(jax.random.fold_in(key, t), (n, len(spectrum))) * jnp.sqrt(jnp.asarray(spectrum))[None]
    hat = ridge_solver(X, lam)(jnp.eye(n))
    return hat, hat @ X


def _check(real_weight: Weights, rounds: tuple[int, ...], **non_negative: Real) -> bool | Array:
    in_domain(len(rounds) > 0 and min(rounds) >= 0, "rounds", rounds, "at least one number, all >= 0")
    grid = jnp.asarray(real_weight)
    ok = in_domain(jnp.all((grid >= 0) & (grid <= 1)), "real_weight", real_weight, "0 <= real_weight <= 1")
    for name, value in non_negative.items():
        ok &= in_domain(value >= 0, name, value, f"{name} >= 0")
    return ok


def _check_design(spectrum: Vector, n: int, lam: Real) -> bool | Array:
    in_domain(n >= 1, "n", n, "n >= 1")
    ok = in_domain(jnp.all(jnp.asarray(spectrum) >= 0), "spectrum", spectrum, "spectrum >= 0")
    return ok & in_domain(lam >= 0, "lam", lam, "lam >= 0")
