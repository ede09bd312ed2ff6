"""What becomes of a Gaussian that is fitted again and again to its own samples?

If the samples replace the earlier ones its variance collapses almost surely, even where the expected variance stays; if
they are added to them the variance converges to a positive limit and the mean stays near the truth.
"""

from theorylab import simulators, theory
from theorylab.compare.claims import exact, identity, order
from theorylab.experiment import Experiment, preset
from theorylab.sweep.spec import Sweep

PAPER = (
    "Shumailov et al., The Curse of Recursion, 2023 (arXiv 2305.17493); "
    "Kazdan et al., Collapse or Thrive?, 2024 (arXiv 2410.16713)"
)

FEW, MANY = (lambda t: t <= 5), (lambda t: t >= 10)

CLAIMS = (
    exact(
        "Replacing, E log var drifts linearly to minus infinity, also where E var is constant: almost sure collapse",
        sweep="replace", of="log_var", where={"n": [5, 10], "refits": MANY}, figure="fig_variance",
    ),
    order(
        "Replacing, E log var falls with every refit",
        sweep="replace", of=lambda data: -data.log_var.diff("refits"), figure="fig_variance",
    ),
    exact(
        "Replacing, E std falls as c4^t: few samples",
        sweep="replace", of="std", where={"n": [5, 10], "refits": FEW}, figure="fig_variance",
    ),
    exact(
        "Replacing, E std falls as c4^t: many samples, up to 100 refits",
        sweep="replace", of="std", where={"n": 50}, figure="fig_variance",
    ),
    exact(
        "Replacing, over the first refits E var stays (unbiased) or falls as (1 - 1/n)^t (maximum likelihood)",
        sweep="replace", of="var", where={"refits": FEW}, figure="fig_variance",
    ),
    exact(
        "Replacing, E var^2 grows (unbiased) or falls (maximum likelihood) geometrically",
        sweep="replace", of="var_sq", where={"n": [10, 50], "refits": lambda t: t <= 3},
    ),
    exact(
        "Accumulating, E var is a product over the refits that stays positive",
        sweep="accumulate", of="var", figure="fig_variance",
    ),
    identity(
        "Accumulating by maximum likelihood, E var tends to var0 sinc(1/sqrt(n)): to 0.01% after 10^4 refits",
        sweep="limit", of=lambda data: data["var"], equals=lambda data: data.limit, tolerance=1e-4,
        figure="fig_variance",
    ),
    exact(
        "Replacing with the unbiased variance, at first the mean drifts away linearly: E (mu_t - mu0)^2 = t var0 / n",
        sweep="replace", of="mean_sq", where={"n": [5, 10], "unbiased": True, "refits": FEW}, figure="fig_mean_drift",
    ),
    exact(
        "Replacing by maximum likelihood, the squared drift of the mean saturates at var0",
        sweep="replace", of="mean_sq", where={"n": [5, 10], "unbiased": False, "refits": lambda t: t <= 50},
        figure="fig_mean_drift",
    ),
    exact(
        "Accumulating, the squared drift of the mean is bounded: what the variance loses, for maximum likelihood",
        sweep="accumulate", of="mean_sq", where={"n": [5, 10]}, figure="fig_mean_drift",
    ),
    order(
        "From the second refit on, the mean drifts less when the samples are added to the earlier ones",
        sweep=("replace", "accumulate"), figure="fig_mean_drift",
        of=lambda replaced, added: replaced.mean_sq - added.mean_sq,
        where={"n": [5, 10], "refits": lambda t: (t >= 2) & (t <= 20)},
    ),
    exact(
        "Replacing, the squared Wasserstein distance to the truth follows from these moments",
        sweep="replace", of="w2", where={"n": [5, 10], "refits": FEW},
    ),
)  # fmt: skip


def get_config(name: str):
    from ml_collections import ConfigDict

    chain = dict(
        n=(5, 10, 50), var0=1.0, unbiased=(True, False), refits=(1, 2, 3, 5, 10, 20, 50, 100),
        replicates=preset(name, quick=512, paper=4000),
    )  # fmt: skip
    return ConfigDict(
        dict(
            replace=dict(**chain, strategy="replace"),
            accumulate=dict(**chain, strategy="accumulate"),
            limit=dict(n=(5, 10, 50), var0=1.0, unbiased=False, refits=10_000),
        )
    )


def experiment(config) -> Experiment:
    names = ("mean_sq", "var", "var_sq", "std", "log_var", "w2")
    measured = dict.fromkeys(names, ("unbiased", "refits"))
    simulate = simulators.gaussian_recursion.simulate_gaussian_recursion
    accumulated = theory.gaussian_accumulation_moments
    return Experiment(
        dict(
            replace=Sweep(
                simulate=simulate, predict=theory.gaussian_replacement_moments, values=config.replace, over=("n",),
                measure=measured, derive=dict(chains=lambda n: 1200 // n),
                curve={"refits": tuple(range(1, 101))},
            ),
            accumulate=Sweep(
                simulate=simulate, predict=dict(mean_sq=accumulated, var=accumulated), values=config.accumulate,
                over=("n",), measure=measured, derive=dict(chains=lambda n: 1200 // n),
            ),
            limit=Sweep(
                predict=dict(var=accumulated, limit=theory.gaussian_accumulation_variance_limit),
                values=config.limit, over=("n",), measure=dict(var=(), limit=()),
            ),
        ),
        CLAIMS,
    )  # fmt: skip
