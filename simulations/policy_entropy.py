"""What does a policy gradient do to the entropy of a policy, and can the entropy be kept?

A step changes it by minus the covariance of log-probabilities and advantages. So training trades entropy for reward,
along a curve that R = -a exp(H) + b describes only roughly; natural gradients and rules on few tokens pay less.
"""

from math import sqrt

from theorylab import problems, simulators, theory
from theorylab.compare.claims import exact, identity, order
from theorylab.compare.contrasts import stack
from theorylab.experiment import Experiment, preset
from theorylab.sweep.spec import Sweep

PAPER = (
    "Cui et al., The Entropy Mechanism of Reinforcement Learning for Reasoning Language Models, 2025 (arXiv 2505.22617)"
)

BOUNDS = sqrt(10 / 9), sqrt(2)


def _median_error(data):
    return abs(data.realised / data.first_order - 1).median("instance")


def _error_of_remainder(data):
    """Largest error over the policies, in units of the typical remainder."""
    left = (data.realised - data.first_order) / data.eta**2
    return abs(left - data.remainder).max("instance") / (data.remainder**2).mean("instance") ** 0.5


def _unexplained_at_the_end(data):
    """By how much the last reward exceeds what the early points predict."""
    return (data.reward - data.extrapolated).isel(steps=-1, drop=True)


def _rules(data, rule, against):
    return data.sel(rule=rule, drop=True) - data.sel(rule=against, drop=True)


def _kept_at_equal_reward(data):
    entropy = data.entropy_at
    return stack(
        _rules(entropy, "bonus", "gradient"),
        _rules(entropy, "clip_cov", "sampled"),
        _rules(entropy, "kl_cov", "sampled"),
    )


def _natural_against_gradient(data):
    late = data.sel(steps=data.steps >= 50)
    return stack(_rules(late.diversity, "natural", "gradient"), _rules(late.reward, "natural", "gradient"))


def _reward_paid(data):
    late = data.reward.sel(steps=(data.steps >= 50) & (data.steps <= 200))
    return stack(_rules(late, "sampled", "clip_cov"), _rules(late, "sampled", "kl_cov"))


CLAIMS = (
    identity(
        "One exact step changes the entropy by -eta Cov(log pi, pi A), a natural one by -eta Cov(log pi, A): to 1% in "
        "the median over random policies, up to eta = 0.01",
        sweep="steps", of=_median_error, equals=0.0, tolerance=0.01, where={"eta": lambda eta: eta <= 0.01},
        figure="fig_first_order_law",
    ),
    identity(
        "What is left is eta^2 times the closed remainder: to 1% of its typical size at eta = 0.001, for every policy",
        sweep="steps", of=_error_of_remainder, equals=0.0, tolerance=0.01, where={"eta": 0.001},
        figure="fig_first_order_law",
    ),
    exact(
        "Small steps that are estimated from batches follow the law in the mean",
        sweep="sampled", of="change", figure="fig_first_order_law",
    ),
    order(
        "Raising likely answers lowers the entropy, raising rare ones increases it",
        sweep="sampled", of=lambda data: -data.change * data.alignment, figure="fig_first_order_law",
    ),
    identity(
        "The gradient of a log-probability has a norm between sqrt(N / (N-1)) and sqrt(2) times 1 - pi: in every draw",
        sweep="score", of="ratio", equals=lambda data: data.ratio.clip(*BOUNDS), on="samples",
        figure="fig_first_order_law",
    ),
    order(
        "The rarer an answer, the larger its gradient",
        sweep="score", of=lambda data: -data.norm.diff("answer"), figure="fig_first_order_law",
    ),
    order(
        "Over a whole training R = -a exp(H) + b explains more than 90% of the variance of the rewards",
        sweep="law", of=lambda data: data.r2 - 0.9, figure="fig_reward_law",
    ),
    order(
        "It is a fit, no law: fitted to the first third of the training, it predicts too small a reward for the end",
        sweep="law", of=_unexplained_at_the_end, figure="fig_reward_law",
    ),
    order(
        "A straight line in H explains more of it than one in exp(H), in this bandit",
        sweep="law", of=lambda data: data.r2_straight - data.r2, figure="fig_reward_law",
    ),
    identity(
        "Natural steps keep the entropy among the correct answers as it was at the start: in every replicate, 8 digits",
        sweep="control", of=lambda data: data.diversity.sel(rule="natural"),
        equals=lambda data: data.diversity.sel(rule="natural", steps=0, drop=True), digits=8, on="samples",
        figure="fig_control",
    ),
    order(
        "Natural steps keep more of that entropy than steps along the gradient, at more reward",
        sweep="control", of=_natural_against_gradient, figure="fig_control",
    ),
    order(
        "At equal reward an entropy bonus, and Clip-Cov and KL-Cov on a fifth of the tokens, leave more entropy",
        sweep="control", of=_kept_at_equal_reward, figure="fig_control",
    ),
    order(
        "Clip-Cov and KL-Cov of this strength slow the reward down",
        sweep="control", of=_reward_paid, figure="fig_control",
    ),
)  # fmt: skip


