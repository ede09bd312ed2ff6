"""Self-distillation of kernel ridge regression: filters, risks, the best weight of the true labels."""

import numpy as np
import pytest
from predictor_checks import Case, check_batching, check_derivatives, check_refusal
from scipy import linalg, optimize
from sklearn.kernel_ridge import KernelRidge

from theorylab import cite, problems, theory
from theorylab.problems.self_distillation import fixed_design, gaussian_kernel

SINE = problems.sine_problem(40, 0.1)
SPECTRUM, F2 = SINE.kernel_spectrum, SINE.f_coef_sq
SCHEDULE = np.array([1.0, 0.3, 0.6, 0.1])


def risk(b, sigma=0.5):
    return float(theory.self_distillation_risk(SPECTRUM, F2, sigma, np.asarray(b)))


def steps_of(lam_total, *weights, **options):
    return theory.self_distillation_filter(SPECTRUM, lam_total, np.array(weights, float), **options)


# ------------------------------------------------------------------------------------------------ identities and limits


def test_filter_is_that_of_dense_solves_step_by_step():
    rng = np.random.default_rng(0)
    y = SINE.f + 0.5 * rng.normal(size=40)
    prediction = y
    for weight, b in zip(SCHEDULE, steps_of(0.2, *SCHEDULE)):
        target = weight * y + (1 - weight) * prediction
        prediction = SINE.K @ linalg.cho_solve(linalg.cho_factor(SINE.K + 0.2 * np.eye(40)), target)
        np.testing.assert_allclose(SINE.basis @ (b * (SINE.basis.T @ y)), prediction, atol=2e-14)


@pytest.mark.parametrize("weight", [0.0, 0.2, 0.7, 1.0])
def test_constant_weight_equals_the_recursion_and_tends_to_the_limit(weight):
    steps = steps_of(0.2, *[weight] * 12)
    for tau in range(1, 13):
        closed = theory.self_distillation_filter_constant(SPECTRUM, 0.2, weight, tau)
        np.testing.assert_allclose(closed, steps[tau - 1], rtol=1e-13, atol=1e-16)
    np.testing.assert_allclose(theory.self_distillation_filter_constant(SPECTRUM, 0.2, weight, 0), 1.0, rtol=1e-15)
    limit = theory.self_distillation_filter_limit(SPECTRUM, 0.2, weight)
    rate = (1 - weight) * SPECTRUM[0] / (SPECTRUM[0] + 0.2)
    for tau in (5, 20):
        rest = np.max(np.abs(theory.self_distillation_filter_constant(SPECTRUM, 0.2, weight, tau) - limit))
        assert rest <= rate**tau * (1 + 1e-12)
    np.testing.assert_allclose(
        theory.self_distillation_filter_constant(SPECTRUM, 0.2, weight, 1e4), limit, rtol=1e-12, atol=1e-80
    )


@pytest.mark.parametrize("weight", [0.1, 0.35, 1.0])
def test_limit_is_one_ridge_fit_with_a_larger_ridge(weight):
    limit = theory.self_distillation_filter_limit(SPECTRUM, 0.2, weight)
    np.testing.assert_allclose(limit, steps_of(0.2 / weight, 1.0)[0], rtol=1e-14)


def test_without_true_labels_the_filter_is_a_power():
    np.testing.assert_allclose(steps_of(0.2, *[0.0] * 5)[-1], (SPECTRUM / (SPECTRUM + 0.2)) ** 5, rtol=1e-13)


def test_sparsification_without_true_labels_grows_without_bound():
    b = np.asarray(steps_of(0.2, *[0.0] * 60))[:, :12]
    a = SPECTRUM[:12] / (SPECTRUM[:12] + 0.2)
    ratio = b[:, :-1] / b[:, 1:]
    assert np.all(np.diff(ratio, axis=0) > 0)
    np.testing.assert_allclose(ratio[-1], (a[:-1] / a[1:]) ** 60, rtol=1e-11)


