"""Direct preference optimisation on pairs of some of the responses, and the widest policies of a divergence ball."""

from typing import TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from theorylab.numerics.domain import in_domain, nan_unless
from theorylab.problems.data_coverage import alignment_value_gap
from theorylab.problems.policies import LogPolicy, Rewards, checked_responses, kl_divergence
from theorylab.types import Array, Key, Real

__all__ = ["simulate_coverage_in_ball", "simulate_offline_preferences"]

Grid: TypeAlias = Float[Array, "points"] | Float[np.ndarray, "points"]

_MOMENTUM = 0.95


def simulate_offline_preferences(
    key: Key,
    logref: LogPolicy,
    reward: Rewards,
    beta: Real,
    covered: Rewards,
    shift: Grid,
    online: Real = 0.0,
    pairs: int = 0,
    steps: int = 4000,
) -> dict[str, Array]:
    """Gradient descent with momentum on the DPO loss, plus online * KL(pi || ref) over all responses: one replicate.

        loss = - mean log sigmoid(beta (h(y) - h(y'))) over pairs with y preferred ,   h = logits - log ref

    Both responses of a pair come from the reference restricted to the covered ones; y is preferred with probability
    sigmoid(r(y) - r(y')).

    Source: the setting of @song2024importance.
    Domain: beta > 0, online >= 0, pairs >= 0, steps >= 1, covered 0 or 1 and somewhere 1.

    logref: log reference policy [Y]. reward: of each response [Y]. beta: coefficient of the divergence. covered: 1 for
    the responses in the data [Y]. shift: of the initial logits, log ref elsewhere, of the other responses.
    online: coefficient of the divergence that is measured on all responses. pairs: number of labelled pairs, 0 for the
    expected loss.
    Returns, for each shift, gap = J* - J; drift, by how much the logits of uncovered responses moved; outside, the
    divergence from ref within the uncovered ones; odds = log pi(S)/pi(not S) - log ref(S)/ref(not S) + KL(pi given S ||
    ref given S), both 0 where all are covered; slope, the largest entry of the gradient at the end.
    Raises ValueError outside the domain.
    """
    in_domain(pairs >= 0, "pairs", pairs, "pairs >= 0")
    in_domain(steps >= 1, "steps", steps, "steps >= 1")
    logref, reward, ok = checked_responses(logref, reward)
    ok &= in_domain(beta > 0, "beta", beta, "beta > 0") & in_domain(online >= 0, "online", online, "online >= 0")
    seen = jnp.asarray(covered) == 1
    ok &= in_domain(seen | (jnp.asarray(covered) == 0), "covered", covered, "0 or 1 for each response")
    ok &= in_domain(jnp.any(seen), "covered", covered, "1 for some response")
    law = jax.nn.softmax(jnp.where(seen, logref, -jnp.inf))
    wins = _preferences(key, law, reward, pairs)
    step_size = 1 / (beta**2 / 2 * jnp.max(jnp.sum(wins + wins.T, 0)) + 4 * jnp.asarray(online, float))

    def loss(logits: Array) -> Array:
        h = logits - logref
        fit = -jnp.sum(wins * jax.nn.log_sigmoid(beta * (h[:, None] - h[None])))
        return fit + online * kl_divergence(jax.nn.log_softmax(logits), logref)

    def train(shift: Array) -> dict[str, Array]:
        start = logref + jnp.where(seen, 0.0, shift)

        def descend(state: tuple[Array, Array], _: None) -> tuple[tuple[Array, Array], None]:
            logits, velocity = state
            velocity = _MOMENTUM * velocity - step_size * jax.grad(loss)(logits)
            return (logits + velocity, velocity), None

        logits = jax.lax.scan(descend, (start, jnp.zeros_like(start)), length=steps)[0][0]
        moved = jnp.where(seen, 0.0, logits - start)
        measured = dict(gap=alignment_value_gap(jax.nn.log_softmax(logits), logref, reward, beta))
        measured |= dict(drift=jnp.max(jnp.abs(moved)), slope=jnp.max(jnp.abs(jax.grad(loss)(logits))))
        return measured | _split(logits, logref, seen)

    return nan_unless(ok, jax.vmap(train)(jnp.asarray(shift, float)))


