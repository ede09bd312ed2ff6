"""What tells a right answer by its reasoning: a short trace, few reviews, or few steps that failed?

A trace is a walk of main steps with failed branches in between; its answer is spoiled by what failed in its context.
The share of failed steps then predicts best and selects best, and deleting what failed helps.
"""

from theorylab import problems, simulators, theory
from theorylab.compare.claims import asymptotic, exact, identity, order
from theorylab.compare.contrasts import stack
from theorylab.experiment import Experiment, preset
from theorylab.sweep.spec import Sweep

PAPER = "Feng, Kempe, Zhang, Jain, Hartshorn, What Characterizes Effective Reasoning?, 2025 (arXiv 2509.19284)"


def _all_negative(data):
    return stack(-data.corr_L, -data.corr_RR, -data.corr_s)


def _failed_share_predicts_best(data):
    return stack(data.corr_L - data.corr_s, data.corr_RR - data.corr_s)


def _failed_share_selects_best(data):
    several = data.sel(n_candidates=data.n_candidates > 1)
    return stack(several.by_s - several.by_L, several.by_s - several.by_RR, several.by_s - several.random)


def _falling(data):
    return stack(*(-data[name].diff(axis).mean(axis) for name, axis in (("by_s", "s"), ("by_L", "L"), ("by_RR", "RR"))))


def _pooled_exceeds_within(data):
    return stack(*(data[f"within_{x}"] - data[f"pooled_{x}"] for x in ("s", "L", "RR")))


CLAIMS = (
    exact(
        "Within a question, correctness correlates with the share of failed steps as in the model: Cov(p0 (1-s)^J, s)",
        sweep="within", of="corr_s", figure="fig_correlation",
    ),
    exact(
        "Within a question, so it does with the length of the trace",
        sweep="within", of="corr_L", figure="fig_correlation",
    ),
    exact(
        "Within a question, so it does with the share of reviews",
        sweep="within", of="corr_RR", figure="fig_correlation",
    ),
    order(
        "Longer traces, more reviews and more failed steps all go with wrong answers",
        sweep="within", of=_all_negative, figure="fig_correlation",
    ),
    order(
        "The share of failed steps predicts correctness better than the length and the share of reviews",
        sweep="within", of=_failed_share_predicts_best, figure="fig_correlation",
    ),
    exact(
        "Given the share of failed steps, reviews say nothing more, for every J: 1 + partial correlation = 1",
        sweep="within", of=lambda data: 1 + data.partial_RR, margin=0.005, pointwise=0.01, figure="fig_correlation",
    ),
    exact(
        "Given the share of failed steps, length says nothing more where the answer looks at one step",
        sweep="within", of=lambda data: 1 + data.partial_L, where={"J": 1}, margin=0.005, pointwise=0.01,
        figure="fig_correlation",
    ),
    exact(
        "Given the share of failed steps, longer traces are even better where the answer looks at four",
        sweep="within", of="partial_L", where={"J": 4}, figure="fig_correlation",
    ),
    asymptotic(
        "Averaged over questions of a benchmark, the correlations are E_phi corr(correct, X | phi)",
        sweep="benchmark", of=lambda data: stack(data.within_s, data.within_L, data.within_RR), size="questions",
        figure="fig_questions",
    ),
    asymptotic(
        "Over all traces of a benchmark, the covariances between questions add to those within",
        sweep="benchmark", of=lambda data: stack(data.pooled_s, data.pooled_L, data.pooled_RR), size="questions",
        figure="fig_questions",
    ),
    order(
        "Hard questions fail more often: over all traces every correlation is stronger than within a question",
        sweep="benchmark", of=_pooled_exceeds_within, where={"questions": 32}, figure="fig_questions",
    ),
    order(
        "Intervals of two standard errors that take 320 traces of a question for independent cover in less than 85%",
        sweep="benchmark", of=lambda data: 0.85 - data.covered_naive, where={"questions": 32}, figure="fig_questions",
    ),
    order(
        "Intervals that take questions for independent cover more often, and in more than 80%",
        sweep="benchmark", figure="fig_questions", where={"questions": 32},
        of=lambda data: stack(data.covered_clustered - 0.8, data.covered_clustered - data.covered_naive),
    ),
    exact(
        "The trace with the smallest share of failed steps among N is right as order statistics say",
        sweep="selection", of="by_s", figure="fig_selection",
    ),
    exact(
        "The shortest trace among N is right as order statistics say",
        sweep="selection", of="by_L", figure="fig_selection",
    ),
    exact(
        "The trace with the smallest share of reviews among N is right as order statistics say",
        sweep="selection", of="by_RR", figure="fig_selection",
    ),
    order(
        "The smallest share of failed steps selects better than the length, the reviews and chance",
        sweep="selection", of=_failed_share_selects_best, figure="fig_selection",
    ),
    exact(
        "Without a share q of the text of every failed step the accuracy is E p0 (1 - s')^J",
        sweep="editing", of="text", figure="fig_editing",
    ),
    exact(
        "Without a share q of all failed branches it is that of a trace with phi (1 - q) / (1 - phi q)",
        sweep="editing", of="branches", figure="fig_editing",
    ),
    order(
        "Deleting what failed raises the accuracy, and whole branches do more than the same share of the text",
        sweep="editing", of=lambda data: stack(data.text.diff("q"), (data.branches - data.text).isel(q=slice(1, None))),
        where={"q": lambda q: q < 1}, figure="fig_editing",
    ),
    identity(
        "Deleting all that failed restores the accuracy p0 of an answer that is not spoiled",
        sweep="editing", of="text", equals=0.9, where={"q": 1.0}, digits=12, figure="fig_editing",
    ),
    exact(
        "Accuracy falls with the share of failed steps as p0 (1 - s)^J",
        sweep="curves", of="by_s", figure="fig_accuracy_curve",
    ),
    exact(
        "Accuracy at a given length is the average of this over the traces of that length",
        sweep="curves", of="by_L", figure="fig_accuracy_curve",
    ),
    exact(
        "Accuracy at a given share of reviews is the average of this over the traces with that share",
        sweep="curves", of="by_RR", figure="fig_accuracy_curve",
    ),
)  # fmt: skip


