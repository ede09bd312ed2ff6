"""Refitting to a mixture of fresh real labels and labels from the last fit: long-run errors and the best weight.

Each round fits real_weight times fresh real labels plus (1 - real_weight) times labels from the last fit, each with
fresh noise. s = sigma_syn^2 / sigma^2 compares the noise of the synthetic labels to that of the real ones.
"""

import jax.numpy as jnp
from jaxtyping import Array, Float

from theorylab.numerics.domain import in_domain, nan_unless
from theorylab.numerics.ridge import effective_ridge, residual_degrees_of_freedom, shrinkage
from theorylab.types import Real, Vector

__all__ = [
    "label_mixing_isotropic_risk",
    "label_mixing_optimal_weight",
    "label_mixing_ridge_risk",
    "label_mixing_variance_factor",
    "label_mixing_variance_factor_fixed_real",
]


def label_mixing_variance_factor(real_weight: Real, s: Real = 1, t: Real | None = None) -> Float[Array, ""]:
    """Variance of an interpolating or least-squares fit after t rounds, relative to real labels alone.

        F_inf = (real_weight^2 + s (1 - real_weight)^2) / (real_weight (2 - real_weight)) ,
        F_t = F_inf (1 - (1 - real_weight)^(2t)) + (1 - real_weight)^(2t)

    Exact on a fixed design, whatever its covariance; the bias is that of real labels alone. With pooled rows instead of
    mixed labels, n real and m synthetic ones per round, the same formula holds with s = n / m.

    Source: @he2025recursive; @garg2025preventing.
    Domain: real_weight in (0, 1] in the steady state, in [0, 1] after t rounds; s >= 0, t >= 0.

    real_weight: weight of the fresh real labels. s: noise variance of the synthetic labels over that of the real ones.
    t: rounds after the first fit, which has real labels only; None for the steady state.
    Returns the factor.
    Raises ValueError outside the domain.
    """
    ok = _weight_domain(real_weight, t) & _non_negative(s=s)
    real_weight, s = jnp.asarray(real_weight, float), jnp.asarray(s, float)
    decay, rounds = _rounds(real_weight * (2 - real_weight), t)
    return nan_unless(ok, (real_weight**2 + s * (1 - real_weight) ** 2) * rounds + decay)


def label_mixing_optimal_weight(s: Real = 1) -> Float[Array, ""]:
    """Weight of the real labels with the least long-run variance of an interpolating or least-squares fit.

        real_weight = (sqrt(s^2 + 4 s) - s) / 2 ,   the root of real_weight^2 + s real_weight = s

    For s = 1 the inverse golden ratio 0.618. The variance factor there equals the weight itself.

    Source: @he2025recursive; @garg2025preventing.
    Domain: s >= 0.

    s: noise variance of the synthetic labels over that of the real ones.
    Returns the weight.
    Raises ValueError outside the domain.
    """
    ok = _non_negative(s=s)
    # with s = 4 sinh(x)^2 the difference, which cancels for large s, is 1 - e^(-2x)
    return nan_unless(ok, -jnp.expm1(-2 * jnp.arcsinh(jnp.sqrt(jnp.asarray(s, float)) / 2)))


def label_mixing_variance_factor_fixed_real(real_weight: Real, s: Real = 1) -> Float[Array, ""]:
    """Long-run variance relative to real labels alone, when the real labels are drawn once and re-used in every round.

        F_inf = 1 + s (1 - real_weight)^2 / (real_weight (2 - real_weight))

    At least 1: synthetic labels cannot help then.

    Source: @garg2025preventing.
    Domain: 0 < real_weight <= 1, s >= 0. Arguments and errors as for `label_mixing_variance_factor`.
    """
    ok = _weight_domain(real_weight, None) & _non_negative(s=s)
    real_weight = jnp.asarray(real_weight, float)
    return nan_unless(ok, 1 + s * (1 - real_weight) ** 2 * _rounds(real_weight * (2 - real_weight), None)[1])


def label_mixing_ridge_risk(
    spectrum: Vector, w_star: Vector, n: Real, lam: Real, real_weight: Real, sigma: Real, sigma_syn: Real
) -> Float[Array, ""]:
    """Long-run excess risk of ridge regression on mixed labels, on a fixed design.

        risk = bias + (r^2 sigma^2 + (1-r)^2 sigma_syn^2) D / (r (2-r) (n - D)) ,   r = real_weight ,
        D = sum_k spectrum_k^2 / ((spectrum_k + kappa_1) (spectrum_k + kappa_2)) ,

    bias: that of ridge on real labels alone with the larger ridge lam / real_weight, of effective ridge kappa_1;
    kappa_2: effective ridge of lam / (2 - real_weight).

    Source: derived here for the setting of @garg2025preventing.
    Domain: 0 < real_weight <= 1; lam, sigma, sigma_syn >= 0, n > 0; not lam = 0 with n the number of non-zero
    eigenvalues. Limit of a large dimension, with an error of order 1/n.

    spectrum: covariance eigenvalues [d]. w_star: true weights in its eigenbasis [d]. n: samples.
    lam: ridge of a loss averaged over the samples. real_weight: weight of the fresh real labels.
    sigma, sigma_syn: standard deviation of the noise of the real and of the synthetic labels.
    Returns the excess risk; irreducible noise is not added.
    Raises ValueError outside the domain, or when the lengths of spectrum and w_star differ.
    """
    if len(spectrum) != len(w_star):
        raise ValueError(f"w_star has {len(w_star)} entries, but spectrum has {len(spectrum)}")
    ok = _weight_domain(real_weight, None) & _non_negative(lam=lam, sigma=sigma, sigma_syn=sigma_syn)
    ok &= in_domain((spectrum >= 0) & (spectrum < jnp.inf), "spectrum", spectrum, "finite and >= 0")
    ok &= in_domain((n > 0) & (n < jnp.inf), "n", n, "0 < n < inf")
    spectrum, w_star = jnp.asarray(spectrum, float), jnp.asarray(w_star, float)
    n, lam, weight, sigma, sigma_syn = (jnp.asarray(x, float) for x in (n, lam, real_weight, sigma, sigma_syn))
    rank = jnp.sum(spectrum > 0, dtype=float)
    ok &= in_domain((lam > 0) | (n != rank), "n", n, "not the number of non-zero eigenvalues at lam = 0: infinite risk")
    strong, weak = lam / jnp.where(weight > 0, weight, 1.0), lam / (2 - weight)
    kappa_1, kappa_2 = effective_ridge(spectrum, n, strong), effective_ridge(spectrum, n, weak)
    (learned, missed), (learned_2, missed_2) = shrinkage(spectrum, kappa_1), shrinkage(spectrum, kappa_2)
    bias = jnp.sum(spectrum * (missed * w_star) ** 2) * n / residual_degrees_of_freedom(spectrum, kappa_1, n, strong)
    D = jnp.sum(learned * learned_2)
    # n - D, by the equation of kappa_1 so that it keeps its digits near interpolation
    interpolating = kappa_1 > 0
    spare = n * strong / jnp.where(interpolating, kappa_1, 1.0) + jnp.sum(learned * missed_2)
    noise = (weight * sigma) ** 2 + ((1 - weight) * sigma_syn) ** 2
    rounds = _rounds(weight * (2 - weight), None)[1]
    return nan_unless(ok, bias + noise * rounds * D / jnp.where(interpolating, spare, n - D))


