"""Where the gradients of tapered off-policy REINFORCE lead, and how fast."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from predictor_checks import Case, check_batching, check_derivatives, check_refusal
from scipy.integrate import solve_ivp

from theorylab import cite, theory

MU = np.array([0.1, 0.05, 0.3, 0.25, 0.3])
R = np.array([1.0, 0.5, -1.0, -0.6, 0.0])
SIGNS = np.array([1.0, 1.0, -1.0, -1.0, -1.0])


def softmax(logits):
    weight = np.exp(logits - logits.max())
    return weight / weight.sum()


def tapered(logits, mu, R):
    """The gradient in the logits, response by response."""
    pi = softmax(logits)
    total = np.zeros(len(R))
    for y in range(len(R)):
        ratio = 1.0 if R[y] >= 0 else min(pi[y] / mu[y], 1.0)
        total += mu[y] * ratio * R[y] * (np.eye(len(R))[y] - pi)
    return total


def naive(logits, mu, R):
    return mu * R - softmax(logits) * (mu @ R)


def flow(gradient, mu, R, times, start=None):
    start = np.zeros(len(R)) if start is None else start
    step = lambda t, logits: gradient(logits, mu, R)
    return solve_ivp(step, (0, times[-1]), start, "LSODA", times, rtol=1e-9, atol=1e-12).y.T


# -------------------------------------------------------------------------------- defining property, identities, limits


def test_the_gradient_of_the_potential_is_the_tapered_gradient():
    objective = jax.jit(jax.grad(lambda z: theory.tapered_off_policy_objective(jax.nn.softmax(z), MU, R)))
    rng = np.random.default_rng(0)
    for logits in rng.normal(scale=2.0, size=(20, 5)):
        np.testing.assert_allclose(objective(logits), tapered(logits, MU, R), rtol=1e-10, atol=1e-14)


def test_the_potential_equals_its_definition():
    for pi in np.random.default_rng(1).dirichlet(np.ones(5), 10):
        parts = [
            m * r * np.log(p) if r >= 0 else r * (p if p < m else m * (1 + np.log(p / m))) for p, m, r in zip(pi, MU, R)
        ]
        np.testing.assert_allclose(theory.tapered_off_policy_objective(pi, MU, R), sum(parts), rtol=1e-13)


def test_responses_that_are_never_drawn_or_never_chosen():
    mu, pi = np.array([0.5, 0.5, 0.0, 0.0]), np.array([1.0, 0.0, 0.0, 0.0])
    value, slope = jax.value_and_grad(theory.tapered_off_policy_objective)(pi, mu, np.array([1.0, -1.0, 1.0, -1.0]))
    assert value == 0.0
    np.testing.assert_allclose(slope, [0.5, -1.0, 0.0, 0.0])


def test_no_policy_beats_the_maximiser():
    best = theory.tapered_off_policy_maximiser(MU, R)
    np.testing.assert_allclose(best, [0.8, 0.2, 0, 0, 0], rtol=1e-14)
    top = theory.tapered_off_policy_objective(best, MU, R)
    rng = np.random.default_rng(2)
    for concentration in (0.2, 1.0, 5.0):
        for pi in rng.dirichlet(np.full(5, concentration), 20):
            assert theory.tapered_off_policy_objective(np.maximum(pi, 1e-300), MU, R) <= top


def test_the_gradient_flow_reaches_the_maximiser_from_everywhere():
    for start in (np.zeros(5), np.array([0.0, 0, 0, 5.0, 0])):
        end = softmax(flow(tapered, MU, R, [1e6], start)[-1])
        np.testing.assert_allclose(end, theory.tapered_off_policy_maximiser(MU, R), atol=4e-5)


@pytest.mark.parametrize("R, error", [
    (SIGNS, lambda t: 10 * np.log(t) / t), (np.maximum(SIGNS, 0), lambda t: 10 * np.log(t) / t), (R, lambda t: t**-0.4),
], ids=["signs", "positives", "graded"])  # fmt: skip
def test_wrong_responses_decay_as_one_over_the_time(R, error):
    times = np.array([1e4, 1e5])
    wrong = [softmax(z)[R <= 0].sum() for z in flow(tapered, MU, R, times)]
    law = [theory.tapered_off_policy_wrong_mass(MU, R, 0.5, 2 * t) for t in times]
    assert np.all(np.abs(np.array(wrong) / law - 1) < error(times))


@pytest.mark.parametrize("mu", [MU, np.array([0.5, 0.3, 0.1, 0.05, 0.05])], ids=["mostly wrong", "mostly right"])
def test_naive_logits_part_at_a_constant_rate(mu):
    early, late = flow(naive, mu, SIGNS, [300.0, 600.0])
    gap = lambda z: z[SIGNS > 0].mean() - z[SIGNS < 0].mean()
    np.testing.assert_allclose((gap(late) - gap(early)) / 300, theory.naive_off_policy_rate(mu, SIGNS, 1.0), rtol=1e-6)


def test_naive_logits_of_balanced_rewards_part_at_once():
    mu = np.array([0.3, 0.2, 0.2, 0.2, 0.1])
    step = naive(np.random.default_rng(3).normal(size=5), mu, SIGNS)
    gap = step[:2].mean() - step[2:].mean()
    np.testing.assert_allclose(0.7 * gap, theory.naive_off_policy_rate(mu, SIGNS, 0.7), rtol=1e-13)


def test_a_baseline_acts_like_another_share():
    logits = np.random.default_rng(4).normal(size=2)
    signs = np.array([1.0, -1.0])
    for p, c in [(0.1, -0.8), (0.3, 0.4), (0.9, 0.7)]:
        share = theory.effective_positive_fraction(p, c)
        with_baseline = naive(logits, np.array([p, 1 - p]), signs - c)
        scale = 1 + (1 - 2 * p) * c
        np.testing.assert_allclose(
            with_baseline, scale * naive(logits, np.array([share, 1 - share]), signs), rtol=1e-12
        )


def test_shares_that_a_baseline_cannot_change_and_those_it_removes():
    assert theory.effective_positive_fraction(0.0, 0.5) == 0.0
    assert theory.effective_positive_fraction(1.0, 0.5) == 1.0
    assert theory.effective_positive_fraction(0.3, 1.0) == 0.0
    assert theory.effective_positive_fraction(0.3, -1.0) == 1.0
    np.testing.assert_allclose(theory.effective_positive_fraction(0.3, 0.0), 0.3, rtol=1e-15)


# ----------------------------------------------------------------------------------- derivatives, batching, bad input


def objective_of_logits(z, mu_logits, R):
    return theory.tapered_off_policy_objective(jax.nn.softmax(z), jax.nn.softmax(mu_logits), R)


def of_logits(function):
    return lambda mu_logits, R, **rest: function(jax.nn.softmax(jnp.asarray(mu_logits)), R, **rest)


Z = np.array([0.3, -1.0, 0.8, 2.0, -0.5])
OBJECTIVE = Case(objective_of_logits, dict(z=Z, mu_logits=np.log(MU), R=R))
MAXIMISER = Case(of_logits(theory.tapered_off_policy_maximiser), dict(mu_logits=np.log(MU), R=R))
WRONG = Case(of_logits(theory.tapered_off_policy_wrong_mass), dict(mu_logits=np.log(MU), R=R, eta=0.5, steps=300.0))
RATE = Case(of_logits(theory.naive_off_policy_rate), dict(mu_logits=np.log(MU), R=SIGNS, eta=0.5))
FRACTION = Case(theory.effective_positive_fraction, dict(p=0.3, c=0.4))
CASES = [OBJECTIVE, MAXIMISER, WRONG, RATE, FRACTION]
IDS = ["objective", "maximiser", "wrong mass", "rate", "fraction"]
PLAIN = dict(
    objective=Case(theory.tapered_off_policy_objective, dict(pi=softmax(Z), mu=MU, R=R)),
    maximiser=Case(theory.tapered_off_policy_maximiser, dict(mu=MU, R=R)),
    wrong=Case(theory.tapered_off_policy_wrong_mass, dict(mu=MU, R=R, eta=0.5, steps=300.0)),
    rate=Case(theory.naive_off_policy_rate, dict(mu=MU, R=SIGNS, eta=0.5)),
    fraction=FRACTION,
)


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_derivatives(case):
    check_derivatives(case)


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_batching(case):
    check_batching(case)


@pytest.mark.parametrize("case, named, bad", [
    ("objective", "pi", dict(pi=np.array([0.5, 0.5, 0.5, -0.5, 0.0]))),
    ("objective", "pi", dict(pi=np.full(5, 0.3))),
    ("objective", "pi", dict(pi=np.array([0.0, 0.4, 0.2, 0.2, 0.2]))),
    ("objective", "mu", dict(mu=np.full(5, 0.3))),
    ("objective", "R", dict(R=np.full(5, np.nan))),
    ("maximiser", "R", dict(R=-SIGNS**2)),
    ("maximiser", "mu", dict(mu=-MU)),
    ("wrong", "eta", dict(eta=0.0)),
    ("wrong", "steps", dict(steps=0.0)),
    ("wrong", "R", dict(R=-SIGNS**2)),
    ("wrong", "mu", dict(mu=np.array([0.0, 0.15, 0.3, 0.25, 0.3]))),
    ("rate", "eta", dict(eta=-1.0)),
    ("rate", "R", dict(R=R)),
    ("rate", "R", dict(R=SIGNS**2)),
    ("fraction", "p", dict(p=1.2)),
    ("fraction", "c", dict(c=-1.5)),
    ("fraction", "c", dict(p=1.0, c=1.0)),
])  # fmt: skip
def test_outside_the_domain(case, named, bad):
    check_refusal(PLAIN[case], named, **bad)


@pytest.mark.parametrize("call", [
    lambda: theory.tapered_off_policy_objective(MU[:4], MU, R),
    lambda: theory.tapered_off_policy_maximiser(MU, R[:4]),
    lambda: theory.tapered_off_policy_wrong_mass(MU, R[:4], 0.5, 10),
    lambda: theory.naive_off_policy_rate(MU, R[:4], 0.5),
])  # fmt: skip
def test_different_lengths_are_refused(call):
    with pytest.raises(Exception, match=r"entries|annotation|type-check"):
        call()


def test_every_predictor_names_its_source():
    for name in theory.off_policy_reinforce.__all__:
        assert "2503.14286" in cite(getattr(theory, name))
