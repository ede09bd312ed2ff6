"""Which weight should fresh real labels have, when every fit also learns from labels of the one before?

Interpolation and least squares err least in the long run at weight 0.618, one over the golden ratio, whatever the
covariance; ridge at one half or more if both kinds of labels are equally noisy. Any weight above 0 avoids collapse.
"""

from __future__ import annotations

from theorylab import problems, simulators, theory
from theorylab.compare.claims import asymptotic, exact, identity, order
from theorylab.compare.contrasts import at, stack
from theorylab.experiment import Experiment, geomspace, preset
from theorylab.sweep.spec import Sweep

PAPER = (
    "He, Xu, Cheng, Recursive Learning Without Collapse, 2025 (arXiv 2502.18049); "
    "Garg, Bhattacharya, Sur, Preventing Model Collapse Under Overparametrization, 2025 (arXiv 2509.22341)"
)

GOLDEN = (5**0.5 - 1) / 2


def _others_against(data, best, *others):
    return stack(*(at(data, real_weight=weight) - at(data, real_weight=best) for weight in others))


def _odds_tripled(data):
    """Error at a third and at three times the odds real_weight / (1 - real_weight) of the best weight, minus at it."""
    parts = {0.01: (0.0951, 0.0338, 0.2397), 0.1: (0.2702, 0.1098, 0.5262), 1.0: (0.618, 0.3504, 0.8292),
             10.0: (0.9161, 0.7845, 0.9704), 100.0: (0.9902, 0.9712, 0.9967)}  # fmt: skip
    last = at(data.variance, rounds=1000)
    return stack(*(_others_against(at(last, s=s), *weights) for s, weights in parts.items()))


CLAIMS = (
    exact(
        "On a fixed design mixing changes the variance by one factor, the same for every covariance",
        sweep="golden", of="variance", where={"s": 1.0}, figure="fig_golden",
    ),
    order(
        "Weight 0.618 beats 0.45, 0.8 and real labels alone, interpolating or not",
        sweep="golden", of=lambda data: _others_against(at(data.variance, s=1.0), 0.618, 0.45, 0.8, 1.0),
        figure="fig_golden",
    ),
    exact(
        "A mean estimated from n real and m synthetic samples, pooled with weights, follows the same factor at s = n/m",
        sweep="mean", of="risk", figure="fig_golden",
    ),
    identity(
        "For equal noise the best weight is one over the golden ratio",
        sweep="best", of=lambda data: at(data.weight, s=1.0), equals=GOLDEN, figure="fig_golden",
    ),
    identity(
        "At the best weight the factor equals the weight, whatever the noise",
        sweep="best", of="factor", equals="weight", figure="fig_weight_vs_noise",
    ),
    exact(
        "The factor holds for synthetic labels of any noise",
        sweep="golden", of="variance", where={"s": lambda s: s != 1.0}, figure="fig_weight_vs_noise",
    ),
    order(
        "Weights of three times and of a third of the odds of the best one are worse, whatever the noise",
        sweep="golden", of=_odds_tripled, figure="fig_weight_vs_noise",
    ),
    asymptotic(
        "The long-run error of ridge is that of ridge lam / weight on real labels, plus the variance of the formula",
        sweep="ridge", of="risk", figure="fig_ridge_opt",
    ),
    order(
        "Ridge, equal noise: weights 0.25 and 0.4 are worse than 0.5",
        sweep="ridge", of=lambda data: _others_against(data.risk, 0.5, 0.25, 0.4), where={"s": 1.0},
        figure="fig_ridge_opt",
    ),
    order(
        "Ridge, less noisy synthetic labels and much noise: weight 0.4 is better than 0.5",
        sweep="ridge", of=lambda data: _others_against(data.risk, 0.4, 0.5), where={"s": 0.3, "sigma": 3.0},
        figure="fig_ridge_opt",
    ),
    identity(
        "By the formula the best weight for ridge and equal noise is never below one half",
        sweep="ridge_best", of=lambda data: data.weight.clip(max=0.5), equals=0.5, where={"s": 1.0},
        figure="fig_ridge_opt",
    ),
    exact(
        "On a fixed design the error follows the closed form at every round, growing for ever without real labels",
        sweep="path", of="risk", where={"design": "fixed"}, figure="fig_trajectory",
    ),
    exact(
        "On fresh designs, which forget, the error follows a closed form of its own",
        sweep="path", of="risk", where={"design": "fresh"}, figure="fig_trajectory",
    ),
    exact(
        "So does the error when the real labels are drawn once",
        sweep="path", of="risk", where={"design": "fixed_real"}, figure="fig_trajectory",
    ),
    order(
        "When the real labels are drawn once, synthetic labels only harm: the error falls with the weight",
        sweep="path", of=lambda data: -at(data.risk, rounds=30).diff("real_weight"), where={"design": "fixed_real"},
        figure="fig_trajectory",
    ),
    order(
        "With fresh real labels weight 0.618 ends below real labels alone",
        sweep="path", of=lambda data: at(at(data.risk, rounds=0) - at(data.risk, rounds=30), real_weight=0.618),
        where={"design": "fixed"}, figure="fig_trajectory",
    ),
)  # fmt: skip


