"""Maximum likelihood in the Bradley-Terry model of paired comparisons."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from theorylab.numerics.domain import in_domain, nan_unless
from theorylab.numerics.graphs import grounded_laplacian_inverse, strongly_connected

__all__ = ["BradleyTerryFit", "bradley_terry_fit"]

_TOLERANCE, _STEPS, _LONGEST = 1e-12, 60, 2.0


class BradleyTerryFit(NamedTuple):
    """Scores of mean zero [Y], and how well the likelihood equations are solved.

    residual: largest difference between the wins of an item and those expected, per comparison of that item.
    """

    scores: Float[Array, "Y"]
    converged: Bool[Array, ""]
    residual: Float[Array, ""]


def bradley_terry_fit(wins: Float[Array, "Y Y"] | Float[np.ndarray, "Y Y"]) -> BradleyTerryFit:
    """Scores s that maximise sum_ab wins_ab log sigmoid(s_a - s_b), by Newton steps of limited length.

    A finite maximum exists where every item is linked to every other by a chain of wins, and not otherwise.

    Domain: wins >= 0, strongly connected.

    wins: how often a beat b, [a, b]; the diagonal is ignored.
    Raises ValueError outside the domain.
    """
    wins = jnp.where(jnp.eye(len(wins), dtype=bool), 0.0, jnp.asarray(wins))
    ok = in_domain(wins >= 0, "wins", wins, "wins >= 0")
    chained = strongly_connected(wins > 0)
    ok &= in_domain(
        chained, "wins", wins, "a connected comparison graph: a chain of wins from every item to every other"
    )
    met = wins + wins.T

    def excess(scores: Array) -> Array:
        return jnp.sum(wins - met * jax.nn.sigmoid(scores[:, None] - scores[None]), 1)

    def residual(scores: Array) -> Array:
        return jnp.max(jnp.abs(excess(scores)) / jnp.maximum(jnp.sum(met, 1), 1.0))

    def step(state: tuple[Array, Array]) -> tuple[Array, Array]:
        scores, count = state
        gaps = scores[:, None] - scores[None]
        curvature = met * jax.nn.sigmoid(gaps) * jax.nn.sigmoid(-gaps)
        move = grounded_laplacian_inverse(curvature, 0) @ excess(scores)
        scores = scores + jnp.clip(move, -_LONGEST, _LONGEST)
        return scores - jnp.mean(scores), count + 1

    unfinished = lambda state: (state[1] < _STEPS) & (residual(state[0]) > _TOLERANCE)
    scores, _ = jax.lax.while_loop(
        lambda state: chained & unfinished(state), step, (jnp.zeros(len(wins)), jnp.array(0))
    )
    left = residual(scores)
    scores, left = nan_unless(ok, (scores, left))
    return BradleyTerryFit(scores, left <= _TOLERANCE, left)
