"""A model generates, a verifier accepts, the model is refitted: how should a budget of samples be spread over rounds?

Equal rounds leave a floor, growing ones none. In the Gaussian case all is exact, and the best growth per round is
1 + sigma^2 / kappa^2; from its square on, faster growth loses the rate.
"""

from theorylab import problems, simulators, theory
from theorylab.compare.claims import exact, identity, order
from theorylab.compare.contrasts import at, log, log_slope, slope, stack
from theorylab.experiment import Experiment, geomspace, preset
from theorylab.sweep.spec import Sweep

PAPER = "Yang, Feng, Chen, Wu, Li, Spend Wisely, NeurIPS 2025 (arXiv 2501.18962)"

BUDGETED = {  # "optimal" for sigma = 1 and kappa = 1.5
    "optimal": ("exp", 1 / 1.5**2), "exponential 0.2": ("exp", 0.2), "quadratic": ("poly", 2.0),
    "linear": ("poly", 1.0), "exponential 1": ("exp", 1.0), "constant": ("constant", None),
}  # fmt: skip
GROWING = ["linear", "optimal"]
OPTIMUM = 1 + 1 / 1.5**2


def of_policy(data, policy: str):
    return data.sel(policy=policy, drop=True)


def _each_worse_than_the_one_before(data):
    names = ["optimal", "exponential 0.2", "quadratic", "linear", "constant"]
    best, *others = (of_policy(data.mse, name) for name in names)
    faster = of_policy(data.mse, "exponential 1")
    return stack(*others, faster) - stack(best, *others[:-1], best)


def _more_reward_than_the_others(data):
    return stack(*(of_policy(data.reward, "optimal") - of_policy(data.reward, name) for name in BUDGETED))[1:]


def _constant_stalls_and_growing_falls(data):
    """From the 14th to the 20th round constant rounds keep 0.9 of the gap, growing ones lose a fifth of it."""
    early, late = (at(data.gap, rounds=t).sel(kappa=[1.0, 2.0]) for t in (14, 20))
    falls = [0.8 * of_policy(early, name) - of_policy(late, name) for name in GROWING]
    return stack(of_policy(late, "constant 10") - 0.9 * of_policy(early, "constant 10"), *falls)


def _other_growth_against_the_best(data):
    return stack(*(at(data.mse, growth=growth) - at(data.mse, growth=OPTIMUM) for growth in (1.0, 1.15, 2.2, 4.0)))


def _rate(data):
    return -slope(log(data.mse), "rounds") / slope(log(data.kept), "rounds")


def _growing_miss_a_tenth_as_often(data):
    last = at(data.miss, rounds=20)
    return stack(*(0.1 * of_policy(last, "constant 10") - of_policy(last, name) for name in GROWING))


