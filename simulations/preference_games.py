"""Does a policy that learns from comparisons of its own responses find the equilibrium of the preference game?

With growing penalties on every step it does, far faster than the bound says; with a constant step only below a
threshold that follows from the rotation of the game at its equilibrium, above it the last iterate cycles for ever.
"""

from __future__ import annotations

from theorylab import problems, simulators, theory
from theorylab.compare.claims import asymptotic, bound, exact, identity, order
from theorylab.compare.contrasts import at, log_slope
from theorylab.experiment import Experiment, geomspace, preset
from theorylab.sweep.spec import Sweep

PAPER = "Zhang et al., Iterative Nash Policy Optimization, 2024 (arXiv 2407.00617)"

CLAIMS = (
    bound(
        "The last iterate of the schedule is within KL(Nash || pi_T) <= 2 B^2 / (beta^2 (T + 1))",
        sweep="bound", of="kl", pointwise=1e-6, figure="fig_convergence",
    ),
    exact(
        "Minimising the regression loss over pairs moves the policy as the closed form says, to seven digits of the KL",
        sweep="schedule", of="kl", margin=1e-7, pointwise=1e-7, error=1e-7, where={"steps": lambda T: T <= 300},
        figure="fig_convergence",
    ),
    identity(
        "Corrected: the last iterate does not approach like 1/T but like T^-4, to 3% of the exponent at beta >= 0.1",
        sweep="schedule", of=lambda data: -log_slope(data.kl, "steps"), equals=4.0, tolerance=0.03, on="samples",
        where={"beta": [0.1, 1.0], "steps": lambda T: T >= 300}, figure="fig_convergence",
    ),
    asymptotic(
        "With v estimated from K opponents drawn from the policy, the iterates tend to the same path for large K",
        sweep="sampled", of="kl", size="opponents",
    ),
    exact(
        "Exploitability, played against the best response, is the closed duality gap, to seven digits",
        sweep="schedule", of="gap", margin=1e-7, pointwise=1e-7, error=1e-7,
        where={"beta": [0.02, 0.1], "steps": lambda T: T <= 30},
    ),
    identity(
        "The duality gap of the equilibrium is zero to 1e-12",
        sweep="equilibrium", of="gap", equals=0.0, tolerance=1e-12,
    ),
    identity(
        "The equilibrium wins by beta KL(pi || Nash) against any policy pi, to 1e-12",
        sweep="schedule", of=lambda data: data.excess - data.beta * data.reverse_kl, equals=0.0, tolerance=1e-12,
        on="samples",
    ),
    order(
        "The duality gap is larger than 2 beta KL(pi || Nash)",
        sweep="schedule", of=lambda data: data.gap - 2 * data.beta * data.reverse_kl,
        where={"steps": lambda T: T <= 30},
    ),
    order(
        "With a constant eta 5% below the threshold the last iterate stays away: KL > 1e-4 from T = 1000 on",
        sweep="constant", of=lambda data: data.kl - 1e-4, where={"eta_ratio": 0.95, "steps": lambda T: T >= 1000},
        figure="fig_convergence",
    ),
    order(
        "With 5% above it, or twice it, the last iterate converges: KL < 1e-8 at T = 3000",
        sweep="constant", of=lambda data: 1e-8 - data.kl, where={"eta_ratio": [1.05, 2.0], "steps": 3000},
        figure="fig_convergence",
    ),
    exact(
        "Near the equilibrium a step multiplies the distance by sqrt((1 - beta/eta)^2 + s^2/eta^2)",
        sweep="local", of="log_rate", margin=1e-3, pointwise=1e-3, figure="fig_convergence",
    ),
    order(
        "Twice the threshold is the fastest constant eta",
        sweep="local", figure="fig_convergence",
        of=lambda data: data.log_rate.sel(eta_ratio=data.eta_ratio != 2) - at(data.log_rate, eta_ratio=2.0),
    ),
    exact(
        "Paths on the simplex of rock, paper, scissors are those of the closed form, to 1e-7",
        sweep="simplex", of="policy", margin=1e-7, pointwise=1e-7, error=1e-7, figure="fig_simplex",
    ),
)  # fmt: skip


