"""Can a policy learn from the responses of another one, right and wrong, without falling apart?

Naive policy gradients drive the logits apart at a constant rate, and may lock onto a wrong response. With the ratios
of the wrong responses tapered, the policy converges to the right ones in proportion to the data, whatever the start.
"""

from theorylab import simulators, theory
from theorylab.compare.claims import asymptotic, exact, order
from theorylab.compare.contrasts import at, stack
from theorylab.experiment import Experiment, preset
from theorylab.sweep.spec import Sweep

PAPER = "Le Roux et al., Tapered Off-Policy REINFORCE, 2025 (arXiv 2503.14286)"

MOSTLY_WRONG, BAD_START = {"p": 0.15, "start": 4.0}, {"start": 4.0}


def _by_gradient(data, name, *gradients):
    return (data[name].sel(gradient=gradient, drop=True) for gradient in gradients)


def _locked(data):
    """How far the naive policy stays below -0.9 while the tapered one exceeds 0.9, at the end."""
    naive, tapered = _by_gradient(at(data, steps=2000), "reward", "naive", "tapered")
    return stack(-0.9 - naive, tapered - 0.9)


def _tapered_before_truncated(data):
    tapered, truncated = _by_gradient(at(data, steps=100), "reward", "tapered", "truncated")
    return tapered - truncated


def _growth_of_the_gap(data):
    """Room of the last doubling of the steps below 0.8, where log 2 = 0.69, for tapered and truncated ratios."""
    gap = data.gap.sel(gradient=["tapered", "truncated"])
    return 0.8 - (at(gap, steps=2000) - at(gap, steps=1000))


def _excess_of_the_frequent(data):
    naive, tapered = _by_gradient(data.sel(response=1, drop=True), "final_policy", "naive", "tapered")
    return naive - tapered


CLAIMS = (
    exact(
        "Naive: logits of right and wrong responses part at the constant rate eta sum_- mu |R| (1/n_+ + 1/n_-)",
        sweep="training", of="rate", where={"gradient": "naive", "start": 0.0}, figure="fig_stability",
    ),
    order(
        "Tapered: they part as a logarithm only; doubling the steps adds about log 2, less than 0.8",
        sweep="training", of=_growth_of_the_gap, figure="fig_stability",
    ),
    order(
        "On mostly wrong data, started from a wrong response, the naive policy locks onto it; the tapered leaves it",
        sweep="training", of=_locked, where=MOSTLY_WRONG, figure="fig_stability",
    ),
    order(
        "From a wrong start tapering learns faster than truncating the ratios of the right responses, too",
        sweep="training", of=_tapered_before_truncated, where=BAD_START, figure="fig_stability",
    ),
    exact(
        "Tapered and truncated: the policy tends to mu R / sum_+ mu R on the right responses, whatever the start",
        sweep="training", of="final_policy", where={"gradient": ["tapered", "truncated"], "response": [1, 2]},
        error=0.002, figure="fig_limit",
    ),
    order(
        "Naive: the most frequent right response gets more than its share",
        sweep="training", of=_excess_of_the_frequent, where={"start": 0.0}, figure="fig_limit",
    ),
    asymptotic(
        "Tapered: wrong responses decay as n_+ / (Y eta t) sum_- 1 / (|R| + S), S = sum_+ mu R",
        sweep="decay", of="final_wrong", size="horizon", where={"gradient": "tapered"}, figure="fig_limit",
    ),
    asymptotic(
        "Right responses alone: the same with |R| = 0, slower by 1 + 1/S",
        sweep="decay", of="final_wrong", size="horizon", where={"gradient": "positives"}, figure="fig_limit",
    ),
    exact(
        "A baseline c acts like a share p (1 - c) / (1 + (1 - 2 p) c) of right examples",
        sweep="baseline", of="share", figure="fig_baseline",
    ),
)  # fmt: skip


def get_config(name: str):
    from ml_collections import ConfigDict

    training = dict(p=(0.15, 0.5, 0.8), eta=0.5, samples=16)
    return ConfigDict(
        dict(
            training=dict(
                **training, start=(0.0, 4.0), steps=(3, 10, 30, 100, 300, 1000, 2000), response=(1, 2, 3, 4, 5, 6),
                gradient=("naive", "truncated", "tapered", "positives"),
                replicates=preset(name, quick=256, paper=4000),
            ),
            decay=dict(
                **training, start=0.0, horizon=preset(name, quick=(2000, 4000, 8000), paper=(8000, 16_000, 32_000)),
                gradient=("tapered", "positives"), replicates=preset(name, quick=256, paper=1000),
            ),
            baseline=dict(
                p=(0.1, 0.3, 0.5, 0.9), c=(-0.8, -0.4, 0.0, 0.4, 0.8), n=4096,
                replicates=preset(name, quick=128, paper=1000),
            ),
        )
    )  # fmt: skip


def behaviour(p: float):
    """Six responses, the first two right, with a share p of the data."""
    from numpy import array, concatenate

    return concatenate([p * array([2, 1]) / 3, (1 - p) * array([0.35, 0.3, 0.2, 0.15])])


def rewards():
    from numpy import array

    return array([1.0, 1.0, -1.0, -1.0, -1.0, -1.0])


def rate(mu, R, eta: float, gradient: str):
    from jax.numpy import nan

    return theory.naive_off_policy_rate(mu, R, eta) if gradient == "naive" else nan * eta


def final_policy(mu, R, gradient: str, response: float):
    from jax.numpy import asarray, nan

    share = theory.tapered_off_policy_maximiser(mu, R)[asarray(response, int) - 1]
    return nan * share if gradient == "naive" else share


def wrong(mu, R, eta: float, steps: float, gradient: str):
    from jax.numpy import maximum, nan

    kept = maximum(R, 0.0) if gradient == "positives" else R
    mass = theory.tapered_off_policy_wrong_mass(mu, kept, eta, steps)
    return nan * mass if gradient == "naive" else mass


def final_wrong(mu, R, eta: float, horizon: float, gradient: str):
    return wrong(mu, R, eta, horizon, gradient)


def share(p: float, c: float):
    return theory.effective_positive_fraction(p, c)


def experiment(config) -> Experiment:
    family = simulators.off_policy_reinforce
    train = dict(simulate=family.simulate_off_policy_training, block=256, batch=64)
    curves = dict.fromkeys(("max_logit", "reward", "wrong", "gap"), ("gradient", "steps"))
    return Experiment(
        dict(
            training=Sweep(
                **train, values=config.training, over=("p", "start"), derive=dict(mu=behaviour, R=rewards),
                predict=dict(rate=rate, final_policy=final_policy, wrong=wrong),
                measure=dict(**curves, rate=("gradient",), final_policy=("gradient", "response")),
            ),
            decay=Sweep(
                **train, values=config.decay, over=("p", "horizon"), predict=final_wrong,
                derive=dict(mu=behaviour, R=rewards, steps=lambda horizon: (horizon,)),
                measure=dict(final_wrong=("gradient",)),
            ),
            baseline=Sweep(
                simulate=family.simulate_baseline_share, predict=share, values=config.baseline, over=("p",),
                measure=dict(share=("c",)), block=64, batch=16, curve={"c": tuple(i / 25 for i in range(-24, 25))},
            ),
        ),
        CLAIMS,
    )  # fmt: skip
