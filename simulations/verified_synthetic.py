"""When does training on generated labels lead to a good classifier, although no clean label is ever used?

A verifier keeps or drops each generated pair. Labels that are wrong by chance give the best classifier below a
breakdown point, the worst one above it; where mistakes are a function of the input, nothing is sharp, and little helps.
"""

from __future__ import annotations

from math import pi

from theorylab import problems, simulators, theory
from theorylab.compare.claims import bound, exact, exponent, identity, order
from theorylab.compare.contrasts import at, log_slope, stack
from theorylab.experiment import Experiment, geomspace, preset
from theorylab.sweep.spec import Sweep

PAPER = (
    "Feng, Dohmatob, Yang, Charton, Kempe, Beyond Model Collapse: Scaling Up with Synthesized Data Requires "
    "Verification, ICLR 2025 (arXiv 2406.07515); El Firdoussi, Seddik, Hayou et al., Maximizing the Potential of "
    "Synthetic Data, ICLR 2025 (arXiv 2410.08942)"
)

STAR = 0.75  # breakdown point of the verifier of fig_breakdown, phi = 0.9, psi = 0.3
LINE = 0.5 * 0.55 / 0.45  # psi at which half of the labels that fig_models keeps is wrong
FINITE = 0.01  # relative error of large-size accuracies at d = 100: 0.005 of at least 1/2
REAL = 0.03  # the Gaussian theory on images: see the claim
SELECTIONS = ("none", "random", "weak", "strong", "oracle", "clean")
OFF_STAR = {"p": lambda p: abs(p - STAR) > 1e-6}


def _folded(surplus):
    """Accuracy where most kept labels are right, error where most are wrong: at least 1/2 in theory."""
    return lambda data: data.accuracy.where(surplus(data) >= 0, 1 - data.accuracy)


def _off_line(surplus):
    """By how much that exceeds one half, off the line on which half of the kept labels is wrong."""
    return lambda data: (_folded(surplus)(data) - 0.5).where(abs(surplus(data)) > 0.04, 1.0)


def _by_rate(data):
    return 0.9 * (1 - data.p) - data.psi * data.p + 1e-9


def _by_verifier(data):
    return data.phi * 0.65 - data.psi * 0.35 + 1e-9


def _step(data):
    return (data.p < STAR) * 1.0


def _each(data):
    return {str(name): data.accuracy.sel(selection=name, drop=True) for name in data.selection.values}


def _from_clean_to_weak(data):
    """Each selection above the next worse one."""
    of = _each(data)
    return stack(of["clean"] - of["oracle"], of["oracle"] - of["strong"], of["strong"] - of["weak"])


def _weak_lifts(data):
    """The weak verifier is worse than the generator, and yet its selection beats the generator in the end."""
    selected = at(_each(data)["weak"], n=1e9)
    return stack(data.generator - data.weak, selected - data.generator)


def _rises(data):
    """Gain from the sixth of the sizes to the last, over what it is without selection."""
    gain = {name: values.isel(n=-1, drop=True) - values.isel(n=5, drop=True) for name, values in _each(data).items()}
    return stack(gain["strong"] - gain["none"], gain["clean"] - gain["strong"])


def _drop(data, model, n):
    """Loss of accuracy from psi = 0.5 to psi = 0.7, across the line."""
    curve = at(data.accuracy.sel(model=model, drop=True), n=n)
    return at(curve, psi=0.5) - at(curve, psi=0.7)


def _sharpens(data):
    """The drop across the line grows with the size for noise; for a linear generator it stays small."""
    noise = [_drop(data, "noise", n) for n in (1e3, 5e3, 2.5e4)]
    linear = [_drop(data, "generator", n) for n in (1e3, 5e3, 2.5e4)]
    return stack(noise[1] - 1.5 * noise[0], noise[2] - 1.5 * noise[1], *(0.04 - drop for drop in linear))


def rank_correlation(x, y, axis):
    """Spearman's correlation along an axis, in every replicate."""
    ranks = [v.argsort(v.get_axis_num(axis)).argsort(v.get_axis_num(axis)) for v in (x, y)]
    first, second = (rank - rank.mean(axis) for rank in ranks)
    return (first * second).mean(axis) / (first.std(axis) * second.std(axis))


