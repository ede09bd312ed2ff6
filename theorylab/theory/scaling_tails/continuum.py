"""Power laws and incomplete-gamma forms of the error for infinitely many Zipf items."""

from typing import Any

import jax.numpy as jnp
from jax.scipy.special import gammainc, gammaincc, gammaln
from jaxtyping import Array, Float

from theorylab.numerics.domain import in_domain, nan_unless
from theorylab.theory.scaling_tails._arguments import floats, heavy_tailed, share
from theorylab.theory.scaling_tails.zeta import hurwitz_zeta
from theorylab.types import Real

__all__ = [
    "tail_grokking_time",
    "truncated_zipf_error",
    "truncated_zipf_mixture_error",
    "unseen_item_error_asymptotic",
]


def unseen_item_error_asymptotic(beta: Real, T: Real, beta_train: Real | None = None) -> Float[Array, ""]:
    """Power law of the error of an infinite memory for Zipf data with infinitely many items.

        E ~ (A / beta_train) Gamma(e) (A_train T)^-e ,   e = (beta - 1) / beta_train ,   A = 1 / zeta(beta)

    and A_train = 1 / zeta(beta_train). For beta_train = beta the exponent is 1 - 1/beta and the relative error
    (2 - 1/beta) (1 - 1/beta) / (2 T) + O(1/T^2), as long as beta <= 3; above, few ranks carry the sum and it
    oscillates about the power law (2% at beta = 4, 15% at beta = 6, for T = 100).

    Source: @hutter2021learning; training laws of another exponent @dohmatob2024tale.
    Domain: beta > 1, beta_train > 1, T > 0.

    beta: exponent of the true law. T: training samples. beta_train: exponent of the training law, beta by default.
    Returns the mass of unseen items.
    Raises ValueError outside the domain.
    """
    beta_train = beta if beta_train is None else beta_train
    ok = heavy_tailed(beta=beta, beta_train=beta_train) & _positive("T", T)
    beta, T, b2 = floats(beta, T, beta_train)
    e = (beta - 1) / b2
    level = jnp.exp(gammaln(e)) / (b2 * hurwitz_zeta(beta, 1))
    return nan_unless(ok, level * (T / hurwitz_zeta(b2, 1)) ** -e)


def truncated_zipf_error(beta: Real, T: Real, k: Real) -> Float[Array, ""]:
    """Error when the training law is cut at rank k: the double scaling law, in continuum form.

        E = (A/beta) (a T)^-c Gamma(c, a T (k + 1/2)^-beta) + tail ,
        c = 1 - 1/beta ,  A = 1 / zeta(beta) ,  tail = zeta(beta, k + 1) / zeta(beta) ,  a = A / (1 - tail)

    For T << k^beta this is the clean law; for T >> k^beta the floor `tail` ~ A k^-(beta - 1) / (beta - 1). The sum of
    these two is right up to constants only: it overestimates by a factor of up to 1.9 near T = 2 k^beta, since the
    error on the head dies exponentially there. Relative error 0.4% at T = 100 and 0.06% at 1000, 1.2 <= beta <= 3.

    Source: @dohmatob2024tale, with constants and crossover derived here.
    Domain: beta > 1, T > 0, k >= 1.

    beta: exponent of the true law over infinitely many ranks. T: training samples. k: ranks that training keeps.
    Returns the mass of unseen items; all ranks beyond k are unseen.
    Raises ValueError outside the domain.
    """
    ok = heavy_tailed(beta=beta) & _positive("T", T) & _rank(k)
    beta, T, k = floats(beta, T, k)
    zeta, tail = _tail(beta, k)
    return nan_unless(ok, _head(beta, zeta, T / (zeta * (1 - tail)), k) + tail)


def truncated_zipf_mixture_error(beta: Real, T: Real, pi: Real, k: Real) -> Float[Array, ""]:
    """Error when a share pi of the rows is real and the rest comes from the law cut at rank k, in continuum form.

        E = (A/beta) (r T)^-c Gamma(c, r T (k + 1/2)^-beta) + (A/beta) (pi A T)^-c gamma(c, pi A T (k + 1/2)^-beta)

    with r = A (pi + (1 - pi) / (1 - tail)) and c, A, tail as in truncated_zipf_error; at pi = 0 the second term is
    the tail. Clean law for T << k^beta, plateau at the tail, and from tail_grokking_time on the clean law of pi T
    samples. Relative error 2e-4 for T >= 1000 at beta = 1.5, k = 100.

    Source: @dohmatob2024tale, with constants and crossovers derived here.
    Domain: beta > 1, T > 0, 0 <= pi <= 1, k >= 1.

    beta: exponent of the true law over infinitely many ranks. T: training samples. pi: share of real rows.
    k: ranks that the generated rows keep.
    Returns the mass of unseen items.
    Raises ValueError outside the domain.
    """
    ok = heavy_tailed(beta=beta) & _positive("T", T) & share(pi=pi) & _rank(k)
    beta, T, pi, k = floats(beta, T, pi, k)
    zeta, tail = _tail(beta, k)
    c = 1 - 1 / beta
    real = pi > 0
    seen = jnp.where(real, pi, 1.0) * T / zeta  # expected draws of an item, times rank^beta, from real rows alone
    rare = jnp.exp(gammaln(c)) * gammainc(c, seen * (k + 0.5) ** -beta) * seen**-c / (beta * zeta)
    head = _head(beta, zeta, (pi + (1 - pi) / (1 - tail)) * T / zeta, k)
    return nan_unless(ok, head + jnp.where(real, rare, tail))


def tail_grokking_time(beta: Real, k: Real, pi: Real) -> Float[Array, ""]:
    """Number of samples at which the plateau of a mixture ends: a real row shows the item of rank k once.

        T = k^beta zeta(beta) / pi

    Source: @dohmatob2024tale.
    Domain: beta > 1, k >= 1, 0 <= pi <= 1.
    beta: exponent of the true law. k: ranks that the generated rows keep. pi: share of real rows.
    Returns T, infinite at pi = 0.
    Raises ValueError outside the domain.
    """
    ok = heavy_tailed(beta=beta) & _rank(k) & share(pi=pi)
    beta, k, pi = floats(beta, k, pi)
    time = k**beta * hurwitz_zeta(beta, 1) / jnp.where(pi > 0, pi, 1.0)
    return nan_unless(ok, jnp.where(pi > 0, time, jnp.inf))


def _tail(beta: Array, k: Array) -> tuple[Array, Array]:
    """zeta(beta), and the mass of the ranks beyond k."""
    zeta = hurwitz_zeta(beta, 1)
    return zeta, hurwitz_zeta(beta, k + 1) / zeta


def _head(beta: Array, zeta: Array, draws: Array, k: Array) -> Array:
    """Unseen mass of ranks 1..k when rank i is drawn draws * i^-beta times in expectation."""
    c = 1 - 1 / beta
    return jnp.exp(gammaln(c)) * gammaincc(c, draws * (k + 0.5) ** -beta) * draws**-c / (beta * zeta)


def _positive(name: str, value: Real) -> Any:
    return in_domain((value > 0) & (value < jnp.inf), name, value, f"0 < {name} < inf")


def _rank(k: Real) -> Any:
    return in_domain((k >= 1) & (k < jnp.inf), "k", k, "1 <= k < inf")
