"""Optimal policies under f-divergences, and pass@k after training on verified answers."""

from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxtyping import TypeCheckError
from predictor_checks import Case, check_batching, check_derivatives
from scipy import optimize

from theorylab import cite, theory
from theorylab.problems.f_divergence import DIVERGENCES, divergence_generator
from theorylab.problems.policies import response_problem

LOGP, R = np.log([0.5, 0.3, 0.2]), np.array([0.0, 1.0, 3.0])
PROBLEM = response_problem(3, 12)
GRID = np.array([0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 0.6, 0.9])
NAMES = pytest.mark.parametrize("name", DIVERGENCES)


@cache
def compiled(name):
    return jax.jit(getattr(theory, name), static_argnames="name")


def policy(logref, reward, beta, name, alpha=0.5):
    return compiled("f_divergence_policy")(logref, reward, beta, name, alpha)


def binary(p0, beta, name, alpha=0.5):
    return compiled("binary_f_divergence_policy")(p0, beta, name, alpha)


def pass_at_k(q, beta, name, k, grid=GRID, alpha=0.5):
    return float(compiled("f_divergence_pass_at_k")(grid, q, beta, name, float(k), alpha))


# ---------------------------------------------------------------------------------------------------------- optimality


@NAMES
@pytest.mark.parametrize("beta", [1e-3, 0.1, 1.0, 20.0])
def test_first_order_condition(name, beta):
    """beta f'(pi/ref) + mu = r where pi > 0, and >= r where it is clipped; probabilities sum to one."""
    pi, mu = (np.asarray(value) for value in policy(*PROBLEM, beta, name))
    np.testing.assert_allclose(pi.sum(), 1, rtol=1e-12)
    u = pi / np.exp(PROBLEM.logref)
    slope = jax.vmap(jax.grad(lambda u: divergence_generator(u, name, 0.5)))(np.maximum(u, 1e-300))
    excess = np.asarray(beta * slope + mu - PROBLEM.reward)
    assert np.all(np.abs(excess[u > 1e-290]) < 1e-10 * max(beta, 1))
    if name == "chi2":
        assert np.all(excess[u == 0] > -1e-12)
    elif beta >= 0.1:
        assert np.all(u > 0)


@NAMES
@pytest.mark.parametrize("beta", [0.1, 1.0])
def test_objective_equals_its_numerical_maximum(name, beta):
    """BFGS on logits."""
    f = lambda u: np.array([_generator(x, name) for x in u])

    def loss(logits):
        pi = np.exp(logits - np.logaddexp.reduce(logits))
        return -(pi @ R - beta * np.exp(LOGP) @ f(pi / np.exp(LOGP)))

    found = optimize.minimize(loss, LOGP, method="BFGS", options=dict(gtol=1e-9))
    pi = np.asarray(policy(LOGP, R, beta, name).pi)
    value = pi @ R - beta * np.exp(LOGP) @ f(np.maximum(pi / np.exp(LOGP), 1e-12))
    np.testing.assert_allclose(value, -found.fun, atol=6e-7)
    assert value > -found.fun - 1e-10


def _generator(u, name, a=0.5):
    return {
        "reverse_kl": u * np.log(u), "forward_kl": -np.log(u), "chi2": (u - 1) ** 2 / 2,
        "jsd": u * np.log(u) - (u + 1) * np.log((u + 1) / 2),
        "alpha": (u ** (1 - a) - (1 - a) * u - a) / (a * (a - 1)),
    }[name]  # fmt: skip


@NAMES
def test_equal_rewards_and_a_large_penalty_keep_the_reference(name):
    np.testing.assert_allclose(policy(LOGP, np.full(3, 0.7), 0.3, name).pi, np.exp(LOGP), rtol=1e-13)
    mu = {"reverse_kl": 0.7 - 0.3, "forward_kl": 0.7 + 0.3, "jsd": 0.7, "alpha": 0.7, "chi2": 0.7}[name]
    np.testing.assert_allclose(policy(LOGP, np.full(3, 0.7), 0.3, name).mu, mu, rtol=1e-12)
    np.testing.assert_allclose(policy(LOGP, R, 1e6, name).pi, np.exp(LOGP), rtol=1e-5)