def panel_ranks(data):
    """Rank correlation of the measured margin p_star - p and the final accuracy, over verifiers."""
    return rank_correlation(data.margin, data.accuracy.sel(kind="linear", drop=True), "verifier")


def _best_verifiers(data):
    """Mean accuracy of the third of the verifiers with the largest measured margin, less that of the others."""
    accuracy = data.accuracy.sel(kind="linear", drop=True)
    top = data.margin >= data.margin.quantile(2 / 3, "verifier").drop_vars("quantile")
    return accuracy.where(top).mean("verifier") - accuracy.where(~top).mean("verifier")


def _graded(data):
    """Final accuracy rises with every eightfold number of labels behind the verifier."""
    return data.accuracy.sel(n_v=[2, 16, 128]).diff("n_v")


CLAIMS = (
    exact(
        "In a Gaussian mixture the accuracy is the closed form's at every size, flip rate and psi, to its own 1%",
        sweep="breakdown", of=_folded(_by_rate), error=FINITE, figure="fig_breakdown",
    ),
    order(
        "More than half is right below the breakdown point phi / (phi + psi), less than half above it, at every size",
        sweep="breakdown", of=_off_line(_by_rate), figure="fig_breakdown",
    ),
    exact(
        "At the breakdown point the classifier guesses, at every size",
        sweep="breakdown", of="accuracy", where={"p": STAR, "psi": 0.3}, figure="fig_breakdown",
    ),
    identity(
        "With infinitely many samples it agrees with the best classifier below the breakdown point, with its opposite "
        "above", sweep="population", of="agreement", equals=_step, where=OFF_STAR, digits=8, figure="fig_breakdown",
    ),
    identity(
        "The closed form tends to that step: to 1% at 10^8 samples, 0.05 away and further",
        sweep="breakdown", of="agreement", equals=_step, tolerance=0.01, figure="fig_breakdown",
        where={"n": 10**8, "psi": 0.3, **OFF_STAR},
    ),
    exact(
        "The slope of the accuracy at the breakdown point is the closed form's, to 2%",
        sweep="sharpness", of="slope", error=0.01, figure="fig_sharpness",
    ),
    exponent(
        "Measured over sizes the slope grows by the formula's exponent",
        sweep="sharpness", of=lambda data: -data.slope, axis="n", where={"n": lambda n: n >= 3000},
        figure="fig_sharpness",
    ),
    identity(
        "That exponent tends to 1/2: the slope grows as sqrt(n/d)",
        sweep="sharpness", of=lambda data: log_slope(-data.slope, "n"), equals=0.5, tolerance=1e-3,
        where={"n": lambda n: n >= 10**6}, figure="fig_sharpness",
    ),
    exact(
        "The accuracy is the closed form's over all keep rates phi, psi and three sizes, to its own 1%",
        sweep="phase", of=_folded(_by_verifier), error=FINITE, figure="fig_phase_diagram",
    ),
    order(
        "The line psi = phi (1 - p) / p separates accuracies above one half from those below",
        sweep="phase", of=_off_line(_by_verifier), figure="fig_phase_diagram",
    ),
    exact(
        "Trained generator, trained verifiers: every scaling curve follows from the numbers of clean labels, within 2%",
        sweep="scaling", of="accuracy", error=FINITE, figure="fig_scaling",
    ),
    order(
        "Without selection the accuracy stays below the generator's, and random selection is worse still",
        sweep="scaling", figure="fig_scaling", where={"n": lambda n: n <= 800},
        of=lambda data: stack(data.generator - _each(data)["none"], _each(data)["none"] - _each(data)["random"]),
    ),
    order(
        "A verifier that is worse than the generator lifts the accuracy above the generator's",
        sweep="scaling", of=_weak_lifts, figure="fig_scaling",
    ),
    order(
        "Where no selection has gone flat, a strong verifier still makes the curve rise, and clean labels more so",
        sweep="scaling", of=_rises, figure="fig_scaling",
    ),
    order(
        "Clean labels are better than an oracle's selection, that than a strong verifier's, and that than a weak one's",
        sweep="scaling", of=_from_clean_to_weak, where={"n": lambda n: n >= 100}, figure="fig_scaling",
    ),
    identity(
        "A perfect linear verifier halves the error of the generator and no more",
        sweep="oracle", of="limit", equals=lambda data: (1 + data.generator) / 2, figure="fig_scaling",
    ),
    exact(
        "phi, psi and the breakdown point of a linear verifier follow from three angles",
        sweep="rates", of=lambda data: stack(data.phi, data.psi, data.p_star), figure="fig_verifier_rates",
    ),
    exact(
        "With each of sixty verifiers the accuracy is the closed form's, to its own 1%, linear ones and their coins",
        sweep="proxy", of="accuracy", error=FINITE, figure="fig_proxy",
    ),
    order(
        "The measured margin p* - p ranks verifiers by final accuracy: rank correlation above 0.95",
        sweep="proxy", of=lambda data: panel_ranks(data) - 0.95, figure="fig_proxy",
    ),
    order(
        "The third of the verifiers with the largest measured margin gives better classifiers than the rest",
        sweep="proxy", of=_best_verifiers, figure="fig_proxy",
    ),
    exact(
        "The error bar of the measured breakdown point is calibrated, to 5%",
        sweep="error_bar", of="calibration", margin=0.05, figure="fig_proxy",
    ),
    exact(
        "The accuracy is the closed form's for labels wrong by chance and for those of a linear generator, to its 1%",
        sweep="models", of=lambda data: data.accuracy.where(
            (data.psi <= LINE) | (data.model == "generator"), 1 - data.accuracy),
        error=FINITE, figure="fig_models",
    ),
    order(
        "Wrong by chance: above one half before the line psi = phi (1 - p) / p, below it behind",
        sweep="models", of=lambda data: (data.accuracy - 0.5).where(data.psi < LINE, 0.5 - data.accuracy),
        where={"model": "noise", "psi": lambda psi: abs(psi - LINE) > 0.02}, figure="fig_models",
    ),
    order(
        "Wrong labels of a linear generator: above one half at every psi",
        sweep="models", of=lambda data: data.accuracy - 0.5, where={"model": "generator"}, figure="fig_models",
    ),
    order(
        "Five times the samples steepen the drop across the line 1.5 times for chance; a generator's stays below 0.04",
        sweep="models", of=_sharpens, figure="fig_models",
    ),
    identity(
        "With infinitely many labels of a linear generator selection helps exactly when phi > psi",
        sweep="coin_limit", of=lambda data: 1.0 * (data.limit > data.generator), figure="fig_models",
        equals=lambda data: (data.psi < 0.5) * 1.0,
    ),
    exact(
        "With real data added the accuracy is the closed form's at every number of generated pairs, to its own 1%",
        sweep="mixed", of="accuracy", error=FINITE, where={"p": 0.35}, figure="fig_mixed",
    ),
    order(
        "A few generated pairs cost more variance than they bring signal, verified or not: the accuracy first dips",
        sweep="mixed", of=lambda data: at(data.accuracy, n=0) - at(data.accuracy, n=50), where={"p": 0.35},
        figure="fig_mixed",
    ),
    order(
        "Past their breakdown point unverified pairs hurt at every number, and in the end reverse the classifier",
        sweep="mixed", where={"p": 0.55, "verifier": "none"}, figure="fig_mixed",
        of=lambda data: stack(*(at(data.accuracy, n=0) - at(data.accuracy, n=n) for n in (50, 800, 1e4)),
                              0.5 - at(data.accuracy, n=1e6)),
    ),
    order(
        "The same pairs, verified with a breakdown point above p, beat the real data alone in the end",
        sweep="mixed", where={"p": 0.55, "verifier": "strong"}, figure="fig_mixed",
        of=lambda data: at(data.accuracy, n=1e4) - at(data.accuracy, n=0),
    ),
    exact(
        "On the Gaussian mixture fitted to images the accuracy follows from the numbers of labels, to 1%",
        sweep="digits", of="accuracy", error=FINITE, where={"gaussian": 1}, figure="fig_digits",
    ),
    exact(
        "On the images themselves it is within 3% of that",
        sweep="digits", of="accuracy", error=REAL, margin=REAL, where={"gaussian": 0}, figure="fig_digits",
    ),
    bound(
        "The Gaussian theory is optimistic: no accuracy on images exceeds it",
        sweep="digits", of="accuracy", where={"gaussian": 0}, figure="fig_digits",
    ),
    order(
        "On images, too, every eightfold number of labels behind the verifier raises the final accuracy",
        sweep="digits", of=_graded, where={"gaussian": 0}, figure="fig_digits",
    ),
    order(
        "On images, too, the measured breakdown point ranks the verifiers: a positive rank correlation",
        sweep="digits", of=lambda data: rank_correlation(data.p_star, data.accuracy, "n_v"),
        where={"gaussian": 0}, figure="fig_digits",
    ),
)  # fmt: skip


