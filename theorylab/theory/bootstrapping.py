"""Rounds of generating, keeping what a verifier accepts, and refitting: a Gaussian model, and budgets over rounds."""

from typing import NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Num

from theorylab.numerics.domain import in_domain, nan_unless
from theorylab.numerics.noncentral_chi2 import noncentral_chi2_cdf
from theorylab.types import Real

__all__ = [
    "BootstrappingConstants",
    "BootstrappingMoments",
    "bootstrapping_constants",
    "bootstrapping_generation_cost",
    "bootstrapping_minimal_variance",
    "bootstrapping_moments",
    "bootstrapping_mse",
    "bootstrapping_optimal_allocation",
    "bootstrapping_optimal_reward",
    "bootstrapping_reward",
    "bootstrapping_schedule",
    "bootstrapping_success_probability",
    "exponential_schedule_efficiency",
    "exponential_schedule_rate",
    "gaussian_within",
]

Schedule: TypeAlias = Num[Array, "rounds"] | Num[np.ndarray, "rounds"]
KINDS = ("constant", "poly", "exp")


class BootstrappingConstants(NamedTuple):
    """Contraction of the mean and noise variance (times the kept samples) of one round."""

    rho: Array
    tau2: Array


class BootstrappingMoments(NamedTuple):
    """theta_t ~ N(mean, v I) with |mean| and v after 0, 1, .. rounds, each [rounds + 1]."""

    mean: Array
    v: Array


def bootstrapping_constants(sigma: Real, kappa: Real, lr: Real = 1.0) -> BootstrappingConstants:
    """Contraction and noise of one round of keeping what is rewarded and refitting.

        rho = 1 - lr (1 - rho0),  rho0 = kappa^2 / (sigma^2 + kappa^2);   tau2 = lr^2 rho0 sigma^2

    A sample of N(theta, sigma^2 I) kept with probability exp(-|x|^2 / (2 kappa^2)) is N(rho0 theta, rho0 sigma^2 I).
    The model moves by a share lr towards the mean of n kept ones: its noise has variance tau2 / n.

    Source: @yang2025spend (Gaussian case).
    Domain: sigma, kappa > 0, 0 < lr <= 1.

    sigma: standard deviation of the generator in each coordinate, held fixed. kappa: width of the reward.
    lr: step relative to a full refit; 1 is maximum likelihood.
    Returns (rho, tau2).
    Raises ValueError outside the domain.
    """
    ok = in_domain(sigma > 0, "sigma", sigma, "sigma > 0") & in_domain(kappa > 0, "kappa", kappa, "kappa > 0")
    ok &= in_domain((lr > 0) & (lr <= 1), "lr", lr, "0 < lr <= 1")
    sigma, kappa, lr = (jnp.asarray(x, float) for x in (sigma, kappa, lr))
    kept = kappa**2 / (sigma**2 + kappa**2)
    return nan_unless(ok, BootstrappingConstants(1 - lr * (1 - kept), lr**2 * kept * sigma**2))


def bootstrapping_moments(
    theta0_norm: Real, n_schedule: Schedule, sigma: Real, kappa: Real, lr: Real = 1.0
) -> BootstrappingMoments:
    """Law of the model after every round: theta_t ~ N(mean_t, v_t I_d).

        |mean_{t+1}| = rho |mean_t| ,   v_{t+1} = rho^2 v_t + tau2 / n_t ,   v_0 = 0

    Exact at every size: a Gaussian that is tilted by a Gaussian stays one.

    Source: @yang2025spend (Gaussian case), with the variance derived here.
    Domain: theta0_norm >= 0, n_schedule > 0, and that of bootstrapping_constants.

    theta0_norm: distance of the initial model from the optimum, 0. n_schedule: samples kept in each round [rounds].
    sigma, kappa, lr: as in bootstrapping_constants.
    Returns |mean| and v after 0..rounds rounds, each [rounds + 1].
    Raises ValueError outside the domain.
    """
    if not len(n_schedule):
        raise ValueError("n_schedule = [] is outside its domain: at least one round")
    ok = in_domain(theta0_norm >= 0, "theta0_norm", theta0_norm, "theta0_norm >= 0")
    ok &= in_domain(n_schedule > 0, "n_schedule", n_schedule, "n_schedule > 0")
    rho, tau2 = bootstrapping_constants(sigma, kappa, lr)

    def one_round(state: tuple[Array, Array], n: Array) -> tuple[tuple[Array, Array], tuple[Array, Array]]:
        state = rho * state[0], rho**2 * state[1] + tau2 / n
        return state, state

    start = jnp.asarray(theta0_norm, float) + 0 * rho, 0 * rho  # NaN where the constants are
    path = jax.lax.scan(one_round, start, jnp.asarray(n_schedule, float))[1]
    mean, v = (jnp.concatenate([first[None], rest]) for first, rest in zip(start, path))
    return nan_unless(ok, BootstrappingMoments(mean, v))


