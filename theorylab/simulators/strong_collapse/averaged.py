"""Fits on mixtures with label noise, true weights and shift averaged in closed form, given the designs drawn."""

from typing import TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.linalg import cho_solve
from jaxtyping import Float

from theorylab.numerics.domain import in_domain, nan_unless
from theorylab.numerics.random_matrices import gram_rows
from theorylab.simulators.strong_collapse._designs import check_non_negative, check_rows, check_vectors
from theorylab.types import Array, Key, Real, Vector

__all__ = ["simulate_mixture_averaged"]

Levels: TypeAlias = Real | Float[Array, "C"] | Float[np.ndarray, "C"]


def simulate_mixture_averaged(
    key: Key,
    spectrum: Vector,
    w1_sq: Vector,
    shift_sq: Vector,
    c2: Levels,
    n1: Real,
    n2: Real,
    sigma1: Real,
    sigma2: Real,
    lam: Real,
    m: Real | None = None,
    a1: Real = 1.0,
    a2: Real = 1.0,
) -> dict[str, Array]:
    """Parts of the excess risk of a fit on a mixture, averaged over all but the designs: one replicate.

        G_k = Gram matrix of source k,  C = B (B' (a1 G1 + a2 G2) B + n lam)^-1 B',  B B' = S'S (B = I without m)
        bias     = tr(Sigma E diag(w1_sq) E'),  E = C (a1 G1 + a2 G2) - I
        zeta     = c2 tr(Sigma F diag(shift_sq) F'),  F = C a2 G2
        variance = tr(Sigma C (a1^2 sigma1^2 G1 + a2^2 sigma2^2 G2) C),   total = bias + variance + zeta

    The setting of simulate_mixture with coefficients of w1 and delta of independent signs, or from a centred prior.
    The Gram matrices are drawn by their triangular factors, exactly in law, and so is the one of the projections:
    time and memory depend on d alone, and one compiled program serves every n1, n2 and m. No expectation over a design
    enters, so a verdict may rest on this form. The parts share their draws.

    Source: the setting of @dohmatob2024strong.
    Domain: n1, n2 integers >= 0, m an integer >= 1, all else >= 0; lam > 0 unless n1 + n2 >= d, spectrum > 0 and
    a1, a2 > 0.

    spectrum: eigenvalues of Sigma [d]. w1_sq: second moments of the true weights in its eigenbasis [d].
    shift_sq: those of the shift, for c2 = 1; sum(spectrum shift_sq) = 1 makes c2 the shift energy.
    c2: a scalar or levels [C], which share everything. n1, n2: real and synthetic rows.
    sigma1, sigma2: standard deviations of the label noise. a1, a2: weights of the rows.
    lam: ridge; squared errors are averaged over the rows, the penalty is lam |w|^2 or lam |v|^2 on projections.
    m: random projections of variance 1/d; None for the linear model.
    Returns total and zeta (scalars or [C]), bias, variance; the noise of a test label is not added.
    Raises ValueError outside the domain.
    """
    check_vectors(spectrum, w1_sq=w1_sq, shift_sq=shift_sq)
    ok = check_rows(n1=n1, n2=n2) & check_non_negative(
        spectrum=spectrum, w1_sq=w1_sq, shift_sq=shift_sq, c2=c2, sigma1=sigma1, sigma2=sigma2, lam=lam, a1=a1, a2=a2
    )
    ok &= in_domain((lam > 0) | (n1 + n2 >= len(spectrum)), "lam", lam, "lam > 0 for fewer rows than dimensions")
    if m is not None:
        ok &= in_domain((m >= 1) & (m % 1 == 0), "m", m, "an integer m >= 1")
    spectrum, w1_sq, shift_sq, c2, n1, n2, sigma1, sigma2, lam, a1, a2 = (
        jnp.asarray(x, float) for x in (spectrum, w1_sq, shift_sq, c2, n1, n2, sigma1, sigma2, lam, a1, a2)
    )
    scale, d = jnp.sqrt(spectrum), spectrum.size
    key_real, key_synthetic, key_projections = jax.random.split(key, 3)
    real = jnp.sqrt(a1) * gram_rows(key_real, n1, d) * scale[None]
    synthetic = jnp.sqrt(a2) * gram_rows(key_synthetic, n2, d) * scale[None]
    gram, penalty = real.T @ real + synthetic.T @ synthetic, (n1 + n2) * lam
    if m is None:
        filtered = _solve(gram + penalty * jnp.eye(d), jnp.diag(scale))  # C Sigma^(1/2)
    else:
        B = gram_rows(key_projections, jnp.asarray(m, float), d).T / jnp.sqrt(float(d))
        filtered = B @ _solve(B.T @ gram @ B + penalty * jnp.eye(d), B.T * scale[None])
    # by rows, not by Gram matrices: at a tiny ridge `filtered` is huge where there are no rows
    real_fit, synthetic_fit = real @ filtered, synthetic @ filtered
    shifted = synthetic.T @ synthetic_fit
    missed = penalty * filtered if m is None else jnp.diag(scale) - real.T @ real_fit - shifted
    bias = jnp.sum(w1_sq[:, None] * missed**2)
    zeta = c2 * jnp.sum(shift_sq[:, None] * shifted**2)
    variance = a1 * sigma1**2 * jnp.sum(real_fit**2) + a2 * sigma2**2 * jnp.sum(synthetic_fit**2)
    return nan_unless(ok, {"total": bias + variance + zeta, "bias": bias, "variance": variance, "zeta": zeta})


def _solve(system: Array, right: Array) -> Array:
    return cho_solve((jnp.linalg.cholesky(system, symmetrize_input=False), True), right)
