"""The best of n responses: its exact law with ties, its divergence, and its gap to the tilt on sequences."""

from decimal import Decimal, getcontext
from functools import cache
from itertools import product

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxtyping import TypeCheckError
from predictor_checks import Case, check_batching, check_derivatives

from theorylab import cite, theory
from theorylab.problems.policies import kl_divergence

LOGP = np.log([0.5, 0.3, 0.2])
STEPS = (0, 1, 3)


@cache
def compiled(name):
    return jax.jit(getattr(theory, name))


@cache
def gap(n_symbols, reward=STEPS):
    return jax.jit(lambda logref, delta: theory.best_of_n_tilt_gap(logref, reward, n_symbols, delta))


def uniform(outcomes):
    return np.full(outcomes, -np.log(outcomes)), np.arange(float(outcomes))


@jax.jit
def divergence(logref, reward, n):
    return kl_divergence(theory.best_of_n_log_probabilities(logref, reward, n), logref)


# ------------------------------------------------------------------------------------------ the law, by its definition


@pytest.mark.parametrize("n", [1, 2, 5])
@pytest.mark.parametrize("reward", [[2.0, 0.0, 2.0, 1.0], [0.0, 0.0, 0.0, 0.0], [-1.0, 5.0, 3.0, 4.0]])
def test_law_equals_an_enumeration_of_all_draws(n, reward):
    """The first of the best, over all 4^n sequences of responses."""
    p = np.array([0.4, 0.3, 0.2, 0.1])
    expected = np.zeros(4)
    for draws in product(range(4), repeat=n):
        expected[max(draws, key=lambda y: reward[y])] += np.prod(p[list(draws)])
    law = np.exp(compiled("best_of_n_log_probabilities")(np.log(p), np.array(reward), float(n)))
    np.testing.assert_allclose(law, expected, rtol=1e-13)


def test_one_response_is_the_reference_and_many_are_its_best_level():
    logref = np.log([0.4, 0.3, 0.2, 0.1])
    law = lambda n: np.exp(compiled("best_of_n_log_probabilities")(logref, np.array([2.0, 0, 2, 1]), n))
    np.testing.assert_allclose(law(1.0), np.exp(logref), rtol=1e-14)
    np.testing.assert_allclose(law(1e6), [2 / 3, 0, 1 / 3, 0], atol=1e-15)


@pytest.mark.parametrize("n", [2, 10_000])
def test_ten_thousand_responses_without_overflow(n):
    """Against 60 decimal digits, over the whole range: the lowest probability is 10^-40000 and stays a logarithm."""
    getcontext().prec = 60
    logref, reward = uniform(10_000)
    shuffle = np.random.default_rng(0).permutation(10_000)
    logp = np.asarray(compiled("best_of_n_log_probabilities")(logref, reward[shuffle], float(n)))
    assert np.all(np.isfinite(logp))
    np.testing.assert_allclose(np.exp(logp).sum(), 1, rtol=1e-12)
    for rank in (0, 1, 17, 4999, 9000, 9998, 9999):
        power = lambda k: (Decimal(k) / 10_000) ** n
        expected = float((power(rank + 1) - power(rank)).ln())
        np.testing.assert_allclose(logp[np.argsort(shuffle)[rank]], expected, rtol=1e-12, err_msg=f"rank {rank}")


def test_extreme_numbers_of_responses_and_probabilities():
    logref = np.array([-1e-300, -800.0, -900.0])  # the better responses have probabilities below every float
    logp = compiled("best_of_n_log_probabilities")(logref, np.array([0.0, 1.0, 2.0]), 1e4)
    np.testing.assert_allclose(logp[1:], np.log(10_000) + logref[1:], rtol=1e-12)
    for n in (1e100, 1e300):
        logp = compiled("best_of_n_log_probabilities")(LOGP, np.array(STEPS, float), n)
        np.testing.assert_allclose(np.exp(logp), [0, 0, 1], atol=1e-15)


# ------------------------------------------------------------------------------------------------- divergence, win rate


def test_the_bound_is_reached_by_a_continuum_only():
    """Stated values at n = 8, and two equally likely responses."""
    bound = float(theory.best_of_n_kl_bound(8))
    np.testing.assert_allclose(bound, 1.2044415, atol=5e-8)
    np.testing.assert_allclose(divergence(*uniform(100), 8.0), 1.204169, atol=5e-7)
    np.testing.assert_allclose(divergence(*uniform(10_000), 8.0), 1.2044415, atol=5e-8)
    assert divergence(*uniform(10_000), 8.0) < bound
    for n in (1.0, 2.0, 8.0, 1000.0):
        assert divergence(*uniform(2), n) <= min(np.log(2) + 1e-15, float(theory.best_of_n_kl_bound(n)) + 1e-15)


