"""Preference learning: the simulators against the closed forms and against each other; planted faults."""

import itertools
from dataclasses import replace
from functools import cache, partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.nn import log_softmax
from planted import beside_theory_of, run_small

from simulations import online_dpo, preference_estimation, preference_gradient_alignment
from theorylab import problems, theory
from theorylab.compare.judge import judge
from theorylab.simulators import preference_sampling as family
from theorylab.sweep.compiling import compiled

SCHEMES = problems.SCHEMES
RHO, BETA, N_BEST = (0.5, 0.3, 0.2), 0.5, 4
LOGREF, REWARD, _ = (np.asarray(t) for t in problems.draw_preferences(jax.random.key(4), RHO, 5))
LOGITS = np.asarray(log_softmax(LOGREF + np.random.default_rng(0).normal(size=LOGREF.shape)))


@compiled
def enumerated(logits, logref):
    laws = jnp.stack([family.enumerate_preference_pairs(s, logits, logref, BETA, N_BEST) for s in SCHEMES])
    return (laws + jnp.swapaxes(laws, 2, 3)) / 2


@compiled
def densities(logits, logref):
    return jnp.stack([theory.preference_pair_density(s, logits, logref, BETA, N_BEST) for s in SCHEMES])


angle_formula = jax.jit(theory.dpo_gradient_alignment, static_argnums=(5, 6, 7))
limit_formula = jax.jit(theory.dpo_asymptotics, static_argnums=(4, 5, 6))


@partial(jax.jit, static_argnums=(2, 3, 4))
def angles(key, eps, scheme, weighted, start):
    return family.simulate_gradient_alignment(key, RHO, 5, BETA, eps, scheme, weighted, N_BEST, start)


def test_all_outcomes_of_the_draws_have_the_closed_form_laws():
    for logits in (LOGITS, LOGREF):  # at the reference all implicit rewards are tied
        np.testing.assert_allclose(enumerated(logits, LOGREF), densities(logits, LOGREF), rtol=1e-11)


def test_drawn_pairs_have_the_closed_form_laws():
    """2 10^4 pairs per scheme and prompt; chi-square of 15 unordered outcomes, at most 45 (p = 4e-5)."""
    count = 20_000
    prompts, tables = jnp.repeat(jnp.arange(2), count), (jnp.asarray(LOGITS), jnp.asarray(LOGREF))

    @compiled
    def counts(key, prompts):
        uniforms = family.draw_uniforms(key, 2 * count, N_BEST)
        found = []
        for scheme in SCHEMES:
            first, second = family.draw_preference_pairs(uniforms, scheme, *tables, BETA, prompts, N_BEST)
            low, high = jnp.minimum(first, second), jnp.maximum(first, second)
            found.append(jnp.bincount(25 * prompts + 5 * low + high, length=50).reshape(2, 5, 5))
        return jnp.stack(found)

    seen, law = np.asarray(counts(jax.random.key(1), prompts)), np.asarray(densities(LOGITS, LOGREF))[:, :2]
    expected = count * (np.triu(law) + np.triu(law, 1))
    upper = np.triu_indices(5)
    chi_square = ((seen - expected) ** 2 / np.where(expected > 0, expected, 1))[..., upper[0], upper[1]].sum(-1)
    assert np.all(chi_square < 45)


@pytest.mark.parametrize("start", ["optimum", pytest.param("reference", marks=pytest.mark.slow)])
def test_angles_equal_those_of_the_closed_forms_on_the_same_instance(start):
    key, eps, names = jax.random.key(2), np.array([1e-2, 1.0]), ("t_pilaf", "best_of_n")
    both = (True,)
    found = angles(key, eps, names, both, start)
    problem, policies = problems.draw_policy_problem(key, RHO, 5, BETA, eps, start)
    for (k, scheme), (w, weighted), i in itertools.product(enumerate(names), enumerate(both), range(2)):
        expected = angle_formula(policies[i], *problem[:2], BETA, problem.rho, scheme, N_BEST, weighted)
        np.testing.assert_allclose(found["misalignment"][k, w, i], 1 - expected.cosine, rtol=1e-6)
        np.testing.assert_allclose(found["residual"][k, w, i], expected.residual, rtol=1e-9)


