"""An associative memory: one random matrix that stores items as outer products."""

from typing import TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Num

from theorylab.numerics.domain import in_domain, nan_unless
from theorylab.problems.scaling_tails import Law, check_law, check_masses, check_same_items
from theorylab.types import Array, Key

__all__ = ["simulate_associative_memory"]

Classes: TypeAlias = Num[Array, "_"] | Num[np.ndarray, "_"]


def simulate_associative_memory(
    key: Key,
    p: Law,
    w: Law,
    y: Classes,
    M: int,
    d: int,
    present: Law | None = None,
    random_outputs: bool = False,
) -> dict[str, Array]:
    """Error of an associative memory on all items: one replicate.

        W = sum_i w_i b_i e_i u_{y_i}^T ,   b_i ~ Bernoulli(present_i) ,   answer_i = argmax_y e_i^T W u_y ,
        risk = sum of p_i over the items with answer_i != y_i

    Source: the setting of @cabannes2024scaling.
    Domain: p >= 0 of sum at most 1; w >= 0; y integers in 0..M-1; 0 <= present <= 1; M >= 2; d >= 1.

    p: law of the test items [n]. w: weight with which each item is stored [n]. y: its class [n]. M: classes.
    d: dimension; keys e_i are uniform on the unit sphere. present: probability that each item is stored [n], all 1 by
    default. random_outputs: vectors u_y uniform on the sphere in place of orthonormal ones.
    Returns risk, a number; items that are not stored are answered too.
    Raises ValueError outside the domain.
    """
    for name, vector in (("w", w), ("y", y), ("present", p if present is None else present)):
        check_same_items(p=p, **{name: vector})
    in_domain(M >= 2, "M", M, "M >= 2")
    in_domain(d >= 1, "d", d, "d >= 1")
    ok = check_law(p=p) & check_masses(w=w)
    ok &= in_domain((y % 1 == 0) & (y >= 0) & (y < M), "y", y, f"classes 0..{M - 1}")
    key_items, key_outputs, key_present = jax.random.split(key, 3)
    stored = jnp.asarray(w)
    if present is not None:
        ok &= in_domain((present >= 0) & (present <= 1), "present", present, "0 <= present <= 1")
        stored = jnp.where(jax.random.uniform(key_present, p.shape) < present, stored, 0.0)
    classes = jnp.asarray(y).astype(int)
    keys = _on_sphere(key_items, (p.shape[0], d))
    scores = keys @ jax.ops.segment_sum(stored[:, None] * keys, classes, M).T
    if random_outputs:
        outputs = _on_sphere(key_outputs, (M, d))
        scores = scores @ (outputs @ outputs.T)
    wrong = jnp.argmax(scores, axis=1) != classes
    return {"risk": nan_unless(ok, jnp.sum(jnp.where(wrong, jnp.asarray(p), 0.0)))}


def _on_sphere(key: Array, shape: tuple[int, int]) -> Array:
    normal = jax.random.normal(key, shape)
    return normal / jnp.linalg.norm(normal, axis=1, keepdims=True)
