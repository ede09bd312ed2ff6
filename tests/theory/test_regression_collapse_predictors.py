"""Every predictor of the family: derivatives, batching, float32, scaling covariance, refusals."""

import inspect
from inspect import unwrap

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from predictor_checks import Case, check_batching, check_derivatives, check_refusal

from theorylab import problems, theory
from theorylab.theory import regression_collapse

D = 12
SPECTRUM, W_STAR = problems.power_law_problem(D, 1.3, 0.6)
PROBLEM = dict(spectrum=SPECTRUM, w_star=W_STAR)
FIT = dict(T=20.0, lam=0.05)
CHAIN = dict(
    spectrum=SPECTRUM,
    c_star=np.sqrt(SPECTRUM) * W_STAR,
    Ts=np.array([15.0, 9.0, 20.0]),
    lams=np.array([0.01, 0.02, 0.05]),
    sigmas=np.array([0.3, 0.2, 0.4]),
    real_weights=np.array([0.9, 0.3, 0.6]),
)
NOISE = dict(sigma=0.4, sigma0=0.3)
COLLAPSE = dict(**PROBLEM, **FIT, T0=9.0, lam0=0.02, **NOISE)
OLS = dict(**PROBLEM, generations=3.0, **FIT, T0=30.0, **NOISE)
MINNORM = dict(d=40.0, generations=3.0, T0=21.0, sigma0=0.3, w_star_sq=1.3)
SHARED = dict(generations=3.0, lam0=0.1, lam=0.05, **NOISE, w_star_sq=1.3)
KERNEL = dict(spectrum=SPECTRUM, C=np.random.default_rng(0).normal(size=(D, 3)) * np.sqrt(SPECTRUM)[:, None])
STAGES = {name: CHAIN[name] for name in ("Ts", "lams", "sigmas")}
CROSSOVER = dict(**PROBLEM, generations=5.0, T0=40.0, sigma=0.3, sigma0=0.3, ell=0.6)

CASES = [
    Case(theory.ols_collapse_risk, dict(d=20.0, generations=3.0, T=31.0, T0=27.0, **NOISE)),
    Case(theory.ridge_bias_variance, dict(**PROBLEM, **FIT, sigma=0.4)),
    Case(theory.ridge_chain_moments, CHAIN),
    Case(theory.ridge_chain_risk, CHAIN),
    Case(theory.ridge_collapse_risk, COLLAPSE, generations=0),
    Case(theory.ridge_collapse_risk, COLLAPSE, generations=3),
    Case(theory.ridge_collapse_slope, dict(spectrum=SPECTRUM, **FIT, T0=30.0), finite_size=True),
    Case(theory.ridge_collapse_slope, dict(spectrum=SPECTRUM, **FIT, T0=30.0), finite_size=False),
    Case(theory.ridge_collapse_slope_shared, dict(spectrum=SPECTRUM, **FIT)),
    Case(theory.ridge_collapse_risk_ols_generators, OLS),
    Case(theory.ridge_collapse_risk_leading_order, OLS),
    Case(theory.isotropic_minnorm_generator_risk, MINNORM, shared=False),
    Case(theory.isotropic_minnorm_generator_risk, MINNORM, shared=True),
    Case(theory.isotropic_minnorm_collapse_risk, dict(**MINNORM, sigma=0.4, T=25.0)),
    Case(theory.isotropic_minnorm_collapse_risk, dict(**MINNORM, sigma=0.4, T=60.0)),
    Case(theory.isotropic_shared_design_risk, dict(gamma=0.7, **SHARED)),
    Case(theory.isotropic_shared_design_risk, dict(gamma=1.6, **SHARED)),
    Case(theory.clean_ridge_exponent, dict(beta=1.5, r=0.7)),
    Case(theory.collapse_ridge_exponent, dict(beta=1.5, r=0.7, c=0.8, a=0.1)),
    Case(theory.collapse_rate_exponent, dict(beta=1.5, r=0.7, ell=0.5, c=0.8, a=0.1)),
    Case(theory.collapse_crossover_samples, CROSSOVER),
    Case(theory.optimal_collapse_ridge, {n: OLS[n] for n in OLS if n != "lam"}),
    Case(theory.kernel_ridge_chain_risk, dict(**KERNEL, **STAGES)),
    Case(
        theory.kernel_ridge_collapse_risk,
        dict(**KERNEL, **{n: COLLAPSE[n] for n in COLLAPSE if n not in PROBLEM}),
        generations=3,
    ),
]
each = pytest.mark.parametrize("case", CASES, ids=str)
BY_ID = {str(case): case for case in CASES}


