"""Chains of ridge regressions with the label noise averaged in closed form, given the designs that were drawn."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.scipy.linalg import cho_solve
from jaxtyping import Float

from theorylab.numerics.domain import in_domain, nan_unless
from theorylab.numerics.random_matrices import draw_inverse_wishart_traces, wishart_factor
from theorylab.simulators.regression_collapse._arguments import (
    Generations,
    as_tuple,
    check_chain,
    check_problem,
    drop_scalar_axes,
)
from theorylab.simulators.regression_collapse.fits import Penalty, penalised_inverse
from theorylab.types import Array, Key, Real, Vector

__all__ = ["simulate_ols_chain_noise_averaged", "simulate_ridge_chain_noise_averaged"]


def simulate_ridge_chain_noise_averaged(
    key: Key,
    spectrum: Vector,
    w_star: Vector,
    T: int,
    T0: int,
    lam: Penalty,
    lam0: Real,
    sigma: Real,
    sigma0: Real,
    generations: Generations,
) -> dict[str, Array]:
    """Excess risk of a chain of ridge fits, averaged over all label noise given the designs: one replicate.

        risk = |E w_pred - w_star|_Sigma^2 + tr(Sigma Cov w_pred),  mean and covariance over the noise alone

    The setting of simulate_ridge_chain with fresh designs, of equal expectation and far smaller spread. Every design
    is drawn: fewer than d rows as they are, at least d rows by a factor of their Gram matrix, exact in law. Behind
    least-squares generators (lam0 = 0, T0 >= d) the directions of their designs are averaged over as well, and each
    enters by the trace of its own inverse Gram matrix. No expected inverse Gram matrix is used, so a verdict may rest
    on this form.

    Source: the setting of @dohmatob2024model.
    Domain: lam, lam0 >= 0; spectrum >= 0, positive where lam0 = 0 and T0 >= d.

    spectrum: eigenvalues of Sigma [d]; the rows of X are N(0, Sigma). w_star: true weights in its eigenbasis [d].
    T, T0: samples of the downstream fit, and of each generator. sigma, sigma0: standard deviation of their noise.
    lam: ridge of the downstream fit, a grid [L] or a scalar. lam0: ridge of the generators. Squared errors are
    averaged over the samples, the penalty is lam |w|^2.
    generations: numbers of generators, or one number; 0 means labels from the truth.
    Returns risk [L, G], without the axis of a scalar lam or generations; irreducible noise is not added.
    Raises ValueError outside the domain.
    """
    ok = check_problem(spectrum, w_star) & check_chain(T, T0, lam, lam0, sigma, sigma0, generations)
    scale, truth = jnp.sqrt(jnp.asarray(spectrum)), jnp.asarray(w_star)
    d, last = truth.size, max(as_tuple(generations))
    regular = (T0 < d) | (lam0 > 0) | jnp.all(scale > 0)
    ok &= in_domain(regular, "spectrum", spectrum, "spectrum > 0 where lam0 = 0 and T0 >= d")
    key, key_generators = jax.random.split(key)
    fit = fit_downstream(white_rows(key, T, d), T, scale, truth, jnp.atleast_1d(jnp.asarray(lam, float)))

    def general(lam0: Array) -> Array:
        rows = lambda m: white_rows(jax.random.fold_in(key_generators, m), T0, d)
        return ridge_generators(rows, fit, T0, lam0, sigma0, last)

    def least_squares(lam0: Array) -> Array:
        return _least_squares_generators(key_generators, fit, T0, sigma0, last)

    lam0 = jnp.asarray(lam0, float)
    # a cond, not a Python branch: lam0 may be traced, and one lam0 for all lanes runs one branch only
    risk = jax.lax.cond(lam0 == 0, least_squares, general, lam0) if T0 >= d else general(lam0)
    risk = risk[jnp.array(as_tuple(generations))] + (sigma**2 * fit.noise())[None]
    return {"risk": nan_unless(ok, drop_scalar_axes(risk.T, lam, generations))}


def simulate_ols_chain_noise_averaged(
    key: Key,
    spectrum: Vector,
    w_star: Vector,
    T: Real,
    T0: Real,
    rows: int,
    lam: Penalty,
    sigma: Real,
    sigma0: Real,
    generations: Generations,
) -> dict[str, Array]:
    """simulate_ridge_chain_noise_averaged with least-squares generators (lam0 = 0, T0 >= d): the same draws.

    It compiles faster, as it leaves out the general form, and once for all sizes of at least d: T and T0 enter as
    numbers.

    Source: the setting of @dohmatob2024model.
    Domain: T0 >= d, spectrum > 0, lam >= 0, rows = min(T, d).

    rows: min(T, d), the rows of the triangular factor that stands for the design.
    The other arguments, result and errors: as for simulate_ridge_chain_noise_averaged.
    """
    ok = check_problem(spectrum, w_star) & check_chain(T, T0, lam, 0.0, sigma, sigma0, generations)
    scale, truth = jnp.sqrt(jnp.asarray(spectrum)), jnp.asarray(w_star)
    d = truth.size
    ok &= in_domain((rows == T) | ((rows == d) & (T >= d)), "rows", rows, f"min(T, d) = min({T}, {d})")
    ok &= in_domain(T0 >= d, "T0", T0, f"T0 >= d = {d} (use simulate_ridge_chain_noise_averaged)")
    ok &= in_domain(jnp.all(scale > 0), "spectrum", spectrum, "spectrum > 0")
    key, key_generators = jax.random.split(key)
    white = wishart_factor(key, d, T).T if rows == d else jax.random.normal(key, (rows, d))
    fit = fit_downstream(white, T, scale, truth, jnp.atleast_1d(jnp.asarray(lam, float)))
    risk = _least_squares_generators(key_generators, fit, T0, sigma0, max(as_tuple(generations)))
    risk = risk[jnp.array(as_tuple(generations))] + (sigma**2 * fit.noise())[None]
    return {"risk": nan_unless(ok, drop_scalar_axes(risk.T, lam, generations))}


class _Fit(NamedTuple):
    """The downstream fits of one design, w_pred = Y diag(inverse_l) Y' w, for every penalty l."""

    scale: Array  # square roots of the spectrum [d]
    truth: Array  # w_star [d]
    white: Array  # diag(1 / scale) Y [d, q]
    inverse: Array  # [L, q]
    metric: Array  # Y' Sigma Y [q, q]

    def bias(self, mean: Array) -> Array:
        """|E w_pred - w_star|_Sigma^2 for a generator of this mean [L]."""
        Y = self.scale[:, None] * self.white
        error = (self.inverse * (mean @ Y)[None]) @ Y.T - self.truth[None]
        return jnp.sum((error * self.scale[None]) ** 2, -1)

    def spread(self, gram: Array) -> Array:
        """tr(Sigma Cov w_pred) for a generator whose covariance C gives gram = Y' C Y [L]."""
        return jnp.sum((self.inverse @ (self.metric * gram)) * self.inverse, -1)

    def noise(self) -> Array:
        """tr(Sigma Cov w_pred) for downstream noise of unit variance [L]."""
        return self.inverse**2 @ jnp.diag(self.metric)


