"""Distillation from an imperfect teacher: when does approaching the teacher lead away from the truth?

The golden distance is that of the student to the oracle, whom the teacher imitates; the proxy distance is that to the
teacher, or to the teacher's samples on which the student is trained.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from theorylab.numerics.domain import in_domain, nan_unless
from theorylab.numerics.roots import bisection
from theorylab.problems.full_support import checked_full_support, policy_covariance
from theorylab.problems.policies import LogPolicy
from theorylab.types import Real, Vector

__all__ = [
    "DistillationDistances",
    "OnlineDistances",
    "TeacherHacking",
    "gaussian_distillation_distances",
    "gaussian_online_distillation_distances",
    "gaussian_teacher_hacking",
    "goodhart_point",
]

# where the derivative of the golden distance is looked at: every 0.01 up to the teacher, then by factors of 1.01
_MARCH = np.concatenate([np.arange(101) / 100, 1.01 ** np.arange(1, 394)])


class TeacherHacking(NamedTuple):
    """Where the expected distances of a student s mu_hat are least, and the fewest samples that prevent hacking.

    s_golden: to the oracle's mean. s_proxy: to the teacher's. m_star: number of the teacher's samples from which on
    s_golden >= 1, infinite where no number is enough.
    """

    s_golden: Float[Array, ""]
    s_proxy: Float[Array, ""]
    m_star: Float[Array, ""]


class DistillationDistances(NamedTuple):
    """Expected squared distances of the student to the mean of its training samples, the teacher and the oracle."""

    training: Float[Array, ""]
    proxy: Float[Array, ""]
    golden: Float[Array, ""]


class OnlineDistances(NamedTuple):
    """Expected squared distances of the student to the teacher's mean and to the oracle's."""

    proxy: Float[Array, ""]
    golden: Float[Array, ""]


def goodhart_point(log_init: LogPolicy, log_teacher: LogPolicy, log_oracle: LogPolicy) -> Float[Array, ""]:
    """Where on its way to the teacher a student stops to approach the oracle.

        pi_s = pi_0^(1-s) q^s / Z ,   s* = Cov_{s*}(u, v) / Var_{s*}(u) ,   u = log q/pi_0 ,  v = log p/pi_0

    for the initial law pi_0, the teacher q and the oracle p. Natural-gradient flow on KL(pi || q) for time t ends at
    s = 1 - e^-t, and KL(pi_s || p) has the derivative s Var_s(u) - Cov_s(u, v). The student is hacked iff s* < 1; a
    perfect teacher has s* = 1. The golden distance is not convex along the path: this is its first minimum, on a grid
    of spacing 1%.

    Source: derived here for the setting of @tiapkin2025teacher.
    Domain: three laws with full support.

    log_init, log_teacher, log_oracle: log probabilities of pi_0, q and p [Y].
    Returns s*; 0 where the golden distance grows from the start, infinite where it has no minimum up to s = 50.
    Raises ValueError outside the domain, or when the lengths differ.
    """
    if not len(log_init) == len(log_teacher) == len(log_oracle):
        lengths = f"{len(log_init)}, {len(log_teacher)} and {len(log_oracle)}"
        raise ValueError(f"log_init, log_teacher and log_oracle have {lengths} entries")
    start, ok = checked_full_support(log_init, "log_init")
    teacher, ok_teacher = checked_full_support(log_teacher, "log_teacher")
    oracle, ok_oracle = checked_full_support(log_oracle, "log_oracle")
    u, v = teacher - start, oracle - start

    def slope(s: Array) -> Array:
        law = jax.nn.log_softmax(start + s * u)
        return policy_covariance(law, u, s * u - v)

    march = jnp.asarray(_MARCH, start.dtype)
    slopes = jax.vmap(slope)(march)
    turns = (slopes[:-1] < 0) & (slopes[1:] >= 0)
    found, i = jnp.any(turns), jnp.argmax(turns)
    # without a turn the bracket is of no meaning: keep value and gradient finite there
    root = bisection(lambda s: jnp.where(found, slope(s), s - march[i]), march[i], march[i + 1])
    grows = slopes[0] >= 0
    return nan_unless(ok & ok_teacher & ok_oracle, jnp.where(grows, 0.0, jnp.where(found, root, jnp.inf)))


def gaussian_teacher_hacking(mu_p: Vector, mu_q: Vector, sigma2: Real, m: Real) -> TeacherHacking:
    """Best stopping points of a student that approaches the mean of m samples of a Gaussian teacher.

        s_golden = mu_p.mu_q / (|mu_q|^2 + v) ,   s_proxy = |mu_q|^2 / (|mu_q|^2 + v) ,   v = sigma2 d / m ,
        m_star = sigma2 d / ((mu_p - mu_q).mu_q) ,  infinite where the denominator is not positive

    The student is s mu_hat, mu_hat the mean of m samples N(mu_q, sigma2 I); gradient flow on |w - mu_hat|^2 / 2 from 0
    passes through s = 1 - e^-t. Trained to the end it is hacked iff s_golden < 1, that is iff m < m_star. Minima of the
    expected distances, exact. s_proxy < s_golden exactly where (mu_p - mu_q).mu_q > 0.

    Source: derived here for the setting of @tiapkin2025teacher.
    Domain: sigma2 >= 0, m >= 1 (infinite for online data), |mu_q|^2 + v > 0.

    mu_p: mean of the oracle [d]. mu_q: mean of the teacher [d]. sigma2: variance of the teacher's samples in each
    dimension. m: number of distinct samples.
    Returns the two points and the threshold.
    Raises ValueError outside the domain, or when the lengths differ.
    """
    mu_p, mu_q, noise, ok = _means(mu_p, mu_q, sigma2, m, "m")
    square, inner = jnp.sum(mu_q**2), jnp.sum(mu_p * mu_q)
    ok &= in_domain(square + noise > 0, "mu_q", mu_q, "a mean other than 0 where sigma2 / m = 0")
    margin = jnp.sum((mu_p - mu_q) * mu_q)
    variance = jnp.asarray(sigma2, float) * len(mu_q)
    m_star = jnp.where(margin > 0, variance / jnp.where(margin > 0, margin, 1.0), jnp.inf)
    return nan_unless(ok, TeacherHacking(inner / (square + noise), square / (square + noise), m_star))


def gaussian_distillation_distances(
    mu_p: Vector, mu_q: Vector, sigma2: Real, m: Real, s: Real
) -> DistillationDistances:
    """Expected distances of a student s mu_hat on its way to the mean of m samples of a Gaussian teacher.

        training = (1 - s)^2 (|mu_q|^2 + v) ,   proxy = (1 - s)^2 |mu_q|^2 + s^2 v ,
        golden = |mu_p - s mu_q|^2 + s^2 v ,    v = sigma2 d / m

    Exact. The training distance falls up to s = 1; the proxy, to the teacher's true mean, turns at s_proxy, and the
    golden one at s_golden of `gaussian_teacher_hacking`.

    Source: derived here for the setting of @tiapkin2025teacher.
    Domain: sigma2 >= 0, m >= 1 (may be infinite).

    s: how far the student has gone, 1 - (1 - lr)^k after k steps of gradient descent. The others as for
    `gaussian_teacher_hacking`.
    Returns the three distances.
    Raises ValueError outside the domain, or when the lengths differ.
    """
    mu_p, mu_q, noise, ok = _means(mu_p, mu_q, sigma2, m, "m")
    s, square = jnp.asarray(s, float), jnp.sum(mu_q**2)
    golden = jnp.sum((mu_p - s * mu_q) ** 2) + s**2 * noise
    training, proxy = (1 - s) ** 2 * (square + noise), (1 - s) ** 2 * square + s**2 * noise
    return nan_unless(ok, DistillationDistances(training, proxy, golden))


def gaussian_online_distillation_distances(
    mu_p: Vector, mu_q: Vector, sigma2: Real, batch: Real, lr: Real, steps: Real
) -> OnlineDistances:
    """Expected distances of a student that sees fresh samples of a Gaussian teacher in every step.

        proxy = (1 - s)^2 |mu_q|^2 + v ,   golden = |mu_p - s mu_q|^2 + v ,
        s = 1 - (1 - lr)^steps ,           v = sigma2 d / batch * lr / (2 - lr) * (1 - (1 - lr)^(2 steps))

    Exact, for w <- w - lr (w - batch mean) from w = 0.

    Source: derived here for the setting of @tiapkin2025teacher.
    Domain: sigma2 >= 0, batch >= 1, 0 < lr <= 1, steps >= 0.

    mu_p, mu_q, sigma2: as for `gaussian_teacher_hacking`. batch: samples per step. lr: step size.
    Returns the two distances.
    Raises ValueError outside the domain, or when the lengths differ.
    """
    mu_p, mu_q, noise, ok = _means(mu_p, mu_q, sigma2, batch, "batch")
    ok &= in_domain((lr > 0) & (lr <= 1), "lr", lr, "0 < lr <= 1") & in_domain(steps >= 0, "steps", steps, "steps >= 0")
    lr = jnp.asarray(lr, float)
    left = (1 - lr) ** jnp.asarray(steps, float)
    v = noise * lr / (2 - lr) * (1 - left**2)
    golden = jnp.sum((mu_p - (1 - left) * mu_q) ** 2) + v
    return nan_unless(ok, OnlineDistances(left**2 * jnp.sum(mu_q**2) + v, golden))


def _means(
    mu_p: Vector, mu_q: Vector, sigma2: Real, count: Real, name: str
) -> tuple[Array, Array, Array, bool | Array]:
    """Both means, and the expected squared error of a mean of `count` samples."""
    if len(mu_p) != len(mu_q):
        raise ValueError(f"mu_p has {len(mu_p)} entries, but mu_q has {len(mu_q)}")
    ok = in_domain(sigma2 >= 0, "sigma2", sigma2, "sigma2 >= 0") & in_domain(count >= 1, name, count, f"{name} >= 1")
    mu_p, mu_q = jnp.asarray(mu_p, float), jnp.asarray(mu_q, float)
    return mu_p, mu_q, len(mu_q) * jnp.asarray(sigma2, float) / jnp.asarray(count, float), ok