@NAMES
def test_shifts_and_scales_of_the_reward(name):
    """r + c moves mu by c; r and beta scale together."""
    pi, mu = policy(*PROBLEM, 0.4, name)
    moved = policy(PROBLEM.logref, 3 * PROBLEM.reward + 2, 1.2, name)
    np.testing.assert_allclose(moved.pi, pi, rtol=1e-11)
    np.testing.assert_allclose(moved.mu, 3 * mu + 2, rtol=1e-12)


def test_reverse_kl_is_the_tilt():
    for beta in (1e-5, 0.2, 3.0):
        tilt = np.exp(theory.tilted_policy(*PROBLEM, 1 / beta))
        np.testing.assert_allclose(policy(*PROBLEM, beta, "reverse_kl").pi, tilt, rtol=1e-11)


def test_alpha_interpolates():
    """The stated errors at a = 10^-5 and 1 - 10^-7, and first order in between."""
    for end, near, atol in (("reverse_kl", 1e-5, 3e-5), ("forward_kl", 1 - 1e-7, 1e-7)):
        difference = policy(LOGP, R, 1.0, "alpha", near).pi - policy(LOGP, R, 1.0, end).pi
        assert 0 < np.abs(difference).max() < atol


@pytest.mark.parametrize("beta", [1e-8, 1e-5])
def test_jsd_on_its_steep_branch(beta):
    """For beta -> 0 all but the best responses lose everything, those exponentially."""
    pi = np.asarray(policy(LOGP, R, beta, "jsd").pi)
    np.testing.assert_allclose(pi, [0, 0, 1], atol=1e-15)


# ---------------------------------------------------------------------------------------------------- verified answers


def test_binary_closed_forms():
    for p0, beta in ((0.1, 0.2), (1e-4, 0.9), (0.7, 3.0)):
        mu = ((1 + beta) + np.sqrt((1 + beta) ** 2 - 4 * beta * (1 - p0))) / 2
        found = binary(p0, beta, "forward_kl")
        np.testing.assert_allclose(found, (beta * p0 / (mu - 1), beta / (mu - 1), beta / mu), rtol=1e-11)
        assert found.u_w >= beta / (1 + beta)
        np.testing.assert_allclose(binary(p0, beta, "reverse_kl").u_w, 1 / (1 - p0 + p0 * np.exp(1 / beta)), rtol=1e-13)
        t = 1 + (1 - p0) / beta
        np.testing.assert_allclose(binary(p0, beta, "chi2").u_c, min(t, 1 / p0), rtol=1e-13)
    np.testing.assert_allclose(binary(0.1, 0.2, "forward_kl").p_c, 0.82426407, atol=5e-9)


@NAMES
def test_binary_is_the_two_response_policy(name):
    p0, beta = 0.15, 0.4
    pi = policy(np.log([p0, 1 - p0]), np.array([1.0, 0.0]), beta, name).pi
    found = binary(p0, beta, name)
    np.testing.assert_allclose((found.p_c, (1 - p0) * found.u_w), pi, rtol=1e-12)


def test_success_on_rare_answers():
    """For p0 -> 0: bounded factors for reverse KL and chi2, a positive success below a threshold for the others."""
    rare = lambda beta, name: float(binary(1e-9, beta, name).p_c)
    np.testing.assert_allclose(rare(0.3, "reverse_kl"), 1e-9 * np.exp(1 / 0.3), rtol=1e-6)
    np.testing.assert_allclose(rare(0.3, "chi2"), 1e-9 * (1 + 1 / 0.3), rtol=1e-6)
    np.testing.assert_allclose(rare(0.3, "forward_kl"), 1 - 0.3, rtol=1e-6)
    np.testing.assert_allclose(rare(0.3, "alpha"), 1 - (0.3 / 0.5) ** 2, rtol=1e-3)
    np.testing.assert_allclose(rare(1.0, "jsd"), 1 - 1 / np.expm1(1), rtol=1e-6)
    for name, threshold in (("forward_kl", 1.0), ("alpha", 0.5), ("jsd", 1 / np.log(2))):
        assert rare(1.1 * threshold, name) < 1e-6 < 0.01 < rare(0.9 * threshold, name)


