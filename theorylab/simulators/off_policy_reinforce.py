"""Policy-gradient training of a softmax on the responses of another policy, and rewards with a baseline."""

import difflib

import jax
import jax.numpy as jnp
from jaxtyping import Float

from theorylab.numerics.domain import in_domain, nan_unless
from theorylab.types import Array, Key, Real, Vector

__all__ = ["simulate_baseline_share", "simulate_off_policy_training"]

METHODS = ("naive", "truncated", "tapered", "positives")


def simulate_off_policy_training(
    key: Key,
    mu: Vector,
    R: Vector,
    start: Real,
    eta: Real,
    samples: int,
    steps: tuple[int, ...],
    gradient: tuple[str, ...],
    response: tuple[int, ...] = (1,),
) -> dict[str, Array]:
    """Stochastic gradient ascent in the logits of Y responses, on fresh responses of a fixed policy: one replicate.

        logits += eta * mean over the samples y ~ mu of  weight(y) R(y) grad log pi(y) ,   ratio = min(pi / mu, 1)

    Source: the setting of @leroux2025tapered.
    Domain: mu > 0, eta > 0; some response with R > 0 and some with R <= 0.

    mu: probability of each response under the policy that the samples come from [Y]. R: reward of each response [Y].
    start: initial logit of the last response; the others start at 0. eta: step size. samples: per step.
    steps: after which steps to measure.
    gradient: "naive", weight 1; "truncated", weight ratio; "tapered", weight 1 where R >= 0 and ratio elsewhere;
        "positives", weight 1 where R > 0 and 0 elsewhere. All see the same samples.
    response: which responses to report, counted from 1.
    Returns max_logit, reward = sum pi R, wrong = the probability of R <= 0, gap = mean logit on R > 0 less that on
    R <= 0, [gradient, steps]; at the end final_wrong [gradient] and final_policy [gradient, response]; and rate, the
    growth of the gap per step in the second half of all steps [gradient].
    Raises ValueError outside the domain.
    """
    for name in gradient:
        if name not in METHODS:
            near = difflib.get_close_matches(name, METHODS, 1, 0.0)[0]
            raise ValueError(f"gradient = {name!r} is not one of {', '.join(METHODS)}; did you mean {near!r}?")
    in_domain(samples >= 1, "samples", samples, "samples >= 1")
    in_domain(len(steps) > 0 and min(steps) >= 1 and max(steps) >= 2, "steps", steps, "at least one number >= 2")
    reported = len(response) > 0 and min(response) >= 1 and max(response) <= len(R)
    in_domain(reported, "response", response, f"at least one, all in 1..{len(R)}")
    if len(mu) != len(R):
        raise ValueError(f"mu and R have {len(mu)} and {len(R)} entries")
    ok = in_domain(mu > 0, "mu", mu, "mu > 0") & in_domain(eta > 0, "eta", eta, "eta > 0")
    ok &= in_domain(jnp.any(jnp.asarray(R) > 0) & jnp.any(jnp.asarray(R) <= 0), "R", R, "R > 0 and R <= 0, both")
    mu, R = jnp.asarray(mu, float), jnp.asarray(R, float)
    right = jnp.asarray(R > 0, float)
    full, tapered = (jnp.array([name in names for name in gradient])[:, None] for names in (("naive",), ("tapered",)))
    only = jnp.array([name == "positives" for name in gradient])[:, None]
    ends = jnp.cumsum(mu)[:-1] / jnp.sum(mu)

    def step(logits: Array, t: Array) -> tuple[Array, Array]:
        u = jax.random.uniform(jax.random.fold_in(key, t), (samples,), jnp.float32)
        above = jnp.mean(u[:, None] >= jnp.asarray(ends, jnp.float32)[None], 0, dtype=float)
        share = jnp.concatenate([jnp.ones(1), above]) - jnp.concatenate([above, jnp.zeros(1)])
        pi = jax.nn.softmax(logits, -1)
        kept = full | ((tapered | only) & (R >= 0)[None])
        weight = jnp.where(kept, 1.0, jnp.where(only, 0.0, jnp.minimum(pi / mu[None], 1.0)))
        push = share[None] * R[None] * weight
        logits = logits + eta * (push - pi * jnp.sum(push, -1, keepdims=True))
        return logits, logits

    logits = jnp.zeros((len(gradient), len(R))).at[:, -1].set(start)
    path = jax.lax.scan(step, logits, jnp.arange(max(steps)))[1]  # [steps, gradient, Y]
    measured = _measured(path[jnp.array(steps) - 1].swapaxes(0, 1), R, right)
    half, end = max(steps) // 2, max(steps)
    last = _measured(path[jnp.array([half, end]) - 1], R, right)
    measured["rate"] = (last["gap"][1] - last["gap"][0]) / (end - half)
    measured |= dict(
        final_wrong=last["wrong"][1], final_policy=jax.nn.softmax(path[-1], -1)[:, jnp.array(response) - 1]
    )
    return nan_unless(ok, measured)


def simulate_baseline_share(key: Key, p: Real, c: Vector, n: int) -> dict[str, Array]:
    """Share of the positive examples in the weight of a gradient, by the rewards of n examples: one replicate.

    Source: the setting of @leroux2025tapered.
    Domain: 0 <= p <= 1, -1 < c < 1, n >= 1.

    p: probability of the reward +1; it is -1 otherwise. c: baselines, each subtracted from the same rewards [c].
    n: number of examples.
    Returns share = sum_{R > 0} |R - c| / sum |R - c| [c]. Raises ValueError outside the domain.
    """
    in_domain(n >= 1, "n", n, "n >= 1")
    ok = in_domain((p >= 0) & (p <= 1), "p", p, "0 <= p <= 1")
    c = jnp.asarray(c)
    ok &= in_domain((c > -1) & (c < 1), "c", c, "-1 < c < 1")
    reward = jnp.where(jax.random.uniform(key, (n,)) < p, 1.0, -1.0)
    weight = jnp.abs(reward[None] - c[:, None])
    return {"share": nan_unless(ok, jnp.sum(jnp.where((reward > 0)[None], weight, 0.0), 1) / jnp.sum(weight, 1))}


def _measured(logits: Float[Array, "... Y"], R: Array, right: Array) -> dict[str, Array]:
    pi, n_right = jax.nn.softmax(logits, -1), jnp.sum(right)
    return dict(
        max_logit=jnp.max(jnp.abs(logits), -1),
        reward=pi @ R,
        wrong=pi @ (1 - right),
        gap=logits @ right / n_right - logits @ (1 - right) / (len(R) - n_right),
    )
