"""Data have a heavy tail, and generated data have lost a part of it. What happens to the learning curve?

A tail that is cut leaves a floor, a narrowed one a slower power law; generations of resampling shrink the data, real
data bring the tail back late. Infinitely many Zipf items throughout: what is not listed can be drawn but not learnt.
"""

from __future__ import annotations

from typing import Any

from theorylab import problems, simulators, theory
from theorylab.compare.claims import asymptotic, bound, exact, exponent, identity, order
from theorylab.compare.contrasts import at, log_slope, stack
from theorylab.experiment import Experiment, geomspace, preset
from theorylab.sweep.spec import Sweep

PAPER = "Dohmatob, Feng, Yang, Charton, Kempe, A Tale of Tails, 2024 (arXiv 2402.07043)"


def _saturation(equal, growing):
    """From the fourth to the eighth generation constant sizes lose more than five times what doubling ones lose."""
    constant, doubling = (
        at(data.risk, generations=8, **cell) - at(data.risk, generations=4, **cell)
        for data, cell in ((equal, {"T": 100}), (growing, {"growth": 2.0}))
    )
    return constant - 5 * doubling


def _plateau_then_drop(data):
    """With 1% of real rows: near the floor of the cut data at 1e4 samples, far below it at 1e6."""
    floor, mixed = at(data.risk, pi=0.0, T=1e6), at(data.risk, pi=0.01)
    return stack(at(mixed, T=1e4) - 0.9 * floor, 0.7 * floor - at(mixed, T=1e6))