def get_config(name: str):
    from ml_collections import ConfigDict

    iterates = (1, 3, 10, 30, 100, 300, 1000, 2000)
    random = dict(game=preset(name, quick=(0, 1, 2), paper=tuple(range(20))), responses=8, beta=(0.02, 0.1, 1.0))
    rps = dict(game="cyclic", beta=0.05, steps=(*range(0, 40, 2), *range(40, 401, 20)), response=(0, 1, 2), horizon=400)
    once = dict(replicates=8)  # nothing is drawn: every replicate is the same
    return ConfigDict(
        dict(
            schedule=dict(**random, steps=iterates, horizon=2000, **once),
            bound=dict(**random, steps=iterates, horizon=2000, **once),
            sampled=dict(
                game="cyclic", beta=0.3, opponents=(500, 1000, 2000), steps=(1, 2, 3, 4), horizon=4,
                replicates=preset(name, quick=1024, paper=4000),
            ),
            equilibrium=dict(**random),
            constant=dict(
                game=("cyclic", "random"), beta=0.05, eta_ratio=(0.95, 1.05, 2.0), horizon=3000, **once,
                steps=(1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 1500, 2000, 3000),
            ),
            reference=dict(game=("cyclic", "random"), beta=0.05, steps=(1,), horizon=3000),
            local=dict(
                strength=(0.5, 1.0), beta=(0.05, 0.1), eta_ratio=(0.8, 0.9, 1.1, 1.5, 2.0, 3.0, 5.0), steps=20,
                replicates=preset(name, quick=16, paper=100),
            ),
            simplex=dict(**rps, eta_ratio=(0.95, 2.0), **once),
            simplex_schedule=dict(**rps, **once),
        )
    )  # fmt: skip


def updates(last: int, points: int) -> tuple[int, ...]:
    """About so many whole numbers in constant ratio."""
    return tuple(dict.fromkeys(round(step) for step in geomspace(1, last, points)))


def named_game(game: str) -> problems.preference_games.PreferenceGame:
    family = problems.preference_games
    return family.cyclic_game(1.0) if game == "cyclic" else family.random_game(0, 6)


def threshold(P, logref, beta: float) -> float:
    return float(theory.nash_step_threshold(P, logref, beta))


def constant_eta(eta_ratio: float, threshold: float) -> float:
    return eta_ratio * threshold


def bound_on_kl(P, logref, beta: float, horizon: int, steps: float):
    from jax.numpy import asarray

    return theory.nash_last_iterate_bound(P, logref, beta, horizon)[asarray(steps, int) - 1]


def gap_at_equilibrium(P, logref, beta: float):
    return theory.nash_duality_gap(P, logref, beta, theory.regularised_nash_policy(P, logref, beta).logpi)


def log_local_rate(P, logref, beta: float, eta: float):
    from jax.numpy import log

    return log(theory.nash_local_rate(P, logref, beta, eta))


def probability(P, logref, beta: float, horizon: int, steps: float, response: float, eta: float | None = None):
    from jax.numpy import asarray, exp

    return exp(theory.nash_policy_iterates(P, logref, beta, horizon, eta)[asarray(steps, int), asarray(response, int)])


def experiment(config) -> Experiment:
    family, games = simulators.preference_games, problems.preference_games
    learning = dict(simulate=family.simulate_nash_learning, batch=16)
    curve = theory.nash_learning_curve
    dense = {"steps": updates(2000, 40)}
    path = {"policy": ("steps", "response")}
    return Experiment(
        dict(
            schedule=Sweep(
                **learning, predict=dict(kl=curve, gap=curve), values=config.schedule, over=("game", "beta"),
                derive=dict(problem=games.random_game), curve=dense,
                measure=dict.fromkeys(("kl", "reverse_kl", "excess", "gap"), ("steps",)),
            ),
            bound=Sweep(
                **learning, predict=bound_on_kl, values=config.bound, over=("game", "beta"), measure={"kl": ("steps",)},
                derive=dict(problem=games.random_game), curve=dense,
            ),
            sampled=Sweep(
                **learning, predict=curve, values=config.sampled, over=("opponents",), measure={"kl": ("steps",)},
                derive=dict(problem=named_game),
            ),
            equilibrium=Sweep(
                predict=gap_at_equilibrium, values=config.equilibrium, over=("game", "beta"), measure={"gap": ()},
                derive=dict(problem=games.random_game),
            ),
            constant=Sweep(
                **learning, predict=curve, values=config.constant, over=("game", "eta_ratio"),
                measure={"kl": ("steps",)}, curve={"steps": updates(3000, 50)},
                derive=dict(problem=named_game, threshold=threshold, eta=constant_eta),
            ),
            reference=Sweep(
                predict=curve, values=config.reference, over=("game",), measure={"kl": ("steps",)},
                derive=dict(problem=named_game), curve={"steps": updates(3000, 50)},
            ),
            local=Sweep(
                simulate=family.simulate_nash_neighbourhood, predict=log_local_rate, values=config.local, batch=16,
                over=("strength", "beta", "eta_ratio"), measure={"log_rate": ()},
                derive=dict(problem=games.cyclic_game, threshold=threshold, eta=constant_eta),
                curve={"eta_ratio": geomspace(0.8, 5, 60)},
            ),
            simplex=Sweep(
                **learning, predict=probability, values=config.simplex, over=("eta_ratio",), measure=path,
                derive=dict(problem=named_game, threshold=threshold, eta=constant_eta),
                curve={"steps": tuple(range(401))},
            ),
            simplex_schedule=Sweep(
                **learning, predict=probability, values=config.simplex_schedule, measure=path,
                derive=dict(problem=named_game), curve={"steps": tuple(range(401))},
            ),
        ),
        CLAIMS,
    )  # fmt: skip
