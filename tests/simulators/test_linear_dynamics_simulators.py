"""Linear networks: the simulators against dense exponentials, solves and loops; planted faults."""

from dataclasses import replace
from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from planted import beside_theory_of, run_small
from scipy import linalg

from simulations import linear_dynamics as experiment
from theorylab import theory
from theorylab.compare.judge import judge
from theorylab.simulators import linear_dynamics as simulators

KEY, N, COLUMNS, DRAWS = jax.random.key(3), 6, 12, 3
gradient_flow = jax.jit(simulators.simulate_gradient_flow, static_argnums=(1, 2, 8))
ALPHAS = pytest.mark.parametrize("alpha", [0.5, 1.0, 2.0])


def drawn(alpha, sigma_w2, sigma_e2, sigma_w0_2, draws=DRAWS):
    """X [N, P], and for each draw true weights, labels and initial weights."""
    P = round(alpha * N)
    normal = np.asarray(jax.random.normal(KEY, (N * COLUMNS + (2 * N + COLUMNS) * draws,)))
    X = normal[: N * COLUMNS].reshape(COLUMNS, N)[:P].T / N**0.5
    rest = normal[N * COLUMNS :].reshape(-1, draws)
    truth, start = sigma_w2**0.5 * rest[:N], sigma_w0_2**0.5 * rest[N : 2 * N]
    return X, truth, X.T @ truth + sigma_e2**0.5 * rest[2 * N : 2 * N + P], start


def errors(X, truth, labels, w, sigma_e2):
    test = ((w - truth) ** 2).sum(0).mean() / N + sigma_e2
    return test, ((labels - X.T @ w) ** 2).sum(0).mean() / X.shape[1]


@ALPHAS
def test_gradient_flow_equals_the_exponential_of_the_dense_system(alpha):
    times, noises = np.array([0.0, 0.3, 5.0, 200.0]), np.array([0.2, 0.7])
    found = gradient_flow(KEY, N, COLUMNS, alpha, times, 0.8, noises, 0.5, DRAWS)
    for s, noise in enumerate(noises):
        X, truth, labels, start = drawn(alpha, 0.8, noise, 0.5)
        for i, t in enumerate(times):
            # d/dt (w, 1) = [[-X X', X y], [0, 0]] (w, 1)
            both = []
            for sign in (1, -1):
                w = np.empty_like(truth)
                for k in range(DRAWS):
                    system = np.zeros((N + 1, N + 1))
                    system[:N, :N], system[:N, N] = -X @ X.T, X @ labels[:, k]
                    w[:, k] = (linalg.expm(system * t) @ [*sign * start[:, k], 1.0])[:N]
                both.append(errors(X, truth, labels, w, noise))
            expected = np.mean(both, 0)
            np.testing.assert_allclose(found["test_error"][s, i], expected[0], rtol=1e-10)
            np.testing.assert_allclose(found["train_error"][s, i], expected[1], rtol=1e-9, atol=1e-13)
    alone = gradient_flow(KEY, N, COLUMNS, alpha, 5.0, 0.8, 0.7, 0.5, DRAWS)
    for name, value in alone.items():
        np.testing.assert_allclose(value, found[name][1, 2], rtol=1e-13)


@ALPHAS
def test_gradient_descent_equals_a_loop(alpha):
    steps = (0, 1, 2, 9)
    found = simulators.simulate_gradient_descent(KEY, N, COLUMNS, alpha, steps, 0.2, 0.8, 0.7, 0.5, DRAWS)
    X, truth, labels, w = drawn(alpha, 0.8, 0.7, 0.5)
    path = [errors(X, truth, labels, w, 0.7)[0]]
    for _ in range(9):
        w = w + 0.2 * X @ (labels - X.T @ w)
        path.append(errors(X, truth, labels, w, 0.7)[0])
    np.testing.assert_allclose(found["test_error"], np.array(path)[list(steps)], rtol=1e-12)