def get_config(name: str):
    from ml_collections import ConfigDict

    return ConfigDict(
        dict(
            golden=dict(
                d=30, n=(15, 60), covariance=("isotropic", "power law"), lam=0.0, s=(0.01, 0.1, 1.0, 10.0, 100.0),
                real_weight=(0.0338, 0.0951, 0.1098, 0.2397, 0.2702, 0.3504, 0.45, 0.5262, 0.618, 0.7, 0.7845, 0.8292,
                             0.9161, 0.9704, 0.9712, 0.9902, 0.9967, 1.0),
                rounds=(10, 15, 20, 25, 30, 40), probes=32, replicates=preset(name, quick=36, paper=1000),
            ),
            mean=dict(
                n=20, m=40, sigma=1.0, real_weight=(0.1, 0.2, 0.3, 0.45, 0.618, 0.8, 1.0), rounds=(1, 3, 20, 40),
                chains=32, replicates=preset(name, quick=384, paper=5000),
            ),
            best=dict(s=geomspace(0.01, 100.0, 41)),
            ridge=dict(
                d=preset(name, quick=(16, 32, 64), paper=(48, 96, 192, 384)), n_per_d=0.75, lam=1.0,
                covariance="two levels", sigma=(1.0, 3.0), s=(1.0, 0.3), rounds=(14, 16, 18, 20), probes=24,
                real_weight=(0.25, 0.4, 0.5, 0.7, 1.0), replicates=preset(name, quick=80, paper=1000),
            ),
            ridge_best=dict(
                d=4, d_per_n=(0.5, 2.0), covariance="isotropic", lam=geomspace(1e-3, 10.0, 21),
                sigma=(0.3, 1.0, 3.0, 10.0), s=(1.0, 0.3),
            ),
            path=dict(
                d=60, n=20, covariance="isotropic", lam=0.0, sigma=1.0, s=1.0, w_star_sq=1.0,
                design=("fixed", "fresh", "fixed_real"), real_weight=(0.0, 0.2, 0.5, 0.618, 0.9),
                rounds=(0, 1, 2, 3, 5, 8, 12, 20, 30), probes=16, replicates=preset(name, quick=112, paper=2000),
            ),
        )
    )  # fmt: skip


LEVELS = (1.8, 0.2)  # eigenvalues, each with half of the directions and of |w_star|^2 = 1


