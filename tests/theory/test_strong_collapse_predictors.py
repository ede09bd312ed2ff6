"""Every predictor of the family: derivatives, batching, float32, refusals; and the fixed point through projections."""

import inspect
from decimal import Decimal, localcontext
from inspect import unwrap

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.testing import assert_allclose
from predictor_checks import Case, check_batching, check_derivatives, check_refusal
from scipy.optimize import brentq

from theorylab import theory
from theorylab.numerics.projection import effective_ridge_projection, projection_shares
from theorylab.numerics.ridge import effective_ridge
from theorylab.theory import strong_collapse

D = 12
RNG = np.random.default_rng(0)
SPECTRUM = np.arange(1, D + 1) ** -1.3
W1, DELTA = RNG.normal(size=(2, D)) / np.sqrt(D)
DELTA = DELTA + 0.3 * W1
MOMENTS = dict(spectrum=SPECTRUM, w1_sq=W1**2, delta_sq=DELTA**2)
CROSS = dict(cross=0.9 * W1 * DELTA)
NOISE = dict(sigma1=0.5, sigma2=0.3)
FIT = dict(n=20.0, p2=0.3, **NOISE, lam=0.05)
MIXTURE = dict(**MOMENTS, **CROSS, **FIT)
FLOOR = dict(**MOMENTS, **CROSS, p2=0.3, lam=0.05)
ONSET = {**MOMENTS, "delta_sq": 100 * DELTA**2, "p2": 0.3, **NOISE, "lam": 0.05, "ns": np.array([20.0, 40.0, 80.0])}
ROOTS = RNG.normal(size=(3, 4, 4))


def sources(roots, **rest):
    """Total and tau2, with covariances by their roots, which stay symmetric when they are moved."""
    Sigmas = roots @ jnp.swapaxes(roots, 1, 2)
    return theory.multi_source_ridge_risk(Sigmas=Sigmas[:-1], Sigma_test=Sigmas[-1], **rest)[:2]


SOURCES = dict(
    Sigmas=ROOTS[:2] @ ROOTS[:2].transpose(0, 2, 1), Sigma_test=ROOTS[2] @ ROOTS[2].T, thetas=RNG.normal(size=(2, 4)),
    w_star=RNG.normal(size=4), ns=np.array([9.0, 14.0]), sigmas=np.array([0.5, 0.3]), weights=np.array([1.0, 0.6]),
    lam=0.05, theta0=RNG.normal(size=4),
)  # fmt: skip
MIXING = dict(spectrum=SPECTRUM, w1=W1, mu0=DELTA, cov0=DELTA**2, **FIT)
RIDGELESS = dict(d=60.0, p2=0.3, c2=0.4, r2=1.2, s2bar=0.2)
OLS = dict(n1=30.0, n2=10.0, d=20.0, **NOISE, c2=0.4)
BY_ROOTS = Case(sources, dict(roots=ROOTS, **{name: SOURCES[name] for name in SOURCES if "Sigma" not in name}))

