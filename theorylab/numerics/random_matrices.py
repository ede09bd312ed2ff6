"""Random matrices drawn exactly in law, at a cost that does not grow with the number of samples."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from theorylab.numerics.domain import in_domain, nan_unless
from theorylab.types import Key, Real

__all__ = ["chi_square", "draw_inverse_wishart_traces", "gram_rows", "wishart_factor"]


def wishart_factor(key: Key, d: int, T: Real) -> Float[Array, "d d"]:
    """Lower triangular L with L L' distributed as X'X, for a T x d matrix X of independent standard normals.

        L_ii^2 ~ chi-square with T - i degrees of freedom (i = 0, .., d-1),  L_ij ~ N(0, 1) for i > j,

    all independent: exact in law (Bartlett's decomposition). L' is the triangular factor of X = Q L'.

    Domain: T >= d. T may be traced and need not be an integer, the cost does not depend on it.
    Raises ValueError outside the domain.
    """
    ok = in_domain(T >= d, "T", T, f"T >= d = {d}")
    key_diagonal, key_below = jax.random.split(key)
    row = jnp.arange(d, dtype=float)
    diagonal = jnp.sqrt(chi_square(key_diagonal, jnp.asarray(T, float) - row))
    below = jnp.tril(jax.random.normal(key_below, (d, d)), -1)
    return nan_unless(ok, below + jnp.diag(diagonal))


def gram_rows(key: Key, n: Real, d: int) -> Float[Array, "d d"]:
    """R, upper triangular, with R'R distributed as X'X for n rows X of d independent standard normals.

        R_ii^2 ~ chi-square with n - i degrees of freedom (i = 0, 1, ..), R_ij ~ N(0, 1) for j > i, rows from n on are 0

    Exact in law (the triangular factor of X), for every integer n >= 0. n may be traced: neither shape nor cost depend
    on it. Given the design, R'z with z standard normal is distributed as X' eps.
    """
    key_diagonal, key_rest = jax.random.split(key)
    row = jnp.arange(d, dtype=float)
    present = row < n
    diagonal = jnp.where(present, jnp.sqrt(chi_square(key_diagonal, jnp.where(present, n - row, 1.0))), 0.0)
    above = (row[:, None] < row[None, :]) & present[:, None]
    return jnp.where(above, jax.random.normal(key_rest, (d, d)), 0.0) + jnp.diag(diagonal)


def draw_inverse_wishart_traces(key: Key, d: int, T: Real, count: int) -> Float[Array, "count"]:
    """Independent draws of tr (X'X)^-1, for T x d matrices X of independent standard normals.

        X = U B V',  B lower bidiagonal:  B_ii^2 ~ chi-square(T - i),  B_i,i-1^2 ~ chi-square(d - i)  (i = 0, .., d-1)

    Orthogonal U, V bring X to this form exactly in law, and tr (X'X)^-1 = |B^-1|^2 is the sum over the rows of B^-1 of
    s_i = (1 + B_i,i-1^2 s_i-1) / B_ii^2. The cost grows as d, not as d^3.

    Bidiagonal form of a Gaussian matrix: Dumitriu and Edelman, J. Math. Phys. 43:5830, 2002.
    Domain: T >= d; the mean is finite for T >= d + 2. T may be traced and need not be an integer.
    Raises ValueError outside the domain.
    """
    ok = in_domain(T >= d, "T", T, f"T >= d = {d}")
    row = jnp.arange(d, dtype=float)
    df = jnp.concatenate([jnp.asarray(T, float) - row, d - row[1:]])
    squares = chi_square(key, jnp.repeat(df, count)).reshape(-1, count)

    def next_row(s: Array, entries: tuple[Array, Array]) -> tuple[Array, Array]:
        diagonal, before = entries
        s = (1 + before * s) / diagonal
        return s, s

    before = jnp.concatenate([jnp.zeros((1, count)), squares[d:]])
    rows = jax.lax.scan(next_row, jnp.zeros(count), (squares[:d], before))[1]
    return nan_unless(ok, jnp.sum(rows, 0))


def chi_square(key: Key, df: Float[Array, "n"]) -> Float[Array, "n"]:
    """Independent chi-square variables with `df` degrees of freedom each; NaN where df <= 0.

    Exact in law (rejection of Marsaglia and Tsang, ACM TOMS 26:363, 2000). All entries are proposed at once and the
    few refused ones proposed again, which under vmap costs half of jax.random.chisquare's loop over entries.
    """
    positive = df > 0
    shape = jnp.where(positive, df, 1.0) / 2
    small = shape < 1
    shifted = jnp.where(small, shape + 1, shape) - 1 / 3
    key, key_boost = jax.random.split(key)

    def propose(key: Array) -> tuple[Array, Array]:
        key_x, key_u = jax.random.split(key)
        x = jax.random.normal(key_x, df.shape)
        v = (1 + x / jnp.sqrt(9 * shifted)) ** 3
        log_v = jnp.log(jnp.where(v > 0, v, 1.0))
        log_u = jnp.log(1 - jax.random.uniform(key_u, df.shape))
        return shifted * v, (v > 0) & (log_u < x**2 / 2 + shifted * (1 - v + log_v))

    def again(state: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
        key, value, done = state
        key, key_now = jax.random.split(key)
        proposal, accepted = propose(key_now)
        return key, jnp.where(done, value, proposal), done | accepted

    start = (key, jnp.zeros(df.shape), jnp.zeros(df.shape, bool))
    gamma = jax.lax.while_loop(lambda state: ~jnp.all(state[2]), again, start)[1]
    # a shape a < 1 from a shape a + 1: gamma(a) = gamma(a + 1) U^(1/a)
    boost = jnp.where(small, jnp.exp(-jax.random.exponential(key_boost, df.shape) / shape), 1.0)
    return jnp.where(positive, 2 * gamma * boost, jnp.nan)