CLAIMS = (
    exact(
        "Clean data: the error of an infinite memory is the sum of p (1 - p)^T",
        sweep="clean", of="risk", figure="fig_clean",
    ),
    exponent(
        "Clean data: the error falls with the slope of the exact sum over the same sizes",
        sweep="clean", of="risk", axis="T", where={"T": lambda T: T >= 100}, figure="fig_clean",
    ),
    identity(
        "The exact sum tends to A^(1/beta) Gamma(1 - 1/beta) T^-(1 - 1/beta) / beta: within 0.5% from T = 100 on",
        sweep="power_law", of="risk", equals="power_law", tolerance=0.005, figure="fig_clean",
    ),
    identity(
        "Its exponent is 1 - 1/beta, and (beta - 1)/beta' for training data narrowed to beta', within 0.5%",
        sweep="power_law", of=lambda data: -log_slope(data.risk, "T"),
        equals="exponent", tolerance=0.005, figure="fig_narrow",
    ),
    exact(
        "A tail cut at rank k: the error leaves the clean law and saturates as the exact sum says",
        sweep="cut", of="risk", where={"k": [0, 100, 1000], "T": lambda T: T <= 10_000}, figure="fig_cut",
    ),
    asymptotic(
        "Cut and mixed data follow the incomplete-gamma forms all along the crossover",
        sweep="crossover", of="risk", size="k", order=1.5, figure="fig_collapse_scaled",
    ),
    identity(
        "Curves of different cuts collapse: k^(beta - 1) E is a function of T/k^beta, within 0.5% at k = 10^4",
        sweep="master", of="cut", equals="double", tolerance=0.005, figure="fig_collapse_scaled",
    ),
    bound(
        "The additive law, T^-c plus floor with the right constants, is an upper bound",
        sweep="additive", of="risk", figure="fig_collapse_scaled",
    ),
    identity(
        "It is right up to constants only: it overestimates by a factor of up to 1.8 (beta = 1.5)",
        sweep="master", of=lambda data: (data.additive / data.double).max("ratio"), equals=1.8, tolerance=0.03,
        figure="fig_collapse_scaled",
    ),
    exact(
        "The floor is the mass that was cut off, zeta(beta, k + 1) / zeta(beta), by rank or by nucleus sampling",
        sweep="floor", of="risk", figure="fig_floor_k",
    ),
    identity(
        "The floor falls like k^-(beta - 1), within 3%",
        sweep="floor", of=lambda data: -log_slope(data.risk, "k"), equals=0.5, tolerance=0.03,
        figure="fig_floor_k",
    ),
    exponent(
        "A generator that saw T0 samples gives a floor T0^-c, c = 1 - 1/beta",
        sweep="generator", of="risk", axis="T0", figure="fig_floor_k",
    ),
    exact(
        "A tail narrowed by a temperature leaves no floor but a slower law, given by the exact sum",
        sweep="narrow", of="risk", figure="fig_narrow",
    ),
    exponent(
        "The slopes of narrowed data are those of the exact sum",
        sweep="narrow", of="risk", axis="T", where={"T": lambda T: T >= 100}, figure="fig_narrow",
    ),
    asymptotic(
        "n generations act like a data set smaller by the survival factor of a branching process",
        sweep="generations", of="risk", size="T", figure="fig_generations",
    ),
    exact(
        "At small sizes the chain of binomials is exact, up to eight resamplings",
        sweep="resampling", of="risk", figure="fig_generations",
    ),
    identity(
        "For many generations of equal size the error grows like n^(1 - 1/beta), within 1%",
        sweep="many_generations", of=lambda data: log_slope(data.loss, "generations"), equals=1 / 3, tolerance=0.01,
        where={"generations": lambda n: n >= 256}, figure="fig_generations",
    ),
    exact(
        "Growing each generation's data by a constant factor follows the branching process, too",
        sweep="growing", of="risk", error=0.02, margin=0.04, figure="fig_generations",
    ),
    order(
        "Growing data stop the collapse; constant sizes do not",
        sweep=("generations", "growing"), of=_saturation, figure="fig_generations",
    ),
    exact(
        "Real rows among cut ones: the exact sum gives plateau and late drop",
        sweep="grokking", of="risk", where={"pi": lambda pi: pi > 0}, figure="fig_grokking",
    ),
    order(
        "One percent of real rows: the plateau of the cut data first, the clean scaling later",
        sweep="grokking", of=_plateau_then_drop, figure="fig_grokking",
    ),
    identity(
        "The incomplete-gamma form of the mixture is the exact sum within 0.03% from T = 1000 on",
        sweep="mixture", of="risk", equals="continuum", tolerance=3e-4, figure="fig_grokking",
    ),
    exact(
        "Bigrams: the expected total variation of a counted law is a sum of binomial mean absolute deviations",
        sweep="bigram", of="risk", figure="fig_bigram",
    ),
    exact(
        "Averaged over contexts it is that sum at binomial sample sizes, for whole and for cut conditionals",
        sweep="contexts", of="risk", figure="fig_bigram",
    ),
    identity(
        "Two powers of N follow it within 0.5% from N = 100 on",
        sweep="expansion", of="two_terms", equals="risk", tolerance=0.005, where={"T": lambda T: T >= 100},
        figure="fig_bigram",
    ),
    identity(
        "The leading power alone is useless: off by 97% at beta = 1.8 and N = 10^4",
        sweep="expansion", of=lambda data: at(data.leading / data.risk, beta=1.8, T=1e4), equals=1.97, tolerance=0.01,
        figure="fig_bigram",
    ),
    exact(
        "Associative memories of d >= 128 dimensions follow the Gaussian theory to within 4%",
        sweep="memory", of="risk", error=0.04, margin=0.06, where={"d": [128, 256], "rho": [0.25, 0.5, 1.0]},
        figure="fig_memory",
    ),
    exact(
        "So does the failure rate of a memory that stores as many equally weighted items as it has dimensions",
        sweep="threshold", of="risk", error=0.04, margin=0.06, figure="fig_memory",
    ),
    identity(
        "Stored with weights p^rho, their error falls like d^-(beta - 1)/(2 rho beta), within 10%",
        sweep="memory_slopes", of=lambda data: -log_slope(data.risk, "d"), equals="exponent", tolerance=0.10,
        figure="fig_memory",
    ),
    exact(
        "A memory for so many items adds a third floor: samples, cut and capacity limit the error together",
        sweep="triplet", of="risk", where={"capacity": [30, 100, 300], "T": lambda T: T <= 1000}, figure="fig_triplet",
    ),
)  # fmt: skip


