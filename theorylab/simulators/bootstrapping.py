"""Rounds of generating from a Gaussian model, keeping what is rewarded, and refitting."""

import jax
import jax.numpy as jnp

from theorylab.numerics.domain import in_domain, nan_unless
from theorylab.problems.bootstrapping import gaussian_expected_reward
from theorylab.types import Array, Key, Real, Vector

__all__ = ["simulate_bootstrapping", "simulate_bootstrapping_exact_law"]


def simulate_bootstrapping(
    key: Key,
    theta0_norm: Real,
    n_schedule: Vector,
    rounds: tuple[int, ...],
    d: int,
    sigma: Real,
    kappa: Real,
    lr: Real = 1.0,
    draws: int = 64,
) -> dict[str, Array]:
    """A Gaussian model N(theta, sigma^2 I_d) refitted to its own accepted samples, by rejection: one replicate.

        round t: draw x ~ N(theta, sigma^2 I), keep it with probability exp(-|x|^2 / (2 kappa^2)) until n_t are kept;
                 theta <- (1 - lr) theta + lr (mean of the kept samples)

    Source: the setting of @yang2025spend (Gaussian case).
    Domain: theta0_norm >= 0, n_schedule whole numbers >= 1, sigma, kappa > 0, 0 < lr <= 1.

    theta0_norm: distance of the initial model from the optimum. n_schedule: samples kept in each round [T].
    rounds: after which of them to measure; 0 is the start. sigma: standard deviation of the generator.
    kappa: width of the reward. lr: step relative to a full refit.
    draws: samples drawn at a time; those behind the last one kept are not counted.
    Returns [rounds] mse = |theta|^2, reward = E exp(-|x|^2 / (2 kappa^2)), and the samples kept and generated so far.
    Raises ValueError outside the domain.
    """

    def refit(key: Key, theta: Array, n: Array) -> tuple[Array, Array]:
        def unfinished(state: tuple) -> Array:
            return state[1] < n

        def draw(state: tuple) -> tuple:
            key, count, total, generated = state
            key, key_x, key_u = jax.random.split(key, 3)
            x = theta[None] + sigma * jax.random.normal(key_x, (draws, d))
            accepted = jax.random.uniform(key_u, (draws,)) < jnp.exp(-jnp.sum(x**2, 1) / (2 * kappa**2))
            order = count + jnp.cumsum(accepted.astype(float))
            kept = accepted & (order <= n)
            before = order - accepted.astype(float)
            total = total + jnp.sum(jnp.where(kept[:, None], x, 0.0), 0)
            return key, count + jnp.sum(kept.astype(float)), total, generated + jnp.sum((before < n).astype(float))

        start = (key, jnp.zeros(()), jnp.zeros(d), jnp.zeros(()))
        _, count, total, generated = jax.lax.while_loop(unfinished, draw, start)
        return total / count, generated

    return _measured(key, refit, theta0_norm, n_schedule, rounds, d, sigma, kappa, lr)


def simulate_bootstrapping_exact_law(
    key: Key,
    theta0_norm: Real,
    n_schedule: Vector,
    rounds: tuple[int, ...],
    d: int,
    sigma: Real,
    kappa: Real,
    lr: Real = 1.0,
) -> dict[str, Array]:
    """The same in one draw per round: what is kept is Gaussian, and so is its mean.

    The kept samples of a round have the law N(rho0 theta, rho0 sigma^2 I), rho0 = kappa^2 / (sigma^2 + kappa^2), and
    n_t / P(accept | theta) are generated on average given theta. These factors are in the theory, too: the verdict on
    them rests on simulate_bootstrapping, whose law this form shares.

    Arguments and returns as in simulate_bootstrapping; `generated` is its mean given the path of theta.
    """

    def refit(key: Key, theta: Array, n: Array) -> tuple[Array, Array]:
        kept = jnp.asarray(kappa**2 / (sigma**2 + kappa**2))
        mean = kept * theta + jnp.sqrt(kept / n) * sigma * jax.random.normal(key, theta.shape)
        return mean, n / gaussian_expected_reward(jnp.sum(theta**2), d, sigma, kappa)

    return _measured(key, refit, theta0_norm, n_schedule, rounds, d, sigma, kappa, lr)


def _measured(key, refit, theta0_norm, n_schedule, rounds, d, sigma, kappa, lr) -> dict[str, Array]:
    in_domain(d >= 1, "d", d, "d >= 1")
    inside = len(rounds) > 0 and min(rounds) >= 0 and max(rounds) <= len(n_schedule)
    in_domain(inside, "rounds", rounds, f"numbers between 0 and {len(n_schedule)}")
    ok = in_domain(theta0_norm >= 0, "theta0_norm", theta0_norm, "theta0_norm >= 0")
    n = jnp.asarray(n_schedule, float)
    ok &= in_domain((n_schedule >= 1) & (n_schedule % 1 == 0), "n_schedule", n_schedule, "whole numbers >= 1")
    ok &= in_domain(sigma > 0, "sigma", sigma, "sigma > 0") & in_domain(kappa > 0, "kappa", kappa, "kappa > 0")
    ok &= in_domain((lr > 0) & (lr <= 1), "lr", lr, "0 < lr <= 1")
    n = jnp.where(ok, n, 1.0)  # a traced bad schedule must not loop for ever

    def step(theta: Array, round_: tuple[Array, Array]) -> tuple[Array, tuple[Array, Array]]:
        t, n_t = round_
        mean, generated = refit(jax.random.fold_in(key, t), theta, n_t)
        theta = (1 - lr) * theta + lr * mean
        return theta, (jnp.sum(theta**2), generated)

    theta0 = jnp.zeros(d).at[0].set(theta0_norm)
    mse, generated = jax.lax.scan(step, theta0, (jnp.arange(n.size), n))[1]
    mse = jnp.concatenate([jnp.sum(theta0**2)[None], mse])
    kept, generated = jnp.concatenate([jnp.zeros((2, 1)), jnp.cumsum(jnp.stack([n, generated]), 1)], 1)
    path = dict(mse=mse, reward=gaussian_expected_reward(mse, d, sigma, kappa), kept=kept, generated=generated)
    return nan_unless(ok, {name: values[jnp.array(rounds)] for name, values in path.items()})