def get_config(name: str):
    from ml_collections import ConfigDict

    m_pmf = (0.0, 0.0, 0.1, 0.2, 0.3, 0.2, 0.1, 0.1)
    trace = dict(phi=(0.2, 0.35, 0.5), g=0.6, main=m_pmf, F_max=220, p0=0.9)
    review = dict(r_m=0.1, r_f=0.4)
    return ConfigDict(
        dict(
            within=dict(
                **trace, **review, J=(1, 2, 4), n=4096, answers=8, replicates=preset(name, quick=96, paper=4000),
            ),
            benchmark=dict(
                alpha=6, beta=10, nodes=8, g=0.6, main=m_pmf, F_max=800, p0=0.9, J=2, **review,
                questions=(8, 16, 32), traces_per_question=10, replicates=preset(name, quick=160, paper=4000),
            ),
            selection=dict(
                **{**trace, "phi": (0.35,), "F_max": 150}, **review, J=2, n_candidates=(1, 2, 4, 8, 16, 32, 64), n=2048,
                answers=4, replicates=preset(name, quick=96, paper=4000),
            ),
            editing=dict(
                **{**trace, "phi": (0.35,)}, J=(1, 2, 4), q=(0.0, 0.25, 0.5, 0.75, 1.0), n=2048,
                replicates=preset(name, quick=128, paper=4000),
            ),
            curves=dict(
                **{**trace, "phi": (0.35,), "F_max": 150}, **review, J=2, n=4096, answers=4,
                s=(0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6), L=(3, 7, 11, 15, 19, 23, 27),
                RR=(0.0, 0.1, 0.2, 0.3, 0.4), s_width=0.1, L_width=4.0, RR_width=0.1,
                replicates=preset(name, quick=128, paper=4000),
            ),
        )
    )  # fmt: skip


def law_of_main_steps(main: tuple):
    from numpy import array

    return array(main)


def within(phi: float, g: float, m_pmf, F_max: int, p0: float, J: float, r_m: float, r_f: float):
    return theory.failed_step_correlations(phi, g, m_pmf, F_max, p0, J, r_m, r_f)


def selected_by(key: str):
    """The predictor of a selection by the share of failed steps, or by the length."""

    def predict(phi: float, g: float, m_pmf, F_max: int, p0: float, J: float, n_candidates: float):
        prob, m, F, s, acc = theory.failed_step_table(phi, g, m_pmf, F_max, p0, J)
        return theory.lowest_key_accuracy(prob, dict(s=s, L=m + F)[key], acc, n_candidates)

    return predict


def any_trace(phi: float, g: float, m_pmf, F_max: int, p0: float, J: float):
    table = theory.failed_step_table(phi, g, m_pmf, F_max, p0, J)
    return table.prob @ table.acc


