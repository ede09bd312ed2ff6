"""Distilled students: the simulators against NumPy and the theory; planted faults."""

from dataclasses import replace
from functools import cache

import jax
import numpy as np
import pytest
from planted import beside_theory_of, run_small

from simulations import teacher_hacking as experiment
from theorylab import theory
from theorylab.compare.judge import judge
from theorylab.problems.teacher_hacking import teacher_means
from theorylab.simulators.teacher_hacking import simulate_categorical_distillation, simulate_gaussian_distillation

MU_P, MU_Q = teacher_means(4, 0.8, 0.3)
GAUSSIAN = dict(mu_p=MU_P, mu_q=MU_Q, sigma2=0.5, m=6.0, lr=0.2, steps=(0, 1, 3, 5), data="offline", students=3)
CONCENTRATIONS = np.array([0.05, 3.0])
CATEGORICAL = dict(responses=20, concentration=1.0, teacher_samples=200, m=50, lr=0.1, steps=60)


@pytest.mark.parametrize("data", ["offline", "online"])
def test_distances_equal_those_of_numpy_on_the_same_samples(data):
    key, w, path = jax.random.key(3), np.zeros((3, 4)), []
    fold = lambda k: jax.random.normal(jax.random.fold_in(key, k), (3, 4))
    means = [MU_Q + np.sqrt(0.5 / 6) * np.asarray(fold(k if data == "online" else 0)) for k in range(6)]
    for k in range(6):
        seen = means[max(k, 1)]
        w = w + (0.2 * (seen - w) if k else 0)
        path.append([np.sum((w - point) ** 2, 1).mean() for point in (seen, MU_Q, MU_P)])
    measured = simulate_gaussian_distillation(key, **{**GAUSSIAN, "data": data})
    for name, expected in zip(("training", "proxy", "golden"), np.array(path)[[0, 1, 3, 5]].T):
        np.testing.assert_allclose(measured[name], expected, rtol=1e-12)
    turn = np.mean(means[1] @ MU_P) / np.mean(np.sum(means[1] ** 2, 1))
    np.testing.assert_allclose(measured["turn"], turn, rtol=1e-12)


def test_categorical_students_are_hacked_with_a_flat_oracle():
    one = lambda key, c: simulate_categorical_distillation(key, **{**CATEGORICAL, "concentration": c})["hacked"]
    shares = jax.jit(jax.vmap(jax.vmap(one, (0, None)), (None, 0)))(
        jax.random.split(jax.random.key(0), 50), CONCENTRATIONS
    )
    low, high = shares.mean(1)
    assert low < 0.05 and high > 0.5


@pytest.mark.parametrize("change, message", [
    (dict(data="on-line"), "did you mean 'online'"),
    (dict(steps=()), "steps"),
    (dict(steps=(-1, 2)), "steps"),
    (dict(students=0), "students = 0"),
    (dict(sigma2=-1.0), "sigma2"),
    (dict(m=0.5), "m = 0.5"),
    (dict(lr=0.0), "lr"),
])  # fmt: skip
def test_gaussian_arguments_are_refused_by_name(change, message):
    with pytest.raises(ValueError, match=message):
        simulate_gaussian_distillation(jax.random.key(0), **{**GAUSSIAN, **change})


@pytest.mark.parametrize("change", [
    dict(responses=1), dict(concentration=0.0), dict(teacher_samples=0), dict(m=0), dict(lr=2.0), dict(steps=0),
])  # fmt: skip
def test_categorical_arguments_are_refused_by_name(change):
    (name,) = change
    with pytest.raises(ValueError, match=f"{name} = "):
        simulate_categorical_distillation(jax.random.key(0), **{**CATEGORICAL, **change})


def test_teachers_need_two_dimensions():
    with pytest.raises(ValueError, match="d = 1"):
        teacher_means(1, 0.8, 0.2)


# ------------------------------------------------------------------------------------- the claims, and planted faults

SMALL = dict(offline=dict(replicates=32), online=dict(replicates=32, students=128), threshold=dict(replicates=32))


@cache
def simulated(name):
    return run_small(experiment, name, **SMALL[name])


def verdicts(name, predict=None):
    sweep, result = simulated(name)
    if predict:
        result = beside_theory_of(result, name, replace(sweep, predict=predict))
    claims = [c for c in experiment.CLAIMS if c.sweeps == (name,) and c.kind == "exact"]
    return [judge(claim, {name: result}).verdict for claim in claims]


def offline(change):
    def predict(mu_p, mu_q, sigma2: float, m: float, lr: float, steps: float):
        s = 1 - (1 - lr) ** steps
        return change(theory.gaussian_distillation_distances, mu_p, mu_q, sigma2, m, s)

    return predict


def online(change):
    def predict(mu_p, mu_q, sigma2: float, m: float, lr: float, steps: float):
        return change(theory.gaussian_online_distillation_distances, mu_p, mu_q, sigma2, m, lr, steps)

    return predict


def turning(change):
    def predict(mu_p, mu_q, sigma2: float, m: float):
        return change(theory.gaussian_teacher_hacking, mu_p, mu_q, sigma2, m)

    return predict


FAULTS = {
    "noise of one dimension": ("offline", offline(lambda f, p, q, v, m, s: f(p, q, v / 20, m, s))),
    "noise not shrunk by s": ("offline", offline(lambda f, p, q, v, m, s: f(p, q, v / (s + 1e-9) ** 2, m, s))),
    "teacher and oracle exchanged": ("offline", offline(lambda f, p, q, v, m, s: f(q, p, v, m, s))),
    "flow for steps": ("offline", offline(lambda f, p, q, v, m, s: f(p, q, v, m, s**1.1))),
    "online noise like 1/batch": ("online", online(lambda f, p, q, v, m, lr, k: f(p, q, v * (2 - lr) / lr, m, lr, k))),
    "online without noise": ("online", online(lambda f, p, q, v, m, lr, k: f(p, q, 0 * v, m, lr, k))),
    "turn of the proxy": ("threshold", turning(lambda f, p, q, v, m: f(p, q, v, m).s_proxy)),
    "one sample less": ("threshold", turning(lambda f, p, q, v, m: f(p, q, v, m - 1).s_golden)),
    "noise left out": ("threshold", turning(lambda f, p, q, v, m: f(p, q, 0 * v, m).s_golden)),
}


@pytest.mark.parametrize("name", SMALL)
def test_the_true_formula_does_not_fail(name):
    assert "fails" not in verdicts(name)  # at most 1e-3 per claim by chance


@pytest.mark.parametrize("fault", FAULTS)
def test_planted_faults_are_caught(fault):
    assert "fails" in verdicts(*FAULTS[fault])
