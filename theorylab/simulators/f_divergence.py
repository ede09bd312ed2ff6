"""Policies trained against an f-divergence penalty: on rewards, on preferences, and on answers that are verified."""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from theorylab.numerics.domain import in_domain, nan_unless
from theorylab.problems.f_divergence import divergence_generator, known_divergence, policy_prices
from theorylab.problems.policies import LogPolicy, Rewards
from theorylab.types import Array, Key, Real, Vector

__all__ = ["simulate_f_divergence_policy", "simulate_f_dpo", "simulate_verified_policy", "simulate_verified_prompts"]


def simulate_f_divergence_policy(
    key: Key, logref: LogPolicy, reward: Rewards, beta: Vector | Real, name: str, alpha: Real,
    outcome: tuple[int, ...] = (0,),
) -> dict[str, Array]:  # fmt: skip
    """Maximise E_pi r - beta E_ref f(pi/ref) over the simplex by Newton's method from a random policy.

    f by its definition, its derivatives by automatic differentiation.

    Source: the setting of @wang2024beyond.
    Domain: beta > 0; 0 < alpha < 1 where name = "alpha", unused otherwise.

    logref: log probabilities of the reference [outcomes]. reward: of each response. beta: penalties [beta].
    name, alpha: the divergence. outcome: whose probability to report.
    Returns for each beta pi [beta, outcome], reward, reverse_kl = KL(pi || ref), forward_kl = KL(ref || pi), and worst,
    the probability of the responses of lowest reward; for a single beta without that axis.
    Raises ValueError outside the domain, or for an unknown name.
    """
    ok = known_divergence(name, alpha) & in_domain(beta > 0, "beta", beta, "beta > 0")
    logref, reward, beta = (jnp.asarray(value, float) for value in (logref, reward, beta))

    def train(key: Key, beta: Array) -> dict[str, Array]:
        pi = _maximise(key, jnp.exp(logref), reward, beta, name, alpha)
        return {"pi": pi[jnp.array(outcome)], **policy_prices(pi, logref, reward)._asdict()}

    if beta.ndim == 0:
        return nan_unless(ok, train(key, beta))
    return nan_unless(ok, jax.vmap(train)(jax.random.split(key, len(beta)), beta))


def simulate_f_dpo(
    key: Key,
    logref: LogPolicy,
    reward: Rewards,
    beta: Real,
    name: str,
    alpha: Real,
    outcome: tuple[int, ...],
    steps: int = 100,
) -> dict[str, Array]:
    """f-DPO on the preferences of a Bradley-Terry judge over all pairs of responses, from a random softmax policy.

        loss = -mean_pairs sum P(i beats j) log sigma(beta f'(u_i) - beta f'(u_j)) ,   u = pi/ref

    minimised by Gauss-Newton steps of bounded length. The preferences are enumerated; rewards enter through them alone.

    Source: @wang2024beyond. Domain, arguments and errors as for `simulate_f_divergence_policy`. Returns pi.
    """
    ok = known_divergence(name, alpha) & in_domain(beta > 0, "beta", beta, "beta > 0")
    logref, reward = jnp.asarray(logref, float), jnp.asarray(reward, float)
    preferred = jax.nn.sigmoid(reward[:, None] - reward[None])
    slope = _slope(name, alpha)
    scores = lambda logits: beta * slope(jnp.exp(jax.nn.log_softmax(logits) - logref))

    def loss(scores: Array) -> Array:
        margin = scores[:, None] - scores[None]
        return jnp.mean(preferred * jax.nn.softplus(-margin))

    def descend(logits: Array, _: None) -> tuple[Array, None]:
        score, J = scores(logits), jax.jacfwd(scores)(logits)
        metric = J.T @ jax.hessian(loss)(score) @ J
        metric = metric + jnp.trace(metric) / len(logits) ** 2  # logits are free up to a constant
        step = -jnp.linalg.solve(metric, J.T @ jax.grad(loss)(score))
        step = step - jnp.mean(step)
        return logits + step * jnp.minimum(1.0, 0.5 / jnp.max(jnp.abs(step))), None

    start = logref + jax.random.normal(key, logref.shape)
    logits = jax.lax.scan(descend, start, None, length=steps)[0]
    return nan_unless(ok, {"pi": jax.nn.softmax(logits)[jnp.array(outcome)]})


def simulate_verified_policy(key: Key, p0: Vector, beta: Real, name: str, alpha: Real) -> dict[str, Array]:
    """Policies trained on a verified answer, reward 1 for right and 0 for wrong, one for each prompt.

    Source: the setting of @li2026choice.
    Domain: 0 < p0 < 1, beta > 0.
    p0: success of the reference [p0]. beta, name, alpha: the penalty. Returns p_c and the ratios u_c, u_w [p0].
    Raises ValueError outside the domain, or for an unknown name.
    """
    ok = known_divergence(name, alpha) & in_domain(beta > 0, "beta", beta, "beta > 0")
    ok &= in_domain((p0 > 0) & (p0 < 1), "p0", p0, "0 < p0 < 1")
    ref = jnp.stack([jnp.asarray(p0, float), 1 - jnp.asarray(p0, float)], 1)
    pi = _train_each(key, ref, jnp.array([1.0, 0.0]), beta, name, alpha)
    return nan_unless(ok, {"p_c": pi[:, 0], "u_c": pi[:, 0] / ref[:, 0], "u_w": pi[:, 1] / ref[:, 1]})


