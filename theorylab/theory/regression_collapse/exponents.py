"""Power laws: ridge and rate exponents of clean data and of data labelled by a chain of generators.

Power-law spectra with capacity beta and source r, lam = T^-ell, d >> T^(ell / beta), r_ = min(r, 1).
"""

import jax.numpy as jnp
from jaxtyping import Array, Float

from theorylab.numerics.domain import in_domain, nan_unless
from theorylab.theory.regression_collapse._arguments import floats, non_negative
from theorylab.types import Real

__all__ = ["clean_ridge_exponent", "collapse_rate_exponent", "collapse_ridge_exponent"]


def clean_ridge_exponent(beta: Real, r: Real) -> Float[Array, ""]:
    """The best exponent ell of lam = T^-ell for clean, noisy labels of a power-law problem.

        ell = beta / (1 + 2 beta r_) ,   r_ = min(r, 1) ,   with risk ~ T^(-2 beta r_ / (1 + 2 beta r_))

    Source: @dohmatob2024model.
    Domain: beta > 1, r > 0. beta: capacity, spectrum_k = k^-beta. r: source, spectrum_k w_star_k^2 = k^-(1 + 2 beta r).
    Returns ell. Raises ValueError outside the domain.
    """
    ok = _domain(beta, r)
    beta, r = floats(beta, r)
    return nan_unless(ok, beta / (1 + 2 * beta * jnp.minimum(r, 1.0)))


def collapse_ridge_exponent(beta: Real, r: Real, c: Real, a: Real = 0) -> Float[Array, ""]:
    """The best exponent ell of lam = T^-ell when T0 = T^c and generations = T^a.

        ell = max(0, min(1, e)) clean_ridge_exponent(beta, r) ,   e = min(c, 1) - a

    with risk ~ T^(-2 beta r_ e / (1 + 2 beta r_)), e clipped to [0, 1].

    Source: derived here by balancing bias against the collapse term of @dohmatob2024model.
    Domain: beta > 1, r > 0, c >= 0, a >= 0; c = inf: generators that know the truth.
    beta: capacity. r: source. c, a: growth of the generators' sample size and of their number with T.
    Returns ell. Raises ValueError outside the domain.
    """
    ok = _domain(beta, r, c, a)
    clean = clean_ridge_exponent(beta, r)
    return nan_unless(ok, jnp.clip(_growth(*floats(c, a)), 0.0, 1.0) * clean)


def collapse_rate_exponent(beta: Real, r: Real, ell: Real, c: Real, a: Real = 0) -> Float[Array, ""]:
    """Decay exponent of the risk at lam = T^-ell, T0 = T^c, generations = T^a, sigma > 0; negative: the risk grows.

        min(2 r_ ell, 1 - ell / beta, min(c, 1) - a - ell / beta) ,   r_ = min(r, 1)

    The squared bias, the variance, and the collapse term, which c = inf removes. At clean_ridge_exponent(beta, r)
    the last is min(c, 1) - a - 1 / (1 + 2 beta r_).

    Source: @dohmatob2024model.
    Domain: beta > 1, r > 0, 0 <= ell < beta, c >= 0, a >= 0.
    beta: capacity. r: source. ell: ridge exponent. c, a: growth of the generators' sample size and number with T.
    Returns the exponent e of risk ~ T^-e. Raises ValueError outside the domain.
    """
    ok = _domain(beta, r, c, a) & in_domain((ell >= 0) & (ell < beta), "ell", ell, f"0 <= ell < beta = {beta}")
    beta, r, ell, c, a = floats(beta, r, ell, c, a)
    variance = jnp.minimum(1.0, _growth(c, a)) - ell / beta
    return nan_unless(ok, jnp.minimum(2 * jnp.minimum(r, 1.0) * ell, variance))


def _growth(c: Array, a: Array) -> Array:
    return jnp.where(c == jnp.inf, jnp.inf, jnp.minimum(c, 1.0) - a)


def _domain(beta: Real, r: Real, c: Real = 0, a: Real = 0) -> bool | Array:
    ok = in_domain((beta > 1) & (beta < jnp.inf), "beta", beta, "1 < beta < inf")
    ok &= in_domain((r > 0) & (r < jnp.inf), "r", r, "0 < r < inf")
    return ok & in_domain(c >= 0, "c", c, "c >= 0 (inf allowed)") & non_negative(a=a)
