"""Policies fitted by maximum likelihood to labelled pairs that were drawn at the optimum."""

from typing import TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jax.nn import sigmoid
from jaxtyping import Float

from theorylab.numerics.bradley_terry import bradley_terry_fit
from theorylab.numerics.domain import in_domain, nan_unless
from theorylab.problems.preference_sampling import Table, check_preferences, optimal_policy, value_gap
from theorylab.simulators.preference_sampling.pairs import enumerate_preference_pairs
from theorylab.types import Array, Key, Real, Vector

__all__ = ["simulate_preference_estimation"]

Directions: TypeAlias = Float[Array, "k Y"] | Float[np.ndarray, "k Y"]


def simulate_preference_estimation(
    key: Key, logref: Table, reward: Table, beta: Real, rho: Vector, n: Real, scheme: tuple[str, ...],
    direction: tuple[int, ...], directions: Directions, n_best: int,
) -> dict[str, Array]:  # fmt: skip
    """Value lost by the policy of largest likelihood, and its errors, from n labelled pairs: one replicate.

        logits_hat = logref + scores / beta ,   scores the Bradley-Terry maximum likelihood, prompt by prompt

    Pairs are drawn by a scheme from the optimal policy; how often each response won against each other, over the n
    labelled pairs, is one multinomial draw. The fit of a tabular policy does not depend on prompt weights.

    Source: the setting of @feng2025pilaf.
    Domain: beta > 0; n >= 1.

    logref, reward: [X, Y]. beta: coefficient of the divergence. rho: probabilities of the prompts. n: pairs.
    scheme: sampling schemes, with draws of their own. direction: which of `directions` to measure the error along.
    directions: unit vectors over the responses of the first prompt. n_best: draws of best_of_n.
    Returns gap = J* - J(theta_hat) [scheme], and square [scheme, direction], n times the squared error of the logits
    of the first prompt, of mean zero. NaN where wins do not connect its responses: there is no finite fit.
    Raises ValueError outside the domain.
    """
    ok = check_preferences(logref, reward, rho) & in_domain(beta > 0, "beta", beta, "beta > 0")
    ok &= in_domain(n >= 1, "n", n, "n >= 1")
    ref, reward, share = jnp.asarray(logref, float), jnp.asarray(reward, float), jnp.asarray(rho, float)
    best = optimal_policy(ref, reward, beta)
    laws = jnp.stack([enumerate_preference_pairs(name, best, ref, beta, n_best) for name in scheme])
    preferred = sigmoid(reward[:, :, None] - reward[:, None, :])

    def fit(key: Key, law: Array) -> tuple[Array, Array]:
        outcomes = share[:, None, None] * (law + jnp.swapaxes(law, 1, 2)) * preferred  # prompt, winner, loser
        wins = jax.random.multinomial(key, jnp.asarray(n, float), outcomes.ravel()).reshape(law.shape)
        logits = ref + jax.vmap(bradley_terry_fit)(wins).scores / beta
        error = (logits - ref - reward / beta)[0]
        along = jnp.asarray(directions)[jnp.array(direction)] @ (error - jnp.mean(error))
        return value_gap(logits, ref, reward, beta, share), jnp.asarray(n, float) * along**2

    gap, square = jax.vmap(fit)(jax.random.split(key, len(scheme)), laws)
    return nan_unless(ok, {"gap": gap, "square": square})
