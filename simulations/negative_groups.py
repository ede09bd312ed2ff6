"""Can groups of sampled answers that are all wrong teach a policy anything?

Rewards normalised within a group ignore them. The likelihood of correctness does not: its gradient is a policy gradient
that penalises confident mistakes. All-wrong groups then flatten the dominant mistake, and more questions get solved.
"""

from theorylab import simulators, theory
from theorylab.compare.claims import exact, identity, order
from theorylab.compare.contrasts import at, stack
from theorylab.experiment import Experiment, preset
from theorylab.sweep.spec import Sweep

PAPER = "Feng, Jain, Hartshorn, Duan, Kempe, Don't Waste Mistakes, 2025 (arXiv 2510.08696)"


def _gain(data, advantage, against="grpo"):
    return data.sel(advantage=advantage, drop=True) - data.sel(advantage=against, drop=True)


def _gain_at_the_end(data, advantage):
    """Of accuracy and of pass@16, over group-normalised rewards."""
    accuracy = at(data.gain, steps=400).sel(advantage=advantage, drop=True)
    return stack(accuracy, _gain(at(data.pass_at_k, k=16), advantage))


def _hard_questions_gain_late(data):
    """Gain on the hardest third less that on all questions: negative at first, positive in the end."""
    extra = _gain(data.hard_accuracy - data.accuracy, "lens_full")
    return stack(-at(extra, steps=100), at(extra, steps=400))


def _fewer_all_wrong(data):
    late = data.all_wrong.sel(steps=data.steps >= 200)
    return stack(-_gain(late, "lens_full"), -_gain(late, "grpo", "reinforce"))


def _more_entropy(data):
    return _gain(data.entropy.sel(steps=(data.steps >= 20) & (data.steps <= 200)), "lens_full")


CLAIMS = (
    identity(
        "The policy gradient of the penalised value has the penalty z / (1 - z): w + z w' = z / (1 - z), to 10 digits",
        sweep="weight", of="marginal", equals="penalty", figure="fig_penalty_weight",
    ),
    identity(
        "The gradient of the likelihood is a policy gradient with penalised rewards: every random bandit, to 10 digits",
        sweep="likelihood", of="likelihood", equals="penalised", on="samples", figure="fig_penalty_weight",
    ),
    exact(
        "The expected gradient of all-wrong groups takes mass from the dominant mistake and gives it to the others",
        sweep="all_wrong", of="gradient", where={"answer": [1, 2, 3]}, figure="fig_penalty_weight",
    ),
    identity(
        "All-wrong groups leave the logit of the correct answer where it is: in every replicate, to 10 digits",
        sweep="all_wrong", of="gradient", equals=0.0, on="samples", where={"answer": 0}, figure="fig_penalty_weight",
    ),
    order(
        "After 400 steps all-wrong groups at full weight give more accuracy and pass@16 than ignoring them",
        sweep="training", of=lambda data: _gain_at_the_end(data, "lens_full"), figure="fig_accuracy",
    ),
    order(
        "So do all-wrong groups at weight 0.25",
        sweep="training", of=lambda data: _gain_at_the_end(data, "lens"), figure="fig_accuracy",
    ),
    order(
        "Hard questions gain late: the hardest third less than all questions after 100 steps, more after 400",
        sweep="training", of=_hard_questions_gain_late, figure="fig_accuracy",
    ),
    order(
        "Normalised rewards are more accurate than plain ones, and these than negative samples alone",
        sweep="training", figure="fig_accuracy", where={"steps": lambda t: t >= 100},
        of=lambda data: stack(_gain(data.accuracy, "grpo", "reinforce"), _gain(data.accuracy, "reinforce", "nsr")),
    ),
    order(
        "All-wrong groups at full weight give more pass@k for every k from 1 to 64",
        sweep="training", of=lambda data: _gain(data.pass_at_k, "lens_full"), figure="fig_pass_at_k",
    ),
    order(
        "In the first half of the training they keep the policy more diverse",
        sweep="training", of=_more_entropy, figure="fig_pass_at_k",
    ),
    exact(
        "The share of all-wrong groups is the mean of (1 - p)^G over the questions",
        sweep="training", of="wrong_ratio", figure="fig_group_rate",
    ),
    order(
        "Normalised rewards leave fewer all-wrong groups than plain ones, learning from these groups fewer still",
        sweep="training", of=_fewer_all_wrong, figure="fig_group_rate",
    ),
    exact(
        "Normalised rewards climb the success probability with the factor E sqrt(k (G - k)) / (G p (1 - p))",
        sweep="scale", of="scale", figure="fig_grpo_scale",
    ),
    identity(
        "For large groups the factor is 1 / sqrt(p (1 - p)), to 0.1% at G = 4096",
        sweep="limit", of="scale", equals="limit", tolerance=1e-3, figure="fig_grpo_scale",
    ),
)  # fmt: skip


