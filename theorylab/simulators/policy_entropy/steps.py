"""One sampled step of a policy gradient, and the sizes of the gradients of log-probabilities."""

import jax
import jax.numpy as jnp

from theorylab.numerics.domain import in_domain, nan_unless
from theorylab.problems.policy_entropy_steps import categorical_entropy
from theorylab.simulators.negative_groups.groups import draw_answers
from theorylab.types import Array, Key, Real, Vector

__all__ = ["simulate_sampled_entropy_change", "simulate_score_norms"]


def simulate_sampled_entropy_change(
    key: Key, logpi: Vector, adv: Vector, eta: Real, batch: int, natural: tuple[bool, ...]
) -> dict[str, Array]:
    """Change of the entropy in one step of a policy gradient that is estimated from a batch: one replicate.

        logits <- logits + eta (1/batch) sum_i A_i grad log pi(o_i) ,   or  + eta (1/batch) sum_i A_i e(o_i) / pi(o_i)

    with the unit vectors e(o), whose expectations are the gradient of the expected reward and the natural gradient.

    Source: the setting of @cui2025entropy.
    Domain: logpi normalised, eta >= 0, batch >= 1.

    logpi: log-probabilities of the answers [Y]. adv: their advantages, centred here [Y]. eta: step size. batch: answers
    drawn. natural: whether to follow the natural gradient; both share their answers.
    Returns change [natural].
    Raises ValueError outside the domain.
    """
    in_domain(batch >= 1, "batch", batch, "batch >= 1")
    in_domain(len(natural) > 0, "natural", natural, "at least one flag")
    ok = in_domain(eta >= 0, "eta", eta, "eta >= 0")
    logpi, adv = jnp.asarray(logpi, float), jnp.asarray(adv, float)
    pi = jnp.exp(logpi)
    A = adv - pi @ adv
    share = jnp.mean(jax.nn.one_hot(draw_answers(pi, jax.random.uniform(key, (batch,))), len(pi), dtype=float), 0)
    steps = [share * A / pi if flag else share * A - pi * (share @ A) for flag in natural]
    after = jax.nn.log_softmax(logpi[None] + eta * jnp.stack(steps))
    return {"change": nan_unless(ok, categorical_entropy(after) - categorical_entropy(logpi))}


def simulate_score_norms(key: Key, Y: int, spread: Real, answer: tuple[int, ...]) -> dict[str, Array]:
    """Norm of the gradient of each log-probability in the logits of a random policy, by differentiation: one replicate.

    Domain: Y >= 2, spread >= 0, 0 <= answer < Y.

    Y: answers, with logits spread N(0, 1). answer: which of them, from the rarest (0) to the likeliest (Y - 1).
    Returns [answer]: norm, and ratio, the norm over 1 - pi.
    Raises ValueError outside the domain.
    """
    in_domain(Y >= 2, "Y", Y, "Y >= 2")
    in_domain(len(answer) > 0 and 0 <= min(answer) and max(answer) < Y, "answer", answer, f"in 0..{Y - 1}")
    ok = in_domain(spread >= 0, "spread", spread, "spread >= 0")
    logits = jnp.sort(spread * jax.random.normal(key, (Y,)))
    norms = jnp.sqrt(jnp.sum(jax.jacobian(jax.nn.log_softmax)(logits) ** 2, -1))[jnp.array(answer)]
    missing = 1 - jax.nn.softmax(logits)[jnp.array(answer)]
    return nan_unless(ok, dict(norm=norms, ratio=norms / missing))
