"""Trainings under rules that act on the entropy of the policy."""

import difflib
from collections.abc import Callable
from typing import TypeAlias

import jax
import jax.numpy as jnp

from theorylab.numerics.domain import in_domain, nan_unless
from theorylab.problems.negative_groups import answer_bandit
from theorylab.problems.policy_entropy_steps import categorical_entropy
from theorylab.simulators.negative_groups.groups import draw_answers
from theorylab.simulators.policy_entropy.masks import clip_cov_mask, kl_cov_mask
from theorylab.types import Array, Key, Real

__all__ = ["simulate_entropy_control"]

ENUMERATED = ("gradient", "natural", "bonus")
SAMPLED = ("sampled", "clip_cov", "kl_cov")

Mask: TypeAlias = Callable[[Key, Array, Array], Array]


def simulate_entropy_control(
    key: Key,
    X: int,
    Y: int,
    K: int,
    spread: Real,
    G: int,
    eta: Real,
    inner: int,
    rule: tuple[str, ...],
    steps: tuple[int, ...],
    level: tuple[float, ...],
    bonus: Real,
    penalty: Real,
    lo: Real,
    hi: Real,
    frac: Real,
) -> dict[str, Array]:
    """Entropy and accuracy of tabular policies in trainings under several rules: one replicate.

    Enumerated, `inner` updates of size eta per step: "gradient", along the gradient of the accuracy; "natural", along
    its natural gradient; "bonus", along the gradient of the accuracy plus `bonus` times the entropy.
    Sampled, one group of G answers per question and step and `inner` updates on the gradient of the mean of
    q (r - mean r), q = pi / pi_old: "sampled"; "clip_cov", without the tokens of `clip_cov_mask`; "kl_cov", less
    penalty (q - 1 - log q) on the tokens of `kl_cov_mask`. A batch is all answers drawn in a step.
    The rules see the same questions and share their random numbers.

    Source: the setting of @cui2025entropy.
    Domain: that of `answer_bandit`; G >= 2, eta > 0, inner >= 1, bonus >= 0, penalty >= 0, steps >= 0, 0 < level < 1.

    X, Y, K, spread: the questions, as for `answer_bandit`. steps: after how many steps to measure. level: accuracies at
    which to compare entropies. lo, hi, frac: of the masks.
    Returns [rule, steps]: entropy and reward, the mean accuracy; diversity, the entropy among the correct answers.
    entropy_at [rule, level]: the entropy when the accuracy first reaches a level; NaN if it never does.
    Raises ValueError outside the domain.
    """
    ok = _check(G, eta, inner, rule, steps, level, bonus, penalty)
    key_questions, key_draws = jax.random.split(key)
    start, correct = answer_bandit(key_questions, X, Y, K, spread)
    r = correct.astype(float)
    masks: dict[str, Mask] = dict(
        clip_cov=lambda key, logp, A: clip_cov_mask(key, logp, A, lo, hi, frac),
        kl_cov=lambda key, logp, A: kl_cov_mask(logp, A, frac),
    )

    def step(policies: list[Array], t: Array) -> tuple[list[Array], tuple[Array, Array, Array]]:
        key = jax.random.fold_in(key_draws, t)
        moved = []
        for name, logits in zip(rule, policies):
            if name in ENUMERATED:
                update = _enumerated(r, name == "natural", bonus if name == "bonus" else 0.0)
            else:
                update = _sampled(key, logits, r, G, masks.get(name), penalty if name == "kl_cov" else None)
            moved.append(jax.lax.fori_loop(0, inner, lambda _, z, f=update: z + eta * f(z), logits))
        return moved, _measured(jnp.stack(policies), correct)

    path = jax.lax.scan(step, [start] * len(rule), jnp.arange(max(steps) + 1))[1]
    entropy, reward, diversity = (x.T for x in path)
    at = jnp.array(steps)
    crossed = jax.vmap(_first_crossing, (0, 0, None))(reward, entropy, jnp.array(level))
    return nan_unless(
        ok, dict(entropy=entropy[:, at], reward=reward[:, at], diversity=diversity[:, at], entropy_at=crossed)
    )