def get_config(name: str):
    from ml_collections import ConfigDict

    return ConfigDict(
        dict(
            training=dict(
                X=64, Y=50, K=2, spread=2.0, G=8, eta=0.5, alpha=0.25,
                advantage=("grpo", "lens", "lens_full", "reinforce", "nsr"), steps=(0, *range(20, 401, 20)),
                k=(1, 2, 4, 8, 16, 32, 64), window=10, replicates=preset(name, quick=96, paper=1000),
            ),
            scale=dict(
                p=(0.03, 0.1, 0.2, 0.35, 0.5, 0.65, 0.8, 0.9, 0.97), G=(2, 4, 8, 16, 64), draws=2048,
                replicates=preset(name, quick=512, paper=10_000),
            ),
            limit=dict(p=(0.05, 0.1, 0.3, 0.5, 0.9, 0.95), G=4096),
            all_wrong=dict(
                G=(2, 4, 8, 16), answer=(0, 1, 2, 3), draws=2048, replicates=preset(name, quick=512, paper=10_000),
            ),
            likelihood=dict(Y=6, K=2, answer=tuple(range(6)), replicates=preset(name, quick=128, paper=1000)),
            weight=dict(z=tuple(i / 40 for i in range(40))),
        )
    )  # fmt: skip


def one_correct_answer() -> tuple:
    return 0.05, 0.5, 0.3, 0.15


def first_is_correct() -> tuple:
    return True, False, False, False


def all_wrong_gradient(pi, correct: tuple[bool, ...], G: float, answer: float):
    from jax.numpy import array, asarray

    return theory.negative_group_gradient(pi, array(correct), G)[asarray(answer, int)]


def as_drawn():
    """Groups drawn over groups expected."""
    return 1.0


def marginal_penalty(z: float):
    from jax import grad

    return grad(lambda z: z * theory.confidence_penalty_weight(z))(z)


def penalty(z: float):
    return -theory.confidence_penalised_reward(z, 0.0, 1.0)


def experiment(config) -> Experiment:
    family = simulators.negative_groups
    names = ("accuracy", "gain", "hard_accuracy", "entropy", "all_wrong", "expected_wrong", "wrong_ratio")
    curves = dict.fromkeys(names, ("advantage", "steps"))
    return Experiment(
        dict(
            training=Sweep(
                simulate=family.simulate_answer_training, predict=dict(wrong_ratio=as_drawn), values=config.training,
                measure=dict(**curves, pass_at_k=("advantage", "k")), block=32, batch=16,
            ),
            scale=Sweep(
                simulate=family.simulate_group_gradient, predict=theory.grpo_gradient_scale, values=config.scale,
                measure=dict(scale=("G", "p")), curve=dict(p=tuple(i / 100 for i in range(2, 99))), batch=32,
            ),
            limit=Sweep(
                predict=dict(scale=theory.grpo_gradient_scale, limit=theory.grpo_gradient_scale_limit),
                values=config.limit, over=("p",), measure=dict(scale=(), limit=()),
                curve=dict(p=tuple(i / 100 for i in range(2, 99))),
            ),
            all_wrong=Sweep(
                simulate=family.simulate_negative_group_gradient, predict=all_wrong_gradient, values=config.all_wrong,
                measure=dict(gradient=("G", "answer")), derive=dict(pi=one_correct_answer, correct=first_is_correct),
                batch=32,
            ),
            likelihood=Sweep(
                simulate=family.simulate_likelihood_gradient, values=config.likelihood,
                measure=dict.fromkeys(("likelihood", "penalised", "plain"), ("answer",)), batch=32,
            ),
            weight=Sweep(
                predict=dict(w=theory.confidence_penalty_weight, marginal=marginal_penalty, penalty=penalty),
                values=config.weight, over=("z",), measure=dict(w=(), marginal=(), penalty=()),
            ),
        ),
        CLAIMS,
    )  # fmt: skip
