"""How a step along the policy gradient changes the entropy of a softmax policy, and how large the gradients are."""

from typing import TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from theorylab.numerics.domain import in_domain, nan_unless
from theorylab.problems.policy_entropy_steps import EntropyRewardLaw, fit_entropy_reward_law
from theorylab.types import Real

__all__ = [
    "EntropyRewardLaw",
    "fit_entropy_reward_law",
    "policy_entropy_change",
    "policy_entropy_remainder",
    "softmax_score_norm",
]

Answers: TypeAlias = Float[Array, "Y"] | Float[np.ndarray, "Y"]
Advantages: TypeAlias = Float[Array, "adv"] | Float[np.ndarray, "adv"]


def policy_entropy_change(logpi: Answers, adv: Advantages, eta: Real, natural: bool = False) -> Float[Array, ""]:
    """Change of the entropy of a softmax policy in one step of the policy gradient, to first order in the step size.

        change = -eta Cov_pi(log pi, pi A) ,   or, if natural,  -eta Cov_pi(log pi, A) ,   A = adv - E_pi adv

    since the logits move by eta pi A along the gradient of E_pi adv, and by eta A along its natural gradient. Raising a
    likely answer, or lowering a rare one, costs entropy. The error is eta^2 `policy_entropy_remainder` + O(eta^3).

    Source: @cui2025entropy.
    Domain: logpi finite and normalised, adv finite, eta >= 0.

    logpi: log-probabilities of the answers [Y]. adv: their advantages, or rewards [Y]; they are centred here.
    eta: step size. natural: whether the step follows the natural gradient, which is the exponentiated update.
    Returns the change.
    Raises ValueError outside the domain, or when the lengths differ.
    """
    pi, surprise, v, ok = _step(logpi, adv, natural)
    ok &= in_domain(eta >= 0, "eta", eta, "eta >= 0")
    return nan_unless(ok, -eta * jnp.sum(pi * surprise * v))


def policy_entropy_remainder(logpi: Answers, adv: Advantages, natural: bool = False) -> Float[Array, ""]:
    """Second-order coefficient of the change of the entropy in one step of the policy gradient.

        remainder = -1/2 E_pi[ (1 + log pi - E_pi log pi) (v - E_pi v)^2 ] ,   v = pi A ,  or A if natural

    the limit of (change - `policy_entropy_change`) / eta^2 for eta -> 0.

    Source: derived here for the setting of @cui2025entropy: the slope of the entropy along z + s v is -Cov(z + s v, v).
    Domain, arguments and errors as for `policy_entropy_change`.
    Returns the coefficient.
    """
    pi, surprise, v, ok = _step(logpi, adv, natural)
    return nan_unless(ok, -0.5 * jnp.sum(pi * (1 + surprise) * (v - jnp.sum(pi * v)) ** 2))


def softmax_score_norm(pi: Answers, a: Real) -> Float[Array, ""]:
    """Norm of the gradient of the log-probability of an answer in the logits of a softmax policy.

        norm = sqrt( (1 - pi_a)^2 + sum_{b != a} pi_b^2 )

    For N answers it lies between sqrt(N / (N - 1)) and sqrt(2) times 1 - pi_a: rare answers have the largest gradients.

    Source: derived here for the setting of @cui2025entropy.
    Domain: 0 <= pi <= 1 of sum 1, a in 0..N-1.

    pi: probabilities of the answers [N]. a: index of the answer, counted from 0.
    Returns the norm.
    Raises ValueError outside the domain.
    """
    ok = in_domain((pi >= 0) & (pi <= 1), "pi", pi, "0 <= pi <= 1")
    ok &= in_domain(abs(pi.sum() - 1) <= 1e-6, "pi", pi, "probabilities that sum to 1")
    ok &= in_domain((a >= 0) & (a <= len(pi) - 1) & (a == a // 1), "a", a, f"an integer in 0..{len(pi) - 1}")
    pi = jnp.asarray(pi, float)
    score = jnp.where(jnp.arange(len(pi)) == jnp.asarray(a, int), 1.0, 0.0) - pi
    square = jnp.sum(score**2)
    some = square > 0
    return nan_unless(ok, jnp.where(some, jnp.sqrt(jnp.where(some, square, 1.0)), 0.0))


def _step(logpi: Answers, adv: Advantages, natural: bool) -> tuple[Array, Array, Array, bool | Array]:
    """Probabilities, log pi less its mean, and the direction of the logits."""
    if len(logpi) != len(adv):
        raise ValueError(f"logpi has {len(logpi)} entries, but adv has {len(adv)}")
    logpi, adv = jnp.asarray(logpi, float), jnp.asarray(adv, float)
    ok = in_domain(jnp.isfinite(logpi), "logpi", logpi, "finite")
    normalised = abs(jax.nn.logsumexp(logpi)) <= 1e-6
    ok &= in_domain(normalised, "logpi", logpi, "log-probabilities of an exponential sum of 1")
    ok &= in_domain(jnp.isfinite(adv), "adv", adv, "finite")
    pi = jnp.exp(logpi)
    A = adv - jnp.sum(pi * adv)
    return pi, logpi - jnp.sum(pi * logpi), A if natural else pi * A, ok
