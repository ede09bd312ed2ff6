"""Ridge on inputs N(0, I_d) whose labels and selection depend on k directions: only these coordinates are drawn.

The other coordinates Z of the kept rows are independent of the k coordinates and the given label, F = [x, y] = Q R.
Z'Z = E'E + B'B and F'Z = R'E, with E = Q'Z standard normal and B'B the Gram matrix of as many rows as remain: exact in
law, at the price of k + 1 numbers per row.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax.scipy.linalg import cho_solve

from theorylab.numerics.random_matrices import gram_rows
from theorylab.types import Array, Key, Real

__all__ = ["accumulate", "sign", "train"]

# x [c, k] and uniforms [c, 2] -> for each kind of label, the label [c] and several selections, 0 or 1 [c, series]
Labelling = Callable[[Array, Array], tuple[tuple[Array, Array], ...]]


def accumulate(key: Key, limits: Array, most: int, k: int, labelling: Labelling, chunk: int = 4096) -> Array:
    """F'F of the kept rows among the first `limits` ones, in bounded memory [limits, series, k + 1, k + 1].

    The series are those of the first kind of label, then those of the next. most: rows drawn, the largest limit.
    """
    chunk = min(chunk, most)

    def add(total: Array, start: Array) -> tuple[Array, None]:
        key_x, key_u = jax.random.split(jax.random.fold_in(key, start))
        x = jax.random.normal(key_x, (chunk, k))
        first = (limits[:, None] > (start + jnp.arange(chunk)).astype(limits.dtype)[None]).astype(float)
        parts = []
        for y, q in labelling(x, jax.random.uniform(key_u, (chunk, 2))):
            F = jnp.concatenate([x, y[:, None]], -1)
            weights = (first[:, None] * q.T[None]).reshape(-1, chunk)
            squares = (F[:, :, None] * F[:, None, :]).reshape(chunk, -1)
            parts.append((weights @ squares).reshape(limits.size, -1, k + 1, k + 1))
        return total + jnp.concatenate(parts, 1), None

    kinds = jax.eval_shape(labelling, jnp.zeros((chunk, k)), jnp.zeros((chunk, 2)))
    nothing = jnp.zeros((limits.size, sum(q.shape[1] for _, q in kinds), k + 1, k + 1))
    return jax.lax.scan(add, nothing, chunk * jnp.arange(-(-most // chunk)))[0]


def train(key: Key, moments: Array, n: Array, lam: Real, d: int) -> tuple[Array, Array]:
    """Weights along the k directions [..., k] and squared norm of the rest [...], from F'F [..., k + 1, k + 1].

    lam: ridge; sums are divided by n, the penalty is lam |w|^2. NaN where fewer than k + 1 rows are kept. All entries
    share the draws of the other directions.
    """
    k = moments.shape[-1] - 1
    key_rows, key_rest = jax.random.split(key)
    E = jax.random.normal(key_rows, (k + 1, d - k))

    def one(FF: Array, n: Array) -> tuple[Array, Array]:
        cross = jnp.linalg.cholesky(FF, symmetrize_input=False) @ E
        rest = gram_rows(key_rest, FF[k, k] - (k + 1), d - k)
        inside = jnp.concatenate([FF[:k, :k], cross[:k]], 1)
        outside = jnp.concatenate([cross[:k].T, E.T @ E + rest.T @ rest], 1)
        gram = jnp.concatenate([inside, outside]) / n + lam * jnp.eye(d)
        factor = jnp.linalg.cholesky(gram, symmetrize_input=False)
        w = cho_solve((factor, True), jnp.concatenate([FF[:k, k], cross[k]]) / n)
        return w[:k], jnp.sum(w[k:] ** 2)

    flat = moments.reshape(-1, k + 1, k + 1)
    w, perp = jax.vmap(one)(flat, jnp.broadcast_to(n, moments.shape[:-2]).reshape(-1).astype(float))
    return w.reshape(*moments.shape[:-2], k), perp.reshape(moments.shape[:-2])


def sign(x: Array) -> Array:
    """+1 or -1; a product with the zero vector counts as +1."""
    return jnp.where(x < 0, -1.0, 1.0)