TWO = log_softmax(jnp.array([[0.0, 0.3, -0.2], [0.5, 0.0, 0.1]])), jnp.array([[1.0, 0.0, -0.5], [-0.6, 0.8, 0.0]])
SHARES, CENTRED = jnp.array([0.7, 0.3]), jnp.eye(3) - 1 / 3


@compiled
def fits(keys, n):
    fit = lambda key: family.simulate_preference_estimation(
        key, *TWO, 0.8, SHARES, n, ("t_pilaf", "hybrid"), (0, 2), CENTRED, 2
    )
    return jax.vmap(fit)(keys)


def test_value_gap_of_fits_with_several_prompts():
    """Two prompts of unequal probability, 400 fits of 40000 pairs: within four standard errors, no weights needed."""
    samples = fits(jax.random.split(jax.random.key(0), 400), 40_000.0)
    for k, scheme in enumerate(("t_pilaf", "hybrid")):
        limit = limit_formula(*TWO, 0.8, SHARES, scheme, None, scheme == "t_pilaf")
        variance = [limit.Omega[0, 0, 0], limit.Omega[0, 2, 2]]
        for values, expected in ((40_000 * samples["gap"][:, k], limit.n_gap), (samples["square"][:, k].T, variance)):
            mean, sem = np.mean(values, -1), np.std(values, -1) / 20
            assert np.all(np.abs(mean - np.array(expected)) < 4 * sem), scheme


def test_few_pairs_leave_no_finite_fit_and_say_so():
    """Two wins cannot connect three responses."""
    samples = fits(jax.random.split(jax.random.key(0), 400), 2.0)
    assert np.isnan(samples["gap"]).all() and np.isnan(samples["square"]).all()


@cache
def path_problem():
    problem = problems.draw_preferences(jax.random.key(7), (1 / 3,) * 3, 6)
    run = jax.jit(theory.online_dpo_path, static_argnums=(6, 7, 8))
    arguments = problem.logref, *problem[:2], BETA, problem.rho, 1.5, 40
    return problem, [run(*arguments, scheme, N_BEST) for scheme in ("pilaf_half", "best_of_n")]


def test_noiseless_runs_equal_the_exact_path():
    problem, expected = path_problem()
    steps, scheme = (0, 1, 40), ("pilaf_half", "best_of_n")
    run = partial(family.simulate_online_dpo_enumerated, X=3, Y=6, steps=steps, scheme=scheme, n_best=N_BEST)
    found = compiled(run)(jax.random.key(7), beta=BETA, eta=1.5)
    for k, path in enumerate(expected):
        for name in ("reward", "divergence", "objective"):
            value = getattr(path, name)[jnp.array(steps)]
            np.testing.assert_allclose(found[name][k], value, rtol=1e-8, atol=1e-12)
    best = BETA * jnp.mean(jax.nn.logsumexp(problem.logref + problem.reward / BETA, axis=-1))
    np.testing.assert_allclose(found["best"], best, rtol=1e-12)


def test_runs_with_many_pairs_follow_the_exact_path():
    problem, expected = path_problem()
    run = partial(family.simulate_online_dpo, pairs=20_000, steps=(0, 20, 40), scheme=("pilaf_half",), n_best=N_BEST)
    found = compiled(run)(jax.random.key(3), *problem[:2], BETA, 1.5, tilt=jnp.array([0.2, BETA]))
    np.testing.assert_allclose(found["objective"][0], expected[0].objective[jnp.array([0, 20, 40])], rtol=0.02)
    np.testing.assert_allclose(found["tilted"][..., 1], found["objective"], rtol=1e-12)
    np.testing.assert_allclose(found["tilted"][..., 0], found["reward"] - 0.2 * found["divergence"], rtol=1e-12)


