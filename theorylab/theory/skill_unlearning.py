"""Greatest common divisors read off last digits: the skills that a model has first, and that its labels hand on."""

from typing import Any, NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from theorylab.numerics.domain import in_domain, nan_unless
from theorylab.problems.skill_unlearning import gcd_probabilities
from theorylab.types import Real

__all__ = ["SkillSummary", "answered_gcd", "skill_coverage", "skill_limit", "skill_summary"]


class SkillSummary(NamedTuple):
    """skills: gcds that are answered right. accuracy: their share. weighted_error: chance of all the others."""

    skills: Array
    accuracy: Array
    weighted_error: Array


def answered_gcd(base: Real, gcd: Real) -> Float[Array, ""]:
    """Answer to a pair of numbers by a model that reads their last digits alone: the largest divisor of the base that
    divides both.

        answer = gcd(base, gcd)

    Right exactly for those gcds that divide the base, and the same for all pairs of one gcd: what transformers learn
    first (all divisors of powers of the base, when they read more digits).

    Source: @charton2024learning, the three rules.
    Domain: base >= 2 and gcd >= 1 are integers.

    base: of the digits. gcd: true greatest common divisor of the pair.
    Raises ValueError outside the domain.
    """
    whole, ok = _integers(base, gcd)
    return nan_unless(ok, jnp.gcd(*whole).astype(float))


def skill_limit(base: Real, gcd: Real, pi: Real = 0.0) -> Float[Array, ""]:
    """Accuracy on the pairs of one gcd, after long training on labels of which a share `pi` is true and the others are
    the answers of a teacher that reads last digits alone.

        pi > 1/2 : 1      pi < 1/2 : 1 if gcd divides base, else 0      pi = 1/2 : NaN, undecided

    The best single answer is the likelier label; so a mixture leaves the plateau of its teacher only if more than half
    of the labels are true.

    Source: derived here, for the setting of @dohmatob2024tale and @charton2024learning.
    Domain: base >= 2 and gcd >= 1 are integers, 0 <= pi <= 1.

    base: of the digits. gcd: true greatest common divisor. pi: share of true labels.
    Raises ValueError outside the domain.
    """
    whole, ok = _integers(base, gcd)
    ok &= in_domain((pi >= 0) & (pi <= 1), "pi", pi, "0 <= pi <= 1")
    return nan_unless(ok, _accuracy(*whole, pi))


def skill_summary(base: Real, classes: int, pi: Real = 0.0) -> SkillSummary:
    """Skills, accuracy and error after long training on partly true labels (`skill_limit`), over the gcds 1..classes.

        skills = sum_g limit_g ,   accuracy = skills / classes ,   weighted_error = 1 - sum_g P(g) limit_g

    With pi = 0 it is the plateau of every student of such a teacher, and the level of the teacher itself: as many
    skills as the base has divisors.

    Source: derived here, for the setting of @dohmatob2024tale and @charton2024learning.
    Domain: base >= 2 is an integer, classes >= 1, 0 <= pi <= 1; NaN at pi = 1/2.

    base: of the digits. classes: largest gcd; P(g) = g^-2 / sum_{h <= classes} h^-2. pi: share of true labels.
    Raises ValueError outside the domain.
    """
    (base, g), ok = _integers(base, _classes(classes))
    ok &= in_domain((pi >= 0) & (pi <= 1), "pi", pi, "0 <= pi <= 1")
    limit = _accuracy(base, g, pi)
    skills, right = jnp.sum(limit), jnp.sum(gcd_probabilities(classes) * limit)
    return nan_unless(ok, SkillSummary(skills, skills / classes, 1 - right))


def skill_coverage(base: Real, classes: int, pi: Real, T: Real) -> Float[Array, ""]:
    """Expected number of different labels among T, each true with chance `pi`, else the answer of a teacher that reads
    last digits alone.

        sum_g 1 - (1 - q_g)^T ,   q_g = pi P(g) + (1 - pi) sum_{h : gcd(base, h) = g} P(h)

    The labels of the teacher have no tail: for pi = 0 the number saturates at that of the divisors of the base; for
    pi > 0 the tail comes back, late, at T ~ 1 / (pi P(g)).

    Source: derived here, @hutter2021learning for the sum, for the setting of @dohmatob2024tale.
    Domain: base >= 2 is an integer, classes >= 1, 0 <= pi <= 1, T >= 0.

    base: of the digits. classes: largest gcd; P(g) = g^-2 / sum_{h <= classes} h^-2. pi: share of true labels.
    T: number of labels.
    Raises ValueError outside the domain.
    """
    (base, g), ok = _integers(base, _classes(classes))
    ok &= in_domain((pi >= 0) & (pi <= 1), "pi", pi, "0 <= pi <= 1")
    ok &= in_domain(T >= 0, "T", T, "T >= 0")
    law = gcd_probabilities(classes)
    read = jnp.zeros(classes).at[jnp.gcd(base, g) - 1].add(law)
    never = T * jnp.log1p(-jnp.minimum(pi * law + (1 - pi) * read, 1 - 1e-15))
    return nan_unless(ok, -jnp.sum(jnp.expm1(never)))


def _accuracy(base: Int[Array, ""], g: Int[Array, "..."], pi: Real) -> Array:
    plateau = jnp.where(base % g == 0, 1.0, 0.0)
    return jnp.where(jnp.asarray(pi == 0.5), jnp.nan, jnp.where(jnp.asarray(pi > 0.5), 1.0, plateau))


def _classes(classes: int) -> Int[Array, "classes"]:
    in_domain(classes >= 1, "classes", classes, "classes >= 1")
    return jnp.arange(1, classes + 1)


def _integers(base: Real, gcd: Any) -> tuple[tuple[Array, Array], Any]:
    """Both as integers, and whether they are in their domains."""
    base, gcd = jnp.asarray(base, float), jnp.asarray(gcd, float)
    ok = in_domain((base >= 2) & (base == jnp.floor(base)), "base", base, "an integer >= 2")
    ok &= in_domain((gcd >= 1) & (gcd == jnp.floor(gcd)), "gcd", gcd, "an integer >= 1")
    return (jnp.maximum(base, 2).astype(int), jnp.maximum(gcd, 1).astype(int)), ok
