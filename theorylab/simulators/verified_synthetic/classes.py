"""The whole pipeline on two classes of real data, or on the Gaussian mixture that is fitted to them."""

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.linalg import cho_solve
from jax.scipy.special import ndtr
from jaxtyping import Float

from theorylab.numerics.domain import in_domain, nan_unless
from theorylab.problems.verified_synthetic import estimate_verifier_rates
from theorylab.simulators.verified_synthetic._subspace import sign
from theorylab.types import Array, Key, Real

__all__ = ["simulate_verified_classes"]


def simulate_verified_classes(
    key: Key,
    positive: Float[Array, "a d"] | Float[np.ndarray, "a d"],
    negative: Float[Array, "b d"] | Float[np.ndarray, "b d"],
    n_0: int,
    n: int,
    lam: Real,
    labelled: int,
    gaussian: Real,
    n_v: tuple[int, ...],
) -> dict[str, Array]:
    """Accuracy with verifiers of graded quality, and their rates as measured on labelled data: one replicate.

        generator: ridge on n_0 clean points ;  verifiers: ridge on n_v clean points, the smaller samples parts of the
        larger ones ;  classifier: ridge on those of n points whose generated label the verifier confirms

    Points are drawn with replacement; both classes are as likely.

    Source: the setting of @feng2024beyond.
    Domain: n_0, n_v, n, labelled >= 1, lam > 0.

    positive, negative: the points of the two classes, the origin between their means [a, d], [b, d].
    n_0, n_v: clean points. n: generated pairs. lam: ridge of every fit; squared errors are summed over the points that
    are kept and divided by the number before selection. labelled: pairs with known labels.
    gaussian: 0 draws from the points; 1 from the mixture y mu + z, mu half the difference of the class means.
    Returns accuracy, the verifier's own accuracy, p_star and margin = p_star - p as measured [n_v]; generator, its
    accuracy. Accuracies are exact, over all points or over the mixture.
    Raises ValueError outside the domain.
    """
    in_domain(min(n_0, *n_v, n, labelled) >= 1, "n_0, n_v, n, labelled", (n_0, n_v, n, labelled), ">= 1")
    ok = in_domain(lam > 0, "lam", lam, "lam > 0")
    ok &= in_domain((gaussian == 0) | (gaussian == 1), "gaussian", gaussian, "0 or 1")
    positive, negative = jnp.asarray(positive), jnp.asarray(negative)
    mu = (jnp.mean(positive, 0) - jnp.mean(negative, 0)) / 2

    def draw(key: Key, count: int) -> tuple[Array, Array]:
        key_y, key_x, key_z = jax.random.split(key, 3)
        y = jax.random.rademacher(key_y, (count,), float)
        place = jax.random.uniform(key_x, (count,))
        right, left = (group[(place * len(group)).astype(int)] for group in (positive, negative))
        mixture = y[:, None] * mu[None] + jax.random.normal(key_z, (count, mu.size))
        return jnp.where(gaussian == 1, mixture, jnp.where((y > 0)[:, None], right, left)), y

    def accuracy(w: Array) -> Array:
        right = jnp.mean((positive @ w > 0).astype(float)) + jnp.mean((negative @ w < 0).astype(float))
        return jnp.where(gaussian == 1, ndtr(jnp.sum(mu * w) / jnp.linalg.norm(w)), right / 2)

    def fits(X: Array, y: Array, q: Array, sizes: Array) -> Array:
        """Ridge classifiers, one for each column of q [rows, fits]."""

        def fit(entry: tuple[Array, Array]) -> Array:
            q, size = entry
            weighted = X * q[:, None]
            factor = jnp.linalg.cholesky(weighted.T @ X / size + lam * jnp.eye(mu.size), symmetrize_input=False)
            return cho_solve((factor, True), y @ weighted / size)

        return jax.lax.map(fit, (q.T, sizes))

    gaussian = jnp.asarray(gaussian)
    key_g, key_v, key_n, key_labelled = jax.random.split(key, 4)
    g = fits(*draw(key_g, n_0), jnp.ones((n_0, 1)), jnp.array([float(n_0)]))[0]
    sizes = jnp.array(n_v, float)
    first = (jnp.arange(max(n_v), dtype=float)[:, None] < sizes[None]).astype(float)
    v = fits(*draw(key_v, max(n_v)), first, sizes)
    X, _ = draw(key_n, n)
    given = sign(X @ g)
    kept = (given[:, None] * (X @ v.T) > 0).astype(float)
    w = fits(X, given, kept, jnp.full(len(n_v), float(n)))
    X, y = draw(key_labelled, labelled)
    given = sign(X @ g)
    rates = jax.vmap(lambda v: estimate_verifier_rates(y, given, given * (X @ v) > 0))(v)
    found = dict(accuracy=jax.lax.map(accuracy, w), verifier=jax.lax.map(accuracy, v), generator=accuracy(g),
                 p_star=rates.p_star, margin=rates.p_star - rates.p)  # fmt: skip
    return nan_unless(ok, found)