CASES = [
    Case(theory.mixed_ridge_risk, MIXTURE),
    Case(theory.mixed_projection_risk, dict(**MIXTURE, m=9.0)),
    Case(theory.mixed_isotropic_ridgeless_risk, dict(**RIDGELESS, n=150.0, m=90.0)),
    Case(theory.mixed_ols_risk, OLS),
    Case(theory.weighted_mixed_ridge_risk, dict(**MIXTURE, a1=1.2, a2=0.4)),
    Case(theory.multi_source_ridge_risk, SOURCES),
    Case(theory.dynamic_mixing_risk, MIXING, steps=3),
    Case(theory.dynamic_mixing_ols_risk, dict(**OLS, steps=3.0)),
    Case(theory.strong_collapse_floor, FLOOR, m=None),
    Case(theory.strong_collapse_floor, dict(**FLOOR, m=9.0)),
    Case(theory.strong_collapse_onset, ONSET),
]
BRANCHES = [
    Case(theory.mixed_projection_risk, dict(MIXTURE, m=40.0, n=8.0)),
    Case(theory.mixed_isotropic_ridgeless_risk, dict(**RIDGELESS, n=150.0, m=25.0)),
    Case(theory.mixed_isotropic_ridgeless_risk, dict(**RIDGELESS, n=20.0, m=25.0)),
    Case(theory.mixed_isotropic_ridgeless_risk, dict(**RIDGELESS, n=20.0, m=300.0)),
    Case(theory.mixed_isotropic_ridgeless_risk, dict(**RIDGELESS, n=20.0), m=None),
    Case(theory.mixed_isotropic_ridgeless_risk, dict(**RIDGELESS, n=150.0), m=None),
    Case(theory.mixed_ridge_risk, dict(MIXTURE, lam=0.0)),
    Case(theory.mixed_ridge_risk, dict(MIXTURE, lam=0.0, n=7.0)),
    Case(theory.mixed_projection_risk, dict(MIXTURE, lam=0.0, m=9.0)),
    Case(theory.mixed_projection_risk, dict(MIXTURE, lam=0.0, m=30.0)),
    Case(theory.mixed_projection_risk, dict(MIXTURE, lam=0.0, m=9.0, n=7.0)),
    Case(theory.weighted_mixed_ridge_risk, dict(MIXTURE, a1=1.2, a2=0.4, lam=0.0)),
    Case(theory.weighted_mixed_ridge_risk, dict(MIXTURE, a1=1.2, a2=0.4, lam=0.0, n=7.0)),
    Case(theory.strong_collapse_floor, dict(FLOOR, lam=0.0), m=None),
    Case(theory.strong_collapse_floor, dict(FLOOR, lam=0.0, m=9.0)),
    BY_ROOTS,
    Case(effective_ridge_projection, dict(spectrum=SPECTRUM, n=8.0, m=9.0, lam=0.01)),
    Case(effective_ridge_projection, dict(spectrum=SPECTRUM, n=8.0, m=9.0, lam=0.0)),
    Case(effective_ridge_projection, dict(spectrum=SPECTRUM, n=30.0, m=40.0, lam=0.01)),
]  # fmt: skip
BY_NAME = {case.function.__name__: case for case in CASES if not case.static or "m" not in case.static}


def test_every_predictor_has_a_case():
    public = {name for name in strong_collapse.__all__ if inspect.isfunction(getattr(strong_collapse, name))}
    assert public == {case.function.__name__ for case in CASES}


# not for a point of a grid, nor where covariances are moved by their roots and a residual is a rounding
APART = (theory.strong_collapse_onset, theory.multi_source_ridge_risk)


@pytest.mark.parametrize("case", [case for case in CASES + BRANCHES if case.function not in APART], ids=str)
def test_derivatives(case):
    check_derivatives(case)


@pytest.mark.parametrize("case", [case for case in (*CASES, BY_ROOTS) if case.function not in APART], ids=str)
def test_batching(case):
    check_batching(case)


@pytest.mark.parametrize("case", CASES + BRANCHES, ids=str)
def test_no_derivative_is_not_a_number(case):
    """In every argument, at zero noise, at a zero eigenvalue and at both ends of p2, too."""
    change = {"sigma1": 0.0, "p2": 0.0} if "sigma1" in case.real and "p2" in case.real else {}
    if "spectrum" in case.real and np.ndim(case.real["spectrum"]):
        change["spectrum"] = np.append(SPECTRUM[:-1], 0.0)
    for point in (change, {**change, "p2": 1.0} if "p2" in case.real else change):
        real = {**case.arrays(), **{name: jnp.asarray(value) for name, value in point.items()}}
        gradient = jax.jit(jax.grad(lambda real: case.vector(real)[0]))(real)
        assert all(np.isfinite(leaf).all() for leaf in gradient.values())


WITH_SPECTRUM = [case for case in CASES if "spectrum" in case.real]


@pytest.mark.parametrize("case", [c for c in WITH_SPECTRUM if c.function is not theory.strong_collapse_onset], ids=str)
def test_float32_stays_float32(case):
    single = case.vector({name: jnp.asarray(value, jnp.float32) for name, value in case.real.items()})
    assert single.dtype == jnp.float32
    assert_allclose(single, case.vector(case.real), rtol=2e-3, atol=1e-4)


NOT_A_VECTOR_OF_SIGN = ("w1", "mu0", "w_star", "thetas", "theta0", "cross", "Sigmas", "Sigma_test", "ns", "steps")


@pytest.mark.parametrize("case", CASES, ids=str)
def test_not_a_number_is_refused_or_stays_one(case):
    for name, value in case.real.items():
        bad = np.full(np.shape(value), np.nan)
        if name in NOT_A_VECTOR_OF_SIGN:
            try:
                assert np.isnan(case.vector({**case.real, name: bad})).any()
            except ValueError as error:
                assert "domain" in str(error)
        else:
            check_refusal(case, "", **{name: bad if bad.ndim else float("nan")})