def get_config(name: str):
    from ml_collections import ConfigDict

    mixture = dict(d=100, mu_norm=2.0, lam=0.1)
    flip_rates = (0.0, 0.1, 0.2, 0.35, 0.5, 0.6, 0.7, STAR, 0.8, 0.9, 1.0)
    keep_rates = (0.1, 0.3, 0.5, 0.7, 0.9)
    scaling_n = (50, 100, 200, 400, 800, 3200, preset(name, quick=20_000, paper=1_000_000))
    angles = dict(rho_g=0.5, rho_v=(0.1, 0.4, 0.7, 0.95), t=(-0.7, 0.0, 0.7))
    return ConfigDict(
        dict(
            breakdown=dict(
                **mixture, phi=0.9, psi=(0.1, 0.3, 0.6), n=(100, 400, 2000, 10_000, 10**8), p=flip_rates,
                replicates=preset(name, quick=128, paper=2000),
            ),
            population=dict(**mixture, phi=0.9, psi=0.3, p=flip_rates),
            sharpness=dict(
                **mixture, phi=0.9, psi=0.3, n=(100, 300, 1000, 3000, 10_000, 10**6, 10**7), width=0.04,
                replicates=preset(name, quick=480, paper=5000),
            ),
            phase=dict(
                **mixture, n=(200, 2000, 1_000_000), p=0.35, phi=keep_rates, psi=keep_rates,
                replicates=preset(name, quick=96, paper=1000),
            ),
            mixed=dict(
                **mixture, n_real=50, n=(0, 50, 100, 200, 400, 800, 3200, 10_000, 100_000, 1_000_000), p=(0.35, 0.55),
                verifier=("strong", "weak", "none"), replicates=preset(name, quick=128, paper=2000),
            ),
            scaling=dict(
                d=100, n_0=100, n_v=(50, 400), lam=0.1, rate=0.6, selection=SELECTIONS, n=scaling_n,
                replicates=preset(name, quick=48, paper=500),
            ),
            oracle=dict(rho_g=(0.1, 0.3, 0.5, 0.7, 0.9)),
            rates=dict(**angles, labelled=4000, sets=2, replicates=preset(name, quick=32, paper=500)),
            proxy=dict(
                d=100, n=2000, lam=0.1, rho_g=0.5, count=60, seed=0, labelled=2000, kind=("linear", "coin"),
                verifier=tuple(range(60)), replicates=preset(name, quick=24, paper=500),
            ),
            error_bar=dict(
                rho_g=0.5, rho_v=0.7, r=0.35, labelled=500, sets=500, replicates=preset(name, quick=60, paper=200),
            ),
            models=dict(
                d=100, lam=0.01, p=0.45, phi=0.5, model=("noise", "generator"), n=(1000, 5000, 25_000),
                psi=(0.05, 0.2, 0.35, 0.5, LINE, 0.7, 1.0),
                replicates=preset(name, quick=32, paper=500),
            ),
            coin_limit=dict(p=(0.1, 0.25, 0.45), phi=0.5, lam=0.0, psi=(0.05, 0.2, 0.4, 0.45, 0.55, 0.7, 1.0)),
            digits=dict(
                task=("1 against 8", "8 against the rest"), gaussian=(0, 1), images=170, d=20, n_0=4,
                n_v=(2, 4, 8, 16, 32, 64, 128, 256), n=200, lam=0.3, labelled=1000,
                replicates=preset(name, quick=320, paper=4000),
            ),
        )
    )  # fmt: skip