def simulate_coverage_in_ball(key: Key, p: Real, eps: Grid, responses: int, directions: int = 64) -> dict[str, Array]:
    """Density ratios of one response among policies at given divergences from a random reference: one replicate.

        pi = ref exp(c u) / Z with c such that KL(pi || ref) = eps, for u = 1 at the response, 0 elsewhere, and for
        u = that + noise in many directions

    Source: the setting of @song2024importance.
    Domain: 0 < p < 1, 0 < eps < -log p, responses >= 3, directions >= 1.

    p: reference probability of the response; those of the others are random. eps: divergences [eps].
    Returns coverage, the ratio pi/ref of the response along the first tilt, and best_random, the largest of the others
    [eps].
    Raises ValueError outside the domain.
    """
    in_domain(responses >= 3, "responses", responses, "responses >= 3")
    in_domain(directions >= 1, "directions", directions, "directions >= 1")
    ok = in_domain((p > 0) & (p < 1), "p", p, "0 < p < 1")
    radius = jnp.asarray(eps, float)
    ok &= in_domain((radius > 0) & (radius < -jnp.log(jnp.asarray(p, float))), "eps", eps, "0 < eps < -log p")
    key_ref, key_noise, key_size = jax.random.split(key, 3)
    others = jax.nn.log_softmax(jax.random.normal(key_ref, (responses - 1,))) + jnp.log1p(-jnp.asarray(p, float))
    logref = jnp.concatenate([jnp.log(jnp.asarray(p, float))[None], others])
    target = jnp.zeros(responses).at[0].set(1.0)
    noise = jax.random.normal(key_noise, (directions, responses))
    noise *= jnp.exp(2 * jax.random.normal(key_size, (directions, 1)) - 2)

    def ratio(u: Array, radius: Array) -> Array:
        tilt = lambda c: jax.nn.log_softmax(logref + c * u)

        def halve(_: Array, bracket: tuple[Array, Array]) -> tuple[Array, Array]:
            low, high = bracket
            middle = (low + high) / 2
            inside = kl_divergence(tilt(middle), logref) < radius
            return jnp.where(inside, middle, low), jnp.where(inside, high, middle)

        low, _ = jax.lax.fori_loop(0, 60, halve, (jnp.zeros(()), jnp.array(2.0**9)))
        return jnp.exp(tilt(low)[0] - logref[0])

    grid = jax.vmap(jax.vmap(ratio, (None, 0)), (0, None))
    random = grid(target[None] + noise, radius)
    return nan_unless(ok, {"coverage": grid(target[None], radius)[0], "best_random": jnp.max(random, axis=0)})


def _preferences(key: Key, law: Array, reward: Array, pairs: int) -> Array:
    """Share of pairs in which the first response is preferred to the second [Y, Y]."""
    preferred = jax.nn.sigmoid(reward[:, None] - reward[None])
    if not pairs:
        return law[:, None] * law[None] * preferred
    key_pair, key_label = jax.random.split(key)
    edges = jnp.cumsum(law)[:-1]
    first, second = jnp.searchsorted(edges, jax.random.uniform(key_pair, (2, pairs)), side="right")
    swap = jax.random.uniform(key_label, (pairs,)) > preferred[first, second]
    winner, loser = jnp.where(swap, second, first), jnp.where(swap, first, second)
    return jnp.zeros((law.size, law.size)).at[winner, loser].add(1 / pairs)


def _split(logits: Array, logref: Array, seen: Array) -> dict[str, Array]:
    """How the policy divides the mass between covered and uncovered responses, and within the uncovered ones."""
    logpi = jax.nn.log_softmax(logits)

    def mass(log_law: Array, chosen: Array) -> Array:
        return jnp.sum(jnp.where(chosen, jnp.exp(log_law), 0.0))

    def within(chosen: Array) -> Array:
        """Divergence from the reference, both restricted to some responses."""
        share, ref = mass(logpi, chosen), mass(logref, chosen)
        terms = jnp.where(chosen, jnp.exp(logpi) * (logpi - logref), 0.0)
        return jnp.sum(terms) / share - jnp.log(share / ref)

    full = jnp.all(seen)
    rest = ~seen | full  # where all are covered there is nothing to compare
    odds = jnp.log(mass(logpi, seen) / mass(logpi, rest)) - jnp.log(mass(logref, seen) / mass(logref, rest))
    return dict(outside=jnp.where(full, 0.0, within(rest)), odds=jnp.where(full, 0.0, odds + within(seen)))
