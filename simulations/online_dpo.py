"""Does the choice of the pairs decide where online preference optimisation ends, and how fast it gets there?

PILAF climbs above vanilla sampling at every step, but by little: all schemes that rank nothing end near one frontier.
From an overfitted policy PILAF recovers more than vanilla sampling, and hybrid pairs far more than both.
"""

from theorylab import problems, simulators, theory
from theorylab.compare.claims import asymptotic, bound, order
from theorylab.compare.contrasts import at, stack
from theorylab.experiment import Experiment, geomspace, preset
from theorylab.sweep.spec import Sweep

PAPER = "Feng et al., PILAF: Optimal Human Preference Sampling for Reward Modeling, 2025 (arXiv 2502.04270)"

SCHEMES = ("pilaf_half", "vanilla", "hybrid", "best_of_n")
UNRANKED = ["pilaf_half", "vanilla", "hybrid"]
LATE = {"scheme": UNRANKED, "steps": lambda t: t >= 100}


def _scheme(data, name):
    return data.sel(scheme=name, drop=True)


def _pilaf_above_vanilla(data):
    later = data.sel(steps=data.steps > 0)
    ahead = lambda value: _scheme(value, "pilaf_half") - _scheme(value, "vanilla")
    return stack(ahead(later.reward), ahead(later.objective))


def _fast_and_wrong(data):
    """Best of n leads in reward after 20 steps; from 100 steps on its objective is the lowest."""
    early, late = at(data.reward, steps=20), data.objective.sel(steps=[100, 400])
    lead = lambda name, t: (_scheme(late, name) - _scheme(late, "best_of_n")).sel(steps=t, drop=True)
    return stack(*(_scheme(early, "best_of_n") - _scheme(early, name) for name in UNRANKED),
                 *(lead(name, t) for name in UNRANKED for t in (100, 400)))  # fmt: skip


def _room_between_the_last(data):
    """Five percent of the attainable value, less the distance of PILAF to vanilla and hybrid."""
    late, allowed = at(data.objective, steps=400), 0.05 * _scheme(at(data.best, steps=400), "vanilla")
    return stack(*(allowed - abs(_scheme(late, "pilaf_half") - _scheme(late, name)) for name in ("vanilla", "hybrid")))


def _recovery(data):
    late = data.objective.sel(steps=[100, 200, 400])
    hybrid, pilaf, vanilla = (_scheme(late, name) for name in ("hybrid", "pilaf_half", "vanilla"))
    return stack(pilaf - vanilla, hybrid - pilaf)


CLAIMS = (
    asymptotic(
        "On one problem stochastic runs tend to the path of exact gradients as the pairs per step grow: reward",
        sweep="runs", of="reward", size="pairs", where=LATE, figure="fig_reward_kl",
    ),
    asymptotic(
        "On one problem stochastic runs tend to the path of exact gradients as the pairs per step grow: divergence",
        sweep="runs", of="divergence", size="pairs", where=LATE, figure="fig_reward_kl",
    ),
    bound(
        "No policy on any path lies above the frontier of exact tilts: reward - b divergence <= its maximum, any b",
        sweep="runs", of="tilted", figure="fig_reward_kl",
    ),
    order(
        "PILAF's reward and objective exceed those of vanilla sampling after every number of steps (exact gradients)",
        sweep="instances", of=_pilaf_above_vanilla, figure="fig_reward_kl",
    ),
    order(
        "Best of n by implicit reward leads in reward after 20 steps, but has the lowest objective from 100 on (exact)",
        sweep="instances", of=_fast_and_wrong, figure="fig_reward_kl",
    ),
    order(
        "After 400 steps PILAF, vanilla and hybrid are within 5% of the attainable value: no large separation (exact)",
        sweep="instances", of=_room_between_the_last, figure="fig_reward_kl",
    ),
    order(
        "From an overfitted policy PILAF recovers more of the objective than vanilla, but hybrid more than PILAF",
        sweep="overfitted", of=_recovery, figure="fig_overfitted_start",
    ),
)  # fmt: skip