def get_config(name: str):
    from ml_collections import ConfigDict

    replicates = preset(name, quick=64, paper=1000)
    T = tuple(10**e for e in range(1, preset(name, quick=6, paper=7)))
    half = tuple(sorted({*T, *(round(t * 10**0.5) for t in T[:-1])}))
    items = dict(beta=1.5, n_items=preset(name, quick=20_000, paper=1_000_000))
    many = dict(beta=1.5, n_items=100_000)
    pi = (0.0, 0.01, 0.1, 0.5, 1.0)
    counted = dict(beta=(1.3, 1.5, 1.8, 2.5, 3.5), n_items=10_000)
    return ConfigDict(
        dict(
            clean=dict(items, beta=(1.2, 1.5, 2.0, 3.0), T=half, replicates=preset(name, quick=400, paper=4000)),
            clean_law=dict(beta=(1.2, 1.5, 2.0, 3.0), T=geomspace(10, 1e5, 41)),
            power_law=dict(many, temperature=(1.0, 0.9, 0.75, 0.5), T=geomspace(1e2, 1e5, 7)),
            cut=dict(items, k=(0, 10, 100, 1000), T=half, replicates=replicates),
            double_law=dict(beta=1.5, k=(10, 100, 1000), pi=1.0, T=geomspace(10, 1e5, 41)),
            crossover=dict(
                beta=1.5, k=preset(name, quick=(20, 60, 180), paper=(20, 40, 80, 160, 320)), pi=(0.0, 0.1),
                ratio=(0.2, 0.5, 1.0, 2.1, 5.0), n_items=10_000, replicates=preset(name, quick=512, paper=5000),
            ),
            master=dict(beta=1.5, ratio=geomspace(0.01, 100, 81)),
            additive=dict(items, k=200, T=half, replicates=replicates),
            floor=dict(items, lost=(0.05, 0.08, 0.12, 0.2, 0.3), T=200_000, replicates=preset(name, quick=8, paper=64)),
            generator=dict(
                items, T0=preset(name, quick=(100, 300, 1000), paper=(100, 300, 1000, 3000)), growth=10,
                replicates=preset(name, quick=256, paper=2000),
            ),
            narrow=dict(items, temperature=(1.0, 0.9, 0.75, 0.5), T=half, replicates=replicates),
            generations=dict(
                items, T=preset(name, quick=(100, 400, 1600), paper=(100, 200, 400, 800, 1600)),
                generations=(0, 1, 2, 4, 8, 16), longest=16, growth=1.0, replicates=preset(name, quick=256, paper=2000),
            ),
            resampling=dict(
                beta=1.5, n_items=2000, T=50, generations=(1, 3, 8), longest=8, growth=1.0,
                replicates=preset(name, quick=512, paper=4000),
            ),
            many_generations=dict(beta=1.5, generations=(1, 4, 16, 64, 256, 1024)),
            growing=dict(
                items, growth=(1.2, 1.5, 2.0), T=100, generations=(0, 1, 2, 4, 8), longest=8,
                replicates=preset(name, quick=256, paper=2000),
            ),
            grokking=dict(
                items, k=100, pi=pi,
                T=preset(name, quick=(*half[2:], 316_228, 1_000_000), paper=(*half[2:], 10**7, 10**8)),
                replicates=preset(name, quick=32, paper=200),
            ),
            mixture=dict(many, k=100, pi=pi, T=geomspace(1e3, 1e5, 5)),
            plateau=dict(beta=1.5, k=100, pi=pi, T=geomspace(1e2, 1e8, 91)),
            bigram=dict(
                counted, T=(10, 32, 100, 316, 1000, 3162, 10_000), replicates=preset(name, quick=800, paper=5000),
            ),
            contexts=dict(
                beta=1.5, n_contexts=20, n_items=30, k=(30, 10), T=(30, 300),
                replicates=preset(name, quick=256, paper=2000),
            ),
            expansion=dict(counted, n_items=30_000, T=tuple(map(round, geomspace(10, 10_000, 13)))),
            memory=dict(
                beta=1.5, M=20, n_items=preset(name, quick=500, paper=1000), rho=(0.0, 0.25, 0.5, 1.0),
                d=(32, 64, 128, 256), replicates=preset(name, quick=128, paper=1000),
            ),
            threshold=dict(M=20, rho=0.0, d=(128, 256), replicates=preset(name, quick=1500, paper=20_000)),
            memory_slopes=dict(beta=2.0, M=20, n_items=2000, rho=(0.5, 1.0), d=(256, 1024, 4096)),
            triplet=dict(
                items, k=100, capacity=(10, 30, 100, 300), T=half, replicates=preset(name, quick=128, paper=1000),
            ),
        )
    )  # fmt: skip