def test_estimator_is_exact_for_one_atom_above_a_continuum():
    """The atom is selected with probability 1 - (1-eps)^n; responses of the fine remainder have D(0) = the bound."""
    n, eps, fine = 8, 0.2, 9_999
    logref = np.log(np.append(np.full(fine, (1 - eps) / fine), eps))
    exact = divergence(logref, np.arange(fine + 1.0), float(n))
    np.testing.assert_allclose(theory.best_of_n_kl_estimator(eps, n), 1.12659203, atol=5e-9)
    np.testing.assert_allclose(exact, 1.12659203, atol=1e-6)


def test_estimator_at_its_ends():
    assert theory.best_of_n_kl_estimator(1.0, 8) == 0
    np.testing.assert_allclose(theory.best_of_n_kl_estimator(1e-200, 8), theory.best_of_n_kl_bound(8), rtol=1e-14)
    np.testing.assert_allclose(theory.best_of_n_kl_estimator(0.3, 1), 0, atol=1e-15)


def test_win_rate_is_the_mean_quantile():
    assert float(theory.best_of_n_win_rate(4)) == 0.8
    law = np.exp(compiled("best_of_n_log_probabilities")(*uniform(10_000), 4.0))
    np.testing.assert_allclose(law @ (np.arange(10_000) + 0.5) / 10_000, 0.8, atol=1e-7)


# ------------------------------------------------------------------------------------------------------------ sequences

TABLE = {5: 1.874, 10: 2.407, 20: 2.876, 40: 3.361, 80: 3.880, 160: 4.421, 320: 4.976, 640: 5.537, 1280: 6.104}


@pytest.mark.parametrize("n", [5, 40, pytest.param(160, marks=pytest.mark.slow)])
def test_stated_gaps(n):
    found = gap(n)(LOGP, 0.3)
    np.testing.assert_allclose(n * (found.tilt - found.bon), TABLE[n], atol=5e-4)
    np.testing.assert_allclose((found.lam, found.tilt), (0.60341, 1.856390), atol=5e-6)
    kl = {40: 0.0251, 160: 0.0103}
    if n in kl:
        np.testing.assert_allclose(found.kl_bon_tilt, kl[n], atol=6e-5)


@pytest.mark.slow
def test_all_stated_gaps_and_their_slope():
    found = {n: gap(n)(LOGP, 0.3) for n in TABLE}
    gaps = {n: float(n * (f.tilt - f.bon)) for n, f in found.items()}
    np.testing.assert_allclose(list(gaps.values()), list(TABLE.values()), atol=5e-4)
    np.testing.assert_allclose(found[640].kl_bon_tilt, 0.0036, atol=5e-5)
    np.testing.assert_allclose((gaps[1280] - gaps[320]) / np.log(4), 1 / (2 * 0.60341), rtol=0.03)


def test_gap_equals_an_enumeration_of_sequences():
    """All 3^6 sequences with a negative reward; best of N by the law over sequences, N = e^(6 delta) not whole."""
    n, delta, reward = 6, 0.35, (-1, 0, 2)
    found = gap(n, reward)(LOGP, delta)
    words = list(product(range(3), repeat=n))
    logref = np.array([LOGP[list(word)].sum() for word in words])
    total = np.array([sum(reward[y] for y in word) for word in words], float)
    best = np.asarray(compiled("best_of_n_log_probabilities")(logref, total, np.exp(n * delta)))
    tilt = np.asarray(compiled("tilted_policy")(logref, total, found.lam))
    np.testing.assert_allclose(kl_divergence(tilt, logref), n * delta, rtol=1e-12)
    expected = (
        found.lam, np.exp(best) @ total / n, np.exp(tilt) @ total / n,
        np.exp(best) @ (best - tilt) / n, np.exp(best) @ (best - logref) / n,
    )  # fmt: skip
    np.testing.assert_allclose(found, expected, rtol=1e-11)


# ----------------------------------------------------------------------------------- derivatives, batching, bad input