def get_config(name: str):
    from ml_collections import ConfigDict

    X, Y = preset(name, quick=(4, 16), paper=(8, 32))
    common = dict(X=X, Y=Y, beta=0.5, n_best=8)
    run = dict(**common, eta=2.0, scheme=SCHEMES, steps=tuple(range(0, 401, 20)))
    return ConfigDict(
        dict(
            runs=dict(
                **run, seed=0, horizon=400, tilt=(0.3, 0.5, 0.8, 1.2), pairs=(32, 64, 128),
                replicates=preset(name, quick=48, paper=512),
            ),
            overfitted=dict(
                **run, pairs=64, labels=50, sharpening=3.0, replicates=preset(name, quick=48, paper=512),
            ),
            instances=dict(
                **common, eta=2.0, scheme=SCHEMES, steps=(0, 20, 50, 100, 200, 400),
                replicates=preset(name, quick=48, paper=512),
            ),
            frontier=dict(prompts=(X, 4096), Y=Y, seed=0, tilt=geomspace(0.2, 20.0, 40)),
        )
    )  # fmt: skip


def drawn_problem(X: int, Y: int, seed: int) -> "problems.PreferenceProblem":
    import jax
    import numpy as np

    problem = problems.draw_preferences(jax.random.key(seed), (1 / X,) * X, Y)
    return problems.PreferenceProblem(*(np.asarray(table) for table in problem))


def population(prompts: int, Y: int, seed: int) -> "problems.PreferenceProblem":
    return drawn_problem(prompts, Y, seed)


def run_on_a_random_problem(
    key, X: int, Y: int, beta: float, eta: float, pairs: int, steps: tuple[int, ...], scheme: tuple[str, ...],
    n_best: int, labels: int, sharpening: float,
):  # fmt: skip
    import jax
    import jax.numpy as jnp

    key_problem, key = jax.random.split(key)
    logref, reward, _ = problems.draw_preferences(key_problem, (1 / X,) * X, Y)
    simulate = simulators.preference_sampling.simulate_online_dpo
    return simulate(key, logref, reward, beta, eta, pairs, steps, scheme, jnp.ones(1), n_best, labels, sharpening)


def exact_path(logref, reward, beta: float, rho, eta: float, horizon: int, scheme: str, n_best: int):
    """Rows: reward, divergence, objective; columns: steps from 0 on."""
    import jax
    import numpy as np

    run = jax.jit(theory.online_dpo_path, static_argnames=("steps", "scheme", "n_best"))
    return np.array(run(logref, logref, reward, beta, rho, eta, steps=horizon, scheme=scheme, n_best=n_best))


def on_path(row):
    def predict(path, steps: float):
        from jax.numpy import asarray

        return path[row, asarray(steps, int)]

    return predict


def largest(logref, reward, rho, tilt: float):
    """The largest value of reward - tilt * divergence, that of the exact tilt of the reference."""
    return theory.kl_regularised_objective(logref + reward / tilt, logref, reward, tilt, rho)


def tilted_reward(logref, reward, rho, tilt: float):
    return problems.reward_and_divergence(logref + reward / tilt, logref, reward, rho)[0]


def tilted_divergence(logref, reward, rho, tilt: float):
    return problems.reward_and_divergence(logref + reward / tilt, logref, reward, rho)[1]


def experiment(config) -> Experiment:
    family = simulators.preference_sampling
    measured = dict.fromkeys(("reward", "divergence", "objective"), ("scheme", "steps"))
    return Experiment(
        dict(
            runs=Sweep(
                simulate=family.simulate_online_dpo, values=config.runs, over=("pairs",), block=16, batch=8,
                predict=dict(reward=on_path(0), divergence=on_path(1), objective=on_path(2), tilted=largest),
                measure={**measured, "tilted": ("scheme", "steps", "tilt")},
                derive=dict(problem=drawn_problem, path=exact_path),
            ),
            overfitted=Sweep(
                simulate=run_on_a_random_problem, values=config.overfitted, measure=measured, block=16, batch=8,
            ),
            instances=Sweep(
                simulate=family.simulate_online_dpo_enumerated, values=config.instances,
                measure={**measured, "best": ("scheme", "steps")}, block=16, batch=8,
            ),
            frontier=Sweep(
                predict=dict(reward=tilted_reward, divergence=tilted_divergence), values=config.frontier,
                over=("prompts",), measure=dict(reward=("tilt",), divergence=("tilt",)),
                derive=dict(problem=population),
            ),
        ),
        CLAIMS,
    )  # fmt: skip
