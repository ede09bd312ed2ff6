"""The one-stage map: what a ridge fit makes of a random target, per eigendirection of the covariance.

A target with mean m and second moment S (coefficients in the orthonormal function basis) becomes

    q = (sum_k (1 - g_k)^2 S_k + sigma^2) / (T - df_2) ,   m' = g m ,   S' = g^2 (S + q)

The state is carried as `error` = m / c_star - 1 and `variance` = S - m^2, in which the risk is a sum of squares.
Only c_sq = c_star^2 enters. Several outputs share g, so that they are one problem with c_sq and noise summed.
"""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from theorylab.numerics.domain import in_domain
from theorylab.numerics.ridge import effective_ridge, residual_degrees_of_freedom, shrinkage
from theorylab.theory.regression_collapse._arguments import Stages, fit_domain, floats, stages
from theorylab.types import Vector

__all__ = ["Fit", "State", "apply_fit", "chain_fits", "chain_risk", "last_risk", "ridge_fit", "run_stages"]


class Fit(NamedTuple):
    """What one ridge fit does to its target; with a leading axis, one fit per stage."""

    learned: Array  # g
    missed: Array  # 1 - g
    residual: Array  # T - df_2
    noise_var: Array  # of the labels, summed over the outputs
    synthetic: Array  # share of the label that comes from the previous stage


class State(NamedTuple):
    """Mean error relative to the truth, m / c_star - 1, and variance of the coefficients."""

    error: Array
    variance: Array


def ridge_fit(spectrum: Array, T: Array, lam: Array, noise_var: Array, synthetic: Array | float = 1.0) -> Fit:
    """The fit of T samples with the ridge lam."""
    kappa = effective_ridge(spectrum, T, lam)
    residual = residual_degrees_of_freedom(spectrum, kappa, T, lam)
    return Fit(*shrinkage(spectrum, kappa), residual, noise_var, jnp.asarray(synthetic, spectrum.dtype))


def chain_fits(
    spectrum: Vector, Ts: Stages, lams: Stages, sigmas: Stages, real_weights: Stages | None, outputs: int = 1
) -> tuple[Any, Fit]:
    """Whether the stages are in their domain, and their fits along a leading axis."""
    Ts, lams, sigmas = stages(Ts), stages(lams), stages(sigmas)
    real = np.zeros(Ts.shape) if real_weights is None else stages(real_weights)
    shapes = [x.shape for x in (Ts, lams, sigmas, real)]
    same = len(set(shapes)) == 1 and len(shapes[0]) == 1 and Ts.size > 0
    in_domain(same, "Ts, lams, sigmas, real_weights", shapes, "one of each per stage")
    ok = fit_domain(spectrum, "s", T=Ts, lam=lams, sigma=sigmas)
    ok &= in_domain((real >= 0) & (real <= 1), "real_weights", real, "0 <= real_weight <= 1")
    spectrum, Ts, lams, sigmas, real = floats(spectrum, Ts, lams, sigmas, real, like=spectrum)
    return ok, _stage_fits(spectrum, Ts, lams, outputs * sigmas**2, 1 - real)


def apply_fit(fit: Fit, state: State, c_sq: Array) -> State:
    """One stage: mix the labels, then fit them."""
    error, variance = fit.synthetic * state.error, fit.synthetic**2 * state.variance
    second_moment = c_sq * (1 + error) ** 2 + variance
    q = (jnp.sum(fit.missed**2 * second_moment) + fit.noise_var) / fit.residual
    return State(fit.learned * error - fit.missed, fit.learned**2 * (variance + q))


@jax.jit  # else every eager call compiles its scan anew
def run_stages(fits: Fit, c_sq: Array) -> State:
    """The state after each stage, starting from the truth."""

    def stage(state: State, fit: Fit) -> tuple[State, State]:
        state = apply_fit(fit, state, c_sq)
        return state, state

    return jax.lax.scan(stage, _truth(c_sq), fits)[1]


@partial(jax.jit, static_argnames="generations")
def last_risk(generations: int, generator: Fit, downstream: Fit, c_sq: Array) -> Array:
    """The risk of the downstream fit behind equal generators."""
    generate = lambda _, state: apply_fit(generator, state, c_sq)
    state = jax.lax.fori_loop(0, generations, generate, _truth(c_sq))
    return chain_risk(apply_fit(downstream, state, c_sq), c_sq)


def chain_risk(state: State, c_sq: Array) -> Array:
    """Squared bias plus variance."""
    return jnp.sum(jnp.broadcast_to(c_sq, state.error.shape) * state.error**2 + state.variance, axis=-1)


def _truth(c_sq: Array) -> State:
    return State(jnp.zeros_like(c_sq), jnp.zeros_like(c_sq))


_stage_fits = jax.vmap(ridge_fit, (None, 0, 0, 0, 0))
