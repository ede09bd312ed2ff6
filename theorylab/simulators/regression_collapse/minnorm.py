"""Chains of interpolating generators, measured at the last generator itself."""

import jax
import jax.numpy as jnp

from theorylab.numerics.domain import in_domain, nan_unless
from theorylab.simulators.probes import Noise, quadratic_in_noise
from theorylab.simulators.regression_collapse._arguments import Generations, as_tuple, check_generations
from theorylab.simulators.regression_collapse.chain import fit_generators
from theorylab.types import Array, Key, Real

__all__ = ["simulate_minnorm_chain"]


@quadratic_in_noise
def simulate_minnorm_chain(
    key: Key,
    noise: Noise,
    d: int,
    T0: int,
    sigma0: Real,
    generations: Generations,
    shared: bool = False,
    w_star_sq: Real = 1.0,
    teachers: int = 1,
) -> dict[str, Array]:
    """Excess risk of the last of a chain of generators of least norm, inputs isotropic: one replicate.

        w_0 = w_star,  w_m = pinv(X_m) (X_m w_{m-1} + sigma0 eps_m),  risk = |w_g - w_star|^2 for g in `generations`

    Source: the setting of @dohmatob2024model.
    Domain: d, T0 >= 1; least squares for T0 > d.

    d: dimension; the rows of X_m are N(0, I). T0: samples of each generator.
    sigma0: standard deviation of the label noise. w_star_sq: |w_star|^2; its direction does not matter.
    generations: numbers of generators, which share their draws, or one number; 0 means the truth (risk 0).
    shared: one design for all generators instead of a fresh one for each.
    teachers: orthogonal true weights that go through the same designs and noise, and over which the risk is averaged;
        each alone has the law of the chain, together they vary less.
    probes: 0 for one draw of the noise, K for K noise vectors through each factorisation (see quadratic_in_noise).
    Returns risk [G], or a scalar for one number of generators.
    Raises ValueError outside the domain.
    """
    check_generations(generations)
    in_domain(d >= 1, "d", d, "d >= 1")
    in_domain(T0 >= 1, "T0", T0, "T0 >= 1")
    ok = in_domain(sigma0 >= 0, "sigma0", sigma0, "sigma0 >= 0")
    ok &= in_domain(w_star_sq >= 0, "w_star_sq", w_star_sq, "w_star_sq >= 0")
    ok &= in_domain((teachers >= 1) & (teachers <= d), "teachers", teachers, "1 <= teachers <= d")
    w_star = jnp.sqrt(w_star_sq) * jnp.eye(d, teachers)
    design = lambda m: jax.random.normal(jax.random.fold_in(key, m), (T0, d))
    weights = fit_generators(design, noise, w_star, 0.0, sigma0, max(as_tuple(generations)), shared)
    errors = (weights - w_star[None])[jnp.array(generations)] / teachers**0.5
    return {"risk": nan_unless(ok, errors.reshape(*errors.shape[:-2], -1))}