def get_config(name: str):
    from ml_collections import ConfigDict

    questions = dict(Y=50, spread=2.0, G=8)
    return ConfigDict(
        dict(
            steps=dict(instance=tuple(range(64)), Y=6, eta=(0.0001, 0.001, 0.01, 0.1), natural=(False, True)),
            sampled=dict(
                alignment=(-0.9, -0.6, -0.3, 0.3, 0.6, 0.9), Y=8, eta=0.001, batch=512, natural=(False, True),
                replicates=preset(name, quick=4096, paper=20_000),
            ),
            score=dict(Y=10, spread=1.5, answer=tuple(range(10)), replicates=preset(name, quick=128, paper=1000)),
            law=dict(
                **questions, X=64, K=2, eta=0.5, steps=tuple(range(0, 1501, 50)), early=11,
                replicates=preset(name, quick=32, paper=300),
            ),
            control=dict(
                **questions, X=32, K=5, eta=0.25, inner=4, steps=(0, 5, 10, 25, 50, 75, *range(100, 501, 50)),
                rule=("gradient", "natural", "bonus", "sampled", "clip_cov", "kl_cov"), level=(0.2, 0.3, 0.4, 0.5),
                bonus=0.05, penalty=20.0, lo=0.5, hi=10.0, frac=0.2, replicates=preset(name, quick=32, paper=300),
            ),
        )
    )  # fmt: skip


def experiment(config) -> Experiment:
    family, steps = simulators.policy_entropy, problems.policy_entropy_steps
    return Experiment(
        dict(
            steps=Sweep(
                predict=dict(
                    realised=steps.entropy_change_of_step,
                    first_order=theory.policy_entropy_change,
                    remainder=theory.policy_entropy_remainder,
                ),
                values=config.steps, over=("natural", "eta", "instance"),
                measure=dict(realised=(), first_order=(), remainder=()), derive=dict(step=steps.random_policy_step),
            ),
            sampled=Sweep(
                simulate=family.simulate_sampled_entropy_change, predict=theory.policy_entropy_change,
                values=config.sampled, over=("alignment",), measure=dict(change=("natural",)),
                derive=dict(step=steps.aligned_policy_step), block=1024, batch=64,
            ),
            score=Sweep(
                simulate=family.simulate_score_norms, values=config.score,
                measure=dict(norm=("answer",), ratio=("answer",)), batch=32,
            ),
            law=Sweep(
                simulate=family.simulate_entropy_reward_law, values=config.law,
                measure=dict(
                    **dict.fromkeys(("entropy", "reward", "fitted", "extrapolated", "straight"), ("steps",)),
                    **dict.fromkeys(("r2", "r2_later", "r2_straight", "ceiling", "final"), ()),
                ),
                block=32, batch=16,
            ),
            control=Sweep(
                simulate=family.simulate_entropy_control, values=config.control,
                measure=dict(
                    **dict.fromkeys(("entropy", "reward", "diversity"), ("rule", "steps")),
                    entropy_at=("rule", "level"),
                ),
                block=32, batch=8,
            ),
        ),
        CLAIMS,
    )  # fmt: skip
