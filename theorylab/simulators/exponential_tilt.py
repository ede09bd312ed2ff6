"""Policies trained for reward: with a KL penalty, without one, by exact or by sampled gradients, or not at all.

Softmax policies over finitely many responses, one logit each.
"""

import jax
import jax.numpy as jnp

from theorylab.numerics.domain import in_domain, nan_unless
from theorylab.problems.policies import LogPolicy, Rewards, entropy_of_policy, kl_divergence, outcomes_holding
from theorylab.types import Array, Key, Real, Vector

__all__ = [
    "simulate_natural_gradient",
    "simulate_random_policies",
    "simulate_regularised_policy",
    "simulate_sampled_gradient",
]


def simulate_regularised_policy(
    key: Key, logref: LogPolicy, reward: Rewards, beta: Vector, share: Real = 0.95, steps: int = 80
) -> dict[str, Array]:
    """Natural policy gradient on E r - beta KL(pi || ref) from a random policy, run until it has converged.

        logits <- logits + A / (2 beta) ,   A = r - beta log(pi/ref)

    Source: the setting of @korbak2022rl.
    Domain: beta > 0.

    logref: log probabilities of the reference [outcomes]. reward: of each response. beta: penalties [beta].
    share: of the probability, for `held`. steps: of the gradient; each halves the distance to the optimum.
    Returns, for each beta, reward, kl to the reference, entropy, and held, the number of responses that hold the share.
    Raises ValueError outside the domain.
    """
    beta = jnp.atleast_1d(jnp.asarray(beta, float))
    ok = in_domain(beta > 0, "beta", beta, "beta > 0")
    start = 2 * jax.random.normal(key, (len(beta), len(logref)))

    def train(beta: Array, logits: Array) -> dict[str, Array]:
        def ascend(logpi: Array, _: None) -> tuple[Array, None]:
            advantage = reward - beta * (logpi - logref)
            return jax.nn.log_softmax(logpi + advantage / (2 * beta)), None

        logpi = jax.lax.scan(ascend, jax.nn.log_softmax(logits), None, length=steps)[0]
        held = outcomes_holding(logpi, share)
        return {**_measures(logpi, logref, reward), "entropy": entropy_of_policy(logpi), "held": held}

    return nan_unless(ok, jax.vmap(train)(beta, start))


def simulate_natural_gradient(
    key: Key, logref: LogPolicy, reward: Rewards, time: Vector, steps: int = 20
) -> dict[str, Array]:
    """Natural policy gradient on the reward alone from the reference, by steps of random size: one replicate.

        logits <- logits + dt (r - E_pi r) ,   the dt of each run add up to its time

    Source: the setting of @korbak2022rl.
    Domain: time > 0.

    time: when to stop [time]. steps: per run. Other arguments as for `simulate_regularised_policy`.
    Returns reward and kl at each time. Raises ValueError outside the domain.
    """
    time = jnp.atleast_1d(jnp.asarray(time, float))
    ok = in_domain(time > 0, "time", time, "time > 0")
    sizes = time[:, None] * jax.nn.softmax(jax.random.normal(key, (len(time), steps)))

    def run(sizes: Array) -> dict[str, Array]:
        def ascend(logpi: Array, dt: Array) -> tuple[Array, None]:
            return jax.nn.log_softmax(logpi + dt * (reward - jnp.sum(jnp.exp(logpi) * reward))), None

        return _measures(jax.lax.scan(ascend, jnp.asarray(logref, float), sizes)[0], logref, reward)

    return nan_unless(ok, jax.vmap(run)(sizes))


def simulate_sampled_gradient(
    key: Key, logref: LogPolicy, reward: Rewards, step: tuple[int, ...], rate: Real = 0.2, batch: int = 32
) -> dict[str, Array]:
    """Plain policy gradient on the reward alone from the reference, by batches of sampled responses: one replicate.

        logits <- logits + rate mean_batch[ (r(y) - batch mean) (e_y - pi) ]

    Source: the setting of @korbak2022rl.
    Domain: step >= 1, batch >= 2.

    step: after which steps to measure. rate: learning rate. batch: responses per step.
    Returns reward and kl after each step. Raises ValueError outside the domain.
    """
    in_domain(len(step) > 0 and min(step) >= 1, "step", step, "at least one number, all >= 1")
    in_domain(batch >= 2, "batch", batch, "batch >= 2")
    reward = jnp.asarray(reward, float)

    def ascend(logpi: Array, key: Key) -> tuple[Array, Array]:
        y = jax.random.categorical(key, logpi, shape=(batch,))
        better = reward[y] - jnp.mean(reward[y])
        gain = jax.ops.segment_sum(better, y, len(logpi)) / batch  # the centred rewards add up to zero: no pi term
        logpi = jax.nn.log_softmax(logpi + rate * gain)
        return logpi, logpi

    path = jax.lax.scan(ascend, jnp.asarray(logref, float), jax.random.split(key, max(step)))[1]
    return jax.vmap(lambda logpi: _measures(logpi, logref, reward))(path[jnp.array(step) - 1])


def simulate_random_policies(key: Key, logref: LogPolicy, reward: Rewards, member: tuple[int, ...]) -> dict[str, Array]:
    """Policies nobody trained: mixtures of the reference with random ones, in random shares.

    member: numbers of the policies [member]. Other arguments as for `simulate_regularised_policy`.
    Returns reward and kl of each.
    """
    key_other, key_share = jax.random.split(key)
    other = jax.nn.softmax(2 * jax.random.normal(key_other, (len(member), len(logref))))
    share = jax.random.uniform(key_share, (len(member), 1))
    mixed = jnp.log((1 - share) * jnp.exp(logref)[None] + share * other)
    return jax.vmap(lambda logpi: _measures(logpi, logref, reward))(mixed)


def _measures(logpi: Array, logref: LogPolicy, reward: Rewards) -> dict[str, Array]:
    return {"reward": jnp.sum(jnp.exp(logpi) * reward), "kl": kl_divergence(logpi, logref)}