def training_law(beta: float, n_items: int, temperature: float = 1.0, k: int = 0, pi: float = 0.0):
    """Zipf narrowed to beta / temperature, cut at rank k (0: not at all), and mixed with a share pi of true rows."""
    generated = problems.zipf_head(beta / temperature, n_items)
    generated = problems.truncate_tail(generated, k) if k else generated
    return pi * problems.zipf_head(beta, n_items) + (1 - pi) * generated


def laws(beta: float, n_items: int, trained, capacity: int = 0) -> problems.Laws:
    """True and training law over all ranks; beyond the capacity (0: none) nothing is learnt."""
    known = capacity or n_items
    listed = problems.add_rare_items(problems.zipf_head(beta, n_items)[:known], trained[:known])
    return problems.Laws(*([*law, *[0.0] * (n_items - known)] for law in listed))


def simulate_crossover(key, p, q, k: int, beta: float, scale: int, ratio: tuple[float, ...]):
    """Errors at T = ratio k^beta, as they are and in the units of the floor."""
    risk = simulators.simulate_unseen_items(key, p, q, tuple(round(x * scale) for x in ratio))["risk"]
    return {"risk": risk, "scaled": risk * k ** (beta - 1)}


def in_floors(law, beta, ratio, k=1e6):
    """k^(beta - 1) E at T = ratio k^beta, in the limit of large k unless one is given."""
    return k ** (beta - 1) * law(beta, ratio * k**beta, k)


def master_curve(beta: float, ratio: float):
    return in_floors(theory.truncated_zipf_error, beta, ratio)


def cut_at_10000(beta: float, ratio: float):
    return in_floors(theory.truncated_zipf_error, beta, ratio, 1e4)


def additive_curve(beta: float, ratio: float):
    return in_floors(additive_law, beta, ratio)


def additive_law(beta: float, T: float, k: float):
    return theory.unseen_item_error_asymptotic(beta, T) + floor_of_cut(beta, k)


def floor_of_cut(beta: float, k: float):
    return theory.truncated_zipf_error(beta, 1e30, k)


def data_sizes(T: int, growth: float, longest: int) -> tuple[int, ...]:
    return tuple(round(T * growth**g) for g in range(longest + 1))


def by_branching(p, Ts, generations: int):
    return theory.unseen_item_error_generations(p, Ts[: generations + 1])


def by_binomials(p, Ts: tuple[int, ...], generations: int):
    return theory.unseen_item_error_generations(p, Ts[: generations + 1], "exact")


def simulate_one_context(key, p, q, T: tuple[int, ...]):
    return simulators.simulate_bigram(key, problems.zipf_probabilities(0, 1), p, q, T)


def counted_law(head, T: float):
    """Expected total variation over all ranks; one that is not listed is seen once or never, and costs its mass."""
    return theory.total_variation_learning_curve(head, head, T) + 1 - head.sum()


def leading_power(beta: float, T: float, small: float, large: float):
    """The term of the smaller exponent in the expansion: from T to 4 T the other one is eliminated."""
    both = theory.total_variation_asymptotic
    return (both(beta, 4 * T) - 4**-large * both(beta, T)) / (4**-small - 4**-large)


