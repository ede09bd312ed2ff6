"""Trainings under rules on the entropy, and the fit of rewards, against loops with gradients by differentiation."""

from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from theorylab.problems.negative_groups import answer_bandit
from theorylab.simulators.negative_groups import simulate_answer_training
from theorylab.simulators.policy_entropy import (
    clip_cov_mask,
    kl_cov_mask,
    simulate_entropy_control,
    simulate_entropy_reward_law,
)

QUESTIONS = dict(X=4, Y=6, K=2, spread=1.5, G=4, eta=0.4)
CONTROL = dict(
    **QUESTIONS, inner=2, rule=("gradient", "natural", "bonus", "sampled", "clip_cov", "kl_cov"), steps=(0, 2, 4),
    level=(0.4,), bonus=0.2, penalty=3.0, lo=0.0, hi=5.0, frac=0.2,
)  # fmt: skip


def objective(logits, rule, r, o, A, old, mask):
    """What a rule climbs, as a function of the logits; its gradient is left to differentiation."""
    logpi = jax.nn.log_softmax(logits)
    pi = jnp.exp(logpi)
    if rule in ("gradient", "bonus"):
        return jnp.sum(pi * r) - (0.2 * jnp.sum(pi * logpi) if rule == "bonus" else 0.0)
    logq = jnp.take_along_axis(logpi - old, o, -1)
    cost = 3.0 * mask * (jnp.exp(logq) - 1 - logq) if rule == "kl_cov" else 0.0 * logq
    return jnp.sum(jnp.exp(logq) * A * (1 - mask if rule == "clip_cov" else 1) - cost) / 4


gradient = jax.jit(jax.grad(objective), static_argnums=1)
questions = jax.jit(lambda key: answer_bandit(key, 4, 6, 2, 1.5))
uniforms = jax.jit(lambda key: jax.random.uniform(key, (4, 4)))


@jax.jit
def both_masks(key, logpi, adv):
    return dict(clip_cov=clip_cov_mask(key, logpi, adv, 0.0, 5.0, 0.2), kl_cov=kl_cov_mask(logpi, adv, 0.2))


def controlled(key, rule):
    key_questions, key_draws = jax.random.split(key)
    logits, correct = (np.asarray(x) for x in questions(key_questions))
    r, path = correct.astype(float), []
    for t in range(5):
        path.append(logits)
        key_answers, key_mask = jax.random.split(jax.random.fold_in(key_draws, t))
        old = logits - np.logaddexp.reduce(logits, -1, keepdims=True)
        u, cdf = np.asarray(uniforms(key_answers)), np.cumsum(np.exp(old), -1)
        o = np.array([np.searchsorted(cdf[x, :-1], u[x], side="right") for x in range(4)])
        outcome = np.take_along_axis(r, o, -1)
        A = outcome - outcome.mean(-1, keepdims=True)
        tokens = np.take_along_axis(old, o, -1).ravel(), A.ravel()
        mask = np.asarray(both_masks(key_mask, *tokens).get(rule, np.zeros(16))).reshape(4, 4).astype(float)
        for _ in range(2):
            pi = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
            natural = r - (pi * r).sum(-1, keepdims=True)
            step = natural if rule == "natural" else np.asarray(gradient(logits, rule, r, o, A, old, mask))
            logits = logits + 0.4 * step
    return np.array(path)


@cache
def control():
    return jax.jit(lambda key: simulate_entropy_control(key, **CONTROL))(jax.random.key(8))


@pytest.mark.parametrize("rule", CONTROL["rule"])
def test_every_rule_climbs_its_objective(rule):
    logits, out = controlled(jax.random.key(8), rule)[[0, 2, 4]], control()
    correct = np.asarray(questions(jax.random.split(jax.random.key(8))[0]).correct)
    pi = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    among = (pi * correct)[:, correct].reshape(3, 4, 2)
    among = among / among.sum(-1, keepdims=True)
    m = CONTROL["rule"].index(rule)
    np.testing.assert_allclose(out["reward"][m], (pi * correct).sum(-1).mean(-1), rtol=1e-10)
    np.testing.assert_allclose(out["entropy"][m], -(pi * np.log(pi)).sum(-1).mean(-1), rtol=1e-10)
    np.testing.assert_allclose(out["diversity"][m], -(among * np.log(among)).sum(-1).mean(-1), rtol=1e-10)


def test_entropies_at_a_level_are_interpolated_and_missing_ones_flagged():
    out = jax.jit(
        lambda key: simulate_entropy_control(
            key, **{**CONTROL, "rule": ("natural",), "steps": tuple(range(6)), "level": (0.01, 0.3, 0.6, 0.99)}
        )
    )(jax.random.key(8))
    reward, entropy = np.asarray(out["reward"][0]), np.asarray(out["entropy"][0])
    assert np.all(np.diff(reward) > 0) and reward[0] > 0.01 and 0.6 < reward[-1] < 0.99
    expected = [np.nan, *np.interp([0.3, 0.6], reward, entropy), np.nan]  # passed at the start, never reached
    np.testing.assert_allclose(out["entropy_at"][0], expected, rtol=1e-12)


def test_the_reward_law_is_fitted_to_the_training():
    key, law = jax.random.key(1), dict(QUESTIONS, X=8, steps=(0, 5, 10, 15, 20, 30))
    both = lambda key: (
        simulate_entropy_reward_law(key, **law, early=4),
        simulate_answer_training(key, **law, alpha=1.0, advantage=("grpo",), k=(1,), window=1),
    )
    out, run = jax.jit(both)(key)
    H, R = (np.asarray(run[name][0]) for name in ("entropy", "accuracy"))
    np.testing.assert_allclose(out["reward"], R, rtol=1e-12)
    x = np.exp(H)
    slope, b = np.polyfit(x, R, 1)
    np.testing.assert_allclose(out["fitted"], b + slope * x, rtol=1e-9)
    np.testing.assert_allclose((out["ceiling"], out["final"]), (b + slope, R[-1]), rtol=1e-9)
    np.testing.assert_allclose(out["extrapolated"], np.polyval(np.polyfit(x[:4], R[:4], 1), x), rtol=1e-8)
    np.testing.assert_allclose(out["straight"], np.polyval(np.polyfit(H, R, 1), H), rtol=1e-9)
    squares = [np.corrcoef(z, y)[0, 1] ** 2 for z, y in ((x, R), (x[1:], R[1:]), (H, R))]
    np.testing.assert_allclose([out["r2"], out["r2_later"], out["r2_straight"]], squares, rtol=1e-9)


def controlled_with(**change):
    return jax.eval_shape(lambda key: simulate_entropy_control(key, **{**CONTROL, **change}), jax.random.key(0))


@pytest.mark.parametrize("call, message", [
    (lambda: simulate_entropy_reward_law(jax.random.key(0), **QUESTIONS, steps=(0, 1, 2, 3), early=3), "early = 3"),
    (lambda: controlled_with(rule=("kl-cov",)), "did you mean 'kl_cov'"),
    (lambda: controlled_with(rule=()), "rule"),
    (lambda: controlled_with(G=1), "G = 1"),
    (lambda: controlled_with(eta=0.0), "eta"),
    (lambda: controlled_with(inner=0), "inner"),
    (lambda: controlled_with(steps=(-1,)), "steps"),
    (lambda: controlled_with(level=(1.0,)), "level"),
    (lambda: controlled_with(bonus=-1.0), "bonus"),
    (lambda: controlled_with(penalty=-1.0), "penalty"),
])  # fmt: skip
def test_outside_the_domain_is_refused_by_name(call, message):
    with pytest.raises(ValueError, match=message):
        call()
