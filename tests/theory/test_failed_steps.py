"""The law of failed steps in a reasoning trace: correlations, selection, editing."""

from functools import cache
from inspect import signature
from itertools import pairwise, product
from math import comb

import jax
import numpy as np
import pytest
from predictor_checks import Case, check_batching, check_derivatives, check_refusal
from scipy import stats

from theorylab import cite, problems, theory

M_PMF = np.array([0, 0, 0.1, 0.2, 0.3, 0.2, 0.1, 0.1])
STATED = dict(phi=0.35, g=0.6, m_pmf=M_PMF, F_max=160, p0=0.9, J=2.0)
REVIEWS = dict(r_m=0.1, r_f=0.4)


@cache
def program(function):
    static = [name for name in ("F_max",) if name in signature(function).parameters]
    return jax.jit(function, static_argnames=static)


def table(**change):
    return program(theory.failed_step_table)(**{**STATED, **change})


def correlations(**change):
    return program(theory.failed_step_correlations)(**{**STATED, **REVIEWS, **change})


# -------------------------------------------------------------------------------- defining property, identities, limits


def test_failed_steps_given_main_steps_are_sums_of_branches():
    """NB(m, 1 - phi) branches, each of geometric length."""
    prob = np.asarray(table().prob).reshape(8, -1)
    for m in (3, 8):
        branches = stats.nbinom(m, 0.65).pmf(np.arange(120))
        expected = sum(
            branches[k] * np.concatenate([np.zeros(k), stats.nbinom(k, 0.4).pmf(np.arange(161 - k))])
            for k in range(1, 120)
        )
        expected[0] += branches[0]
        np.testing.assert_allclose(prob[m - 1] / M_PMF[m - 1], expected, rtol=1e-10)


def test_means_and_layout_of_the_table():
    found = table()
    assert found.prob.shape == (8 * 161,)
    np.testing.assert_allclose(found.prob.sum(), 1.0, rtol=1e-14)
    np.testing.assert_array_equal(found.m.reshape(8, -1)[:, 0], np.arange(1, 9))
    np.testing.assert_array_equal(found.F.reshape(8, -1)[0], np.arange(161))
    np.testing.assert_allclose(found.prob @ found.F, M_PMF @ np.arange(1, 9) * 0.35 / (0.65 * 0.4), rtol=1e-11)
    np.testing.assert_allclose(found.acc, 0.9 * (1 - found.s) ** 2, rtol=1e-13)


def test_stated_values():
    found = correlations()
    expected = (0.3116, 0.4650, -0.5757, -0.4175, -0.2924, 0.0702, 0.0)
    np.testing.assert_allclose(found, expected, atol=5e-5)
    prob, m, F, s, acc = table()
    pick = program(theory.lowest_key_accuracy)
    for N, by_s, by_L in ((1, 0.3116, 0.3116), (16, 0.8609, 0.7954), (64, 0.8999, 0.8832)):
        np.testing.assert_allclose([pick(prob, s, acc, N), pick(prob, m + F, acc, N)], [by_s, by_L], atol=5e-5)


