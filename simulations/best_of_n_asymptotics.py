"""Is the best of N = e^(n delta) sequences of n symbols the same, for long sequences, as the optimal policy?

To first order: per symbol, the reward that best-of-N lacks vanishes, but only as log(n) / (2 lam n), and so does its
divergence from the tilt of the same budget. The rate function of large deviations says why.
"""

from math import log

from theorylab import simulators, theory
from theorylab.compare.claims import asymptotic, bound, exact, identity, order
from theorylab.compare.contrasts import at
from theorylab.compare.contrasts import log as log_of
from theorylab.experiment import Experiment, preset
from theorylab.sweep.spec import Sweep

PAPER = "Yang et al., Asymptotics of Language Model Alignment, 2024 (arXiv 2404.01730)"


def _last_slope(data):
    """Slope of n gap against log n between the two longest sequences, in units of 1/(2 lam)."""
    gap = ((data.tilt - data.bon) * data.n_symbols).isel(n_symbols=slice(-2, None))
    slope = gap.diff("n_symbols") / log_of(gap.n_symbols).diff("n_symbols")
    return 2 * at(data.lam, n_symbols=1280) * slope.isel(n_symbols=0, drop=True)


CLAIMS = (
    exact(
        "The best of N sequences has the mean reward of the exact law of the sum of n symbols",
        sweep="drawn", of="bon", figure="fig_gap",
    ),
    exact(
        "It lacks the predicted reward against the tilt of divergence log N",
        sweep="drawn", of=lambda data: data.tilt - data.bon, figure="fig_gap",
    ),
    order(
        "The tilt has more reward than best-of-N at every length",
        sweep="drawn", of=lambda data: data.tilt - data.bon, figure="fig_gap",
    ),
    identity(
        "n times the gap grows as log(n) / (2 lam): slope from n = 640 to 1280 to 3%",
        sweep="long", of=_last_slope, equals=1.0, tolerance=0.03, figure="fig_gap",
    ),
    identity(
        "So the two rewards per symbol agree for long sequences: gap below 0.5% of the reward at n = 1280",
        sweep="long", of=lambda data: at(data.bon, n_symbols=1280), equals=lambda data: at(data.tilt, n_symbols=1280),
        tolerance=5e-3, figure="fig_gap",
    ),
    identity(
        "The divergence of best-of-N from the reference falls short of log N by one, as its bound does: to 5%, n >= 80",
        sweep="long", of=lambda data: data.n_symbols * (data.delta - data.kl_bon_p), equals=1.0, tolerance=0.05,
        where={"n_symbols": lambda n: n >= 80}, figure="fig_gap",
    ),
    identity(
        "KL(best-of-N || tilt) per symbol vanishes like log n / n: below 0.0025 at n = 1280",
        sweep="long", of=lambda data: at(data.kl_bon_tilt, n_symbols=1280), equals=0.0, tolerance=2.5e-3,
        figure="fig_gap",
    ),
    bound(
        "The rate of -log P(mean reward >= x) / n lies above the rate function I(x) at every length",
        sweep="tail", of="rate", upper=False, figure="fig_gap",
    ),
    asymptotic(
        "P(mean reward >= x) tends to e^(-n I(x)) / ((1 - e^-t) sqrt(2 pi n var)), x >= 2: the root makes the log",
        sweep="tail", of="probability", size="n_symbols", where={"x": lambda x: x >= 2}, figure="fig_gap",
    ),
    identity(
        "From the reference to the mean of a tilt the rate is the divergence of the tilt: I(E_lam r) = delta",
        sweep="rate_at_tilt", of="rate", equals=lambda data: data.delta, figure="fig_gap",
    ),
)  # fmt: skip


