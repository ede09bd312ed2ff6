"""Policies over finitely many responses, trained for the win rate of the best, or the worst, of several draws."""

from typing import TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from theorylab.numerics.domain import in_domain, nan_unless
from theorylab.problems.inference_aware import check_mode, exponential_transform, tournament_win_rate
from theorylab.types import Array, Key, Real

__all__ = ["simulate_finite_calibration", "simulate_inference_aware_training"]

Grid: TypeAlias = Float[Array, "_"] | Float[np.ndarray, "_"] | Real


def simulate_inference_aware_training(
    key: Key, responses: int, n_best: Real, beta: Real, mode: str, t: Grid, u: Grid, steps: int = 1500
) -> dict[str, Array]:
    """Mirror ascent on the enumerated win rate minus beta KL, from a random reference: one replicate.

        log pi / ref  <-  (1 - d) log pi / ref + (d / beta) dW / dpi ,   d = min(1/2, 2 beta / n_best)

    W is the probability that the best (worst) of n_best responses of pi beats that of ref, ties shared. Responses are
    in the order of their reward, of which nothing else matters; their reference probabilities are random.

    Source: the setting of @balashankar2025infalign.
    Domain: responses >= 2, n_best >= 1, beta > 0, t >= 0, 0 <= u <= 1, steps >= 1.

    mode: "best" or "worst". t: curvatures of exponential tilts of the calibrated reward P(r' <= r) (see
    exponential_transform), to be compared with. u: quantiles at which to report the transformed reward.
    steps: of the ascent.
    Returns win and kl of the trained policy; tilted_win, the win rates of the tilts at its divergence [t]; transform,
    beta log pi / ref at the quantiles, less its linear extrapolation to 1 [u].
    Raises ValueError outside the domain.
    """
    check_mode(mode)
    in_domain(responses >= 2, "responses", responses, "responses >= 2")
    in_domain(steps >= 1, "steps", steps, "steps >= 1")
    ok = in_domain(n_best >= 1, "n_best", n_best, "n_best >= 1") & in_domain(beta > 0, "beta", beta, "beta > 0")
    ok &= in_domain(jnp.asarray(t) >= 0, "t", t, "t >= 0")
    ok &= in_domain((jnp.asarray(u) >= 0) & (jnp.asarray(u) <= 1), "u", u, "0 <= u <= 1")
    reference = _random_reference(key, responses)
    beta, damping = jnp.asarray(beta, float), jnp.minimum(0.5, 2 * jnp.asarray(beta, float) / n_best)
    win_rate = lambda policy: tournament_win_rate(policy, reference, n_best, mode)

    def ascend(tilt: Array, _: None) -> tuple[Array, None]:
        gain = jax.grad(win_rate)(_tilted(reference, tilt))
        return (1 - damping) * tilt + damping / beta * gain, None

    tilt = jax.lax.scan(ascend, jnp.zeros(responses), length=steps)[0]
    policy = _tilted(reference, tilt)
    kl = _divergence(policy, reference)
    calibrated = jnp.cumsum(reference)

    def at_kl(t: Array) -> Array:
        return win_rate(_tilt_at_kl(reference, exponential_transform(calibrated, t, mode), kl))

    reward = beta * tilt
    middle = calibrated - reference / 2
    slope = (reward[-1] - reward[-2]) / (middle[-1] - middle[-2])
    end = reward[-1] + slope * (1 - middle[-1])
    measured = dict(win=win_rate(policy), kl=kl, tilted_win=jax.vmap(at_kl)(jnp.atleast_1d(jnp.asarray(t, float))))
    return nan_unless(ok, measured | dict(transform=jnp.interp(jnp.asarray(u, float), middle, reward) - end))


def simulate_finite_calibration(
    key: Key, responses: int, samples: tuple[int, ...], kl: Real, spread: Real, repeats: int = 1
) -> dict[str, Array]:
    """Rewards calibrated on the reference's own responses, and the tilts by them at one divergence: one replicate.

        uhat(y) = share of the samples with r(y_k) <= r(y)

    Source: the setting of @balashankar2025infalign.
    Domain: responses >= 2, samples, repeats >= 1, 0 < kl < log(responses), spread > 0.

    responses: size of the alphabet, equally likely under the reference, rewards exp(spread z) at the quantiles of a
    standard normal z. samples: numbers of calibration samples; larger sets contain the smaller ones.
    repeats: independent calibrations that are averaged within the replicate.
    Returns error, the mean squared error of uhat over the responses; win, the win rate of one draw of the tilt by uhat;
    [samples]; raw_win and exact_win, those of the tilts by the reward itself and by its exact quantile.
    Raises ValueError outside the domain.
    """
    in_domain(responses >= 2, "responses", responses, "responses >= 2")
    in_domain(len(samples) > 0 and min(samples) >= 1, "samples", samples, "at least one number, all >= 1")
    in_domain(repeats >= 1, "repeats", repeats, "repeats >= 1")
    ok = in_domain((kl > 0) & (kl < jnp.log(float(responses))), "kl", kl, f"0 < kl < log {responses}")
    ok &= in_domain(spread > 0, "spread", spread, "spread > 0")
    reference = jnp.full(responses, 1 / responses)
    quantile = jnp.arange(1, responses + 1, dtype=float) / responses
    drawn = jax.random.randint(key, (repeats, max(samples)), 0, responses)

    def win(score: Array) -> Array:
        return tournament_win_rate(_tilt_at_kl(reference, score, jnp.asarray(kl, float)), reference, 1, "best")

    def calibrated(drawn: Array) -> tuple[Array, Array]:
        """Squared error and win rate, for each number of samples."""
        counts = (jnp.zeros(responses).at[drawn[:count]].add(1 / count) for count in samples)
        estimates = jnp.cumsum(jnp.stack(list(counts)), axis=1)
        return jnp.mean((estimates - quantile[None]) ** 2, axis=1), jax.vmap(win)(estimates)

    error, wins = (jnp.mean(part, axis=0) for part in jax.vmap(calibrated)(drawn))
    raw = jnp.exp(spread * jax.scipy.special.ndtri(quantile - 0.5 / responses))
    return nan_unless(ok, dict(error=error, win=wins, raw_win=win(raw / jnp.max(raw)), exact_win=win(quantile)))


def _random_reference(key: Key, responses: int) -> Array:
    weights = jax.random.uniform(key, (responses,), float, 0.5, 1.5)
    return weights / jnp.sum(weights)


def _tilted(reference: Array, logits: Array) -> Array:
    return jax.nn.softmax(jnp.log(reference) + logits)


def _divergence(policy: Array, reference: Array) -> Array:
    return jnp.sum(jnp.where(policy > 0, policy * jnp.log(jnp.where(policy > 0, policy, 1.0) / reference), 0.0))


def _tilt_at_kl(reference: Array, score: Array, kl: Array) -> Array:
    """The tilt by a multiple of scores in [0, 1] of a given divergence."""

    def halve(_: Array, bracket: tuple[Array, Array]) -> tuple[Array, Array]:
        low, high = bracket
        middle = (low + high) / 2
        inside = _divergence(_tilted(reference, jnp.exp(middle) * score), reference) < kl
        return jnp.where(inside, middle, low), jnp.where(inside, high, middle)

    low, _ = jax.lax.fori_loop(0, 60, halve, (jnp.array(-14.0), jnp.array(20.0)))
    return _tilted(reference, jnp.exp(low) * score)
