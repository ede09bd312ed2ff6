"""A small transformer that learns greatest common divisors, from true labels or from those of a teacher like itself."""

from collections.abc import Callable
from functools import partial
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
import optax
from flax import linen as nn
from jaxtyping import Array, Float, Int

from theorylab.numerics.domain import in_domain, nan_unless
from theorylab.problems.skill_unlearning import gcd_probabilities
from theorylab.simulators.stages import Stages, in_stages
from theorylab.types import Key, Real

__all__ = ["GcdTransformer", "draw_operands", "simulate_skill_coverage", "simulate_skill_unlearning"]

Learner: TypeAlias = dict[str, Any]  # weights, and the state of Adam
State: TypeAlias = dict[str, Any]

SKILLED = 0.9  # accuracy over the pairs of one gcd from which it counts as a skill
ATTEMPTS = 16  # at a pair of coprime cofactors; with chance 0.4^16 = 4e-7 all fail, and one cofactor is set to 1
WARM_UP = 0.05  # share of the training
ADAM = optax.scale_by_adam()
SINGLE: dict[str, Any] = dict(dtype=jnp.float32, param_dtype=jnp.float32)


class GcdTransformer(nn.Module):
    """Digits of two operands [n, 2 digits] -> logits [n, classes]; pre-LayerNorm blocks, learned positions, float32."""

    base: int
    classes: int
    width: int = 32
    heads: int = 4
    blocks: int = 1

    @nn.compact
    def __call__(self, digits: Int[Array, "n tokens"]) -> Float[Array, "n classes"]:
        x = nn.Embed(self.base, self.width, **SINGLE)(digits)
        x = x + self.param("positions", nn.initializers.normal(0.02), (1, *x.shape[1:]), jnp.float32)
        for _ in range(self.blocks):
            x = x + nn.MultiHeadDotProductAttention(self.heads, **SINGLE)(nn.LayerNorm(**SINGLE)(x))
            h = nn.Dense(2 * self.width, **SINGLE)(nn.LayerNorm(**SINGLE)(x))
            x = x + nn.Dense(self.width, **SINGLE)(nn.gelu(h))
        return nn.Dense(self.classes, **SINGLE)(nn.LayerNorm(**SINGLE)(x).reshape(len(x), -1))


