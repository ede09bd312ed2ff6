"""Drawing n responses and keeping the best: single responses with ties, rewards without ties, and long sequences."""

import difflib

import jax
import jax.numpy as jnp

from theorylab.numerics.domain import in_domain, nan_unless
from theorylab.problems.best_of_n import best_of_n_kl_estimator
from theorylab.problems.policies import LogPolicy, Rewards, kl_divergence
from theorylab.types import Array, Key, Real

__all__ = [
    "simulate_best_of_n",
    "simulate_best_of_n_sequences",
    "simulate_equal_divergence_duel",
    "simulate_reward_tail",
    "simulate_win_rate",
]

LAWS = {"gaussian": jax.random.normal, "exponential": jax.random.exponential, "cauchy": jax.random.cauchy}


def simulate_best_of_n(
    key: Key, logref: LogPolicy, reward: Rewards, n_best: tuple[int, ...], draws: int, outcome: tuple[int, ...] = (0,)
) -> dict[str, Array]:
    """Draw n responses, keep the first of the best, many times: one replicate.

    Source: the setting of @beirami2024theoretical.
    Domain: n_best >= 1, draws >= 2.

    logref: log probabilities of the reference [outcomes]. reward: of each response [outcomes]. n_best: how many to
    choose from; their draws are shared. draws: selections. outcome: whose frequency to report.
    Returns, for each n: of the selected responses the mean reward, the frequency [n_best, outcome], and the means of
    the divergence estimator by the probability of the response (estimate) and of its reward level (estimate_levels);
    and, by enumerating what the first, second, .. draw does to the law of the best so far, its expected reward and the
    divergence kl from the reference.
    Raises ValueError outside the domain.
    """
    _check_draws(n_best, draws)
    reward, logref = jnp.asarray(reward, float), jnp.asarray(logref, float)
    p = jnp.exp(logref)
    y = _categorical(key, p, (draws, max(n_best)))
    level = jnp.minimum(1.0, jnp.sum(jnp.where(reward[:, None] == reward[None], p[None], 0.0), 1))
    laws = _laws_of_the_best(p, reward, max(n_best))

    def select(n: int) -> dict[str, Array]:
        first = jnp.argmax(reward[y[:, :n]], 1)
        chosen = jnp.take_along_axis(y[:, :n], first[:, None], 1)[:, 0]
        share = jax.ops.segment_sum(jnp.ones(draws), chosen, len(p)) / draws
        estimate = lambda eps: jnp.sum(share * jax.vmap(lambda e: best_of_n_kl_estimator(e, n))(eps))
        return {
            "reward": jnp.sum(share * reward),
            "frequency": share[jnp.array(outcome)],
            "estimate": estimate(p),
            "estimate_levels": estimate(level),
            "expected": jnp.sum(laws[n - 1] * reward),
            "kl": kl_divergence(jnp.log(laws[n - 1]), logref),
        }

    return jax.tree.map(lambda *values: jnp.stack(values), *map(select, n_best))


def simulate_win_rate(key: Key, n_best: tuple[int, ...], law: str, draws: int) -> dict[str, Array]:
    """How often the best of n responses has a higher reward than a single one, for rewards without ties.

    Source: the setting of @beirami2024theoretical.
    Domain: n_best >= 1, draws >= 2, law one of gaussian, exponential, cauchy.
    n_best: how many to choose from. law: of the reward. draws: contests. Returns win [n_best].
    Raises ValueError outside the domain.
    """
    _check_draws(n_best, draws)
    if law not in LAWS:
        raise ValueError(f"law = {law!r} is unknown; did you mean {difflib.get_close_matches(law, LAWS, 1, 0.0)[0]!r}?")
    rewards = LAWS[law](key, (draws, max(n_best) + 1))
    best = jax.lax.cummax(rewards[:, :-1], 1)[:, jnp.array(n_best) - 1]
    return {"win": jnp.mean(jnp.where(best > rewards[:, -1:], 1.0, 0.0), 0)}


def simulate_equal_divergence_duel(key: Key, n_best: Real, lam: Real, strata: int) -> dict[str, Array]:
    """Win rates of best-of-n and of a tilt in quantile space, from the same stratified draws of their quantiles.

        best-of-n: v^(1/n), the highest of n ;   tilt of density e^(lam u): log(1 + v (e^lam - 1)) / lam ;   v uniform

    Domain: n_best >= 1, lam > 0, strata >= 1.
    lam: strength of the tilt. strata: draws v, one in each of so many equal parts of [0, 1].
    Returns best and tilt, the mean quantiles, which are win rates against one draw of the reference.
    Raises ValueError outside the domain.
    """
    in_domain(strata >= 1, "strata", strata, "strata >= 1")
    ok = in_domain(n_best >= 1, "n_best", n_best, "n_best >= 1") & in_domain(lam > 0, "lam", lam, "lam > 0")
    v = (jnp.arange(strata, dtype=float) + jax.random.uniform(key, (strata,))) / strata
    return nan_unless(ok, {"best": jnp.mean(v ** (1 / n_best)), "tilt": jnp.mean(jnp.log1p(v * jnp.expm1(lam)) / lam)})