def selected_by_reviews(
    phi: float, g: float, m_pmf, F_max: int, p0: float, J: float, r_m: float, r_f: float, n_candidates: float
):
    table = theory.failed_step_review_table(phi, g, m_pmf, F_max, p0, J, r_m, r_f)
    return theory.lowest_key_accuracy(table.prob, table.RR, table.acc, n_candidates)


def edited_text(phi: float, g: float, m_pmf, F_max: int, p0: float, J: float, q: float):
    return theory.failed_step_editing_accuracy(phi, g, m_pmf, F_max, p0, J, q)


def edited_branches(phi: float, g: float, m_pmf, F_max: int, p0: float, J: float, q: float):
    table = theory.failed_step_table(theory.branch_editing_phi(phi, q), g, m_pmf, F_max, p0, J)
    return table.prob @ table.acc


def at_share(phi: float, g: float, m_pmf, F_max: int, p0: float, J: float, s: float, s_width: float):
    table = theory.failed_step_table(phi, g, m_pmf, F_max, p0, J)
    return theory.key_interval_accuracy(table.prob, table.s, table.acc, s, s + s_width)


def at_length(phi: float, g: float, m_pmf, F_max: int, p0: float, J: float, L: float, L_width: float):
    table = theory.failed_step_table(phi, g, m_pmf, F_max, p0, J)
    return theory.key_interval_accuracy(table.prob, table.m + table.F, table.acc, L, L + L_width)


def at_reviews(
    phi: float, g: float, m_pmf, F_max: int, p0: float, J: float, r_m: float, r_f: float, RR: float, RR_width: float
):
    table = theory.failed_step_review_table(phi, g, m_pmf, F_max, p0, J, r_m, r_f)
    return theory.key_interval_accuracy(table.prob, table.RR, table.acc, RR, RR + RR_width)


def correlation_of_the_pool(phis, weights, g: float, m_pmf, F_max: int, p0: float, J: float, r_m: float, r_f: float):
    from jax import jit

    mixed = jit(theory.mixed_failed_step_correlations, static_argnames="F_max")
    return float(mixed(phis, weights, g, m_pmf, F_max, p0, J, r_m, r_f).pooled_s)


def experiment(config) -> Experiment:
    family = simulators.failed_steps
    main = dict(m_pmf=law_of_main_steps)
    benchmark = dict(
        **main,
        law=problems.beta_phi_law,
        truth=correlation_of_the_pool,
        n=lambda questions, traces_per_question: questions * traces_per_question,
    )
    correlations = ("acc", "corr_s", "corr_L", "corr_RR", "partial_L", "partial_RR")
    ranks = ("spearman_s", "spearman_L", "spearman_RR")
    mixed = [f"{scope}_{name}" for scope in ("within", "pooled") for name in ("s", "L", "RR")]
    predict_mixed = theory.mixed_failed_step_correlations
    return Experiment(
        dict(
            within=Sweep(
                derive=main, values=config.within, over=("phi",), simulate=family.simulate_failed_step_correlations,
                predict=dict.fromkeys((*correlations, "mean_s"), within),
                measure=dict(**dict.fromkeys((*correlations, *ranks), ("J",)), mean_s=()),
            ),
            benchmark=Sweep(
                derive=benchmark, values=config.benchmark, over=("questions",),
                simulate=family.simulate_failed_step_benchmark, predict=dict.fromkeys(mixed, predict_mixed),
                measure=dict.fromkeys((*mixed, "covered_naive", "covered_clustered"), ()),
            ),
            selection=Sweep(
                derive=main, values=config.selection, over=("phi",), simulate=family.simulate_failed_step_selection,
                predict=dict(by_s=selected_by("s"), by_L=selected_by("L"), by_RR=selected_by_reviews, random=any_trace),
                measure=dict.fromkeys(("by_s", "by_L", "by_RR", "random"), ("n_candidates",)),
            ),
            editing=Sweep(
                derive=main, values=config.editing, over=("phi",), simulate=family.simulate_failed_step_editing,
                predict=dict(text=edited_text, branches=edited_branches),
                measure=dict.fromkeys(("text", "branches"), ("q", "J")), curve={"q": tuple(i / 20 for i in range(21))},
            ),
            curves=Sweep(
                derive=main, values=config.curves, over=("phi",), simulate=family.simulate_failed_step_curves,
                predict=dict(by_s=at_share, by_L=at_length, by_RR=at_reviews),
                measure=dict(by_s=("s",), by_L=("L",), by_RR=("RR",)),
            ),
        ),
        CLAIMS,
    )  # fmt: skip