CLAIMS = (
    exact(
        "Rejection and refitting: the error follows the exact Gaussian recursion, also with half a step",
        sweep="rejection", of="mse", where={"rounds": lambda t: t > 0}, figure="fig_policies",
    ),
    exact(
        "Its expected reward is the closed form in every round",
        sweep="rejection", of="reward", figure="fig_policies",
    ),
    exact(
        "So is the number of samples that have to be generated",
        sweep="rejection", of="generated", where={"rounds": lambda t: t > 0}, figure="fig_generation_cost",
    ),
    exact(
        "The reward gap of every policy follows the closed form in every round, for narrow and for wide rewards",
        sweep="policies", of="gap", figure="fig_policies",
    ),
    order(
        "Constant rounds stall; rounds that grow, linearly or exponentially, keep closing the gap",
        sweep="policies", of=_constant_stalls_and_growing_falls, figure="fig_policies",
    ),
    identity(
        "The floor of constant rounds is d tau^2 / (n (1 - rho^2))",
        sweep="floor", of="mse", equals="asymptote", figure="fig_policies",
    ),
    identity(
        "The gap that constant rounds leave is of order 1/n, not n^(-1/2): the reward is quadratic at its optimum",
        sweep="floor", of=lambda data: -log_slope(data.gap, "n"), equals=1.0, tolerance=0.01, figure="fig_policies",
    ),
    exact(
        "At equal budgets the final error of six policies is the exact one",
        sweep="budget", of="mse", figure="fig_budget",
    ),
    order(
        "At every budget: optimal, slower exponential, quadratic, linear, constant; a faster one loses to the optimal",
        sweep="budget", of=_each_worse_than_the_one_before, figure="fig_budget",
    ),
    order(
        "The optimal policy also has the largest expected reward (|theta_0| <= rho^-T sqrt(d (sigma^2 + kappa^2)))",
        sweep="budget", of=_more_reward_than_the_others, figure="fig_budget",
    ),
    exact(
        "The error at a fixed budget follows the closed form for every growth and number of rounds",
        sweep="growth", of="mse", figure="fig_growth",
    ),
    order(
        "Too fast is bad as well as too slow: over 25 rounds growth by 1 + sigma^2/kappa^2 beats 1, 1.15, 2.2 and 4",
        sweep="growth", of=_other_growth_against_the_best, where={"T": 25}, figure="fig_growth",
    ),
    identity(
        "The best growth of the exact error is 1 + sigma^2/kappa^2, to the 0.5% of the grid",
        sweep="valley", of=lambda data: data.growth[data.mse.argmin("growth")], equals=OPTIMUM, tolerance=0.005,
        figure="fig_growth",
    ),
    identity(
        "Up to growth by 1/rho^2 the error falls as 1/budget, beyond only as budget^-(2 log(1/rho) / log(growth))",
        sweep="rates", of=_rate, equals="rate", tolerance=0.01, figure="fig_growth",
    ),
    exact(
        "The probability of missing the optimum by eps follows the noncentral chi-square law, constant rounds",
        sweep="failure", of="miss", figure="fig_failure",
        where={"policy": ["constant 10", "constant 30"], "rounds": lambda t: t >= 8},
    ),
    exact(
        "So it does for growing rounds, where it is neither certain nor rare",
        sweep="failure", of="miss", where={"policy": GROWING, "rounds": lambda t: (t >= 9) & (t <= 13)},
        figure="fig_failure",
    ),
    order(
        "Constant rounds go on missing, growing ones stop: after 20 rounds less than a tenth as often",
        sweep="failure", of=_growing_miss_a_tenth_as_often, figure="fig_failure",
    ),
)  # fmt: skip


def get_config(name: str):
    from ml_collections import ConfigDict

    replicates = preset(name, quick=2000, paper=20_000)
    return ConfigDict(
        dict(
            rejection=dict(
                d=2, sigma=1.0, kappa=2.0, theta0_norm=3.0, lr=(0.5, 1.0), budget=75, T=5, growth=1.5,
                rounds=tuple(range(6)), replicates=preset(name, quick=10_000, paper=100_000),
            ),
            policies=dict(
                d=2, sigma=1.0, kappa=(1.0, 2.0, 3.0), theta0_norm=4.0,
                policy=("constant 10", "constant 100", "linear", "optimal"), T=20, rounds=tuple(range(21)),
                chains=32, replicates=replicates,
            ),
            floor=dict(d=2, sigma=1.0, kappa=2.0, theta0_norm=4.0, n=(50, 100, 200, 500, 1000, 5000), T=200),
            budget=dict(
                d=2, sigma=1.0, kappa=1.5, theta0_norm=5.0, policy=tuple(BUDGETED), budget=(300, 1000, 3000, 10_000),
                T=25, chains=32, replicates=replicates,
            ),
            growth=dict(
                d=2, sigma=1.0, kappa=1.5, theta0_norm=5.0, budget=1000, T=(8, 15, 25, 60),
                growth=(1.0, 1.15, OPTIMUM, 2.2, 3.0, 4.0), chains=32, replicates=replicates,
            ),
            valley=dict(
                d=2, sigma=1.0, kappa=1.5, theta0_norm=5.0, budget=1000, T=25, growth=geomspace(1.1, 1.9, 241)
            ),
            rates=dict(
                d=2, sigma=1.0, kappa=1.5, theta0_norm=5.0, n0=10, u=(0.2, 0.5, 1.5, 3.0), T=80, rounds=(50, 60, 70, 80)
            ),
            failure=dict(
                d=2, sigma=1.0, kappa=2.0, theta0_norm=4.0, eps=0.3,
                policy=("constant 10", "constant 30", "linear", "optimal"), T=20, rounds=tuple(range(1, 21)),
                chains=32, replicates=replicates,
            ),
        )
    )  # fmt: skip