VERIFIERS = dict(strong=(0.9, 0.1), weak=(0.9, 0.6), none=(1.0, 1.0))


def panel_rates(rho_g: float, rho_v, r) -> theory.LinearVerifierRates:
    """Rates of the linear verifiers, for coins to have the same."""
    import jax

    return jax.jit(jax.vmap(theory.linear_verifier_rates, (None, 0, 0)))(rho_g, rho_v, r)


def trained(size: float, d: float, lam: float) -> float:
    """Cosine with the truth of a ridge classifier trained on so many clean labels."""
    import jax

    return float(jax.jit(theory.clean_ridge_cosine)(d / size, lam))


def generator_cosine(selection: str, n_0: int, d: int, lam: float) -> float:
    """Clean labels are those of a perfect generator."""
    return 1.0 if selection == "clean" else trained(n_0, d, lam)


def verifier_cosine(selection: str, n_v, d: int, lam: float, rho_g: float) -> float:
    """Nothing is selected by a verifier that equals the generator."""
    of = dict(weak=n_v[0], strong=n_v[1])
    return trained(of[selection], d, lam) if selection in of else 1.0 if selection == "oracle" else rho_g


def mutual_cosine(selection: str, rho_g: float, rho_v: float) -> float:
    return rho_g * rho_v if selection in ("weak", "strong", "oracle") else 1.0