MIXED = ("mixed_ridge_risk", "mixed_projection_risk", "weighted_mixed_ridge_risk")
REFUSALS = [
    # predictor, what is named, bad arguments
    *[(name, "n", dict(n=0.5)) for name in (*MIXED, "dynamic_mixing_risk")],
    *[(name, "p2", dict(p2=value)) for name in (*MIXED, "dynamic_mixing_risk", "strong_collapse_floor",
                                                "mixed_isotropic_ridgeless_risk", "strong_collapse_onset")
      for value in (-0.01, 1.01)],
    *[(name, "lam", dict(lam=-1e-9)) for name in (*MIXED, "dynamic_mixing_risk", "strong_collapse_floor",
                                                  "strong_collapse_onset")],
    *[(name, sigma, {sigma: -0.1}) for name in (*MIXED, "dynamic_mixing_risk", "mixed_ols_risk",
                                                "dynamic_mixing_ols_risk", "strong_collapse_onset")
      for sigma in ("sigma1", "sigma2")],
    *[(name, "spectrum", dict(spectrum=bad)) for name in (*MIXED, "dynamic_mixing_risk", "strong_collapse_floor",
                                                          "strong_collapse_onset")
      for bad in (np.append(SPECTRUM[:-1], -1e-3), np.zeros(D), np.append(SPECTRUM[:-1], np.inf))],
    *[(name, "w1_sq", dict(w1_sq=-W1**2)) for name in MIXED],
    *[(name, "delta_sq", dict(delta_sq=-DELTA**2)) for name in MIXED],
    *[(name, "cross", dict(cross=1.001 * W1 * DELTA)) for name in (*MIXED, "strong_collapse_floor")],
    *[(name, "n", dict(n=float(D), lam=0.0))
      for name in ("mixed_ridge_risk", "weighted_mixed_ridge_risk", "dynamic_mixing_risk")],
    ("mixed_ridge_risk", "n", dict(spectrum=np.append(SPECTRUM[:-1], 0.0), n=D - 1.0, lam=0.0)),
    ("mixed_projection_risk", "n", dict(n=9.0, lam=0.0)),
    ("mixed_projection_risk", "n", dict(n=float(D), m=float(D), lam=0.0)),
    ("mixed_projection_risk", "n", dict(n=float(D), m=40.0, lam=0.0)),
    ("mixed_projection_risk", "m", dict(m=0.5)),
    ("strong_collapse_floor", "m", dict(m=0.5)),
    ("mixed_isotropic_ridgeless_risk", "n", dict(n=60.0)),
    ("mixed_isotropic_ridgeless_risk", "n", dict(n=25.0, m=25.0)),
    ("mixed_isotropic_ridgeless_risk", "n", dict(n=0.5)),
    ("mixed_isotropic_ridgeless_risk", "m", dict(m=0.5)),
    ("mixed_isotropic_ridgeless_risk", "d", dict(d=0.5)),
    ("mixed_isotropic_ridgeless_risk", "c2", dict(c2=-1.0)),
    ("mixed_isotropic_ridgeless_risk", "r2", dict(r2=-1.0)),
    ("mixed_isotropic_ridgeless_risk", "s2bar", dict(s2bar=-1.0)),
    ("mixed_ols_risk", "n1 + n2", dict(d=39.0)),
    ("mixed_ols_risk", "n1 + n2", dict(d=50.0)),
    ("mixed_ols_risk", "n2", dict(n1=60.0, n2=-10.0)),
    ("mixed_ols_risk", "c2", dict(c2=-1.0)),
    ("dynamic_mixing_ols_risk", "n1 + n2", dict(d=39.0)),
    ("dynamic_mixing_ols_risk", "steps", dict(steps=-1.0)),
    ("dynamic_mixing_risk", "cov0", dict(cov0=-DELTA**2)),
    ("weighted_mixed_ridge_risk", "a1", dict(a1=-0.1)),
    ("weighted_mixed_ridge_risk", "a2", dict(a2=-0.1)),
    ("weighted_mixed_ridge_risk", "a1, a2, p2", dict(a1=0.0, a2=0.0)),
    ("weighted_mixed_ridge_risk", "a1, a2, p2", dict(a1=0.0, p2=0.0)),
    ("weighted_mixed_ridge_risk", "a1, a2, p2", dict(a2=0.0, p2=1.0)),
    ("weighted_mixed_ridge_risk", "n", dict(a2=0.0, lam=0.0, n=24.0, p2=0.5)),  # as many real rows as dimensions
    ("multi_source_ridge_risk", "lam", dict(lam=0.0)),
    ("multi_source_ridge_risk", "lam", dict(lam=-1.0)),
    ("multi_source_ridge_risk", "sigmas", dict(sigmas=np.array([0.1, -0.1]))),
    ("multi_source_ridge_risk", "weights", dict(weights=np.array([0.1, -0.1]))),
    ("multi_source_ridge_risk", "ns", dict(ns=np.array([10.0, -1.0]))),
    ("multi_source_ridge_risk", "ns", dict(ns=np.zeros(2))),
    ("multi_source_ridge_risk", "Sigmas", dict(Sigmas=ROOTS[:2])),
    ("multi_source_ridge_risk", "smallest eigenvalue of Sigmas", dict(Sigmas=-SOURCES["Sigmas"])),
    ("multi_source_ridge_risk", "smallest eigenvalue of Sigma_test", dict(Sigma_test=-SOURCES["Sigma_test"])),
    ("strong_collapse_onset", "ns", dict(ns=np.array([0.0, 20.0]))),
]  # fmt: skip