def test_correlations_equal_sums_over_traces_reviews_and_outcomes():
    point = dict(phi=0.2, g=0.2, m_pmf=np.array([0.5, 0.5]), F_max=32)
    prob, m, F, s, acc = (np.asarray(x) for x in table(**point))
    binomial = lambda n, k, r: comb(int(n), k) * r**k * (1 - r) ** (n - k)
    cells = [
        (p * binomial(m_, k, 0.1) * binomial(F_, j, 0.4) * (a if c else 1 - a), c, s_, m_ + F_, (k + j) / (m_ + F_))
        for p, m_, F_, s_, a in zip(prob, m, F, s, acc)
        for k, j, c in product(range(int(m_) + 1), range(int(F_) + 1), (0, 1))
    ]
    weight, *x = np.array(cells).T
    cov = np.cov(np.array(x), aweights=weight, ddof=0)
    corr = cov / np.sqrt(np.outer(np.diag(cov), np.diag(cov)))
    partial = lambda i: (corr[0, i] - corr[0, 1] * corr[1, i]) / np.sqrt((1 - corr[0, 1] ** 2) * (1 - corr[1, i] ** 2))
    expected = [weight @ x[0], weight @ x[1], corr[0, 1], corr[0, 2], corr[0, 3], partial(2), partial(3)]
    np.testing.assert_allclose(correlations(**point), expected, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("phi", [0.1, 0.35, 0.5])
def test_what_the_share_of_failed_steps_leaves_to_say(phi):
    for J in (1.0, 2.0, 4.0, 0.5):
        found = correlations(phi=phi, J=J, F_max=230)
        assert abs(found.partial_RR) < 1e-10
        assert (abs(found.partial_L) < 1e-10) == (J == 1)
    assert abs(correlations(phi=phi, F_max=230, r_f=0.1).corr_RR) < 1e-10


def test_correlations_with_a_constant_are_flagged():
    nothing_fails = correlations(phi=0.0)
    assert np.isnan(nothing_fails.corr_s) and np.isnan(nothing_fails.partial_L)
    np.testing.assert_allclose((nothing_fails.acc, nothing_fails.corr_L), (0.9, 0.0), atol=1e-12)
    assert np.isnan(correlations(r_m=0.0, r_f=0.0).corr_RR)
    assert np.isnan(correlations(p0=0.0).corr_s)


@pytest.mark.slow
def test_the_review_table_has_the_marginals_of_its_parts():
    point = dict(phi=0.3, g=0.3, m_pmf=np.array([0.2, 0.8]), F_max=60)
    found, base = program(theory.failed_step_review_table)(**{**STATED, **REVIEWS, **point}), table(**point)
    np.testing.assert_allclose(found.prob.reshape(2 * 61, -1).sum(1), base.prob, atol=1e-14)
    mean = (1 - base.s) * 0.1 + base.s * 0.4
    np.testing.assert_allclose(found.prob @ found.RR, base.prob @ mean, rtol=1e-11)
    np.testing.assert_allclose(found.prob @ found.acc, base.prob @ base.acc, rtol=1e-12)
    cell = found.prob.reshape(2, 61, -1)[1, 3]  # two main steps, three failed ones
    expected = np.convolve(stats.binom(2, 0.1).pmf(range(3)), stats.binom(3, 0.4).pmf(range(4)))
    np.testing.assert_allclose(cell[:6] / cell.sum(), expected, rtol=1e-12)


def test_selection_equals_the_enumeration_of_all_candidates():
    prob, key, acc = np.array([0.4, 0.1, 0.3, 0.2]), np.array([2.0, 1.0, 2.0, 3.0]), np.array([0.9, 0.2, 0.5, 0.7])
    for N in (1, 2, 3):
        total = 0.0
        for draw in product(range(4), repeat=N):
            best = [i for i in draw if key[i] == key[list(draw)].min()]
            total += np.prod(prob[list(draw)]) * acc[best].mean()
        np.testing.assert_allclose(theory.lowest_key_accuracy(prob, key, acc, N), total, rtol=1e-13)


def test_selection_knows_ties_and_the_order_of_keys_only():
    prob, _, _, s, acc = table()
    pick = program(theory.lowest_key_accuracy)
    np.testing.assert_allclose(pick(prob, 0 * s, acc, 7.0), prob @ acc, rtol=1e-12)
    np.testing.assert_allclose(pick(prob, np.exp(s), acc, 7.0), pick(prob, s, acc, 7.0), rtol=1e-12)
    rounded = s + 1e-14 * np.sin(np.arange(len(s)))
    np.testing.assert_allclose(pick(prob, rounded, acc, 7.0), pick(prob, s, acc, 7.0), rtol=1e-12)


def test_editing_ends_at_the_answer_that_is_not_spoiled():
    edited = program(theory.failed_step_editing_accuracy)
    np.testing.assert_allclose(edited(**STATED, q=1.0), 0.9, rtol=1e-14)
    np.testing.assert_allclose(edited(**STATED, q=0.0), correlations().acc, rtol=1e-13)


def test_deleted_branches_leave_a_trace_of_the_same_kind():
    """Thinning each geometric number of branches."""
    phi, q = 0.35, 0.3
    count = np.arange(200)
    thinned = stats.binom(count[:, None], 1 - q).pmf(np.arange(6)).T @ ((1 - phi) * phi**count)
    new = float(theory.branch_editing_phi(phi, q))
    np.testing.assert_allclose(thinned, (1 - new) * new ** np.arange(6), rtol=1e-12)
    assert theory.branch_editing_phi(phi, 1.0) == 0.0 and theory.branch_editing_phi(phi, 0.0) == phi


def test_accuracy_in_intervals_averages_to_the_accuracy():
    prob, _, _, s, acc = table()
    inside = program(theory.key_interval_accuracy)
    edges = [0.0, 0.2, 0.5, 1.1]
    mass = [prob[(s >= a - 1e-9) & (s < b - 1e-9)].sum() for a, b in pairwise(edges)]
    parts = [inside(prob, s, acc, a, b) for a, b in pairwise(edges)]
    np.testing.assert_allclose(np.dot(mass, parts), prob @ acc, rtol=1e-12)
    np.testing.assert_allclose(inside(prob, s, acc, 0.5, 0.5 + 1e-6), 0.9 * 0.25, rtol=1e-12)
    assert np.isnan(inside(prob, s, acc, 2.0, 3.0))


def test_one_kind_of_question_is_no_mixture():
    alone = correlations()
    both = mixed(np.array([0.0, 1.0]))
    np.testing.assert_allclose(both[:3], [alone.corr_s, alone.corr_L, alone.corr_RR], rtol=1e-12)
    np.testing.assert_allclose(both[3:], both[:3], rtol=1e-12)


def test_pooled_correlations_are_those_of_the_mixed_traces():
    both = mixed(np.array([0.3, 0.7]))
    tables = [table(phi=phi, F_max=220) for phi in (0.2, 0.35)]
    prob = np.concatenate([w * t.prob for w, t in zip((0.3, 0.7), tables)])
    s, acc, L = (np.concatenate(x) for x in zip(*((t.s, t.acc, t.m + t.F) for t in tables)))
    right = prob @ acc
    for x, found in ((s, both.pooled_s), (L, both.pooled_L)):
        mean = prob @ x
        corr = (prob @ (acc * x) - right * mean) / np.sqrt(right * (1 - right) * (prob @ x**2 - mean**2))
        np.testing.assert_allclose(found, corr, rtol=1e-11)


def test_nodes_of_the_beta_law():
    law = problems.beta_phi_law(6, 10, 8)
    for power in range(5):
        np.testing.assert_allclose(law.weights @ law.phis**power, stats.beta(6, 10).moment(power), rtol=1e-12)


# ----------------------------------------------------------------------------------- derivatives, batching, bad input

MIXED_REST = (0.6, M_PMF, 220, 0.9, 2.0, 0.1, 0.4)
PMF = np.array([0.0, 0.3, 0.7])
SMALL = dict(phi=0.2, g=0.3, p0=0.9, J=2.0)
STATIC = dict(m_pmf=PMF, F_max=60)


def columns(phi, g, p0, J, m_pmf, F_max):
    found = theory.failed_step_table(phi, g, m_pmf, F_max, p0, J)
    return found.prob[:40], found.acc[:40], found.prob @ found.F


def mixed(weights, phis=np.array([0.2, 0.35])):  # noqa: B008
    return program(theory.mixed_failed_step_correlations)(
        phis, weights, *MIXED_REST[:2], F_max=220, **dict(p0=0.9, J=2.0), **REVIEWS
    )


def mixture(phis, g, p0, J, r_m, r_f):
    return theory.mixed_failed_step_correlations(phis, np.array([0.4, 0.6]), g, PMF, 60, p0, J, r_m, r_f)


def shifted(phi, g, p0, J, r_m, r_f, m_pmf, F_max):
    """With one added to the partial correlation that vanishes, for the sake of relative deviations."""
    found = theory.failed_step_correlations(phi, g, m_pmf, F_max, p0, J, r_m, r_f)
    return found._replace(partial_RR=1 + found.partial_RR)


def review_key(phi, g, p0, J, r_m, r_f, m_pmf, F_max):
    found = theory.failed_step_review_table(phi, g, m_pmf, F_max, p0, J, r_m, r_f)
    return found.prob @ found.RR**2, found.prob @ found.acc


THREE = dict(prob=np.array([0.5, 0.3, 0.2]), acc=np.array([0.9, 0.5, 0.1]))
TABLE = Case(columns, SMALL, **STATIC)
CORRELATIONS = Case(shifted, {**SMALL, **REVIEWS}, **STATIC)
MIXED = Case(mixture, dict(phis=np.array([0.1, 0.25]), g=0.3, p0=0.9, J=2.0, **REVIEWS))
REVIEW = Case(review_key, {**SMALL, **REVIEWS}, **STATIC)
EDITING = Case(theory.failed_step_editing_accuracy, dict(**SMALL, q=0.4), **STATIC)
BRANCHES = Case(theory.branch_editing_phi, dict(phi=0.3, q=0.4))
LOWEST = Case(
    lambda acc, n_candidates: theory.lowest_key_accuracy(THREE["prob"], np.array([2.0, 1.0, 2.0]), acc, n_candidates),
    dict(acc=THREE["acc"], n_candidates=3.0),
)
SLOW_REVIEW = pytest.param(REVIEW, marks=pytest.mark.slow)
SLOW_EDITING = pytest.param(EDITING, marks=pytest.mark.slow)
SLOW_CORRELATIONS = pytest.param(CORRELATIONS, marks=pytest.mark.slow)
CASES = [SLOW_CORRELATIONS, SLOW_REVIEW, SLOW_EDITING, BRANCHES, LOWEST]
IDS = ["correlations", "review", "editing", "branches", "lowest key"]


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_derivatives(case):
    check_derivatives(case)


@pytest.mark.parametrize("case", [SLOW_CORRELATIONS, BRANCHES, LOWEST], ids=["correlations", "branches", "lowest key"])
def test_batching(case):
    check_batching(case)


@pytest.mark.parametrize("case, named, bad", [
    (TABLE, "phi", dict(phi=1.0)),
    (TABLE, "g", dict(g=-0.1)),
    (TABLE, "p0", dict(p0=1.1)),
    (TABLE, "J", dict(J=-1.0)),
    (TABLE, "F_max", dict(phi=0.6)),
    (CORRELATIONS, "r_m", dict(r_m=1.5)),
    (CORRELATIONS, "r_f", dict(r_f=-0.5)),
    (MIXED, "phis", dict(phis=np.array([0.1, 1.0]))),
    (EDITING, "q", dict(q=1.5)),
    (BRANCHES, "phi", dict(phi=1.0)),
    (BRANCHES, "q", dict(q=-0.5)),
    (LOWEST, "n_candidates", dict(n_candidates=0.5)),
    (LOWEST, "acc", dict(acc=np.array([0.5, 0.5, 1.5]))),
])  # fmt: skip
def test_outside_the_domain(case, named, bad):
    check_refusal(case, named, **bad)


@pytest.mark.parametrize("call, message", [
    (lambda: theory.failed_step_table(0.3, 0.3, np.array([0.5, 0.6]), 60, 0.9, 2), "m_pmf"),
    (lambda: theory.failed_step_table(0.3, 0.3, np.array([1.5, -0.5]), 60, 0.9, 2), "m_pmf"),
    (lambda: theory.failed_step_table(0.3, 0.3, np.zeros(0), 60, 0.9, 2), "m_pmf"),
    (lambda: theory.failed_step_table(0.3, 0.3, PMF, -1, 0.9, 2), "F_max = -1"),
    (lambda: theory.lowest_key_accuracy(np.full(3, 0.5), np.zeros(3), np.zeros(3), 2), "prob"),
    (lambda: theory.lowest_key_accuracy(THREE["prob"], np.full(3, np.nan), np.zeros(3), 2), "key"),
    (lambda: theory.key_interval_accuracy(THREE["prob"], np.zeros(3), np.zeros(3), 1.0, 1.0), "high"),
    (lambda: theory.mixed_failed_step_correlations(PMF[1:], np.array([0.5, 0.6]), *MIXED_REST), "weights"),
    (lambda: theory.mixed_failed_step_correlations(PMF[1:], np.array([1.5, -0.5]), *MIXED_REST), "weights"),
    (lambda: problems.beta_phi_law(0.0, 1.0, 3), "alpha = 0"),
    (lambda: problems.beta_phi_law(1.0, 1.0, 0), "nodes = 0"),
])  # fmt: skip
def test_messages(call, message):
    with pytest.raises(ValueError, match=rf"{message}.* outside its domain"):
        call()


def test_different_lengths_are_refused():
    with pytest.raises(Exception, match=r"entries|annotation|[Tt]ype-check"):
        theory.lowest_key_accuracy(np.ones(1), np.zeros(2), np.zeros(2), 2)
    with pytest.raises(Exception, match=r"entries|annotation|[Tt]ype-check"):
        theory.mixed_failed_step_correlations(np.array([0.1]), np.array([0.5, 0.5]), *MIXED_REST)


def test_every_predictor_names_its_source():
    for name in theory.failed_steps.__all__:
        if name[0].islower():
            assert "2509.19284" in cite(getattr(theory, name))