def label_mixing_isotropic_risk(
    d: Real, n: Real, real_weight: Real, sigma: Real, sigma_syn: Real, w_star_sq: Real, t: Real | None = None
) -> Float[Array, ""]:
    """Excess risk of interpolating or least-squares fits on mixed labels, with a fresh isotropic design in each round.

        risk_0 = (1 - a) w_star_sq + sigma^2 v ,   r = real_weight ,
        risk_t = a (1-r)^2 risk_{t-1} + (1 - a) w_star_sq + (r^2 sigma^2 + (1-r)^2 sigma_syn^2) v

    with a = n/d, v = n / (d-n-1) for n <= d - 2 and a = 1, v = d / (n-d-1) for n >= d + 2. Exact at finite size.

    Source: derived here for the setting of @garg2025preventing.
    Domain: |n - d| >= 2; real_weight in (0, 1] in the steady state, in [0, 1] after t rounds; sigma, sigma_syn,
    w_star_sq >= 0, t >= 0.

    d: dimension. n: samples per round. real_weight: weight of the fresh real labels. sigma, sigma_syn: standard
    deviation of the noise of the real and of the synthetic labels. w_star_sq: |w_star|^2.
    t: rounds after the first fit, which has real labels only; None for the steady state.
    Returns the excess risk; irreducible noise is not added.
    Raises ValueError outside the domain.
    """
    ok = _weight_domain(real_weight, t) & in_domain(d > 0, "d", d, "d > 0")
    ok &= _non_negative(sigma=sigma, sigma_syn=sigma_syn, w_star_sq=w_star_sq)
    ok &= in_domain((n > 0) & (abs(n - d) >= 2), "n", n, f"n > 0, and at least 2 away from d = {d}")
    d, n, r, sigma, sigma_syn = (jnp.asarray(x, float) for x in (d, n, real_weight, sigma, sigma_syn))
    a = jnp.minimum(n / d, 1.0)
    gap = jnp.abs(n - d) - 1
    v = jnp.minimum(n, d) / jnp.where(gap > 0, gap, 1.0)
    decay, rounds = _rounds(1 - a + a * r * (2 - r), t)
    lost = (1 - a) * w_star_sq
    noise = ((r * sigma) ** 2 + ((1 - r) * sigma_syn) ** 2) * v
    return nan_unless(ok, decay * (lost + sigma**2 * v) + rounds * (lost + noise))


def _rounds(gap: Array, t: Real | None) -> tuple[Array, Array]:
    """C^t and 1 + C + .. + C^(t-1) for C = 1 - gap, accurate for a small gap; their limits for t = None."""
    positive, partial = gap > 0, gap < 1
    safe = jnp.where(positive, gap, 1.0)
    if t is None:
        return jnp.zeros_like(gap), 1 / safe
    t = jnp.asarray(t, float)
    log = t * jnp.log1p(-jnp.where(partial, gap, 0.0))
    decay = jnp.where(partial, jnp.exp(log), jnp.where(t > 0, 0.0, 1.0))
    learned = jnp.where(partial, -jnp.expm1(log), jnp.where(t > 0, 1.0, 0.0))
    return decay, jnp.where(positive, learned / safe, t * (1 - (t - 1) / 2 * gap))


def _weight_domain(real_weight: Real, t: Real | None) -> bool | Array:
    if t is None:
        allowed = "0 < real_weight <= 1 in the steady state (0 is pure replacement, which diverges)"
        return in_domain((real_weight > 0) & (real_weight <= 1), "real_weight", real_weight, allowed)
    ok = in_domain((t >= 0) & (t < jnp.inf), "t", t, "0 <= t < inf")
    return ok & in_domain((real_weight >= 0) & (real_weight <= 1), "real_weight", real_weight, "0 <= real_weight <= 1")


def _non_negative(**values: Real) -> bool | Array:
    ok = True
    for name, value in values.items():
        ok &= in_domain((value >= 0) & (value < jnp.inf), name, value, f"0 <= {name} < inf")
    return ok