@pytest.mark.parametrize(("name", "named", "bad"), REFUSALS, ids=lambda x: str(x) if isinstance(x, str) else "")
def test_refusals(name, named, bad):
    check_refusal(BY_NAME[name], f"{named} =", **bad)


def test_a_threshold_in_the_number_of_parameters_alone_is_regular():
    """m = rank < n, and n = m above the rank of the inputs."""
    regular = {**MIXTURE, "lam": 0.0, "m": float(D), "n": 20.0}
    linear = theory.mixed_ridge_risk(**{name: value for name, value in regular.items() if name != "m"})
    assert_allclose(theory.mixed_projection_risk(**regular).total, linear.total, rtol=1e-12)
    assert_allclose(theory.mixed_projection_risk(**{**regular, "m": 20.0}).total, linear.total, rtol=1e-12)


@pytest.mark.parametrize(("function", "named", "arguments"), [
    *[(theory.mixed_ridge_risk, name, {**MIXTURE, name: W1[:3]}) for name in ("w1_sq", "delta_sq", "cross")],
    (theory.mixed_ridge_risk, "spectrum", {**FIT, **dict.fromkeys((*MOMENTS, "cross"), W1[:0])}),
    (theory.mixed_projection_risk, "w1_sq", {**MIXTURE, "m": 9.0, "w1_sq": W1[:3]}),
    (theory.weighted_mixed_ridge_risk, "cross", {**MIXTURE, "a1": 1.0, "a2": 1.0, "cross": W1[:3]}),
    (theory.strong_collapse_floor, "delta_sq", {**FLOOR, "delta_sq": W1[:3]}),
    (theory.strong_collapse_onset, "delta_sq", {**ONSET, "delta_sq": W1[:3]}),
    (theory.strong_collapse_onset, "ns", {**ONSET, "ns": ()}),
    *[(theory.dynamic_mixing_risk, name, {**MIXING, "steps": 2, name: W1[:3]}) for name in ("w1", "mu0", "cov0")],
    (theory.dynamic_mixing_risk, "steps", {**MIXING, "steps": -1}),
    *[(theory.multi_source_ridge_risk, name, {**SOURCES, name: np.ones(3)})
      for name in ("w_star", "ns", "sigmas", "weights", "theta0")],
    (theory.multi_source_ridge_risk, "thetas", {**SOURCES, "thetas": np.ones((2, 3))}),
    (theory.multi_source_ridge_risk, "Sigmas", {**SOURCES, "Sigmas": np.ones((2, 3, 3))}),
    (theory.multi_source_ridge_risk, "Sigmas", {**SOURCES, "Sigmas": np.ones((0, 4, 4)), "thetas": np.ones((0, 4)),
                                                **dict.fromkeys(("ns", "sigmas", "weights"), np.ones(0))}),
])  # fmt: skip
def test_shapes_are_refused(function, named, arguments):
    """Unwrapped: without the run-time type checker of the tests, which would see these first."""
    with pytest.raises(ValueError, match=f"^{named}.* outside its domain"):
        unwrap(function)(**arguments)


def test_the_messages_say_what_is_wrong():
    with pytest.raises(ValueError, match="cross violates Cauchy-Schwarz"):
        theory.mixed_ridge_risk(**{**MIXTURE, "cross": 2 * W1 * DELTA})
    with pytest.raises(ValueError, match=r"effective rank.*the ridgeless risk diverges; use lam > 0"):
        theory.mixed_ridge_risk(**{**MIXTURE, "n": D, "lam": 0.0})
    with pytest.raises(ValueError, match=r"different from m.*the ridgeless risk diverges; use lam > 0"):
        theory.mixed_projection_risk(**{**MIXTURE, "n": 9, "m": 9, "lam": 0.0})
    with pytest.raises(ValueError, match="the OLS mean risk is infinite or undefined"):
        theory.mixed_ols_risk(n1=30, n2=10, d=39, **NOISE, c2=0.4)


