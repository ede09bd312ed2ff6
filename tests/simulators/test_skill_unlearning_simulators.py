"""The gcd transformer: operands against enumeration, network and optimiser against NumPy, training, planted faults."""

from dataclasses import replace
from functools import cache, partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import xarray
from ml_collections import ConfigDict
from numpy.testing import assert_allclose, assert_array_equal
from scipy import special, stats

from simulations import skill_unlearning as experiment
from theorylab import theory
from theorylab.compare.judge import judge
from theorylab.simulators import skill_unlearning as family
from theorylab.simulators.skill_unlearning import GcdTransformer, draw_operands, simulate_skill_unlearning
from theorylab.sweep.assemble import theory_datasets
from theorylab.sweep.compiling import compiled
from theorylab.sweep.execute import Inline, finished_blocks, run_blocks, run_sweep
from theorylab.sweep.lanes import Lanes
from theorylab.sweep.plan import Plan
from theorylab.sweep.result import Result
from theorylab.sweep.spec import Sweep
from theorylab.sweep.store import Store

PI = (0.0, 0.5, 0.5, 1.0)
TINY = dict(
    base=4, digits=2, gcd=(1, 2, 3, 4), steps=(4, 2), teacher_steps=2, segment=2, width=4, heads=2, batch=16, tests=8
)


# ----------------------------------------------------------------------------------------------------------- the data


