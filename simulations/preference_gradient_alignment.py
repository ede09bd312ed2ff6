"""Which pairs must an annotator see for preference learning to climb the objective that it serves?

With the pairs and prompt weights of PILAF the gradient of the preference loss is that of the objective, up to a
remainder of second order in the distance to the optimum. Far from it plain sampling is just as well aligned.
"""

from theorylab import problems, simulators, theory
from theorylab.compare.claims import exact, identity, order
from theorylab.compare.contrasts import log, log_slope, stack
from theorylab.experiment import Experiment, geomspace, preset
from theorylab.sweep.spec import Sweep

PAPER = "Feng et al., PILAF: Optimal Human Preference Sampling for Reward Modeling, 2025 (arXiv 2502.04270)"

SCHEMES = ("t_pilaf", "pilaf_half", "vanilla", "hybrid", "best_of_n")
NEAR = {"eps": slice(1e-3, 1.01e-2)}
PILAF = {"scheme": "t_pilaf", "weighted": True}


def _others(data):
    """Every scheme with unit prompt weights."""
    return data.sel(weighted=False, drop=True)


def _slopes_of_the_others(data):
    slope = log_slope(_others(data.misalignment), "eps")
    return stack(0.1 + slope, 0.1 - slope)


def _times_better(data):
    """Log ratio of the angle of every scheme to that of PILAF, beyond a factor ten."""
    pilaf = data.misalignment.sel(scheme="t_pilaf", weighted=True, drop=True)
    return log(_others(data.misalignment)) - log(pilaf) - log(10.0)


def _far_away(data):
    cosine = 1 - data.misalignment.sel(weighted=False, drop=True).isel(eps=0, drop=True)
    of = lambda name: cosine.sel(scheme=name, drop=True)
    plain, pilaf = of("vanilla"), of("t_pilaf")
    return stack(plain - 0.985, pilaf - 0.985, plain - pilaf, pilaf - of("hybrid"), of("hybrid") - of("best_of_n"))


CLAIMS = (
    exact(
        "With PILAF's pairs and prompt weights 1 - cosine vanishes as the square of the distance to the optimum",
        sweep="near", of=lambda data: log_slope(data.misalignment, "eps"), where={**NEAR, **PILAF},
        figure="fig_alignment",
    ),
    order(
        "Under all other schemes, and under PILAF without prompt weights, it tends to a constant (order 0 to 0.1)",
        sweep="near", of=_slopes_of_the_others, where=NEAR, figure="fig_alignment",
    ),
    order(
        "At a thousandth from the optimum every other scheme is more than ten times further from parallel",
        sweep="near", of=_times_better, where={"eps": 1e-3}, figure="fig_alignment",
    ),
    identity(
        "With one prompt the prompt weights do not matter",
        sweep="far", on="samples", of=lambda data: data.misalignment.sel(weighted=True, drop=True),
        equals=lambda data: data.misalignment.sel(weighted=False, drop=True), digits=8, figure="fig_alignment",
    ),
    order(
        "Far from the optimum vanilla sampling is as aligned as PILAF, beyond 0.985; hybrid and best of n are less so",
        sweep="far", of=_far_away, figure="fig_alignment",
    ),
    exact(
        "Gradients of sampled, labelled pairs have the predicted component along that of the objective, all schemes",
        sweep="sampled", of="ascent", figure="fig_alignment",
    ),
    identity(
        "The closed-form laws of the pairs give the same 1 - cosine as every outcome of the draws, to 5 digits",
        sweep="near", on="samples", of=lambda data: data.misalignment.sel(weighted=True, drop=True),
        equals="misalignment_formula", digits=5, figure="fig_alignment",
    ),
    exact(
        "The remainder |grad L + (beta/Zbar) grad J| is of second order in the distance",
        sweep="near", of=lambda data: log_slope(data.residual, "eps"), where={**NEAR, **PILAF},
        figure="fig_remainder",
    ),
    identity(
        "On every instance, at every distance, it stays below the explicit bound",
        sweep="near", on="samples", of=lambda data: (data.residual > data.bound) * 1.0, equals=0.0, where=PILAF,
        figure="fig_remainder",
    ),
)  # fmt: skip