def problem(covariance: str, d: int) -> problems.regression_collapse.Problem:
    if covariance == "power law":
        return problems.power_law_problem(d, 1.5, 0.7)
    made = problems.isotropic(d)
    if covariance == "two levels":
        made.spectrum[: d // 2], made.spectrum[d // 2 :] = LEVELS
    return made


def samples(d: int, n_per_d: float) -> int:
    return round(n_per_d * d)


def synthetic_noise(sigma: float, s: float) -> float:
    return sigma * s**0.5


def variance_factor(real_weight: float, s: float, rounds: float):
    return theory.label_mixing_variance_factor(real_weight, s, rounds)


def risk_of_mean(n: float, m: float, sigma: float, real_weight: float, rounds: float):
    return sigma**2 / n * theory.label_mixing_variance_factor(real_weight, n / m, rounds)


def best_factor(s: float):
    return theory.label_mixing_variance_factor(theory.label_mixing_optimal_weight(s), s)


def ridge_on_two_levels(n_per_d: float, lam: float, real_weight: float, sigma: float, s: float):
    """The same at every d: of the two levels, one direction each."""
    from jax.numpy import array, full

    w_star = full(2, 0.5**0.5)
    return theory.label_mixing_ridge_risk(
        array(LEVELS), w_star, 2 * n_per_d, lam, real_weight, sigma, synthetic_noise(sigma, s)
    )


def best_ridge_weight(spectrum, w_star, d: float, d_per_n: float, lam: float, sigma: float, s: float):
    """By search over weights 0.005 apart."""
    from jax import vmap
    from jax.numpy import argmin, linspace

    def risk(real_weight):
        return theory.label_mixing_ridge_risk(
            spectrum, w_star, d / d_per_n, lam, real_weight, sigma, synthetic_noise(sigma, s)
        )

    weights = linspace(0.01, 1.0, 199)
    return weights[argmin(vmap(risk)(weights))]


def risk_of_round(
    d: float, n: float, real_weight: float, sigma: float, s: float, w_star_sq: float, rounds: float, design: str
):
    """Closed forms of an interpolator on isotropic designs, n < d."""
    if design == "fresh":
        return theory.label_mixing_isotropic_risk(
            d, n, real_weight, sigma, synthetic_noise(sigma, s), w_star_sq, rounds
        )
    factor = theory.label_mixing_variance_factor(real_weight, s, rounds)
    if design == "fixed_real":
        # only what the synthetic labels add varies from round to round
        factor = 1 + factor - theory.label_mixing_variance_factor(real_weight, 0.0, rounds)
    return (1 - n / d) * w_star_sq + sigma**2 * n / (d - n - 1) * factor


def experiment(config) -> Experiment:
    family = simulators.label_mixing
    risk = dict(simulate=family.simulate_label_mixing, measure=dict(risk=("real_weight", "rounds")))
    dense = {"real_weight": tuple(i / 100 for i in range(3, 101))}
    return Experiment(
        dict(
            golden=Sweep(
                simulate=family.simulate_label_mixing_variance, predict=variance_factor, values=config.golden,
                over=("n", "covariance"), measure=dict(variance=("s", "real_weight", "rounds")),
                derive=dict(problem=problem), curve=dense,
            ),
            mean=Sweep(
                simulate=family.simulate_mean_mixing, predict=risk_of_mean, values=config.mean,
                measure=dict(risk=("real_weight", "rounds")), batch=32, curve=dense,
            ),
            best=Sweep(
                predict=dict(weight=theory.label_mixing_optimal_weight, factor=best_factor), values=config.best,
                measure=dict.fromkeys(("weight", "factor"), ("s",)),
            ),
            ridge=Sweep(
                **risk, predict=ridge_on_two_levels, values=config.ridge, over=("d", "sigma", "s"),
                derive=dict(problem=problem, sigma_syn=synthetic_noise, n=samples),
                curve={"real_weight": tuple(i / 40 for i in range(8, 41))},
            ),
            ridge_best=Sweep(
                predict=best_ridge_weight, values=config.ridge_best, derive=dict(problem=problem),
                measure=dict(weight=("s", "d_per_n", "sigma", "lam")),
            ),
            path=Sweep(
                **risk, predict=risk_of_round, values=config.path, over=("design",),
                derive=dict(problem=problem, sigma_syn=synthetic_noise),
                curve={"rounds": tuple(range(31))},
            ),
        ),
        CLAIMS,
    )  # fmt: skip
