"""Deterministic equivalents of ridge regression on random projections: one scalar fixed point.

The model is f(x) = v . (S x) with S [m, d] of independent N(0, 1/d) entries, fitted with the loss
|y - X S' v|^2 / n + lam |v|^2 on n rows of X, whose covariance has the d eigenvalues `spectrum`.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from theorylab.numerics.domain import in_domain, nan_unless
from theorylab.numerics.ridge import effective_ridge, shrinkage
from theorylab.types import Real, Vector

__all__ = ["effective_ridge_projection", "projection_shares"]

_MAX_STEPS = 200


def effective_ridge_projection(spectrum: Vector, n: Real, m: Real, lam: Real) -> Float[Array, ""]:
    """Effective ridge of a fit on n samples through m random projections.

        lam = (m / d) kappa (1 - df_1(kappa) / n) (1 - df_1(kappa) / m) ,   the root with df_1(kappa) < min(n, m)

    lam = 0 gives df_1(kappa) = min(n, m), and exactly 0 when that reaches the number of non-zero eigenvalues. To the
    right of that point the right-hand side is convex and increasing, so that Newton's method descends to the root
    from any upper bound; below it are spurious roots. Derivatives of any order are implicit.

    Source: the fixed point of @dohmatob2024strong, reduced here from four unknowns to one.
    Domain: n > 0, m > 0, lam >= 0, spectrum >= 0, all finite. No derivative at lam = 0 with n = m or rank = min(n, m).
    n: samples. m: projections, with entries of variance 1 / d, d = len(spectrum). lam: ridge of the averaged loss.
    Raises ValueError outside the domain.
    """
    ok = in_domain((m > 0) & (m < jnp.inf), "m", m, "0 < m < inf")
    ok &= in_domain((n > 0) & (n < jnp.inf), "n", n, "0 < n < inf")
    ok &= in_domain((lam >= 0) & (lam < jnp.inf), "lam", lam, "0 <= lam < inf")
    in_domain(spectrum.ndim == 1 and spectrum.size > 0, "spectrum", spectrum.shape, "one or more eigenvalues")
    ok &= in_domain((spectrum >= 0) & (spectrum < jnp.inf), "spectrum", spectrum, "finite and >= 0")
    spectrum = jnp.asarray(spectrum)
    dtype = spectrum.dtype if jnp.issubdtype(spectrum.dtype, jnp.floating) else jnp.result_type(float)
    return nan_unless(ok, _root(*(jnp.asarray(x, dtype) for x in (spectrum, n, m, lam))))


def projection_shares(
    spectrum: Vector, kappa: Real, n: Real, m: Real, lam: Real
) -> tuple[Float[Array, ""], Float[Array, ""]]:
    """The free shares 1 - df_1/n of the samples and 1 - df_1/m of the projections, without cancellation.

    Their product lam d / (m kappa) and their difference df_1 (1/n - 1/m) are known to rounding; so are then both.
    kappa: `effective_ridge_projection(spectrum, n, m, lam)`; the identity holds for no other value.
    """
    g, _ = shrinkage(spectrum, kappa)
    kappa, n, m, lam = (jnp.asarray(x, g.dtype) for x in (kappa, n, m, lam))
    df1, ridgeless = jnp.sum(g), kappa <= 0
    product = lam * g.size / (m * jnp.where(ridgeless, 1.0, kappa))
    gap = df1 * jnp.abs(1 / n - 1 / m)
    square = gap**2 + 4 * product
    total = gap + jnp.sqrt(jnp.where(square > 0, square, 1.0))
    small = jnp.where(square > 0, 2 * product / total, 0.0)
    samples = jnp.where(n <= m, small, small + gap)
    projections = jnp.where(n <= m, small + gap, small)
    return jnp.where(ridgeless, 1 - df1 / n, samples), jnp.where(ridgeless, 1 - df1 / m, projections)


@jax.custom_jvp
def _root(spectrum: Array, n: Array, m: Array, lam: Array) -> Array:
    target = lam * spectrum.size / m
    least = effective_ridge(spectrum, jnp.minimum(n, m), 0.0)
    upper = target + jnp.sum(spectrum) * (1 / n + 1 / m)
    eps = jnp.finfo(spectrum.dtype).eps

    def unfinished(state: tuple) -> Array:
        kappa, previous, step = state
        return (kappa < previous * (1 - 2 * eps)) & (step < _MAX_STEPS)

    def update(state: tuple) -> tuple:
        kappa, _, step = state
        return jnp.maximum(_newton(spectrum, n, m, target, kappa), least), kappa, step + 1

    kappa = jax.lax.while_loop(unfinished, update, (upper, 2 * upper, 0))[0]
    return jnp.where(lam <= 0, least, kappa)


@_root.defjvp
def _root_jvp(primals: tuple, tangents: tuple) -> tuple[Array, Array]:
    spectrum, n, m, lam = primals
    d_spectrum, d_n, d_m, d_lam = tangents
    kappa, d = _root(*primals), spectrum.size
    g, missed = shrinkage(spectrum, kappa)
    free_n, free_m = projection_shares(spectrum, kappa, n, m, lam)
    per_sample, per_projection = free_m / n, free_n / m
    moved = jnp.where((spectrum > 0) | (kappa > 0), missed, 0.0) ** 2 * d_spectrum
    slope = free_n * free_m + jnp.sum(g * missed) * (per_sample + per_projection)
    forcing = d_lam * d / m + jnp.sum(moved) * (per_sample + per_projection)
    forcing -= kappa * (jnp.sum(g) * per_sample / n * d_n + per_projection * d_m)
    return kappa, forcing / slope


def _newton(spectrum: Array, n: Array, m: Array, target: Array, kappa: Array) -> Array:
    """One step from above. Sums of few large terms keep n - df_1 accurate near n = d, as in `effective_ridge`."""
    g, missed = shrinkage(spectrum, kappa)
    above = spectrum > kappa
    rest = jnp.sum(jnp.where(above, missed, -g))
    count = jnp.sum(above.astype(g.dtype))
    free_n, free_m = ((n - count) + rest) / n, ((m - count) + rest) / m
    slope = free_n * free_m + jnp.sum(g * missed) * (free_m / n + free_n / m)
    return kappa - (kappa * free_n * free_m - target) / slope