def test_an_overfitted_start_is_far_from_the_reference_and_poor():
    problem, _ = path_problem()
    run = partial(family.simulate_online_dpo, pairs=8, steps=(0,), scheme=("vanilla",), n_best=2, labels=30)
    found = compiled(run)(jax.random.key(3), *problem[:2], BETA, 1.5, tilt=jnp.ones(1), sharpening=3.0)
    assert found["divergence"][0, 0] > 1
    assert found["objective"][0, 0] < problems.reward_and_divergence(problem.logref, *problem)[0]


@pytest.mark.parametrize("call, message", [
    (lambda key: family.simulate_gradient_alignment(key, RHO, 5, 0.0, np.ones(1), ("vanilla",), (True,), 2), "beta"),
    (lambda key: family.simulate_gradient_alignment(key, RHO, 5, 1.0, np.ones(1), ("vanila",), (True,), 2), "did you"),
    (lambda key: family.simulate_gradient_alignment(key, RHO, 5, 1.0, np.ones(1), SCHEMES, (True,), 1), "n_best = 1"),
    (lambda key: family.simulate_gradient_alignment(key, (0.5, 0.6), 5, 1.0, np.ones(1), SCHEMES, (True,), 2),
     "rho .* sum to one"),
    (lambda key: family.simulate_gradient_alignment(key, RHO, 5, 1.0, np.ones(1), SCHEMES, (True,), 2, "end"), "start"),
    (lambda key: family.simulate_preference_gradient(key, LOGITS, LOGREF, REWARD, BETA, np.array(RHO), 0, SCHEMES, 2),
     "pairs = 0"),
    (lambda key: family.simulate_preference_estimation(key, LOGREF, REWARD, BETA, np.array(RHO), 0, SCHEMES, (0,),
                                                       np.eye(5), 2), "n = 0"),
    (lambda key: family.simulate_preference_estimation(key, LOGREF + 0.1, REWARD, BETA, np.array(RHO), 9, SCHEMES,
                                                       (0,), np.eye(5), 2), "logref .* sum to one"),
    (lambda key: family.simulate_online_dpo(key, LOGREF, REWARD, BETA, 1.0, 0, (0,), SCHEMES, np.ones(1), 2), "pairs"),
    (lambda key: family.simulate_online_dpo(key, LOGREF, REWARD, BETA, 1.0, 1, (), SCHEMES, np.ones(1), 2), "steps"),
    (lambda key: family.simulate_online_dpo(key, LOGREF, REWARD, -1.0, 1.0, 1, (0,), SCHEMES, np.ones(1), 2), "beta"),
    (lambda key: family.simulate_online_dpo_enumerated(key, 2, 3, 1.0, 0.0, (0,), SCHEMES, 2), "eta = 0"),
    (lambda key: problems.preference_problem((0.5, 0.6), (1.0, 2.0)), "reference .* sum to one"),
    (lambda key: problems.preference_problem((1.0, 0.0), (1.0, 2.0)), "reference .* positive"),
])  # fmt: skip
def test_bad_input_is_refused_by_name(call, message):
    with pytest.raises(ValueError, match=message):
        call(jax.random.key(0))


# ------------------------------------------------------------------------------------- the claims, and planted faults

SMALL = {
    (preference_estimation, "fit"): dict(n=(4000, 8000, 16_000), replicates=1500),
    (preference_gradient_alignment, "sampled"): dict(replicates=3000, pairs=128),
    (online_dpo, "runs"): dict(pairs=(32, 64, 128), replicates=24, X=2, Y=6, steps=(100, 150), horizon=150),
}


@cache
def simulated(module, name):
    return run_small(module, name, **SMALL[module, name])


def verdicts(module, name, changes=None):
    """Verdicts of the claims that compare a sweep with theory; with some predictors exchanged, if any are given."""
    sweep, result = simulated(module, name)
    if changes:
        predict = sweep.predict if isinstance(sweep.predict, dict) else dict.fromkeys(sweep.measure, sweep.predict)
        faulty = replace(sweep, predict={**predict, **changes.get("predict", {})},
                         derive={**sweep.derive, **changes.get("derive", {})})  # fmt: skip
        result = beside_theory_of(result, name, faulty)
    claims = [c for c in module.CLAIMS if c.sweeps == (name,) and c.kind in ("exact", "asymptotic", "bound")]
    return [judge(claim, {name: result}).verdict for claim in claims]


