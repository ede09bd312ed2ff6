"""Error of an associative memory of limited dimension."""

from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import ndtr
from jaxtyping import Array, Float, Num

from theorylab.numerics.domain import in_domain, nan_unless
from theorylab.problems.scaling_tails import Law, check_law, check_same_items
from theorylab.theory.scaling_tails._arguments import floats, non_negative, share
from theorylab.types import Real

__all__ = ["Labels", "associative_memory_error"]

Labels: TypeAlias = Num[Array, "_"] | Num[np.ndarray, "_"]

ITEMS = 32  # at a time
NODES, WEIGHTS = np.polynomial.hermite_e.hermegauss(80)
WEIGHTS = WEIGHTS / np.sqrt(2 * np.pi)


def associative_memory_error(
    p: Law,
    w: Law,
    y: Labels,
    M: int,
    d: Real,
    present: Law | None = None,
    random_outputs: bool = False,
) -> Float[Array, ""]:
    """Expected error of a memory W = sum_i w_i b_i e_i u_{y_i}^T that answers argmax_y e_i^T W u_y.

        s2_y = sum_{j: y_j = y} present_j w_j^2 ,  S2 = sum_y s2_y   (without the term of item i itself)
        v_y = s2_y / d  (+ S2 / d^2 for random outputs)
        P_i(w) = E_Z prod_{y != y_i} Phi((w + v_{y_i}^1/2 Z) / v_y^1/2) ,   Z ~ N(0, 1)
        E = sum_i p_i (1 - present_i P_i(w_i) - (1 - present_i) P_i(0))

    with 80 Gauss-Hermite nodes for Z: exact to 1e-9 where the classes are of comparable weight, to 3e-4 of the error
    where one very heavy item (w = p/p_1, d = 128) makes the product steep.

    A Gaussian approximation of the interference. For orthonormal outputs it is within 5% of simulation for d >= 128;
    for random outputs, whose scores it takes as independent, up to 10% above it for d >= 128 and 20% at d = 32. It
    needs several stored items per class: with fewer than about three it overestimates.

    Source: @cabannes2024scaling for the model; this form is derived here.
    Domain: p >= 0 of sum at most 1; w finite; y integers in 0..M-1; 0 <= present <= 1; M >= 2; d >= 1.

    p: law of the test items [n]. w: weight with which each item is stored [n]. y: its class [n]. M: classes.
    d: dimension; keys e_i are uniform on the unit sphere. present: probability that each item is stored (b_i = 1)
    [n], all 1 by default. random_outputs: output vectors u_y uniform on the sphere in place of orthonormal.
    Returns the expected error over p; an item that is not stored is guessed.
    Raises ValueError outside the domain.
    """
    present = np.ones(p.shape[0], p.dtype) if present is None else present
    ok = _check(p, w, y, M, d, present)
    p, w, d, present = floats(p, w, d, present, like=p)
    y = jnp.asarray(y).astype(int)
    own = present * w**2
    per_class = jax.ops.segment_sum(own, y, M)

    def item(i: Array) -> Array:
        mine = jnp.arange(M) == y[i]
        s2 = per_class - jnp.where(mine, own[i], 0.0)
        v = jnp.maximum(s2, 0.0) / d + (jnp.maximum(s2.sum(), 0.0) / d**2 if random_outputs else 0.0)
        std = jnp.sqrt(jnp.maximum(v, 1e-200))  # a class without items: a step function, not 0/0
        known = present[i] * _success(w[i], std, mine) + (1 - present[i]) * _success(jnp.zeros_like(d), std, mine)
        return p[i] * (1 - known)

    return nan_unless(ok, jnp.sum(jax.lax.map(item, jnp.arange(p.shape[0]), batch_size=ITEMS)))


def _success(w: Array, std: Array, mine: Array) -> Array:
    """Probability that the own class scores highest, with signal w."""
    score = w + jnp.sum(jnp.where(mine, std, 0.0)) * jnp.asarray(NODES, std.dtype)
    beats = jnp.where(mine[:, None], 1.0, ndtr(score[None] / std[:, None]))
    return jnp.prod(beats, axis=0) @ jnp.asarray(WEIGHTS, std.dtype)


def _check(p: Law, w: Law, y: Labels, M: int, d: Real, present: Law) -> Any:
    in_domain(M >= 2, "M", M, "M >= 2")
    for name, vector in (("w", w), ("y", y), ("present", present)):
        check_same_items(p=p, **{name: vector})
    ok = check_law(p=p) & non_negative(d=d) & share(present=present)
    ok &= in_domain(d >= 1, "d", d, "d >= 1")
    ok &= in_domain((w > -np.inf) & (w < np.inf), "w", w, "finite weights")
    return ok & in_domain((y % 1 == 0) & (y >= 0) & (y < M), "y", y, f"classes 0..{M - 1}")
