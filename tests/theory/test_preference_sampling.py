"""Samplers, gradients and estimates of preference learning on finite sets of responses."""

import itertools
from functools import cache, partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.nn import log_softmax
from predictor_checks import Case, check_derivatives
from scipy import special

from theorylab import cite, theory
from theorylab.sweep.compiling import compiled

SCHEMES = ("t_pilaf", "pilaf_half", "vanilla", "hybrid", "best_of_n")
RHO, BETA, N_BEST = np.array([0.5, 0.3, 0.2]), 0.5, 4


def tables(seed, X=3, Y=5):
    """Normalised logits, normalised logref, reward, and a direction, all random."""
    a, b, c, d = np.random.default_rng(seed).normal(size=(4, X, Y))
    return special.log_softmax(a, -1), special.log_softmax(b, -1), c, d


LOGITS, LOGREF, REWARD, DIRECTION = tables(0)
OPTIMUM = special.log_softmax(LOGREF + REWARD / BETA, -1)
PROBLEM = (LOGREF, REWARD, BETA, RHO)


# every compiled function below answers for all schemes at once, or for all of these
COMBINATIONS = [*((scheme, False) for scheme in SCHEMES), ("t_pilaf", True), ("hybrid", True)]
PLAIN, WEIGHTED = 0, 5  # t_pilaf


@compiled
def all_densities(logits, logref, beta):
    return jnp.stack([theory.preference_pair_density(s, logits, logref, beta, N_BEST) for s in SCHEMES])


@compiled
def all_alignments(logits, logref, reward, beta, rho):
    align = partial(theory.dpo_gradient_alignment, logits, logref, reward, beta, rho)
    found = [align(s, N_BEST, weighted) for s, weighted in COMBINATIONS]
    return jnp.array([f.cosine for f in found]), jnp.array([f.residual for f in found])


@compiled
def all_limits(logref, reward, beta, rho):
    return [theory.dpo_asymptotics(logref, reward, beta, rho, s, N_BEST, weighted) for s, weighted in COMBINATIONS]


@cache
def limits_of_the_problem():
    return jax.device_get(all_limits(*PROBLEM))


@compiled
def closed_and_automatic(logits, problem, mus, weights):
    loss = jax.vmap(jax.grad(theory.dpo_population_loss), (None, None, None, None, None, 0, None))
    closed = jax.vmap(theory.dpo_population_gradient, (None, None, None, None, None, 0, None))
    up = theory.kl_regularised_gradient(logits, *problem), jax.grad(theory.kl_regularised_objective)(logits, *problem)
    return closed(logits, *problem, mus, weights), loss(logits, *problem, mus, weights), *up


@compiled
def hessians(logits, problem, mus, weights):
    """Of the loss for every scheme [scheme, X, Y, X, Y], and of the objective."""
    of_loss = jax.vmap(jax.hessian(theory.dpo_population_loss), (None, None, None, None, None, 0, 0))
    return of_loss(logits, *problem, mus, weights), jax.hessian(theory.kl_regularised_objective)(logits, *problem)


def angle(a, b):
    a, b = np.ravel(a), np.ravel(b)
    return ((a / np.linalg.norm(a) - b / np.linalg.norm(b)) ** 2).sum() / 2


# --------------------------------------------------------------------------------------------------------- the samplers


def test_pilaf_policies_are_power_tilts_and_their_normalisers_multiply_to_at_least_one():
    tilts = theory.pilaf_policies(LOGITS, LOGREF, BETA)
    plus, minus = (special.log_softmax(LOGITS + s * BETA * (LOGITS - LOGREF), -1) for s in (1, -1))
    np.testing.assert_allclose(tilts.log_plus, plus, rtol=1e-13)
    np.testing.assert_allclose(tilts.log_minus, minus, rtol=1e-13)
    np.testing.assert_allclose(tilts.Z_plus, np.exp((1 + BETA) * LOGITS - BETA * LOGREF).sum(-1), rtol=1e-13)
    assert np.all(tilts.Z_plus * tilts.Z_minus > 1)
    same = theory.pilaf_policies(LOGREF[0], LOGREF[0], BETA)
    np.testing.assert_allclose([same.Z_plus, same.Z_minus], 1.0, rtol=1e-14)