def of_budget(policy: str, budget: float, T: int):
    kind, param = BUDGETED[policy]
    return problems.whole_samples(theory.bootstrapping_schedule(kind, budget, T, param))


def of_growth(growth: float, budget: float, T: int):
    return problems.whole_samples(theory.bootstrapping_schedule("exp", budget, T, growth - 1))


def from_ten(policy: str, sigma: float, kappa: float, T: int):
    """Constant rounds, or rounds that grow from ten samples on: by ten, or by the optimal factor."""
    kind, _, size = policy.partition(" ")
    factor = 1 + sigma**2 / kappa**2
    rounds = {"linear": lambda t: 10 * (1 + t), "optimal": lambda t: round(10 * factor**t)}
    return tuple(float(rounds[kind](t)) if kind in rounds else float(size) for t in range(T))


def averaged(key, chains: int, measure, *arguments):
    """Mean of the measurements over independent chains: one replicate."""
    from jax import random, tree, vmap

    simulate = simulators.simulate_bootstrapping_exact_law
    measured = vmap(lambda key: measure(simulate(key, *arguments)))(random.split(key, chains))
    return tree.map(lambda values: values.mean(0), measured)


def simulate_last(key, theta0_norm, n_schedule, d: int, sigma, kappa, chains: int):
    last = (len(n_schedule),)
    pick = lambda path: {"mse": path["mse"][0], "reward": path["reward"][0]}
    return averaged(key, chains, pick, theta0_norm, n_schedule, last, d, sigma, kappa)


def simulate_gap(key, theta0_norm, n_schedule, rounds: tuple[int, ...], d: int, sigma, kappa, chains: int):
    best = problems.gaussian_expected_reward(0.0, d, sigma, kappa)
    gap = lambda path: {**path, "gap": best - path["reward"]}
    return averaged(key, chains, gap, theta0_norm, n_schedule, rounds, d, sigma, kappa)


def simulate_failure(key, theta0_norm, n_schedule, rounds: tuple[int, ...], d: int, sigma, kappa, eps, chains: int):
    miss = lambda path: {"miss": 1.0 * (path["mse"] > eps**2)}
    return averaged(key, chains, miss, theta0_norm, n_schedule, rounds, d, sigma, kappa)


def each_round(theta0_norm, n_schedule, d: float, sigma: float, kappa: float, lr: float, rounds: float):
    """Error, reward, gap, and samples kept and generated so far, after one of the rounds."""
    import jax.numpy as jnp

    path = (theta0_norm, n_schedule, d, sigma, kappa, lr)
    reward = theory.bootstrapping_reward(*path)
    counts = jnp.stack([jnp.asarray(n_schedule), theory.bootstrapping_generation_cost(*path)])
    kept, generated = jnp.pad(jnp.cumsum(counts, 1), ((0, 0), (1, 0)))
    gap = theory.bootstrapping_optimal_reward(d, sigma, kappa) - reward
    curves = dict(mse=theory.bootstrapping_mse(*path), reward=reward, gap=gap, kept=kept, generated=generated)
    return {name: curve[jnp.asarray(rounds, int)] for name, curve in curves.items()}


def one_of(name: str):
    """A predictor of one of these curves."""

    def predict(theta0_norm, n_schedule, d: float, sigma: float, kappa: float, rounds: float, lr: float = 1.0):
        return each_round(theta0_norm, n_schedule, d, sigma, kappa, lr, rounds)[name]

    return predict