@ALPHAS
def test_ridge_equals_a_dense_solve_and_stopping_the_flow(alpha):
    relative = np.array([0.5, 2.0])
    found = simulators.simulate_stopping_and_ridge(KEY, N, COLUMNS, alpha, 1.7, 0.3, relative, 0.8, 0.7, DRAWS)
    X, truth, labels, _ = drawn(alpha, 0.8, 0.7, 0.0)
    for i, factor in enumerate(relative):
        w = np.linalg.solve(X @ X.T + 0.3 * factor * np.eye(N), X @ labels)
        np.testing.assert_allclose(found["ridge"][i], errors(X, truth, labels, w, 0.7)[0], rtol=1e-12)
    flow = gradient_flow(KEY, N, COLUMNS, alpha, 1.7 * relative, 0.8, 0.7, 0.0, DRAWS)
    np.testing.assert_allclose(found["stopped"], flow["test_error"], rtol=1e-12)


POINT = dict(N=N, columns=COLUMNS, alpha=0.5, sigma_w2=0.8, sigma_e2=0.7)
FLOW = ("simulate_gradient_flow", dict(POINT, t=1.0, sigma_w0_2=0.5))
DESCENT = ("simulate_gradient_descent", dict(POINT, steps=(1, 2), eta=0.1, sigma_w0_2=0.5))
STOPPING = ("simulate_stopping_and_ridge", dict(POINT, t=1.0, g=0.1, relative=np.ones(2)))


@pytest.mark.parametrize("case, bad", [
    (FLOW, dict(N=0)),
    (FLOW, dict(columns=0)),
    (FLOW, dict(draws=0)),
    (FLOW, dict(alpha=0.05)),
    (FLOW, dict(alpha=2.2)),
    (FLOW, dict(t=np.array([1.0, -1.0]))),
    (FLOW, dict(sigma_w2=-1.0)),
    (FLOW, dict(sigma_e2=np.array([1.0, -1.0]))),
    (FLOW, dict(sigma_w0_2=-1.0)),
    (DESCENT, dict(steps=())),
    (DESCENT, dict(steps=(3, -1))),
    (DESCENT, dict(eta=0.0)),
    (STOPPING, dict(t=-1.0)),
    (STOPPING, dict(g=0.0)),
    (STOPPING, dict(relative=np.array([1.0, 0.0]))),
])  # fmt: skip
def test_outside_the_domain_is_refused_by_name(case, bad):
    (name,) = bad
    with pytest.raises(ValueError, match=rf"^{name} = .* is outside its domain"):
        getattr(simulators, case[0])(KEY, **{**case[1], **bad})


# ------------------------------------------------------------------------------------- the claims, and planted faults

SIZES = dict(N=(16, 32, 64), draws=16, replicates=100)
SMALL = dict(
    curves=dict(SIZES, room=1.5, alpha=(0.5, 1.5), t=(0.1, 1.0, 3.0, 20.0, 1000.0), sigma_e2=(1 / 3,), sigma_w0_2=0.5),
    descent=dict(SIZES, alpha=(0.5, 1.5), relative_step=(1.5,), steps=(1, 3, 20)),
    stopping=dict(SIZES, room=1.5, alpha=(0.5, 1.5)),
    init=dict(SIZES, draws=64, t=(0.1, 3.0, 100.0), sigma_w0_2=(0.0, 1.0)),
)


@cache
def simulated(name):
    return run_small(experiment, name, **SMALL[name])


def within(name, axis, at):
    return [x for x in at if x in SMALL[name][axis]] if isinstance(at, list) else at


def verdicts(name, predict=None):
    """Verdicts of the claims that compare a sweep with theory; with another predictor, if one is given."""
    sweep, result = simulated(name)
    if predict:
        result = beside_theory_of(result, name, replace(sweep, predict=predict))
    claims = [c for c in experiment.CLAIMS if c.sweeps == (name,) and c.kind in ("exact", "asymptotic")]
    claims = [
        replace(c, where={a: at if callable(at) else within(name, a, at) for a, at in c.where.items()}) for c in claims
    ]
    return [judge(claim, {name: result}).verdict for claim in claims]


def flows(change):
    def test_error(t: float, alpha: float, sigma_w2: float, sigma_e2: float, sigma_w0_2: float):
        return change(theory.gradient_flow_test_error, t, alpha, sigma_w2, sigma_e2, sigma_w0_2)

    def train_error(t: float, alpha: float, sigma_w2: float, sigma_e2: float, sigma_w0_2: float):
        return change(theory.gradient_flow_train_error, t, alpha, sigma_w2, sigma_e2, sigma_w0_2)

    return dict(test_error=test_error, train_error=train_error)