def get_config(name: str):
    from ml_collections import ConfigDict

    common = dict(beta=0.5, scheme=SCHEMES, n_best=8)
    return ConfigDict(
        dict(
            near=dict(
                **common, rho=(0.5, 0.3, 0.2), Y=6, eps=geomspace(1e-3, 1.0, 13), weighted=(True, False),
                start="optimum", replicates=preset(name, quick=256, paper=4096),
            ),
            far=dict(
                **common, rho=(1.0,), Y=10, eps=(1.0,), weighted=(True, False), start="reference",
                replicates=preset(name, quick=1024, paper=4096),
            ),
            sampled=dict(
                **common, prompts=(0.5, 0.3, 0.2), Y=6, distance=1.0, seed=0, pairs=256,
                replicates=preset(name, quick=4096, paper=16_384),
            ),
        )
    )  # fmt: skip


def instance_with_formulas(
    key, rho: tuple[float, ...], Y: int, beta: float, eps, scheme: tuple[str, ...],
    weighted: tuple[bool, ...], n_best: int, start: str,
):  # fmt: skip
    """A random instance by enumeration of the draws, and what the closed forms say about the same instance."""
    import jax
    import jax.numpy as jnp

    simulate = simulators.preference_sampling.simulate_gradient_alignment
    (logref, reward, prompts), policies = problems.draw_policy_problem(key, rho, Y, beta, eps, start)

    def formulas(logits):
        align = lambda name: theory.dpo_gradient_alignment(logits, logref, reward, beta, prompts, name, n_best)
        bound = theory.dpo_alignment_remainder_bound(logits, logref, reward, beta, prompts)
        return 1 - jnp.array([align(name).cosine for name in scheme]), bound

    misalignment, bound = jax.vmap(formulas, out_axes=-1)(policies)
    found = simulate(key, rho, Y, beta, eps, scheme, weighted, n_best, start)
    return {**found, "misalignment_formula": misalignment, "bound": bound}


def leading_order(scheme: str, weighted: bool, eps: float):
    """The order of the remainder in the distance, for any instance."""
    return eps**2 if weighted and scheme == "t_pilaf" else eps**0


def ascent_of_scheme(logits, logref, reward, beta: float, rho, scheme: str, n_best: int):
    import jax.numpy as jnp

    mus = theory.preference_pair_density(scheme, logits, logref, beta, n_best)
    down = -theory.dpo_population_gradient(logits, logref, reward, beta, rho, mus, jnp.ones_like(rho))
    up = theory.kl_regularised_gradient(logits, logref, reward, beta, rho)
    return jnp.sum(down * up) / jnp.sum(up**2)


def drawn_policy(
    seed: int, prompts: tuple[float, ...], Y: int, beta: float, distance: float
) -> "problems.PolicyProblem":
    import jax
    import numpy as np

    problem, policies = problems.draw_policy_problem(jax.random.key(seed), prompts, Y, beta, np.array([distance]))
    return problems.PolicyProblem(*(np.asarray(table) for table in (jax.nn.log_softmax(policies[0]), *problem)))


def experiment(config) -> Experiment:
    family = simulators.preference_sampling
    angles = dict(misalignment=("scheme", "weighted", "eps"), residual=("scheme", "weighted", "eps"))
    return Experiment(
        dict(
            near=Sweep(
                simulate=instance_with_formulas, predict=dict(misalignment=leading_order, residual=leading_order),
                values=config.near, block=128, batch=32,
                measure=dict(**angles, misalignment_formula=("scheme", "eps"), bound=("eps",)),
            ),
            far=Sweep(
                simulate=family.simulate_gradient_alignment, values=config.far, measure=angles, block=128, batch=32,
            ),
            sampled=Sweep(
                simulate=family.simulate_preference_gradient, predict=ascent_of_scheme, values=config.sampled,
                measure={"ascent": ("scheme",)}, derive=dict(policy=drawn_policy), block=256, batch=32,
            ),
        ),
        CLAIMS,
    )  # fmt: skip