def by_definition(scheme, logpi, logref, beta):
    """The pair law of a scheme other than best_of_n, from its description, in NumPy."""
    pi, ref, r = np.exp(logpi), np.exp(logref), beta * (logpi - logref)
    plus, minus = pi * np.exp(r), pi * np.exp(-r)
    ZZ = plus.sum() * minus.sum()
    stay = {"t_pilaf": 1 / (1 + ZZ), "pilaf_half": 0.5}.get(scheme, 1.0)
    pair = np.outer(pi, ref if scheme == "hybrid" else pi) * stay + (1 - stay) * np.outer(plus, minus) / ZZ
    return (pair + pair.T) / 2


def test_densities_equal_their_descriptions():
    found = all_densities(LOGITS, LOGREF, BETA)
    for k, x in itertools.product(range(4), range(3)):
        expected = by_definition(SCHEMES[k], LOGITS[x], LOGREF[x], BETA)
        np.testing.assert_allclose(found[k, x], expected, rtol=1e-12)


@pytest.mark.parametrize("n", [2, 3, 5])
@pytest.mark.parametrize("tied", [False, True])
def test_best_of_n_equals_every_sequence_of_draws_and_the_order_statistics(n, tied):
    logpi = LOGITS[0, :4] - special.logsumexp(LOGITS[0, :4])
    logref = logpi if tied else LOGREF[0, :4] - special.logsumexp(LOGREF[0, :4])
    density = np.asarray(theory.preference_pair_density("best_of_n", logpi, logref, BETA, n))
    pi, order = np.exp(logpi), np.arange(4) if tied else np.argsort(logpi - logref)
    rank = np.argsort(order)
    expected = np.zeros((4, 4))
    for draws in itertools.product(range(4), repeat=n):
        best, worst = max(draws, key=lambda y: rank[y]), min(draws, key=lambda y: rank[y])
        expected[best, worst] += np.prod(pi[list(draws)])
    np.testing.assert_allclose(density, (expected + expected.T) / 2, rtol=1e-12)
    c = np.concatenate([[0], np.cumsum(pi[order])])  # c[k + 1] is the mass of ranks 0..k
    for b, w in itertools.combinations(range(3, -1, -1), 2):
        inner = max(c[b] - c[w + 1], 0)
        value = (c[b + 1] - c[w]) ** n - (c[b + 1] - c[w + 1]) ** n - (c[b] - c[w]) ** n + inner**n
        np.testing.assert_allclose(density[order[b], order[w]], value / 2, rtol=1e-9)


def test_best_of_n_keeps_rare_pairs():
    """Masses 1e-12: the order statistics cancel to nothing, n (n-1) p q m^(n-2) remains."""
    pi = np.array([1e-12, 1 - 3e-12, 2e-12])
    ref = pi * np.exp([-1.0, 0.0, 1.0])
    density = theory.preference_pair_density("best_of_n", np.log(pi), np.log(ref / ref.sum()), BETA, 5)
    np.testing.assert_allclose(2 * density[0, 2], 20 * pi[0] * pi[2], rtol=1e-10)


def test_densities_are_symmetric_and_sum_to_one():
    found = np.asarray(all_densities(LOGITS, LOGREF, 2.0))
    np.testing.assert_allclose(found.sum((2, 3)), 1.0, rtol=1e-13)
    np.testing.assert_array_equal(found, found.swapaxes(2, 3))
    assert np.all(found > 0)


