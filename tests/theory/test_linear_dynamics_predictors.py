"""Linear networks: derivatives, batching, and what lies outside the domains."""

import numpy as np
import pytest
from predictor_checks import Case, check_batching, check_derivatives, check_refusal

from theorylab import cite, theory

POINT = dict(alpha=0.7, sigma_w2=0.8, sigma_e2=0.3, sigma_w0_2=0.1)
RIDGE = dict(alpha=0.7, sigma_w2=0.8, sigma_e2=0.3)
CASES = {
    "test": Case(theory.gradient_flow_test_error, dict(t=2.0, **POINT)),
    "test at the peak": Case(theory.gradient_flow_test_error, dict(t=2.0, **{**POINT, "alpha": 1.0})),
    "train": Case(theory.gradient_flow_train_error, dict(t=2.0, **{**POINT, "alpha": 1.3})),
    "steps": Case(theory.gradient_descent_test_error, dict(steps=7.0, eta=0.1, **POINT)),
    "large steps": Case(theory.gradient_descent_test_error, dict(eta=0.5, **POINT), steps=7),
    "limit": Case(theory.gradient_flow_test_error_limit, POINT),
    "stopping": Case(theory.optimal_stopping_time, POINT),
    "ridge": Case(theory.isotropic_ridge_test_error, dict(g=0.2, **RIDGE)),
    "optimum": Case(theory.isotropic_ridge_optimum, RIDGE),
}


@pytest.mark.parametrize("name", CASES)
def test_derivatives(name):
    check_derivatives(CASES[name])


@pytest.mark.parametrize("name", CASES)
def test_batching(name):
    check_batching(CASES[name])


@pytest.mark.parametrize("name, named, bad", [
    *((name, "alpha", dict(alpha=0.0)) for name in CASES),
    *((name, "sigma_w2", dict(sigma_w2=-0.1)) for name in ("test", "train", "steps", "limit", "stopping", "ridge")),
    *((name, "sigma_e2", dict(sigma_e2=-0.1)) for name in ("test", "train", "steps", "limit", "stopping", "ridge")),
    *((name, "sigma_w0_2", dict(sigma_w0_2=-0.1)) for name in ("test", "train", "steps", "limit", "stopping")),
    ("test", "alpha", dict(alpha=np.inf)),
    ("test", "sigma_e2", dict(sigma_e2=np.nan)),
    ("test", "t", dict(t=-1.0)),
    ("test", "t", dict(t=np.inf)),
    ("train", "t", dict(t=-1.0)),
    ("steps", "steps", dict(steps=-1.0)),
    ("steps", "eta", dict(eta=0.0)),
    ("steps", "eta", dict(eta=2 / (1 + 0.7**0.5) ** 2 + 1e-9)),
    ("stopping", "sigma_e2", dict(sigma_e2=0.0)),
    ("ridge", "g", dict(g=0.0)),
    ("ridge", "g", dict(g=-1.0)),
    ("optimum", "sigma_w2", dict(sigma_w2=0.0)),
    ("optimum", "sigma_e2", dict(sigma_e2=0.0)),
])  # fmt: skip
def test_outside_the_domain(name, named, bad):
    check_refusal(CASES[name], named, **bad)


def test_every_predictor_names_its_source():
    for predict in {case.function for case in CASES.values()}:
        assert "High-dimensional dynamics" in cite(predict)
