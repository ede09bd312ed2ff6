"""Total variation between a law and the empirical law of a sample, alone and averaged over contexts."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import betainc, gammainc, gammaln, xlog1py, xlogy
from jaxtyping import Array, Float

from theorylab.numerics.domain import in_domain, nan_unless
from theorylab.problems.scaling_tails import Law, check_law, check_same_items
from theorylab.theory.scaling_tails._arguments import floats, heavy_tailed, non_negative, share
from theorylab.theory.scaling_tails.zeta import hurwitz_zeta
from theorylab.types import Real

__all__ = [
    "bigram_total_variation_error",
    "binomial_mean_absolute_deviation",
    "total_variation_asymptotic",
    "total_variation_learning_curve",
]

ROWS = 64  # sample sizes, or contexts, at a time
DIRECT = 128  # ranks or counts that are summed one by one; the rest has a series
NODES, WEIGHTS = np.polynomial.legendre.leggauss(12)


def binomial_mean_absolute_deviation(n_samples: Real, p: Real) -> Float[Array, ""]:
    """Mean absolute deviation of a binomial law, by de Moivre's formula.

        E |X - N p| = 2 (m + 1) C(N, m + 1) p^(m + 1) (1 - p)^(N - m) ,   m = floor(N p)

    Source: de Moivre (1730); its use for learning curves @dohmatob2024tale.
    Domain: n_samples an integer >= 0, 0 <= p <= 1.
    n_samples: number N of trials. p: probability of success.
    Returns E |X - N p|; 0 for N = 0 and for p = 0 or 1.
    Raises ValueError outside the domain.
    """
    ok = _integer(n_samples=n_samples) & share(p=p)
    N, p = floats(n_samples, p)
    return nan_unless(ok, _mean_distance(N, p, N * p))


def total_variation_learning_curve(q_true: Law, q_train: Law, n_samples: Real) -> Float[Array, ""]:
    """Expected total variation between a law and the empirical law of a sample from another.

        TV = sum_j E |X_j - N q_true_j| / (2 N) ,   X_j ~ Bin(N, q_train_j) ,   TV = 1 for N = 0
        E |X - a| = 2 (N - m) b P(X = m) + (a - N b) (2 P(X <= m) - 1) ,   X ~ Bin(N, b), m = floor(a)

    Exact at finite size. Where both laws agree this is binomial_mean_absolute_deviation.

    Source: @dohmatob2024tale for the question; de Moivre's formula for a point other than the mean derived here.
    Domain: q_true, q_train >= 0 of sum at most 1 and of equal length; n_samples an integer >= 0.

    q_true, q_train: true law, and law of the sample [J]; the total variation is summed over these J outcomes.
    n_samples: size N of the sample.
    Returns the expected total variation, between 0 and 1.
    Raises ValueError outside the domain.
    """
    check_same_items(q_true=q_true, q_train=q_train)
    ok = check_law(q_true=q_true, q_train=q_train) & _integer(n_samples=n_samples)
    same = q_true is q_train
    true, train, N = floats(q_true, q_train, n_samples, like=q_true)
    size = jnp.where(N > 0, N, 1.0)
    distances = _mean_distance(N, train, N * true, same)
    return nan_unless(ok, jnp.where(N > 0, jnp.sum(distances) / (2 * size), 1.0))


def bigram_total_variation_error(p_ctx: Law, cond_true: Law, cond_train: Law, T: int) -> Float[Array, ""]:
    """Expected total variation of an empirical conditional law, averaged over contexts.

        E = sum_i p_ctx_i sum_N Binom(N; T, p_ctx_i) TV(N) ,   TV(N) = total_variation_learning_curve(.., N)

    Source: @dohmatob2024tale.
    Domain: p_ctx of sum at most 1; cond_true, cond_train as for total_variation_learning_curve; T >= 0.

    p_ctx: law of the contexts [n], in training and at test. cond_true, cond_train: law of the next token by rank [J],
    the same for every context up to a permutation of the tokens. T: number of training pairs.
    Returns the error, between 0 and 1; a context that was not seen counts 1.
    Raises ValueError outside the domain.
    """
    ok = check_law(p_ctx=p_ctx) & _integer(T=T)
    curve = lambda N: total_variation_learning_curve(cond_true, cond_train, N)
    (p_ctx,) = floats(p_ctx, like=p_ctx)
    N = jnp.arange(T + 1, dtype=p_ctx.dtype)
    errors = jax.lax.map(curve, N, batch_size=ROWS)
    expected = lambda p: jnp.sum(_binomial(N, jnp.asarray(T, p_ctx.dtype), p) * errors)
    return nan_unless(ok, jnp.sum(p_ctx * jax.lax.map(expected, p_ctx, batch_size=ROWS)))


def total_variation_asymptotic(beta: Real, n_samples: Real) -> Float[Array, ""]:
    """Two-term expansion of the expected total variation for Zipf's law over infinitely many outcomes.

        TV ~ c1 N^-(1 - 1/beta) + c2 N^-1/2
        c1 = A^alpha I alpha / 2 ,   I = sum_m (2 / m!) int_m^{m+1} x^(m - alpha) e^-x dx ,   alpha = 1/beta
        c2 = ( A^1/2 zeta(beta/2) + sum_j [ (p_j (1 - p_j))^1/2 - p_j^1/2 ] ) / (2 pi)^1/2 ,   p_j = A j^-beta

    with A = 1/zeta(beta); I and zeta(beta/2) are continued analytically where they diverge. The terms have opposite
    signs and blow up together as beta -> 2, so that neither alone is of use at realistic sizes (at beta = 1.8,
    N = 1e4 the leading one is off by 97%). Both together: relative error <= 0.21% for N >= 100 and beta of 1.3 to 1.8
    and 2.2, below 0.5% for beta of 2.5 to 3.5; use the exact sum for 1.95 < beta < 2.05.

    Source: exponents @dohmatob2024tale; the constants are derived here.
    Domain: beta > 1, beta != 2, n_samples > 0.
    beta: exponent. n_samples: size N of the sample.
    Returns TV.
    Raises ValueError outside the domain.
    """
    ok = heavy_tailed(beta=beta)
    ok &= in_domain(beta != 2, "beta", beta, "beta != 2: both terms diverge there")
    ok &= in_domain((n_samples > 0) & (n_samples < np.inf), "n_samples", n_samples, "0 < n_samples < inf")
    beta, N = floats(beta, n_samples)
    alpha = 1 / beta
    A = 1 / hurwitz_zeta(beta, 1)
    c1 = alpha * A**alpha * _poisson_integral(alpha) / 2
    c2 = (jnp.sqrt(A) * hurwitz_zeta(beta / 2, 1) + _heads(beta, A)) / np.sqrt(2 * np.pi)
    return nan_unless(ok, c1 * N ** (alpha - 1) + c2 / jnp.sqrt(N))


def _poisson_integral(alpha: Array) -> Array:
    """int_0^inf x^(-alpha - 1) E|Poisson(x) - x| dx, unit interval by unit interval.

    From DIRECT on the term of m is (2/pi)^1/2 y^-s (1 + b/y^2 + ..), y = m + 1/2, and zeta functions sum it.
    """
    first = 2 * jnp.exp(gammaln(1 - alpha)) * gammainc(1 - alpha, jnp.ones_like(alpha))
    m = np.arange(1.0, DIRECT)[:, None]
    x = m + (NODES + 1) / 2
    direct = jnp.exp((m - alpha) * np.log(x) - x - gammaln(m + 1)) @ WEIGHTS
    s = alpha + 0.5
    b = (s + s**2) / 24 + 1 / 1440
    rest = hurwitz_zeta(s, DIRECT + 0.5) + b * hurwitz_zeta(s + 2, DIRECT + 0.5)
    return first + jnp.sum(direct) + np.sqrt(2 / np.pi) * rest


def _heads(beta: Array, A: Array) -> Array:
    """sum_j (p_j (1 - p_j))^1/2 - p_j^1/2; beyond DIRECT by the binomial series in p_j."""
    p = A * np.arange(1.0, DIRECT + 1) ** -beta
    direct = jnp.sum(jnp.sqrt(p) * (jnp.sqrt(1 - p) - 1))
    series = ((1.5, 1 / 2), (2.5, 1 / 8), (3.5, 1 / 16), (4.5, 5 / 128))
    return direct - sum(c * A**e * hurwitz_zeta(e * beta, DIRECT + 1) for e, c in series)


def _mean_distance(N: Array, b: Array, a: Array, same: bool = True) -> Array:
    """E |X - a| for X ~ Bin(N, b), 0 <= a <= N; `same` promises that a is the mean."""
    m = jax.lax.stop_gradient(jnp.clip(jnp.floor(a), 0.0, jnp.maximum(N - 1, 0.0)))
    around_mean = 2 * (N - m) * b * _binomial(m, N, b)
    if same:
        return around_mean
    inside = (b > 0) & (b < 1) & (N > 0)
    tail = betainc(m + 1, jnp.where(inside, N - m, 1.0), jnp.where(inside, b, 0.5))
    below = 1 - jnp.where(inside, tail, jnp.where(b > 0, 1.0, 0.0))
    # m = N - 1 also serves a = N, where P(X <= m) must be 1 in place of 1 - b^N
    below = jnp.where(a >= N, 1.0, below)
    return jnp.where(a >= N, 0.0, around_mean) + (a - N * b) * (2 * below - 1)


def _binomial(x: Array, N: Array, p: Array) -> Array:
    """P(X = x) for X ~ Bin(N, p), 0 <= x <= N."""
    inside = (p > 0) & (p < 1)
    safe = jnp.where(inside, p, 0.5)
    logs = gammaln(N + 1) - gammaln(x + 1) - gammaln(N - x + 1) + xlogy(x, safe) + xlog1py(N - x, -safe)
    return jnp.where(inside, jnp.exp(logs), jnp.where(x == jnp.where(p > 0, N, 0.0), 1.0, 0.0))


def _integer(**values: Real) -> Any:
    ok = non_negative(**values)
    for name, value in values.items():
        ok &= in_domain(value % 1 == 0, name, value, "an integer")
    return ok
