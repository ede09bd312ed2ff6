"""Does a little synthetic data spoil a large training set? Do larger models, or smaller weights, save it?

Ridge regression, also on random projections, is trained on real rows and on rows whose labels come from a shifted
truth. Its error has a floor that no number of rows removes; size amplifies it, up to the interpolation threshold.
"""

from typing import Any, NamedTuple

from theorylab import problems, simulators, theory
from theorylab.compare.claims import asymptotic, exact, exponent, identity, order
from theorylab.compare.contrasts import at, log_slope, stack
from theorylab.experiment import Experiment, geomspace, preset
from theorylab.sweep.spec import Sweep

PAPER = "Dohmatob, Feng, Subramonian, Kempe, Strong Model Collapse, ICLR 2025 (arXiv 2410.04840)"

SHIFT = 0.25  # energy of the shift where it is not varied
BEST = (0.13, 0.0161, 0.00166)  # best weights of the synthetic rows at 1e3, 1e4 and 1e5 rows


def _floor(data):
    return SHIFT * data.p2**2


def _ridge_moves_the_floor(data):
    """A fixed ridge lowers the floor of much synthetic data and raises the one of little."""
    gap = at(data.total, n=1e9) - _floor(data)
    return stack(-at(gap, p2=0.9, lam=0.3), at(gap, p2=0.1, lam=0.3))


def _rise_then_fall(data):
    """Growth of zeta from each size to the next below the threshold m = n; decay behind it."""
    step = data.zeta.sel(c2=0.5).diff("m_per_n")
    return step.where(step.m_per_n < 1.1, -step)


def _best_size(data):
    """Gain of the sizes that theory calls the best: the largest for good synthetic data, a moderate one for poor."""
    good, poor = (lambda m, c2=c2: at(data.total, c2=c2, m_per_n=m) for c2 in (1e-4, 1.0))
    return stack(good(0.3) - good(4.0), good(1.2) - good(4.0), poor(0.05) - poor(0.3), poor(4.0) - poor(0.3))


def _own_weight_is_best(data):
    """At each number of rows, its own best weight against those of the others, and against no and equal weight."""
    error = lambda n, a2: at(data.total, n=n, a2=a2)
    own = dict(zip((1e3, 1e4, 1e5), BEST))
    others = [(1e3, BEST[1]), (1e3, 1e-4), (1e4, BEST[0]), (1e4, 1.0), (1e5, BEST[1]), (1e5, 1.0)]
    return stack(*(error(n, a2) - error(n, own[n]) for n, a2 in others))


def _contraction(data):
    """Decrease of the error at each of the first two steps."""
    return -data.risk.sel(steps=data.steps <= 2).diff("steps")


