"""Entropy of softmax policies: the first-order law, its remainder, the fit of rewards, and the sizes of gradients."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from predictor_checks import Case, check_batching, check_derivatives, check_refusal

from theorylab import cite, theory
from theorylab.problems.policy_entropy_steps import (
    aligned_policy_step,
    categorical_entropy,
    entropy_change_of_step,
    random_policy_step,
)

RULES = pytest.mark.parametrize("natural", [False, True])

change = jax.jit(theory.policy_entropy_change, static_argnames="natural")
remainder = jax.jit(theory.policy_entropy_remainder, static_argnames="natural")
realised = jax.jit(entropy_change_of_step, static_argnames="natural")


def entropy(logits):
    return categorical_entropy(jax.nn.log_softmax(logits))


@jax.jit
def taylor(logits, v):
    """First and second derivative of the entropy along v, by differentiation."""
    along = lambda s: entropy(logits + s * v)
    return jax.grad(along)(0.0), jax.grad(jax.grad(along))(0.0)


def direction(logpi, adv, natural):
    """Gradient of the expected advantage in the logits; times the pseudo-inverse of the Fisher matrix, if natural."""
    pi = np.exp(logpi)
    fisher = np.diag(pi) - np.outer(pi, pi)
    return np.linalg.pinv(fisher) @ fisher @ adv if natural else fisher @ adv


@RULES
def test_the_law_and_its_remainder_are_the_taylor_series_of_the_entropy(natural):
    for instance in range(20):
        logpi, adv = random_policy_step(instance, 6)
        first, second = taylor(logpi, direction(logpi, adv, natural))
        np.testing.assert_allclose(change(logpi, adv, 0.01, natural=natural), 0.01 * first, rtol=1e-10, atol=1e-15)
        np.testing.assert_allclose(remainder(logpi, adv, natural=natural), second / 2, rtol=1e-10, atol=1e-13)


@RULES
def test_what_is_left_of_an_exact_step_is_cubic(natural):
    logpi, adv = random_policy_step(3, 6)
    left = [
        realised(logpi, adv, eta, natural=natural)
        - change(logpi, adv, eta, natural=natural)
        - eta**2 * remainder(logpi, adv, natural=natural)
        for eta in (4e-2, 2e-2, 1e-2)
    ]
    np.testing.assert_allclose(np.divide(left[:-1], left[1:]), 8, rtol=0.05)


@RULES
def test_median_error_below_one_per_cent_up_to_a_step_of_0_01(natural):
    for eta in (1e-3, 1e-2):
        errors = [
            realised(*step, eta, natural=natural) / change(*step, eta, natural=natural) - 1
            for step in (random_policy_step(i, 6) for i in range(100))
        ]
        assert np.median(np.abs(errors)) < 0.01


@RULES
@pytest.mark.parametrize("likely, advantage, sign", [(True, 1, -1), (False, 1, 1), (True, -1, 1), (False, -1, -1)])
def test_signs(natural, likely, advantage, sign):
    """Raising the likely answer costs entropy, raising the rare one gives some; and the other way round."""
    pi = np.array([0.6, 0.25, 0.1, 0.05])
    adv = advantage * np.array([1.0, 0, 0, 0] if likely else [0, 0, 0, 1.0])
    assert np.sign(change(np.log(pi), adv, 0.1, natural=natural)) == sign
    assert np.sign(realised(np.log(pi), adv, 0.1, natural=natural)) == sign


@RULES
def test_constant_advantages_and_uniform_policies(natural):
    logpi, adv = random_policy_step(1, 6)
    np.testing.assert_allclose(change(logpi, np.full(6, 3.0), 0.1, natural=natural), 0, atol=1e-16)
    np.testing.assert_allclose(change(logpi, adv + 5, 0.1, natural=natural), change(logpi, adv, 0.1, natural=natural))
    np.testing.assert_allclose(change(np.full(6, -np.log(6)), adv, 0.1, natural=natural), 0, atol=1e-16)


def test_natural_change_of_an_aligned_step_is_minus_its_covariance():
    for alignment in (-0.9, 0.3, 1.0):
        logpi, adv = aligned_policy_step(alignment, 8)
        pi = np.exp(logpi)
        np.testing.assert_allclose([pi.sum(), pi @ adv, pi @ adv**2], [1, 0, 1], atol=1e-14)
        std = np.sqrt(pi @ logpi**2 - (pi @ logpi) ** 2)
        np.testing.assert_allclose(change(logpi, adv, 0.1, natural=True), -0.1 * alignment * std, rtol=1e-12)


# -------------------------------------------------------------------------------------------------- fit, score norms

H = np.array([2.4, 2.0, 1.5, 1.2, 0.7, 0.5])
R = np.array([0.05, 0.3, 0.45, 0.62, 0.7, 0.81])


def test_fit_equals_numpy():
    law = theory.fit_entropy_reward_law(H, R)
    slope, b = np.polyfit(np.exp(H), R, 1)
    np.testing.assert_allclose((law.a, law.b), (-slope, b), rtol=1e-12)
    np.testing.assert_allclose(law.r2, np.corrcoef(np.exp(H), R)[0, 1] ** 2, rtol=1e-12)
    np.testing.assert_allclose(theory.fit_entropy_reward_law(H, 0.9 - 0.07 * np.exp(H)), (0.07, 0.9, 1), rtol=1e-12)


def test_score_norm_equals_the_derivative_and_lies_within_its_bounds():
    norm = jax.jit(theory.softmax_score_norm)
    score = jax.jit(jax.jacobian(jax.nn.log_softmax))
    rng = np.random.default_rng(0)
    for spread in (0.1, 1, 3):
        logits = spread * rng.normal(size=7)
        pi = np.exp(logits) / np.exp(logits).sum()
        expected = np.linalg.norm(score(logits), axis=1)
        norms = np.array([norm(pi, a) for a in range(7)])
        np.testing.assert_allclose(norms, expected, rtol=1e-11)
        assert np.all(norms <= np.sqrt(2) * (1 - pi) * (1 + 1e-12))
        assert np.all(norms >= np.sqrt(7 / 6) * (1 - pi) * (1 - 1e-12))
        assert np.all(np.diff(norms[np.argsort(pi)]) < 0)
    # both bounds are reached
    np.testing.assert_allclose(norm(np.full(7, 1 / 7), 2), np.sqrt(7 / 6) * 6 / 7, rtol=1e-14)
    np.testing.assert_allclose(norm(np.array([0.3, 0.7, 0.0]), 0), np.sqrt(2) * 0.7, rtol=1e-14)
    certain = np.array([1.0, 0.0, 0.0])
    assert norm(certain, 0) == 0
    assert np.all(np.isfinite(jax.jit(jax.grad(theory.softmax_score_norm))(certain, 0)))


# ----------------------------------------------------------------------------------- derivatives, batching, bad input


def law_at(logits, adv, eta, natural):
    logpi = jax.nn.log_softmax(logits)
    return (
        theory.policy_entropy_change(logpi, adv, eta, natural),
        theory.policy_entropy_remainder(logpi, adv, natural),
    )


def norm_at(logits):
    return theory.softmax_score_norm(jax.nn.softmax(logits), 2)


POINT = dict(logits=np.array([0.3, -0.5, 1.2, 0.9]), adv=np.array([1.0, 0.2, -0.7, 0.1]), eta=0.3)
CASES = [
    Case(law_at, POINT, natural=False),
    Case(law_at, POINT, natural=True),
    Case(norm_at, dict(logits=POINT["logits"])),
    Case(theory.fit_entropy_reward_law, dict(H=H, R=R)),
]
LOGPI = POINT["logits"] - np.logaddexp.reduce(POINT["logits"])
STEP = Case(theory.policy_entropy_change, dict(logpi=LOGPI, adv=POINT["adv"], eta=0.3))
NORM = Case(theory.softmax_score_norm, dict(pi=np.exp(LOGPI), a=1.0))


@pytest.mark.parametrize("case", CASES, ids=str)
def test_derivatives(case):
    check_derivatives(case)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_batching(case):
    check_batching(case)


@pytest.mark.parametrize("case, named, bad", [
    (STEP, "logpi", dict(logpi=LOGPI + 0.1)),
    (STEP, "logpi", dict(logpi=np.where(np.arange(4) == 1, -np.inf, LOGPI))),
    (STEP, "adv", dict(adv=np.array([0.1, np.nan, 0.2, 0.3]))),
    (STEP, "eta", dict(eta=-0.1)),
    (NORM, "pi", dict(pi=np.array([0.5, 0.4, 0.3, 0.1]))),
    (NORM, "pi", dict(pi=np.array([0.5, 0.4, 0.3, -0.2]))),
    (NORM, "a", dict(a=4.0)),
    (NORM, "a", dict(a=-1.0)),
    (NORM, "a", dict(a=1.5)),
    (CASES[3], "H", dict(H=-H)),
    (CASES[3], "H", dict(H=np.ones(6))),
    (CASES[3], "R", dict(R=np.ones(6))),
])  # fmt: skip
def test_outside_the_domain(case, named, bad):
    check_refusal(case, named, **bad)


@pytest.mark.parametrize("call, message", [
    (lambda: theory.policy_entropy_remainder(LOGPI + 0.1, POINT["adv"]), "logpi"),
    (lambda: theory.policy_entropy_change(LOGPI, np.ones(3), 0.1), "4 entries, but adv has 3"),
    (lambda: theory.fit_entropy_reward_law(H[:2], R[:2]), "H = .*at least three points"),
    (lambda: theory.fit_entropy_reward_law(H, R[:5]), "6 entries, but R has 5"),
    (lambda: random_policy_step(0, 1), "Y = 1"),
    (lambda: random_policy_step(-1, 4), "instance = -1"),
    (lambda: aligned_policy_step(1.5, 4), "alignment = 1.5"),
    (lambda: aligned_policy_step(0.5, 2), "Y = 2"),
])  # fmt: skip
def test_refusals(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_every_predictor_names_its_source():
    for predict in (theory.policy_entropy_change, theory.softmax_score_norm, theory.fit_entropy_reward_law):
        assert "Entropy Mechanism" in cite(predict)


def test_entropy_of_a_uniform_policy():
    np.testing.assert_allclose(categorical_entropy(jnp.full((2, 5), -np.log(5))), np.log(5), rtol=1e-14)
