"""What is the law of the best of n responses, how far is it from its reference, and how often does it win?

The widespread KL = log n - (n-1)/n is an upper bound that finite alphabets do not reach; the win rate n/(n+1) is almost
the best that its divergence can buy.
"""

from __future__ import annotations

from math import log

from theorylab import problems, simulators, theory
from theorylab.compare.claims import exact, identity, order
from theorylab.experiment import Experiment, geomspace, preset
from theorylab.sweep.spec import Sweep

PAPER = "Beirami et al., Theoretical guarantees on the best-of-n alignment policy, 2024 (arXiv 2401.01879)"


def _room_below_the_bound(data):
    from theorylab.compare.contrasts import log as log_of

    n = data.n_best
    return log_of(n) - (n - 1) / n - data.kl


MORE_THAN_ONE = {"n_best": lambda n: n > 1}

CLAIMS = (
    exact(
        "Each response is the best of n as often as its exact law says, ties shared in proportion to the reference",
        sweep="law", of="frequency", figure="fig_kl",
    ),
    exact(
        "Its divergence is that of an enumeration, draw by draw, of which response is the best so far",
        sweep="law", of="kl", where=MORE_THAN_ONE, figure="fig_kl",
    ),
    order(
        "It stays below log n - (n-1)/n, which is no equality: on finite alphabets the divergence saturates",
        sweep="law", of=_room_below_the_bound, where=MORE_THAN_ONE, figure="fig_kl",
    ),
    identity(
        "Where half of the responses are right it tends to log 2, to 10 digits at n = 64, where the bound is 3.17",
        sweep="law", of=lambda data: data.kl.sel(n_best=64, alphabet="binary"), equals=log(2), figure="fig_kl",
    ),
    identity(
        "The bound is reached as the responses become many, to 10^-6 for 10^4 of them at n = 8",
        sweep="fine", of="kl", equals="bound", tolerance=1e-6, where={"outcomes": 10_000, "n_best": 8},
        figure="fig_kl",
    ),
    exact(
        "The mean of the estimator over the responses drawn is its sum over the exact law",
        sweep="law", of="estimate", where=MORE_THAN_ONE, figure="fig_kl",
    ),
    order(
        "Where rewards tie, the estimator by the probability of the response is too large; that by the level less so",
        sweep="law", of=lambda data: data.estimate - data.estimate_levels,
        where={"n_best": lambda n: n > 1, "alphabet": ["binary", "tied"]}, figure="fig_kl",
    ),
    exact(
        "The win rate is n/(n+1) whatever the law of the reward, with or without a mean",
        sweep="contest", of="win", figure="fig_win_rate",
    ),
    exact(
        "The tilt of the same divergence has its own closed form",
        sweep="duel", of="tilt", figure="fig_win_rate",
    ),
    order(
        "At equal divergence the tilt wins more often than best-of-n",
        sweep="duel", of=lambda data: data.tilt - data.best, where=MORE_THAN_ONE, figure="fig_win_rate",
    ),
    exact(
        "But hardly more: by 0.0092 at n = 2, 0.0040 at 4, 0.00011 at 16",
        sweep="duel", of=lambda data: data.tilt - data.best, where={"n_best": lambda n: n <= 16},
        figure="fig_win_rate",
    ),
)  # fmt: skip


def get_config(name: str):
    from ml_collections import ConfigDict

    return ConfigDict(
        dict(
            law=dict(
                alphabet=("binary", "tied", "hundred"), n_best=(1, 2, 4, 8, 16, 32, 64), draws=2048,
                outcome=(10, 11), replicates=preset(name, quick=128, paper=4000),
            ),
            fine=dict(outcomes=(100, 1000, 10_000), n_best=(2, 8, 64, 1024)),
            ceiling=dict(n_best=(1, 2, 4, 8, 16, 32, 64)),
            equal=dict(n_best=(1.5, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0)),
            contest=dict(
                law=("gaussian", "exponential", "cauchy"), n_best=(1, 2, 4, 8, 16, 32, 64), draws=1024,
                replicates=preset(name, quick=64, paper=4000),
            ),
            duel=dict(n_best=(1.5, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0), strata=65_536, replicates=16),
        )
    )  # fmt: skip


