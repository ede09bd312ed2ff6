"""Heavy-tailed laws over ranked items, the ways in which generation cuts or narrows their tail, and their checks."""

from typing import Any, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int
from scipy import special

from theorylab.numerics.domain import in_domain, nan_unless
from theorylab.types import Real

__all__ = [
    "Law",
    "Laws",
    "TopP",
    "add_rare_items",
    "check_law",
    "check_masses",
    "check_same_items",
    "narrow_tail",
    "truncate_tail",
    "truncate_top_p",
    "zipf_head",
    "zipf_probabilities",
]

Law: TypeAlias = Float[Array, "_"] | Float[np.ndarray, "_"]
"""One probability per item, each of a length of its own: a wrong one is refused by name."""

Count: TypeAlias = Int[Array, ""] | Int[np.ndarray, ""] | Int[np.generic, ""]


class TopP(NamedTuple):
    """A law cut to its head, and the number of items that the head keeps."""

    q: Law
    k: Count


def zipf_probabilities(beta: Real, n_items: int) -> Law:
    """Zipf's law over so many ranks.

        p_i = i^-beta / sum_j j^-beta ,   i = 1..n_items

    Source: @hutter2021learning.
    Domain: beta >= 0, n_items >= 1.
    beta: exponent; 0 is the uniform law. n_items: number of ranks.
    Returns p [n_items], of sum 1; a NumPy array unless beta is traced.
    Raises ValueError outside the domain.
    """
    in_domain(n_items >= 1, "n_items", n_items, "n_items >= 1")
    ok = in_domain((beta >= 0) & (beta < np.inf), "beta", beta, "0 <= beta < inf")
    xp = _namespace(beta)
    weights = np.arange(1, n_items + 1, dtype=float) ** -xp.asarray(beta, float)
    return nan_unless(ok, weights / weights.sum())


def zipf_head(beta: float, n_items: int) -> Float[np.ndarray, "n"]:
    """The first ranks of Zipf's law over infinitely many.

        p_i = i^-beta / zeta(beta) ,   i = 1..n_items

    Source: @hutter2021learning.
    Domain: beta > 1, n_items >= 1.
    beta: exponent. n_items: number of ranks that are listed.
    Returns p [n_items], of sum below 1; add_rare_items accounts for the rest.
    Raises ValueError outside the domain.
    """
    in_domain(n_items >= 1, "n_items", n_items, "n_items >= 1")
    in_domain((beta > 1) & (beta < np.inf), "beta", beta, "1 < beta < inf")
    return np.arange(1, n_items + 1, dtype=float) ** -beta / special.zeta(beta)


class Laws(NamedTuple):
    """Masses of the test items, and probabilities of the training items."""

    p: Law
    q: Law


def add_rare_items(p: Law, q: Law) -> Laws:
    """Complete two lists of frequent items by what is not listed: tests there fail, and draws there teach nothing.

        p -> (p, 0, 1 - sum p) ,   q -> (q, 1 - sum q, 0)

    Exact when q lists all its items; otherwise it neglects rare items that are drawn and asked for, whose mass is below
    T sum_{i unlisted} p_i q_i.

    Domain: p, q >= 0 of sum at most 1, of equal length.
    p: masses of the listed test items [n]. q: their probabilities in training [n].
    Returns (p, q) [n + 2], each of sum 1.
    Raises ValueError outside the domain.
    """
    check_same_items(p=p, q=q)
    check_law(p=p, q=q)
    rest = lambda law: max(0.0, 1 - float(np.sum(law)))
    return Laws(np.append(p, [0.0, rest(p)]), np.append(q, [rest(q), 0.0]))