def test_one_half_is_the_limit_of_small_beta():
    for beta, tolerance in ((1e-3, 1e-5), (1e-5, 1e-9)):
        np.testing.assert_allclose(*all_densities(LOGITS, LOGREF, beta)[:2], rtol=tolerance)


# ------------------------------------------------------------------------------------------------- gradients, alignment


def test_gradients_equal_automatic_differentiation():
    mus = all_densities(LOGITS, LOGREF, BETA)
    closed, automatic, up, up_automatic = closed_and_automatic(LOGITS, PROBLEM, mus, np.array([0.7, 1.3, 2.0]))
    np.testing.assert_allclose(closed, automatic, rtol=1e-9, atol=1e-15)
    np.testing.assert_allclose(up, up_automatic, rtol=1e-9, atol=1e-15)


def test_the_largest_value_of_the_objective():
    best = theory.kl_regularised_objective(OPTIMUM, *PROBLEM)
    expected = BETA * RHO @ special.logsumexp(LOGREF + REWARD / BETA, axis=-1)
    np.testing.assert_allclose(best, expected, rtol=1e-13)


def test_both_gradients_vanish_at_the_optimum():
    mus = all_densities(OPTIMUM, LOGREF, BETA)
    for gradient in closed_and_automatic(OPTIMUM, PROBLEM, mus, np.ones(3)):
        np.testing.assert_allclose(gradient, 0.0, atol=1e-15)


def test_the_remainder_of_weighted_t_pilaf_is_of_second_order():
    eps = np.geomspace(0.005, 0.1, 6)
    cosine, residual = zip(*(all_alignments(OPTIMUM + e * DIRECTION, *PROBLEM) for e in eps))
    slope = lambda values: np.polyfit(np.log(eps), np.log([v[WEIGHTED] for v in values]), 1)[0]
    assert 1.9 < slope(residual) < 2.1
    assert 1.9 < slope([1 - c for c in cosine]) < 2.1
    small = [all_alignments(OPTIMUM + e * DIRECTION, *PROBLEM)[1][WEIGHTED] / e**2 for e in (1e-3, 1e-4)]
    np.testing.assert_allclose(*small, rtol=2e-3)


def test_near_the_optimum_the_angle_is_that_between_the_two_curvatures():
    """To first order grad L = H v and grad J = - Sigma v / beta at a distance v: parallel for weighted t_pilaf only."""
    cosine, _ = all_alignments(OPTIMUM + 1e-6 * DIRECTION, *PROBLEM)
    for k, limit in enumerate(limits_of_the_problem()):
        H, Sigma = (np.einsum("xij,xj->xi", matrix, DIRECTION) for matrix in (limit.H, limit.Sigma))
        np.testing.assert_allclose(1 - cosine[k], angle(H, Sigma), rtol=1e-3, atol=1e-12)
        assert (1 - cosine[k] < 1e-10) == (k == WEIGHTED)


def test_equal_prompts_need_no_weights():
    problem = (np.tile(LOGREF[:1], (3, 1)), np.tile(REWARD[:1], (3, 1)), BETA, RHO)
    for values in all_alignments(np.tile(LOGITS[:1], (3, 1)), *problem):
        np.testing.assert_allclose(values[PLAIN], values[WEIGHTED], rtol=1e-12)


def test_the_bound_holds_on_random_instances():
    """Two hundred instances at distances 0.01 to 3; the constant is not far too large, the worst uses a sixth."""

    def ratio(key, eps):
        logref, reward, direction = jax.random.normal(key, (3, 3, 5))
        problem = (log_softmax(logref), reward, BETA, RHO)
        logits = log_softmax(logref) + reward / BETA + eps * direction
        bound = theory.dpo_alignment_remainder_bound(logits, *problem)
        return theory.dpo_gradient_alignment(logits, *problem, "t_pilaf").residual / bound

    keys = jax.random.split(jax.random.key(0), 200)
    ratios = compiled(jax.vmap(ratio))(keys, np.geomspace(0.01, 3.0, 200))
    assert np.all(ratios < 1)
    assert np.max(ratios) > 1 / 6