gradient_flowFAULTS = {
    "the time of a loss averaged over samples": lambda f, t, a, w, e, s: f(t / a, a, w, e, s),
    "parameters per sample": lambda f, t, a, w, e, s: f(t, 1 / a, w, e, s),
    "exponentials not squared": lambda f, t, a, w, e, s: f(t / 2, a, w, e, s),
    "initial weights forgotten": lambda f, t, a, w, e, s: f(t, a, w, e, 0.0 * s),
    "standard deviation for variance": lambda f, t, a, w, e, s: f(t, a, w, e**0.5, s),
}
TEST_FAULTS = {
    "no noise of the new label": lambda f, t, a, w, e, s: f(t, a, w, e, s) - e,
    "no frozen directions": lambda f, t, a, w, e, s: f(t, a, w, e, s) - jnp.maximum(1 - a, 0.0) * (w + s),
}


def descents(change):
    def predict(steps: float, eta: float, alpha: float, sigma_w2: float, sigma_e2: float, sigma_w0_2: float):
        return change(steps, eta, alpha, sigma_w2, sigma_e2, sigma_w0_2)

    return predict


DESCENT_FAULTS = {
    "steps are the flow": lambda k, eta, a, *v: theory.gradient_flow_test_error(eta * k, a, *v),
    "one step too many": lambda k, eta, a, *v: theory.gradient_descent_test_error(k + 1, eta, a, *v),
    "step of half the size": lambda k, eta, a, *v: theory.gradient_descent_test_error(k, eta / 2, a, *v),
}


def ridges(change):
    def predict(g: float, relative: float, alpha: float, sigma_w2: float, sigma_e2: float):
        return change(g * relative, alpha, sigma_w2, sigma_e2)

    return dict(ridge=predict, stopped=experiment.error_when_stopped)


RIDGE_FAULTS = {
    "ridge of a loss averaged over samples": lambda g, a, w, e: theory.isotropic_ridge_test_error(g / a, a, w, e),
    "no noise of the new label": lambda g, a, w, e: theory.isotropic_ridge_test_error(g, a, w, e) - e,
    "parameters per sample": lambda g, a, w, e: theory.isotropic_ridge_test_error(g, 1 / a, w, e),
}


@pytest.mark.parametrize(
    "name", ["curves", "descent", *(pytest.param(n, marks=pytest.mark.slow) for n in ("stopping", "init"))]
)
def test_the_true_formula_does_not_fail(name):
    assert "fails" not in verdicts(name)  # at most 1e-3 per claim by chance


@pytest.mark.parametrize("fault", gradient_flowFAULTS)
@pytest.mark.parametrize("error", ["test_error", "train_error"])
def test_planted_faults_of_gradient_flow_are_caught(fault, error):
    true = experiment.experiment(experiment.get_config("quick")).sweeps["curves"].predict
    faulty = flows(gradient_flowFAULTS[fault])
    assert "fails" in verdicts("curves", {**true, error: faulty[error]})


@pytest.mark.parametrize("fault", TEST_FAULTS)
def test_planted_faults_of_the_test_error_are_caught(fault):
    true = experiment.experiment(experiment.get_config("quick")).sweeps["curves"].predict
    assert "fails" in verdicts("curves", {**true, "test_error": flows(TEST_FAULTS[fault])["test_error"]})


@pytest.mark.parametrize("fault", DESCENT_FAULTS)
def test_planted_faults_of_gradient_descent_are_caught(fault):
    assert "fails" in verdicts("descent", descents(DESCENT_FAULTS[fault]))


@pytest.mark.slow
@pytest.mark.parametrize("fault", RIDGE_FAULTS)
def test_planted_faults_of_ridge_are_caught(fault):
    assert "fails" in verdicts("stopping", ridges(RIDGE_FAULTS[fault]))


@pytest.mark.slow
@pytest.mark.parametrize("fault", ["exponentials not squared", "initial weights forgotten"])
def test_planted_faults_of_initial_weights_are_caught(fault):
    assert "fails" in verdicts("init", {"test_error": flows(gradient_flowFAULTS[fault])["test_error"]})
