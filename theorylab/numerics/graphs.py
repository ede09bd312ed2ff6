"""Weighted graphs: which nodes reach which, and Laplacians that are inverted with one node grounded."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

__all__ = ["grounded_laplacian_inverse", "strongly_connected"]


def strongly_connected(edges: Bool[Array, "Y Y"] | Bool[np.ndarray, "Y Y"]) -> Bool[Array, ""]:
    """Whether every node reaches every other along the edges, edges[a, b] from a to b."""
    reach = (jnp.asarray(edges) | jnp.eye(len(edges), dtype=bool)).astype(jnp.float32)
    for _ in range((len(edges) - 1).bit_length()):
        reach = (reach @ reach > 0).astype(jnp.float32)
    return jnp.all(reach > 0)


def grounded_laplacian_inverse(
    weights: Float[Array, "Y Y"] | Float[np.ndarray, "Y Y"], ground: int | Int[Array, ""]
) -> Float[Array, "Y Y"]:
    """Inverse of the Laplacian diag(weights 1) - weights without the row and column of one node, zeros in their place.

    Elimination of node after node in which nothing is subtracted, so that every entry keeps its relative accuracy,
    however small some weights are; and without calls to a linear-algebra library, so that it vectorises.

    weights: symmetric, not negative; the diagonal is ignored. ground: the node that is left out.
    Returns the inverse [Y, Y]; it is not finite where the graph is not connected.
    """
    weights = jnp.asarray(weights)
    nodes = jnp.arange(len(weights))
    grounded, own = nodes == ground, jnp.eye(len(weights), dtype=bool)
    to_ground = jnp.where(grounded, 1.0, weights[:, ground])
    weights = jnp.where(grounded[:, None] | grounded[None] | own, 0.0, weights)

    def eliminate(state: tuple[Array, Array], k: Array) -> tuple[tuple[Array, Array], tuple[Array, Array]]:
        weights, to_ground = state
        row = jnp.where(nodes > k, weights[k], 0.0)
        diagonal = jnp.sum(row) + to_ground[k]
        share = row / diagonal
        weights = jnp.where(own, 0.0, weights + share[:, None] * row[None])
        return (weights, to_ground + share * to_ground[k]), (share, diagonal)

    def substitute(inverse: Array, step: tuple[Array, Array, Array]) -> tuple[Array, None]:
        k, share, diagonal = step
        across, here = share @ inverse, (nodes == k).astype(share.dtype)
        cross = here[:, None] * across[None]
        corner = (1 / diagonal + across @ share) * here[:, None] * here[None]
        return inverse + cross + cross.T + corner, None

    _, (shares, diagonals) = jax.lax.scan(eliminate, (weights, to_ground), nodes)
    inverse, _ = jax.lax.scan(substitute, jnp.zeros_like(weights), (nodes, shares, diagonals), reverse=True)
    return jnp.where(grounded[:, None] | grounded[None], 0.0, inverse)
