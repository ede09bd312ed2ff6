"""How do the errors of a linear network evolve in training when samples and parameters are equally many?

The spectrum of the data gives the whole curves. Trained for long, the test error peaks where samples and parameters are
equal in number; an optimal stopping time removes the peak and does nearly as well as the best ridge.
"""

from theorylab import simulators, theory
from theorylab.compare.claims import asymptotic, exact, identity, order
from theorylab.compare.contrasts import at, stack
from theorylab.experiment import Experiment, geomspace, preset
from theorylab.sweep.spec import Sweep

PAPER = (
    "Advani, Saxe, Sompolinsky, High-dimensional dynamics of generalization error in neural networks, 2020 "
    "(arXiv 1710.03667)"
)

MODERATE = {"alpha": [0.5, 0.8, 1.0, 1.25, 1.5]}


def _overtraining(data):
    """At noise variance 1/3: untrained and trained for long are both worse than trained to t = 3."""
    error = at(data.test_error, N=1000, sigma_e2=1 / 3)
    return stack(at(error, t=0.01) - at(error, t=3.0), at(error, t=1000.0) - at(error, t=3.0))


def _peak(data):
    error = at(data.test_error, N=1000, t=1000.0)
    return at(error, alpha=1.0) - error.sel(alpha=data.alpha != 1.0)


def _others_worse(error):
    return stack(at(error, relative=0.4) - at(error, relative=1.0), at(error, relative=2.5) - at(error, relative=1.0))


def _against_zero_start(data):
    error = data.test_error
    return error.sel(sigma_w0_2=data.sigma_w0_2 > 0) - error.sel(sigma_w0_2=0.0, drop=True)


CLAIMS = (
    asymptotic(
        "The test error of gradient flow is an average over the Marchenko-Pastur law, up to t = 50",
        sweep="curves", of="test_error", size="N", where={"t": lambda t: t <= 50}, figure="fig_error_vs_time",
    ),
    asymptotic(
        "So is the training error, up to t = 3",
        sweep="curves", of="train_error", size="N", where={"t": lambda t: t <= 4}, figure="fig_error_vs_time",
    ),
    asymptotic(
        "With more samples than parameters the training error ends at the share 1 - 1/alpha of the noise",
        sweep="curves", of="train_error", size="N", where={"alpha": [1.5, 2.0, 4.0], "t": lambda t: t >= 200},
        figure="fig_error_vs_time",
    ),
    order(
        "The test error falls and rises again: training for long is overtraining",
        sweep="curves", of=_overtraining, where=MODERATE, figure="fig_error_vs_time",
    ),
    asymptotic(
        "Discrete steps, small or 3/4 of the largest stable, follow the integral with (1 - eta l)^k for e^(-l t)",
        sweep="descent", of="test_error", size="N", figure="fig_error_vs_time",
    ),
    asymptotic(
        "Away from alpha = 1 the test error of long training is that of the formula",
        sweep="curves", of="test_error", size="N", where={"t": 1000.0, "alpha": [0.5, 2.0, 4.0]},
        figure="fig_peak",
    ),
    order(
        "After long training the test error peaks at as many samples as parameters",
        sweep="curves", of=_peak, figure="fig_peak",
    ),
    order(
        "The test error at the optimal stopping time falls with the number of samples: no peak",
        sweep="stopping", of=lambda data: -at(data.stopped, N=1000, relative=1.0).diff("alpha"), figure="fig_peak",
    ),
    identity(
        "At infinite time the integral is the closed form, to 9 digits",
        sweep="limit", of="test_error", equals="limit", digits=9, figure="fig_peak",
    ),
    identity(
        "At alpha = 1 the error grows as 0.66099 sigma_e2 sqrt(t), to 1% at t = 10^6",
        sweep="growth", of="test_error", equals=0.66099 / 3 * 1000, tolerance=0.01, figure="fig_peak",
    ),
    asymptotic(
        "The test error at and around the optimal stopping time is that of the formula",
        sweep="stopping", of="stopped", size="N", figure="fig_stop_vs_ridge",
    ),
    asymptotic(
        "The test error at and around the optimal ridge is that of the formula",
        sweep="stopping", of="ridge", size="N", figure="fig_stop_vs_ridge",
    ),
    order(
        "Stopping 2.5 times earlier or later than the optimal time is worse",
        sweep="stopping", of=lambda data: _others_worse(data.stopped), figure="fig_stop_vs_ridge",
    ),
    order(
        "A ridge 2.5 times smaller or larger than sigma_e2 / sigma_w2 is worse",
        sweep="stopping", of=lambda data: _others_worse(data.ridge), figure="fig_stop_vs_ridge",
    ),
    order(
        "The optimal ridge beats optimal stopping, by less than 2% at signal-to-noise ratio 3",
        sweep="stopping", figure="fig_stop_vs_ridge",
        of=lambda data: at(stack(data.stopped - data.ridge, 1.02 * data.ridge - data.stopped), relative=1.0),
    ),
    identity(
        "By the formulas the gap is at most 1.6% at signal-to-noise ratio 3, to 5% of that",
        sweep="gap", of=lambda data: data.gap.max("alpha"), equals=0.016, tolerance=0.05, where={"snr": 3.0},
        figure="fig_stop_vs_ridge",
    ),
    identity(
        "By the formulas the gap is at most 3.2% at signal-to-noise ratio 100, to 5% of that",
        sweep="gap", of=lambda data: data.gap.max("alpha"), equals=0.032, tolerance=0.05, where={"snr": 100.0},
        figure="fig_stop_vs_ridge",
    ),
    asymptotic(
        "Initial weights add to the variance of the true ones, at every time",
        sweep="init", of="test_error", size="N", figure="fig_init_scale",
    ),
    order(
        "With fewer samples than parameters larger initial weights cost test error, at every time",
        sweep="init", of=lambda data: data.test_error.diff("sigma_w0_2"), figure="fig_init_scale",
    ),
    exact(
        "Directions without data keep their initial weights for ever: (1 - alpha) sigma_w0_2 of the late error",
        sweep="init", of=_against_zero_start, where={"t": lambda t: t >= 100}, figure="fig_init_scale",
    ),
)  # fmt: skip