def last_error(theta0_norm, n_schedule, d: float, sigma: float, kappa: float):
    return theory.bootstrapping_mse(theta0_norm, n_schedule, d, sigma, kappa)[-1]


def last_reward(theta0_norm, n_schedule, d: float, sigma: float, kappa: float):
    return theory.bootstrapping_reward(theta0_norm, n_schedule, d, sigma, kappa)[-1]


def last_gap(theta0_norm, n_schedule, d: float, sigma: float, kappa: float):
    best = theory.bootstrapping_optimal_reward(d, sigma, kappa)
    return best - last_reward(theta0_norm, n_schedule, d, sigma, kappa)


def constant_floor(n: float, d: float, sigma: float, kappa: float):
    rho, tau2 = theory.bootstrapping_constants(sigma, kappa)
    return d * tau2 / (n * (1 - rho**2))


def rate(u: float, sigma: float, kappa: float):
    return theory.exponential_schedule_rate(u, theory.bootstrapping_constants(sigma, kappa).rho)


def missed(theta0_norm, n_schedule, d: float, sigma: float, kappa: float, eps: float, rounds: float):
    from jax.numpy import asarray

    mean, v = (x[asarray(rounds, int)] for x in theory.bootstrapping_moments(theta0_norm, n_schedule, sigma, kappa))
    return 1 - theory.gaussian_within(mean, v, d, eps)


def experiment(config) -> Experiment:
    per_round = {name: ("rounds",) for name in ("mse", "reward", "gap", "kept", "generated")}
    curves = {name: one_of(name) for name in per_round}
    last = dict(mse=last_error, reward=last_reward)
    pick = lambda table, *names: {name: table[name] for name in names}
    seen = ("gap", "kept", "generated")
    return Experiment(
        dict(
            rejection=Sweep(
                simulate=simulators.simulate_bootstrapping, predict=pick(curves, "mse", "reward", "generated"),
                values=config.rejection, over=("lr",), measure=pick(per_round, "mse", "reward", "generated"),
                derive=dict(n_schedule=of_growth), block=1024, batch=64,
            ),
            policies=Sweep(
                simulate=simulate_gap, predict=pick(curves, *seen), values=config.policies, over=("policy", "kappa"),
                measure=pick(per_round, *seen), derive=dict(n_schedule=from_ten), block=1024, batch=16,
            ),
            floor=Sweep(
                predict=dict(mse=last_error, gap=last_gap, asymptote=constant_floor), values=config.floor, over=("n",),
                measure=dict(mse=(), gap=(), asymptote=()),
                derive=dict(n_schedule=lambda n, T: (float(n),) * T),
            ),
            budget=Sweep(
                simulate=simulate_last, predict=last, values=config.budget, over=("policy", "budget"),
                measure=dict(mse=(), reward=()), derive=dict(n_schedule=of_budget), block=1024, batch=16,
            ),
            growth=Sweep(
                simulate=simulate_last, predict=last_error, values=config.growth, over=("T", "growth"),
                measure=dict(mse=()), derive=dict(n_schedule=of_growth), curve={"growth": geomspace(1.0, 4.0, 61)},
                block=1024, batch=16,
            ),
            valley=Sweep(
                predict=last_error, values=config.valley, over=("growth",), measure=dict(mse=()),
                derive=dict(n_schedule=lambda growth, budget, T: theory.bootstrapping_schedule(
                    "exp", budget, T, growth - 1)),
            ),
            rates=Sweep(
                predict=dict(pick(curves, "mse", "kept"), rate=rate), values=config.rates, over=("u",),
                measure=dict(pick(per_round, "mse", "kept"), rate=()),
                derive=dict(n_schedule=lambda n0, u, T: tuple(n0 * (1 + u) ** t for t in range(T))),
            ),
            failure=Sweep(
                simulate=simulate_failure, predict=missed, values=config.failure, over=("policy",),
                measure=dict(miss=("rounds",)), derive=dict(n_schedule=from_ten), block=1024, batch=16,
            ),
        ),
        CLAIMS,
    )  # fmt: skip