CLAIMS = (
    exact(
        "The closed form gives the whole learning curve at every synthetic fraction, to its own 3%",
        sweep="plateau", of="total", error=0.03, margin=0.03, where={"c2": SHIFT}, figure="fig_plateau",
    ),
    order(
        "At a fixed synthetic fraction p2 the error never falls below p2^2 c2, however many rows there are",
        sweep="plateau", of=lambda data: data.total - _floor(data), where={"n": lambda n: n >= 300, "c2": SHIFT},
        figure="fig_plateau",
    ),
    exponent(
        "Real data alone keep their rate 1/n; every synthetic fraction flattens as the formula says",
        sweep="plateau", of="total", axis="n", where={"n": lambda n: n >= 1000, "c2": SHIFT},
        figure="fig_plateau",
    ),
    asymptotic(
        "With infinitely many rows the error is the floor: p2^2 c2 without a ridge, the formula's value at a fixed one",
        sweep="floor", of="total", size="n", figure="fig_plateau",
    ),
    identity(
        "Without a ridge the formula's floor is p2^2 c2",
        sweep="floor", of="total", equals=_floor, where={"lam": 0.0}, figure="fig_plateau",
    ),
    order(
        "At a fixed ridge the floor is not p2^2 c2: it is lower for p2 = 0.9 and higher for p2 = 0.1",
        sweep="floor", of=_ridge_moves_the_floor, figure="fig_plateau",
    ),
    exact(
        "Along a power law with ridge n^(-3/4) the closed form gives the learning curve, to its own 3%",
        sweep="powerlaw", of="total", error=0.03, margin=0.03, figure="fig_plateau_powerlaw",
    ),
    exact(
        "It does so at every quality of the synthetic data, with fewer and with more rows than dimensions, to 3%",
        sweep="plateau", of="total", error=0.03, margin=0.03, where={"p2": 0.5}, figure="fig_quality",
    ),
    exact(
        "With projections the closed form follows the double descent in n, 50 rows off its peaks and m = d, to 3%",
        sweep="projection", of="total", error=0.03, margin=0.03, figure="fig_projection_n",
        where={"n_per_d": [0.6667, 3.0, 30.0], "m_per_d": lambda m: m != 1},
    ),
    order(
        "The error peaks where the rows equal the projections",
        sweep="projection", figure="fig_projection_n",
        of=lambda data: at(data.total, n_per_d=0.3333, m_per_d=0.3333)
        - data.total.sel(n_per_d=[0.1667, 0.6667], m_per_d=0.3333, method="nearest"),
    ),
    asymptotic(
        "The error and its collapse term are the limit of large sizes, for models smaller and larger than the rows",
        sweep="limit", of=lambda data: stack(data.total, data.zeta), size="d", figure="fig_model_size",
    ),
    order(
        "Larger models amplify collapse up to the interpolation threshold m = n and mitigate it behind",
        sweep="model_size", of=_rise_then_fall, figure="fig_model_size",
    ),
    order(
        "Good synthetic data want the largest model, poor ones a moderate one (power-law inputs)",
        sweep="pareto", of=_best_size, figure="fig_pareto",
    ),
    exact(
        "Re-weighted rows follow their closed form at every weight and number of rows, to its own 3%",
        sweep="weighting", of="total", error=0.03, margin=0.03, figure="fig_weighting",
    ),
    asymptotic(
        "A fixed weight moves the floor to omega^2 c2, omega = p2 a2 / (p1 a1 + p2 a2), and does not remove it",
        sweep="weight_floor", of="total", size="n", figure="fig_weighting",
    ),
    order(
        "Each number of rows wants its own weight, the smaller the more rows",
        sweep="weighting", of=_own_weight_is_best, figure="fig_weighting",
    ),
    identity(
        "The best weight vanishes as 1/n",
        sweep="best_weight", of=lambda data: -log_slope(data.a2, "n"), equals=1.0, tolerance=0.02,
        where={"n": lambda n: n >= 1e4}, figure="fig_weighting",
    ),
    exact(
        "Dynamic mixing follows the exact recursion E' = r E + noise at every step",
        sweep="dynamic", of="risk", where={"steps": lambda t: t >= 1}, figure="fig_dynamic",
    ),
    order(
        "Dynamic mixing contracts: every one of the first steps lowers the error, at every synthetic fraction",
        sweep="dynamic", of=_contraction, figure="fig_dynamic",
    ),
    order(
        "It does not when p2 phi / (1 - phi) > 1 + p2: with n = 1.25 d and p2 = 0.9 the first steps raise the error",
        sweep="expansion", of=lambda data: -_contraction(data), figure="fig_dynamic",
    ),
    exact(
        "Real and synthetic inputs of unequal, rotated covariances follow the closed form, to its own 3%",
        sweep="unequal", of="total", error=0.03, margin=0.03, figure="fig_unequal_cov",
    ),
    exact(
        "The collapse of least squares is exact at finite size",
        sweep="least_squares", of="risk", figure="fig_exact_ols",
    ),
    identity(
        "The large-size form approaches it as 1/d",
        sweep="size_gap", of=lambda data: log_slope(data.gap, "d"), equals=-1.0, tolerance=0.02,
        where={"d": lambda d: d >= 100}, figure="fig_exact_ols",
    ),
)  # fmt: skip


