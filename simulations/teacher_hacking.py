"""A student is distilled from an imperfect teacher. When does coming closer to the teacher lead away from the truth?

On a fixed set of too few samples it approaches its training data to the end, but the oracle only up to a point; from a
threshold number of samples on, or with fresh samples in every step, it does not turn. A bad teacher hacks even so.
"""

from math import inf

from theorylab import problems, simulators, theory
from theorylab.compare.claims import exact, identity, order
from theorylab.compare.contrasts import at, stack
from theorylab.experiment import Experiment, geomspace, preset
from theorylab.sweep.spec import Sweep

PAPER = "Tiapkin et al., On Teacher Hacking in Language Model Distillation, 2025 (arXiv 2502.02671)"

FEW, MANY = [4.0, 2.0], [0.25, 0.0]  # threshold over samples


def _rise_after_the_turn(data):
    """From the step next to s_golden (.69 and .87) to the last one."""
    end = at(data.golden, steps=150)
    return stack(*(at(end - at(data.golden, steps=k), threshold_per_m=x) for k, x in ((11, 4.0), (19, 2.0))))


def _proxy_turns_first(data):
    """At m*, and between the proxy's turn (s = .85) and the golden one (s = 1), the two move in opposite ways."""
    early, late = (at(data, threshold_per_m=1.0, steps=k) for k in (19, 150))
    return stack(late.proxy - early.proxy, early.golden - late.golden)


CLAIMS = (
    exact(
        "Offline, the golden distance is |mu_p - s mu_q|^2 + s^2 sigma^2 d/m all along the training",
        sweep="offline", of="golden", figure="fig_proxy_golden",
    ),
    exact(
        "The training proxy is (1 - s)^2 (|mu_q|^2 + sigma^2 d/m), held out (1 - s)^2 |mu_q|^2 + s^2 sigma^2 d/m",
        sweep="offline", of=lambda data: stack(data.training, data.proxy),
        where={"steps": lambda k: (k > 0) & (k < 50)}, figure="fig_proxy_golden",
    ),
    order(
        "The training proxy falls to the end, whatever the number of samples",
        sweep="offline", of=lambda data: -data.training.diff("steps"), figure="fig_proxy_golden",
    ),
    order(
        "On m*/4 and m*/2 samples the golden distance turns upward: teacher hacking",
        sweep="offline", of=_rise_after_the_turn, figure="fig_proxy_golden",
    ),
    order(
        "On 4 m* samples, or infinitely many, the golden distance falls to the end",
        sweep="offline", of=lambda data: -data.golden.diff("steps"), where={"threshold_per_m": MANY},
        figure="fig_proxy_golden",
    ),
    order(
        "Corrected: a held-out proxy, the distance to the teacher itself, does not keep falling: it turns first",
        sweep="offline", of=_proxy_turns_first, figure="fig_proxy_golden",
    ),
    exact(
        "With four fresh samples in every step the golden distance follows its formula",
        sweep="online", of="golden", figure="fig_proxy_golden",
    ),
    order(
        "With fresh samples it falls from step to step, as far as s = .995",
        sweep="online", of=lambda data: -data.golden.sel(steps=data.steps <= 50).diff("steps"),
        figure="fig_proxy_golden",
    ),
    order(
        "A teacher that overshoots, (mu_p - mu_q).mu_q <= 0, hacks even with infinitely many samples",
        sweep="overshoot", of=lambda data: at(data.golden, steps=150) - at(data.golden, steps=15),
        figure="fig_proxy_golden",
    ),
    exact(
        "The turning point is mu_p.mu_q / (|mu_q|^2 + sigma^2 d/m)",
        sweep="threshold", of="turn", margin=0.01, pointwise=0.01, figure="fig_threshold",
    ),
    order(
        "It lies before the end of training below m* = sigma^2 d / ((mu_p - mu_q).mu_q) samples, and only there",
        sweep="threshold", of=lambda data: (1 - data.turn) * (1 - 2.0 * (data.m > 128)),
        where={"m": lambda m: m != 128}, figure="fig_threshold",
    ),
    identity(
        "At m* the golden distance is least at the very end",
        sweep="at_threshold", of="s_golden", equals=1.0, figure="fig_threshold",
    ),
    order(
        "Smoothed categorical laws: never with a peaked oracle (Dirichlet 0.1), mostly with a flat one (Dirichlet 1)",
        sweep="categorical", of=lambda data: (data.hacked - 0.5) * (2.0 * (data.concentration > 0.5) - 1),
        figure="fig_threshold",
    ),
)  # fmt: skip


