"""Drawing the best of n: the simulators against NumPy and the exact laws, and planted faults."""

from dataclasses import replace
from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from planted import beside_theory_of, run_small

from simulations import best_of_n, best_of_n_asymptotics
from theorylab import theory
from theorylab.compare.judge import judge
from theorylab.problems.policies import response_problem
from theorylab.simulators import best_of_n as simulators

PROBLEM = response_problem(1, 12)
LOGP, STEPS = np.log([0.5, 0.3, 0.2]), (0, 1, 3)
KEY = jax.random.key(1)


def test_selection_equals_numpy_on_the_same_draws():
    draws, n_best = 64, (1, 10)
    found = simulators.simulate_best_of_n(KEY, *PROBLEM, n_best, draws, tuple(range(12)))
    edges = np.cumsum(np.exp(PROBLEM.logref))[:-1]
    y = np.searchsorted(edges, np.asarray(jax.random.uniform(KEY, (draws, 10))), side="right")
    for i, n in enumerate(n_best):
        first = [row[np.argmax(PROBLEM.reward[row])] for row in y[:, :n]]
        np.testing.assert_allclose(found["frequency"][i], np.bincount(first, minlength=12) / draws, rtol=1e-14)
        np.testing.assert_allclose(found["reward"][i], PROBLEM.reward[first].mean(), rtol=1e-14)


def test_win_rates_equal_numpy_on_the_same_draws():
    found = simulators.simulate_win_rate(KEY, (2, 5), "cauchy", 200)["win"]
    rewards = np.asarray(jax.random.cauchy(KEY, (200, 6)))
    np.testing.assert_allclose(found, [(rewards[:, :n].max(1) > rewards[:, 5]).mean() for n in (2, 5)], rtol=1e-14)


def test_stratified_quantiles_have_the_law_of_drawn_ones():
    """Mean quantiles: best-of-n against the maximum of n uniform draws, the tilt against rejection sampling."""
    n, lam, draws = 5, 3.0, 200_000
    found = simulators.simulate_equal_divergence_duel(KEY, float(n), lam, 4096)
    rng = np.random.default_rng(0)
    best = rng.uniform(size=(draws, n)).max(1)
    u = rng.uniform(size=4 * draws)
    tilted = u[rng.uniform(size=u.size) < np.exp(lam * (u - 1))]
    for name, sample in (("best", best), ("tilt", tilted)):
        assert abs(found[name] - sample.mean()) < 4 * sample.std() / np.sqrt(sample.size)


def test_importance_sampling_is_unbiased_for_every_tilt():
    """Against the exact tail of the sum of 8 symbols, over all sequences."""
    totals, weights = np.zeros(1), np.ones(1)
    for _ in range(8):
        totals, weights = np.add.outer(totals, STEPS).ravel(), np.multiply.outer(weights, np.exp(LOGP)).ravel()
    exact = weights[totals >= 12].sum()
    run = jax.jit(jax.vmap(lambda key, lam: simulators.simulate_reward_tail(key, LOGP, STEPS, 8, 1.5, lam, 500),
                           (0, None)))  # fmt: skip
    for lam in (0.0, 0.5, 1.0):
        sample = np.asarray(run(jax.random.split(KEY, 100), lam)["probability"])
        assert abs(sample.mean() - exact) < 4 * sample.std() / 10


@pytest.mark.parametrize("call, message", [
    (lambda: simulators.simulate_best_of_n(KEY, *PROBLEM, (0,), 10), "n_best"),
    (lambda: simulators.simulate_best_of_n(KEY, *PROBLEM, (2,), 1), "draws = 1"),
    (lambda: simulators.simulate_win_rate(KEY, (2,), "gausian", 10), "did you mean 'gaussian'"),
    (lambda: simulators.simulate_equal_divergence_duel(KEY, 0.5, 1.0, 8), "n_best = 0.5"),
    (lambda: simulators.simulate_equal_divergence_duel(KEY, 2.0, 0.0, 8), "lam = 0.0"),
    (lambda: simulators.simulate_best_of_n_sequences(KEY, LOGP, STEPS, 0, 4, 0.5, 8), "outside its domain"),
])  # fmt: skip
def test_outside_the_domain(call, message):
    with pytest.raises(ValueError, match=message):
        call()


# ------------------------------------------------------------------------------------- the claims, and planted faults

