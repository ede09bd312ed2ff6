"""Labels flipped at random in a Gaussian mixture, selected by a coin that knows which are correct."""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jax.scipy.special import ndtr
from jaxtyping import Array, Float

from theorylab.numerics.domain import in_domain, nan_unless
from theorylab.numerics.ridge import degrees_of_freedom, effective_ridge, residual_degrees_of_freedom
from theorylab.problems.verified_synthetic.functionals import bayes_agreement
from theorylab.theory.verified_synthetic._arguments import check_kept, check_mixture, check_probabilities, floats
from theorylab.types import Real, Vector

__all__ = [
    "MixtureAccuracy",
    "PopulationAccuracy",
    "verified_gmm_accuracy",
    "verified_gmm_accuracy_population",
    "verified_gmm_accuracy_with_real_data",
    "verified_gmm_transition_slope",
]


class PopulationAccuracy(NamedTuple):
    """Label accuracy, cosine to the Bayes direction in the inner product of Sigma, agreement with Bayes."""

    accuracy: Float[Array, ""]
    rho: Float[Array, ""]
    agreement: Float[Array, ""]


class MixtureAccuracy(NamedTuple):
    """Limits of a ridge classifier w: m = mu . w, s2 = w . Sigma w, accuracy = Phi(m / sqrt(s2)).

    delta: leverage of a kept pair. rho: cosine to the Bayes direction in the inner product of Sigma.
    agreement: with the Bayes classifier. keep: share of the pairs that is kept.
    """

    delta: Float[Array, ""]
    m: Float[Array, ""]
    s2: Float[Array, ""]
    rho: Float[Array, ""]
    accuracy: Float[Array, ""]
    agreement: Float[Array, ""]
    keep: Float[Array, ""]


def verified_gmm_accuracy_population(
    spectrum: Vector, mu: Vector, lam: Real, p: Real, phi: Real, psi: Real
) -> PopulationAccuracy:
    """Accuracy of a ridge classifier trained on infinitely many verified pairs of a Gaussian mixture.

        w ~ a b ,   b = mu / (keep spectrum + lam) ,   rho = sign(a) (mu . b) / (sqrt(sum spectrum b^2) D)
        accuracy = Phi(rho D) ,   D = sqrt(sum mu^2 / spectrum)

    with keep and a of `verifier_keep_rate` and `kept_label_signal`. Without a ridge, or for an isotropic covariance,
    rho = sign(p_star - p): the classifier is the best one below the breakdown point and the worst one above it.

    Source: derived here for the setting of @feng2024beyond.
    Domain: spectrum > 0, mu not 0, lam >= 0; p, phi, psi in [0, 1], some pair is kept.

    spectrum: covariance of the inputs within a class, its eigenvalues [d]. mu: class mean in its eigenbasis [d]; inputs
    are y mu + Sigma^(1/2) z with balanced labels y. lam: ridge; squared errors are summed over the kept pairs and
    divided by the number *generated*, the penalty is lam |w|^2. p: flip rate of the generated labels, independent of
    the inputs. phi, psi: probability that a correct and a wrong pair is kept.
    Returns PopulationAccuracy.
    Raises ValueError outside the domain.
    """
    ok = check_mixture(spectrum, mu) & check_kept(p, phi, psi) & _non_negative(lam)
    spectrum, mu, lam, p, phi, psi = floats(spectrum, mu, lam, p, phi, psi)
    b = mu / (phi * (1 - p) + psi * p) / (spectrum + lam / (phi * (1 - p) + psi * p))
    D = jnp.sqrt(jnp.sum(mu**2 / spectrum))
    rho = jnp.sign(phi * (1 - p) - psi * p) * jnp.sum(mu * b) / (jnp.sqrt(jnp.sum(spectrum * b**2)) * D)
    rho = jnp.clip(rho, -1.0, 1.0)
    return nan_unless(ok, PopulationAccuracy(ndtr(rho * D), rho, bayes_agreement(rho, D)))


