"""Does a chain of interpolating models collapse even without label noise?

Each generator interpolates fewer samples than it has dimensions, so each forgets a part of the truth: on fresh designs
exponentially fast in the number of generators, on one shared design only once.
"""

from theorylab import problems, simulators, theory
from theorylab.compare.claims import exact, identity, order
from theorylab.experiment import Experiment, preset
from theorylab.sweep.spec import Sweep

PAPER = "Dohmatob, Feng, Kempe, Model Collapse Demystified: The Case of Regression, 2024 (arXiv 2402.07712)"


def _later(generations):
    return generations >= 1


CLAIMS = (
    exact(
        "Without any noise the truth is forgotten exponentially: the error of the n-th generator is 1 - (T0/d)^n",
        sweep="generator", of="risk", where={"sigma0": 0.0, "shared": False, "generations": _later},
        figure="fig_exponential",
    ),
    exact(
        "Label noise of the generators adds v (1 - (T0/d)^n) / (1 - T0/d), v = sigma0^2 T0 / (d - T0 - 1)",
        sweep="generator", of="risk", where={"sigma0": 0.1, "shared": False, "generations": _later},
        figure="fig_exponential",
    ),
    exact(
        "On one shared design a projection is applied once: the bias stays, and the noise adds up linearly",
        sweep="shared", of="risk",
        figure="fig_exponential",
    ),
    identity(
        "On one shared design without noise, no generator after the first loses anything",
        sweep="generator", on="samples", digits=8, where={"sigma0": 0.0, "shared": True},
        of=lambda data: data.risk.sel(generations=data.generations >= 1),
        equals=lambda data: data.risk.sel(generations=1),
        figure="fig_exponential",
    ),
    order(
        "From the second generator on, fresh designs lose more than a shared one",
        sweep="generator", where={"generations": lambda n: n >= 2},
        of=lambda data: data.risk.sel(shared=False) - data.risk.sel(shared=True),
        figure="fig_exponential",
    ),
    exact(
        "A least-squares or interpolating fit on the labels of the last generator has the exact risk of the chain",
        sweep="downstream", of="risk",
    ),
)  # fmt: skip


def get_config(name: str):
    from ml_collections import ConfigDict

    return ConfigDict(
        dict(
            generator=dict(
                d=100, T0=(30, 60, 90), sigma0=(0.0, 0.1), shared=(False, True), w_star_sq=1.0, teachers=8,
                generations=tuple(range(11)), replicates=preset(name, quick=768, paper=10_000),
            ),
            # one design for a whole chain leaves a heavier spread: cheap lanes, and more of them
            shared=dict(
                d=100, T0=(30, 60, 90), sigma0=(0.0, 0.1), shared=True, w_star_sq=1.0, teachers=8,
                generations=tuple(range(1, 11)), replicates=preset(name, quick=6144, paper=20_000),
            ),
            downstream=dict(
                d=60, T=(36, 150), T0=36, lam=0.0, lam0=0.0, sigma=0.1, sigma0=0.1, w_star_sq=1.0,
                generations=(0, 1, 2, 4, 8), replicates=preset(name, quick=512, paper=4000),
            ),
        )
    )  # fmt: skip


def experiment(config) -> Experiment:
    family = simulators.regression_collapse
    chain = dict(
        simulate=family.simulate_minnorm_chain,
        predict=theory.isotropic_minnorm_generator_risk,
        measure={"risk": ("generations",)},
        block=256,
        batch=8,  # one factorisation at a time
    )
    generator = Sweep(**chain, values=config.generator, over=("sigma0", "T0", "shared"), paired=("shared",))
    shared = Sweep(**chain, values=config.shared, over=("sigma0", "T0"))
    downstream = Sweep(
        simulate=family.simulate_ridge_chain_noise_averaged,
        predict=theory.isotropic_minnorm_collapse_risk,
        values=config.downstream,
        over=("T",),
        measure={"risk": ("generations",)},
        derive=dict(problem=problems.isotropic),
    )
    return Experiment({"generator": generator, "shared": shared, "downstream": downstream}, CLAIMS)