def loss_of_generations(beta: float, generations: int):
    """E_n / E_0 when all data sets have one large size."""
    one, size = theory.unseen_item_error_asymptotic, 1e9
    return one(beta, size * theory.generation_survival_factor([1] * (generations + 1))) / one(beta, size)


def limited(head, trained, T: float, capacity: float):
    return theory.limited_capacity_error(head, trained, T, capacity)


def kept_ranks(beta: float, n_items: int, lost: float) -> int:
    """The nucleus of mass 1 - lost."""
    return int(problems.truncate_top_p(problems.zipf_head(beta, n_items), 1 - lost).k)


def storage(p, rho: float, d: int):
    """Weights p^rho; for rho = 0 the d most frequent items alone."""
    return [float(i < d) for i in range(len(p))] if rho == 0 else (p / p[0]) ** rho


def classes(n_items: int, M: int):
    return [i % M for i in range(n_items)]


def experiment(config) -> Experiment:
    family = simulators.scaling_tails
    exact_sum = theory.unseen_item_error
    law: dict[str, Any] = dict(trained=training_law, laws=laws)
    finite = dict(p=lambda beta, n_items: problems.zipf_probabilities(beta, n_items))
    sizes = dict(Ts=data_sizes)
    stream = dict(
        simulate=family.simulate_unseen_items, predict=exact_sum, measure={"risk": ("T",)}, block=32, derive=law
    )
    fast = dict(simulate=family.simulate_unseen_items_fast)
    history = dict(simulate=family.simulate_item_generations, predict=by_branching, measure={"risk": ("generations",)})
    dense_T = {"T": geomspace(10, 1e5, 41)}
    return Experiment(
        dict(
            clean=Sweep(**dict(stream, **fast), values=config.clean, over=("beta",), curve=dense_T),
            power_law=Sweep(
                predict=dict(risk=exact_sum, power_law=theory.unseen_item_error_asymptotic,
                             exponent=lambda narrow: narrow),
                values=config.power_law, over=("temperature",),
                measure={"risk": ("T",), "power_law": ("T",), "exponent": ()},
                derive=dict(law, beta_train=lambda beta, temperature: beta / temperature,
                            narrow=lambda beta, beta_train: theory.tail_scaling_exponents(beta, beta_train)["narrow"]),
            ),
            clean_law=Sweep(
                predict=theory.unseen_item_error_asymptotic, values=config.clean_law, over=("beta",),
                measure={"risk": ("T",)},
            ),
            cut=Sweep(**stream, values=config.cut, over=("k",), curve=dense_T),
            double_law=Sweep(
                predict=dict(risk=theory.truncated_zipf_error, floor=floor_of_cut, time=theory.tail_grokking_time),
                values=config.double_law, over=("k",), measure={"risk": ("T",), "floor": (), "time": ()},
            ),
            crossover=Sweep(
                simulate=simulate_crossover,
                predict=dict(risk=theory.truncated_zipf_mixture_error, scaled=master_curve), values=config.crossover,
                over=("pi", "k"), measure={"risk": ("ratio",), "scaled": ("ratio",)},
                curve={"ratio": geomspace(0.2, 5, 21)},
                derive=dict(law, scale=lambda beta, k: round(k**beta), T=lambda ratio, scale: round(ratio * scale)),
            ),
            master=Sweep(
                predict=dict(double=master_curve, cut=cut_at_10000, additive=additive_curve), values=config.master,
                measure={"double": ("ratio",), "cut": ("ratio",), "additive": ("ratio",)},
            ),
            additive=Sweep(**dict(stream, predict=additive_law), values=config.additive),
            floor=Sweep(
                **dict(stream, measure={"risk": ()}, derive=dict(law, k=kept_ranks)),
                values=config.floor, over=("lost",),
            ),
            generator=Sweep(
                simulate=family.simulate_item_generations, predict=theory.unseen_item_error_generations,
                values=config.generator, over=("T0",), measure={"risk": ()},
                derive=dict(finite, Ts=lambda T0, growth: (T0, growth * T0)),
            ),
            narrow=Sweep(**stream, values=config.narrow, over=("temperature",), curve=dense_T),
            generations=Sweep(
                **history, values=config.generations, over=("T",), derive={**finite, **sizes},
                curve={"T": geomspace(100, 1600, 13)},
            ),
            resampling=Sweep(
                **dict(history, predict=by_binomials), values=config.resampling, derive={**finite, **sizes},
            ),
            many_generations=Sweep(
                predict=dict(loss=loss_of_generations,
                             asymptote=lambda beta, generations: (generations / 2) ** (1 - 1 / beta)),
                values=config.many_generations, measure={"loss": ("generations",), "asymptote": ("generations",)},
            ),
            growing=Sweep(**history, values=config.growing, over=("growth",), derive={**finite, **sizes}),
            grokking=Sweep(
                **dict(stream, **fast), values=config.grokking, over=("pi",), curve={"T": geomspace(100, 1e6, 41)},
            ),
            mixture=Sweep(
                predict=dict(risk=exact_sum, continuum=theory.truncated_zipf_mixture_error), values=config.mixture,
                over=("pi",), measure={"risk": ("T",), "continuum": ("T",)}, derive=law,
            ),
            plateau=Sweep(
                predict=dict(risk=theory.truncated_zipf_mixture_error, time=theory.tail_grokking_time),
                values=config.plateau, over=("pi",), measure={"risk": ("T",), "time": ()},
            ),
            bigram=Sweep(
                simulate=simulate_one_context, predict=counted_law, values=config.bigram, over=("beta",),
                measure={"risk": ("T",)}, derive=dict(law, head=problems.zipf_head),
                curve={"T": tuple(map(round, geomspace(10, 10_000, 31)))},
            ),
            contexts=Sweep(
                simulate=family.simulate_bigram, predict=theory.bigram_total_variation_error, values=config.contexts,
                over=("k",), measure={"risk": ("T",)},
                derive=dict(p_ctx=lambda beta, n_contexts: problems.zipf_probabilities(beta, n_contexts),
                            cond_true=lambda beta, n_items: problems.zipf_probabilities(beta, n_items),
                            cond_train=lambda cond_true, k: problems.truncate_tail(cond_true, k)),
            ),
            expansion=Sweep(
                predict=dict(risk=counted_law, two_terms=theory.total_variation_asymptotic, leading=leading_power),
                values=config.expansion, over=("beta",),
                measure={"risk": ("T",), "two_terms": ("T",), "leading": ("T",)},
                derive=dict(head=problems.zipf_head, n_samples=lambda T: T,
                            small=lambda beta: min(1 - 1 / beta, 0.5), large=lambda beta: max(1 - 1 / beta, 0.5)),
            ),
            memory=Sweep(
                simulate=family.simulate_associative_memory, predict=theory.associative_memory_error,
                values=config.memory, over=("rho", "d"), measure={"risk": ()},
                derive=dict(finite, w=storage, y=classes),
            ),
            threshold=Sweep(
                simulate=family.simulate_associative_memory, predict=theory.associative_memory_error,
                values=config.threshold, over=("d",), measure={"risk": ()},
                derive=dict(p=lambda d: problems.zipf_probabilities(0, d), n_items=lambda d: d, w=storage, y=classes),
                block=256, batch=32,
            ),
            memory_slopes=Sweep(
                predict=dict(risk=theory.associative_memory_error, exponent=lambda slope: slope),
                values=config.memory_slopes, over=("rho",), measure={"risk": ("d",), "exponent": ()},
                derive=dict(finite, w=storage, y=classes,
                            slope=lambda beta, rho: theory.tail_scaling_exponents(beta, rho=rho)["memory"]),
            ),
            triplet=Sweep(
                **dict(stream, predict=limited, derive=dict(law, head=problems.zipf_head)), values=config.triplet,
                over=("capacity",), curve=dense_T,
            ),
        ),
        CLAIMS,
    )  # fmt: skip