def get_config(name: str):
    from ml_collections import ConfigDict

    sizes = preset(name, quick=(40, 80, 160), paper=(100, 200, 400, 800))
    network = dict(N=sizes, sigma_w2=1.0, draws=64, replicates=preset(name, quick=40, paper=500))
    times = geomspace(0.01, 10.0, 7)
    dense = (*geomspace(0.1, 0.8, 18), *(i / 100 for i in range(82, 122, 2)), *geomspace(1.25, 10.0, 18))
    return ConfigDict(
        dict(
            curves=dict(
                **network, room=4.0, alpha=(0.5, 0.8, 1.0, 1.25, 1.5, 2.0, 4.0),
                t=(*times, 50.0, 200.0, 1000.0), sigma_e2=(1 / 3, 1.0), sigma_w0_2=0.0,
            ),
            stopping=dict(
                **network, room=3.0, alpha=(0.25, 0.5, 0.8, 1.0, 1.25, 1.55, 3.0), sigma_e2=1 / 3,
                relative=(0.4, 1.0, 2.5),
            ),
            init=dict(
                **dict(network, replicates=preset(name, quick=96, paper=500)), room=0.5, alpha=0.5,
                t=(*times, 100.0, 1000.0), sigma_e2=1 / 3, sigma_w0_2=(0.0, 0.1, 1.0),
            ),
            descent=dict(
                **dict(network, draws=16), room=1.5, alpha=(0.5, 1.5), relative_step=(0.1, 1.5), sigma_e2=1 / 3,
                sigma_w0_2=0.1, steps=(1, 2, 3, 6, 12, 25, 50),
            ),
            optimum=dict(alpha=dense, sigma_w2=1.0, sigma_e2=1 / 3),
            late=dict(alpha=dense, t=(50.0, 1000.0), sigma_w2=1.0, sigma_e2=1 / 3, sigma_w0_2=0.0),
            limit=dict(
                alpha=(*geomspace(0.1, 0.96, 10), *geomspace(1.05, 10.0, 10)), sigma_w2=1.0, sigma_e2=1 / 3,
                sigma_w0_2=0.2, t=1e7,
            ),
            growth=dict(alpha=1.0, sigma_w2=1.0, sigma_e2=1 / 3, sigma_w0_2=0.0, t=1e6),
            gap=dict(alpha=dense, snr=(3.0, 100.0), sigma_w2=1.0),
        )
    )  # fmt: skip


