"""Gradients of sampled groups, and of the likelihood of the outcomes."""

import jax
import jax.numpy as jnp

from theorylab.numerics.domain import in_domain, nan_unless
from theorylab.problems.negative_groups import confidence_penalised_group_rewards, confidence_penalised_reward
from theorylab.simulators.negative_groups.groups import draw_answers, normalised_rewards
from theorylab.types import Array, Key, Vector

__all__ = ["simulate_group_gradient", "simulate_likelihood_gradient", "simulate_negative_group_gradient"]


def simulate_group_gradient(key: Key, p: Vector, G: tuple[int, ...], draws: int) -> dict[str, Array]:
    """Policy gradient of groups with normalised rewards, per gradient of the success probability: one replicate.

        scale = <g, grad p> / |grad p|^2 ,   g = mean over groups of (1/G) sum_i A_i grad log pi(o_i) ,
        A = (r - mean) / std within the group, 0 where all outcomes r agree

    for a policy over four answers of probabilities .7 p, .3 p (correct), .6 (1-p), .4 (1-p), and the gradient in its
    logits. Sizes and probabilities share their random numbers.

    Source: the setting of @feng2025dont.
    Domain: 0 < p < 1, G >= 2 and divides draws.

    p: probabilities of a correct answer. G: answers per group. draws: answers in all, in draws / G groups.
    Returns scale [G, p].
    Raises ValueError outside the domain.
    """
    in_domain(len(G) > 0 and min(G) >= 2, "G", G, "at least one size, all >= 2")
    in_domain(all(draws % size == 0 for size in G), "draws", draws, f"a multiple of each of G = {G}")
    ok = in_domain((p > 0) & (p < 1), "p", p, "0 < p < 1")
    correct = jnp.array([1.0, 1.0, 0.0, 0.0])

    def one(p: Array) -> Array:
        pi = jnp.stack([0.7 * p, 0.3 * p, 0.6 * (1 - p), 0.4 * (1 - p)])
        grad_p = pi * (correct - p)
        answers = draw_answers(pi, jax.random.uniform(key, (draws,)))
        along = (grad_p - pi @ grad_p)[answers] / (grad_p @ grad_p)  # <grad log pi(o), grad p> / |grad p|^2
        r = correct[answers]
        means = [jnp.mean(normalised_rewards(r.reshape(-1, size)) * along.reshape(-1, size)) for size in G]
        return jnp.stack(means)

    return {"scale": nan_unless(ok, jax.vmap(one, out_axes=1)(jnp.asarray(p, float)))}


def simulate_negative_group_gradient(
    key: Key, pi: Vector, correct: tuple[bool, ...], G: tuple[int, ...], answer: tuple[int, ...], draws: int
) -> dict[str, Array]:
    """Average gradient of groups without a correct answer, with penalised rewards less their mean: one replicate.

        gradient = mean over groups of 1{all wrong} (1/G) sum_i (R_i - mean R) grad log pi(o_i)

    with the rewards R of `confidence_penalised_group_rewards`, in the logits of a tabular policy.

    Source: the setting of @feng2025dont.
    Domain: 0 < pi < 1 of sum 1, G >= 2 and divides draws.

    pi: probabilities of the answers [Y]. correct: which are correct [Y]. G: answers per group. answer: for which
    logits, counted from 0. draws: answers in all, in draws / G groups.
    Returns gradient [G, answer].
    Raises ValueError outside the domain.
    """
    in_domain(len(G) > 0 and min(G) >= 2, "G", G, "at least one size, all >= 2")
    in_domain(all(draws % size == 0 for size in G), "draws", draws, f"a multiple of each of G = {G}")
    in_domain(len(correct) == len(pi), "correct", correct, f"one flag for each of {len(pi)} answers")
    ok = in_domain((pi > 0) & (pi < 1), "pi", pi, "0 < pi < 1")
    pi, flags = jnp.asarray(pi, float), jnp.array(correct)
    drawn = draw_answers(pi, jax.random.uniform(key, (draws,)))

    def one(size: int) -> Array:
        groups = drawn.reshape(-1, size)
        r = flags[groups]
        R = jax.vmap(confidence_penalised_group_rewards)(r, pi[groups])
        A = jnp.where(jnp.any(r, 1, keepdims=True), 0.0, R - jnp.mean(R, 1, keepdims=True)) / draws
        score = jax.nn.one_hot(groups, len(pi), dtype=float) - pi[None, None]
        return jnp.sum(A[..., None] * score, (0, 1))[jnp.array(answer)]

    return {"gradient": nan_unless(ok, jnp.stack([one(size) for size in G]))}


def simulate_likelihood_gradient(key: Key, Y: int, K: int, answer: tuple[int, ...]) -> dict[str, Array]:
    """Expected gradient of the log-likelihood of outcomes against policy gradients, on a random bandit: one replicate.

        likelihood = grad E[ r log pi(o) + (1 - r) log(1 - pi(o)/D) ] ,   o ~ pi and r ~ Bernoulli(pstar(o)) held fixed,
        penalised = E[ R grad log pi(o) ] ,  R = r - (1 - r) pi / (D - pi) ;   plain: the same with R = r

    by enumeration and automatic differentiation in the logits. K answers are surely correct, the others with
    probabilities up to 0.3; logits are N(0, 1), tilted until every answer that may be wrong has pi < 0.8 D.

    Source: the setting of @feng2025dont.
    Domain: 1 <= K < Y, answer < Y.

    Y, K: answers, surely correct ones. answer: for which logits, counted from 0.
    Returns likelihood, penalised, plain [answer].
    Raises ValueError outside the domain.
    """
    in_domain(1 <= K < Y, "K", K, f"1 <= K < Y = {Y}")
    in_domain(len(answer) > 0 and 0 <= min(answer) and max(answer) < Y, "answer", answer, f"in 0..{Y - 1}")
    key_logits, key_pstar = jax.random.split(key)
    certain = jnp.arange(Y) < K
    pstar = jnp.where(certain, 1.0, 0.3 * jax.random.uniform(key_pstar, (Y,)))
    D = 1 / jnp.sum(pstar)
    logits = jax.random.normal(key_logits, (Y,))
    pi = jax.nn.softmax(logits)
    pi = jnp.where(certain, pi, jnp.minimum(pi, 0.8 * D))
    logits = jnp.log(jnp.where(certain, pi + (1 - pi.sum()) / K, pi))  # what was cut off goes to the correct answers
    pi = jnp.exp(logits)

    def expected(logits: Array, reward: Array) -> Array:
        return jnp.sum(pi * reward * jax.nn.log_softmax(logits))

    def likelihood(logits: Array) -> Array:
        logpi = jax.nn.log_softmax(logits)
        wrong = jnp.log1p(-jnp.where(certain, 0.0, jnp.exp(logpi)) / D)
        return jnp.sum(pi * (pstar * logpi + (1 - pstar) * wrong))

    penalised = confidence_penalised_reward(pi, pstar, jnp.full(Y, D))
    gradients = dict(
        likelihood=jax.grad(likelihood)(logits),
        penalised=jax.grad(expected)(logits, penalised),
        plain=jax.grad(expected)(logits, pstar),
    )
    return {name: gradient[jnp.array(answer)] for name, gradient in gradients.items()}