SMALL = {
    (best_of_n, "law"): dict(alphabet=("tied",), n_best=(1, 2, 8), draws=1024, replicates=64),
    (best_of_n, "duel"): dict(n_best=(2.0, 8.0), strata=4096, replicates=8),
    (best_of_n_asymptotics, "drawn"): dict(n_symbols=(5,), draws=128, replicates=64),
    (best_of_n_asymptotics, "tail"): dict(x=(2.0,), draws=128, replicates=64),
}


@cache
def simulated(module, name):
    return run_small(module, name, **SMALL[module, name])


def verdicts(module, name, **wrong):
    """Verdicts of the claims that compare a sweep with theory; with other predictors, if any are given."""
    sweep, result = simulated(module, name)
    if wrong:
        faulty = replace(sweep, predict={**sweep.predictors, **wrong})
        result = beside_theory_of(result, name, faulty)
    claims = [c for c in module.CLAIMS if c.sweeps == (name,) and c.kind in ("exact", "asymptotic", "bound")]
    only = [c for c in claims if not (name == "law" and "n_best" in c.where and callable(c.of))]
    return [judge(claim, {name: result}).verdict for claim in only]


def ties_shared_equally(logref, reward, n_best: float, outcome: float):
    law = jnp.exp(theory.best_of_n_log_probabilities(logref, reward, n_best))
    tied = jnp.where(reward == reward[-1], 1.0, 0.0)
    return jnp.sum(law * tied) / jnp.sum(tied) + 0.0 * outcome


def one_draw_more(logref, reward, n_best: float, outcome: float):
    return best_of_n.frequency(logref, reward, n_best + 1, outcome)


def textbook_kl(n_best: float):
    return theory.best_of_n_kl_bound(n_best)


def estimate_of_the_mean(logref, reward, n_best: float):
    eps = jnp.sum(jnp.exp(theory.best_of_n_log_probabilities(logref, reward, n_best) + logref))
    return theory.best_of_n_kl_estimator(eps, n_best)


def tilt_by_inverse(lam: float):
    return theory.tilt_win_rate(1 / lam).win


def smaller_budget(logref, reward_int: tuple, n_symbols: int, delta: float):
    return best_of_n_asymptotics.gap_of_length(logref, reward_int, n_symbols, 0.9 * delta)


def no_lattice(logref, reward_int: tuple, n_symbols: float, x: float):
    return 1.2 * best_of_n_asymptotics.sharp_probability(logref, reward_int, n_symbols, x)


def no_root(logref, reward_int: tuple, n_symbols: float, x: float):
    return jnp.sqrt(n_symbols) * best_of_n_asymptotics.sharp_probability(logref, reward_int, n_symbols, x)


def doubled_rate(logref, reward_int: tuple, x: float):
    return 2 * best_of_n_asymptotics.rate_of_reference(logref, reward_int, x)


LAW, DUEL, DRAWN, TAIL = SMALL
slowly = lambda cases: [
    pytest.param(c, marks=pytest.mark.slow) if TAIL in (c, FAULTS.get(c, "-")[0]) else c for c in cases
]
FAULTS = {
    "ties shared equally": (LAW, dict(frequency=ties_shared_equally)),
    "one draw more": (LAW, dict(frequency=one_draw_more)),
    "bound for the divergence": (LAW, dict(kl=textbook_kl)),
    "estimate of the mean probability": (LAW, dict(estimate=estimate_of_the_mean)),
    "lam inverted": (DUEL, dict(tilt=tilt_by_inverse)),
    "a smaller budget": (DRAWN, dict(bon=smaller_budget)),
    "a prefactor 20% too large": (TAIL, dict(probability=no_lattice)),
    "rate doubled": (TAIL, dict(rate=doubled_rate)),
}


@pytest.mark.parametrize("sweep", slowly(SMALL), ids=lambda sweep: sweep[1])
def test_the_true_formula_does_not_fail(sweep):
    assert "fails" not in verdicts(*sweep)


@pytest.mark.parametrize("fault", slowly(FAULTS))
def test_planted_faults_are_caught(fault):
    sweep, wrong = FAULTS[fault]
    assert "fails" in verdicts(*sweep, **wrong)


@pytest.mark.slow
def test_a_missing_root_of_n_leaves_no_law_in_the_length():
    assert "holds" not in verdicts(*TAIL, probability=no_root, rate=doubled_rate)
