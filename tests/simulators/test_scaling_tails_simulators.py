"""Simulators of heavy-tailed data: the same data through NumPy, exact means, faster forms equal in law."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import stats

from theorylab import problems, simulators, theory
from theorylab.simulators.scaling_tails._sampling import item_sampler

ZIPF = problems.zipf_probabilities(1.5, 300)
CUT = problems.truncate_tail(ZIPF, 20)
KEY = jax.random.key(0)


def replicates(simulate, count, seed=1, batch=64):
    """risk of many replicates, [replicate, ...]."""
    keys = jax.random.split(jax.random.key(seed), count)
    return np.asarray(jax.jit(lambda keys: jax.lax.map(simulate, keys, batch_size=batch))(keys)["risk"])


def z(risk, expected):
    """The deviation of the means in standard errors; 0 where nothing varies and everything agrees."""
    sem = risk.std(0, ddof=1) / np.sqrt(len(risk))
    gap = risk.mean(0) - expected
    return np.where(np.abs(gap) < 1e-12, 0.0, gap / np.where(sem > 0, sem, 1e-300))


# --------------------------------------------------------------------------------------------------------------- draws


def test_draws_follow_the_law():
    q = np.array([0.0, 0.5, 0.0, 0.3, 0.2, 0.0])
    draws = np.asarray(item_sampler(q)(jax.random.uniform(KEY, (100_000,))))
    counts = np.bincount(draws, minlength=6)
    assert (counts[q == 0] == 0).all()
    assert stats.chisquare(counts[q > 0], 1e5 * q[q > 0]).pvalue > 1e-3


def test_the_ends_of_the_unit_interval_are_possible_items():
    q = np.array([0.0, 0.5, 0.5, 0.0])
    items = item_sampler(q)(jnp.array([0.0, 0.5, 1 - 1e-16, 1.0]))
    assert_allclose(items, [1, 2, 2, 2])


# ------------------------------------------------------------------------------------------ the same data through NumPy


def numpy_draws(key, q, count):
    cumulative = np.cumsum(q)
    return np.searchsorted(cumulative, np.asarray(jax.random.uniform(key, (count,))) * cumulative[-1], side="right")


def test_unseen_items_of_the_same_draws():
    T = (0, 1, 10, 50, 400)
    draws = numpy_draws(jax.random.fold_in(KEY, 0), CUT, 400)
    expected = [ZIPF[~np.isin(np.arange(300), draws[:t])].sum() for t in T]
    assert_allclose(simulators.simulate_unseen_items(KEY, ZIPF, CUT, T)["risk"], expected, rtol=1e-13)
    assert_allclose(simulators.simulate_unseen_items(KEY, ZIPF, CUT, 400)["risk"], expected[-1], rtol=1e-13)


def test_a_long_stream_comes_in_chunks():
    T, chunk = (65_536, 65_537, 200_000), 65_536
    draws = np.concatenate([numpy_draws(jax.random.fold_in(KEY, i), ZIPF, chunk) for i in range(4)])
    expected = [ZIPF[~np.isin(np.arange(300), draws[:t])].sum() for t in T]
    assert_allclose(simulators.simulate_unseen_items(KEY, ZIPF, ZIPF, T)["risk"], expected, atol=1e-15)


def test_generations_of_the_same_draws():
    Ts = (30, 50, 20)
    data = numpy_draws(jax.random.fold_in(KEY, 0), ZIPF, 50)[:30]
    expected = []
    for g, size in enumerate(Ts):
        if g:
            picks = np.asarray(jax.random.randint(jax.random.fold_in(KEY, g), (50,), 0, Ts[g - 1]))
            data = data[picks][:size]
        expected.append(ZIPF[~np.isin(np.arange(300), data)].sum())
    risk = simulators.simulate_item_generations(KEY, ZIPF, Ts, (0, 1, 2))["risk"]
    assert_allclose(risk, expected, rtol=1e-13)
    assert_allclose(simulators.simulate_item_generations(KEY, ZIPF, Ts)["risk"], expected[-1], rtol=1e-13)
    assert_allclose(simulators.simulate_item_generations(KEY, ZIPF, Ts, (2, 0))["risk"], expected[::-2], rtol=1e-13)


def test_bigrams_of_the_same_draws():
    p_ctx, true = problems.zipf_probabilities(1.2, 4), problems.zipf_probabilities(1.5, 6)
    train, T = problems.truncate_tail(true, 3), (0, 7, 60)
    key_ctx, key_token = jax.random.split(KEY)
    contexts, tokens = numpy_draws(key_ctx, p_ctx, 60), numpy_draws(key_token, train, 60)
    expected = []
    for t in T:
        error = 0.0
        for i in range(4):
            counts = np.bincount(tokens[:t][contexts[:t] == i], minlength=6)
            error += p_ctx[i] * (np.abs(counts / counts.sum() - true).sum() / 2 if counts.sum() else 1)
        expected.append(error)
    assert_allclose(simulators.simulate_bigram(KEY, p_ctx, true, train, T)["risk"], expected, rtol=1e-13)
    assert_allclose(simulators.simulate_bigram(KEY, p_ctx, true, train, 60)["risk"], expected[-1], rtol=1e-13)


@pytest.mark.parametrize("random_outputs", [False, True])
def test_a_memory_of_the_same_draws(random_outputs):
    p, y, d = ZIPF[:40], np.arange(40) % 5, 8
    w, present = (p / p[0]) ** 0.5, np.linspace(0, 1, 40)
    key_items, key_outputs, key_present = jax.random.split(KEY, 3)
    e = np.asarray(jax.random.normal(key_items, (40, d)))
    e = e / np.linalg.norm(e, axis=1, keepdims=True)
    u = np.asarray(jax.random.normal(key_outputs, (5, d)))
    u = u / np.linalg.norm(u, axis=1, keepdims=True) if random_outputs else np.eye(5)
    stored = w * (np.asarray(jax.random.uniform(key_present, (40,))) < present)
    W = sum(stored[i] * np.outer(e[i], u[y[i]]) for i in range(40))
    expected = p[np.argmax(e @ W @ u.T, axis=1) != y].sum()
    simulated = simulators.simulate_associative_memory(KEY, p, w, y, 5, d, present, random_outputs)
    assert_allclose(simulated["risk"], expected, rtol=1e-13)


# ------------------------------------------------------------------------------------------------ exact means, |z| < 4


@pytest.mark.parametrize("simulate", [simulators.simulate_unseen_items, simulators.simulate_unseen_items_fast])
@pytest.mark.parametrize("q", [ZIPF, CUT, problems.narrow_tail(ZIPF, 0.7), 0.1 * ZIPF + 0.9 * CUT])
def test_unseen_items_have_the_exact_mean(simulate, q):
    T = (0, 1, 10, 100, 300)
    risk = replicates(lambda key: simulate(key, ZIPF, q, T), 1000)
    expected = [theory.unseen_item_error(ZIPF, q, t) for t in T]
    assert (np.abs(z(risk, expected)) < 4).all()


@pytest.mark.parametrize("Ts", [(20, 20, 20), (30, 90, 15)])
def test_generations_have_the_exact_mean(Ts):
    risk = replicates(lambda key: simulators.simulate_item_generations(key, ZIPF, Ts, (0, 1, 2)), 2000)
    expected = [theory.unseen_item_error_generations(ZIPF, Ts[: n + 1], "exact") for n in range(3)]
    assert (np.abs(z(risk, expected)) < 4).all()


@pytest.mark.parametrize("train", [problems.zipf_probabilities(1.5, 30),
                                   problems.truncate_tail(problems.zipf_probabilities(1.5, 30), 8)])  # fmt: skip
def test_bigrams_have_the_exact_mean(train):
    p_ctx, true, T = problems.zipf_probabilities(1.5, 20), problems.zipf_probabilities(1.5, 30), (0, 10, 100)
    risk = replicates(lambda key: simulators.simulate_bigram(key, p_ctx, true, train, T), 400)
    expected = [theory.bigram_total_variation_error(p_ctx, true, train, t) for t in T]
    assert (np.abs(z(risk, expected)) < 4).all()


@pytest.mark.slow
@pytest.mark.parametrize("beta", [1.5, 2.0])
@pytest.mark.parametrize("rho", [0.25, 1.0])
@pytest.mark.parametrize("random_outputs, error", [(False, 0.04), (True, 0.10)])
@pytest.mark.parametrize("T", [None, 300])
def test_memories_are_near_the_gaussian_theory(beta, rho, random_outputs, error, T):
    """Within four standard errors plus the stated relative error of the approximation, at d = 128."""
    p, y = problems.zipf_probabilities(beta, 1000), np.arange(1000) % 20
    present = None if T is None else 1 - (1 - p) ** T
    w = (p / p[0]) ** rho
    risk = replicates(
        lambda key: simulators.simulate_associative_memory(key, p, w, y, 20, 128, present, random_outputs), 200, batch=8
    )
    expected = theory.associative_memory_error(p, w, y, 20, 128, present, random_outputs)
    sem = risk.std(ddof=1) / np.sqrt(len(risk))
    assert abs(risk.mean() - expected) < 4 * sem + error * expected


# ------------------------------------------------------------------------------------- faster forms are equal in law


@pytest.mark.slow
@pytest.mark.parametrize("q", [ZIPF, 0.05 * ZIPF + 0.95 * CUT])
def test_the_fast_stream_has_the_law_of_the_direct_one(q):
    T = (10, 100, 1000)
    direct = replicates(lambda key: simulators.simulate_unseen_items(key, ZIPF, q, T), 1500)
    fast = replicates(lambda key: simulators.simulate_unseen_items_fast(key, ZIPF, q, T), 1500, seed=2)
    for k in range(len(T)):
        assert stats.ttest_ind(direct[:, k], fast[:, k]).pvalue > 1e-3
        assert stats.levene(direct[:, k], fast[:, k]).pvalue > 1e-3
        assert stats.ks_2samp(direct[:, k], fast[:, k]).pvalue > 1e-3
    correlation = lambda risk: np.arctanh(np.corrcoef(risk[:, 1], risk[:, 2])[0, 1])
    assert abs(correlation(direct) - correlation(fast)) < 4 * np.sqrt(2 / 1497)


def test_independent_items_have_another_law():
    """A planted fault: items that are seen independently of each other have the mean, but a larger variance."""
    T = 100
    direct = replicates(lambda key: simulators.simulate_unseen_items(key, ZIPF, ZIPF, T), 3000)
    rng = np.random.default_rng(0)
    independent = np.where(rng.random((3000, 300)) < (1 - ZIPF) ** T, ZIPF, 0).sum(1)
    assert abs(z(independent, direct.mean())) < 6
    assert stats.levene(direct, independent).pvalue < 1e-3


# ------------------------------------------------------------------------------------------------- identities, limits


def test_limits():
    assert_allclose(simulators.simulate_unseen_items(KEY, ZIPF, CUT, 0)["risk"], 1, rtol=1e-13)
    for simulate in (simulators.simulate_unseen_items, simulators.simulate_unseen_items_fast):
        assert_allclose(simulate(KEY, ZIPF, CUT, 20_000)["risk"], ZIPF[20:].sum(), rtol=1e-12)
        certain = np.eye(300)[0]
        assert_allclose(simulate(KEY, ZIPF, certain, (0, 1, 9))["risk"], [1, *[1 - ZIPF[0]] * 2], rtol=1e-12)
    memory = simulators.simulate_associative_memory(KEY, ZIPF, np.ones(300), np.arange(300) % 7, 7, 4000)
    assert memory["risk"] == 0


def test_a_curve_falls_and_generations_rise():
    T = tuple(range(1, 300, 7))
    for simulate in (simulators.simulate_unseen_items, simulators.simulate_unseen_items_fast):
        assert (np.diff(simulate(KEY, ZIPF, ZIPF, T)["risk"]) <= 0).all()
    risk = simulators.simulate_item_generations(KEY, ZIPF, (50,) * 9, tuple(range(9)))["risk"]
    assert (np.diff(risk) >= 0).all()


def test_a_billion_draws_are_a_matter_of_seconds():
    p = problems.zipf_probabilities(1.5, 10_000)
    T = tuple(int(10**x) for x in np.linspace(2, 9, 30))
    q = 0.01 * p + 0.99 * problems.truncate_tail(p, 100)
    risk = simulators.simulate_unseen_items_fast(KEY, p, q, T)["risk"]
    assert np.isfinite(risk).all() and risk[-1] < 1e-4


def test_vmap_is_the_loop():
    keys = jax.random.split(KEY, 3)
    for simulate in (
        lambda key: simulators.simulate_unseen_items(key, ZIPF, CUT, (5, 50)),
        lambda key: simulators.simulate_unseen_items_fast(key, ZIPF, CUT, (5, 50)),
        lambda key: simulators.simulate_item_generations(key, ZIPF, (9, 12)),
        lambda key: simulators.simulate_bigram(key, ZIPF[:3] / ZIPF[:3].sum(), ZIPF, CUT, 40),
        lambda key: simulators.simulate_associative_memory(key, ZIPF, ZIPF, np.arange(300) % 4, 4, 16),
    ):
        one = jax.jit(simulate)
        looped = [one(key)["risk"] for key in keys]
        assert_allclose(jax.jit(jax.vmap(simulate))(keys)["risk"], looped, rtol=1e-13)


# ---------------------------------------------------------------------------------------------------------- bad input

CLASSES = np.arange(300) % 4


@pytest.mark.parametrize("call, named", [
    (lambda: simulators.simulate_unseen_items(KEY, ZIPF, 2 * ZIPF, 5), "the sum of q"),
    (lambda: simulators.simulate_unseen_items(KEY, ZIPF, 0.5 * ZIPF, 5), "the sum of q"),
    (lambda: simulators.simulate_unseen_items(KEY, -ZIPF, ZIPF, 5), "p = "),
    (lambda: simulators.simulate_unseen_items(KEY, ZIPF, ZIPF[:4], 5), "the length of q"),
    (lambda: simulators.simulate_unseen_items(KEY, ZIPF, ZIPF, -5), "T = -5"),
    (lambda: simulators.simulate_unseen_items(KEY, ZIPF, ZIPF, ()), "T = ()"),
    (lambda: simulators.simulate_unseen_items(KEY, ZIPF, ZIPF, (5, 5)), "T = (5, 5)"),
    (lambda: simulators.simulate_unseen_items_fast(KEY, ZIPF, ZIPF, (5, 3)), "T = (5, 3)"),
    (lambda: simulators.simulate_unseen_items_fast(KEY, ZIPF, 0.5 * ZIPF, 5), "the sum of q"),
    (lambda: simulators.simulate_item_generations(KEY, ZIPF, ()), "Ts = ()"),
    (lambda: simulators.simulate_item_generations(KEY, ZIPF, (5, 0)), "Ts = (5, 0)"),
    (lambda: simulators.simulate_item_generations(KEY, ZIPF, (5, 5), (2,)), "generations = (2,)"),
    (lambda: simulators.simulate_item_generations(KEY, ZIPF, (5, 5), ()), "generations = ()"),
    (lambda: simulators.simulate_item_generations(KEY, 2 * ZIPF, (5, 5)), "the sum of p"),
    (lambda: simulators.simulate_bigram(KEY, 2 * ZIPF, ZIPF, ZIPF, 5), "the sum of p_ctx"),
    (lambda: simulators.simulate_bigram(KEY, ZIPF, ZIPF, 0.5 * ZIPF, 5), "the sum of cond_train"),
    (lambda: simulators.simulate_bigram(KEY, ZIPF, ZIPF, ZIPF[:9], 5), "the length of cond_train"),
    (lambda: simulators.simulate_bigram(KEY, ZIPF, ZIPF, ZIPF, -1), "T = -1"),
    (lambda: simulators.simulate_associative_memory(KEY, ZIPF, -ZIPF, CLASSES, 4, 8), "w = "),
    (lambda: simulators.simulate_associative_memory(KEY, ZIPF, ZIPF, CLASSES, 3, 8), "y = "),
    (lambda: simulators.simulate_associative_memory(KEY, ZIPF, ZIPF, CLASSES, 1, 8), "M = 1"),
    (lambda: simulators.simulate_associative_memory(KEY, ZIPF, ZIPF, CLASSES, 4, 0), "d = 0"),
    (lambda: simulators.simulate_associative_memory(KEY, ZIPF, ZIPF, CLASSES[:5], 4, 8), "the length of y"),
    (lambda: simulators.simulate_associative_memory(KEY, ZIPF, ZIPF, CLASSES, 4, 8, 2 * np.ones(300)), "present = "),
    (lambda: problems.add_rare_items(2 * ZIPF, ZIPF), "the sum of p"),
    (lambda: problems.zipf_head(1.0, 5), "beta = 1.0"),
    (lambda: problems.zipf_head(1.5, 0), "n_items = 0"),
])  # fmt: skip
def test_refusals_name_the_argument(call, named):
    with pytest.raises(ValueError, match="outside its domain") as raised:
        call()
    assert str(raised.value).startswith(named)


def test_single_precision_is_refused():
    with pytest.raises(ValueError, match="enable_x64"):
        simulators.simulate_unseen_items(KEY, ZIPF.astype(np.float32), ZIPF.astype(np.float32), 5)


# ------------------------------------------------------------------------------------------------------ infinite laws


def test_rare_items_complete_an_infinite_law():
    """One item for draws and one for tests stand for all ranks beyond the list."""
    p = problems.zipf_head(1.5, 2000)
    laws = problems.add_rare_items(p, problems.truncate_tail(p, 100))
    assert_allclose([laws.p.sum(), laws.q.sum()], 1, rtol=1e-13)
    assert_allclose(
        theory.unseen_item_error(*laws, 1e7), problems.zipf_head(1.5, 10**6)[100:].sum() + 7.65e-4, rtol=1e-4
    )
    clean = problems.add_rare_items(p, p)
    expected = theory.unseen_item_error_asymptotic(1.5, 100)
    assert_allclose(theory.unseen_item_error(*clean, 100), expected, rtol=0.003)  # its own error at T = 100 is 0.0022


# ----------------------------------------------------------------------------------------------------- planted faults


def test_planted_faults_of_a_simulator_are_caught():
    """The exact mean at |z| < 4 rejects wrong draws, wrong counts and wrong laws, with 1000 replicates."""
    T = (10, 100)
    expected = [theory.unseen_item_error(ZIPF, CUT, t) for t in T]
    for p, q, shift in ((ZIPF, ZIPF, 0), (CUT, CUT, 0), (ZIPF, CUT, 1), (ZIPF, np.roll(CUT, 1), 0)):
        sizes = tuple(t - shift for t in T)
        risk = replicates(lambda key, p=p, q=q, sizes=sizes: simulators.simulate_unseen_items(key, p, q, sizes), 1000)
        assert (np.abs(z(risk, expected)) > 4).any()
