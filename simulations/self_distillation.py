"""What does training a kernel ridge model again and again on its own predictions do, if true labels are mixed in?

Without true labels every step adds regularisation and the fit collapses to zero. With a share of them infinitely many
steps equal one ridge fit with a larger ridge, and the share that is best for the next step has a closed form.
"""

from theorylab import problems, simulators, theory
from theorylab.compare.claims import asymptotic, exact, identity, order
from theorylab.compare.contrasts import at, log, stack
from theorylab.experiment import Experiment, geomspace, preset
from theorylab.sweep.spec import Sweep

PAPER = (
    "Borup, Andersen, Even your Teacher Needs Guidance, 2021 (arXiv 2102.13088); "
    "Mobahi, Farajtabar, Bartlett, Self-Distillation Amplifies Regularization, 2020 (arXiv 2002.05715)"
)


def _size(data):
    return (data.fit**2).mean("x") ** 0.5


def _sparsification(data, large, small):
    """Log ratio of a coefficient of a large eigenvalue to one of a small eigenvalue, up to twenty steps."""
    ratio = log(at(data["filter"], mode=large)) - log(at(data["filter"], mode=small))
    return ratio.sel(steps=ratio.steps <= 20)


def _overshoot(data):
    ratio = _sparsification(data, 11, 12)
    return stack(at(ratio, steps=2) - at(ratio, steps=1), at(ratio, steps=2) - at(ratio, steps=20))


def _ratio(coefficients):
    return at(coefficients, mode=2) / at(coefficients, mode=8)


def _down_and_up_again(data):
    return stack(at(data.risk, steps=1) - at(data.risk, steps=5), at(data.risk, steps=30) - at(data.risk, steps=5))


CLAIMS = (
    order(
        "Without true labels every step shrinks the fit",
        sweep="path", of=lambda data: -_size(data).diff("steps"), where={"real_weight": 0.0}, figure="fig_fits",
    ),
    identity(
        "With a share of true labels the steps end at one ridge fit with lam / share: to 8 digits after 60 steps",
        sweep="path", on="samples", digits=8, where={"real_weight": 0.35, "steps": 60},
        of="fit", equals="ridge", figure="fig_fits",
    ),
    exact(
        "The coefficients of the fit follow the filter b_tau = a (share + (1 - share) b_{tau-1})",
        sweep="path", of="filter", where={"mode": lambda mode: mode <= 8}, figure="fig_filter",
    ),
    order(
        "Without true labels every step favours the large eigenvalues: ratios of coefficients grow",
        sweep="path", of=lambda data: _sparsification(data, 2, 8).diff("steps"), where={"real_weight": 0.0},
        figure="fig_filter",
    ),
    order(
        "With true labels the second step does so, too, but ratios may exceed their limit and fall again",
        sweep="path", of=_overshoot, where={"real_weight": 0.35}, figure="fig_filter",
    ),
    identity(
        "With a share of true labels this sparsification ends at the ratio of the limit",
        sweep="limit", of=lambda data: _ratio(data["filter"]), equals=lambda data: _ratio(data.limit),
        where={"real_weight": 0.35}, figure="fig_filter",
    ),
    exact(
        "The error at the training inputs follows the filter at every step and share",
        sweep="risk", of="risk", figure="fig_risk_vs_step",
    ),
    order(
        "Without true labels the error falls for some steps and rises again",
        sweep="risk", of=_down_and_up_again, where={"real_weight": 0.0}, figure="fig_risk_vs_step",
    ),
    order(
        "A tenth of true labels keeps most of the gain for ever",
        sweep="risk", figure="fig_risk_vs_step",
        of=lambda data: stack(at(data.risk, steps=30, real_weight=0.0) - at(data.risk, steps=30, real_weight=0.1),
                              at(data.risk, steps=30, real_weight=1.0) - at(data.risk, steps=30, real_weight=0.1)),
    ),
    exact(
        "The best share of true labels in the second step is that of the closed form, to 0.1 (it leaves [0, 1])",
        sweep="weight", of=lambda data: 10 + data.weight, margin=0.01, pointwise=0.02, figure="fig_optimal_weight",
    ),
    exact(
        "At the best share the second step removes the predicted part of the error",
        sweep="weight", of=lambda data: 1 - data.gain, figure="fig_optimal_weight",
    ),
    order(
        "On real data, where the ridge is too small or too large, the share chosen by validation beats none and all",
        sweep="data", of=lambda data: stack(data.pure - data.tuned, data.teacher - data.tuned),
    ),
    asymptotic(
        "On new data the infinite student has the risk of one ridge fit with lam / share",
        sweep="test_risk", of="risk", size="d",
    ),
)  # fmt: skip