def get_config(name: str):
    from ml_collections import ConfigDict

    source = dict(logref=tuple(map(log, (0.5, 0.3, 0.2))), reward_int=(0, 1, 3))
    return ConfigDict(
        dict(
            drawn=dict(
                **source, n_symbols=(5, 10, 20), bits_per_symbol=0.4, draws=192,
                replicates=preset(name, quick=256, paper=4000),
            ),
            long=dict(**source, delta=(0.3,), n_symbols=(5, 20, 80, 320, 640, 1280)),
            tail=dict(
                **source, n_symbols=(20, 40, 80), x=(1.2, 1.6, 2.0, 2.4), draws=1024,
                replicates=preset(name, quick=768, paper=4000),
            ),
            rate_at_tilt=dict(**source, delta=(0.1, 0.3, 1.0)),
        )
    )  # fmt: skip


def letters(logref, reward_int: tuple):
    from jax.numpy import asarray

    return asarray(logref, float), asarray(reward_int, float)


def divergence_per_symbol(bits_per_symbol: float) -> float:
    return bits_per_symbol * log(2)


def choices(n_symbols: int, bits_per_symbol: float) -> int:
    return round(2 ** (n_symbols * bits_per_symbol))


def gap_of_length(logref, reward_int: tuple, n_symbols: int, delta: float):
    return theory.best_of_n_tilt_gap(letters(logref, reward_int)[0], tuple(reward_int), n_symbols, delta)


def rate_of_reference(logref, reward_int: tuple, x: float):
    return theory.tilt_rate_function(*letters(logref, reward_int), 0.0, x)


def rate_at_tilt(logref, reward_int: tuple, delta: float):
    lam = theory.tilt_at_kl(*letters(logref, reward_int), delta)
    return rate_of_reference(logref, reward_int, theory.tilt_frontier_point(*letters(logref, reward_int), lam).reward)


def sharp_probability(logref, reward_int: tuple, n_symbols: float, x: float):
    """With the prefactor of a lattice of spacing one, for n x a whole number; I' = t and I'' = 1/var of the tilt."""
    from jax import grad
    from jax.numpy import exp, expm1, pi, sqrt

    rate = lambda x: rate_of_reference(logref, reward_int, x)
    t, curvature = grad(rate)(x), grad(grad(rate))(x)
    return exp(-n_symbols * rate(x)) / (-expm1(-t) * sqrt(2 * pi * n_symbols / curvature))


def slope_of_rate(logref, reward, x: float):
    from jax import grad

    return grad(theory.tilt_rate_function, argnums=3)(logref, reward, 0.0, x)


def proposal(logref: tuple, reward_int: tuple, x: float) -> float:
    """The tilt of mean x: where to sample sequences that reach x."""
    from jax import jit

    return float(jit(slope_of_rate)(*letters(logref, reward_int), x))


def equal_budget(logref: tuple, reward_int: tuple, delta: float) -> float:
    from jax import jit

    return float(jit(theory.tilt_at_kl)(*letters(logref, reward_int), delta))


def experiment(config) -> Experiment:
    family = simulators.best_of_n
    return Experiment(
        dict(
            drawn=Sweep(
                simulate=family.simulate_best_of_n_sequences, predict=gap_of_length, values=config.drawn,
                over=("n_symbols",), measure=dict(bon=(), tilt=()), batch=8,
                derive=dict(delta=divergence_per_symbol, n_best=choices, lam=equal_budget),
            ),
            long=Sweep(
                predict=gap_of_length, values=config.long, over=("delta", "n_symbols"),
                measure=dict.fromkeys(("bon", "tilt", "kl_bon_p", "kl_bon_tilt", "lam"), ()),
            ),
            tail=Sweep(
                simulate=family.simulate_reward_tail, values=config.tail, over=("n_symbols", "x"), batch=16,
                predict=dict(rate=rate_of_reference, probability=sharp_probability), derive=dict(lam=proposal),
                measure=dict(probability=(), rate=()), curve={"x": tuple(0.95 + i / 40 for i in range(64))},
            ),
            rate_at_tilt=Sweep(
                predict=dict(rate=rate_at_tilt), values=config.rate_at_tilt, over=("delta",), measure=dict(rate=()),
            ),
        ),
        CLAIMS,
    )  # fmt: skip
