"""Verified self-training: a classifier labels inputs, a fixed linear verifier selects, the next one is trained."""

import jax
import jax.numpy as jnp

from theorylab.numerics.domain import in_domain, nan_unless
from theorylab.problems.verified_synthetic import cosine_accuracy, verifier_directions
from theorylab.simulators.verified_synthetic._subspace import accumulate, sign, train
from theorylab.types import Array, Key, Real, Vector

__all__ = ["simulate_verified_self_training"]


def simulate_verified_self_training(
    key: Key,
    d: int,
    sizes: Vector,
    most: int,
    lam: Real,
    rho_g: Real,
    rho_v: Real,
    r: Real,
    rounds: tuple[int, ...],
) -> dict[str, Array]:
    """Angles and accuracy of a classifier along rounds of verified self-training: one replicate.

        x ~ N(0, I_d) ,   y' = sign(x . w_t) ,   kept if y' (x . v) > 0 ;   w_(t+1) = ridge on the kept pairs

    Inputs are drawn anew in every round, so that only the cosines (w_t, w_star) and (w_t, v) of a classifier matter for
    the next one.

    Source: the setting of @yi2025escaping.
    Domain: d > 3; the cosines of three vectors, |rho_g| < 1; at least four pairs are kept in every round, else NaN.

    d: dimension. sizes: generated pairs of each round, whole numbers. most: the largest
    number for which there is room. lam: ridge; squared errors of the kept pairs are summed and
    divided by the number generated. rho_g, rho_v: cosines of first generator and verifier with the truth.
    r: cosine between the two. rounds: after which rounds to measure; 0 is the start.
    Returns rho and r, the cosines of the classifier with truth and verifier, and accuracy [rounds].
    Raises ValueError outside the domain.
    """
    in_domain(d > 3, "d", d, "d > 3")
    in_domain(len(sizes) > 0, "sizes", sizes, "one or more rounds")
    within = len(rounds) > 0 and min(rounds) >= 0 and max(rounds) <= len(sizes)
    in_domain(within, "rounds", rounds, f"at least one number, all in 0..{len(sizes)}")
    ok = in_domain(lam >= 0, "lam", lam, "lam >= 0")
    sizes = jnp.asarray(sizes, float)
    ok &= in_domain(((sizes >= 1) & (sizes <= most)).all(), "sizes", sizes, f"1 <= sizes <= most = {most}")

    def one_round(state: tuple[Array, Array], entry: tuple[Array, Array]) -> tuple[tuple, tuple]:
        t, size = entry
        key_rows, key_rest = jax.random.split(jax.random.fold_in(key, t))
        truth, g, v = verifier_directions(state[0], rho_v, state[1])

        def labelling(x: Array, _: Array) -> tuple[tuple[Array, Array], ...]:
            given = sign(x @ g)
            return ((given, (given * (x @ v) > 0).astype(float)[:, None]),)

        moments = accumulate(key_rows, size[None], most, 3, labelling)[0, 0]
        w, perp = train(key_rest, moments, size, lam, d)
        norm = jnp.sqrt(jnp.sum(w**2) + perp)
        state = jnp.sum(w * truth) / norm, jnp.sum(w * v) / norm
        return state, state

    start = jnp.asarray(rho_g, float), jnp.asarray(r, float)
    path = jax.lax.scan(one_round, start, (jnp.arange(len(sizes)), sizes))[1]
    rho, r = (jnp.concatenate([a[None], b])[jnp.array(rounds)] for a, b in zip(start, path))
    return nan_unless(ok, dict(rho=rho, r=r, accuracy=cosine_accuracy(rho)))