def get_config(name: str):
    from ml_collections import ConfigDict

    teacher = dict(d=20, scale=0.8, error=0.2, sigma2=0.768)  # m* = 128
    training = dict(lr=0.1, steps=(0, 1, 2, 3, 5, 7, 9, 11, 14, 19, 25, 35, 50, 150))
    replicates = preset(name, quick=64, paper=1000)
    return ConfigDict(
        dict(
            offline=dict(
                **teacher, **training, threshold_per_m=(4.0, 2.0, 1.0, 0.25, 0.0), data="offline", students=128,
                replicates=replicates,
            ),
            online=dict(**teacher, **training, m=4, data="online", students=512, replicates=replicates),
            overshoot=dict(
                **training, d=20, scale=1.2, error=0.2, sigma2=0.768, data="offline", students=1, replicates=8,
            ),
            threshold=dict(
                **teacher, m=(8, 16, 32, 64, 96, 128, 192, 256, 512, 1024), lr=0.1, steps=(1,), data="offline",
                students=1024, replicates=replicates,
            ),
            at_threshold=dict(**teacher),
            categorical=dict(
                responses=100, concentration=(0.1, 1.0), teacher_samples=1000, m=(30, 100, 1000), lr=0.05,
                steps=200, replicates=preset(name, quick=512, paper=4000),
            ),
        )
    )  # fmt: skip


def _samples(threshold_per_m: float, means, sigma2: float, d: int) -> float:
    """m, infinite where threshold_per_m = 0."""
    m_star = sigma2 * d / float((means.mu_p - means.mu_q) @ means.mu_q)
    return m_star / threshold_per_m if threshold_per_m else inf


def offline_distances(mu_p, mu_q, sigma2: float, m: float, lr: float, steps: float):
    return theory.gaussian_distillation_distances(mu_p, mu_q, sigma2, m, 1 - (1 - lr) ** steps)


def online_distances(mu_p, mu_q, sigma2: float, m: float, lr: float, steps: float):
    return theory.gaussian_online_distillation_distances(mu_p, mu_q, sigma2, m, lr, steps)


def turning_point(mu_p, mu_q, sigma2: float, m: float):
    return theory.gaussian_teacher_hacking(mu_p, mu_q, sigma2, m).s_golden


def turning_point_at_threshold(mu_p, mu_q, sigma2: float):
    m_star = theory.gaussian_teacher_hacking(mu_p, mu_q, sigma2, 1.0).m_star
    return theory.gaussian_teacher_hacking(mu_p, mu_q, sigma2, m_star)


def experiment(config) -> Experiment:
    family = simulators.teacher_hacking
    means = problems.teacher_hacking.teacher_means
    distances = dict.fromkeys(("training", "proxy", "golden"), ("steps",))
    simulate = dict(simulate=family.simulate_gaussian_distillation, batch=16)
    dense = {"steps": (*range(51), 60, 80, 100, 150)}
    return Experiment(
        dict(
            offline=Sweep(
                **simulate, predict=offline_distances, values=config.offline, over=("threshold_per_m",),
                measure=distances, derive=dict(means=means, m=_samples), curve=dense,
            ),
            online=Sweep(
                **simulate, predict=online_distances, values=config.online,
                measure=dict(proxy=("steps",), golden=("steps",)), derive=dict(means=means), curve=dense,
            ),
            overshoot=Sweep(
                **simulate, predict=offline_distances, values=config.overshoot, measure=distances,
                derive=dict(means=means, m=lambda d: inf), curve=dense,
            ),
            threshold=Sweep(
                **simulate, predict=turning_point, values=config.threshold, over=("m",), measure={"turn": ()},
                derive=dict(means=means), curve={"m": geomspace(8, 1024, 60)},
            ),
            at_threshold=Sweep(
                predict=turning_point_at_threshold, values=config.at_threshold, measure={"s_golden": ()},
                derive=dict(means=means),
            ),
            categorical=Sweep(
                simulate=family.simulate_categorical_distillation, values=config.categorical, batch=16,
                over=("concentration", "m"), measure={"hacked": ()},
            ),
        ),
        CLAIMS,
    )  # fmt: skip
