"""Walks with failed branches: the simulators against each other, brute force and the theory; planted faults."""

from dataclasses import replace
from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from planted import beside_theory_of, run_small
from scipy import stats

from simulations import failed_step_fraction as experiment
from theorylab import theory
from theorylab.compare.judge import judge
from theorylab.simulators import failed_steps as family
from theorylab.simulators.failed_steps.correlations import _ranks
from theorylab.simulators.failed_steps.traces import answer, walk

M_PMF = np.array([0.0, 0.2, 0.5, 0.3])
TRACE = dict(phi=0.35, g=0.6, m_pmf=M_PMF, p0=0.9)
REVIEWS = dict(r_m=0.1, r_f=0.4)
QUESTION = (0.6, M_PMF, 0.9, 2, 0.1, 0.4, 0.0)


@cache
def traces():
    key, q = jax.random.key(0), jnp.array([0.0, 0.4, 1.0])
    return jax.jit(lambda key: walk(key, jnp.full(20_000, 0.35), 0.6, M_PMF, 0.1, 0.4, q))(key)


def test_the_steps_of_a_walk_follow_the_law_of_the_theory():
    """Chi-square over the cells (m, F)."""
    m, F, *_ = map(np.asarray, traces())
    law = theory.failed_step_table(0.35, 0.6, M_PMF, 120, 0.9, 2.0)
    expected = 20_000 * np.asarray(law.prob).reshape(4, -1)
    seen = np.zeros_like(expected)
    np.add.at(seen, (m.astype(int) - 1, F.astype(int)), 1)
    many = expected >= 10
    expected, seen = (np.append(x[many], x[~many].sum()) for x in (expected, seen))
    assert stats.chisquare(seen, expected).pvalue > 1e-4


def test_reviews_and_kept_branches_of_a_walk():
    m, F, reviews, kept = map(np.asarray, traces())
    spread = np.sqrt(m * 0.09 + F * 0.24)
    assert abs(np.mean((reviews - 0.1 * m - 0.4 * F) / spread)) < 4 / 140
    np.testing.assert_allclose(np.var((reviews - 0.1 * m - 0.4 * F) / spread), 1.0, atol=0.05)
    np.testing.assert_array_equal(kept[0], F)
    np.testing.assert_array_equal(kept[2], 0)
    phi = 0.35 * 0.6 / (1 - 0.35 * 0.4)
    np.testing.assert_allclose(kept[1].mean(), m.mean() * phi / ((1 - phi) * 0.4), rtol=0.02)


@pytest.mark.slow
def test_a_walk_without_failures_has_main_steps_only():
    found = jax.jit(lambda key: walk(key, jnp.zeros(50), 0.6, M_PMF, 1.0, 0.0))(jax.random.key(1))
    np.testing.assert_array_equal(found.F, 0)
    np.testing.assert_array_equal(found.reviews, found.m)


def test_an_answer_that_looks_at_more_steps_is_right_less_often():
    m, F = jnp.full(20_000, 3.0), jnp.full(20_000, 1.0)
    right = answer(jax.random.key(2), m, F, 0.9, (0, 1, 3), 2)
    assert right.shape == (3, 2, 20_000)
    assert not np.any(right[1] & ~right[0]) and not np.any(right[2] & ~right[1])
    np.testing.assert_allclose(right.mean((1, 2)), [0.9, 0.9 * 0.75, 0.9 * 0.75**3], atol=4 * 0.5 / 200)


def test_sample_correlations_equal_those_of_numpy_and_scipy():
    key = jax.random.key(3)

    @jax.jit
    def both(key):
        key_walk, key_answer = jax.random.split(key)
        traces = walk(key_walk, jnp.full(300, 0.35), 0.6, M_PMF, 0.1, 0.4)
        right = answer(key_answer, traces.m, traces.F, 0.9, (1, 3), 1)[:, 0]
        found = family.simulate_failed_step_correlations(key, 300, **TRACE, J=(1, 3), **REVIEWS, answers=1)
        return found, traces, right

    found, (m, F, reviews, _), right = jax.tree.map(np.asarray, both(key))
    right = right.astype(float)
    keys = dict(s=F / (m + F), L=m + F, RR=reviews / (m + F))
    for i in range(2):
        residual = lambda x: x - np.polyval(np.polyfit(keys["s"], x, 1), keys["s"])
        for name, x in keys.items():
            np.testing.assert_allclose(found[f"corr_{name}"][i], np.corrcoef(right[i], x)[0, 1], rtol=1e-9)
            rank = stats.spearmanr(right[i], x).statistic
            np.testing.assert_allclose(found[f"spearman_{name}"][i], rank, rtol=1e-9)
        for name in ("L", "RR"):
            partial = np.corrcoef(residual(right[i]), residual(keys[name]))[0, 1]
            np.testing.assert_allclose(found[f"partial_{name}"][i], partial, rtol=1e-7, atol=1e-12)
    np.testing.assert_array_equal(_ranks(jnp.array([3.0, 1.0, 3.0, 2.0])), stats.rankdata([3, 1, 3, 2]) - 0.5)