def gap_without_one_half(n_gap: float, n: float):
    return 2 * n_gap / n


def gap_counts_every_response(n_gap: float, n: float):
    return n_gap * 5 / 4 / n


def limit_of_exchanged_schemes(logref, reward, beta: float, rho, scheme: str, n_best: int) -> theory.DpoAsymptotics:
    other = {"vanilla": "hybrid", "hybrid": "vanilla"}.get(scheme, scheme)
    return preference_estimation.limit(logref, reward, beta, rho, other, n_best)


def limit_of_half_for_t_pilaf(logref, reward, beta: float, rho, scheme: str, n_best: int) -> theory.DpoAsymptotics:
    other = {"t_pilaf": "pilaf_half"}.get(scheme, scheme)
    return preference_estimation.limit(logref, reward, beta, rho, other, n_best)


def variance_of_the_inverse(H, directions, direction: float):
    return directions[jnp.asarray(direction, int)] @ H[0] @ directions[jnp.asarray(direction, int)]


def ascent_of_ordered_pairs(logits, logref, reward, beta: float, rho, scheme: str, n_best: int):
    return preference_gradient_alignment.ascent_of_scheme(logits, logref, reward, beta, rho, scheme, n_best) / 2


def ascent_of_vanilla(logits, logref, reward, beta: float, rho, scheme: str, n_best: int):
    return preference_gradient_alignment.ascent_of_scheme(logits, logref, reward, beta, rho, "vanilla", n_best)


def ascent_in_implicit_rewards(logits, logref, reward, beta: float, rho, scheme: str, n_best: int):
    return preference_gradient_alignment.ascent_of_scheme(logits, logref, reward, beta, rho, scheme, n_best) / beta


def path_with_double_steps(logref, reward, beta: float, rho, eta: float, horizon: int, scheme: str, n_best: int):
    return online_dpo.exact_path(logref, reward, beta, rho, 2 * eta, horizon, scheme, n_best)


def frontier_of_another_coefficient(logref, reward, rho, tilt: float):
    return online_dpo.largest(logref, reward, rho, 1.5 * tilt)


FAULTS = {
    (preference_estimation, "fit"): {
        "no one half": dict(predict=dict(gap=gap_without_one_half)),
        "Y for Y - 1": dict(predict=dict(gap=gap_counts_every_response)),
        "schemes exchanged": dict(derive=dict(asymptotics=limit_of_exchanged_schemes)),
        "one half for the theoretical probability": dict(derive=dict(asymptotics=limit_of_half_for_t_pilaf)),
        "Hessian for its inverse": dict(predict=dict(square=variance_of_the_inverse)),
    },
    (preference_gradient_alignment, "sampled"): {
        "one order of the pair": dict(predict=dict(ascent=ascent_of_ordered_pairs)),
        "vanilla pairs for all": dict(predict=dict(ascent=ascent_of_vanilla)),
        "beta counted once": dict(predict=dict(ascent=ascent_in_implicit_rewards)),
    },
    (online_dpo, "runs"): {
        "steps doubled": dict(derive=dict(path=path_with_double_steps)),
        "frontier of another coefficient": dict(predict=dict(tilted=frontier_of_another_coefficient)),
    },
}
CASES = [(*key, name) for key, faults in FAULTS.items() for name in faults]


def heavy(module, name, *fault):
    """Only the sampled gradients are quick."""
    return pytest.param(module, name, *fault, marks=() if name == "sampled" else pytest.mark.slow)


@pytest.mark.parametrize("module, name", [heavy(*key) for key in FAULTS], ids=lambda x: getattr(x, "__name__", x))
def test_the_true_formula_does_not_fail(module, name):
    assert "fails" not in verdicts(module, name)  # at most 1e-3 per claim by chance


@pytest.mark.parametrize("module, name, fault", [heavy(*c) for c in CASES], ids=lambda x: getattr(x, "__name__", x))
def test_a_planted_fault_makes_a_claim_fail(module, name, fault):
    assert "fails" in verdicts(module, name, FAULTS[module, name][fault])