@pytest.mark.parametrize("weight", [0.05, 0.35, 0.8])
def test_sparsification_with_true_labels_is_bounded_but_not_monotone(weight):
    """The second step always increases the ratio of a large to a small coefficient; later it may fall again."""
    b = np.asarray(steps_of(0.2, *[weight] * 400))[:, :12]
    a = SPECTRUM[:12] / (SPECTRUM[:12] + 0.2)
    ratio = b[:, :-1] / b[:, 1:]
    limit = np.asarray(theory.self_distillation_filter_limit(SPECTRUM, 0.2, weight))[:12]
    assert np.all(ratio[1] > ratio[0])
    assert np.all(ratio <= a[:-1] / a[1:] / weight * (1 + 1e-12))
    np.testing.assert_allclose(ratio[-1], limit[:-1] / limit[1:], rtol=1e-6)
    assert ratio[:, -1].max() > 1.001 * limit[-2] / limit[-1]


def test_first_weight_and_weight_one_change_nothing():
    np.testing.assert_allclose(steps_of(0.2, 0.3, 0.5), steps_of(0.2, 1.0, 0.5), rtol=1e-15)
    np.testing.assert_allclose(steps_of(0.2, 1.0, 1.0)[1], steps_of(0.2, 1.0)[0], rtol=1e-15)


# --------------------------------------------------------------------------------- values, scaling, other computations


def test_stated_values():
    """Dense solves in NumPy: 40 equidistant inputs, bandwidth 0.1, f = sin(2 pi x), lam_total = 0.2, sigma = 0.5."""
    expected = [0.05071613820656527, 0.04480918409402481, 0.04552010748899425, 0.040988136220679885]
    np.testing.assert_allclose([risk(b) for b in steps_of(0.2, *SCHEDULE)], expected, rtol=1e-12)
    np.testing.assert_allclose(risk(steps_of(0.2, 1.0, 0.0)[1]), 0.04282491919335286, rtol=1e-12)
    weight = theory.self_distillation_optimal_weight(SPECTRUM, F2, 0.5, 0.2, steps_of(0.2, 1.0)[0])
    np.testing.assert_allclose(weight, -1.6628197833776697, rtol=1e-12)
    second = steps_of(0.2, 1.0, float(weight), allow_extrapolation=True)[1]
    np.testing.assert_allclose(risk(second), 0.03778081401671699, rtol=1e-12)
    limit = theory.self_distillation_filter_limit(SPECTRUM, 0.2, 0.4)
    np.testing.assert_allclose(risk(limit), 0.04209558169400542, rtol=1e-12)


def test_first_step_is_kernel_ridge_regression_of_scikit_learn():
    y = SINE.f + 0.5 * np.random.default_rng(1).normal(size=40)
    model = KernelRidge(alpha=0.2, kernel="precomputed").fit(SINE.K, y)
    mine = SINE.basis @ (steps_of(0.2, 1.0)[0] * (SINE.basis.T @ y))
    np.testing.assert_allclose(mine, model.predict(SINE.K), atol=1e-12)


def test_risk_is_the_trace_form():
    b = np.asarray(steps_of(0.2, 1.0, 0.4)[1])
    filter_matrix = SINE.basis @ np.diag(b) @ SINE.basis.T
    bias = np.sum((filter_matrix @ SINE.f - SINE.f) ** 2)
    np.testing.assert_allclose(risk(b), (bias + 0.25 * np.trace(filter_matrix @ filter_matrix.T)) / 40, rtol=1e-12)


@pytest.mark.parametrize("sigma", [0.0, 0.1, 0.5, 2.0])
@pytest.mark.parametrize("lam_total", [0.05, 0.2, 1.0])
def test_best_weight_minimises_the_risk_of_the_next_step(sigma, lam_total):
    previous = np.asarray(steps_of(lam_total, 1.0, 0.3)[1])
    best = float(theory.self_distillation_optimal_weight(SPECTRUM, F2, sigma, lam_total, previous))
    a = SPECTRUM / (SPECTRUM + lam_total)
    curve = lambda weight: risk(a * (weight + (1 - weight) * previous), sigma)
    found = optimize.minimize_scalar(curve, bracket=(best - 1.3, best + 0.9), tol=1e-10)
    np.testing.assert_allclose(best, found.x, atol=2e-6)  # a minimum is found to the root of rounding
    slope = (curve(best + 0.5) - curve(best - 0.5)) / curve(best)
    assert abs(slope) < 1e-11 * max(1.0, curve(best + 0.5) / curve(best))


