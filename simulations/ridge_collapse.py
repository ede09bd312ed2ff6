"""What happens to ridge regression trained on labels from a chain of n models, each fitted to the labels of the last?

The test error is the clean one plus a term linear in n, with an explicit slope; along a power-law spectrum the scaling
law breaks at a crossover; the ridge that is best for clean labels is too small, and a larger one mends the law.
"""

from theorylab import problems, simulators, theory
from theorylab.compare.claims import asymptotic, exact, exponent, identity, order
from theorylab.compare.contrasts import at, log, log_slope, slope, stack
from theorylab.experiment import Experiment, geomspace, preset
from theorylab.sweep.spec import Sweep

PAPER = "Dohmatob, Feng, Kempe, Model Collapse Demystified: The Case of Regression, 2024 (arXiv 2402.07712)"


def _own_ridge_is_best(data):
    """At T = 0.8 d each chain does better at its own best ridge than at the other's."""
    clean, chain = (at(data.risk, generations=n, T_per_d=0.8) for n in (0, 10))
    return stack(at(clean, lam=0.5) - at(clean, lam=0.1), at(chain, lam=0.1) - at(chain, lam=0.5))


def _slope_of_each_half(data):
    generations = data.risk.generations
    return stack(*(slope(data.risk.sel(generations=half), "generations")
                   for half in (generations <= 5, generations >= 5)))  # fmt: skip


def _collapse_against_clean(data):
    """Positive when the clean risk is the larger before the predicted crossover, and the smaller behind it."""
    clean = at(data.risk, generations=0)
    collapse = data.risk.isel(generations=-1, drop=True) - clean
    return stack(at(clean - collapse, ratio=0.0), at(collapse - clean, ratio=9.0))


def _rise(data):
    """Growth of the log risk from the sample size of the minimum to the largest one."""
    return at(log(data.risk), T=1e9) - at(log(data.risk), T=1000)


CLAIMS = (
    asymptotic(
        "The error is the clean one plus n sigma0^2 rho, at every ridge, under- and over-parametrised",
        sweep="risk", of="risk", size="d", figure="fig_lambda_sweep",
    ),
    order(
        "The best ridge moves to larger values: ten generators want a larger one than clean labels",
        sweep="risk", of=_own_ridge_is_best, figure="fig_lambda_sweep",
    ),
    exact(
        "The error grows linearly with n: from 0 to 5 and from 5 to 10 generators with the slope sigma0^2 rho",
        sweep="linear", of=_slope_of_each_half, figure="fig_linear_in_generations",
    ),
    exact(
        "Along a power law the formula gives the whole learning curve, before and behind the crossover",
        sweep="crossover", of="risk", margin=0.04, where={"T": lambda T: T >= 100}, figure="fig_powerlaw_crossover",
    ),
    order(
        "Collapse overtakes the clean error within 30% of the predicted number of samples",
        sweep="position", of=_collapse_against_clean, figure="fig_powerlaw_crossover",
    ),
    exponent(
        "Clean labels and the clean ridge: the error falls with the exponent of the formula",
        sweep="crossover", of="risk", axis="T", where={"generations": 0, "T": lambda T: T >= 100},
        figure="fig_powerlaw_crossover",
    ),
    order(
        "With the clean ridge the error of five and more generators rises again behind the crossover",
        sweep="crossover", of=_rise, where={"generations": [5, 20]}, figure="fig_powerlaw_crossover",
    ),
    exact(
        "With the corrected ridge the formula still gives the learning curve",
        sweep="adaptive", of="risk", margin=0.04, where={"T": lambda T: T >= 100}, figure="fig_adaptive_ridge",
    ),
    exponent(
        "With the corrected ridge five generators keep a falling law, with the exponent of the formula",
        sweep="adaptive", of="risk", axis="T", where={"T": lambda T: T >= 100}, figure="fig_adaptive_ridge",
    ),
    order(
        "The corrected ridge removes the rise: at the most samples it beats the clean ridge",
        sweep=("crossover", "adaptive"), figure="fig_adaptive_ridge",
        of=lambda clean, adapted: at(clean.risk, T=1e9, generations=5) - at(adapted.risk, T=1e9, generations=5),
    ),
    identity(
        "The formula reaches the exponents of the paper, clean-tuned and corrected, within 0.04 at T = 1e4 .. 1e5",
        sweep="exponents", of=lambda data: -log_slope(data.risk, "T") - data.exponent,
        equals=0.0, tolerance=0.04, figure="fig_exponents",
    ),
    asymptotic(
        "Fresh designs and one shared design follow their own closed forms, with ridge generators too",
        sweep="designs", of="risk", size="d",
    ),
)  # fmt: skip