def test_stated_pass_at_k():
    base = np.array([np.mean(1 - (1 - GRID) ** k) for k in (4, 16)])
    np.testing.assert_allclose(base, (0.406, 0.551), atol=6e-4)
    rows = {
        (0.0, 0.6, "reverse_kl"): (0.265, {4: 0.785, 16: 0.919}),
        (0.0, 0.6, "jsd"): (1.04, {4: 0.933, 16: 1.000}),
        (0.0, 0.6, "forward_kl"): (0.569, {4: 0.945, 16: 1.000}),
        (0.2, 0.7, "reverse_kl"): (None, {4: 0.791, 64: 0.813}),
        (0.2, 0.7, "jsd"): (None, {4: 0.819, 64: 0.901}),
        (0.2, 0.7, "forward_kl"): (None, {4: 0.827, 64: 0.902}),
    }
    for (q, target, name), (stated, expected) in rows.items():
        beta = compiled("f_divergence_beta_at_pass")(GRID, q, target, name, 0.5)
        np.testing.assert_allclose(pass_at_k(q, beta, name, 1), target, rtol=1e-12)
        assert stated is None or abs(beta - stated) < 5e-3
        for k, value in expected.items():
            np.testing.assert_allclose(pass_at_k(q, beta, name, k), value, atol=6e-4, err_msg=f"{name}, q = {q}")


@pytest.mark.parametrize(
    "names", [("reverse_kl", "jsd", "forward_kl"), pytest.param(DIVERGENCES, marks=pytest.mark.slow)]
)
@pytest.mark.parametrize("q", [0.0, 0.1])
def test_prompts_of_one_kind_have_one_pass_at_k(q, names):
    alike, at_1 = np.full(8, 0.1), 0.5
    for k in (4, 64, 256):
        values = []
        for name in names:
            beta = compiled("f_divergence_beta_at_pass")(alike, q, at_1, name, 0.5)
            values.append(pass_at_k(q, beta, name, k, alike))
        np.testing.assert_allclose(values, values[0], rtol=1e-10)
        if q == 0:
            np.testing.assert_allclose(values[0], 1 - (1 - at_1) ** k, rtol=1e-12)


@pytest.mark.parametrize("name", ["jsd", *(pytest.param(n, marks=pytest.mark.slow) for n in DIVERGENCES if n != "jsd")])
def test_beta_at_a_given_reward(name):
    for target in (1.5, 3.9):
        beta = compiled("f_divergence_beta_at_reward")(*PROBLEM, target, name, 0.5)
        np.testing.assert_allclose(policy(*PROBLEM, beta, name).pi @ PROBLEM.reward, target, rtol=1e-11)


# ----------------------------------------------------------------------------------- derivatives, batching, bad input


def of_logits(logits, reward, beta, alpha, p0_grid, q, k, name):
    policy = theory.f_divergence_policy(jax.nn.log_softmax(logits), reward, beta, name, alpha)
    return policy, theory.f_divergence_pass_at_k(p0_grid, q, beta, name, k, alpha)


POINT = dict(logits=np.array([0.5, -0.3, 0.4, -1.0]), reward=np.array([0.3, 1.0, 1.7, 3.0]), beta=0.9, alpha=0.4,
             p0_grid=np.array([0.01, 0.2]), q=0.1, k=3.0)  # fmt: skip
ALPHA = Case(of_logits, POINT, name="alpha")
OTHERS = [
    pytest.param(Case(of_logits, POINT, name=name), marks=pytest.mark.slow)
    for name in ("reverse_kl", "forward_kl", "jsd", "chi2")
]


@pytest.mark.parametrize("case", [ALPHA, *OTHERS], ids=str)
def test_derivatives(case):
    check_derivatives(case)


@pytest.mark.parametrize("case", [pytest.param(ALPHA, marks=pytest.mark.slow), *OTHERS], ids=str)
def test_batching(case):
    check_batching(case)