def alphabet_problem(alphabet: str) -> "problems.ResponseProblem":
    """Twelve equal responses, half of them right; twelve with tied rewards 0..4; a hundred equal ones without ties.

    Responses 10 and 11 are among the best: a tie in the first two, second and first in the last.
    """
    from numpy import arange, full, where

    if alphabet == "tied":
        return problems.response_problem(1, 12)
    outcomes = 12 if alphabet == "binary" else 100
    reward = where(arange(12) < 6, 0.0, 1.0) if alphabet == "binary" else (arange(100.0) + 88) % 100
    return problems.ResponseProblem(full(outcomes, -log(outcomes)), reward)


def uniform_problem(outcomes: int) -> "problems.ResponseProblem":
    from numpy import arange, full

    return problems.ResponseProblem(full(outcomes, -log(outcomes)), arange(float(outcomes)))


def frequency(logref, reward, n_best: float, outcome: float):
    from jax.numpy import asarray, exp

    return exp(theory.best_of_n_log_probabilities(logref, reward, n_best))[asarray(outcome, int)]


def divergence(logref, reward, n_best: float):
    return problems.kl_divergence(theory.best_of_n_log_probabilities(logref, reward, n_best), logref)


def mean_estimate(logref, reward, n_best: float):
    from jax import vmap
    from jax.numpy import exp

    best = exp(theory.best_of_n_log_probabilities(logref, reward, n_best))
    return (best * vmap(lambda eps: theory.best_of_n_kl_estimator(eps, n_best))(exp(logref))).sum()


def root_of_equal_divergence(n_best: float):
    from jax.numpy import exp

    from theorylab.numerics.roots import bisection

    excess = lambda log_lam: theory.tilt_win_rate(exp(log_lam)).kl - theory.best_of_n_kl_bound(n_best)
    return exp(bisection(excess, -6.0, 9.0))


def lam_of_equal_divergence(n_best: float) -> float:
    """Strength of the tilt that is as far from its reference as best-of-n for rewards without ties."""
    from jax import jit

    return float(jit(root_of_equal_divergence)(n_best))


def tilt_win(lam: float):
    return theory.tilt_win_rate(lam).win


def experiment(config) -> Experiment:
    family = simulators.best_of_n
    return Experiment(
        dict(
            law=Sweep(
                simulate=family.simulate_best_of_n, values=config.law, over=("alphabet",), batch=8,
                predict=dict(frequency=frequency, kl=divergence, estimate=mean_estimate),
                measure=dict(frequency=("n_best", "outcome"), kl=("n_best",), estimate=("n_best",),
                             estimate_levels=("n_best",)),
                derive=dict(problem=alphabet_problem),
            ),
            fine=Sweep(
                predict=dict(kl=divergence, bound=theory.best_of_n_kl_bound), values=config.fine,
                over=("outcomes", "n_best"), measure=dict(kl=(), bound=()), derive=dict(problem=uniform_problem),
            ),
            ceiling=Sweep(
                predict=dict(bound=theory.best_of_n_kl_bound), values=config.ceiling, over=("n_best",),
                measure=dict(bound=()),
            ),
            equal=Sweep(
                predict=dict(kl=theory.best_of_n_kl_bound, tilt=tilt_win), values=config.equal, over=("n_best",),
                measure=dict(kl=(), tilt=()), derive=dict(lam=lam_of_equal_divergence),
                curve={"n_best": geomspace(1.05, 80.0, 40)},
            ),
            contest=Sweep(
                simulate=family.simulate_win_rate, predict=dict(win=theory.best_of_n_win_rate), values=config.contest,
                over=("law",), measure=dict(win=("n_best",)), batch=8,
            ),
            duel=Sweep(
                simulate=family.simulate_equal_divergence_duel, values=config.duel, over=("n_best",), batch=1,
                predict=dict(best=theory.best_of_n_win_rate, tilt=tilt_win), measure=dict(best=(), tilt=()),
                derive=dict(lam=lam_of_equal_divergence),
            ),
        ),
        CLAIMS,
    )  # fmt: skip
