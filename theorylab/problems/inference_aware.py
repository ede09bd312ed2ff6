"""Policies over responses in the order of their reward, and tournaments between best or worst of several draws."""

import difflib
from typing import TypeAlias

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from theorylab.numerics.domain import in_domain
from theorylab.types import Real

__all__ = ["MODES", "check_mode", "exponential_transform", "power_of", "tournament_win_rate"]

Points: TypeAlias = Float[Array, "*points"] | Float[np.ndarray, "*points"]

MODES = ("best", "worst")


def check_mode(mode: str) -> None:
    """Raises ValueError, with the nearest name, unless the mode is "best" or "worst"."""
    if mode not in MODES:
        near = difflib.get_close_matches(mode, MODES, 1, 0.0)[0]
        raise ValueError(f"mode = {mode!r} is not one of {', '.join(MODES)}; did you mean {near!r}?")


def power_of(x: Points, k: Real) -> Float[Array, "*points"]:
    """x^k for x, k >= 0, with derivatives that are finite at x = 0 too (there they are set to 0)."""
    x, k = jnp.asarray(x, float), jnp.asarray(k, float)
    at_zero = jnp.where(k == 0, 1.0, 0.0)
    return jnp.where(x > 0, jnp.exp(k * jnp.log(jnp.where(x > 0, x, 1.0))), at_zero)


def exponential_transform(u: Points, t: Real, mode: str) -> Float[Array, "*points"]:
    """(e^(tu) - 1)/(e^t - 1) for "best", (1 - e^(-tu))/(1 - e^(-t)) for "worst": from 0 to 1, the identity at t = 0.

    Domain: t >= 0. Raises ValueError for an unknown mode.
    """
    check_mode(mode)
    u, t = jnp.asarray(u, float), jnp.asarray(t, float) * (1 if mode == "best" else -1)
    return u * _expm1_over(t * u) / _expm1_over(t)


def tournament_win_rate(policy: Points, reference: Points, n_best: Real, mode: str) -> Float[Array, ""]:
    """How often the best (worst) of n_best draws of a policy beats that of the reference; a tie counts one half.

    policy, reference: probabilities of the responses, in the order of their reward, without ties [outcomes].
    Domain: n_best >= 1. Raises ValueError outside it, and for an unknown mode.
    """
    check_mode(mode)
    in_domain(n_best >= 1, "n_best", n_best, "n_best >= 1")
    if mode == "worst":  # the worst is the best of the reversed order, and winning is losing there
        policy, reference = policy[::-1], reference[::-1]
    laws = (jnp.asarray(law, float) for law in (policy, reference))
    ours, theirs = (power_of(jnp.concatenate([jnp.zeros(1), jnp.cumsum(p) / jnp.sum(p)]), n_best) for p in laws)
    ahead = jnp.sum(jnp.diff(ours) * (theirs[1:] + theirs[:-1])) / 2
    return ahead if mode == "best" else 1 - ahead


def _expm1_over(x: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    small = jnp.abs(x) < 1e-4
    safe = jnp.where(small, 1.0, x)
    near = jnp.where(small, x, 0.0)
    return jnp.where(small, 1 + near / 2 + near**2 / 6 + near**3 / 24, jnp.expm1(safe) / safe)