def verified_gmm_accuracy(
    spectrum: Vector, mu: Vector, n: Real, lam: Real, p: Real, phi: Real, psi: Real
) -> MixtureAccuracy:
    """Accuracy of a ridge classifier trained on the verified part of n generated pairs of a Gaussian mixture.

        n_kept = n keep ,   kappa = effective_ridge(spectrum, n_kept, lam / keep) ,   u = df_2(kappa) / n_kept
        g = sum mu^2 / (spectrum + kappa) ,   h = sum spectrum mu^2 / (spectrum + kappa)^2 / (1 - u) ,   v = u / (1 - u)
        m = a g / (1 + g) ,   s2 = a^2 (h + v) / (1 + g)^2 + (1 - a^2) v ,
        delta = df_1(kappa) / (n_kept - df_1(kappa)) ,   accuracy = Phi(m / sqrt(s2))

    with keep and a of `verifier_keep_rate` and `kept_label_signal`. Limit of large n and d at fixed ratio. The kept
    pairs are an ordinary sample of n_kept pairs: labels times inputs are mu + Sigma^(1/2) z with targets of mean a,
    whose constant part is a spike of rank one and whose rest is noise of variance 1 - a^2.

    Source: @feng2024beyond, @firdoussi2024maximizing; derived here in this form. The latter has a further factor keep
    in delta, which simulations refute.
    Domain: that of `verified_gmm_accuracy_population`; n > 0, and lam > 0 unless n_kept > d.

    n: pairs that are generated. Other arguments and errors as for `verified_gmm_accuracy_population`.
    Returns MixtureAccuracy.
    """
    ok = check_mixture(spectrum, mu) & check_kept(p, phi, psi) & _non_negative(lam)
    keep = phi * (1 - p) + psi * p
    ok &= _determined(spectrum, n, lam, keep)
    spectrum, mu, n, lam, p, phi, psi, keep = floats(spectrum, mu, n, lam, p, phi, psi, keep)
    keep = jnp.where(keep > 0, keep, 1.0)
    limits = _limits(spectrum, mu, n * keep, lam / keep, (phi * (1 - p) - psi * p) / keep)
    return nan_unless(ok, MixtureAccuracy(*limits, keep))


def verified_gmm_accuracy_with_real_data(
    spectrum: Vector, mu: Vector, n_real: Real, n_syn: Real, lam: Real, p: Real, phi: Real, psi: Real
) -> MixtureAccuracy:
    """Accuracy of a ridge classifier trained on clean real pairs and on the verified part of generated ones.

        N = n_real + n_syn ,   keep = (n_real + n_syn (phi (1 - p) + psi p)) / N ,   p_kept = n_syn psi p / (N keep)
        accuracy = verified_gmm_accuracy(spectrum, mu, N keep, lam / keep, p_kept, 1, 1)

    It breaks down where n_real + n_syn (phi (1 - p) - psi p) changes its sign.

    Source: the setting of @firdoussi2024maximizing; derived here, see `verified_gmm_accuracy`.
    Domain: that of `verified_gmm_accuracy`; n_real, n_syn >= 0, some pair is real or kept.

    n_real: clean pairs, all kept. n_syn: generated pairs. lam: ridge; squared errors are summed and divided by N.
    Other arguments and errors as for `verified_gmm_accuracy`.
    Returns MixtureAccuracy, with keep the share of all N pairs that is trained on.
    """
    ok = check_mixture(spectrum, mu) & check_probabilities(p=p, phi=phi, psi=psi) & _non_negative(lam)
    for name, value in dict(n_real=n_real, n_syn=n_syn).items():
        ok &= in_domain((value >= 0) & (value < np.inf), name, value, f"0 <= {name} < inf")
    kept = n_real + n_syn * (phi * (1 - p) + psi * p)
    ok &= in_domain(kept > 0, "n_real, n_syn", (n_real, n_syn), "some pair that is real or kept")
    ok &= _determined(spectrum, kept, lam, 1.0)
    spectrum, mu, n_real, n_syn, lam, p, phi, psi, kept = floats(spectrum, mu, n_real, n_syn, lam, p, phi, psi, kept)
    kept = jnp.where(kept > 0, kept, 1.0)
    signal = (n_real + n_syn * (phi * (1 - p) - psi * p)) / kept
    keep = kept / (n_real + n_syn)
    return nan_unless(ok, MixtureAccuracy(*_limits(spectrum, mu, kept, lam / keep, signal), keep))