# ---------------------------------------------------------------------------------------------------------- asymptotics


def test_matrices_equal_hessians_and_sums_over_pairs():
    mus = np.asarray(all_densities(OPTIMUM, LOGREF, BETA))
    pilaf = np.asarray(theory.pilaf_prompt_weights(OPTIMUM, LOGREF, BETA, RHO).weights)
    pairs = np.array([[a, b] for a, b in itertools.product(range(5), repeat=2)])
    v = BETA * (np.eye(5)[pairs[:, 0]] - np.eye(5)[pairs[:, 1]])
    gap = REWARD[:, pairs[:, 0]] - REWARD[:, pairs[:, 1]]
    slope = special.expit(gap) * special.expit(-gap)
    weights = np.array([pilaf if weighted else np.ones(3) for _, weighted in COMBINATIONS])
    mus = mus[[SCHEMES.index(s) for s, _ in COMBINATIONS]]
    H, J = hessians(OPTIMUM, PROBLEM, mus, weights)
    for k, x in itertools.product(range(len(COMBINATIONS)), range(3)):
        limit = limits_of_the_problem()[k]
        np.testing.assert_allclose(limit.H[x], H[k, x, :, x], rtol=1e-9, atol=1e-14)
        np.testing.assert_allclose(limit.Sigma[x], -BETA * J[x, :, x], rtol=1e-9, atol=1e-14)
        share = RHO[x] * weights[k, x] ** 2 * mus[k, x][pairs[:, 0], pairs[:, 1]] * slope[x]
        V = np.einsum("p,pi,pj->ij", share, v, v)
        np.testing.assert_allclose(limit.V[x], V, rtol=1e-10, atol=1e-16)
        inverse = np.linalg.pinv(limit.H[x], rcond=1e-10)
        np.testing.assert_allclose(limit.Omega[x], inverse @ V @ inverse, rtol=1e-7)
    for limit in limits_of_the_problem():
        gap = np.einsum("xij,xji->", limit.Sigma, limit.Omega) / (2 * BETA)
        np.testing.assert_allclose(limit.n_gap, gap, rtol=1e-10)


def test_under_weighted_t_pilaf_the_hessian_is_the_curvature_of_the_objective():
    limit = limits_of_the_problem()[WEIGHTED]
    np.testing.assert_allclose(limit.H, limit.Sigma / limit.zbar, atol=1e-12, rtol=1e-11)


def test_with_equal_prompts_the_covariance_of_t_pilaf_is_the_inverse_curvature():
    limit = all_limits(np.tile(LOGREF[:1], (3, 1)), np.tile(REWARD[:1], (3, 1)), BETA, RHO)[PLAIN]
    for x in range(3):
        np.testing.assert_allclose(limit.Omega[x], limit.zbar * np.linalg.pinv(limit.Sigma[x]), rtol=1e-9)


def test_value_gap_of_t_pilaf_with_and_without_weights_and_the_normalisers_at_the_optimum():
    best = np.exp(OPTIMUM)
    ZZ = (best * np.exp(REWARD)).sum(-1) * (best * np.exp(-REWARD)).sum(-1)
    tilts = theory.pilaf_policies(OPTIMUM, LOGREF, BETA)
    np.testing.assert_allclose(tilts.Z_plus * tilts.Z_minus, ZZ, rtol=1e-12)
    for k in (PLAIN, WEIGHTED):
        found = limits_of_the_problem()[k]
        np.testing.assert_allclose(found.n_gap, ((1 + ZZ) * 4).sum() / (2 * BETA), rtol=1e-12)
        np.testing.assert_allclose(found.zbar, RHO @ (1 + ZZ), rtol=1e-12)


