"""Gradients of preference learning: of all pairs at once on random instances, and of batches of labelled pairs."""

import jax
import jax.numpy as jnp
from jax.nn import log_sigmoid, sigmoid
from jaxtyping import Array

from theorylab.numerics.domain import in_domain, nan_unless
from theorylab.problems.preference_sampling import (
    Table,
    check_preferences,
    draw_policy_problem,
    kl_regularised_objective,
)
from theorylab.simulators.preference_sampling.pairs import (
    draw_labelled_pairs,
    draw_uniforms,
    enumerate_preference_pairs,
    labelled_loss,
    pilaf_partition,
)
from theorylab.types import Key, Real, Vector

__all__ = ["simulate_gradient_alignment", "simulate_preference_gradient"]


def simulate_gradient_alignment(
    key: Key, rho: tuple[float, ...], Y: int, beta: Real, eps: Vector, scheme: tuple[str, ...],
    weighted: tuple[bool, ...], n_best: int, start: str = "optimum",
) -> dict[str, Array]:  # fmt: skip
    """Angle between the descent of the preference loss and the ascent of the objective: one random instance.

    The instance, its random policies at distance eps, and the distances are those of `draw_policy_problem`. Both
    gradients are taken by automatic differentiation, the loss summed over every outcome of the draws of a scheme.

    Source: the setting of @feng2025pilaf.
    Domain: beta > 0.

    rho: probabilities of the prompts. Y: responses per prompt. beta: coefficient of the divergence. eps: distances.
    scheme: sampling schemes. weighted: whether prompt x has the weight (1 + Z_plus Z_minus)_x / zbar in the loss.
    n_best: draws of best_of_n. start: "optimum" or "reference", from where the distances count.
    Returns misalignment = 1 - cosine and residual = |grad L + (beta / zbar) grad J| [scheme, weighted, eps].
    Raises ValueError outside the domain.
    """
    problem, policies = draw_policy_problem(key, rho, Y, beta, eps, start)
    logref, reward, share = map(jnp.asarray, problem)
    gaps = reward[:, :, None] - reward[:, None, :]

    def loss(logits: Array, laws: Array) -> Array:
        r = beta * (logits - logref)
        D = r[:, :, None] - r[:, None, :]
        surprise = sigmoid(gaps) * log_sigmoid(D) + sigmoid(-gaps) * log_sigmoid(-D)
        return -jnp.sum(share[:, None, None] * laws * surprise)

    def measure(logits: Array) -> tuple[Array, Array]:
        laws = jnp.stack([enumerate_preference_pairs(name, logits, logref, beta, n_best) for name in scheme])
        down = -jax.vmap(jax.grad(loss), (None, 0))(logits, laws)
        up = jax.grad(kl_regularised_objective)(logits, logref, reward, beta, share)
        total = 1 + pilaf_partition(logits, logref, beta)
        zbar = share @ total
        prompt = jnp.stack([total / zbar if flag else jnp.ones_like(total) for flag in weighted])
        down = down[:, None] * prompt[None, :, :, None]
        unit = lambda g: g / jnp.sqrt(jnp.sum(g**2, (-2, -1), keepdims=True))
        misalignment = jnp.sum((unit(down) - unit(up)[None, None]) ** 2, (-2, -1)) / 2
        residual = jnp.sqrt(jnp.sum((down - beta / zbar * up[None, None]) ** 2, (-2, -1)))
        return misalignment, residual

    misalignment, residual = jax.vmap(measure, out_axes=-1)(policies)
    return {"misalignment": misalignment, "residual": residual}


def simulate_preference_gradient(
    key: Key, logits: Table, logref: Table, reward: Table, beta: Real, rho: Vector, pairs: int,
    scheme: tuple[str, ...], n_best: int,
) -> dict[str, Array]:  # fmt: skip
    """Component of a stochastic gradient along that of the objective: one batch of labelled pairs.

        ascent = - <grad L_batch, grad J> / |grad J|^2

    Prompts are drawn from rho, pairs by the scheme, labels from the Bradley-Terry model; the loss is their mean. The
    schemes share their random numbers.

    Source: the setting of @feng2025pilaf.
    Domain: beta > 0; pairs >= 1. Arguments as for `simulate_gradient_alignment`; pairs: size of the batch.
    Returns ascent [scheme].
    Raises ValueError outside the domain.
    """
    ok = check_preferences(logref, reward, rho, logits) & in_domain(beta > 0, "beta", beta, "beta > 0")
    in_domain(pairs >= 1, "pairs", pairs, "pairs >= 1")
    logits, ref, reward = (jnp.asarray(table, float) for table in (logits, logref, reward))
    up = jax.grad(kl_regularised_objective)(logits, ref, reward, beta, rho)

    uniforms = draw_uniforms(key, pairs, n_best)

    def along(name: str) -> Array:
        batch = draw_labelled_pairs(uniforms, name, logits, ref, reward, beta, rho, n_best)
        return jnp.sum(jax.grad(labelled_loss)(logits, ref, beta, batch) * up)

    ascent = -jnp.stack([along(name) for name in scheme]) / jnp.sum(up**2)
    return {"ascent": nan_unless(ok, ascent)}