def test_every_predictor_has_a_case():
    public = {name for name in regression_collapse.__all__ if inspect.isfunction(getattr(regression_collapse, name))}
    assert public == {case.function.__name__ for case in CASES}


@each
def test_derivatives(case):
    check_derivatives(case)


@each
def test_batching(case):
    check_batching(case)


@pytest.mark.parametrize(
    "case",
    [
        Case(theory.ridge_bias_variance, dict(**PROBLEM, T=20.0, lam=0.0, sigma=0.4)),
        Case(theory.ridge_bias_variance, dict(**PROBLEM, T=7.0, lam=0.0, sigma=0.4)),
        Case(theory.ridge_collapse_risk, dict(COLLAPSE, T0=30.0, lam0=0.0), generations=3),
        Case(theory.isotropic_shared_design_risk, dict(SHARED, gamma=0.7, lam0=0.0, lam=0.0)),
        Case(theory.isotropic_shared_design_risk, dict(SHARED, gamma=1.6, lam0=0.0)),
    ],
    ids=str,
)
def test_derivatives_at_zero_ridge(case):
    """The one-sided derivative in the ridge, which relative steps cannot see, and all others."""
    check_derivatives(case)
    for name in [name for name in ("lam", "lam0") if case.real.get(name) == 0]:
        program = jax.jit(lambda x: case.vector({**case.real, name: x}))  # noqa: B023
        h = 1e-5
        one_sided = (-3 * program(0.0) + 4 * program(h) - program(2 * h)) / (2 * h)
        np.testing.assert_allclose(jax.jacfwd(program)(0.0), one_sided, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("case", [case for case in CASES if "spectrum" in case.real], ids=str)
def test_float32_stays_float32(case):
    single = case.program({name: jnp.asarray(value, jnp.float32) for name, value in case.real.items()})
    assert single.dtype == jnp.float32
    np.testing.assert_allclose(single, case.program(case.arrays()), rtol=2e-3)


@pytest.mark.parametrize(
    "case",
    [case for case in CASES if {"w_star", "w_star_sq", "C", "c_star"} & set(case.real)],
    ids=str,
)
def test_scaling_covariance(case):
    """Weights and noises times s: risks times s^2 (moments likewise); the optimum and the crossover stay."""
    s = 1.7
    signal = {"w_star": s, "w_star_sq": s**2, "C": s, "c_star": s, "sigma": s, "sigma0": s, "sigmas": s}
    scaled = case(**{name: np.asarray(value) * signal.get(name, 1.0) for name, value in case.real.items()})
    original = case()
    powers = {"m": 1, "lam": 0, "interior": 0}
    if case.function is theory.collapse_crossover_samples:
        powers = {"": 0}
    fields = getattr(original, "_fields", ("",))
    for field in fields:
        before, after = (getattr(x, field) if field else x for x in (original, scaled))
        np.testing.assert_allclose(after, np.asarray(before) * s ** powers.get(field, 2), rtol=1e-9)


@each
def test_not_a_number_is_refused_or_stays_one(case):
    for name, value in case.real.items():
        bad = np.full(np.shape(value), np.nan) if np.ndim(value) else float("nan")
        if name in ("w_star", "c_star", "C"):
            assert np.isnan(case.program({**case.arrays(), name: bad})).any()
        else:
            check_refusal(case, "", **{name: bad})


INACTIVE = {  # arguments on which a predictor does not depend at its point
    "ridge_collapse_risk-generations=0": {"T0", "lam0", "sigma0"},
    "collapse_rate_exponent": {"r"},
}


@each
def test_a_slip_in_any_argument_is_visible(case):
    """2% in one argument moves the result far beyond the tolerance at which values are tested."""
    point, value = case.arrays(), case.program(case.arrays())
    for name in set(point) - INACTIVE.get(str(case), set()):
        moved = case.program({**point, name: 0.98 * point[name]})
        assert np.max(np.abs(moved / value - 1)) > 1e-6, name


FEW = dict(ridge="ridge_bias_variance", chain="ridge_chain_risk", collapse="ridge_collapse_risk-generations=3")
REFUSALS = [
    # case, what is named, bad arguments
    ("ols_collapse_risk", "T", dict(T=21.0)),
    ("ols_collapse_risk", "T0", dict(T0=21.0)),
    ("ols_collapse_risk", "generations", dict(generations=-1.0)),
    ("ols_collapse_risk", "sigma0", dict(sigma0=-0.1)),
    (FEW["ridge"], "T", dict(T=12.0, lam=0.0)),
    (FEW["ridge"], "T", dict(T=0.0)),
    (FEW["ridge"], "T", dict(T=np.inf)),
    (FEW["ridge"], "lam", dict(lam=-1e-9)),
    (FEW["ridge"], "sigma", dict(sigma=-0.1)),
    (FEW["ridge"], "spectrum", dict(spectrum=-SPECTRUM)),
    (FEW["ridge"], "spectrum", dict(spectrum=np.append(SPECTRUM[:-1], np.inf))),
    (FEW["ridge"], "T", dict(spectrum=np.append(SPECTRUM[:-1], 0.0), T=11.0, lam=0.0)),
    (FEW["chain"], "Ts", dict(Ts=np.array([15.0, 12.0, 20.0]), lams=np.array([0.01, 0.0, 0.01]))),
    (FEW["chain"], "Ts", dict(Ts=np.array([15.0, -12.0, 20.0]))),
    (FEW["chain"], "lams", dict(lams=np.array([0.1, 0.1, -0.1]))),
    (FEW["chain"], "sigmas", dict(sigmas=np.array([-0.1, 0.1, 0.1]))),
    (FEW["chain"], "real_weights", dict(real_weights=np.array([1.0, 1.1, 0.0]))),
    (FEW["chain"], "real_weights", dict(real_weights=np.array([1.0, -0.1, 0.0]))),
    (FEW["collapse"], "T0", dict(T0=12.0, lam0=0.0)),
    (FEW["collapse"], "lam0", dict(lam0=-0.1)),
    (FEW["collapse"], "sigma0", dict(sigma0=-0.1)),
    ("ridge_collapse_slope-finite_size=True", "T0", dict(T0=13.0)),
    ("ridge_collapse_slope-finite_size=False", "T0", dict(T0=12.0)),
    ("ridge_collapse_slope-finite_size=True", "T", dict(T=12.0, lam=0.0)),
    ("ridge_collapse_slope-finite_size=True", "spectrum", dict(spectrum=np.append(SPECTRUM[:-1], 0.0))),
    ("ridge_collapse_slope_shared", "T", dict(T=12.0, lam=0.0)),
    ("ridge_collapse_risk_ols_generators", "generations", dict(generations=-1.0)),
    ("ridge_collapse_risk_ols_generators", "T0", dict(T0=13.0)),
    ("ridge_collapse_risk_leading_order", "T0", dict(T0=0.0)),
    ("ridge_collapse_risk_leading_order", "sigma0", dict(sigma0=-0.1)),
    ("isotropic_minnorm_generator_risk-shared=False", "T0", dict(T0=39.0)),
    ("isotropic_minnorm_generator_risk-shared=True", "T0", dict(T0=40.0)),
    ("isotropic_minnorm_generator_risk-shared=False", "T0", dict(T0=41.0)),
    ("isotropic_minnorm_generator_risk-shared=False", "T0", dict(T0=60.0)),
    ("isotropic_minnorm_generator_risk-shared=False", "w_star_sq", dict(w_star_sq=-1.0)),
    ("isotropic_minnorm_collapse_risk", "T0", dict(T0=39.0)),
    ("isotropic_minnorm_collapse_risk", "T", dict(T=39.0)),
    ("isotropic_minnorm_collapse_risk", "T", dict(T=40.0)),
    ("isotropic_minnorm_collapse_risk", "T", dict(T=41.0)),
    ("isotropic_minnorm_collapse_risk", "T", dict(T=0.0)),
    ("isotropic_shared_design_risk", "gamma", dict(gamma=1.0, lam=0.0)),
    ("isotropic_shared_design_risk", "gamma", dict(gamma=0.0)),
    ("isotropic_shared_design_risk", "lam0", dict(lam0=-0.1)),
    ("clean_ridge_exponent", "beta", dict(beta=1.0)),
    ("clean_ridge_exponent", "r", dict(r=0.0)),
    ("collapse_ridge_exponent", "c", dict(c=-0.1)),
    ("collapse_ridge_exponent", "a", dict(a=-0.1)),
    ("collapse_rate_exponent", "ell", dict(ell=1.5)),
    ("collapse_rate_exponent", "ell", dict(ell=-0.1)),
    ("collapse_crossover_samples", "generations", dict(generations=0.0)),
    ("collapse_crossover_samples", "sigma0", dict(sigma0=0.0)),
    ("collapse_crossover_samples", "sigma0", dict(sigma0=1e-9)),  # no crossing
    ("collapse_crossover_samples", "T0", dict(T0=13.0)),
    ("optimal_collapse_ridge", "T0", dict(T0=13.0)),
    ("optimal_collapse_ridge", "sigma", dict(sigma=-0.1)),
    ("kernel_ridge_chain_risk", "spectrum", dict(spectrum=np.append(SPECTRUM[:-1], -1e-3))),
    ("kernel_ridge_chain_risk", "lams", dict(lams=np.array([0.1, 0.1, -0.1]))),
    ("kernel_ridge_collapse_risk-generations=3", "T0", dict(T0=0.0)),
]


@pytest.mark.parametrize(("name", "named", "bad"), REFUSALS, ids=lambda x: str(x) if isinstance(x, str) else "")
def test_refusals(name, named, bad):
    check_refusal(BY_ID[name], f"{named} =", **bad)


@pytest.mark.parametrize(
    ("function", "named", "arguments"),
    [
        (theory.ridge_bias_variance, "w_star", dict(PROBLEM, w_star=W_STAR[:1], **FIT, sigma=0.1)),
        (theory.ridge_bias_variance, "spectrum", dict(spectrum=W_STAR[:0], w_star=W_STAR[:0], **FIT, sigma=0.1)),
        (theory.ridge_collapse_risk, "w_star", dict(COLLAPSE, w_star=W_STAR[:1], generations=1)),
        (theory.ridge_collapse_risk, "generations", dict(COLLAPSE, generations=-1)),
        (theory.ridge_chain_risk, "c_star", dict(CHAIN, c_star=W_STAR[:1])),
        (theory.ridge_chain_risk, "Ts, lams", dict(CHAIN, Ts=[15.0, 9.0])),
        (theory.ridge_chain_moments, "Ts, lams", dict(CHAIN, real_weights=[1.0])),
        (theory.ridge_chain_risk, "Ts, lams", dict(CHAIN, Ts=[], lams=[], sigmas=[], real_weights=None)),
        (theory.kernel_ridge_chain_risk, "C", dict(spectrum=SPECTRUM, C=W_STAR[:5, None], **STAGES)),
    ],
)
def test_shapes_are_refused(function, named, arguments):
    """Unwrapped: without the run-time type checker of the tests, which would see these first."""
    with pytest.raises(ValueError, match=f"^{named}.* outside its domain"):
        unwrap(function)(**arguments)
