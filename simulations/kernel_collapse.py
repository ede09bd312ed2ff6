"""Does the theory of collapse, derived for Gaussian data, carry over to kernel regression on real images?

Chains of kernel ridge regressions relabel images of digits; the test error on the whole population is compared with
the closed form, which sees the data only through the spectrum of the kernel and the coefficients of the labels.
"""

from theorylab import problems, simulators, theory
from theorylab.compare.claims import exact, order
from theorylab.compare.contrasts import at, log, stack
from theorylab.experiment import Experiment, geomspace, preset
from theorylab.sweep.spec import Sweep

PAPER = "Dohmatob, Feng, Kempe, Model Collapse Demystified: The Case of Regression, 2024 (arXiv 2402.07712)"

# the best ridges of a clean chain and of six generators, on the default grid
CLEAN_BEST, CHAIN_BEST = 3.16e-4, 3.16e-3


def _own_ridge_is_best(data):
    clean, chain = at(data.risk, generations=0), at(data.risk, generations=6)
    return stack(
        at(clean, lam=CHAIN_BEST) - at(clean, lam=CLEAN_BEST),
        at(chain, lam=CLEAN_BEST) - at(chain, lam=CHAIN_BEST),
    )


def _gain_from_more_samples(data):
    return log(at(data.risk, T=400)) - log(at(data.risk, T=1500))


CLAIMS = (
    exact(
        "On real digits the closed form gives the test error at every ridge and generation to within 8%",
        sweep="ridge", of="risk", error=0.08, margin=0.08, pointwise=0.10, where={"lam": lambda lam: lam >= 1e-5},
        figure="fig_lambda_sweep",
    ),
    order(
        "Every further generator costs accuracy at the ridge that is best for clean labels",
        sweep="ridge", of=lambda data: at(data.risk, lam=CLEAN_BEST).diff("generations"),
        figure="fig_lambda_sweep",
    ),
    order(
        "The best ridge drifts to larger values: that of six generators is worse for clean labels, and the reverse",
        sweep="ridge", of=_own_ridge_is_best, figure="fig_lambda_sweep",
    ),
    exact(
        "With ridge 1/T the closed form follows the learning curves of both kernels to within 8%",
        sweep="crossover", of="risk", error=0.08, margin=0.08, pointwise=0.10,
        figure="fig_crossover",
    ),
    order(
        "Past the generators' sample size the clean curve keeps falling while six generators flatten it",
        sweep="crossover", figure="fig_crossover",
        of=lambda data: at(_gain_from_more_samples(data), generations=0)
        - at(_gain_from_more_samples(data), generations=6),
    ),
)  # fmt: skip


def get_config(name: str):
    from ml_collections import ConfigDict

    chain = dict(dataset="digits", bandwidth=1.0, T0=400, lam0=1e-3, sigma=0.2, sigma0=0.2, generations=(0, 1, 3, 6))
    replicates = preset(name, quick=16, paper=100)
    lam = geomspace(1e-5, 1.0, preset(name, quick=11, paper=21))
    T = preset(name, quick=(50, 150, 400, 1500), paper=(50, 100, 200, 400, 800, 1500))
    return ConfigDict(
        dict(
            ridge=dict(**chain, kernel="rbf", T=400, lam=lam, replicates=replicates),
            crossover=dict(**chain, kernel=("rbf", "poly"), T=T, replicates=replicates),
        )
    )


def experiment(config) -> Experiment:
    chain = dict(
        simulate=simulators.regression_collapse.simulate_kernel_chain,
        predict=theory.kernel_ridge_collapse_risk,
        block=8,
        batch=1,
    )
    problem = dict(problem=problems.kernel_problem)
    ridge = Sweep(
        **chain,
        values=config.ridge,
        measure={"risk": ("lam", "generations")},
        derive=problem,
        curve={"lam": geomspace(1e-5, 1.0, 61)},
    )
    crossover = Sweep(
        **chain,
        values=config.crossover,
        over=("kernel", "T"),
        measure={"risk": ("generations",)},
        derive=dict(**problem, lam=lambda T: 1 / T),
        curve={"T": geomspace(50, 1500, 31)},
    )
    return Experiment({"ridge": ridge, "crossover": crossover}, CLAIMS)