def bootstrapping_mse(
    theta0_norm: Real, n_schedule: Schedule, d: Real, sigma: Real, kappa: Real, lr: Real = 1.0
) -> Float[Array, "stages"]:
    """E |theta_t|^2 = |mean_t|^2 + d v_t after 0..rounds rounds: the mean squared distance to the optimum.

    Source: @yang2025spend (Gaussian case).
    Domain: d > 0, and that of bootstrapping_moments.

    d: dimension. The other arguments as in bootstrapping_moments.
    Returns [rounds + 1].
    Raises ValueError outside the domain.
    """
    mean, v = bootstrapping_moments(theta0_norm, n_schedule, sigma, kappa, lr)
    return nan_unless(_dimension(d), mean**2 + d * v)


def bootstrapping_optimal_reward(d: Real, sigma: Real, kappa: Real) -> Float[Array, ""]:
    """Largest expected reward, (kappa^2 / (sigma^2 + kappa^2))^(d/2), at theta = 0.

    Source: @yang2025spend (Gaussian case).
    Domain: d > 0, sigma, kappa > 0.

    d: dimension. sigma: standard deviation of the generator in each coordinate. kappa: width of the reward.
    Returns E exp(-|x|^2 / (2 kappa^2)), x ~ N(0, sigma^2 I).
    Raises ValueError outside the domain.
    """
    ok = _dimension(d)
    return nan_unless(ok, bootstrapping_constants(sigma, kappa).rho ** (d / 2))


def bootstrapping_reward(
    theta0_norm: Real, n_schedule: Schedule, d: Real, sigma: Real, kappa: Real, lr: Real = 1.0
) -> Float[Array, "stages"]:
    """Expected reward of a sample of the model after 0..rounds rounds.

        (kappa^2 / (S + v_t))^(d/2) exp( -mean_t^2 / (2 (S + v_t)) ),   S = sigma^2 + kappa^2

    Source: @yang2025spend (Gaussian case), derived here at finite size.
    Domain: d > 0, and that of bootstrapping_moments.

    d: dimension. The other arguments as in bootstrapping_moments.
    Returns [rounds + 1].
    Raises ValueError outside the domain.
    """
    mean, v = bootstrapping_moments(theta0_norm, n_schedule, sigma, kappa, lr)
    spread = sigma**2 + kappa**2 + v
    return nan_unless(_dimension(d), (kappa**2 / spread) ** (d / 2) * jnp.exp(-(mean**2) / (2 * spread)))


def bootstrapping_success_probability(
    theta0_norm: Real,
    n_schedule: Schedule,
    d: Real,
    sigma: Real,
    kappa: Real,
    eps: Real,
    lr: Real = 1.0,
    terms: int = 512,
) -> Float[Array, ""]:
    """Probability that the last model lies within eps of the optimum.

        P(|theta_T| <= eps) = F(eps^2 / v_T; d, mean_T^2 / v_T),   F the noncentral chi-square distribution function

    Source: @yang2025spend (Gaussian case), derived here.
    Domain: eps >= 0, d > 0, and that of bootstrapping_moments.

    eps: distance from the optimum. d: dimension. terms: of the series for F. The others as in bootstrapping_moments.
    Returns a probability.
    Raises ValueError outside the domain.
    """
    mean, v = bootstrapping_moments(theta0_norm, n_schedule, sigma, kappa, lr)
    return gaussian_within(mean[-1], v[-1], d, eps, terms)