def test_the_gap_keeps_its_digits_where_the_best_policy_is_peaked():
    """beta = 0.02: best policies with probabilities down to 1e-54, where a cut-off of small eigenvalues fails."""
    best = special.softmax(LOGREF + REWARD / 0.02, -1)
    assert best.min() < 1e-40
    ZZ = (best * np.exp(REWARD)).sum(-1) * (best * np.exp(-REWARD)).sum(-1)
    found = all_limits(LOGREF, REWARD, 0.02, RHO)[PLAIN]
    np.testing.assert_allclose(found.n_gap, ((1 + ZZ) * 4).sum() / (2 * 0.02), rtol=1e-11)


@pytest.mark.slow
def test_shares_of_random_instances():
    """1200 instances, beta in {.1, .3, 1, 3}, Y in {4, 7, 10}, spreads in {.3, 1, 2}: PILAF mostly loses less than
    vanilla sampling and mostly more than hybrid; best of eight can lose less, too."""
    wins = []
    for Y, beta in itertools.product((4, 7, 10), (0.1, 0.3, 1.0, 3.0)):

        def gaps(key, Y=Y, beta=beta):
            a, b = jax.random.split(key)
            spread = jax.random.choice(a, jnp.array([0.3, 1.0, 2.0]), (2, 1, 1))
            logref, reward = spread * jax.random.normal(b, (2, 1, Y))
            names = ("t_pilaf", "vanilla", "hybrid", "best_of_n")
            arguments = (log_softmax(logref), reward, beta, jnp.ones(1))
            return jnp.stack([theory.dpo_asymptotics(*arguments, name, 8).n_gap for name in names])

        pilaf, vanilla, hybrid, best = jax.jit(jax.vmap(gaps))(jax.random.split(jax.random.key(Y), 100)).T
        wins.append([np.mean(vanilla > pilaf), np.mean(hybrid < pilaf), np.mean(best < pilaf)])
    vanilla, hybrid, best = np.mean(wins, 0)
    assert 0.84 < vanilla < 0.96
    assert 0.74 < hybrid < 0.88
    assert 0.2 < best < 0.6


# ------------------------------------------------------------------------------------------------------------- the path


def test_the_path_takes_exact_gradient_steps():
    run = jax.jit(theory.online_dpo_path, static_argnums=(6, 7, 8))
    for k in (0, 4):
        path, logits = run(LOGITS, *PROBLEM, 0.7, 2, SCHEMES[k], N_BEST), LOGITS
        for t in range(3):
            np.testing.assert_allclose(path.objective[t], theory.kl_regularised_objective(logits, *PROBLEM), rtol=1e-12)
            mus = all_densities(special.log_softmax(logits, -1), LOGREF, BETA)
            down = closed_and_automatic(logits, PROBLEM, mus, np.ones(3))[0][k]
            logits = np.asarray(logits - 0.7 * down / RHO[:, None])
        np.testing.assert_allclose(path.objective, path.reward - BETA * path.divergence, rtol=1e-12)


@pytest.mark.parametrize("scheme", ["t_pilaf", "hybrid"])
def test_a_long_path_ends_at_the_best_policy(scheme):
    run = jax.jit(theory.online_dpo_path, static_argnums=(6, 7))
    end = run(LOGREF, *PROBLEM, 4.0, 4000, scheme).objective[-1]
    np.testing.assert_allclose(end, theory.kl_regularised_objective(OPTIMUM, *PROBLEM), rtol=1e-3)


# ----------------------------------------------------------------------------------- derivatives, batching, bad input


def values(logits, ref, reward, beta, prompts, mus):
    rho, laws = prompts / jnp.sum(prompts), mus / jnp.sum(mus, (1, 2), keepdims=True)
    arguments = logits, log_softmax(ref), reward, beta, rho
    losses = theory.dpo_population_loss(*arguments, laws, prompts), theory.kl_regularised_objective(*arguments)
    found = (
        theory.dpo_gradient_alignment(*arguments, "t_pilaf"),
        theory.dpo_gradient_alignment(*arguments, "best_of_n", 2),
    )
    return found, losses, theory.dpo_alignment_remainder_bound(*arguments)


