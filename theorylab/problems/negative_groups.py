"""A bandit of questions with a few correct answers, and rewards that penalise confident mistakes."""

from typing import NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from theorylab.numerics.domain import in_domain, nan_unless
from theorylab.types import Key, Real

__all__ = ["AnswerBandit", "answer_bandit", "confidence_penalised_group_rewards", "confidence_penalised_reward"]

Values: TypeAlias = Real | Float[Array, "..."] | Float[np.ndarray, "..."]
Group: TypeAlias = Float[Array, "G"] | Float[np.ndarray, "G"]
Flags: TypeAlias = Bool[Array, "flags"] | Bool[np.ndarray, "flags"] | Int[Array, "flags"] | Int[np.ndarray, "flags"]


class AnswerBandit(NamedTuple):
    """Logits of the initial policy [X, Y], and which answers are correct [X, Y]."""

    logits: Float[Array, "X Y"]
    correct: Bool[Array, "X Y"]


def answer_bandit(key: Key, X: int, Y: int, K: int, spread: Real) -> AnswerBandit:
    """X questions with Y answers each, logits spread N(0, 1); K answers of neighbouring ranks are correct.

    The first of these ranks is uniform, so that the questions range from easy to hard.

    Domain: X >= 1, 1 <= K < Y, spread >= 0. Raises ValueError outside it.
    """
    in_domain(X >= 1, "X", X, "X >= 1")
    in_domain(1 <= K < Y, "K", K, f"1 <= K < Y = {Y}")
    ok = in_domain(spread >= 0, "spread", spread, "spread >= 0")
    key_logits, key_rank = jax.random.split(key)
    logits = spread * jax.random.normal(key_logits, (X, Y))
    first = jax.random.randint(key_rank, (X, 1), 0, Y - K + 1)
    rank = jnp.argsort(jnp.argsort(logits, axis=-1), axis=-1)
    return AnswerBandit(nan_unless(ok, logits), (rank >= first) & (rank < first + K))


def confidence_penalised_reward(pi: Values, r: Values, D: Values) -> Float[Array, "..."]:
    """Reward of an answer that makes the policy gradient the gradient of the likelihood of its correctness.

        reward = r - (1 - r) pi / (D - pi)

    since r log pi + (1 - r) log(1 - pi/D) is, up to a constant, the log-likelihood of the outcome r when the answer is
    correct with probability pi/D.

    Source: @feng2025dont.
    Domain: 0 <= pi <= 1, 0 <= r <= 1, D > 0, and pi < D for every answer that may be wrong (r < 1).

    pi: probability of the answer under the policy. r: its outcome, 1 for correct, 0 for wrong; the probability that it
    is correct gives the expected reward. D: difficulty, 1 / sum of these probabilities over all answers: 1/K for K
    correct answers. Scalars, or arrays of one shape.
    Returns the reward.
    Raises ValueError outside the domain.
    """
    ok = in_domain((pi >= 0) & (pi <= 1), "pi", pi, "0 <= pi <= 1")
    ok &= in_domain((r >= 0) & (r <= 1), "r", r, "0 <= r <= 1")
    ok &= in_domain(D > 0, "D", D, "D > 0")
    pi, r, D = (jnp.asarray(value, float) for value in (pi, r, D))
    wrong = r < 1
    allowed = "no wrong answer with pi >= D; D must exceed the largest wrong-answer probability"
    ok &= in_domain(~wrong | (pi < D), "pi", pi, allowed)
    penalised = jnp.where(wrong, pi, 0.0)  # an answer that is surely correct may have pi >= D
    return nan_unless(ok, r - (1 - r) * penalised / jnp.where(wrong & (pi < D), D - penalised, 1.0))


def confidence_penalised_group_rewards(correct: Flags, pibar: Group) -> Float[Array, "G"]:
    """Rewards of a group of sampled answers to one question: wrong ones are penalised by their confidence.

        reward_i = r_i - (1 - r_i) (1/G) pibar_i / (D - pibar_i) ,
        D = max( [ (1/G) sum_i r_i / pibar_i ]^-1 , 2 max_j pibar_j ) ,   2 max_j pibar_j where none is correct

    They lie in [-1/G, 1], and a wrong answer never gets more than 0.

    Source: @feng2025dont.
    Domain: G >= 2, 0 < pibar <= 1.

    correct: outcomes r of the G answers, true or 1 for correct [G]. pibar: their geometric-mean token probabilities
    under the policy that drew them, in a bandit their probabilities [G].
    Returns the rewards [G].
    Raises ValueError outside the domain, or when the lengths differ.
    """
    if len(correct) != len(pibar):
        raise ValueError(f"correct has {len(correct)} entries, but pibar has {len(pibar)}")
    in_domain(len(pibar) >= 2, "pibar", pibar, "a group of at least two answers")
    ok = in_domain((pibar > 0) & (pibar <= 1), "pibar", pibar, "0 < pibar <= 1")
    pibar, r = jnp.asarray(pibar, float), jnp.asarray(correct, float)
    ok &= in_domain((r == 0) | (r == 1), "correct", correct, "true or false, 1 or 0")
    confidence = jnp.where(pibar > 0, pibar, 1.0)
    inverse = jnp.mean(r / confidence)
    D = jnp.maximum(jnp.where(inverse > 0, 1 / jnp.where(inverse > 0, inverse, 1.0), 0.0), 2 * jnp.max(confidence))
    return nan_unless(ok, r - (1 - r) * confidence / (D - confidence) / len(pibar))