def fit_downstream(rows: Array, T: Real, scale: Array, truth: Array, lam: Array) -> _Fit:
    """The fits of a design whose white rows R have the Gram matrix R'R of the T drawn ones."""
    X = rows * scale[None]
    eigenvalues, vectors = jnp.linalg.eigh(X @ X.T / T, symmetrize_input=False)
    white = rows.T @ vectors
    weighted = (scale**2)[:, None] * white
    return _Fit(scale, truth, white, penalised_inverse(eigenvalues, lam) / T, weighted.T @ weighted)


def white_rows(key: Array, T: int, d: int) -> Float[Array, "q d"]:
    """R [min(T, d), d] with R'R distributed as the Gram matrix of T standard normal rows."""
    return wishart_factor(key, d, T).T if T >= d else jax.random.normal(key, (T, d))


def _least_squares_generators(key: Array, fit: _Fit, T0: Real, sigma0: Real, last: int) -> Array:
    """Risk without downstream noise behind 0, 1, .., `last` least-squares generators [last + 1, L].

    Generator m adds noise of covariance sigma0^2 (X_m'X_m)^-1 to its target, which counts by its trace alone: the
    directions of a white design are uniform and independent of everything else, and are averaged over.
    """
    traces = draw_inverse_wishart_traces(key, fit.scale.size, T0, last)
    total = jnp.concatenate([jnp.zeros(1), jnp.cumsum(traces)]) / fit.scale.size
    return fit.bias(fit.truth)[None] + sigma0**2 * total[:, None] * fit.spread(fit.white.T @ fit.white)[None]


def ridge_generators(rows: Callable[[Array], Array], fit: _Fit, T0: int, lam0: Array, sigma0: Real, last: int) -> Array:
    """The same for ridge generators or generators of least norm, by their mean [d] and covariance [d, d].

    rows(m): white rows with the Gram matrix of the design of generator m.
    """
    Y = fit.scale[:, None] * fit.white

    def stage(moments: tuple[Array, Array], m: Array) -> tuple[tuple[Array, Array], Array]:
        mean, covariance = moments
        X = rows(m) * fit.scale[None]
        identity = jnp.eye(X.shape[0])
        factor = jnp.linalg.cholesky(X @ X.T + T0 * lam0 * identity, symmetrize_input=False)
        solve = cho_solve((factor, True), X)
        covariance = solve.T @ (X @ covariance @ X.T + sigma0**2 * identity) @ solve
        mean = solve.T @ (X @ mean)
        return (mean, covariance), fit.bias(mean) + fit.spread(Y.T @ covariance @ Y)

    start = (fit.truth, jnp.zeros((fit.truth.size, fit.truth.size)))
    stages = jax.lax.scan(stage, start, jnp.arange(1, last + 1))[1]
    return jnp.concatenate([fit.bias(fit.truth)[None], stages])
