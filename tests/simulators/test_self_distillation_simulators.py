"""Self-distillation: the simulators against NumPy, scikit-learn and the theory; planted faults."""

from dataclasses import replace
from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from planted import beside_theory_of, run_small
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import Ridge

from simulations import self_distillation as experiment
from theorylab import problems, simulators, theory
from theorylab.compare.judge import judge

SINE = problems.sine_problem(40, 0.1)
FAMILY = simulators.self_distillation
KEY = jax.random.key(0)


def test_steps_equal_kernel_ridge_regression_of_scikit_learn_on_the_same_labels():
    weights = np.array([1.0, 0.3, 0.6, 0.0])
    _, key_noise = jax.random.split(KEY)
    y = SINE.f + 0.5 * np.asarray(jax.random.normal(jax.random.fold_in(key_noise, 0), (40,)))
    prediction, expected = y, []
    for weight in weights:
        target = weight * y + (1 - weight) * prediction
        prediction = KernelRidge(alpha=0.2, kernel="precomputed").fit(SINE.K, target).predict(SINE.K)
        expected.append(np.mean((prediction - SINE.f) ** 2))
    risk = FAMILY.simulate_self_distillation(KEY, SINE.K, SINE.f, 0.5, 0.2, weights, (1, 2, 3, 4))["risk"]
    np.testing.assert_allclose(risk, expected, rtol=1e-10)


def test_path_reports_the_filter_and_ends_at_the_ridge_fit():
    x = np.linspace(0, 1, 40)
    path = FAMILY.simulate_distillation_path(KEY, x, 0.1, 0.5, 0.2, 0.35, (1, 3, 80), tuple(range(1, 9)))
    steps = np.asarray(theory.self_distillation_filter(SINE.kernel_spectrum, 0.2, np.full(80, 0.35)))
    np.testing.assert_allclose(path["filter"], steps[[0, 2, 79], :8], rtol=1e-8)
    np.testing.assert_allclose(path["fit"][-1], path["ridge"], atol=1e-12)
    model = KernelRidge(alpha=0.2 / 0.35, kernel="precomputed").fit(SINE.K, path["labels"])
    np.testing.assert_allclose(path["ridge"], model.predict(SINE.K), atol=1e-12)
    assert np.all(FAMILY.simulate_distillation_path(KEY, x, 0.1, 0.5, 0.2, 0.0, (1,), (1,))["ridge"] == 0)


def test_new_data_risk_equals_ridge_regression_of_scikit_learn():
    spectrum, w_star = problems.power_law_problem(10, 1.2, 0.6)
    setting = dict(T=30, lam=0.05, sigma=0.3)
    key_design, key_noise = jax.random.split(KEY)
    X = np.asarray(jax.random.normal(key_design, (30, 10))) * np.sqrt(spectrum)
    y = X @ w_star + 0.3 * np.asarray(jax.random.normal(jax.random.fold_in(key_noise, 0), (30,)))
    target, expected = y, []
    for _ in range(3):
        model = Ridge(alpha=30 * 0.05, fit_intercept=False, solver="cholesky").fit(X, target)
        target = 0.4 * y + 0.6 * model.predict(X)
        expected.append(np.sum(spectrum * (model.coef_ - w_star) ** 2))
    risk = FAMILY.simulate_distillation_test_risk(KEY, spectrum, w_star, **setting, real_weight=0.4, steps=(1, 2, 3))
    np.testing.assert_allclose(risk["risk"], expected, rtol=1e-10)