def _enumerated(r: Array, natural: bool, bonus: Real) -> Callable[[Array], Array]:
    def direction(logits: Array) -> Array:
        logpi = jax.nn.log_softmax(logits)
        pi = jnp.exp(logpi)
        gain = r - bonus * logpi
        A = gain - jnp.sum(pi * gain, -1, keepdims=True)
        return A if natural else pi * A

    return direction


def _sampled(
    key: Key, logits: Array, r: Array, G: int, mask: Mask | None, penalty: Real | None
) -> Callable[[Array], Array]:
    """Gradient on one batch; tokens of the mask are dropped, or penalised if there is a penalty."""
    key_answers, key_mask = jax.random.split(key)
    old = jax.nn.log_softmax(logits)
    o = draw_answers(jnp.exp(old), jax.random.uniform(key_answers, (len(r), G)))
    outcome, logp = jnp.take_along_axis(r, o, -1), jnp.take_along_axis(old, o, -1)
    A = outcome - jnp.mean(outcome, -1, keepdims=True)
    chosen = mask(key_mask, logp.ravel(), A.ravel()).reshape(A.shape).astype(float) if mask else jnp.zeros_like(A)
    weight, cost = (A * (1 - chosen), 0.0 * chosen) if penalty is None else (A, penalty * chosen)
    scatter = jax.vmap(lambda answers, values: jnp.zeros(logits.shape[-1]).at[answers].add(values))

    def direction(logits: Array) -> Array:
        logpi = jax.nn.log_softmax(logits)
        q = jnp.exp(jnp.take_along_axis(logpi, o, -1) - logp)
        force = (q * weight - (q - 1) * cost) / G
        return scatter(o, force) - jnp.sum(force, -1, keepdims=True) * jnp.exp(logpi)

    return direction


def _measured(logits: Array, correct: Array) -> tuple[Array, Array, Array]:
    """Means over the questions: entropy, accuracy, entropy among correct answers [rule]."""
    logpi = jax.nn.log_softmax(logits)
    p = jnp.sum(jnp.where(correct[None], jnp.exp(logpi), 0.0), -1)
    among = jax.nn.log_softmax(jnp.where(correct[None], logits, -1e9))
    return jnp.mean(categorical_entropy(logpi), -1), jnp.mean(p, -1), jnp.mean(categorical_entropy(among), -1)


def _first_crossing(reward: Array, entropy: Array, level: Array) -> Array:
    """The entropy, by linear interpolation, where the reward first reaches each level."""
    above = reward[None] >= level[:, None]
    i = jnp.maximum(jnp.argmax(above, -1), 1)
    share = (level - reward[i - 1]) / (reward[i] - reward[i - 1])
    value = entropy[i - 1] + jnp.clip(share, 0, 1) * (entropy[i] - entropy[i - 1])
    return jnp.where(jnp.any(above, -1) & ~above[:, 0], value, jnp.nan)


def _check(
    G: int, eta: Real, inner: int, rule: tuple[str, ...], steps: tuple[int, ...], level: tuple[float, ...], bonus: Real,
    penalty: Real,
) -> bool | Array:  # fmt: skip
    known = (*ENUMERATED, *SAMPLED)
    for name in rule:
        if name not in known:
            near = difflib.get_close_matches(name, known, 1, 0.0)[0]
            raise ValueError(f"rule = {name!r} is not one of {', '.join(known)}; did you mean {near!r}?")
    in_domain(len(rule) > 0, "rule", rule, "at least one rule")
    in_domain(G >= 2, "G", G, "G >= 2")
    in_domain(inner >= 1, "inner", inner, "inner >= 1")
    in_domain(len(steps) > 0 and min(steps) >= 0, "steps", steps, "at least one number, all >= 0")
    in_domain(len(level) > 0 and min(level) > 0 and max(level) < 1, "level", level, "in (0, 1)")
    ok = in_domain(eta > 0, "eta", eta, "eta > 0") & in_domain(bonus >= 0, "bonus", bonus, "bonus >= 0")
    return ok & in_domain(penalty >= 0, "penalty", penalty, "penalty >= 0")