@pytest.mark.slow
def test_a_benchmark_averages_over_questions_and_pools_traces():
    key, arguments = jax.random.key(4), (0.6, M_PMF, 0.9, 2, 0.1, 0.4)
    found = family.simulate_failed_step_benchmark(key, 5, 80, 6, 10, *arguments, -0.5)
    key_phi, key_walk, key_answer = jax.random.split(key, 3)
    phi = np.sort(jax.random.uniform(key_phi, (5, 15)), 1)[:, 5]
    m, F, *_ = walk(key_walk, jnp.repeat(phi, 80), 0.6, M_PMF, 0.1, 0.4)
    right = np.asarray(answer(key_answer, m, F, 0.9, (2,), 1))[0, 0].astype(float)
    s = np.asarray(F / (m + F))
    each = [np.corrcoef(right[i : i + 80], s[i : i + 80])[0, 1] for i in range(0, 400, 80)]
    np.testing.assert_allclose(found["within_s"], np.mean(each), rtol=1e-9)
    np.testing.assert_allclose(found["pooled_s"], np.corrcoef(right, s)[0, 1], rtol=1e-9)
    covered = lambda truth: family.simulate_failed_step_benchmark(key, 5, 80, 6, 10, *arguments, truth)
    assert covered(found["pooled_s"])["covered_naive"] == 1.0 and covered(0.9)["covered_clustered"] == 0.0


@pytest.mark.slow
def test_selection_among_one_is_no_selection_and_the_keys_decide():
    simulate = lambda key: family.simulate_failed_step_selection(key, 512, (1, 8), **TRACE, J=2, **REVIEWS, answers=2)
    found = jax.jit(simulate)(jax.random.key(5))
    first = {name: value[0] for name, value in found.items()}
    assert len(set(map(float, first.values()))) == 1
    assert found["by_s"][1] > found["random"][1]


@pytest.mark.parametrize("change, message", [
    (dict(phi=1.0), "phi = 1"), (dict(g=-0.1), "g = -0.1"), (dict(m_pmf=np.array([0.5, 0.6])), "m_pmf"),
    (dict(p0=1.5), "p0 = 1.5"), (dict(r_m=2.0), "r_m = 2"), (dict(r_f=-1.0), "r_f = -1"),
    (dict(n=0), "n = 0"), (dict(answers=0), "answers = 0"), (dict(J=(-1,)), "J ="), (dict(J=()), "J ="),
])  # fmt: skip
def test_outside_the_domain_is_refused_by_name(change, message):
    arguments = {**TRACE, **REVIEWS, **dict(n=16, J=(2,), answers=1), **change}
    with pytest.raises(ValueError, match=message):
        family.simulate_failed_step_correlations(jax.random.key(0), **arguments)


@pytest.mark.parametrize("call, message", [
    (lambda key: family.simulate_failed_step_selection(key, 10, (3,), **TRACE, J=2, **REVIEWS, answers=1), "n_cand"),
    (lambda key: family.simulate_failed_step_editing(key, 10, **TRACE, J=(2,), q=np.array([1.5])), "q ="),
    (lambda key: family.simulate_failed_step_benchmark(key, 1, 4, 6, 10, *QUESTION), "questions = 1"),
    (lambda key: family.simulate_failed_step_benchmark(key, 2, 4, 0, 10, *QUESTION), "alpha = 0"),
    (lambda key: family.simulate_failed_step_benchmark(key, 2, 1, 6, 10, *QUESTION), "n = 1"),
])  # fmt: skip
def test_impossible_samples_are_refused_by_name(call, message):
    with pytest.raises(ValueError, match=message):
        call(jax.random.key(0))