def test_real_data_split_equals_scikit_learn():
    data = problems.diabetes_problem(1.0)
    found = FAMILY.simulate_distillation_on_data(KEY, data.K, data.targets, 0.5, 150, 80)
    order = np.asarray(jax.random.permutation(KEY, 442))
    train, val, test = order[:150], order[150:230], order[230:]
    fit = lambda y: KernelRidge(alpha=0.5, kernel="precomputed").fit(data.K[np.ix_(train, train)], y)
    teacher = fit(data.targets[train]).predict(data.K[:, train])
    pure = fit(teacher[train]).predict(data.K[:, train])
    change = teacher[val] - pure[val]
    weight = np.linalg.lstsq(change[:, None], data.targets[val] - pure[val])[0][0]
    tuned = weight * teacher + (1 - weight) * pure
    for name, value in dict(teacher=teacher, pure=pure, tuned=tuned).items():
        np.testing.assert_allclose(found[name], np.mean((value[test] - data.targets[test]) ** 2), rtol=1e-9)
    np.testing.assert_allclose(found["weight"], weight, rtol=1e-8)


def test_best_weight_over_many_draws_has_the_least_error():
    one = lambda key: FAMILY.simulate_distillation_weight(key, SINE.K, SINE.f, 0.3, 0.2, 2000)
    found = jax.jit(one)(KEY)
    first = theory.self_distillation_filter_constant(SINE.kernel_spectrum, 0.2, 1.0, 1.0)
    best = theory.self_distillation_optimal_weight(SINE.kernel_spectrum, SINE.f_coef_sq, 0.3, 0.2, first)
    np.testing.assert_allclose(found["weight"], best, atol=0.1)
    assert 0 < found["gain"] < 1


@pytest.mark.parametrize("call, message", [
    (lambda: FAMILY.simulate_self_distillation(KEY, SINE.K, SINE.f, 0.5, 0.0, np.ones(2), (1,)), "lam_total"),
    (lambda: FAMILY.simulate_self_distillation(KEY, SINE.K, SINE.f, -1.0, 0.2, np.ones(2), (1,)), "sigma"),
    (lambda: FAMILY.simulate_self_distillation(KEY, SINE.K, SINE.f, 0.5, 0.2, np.ones(2), (3,)), "steps"),
    (lambda: FAMILY.simulate_self_distillation(KEY, SINE.K, SINE.f, 0.5, 0.2, np.ones(2), (0,)), "steps"),
    (lambda: FAMILY.simulate_distillation_path(KEY, np.arange(4.0), 0.1, 0.5, 0.2, 1.2, (1,), (1,)), "real_weight"),
    (lambda: FAMILY.simulate_distillation_path(KEY, np.arange(4.0), 0.1, 0.5, 0.2, 0.5, (1,), (5,)), "mode"),
    (lambda: FAMILY.simulate_distillation_path(KEY, np.arange(4.0), 0.0, 0.5, 0.2, 0.5, (1,), (1,)), "bandwidth"),
    (lambda: FAMILY.simulate_distillation_path(KEY, np.arange(4.0), 0.1, 0.5, 0.2, 0.5, (), (1,)), "steps"),
    (lambda: FAMILY.simulate_distillation_weight(KEY, SINE.K, SINE.f, 0.5, 0.2, 0), "draws"),
    (lambda: FAMILY.simulate_distillation_on_data(KEY, SINE.K, SINE.f, 0.2, 20, 20), "n_val"),
    (lambda: FAMILY.simulate_distillation_on_data(KEY, SINE.K, SINE.f, 0.2, 0, 20), "n_train"),
    (lambda: FAMILY.simulate_distillation_on_data(KEY, SINE.K, SINE.f, 0.0, 10, 20), "lam_total"),
])  # fmt: skip
def test_outside_the_domain_is_refused_by_name(call, message):
    with pytest.raises(ValueError, match=f"^.*{message}.* outside its domain"):
        call()


# ------------------------------------------------------------------------------------- the claims, and planted faults

SMALL = dict(
    risk=dict(real_weight=(0.0, 0.3), steps=(1, 2, 5, 10), replicates=64),
    weight=dict(lam_total=(0.05, 1.0), sigma=(0.05, 0.5), replicates=32),
    path=dict(replicates=8),
)


@cache
def simulated(name):
    return run_small(experiment, name, **SMALL[name])