def simulate_verified_prompts(
    key: Key, p0_grid: Vector, q: Real, beta: Real, name: str, alpha: Real, k: tuple[int, ...], copies: int
) -> dict[str, Array]:
    """Train on answers that a verifier accepts, wrongly on some prompts, then sample answers: one replicate.

    A prompt has a right answer and an equally likely wrong one, each of probability p0 under the reference. Its
    verifier rewards the wrong one with probability q. After training, answers are drawn until a right one comes.

    Source: the model of this library for the setting of @li2026choice.
    Domain: 0 < p0_grid < 1/2, 0 <= q <= 1, beta > 0.

    p0_grid: success of the reference on each kind of prompt [d]. q: share of wrongly verified prompts.
    beta, name, alpha: the penalty. k: numbers of answers. copies: prompts of each kind.
    Returns, at each k, sampled, the share of prompts that the first k answers solve; pass_at_k, its expectation under
    the trained policies; and base, that under the reference.
    Raises ValueError outside the domain, or for an unknown name.
    """
    ok = known_divergence(name, alpha) & in_domain(beta > 0, "beta", beta, "beta > 0")
    ok &= in_domain((p0_grid > 0) & (p0_grid < 0.5), "p0_grid", p0_grid, "0 < p0_grid < 1/2")
    ok &= in_domain((q >= 0) & (q <= 1), "q", q, "0 <= q <= 1")
    in_domain(len(k) > 0 and min(k) >= 1, "k", k, "at least one number, all >= 1")
    key_train, key_verify, key_answer = jax.random.split(key, 3)
    p0 = jnp.asarray(p0_grid, float)
    ref = jnp.stack([p0, p0, 1 - 2 * p0], 1)
    seen = lambda key, rewarded: _train_each(key, ref, jnp.eye(3)[rewarded], beta, name, alpha)[:, 0]
    right, fooled = seen(key_train, 0), seen(key_train, 1)
    wrongly = jax.random.uniform(key_verify, (copies, len(p0))) < q
    trained = jnp.log1p(-jnp.where(wrongly, fooled[None], right[None]))  # log probability of failing
    tries = jnp.log1p(-jax.random.uniform(key_answer, trained.shape)) / trained  # until the first right answer
    k_column = jnp.array(k, float)[:, None, None]
    measured = {
        "sampled": jnp.where(tries[None] <= k_column, 1.0, 0.0),
        "pass_at_k": -jnp.expm1(k_column * trained[None]),
        "base": -jnp.expm1(k_column * jnp.log1p(-p0)[None, None]),
    }
    return nan_unless(ok, {name: jnp.mean(value, (1, 2)) for name, value in measured.items()})


def _train_each(key: Key, ref: Array, reward: Array, beta: Real, name: str, alpha: Real) -> Array:
    train = lambda key, ref: _maximise(key, ref, reward, jnp.asarray(beta, float), name, alpha)
    return jax.vmap(train)(jax.random.split(key, len(ref)), ref)


def _slope(name: str, alpha: Real) -> Callable[[Array], Array]:
    return jax.vmap(jax.grad(lambda u: divergence_generator(u, name, alpha)))


def _maximise(key: Key, ref: Array, reward: Array, beta: Array, name: str, alpha: Real) -> Array:
    """Newton's method on the simplex for a concave objective that is a sum over the responses: diagonal Hessian.

    A vanishing logarithmic barrier leads it there; chi2, whose slope at 0 is finite, keeps 1e-18 of it.
    """
    slope = _slope(name, alpha)
    curvature = jax.vmap(jax.grad(jax.grad(lambda u: divergence_generator(u, name, alpha))))

    def ascend(pi: Array, barrier: Array) -> tuple[Array, None]:
        gradient = reward - beta * slope(pi / ref) + barrier / pi
        hessian = beta * curvature(pi / ref) / ref + barrier / pi**2
        multiplier = jnp.sum(gradient / hessian) / jnp.sum(1 / hessian)
        step = (gradient - multiplier) / hessian
        room = jnp.min(jnp.where(step < 0, -pi / jnp.where(step < 0, step, 1.0), jnp.inf))
        pi = pi + jnp.minimum(1.0, 0.9 * room) * step
        return pi / jnp.sum(pi), None  # the steps sum to zero only up to rounding over the smallest curvature

    start = (ref + jax.nn.softmax(jax.random.normal(key, ref.shape))) / 2
    floor = 1e-18 if name == "chi2" else 0.0
    barriers = jnp.concatenate([0.7 ** jnp.arange(116, dtype=float), jnp.full(60, floor)])
    return jax.lax.scan(ascend, start, barriers)[0]