def truncate_tail(p: Law, k: Real) -> Law:
    """The k most frequent items of a law, renormalised; the others get probability 0.

    Source: @dohmatob2024tale.
    Domain: p >= 0; k an integer, 1 <= k <= len(p).
    p: probabilities [n], in any order. k: number of items that are kept; of equal ones the first.
    Returns q [n], of sum 1, in the order of p; a NumPy array unless an argument belongs to JAX.
    Raises ValueError outside the domain.
    """
    xp = _namespace(p, k)
    ok = check_masses(p=p)
    ok &= in_domain((k >= 1) & (k <= len(p)), "k", k, f"1 <= k <= {len(p)}, the number of items")
    ok &= in_domain(k % 1 == 0, "k", k, "an integer")
    ranks = xp.asarray(xp.argsort(xp.argsort(-p, stable=True), stable=True), float)
    kept = xp.where(ranks < xp.asarray(k, float), p, 0.0)
    return nan_unless(ok, kept / kept.sum())


def truncate_top_p(p: Law, mass: Real) -> TopP:
    """Nucleus truncation: the smallest head whose cumulative mass is at least `mass`, renormalised.

    Source: @dohmatob2024tale.
    Domain: p >= 0, 0 < mass <= 1.
    p: probabilities [n], in any order. mass: share of the total that the head must reach.
    Returns (q, k): the law [n] in the order of p, and the number k of items that are kept (0 for a traced argument
    outside the domain).
    Raises ValueError outside the domain.
    """
    xp = _namespace(p, mass)
    ok = check_masses(p=p) & in_domain((mass > 0) & (mass <= 1), "mass", mass, "0 < mass <= 1")
    cumulative = xp.cumsum(-xp.sort(-p))
    # the last cumulative sum may round below the total
    k = xp.minimum(1 + xp.sum(cumulative < mass * cumulative[-1]), len(p))
    return TopP(nan_unless(ok, truncate_tail(p, k)), k if ok is True else jnp.where(ok, k, 0))


def narrow_tail(p: Law, temperature: Real) -> Law:
    """The law at another sampling temperature; below 1 it narrows the tail.

        q_i = p_i^(1/temperature) / sum_j p_j^(1/temperature) ,   so that Zipf(beta) becomes Zipf(beta / temperature)

    Source: @dohmatob2024tale.
    Domain: p >= 0, temperature > 0.
    p: probabilities [n]. temperature: 1 leaves p as it is.
    Returns q [n], of sum 1; a NumPy array unless an argument belongs to JAX.
    Raises ValueError outside the domain.
    """
    xp = _namespace(p, temperature)
    ok = check_masses(p=p) & in_domain(temperature > 0, "temperature", temperature, "temperature > 0")
    positive = p > 0
    logs = xp.log(xp.where(positive, p, 1.0))
    top = xp.max(xp.where(positive, logs, -np.inf))
    weights = xp.where(positive, xp.exp((logs - top) / temperature), 0.0)
    return nan_unless(ok, weights / weights.sum())


def check_masses(**vectors: Law) -> Any:
    """Each a vector of masses: at least one, all finite and >= 0; they need not sum to 1."""
    ok = True
    for name, p in vectors.items():
        in_domain(p.shape[0] > 0, name, p, "at least one probability")
        ok &= in_domain((p >= 0) & (p < np.inf), name, p, f"{name} >= 0")
    return ok


def check_law(whole: bool = False, **vectors: Law) -> Any:
    """Each a vector of probabilities: masses of sum 1, or at most 1 unless `whole`, where rare items are left out."""
    ok = check_masses(**vectors)
    for name, q in vectors.items():
        total = _namespace(q).sum(q)
        rounding = float(jnp.finfo(q.dtype).eps) ** 0.5
        least, allowed = (1 - rounding, "1 (normalise it)") if whole else (0.0, "at most 1")
        ok &= in_domain((total >= least) & (total <= 1 + rounding), f"the sum of {name}", total, allowed)
    return ok


def check_same_items(**vectors: Any) -> None:
    """Two vectors over the same items."""
    (one, p), (other, q) = vectors.items()
    in_domain(p.shape == q.shape, f"the length of {other}", q.shape[0], f"that of {one}, {p.shape[0]}")


def _namespace(*values: Any) -> Any:
    """NumPy where every argument is a number or a NumPy array, so that the host compiles nothing; JAX otherwise."""
    return jnp if any(isinstance(value, jax.Array) for value in values) else np