def limits(ref, reward, beta, prompts):
    arguments = log_softmax(ref), reward, beta, prompts / jnp.sum(prompts)
    path = theory.online_dpo_path(arguments[0], *arguments, 0.5, 1, "pilaf_half")
    return theory.dpo_asymptotics(*arguments, "hybrid", None, True), path


MUS = np.random.default_rng(5).uniform(0.5, 1.5, (3, 5, 5))
CASES = [
    Case(values, dict(logits=LOGITS, ref=LOGREF, reward=REWARD, beta=BETA, prompts=RHO, mus=MUS)),
    Case(limits, dict(ref=LOGREF, reward=REWARD, beta=BETA, prompts=RHO)),
]


@pytest.mark.parametrize("case", [CASES[0], pytest.param(CASES[1], marks=pytest.mark.slow)], ids=str)
def test_derivatives(case):
    check_derivatives(case)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_mapped_equals_looped_in_one_trace(case):
    points = [{n: v * (1 + 1e-3 * i) for n, v in case.arrays().items()} for i in range(3)]
    case.program(points[0])
    traces = case.traces
    looped = np.stack([case.program(point) for point in points])
    assert case.traces == traces and np.all(np.isfinite(looped))
    mapped = jax.jit(jax.vmap(case.vector))(jax.tree.map(lambda *x: jnp.stack(x), *points))
    np.testing.assert_allclose(mapped, looped, rtol=1e-9, atol=1e-15)