# -------------------------------------------------------------------------------------- the fixed point by projections


def product(spectrum, n, m, kappa):
    df1 = np.sum(spectrum / (spectrum + kappa))
    return m / spectrum.size * kappa * (1 - df1 / n) * (1 - df1 / m)


def test_the_root_has_no_residual_and_is_the_one_above_the_smallest_admissible():
    rng = np.random.default_rng(1)
    spectra = rng.exponential(size=(200, 40)) ** 3
    n, m = rng.uniform(3, 120, (2, 200))
    lam = 10 ** rng.uniform(-8, 1, 200)
    kappa = jax.jit(jax.vmap(effective_ridge_projection))(spectra, n, m, lam)
    for s, n_, m_, lam_, k in zip(spectra, n, m, lam, np.asarray(kappa)):
        least = float(effective_ridge(s, min(n_, m_), 0.0))
        upper = lam_ * 40 / m_ + s.sum() * (1 / n_ + 1 / m_)
        expected = brentq(lambda x: product(s, n_, m_, x) - lam_, least, upper, xtol=1e-300, rtol=1e-14)  # noqa: B023
        assert k >= least
        assert_allclose(k, expected, rtol=1e-10)


def test_the_root_without_ridge():
    root = lambda n, m: effective_ridge_projection(SPECTRUM, n, m, 0.0)
    assert root(20.0, 30.0) == 0 and root(12.0, 30.0) == 0
    for n, m in ((5.0, 30.0), (30.0, 5.0), (5.0, 5.0)):
        assert_allclose(np.sum(SPECTRUM / (SPECTRUM + root(n, m))), 5, rtol=1e-13)
        assert_allclose(effective_ridge_projection(SPECTRUM, n, m, 1e-30), root(n, m), rtol=1e-13)


def test_samples_and_projections_exchange_their_roles():
    a = effective_ridge_projection(SPECTRUM, 20.0, 8.0, 0.03)
    assert_allclose(effective_ridge_projection(SPECTRUM, 8.0, 20.0, 0.03 * 20 / 8), a, rtol=1e-13)


@pytest.mark.parametrize(("n", "m"), [(300.0, 300.0), (300.0, 300.001), (200.0, 300.0), (200.0, 200.0), (900.0, 250.0)])
@pytest.mark.parametrize("lam", [1e-2, 1e-8, 1e-14, 1e-20])
def test_free_shares_keep_their_accuracy_near_interpolation(n, m, lam):
    """Against fifty digits."""
    values = [1.0, 0.3, 0.01]
    spectrum = np.repeat(values, 100)
    kappa = effective_ridge_projection(spectrum, n, m, lam)
    got = projection_shares(spectrum, kappa, n, m, lam)
    with localcontext() as context:
        context.prec = 50
        N, M, target = Decimal(n), Decimal(m), Decimal(lam)
        df1 = lambda k: 100 * sum(Decimal(x) / (Decimal(x) + k) for x in values)
        least = root_in_digits(lambda k: min(N, M) - df1(k), Decimal(0)) if min(n, m) < 300 else Decimal(0)
        exact = root_in_digits(lambda k: M / 300 * k * (1 - df1(k) / N) * (1 - df1(k) / M) - target, least)
        expected = [float(1 - df1(exact) / N), float(1 - df1(exact) / M)]
    assert_allclose(kappa, float(exact), rtol=1e-12)
    assert_allclose(got, expected, rtol=1e-9)


def root_in_digits(increasing, low):
    high = Decimal(10)
    for _ in range(170):
        middle = (low + high) / 2
        low, high = (middle, high) if increasing(middle) < 0 else (low, middle)
    return high


@pytest.mark.parametrize(("named", "bad"), [("n", dict(n=0.0)), ("m", dict(m=0.0)), ("lam", dict(lam=-1.0)),
                                            ("spectrum", dict(spectrum=-SPECTRUM))])  # fmt: skip
def test_refusals_of_the_fixed_point(named, bad):
    check_refusal(Case(effective_ridge_projection, dict(spectrum=SPECTRUM, n=8.0, m=9.0, lam=0.1)), f"{named} =", **bad)