def get_config(name: str):
    from ml_collections import ConfigDict

    replicates = preset(name, quick=16, paper=100)
    noise, fractions = dict(sigma1=0.1, sigma2=0.1), (0.0, 0.01, 0.1, 0.5, 0.9)
    many_rows = (1_000_000, 4_000_000, 16_000_000)
    rows = preset(
        name,
        quick=(100, 150, 300, 400, 1000, 3000, 20_000),
        paper=(100, 150, 300, 400, 700, 1000, 2000, 5000, 10_000, 20_000),
    )
    return ConfigDict(
        dict(
            plateau=dict(
                d=200, n=rows, p2=fractions, c2=(0.0, 1e-3, 1e-2, 1e-1, SHIFT, 1.0), **noise, lam=1e-8,
                replicates=replicates,
            ),
            floor=dict(
                d=100, n=many_rows, lam=(0.0, 0.1, 0.3, 1.0), p2=(0.01, 0.1, 0.5, 0.9), c2=SHIFT, **noise,
                replicates=replicates,
            ),
            powerlaw=dict(
                d=preset(name, quick=100, paper=400), beta=1.5, decay=2.0, n=rows, p2=fractions, c2=SHIFT, **noise,
                replicates=preset(name, quick=200, paper=400),
            ),
            projection=dict(
                d=preset(name, quick=200, paper=600), m_per_d=(0.0833, 0.3333, 1.0, 3.3333),
                n_per_d=(0.1667, 0.3333, 0.6667, 1.0, 3.0, 30.0), p2=0.5, c2=0.05, **noise, lam=1e-3,
                replicates=preset(name, quick=32, paper=100),
            ),
            limit=dict(
                d=preset(name, quick=(24, 48, 96), paper=(96, 192, 384)), rows_per_d=0.75, p2=0.5, c2=0.5, **noise,
                m_per_n=(0.25, 0.625, 2.0, 4.0), lam=1e-3, replicates=preset(name, quick=256, paper=400),
            ),
            model_size=dict(
                d=preset(name, quick=144, paper=600), rows_per_d=0.8333, p2=(0.1, 0.5, 0.9),
                m_per_n=(0.1, 0.2, 0.4, 0.6, 1.02, 1.4, 2.0, 4.0), c2=(0.0, 1e-4, 0.05, 0.5), **noise, lam=1e-3,
                replicates=replicates,
            ),
            pareto=dict(
                d=preset(name, quick=144, paper=600), rows_per_d=0.8333, beta=1.0, decay=1.5, p2=0.5,
                m_per_n=(0.05, 0.1, 0.3, 0.6, 1.2, 2.0, 4.0), c2=(0.0, 1e-4, 0.05, 0.5, 1.0), **noise, lam=1e-3,
                replicates=replicates,
            ),
            weighting=dict(
                d=100, n=(1000, 10_000, 100_000), a2=tuple(sorted((*geomspace(1e-4, 10.0, 6), *BEST))), p2=0.5, c2=0.3,
                sigma1=0.5, sigma2=0.5, lam=0.0, a1=1.0, replicates=replicates,
            ),
            weight_floor=dict(
                d=100, n=many_rows, a2=(0.1, 0.3, 1.0, 3.0), p2=0.5, c2=0.3, sigma1=0.5, sigma2=0.5, lam=0.0, a1=1.0,
                replicates=replicates,
            ),
            best_weight=dict(d=100, n=(1000, 10_000, 100_000, 1_000_000), p2=0.5, c2=0.3, sigma=0.5),
            dynamic=dict(
                d=100, n=400, p2=(0.3, 0.5, 0.9), c2=1.0, sigma1=0.5, sigma2=0.5, lam=0.0, steps=tuple(range(9)),
                probes=16, replicates=preset(name, quick=40, paper=1000),
            ),
            fixed_point=dict(d=100, n=400, p2=(0.3, 0.5, 0.9), c2=1.0, sigma1=0.5, sigma2=0.5, steps=1000),
            expansion=dict(
                d=40, n=50, p2=0.9, c2=1.0, sigma1=0.5, sigma2=0.5, lam=0.0, steps=tuple(range(5)),
                probes=16, replicates=preset(name, quick=256, paper=2000),
            ),
            unequal=dict(
                d=100, n1=200, n2=(20, 50, 100, 200, 500, 2000), beta=0.5, beta_synthetic=1.2, c2=SHIFT, seed=0,
                sigmas=(0.1, 0.1), weights=(1.0, 1.0), lam=0.05, replicates=preset(name, quick=200, paper=2000),
            ),
            least_squares=dict(
                d=20, n=(36, 120), p2=0.5, c2=0.4, sigma1=0.5, sigma2=0.3, lam=0.0, probes=8,
                replicates=preset(name, quick=2000, paper=20_000),
            ),
            size_gap=dict(
                phi=(0.25, 0.5, 0.8), d=(10, 30, 100, 300, 1000, 3000, 10_000), p2=0.5, c2=0.4, sigma1=0.5, sigma2=0.3,
            ),
        )
    )  # fmt: skip


