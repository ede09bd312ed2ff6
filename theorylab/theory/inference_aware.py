"""Alignment for responses that will be post-processed: the best, or the worst, of several draws is what counts.

Rewards enter through their quantile u under the reference (calibration), uniform on (0, 1); a policy is a density g of
u with distribution function G.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from theorylab.numerics.domain import in_domain, nan_unless
from theorylab.numerics.roots import bisection
from theorylab.problems.inference_aware import check_mode, exponential_transform, power_of
from theorylab.types import Real

__all__ = ["InferenceAwarePolicy", "TransformedTilt", "inference_aware_policy", "transformed_tilt_at_kl"]

_ITERATIONS = 20_000
_SOLVED = 1e-12  # residual, relative to n_best
_RESOLVED = 0.12  # mass between two neighbouring points, up to which win is right to 2e-5 and kl to 0.3%


class InferenceAwarePolicy(NamedTuple):
    """The best policy on a grid of quantiles.

    u: quantiles. g: density of the policy there. Rt: transformed reward, 0 at u = 1, g ~ exp(Rt / beta) [grid].
    win: inference-time win rate. kl: divergence from the reference. residual: of the fixed point, in units of Rt.
    converged: the residual is below 1e-12 n_best, and no two neighbouring points have 12% of the mass between them.
    """

    u: Float[Array, "grid"]
    g: Float[Array, "grid"]
    Rt: Float[Array, "grid"]
    win: Float[Array, ""]
    kl: Float[Array, ""]
    residual: Float[Array, ""]
    converged: Bool[Array, ""]


class TransformedTilt(NamedTuple):
    """Inference-time win rate of a tilt, and its strength."""

    win: Float[Array, ""]
    strength: Float[Array, ""]
    converged: Bool[Array, ""]


def inference_aware_policy(n_best: Real, beta: Real, mode: str, grid: int = 2001) -> InferenceAwarePolicy:
    """The policy that maximises the win rate of its best (worst) of N draws over that of the reference, minus beta KL.

        best:   W = 1 - int N u^(N-1) G^N du ,          Rt' = N^2 (u G)^(N-1)
        worst:  W = int N (1-u)^(N-1) (1-G)^N du ,      Rt' = N^2 ((1-u) (1-G))^(N-1) ,     g = exp(Rt / beta) / Z

    A tilt of the reference by a transform of the calibrated reward, which depends on the policy itself. W is concave in
    g, so the solution is unique. Damped iteration from the plain calibrated reward Rt = u - 1, which N = 1 leaves as it
    is; trapezoid rule, of error O(1/grid^2). Derivatives by the implicit function theorem.

    Source: @balashankar2025infalign.
    Domain: n_best >= 1, beta > 0, grid >= 3.

    n_best: N. beta: coefficient of the divergence. mode: "best" or "worst". grid: points on [0, 1], both ends included.
    Returns the policy, its win rate and divergence, and whether it was found and the grid resolves it.
    Raises ValueError outside the domain.
    """
    check_mode(mode)
    in_domain(grid >= 3, "grid", grid, "grid >= 3")
    ok = in_domain(n_best >= 1, "n_best", n_best, "n_best >= 1") & in_domain(beta > 0, "beta", beta, "beta > 0")
    N, beta, u = jnp.asarray(n_best, float), jnp.asarray(beta, float), jnp.linspace(0.0, 1.0, grid)

    def transform(Rt: Array) -> Array:
        G = _distribution(Rt / beta)[1]
        steep = power_of(u * G if mode == "best" else (1 - u) * (1 - G), N - 1)
        new = _cumulative(N**2 * steep)
        return new - new[-1]

    def solve(_: Any, start: Array) -> Array:
        damping = jnp.minimum(0.5, 2 * beta / N)

        def step(state: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
            Rt, _, count = state
            change = transform(Rt) - Rt
            return Rt + damping * change, jnp.max(jnp.abs(change)), count + 1

        goes_on = lambda state: (state[1] > _SOLVED * N / 2) & (state[2] < _ITERATIONS)
        return jax.lax.while_loop(goes_on, step, (start, jnp.ones_like(N), jnp.array(0)))[0]

    def invert(linear: Any, value: Array) -> Array:
        return jnp.linalg.solve(jax.jacobian(linear)(value), value)

    Rt = jax.lax.custom_root(lambda Rt: Rt - transform(Rt), u - 1, solve, invert)
    fixed = jax.lax.stop_gradient(Rt)
    residual = jnp.max(jnp.abs(transform(fixed) - fixed))
    log_g, G = _distribution(Rt / beta)
    win, kl = _win_rate(u, G, N, mode), _trapezoid(jnp.exp(log_g) * log_g)
    found = nan_unless(ok, InferenceAwarePolicy(u, jnp.exp(log_g), Rt, win, kl, residual, jnp.ones(())))
    return found._replace(converged=(residual < _SOLVED * N) & _resolved(G))


def transformed_tilt_at_kl(n_best: Real, t: Real, kl: Real, mode: str, grid: int = 2001) -> TransformedTilt:
    """Win rate of the best (worst) of N draws of a tilt by an exponential of the quantile, at a given divergence.

        g = exp(strength Phi(u)) / Z ,   Phi ~ e^(t u)  for "best" ,  -e^(-t u)  for "worst" ,   KL(g || 1) = kl

    with Phi scaled to run from 0 to 1; t = 0 is the calibrated reward itself. Trapezoid rule, of error O(1/grid^2).

    Source: @balashankar2025infalign.
    Domain: n_best >= 1, t >= 0, kl > 0, grid >= 3.

    n_best: N. t: curvature of the transform. kl: divergence from the reference. mode, grid: as for
    `inference_aware_policy`.
    Returns the win rate, the strength, and whether it was found and no two neighbouring points have 12% of the mass
    between them.
    Raises ValueError outside the domain.
    """
    check_mode(mode)
    in_domain(grid >= 3, "grid", grid, "grid >= 3")
    ok = in_domain(n_best >= 1, "n_best", n_best, "n_best >= 1") & in_domain(t >= 0, "t", t, "t >= 0")
    ok &= in_domain(kl > 0, "kl", kl, "kl > 0")
    u = jnp.linspace(0.0, 1.0, grid)
    phi, target = exponential_transform(u, t, mode), jnp.asarray(kl, float)

    def excess(log_strength: Array) -> Array:
        log_g, _ = _distribution(jnp.exp(log_strength) * phi)
        return _trapezoid(jnp.exp(log_g) * log_g) - target

    strength = jnp.exp(bisection(excess, jnp.array(-14.0), jnp.array(30.0)))
    G = _distribution(strength * phi)[1]
    win = _win_rate(u, G, jnp.asarray(n_best, float), mode)
    found = nan_unless(ok, TransformedTilt(win, strength, jnp.ones(())))
    return found._replace(converged=jnp.isfinite(strength) & _resolved(G))


def _distribution(logits: Array) -> tuple[Array, Array]:
    """Log density and distribution function of a density on the grid, from its unnormalised logarithm."""
    logits = logits - jnp.max(logits)
    mass = _cumulative(jnp.exp(logits))
    return logits - jnp.log(mass[-1]), mass / mass[-1]


def _cumulative(f: Array) -> Array:
    return jnp.concatenate([jnp.zeros(1), jnp.cumsum(f[1:] + f[:-1]) / (2 * (f.size - 1))])


def _trapezoid(f: Array) -> Array:
    return _cumulative(f)[-1]


def _win_rate(u: Array, G: Array, N: Array, mode: str) -> Array:
    if mode == "best":
        return 1 - _trapezoid(N * power_of(u, N - 1) * power_of(G, N))
    return _trapezoid(N * power_of(1 - u, N - 1) * power_of(1 - G, N))


def _resolved(G: Array) -> Array:
    return jnp.max(jnp.diff(jax.lax.stop_gradient(G))) < _RESOLVED
