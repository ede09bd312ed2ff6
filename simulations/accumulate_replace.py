"""Does a model trained on the labels of earlier models collapse when these labels are added to the data?

If they replace the earlier data, the error grows linearly with the number of fits. If they are added, it stays below
pi^2/6 times the first error, whatever the number of fits; a fixed budget drawn from the grown pool is bounded, too.
"""

from math import log, pi

from theorylab import simulators, theory
from theorylab.compare.claims import asymptotic, exact, identity, order
from theorylab.compare.contrasts import at, stack
from theorylab.experiment import Experiment, preset
from theorylab.sweep.spec import Sweep

PAPER = (
    "Gerstgrasser et al., Is Model Collapse Inevitable?, 2024 (arXiv 2404.01413); Kazdan et al., Collapse or Thrive?, "
    "2024 (arXiv 2410.16713); Dey, Donoho, Universality of the pi^2/6 Pathway, 2024 (arXiv 2410.22812)"
)


def _room_below_bound(data):
    """By how much the error of each later fit stays below pi^2/6 times the first."""
    return pi**2 / 6 * at(data.risk, fits=1) - data.risk.sel(fits=data.fits > 1)


def _replace_pool_accumulate(data):
    later = data.risk.sel(fits=data.fits > 1)
    replace, pool, everything = (later.sel(strategy=s, drop=True) for s in ("replace", "subsample", "accumulate"))
    return stack(replace - pool, pool - everything)


def _last_doubling_against_the_one_before(data):
    growth = data.risk.diff("fits")
    return growth.isel(fits=-1, drop=True) / growth.isel(fits=-2, drop=True)


CLAIMS = (
    exact(
        "Replacing the data, the error grows linearly with the number of fits: n sigma^2 d / (T - d - 1)",
        sweep="risk", of="risk", where={"strategy": "replace"}, figure="fig_risk_vs_fits",
    ),
    exact(
        "Accumulating blocks of fresh inputs, the error is sigma^2 d sum_i 1 / (i (i T - d - 1))",
        sweep="risk", of="risk", where={"strategy": "accumulate"}, figure="fig_risk_vs_fits",
    ),
    exact(
        "Accumulating labels on one shared design, the error is sum_i 1/i^2 in units of the first",
        sweep="risk", of="risk", where={"strategy": "accumulate_shared"}, figure="fig_risk_vs_fits",
    ),
    order(
        "Accumulating, the error of every fit stays below pi^2/6 times the first",
        sweep="risk", of=_room_below_bound, where={"strategy": ["accumulate", "accumulate_shared"]},
        figure="fig_risk_vs_fits",
    ),
    asymptotic(
        "On a fixed budget from the accumulated pool the error is 3 sum_i 1/i^2 - 2 in units of the first, for T >> d",
        sweep="pool", of="risk", size="T", figure="fig_risk_vs_fits",
    ),
    order(
        "From the second fit on, replacing loses more than a fixed budget from the pool, and that more than all data",
        sweep="risk", of=_replace_pool_accumulate, figure="fig_risk_vs_fits",
    ),
    exact(
        "The ratio of a later error to the first follows the formula at every d/T",
        sweep="ratio", of="risk", figure="fig_limit_ratio",
    ),
    order(
        "On fresh designs the growth over twenty fits falls with d/T",
        sweep="ratio", of=lambda data: -at(data.risk, fits=20).diff("d_per_T"), figure="fig_limit_ratio",
    ),
    identity(
        "The limit of infinitely many fits is pi^2/6 times the first error for d/T -> 0, to 0.1% at d/T = 0.001",
        sweep="limit", of=lambda data: at(data.limit, d_per_T=0.001), equals=pi**2 / 6, tolerance=1e-3,
        figure="fig_limit_ratio",
    ),
    identity(
        "The limit of infinitely many fits is the first error itself for d/T -> 1, to 2% at d/T = 0.94",
        sweep="limit", of=lambda data: at(data.limit, d_per_T=0.94), equals=1.0, tolerance=0.02,
        figure="fig_limit_ratio",
    ),
    exact(
        "With noise that grows as i^p the error is d sum_i i^(2p-1) / (i T - d - 1)",
        sweep="schedule", of="risk", figure="fig_noise_schedule",
    ),
    identity(
        "Each doubling of the number of fits adds 2^(2p-1) times what the last one added, to 1%: bounded for p < 1/2",
        sweep="doublings", of=_last_doubling_against_the_one_before, equals=lambda data: 2 ** (2 * data.p - 1),
        tolerance=0.01, figure="fig_noise_schedule",
    ),
    identity(
        "At p = 1/2 each doubling adds sigma^2 (d/T) log 2, to 1%: the error grows as the logarithm",
        sweep="doublings", of=lambda data: at(data.risk, p=0.5).diff("fits").isel(fits=-1, drop=True),
        equals=20 / 60 * log(2), tolerance=0.01, figure="fig_noise_schedule",
    ),
)  # fmt: skip


