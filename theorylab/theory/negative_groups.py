"""Policy gradients of sampled groups of answers: what correct ones teach, and what groups without any could teach.

The policy is a softmax over a finite set of answers, and gradients are those in its logits.
"""

from typing import TypeAlias

import jax.numpy as jnp
import numpy as np
from jax.scipy.special import gammaln
from jaxtyping import Array, Bool, Float, Int

from theorylab.numerics.domain import in_domain, nan_unless
from theorylab.problems.negative_groups import confidence_penalised_group_rewards, confidence_penalised_reward
from theorylab.types import Real

__all__ = [
    "confidence_penalised_gradient",
    "confidence_penalised_group_rewards",
    "confidence_penalised_reward",
    "confidence_penalised_value",
    "confidence_penalty_weight",
    "grpo_gradient_scale",
    "grpo_gradient_scale_limit",
    "negative_group_gradient",
]

Answers: TypeAlias = Float[Array, "Y"] | Float[np.ndarray, "Y"]
Chances: TypeAlias = Float[Array, "chances"] | Float[np.ndarray, "chances"]
Flags: TypeAlias = Bool[Array, "flags"] | Bool[np.ndarray, "flags"] | Int[Array, "flags"] | Int[np.ndarray, "flags"]
Values: TypeAlias = Real | Float[Array, "..."] | Float[np.ndarray, "..."]


def confidence_penalty_weight(z: Values) -> Float[Array, "..."]:
    """Penalty on a wrong answer in the value whose gradient is that of the likelihood, against its relative confidence.

        w = log(1 / (1 - z)) / z - 1 ,   so that w + z dw/dz = z / (1 - z)

    Source: @feng2025dont.
    Domain: 0 <= z < 1.

    z: probability of the answer over the difficulty, pi / D.
    Returns the weight; 0 at z = 0.
    Raises ValueError outside the domain.
    """
    ok = in_domain((z >= 0) & (z < 1), "z", z, "0 <= z < 1")
    z = jnp.asarray(z, float)
    small = z < 0.01
    powers = [z**k / (k + 1) for k in range(1, 10)]  # w = z/2 + z^2/3 + z^3/4 + ..
    inside = jnp.where(small | (z >= 1), 0.5, z)
    return nan_unless(ok, jnp.where(small, sum(powers[1:], powers[0]), -jnp.log1p(-inside) / inside - 1))


def confidence_penalised_value(pi: Answers, pstar: Chances) -> Float[Array, ""]:
    """Value of a policy whose gradient is the gradient of the log-likelihood of the outcomes of its own answers.

        value = sum_o pi_o [ pstar_o - (1 - pstar_o) w(pi_o / D) ] ,   D = 1 / sum_o pstar_o ,

    with the weight w of `confidence_penalty_weight`: the accuracy, less a penalty on confident mistakes.

    Source: @feng2025dont.
    Domain: 0 <= pi <= 1 of sum 1, 0 <= pstar <= 1 not all 0, pi < D for every answer with pstar < 1.

    pi: probabilities of the answers under the policy [Y]. pstar: probability that each is correct [Y].
    Returns the value.
    Raises ValueError outside the domain, or when the lengths differ.
    """
    pi, pstar, D, ok = _policy(pi, pstar)
    wrong = pstar < 1
    share = jnp.where(wrong & (pi < D), pi / D, 0.0)
    return nan_unless(ok, jnp.sum(pi * (pstar - (1 - pstar) * confidence_penalty_weight(share))))


def confidence_penalised_gradient(pi: Answers, pstar: Chances) -> Float[Array, "Y"]:
    """Policy gradient with penalised rewards: the gradient of the likelihood of the outcomes, in the logits.

        gradient_o = pi_o (R_o - sum_b pi_b R_b) ,   R_o = pstar_o - (1 - pstar_o) pi_o / (D - pi_o)

    with D = 1 / sum_o pstar_o. It is zero at the policy D pstar, and the gradient of `confidence_penalised_value`.

    Source: @feng2025dont.
    Domain, arguments and errors as for `confidence_penalised_value`.
    Returns the gradient [Y].
    """
    pi, pstar, D, ok = _policy(pi, pstar)
    wrong = (pstar < 1) & (pi < D)
    R = pstar - (1 - pstar) * jnp.where(wrong, pi, 0.0) / jnp.where(wrong, D - pi, 1.0)
    return nan_unless(ok, pi * (R - jnp.sum(pi * R)))


def grpo_gradient_scale(p: Real, G: int) -> Float[Array, ""]:
    """Factor on the gradient of the success probability in the expected gradient of group-normalised rewards.

        scale = E[ sqrt(k (G - k)) ] / (G p (1 - p)) ,   k ~ Binomial(G, p)

    for advantages (r - mean) / std over groups of G answers with outcomes r = 0, 1; groups of equal outcomes give none.
    Exact at finite size, whatever the policy. With the sample standard deviation, which divides by G - 1, multiply by
    sqrt((G - 1) / G).

    Source: derived here for the setting of @feng2025dont.
    Domain: 0 < p < 1, G >= 2.

    p: probability of a correct answer. G: answers per group.
    Returns the factor: 1 for G = 2, and `grpo_gradient_scale_limit` for G -> infinity.
    Raises ValueError outside the domain.
    """
    in_domain(G >= 2, "G", G, "G >= 2")
    ok = in_domain((p > 0) & (p < 1), "p", p, "0 < p < 1")
    p, k = jnp.asarray(p, float), jnp.arange(1, G, dtype=float)
    choose = gammaln(jnp.asarray(G + 1.0)) - gammaln(k + 1) - gammaln(G - k + 1)
    inside = jnp.where((p > 0) & (p < 1), p, 0.5)
    pmf = jnp.exp(choose + (k - 1) * jnp.log(inside) + (G - k - 1) * jnp.log1p(-inside))  # over p (1 - p)
    return nan_unless(ok, jnp.sum(pmf * jnp.sqrt(k * (G - k))) / G)