def get_config(name: str):
    from ml_collections import ConfigDict

    sine = dict(n=40, bandwidth=0.1, lam_total=0.2, sigma=0.5)
    path = dict(bandwidth=0.1, lam_total=0.2, sigma=0.5, real_weight=(0.0, 0.35), mode=tuple(range(1, 21)))
    return ConfigDict(
        dict(
            path=dict(**path, x=tuple(i / 39 for i in range(40)), steps=(1, 2, 5, 20, 60), replicates=8),
            limit=dict(
                n=40, bandwidth=0.1, lam_total=0.2, real_weight=(0.0, 0.35), mode=tuple(range(1, 21)), steps=200,
            ),
            risk=dict(
                **sine, real_weight=(0.0, 0.1, 0.3, 0.6, 1.0), steps=(1, 2, 3, 4, 5, 7, 10, 14, 20, 30), probes=32,
                replicates=preset(name, quick=256, paper=1000),
            ),
            weight=dict(
                n=40, bandwidth=0.1, lam_total=(0.05, 0.2, 1.0), sigma=geomspace(0.02, 2.0, 9), draws=256,
                replicates=preset(name, quick=64, paper=1000),
            ),
            data=dict(
                bandwidth=1.0, lam_total=(0.1, 5.0), n_train=200, n_val=100,
                replicates=preset(name, quick=32, paper=1000),
            ),
            test_risk=dict(
                d=preset(name, quick=(25, 50, 100), paper=(50, 100, 200, 400)), T_per_d=1.5, beta=1.2, r=0.6, lam=0.02,
                sigma=0.3, real_weight=(0.3, 0.6), steps=(30,), probes=16,
                replicates=preset(name, quick=768, paper=2000),
            ),
        )
    )  # fmt: skip


def filter_of_mode(kernel_spectrum, lam_total: float, real_weight: float, steps: float, mode: float):
    from jax.numpy import asarray

    b = theory.self_distillation_filter_constant(kernel_spectrum, lam_total, real_weight, steps)
    return b[asarray(mode, int) - 1]


def limit_of_mode(kernel_spectrum, lam_total: float, real_weight: float, mode: float):
    from jax.numpy import asarray

    return theory.self_distillation_filter_limit(kernel_spectrum, lam_total, real_weight)[asarray(mode, int) - 1]


def risk_of_step(
    kernel_spectrum, f_coef_sq, sigma: float, lam_total: float, real_weight: float, steps: float
):  # fmt: skip
    b = theory.self_distillation_filter_constant(kernel_spectrum, lam_total, real_weight, steps)
    return theory.self_distillation_risk(kernel_spectrum, f_coef_sq, sigma, b)


def best_weight(kernel_spectrum, f_coef_sq, sigma: float, lam_total: float):
    first = theory.self_distillation_filter_constant(kernel_spectrum, lam_total, 1.0, 1.0)
    return theory.self_distillation_optimal_weight(kernel_spectrum, f_coef_sq, sigma, lam_total, first)


def best_gain(kernel_spectrum, f_coef_sq, sigma: float, lam_total: float):
    from jax.numpy import stack

    weight = best_weight(kernel_spectrum, f_coef_sq, sigma, lam_total)
    weights = stack([weight, weight])
    steps = theory.self_distillation_filter(kernel_spectrum, lam_total, weights, allow_extrapolation=True)
    first, second = (theory.self_distillation_risk(kernel_spectrum, f_coef_sq, sigma, steps[i]) for i in (0, 1))
    return 1 - second / first


def risk_of_student(spectrum, w_star, T: float, lam: float, sigma: float, real_weight: float):
    bias, variance = theory.ridge_bias_variance(spectrum, w_star, T, lam / real_weight, sigma)
    return bias + variance


def experiment(config) -> Experiment:
    family = simulators.self_distillation
    return Experiment(
        dict(
            path=Sweep(
                simulate=family.simulate_distillation_path, predict=dict(filter=filter_of_mode), values=config.path,
                over=("real_weight",), paired=("real_weight",),
                measure=dict(fit=("steps", "x"), filter=("steps", "mode"), labels=("x",), truth=("x",), ridge=("x",)),
                derive=dict(kernel_spectrum=lambda bandwidth: problems.sine_problem(40, bandwidth).kernel_spectrum),
            ),
            limit=Sweep(
                predict=dict(filter=filter_of_mode, limit=limit_of_mode), values=config.limit,
                over=("real_weight", "mode"), measure=dict(filter=(), limit=()),
                derive=dict(problem=problems.sine_problem),
            ),
            risk=Sweep(
                simulate=family.simulate_self_distillation, predict=risk_of_step, values=config.risk,
                over=("real_weight",), paired=("real_weight",), measure={"risk": ("steps",)},
                derive=dict(problem=problems.sine_problem, real_weights=lambda real_weight: (real_weight,) * 30),
                curve={"steps": tuple(range(1, 31))},
            ),
            weight=Sweep(
                simulate=family.simulate_distillation_weight, predict=dict(weight=best_weight, gain=best_gain),
                values=config.weight, over=("lam_total", "sigma"), measure=dict(weight=(), gain=()),
                derive=dict(problem=problems.sine_problem), curve={"sigma": geomspace(0.02, 2.0, 61)},
            ),
            data=Sweep(
                simulate=family.simulate_distillation_on_data, values=config.data, over=("lam_total",),
                measure=dict(teacher=(), pure=(), tuned=(), weight=()), derive=dict(problem=problems.diabetes_problem),
            ),
            test_risk=Sweep(
                simulate=family.simulate_distillation_test_risk, predict=risk_of_student, values=config.test_risk,
                over=("d", "real_weight"), measure={"risk": ("steps",)},
                derive=dict(problem=problems.power_law_problem, T=lambda T_per_d, d: round(T_per_d * d)),
            ),
        ),
        CLAIMS,
    )  # fmt: skip
