"""Students distilled from an imperfect teacher, and how far they are from the teacher and from the oracle."""

import difflib

import jax
import jax.numpy as jnp

from theorylab.numerics.domain import in_domain, nan_unless
from theorylab.problems.policies import kl_divergence
from theorylab.types import Array, Key, Real, Vector

__all__ = ["simulate_categorical_distillation", "simulate_gaussian_distillation"]

DATA = ("offline", "online")


def simulate_gaussian_distillation(
    key: Key,
    mu_p: Vector,
    mu_q: Vector,
    sigma2: Real,
    m: Real,
    lr: Real,
    steps: tuple[int, ...],
    data: str = "offline",
    students: int = 1,
) -> dict[str, Array]:
    """Gradient descent from 0 on |w - sample mean|^2 / 2, samples from the teacher N(mu_q, sigma2 I): one replicate.

    Source: the setting of @tiapkin2025teacher.
    Domain: sigma2 >= 0, m >= 1, 0 < lr <= 1, steps >= 0, students >= 1.

    mu_p: mean of the oracle [d]. mu_q: mean of the teacher [d]. lr: step size. steps: after which to measure.
    m: samples, which enter through their mean, drawn in its exact law; infinite for the teacher's mean itself.
    data: "offline", one set of m samples for all steps; "online", m fresh ones in every step.
    students: independent students that are averaged within the replicate.
    Returns averages [steps] of the squared distances training (to the sample mean of the step), proxy (to mu_q) and
    golden (to mu_p), and turn: the argument s in w = s mu_hat where the parabola through the golden distance at the
    start, in the middle and at the end (s = 1) of offline training is least.
    Raises ValueError outside the domain.
    """
    if data not in DATA:
        raise ValueError(f"data = {data!r} is not one of {', '.join(DATA)}; did you mean {_near(data)!r}?")
    in_domain(len(steps) > 0 and min(steps) >= 0, "steps", steps, "at least one number, all >= 0")
    in_domain(students >= 1, "students", students, "students >= 1")
    ok = in_domain(sigma2 >= 0, "sigma2", sigma2, "sigma2 >= 0") & in_domain(m >= 1, "m", m, "m >= 1")
    ok &= in_domain((lr > 0) & (lr <= 1), "lr", lr, "0 < lr <= 1")
    truth, teacher = jnp.asarray(mu_p), jnp.asarray(mu_q)
    spread = jnp.sqrt(jnp.asarray(sigma2, float) / m)

    def target(k: Array) -> Array:
        draw = jax.random.normal(jax.random.fold_in(key, k if data == "online" else 0), (students, teacher.size))
        return teacher[None] + spread * draw

    def measure(w: Array, k: Array) -> Array:
        points = (target(k), teacher[None], truth[None])
        return jnp.stack([jnp.mean(jnp.sum((w - point) ** 2, 1)) for point in points])

    def descend(w: Array, k: Array) -> tuple[Array, Array]:
        w = w - lr * (w - target(k))
        return w, measure(w, k)

    start = jnp.zeros((students, teacher.size))
    path = jax.lax.scan(descend, start, jnp.arange(1, max(steps) + 1))[1]
    path = jnp.concatenate([measure(start, jnp.array(1))[None], path])[jnp.array(steps)].T
    final = target(jnp.array(1))
    turn = _vertex(*(measure(s * final, jnp.array(1))[2] for s in (0.0, 0.5, 1.0)))
    return nan_unless(ok, dict(zip(("training", "proxy", "golden"), path)) | {"turn": turn})


def simulate_categorical_distillation(
    key: Key,
    responses: int,
    concentration: Real,
    teacher_samples: int,
    m: int,
    lr: Real,
    steps: int,
) -> dict[str, Array]:
    """Natural-gradient descent from the uniform law on KL(student || smoothed samples of a teacher): one replicate.

        oracle ~ Dirichlet(concentration) ,  teacher = (counts of teacher_samples draws of it + 1/2), normalised,
        target = (counts of m draws of the teacher + 1/2), normalised

    Source: the setting of @tiapkin2025teacher.
    Domain: responses >= 2, concentration > 0, teacher_samples, m, steps >= 1, 0 < lr <= 1.

    responses: size of the alphabet. lr: step size. steps: number of steps.
    Returns hacked: 1 where KL(student || oracle) was smaller at some earlier step than at the end, otherwise 0.
    Raises ValueError outside the domain.
    """
    in_domain(responses >= 2, "responses", responses, "responses >= 2")
    for name, count in dict(teacher_samples=teacher_samples, m=m, steps=steps).items():
        in_domain(count >= 1, name, count, f"{name} >= 1")
    ok = in_domain(concentration > 0, "concentration", concentration, "concentration > 0")
    ok &= in_domain((lr > 0) & (lr <= 1), "lr", lr, "0 < lr <= 1")
    keys = jax.random.split(key, 3)
    # logarithms: for a small concentration many masses lie below the smallest number
    log_oracle = jax.nn.log_softmax(jax.random.loggamma(keys[0], jnp.full(responses, concentration, float)))
    log_teacher = _smoothed(keys[1], log_oracle, teacher_samples)
    target = _smoothed(keys[2], log_teacher, m)

    def descend(logits: Array, _: None) -> tuple[Array, Array]:
        law = jax.nn.log_softmax(logits)
        slope = jax.grad(lambda logits: kl_divergence(jax.nn.log_softmax(logits), target))(logits)
        logits = logits - lr * slope / jnp.exp(law)  # the Fisher matrix of a softmax is diag(pi) - pi pi'
        return logits, kl_divergence(jax.nn.log_softmax(logits), log_oracle)

    golden = jax.lax.scan(descend, jnp.zeros(responses), length=steps)[1]
    return nan_unless(ok, {"hacked": (golden[-1] > jnp.min(golden)).astype(float)})


def _smoothed(key: Key, log_law: Array, count: int) -> Array:
    uniform = jax.random.uniform(key, (count,))
    drawn = jnp.searchsorted(jnp.cumsum(jnp.exp(log_law))[:-1], uniform)
    counts = jnp.zeros(log_law.size).at[drawn].add(1.0)
    return jnp.log((counts + 0.5) / (count + log_law.size / 2))


def _vertex(start: Array, middle: Array, end: Array) -> Array:
    """Argument of the extremum of the parabola through the values at 0, 1/2 and 1."""
    return (3 * start - 4 * middle + end) / (4 * (start - 2 * middle + end))


def _near(data: str) -> str:
    return difflib.get_close_matches(data, DATA, 1, 0.0)[0]
