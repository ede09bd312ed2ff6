"""Must offline preference data cover every response? What does a divergence measured on fresh responses repair?

Direct preference optimisation leaves the responses that it never sees wherever they were, at a loss that is bounded but
grows with their rarity. A penalty on all responses has one minimiser, whatever the start, and a price of its own.
"""

from math import log

from theorylab import problems, simulators, theory
from theorylab.compare.claims import asymptotic, bound, exact, identity, order
from theorylab.compare.contrasts import at, stack
from theorylab.experiment import Experiment, geomspace, preset
from theorylab.sweep.spec import Sweep

PAPER = "Song et al., The Importance of Online Data, 2024 (arXiv 2406.01462)"


def _shifted(offline, online):
    """How much more DPO loses than DPO with the online penalty, on the points of the latter."""
    return offline.gap.sel(shift=online["shift"], uncovered=online.uncovered) - online.gap


def _no_order_without_a_shift(offline, online):
    difference = at(_shifted(offline, online), shift=0.0)
    return stack(-at(difference, instance=0, uncovered=0.2), at(difference, instance=1, uncovered=0.2))


CLAIMS = (
    exact(
        "In a ball KL(pi || ref) <= eps a response of mass p is covered to q/p, KL(q || p) = eps, to nine digits",
        sweep="ball", of="coverage", margin=1e-9, pointwise=1e-9, error=1e-9, figure="fig_value_gap",
    ),
    bound(
        "No other policy of the ball exceeds it",
        sweep="ball", of="best_random", figure="fig_value_gap",
    ),
    identity(
        "Logits of responses outside the data do not move at all, on the expected loss",
        sweep="offline", of="drift", equals=0.0, tolerance=1e-14, on="samples",
    ),
    identity(
        "Nor do they on sampled pairs",
        sweep="sampled", of="drift", equals=0.0, tolerance=1e-14, on="samples",
    ),
    exact(
        "J* - J of DPO is that of log ref + r/beta + c on the data, log ref + shift elsewhere, to seven digits",
        sweep="offline", of="gap", margin=1e-7, pointwise=1e-7, error=1e-7, figure="fig_value_gap",
    ),
    asymptotic(
        "On n sampled pairs it tends to that for large n",
        sweep="sampled", of="gap", size="pairs",
    ),
    order(
        "A shift of 32 loses more than one of 4, at every support",
        sweep="offline", of=lambda data: at(data.gap, shift=32.0) - at(data.gap, shift=4.0), figure="fig_value_gap",
    ),
    identity(
        "Corrected: with full support the loss is not unbounded; it saturates at beta KL(ref outside the data || pi*)",
        sweep="worst", of="gap", equals="worst", tolerance=1e-7, figure="fig_value_gap",
    ),
    identity(
        "It diverges with the rarity of what is not covered: beta log 10 for every decade of its mass, to 0.5%",
        sweep="worst", of=lambda data: at(data.worst, uncovered=1e-4) - at(data.worst, uncovered=1e-3),
        equals=0.5 * log(10), tolerance=5e-3, figure="fig_value_gap",
    ),
    identity(
        "With a divergence on all responses the minimiser forgets the shift, to eight digits",
        sweep="online", of=lambda data: at(data.gap, shift=4.0), equals=lambda data: at(data.gap, shift=0.0),
        digits=8, on="samples", figure="fig_value_gap",
    ),
    identity(
        "It keeps ref's proportions outside the data S, and odds ref(S)/ref(not S) exp(-KL(pi given S || ref given S))",
        sweep="online", of=lambda data: stack(data.outside, data.odds), equals=0.0, tolerance=1e-9, on="samples",
    ),
    order(
        "After a shift of 4 it loses less than DPO, at every support and in every instance",
        sweep=("offline", "online"), of=lambda offline, online: at(_shifted(offline, online), shift=4.0),
        figure="fig_value_gap",
    ),
    order(
        "Corrected: without a shift there is no order: it loses more than DPO in one instance and less in another",
        sweep=("offline", "online"), of=_no_order_without_a_shift, figure="fig_value_gap",
    ),
    identity(
        "With all responses covered DPO reaches J*",
        sweep="full", of=lambda data: at(data.gap, online=0.0), equals=0.0, tolerance=1e-12, on="samples",
    ),
    order(
        "There the penalty costs: J* - J > 0, more for a larger coefficient",
        sweep="full", of=lambda data: data.gap.diff("online"),
    ),
)  # fmt: skip