def simulate_best_of_n_sequences(
    key: Key, logref: LogPolicy, reward_int: tuple[int, ...], n_symbols: int, n_best: int, lam: Real, draws: int
) -> dict[str, Array]:
    """The best of n_best sequences of independent symbols, and sequences of the tilted source: one replicate.

    Source: the setting of @yang2024asymptotics.
    Domain: n_symbols >= 1, n_best >= 1, draws >= 2.

    logref: log probabilities of a symbol [letters]. reward_int: reward of each; a sequence has their sum.
    n_symbols: length. n_best: sequences to choose from. lam: strength of the tilt of each symbol. draws: selections.
    Returns mean rewards per symbol: bon of the best, tilt of single sequences of the tilted source, 32 for each
    selection.
    Raises ValueError outside the domain.
    """
    _check_draws((n_best, n_symbols), draws)
    key_best, key_tilt = jax.random.split(key)
    logref, reward = jnp.asarray(logref, float), jnp.array(reward_int, float)
    best = jnp.max(jnp.sum(reward[_symbols(key_best, jnp.exp(logref), (draws, n_best, n_symbols))], -1), 1)
    tilted = reward[_symbols(key_tilt, jax.nn.softmax(logref + lam * reward), (32 * draws, n_symbols))]
    return {"bon": jnp.mean(best) / n_symbols, "tilt": jnp.mean(tilted)}


def simulate_reward_tail(
    key: Key, logref: LogPolicy, reward_int: tuple[int, ...], n_symbols: int, x: Real, lam: Real, draws: int
) -> dict[str, Array]:
    """Probability that the mean reward of a sequence reaches x, by importance sampling from a tilted source.

        mean over sequences of the tilt of 1[R >= n x] exp(-lam R) (sum p e^(lam r))^n ,   unbiased for every lam

    Source: the setting of @yang2024asymptotics. Domain: n_symbols >= 1, draws >= 2.
    x: mean reward per symbol. lam: strength of the tilt. Other arguments as for `simulate_best_of_n_sequences`.
    Returns probability, and rate = -log(probability) / n. Raises ValueError outside the domain.
    """
    _check_draws((n_symbols,), draws)
    logref, reward = jnp.asarray(logref, float), jnp.array(reward_int, float)
    y = _symbols(key, jax.nn.softmax(logref + lam * reward), (draws, n_symbols))
    total = jnp.sum(reward[y], -1)
    weight = jnp.exp(n_symbols * jax.nn.logsumexp(logref + lam * reward) - lam * total)
    probability = jnp.mean(jnp.where(total >= n_symbols * x - 1e-9, weight, 0.0))
    return {"probability": probability, "rate": -jnp.log(probability) / n_symbols}


def _categorical(key: Key, p: Array, shape: tuple[int, ...]) -> Array:
    """Draws from p by inversion, whose cost hardly grows with the number of outcomes."""
    edges = jnp.cumsum(p)[:-1] / jnp.sum(p)
    method = "compare_all" if len(p) <= 16 else "scan"
    return jnp.searchsorted(edges, jax.random.uniform(key, shape), side="right", method=method)


def _symbols(key: Key, p: Array, shape: tuple[int, ...]) -> Array:
    """Draws from few symbols, in float32: half the time, and probabilities that are off by 6e-8 at most."""
    edges = (jnp.cumsum(p)[:-1] / jnp.sum(p)).astype(jnp.float32)
    return jnp.searchsorted(edges, jax.random.uniform(key, shape, jnp.float32), side="right", method="compare_all")


def _laws_of_the_best(p: Array, reward: Array, n: int) -> Array:
    """Law of the first of the best after 1..n draws: a draw replaces the best so far if its reward is higher."""
    lower = jnp.where(reward[None] < reward[:, None], 1.0, 0.0)
    no_better = jnp.sum(jnp.where(reward[None] <= reward[:, None], p[None], 0.0), 1)

    def draw(law: Array, _: None) -> tuple[Array, Array]:
        return law * no_better + p * (lower @ law), law

    return jax.lax.scan(draw, p, None, length=n)[1]


def _check_draws(counts: tuple[int, ...], draws: int) -> None:
    in_domain(len(counts) > 0 and min(counts) >= 1, "n_best", counts, "at least one number, all >= 1")
    in_domain(draws >= 2, "draws", draws, "draws >= 2")
