"""A Gaussian refitted to its own samples: the simulator against NumPy and the theory; planted faults."""

from dataclasses import replace
from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from planted import beside_theory_of, run_small

from simulations import gaussian_recursion as experiment
from theorylab import theory
from theorylab.compare.judge import judge
from theorylab.simulators.gaussian_recursion import simulate_gaussian_recursion

REFITS = (0, 1, 2, 5)


@pytest.mark.parametrize("strategy", ["replace", "accumulate"])
@pytest.mark.parametrize("unbiased", [True, False])
def test_moments_equal_those_of_numpy_on_the_same_samples(strategy, unbiased):
    n, chains, key = 6, 4, jax.random.key(2)
    mu, var = np.zeros(chains), np.full(chains, 1.7)
    path, pool = [(mu, var)], np.zeros((0, chains))
    for t in range(1, max(REFITS) + 1):
        fresh = mu + np.sqrt(var) * np.asarray(jax.random.normal(jax.random.fold_in(key, t), (n, chains)))
        pool = fresh if strategy == "replace" else np.concatenate([pool, fresh])
        mu, var = pool.mean(0), pool.var(0, ddof=int(unbiased))
        path.append((mu, var))
    mu, var = (np.array(values)[list(REFITS)] for values in zip(*path))
    expected = dict(mean_sq=mu**2, var=var, var_sq=var**2, std=np.sqrt(var), log_var=np.log(var))
    expected["w2"] = mu**2 + (np.sqrt(var) - np.sqrt(1.7)) ** 2
    both = simulate_gaussian_recursion(key, n, REFITS, 1.7, (not unbiased, unbiased), strategy, chains)
    for name, value in expected.items():
        np.testing.assert_allclose(both[name][1], value.mean(-1), rtol=1e-10, atol=1e-14)


def test_a_collapsed_variance_does_not_vanish_in_the_rounding_of_the_mean():
    """Two degrees of freedom, 500 refits: the logarithm falls to 500 (psi(1) - log(3/2)) = -491, with spread 10."""
    moments = simulate_gaussian_recursion(jax.random.key(0), 3, (500,), 1.0, (False,), "replace", 8)
    assert -540 < moments["log_var"][0, 0] < -440


@pytest.mark.parametrize("change, message", [
    (dict(strategy="accumulated"), "did you mean 'accumulate'"),
    (dict(n=1), "n = 1"),
    (dict(refits=(-1, 2)), "refits"),
    (dict(refits=()), "refits"),
    (dict(unbiased=()), "unbiased"),
    (dict(var0=0.0), "var0"),
    (dict(chains=0), "chains"),
])  # fmt: skip
def test_outside_the_domain_is_refused_by_name(change, message):
    arguments = {**dict(n=5, refits=REFITS, var0=1.0, unbiased=(True,), strategy="replace", chains=1), **change}
    with pytest.raises(ValueError, match=message):
        simulate_gaussian_recursion(jax.random.key(0), **arguments)


# ------------------------------------------------------------------------------------- the claims, and planted faults

SMALL = dict(
    replace=dict(n=(5, 10, 50), refits=(1, 2, 3, 5, 10, 20), replicates=100),
    accumulate=dict(n=(5, 10), refits=(1, 2, 3, 5, 10), replicates=100),
)


@cache
def simulated(name):
    return run_small(experiment, name, **SMALL[name])


def verdicts(name, predict=None):
    """Verdicts of the claims that compare a sweep with theory; with another predictor, if one is given."""
    sweep, result = simulated(name)
    if predict:
        measured = sweep.predict if isinstance(sweep.predict, dict) else sweep.measure
        faulty = replace(sweep, predict=dict.fromkeys(measured, predict))
        result = beside_theory_of(result, name, faulty)
    claims = [c for c in experiment.CLAIMS if c.sweeps == (name,) and c.kind == "exact"]
    return [judge(claim, {name: result}).verdict for claim in claims]


def replaced(change):
    def predict(n: float, refits: float, var0: float, unbiased: bool):
        return change(theory.gaussian_replacement_moments, n, refits, var0, unbiased)

    return predict


def accumulated(change):
    def predict(n: float, refits: int, var0: float, unbiased: bool):
        return change(theory.gaussian_accumulation_moments, n, refits, var0, unbiased)

    return predict


REPLACED_FAULTS = {
    "one refit too many": lambda f, n, t, v, u: f(n, t + 1, v, u),
    "estimators exchanged": lambda f, n, t, v, u: f(n, t, v, not u),
    "n - 1 degrees of freedom for n": lambda f, n, t, v, u: f(n - 1, t, v, u),
    "the mean of the root is the root of the mean": lambda f, n, t, v, u: f(n, t, v, u)._replace(
        std=jnp.sqrt(f(n, t, v, u).var)
    ),
    "no drift of the logarithm": lambda f, n, t, v, u: f(n, t, v, u)._replace(
        log_var=jnp.log(f(n, t, v, u).var) - 1e-9
    ),
    "the square of the mean": lambda f, n, t, v, u: f(n, t, v, u)._replace(var_sq=f(n, t, v, u).var ** 2),
}
ACCUMULATED_FAULTS = {
    "one refit too few": lambda f, n, t, v, u: f(n, t - 1, v, u)._replace(mean_sq=f(n, t, v, u).mean_sq),
    "estimators exchanged": lambda f, n, t, v, u: f(n, t, v, not u),
    "one sample less": lambda f, n, t, v, u: f(n - 1, t, v, u),
    "the mean loses what the variance loses": lambda f, n, t, v, u: f(n, t, v, u)._replace(
        mean_sq=v - f(n, t, v, u).var + 1e-9
    ),
}


@pytest.mark.parametrize("name", SMALL)
def test_the_true_formula_does_not_fail(name):
    assert "fails" not in verdicts(name)  # at most 1e-3 per claim by chance


@pytest.mark.parametrize("fault", REPLACED_FAULTS)
def test_planted_faults_of_replacing_are_caught(fault):
    assert "fails" in verdicts("replace", replaced(REPLACED_FAULTS[fault]))


@pytest.mark.parametrize("fault", ACCUMULATED_FAULTS)
def test_planted_faults_of_accumulating_are_caught(fault):
    assert "fails" in verdicts("accumulate", accumulated(ACCUMULATED_FAULTS[fault]))


@pytest.mark.slow
@pytest.mark.parametrize("strategy", ["replace", "accumulate"])
def test_all_moments_within_four_standard_errors(strategy):
    """n = 10, 2 10^5 chains in 1000 groups; var_sq after three refits only: later its mean cannot be measured."""
    run = lambda key: simulate_gaussian_recursion(key, 10, (3, 12), 1.0, (True, False), strategy, 200)
    keys = jax.random.split(jax.random.key(1), 1000)
    samples = jax.jit(lambda keys: jax.lax.map(run, keys, batch_size=8))(keys)
    for u, unbiased in enumerate((True, False)):
        for i, refits in enumerate((3, 12)):
            predict = (
                theory.gaussian_replacement_moments if strategy == "replace" else theory.gaussian_accumulation_moments
            )
            for name, expected in predict(10, refits, 1.0, unbiased)._asdict().items():
                if (name, refits) != ("var_sq", 12):
                    values = np.asarray(samples[name][:, u, i])
                    assert abs(values.mean() - expected) < 4 * values.std() / np.sqrt(len(values)), (
                        name,
                        refits,
                        unbiased,
                    )