class BestWeight(NamedTuple):
    """Best weight of the synthetic rows, its error, and the error without these rows."""

    a2: Any
    total: Any
    real_only: Any


def best_weight(spectrum, w1_sq, delta_sq, n: float, p2: float, sigma: float) -> BestWeight:
    """The best of 4001 weights between 1e-7 and 1."""
    import jax
    import jax.numpy as jnp

    def error(a2):
        mixture = (spectrum, w1_sq, delta_sq, n, p2, sigma, sigma)
        return theory.weighted_mixed_ridge_risk(*mixture, 0.0, 1.0, a2).total

    a2 = jnp.logspace(-7, 0, 4001)
    errors = jax.vmap(error)(a2)
    return BestWeight(a2[jnp.argmin(errors)], jnp.min(errors), error(0.0))


def fixed_weight_floor(p2: float, a1: float, a2: float, c2: float):
    return c2 * (p2 * a2 / ((1 - p2) * a1 + p2 * a2)) ** 2


def least_squares(n1: float, n2: float, d: float, sigma1: float, sigma2: float, c2: float):
    return theory.mixed_ols_risk(n1, n2, d, sigma1, sigma2, c2).total


def size_gap(d: float, phi: float, p2: float, c2: float, sigma1: float, sigma2: float):
    """Relative distance of the large-size form of least squares from the exact one."""
    n, s2bar = d / phi, (1 - p2) * sigma1**2 + p2 * sigma2**2
    limit = theory.mixed_isotropic_ridgeless_risk(d, n, None, p2, c2, 1.0, s2bar).total
    return abs(limit / least_squares(n * (1 - p2), n * p2, d, sigma1, sigma2, c2) - 1)