def gaussian_within(mean: Real, v: Real, d: Real, eps: Real, terms: int = 512) -> Float[Array, ""]:
    """P(|theta| <= eps) for theta ~ N(m, v I_d) with |m| = mean, such as bootstrapping_moments returns.

    Source: @yang2025spend (Gaussian case), derived here.
    Domain: mean, eps >= 0, v > 0, d > 0.

    mean: distance of the mean from the optimum. v: variance per coordinate. eps: distance from the optimum.
    d: dimension. terms: of the series.
    Returns a probability.
    Raises ValueError outside the domain.
    """
    ok = in_domain(eps >= 0, "eps", eps, "eps >= 0") & _dimension(d)
    ok &= in_domain(mean >= 0, "mean", mean, "mean >= 0") & in_domain(v > 0, "v", v, "v > 0")
    return nan_unless(ok, noncentral_chi2_cdf(eps**2 / v, d, mean**2 / v, terms))


def bootstrapping_generation_cost(
    theta0_norm: Real, n_schedule: Schedule, d: Real, sigma: Real, kappa: Real, lr: Real = 1.0
) -> Float[Array, "rounds"]:
    """Expected number of samples that are generated in each round until n_t are kept.

        n_t (S / kappa^2)^(d/2) (1 - v_t / S)^(-d/2) exp( mean_t^2 / (2 (S - v_t)) ),   S = sigma^2 + kappa^2

    Source: @yang2025spend (Gaussian case), derived here.
    Domain: v_t < S before every round (otherwise the mean is infinite), d > 0, and that of bootstrapping_moments.

    d: dimension. The other arguments as in bootstrapping_moments.
    Returns [rounds].
    Raises ValueError outside the domain.
    """
    moments = bootstrapping_moments(theta0_norm, n_schedule, sigma, kappa, lr)
    total = jnp.asarray(sigma**2 + kappa**2, float)
    mean, v = moments.mean[:-1], moments.v[:-1]
    finite = v < total
    ok = _dimension(d) & in_domain(finite, "n_schedule", n_schedule, "v < sigma^2 + kappa^2 before every round")
    v = jnp.where(finite, v, 0.0)
    tries = (total / kappa**2) ** (d / 2) * (1 - v / total) ** (-d / 2) * jnp.exp(mean**2 / (2 * (total - v)))
    return nan_unless(ok, jnp.asarray(n_schedule, float) * tries)


def bootstrapping_optimal_allocation(
    budget: Real, rounds: int, sigma: Real, kappa: Real, lr: Real = 1.0
) -> Float[Array, "rounds"]:
    """Split of a budget of kept samples over rounds with the smallest final variance: each round 1/rho times the last.

        n_t = budget rho^(rounds-1-t) / sum_s rho^s

    For lr = 1 the growth factor is 1 + sigma^2 / kappa^2. It also has the largest expected reward while
    theta0_norm <= rho^-rounds sqrt(d (sigma^2 + kappa^2)).

    Source: @yang2025spend (Gaussian case).
    Domain: budget > 0, rounds >= 1, and that of bootstrapping_constants.

    budget: kept samples in all. rounds: number of rounds. sigma, kappa, lr: as in bootstrapping_constants.
    Returns kept samples in each round [rounds], not rounded.
    Raises ValueError outside the domain.
    """
    ok = _budget(budget, rounds)
    rho = bootstrapping_constants(sigma, kappa, lr).rho
    weights = rho ** jnp.arange(rounds - 1, -1, -1, dtype=float)
    return nan_unless(ok, budget * weights / jnp.sum(weights))


def bootstrapping_minimal_variance(
    budget: Real, rounds: int, sigma: Real, kappa: Real, lr: Real = 1.0
) -> Float[Array, ""]:
    """Variance per coordinate after the last round under the optimal allocation.

        v = tau2 ((1 - rho^rounds) / (1 - rho))^2 / budget

    Source: @yang2025spend (Gaussian case), derived here.
    Domain and arguments: as in bootstrapping_optimal_allocation.
    Returns v of bootstrapping_moments after the last round.
    Raises ValueError outside the domain.
    """
    ok = _budget(budget, rounds)
    rho, tau2 = bootstrapping_constants(sigma, kappa, lr)
    return nan_unless(ok, tau2 * ((1 - rho**rounds) / (1 - rho)) ** 2 / budget)