def of_logits(logits, reward, n_best, eps):
    logref = jax.nn.log_softmax(logits)
    return (
        theory.best_of_n_log_probabilities(logref, reward, n_best),
        theory.best_of_n_kl_bound(n_best),
        theory.best_of_n_win_rate(n_best),
        theory.best_of_n_kl_estimator(eps, n_best),
    )


CASE = Case(of_logits, dict(logits=np.array([0.5, -0.3, 0.4, -1.0]), reward=np.array([3.0, 0.4, 1.0, 3.0]), n_best=4.5,
                            eps=0.2))  # fmt: skip


def test_derivatives():
    """Along directions in which the tie of two responses breaks there is no derivative: rewards stay."""
    check_derivatives(Case(lambda logits, n_best, eps: CASE(logits=logits, n_best=n_best, eps=eps),
                           {name: value for name, value in CASE.real.items() if name != "reward"}))  # fmt: skip


def test_batching():
    check_batching(CASE)


def test_gap_differentiates_and_batches():
    """n = 40, where levels of the sum have no sequence: in the budget and along a direction of the logits."""
    run = lambda s: jnp.stack(gap(40)(jax.nn.log_softmax(LOGP + s * jnp.array([1.0, 0.3, -0.5])), 0.3 + 0.1 * s))
    both = jax.jit(lambda s: (run(s), jax.jvp(run, (s,), (1.0,))[1], jax.jacrev(run)(s)))
    _, forward, backward = both(0.0)
    h = 1e-3
    points = [jax.jit(run)(s) for s in (h, -h, 2 * h, -2 * h)]
    expected = (8 * (points[0] - points[1]) - (points[2] - points[3])) / (12 * h)
    np.testing.assert_allclose(forward, expected, rtol=1e-7)
    np.testing.assert_allclose(backward, forward, rtol=1e-9)
    np.testing.assert_allclose(jax.jit(jax.vmap(run))(jnp.array([h, -h])), points[:2], rtol=1e-12)


UNNORMALISED, GAP = np.log([0.5, 0.3, 0.3]), np.array([np.log(0.5), np.log(0.5), -np.inf])
REWARD = np.arange(3.0)


@pytest.mark.parametrize("name, arguments, named", [
    ("best_of_n_log_probabilities", (UNNORMALISED, REWARD, 2.0), "logref"),
    ("best_of_n_log_probabilities", (GAP, REWARD, 2.0), "logref"),
    ("best_of_n_log_probabilities", (LOGP, np.array([0.0, np.nan, 1.0]), 2.0), "reward"),
    ("best_of_n_log_probabilities", (LOGP, REWARD, 0.5), "n_best"),
    ("best_of_n_kl_bound", (0.0,), "n_best"),
    ("best_of_n_win_rate", (np.inf,), "n_best"),
    ("best_of_n_kl_estimator", (0.0, 2.0), "eps"),
    ("best_of_n_kl_estimator", (1.1, 2.0), "eps"),
    ("best_of_n_kl_estimator", (0.5, 0.9), "n_best"),
])  # fmt: skip
def test_outside_the_domain(name, arguments, named):
    with pytest.raises(ValueError, match=rf"^{named} = .* outside its domain"):
        getattr(theory, name)(*arguments)
    traced = compiled(name)(*(jnp.asarray(a, float) for a in arguments))
    assert np.all(np.isnan(traced))


@pytest.mark.parametrize("logref, n_symbols, delta, named", [
    (UNNORMALISED, 5, 0.3, "logref"), (GAP, 5, 0.3, "logref"), (LOGP, 0, 0.3, "n_symbols"), (LOGP, 5, -0.1, "delta"),
    (LOGP, 5, 1.6095, "delta"), (LOGP, 2001, 0.3, "delta = 0.3 .*<= 600"),
])  # fmt: skip
def test_sequences_outside_the_domain(logref, n_symbols, delta, named):
    with pytest.raises(ValueError, match=named):
        theory.best_of_n_tilt_gap(logref, STEPS, n_symbols, delta)
    if n_symbols == 5:
        assert np.all(np.isnan(gap(5)(logref, delta)))


def test_shapes_must_agree():
    with pytest.raises((ValueError, TypeCheckError)):
        theory.best_of_n_log_probabilities(LOGP, REWARD[:2], 2.0)


def test_every_predictor_names_its_source():
    assert "beirami2024" in cite(theory.best_of_n_log_probabilities)
    assert "yang2024" in cite(theory.best_of_n_tilt_gap)