def grpo_gradient_scale_limit(p: Real) -> Float[Array, ""]:
    """Factor on the gradient of the success probability when groups are large.

        scale = 1 / sqrt(p (1 - p))

    so that group-normalised rewards climb 2 arcsin sqrt(p).

    Source: derived here for the setting of @feng2025dont.
    Domain: 0 < p < 1.

    p: probability of a correct answer.
    Returns the limit of `grpo_gradient_scale` for G -> infinity.
    Raises ValueError outside the domain.
    """
    ok = in_domain((p > 0) & (p < 1), "p", p, "0 < p < 1")
    p = jnp.asarray(p, float)
    return nan_unless(ok, jnp.where((p > 0) & (p < 1), p * (1 - p), 1.0) ** -0.5)


def negative_group_gradient(pi: Answers, correct: Flags, G: Real) -> Float[Array, "Y"]:
    """Expected gradient of groups of G answers that are all wrong, with penalised rewards less their mean.

        gradient_b = -(G-1)/G^2 sum_m [ S_m^(G-1) u_mb - S_m^(G-2) pi_b sum_a u_ma - (the same below m) ] ,
        u_mb = pi_b f_mb ,   f_mb = pi_b / (2 pi_m - pi_b) ,   S_m = sum_b pi_b ,   all over wrong b with pi_b <= pi_m

    where m is the likeliest answer of the group, and "below m" leaves m out of S and of the sums over b. That is
    E[ 1{all wrong} (1/G) sum_i (R_i - mean R) grad log pi(o_i) ] with the rewards R of
    `confidence_penalised_group_rewards`, in O(Y^2) operations for any G. Groups with a correct answer count as zero.

    Source: derived here for the setting of @feng2025dont.
    Domain: 0 <= pi <= 1 of sum 1, G >= 2.

    pi: probabilities of the answers under the policy [Y]. correct: which are correct, true or 1 [Y]. G: group size.
    Returns the gradient in the logits [Y]; 0 for correct answers, and of sum 0.
    Raises ValueError outside the domain, or when the lengths differ.
    """
    if len(pi) != len(correct):
        raise ValueError(f"pi has {len(pi)} entries, but correct has {len(correct)}")
    ok = _probabilities(pi) & in_domain(G >= 2, "G", G, "G >= 2")
    r, G = jnp.asarray(correct, float), jnp.asarray(G, float)
    ok &= in_domain((r == 0) | (r == 1), "correct", correct, "true or false, 1 or 0")
    wrong = jnp.asarray(pi, float) * (1 - r)
    index = jnp.arange(len(pi))
    below = (wrong[None] < wrong[:, None]) | ((wrong[None] == wrong[:, None]) & (index[None] < index[:, None]))
    upto = below | (index[None] == index[:, None])
    known = upto & (wrong > 0)[None]
    odds = jnp.where(known, wrong[None], 0.0) / jnp.where(known, 2 * wrong[:, None] - wrong[None], 1.0)

    def gained(kept: Array) -> Array:
        """[m, b]: E[1{all draws kept} (f of the first draw - f of the second) 1{the first draw is b}]."""
        mass = jnp.sum(jnp.where(kept, wrong[None], 0.0), 1, keepdims=True)
        some = jnp.where(mass > 0, mass, 1.0)
        own = jnp.where(kept, wrong[None] * odds, 0.0)
        others = jnp.where(kept, wrong[None], 0.0) * jnp.sum(own, 1, keepdims=True)
        return jnp.where(mass > 0, some ** (G - 1) * own - some ** (G - 2) * others, 0.0)

    return nan_unless(ok, -(G - 1) / G**2 * jnp.sum(gained(upto) - gained(below), 0))


def _policy(pi: Answers, pstar: Chances) -> tuple[Array, Array, Array, bool | Array]:
    if len(pi) != len(pstar):
        raise ValueError(f"pi has {len(pi)} entries, but pstar has {len(pstar)}")
    ok = _probabilities(pi) & in_domain((pstar >= 0) & (pstar <= 1), "pstar", pstar, "0 <= pstar <= 1")
    pi, pstar = jnp.asarray(pi, float), jnp.asarray(pstar, float)
    total = jnp.sum(pstar)
    ok &= in_domain(total > 0, "pstar", pstar, "not all 0")
    D = 1 / jnp.where(total > 0, total, 1.0)
    allowed = f"no wrong answer with pi >= D; D = {D} must exceed the largest wrong-answer probability"
    ok &= in_domain((pstar == 1) | (pi < D), "pi", pi, allowed)
    return pi, pstar, D, ok


def _probabilities(pi: Answers) -> bool | Array:
    ok = in_domain((pi >= 0) & (pi <= 1), "pi", pi, "0 <= pi <= 1")
    return ok & in_domain(abs(pi.sum() - 1) <= 1e-6, "pi", pi, "probabilities that sum to 1")
