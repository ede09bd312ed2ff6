"""What becomes of the rare skills of a transformer when the next one is trained on its answers?

A small transformer learns greatest common divisors: first those that it reads off the last digits, then one by one the
others. Stopped early, its labels lack the others, and so does every student of them, however long it trains.

Training runs in stages of 100 steps; a killed run resumes at the last one. The quick preset trains 8 teachers of 400
steps and 40 students of 1200 in about 95 CPU-seconds, on two idle cores in less. The paper preset has networks of twice
the width and four times the training, and takes hours; for larger tasks, change --config.train.base, digits, classes.
"""

from theorylab import simulators, theory
from theorylab.compare.claims import exact, order
from theorylab.compare.contrasts import at, stack
from theorylab.experiment import Experiment, geomspace, preset
from theorylab.sweep.spec import Sweep

PAPER = (
    "Dohmatob et al., A Tale of Tails: Model Collapse as a Change of Scaling Laws, 2024 (arXiv 2402.07043); "
    "Charton, Learning the Greatest Common Divisor, 2024 (arXiv 2308.15594)"
)

LATE = lambda steps: steps >= steps.max() / 3
END = 1e9  # steps; the nearest are the last


def gained(data, pi):
    """Accuracy at the end less that after a third of the training."""
    return at(data.accuracy, pi=pi, steps=END) - at(data.accuracy, pi=pi, steps=data.steps.values.max() / 3)


def within(difference, distance):
    """Positive where a difference is smaller than a distance, in size."""
    return stack(distance - difference, distance + difference)


CLAIMS = (
    exact(
        "Stopped early, the teacher knows the divisors of the base: its accuracy, weighted by P(gcd), to 2%",
        sweep="train", of=lambda data: 1 - data.teacher_weighted_error, pointwise=0.02, figure="fig_skills",
    ),
    exact(
        "A student of generated labels stays at that level, however long it trains: weighted accuracy to 2%",
        sweep="train", of=lambda data: 1 - data.weighted_error, where={"pi": 0.0, "steps": LATE}, pointwise=0.02,
        figure="fig_skills",
    ),
    exact(
        "It has as many skills as the base has divisors, 8, to 10%",
        sweep="train", of="skills", where={"pi": 0.0, "steps": LATE}, margin=0.10, pointwise=0.15, figure="fig_skills",
    ),
    order(
        "It has the skills of its teacher, give or take two, and its accuracy, give or take 0.04",
        sweep="train", where={"pi": 0.0, "steps": LATE}, figure="fig_skills",
        of=lambda data: stack(
            within(data.skills - data.teacher_skills, 2), within(data.accuracy - data.teacher_accuracy, 0.04)
        ),
    ),
    order(
        "Its answers are the largest divisors of the base that fit, in more than 9 of 10 pairs",
        sweep="train", of=lambda data: data.known - 0.9, where={"pi": 0.0}, figure="fig_skills",
    ),
    order(
        "A student of true labels goes on learning: more skills than its teacher, and 0.05 more accuracy",
        sweep="train", where={"pi": 1.0}, figure="fig_skills",
        of=lambda data: stack(
            at(data.skills, steps=END) - data.teacher_skills,
            at(data.accuracy, steps=END) - data.teacher_accuracy - 0.05,
        ),
    ),
    order(
        "Three times the training adds 0.02 of accuracy with 80% or 100% of true labels, not 0.01 with none or 20%: "
        "the likelier label wins",
        sweep="train", figure="fig_skills",
        of=lambda data: stack(
            gained(data, 1.0) - 0.02, gained(data, 0.8) - 0.02, 0.01 - gained(data, 0.2), 0.01 - gained(data, 0.0)
        ),
    ),
    order(
        "The more true labels, the more is learned in the end",
        sweep="train", of=lambda data: at(data.accuracy, steps=END).diff("pi"), where={"pi": [0.2, 0.5, 0.8, 1.0]},
        figure="fig_skills",
    ),
    exact(
        "Among true labels, those that do not divide the base have their share",
        sweep="train", of="rare", where={"pi": 1.0},
    ),
    order(
        "Among the labels of the teacher they are three times rarer: the tail is cut",
        sweep="train", of=lambda data: at(data.rare, pi=1.0) / 3 - at(data.rare, pi=0.0),
    ),
    exact(
        "Labels of a teacher that reads last digits: of 30 different ones, 8 are left",
        sweep="coverage", of="coverage", where={"pi": [0.0, 1.0], "T": lambda T: T <= 1000}, figure="fig_coverage",
    ),
    exact(
        "A share of true labels brings the others back, late",
        sweep="coverage", of="coverage", where={"pi": [0.01, 0.1]}, figure="fig_coverage",
    ),
)  # fmt: skip


def plateau(field):
    """A predictor: what the divisors of the base alone give."""

    def predict(base, classes: int):
        return getattr(theory.skill_summary(base, classes), field)

    return predict


def get_config(name: str):
    from ml_collections import ConfigDict

    task = dict(base=30, digits=2, classes=30)
    return ConfigDict(
        dict(
            train=dict(
                **task, pi=(0.0, 0.2, 0.5, 0.8, 1.0), teacher_steps=400, segment=100, tests=100, heads=4, blocks=1,
                steps=preset(name, quick=(100, 200, 300, 400, 600, 800, 1000, 1200),
                             paper=(100, 200, 400, 800, 1600, 3200, 4800)),
                width=preset(name, quick=32, paper=64), batch=preset(name, quick=128, paper=256),
                eta=preset(name, quick=5e-3, paper=2e-3), replicates=preset(name, quick=8, paper=16),
            ),
            coverage=dict(
                **task, pi=(0.0, 0.01, 0.1, 1.0),
                T=preset(name, quick=(10, 30, 100, 300, 1000, 3000), paper=(10, 100, 1000, 10_000, 100_000)),
                replicates=preset(name, quick=1024, paper=4000),
            ),
        )
    )  # fmt: skip


def experiment(config) -> Experiment:
    summary = theory.skill_summary
    classes = tuple(range(1, config.train.classes + 1))
    return Experiment(
        dict(
            train=Sweep(
                simulate=simulators.simulate_skill_unlearning,
                predict=dict(
                    skills=summary, accuracy=summary, weighted_error=summary, by_gcd=theory.skill_limit,
                    rare=plateau("weighted_error"), teacher_skills=plateau("skills"),
                    teacher_accuracy=plateau("accuracy"), teacher_weighted_error=plateau("weighted_error"),
                ),
                values={**config.train, "gcd": classes},
                measure=dict(
                    skills=("pi", "steps"), accuracy=("pi", "steps"), weighted_error=("pi", "steps"),
                    by_gcd=("pi", "gcd"), known=("pi",), rare=("pi",),
                    teacher_skills=(), teacher_accuracy=(), teacher_weighted_error=(), teacher_known=(),
                ),
                block=1,
            ),
            coverage=Sweep(
                simulate=simulators.simulate_skill_coverage, predict=theory.skill_coverage, values=config.coverage,
                measure={"coverage": ("pi", "T")}, curve={"T": geomspace(10, 1e6, 41)}, batch=16,
            ),
        ),
        CLAIMS,
    )  # fmt: skip
