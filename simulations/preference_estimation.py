"""How much value does a policy lose that is fitted to n labelled pairs, and how do the pairs decide it?

PILAF gives the errors the shape of the level sets of the objective: its covariance is the inverse curvature. That is
not the smallest loss: pairs that mix in the reference policy lose less here, and in most random instances.
"""

from theorylab import problems, simulators, theory
from theorylab.compare.claims import asymptotic, identity, order
from theorylab.compare.contrasts import stack
from theorylab.experiment import Experiment, preset
from theorylab.sweep.spec import Sweep

PAPER = "Feng et al., PILAF: Optimal Human Preference Sampling for Reward Modeling, 2025 (arXiv 2502.04270)"

SCHEMES = ("t_pilaf", "pilaf_half", "vanilla", "hybrid", "best_of_n")


def _scheme(data, name):
    return data.sel(scheme=name, drop=True)


def _hybrid_pilaf_vanilla(data):
    hybrid, pilaf, vanilla = (_scheme(data.gap, name) for name in ("hybrid", "t_pilaf", "vanilla"))
    return stack(pilaf - hybrid, vanilla - pilaf)


def _shapes(data):
    flat, steep = (data.square.isel(direction=i, drop=True) for i in (0, -1))
    of = lambda error, *names: (error.sel(scheme=name, drop=True) for name in names)
    pilaf, vanilla, best, hybrid = of(flat, "t_pilaf", "vanilla", "best_of_n", "hybrid")
    steep_pilaf, steep_hybrid = of(steep, "t_pilaf", "hybrid")
    return stack(vanilla - 1.5 * pilaf, best - 1.5 * pilaf, pilaf - 1.5 * hybrid, steep_hybrid - steep_pilaf)


def _share(data, larger, smaller):
    """Share of the instances in which one scheme has the larger gap."""
    return 1.0 * (_scheme(data.gap, larger) > _scheme(data.gap, smaller))


CLAIMS = (
    asymptotic(
        "The expected value gap of the fitted policy is tr(Sigma Omega) / (2 beta n), for every scheme",
        sweep="fit", of="gap", size="n", figure="fig_value_gap",
    ),
    order(
        "PILAF loses less value than vanilla sampling, but hybrid pairs lose less than PILAF",
        sweep="fit", of=_hybrid_pilaf_vanilla, figure="fig_value_gap",
    ),
    identity(
        "The value gap of PILAF is Zbar (Y - 1) / (2 beta n), whatever the rewards",
        sweep="shape", of="n_gap", equals=lambda data: 4 * data.zbar / 2, where={"scheme": "t_pilaf"},
        figure="fig_value_gap",
    ),
    identity(
        "PILAF's covariance is the inverse curvature: variance times curvature is Zbar in every direction",
        sweep="shape", of=lambda data: data.variance * data.curvature, equals="zbar", where={"scheme": "t_pilaf"},
        figure="fig_covariance",
    ),
    asymptotic(
        "The errors along the principal directions have the predicted variances, for every scheme",
        sweep="fit", of="square", size="n", figure="fig_covariance",
    ),
    order(
        "Where J is flattest vanilla and best of n err more than PILAF, hybrid less; where steepest, hybrid errs more",
        sweep="fit", of=_shapes, figure="fig_covariance",
    ),
    order(
        "Up to beta = 1 vanilla pairs lose more value than PILAF's in over four of five random instances (formula)",
        sweep="instances", of=lambda data: _share(data, "vanilla", "t_pilaf") - 0.8,
        where={"beta": lambda beta: beta <= 1}, figure="fig_sampler_ratio",
    ),
    order(
        "At beta = 3 they lose more in little over half of the instances (formula): 45 to 70 percent",
        sweep="instances", figure="fig_sampler_ratio", where={"beta": 3.0},
        of=lambda data: stack(_share(data, "vanilla", "t_pilaf") - 0.45, 0.7 - _share(data, "vanilla", "t_pilaf")),
    ),
    order(
        "PILAF's gap is not the smallest: hybrid pairs lose less in most random instances, at every beta (formula)",
        sweep="instances", of=lambda data: _share(data, "t_pilaf", "hybrid") - 0.5, figure="fig_sampler_ratio",
    ),
)  # fmt: skip


def get_config(name: str):
    from ml_collections import ConfigDict

    problem = dict(
        reference=(0.2,) * 5, rewards=(1.8, 0.9, 0.0, -0.6, -1.2), beta=1.0, scheme=SCHEMES, n_best=3,
        direction=(0, 1, 2, 3),
    )  # fmt: skip
    return ConfigDict(
        dict(
            fit=dict(
                **problem, n=(4000, 8000, 16_000, 32_000, 64_000),
                replicates=preset(name, quick=4096, paper=20_000),
            ),
            shape=dict(**problem),
            instances=dict(
                Y=8, beta=(0.1, 0.3, 1.0, 3.0), scheme=("t_pilaf", "vanilla", "hybrid"),
                replicates=preset(name, quick=1024, paper=20_000),
            ),
        )
    )  # fmt: skip


def limit(logref, reward, beta: float, rho, scheme: str, n_best: int) -> "theory.DpoAsymptotics":
    import jax

    static = ("scheme", "n_best")
    found = jax.jit(theory.dpo_asymptotics, static_argnames=static)(logref, reward, beta, rho, scheme, n_best)
    return jax.device_get(found)


def gap_of_n(n_gap: float, n: float):
    return n_gap / n


def variance_along(Omega, directions, direction: float):
    from jax.numpy import asarray

    u = directions[asarray(direction, int)]
    return u @ Omega[0] @ u


def curvature_along(Sigma, directions, direction: float):
    return variance_along(Sigma, directions, direction)


def gaps_of_a_random_instance(key, Y: int, beta: float, scheme: tuple[str, ...]):
    """The formula for the value gap, on rewards and reference logits of random spreads."""
    import jax
    import jax.numpy as jnp

    key_spread, key_problem = jax.random.split(key)
    logit_std, reward_std = jax.random.choice(key_spread, jnp.array([0.3, 1.0, 2.0]), (2,))
    logref, reward, rho = problems.draw_preferences(key_problem, (1.0,), Y, logit_std, reward_std)
    return {"gap": jnp.stack([theory.dpo_asymptotics(logref, reward, beta, rho, name).n_gap for name in scheme])}


def experiment(config) -> Experiment:
    given = dict(problem=problems.preference_problem, curvature=problems.objective_curvature, asymptotics=limit)
    return Experiment(
        dict(
            fit=Sweep(
                simulate=simulators.preference_sampling.simulate_preference_estimation,
                predict=dict(gap=gap_of_n, square=variance_along), values=config.fit, over=("n",),
                measure=dict(gap=("scheme",), square=("scheme", "direction")), derive=given, block=512, batch=64,
            ),
            shape=Sweep(
                predict=dict(variance=variance_along, curvature=curvature_along, n_gap=lambda n_gap: n_gap,
                             zbar=lambda zbar: zbar),
                values=config.shape, derive=given,
                measure=dict(variance=("scheme", "direction"), curvature=("direction",), n_gap=("scheme",), zbar=()),
            ),
            instances=Sweep(
                simulate=gaps_of_a_random_instance, values=config.instances, over=("beta",), paired=("beta",),
                measure={"gap": ("scheme",)}, block=512, batch=64,
            ),
        ),
        CLAIMS,
    )  # fmt: skip