def experiment(config) -> Experiment:
    family = simulators.strong_collapse
    rows = dict(n2=lambda n, p2: round(p2 * n), n1=lambda n, n2: n - n2)
    shift = dict(delta_sq=lambda shift_sq, c2: c2 * shift_sq)
    isotropic = dict(problem=problems.isotropic_shift, **shift)
    power_law = dict(problem=problems.power_law_shift, **shift)
    averaged = dict(simulate=family.simulate_mixture_averaged, block=16)
    linear = dict(**averaged, predict=theory.mixed_ridge_risk)
    projected = dict(**averaged, predict=theory.mixed_projection_risk)
    weighted = dict(**averaged, measure={"total": ()})
    mixing = dict(
        simulate=family.simulate_dynamic_mixing,
        predict=theory.dynamic_mixing_ols_risk,
        measure={"risk": ("steps",)},
        derive=dict(
            problem=problems.isotropic_shift,
            **rows,
            w1=lambda w1_sq: w1_sq**0.5,
            mu0=lambda w1: 0 * w1,
            cov0=lambda shift_sq, c2: c2 * shift_sq,
        ),
    )
    dense_n = {"n": geomspace(50, 3e4, 120)}
    total = {"total": ()}
    sizes = dict(n=lambda rows_per_d, d: round(rows_per_d * d), m=lambda m_per_n, n: round(m_per_n * n))
    return Experiment(
        dict(
            plateau=Sweep(
                **linear, values=config.plateau, over=("p2", "n"), measure={"total": ("c2",)},
                derive=dict(**isotropic, **rows), curve=dense_n,
            ),
            floor=Sweep(
                **averaged, predict=theory.strong_collapse_floor, values=config.floor, over=("n", "lam", "p2"),
                measure=total, derive=dict(**isotropic, **rows),
            ),
            powerlaw=Sweep(
                **linear, values=config.powerlaw, over=("p2", "n"), measure=total, curve=dense_n,
                derive=dict(**power_law, **rows, lam=lambda n: n**-0.75),
            ),
            projection=Sweep(
                **projected, values=config.projection, over=("m_per_d", "n_per_d"), measure=total,
                derive=dict(**isotropic, **rows, n=lambda n_per_d, d: round(n_per_d * d),
                            m=lambda m_per_d, d: round(m_per_d * d)),
                curve={"n_per_d": geomspace(0.05, 50, 200)},
            ),
            limit=Sweep(
                **projected, values=config.limit, over=("d", "m_per_n"), measure={"total": (), "zeta": ()},
                derive=dict(**isotropic, **rows, **sizes),
            ),
            model_size=Sweep(
                **projected, values=config.model_size, over=("p2", "m_per_n"), paired=("m_per_n",),
                measure={"total": ("c2",), "zeta": ("c2",)}, derive=dict(**isotropic, **rows, **sizes),
                curve={"m_per_n": geomspace(0.05, 10, 80)},
            ),
            pareto=Sweep(
                **projected, values=config.pareto, over=("m_per_n",), measure={"total": ("c2",)},
                derive=dict(**power_law, **rows, **sizes), curve={"m_per_n": geomspace(0.03, 20, 80)},
            ),
            weighting=Sweep(
                **weighted, predict=theory.weighted_mixed_ridge_risk, values=config.weighting, over=("n", "a2"),
                derive=dict(**isotropic, **rows), curve={"a2": geomspace(1e-5, 30, 120)},
            ),
            weight_floor=Sweep(
                **weighted, predict=fixed_weight_floor, values=config.weight_floor, over=("n", "a2"),
                derive=dict(problem=problems.isotropic_shift, **rows),
            ),
            best_weight=Sweep(
                predict=best_weight, values=config.best_weight, over=("n",), derive=isotropic,
                measure={"a2": (), "total": (), "real_only": ()},
            ),
            dynamic=Sweep(**mixing, values=config.dynamic, over=("p2",)),
            fixed_point=Sweep(
                predict=theory.dynamic_mixing_ols_risk, values=config.fixed_point, over=("p2",), measure={"risk": ()},
                derive=rows,
            ),
            expansion=Sweep(**mixing, values=config.expansion),
            unequal=Sweep(
                simulate=family.simulate_multi_source_averaged, predict=theory.multi_source_ridge_risk,
                values=config.unequal, over=("n2",), measure=total, curve={"n2": geomspace(10, 1e4, 40)},
                derive=dict(problem=problems.rotated_sources, ns=lambda n1, n2: (n1, n2)), block=16,
            ),
            least_squares=Sweep(
                simulate=family.simulate_mixture, predict=least_squares, values=config.least_squares, over=("n",),
                measure={"risk": ()}, block=1024, batch=64,
                derive=dict(problem=problems.isotropic_shift, **rows, w1=lambda w1_sq: w1_sq**0.5,
                            delta=lambda shift_sq, c2: (c2 * shift_sq) ** 0.5),
            ),
            size_gap=Sweep(predict=size_gap, values=config.size_gap, over=("phi", "d"), measure={"gap": ()}),
        ),
        CLAIMS,
    )  # fmt: skip