def bootstrapping_schedule(kind: str, budget: Real, rounds: int, param: Real | None = None) -> Float[Array, "rounds"]:
    """Kept samples in each round t = 0..rounds-1, in proportion to 1, (1 + t)^param or (1 + param)^t.

    Source: @yang2025spend, policies.
    Domain: budget > 0, rounds >= 1; param >= 0, absent for "constant".

    kind: "constant", "poly" or "exp". budget: kept samples in all. rounds: number of rounds.
    param: exponent of "poly", growth of "exp" (0.5: each round 1.5 times the last).
    Returns [rounds], not rounded.
    Raises ValueError outside the domain.
    """
    if kind not in KINDS:
        raise ValueError(f"kind = {kind!r} is outside its domain: one of {', '.join(KINDS)}")
    if (param is None) != (kind == "constant"):
        raise ValueError(f"param = {param} is outside its domain: {'none' if kind == 'constant' else 'a number'} "
                         f"for kind = {kind!r}")  # fmt: skip
    ok = _budget(budget, rounds)
    t = jnp.arange(rounds, dtype=float)
    weights = jnp.ones(rounds)
    if param is not None:
        ok &= in_domain(param >= 0, "param", param, "param >= 0")
        weights = (1 + t) ** param if kind == "poly" else (1 + jnp.asarray(param, float)) ** (t - rounds + 1)
    return nan_unless(ok, budget * weights / jnp.sum(weights))


def exponential_schedule_efficiency(u: Real, rho: Real) -> Float[Array, ""]:
    """Error after many rounds of growth by 1 + u, relative to the best growth 1/rho at the same total size N.

        (1 - rho)^2 (1 + u) / (u (1 - rho^2 (1 + u))) >= 1;   infinite where (1 + u) rho^2 >= 1

    The error is this times d tau2 / ((1 - rho)^2 N).

    Source: derived here for the Gaussian case of @yang2025spend.
    Domain: u > 0 (u = 0 is the constant schedule, which has a floor), 0 < rho < 1.

    u: growth per round. rho: contraction of bootstrapping_constants.
    Returns the ratio of errors.
    Raises ValueError outside the domain.
    """
    ok = _growth(u, rho)
    slack = 1 - rho**2 * (1 + u)
    ratio = (1 - rho) ** 2 * (1 + u) / (u * jnp.where(slack > 0, slack, 1.0))
    return nan_unless(ok, jnp.where(slack > 0, ratio, jnp.inf))


def exponential_schedule_rate(u: Real, rho: Real) -> Float[Array, ""]:
    """Exponent a of the error N^-a under growth by 1 + u, in the total size N: min(1, 2 log(1/rho) / log(1 + u)).

    Source: derived here for the Gaussian case of @yang2025spend.
    Domain: u > 0, 0 < rho < 1.

    u: growth per round. rho: contraction of bootstrapping_constants.
    Returns the exponent; below 1 the growth is too fast.
    Raises ValueError outside the domain.
    """
    ok = _growth(u, rho)
    u, rho = jnp.asarray(u, float), jnp.asarray(rho, float)
    return nan_unless(ok, jnp.minimum(1.0, -2 * jnp.log(rho) / jnp.log1p(u)))


def _dimension(d: Real) -> bool | Array:
    return in_domain(d > 0, "d", d, "d > 0")


def _budget(budget: Real, rounds: int) -> bool | Array:
    in_domain(rounds >= 1, "rounds", rounds, "rounds >= 1")
    return in_domain(budget > 0, "budget", budget, "budget > 0")


def _growth(u: Real, rho: Real) -> bool | Array:
    ok = in_domain(u > 0, "u", u, "u > 0")
    return ok & in_domain((rho > 0) & (rho < 1), "rho", rho, "0 < rho < 1")