def get_config(name: str):
    from ml_collections import ConfigDict

    noise = dict(sigma=0.3, sigma0=0.3)
    power_law = dict(d=300, beta=1.5, r=0.5, T0=600, **noise)
    T = preset(name, quick=(100, 300, 1000, 3000, 10_000), paper=tuple(map(round, geomspace(30, 30_000, 13))))
    return ConfigDict(
        dict(
            risk=dict(
                d=preset(name, quick=(25, 50, 100), paper=(50, 100, 200, 400)), T_per_d=(0.8, 4.0),
                lam=geomspace(1e-4, 10.0, 16), sigma=0.3, sigma0=0.2, generations=(0, 1, 3, 5, 10),
                replicates=preset(name, quick=384, paper=512),
            ),
            linear=dict(
                d=100, beta=1.5, r=0.7, T=80, T0=200, lam=(1e-3, 1e-2, 1e-1), sigma=0.3, sigma0=0.2,
                generations=tuple(range(11)), replicates=preset(name, quick=256, paper=2000),
            ),
            crossover=dict(
                **power_law, T=T, generations=(0, 1, 5, 20), replicates=preset(name, quick=80, paper=200),
            ),
            adaptive=dict(
                **power_law, T=T, chain=5, generations=(5,), replicates=preset(name, quick=48, paper=200),
            ),
            position=dict(
                **power_law, ratio=(0.7, 1.3), chain=5, generations=(0, 5),
                replicates=preset(name, quick=32, paper=200),
            ),
            exponents=dict(
                d=100_000, beta=1.5, r=0.5, c=(0.4, 0.6, 0.8, 1.0), tuning=("clean", "corrected"),
                T=geomspace(1e4, 1e5, 5), generations=5, **noise,
            ),
            designs=dict(
                d=(16, 32, 64), T_per_d=1.5, design=("fresh", "all"), lam=(0.01, 0.05, 0.2), lam0=0.1, sigma=0.1,
                sigma0=0.2, generations=(1, 4), probes=16, replicates=preset(name, quick=800, paper=4000),
            ),
        )
    )  # fmt: skip


def risk_of_design(
    design: str, spectrum, w_star, generations: int, T: float, T0: float, lam: float, lam0: float, sigma: float,
    sigma0: float, gamma: float,
):  # fmt: skip
    """The closed form of each way to draw the designs, for the unit-norm isotropic problem."""
    if design == "all":
        return theory.isotropic_shared_design_risk(gamma, generations, lam0, lam, sigma, sigma0, 1.0)
    return theory.ridge_collapse_risk(spectrum, w_star, generations, T, T0, lam, lam0, sigma, sigma0)


def clean_ridge(T: float, beta: float, r: float) -> float:
    return T ** -theory.clean_ridge_exponent(beta, r)


def corrected_ridge(problem, T, T0, chain, sigma, sigma0) -> float:
    return float(theory.optimal_collapse_ridge(*problem, chain, T, T0, sigma, sigma0).lam)


def crossover(problem, chain, T0, sigma, sigma0, beta, r) -> float:
    ell = theory.clean_ridge_exponent(beta, r)
    return float(theory.collapse_crossover_samples(*problem, chain, T0, sigma, sigma0, ell))


def ridge_exponent(beta, r, c, tuning) -> float:
    corrected = tuning == "corrected"
    return theory.collapse_ridge_exponent(beta, r, c) if corrected else theory.clean_ridge_exponent(beta, r)


def experiment(config) -> Experiment:
    family = simulators.regression_collapse
    chain = dict(
        simulate=family.simulate_ols_chain_noise_averaged,
        predict=theory.ridge_collapse_risk_ols_generators,
        block=32,
    )
    rows = dict(rows=lambda T, d: min(T, d))
    power_law = dict(problem=problems.power_law_problem, **rows)
    dense_T = {"T": geomspace(30, 1e5, 60)}
    return Experiment(
        dict(
            risk=Sweep(
                **chain, values=config.risk, over=("d", "T_per_d"), measure={"risk": ("lam", "generations")},
                derive=dict(problem=problems.isotropic, T=lambda T_per_d, d: round(T_per_d * d), T0=lambda d: 2 * d,
                            **rows),
                curve={"lam": geomspace(1e-4, 10.0, 81)},
            ),
            linear=Sweep(
                **chain, values=config.linear, measure={"risk": ("lam", "generations")}, derive=power_law,
            ),
            crossover=Sweep(
                **chain, values=config.crossover, over=("T",), measure={"risk": ("generations",)}, curve=dense_T,
                derive=dict(**power_law, lam=clean_ridge),
            ),
            adaptive=Sweep(
                **chain, values=config.adaptive, over=("T",), measure={"risk": ("generations",)}, curve=dense_T,
                derive=dict(**power_law, lam=corrected_ridge),
            ),
            position=Sweep(
                **chain, values=config.position, over=("ratio",), measure={"risk": ("generations",)},
                derive=dict(**power_law, crossover=crossover, lam=clean_ridge,
                            T=lambda ratio, crossover: round(ratio * crossover)),
            ),
            exponents=Sweep(
                predict=dict(risk=theory.ridge_collapse_risk_leading_order, exponent=theory.collapse_rate_exponent),
                values=config.exponents, over=("c", "tuning", "T"), measure={"risk": (), "exponent": ()},
                derive=dict(problem=problems.power_law_problem, ell=ridge_exponent, lam=lambda T, ell: T**-ell,
                            T0=lambda T, c: T**c),
            ),
            designs=Sweep(
                simulate=family.simulate_ridge_chain, predict=risk_of_design, values=config.designs,
                over=("d", "design"), measure={"risk": ("lam", "generations")}, block=32,
                derive=dict(problem=problems.isotropic, T=lambda T_per_d, d: round(T_per_d * d), T0=lambda T: T,
                            gamma=lambda T_per_d: 1 / T_per_d),
            ),
        ),
        CLAIMS,
    )  # fmt: skip
