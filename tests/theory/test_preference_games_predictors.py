"""Predictors of the regularised games of preferences: derivatives, batching, bad input."""

from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from predictor_checks import Case, check_batching, check_derivatives, check_refusal

from theorylab import theory
from theorylab.problems.preference_games import cyclic_game, random_game

WEAK = cyclic_game(0.4)

_rng = np.random.default_rng(5)
SCORES, LOGITS, POLICY = _rng.normal(size=(4, 4)), _rng.normal(size=4), _rng.normal(size=4)


def of_scores(predict, **static):
    """A predictor as a function of skew scores and free logits, so that every direction keeps the domain."""

    def function(scores, logits, beta, **rest):
        rest = {n: jax.nn.log_softmax(v) if n == "logpi" else v for n, v in rest.items()}
        return predict(jax.nn.sigmoid(scores - scores.T), jax.nn.log_softmax(logits), beta, **rest, **static)

    function.__name__ = predict.__name__
    return function


@cache
def cases():
    base = dict(scores=SCORES, logits=LOGITS, beta=0.3)
    return [
        Case(of_scores(theory.regularised_nash_policy), base),
        Case(of_scores(theory.nash_duality_gap), {**base, "logpi": POLICY}),
        Case(of_scores(theory.nash_policy_iterates, steps=5), base),
        Case(of_scores(theory.nash_policy_iterates, steps=5), {**base, "eta": 0.8}),
        Case(of_scores(theory.nash_last_iterate_bound, steps=5), base),
        Case(of_scores(theory.nash_learning_curve, horizon=5, steps=4), {**base, "eta": 0.8}),
        Case(of_scores(theory.nash_step_threshold), base),
        Case(of_scores(theory.nash_local_rate), {**base, "eta": 0.8}),
    ]


@pytest.mark.parametrize("index", [1, 3, *(pytest.param(i, marks=pytest.mark.slow) for i in (4, 5, 7)), 6])
def test_derivatives(index):
    check_derivatives(cases()[index])


@pytest.mark.parametrize("index", [0, 1, 3, *(pytest.param(i, marks=pytest.mark.slow) for i in (2, 4, 5, 6))])
def test_batching(index):
    check_batching(cases()[index], rtol=1e-11)


def test_derivatives_of_the_equilibrium():
    """Without its residual, which is rounding."""
    predict = lambda P, logref, beta: theory.regularised_nash_policy(P, logref, beta).logpi
    predict.__name__ = "equilibrium"
    check_derivatives(Case(of_scores(predict), dict(scores=SCORES, logits=LOGITS, beta=0.3)))


GAME = dict(P=WEAK.P, logref=WEAK.logref, beta=0.3)
REFUSING = [
    Case(theory.nash_duality_gap, {**GAME, "logpi": WEAK.logref}),
    Case(theory.nash_policy_iterates, {**GAME, "eta": 0.8}, steps=3),
    Case(theory.nash_learning_curve, {**GAME, "steps": 2.0}, horizon=3),
    Case(theory.nash_step_threshold, GAME),
    Case(theory.nash_local_rate, {**GAME, "eta": 0.8}),
]
GAP, ITERATES, CURVE, _, RATE = REFUSING


@pytest.mark.parametrize("case, named, bad", [
    *((case, "beta", dict(beta=0.0)) for case in REFUSING),
    (GAP, "beta", dict(beta=-0.1)),
    (GAP, "beta", dict(beta=np.nan)),
    (GAP, "P", dict(P=np.full((3, 3), 0.6))),
    (GAP, "P", dict(P=0.5 + 1.5 * (WEAK.P - 0.5) / 0.2)),
    (GAP, "logref", dict(logref=np.log([0.5, 0.2, 0.2]))),
    (GAP, "logref", dict(logref=np.array([-np.inf, np.log(0.5), np.log(0.5)]))),
    (GAP, "logpi", dict(logpi=np.log([0.5, 0.4, 0.2]))),
    (GAP, "logpi", dict(logpi=np.array([-np.inf, np.log(0.5), np.log(0.5)]))),
    (ITERATES, "eta", dict(eta=0.2)),
    (RATE, "eta", dict(eta=0.0)),
    (CURVE, "steps", dict(steps=4.0)),
    (CURVE, "steps", dict(steps=-1.0)),
])  # fmt: skip
def test_outside_the_domain(case, named, bad):
    check_refusal(case, named, **bad)


@pytest.mark.parametrize("call, message", [
    (lambda: theory.nash_policy_iterates(**GAME, steps=-1), "steps = -1"),
    (lambda: theory.nash_last_iterate_bound(**GAME, steps=0), "steps = 0"),
    (lambda: theory.regularised_nash_policy(GAME["P"], GAME["logref"], 0.0), "beta = 0"),
    (lambda: theory.nash_duality_gap(np.eye(3), jnp.log(jnp.full(3, 1 / 3)), 1.0, GAME["logref"]), "P = .*one of two"),
    (lambda: cyclic_game(1.5), "strength = 1.5"),
    (lambda: random_game(-1, 4), "game = -1"),
    (lambda: random_game(0, 1), "responses = 1"),
])  # fmt: skip
def test_static_arguments_are_refused_by_name(call, message):
    with pytest.raises(ValueError, match=message):
        call()