def fraction_of_stability(alpha: float, relative_step: float) -> float:
    """The step size; relative_step = 2 is the largest stable one."""
    return relative_step / (1 + alpha**0.5) ** 2


def best_time(alpha: float, sigma_w2: float, sigma_e2: float) -> float:
    from jax import jit

    return float(jit(theory.optimal_stopping_time)(alpha, sigma_w2, sigma_e2, 0.0).t)


def best_penalty(sigma_w2: float, sigma_e2: float) -> float:
    return sigma_e2 / sigma_w2


def error_when_stopped(t: float, relative: float, alpha: float, sigma_w2: float, sigma_e2: float):
    return theory.gradient_flow_test_error(t * relative, alpha, sigma_w2, sigma_e2, 0.0)


def error_of_ridge(g: float, relative: float, alpha: float, sigma_w2: float, sigma_e2: float):
    return theory.isotropic_ridge_test_error(g * relative, alpha, sigma_w2, sigma_e2)


def best_stopped(alpha: float, sigma_w2: float, sigma_e2: float):
    return theory.optimal_stopping_time(alpha, sigma_w2, sigma_e2, 0.0).error


def best_ridge(alpha: float, sigma_w2: float, sigma_e2: float):
    return theory.isotropic_ridge_optimum(alpha, sigma_w2, sigma_e2).error


def relative_gap(alpha: float, sigma_w2: float, snr: float):
    return best_stopped(alpha, sigma_w2, sigma_w2 / snr) / best_ridge(alpha, sigma_w2, sigma_w2 / snr) - 1


def trained_for_ever(alpha: float, sigma_w2: float, sigma_e2: float):
    return theory.gradient_flow_test_error_limit(alpha, sigma_w2, sigma_e2, 0.0)


def experiment(config) -> Experiment:
    family = simulators.linear_dynamics
    errors = dict(test_error=theory.gradient_flow_test_error, train_error=theory.gradient_flow_train_error)
    room = dict(columns=lambda N, room: round(room * N))
    dense = geomspace(0.01, 1000.0, 61)
    return Experiment(
        dict(
            curves=Sweep(
                simulate=family.simulate_gradient_flow, predict=errors, values=config.curves, over=("N", "alpha"),
                measure=dict.fromkeys(errors, ("sigma_e2", "t")), derive=room, curve={"t": dense},
            ),
            stopping=Sweep(
                simulate=family.simulate_stopping_and_ridge,
                predict=dict(stopped=error_when_stopped, ridge=error_of_ridge), values=config.stopping,
                over=("N", "alpha"), measure=dict(stopped=("relative",), ridge=("relative",)),
                derive=dict(**room, t=best_time, g=best_penalty),
            ),
            init=Sweep(
                simulate=family.simulate_gradient_flow, predict=dict(test_error=theory.gradient_flow_test_error),
                values=config.init, over=("N", "sigma_w0_2"), paired=("sigma_w0_2",),
                measure=dict(test_error=("t",), train_error=("t",)), derive=room, curve={"t": dense},
            ),
            descent=Sweep(
                simulate=family.simulate_gradient_descent, predict=theory.gradient_descent_test_error,
                values=config.descent, over=("N", "alpha", "relative_step"), measure=dict(test_error=("steps",)),
                derive=dict(**room, eta=fraction_of_stability), curve={"steps": tuple(range(1, 51))},
            ),
            optimum=Sweep(
                predict=dict(stopped=best_stopped, ridge=best_ridge, limit=trained_for_ever), values=config.optimum,
                measure=dict.fromkeys(("stopped", "ridge", "limit"), ("alpha",)),
            ),
            late=Sweep(
                predict=theory.gradient_flow_test_error, values=config.late,
                measure=dict(test_error=("t", "alpha")),
            ),
            limit=Sweep(
                predict=dict(test_error=theory.gradient_flow_test_error, limit=theory.gradient_flow_test_error_limit),
                values=config.limit, measure=dict.fromkeys(("test_error", "limit"), ("alpha",)),
            ),
            growth=Sweep(predict=theory.gradient_flow_test_error, values=config.growth, measure=dict(test_error=())),
            gap=Sweep(predict=relative_gap, values=config.gap, measure=dict(gap=("snr", "alpha"))),
        ),
        CLAIMS,
    )  # fmt: skip