def verified_gmm_transition_slope(
    spectrum: Vector, mu: Vector, n: Real, lam: Real, phi: Real, psi: Real
) -> Float[Array, ""]:
    """Slope of the accuracy in the flip rate p at the breakdown point p_star = phi / (phi + psi).

        slope = - g / (1 + g) (phi + psi)^2 / (2 phi psi) / sqrt(2 pi v)

    with g and v of `verified_gmm_accuracy` at p_star. v falls as d / n, so the slope grows as sqrt(n / d).

    Source: derived here for the setting of @feng2024beyond.
    Domain: that of `verified_gmm_accuracy` at p_star; phi, psi > 0.

    Arguments and errors as for `verified_gmm_accuracy`.
    Returns the slope, negative.
    """
    ok = check_mixture(spectrum, mu) & check_probabilities(phi=phi, psi=psi) & _non_negative(lam)
    ok &= in_domain((phi > 0) & (psi > 0), "phi, psi", (phi, psi), "> 0, which keeps p_star off 0 and 1")
    keep = 2 * phi * psi / _positive(phi + psi)
    ok &= _determined(spectrum, n, lam, keep)
    spectrum, mu, n, lam, phi, psi, keep = floats(spectrum, mu, n, lam, phi, psi, keep)
    keep = jnp.where(keep > 0, keep, 1.0)
    _, g, _, v = _overlaps(spectrum, mu, n * keep, lam / keep)
    return nan_unless(ok, -g / (1 + g) * (phi + psi) / keep / jnp.sqrt(2 * jnp.pi * v))


def _limits(
    spectrum: Array, mu: Array, n_kept: Array, lam: Array, signal: Array
) -> tuple[Array, Array, Array, Array, Array, Array]:
    """delta, m, s2, rho, accuracy and agreement of a clean ridge fit to labels of mean signal."""
    delta, g, h, v = _overlaps(spectrum, mu, n_kept, lam)
    m = signal * g / (1 + g)
    s2 = signal**2 * (h + v) / (1 + g) ** 2 + (1 - signal) * (1 + signal) * v
    score, D = m / jnp.sqrt(s2), jnp.sqrt(jnp.sum(mu**2 / spectrum))
    rho = jnp.clip(score / D, -1.0, 1.0)
    return delta, m, s2, rho, ndtr(score), bayes_agreement(rho, D)


def _overlaps(spectrum: Array, mu: Array, n: Array, lam: Array) -> tuple[Array, Array, Array, Array]:
    """delta, g, h and v, to full accuracy near interpolation."""
    kappa = effective_ridge(spectrum, n, lam)
    free = residual_degrees_of_freedom(spectrum, kappa, n, lam)
    resolvent = mu / (spectrum + kappa)
    ridgeless = lam <= 0
    unpenalised = n - float(spectrum.size)
    # n - df_1 = n lam / kappa
    rest = jnp.where(ridgeless, jnp.where(ridgeless, unpenalised, 1.0), n * lam / jnp.where(ridgeless, 1.0, kappa))
    delta = degrees_of_freedom(spectrum, kappa, 1) / rest
    g, h = jnp.sum(mu * resolvent), jnp.sum(spectrum * resolvent**2) * n / free
    return delta, g, h, degrees_of_freedom(spectrum, kappa, 2) / free


def _non_negative(lam: Real) -> bool | Array:
    return in_domain((lam >= 0) & (lam < np.inf), "lam", lam, "0 <= lam < inf")


def _determined(spectrum: Vector, n: Real, lam: Real, keep: Real) -> bool | Array:
    """A positive number of pairs; without a ridge, more kept pairs than dimensions."""
    ok = in_domain((n > 0) & (n < np.inf), "n", n, "0 < n < inf")
    allowed = f"lam > 0 when d = {spectrum.size} >= kept samples (interpolation)"
    return ok & in_domain((lam > 0) | (n * keep > spectrum.size), "lam", lam, allowed)


def _positive(value: Real) -> Array:
    value = jnp.asarray(value, float)
    return jnp.where(value > 0, value, 1.0)
