"""What is the most reward that a policy can have at a given KL divergence from its reference, and who reaches it?

Training with a KL penalty ends at the exponential tilt of the reference, a Bayesian posterior, and so does early
stopping without one; best-of-N comes close, nothing gets above, and without any restraint the policy collapses.
"""

from theorylab import problems, simulators, theory
from theorylab.compare.claims import exact, identity, order
from theorylab.compare.contrasts import stack
from theorylab.experiment import Experiment, geomspace, preset
from theorylab.sweep.spec import Sweep

PAPER = (
    "Yang et al., Asymptotics of Language Model Alignment, 2024 (arXiv 2404.01730); "
    "Korbak, Perez, Buckley, RL with KL penalties is better viewed as Bayesian inference, 2022 (arXiv 2205.11275)"
)


def _reward_and_kl(data):
    return stack(data.reward, data.kl)


def _objective(data, beta):
    return data.reward - beta * data.kl


def _behind_the_optimum(trained, other):
    """For every beta, by how much another policy has less E r - beta KL than the one trained for it."""
    return _objective(trained, trained.beta) - _objective(other, trained.beta)


def _slope_between_penalties(data):
    """Slopes of the measured frontier between neighbouring penalties, less the smaller and below the larger one."""
    slope = data.reward.diff("beta", label="lower") / data.kl.diff("beta", label="lower")
    larger = data.beta.shift(beta=-1).isel(beta=slice(None, -1))
    return stack(slope / slope.beta - 1, 1 - slope / larger)


CLAIMS = (
    exact(
        "Policy gradient with a KL penalty ends at the tilt p exp(r/beta) from any start: its reward and divergence",
        sweep="trained", of=_reward_and_kl, figure="fig_frontier",
    ),
    order(
        "Between two penalties the slope of the measured frontier lies between them: concave, of slope beta",
        sweep="trained", of=_slope_between_penalties, figure="fig_frontier",
    ),
    identity(
        "Along the frontier d reward / d KL = beta, to 10 digits",
        sweep="frontier", of="slope", equals=lambda data: data.beta, figure="fig_frontier",
    ),
    identity(
        "E r - beta KL to the reference = beta log Z of the posterior exp(r/beta) p / Z: variational inference",
        sweep="frontier", of="objective", equals="evidence", figure="fig_frontier",
    ),
    exact(
        "Natural gradient without penalty, stopped at time t, is the tilt with beta = 1/t, whatever its steps",
        sweep="stopped", of=_reward_and_kl, figure="fig_frontier",
    ),
    exact(
        "Best-of-N has the reward of its exact law (N <= 32: later a quick run draws nothing but the best)",
        sweep="best", of="reward", where={"n_best": lambda n: n <= 32}, figure="fig_frontier",
    ),
    exact(
        "It has the reward and the divergence of an enumeration, draw by draw, of which response is the best so far",
        sweep="best", of=lambda data: stack(data.expected, data.kl), where={"n_best": lambda n: n > 1},
        figure="fig_frontier",
    ),
    order(
        "Best-of-N stays below the frontier",
        sweep=("trained", "best"), figure="fig_frontier",
        of=lambda trained, best: _behind_the_optimum(trained, best.assign(reward=best.expected)),
    ),
    order(
        "Plain policy gradient without penalty stays below the frontier",
        sweep=("trained", "gradient"), of=_behind_the_optimum, figure="fig_frontier",
    ),
    order(
        "So does every one of 64 random policies",
        sweep=("trained", "cloud"), figure="fig_frontier",
        of=lambda trained, cloud: _behind_the_optimum(trained, cloud).min("member"),
    ),
    identity(
        "KL to the tilt = what a policy spends more, plus lam times what it gains less: same trade-off, same policy",
        sweep="distance", of="direct", equals="budget", figure="fig_frontier",
    ),
    exact(
        "Entropy and the number of responses that hold 95% are those of the tilt; they need not fall with beta",
        sweep="trained", of=lambda data: stack(data.entropy, data.held), figure="fig_collapse",
    ),
    identity(
        "For beta -> 0 it is the reference given the highest reward: entropy and KL at beta = 0.04, to 8 digits",
        sweep="limit", of=lambda data: stack(data.entropy, data.kl), digits=8, figure="fig_collapse",
        equals=lambda data: stack(data.entropy_of_best, data.most_kl),
    ),
)  # fmt: skip


def get_config(name: str):
    from ml_collections import ConfigDict

    problem = dict(instance=(1, 2, 3), outcomes=12)
    beta = geomspace(0.1, 10.0, 11)
    many = preset(name, quick=64, paper=1000)
    return ConfigDict(
        dict(
            trained=dict(**problem, beta=beta, share=0.95, replicates=many),
            frontier=dict(**problem, beta=geomspace(0.25, 10.0, 9)),
            stopped=dict(**problem, time=(0.1, 0.2, 0.5, 1.0, 2.0, 5.0), replicates=16),
            best=dict(**problem, n_best=(1, 2, 4, 8, 16, 32, 64, 128, 256), draws=1024, replicates=many),
            gradient=dict(**problem, step=(10, 30, 100, 200, 300), rate=0.2, batch=32, replicates=many),
            cloud=dict(**problem, member=tuple(range(64)), replicates=many),
            distance=dict(**problem, n_best=(2, 4, 16, 64, 256), lam=(0.2, 1.0, 3.0)),
            limit=dict(**problem, beta=0.04),
        )
    )


