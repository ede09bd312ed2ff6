"""Training of tabular policies on groups of sampled answers, with several kinds of advantages."""

import difflib
from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Bool

from theorylab.numerics.domain import in_domain, nan_unless
from theorylab.problems.negative_groups import answer_bandit, confidence_penalised_group_rewards
from theorylab.simulators.negative_groups.groups import draw_answers, normalised_rewards
from theorylab.types import Array, Key, Real

__all__ = ["simulate_answer_training"]


def simulate_answer_training(
    key: Key,
    X: int,
    Y: int,
    K: int,
    spread: Real,
    G: int,
    eta: Real,
    alpha: Real,
    advantage: tuple[str, ...],
    steps: tuple[int, ...],
    k: tuple[int, ...],
    window: int,
) -> dict[str, Array]:
    """Training of tabular policies on questions with few correct answers, one group of answers per step: one replicate.

        logits <- logits + eta (1/G) sum_i A_i grad log pi(o_i)     for every question, on its own group o_1..o_G

    Advantages A of outcomes r: r ("reinforce"); -(1 - r) ("nsr": negative samples only); (r - mean) / std, 0 where all
    outcomes agree ("grpo"); the same with penalised rewards, and alpha (reward - mean) where no answer is correct
    ("lens"; "lens_full" with alpha = 1). All see the same questions and share their random numbers.

    Source: the setting of @feng2025dont.
    Domain: that of `answer_bandit`; G >= 2, eta > 0, alpha >= 0, k >= 1, steps >= 0, window >= 1.

    X, Y, K: questions, answers, correct answers of each. spread: standard deviation of the initial logits. G: answers
    per group. eta: learning rate. steps: after how many steps to measure. k: answers per question of pass@k.
    window: steps over which groups are counted, from each of `steps` on.
    Returns [advantage, steps]: accuracy = mean p, with p the exact probability of a correct answer; gain, the accuracy
    less that with the first of `advantage`; hard_accuracy, that of the third of the questions which is hardest at the
    start; entropy of the policies; all_wrong, the share of groups without a correct answer, expected_wrong, the mean of
    (1 - p)^G, and wrong_ratio, the first over the second.
    pass_at_k [advantage, k]: mean 1 - (1 - p)^k after the last of `steps`.
    Raises ValueError outside the domain.
    """
    ok = _check_training(G, eta, alpha, advantage, steps, k, window)
    key_questions, key_draws = jax.random.split(key)
    start, correct = answer_bandit(key_questions, X, Y, K, spread)
    rules = [jax.vmap(_ADVANTAGES[name], (0, 0, None)) for name in advantage]
    scatter = jax.vmap(jax.vmap(lambda answers, weights: jnp.zeros(Y).at[answers].add(weights)))

    def step(logits: Array, t: Array) -> tuple[Array, tuple[Array, Array, Array]]:
        logpi = jax.nn.log_softmax(logits)
        pi = jnp.exp(logpi)
        answers = draw_answers(pi, jax.random.uniform(jax.random.fold_in(key_draws, t), (1, X, G)))
        r = jnp.take_along_axis(correct[None], answers, -1)
        chosen = jnp.take_along_axis(pi, answers, -1)
        A = jnp.stack([f(r[m], chosen[m], alpha) for m, f in enumerate(rules)]) / G
        gain = scatter(answers, A) - jnp.sum(A, -1, keepdims=True) * pi
        p = jnp.sum(jnp.where(correct[None], pi, 0.0), -1)
        wrong = 1 - jnp.mean(jnp.any(r, -1), -1, dtype=float)
        return logits + eta * gain, (p, -jnp.mean(jnp.sum(pi * logpi, -1), -1), wrong)

    times = jnp.arange(max(steps) + window)
    path, entropy, wrong = jax.lax.scan(step, jnp.stack([start] * len(advantage)), times)[1]
    hardest = jnp.argsort(path[0, 0])[: max(X // 3, 1)]
    at = jnp.array(steps)
    counted = [x[at[:, None] + times[None, :window]].mean(1).T for x in (wrong, jnp.mean((1 - path) ** G, -1))]
    accuracy = path[at].mean(-1).T
    measured = dict(
        accuracy=accuracy,
        gain=accuracy - accuracy[:1],
        hard_accuracy=path[at][..., hardest].mean(-1).T,
        entropy=entropy[at].T,
        all_wrong=counted[0],
        expected_wrong=counted[1],
        wrong_ratio=counted[0] / counted[1],
        pass_at_k=jnp.mean(1 - (1 - path[max(steps)])[..., None] ** jnp.array(k, float)[None, None], 1),
    )
    return nan_unless(ok, measured)


def _penalised(r: Bool[Array, "G"], chosen: Array, alpha: Real) -> Array:
    reward = confidence_penalised_group_rewards(r, chosen)
    return jnp.where(jnp.any(r), normalised_rewards(reward), alpha * (reward - jnp.mean(reward)))


_ADVANTAGES: dict[str, Callable[[Array, Array, Real], Array]] = {
    "reinforce": lambda r, chosen, alpha: r.astype(float),
    "nsr": lambda r, chosen, alpha: r.astype(float) - 1,
    "grpo": lambda r, chosen, alpha: normalised_rewards(r.astype(float)),
    "lens": _penalised,
    "lens_full": lambda r, chosen, alpha: _penalised(r, chosen, 1.0),
}


def _check_training(
    G: int, eta: Real, alpha: Real, advantage: tuple[str, ...], steps: tuple[int, ...], k: tuple[int, ...], window: int
) -> bool | Array:
    for name in advantage:
        if name not in _ADVANTAGES:
            near = difflib.get_close_matches(name, _ADVANTAGES, 1, 0.0)[0]
            raise ValueError(f"advantage = {name!r} is not one of {', '.join(_ADVANTAGES)}; did you mean {near!r}?")
    in_domain(len(advantage) > 0, "advantage", advantage, "at least one kind")
    in_domain(G >= 2, "G", G, "G >= 2")
    in_domain(len(steps) > 0 and min(steps) >= 0, "steps", steps, "at least one number, all >= 0")
    in_domain(len(k) > 0 and min(k) >= 1, "k", k, "at least one number, all >= 1")
    in_domain(window >= 1, "window", window, "window >= 1")
    return in_domain(eta > 0, "eta", eta, "eta > 0") & in_domain(alpha >= 0, "alpha", alpha, "alpha >= 0")
