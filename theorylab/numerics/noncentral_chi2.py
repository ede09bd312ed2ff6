"""Distribution function of the noncentral chi-square law."""

import jax.numpy as jnp
from jax.scipy.special import gammainc, gammaln, xlogy
from jaxtyping import Array, Float

from theorylab.numerics.domain import in_domain, nan_unless
from theorylab.types import Real

__all__ = ["noncentral_chi2_cdf"]


def noncentral_chi2_cdf(x: Real, df: Real, nc: Real, terms: int = 512) -> Float[Array, ""]:
    """P(|z + a|^2 <= x) for df standard normals z and |a|^2 = nc.

        sum_k Poisson(k; nc/2) P(df/2 + k, x/2),   P the regularised lower incomplete gamma function

    over `terms` values of k around the mean of the Poisson law; what lies outside is below 1e-12 while
    12 sqrt(nc/2) + 60 <= terms/2, or all of it is inside.

    Domain: x >= 0, df > 0, nc >= 0 and as large as `terms` allows.
    Raises ValueError outside the domain.
    """
    in_domain(terms >= 1, "terms", terms, "terms >= 1")
    ok = in_domain(x >= 0, "x", x, "x >= 0") & in_domain(df > 0, "df", df, "df > 0")
    ok &= in_domain(nc >= 0, "nc", nc, "nc >= 0")
    half = jnp.asarray(nc, float) / 2
    reach = 12 * jnp.sqrt(half) + 60
    ok &= in_domain((reach <= terms / 2) | (half + reach <= terms), "nc", nc, f"within reach of terms = {terms}")
    first = jnp.maximum(jnp.floor(half) - terms // 2, 0.0)
    k = first + jnp.arange(terms, dtype=float)
    weights = jnp.exp(xlogy(k, half) - half - gammaln(k + 1))
    return nan_unless(ok, jnp.sum(weights * gammainc(jnp.asarray(df, float) / 2 + k, jnp.asarray(x, float) / 2)))