def point_of_penalty(logref, reward, beta: float):
    return theory.tilt_frontier_point(logref, reward, 1 / beta)


def entropy_of_penalty(logref, reward, beta: float):
    return problems.entropy_of_policy(theory.tilted_policy(logref, reward, 1 / beta))


def held_of_penalty(logref, reward, beta: float, share: float):
    return problems.outcomes_holding(theory.tilted_policy(logref, reward, 1 / beta), share)


def slope_of_frontier(logref, reward, beta: float):
    from jax import jacfwd

    point = jacfwd(theory.tilt_frontier_point, argnums=2)(logref, reward, 1 / beta)
    return point.reward / point.kl


def objective_of_tilt(logref, reward, beta: float):
    point = theory.tilt_frontier_point(logref, reward, 1 / beta)
    return point.reward - beta * point.kl


def evidence(logref, reward, beta: float):
    return beta * theory.tilt_log_partition(logref, reward, 1 / beta)


def point_of_time(logref, reward, time: float):
    return theory.tilt_frontier_point(logref, reward, time)


def reward_of_best(logref, reward, n_best: float):
    from jax.numpy import exp

    return (exp(theory.best_of_n_log_probabilities(logref, reward, n_best)) * reward).sum()


def kl_of_best(logref, reward, n_best: float):
    return problems.kl_divergence(theory.best_of_n_log_probabilities(logref, reward, n_best), logref)


def distance_to_tilt(logref, reward, n_best: float, lam: float):
    best = theory.best_of_n_log_probabilities(logref, reward, n_best)
    return problems.kl_divergence(best, theory.tilted_policy(logref, reward, lam))


def slack_of_best(logref, reward, n_best: float, lam: float):
    point = theory.tilt_frontier_point(logref, reward, lam)
    more_kl = kl_of_best(logref, reward, n_best) - point.kl
    return more_kl + lam * (point.reward - reward_of_best(logref, reward, n_best))


def entropy_of_best(logref, reward):
    from jax.nn import log_softmax
    from jax.numpy import inf, where

    return problems.entropy_of_policy(log_softmax(where(reward == reward.max(), logref, -inf)))


def of_instance():
    return dict(derive=dict(problem=problems.response_problem), over=("instance",), batch=16)


def experiment(config) -> Experiment:
    family = simulators.exponential_tilt
    return Experiment(
        dict(
            trained=Sweep(
                simulate=family.simulate_regularised_policy, values=config.trained, **of_instance(),
                predict=dict(reward=point_of_penalty, kl=point_of_penalty, entropy=entropy_of_penalty,
                             held=held_of_penalty),
                measure=dict.fromkeys(("reward", "kl", "entropy", "held"), ("beta",)),
                curve={"beta": geomspace(0.1, 20.0, 100)},
            ),
            frontier=Sweep(
                predict=dict(slope=slope_of_frontier, objective=objective_of_tilt, evidence=evidence),
                values=config.frontier, over=("instance", "beta"),
                measure=dict(slope=(), objective=(), evidence=()), derive=dict(problem=problems.response_problem),
            ),
            stopped=Sweep(
                simulate=family.simulate_natural_gradient, predict=point_of_time, values=config.stopped,
                measure=dict(reward=("time",), kl=("time",)), **of_instance(),
            ),
            best=Sweep(
                simulate=simulators.best_of_n.simulate_best_of_n, values=config.best, **of_instance(),
                predict=dict(reward=reward_of_best, expected=reward_of_best, kl=kl_of_best),
                measure=dict.fromkeys(("reward", "kl", "expected"), ("n_best",)),
            ),
            gradient=Sweep(
                simulate=family.simulate_sampled_gradient, values=config.gradient,
                measure=dict(reward=("step",), kl=("step",)), **of_instance(),
            ),
            cloud=Sweep(
                simulate=family.simulate_random_policies, values=config.cloud,
                measure=dict(reward=("member",), kl=("member",)), **of_instance(),
            ),
            distance=Sweep(
                predict=dict(direct=distance_to_tilt, budget=slack_of_best), values=config.distance,
                over=("instance", "n_best", "lam"), measure=dict(direct=(), budget=()),
                derive=dict(problem=problems.response_problem),
            ),
            limit=Sweep(
                predict=dict(entropy=entropy_of_penalty, kl=point_of_penalty, entropy_of_best=entropy_of_best,
                             most_kl=theory.max_attainable_kl),
                values=config.limit, **of_instance(),
                measure=dict(entropy=(), kl=(), entropy_of_best=(), most_kl=()),
            ),
        ),
        CLAIMS,
    )  # fmt: skip
