"""The joint law of main, failed and review steps of a trace, with the accuracy of its answer."""

from typing import NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
from jax.scipy.special import gammaln, xlog1py, xlogy
from jaxtyping import Array, Float

from theorylab.numerics.domain import in_domain, nan_unless
from theorylab.problems.failed_steps import MainLaw
from theorylab.types import Real

Flag: TypeAlias = bool | Array
LOST = 1e-12  # largest mass beyond F_max


class FailedStepTable(NamedTuple):
    """Probability of every trace (m, F), main and failed steps; s = F / (m + F); acc, accuracy [cells]."""

    prob: Array
    m: Array
    F: Array
    s: Array
    acc: Array


class ReviewTable(NamedTuple):
    """Probability of every trace (m, F) with so many reviews; RR = reviews / (m + F); acc [cells]."""

    prob: Array
    RR: Array
    acc: Array


def failed_step_table(phi: Real, g: Real, m_pmf: MainLaw, F_max: int, p0: Real, J: Real) -> FailedStepTable:
    """Joint law of the main and failed steps of a reasoning trace, with the accuracy of its answer.

        P(f | one main step) = (1 - phi) a b^{f-1} ,  P(0 | one main step) = 1 - phi ,  a = phi (1-g) ,  b = g + a
        acc = p0 (1 - s)^J ,   s = F / (m + F)

    and F given m is the sum of m such numbers. Before each main step a failed branch starts with probability phi, then
    another one, and so on; each goes on after a step with probability g. The answer looks at J uniformly drawn steps,
    and is spoiled if any of them failed. Exact, up to mass below 1e-12 beyond F_max, which is spread over the rest.

    Source: a model, derived here, for the findings of @feng2025what.
    Domain: 0 <= phi, g < 1; m_pmf >= 0 of sum 1; mass beyond F_max below 1e-12; 0 <= p0 <= 1; J >= 0.

    phi: probability that a failed branch comes next. g: probability that it goes on. m_pmf: law of the number of main
    steps, from 1 on [M]. F_max: largest number of failed steps. p0: accuracy of an answer that is not spoiled.
    J: number of steps that the answer looks at.
    Returns prob, m, F, s and acc, flat over the cells, F fastest [M (F_max + 1)].
    Raises ValueError outside the domain.
    """
    ok = _branches(phi, g) & _main(m_pmf) & _answer(p0, J)
    in_domain(F_max >= 0, "F_max", F_max, "F_max >= 0")
    phi, g, m_pmf = (jnp.asarray(x, float) for x in (phi, g, m_pmf))
    law = _failed_given_main(phi, g, len(m_pmf), F_max)
    prob = m_pmf[:, None] * law
    ok &= in_domain(jnp.sum(m_pmf) - jnp.sum(prob) < LOST, "F_max", F_max, f"mass beyond F_max below {LOST}")
    m = jnp.repeat(jnp.arange(1, len(m_pmf) + 1, dtype=float), F_max + 1)
    F = jnp.tile(jnp.arange(F_max + 1, dtype=float), len(m_pmf))
    s = F / (m + F)
    table = FailedStepTable((prob / jnp.sum(prob)).ravel(), m, F, s, _accuracy(s, p0, J))
    return nan_unless(ok, table)


def failed_step_review_table(
    phi: Real, g: Real, m_pmf: MainLaw, F_max: int, p0: Real, J: Real, r_m: Real, r_f: Real
) -> ReviewTable:
    """Joint law of the steps of a trace and of its reviews, with the accuracy of its answer.

        reviews | m, F = Binomial(m, r_m) + Binomial(F, r_f) ,   RR = reviews / (m + F)

    Source: a model, derived here, for the findings of @feng2025what.
    Domain: 0 <= r_m, r_f <= 1; the rest as for `failed_step_table`.

    r_m, r_f: probability that a main step, or a failed one, is a review; the rest as for `failed_step_table`.
    Returns prob, RR and acc, flat over all (m, F, reviews) [M (F_max + 1) (M + F_max + 1)].
    Raises ValueError outside the domain.
    """
    ok = review_domain(r_m, r_f)
    table = failed_step_table(phi, g, m_pmf, F_max, p0, J)
    M, counts = len(m_pmf), jnp.arange(len(m_pmf) + F_max + 1, dtype=float)
    main, failed = _binomials(M, M, r_m)[1:], _binomials(F_max, F_max, r_f)  # [m, main reviews], [F, failed reviews]
    shifted = jnp.stack([jnp.pad(failed, ((0, 0), (j, M - j))) for j in range(M + 1)])
    prob = table.prob[:, None] * jnp.tensordot(main, shifted, 1).reshape(len(table.prob), -1)
    # a cell with more reviews than steps has no mass; any key will do
    RR = jnp.minimum(counts[None] / (table.m + table.F)[:, None], 1.0)
    acc = jnp.broadcast_to(table.acc[:, None], prob.shape)
    return nan_unless(ok, ReviewTable(prob.ravel(), RR.ravel(), acc.ravel()))