def draw_operands(
    key: Key, gcd: Int[Array, "n"], base: int, digits: int, uniform: bool = False
) -> Int[Array, "n tokens"]:
    """Pairs of operands from 1 to base^digits - 1 with the given gcds, as digits, the most significant first.

    Operands are gcd times cofactors, log-uniform (or uniform) over the integers that fit, redrawn until coprime.
    """
    largest = ((base**digits - 1) // gcd)[None, None]
    top = largest.astype(jnp.float32)
    share = jax.random.uniform(key, (ATTEMPTS, 2, len(gcd)), jnp.float32)
    drawn = 1 + jnp.floor(share * top) if uniform else jnp.floor(jnp.exp(share * jnp.log1p(top)))
    cofactors = jnp.clip(drawn.astype(jnp.int32), 1, largest)
    coprime = jnp.gcd(cofactors[:, 0], cofactors[:, 1]) == 1
    chosen = jnp.take_along_axis(cofactors, jnp.argmax(coprime, axis=0)[None, None], axis=0)[0]
    chosen = chosen.at[0].set(jnp.where(coprime.any(0), chosen[0], 1))
    places = base ** jnp.arange(digits - 1, -1, -1, dtype=jnp.int32)
    return jnp.concatenate(list((chosen * gcd[None])[..., None] // places[None, None] % base), axis=-1)


def simulate_skill_coverage(
    key: Key, base: int, digits: int, classes: int, pi: Float[Array, "P"], T: tuple[int, ...]
) -> dict[str, Array]:
    """Different labels among T pairs of operands, labelled by their gcd or by someone who reads the last digits alone.

    Source: the setting of @dohmatob2024tale and @charton2024learning.
    Domain: base^digits > classes >= 1, 0 <= pi <= 1, T >= 1.

    pi: chance that a label is true, else it is the gcd of the base and both last digits. The first T of the same pairs
    serve for every T; all pi share the pairs.
    Returns coverage [pi, T]. Raises ValueError outside the domain.
    """
    ok = _check_task(base, digits, classes, pi)
    in_domain(len(T) > 0 and min(T) >= 1, "T", T, "numbers of pairs, all >= 1")
    of_gcd, of_operands, of_labels = jax.random.split(key, 3)
    numbers = draw_operands(of_operands, _draw_gcds(of_gcd, classes, max(T)), base, digits)
    places = jnp.tile(base ** jnp.arange(digits - 1, -1, -1, dtype=jnp.int32), 2)
    a, b = jnp.sum((numbers * places[None]).reshape(-1, 2, digits), axis=-1, dtype=jnp.int32).T
    read = jnp.gcd(jnp.int32(base), jnp.gcd(a % base, b % base))
    true = jax.random.uniform(of_labels, (max(T),), pi.dtype)[None] < pi[:, None]
    labels = jnp.where(true, jnp.gcd(a, b)[None], read[None])
    order = jnp.arange(max(T), dtype=jnp.int32)
    first = jax.vmap(lambda label: jnp.full(classes + 1, max(T), jnp.int32).at[label].min(order))(labels)
    seen = first[:, None] < jnp.array(T, jnp.int32)[None, :, None]
    return nan_unless(ok, {"coverage": jnp.sum(seen, axis=-1).astype(float)})


@in_stages
def simulate_skill_unlearning(
    key: Key,
    base: int,
    digits: int,
    gcd: tuple[int, ...],
    pi: Float[Array, "P"],
    steps: tuple[int, ...],
    teacher_steps: int,
    segment: int,
    width: int = 32,
    heads: int = 4,
    blocks: int = 1,
    batch: int = 128,
    tests: int = 100,
    eta: Real = 5e-3,
) -> Stages:
    """A teacher trained on true gcds for a short time, and students trained long on labels of which a share is true.

        pairs (a, b) of gcd g with P(g) = g^-2 / sum h^-2 ;  label g with chance pi, else the answer of the teacher

    Every step takes fresh pairs, so that nothing is seen twice. The students start from the same weights and see the
    same pairs. A stage is `segment` training steps, of the teacher or of all students.

    Source: the setting of @dohmatob2024tale and @charton2024learning.
    Domain: base^digits > len(gcd), 0 <= pi <= 1, eta > 0; steps and teacher_steps are multiples of segment.

    base, digits: of the operands; a token is a digit. gcd: 1, 2, ..., the classes to tell apart.
    pi: share of true labels of each student. steps: after which numbers of training steps students are measured.
    width, heads, blocks: of the transformer; its MLPs have 2 * width units. batch: pairs per step.
    tests: pairs per gcd in the test set, with uniform cofactors. eta: peak step size of Adam (warm-up, cosine decay).
    Returns, [pi, steps] for the students: skills, how many gcds are answered right more often than in 9 of 10 pairs;
    accuracy, averaged over the gcds; weighted_error, averaged with weights P(g). by_gcd [pi, gcd]: final accuracies.
    known [pi]: final share of answers that are the largest divisor of base that divides both operands, averaged over
    the gcds. rare [pi]: share of training labels that do not divide base. teacher_skills, teacher_accuracy,
    teacher_weighted_error, teacher_known: those of the teacher.
    Raises ValueError outside the domain.
    """
    classes, total = len(gcd), max(steps)
    in_domain(gcd == tuple(range(1, classes + 1)), "gcd", gcd, "1, 2, ..., in order")
    in_domain(segment >= 1, "segment", segment, "segment >= 1")
    for name, numbers in (("steps", steps), ("teacher_steps", (teacher_steps,))):
        in_domain(all(n >= segment and n % segment == 0 for n in numbers), name, numbers, "multiples of segment")
    in_domain(width % heads == 0, "width", width, "a multiple of heads")
    ok = _check_task(base, digits, classes, pi) & in_domain(eta > 0, "eta", eta, "eta > 0")
    model, lessons = GcdTransformer(base, classes, width, heads, blocks), teacher_steps // segment
    share, lasts = jnp.append(1.0, pi), jnp.array([teacher_steps] + [total] * len(pi), float)  # the teacher comes first
    of_steps, of_weights, of_tests = jax.random.split(key, 3)

    def start() -> State:
        tokens = jnp.zeros((1, 2 * digits), jnp.int32)
        two = jax.vmap(lambda key: model.init(key, tokens))(jax.random.split(of_weights))
        weights = jax.tree.map(lambda leaf: leaf[jnp.array([0] + [1] * len(pi))], two)
        learners = {"weights": weights, "adam": jax.vmap(ADAM.init)(weights)}
        right = jnp.zeros((len(steps), len(share), classes))
        return {"learners": learners, "rare": jnp.zeros(len(share), jnp.int32), "right": right, "known": right[0]}

    def draw(key: Key) -> tuple[Array, Array, Array]:
        """Digits, gcds, and the chance from which on a label is true: one batch."""
        of_gcd, of_operands, of_labels = jax.random.split(key, 3)
        true = _draw_gcds(of_gcd, classes, batch)
        return draw_operands(of_operands, true, base, digits), true, jax.random.uniform(of_labels, (batch,), pi.dtype)

    def advance(state: State, stage: Array) -> State:
        x, true, chance = jax.lax.map(draw, jax.random.split(jax.random.fold_in(of_steps, stage), segment))
        teacher = jax.tree.map(lambda leaf: leaf[0], state["learners"]["weights"])
        guess = jax.lax.map(partial(_answer, model.apply, teacher), x)

        def train(i: Array, both: tuple[Learner, Array]) -> tuple[Learner, Array]:
            """One learner through one segment."""
            learners, rare = both
            labels = jnp.where(chance < share[i], true, guess)
            step = lambda learner, xy: (_learn(model.apply, learner, xy[0], xy[1], eta, lasts[i]), None)
            learner = jax.lax.scan(step, jax.tree.map(lambda leaf: leaf[i], learners), (x, labels))[0]
            learners = jax.tree.map(lambda all_, own: all_.at[i].set(own), learners, learner)
            return learners, rare.at[i].add(jnp.sum(base % labels != 0, dtype=jnp.int32))

        first, end = jnp.where(stage < lessons, 0, 1), jnp.where(stage < lessons, 1, len(share))
        learners, rare = jax.lax.fori_loop(first, end, train, (state["learners"], state["rare"]))
        now = (stage - lessons + 1) * segment == jnp.array(steps, stage.dtype)

        def note(right: Array, known: Array) -> tuple[Array, Array]:
            seen, known = jax.lax.map(examine, learners["weights"])
            return jnp.where(now[:, None, None], seen[None], right), known

        right, known = jax.lax.cond(now.any(), note, lambda *old: old, state["right"], state["known"])
        return {"learners": learners, "rare": rare, "right": right, "known": known}

    def examine(weights: Any) -> tuple[Array, Array]:
        """Per gcd: accuracy, and share of the answers that are the largest divisor of the base that fits."""
        true = jnp.repeat(jnp.arange(1, classes + 1, dtype=jnp.int32), tests)
        answers = _answer(model.apply, weights, draw_operands(of_tests, true, base, digits, uniform=True))
        hits = lambda aim: jnp.mean((answers == aim).reshape(classes, tests), axis=1, dtype=float)
        return hits(true), hits(jnp.gcd(jnp.int32(base), true))

    def measure(state: State) -> dict[str, Array]:
        final = state["right"][steps.index(total)]
        teacher = {f"teacher_{name}": value for name, value in _grades(final[0]).items()}
        students = {name: value[:, 1:].T for name, value in _grades(state["right"]).items()}
        known, rare = jnp.mean(state["known"], -1), state["rare"].astype(float) / (total * batch)
        shares = dict(by_gcd=final[1:], known=known[1:], rare=rare[1:], teacher_known=known[0])
        return nan_unless(ok, {**students, **teacher, **shares})

    return Stages(lessons + total // segment, start, advance, measure)


def _grades(right: Float[Array, "*points classes"]) -> dict[str, Array]:
    """Skills, mean accuracy and weighted error from the accuracy per gcd."""
    law = jnp.broadcast_to(gcd_probabilities(right.shape[-1]), right.shape)
    skills = jnp.sum(right > SKILLED, axis=-1).astype(float)
    return dict(skills=skills, accuracy=jnp.mean(right, -1), weighted_error=jnp.sum(law * (1 - right), -1))


def _learn(apply: Callable, learner: Learner, x: Array, labels: Array, eta: Real, last: Array) -> Learner:
    """One step on one batch; the step size rises linearly, then falls as a cosine to 0 at the last step."""

    def loss(weights: Any) -> Array:
        return optax.softmax_cross_entropy_with_integer_labels(apply(weights, x), labels - 1).mean()

    gradient, step = jax.grad(loss)(learner["weights"]), learner["adam"].count.astype(float)
    warm = jnp.maximum(1.0, jnp.round(WARM_UP * last))
    decay = (1 + jnp.cos(jnp.pi * (step - warm) / (last - warm))) / 2
    rate = (eta * jnp.where(step < warm, step / warm, decay)).astype(jnp.float32)
    with jax.numpy_dtype_promotion("standard"):  # optax raises floats to integer powers
        update, adam = ADAM.update(gradient, learner["adam"])
    weights = jax.tree.map(lambda weight, change: weight - rate * change, learner["weights"], update)
    return {"weights": weights, "adam": adam}


def _answer(apply: Callable, weights: Any, x: Array) -> Array:
    return 1 + jnp.argmax(apply(weights, x), axis=-1).astype(jnp.int32)


def _draw_gcds(key: Key, classes: int, n: int) -> Int[Array, "n"]:
    below = jnp.cumsum(gcd_probabilities(classes))[:-1]
    return 1 + jnp.searchsorted(below, jax.random.uniform(key, (n,), float), side="right").astype(jnp.int32)


def _check_task(base: int, digits: int, classes: int, pi: Array) -> Any:
    in_domain(base >= 2, "base", base, "base >= 2")
    in_domain(digits >= 1, "digits", digits, "digits >= 1")
    in_domain(1 <= classes < base**digits < 2**31, "base**digits", base**digits, f"above {classes} classes, below 2^31")
    return in_domain((pi >= 0) & (pi <= 1), "pi", pi, "0 <= pi <= 1")