NO_SUPPORT = np.where(np.arange(5) == 2, -np.inf, LOGITS)
UNEVEN = LOGREF + 0.1
FAR = np.where(np.arange(5) == 2, -800.0, REWARD)
REFUSED = [
    (lambda: theory.pilaf_policies(LOGITS, LOGREF, 0.0), r"beta = 0.0 .* beta > 0"),
    (lambda: theory.preference_pair_density("vanilla", LOGITS, LOGREF, -1.0), r"beta = -1.0"),
    (lambda: theory.pilaf_prompt_weights(LOGITS, LOGREF, 0.0, RHO), r"beta = 0.0"),
    (lambda: theory.kl_regularised_objective(LOGITS, LOGREF, REWARD, 0.0, RHO), r"beta = 0.0"),
    (lambda: theory.kl_regularised_gradient(LOGITS, LOGREF, REWARD, 0.0, RHO), r"beta = 0.0"),
    (lambda: theory.dpo_population_loss(LOGITS, LOGREF, REWARD, 0.0, RHO, MUS, RHO), r"beta = 0.0"),
    (lambda: theory.dpo_gradient_alignment(LOGITS, LOGREF, REWARD, 0.0, RHO, "vanilla"), r"beta = 0.0"),
    (lambda: theory.dpo_alignment_remainder_bound(LOGITS, LOGREF, REWARD, 0.0, RHO), r"beta = 0.0"),
    (lambda: theory.dpo_asymptotics(LOGREF, REWARD, 0.0, RHO, "vanilla"), r"beta = 0.0"),
    (lambda: theory.online_dpo_path(LOGITS, LOGREF, REWARD, 0.0, RHO, 1.0, 2, "vanilla"), r"beta = 0.0"),
    (lambda: theory.online_dpo_path(LOGITS, *PROBLEM, 0.0, 2, "vanilla"), r"eta = 0.0"),
    (lambda: theory.online_dpo_path(LOGITS, *PROBLEM, 1.0, -1, "vanilla"), r"steps = -1"),
    (lambda: theory.pilaf_policies(NO_SUPPORT, LOGREF, BETA), r"logpi .* support wherever the reference has some"),
    (lambda: theory.preference_pair_density("hybrid", NO_SUPPORT, LOGREF, BETA), r"logpi .* support wherever"),
    (lambda: theory.dpo_gradient_alignment(NO_SUPPORT, *PROBLEM, "vanilla"), r"logits .* support wherever"),
    (lambda: theory.kl_regularised_objective(NO_SUPPORT, *PROBLEM), r"logits .* support wherever"),
    (lambda: theory.pilaf_policies(LOGITS, UNEVEN, BETA), r"logref .* sum to one"),
    (lambda: theory.preference_pair_density("vanilla", LOGITS + 0.1, LOGREF, BETA), r"logpi .* sum to one"),
    (lambda: theory.kl_regularised_objective(LOGITS, UNEVEN, REWARD, BETA, RHO), r"logref .* sum to one"),
    (lambda: theory.dpo_asymptotics(LOGREF, REWARD, BETA, 2 * RHO, "vanilla"), r"rho .* sum to one"),
    (lambda: theory.kl_regularised_gradient(LOGITS, LOGREF, REWARD, BETA, 0.9 * RHO), r"rho .* sum to one"),
    (lambda: theory.pilaf_prompt_weights(LOGITS, LOGREF, BETA, np.array([1.1, -0.1, 0.0])), r"rho .* rho >= 0"),
    (lambda: theory.dpo_asymptotics(LOGREF, REWARD, BETA, np.array([0.5, 0.5, 0.0]), "vanilla"), r"rho .* never drawn"),
    (lambda: theory.dpo_asymptotics(LOGREF, FAR, BETA, RHO, "vanilla"), r"reward .* connected comparison graph"),
    (lambda: theory.kl_regularised_objective(LOGITS, LOGREF, REWARD * np.nan, BETA, RHO), r"reward .* finite"),
    (lambda: theory.dpo_population_loss(LOGITS, *PROBLEM, MUS, np.ones(3)), r"mus .* sum to one"),
    (lambda: theory.dpo_population_gradient(LOGITS, *PROBLEM, -MUS, np.ones(3)), r"mus .* >= 0"),
    (lambda: theory.dpo_population_loss(LOGITS, *PROBLEM, MUS / 25, -np.ones(3)), r"mus|weights"),
    (lambda: theory.preference_pair_density("best_of_n", LOGITS, LOGREF, BETA), r"n_best = None .* n_best >= 2"),
    (lambda: theory.dpo_asymptotics(*PROBLEM, "best_of_n", 1), r"n_best = 1"),
    (lambda: theory.dpo_gradient_alignment(LOGITS, *PROBLEM, "vanila"), r"did you mean 'vanilla'"),
    (lambda: theory.pilaf_policies(LOGITS, LOGREF[0], BETA), r"shape|annotation|Type-check"),
    (lambda: theory.kl_regularised_objective(LOGITS[:2], *PROBLEM), r"shape|annotation|Type-check"),
]  # fmt: skip


@pytest.mark.parametrize("call, message", REFUSED)
def test_bad_input_is_refused_by_name(call, message):
    with pytest.raises(Exception, match=message) as error:
        call()
    assert isinstance(error.value, ValueError) or "Type-check" in str(error.value)


@pytest.mark.parametrize("case, bad", [
    (CASES[0], dict(beta=-1.0)),
    (CASES[0], dict(prompts=np.array([1.5, -0.2, 0.1]))),
    (CASES[1], dict(beta=-1.0)),
    (CASES[1], dict(reward=FAR)),
])  # fmt: skip
def test_traced_bad_input_becomes_nan(case, bad):
    found = case.program({**case.arrays(), **{n: jnp.asarray(v) for n, v in bad.items()}})
    assert np.all(np.isnan(found[:-6] if "reward" in bad else found))  # a path needs no connected graph


def test_every_predictor_names_its_source():
    for name in theory.preference_sampling.__all__:
        if name[0].islower():
            assert "feng2025pilaf" in cite(getattr(theory, name))