def get_config(name: str):
    from ml_collections import ConfigDict

    problem = dict(responses=10, covered_responses=7, beta=0.5)
    once = dict(replicates=8)  # nothing is drawn: every replicate is the same
    instance = preset(name, quick=(0, 1), paper=(0, 1, 2, 3))
    return ConfigDict(
        dict(
            ball=dict(
                p=(0.01, 0.1, 0.3), eps=(0.01, 0.03, 0.1, 0.3, 1.0), responses=16,
                replicates=preset(name, quick=16, paper=200),
            ),
            offline=dict(
                **problem, instance=instance, uncovered=(0.5, 0.2, 0.1, 0.03, 0.01, 1e-3, 1e-4), shift=(0.0, 4.0, 32.0),
                steps=1500, **once,
            ),
            sampled=dict(
                **problem, instance=0, uncovered=0.2, shift=(4.0,), pairs=(2000, 4000, 8000), steps=500,
                replicates=preset(name, quick=192, paper=2000),
            ),
            worst=dict(**problem, instance=instance, uncovered=(0.5, 0.2, 0.1, 0.03, 0.01, 1e-3, 1e-4), shift=40.0),
            online=dict(
                **problem, instance=instance, uncovered=(0.5, 0.2, 0.1, 0.03, 0.01), shift=(0.0, 4.0), online=0.01,
                **once,
            ),
            full=dict(
                responses=10, covered_responses=10, beta=0.5, instance=0, uncovered=0.5, shift=(0.0,),
                online=(0.0, 0.01, 0.1), steps=1500, **once,
            ),
        )
    )  # fmt: skip


def experiment(config) -> Experiment:
    family = simulators.data_coverage
    train = dict(simulate=family.simulate_offline_preferences, batch=16)
    instance = dict(problem=problems.data_coverage.coverage_problem)
    per_shift = lambda *names: dict.fromkeys(names, ("shift",))
    gap = dict(gap=theory.offline_dpo_value_gap)
    return Experiment(
        dict(
            ball=Sweep(
                simulate=family.simulate_coverage_in_ball, values=config.ball, over=("p",), batch=16,
                predict=theory.kl_ball_coverage, measure=dict.fromkeys(("coverage", "best_random"), ("eps",)),
                curve={"eps": geomspace(0.01, 6, 80)},
            ),
            offline=Sweep(
                **train, predict=gap, values=config.offline, over=("instance", "uncovered"), derive=instance,
                measure=per_shift("gap", "drift"), curve={"uncovered": geomspace(0.5, 1e-4, 40)},
            ),
            sampled=Sweep(
                **train, predict=gap, values=config.sampled, over=("pairs",), derive=instance,
                measure=per_shift("gap", "drift"),
            ),
            worst=Sweep(
                predict=gap | dict(worst=theory.offline_dpo_worst_value_gap), values=config.worst,
                over=("instance", "uncovered"), derive=instance, measure=dict(gap=(), worst=()),
            ),
            online=Sweep(
                **train, values=config.online, over=("instance", "uncovered"), derive=instance,
                measure=per_shift("gap", "outside", "odds", "slope"),
            ),
            full=Sweep(**train, values=config.full, over=("online",), derive=instance, measure=per_shift("gap")),
        ),
        CLAIMS,
    )  # fmt: skip