# ------------------------------------------------------------------------------------- the claims, and planted faults

SMALL = dict(
    within=dict(phi=(0.35,), main=(0.2, 0.8), F_max=130, n=1024, replicates=48),
    selection=dict(main=(0.5, 0.5), F_max=130, n_candidates=(2, 8), n=1024, replicates=64),
    editing=dict(main=(0.2, 0.8), F_max=130, q=(0.25, 0.5, 0.75), J=(2, 4), n=1024, replicates=48),
    curves=dict(main=(0.0, 0.5, 0.5), F_max=130, L=(2, 6), s=(0.3, 0.4), RR=(0.0, 0.1), n=1024, replicates=48),
)


@cache
def simulated(name):
    return run_small(experiment, name, **SMALL[name])


def verdicts(name, **predict):
    """Verdicts of the claims that compare a sweep with theory; with other predictors, if some are given."""
    sweep, result = simulated(name)
    claims = [c for c in experiment.CLAIMS if c.sweeps == (name,) and c.kind == "exact"]
    if predict:
        claims = [c for c in claims if c.of in predict]
        result = beside_theory_of(result, name, replace(sweep, predict=predict))
    return [judge(claim, {name: result}).verdict for claim in claims]


def one_look_more(phi: float, g: float, m_pmf, F_max: int, p0: float, J: float, r_m: float, r_f: float):
    return experiment.within(phi, g, m_pmf, F_max, p0, J + 1, r_m, r_f)


def review_rates_exchanged(phi: float, g: float, m_pmf, F_max: int, p0: float, J: float, r_m: float, r_f: float):
    return experiment.within(phi, g, m_pmf, F_max, p0, J, r_f, r_m)


def branches_of_one_step(phi: float, g: float, m_pmf, F_max: int, p0: float, J: float, r_m: float, r_f: float):
    return experiment.within(phi, 0.0 * g, m_pmf, F_max, p0, J, r_m, r_f)


def one_candidate_more(phi: float, g: float, m_pmf, F_max: int, p0: float, J: float, n_candidates: float):
    return experiment.selected_by("s")(phi, g, m_pmf, F_max, p0, J, n_candidates + 1)


def ties_are_lost(phi: float, g: float, m_pmf, F_max: int, p0: float, J: float, n_candidates: float):
    prob, m, F, _, acc = theory.failed_step_table(phi, g, m_pmf, F_max, p0, J)
    return theory.lowest_key_accuracy(prob, m + F + 1e-3 * F, acc, n_candidates)


def the_rest_is_deleted(phi: float, g: float, m_pmf, F_max: int, p0: float, J: float, q: float):
    return experiment.edited_text(phi, g, m_pmf, F_max, p0, J, 1 - q)


def branches_are_text(phi: float, g: float, m_pmf, F_max: int, p0: float, J: float, q: float):
    return experiment.edited_text(phi, g, m_pmf, F_max, p0, J, q)


def share_of_main_steps(phi: float, g: float, m_pmf, F_max: int, p0: float, J: float, s: float, s_width: float):
    return p0 * (1 - s) ** J


FAULTS = [
    ("within", dict(corr_s=one_look_more)),
    ("within", dict(corr_RR=review_rates_exchanged)),
    ("within", dict(corr_L=branches_of_one_step)),
    pytest.param("selection", dict(by_s=one_candidate_more), marks=pytest.mark.slow),
    pytest.param("selection", dict(by_L=ties_are_lost), marks=pytest.mark.slow),
    pytest.param("editing", dict(text=the_rest_is_deleted), marks=pytest.mark.slow),
    pytest.param("editing", dict(branches=branches_are_text), marks=pytest.mark.slow),
    pytest.param("curves", dict(by_s=share_of_main_steps), marks=pytest.mark.slow),
]


SLOW = [pytest.param(name, marks=pytest.mark.slow if name != "within" else ()) for name in SMALL]


@pytest.mark.parametrize("name", SLOW)
def test_the_true_formula_does_not_fail(name):
    assert "fails" not in verdicts(name)  # at most 1e-3 per claim by chance


@pytest.mark.parametrize(
    "name, fault", FAULTS, ids=lambda x: x if isinstance(x, str) else next(iter(x.values())).__name__
)
def test_planted_faults_are_caught(name, fault):
    assert "fails" in verdicts(name, **fault)