def get_config(name: str):
    from ml_collections import ConfigDict

    fits = (*range(1, 11), 12, 14, 16, 18, 20)
    schedule = dict(d=20, T=60, p=(0.0, 0.25, 0.5), sigma=1.0, strategy="accumulate")
    return ConfigDict(
        dict(
            risk=dict(
                d=20, T=60, blocks=20, fits=fits, p=0.0, probes=32,
                strategy=("replace", "accumulate", "accumulate_shared", "subsample"),
                replicates=preset(name, quick=512, paper=10_000),
            ),
            pool=dict(
                d=8, T=(50, 100, 200), blocks=20, fits=(1, 2, 3, 5, 8, 12, 16, 20), p=0.0,
                strategy="subsample", probes=32, replicates=preset(name, quick=256, paper=10_000),
            ),
            ratio=dict(
                d=20, d_per_T=(0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6), blocks=20, fits=(1, 20), p=0.0,
                strategy="accumulate", replicates=preset(name, quick=1024, paper=10_000),
            ),
            limit=dict(d=20, d_per_T=(0.001, *(i / 50 for i in range(1, 48)))),
            schedule=dict(
                **schedule, blocks=50, fits=(1, 2, 3, 5, 7, 10, 14, 20, 30, 50),
                replicates=preset(name, quick=256, paper=10_000),
            ),
            doublings=dict(**schedule, blocks=4096, fits=(1024, 2048, 4096)),
        )
    )  # fmt: skip


def equal_blocks(T: int, blocks: int) -> tuple:
    return (T,) * blocks


def growing_noise(sigma: float, p: float, blocks: int) -> tuple:
    return tuple(sigma * i**p for i in range(1, blocks + 1))


def unit_noise(d: float, T: float) -> float:
    """The label noise for which the first error is 1."""
    return ((T - d - 1) / d) ** 0.5


def risk_of_fit(strategy: str, d: float, T: float, sizes, sigmas, sigma: float, fits: float):
    """The closed form of each strategy at one of the fits."""
    from jax.numpy import asarray

    if strategy == "subsample":
        risk = sigma**2 * d / (T - d - 1) * theory.subsampled_accumulation_factor(len(sigmas))
    elif strategy == "accumulate_shared":
        risk = theory.accumulation_ols_risk_shared_design(d, T, sigmas)
    else:
        replace = strategy == "replace"
        risk = (theory.replacement_ols_risk if replace else theory.accumulation_ols_risk)(d, sizes, sigmas)
    return risk[asarray(fits, int) - 1]


def limit_in_units_of_the_first(d: float, d_per_T: float):
    T = d / d_per_T
    return theory.accumulation_ols_risk_limit(d, T, unit_noise(d, T))


def experiment(config) -> Experiment:
    family = simulators.accumulation
    fits = dict(simulate=family.simulate_accumulation, predict=risk_of_fit, measure={"risk": ("fits",)})
    averaged = dict(fits, simulate=family.simulate_accumulation_noise_averaged, block=256, batch=16)
    return Experiment(
        dict(
            risk=Sweep(
                **fits, values=config.risk, over=("strategy",),
                derive=dict(sizes=equal_blocks, sigmas=growing_noise, sigma=unit_noise),
            ),
            pool=Sweep(
                **fits, values=config.pool, over=("T",),
                derive=dict(sizes=equal_blocks, sigmas=growing_noise, sigma=unit_noise),
            ),
            ratio=Sweep(
                **averaged, values=config.ratio, over=("d_per_T",),
                derive=dict(sizes=equal_blocks, sigmas=growing_noise, sigma=unit_noise,
                            T=lambda d, d_per_T: round(d / d_per_T)),
            ),
            limit=Sweep(
                predict=limit_in_units_of_the_first, values=config.limit, over=("d_per_T",), measure={"limit": ()},
            ),
            schedule=Sweep(
                **averaged, values=config.schedule, over=("p",),
                derive=dict(sizes=equal_blocks, sigmas=growing_noise),
            ),
            doublings=Sweep(
                **dict(fits, simulate=None), values=config.doublings, over=("p",),
                derive=dict(sizes=equal_blocks, sigmas=growing_noise),
            ),
        ),
        CLAIMS,
    )  # fmt: skip
