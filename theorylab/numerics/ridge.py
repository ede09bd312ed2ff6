"""Deterministic equivalents of ridge regression: degrees of freedom and the effective ridge of a spectrum.

The ridge loss is ||y - X w||^2 / n + lam ||w||^2, with n rows of X whose covariance has the eigenvalues `spectrum`.
`multiplicity` says how often each of them counts: once when it is not given.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from theorylab.numerics.domain import in_domain, nan_unless
from theorylab.types import Real, Vector

__all__ = [
    "CompressedSpectrum",
    "compress_spectrum",
    "degrees_of_freedom",
    "effective_ridge",
    "residual_degrees_of_freedom",
    "shrinkage",
]

_MAX_STEPS = 100


def shrinkage(spectrum: Vector, kappa: Real) -> tuple[Float[Array, "d"], Float[Array, "d"]]:
    """Learned and missed share of each direction: g = spectrum / (spectrum + kappa), and 1 - g without cancellation.

    A zero eigenvalue is missed (g = 0, 1 - g = 1), also at kappa = 0.
    """
    spectrum = _floating(spectrum)
    kappa = jnp.asarray(kappa, spectrum.dtype)
    positive = spectrum + kappa > 0
    total = jnp.where(positive, spectrum + kappa, 1.0)
    return jnp.where(positive, spectrum / total, 0.0), jnp.where(positive, kappa / total, 1.0)


def degrees_of_freedom(
    spectrum: Vector, kappa: Real, order: int, multiplicity: Vector | None = None
) -> Float[Array, ""]:
    """Degrees of freedom of a ridge fit, df_order = sum_k (spectrum_k / (spectrum_k + kappa))^order.

    Domain: kappa >= 0, order >= 1. Zero eigenvalues count nothing.
    """
    in_domain(order >= 1, "order", order, "order >= 1")
    ok = in_domain(kappa >= 0, "kappa", kappa, "kappa >= 0")
    g, _ = shrinkage(spectrum, kappa)
    return nan_unless(ok, jnp.sum(_times(_weights(g, multiplicity), g**order)))


def residual_degrees_of_freedom(
    spectrum: Vector, kappa: Real, n: Real, lam: Real, multiplicity: Vector | None = None
) -> Float[Array, ""]:
    """n - df_2(kappa) at the effective ridge of n and lam, to full relative accuracy near interpolation.

        n - df_2 = n lam / kappa + sum_k g_k (1 - g_k) ,   g = spectrum / (spectrum + kappa)

    kappa: `effective_ridge(spectrum, n, lam, multiplicity)`; the identity holds for no other value.
    """
    g, missed = shrinkage(spectrum, kappa)
    kappa, n, lam = (jnp.asarray(x, g.dtype) for x in (kappa, n, lam))
    weights = _weights(g, multiplicity)
    ridgeless = kappa <= 0
    by_parts = n * lam / jnp.where(ridgeless, 1.0, kappa) + jnp.sum(_times(weights, g * missed))
    return jnp.where(ridgeless, n - jnp.sum(_times(weights, g**2)), by_parts)


def effective_ridge(spectrum: Vector, n: Real, lam: Real, multiplicity: Vector | None = None) -> Float[Array, ""]:
    """Effective ridge of a fit on n samples: the penalty at which the population problem shrinks as the sample does.

        kappa = lam + kappa df_1(kappa) / n ,   the largest non-negative root

    lam = 0 gives df_1(kappa) = n, and exactly 0 when n reaches the number of non-zero eigenvalues.
    Accurate to a few roundings at every distance from n = d; derivatives of any order are implicit.

    Domain: n > 0, lam >= 0, spectrum >= 0, all finite. At lam = 0 and n = rank there is no derivative.
    n: samples. lam: ridge of a loss averaged over the samples. spectrum: covariance eigenvalues.
    Raises ValueError outside the domain.
    """
    spectrum = _floating(spectrum)
    in_domain(spectrum.ndim == 1 and spectrum.size > 0, "spectrum", spectrum.shape, "one or more eigenvalues")
    ok = in_domain((spectrum >= 0) & (spectrum < jnp.inf), "spectrum", spectrum, "finite and >= 0")
    ok &= in_domain((n > 0) & (n < jnp.inf), "n", n, "0 < n < inf")
    ok &= in_domain((lam >= 0) & (lam < jnp.inf), "lam", lam, "0 <= lam < inf")
    # copies: jax 0.10 cannot trace a custom derivative of a NumPy array that vmap runs over within jit
    spectrum, n, lam = (jnp.array(x, spectrum.dtype) for x in (spectrum, n, lam))
    return nan_unless(ok, _root(spectrum, n, lam, _weights(spectrum, multiplicity)))


@jax.custom_jvp
@jax.jit  # else every eager call compiles its loop anew
def _root(spectrum: Array, n: Array, lam: Array, weights: Array | None) -> Array:
    rank = jnp.sum(_times(weights, (spectrum > 0).astype(spectrum.dtype)))
    eps = jnp.finfo(spectrum.dtype).eps
    interpolated = (lam <= 0) & (n >= rank * (1 - 8 * eps))
    lam = jnp.where(interpolated, 1.0, lam)

    def unfinished(state: tuple) -> Array:
        kappa, change, step = state
        # convergence is cubic: after a change of sqrt(eps) the next one is below rounding
        return (change > jnp.sqrt(eps) * kappa) & (step < _MAX_STEPS)

    def update(state: tuple) -> tuple:
        kappa, _, step = state
        new = _descend(spectrum, n, lam, weights, kappa)
        return new, jnp.abs(kappa - new), step + 1

    start = (_isotropic_bound(spectrum, n, lam, weights), jnp.full_like(lam, jnp.inf), 0)
    return jnp.where(interpolated, 0.0, jax.lax.while_loop(unfinished, update, start)[0])


@_root.defjvp
def _root_jvp(primals: tuple, tangents: tuple) -> tuple[Array, Array]:
    spectrum, n, lam, weights = primals
    d_spectrum, d_n, d_lam, d_weights = tangents
    kappa = _root(*primals)
    g, missed = shrinkage(spectrum, kappa)
    missed = jnp.where((spectrum > 0) | (kappa > 0), missed, 0.0)
    slope = residual_degrees_of_freedom(spectrum, kappa, n, lam, weights) / n
    forcing = jnp.sum(_times(weights, missed**2 * d_spectrum)) / n + d_lam
    forcing -= kappa * jnp.sum(_times(weights, g)) / n**2 * d_n
    if weights is not None:
        forcing += kappa * jnp.sum(g * d_weights) / n
    return kappa, forcing / slope


def _isotropic_bound(spectrum: Array, n: Array, lam: Array, weights: Array | None) -> Array:
    """The root for d eigenvalues that all equal their mean: an upper bound, as df_1 is concave in the spectrum."""
    d = jnp.sum(_times(weights, jnp.ones_like(spectrum)))
    mean = jnp.sum(_times(weights, spectrum)) / d
    b = mean * (n - d) / n - lam
    root = jnp.sqrt(b**2 + 4 * lam * mean)
    return jnp.where(b > 0, 2 * lam * mean / jnp.where(b > 0, b + root, 1.0), (root - b) / 2)


def _descend(spectrum: Array, n: Array, lam: Array, weights: Array | None, kappa: Array) -> Array:
    """One third-order step of the root from above, which never passes it.

    kappa df_1(kappa) is replaced by a - b / (kappa + c) with its value, slope and curvature: a lower bound to the
    left. n - df_1 is summed as (n - number of eigenvalues above kappa) + missed shares there - learned shares below,
    which keeps its relative accuracy near n = d.
    """
    inverse = 1 / (spectrum + kappa)
    g, missed, above = spectrum * inverse, kappa * inverse, spectrum > kappa
    terms = (above.astype(g.dtype), jnp.where(above, missed, -g), g * missed, g * g, g * g * inverse)
    # one reduction of five operands is 2.5 times as fast as five sums on a CPU
    count, rest, mixed, df2, curvature = jax.lax.reduce(
        tuple(_times(weights, term) for term in terms),
        (jnp.zeros((), g.dtype),) * 5,
        lambda x, y: tuple(map(jnp.add, x, y)),
        (0,),
    )
    unlearned = (n - count) + rest
    residual = (kappa * unlearned - n * lam) / n
    bend = curvature / jnp.maximum(df2, jnp.finfo(g.dtype).tiny)
    b = (unlearned + mixed) / n + bend * residual
    step = 2 * residual / (b + jnp.sqrt(jnp.maximum(b**2 - 4 * bend * residual, 0.0)))
    return jnp.maximum(kappa - step, lam)


class CompressedSpectrum(NamedTuple):
    """Few nodes that stand for many eigenvalues; pass `multiplicity` along with them."""

    nodes: np.ndarray
    multiplicity: np.ndarray


def compress_spectrum(spectrum: Vector) -> CompressedSpectrum:
    """Few nodes with real multiplicities that give the degrees of freedom of a long spectrum at every kappa.

    Each logarithmic bin of width at most 2 gets 16 Chebyshev nodes, onto which its eigenvalues are interpolated; a
    bin of fewer eigenvalues and the zeros are kept. Error below 1e-11 relative, in df and in the effective ridge.

    Domain: spectrum >= 0, finite, not empty. Host code: the number of nodes depends on the values.
    Raises ValueError outside the domain.
    """
    values, counts = np.unique(np.asarray(spectrum, float), return_counts=True)
    in_domain(values.size > 0, "spectrum", spectrum, "one or more eigenvalues")
    in_domain((values >= 0) & (values < np.inf), "spectrum", spectrum, "finite and >= 0")
    positive = values > 0
    nodes, multiplicity = [values[~positive]], [counts[~positive].astype(float)]
    logs, counts = np.log(values[positive]), counts[positive].astype(float)
    if logs.size:
        bins = max(1, int(np.ceil(np.ptp(logs) / 2)))
        edges = np.linspace(logs[0], logs[-1], bins + 1)
        splits = np.searchsorted(logs, edges[1:-1])
        for low, high, x, weight in zip(edges, edges[1:], np.split(logs, splits), np.split(counts, splits)):
            kept = (x, weight) if x.size <= 16 else _spread(x, weight, low, high)
            nodes.append(np.exp(kept[0]))
            multiplicity.append(kept[1])
    return CompressedSpectrum(np.concatenate(nodes), np.concatenate(multiplicity))


def _spread(x: np.ndarray, weight: np.ndarray, low: float, high: float) -> tuple[np.ndarray, np.ndarray]:
    """Sixteen Chebyshev nodes of [low, high], and the weights of x on them by barycentric interpolation."""
    angles = (np.arange(16) + 0.5) * np.pi / 16
    nodes = (low + high) / 2 + (high - low) / 2 * np.cos(angles)
    distance = x[:, None] - nodes
    distance[distance == 0] = 1e-300  # x is a node: its own weight drowns the others
    basis = (-1.0) ** np.arange(16) * np.sin(angles) / distance
    return nodes, weight @ (basis / basis.sum(axis=1, keepdims=True))


def _floating(spectrum: Vector) -> Array:
    spectrum = jnp.asarray(spectrum)
    return spectrum if jnp.issubdtype(spectrum.dtype, jnp.floating) else spectrum.astype(float)


def _weights(spectrum: Array, multiplicity: Vector | None) -> Array | None:
    return None if multiplicity is None else jnp.array(multiplicity, spectrum.dtype)


def _times(weights: Array | None, x: Array) -> Array:
    """The product; multiplying by ones would cost the solver a fifth of its speed."""
    return x if weights is None else weights * x