def failed_step_editing_accuracy(
    phi: Real, g: Real, m_pmf: MainLaw, F_max: int, p0: Real, J: Real, q: Real
) -> Float[Array, ""]:
    """Accuracy of an answer to a trace from whose failed steps a share of the text has been deleted.

        E p0 (1 - s')^J ,   s' = (1 - q) F / (m + (1 - q) F)

    for an answer that looks at J uniformly drawn places of the remaining text, all steps of equal length. It is p0
    when nothing failed is left.

    Source: a model, derived here, for the findings of @feng2025what.
    Domain: 0 <= q <= 1; the rest as for `failed_step_table`.

    q: share of the text of every failed step that is deleted; the rest as for `failed_step_table`.
    Returns the accuracy.
    Raises ValueError outside the domain.
    """
    ok = _deleted(q)
    table = failed_step_table(phi, g, m_pmf, F_max, p0, J)
    left = jnp.asarray((1 - q) * table.F)
    return nan_unless(ok, jnp.sum(table.prob * _accuracy(left / (table.m + left), p0, J)))


def branch_editing_phi(phi: Real, q: Real) -> Float[Array, ""]:
    """The phi of a trace from which each failed branch has been deleted as a whole with probability q.

        phi (1 - q) / (1 - phi q)

    Exact: a geometric number of branches, thinned, is geometric, so that every result holds with this phi.

    Source: a model, derived here, for the findings of @feng2025what.
    Domain: 0 <= phi < 1, 0 <= q <= 1.

    phi: probability that a failed branch comes next. q: probability that it is deleted.
    Returns the new phi.
    Raises ValueError outside the domain.
    """
    ok = in_domain((phi >= 0) & (phi < 1), "phi", phi, "0 <= phi < 1") & _deleted(q)
    return nan_unless(ok, jnp.asarray(phi * (1 - q) / (1 - phi * q), float))


def review_domain(r_m: Real, r_f: Real) -> Flag:
    ok = in_domain((r_m >= 0) & (r_m <= 1), "r_m", r_m, "0 <= r_m <= 1")
    return ok & in_domain((r_f >= 0) & (r_f <= 1), "r_f", r_f, "0 <= r_f <= 1")


def _accuracy(s: Array, p0: Real, J: Real) -> Array:
    return jnp.asarray(p0) * jnp.exp(J * jnp.log1p(-s))  # s < 1: there is a main step


def _failed_given_main(phi: Array, g: Array, M: int, F_max: int) -> Float[Array, "M F"]:
    """P(F | m) by convolution with one more main step at a time; every term is positive."""

    def convolve(old: Array, _: None) -> tuple[Array, Array]:
        def tail(c: Array, x: Array) -> tuple[Array, Array]:  # c = sum_{f >= 1} b^{f-1} old_{n-f}
            return x + (g + phi * (1 - g)) * c, c

        c = jax.lax.scan(tail, jnp.zeros(()), old)[1]
        new = (1 - phi) * (old + phi * (1 - g) * c)
        return new, new

    return jax.lax.scan(convolve, jnp.zeros(F_max + 1).at[0].set(1.0), None, M)[1]


def _binomials(n_max: int, k_max: int, r: Real) -> Float[Array, "n k"]:
    """Binomial(n, r) for n = 0..n_max."""
    n, k = jnp.arange(n_max + 1, dtype=float)[:, None], jnp.arange(k_max + 1, dtype=float)[None]
    possible = k <= n
    rest = jnp.where(possible, n - k, 0.0)
    log = gammaln(n + 1) - gammaln(k + 1) - gammaln(rest + 1) + xlogy(k, r) + xlog1py(rest, -jnp.asarray(r, float))
    return jnp.where(possible, jnp.exp(jnp.where(possible, log, 0.0)), 0.0)


def _branches(phi: Real, g: Real) -> Flag:
    ok = in_domain((phi >= 0) & (phi < 1), "phi", phi, "0 <= phi < 1")
    return ok & in_domain((g >= 0) & (g < 1), "g", g, "0 <= g < 1")


def _main(m_pmf: MainLaw) -> Flag:
    in_domain(len(m_pmf) > 0, "m_pmf", m_pmf, "at least one entry")
    ok = in_domain(m_pmf >= 0, "m_pmf", m_pmf, "m_pmf >= 0")
    return ok & in_domain(jnp.abs(jnp.sum(jnp.asarray(m_pmf)) - 1) < 1e-6, "m_pmf", m_pmf, "of sum 1")


def _answer(p0: Real, J: Real) -> Flag:
    return in_domain((p0 >= 0) & (p0 <= 1), "p0", p0, "0 <= p0 <= 1") & in_domain(J >= 0, "J", J, "J >= 0")


def _deleted(q: Real) -> Flag:
    return in_domain((q >= 0) & (q <= 1), "q", q, "0 <= q <= 1")