def verdicts(name, predict=None):
    """Verdicts of the claims that compare a sweep with theory; with another predictor, if one is given."""
    sweep, result = simulated(name)
    if predict:
        faulty = {**sweep.predict, **predict} if isinstance(predict, dict) else predict
        result = beside_theory_of(result, name, replace(sweep, predict=faulty))
    claims = [c for c in experiment.CLAIMS if c.sweeps == (name,) and c.kind == "exact"]
    return [judge(claim, {name: result}).verdict for claim in claims]


def risk_fault(change):
    def predict(kernel_spectrum, f_coef_sq, sigma: float, lam_total: float, real_weight: float, steps: float):
        return change(experiment.risk_of_step, kernel_spectrum, f_coef_sq, sigma, lam_total, real_weight, steps)

    return predict


def no_bias(f, e, f2, sigma, lam, weight, steps):
    return f(e, 0 * f2, sigma, lam, weight, steps) + 1e-9


def filter_squared_once(f, e, f2, sigma, lam, weight, steps):
    b = theory.self_distillation_filter_constant(e, lam, weight, steps)
    return jnp.mean((1 - b) ** 2 * f2 + sigma**2 * b)


RISK_FAULTS = {
    "one step too many": lambda f, e, f2, s, lam, w, t: f(e, f2, s, lam, w, t + 1),
    "weight of the other labels": lambda f, e, f2, s, lam, w, t: f(e, f2, s, lam, 1 - w, t),
    "ridge divided by n": lambda f, e, f2, s, lam, w, t: f(e, f2, s, lam / 40, w, t),
    "noise variance for its root": lambda f, e, f2, s, lam, w, t: f(e, f2, s**2, lam, w, t),
    "no bias": no_bias,
    "filter not squared": filter_squared_once,
}


def weight_from_prediction(kernel_spectrum, f_coef_sq, sigma: float, lam_total: float):
    """The noise forgotten in the numerator."""
    return theory.self_distillation_optimal_weight(
        kernel_spectrum, f_coef_sq, 0 * sigma, lam_total, kernel_spectrum / (kernel_spectrum + lam_total)
    )


def weight_after_two_steps(kernel_spectrum, f_coef_sq, sigma: float, lam_total: float):
    b = (kernel_spectrum / (kernel_spectrum + lam_total)) ** 2
    return theory.self_distillation_optimal_weight(kernel_spectrum, f_coef_sq, sigma, lam_total, b)


def clipped_weight(kernel_spectrum, f_coef_sq, sigma: float, lam_total: float):
    return jnp.clip(experiment.best_weight(kernel_spectrum, f_coef_sq, sigma, lam_total), 0.0, 1.0)


def filter_fault(change):
    def predict(kernel_spectrum, lam_total: float, real_weight: float, steps: float, mode: float):
        return change(experiment.filter_of_mode, kernel_spectrum, lam_total, real_weight, steps, mode)

    return predict


@pytest.mark.parametrize("name", SMALL)
def test_the_true_formula_does_not_fail(name):
    assert "fails" not in verdicts(name)  # at most 1e-3 per claim by chance


@pytest.mark.parametrize("fault", RISK_FAULTS)
def test_planted_faults_of_the_risk_are_caught(fault):
    assert verdicts("risk", risk_fault(RISK_FAULTS[fault])) == ["fails"]


@pytest.mark.parametrize("fault", [weight_from_prediction, weight_after_two_steps, clipped_weight])
def test_planted_faults_of_the_best_weight_are_caught(fault):
    assert "fails" in verdicts("weight", dict(weight=fault))


@pytest.mark.parametrize("fault", [
    lambda f, e, lam, w, t, k: f(e, lam, w, t + 1, k),
    lambda f, e, lam, w, t, k: f(e, lam, 1 - w, t, k),
    lambda f, e, lam, w, t, k: f(e, 2 * lam, w, t, k),
    lambda f, e, lam, w, t, k: f(e, lam, w, t, k + 1),
])  # fmt: skip
def test_planted_faults_of_the_filter_are_caught(fault):
    assert verdicts("path", dict(filter=filter_fault(fault))) == ["fails"]