def test_best_weight_from_validation_is_the_least_squares_solution():
    rng = np.random.default_rng(0)
    p1, p0, y = rng.normal(size=(3, 20, 2))
    weight = float(theory.self_distillation_optimal_weight_validation(p1, p0, y))
    solution = np.linalg.lstsq((p1 - p0).reshape(-1, 1), (y - p0).ravel())[0]
    np.testing.assert_allclose(weight, solution[0], rtol=1e-12)


def test_validation_on_infinitely_many_noise_draws_gives_the_best_weight_of_the_training_inputs():
    """Expectations of the two inner products, taken over the noise in closed form by unit vectors."""
    a = SPECTRUM / (SPECTRUM + 0.2)
    f, unit = SINE.basis.T @ SINE.f, 0.5 * np.eye(40)
    labels = np.concatenate([f[None], unit])  # the mean, and one column for each noise direction
    truth = np.concatenate([f[None], 0 * unit])
    weight = theory.self_distillation_optimal_weight_validation(a * labels, a * a * labels, truth)
    expected = theory.self_distillation_optimal_weight(SPECTRUM, F2, 0.5, 0.2, a)
    np.testing.assert_allclose(weight, expected, rtol=1e-12)


def test_clipping():
    b = steps_of(0.2, 1.0)[0]
    assert theory.self_distillation_optimal_weight(SPECTRUM, F2, 0.5, 0.2, b, clip=True) == 0.0
    assert theory.self_distillation_optimal_weight(SPECTRUM, F2, 0.01, 0.2, b, clip=True) == 1.0
    p0 = np.zeros(3)
    assert theory.self_distillation_optimal_weight_validation(np.ones(3), p0, 5 * np.ones(3), clip=True) == 1.0
    assert theory.self_distillation_optimal_weight_validation(np.ones(3), p0, 5 * np.ones(3)) == 5.0


def test_scaling():
    """Signal and noise times c: risk times c^2, weight unchanged. Kernel and ridge times c: nothing changes."""
    b = steps_of(0.2, 1.0, 0.4)[1]
    scaled = theory.self_distillation_risk(SPECTRUM, 9 * F2, 1.5, b)
    np.testing.assert_allclose(scaled, 9 * risk(b), rtol=1e-14)
    weight = lambda *args: float(theory.self_distillation_optimal_weight(*args, b))
    np.testing.assert_allclose(weight(SPECTRUM, 9 * F2, 1.5, 0.2), weight(SPECTRUM, F2, 0.5, 0.2), rtol=1e-13)
    np.testing.assert_allclose(weight(3 * SPECTRUM, F2, 0.5, 0.6), weight(SPECTRUM, F2, 0.5, 0.2), rtol=1e-13)
    same = theory.self_distillation_filter(3 * SPECTRUM, 0.6, SCHEDULE)
    np.testing.assert_allclose(same, steps_of(0.2, *SCHEDULE), rtol=1e-13)


# ----------------------------------------------------------------------------------- derivatives, batching, bad input

FEW = dict(kernel_spectrum=SPECTRUM[:12], lam_total=0.2)
RISK = dict(kernel_spectrum=SPECTRUM[:12], f_coef_sq=F2[:12] + 0.01, sigma=0.5)
P1, P0, Y = np.random.default_rng(0).normal(size=(3, 5))
FILTER = Case(theory.self_distillation_filter, dict(**FEW, real_weights=SCHEDULE[1:]))
CONSTANT = Case(theory.self_distillation_filter_constant, dict(**FEW, real_weight=0.3, tau=3.0))
LIMIT = Case(theory.self_distillation_filter_limit, dict(**FEW, real_weight=0.3))
ERROR = Case(theory.self_distillation_risk, dict(**RISK, b=np.linspace(0.9, 0.1, 12)))
WEIGHT = Case(theory.self_distillation_optimal_weight, dict(**RISK, lam_total=0.2, b=np.linspace(0.9, 0.1, 12)))
VALIDATION = Case(theory.self_distillation_optimal_weight_validation, dict(p1=P1, p0=P0, y_val=Y))
CASES = [FILTER, CONSTANT, LIMIT, ERROR, WEIGHT, VALIDATION]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_derivatives(case):
    check_derivatives(case)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_batching(case):
    check_batching(case)


