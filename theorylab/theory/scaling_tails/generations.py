"""Generations that resample the data of the one before: every generation loses items and none comes back."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import gammaln, xlog1py, xlogy
from jaxtyping import Array, Float, Num

from theorylab.numerics.domain import in_domain, nan_unless
from theorylab.problems.scaling_tails import Law, check_law
from theorylab.theory.scaling_tails._arguments import floats
from theorylab.types import Real

__all__ = ["generation_survival_factor", "unseen_item_error_generations"]

Sizes: TypeAlias = Sequence[Real] | Num[Array, "g"] | Num[np.ndarray, "g"]

LARGEST = 5000  # samples of one generation in the exact sum, whose cost is quadratic
ROWS = 64  # of the transition matrix at a time


def generation_survival_factor(Ts: Sizes) -> Float[Array, ""]:
    """Factor by which several generations of resampling shrink the data set, from a Poisson branching process.

        s = 1 ;  for g = n, .., 1:  s <- 1 - exp(-(T_g / T_{g-1}) s)

    T_0 s is the size of a clean data set with the same error. Equal sizes: s ~ 2 / (n + log(n)/3 + 1.8), within 0.6%
    for n >= 10. Sizes that grow by a factor r each time: s tends to the positive root of s = 1 - exp(-r s).

    Source: @dohmatob2024tale for the question; the branching recursion is derived here.
    Domain: one or more sizes, each >= 1.
    Ts: samples of generation 0, which draws from the truth, and of each later one, which resamples the one before.
    Returns s; 1 for a single data set.
    Raises ValueError outside the domain.
    """
    sizes = _sizes(Ts)
    ok = _check(sizes)
    ratios = jnp.asarray(sizes[1:] / sizes[:-1])
    step = lambda s, ratio: (-jnp.expm1(-ratio * s), None)
    return nan_unless(ok, jax.lax.scan(step, jnp.ones((), ratios.dtype), ratios, reverse=True)[0])


def unseen_item_error_generations(p: Law, Ts: Sizes, method: str = "poisson") -> Float[Array, ""]:
    """Expected error after generations that each draw from the empirical law of the one before.

        poisson:  E = sum_i p_i exp(-T_0 p_i s) ,   s = generation_survival_factor(Ts)
        exact:    h_n(j) = (1 - j/T_{n-1})^T_n ,   h_g(j) = sum_l Binom(l; T_g, j/T_{g-1}) h_{g+1}(l) ,
                  E = sum_i p_i sum_j Binom(j; T_0, p_i) h_1(j)

    The Poisson form exceeds the exact one by at most about 2/T, relatively, for n <= 8 resamplings of T >= 50.

    Source: @dohmatob2024tale for the question; both forms are derived here.
    Domain: p >= 0 of sum at most 1; one or more sizes >= 1; for the exact form integers up to 5000, not traced.

    p: true law [n]. Ts: samples of generation 0, 1, ...; method: "poisson" or "exact".
    Returns the mass under p of the items that are absent from the last data set, in expectation.
    Raises ValueError outside the domain.
    """
    sizes = _sizes(Ts)
    ok = check_law(p=p) & _check(sizes)
    if method == "poisson":
        T0, s = floats(sizes[0], generation_survival_factor(sizes), like=p)
        return nan_unless(ok, jnp.sum(p * jnp.exp(-T0 * p * s)))
    in_domain(method == "exact", "method", method, "poisson or exact")
    counts = _exact_sizes(sizes)
    (p,) = floats(p, like=p)
    # probability that an item is absent at the end, given how often it is in the current generation
    absent = jnp.zeros(counts[-1] + 1, p.dtype).at[0].set(1.0)
    for before, after in reversed(list(pairwise(counts))):
        absent = _binomial_means(after, jnp.arange(before + 1, dtype=p.dtype) / before, absent)
    return nan_unless(ok, jnp.sum(p * _binomial_means(counts[0], p, absent)))


def _binomial_means(N: int, probabilities: Array, values: Array) -> Array:
    """E values[X] for X ~ Bin(N, x), at every x; rows of the transition matrix are never held all at once."""
    l = jnp.arange(N + 1, dtype=values.dtype)
    choose = gammaln(N + 1.0) - gammaln(l + 1) - gammaln(N - l + 1)

    def mean(x: Array) -> Array:
        inside = (x > 0) & (x < 1)
        safe = jnp.where(inside, x, 0.5)
        weights = jnp.exp(choose + xlogy(l, safe) + xlog1py(N - l, -safe))
        return jnp.where(inside, jnp.sum(weights * values), jnp.where(x > 0, values[-1], values[0]))

    return jax.lax.map(mean, probabilities, batch_size=ROWS)


def _sizes(Ts: Sizes) -> Array | np.ndarray:
    """A NumPy array unless a size is traced, so that a bad one can be refused."""
    try:
        return np.asarray(Ts, float)
    except jax.errors.TracerArrayConversionError:
        return jnp.asarray(Ts, float)


def _check(sizes: Array | np.ndarray) -> Any:
    in_domain(sizes.size > 0, "Ts", sizes, "the size of one or more generations")
    return in_domain((sizes >= 1) & (sizes < np.inf), "Ts", sizes, "every size >= 1")


def _exact_sizes(sizes: Array | np.ndarray) -> list[int]:
    if not isinstance(sizes, np.ndarray):
        raise ValueError("Ts is traced, which is outside its domain: method = 'exact' needs integers")
    in_domain(sizes % 1 == 0, "Ts", sizes, "integers for method = 'exact'")
    in_domain(sizes <= LARGEST, "Ts", sizes, f"at most {LARGEST} for method = 'exact'; use 'poisson'")
    return [int(size) for size in sizes]