def test_solve_batches():
    betas = np.array([0.3, 2.0])
    mapped = jax.jit(jax.vmap(lambda beta: theory.f_divergence_policy(LOGP, R, beta, "jsd").pi))(betas)
    np.testing.assert_allclose(mapped, [policy(LOGP, R, beta, "jsd").pi for beta in betas], rtol=1e-12)


def test_matched_penalties_differentiate_and_batch():
    """d beta / d target is one over the derivative of the mean reward in beta."""
    solve = lambda target: theory.f_divergence_beta_at_reward(LOGP, R, target, "jsd")
    beta, slope = jax.jit(jax.vmap(jax.value_and_grad(solve)))(jnp.array([1.5, 2.0]))
    up, down = (np.array([policy(LOGP, R, b + h, "jsd").pi @ R for b in beta]) for h in (1e-4, -1e-4))
    np.testing.assert_allclose(slope, 2e-4 / (up - down), rtol=1e-6)


UNNORMALISED, GAP = np.log([0.5, 0.3, 0.3]), np.array([np.log(0.5), np.log(0.5), -np.inf])


@pytest.mark.parametrize("name, arguments, named", [
    ("f_divergence_policy", (UNNORMALISED, R, 1.0, "jsd"), "logref"),
    ("f_divergence_policy", (GAP, R, 1.0, "forward_kl"), "logref"),
    ("f_divergence_policy", (LOGP, np.array([0.0, 1.0, np.nan]), 1.0, "chi2"), "reward"),
    ("f_divergence_policy", (LOGP, R, 0.0, "reverse_kl"), "beta"),
    ("f_divergence_policy", (LOGP, R, -1.0, "jsd"), "beta"),
    ("f_divergence_policy", (LOGP, R, 1.0, "alpha", 1.0), "alpha"),
    ("f_divergence_policy", (LOGP, R, 1.0, "alpha", 0.0), "alpha"),
    ("binary_f_divergence_policy", (0.0, 1.0, "jsd"), "p0"),
    ("binary_f_divergence_policy", (1.0, 1.0, "jsd"), "p0"),
    ("binary_f_divergence_policy", (0.5, 0.0, "chi2"), "beta"),
    ("f_divergence_pass_at_k", (GRID, 1.1, 1.0, "jsd", 4.0), "q"),
    ("f_divergence_pass_at_k", (GRID, 0.1, 0.0, "jsd", 4.0), "beta"),
    ("f_divergence_pass_at_k", (GRID, 0.1, 1.0, "jsd", 0.0), "k"),
    ("f_divergence_pass_at_k", (np.array([0.0, 0.5]), 0.1, 1.0, "jsd", 4.0), "p0_grid"),
    ("f_divergence_beta_at_reward", (LOGP, R, 3.0, "chi2"), "target"),
    ("f_divergence_beta_at_reward", (LOGP, R, 0.9, "chi2"), "target"),
    ("f_divergence_beta_at_pass", (GRID, 0.0, 0.2, "chi2"), "target"),
])  # fmt: skip
def test_outside_the_domain(name, arguments, named):
    with pytest.raises(ValueError, match=rf"^{named} = .* outside its domain"):
        getattr(theory, name)(*arguments)
    traced = compiled(name)(*(a if isinstance(a, str) else jnp.asarray(a, float) for a in arguments))
    assert all(np.all(np.isnan(leaf)) for leaf in jax.tree.leaves(traced))


def test_unknown_divergences_and_missing_orders_are_refused():
    with pytest.raises(ValueError, match=r"name = 'kl'.* did you mean 'reverse_kl'"):
        theory.f_divergence_policy(LOGP, R, 1.0, "kl")
    with pytest.raises(ValueError, match="alpha = None"):
        theory.binary_f_divergence_policy(0.5, 1.0, "alpha")
    with pytest.raises((ValueError, TypeCheckError)):
        theory.f_divergence_policy(LOGP, R[:2], 1.0, "jsd")


def test_no_beta_reaches_what_a_noisy_verifier_excludes():
    assert np.isnan(compiled("f_divergence_beta_at_pass")(GRID[:5], 0.2, 0.9, "jsd"))


def test_every_predictor_names_its_source():
    assert "wang2024" in cite(theory.f_divergence_policy)
    assert "li2026" in cite(theory.f_divergence_pass_at_k)
