"""The direct simulator of a chain of ridge regressions: draw the data, fit, label the next data, fit."""

import difflib
from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Float

from theorylab.numerics.domain import nan_unless
from theorylab.simulators.probes import Noise, quadratic_in_noise
from theorylab.simulators.regression_collapse._arguments import (
    Generations,
    as_tuple,
    check_chain,
    check_problem,
    drop_scalar_axes,
)
from theorylab.simulators.regression_collapse.fits import Penalty, ridge_path, ridge_solver
from theorylab.types import Array, Key, Real, Vector

__all__ = ["fit_generators", "simulate_ridge_chain"]

# which draw the m-th generator uses; the downstream fit uses draw 0, for "last" that of its generator
DESIGNS = {"fresh": lambda m: m, "generators": lambda m: 1, "last": lambda m: m, "all": lambda m: 0}


@quadratic_in_noise
def simulate_ridge_chain(
    key: Key,
    noise: Noise,
    spectrum: Vector,
    w_star: Vector,
    T: int,
    T0: int,
    lam: Penalty,
    lam0: Real,
    sigma: Real,
    sigma0: Real,
    generations: Generations,
    design: str = "fresh",
) -> dict[str, Array]:
    """Excess risk of a ridge fit to labels from a chain of ridge generators: one replicate.

        w_0 = w_star,  w_m = argmin |X_m w_{m-1} + sigma0 eps_m - X_m w|^2 / T0 + lam0 |w|^2   (m = 1, .., g),
        w_pred = argmin |X w_g + sigma eps - X w|^2 / T + lam |w|^2,   risk = |w_pred - w_star|_Sigma^2

    The fits for every g in `generations` and every penalty share their draws (common random numbers), so entries of
    one replicate are dependent. Penalties of 0 give least squares or the interpolator of least norm.

    Source: the setting of @dohmatob2024model.
    Domain: lam, lam0 >= 0; spectrum >= 0, positive where lam0 = 0 and T0 >= d or a scalar lam = 0 and T >= d.

    spectrum: eigenvalues of Sigma [d]; the rows of X are N(0, Sigma). w_star: true weights in its eigenbasis [d].
    T, T0: samples of the downstream fit, and of each generator. sigma, sigma0: standard deviation of their noise.
    lam: ridge of the downstream fit, a grid [L] (one eigendecomposition) or a scalar (one Cholesky factor).
    lam0: ridge of the generators. Squared errors are averaged over the samples, the penalty is lam |w|^2.
    generations: numbers of generators, or one number; 0 means labels from the truth.
    design: "fresh", all designs independent; "generators", one design for all generators; "last", the downstream
        fit on the design of the last generator (T = T0); "all", one design for every fit (T = T0).
    probes: 0 for one draw of the noise, K for K noise vectors through each factorisation (see quadratic_in_noise).
    Returns risk [L, G], without the axis of a scalar lam or generations; irreducible noise is not added.
    Raises ValueError outside the domain.
    """
    ok = check_problem(spectrum, w_star) & check_chain(T, T0, lam, lam0, sigma, sigma0, generations)
    if design not in DESIGNS:
        near = difflib.get_close_matches(design, DESIGNS, 1, 0.0)[0]
        raise ValueError(f"design = {design!r} is not one of {', '.join(DESIGNS)}; did you mean {near!r}?")
    if design in ("last", "all") and T != T0:
        raise ValueError(f"T = {T} is outside its domain: T = T0 = {T0} where design = {design!r}")
    scale = jnp.sqrt(jnp.asarray(spectrum))

    def draw(index: int | Array, rows: int) -> Array:
        return jax.random.normal(jax.random.fold_in(key, index), (rows, scale.size)) * scale[None]

    def downstream(X: Array, W: Array) -> Array:
        Y = X @ W.T + sigma * noise(0, (T,))[:, None]
        fits = ridge_solver(X, lam)(Y).T[None] if jnp.ndim(lam) == 0 else ridge_path(X, jnp.asarray(lam), Y)
        return scale[None, None] * (fits - truth[None, None])

    truth, wanted = jnp.asarray(w_star), jnp.array(as_tuple(generations))
    shared = design in ("generators", "all")
    generator = lambda m: draw(DESIGNS[design](m), T0)
    weights = fit_generators(generator, noise, truth, lam0, sigma0, max(as_tuple(generations)), shared)
    if design == "last":
        each = jax.lax.map(lambda g: downstream(draw(g, T), weights[g][None])[:, 0], wanted)
        errors = jnp.moveaxis(each, 0, 1)
    else:
        errors = downstream(draw(0, T), weights[wanted])
    return {"risk": nan_unless(ok, drop_scalar_axes(errors, lam, generations))}


def fit_generators(
    design: Callable[[int | Array], Array],
    noise: Noise,
    truth: Float[Array, "d *teachers"],
    lam0: Real,
    sigma0: Real,
    last: int,
    shared: bool,
) -> Float[Array, "generators d *teachers"]:
    """Weights of generators 0 (the truth), 1, .., `last`; `design(m)` draws the rows of generator m.

    shared: all generators use design(1), which is then drawn and factorised once. Teachers share designs and noise.
    """

    def prepare(m: int | Array) -> tuple[Array, Callable[[Array], Array]]:
        X = design(m)
        return X, ridge_solver(X, lam0)

    once = prepare(1) if shared else None

    def fit(w: Array, m: Array) -> tuple[Array, Array]:
        X, solve = once or prepare(m)
        w = solve(X @ w + sigma0 * noise(m, (len(X), *(1,) * (w.ndim - 1))))
        return w, w

    fitted = jax.lax.scan(fit, truth, jnp.arange(1, last + 1))[1]
    return jnp.concatenate([truth[None], fitted])