def clean_accuracy(n: float, d: float, lam: float):
    return theory.bernoulli_verifier_accuracy_label_noise(d / n, lam, 0.0, 1.0, 1.0).accuracy


def generator_accuracy(n_0: float, d: float, lam: float):
    return clean_accuracy(n_0, d, lam)


def weak_accuracy(n_v, d: float, lam: float):
    return clean_accuracy(n_v[0], d, lam)


def perfect_verifier(rho_g: float):
    return theory.linear_verifier_accuracy(rho_g, 1.0, rho_g, 0.0, 0.1).limit


def linear_generator(rho_g: float):
    return 1 - theory.linear_verifier_rates(rho_g, 1.0, rho_g).p


def coin_accuracy(model: str, p: float, phi: float, psi: float, d: float, n: float, lam: float):
    from jax.numpy import cos

    if model == "noise":
        return theory.bernoulli_verifier_accuracy_label_noise(d / n, lam, p, phi, psi).accuracy
    return theory.bernoulli_verifier_accuracy_linear_generator(cos(pi * p), phi, psi, d / n, lam).accuracy


def coin_limit(p: float, phi: float, psi: float, lam: float):
    return coin_accuracy("generator", p, phi, psi, 0.0, 1.0, lam)


def panel_accuracy(kind: str, verifier: float, rho_g: float, rho_v, r, d: float, n: float, lam: float):
    from jax.numpy import asarray

    rho_v, r = (values[asarray(verifier, int)] for values in (rho_v, r))
    if kind == "linear":
        return theory.linear_verifier_accuracy(rho_g, rho_v, r, d / n, lam).accuracy
    rates = theory.linear_verifier_rates(rho_g, rho_v, r)
    return theory.bernoulli_verifier_accuracy_linear_generator(rho_g, rates.phi, rates.psi, d / n, lam).accuracy


def panel_margin(verifier: float, rho_g: float, rho_v, r):
    from jax.numpy import asarray

    rates = theory.linear_verifier_rates(rho_g, *(values[asarray(verifier, int)] for values in (rho_v, r)))
    return rates.p_star - rates.p


def one(labelled: float):
    return labelled / labelled


def task_images(task: str, images: int, d: int) -> problems.ClassPopulation:
    digit, *others = (int(word) for word in task.split() if word.isdigit())
    return problems.digits_task(digit, tuple(others), images, d)


def trained_mixture(mu_norm: float, d: int, n_0: float, n_v: float, n: float, lam: float):
    """Generator and verifier trained on clean labels of an isotropic mixture, and what their selection leads to."""
    import jax
    from jax.numpy import eye, ones, stack

    cosine = lambda size: theory.verified_gmm_accuracy(ones(d), mu_norm * eye(d)[0], size, lam, 0.0, 1.0, 1.0).rho
    rho_g, rho_v = jax.vmap(cosine)(stack([n_0, n_v]))
    return theory.linear_verifier_accuracy_gmm(mu_norm, rho_g, rho_v, rho_g * rho_v, d / n, lam)


