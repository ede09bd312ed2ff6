"""The whole pipeline on inputs N(0, I): clean data train a generator and verifiers, these make more data."""

import jax
import jax.numpy as jnp
from jax.scipy.linalg import cho_solve

from theorylab.numerics.domain import in_domain, nan_unless
from theorylab.problems.verified_synthetic import cosine_accuracy
from theorylab.simulators.verified_synthetic._subspace import accumulate, sign, train
from theorylab.types import Array, Key, Real

__all__ = ["SELECTIONS", "simulate_verified_scaling"]

SELECTIONS = ("none", "random", "weak", "strong", "oracle", "clean")


def simulate_verified_scaling(
    key: Key,
    d: int,
    n_0: int,
    n_v: tuple[int, int],
    lam: Real,
    rate: Real,
    selection: tuple[str, ...],
    n: tuple[int, ...],
) -> dict[str, Array]:
    """Accuracy of a ridge classifier against the number of generated pairs, for several selections: one replicate.

        generator: ridge on n_0 clean pairs ;  weak and strong verifier: ridge on n_v clean pairs each, all independent
        x ~ N(0, I_d) ,   y' = sign(x . g) ;   "none": all pairs ,  "random": a share `rate` of them ,
        "weak", "strong": those with which the verifier agrees ,  "oracle": the correct ones ,  "clean": y' = y

    All selections and sizes share their draws; smaller samples are parts of the larger ones. Memory does not grow
    with n.

    Source: the setting of @feng2024beyond.
    Domain: d > 4, n_0, n_v, n >= 1, lam >= 0, rate in [0, 1]; at least five pairs are kept, else NaN.

    d: dimension. n_0, n_v: clean pairs. lam: ridge of every fit; squared errors are divided by the number of pairs
    before selection. rate: share that the random selection keeps. n: generated pairs.
    Returns accuracy [selection, n], and the accuracies of generator, weak and strong, the verifier's own.
    Raises ValueError outside the domain.
    """
    for name in selection:
        in_domain(name in SELECTIONS, "selection", name, f"one of {', '.join(SELECTIONS)}")
    in_domain(d > 4, "d", d, "d > 4")
    in_domain(min(n_0, *n_v, *n) >= 1, "n_0, n_v, n", (n_0, n_v, n), ">= 1")
    ok = in_domain(lam >= 0, "lam", lam, "lam >= 0")
    ok &= in_domain((rate >= 0) & (rate <= 1), "rate", rate, "0 <= rate <= 1")
    key_clean, key_rows, key_rest = jax.random.split(key, 3)
    fitted = _clean_fits(key_clean, d, (n_0, *n_v), lam)
    # truth, generator, weak and strong verifier as rows, in an orthonormal basis of what they span
    directions = jnp.linalg.qr(jnp.concatenate([jnp.eye(d)[:1], fitted]).T, mode="r").T

    def labelling(x: Array, uniforms: Array) -> tuple[tuple[Array, Array], ...]:
        y, given, weak, strong = sign(x @ directions.T).T
        every = jnp.ones_like(y)
        kept = dict(none=every, random=uniforms[:, 0] < rate, weak=given == weak, strong=given == strong,
                    oracle=given == y)  # fmt: skip
        return (given, jnp.stack([q.astype(float) for q in kept.values()], 1)), (y, every[:, None])

    chosen = jnp.array([SELECTIONS.index(name) for name in selection])
    limits = jnp.array(n)
    moments = accumulate(key_rows, limits, max(n), 4, labelling)[:, chosen]
    w, perp = train(key_rest, moments, limits[:, None], lam, d)
    truth = directions[0]
    cosine = (w @ truth) / jnp.sqrt(jnp.sum(w**2, -1) + perp)
    own = cosine_accuracy(fitted[:, 0] / jnp.linalg.norm(fitted, axis=1))
    alone = dict(zip(("generator", "weak", "strong"), own))
    return nan_unless(ok, dict(accuracy=cosine_accuracy(cosine).T, **alone))


def _clean_fits(key: Key, d: int, sizes: tuple[int, ...], lam: Real) -> Array:
    """Ridge classifiers trained on so many clean pairs each, independent [sizes, d]; the truth is the first axis."""

    def fit(entry: tuple[Array, Array]) -> Array:
        index, size = entry
        rows = jax.random.normal(jax.random.fold_in(key, index), (max(sizes), d))
        X = jnp.where((jnp.arange(max(sizes), dtype=float) < size)[:, None], rows, 0.0)
        factor = jnp.linalg.cholesky(X.T @ X / size + lam * jnp.eye(d), symmetrize_input=False)
        return cho_solve((factor, True), sign(rows[:, 0]) @ X / size)

    return jax.lax.map(fit, (jnp.arange(len(sizes)), jnp.array(sizes, float)))