@pytest.mark.parametrize("base, digits", [(3, 2), (10, 3)])
@pytest.mark.parametrize("uniform", [False, True])
def test_operands_have_their_gcds_and_the_law_of_coprime_cofactors(base, digits, uniform):
    gcds = np.repeat([1, 2], 20_000).astype(np.int32)
    tokens = np.asarray(draw_operands(jax.random.key(1), jnp.asarray(gcds), base, digits, uniform))
    assert tokens.shape == (len(gcds), 2 * digits) and tokens.min() >= 0 and tokens.max() < base
    places = base ** np.arange(digits - 1, -1, -1)
    a, b = tokens[:, :digits] @ places, tokens[:, digits:] @ places
    assert_array_equal(np.gcd(a, b), gcds)
    for g in (1, 2):
        m = (base**digits - 1) // g
        k = np.arange(1, m + 1)
        weight = np.ones(m) if uniform else np.log1p(1 / k)
        joint = np.where(np.gcd.outer(k, k) == 1, np.outer(weight, weight), 0)
        law = joint.sum(1) / joint.sum()
        for operand in (a, b):
            counts = np.bincount(operand[gcds == g] // g, minlength=m + 1)[1:]
            cells = np.minimum(np.cumsum(law) * 8, 7.999).astype(int)  # about equal cells, none of them rare
            seen, expected = np.bincount(cells, counts), np.bincount(cells, law * counts.sum())
            kept = expected > 0
            assert stats.chisquare(seen[kept], expected[kept]).pvalue > 1e-4


def test_gcds_have_their_law():
    drawn = np.bincount(family._draw_gcds(jax.random.key(2), 12, 50_000), minlength=13)
    law = np.arange(1, 13) ** -2.0
    assert drawn[0] == 0
    assert stats.chisquare(drawn[1:], 50_000 * law / law.sum()).pvalue > 1e-4


# ---------------------------------------------------------------------------------------- the network and the training


def test_the_network_equals_numpy():
    model = GcdTransformer(base=5, classes=6, width=8, heads=2, blocks=2)
    x = jax.random.randint(jax.random.key(0), (7, 4), 0, 5, jnp.int32)
    weights = jax.jit(model.init)(jax.random.key(1), x)
    assert {leaf.dtype for leaf in jax.tree.leaves(weights)} == {np.dtype(np.float32)}
    rng = np.random.default_rng(0)
    noise = lambda leaf: np.asarray(leaf) + 0.1 * rng.normal(size=leaf.shape).astype(np.float32)
    weights = jax.tree.map(noise, weights)  # no zero bias, no unit scale
    p = jax.tree.map(lambda leaf: np.asarray(leaf, float), weights)["params"]
    assert_allclose(jax.jit(model.apply)(weights, x), numpy_logits(p, np.asarray(x), blocks=2), rtol=1e-3, atol=1e-4)


def numpy_logits(p, x, blocks):
    dense = lambda h, q: h @ q["kernel"] + q["bias"]

    def norm(h, q):
        h = h - h.mean(-1, keepdims=True)
        return h / np.sqrt((h**2).mean(-1, keepdims=True) + 1e-6) * q["scale"] + q["bias"]

    h = p["Embed_0"]["embedding"][x] + p["positions"]
    for block in range(blocks):
        n, q = norm(h, p[f"LayerNorm_{2 * block}"]), p[f"MultiHeadDotProductAttention_{block}"]
        query, key, value = (
            np.einsum("ntw,whd->nhtd", n, q[name]["kernel"]) + q[name]["bias"][None, :, None]
            for name in ("query", "key", "value")
        )
        attention = special.softmax(query @ key.transpose(0, 1, 3, 2) / np.sqrt(query.shape[-1]), axis=-1) @ value
        h = h + np.einsum("nhtd,hdw->ntw", attention, q["out"]["kernel"]) + q["out"]["bias"]
        u = dense(norm(h, p[f"LayerNorm_{2 * block + 1}"]), p[f"Dense_{2 * block}"])
        gelu = u / 2 * (1 + np.tanh(np.sqrt(2 / np.pi) * (u + 0.044715 * u**3)))
        h = h + dense(gelu, p[f"Dense_{2 * block + 1}"])
    return dense(norm(h, p[f"LayerNorm_{2 * blocks}"]).reshape(len(x), -1), p[f"Dense_{2 * blocks}"])


def two_logits(w, x):
    """In place of a network: logits 0 and w x, of which the gradient is known."""
    return jnp.stack([jnp.zeros_like(x), w * x], axis=-1)


def test_training_is_adam_with_warm_up_and_cosine_decay():
    total, eta, w, m, v = 40, 0.1, 1.0, 0.0, 0.0
    learner = {"weights": jnp.float32(w), "adam": family.ADAM.init(jnp.float32(w))}
    x, labels = jnp.array([1.0, -2.0], jnp.float32), jnp.array([1, 1], jnp.int32)
    learn = jax.jit(lambda learner: family._learn(two_logits, learner, x, labels, eta, jnp.float64(total)))
    for t in range(total):
        learner = learn(learner)
        gradient = np.mean(np.asarray(x, float) * special.expit(w * np.asarray(x, float)))
        m, v = 0.9 * m + 0.1 * gradient, 0.999 * v + 0.001 * gradient**2
        rate = t / 2 if t < 2 else (1 + np.cos(np.pi * (t - 2) / (total - 2))) / 2
        w -= eta * rate * (m / (1 - 0.9 ** (t + 1))) / (np.sqrt(v / (1 - 0.999 ** (t + 1))) + 1e-8)
        assert learner["weights"].dtype == jnp.float32
        assert_allclose(learner["weights"], w, rtol=1e-4)


@cache
def tiny():
    return {k: np.asarray(v) for k, v in compiled(partial(run_tiny, **TINY))(jax.random.key(3)).items()}


def run_tiny(key, pi=PI, **arguments):
    return simulate_skill_unlearning(key, pi=jnp.array(pi), **arguments)


def test_what_a_training_run_returns():
    found = tiny()
    shapes = dict(skills=(4, 2), accuracy=(4, 2), weighted_error=(4, 2), by_gcd=(4, 4), known=(4,), rare=(4,))
    shapes |= dict.fromkeys(["teacher_skills", "teacher_accuracy", "teacher_weighted_error", "teacher_known"], ())
    assert {name: value.shape for name, value in found.items()} == shapes
    assert all(value.dtype == float for value in found.values())
    law = np.array([1, 1 / 4, 1 / 9, 1 / 16]) / (1 + 1 / 4 + 1 / 9 + 1 / 16)
    last = TINY["steps"].index(4)  # the grades of the last step are those of the accuracies per gcd
    assert_allclose(found["accuracy"][:, last], found["by_gcd"].mean(1), rtol=1e-12)
    assert_allclose(found["weighted_error"][:, last], (1 - found["by_gcd"]) @ law, rtol=1e-12)
    assert_allclose(found["skills"][:, last], (found["by_gcd"] > 0.9).sum(1))
    assert np.isin(found["by_gcd"] * TINY["tests"], np.arange(9)).all()
    assert (found["accuracy"][:, 0] != found["accuracy"][:, 1]).any()


def test_students_share_pairs_and_weights_and_differ_by_their_labels_alone():
    found = tiny()
    for name in ("accuracy", "by_gcd", "rare", "known"):
        assert_array_equal(found[name][1], found[name][2])  # of equal pi
    assert found["rare"][3] == pytest.approx(0.08, abs=0.08)  # P(3) among true labels
    assert found["rare"][0] != found["rare"][3]  # a teacher of two steps gives other labels


# -------------------------------------------------------------------------------------------- stages, kills and resume


@pytest.mark.slow
def test_a_killed_training_resumes_bit_identically(tmp_path):
    values = dict(TINY, pi=(0.0, 0.5), eta=0.005, replicates=2, steps=(2, 4))
    measure = dict(by_gcd=("pi", "gcd"), accuracy=("pi", "steps"), teacher_accuracy=())
    sweep = Sweep(simulate=simulate_skill_unlearning, values=values, measure=measure, block=1)
    lanes, asked = Lanes(Plan("train", sweep), 0), []

    def compute(block, carry):
        asked.append(block)
        if len(asked) in (2, 6):
            raise ZeroDivisionError
        return lanes.compute(block, carry)

    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            run_blocks(lanes.plan, Store(tmp_path, "identity"), partial(Inline().submit, compute))
    store = Store(tmp_path, "identity")
    _, rounds = run_blocks(lanes.plan, store, partial(Inline().submit, compute))
    assert len(asked) == 2 * 3 + 2 and not store.set_aside  # two lanes of three stages, two of them interrupted
    whole = run_sweep("train", sweep).samples
    for block, stored in finished_blocks(lanes.plan, store, rounds):
        for name in measure:
            assert_array_equal(stored[name][0], whole[name].isel(replicate=block.replicates[0]))


@pytest.mark.parametrize("bad, named", [
    (dict(base=1), "base = 1"), (dict(digits=0), "digits = 0"), (dict(base=2, digits=2), "base**digits = 4"),
    (dict(gcd=(1, 2, 4)), "gcd = (1, 2, 4)"), (dict(steps=(3,)), "steps = (3,)"), (dict(steps=(0,)), "steps = (0,)"),
    (dict(teacher_steps=3), "teacher_steps = (3,)"), (dict(segment=0), "segment = 0"), (dict(eta=0.0), "eta = 0.0"),
    (dict(heads=3), "width = 4"), (dict(pi=(0.5, 1.2)), "pi = "),
])  # fmt: skip
def test_refusals_name_the_argument(bad, named):
    with pytest.raises(ValueError, match="outside its domain") as raised:
        run_tiny(jax.random.key(0), **{**TINY, **bad})
    assert str(raised.value).startswith(named)


# ------------------------------------------------------------------------------------- the claims, and planted faults


@cache
def coverage():
    config = experiment.get_config("quick").to_dict()
    config["coverage"].update(replicates=100, T=(10, 30, 100, 300, 1000))
    sweep = replace(experiment.experiment(ConfigDict(config)).sweeps["coverage"], curve={})
    return sweep, run_sweep("coverage", sweep)


def verdicts(sweep, result):
    claims = [claim for claim in experiment.CLAIMS if claim.sweeps == (sweep,)]
    return [judge(claim, {sweep: result}).verdict for claim in claims]


COVERAGE_FAULTS = {
    "nothing is handed on": lambda f, base, classes, pi, T: f(base, classes, pi, pi * T),
    "the teacher knows everything": lambda f, base, classes, pi, T: f(base, classes, 1.0, T),
    "another base": lambda f, base, classes, pi, T: f(10, classes, pi, T),
    "every label twice": lambda f, base, classes, pi, T: f(base, classes, pi, 2 * T),
}


def test_the_true_variety_of_labels_does_not_fail():
    assert "fails" not in verdicts("coverage", coverage()[1])


@pytest.mark.parametrize("fault", COVERAGE_FAULTS)
def test_planted_faults_of_the_variety_are_caught(fault):
    sweep, result = coverage()

    def predict(base: float, classes: int, pi: float, T: float):
        return COVERAGE_FAULTS[fault](theory.skill_coverage, base, classes, pi, T)

    faulty = theory_datasets(Plan("coverage", replace(sweep, predict=predict)))[0]
    assert "fails" in verdicts("coverage", replace(result, theory=faulty))


def world(plateau=8 / 30, growth=(0.0, 0.0, 0.01, 0.05, 0.06), rare=(0.02, 0.04, 0.06, 0.09, 0.104)):
    """Invented trainings: the accuracy of each student at 400 steps and what it gains until the end."""
    rng = np.random.default_rng(0)
    config = experiment.get_config("quick")
    built = experiment.experiment(config).sweeps["train"]
    noise = lambda *shape: 1e-3 * rng.normal(size=(8, *shape))
    steps, pi = np.array(config.train.steps), np.array(config.train.pi)
    gain = np.array(growth)[:, None] * np.interp(np.log(steps), np.log([400, 1200]), [0.0, 1.0])
    accuracy = plateau + 0.5 * np.array(growth)[:, None] + gain + noise(5, len(steps))
    weighted = 0.104 + (8 / 30 - accuracy) * 0.5
    mean = lambda values: ("replicate", np.broadcast_to(values, 8) + noise())
    axes = ("replicate", "pi", "steps")
    data = xarray.Dataset(
        dict(
            accuracy=(axes, accuracy), weighted_error=(axes, weighted), skills=(axes, 30 * accuracy),
            known=(axes[:2], 0.97 - 2 * (accuracy[..., -1] - plateau)), rare=(axes[:2], np.array(rare) + noise(5)),
            teacher_accuracy=mean(8 / 30), teacher_weighted_error=mean(0.104), teacher_skills=mean(8.0),
            count=((), 8),
        ),
        coords=dict(pi=pi, steps=steps, replicate=np.arange(8)),
    )  # fmt: skip
    return Result(samples=data, theory=theory_datasets(Plan("train", built))[0])


WORLDS = {
    "generated labels teach as well as true ones": dict(growth=(0.06, 0.06, 0.06, 0.06, 0.06)),
    "true labels teach no more than generated ones": dict(growth=(0.0, 0.0, 0.0, 0.0, 0.0)),
    "a fifth of true labels is enough": dict(growth=(0.0, 0.05, 0.052, 0.055, 0.06)),
    "students forget what their teacher knows": dict(plateau=5 / 30),
    "the labels of the teacher keep the tail": dict(rare=(0.1, 0.1, 0.1, 0.1, 0.104)),
}


def test_a_world_as_claimed_passes():
    assert set(verdicts("train", world())) == {"holds"}


@pytest.mark.parametrize("name", WORLDS)
def test_claims_about_trainings_fail_in_other_worlds(name):
    assert "fails" in verdicts("train", world(**WORLDS[name]))
