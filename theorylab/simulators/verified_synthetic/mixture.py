"""Training on verified labels of a Gaussian mixture, row by row."""

from typing import TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.linalg import cho_solve
from jax.scipy.special import ndtr
from jaxtyping import Num

from theorylab.numerics.domain import in_domain, nan_unless
from theorylab.problems.verified_synthetic import bayes_agreement
from theorylab.types import Array, Key, Real, Vector

__all__ = ["Numbers", "check_task", "measured", "simulate_verified_mixture"]

Numbers: TypeAlias = Num[Array, "_"] | Num[np.ndarray, "_"]


def simulate_verified_mixture(
    key: Key,
    spectrum: Vector,
    mu: Vector,
    n: int,
    lam: Real,
    p: Real | Numbers,
    phi: Real,
    psi: Real,
    n_real: int = 0,
    chunk: int = 1024,
) -> dict[str, Array]:
    """Accuracy of a ridge classifier trained on the verified part of n generated pairs and on real ones: one replicate.

        x = y mu + Sigma^(1/2) z ,  y' = -y with probability p ,  kept with probability phi if y' = y, else psi
        w = ((1/N) sum q x x' + lam I)^-1 (1/N) sum q y' x ,   N = n_real + n

    Rows are drawn and added up in chunks, so that memory does not grow with n.

    Source: the setting of @feng2024beyond; with real pairs, of @firdoussi2024maximizing.
    Domain: spectrum > 0, lam >= 0, p, phi, psi in [0, 1]. Without a ridge, NaN where fewer than d pairs are kept.

    spectrum: covariance within a class, its eigenvalues [d]. mu: class mean in its eigenbasis [d].
    n: generated pairs. lam: ridge. p: flip rate, a number or several [P], which share all draws.
    phi, psi: probability that a correct and a wrong pair is kept. n_real: real pairs, clean and kept.
    Returns accuracy = Phi(mu . w / sqrt(w . Sigma w)) and agreement with the Bayes classifier, shaped as p; 1/2 where
    nothing was kept.
    Raises ValueError outside the domain.
    """
    ok = check_task(spectrum, mu, lam, p, phi, psi)
    in_domain((n >= 0) & (n_real >= 0) & (n + n_real >= 1), "n, n_real", (n, n_real), ">= 0, not both 0")
    total, s, mu = n + n_real, jnp.sqrt(jnp.asarray(spectrum)), jnp.asarray(mu)
    rates = jnp.atleast_1d(jnp.asarray(p, float))

    def add(sums: tuple[Array, Array], start: Array) -> tuple[tuple[Array, Array], None]:
        key_y, key_z, key_u = jax.random.split(jax.random.fold_in(key, start), 3)
        index = start + jnp.arange(chunk)
        y = jax.random.rademacher(key_y, (chunk,), float)
        x = y[:, None] * mu[None] + jax.random.normal(key_z, (chunk, mu.size)) * s[None]
        flipping, coin = jax.random.uniform(key_u, (2, chunk))

        def moments(p: Array) -> tuple[Array, Array]:
            real = index < n_real
            wrong = (flipping < p) & ~real
            kept = (real | (coin < jnp.where(wrong, psi, phi))) & (index < total)
            q = kept.astype(float)
            return (x * q[:, None]).T @ x, (q * jnp.where(wrong, -y, y)) @ x

        return jax.tree.map(jnp.add, sums, jax.vmap(moments)(rates)), None

    nothing = jnp.zeros((rates.size, mu.size, mu.size)), jnp.zeros((rates.size, mu.size))
    gram, moment = jax.lax.scan(add, nothing, chunk * jnp.arange(-(-total // chunk)))[0]
    factor = jnp.linalg.cholesky(gram / total + lam * jnp.eye(mu.size)[None], symmetrize_input=False)
    w = jax.vmap(lambda factor, moment: cho_solve((factor, True), moment / total))(factor, moment)
    found = jax.vmap(lambda w: measured(w, jnp.asarray(spectrum), mu))(w)
    return nan_unless(ok, found if jnp.ndim(p) else {name: value[0] for name, value in found.items()})


def measured(w: Array, spectrum: Array, mu: Array) -> dict[str, Array]:
    """Exact accuracy and agreement of given weights; 1/2 for weights of zero."""
    D = jnp.sqrt(jnp.sum(mu**2 / spectrum))
    norm = jnp.sqrt(jnp.sum(spectrum * w**2))
    score = jnp.sum(mu * w) / jnp.where(norm == 0, 1.0, norm)
    return {"accuracy": ndtr(score), "agreement": bayes_agreement(jnp.clip(score / D, -1.0, 1.0), D)}


def check_task(
    spectrum: Vector, mu: Vector, lam: Real, p: Real | Numbers, phi: Real | Numbers, psi: Real | Numbers
) -> bool | Array:
    """Positive eigenvalues, a mean of their length, a ridge, probabilities."""
    if len(mu) != len(spectrum):
        raise ValueError(f"mu has {len(mu)} entries, but spectrum has {len(spectrum)}")
    ok = in_domain((jnp.asarray(spectrum) > 0).all(), "spectrum", spectrum, "spectrum > 0")
    ok &= in_domain(lam >= 0, "lam", lam, "lam >= 0")
    for name, value in dict(p=p, phi=phi, psi=psi).items():
        value = jnp.asarray(value)
        ok &= in_domain(((value >= 0) & (value <= 1)).all(), name, value, f"0 <= {name} <= 1")
    return ok
