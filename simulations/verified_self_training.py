"""What becomes of a classifier that trains again and again on its own labels, selected by one and the same verifier?

Its angle to the verifier halves in every round, while pairs are many: it ends at the verifier itself, and is better
than that on the way there. A constant number of pairs leaves a floor, a growing one removes it.
"""

from theorylab import simulators, theory
from theorylab.compare.claims import asymptotic, exact, identity, order
from theorylab.compare.contrasts import at, stack
from theorylab.experiment import Experiment, preset
from theorylab.sweep.spec import Sweep

PAPER = (
    "Yi, Liu, Cheng, Xu, Escaping Model Collapse via Synthetic Data Verification, 2025 (arXiv 2510.16657); "
    "Feng, Dohmatob, Yang, Charton, Kempe, Beyond Model Collapse, ICLR 2025 (arXiv 2406.07515)"
)

ROUNDS = tuple(range(9))


def _schedules(data):
    return (data.accuracy.sel(schedule=name, drop=True) for name in ("constant", "growing", "large"))


def _floor(data):
    """In the last round: the more pairs, the better."""
    constant, growing, large = (at(values, rounds=8) for values in _schedules(data))
    return stack(growing - constant, large - growing)


CLAIMS = (
    asymptotic(
        "The angle to the truth follows the state evolution along all rounds, for large sizes",
        sweep="chain", of="rho", where={"rounds": lambda t: t >= 1}, figure="fig_rounds",
    ),
    asymptotic(
        "So does the angle to the verifier",
        sweep="chain", of="r", where={"rounds": lambda t: t >= 1}, figure="fig_rounds",
    ),
    exact(
        "The accuracy of every round is within 2% of the state evolution at d = 100",
        sweep="chain", of="accuracy", error=0.01, where={"d": 100}, figure="fig_rounds",
    ),
    order(
        "The first rounds improve the classifier, whatever the schedule",
        sweep="chain", of=lambda data: data.accuracy.sel(rounds=[0, 1, 2]).diff("rounds"), where={"d": 100},
        figure="fig_rounds",
    ),
    order(
        "A constant number of pairs leaves a floor that growing numbers lower and many pairs nearly remove",
        sweep="chain", of=_floor, where={"d": 100}, figure="fig_rounds",
    ),
    identity(
        "With infinitely many pairs the angle to the verifier halves in every round",
        sweep="infinite", of=lambda data: data.angle.isel(rounds=slice(1, None)), digits=7,
        equals=lambda data: (data.angle / 2).shift(rounds=1).isel(rounds=slice(1, None)), figure="fig_rounds",
    ),
    identity(
        "It ends at the verifier itself: to 0.1% of the accuracy after 30 rounds",
        sweep="end", of="accuracy", equals=lambda data: data.verifier, tolerance=1e-3, figure="fig_rounds",
    ),
    identity(
        "On the way there it is better than the verifier",
        sweep="infinite", of=lambda data: 1.0 * (data.accuracy.max("rounds") > data.verifier), equals=1.0,
        where={"rho_v": 0.9}, figure="fig_rounds",
    ),
    identity(
        "With few pairs the accuracy peaks before the loop settles: after 4 rounds it is above its fixed point",
        sweep="few", of=lambda data: 1.0 * (at(data.rho, rounds=4) > at(data.rho, rounds=60)), equals=1.0,
        figure="fig_rounds",
    ),
)  # fmt: skip


def get_config(name: str):
    from ml_collections import ConfigDict

    start = dict(rho_g=0.4, rho_v=0.9, r=0.36)
    return ConfigDict(
        dict(
            chain=dict(
                **start,
                d=(25, 50, 100),
                lam=0.05,
                schedule=("constant", "growing", "large"),
                last=8,
                rounds=ROUNDS,
                replicates=preset(name, quick=128, paper=2000),
            ),
            infinite=dict(rho_g=0.4, rho_v=(0.7, 0.9), t=0.0, lam=0.05, last=8, rounds=ROUNDS),
            end=dict(**start, lam=0.05, last=30, rounds=(30,)),
            few=dict(**start, lam=0.05, gamma=0.25, last=60, rounds=(4, 60)),
        )
    )


SCHEDULES = dict(constant=(4.0, 1.0), growing=(2.0, 1.5), large=(64.0, 1.0))


def pairs(schedule: str, d: int, last: int):
    """Generated pairs of every round: a constant or a growing multiple of the dimension."""
    from numpy import arange, round

    first, ratio = SCHEDULES[schedule]
    return round(first * d * ratio ** arange(last, dtype=float))


def state(rho_g: float, rho_v: float, r: float, gammas, lam: float, rounds: float, name: str):
    from jax.numpy import asarray

    path = theory.verified_self_training_overlaps(rho_g, rho_v, r, gammas, lam)
    return getattr(path, name)[asarray(rounds, int)]


def rho(rho_g: float, rho_v: float, r: float, gammas, lam: float, rounds: float):
    return state(rho_g, rho_v, r, gammas, lam, rounds, "rho")


def r(rho_g: float, rho_v: float, r: float, gammas, lam: float, rounds: float):
    return state(rho_g, rho_v, r, gammas, lam, rounds, "r")


def accuracy(rho_g: float, rho_v: float, r: float, gammas, lam: float, rounds: float):
    from theorylab.problems.verified_synthetic import cosine_accuracy

    return cosine_accuracy(rho(rho_g, rho_v, r, gammas, lam, rounds))


def angle(rho_g: float, rho_v: float, r: float, gammas, lam: float, rounds: float):
    from jax.numpy import arccos

    return arccos(state(rho_g, rho_v, r, gammas, lam, rounds, "r"))


def verifier(rho_v: float):
    from theorylab.problems.verified_synthetic import cosine_accuracy

    return cosine_accuracy(rho_v)


def nothing_per_pair(last: int):
    from numpy import zeros

    return zeros(last)


def experiment(config) -> Experiment:
    return Experiment(
        dict(
            chain=Sweep(
                simulate=simulators.verified_self_training.simulate_verified_self_training, values=config.chain,
                predict=dict(rho=rho, r=r, accuracy=accuracy), over=("schedule", "d"), block=16,
                measure=dict.fromkeys(("rho", "r", "accuracy"), ("rounds",)),
                derive=dict(sizes=pairs, most=lambda d: 64 * d, gammas=lambda sizes, d: d / sizes),
            ),
            infinite=Sweep(
                predict=dict(angle=angle, accuracy=accuracy, verifier=verifier), values=config.infinite,
                over=("rho_v",),
                measure=dict(angle=("rounds",), accuracy=("rounds",), verifier=()),
                derive=dict(r=lambda rho_g, rho_v, t: rho_g * rho_v + t, gammas=nothing_per_pair),
            ),
            end=Sweep(
                predict=dict(accuracy=accuracy, verifier=verifier), values=config.end,
                measure=dict(accuracy=("rounds",), verifier=()), derive=dict(gammas=nothing_per_pair),
            ),
            few=Sweep(
                predict=dict(rho=rho), values=config.few, measure=dict(rho=("rounds",)),
                derive=dict(gammas=lambda gamma, last: gamma + nothing_per_pair(last)),
            ),
        ),
        CLAIMS,
    )  # fmt: skip
