"""Online direct preference optimisation: every step draws its pairs from the current policy."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax.nn import log_sigmoid, sigmoid
from jaxtyping import Array

from theorylab.numerics.domain import in_domain, nan_unless
from theorylab.problems.preference_sampling import Table, check_preferences, draw_preferences, reward_and_divergence
from theorylab.simulators.preference_sampling.pairs import (
    draw_labelled_pairs,
    draw_uniforms,
    enumerate_preference_pairs,
    labelled_loss,
)
from theorylab.types import Key, Real, Vector

__all__ = ["simulate_online_dpo", "simulate_online_dpo_enumerated"]


def simulate_online_dpo(
    key: Key, logref: Table, reward: Table, beta: Real, eta: Real, pairs: int, steps: tuple[int, ...],
    scheme: tuple[str, ...], tilt: Vector, n_best: int, labels: int = 0, sharpening: Real = 1.0,
) -> dict[str, Array]:  # fmt: skip
    """Stochastic gradient descent on the preference loss of pairs drawn by the current policy: one run per scheme.

        logits <- logits - eta X grad L_batch ,   X prompts of equal probability

    The schemes share their random numbers. The start is the reference, or an overfitted policy: a tabular policy is
    fitted to few labels by 200 such steps on the same pairs, drawn from the reference, and its logits are multiplied.

    Source: the setting of @feng2025pilaf.
    Domain: beta > 0; eta > 0; pairs >= 1; steps >= 0.

    logref, reward: [X, Y]. beta: coefficient of the divergence. eta: step size. pairs: labelled pairs per step.
    steps: after which steps to measure. scheme: sampling schemes. tilt: coefficients of the divergence in `tilted`.
    n_best: draws of best_of_n. labels: number of labels of the overfitted start, 0 to start at the reference.
    sharpening: factor on the logits of the overfitted start.
    Returns exact evaluations of the policies [scheme, steps]: reward, divergence, objective; and tilted = reward -
    tilt * divergence [scheme, steps, tilt].
    Raises ValueError outside the domain.
    """
    ref, reward = jnp.asarray(logref, float), jnp.asarray(reward, float)
    X = len(ref)
    rho = jnp.full(X, 1 / X)
    ok = check_preferences(ref, reward, rho) & _check(beta, eta, steps)
    in_domain(min(pairs, labels + 1) >= 1, "pairs", (pairs, labels), "pairs >= 1, labels >= 0")
    key_start, key = jax.random.split(key)
    start = ref
    if labels:
        few = draw_labelled_pairs(draw_uniforms(key_start, labels), "vanilla", ref, ref, reward, beta, rho)
        fit = lambda _, logits: logits - eta * X * jax.grad(labelled_loss)(logits, ref, beta, few)
        start = sharpening * jax.lax.fori_loop(0, 200, fit, ref)

    def gradients(logits: Array, t: Array) -> Array:
        uniforms = draw_uniforms(jax.random.fold_in(key, t), pairs, n_best)
        draw = lambda name, own: draw_labelled_pairs(uniforms, name, own, ref, reward, beta, rho, n_best)
        batches = jax.tree.map(lambda *x: jnp.stack(x), *(draw(name, own) for name, own in zip(scheme, logits)))
        return jax.vmap(jax.grad(labelled_loss), (0, None, None, 0))(logits, ref, beta, batches)

    value, divergence = _descend(gradients, start, ref, reward, eta, steps, len(scheme))
    tilted = value[:, :, None] - jnp.asarray(tilt)[None, None] * divergence[:, :, None]
    found = dict(reward=value, divergence=divergence, objective=value - beta * divergence, tilted=tilted)
    return nan_unless(ok, found)


def simulate_online_dpo_enumerated(
    key: Key, X: int, Y: int, beta: Real, eta: Real, steps: tuple[int, ...], scheme: tuple[str, ...], n_best: int
) -> dict[str, Array]:
    """`simulate_online_dpo` without noise: the loss is summed over every outcome of the draws. One random instance.

    X, Y: prompts and responses; reference logits and rewards are standard normal. Other arguments as there.
    Returns reward, divergence, objective [scheme, steps] and best, the largest possible objective [scheme, steps].
    """
    rho = (1 / X,) * X
    ref, reward, _ = map(jnp.asarray, draw_preferences(key, rho, Y))
    ok = _check(beta, eta, steps)
    preferred = sigmoid(reward[:, :, None] - reward[:, None, :])

    def loss(logits: Array, laws: Array) -> Array:
        r = beta * (logits - ref)
        D = r[:, :, None] - r[:, None, :]
        return -jnp.sum(laws * (preferred * log_sigmoid(D) + (1 - preferred) * log_sigmoid(-D))) / X

    def gradients(logits: Array, t: Array) -> Array:
        laws = [enumerate_preference_pairs(name, own, ref, beta, n_best) for name, own in zip(scheme, logits)]
        return jax.vmap(jax.grad(loss))(logits, jnp.stack(laws))

    value, divergence = _descend(gradients, ref, ref, reward, eta, steps, len(scheme))
    best = beta * jnp.mean(jax.nn.logsumexp(ref + reward / beta, axis=-1))
    found = dict(reward=value, divergence=divergence, objective=value - beta * divergence)
    return nan_unless(ok, {**found, "best": jnp.broadcast_to(best, value.shape)})


def _descend(
    gradients: Callable[[Array, Array], Array], start: Array, ref: Array, reward: Array, eta: Real,
    steps: tuple[int, ...], runs: int,
) -> tuple[Array, Array]:  # fmt: skip
    """Reward and divergence of several runs after the steps that are asked for [runs, steps]."""
    X = len(ref)
    rho = jnp.full(X, 1 / X)
    evaluate = jax.vmap(lambda logits: reward_and_divergence(logits, ref, reward, rho))
    step = lambda logits, t: (logits - eta * X * gradients(logits, t), evaluate(logits))
    starts = jnp.broadcast_to(start[None], (runs, *start.shape))
    _, path = jax.lax.scan(step, starts, jnp.arange(max(steps) + 1))
    value, divergence = (measured[jnp.array(steps)].T for measured in path)
    return value, divergence


def _check(beta: Real, eta: Real, steps: tuple[int, ...]) -> bool | Array:
    in_domain(len(steps) > 0 and min(steps) >= 0, "steps", steps, "at least one number, all >= 0")
    return in_domain(beta > 0, "beta", beta, "beta > 0") & in_domain(eta > 0, "eta", eta, "eta > 0")