def experiment(config) -> Experiment:
    family, accuracy = simulators.verified_synthetic, theory.verified_gmm_accuracy
    mixture = dict(problem=problems.isotropic_mixture)
    groups = dict(simulate=family.simulate_verified_groups, derive=mixture, block=32)
    rates = dict(simulate=family.simulate_linear_verifier_rates, block=16)
    fine, rough = (tuple((i + 0.5) / count for i in range(count)) for count in (60, 25))
    few, dense = (0.05, *(i / 10 for i in range(1, 10)), 0.95), geomspace(1e2, 1e7, 60)
    return Experiment(
        dict(
            breakdown=Sweep(
                **groups, predict=accuracy, values=config.breakdown, curve={"p": fine, "psi": few},
                measure={"accuracy": ("n", "p", "psi"), "agreement": ("n", "p", "psi")},
            ),
            population=Sweep(
                predict=theory.verified_gmm_accuracy_population, values=config.population, derive=mixture,
                measure={"accuracy": ("p",), "agreement": ("p",)},
            ),
            sharpness=Sweep(
                simulate=family.simulate_verified_transition, predict=theory.verified_gmm_transition_slope,
                values=config.sharpness, derive=mixture, measure={"slope": ("n",)}, curve={"n": dense}, block=32,
            ),
            phase=Sweep(
                **groups, predict=accuracy, values=config.phase, measure={"accuracy": ("n", "phi", "psi")},
                curve={"phi": rough, "psi": rough},
            ),
            mixed=Sweep(
                **dict(groups, derive=dict(**mixture, n_syn=lambda n: n, phi=lambda verifier: VERIFIERS[verifier][0],
                                          psi=lambda verifier: VERIFIERS[verifier][1])),
                predict=theory.verified_gmm_accuracy_with_real_data, values=config.mixed, over=("verifier",),
                measure={"accuracy": ("n", "p")}, curve={"n": (*range(0, 30, 5), *geomspace(30, 1e6, 60))},
            ),
            scaling=Sweep(
                simulate=family.simulate_verified_scaling, values=config.scaling, block=8,
                predict=dict(accuracy=theory.linear_verifier_accuracy, generator=generator_accuracy,
                             weak=weak_accuracy),
                derive=dict(rho_g=generator_cosine, rho_v=verifier_cosine, r=mutual_cosine, gamma=lambda d, n: d / n,
                            keep_frac=lambda selection, rate: rate if selection == "random" else 1.0),
                measure={"accuracy": ("selection", "n"), "generator": (), "weak": ()},
                curve={"n": geomspace(40, 1e6, 50)},
            ),
            oracle=Sweep(
                predict=dict(limit=perfect_verifier, generator=linear_generator), values=config.oracle,
                over=("rho_g",), measure={"limit": (), "generator": ()},
            ),
            rates=Sweep(
                **rates, predict=theory.linear_verifier_rates, values=config.rates, over=("rho_v", "t"),
                measure={"phi": (), "psi": (), "p_star": ()},
                derive=dict(r=lambda rho_g, rho_v, t: (
                    rho_g * rho_v + t * ((1 - rho_g**2) * (1 - rho_v**2)) ** 0.5)),
                curve={"rho_v": tuple(0.02 * i for i in range(50)), "t": tuple(-0.98 + 0.049 * i for i in range(41))},
            ),
            proxy=Sweep(
                simulate=family.simulate_verifier_panel, values=config.proxy, block=8,
                predict=dict(accuracy=panel_accuracy, margin=panel_margin),
                measure={"accuracy": ("kind", "verifier"), "margin": ("verifier",), "p_star_se": ("verifier",)},
                derive=dict(verifiers=problems.random_verifiers, rates=panel_rates),
            ),
            error_bar=Sweep(**rates, predict=one, values=config.error_bar, measure={"calibration": ()}),
            models=Sweep(
                simulate=family.simulate_coin_verifier, predict=coin_accuracy, values=config.models, block=8,
                measure={"accuracy": ("model", "n", "psi")}, curve={"psi": tuple(i / 50 for i in range(1, 51))},
            ),
            coin_limit=Sweep(
                predict=dict(limit=coin_limit, generator=lambda p: 1 - p), values=config.coin_limit, over=("p", "psi"),
                measure={"limit": (), "generator": ()},
            ),
            digits=Sweep(
                simulate=family.simulate_verified_classes, values=config.digits,
                predict=dict(accuracy=trained_mixture, p_star=trained_mixture),
                over=("task", "gaussian"), derive=dict(population=task_images), curve={"n_v": geomspace(1, 512, 40)},
                measure={"accuracy": ("n_v",), "p_star": ("n_v",), "generator": ()},
            ),
        ),
        CLAIMS,
    )  # fmt: skip
