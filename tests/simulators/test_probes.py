"""Noise probes: the estimate, its expectation, what is computed once, and what the engine reads off a simulator."""

import inspect
import typing

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from theorylab.simulators.probes import Noise, quadratic_in_noise
from theorylab.types import Array, Key, Real

D = 4


@quadratic_in_noise
def ridge(key: Key, noise: Noise, T: int, lam: Real, sigma: Real = 1.0, stages: int = 2) -> dict[str, Array]:
    """Ridge estimate of (1, .., 1), twice in a row."""

    def fit(w, stage):
        X = jax.random.normal(jax.random.fold_in(key, stage), (T, D))
        factor = jnp.linalg.cholesky(X.T @ X + lam * jnp.eye(D))
        w = jax.scipy.linalg.cho_solve((factor, True), X.T @ (X @ w + sigma * noise(stage, (T,))))
        return w, w

    truth = jnp.ones(D)
    fits = jax.lax.scan(fit, truth, jnp.arange(stages))[1]
    return {"risk": fits - truth[None], "norm": fits[-1]}


def replicates(simulate, count, seed=0):
    keys = jax.random.split(jax.random.key(seed), count)
    return jax.tree.map(np.asarray, jax.jit(lambda keys: jax.lax.map(simulate, keys, batch_size=8))(keys))


def recorded_noise(key, scale=1.0):
    return lambda stage, shape: scale * jax.random.normal(jax.random.fold_in(key, stage), shape)


def test_the_expectation_given_the_design_is_the_squared_jacobian():
    """Affine in noise e = m + J z, so E |e|^2 = |m|^2 + |J|^2: 4,000 probes against the derivative."""
    key, T = jax.random.key(3), 9
    key_design = jax.random.split(key)[0]

    def vectors(z):
        return ridge.errors(key_design, lambda stage, shape: z[stage], T, 0.1)["risk"]

    mean, jacobian = vectors(jnp.zeros((2, T))), jax.jacfwd(vectors)(jnp.zeros((2, T)))
    exact = (mean**2).sum(-1) + (jacobian**2).sum((1, 2, 3))
    noise_part = exact - (mean**2).sum(-1)
    estimate = ridge(key, T, 0.1, probes=4000)["risk"]
    # a mean of 4,000 squares of D-dimensional Gaussians has a relative spread of at most sqrt(2 / 4,000)
    assert np.all(np.abs(estimate - exact) < 4.5 * (2 / 4000) ** 0.5 * noise_part)


def test_probes_have_the_mean_of_single_draws_and_less_spread():
    single = replicates(lambda key: ridge(key, 7, 0.1), 6000)["risk"]
    probed = replicates(lambda key: ridge(key, 7, 0.1, probes=8), 6000, seed=1)["risk"]
    error = ((single.var(0) + probed.var(0)) / 6000) ** 0.5
    assert np.abs((single.mean(0) - probed.mean(0)) / error).max() < 4.5
    assert np.all(probed.var(0) < 0.6 * single.var(0))


def test_a_measurement_that_is_not_affine_in_the_noise_is_seen_by_that_comparison():
    @quadratic_in_noise
    def wrong(key: Key, noise: Noise) -> dict[str, Array]:
        return {"risk": 1.0 + noise(0, (D,)) ** 2}

    single = replicates(wrong, 2000)["risk"]
    probed = replicates(lambda key: wrong(key, probes=8), 2000)["risk"]
    assert abs(single.mean() - probed.mean()) > 10 * single.std() / 2000**0.5


def eqns(jaxpr):
    """Every equation of a traced program, inner programs included."""
    for eqn in jaxpr.eqns:
        yield eqn
        for part in jax.tree.leaves(list(eqn.params.values()), is_leaf=lambda leaf: hasattr(leaf, "eqns")):
            inner = getattr(part, "jaxpr", part)
            if hasattr(inner, "eqns"):
                yield from eqns(inner)


def test_designs_and_their_factors_are_computed_once_for_all_probes():
    jaxpr = jax.make_jaxpr(lambda key: ridge(key, 9, 0.1, probes=6))(jax.random.key(0)).jaxpr
    factors = [eqn.outvars[0].aval.shape for eqn in eqns(jaxpr) if eqn.primitive.name == "cholesky"]
    assert factors == [(D, D)]
    normals = [eqn.outvars[0].aval.shape for eqn in eqns(jaxpr) if eqn.primitive.name == "erf_inv"]
    assert sorted(normals) == [(7, 9), (9, D)]  # noise for every lane, one design


def test_the_engine_binds_by_signature_and_annotations():
    parameters = inspect.signature(ridge).parameters
    assert list(parameters) == ["key", "T", "lam", "sigma", "stages", "probes"]
    assert {name: p.default for name, p in parameters.items() if p.default is not p.empty} == dict(
        sigma=1.0, stages=2, probes=0
    )
    hints = typing.get_type_hints(ridge)
    assert list(hints) == [*parameters, "return"]
    assert hints["T"] is int and hints["stages"] is int and hints["probes"] is int
    assert hints["lam"] == Real and hints["return"] == dict[str, Array]
    assert ridge.__name__ == "ridge" and inspect.getdoc(ridge) == "Ridge estimate of (1, .., 1), twice in a row."
    assert inspect.unwrap(ridge) is ridge


@pytest.mark.parametrize("arguments, error, message", [
    (dict(T=9, lam=0.1, probes=-1), ValueError, "probes = -1 is outside its domain: a static integer >= 0"),
    (dict(T=9, lam=0.1, probes=2.0), ValueError, "probes = 2.0 is outside its domain"),
    (dict(T=9), TypeError, "missing a required argument: 'lam'"),
    (dict(T=9, lam=0.1, noise=0), TypeError, "unexpected keyword argument 'noise'"),
])  # fmt: skip
def test_bad_calls_are_refused(arguments, error, message):
    with pytest.raises(error, match=message):
        ridge(jax.random.key(0), **arguments)