@pytest.mark.parametrize("weight, tau", [(1.0, 1.0), (1.0, 3.0), (0.0, 2.0)])
def test_derivatives_are_finite_and_right_where_a_power_of_zero_appears(weight, tau):
    """At weight 1 one step does not depend on the weight, and three do; a zero eigenvalue has filter 0."""
    import jax

    spectrum = np.array([2.0, 0.5, 0.0])
    one = lambda *args: theory.self_distillation_filter_constant(spectrum, *args).sum()
    gradient = jax.grad(one, (0, 1, 2))(0.2, weight, tau)
    assert np.all(np.isfinite(gradient))
    h = -1e-6 if weight == 1 else 1e-6
    slope = (one(0.2, weight + h, tau) - one(0.2, weight, tau)) / h
    np.testing.assert_allclose(gradient[1], slope, atol=1e-5)


@pytest.mark.parametrize("case, named, bad", [
    (FILTER, "lam_total", dict(lam_total=0.0)),
    (FILTER, "real_weights", dict(real_weights=np.array([0.5, 1.1, 0.2]))),
    (FILTER, "real_weights", dict(real_weights=np.array([0.5, -0.1, 0.2]))),
    (FILTER, "kernel_spectrum", dict(kernel_spectrum=-SPECTRUM[:12])),
    (CONSTANT, "lam_total", dict(lam_total=-1.0)),
    (CONSTANT, "real_weight", dict(real_weight=1.1)),
    (CONSTANT, "tau", dict(tau=-1.0)),
    (LIMIT, "real_weight", dict(real_weight=-0.1)),
    (ERROR, "sigma", dict(sigma=-1.0)),
    (ERROR, "f_coef_sq", dict(f_coef_sq=-F2[:12] - 0.01)),
    (WEIGHT, "lam_total", dict(lam_total=0.0)),
    (WEIGHT, "b", dict(b=np.ones(12))),
    (VALIDATION, "p1", dict(p1=P0)),
])  # fmt: skip
def test_outside_the_domain(case, named, bad):
    check_refusal(case, named, **bad)


def test_extrapolation_is_allowed_on_request_only():
    with pytest.raises(ValueError, match=r"^real_weights .* unless allow_extrapolation"):
        steps_of(0.2, 1.0, -1.6)
    assert np.all(np.isfinite(steps_of(0.2, 1.0, -1.6, allow_extrapolation=True)))
    with pytest.raises(ValueError, match=r"^real_weights"):
        steps_of(0.2, 1.0, np.nan, allow_extrapolation=True)


@pytest.mark.parametrize("call, message", [
    (lambda: theory.self_distillation_optimal_weight_validation(P1, P0, Y[:4]), "shapes"),
    (lambda: fixed_design(np.triu(SINE.K), SINE.f), "^K .* symmetric"),
    (lambda: fixed_design(-SINE.K, SINE.f), "^K .* positive"),
    (lambda: fixed_design(SINE.K[:-1], SINE.f), "^K .* outside"),
    (lambda: problems.sine_problem(1, 0.1), "^n = 1"),
    (lambda: problems.sine_problem(40, 0.0), "^bandwidth"),
    (lambda: problems.diabetes_problem(-1.0), "^bandwidth"),
    (lambda: gaussian_kernel(np.zeros(2), -1.0), "^bandwidth"),
])  # fmt: skip
def test_messages(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_lengths_that_differ_are_refused():
    with pytest.raises(Exception, match=r"entries|annotation|type-check"):
        theory.self_distillation_risk(SPECTRUM, F2[:-1], 0.5, SPECTRUM)


def test_every_predictor_names_its_source():
    for name in theory.self_distillation.__all__:
        assert "borup" in cite(getattr(theory, name))
