"""Training on verified labels of a Gaussian mixture, drawn group by group: exact in law, at a cost free of n."""

import jax
import jax.numpy as jnp
from jax.scipy.linalg import cho_solve

from theorylab.numerics.domain import in_domain, nan_unless
from theorylab.numerics.random_matrices import gram_rows
from theorylab.simulators.verified_synthetic.mixture import Numbers, check_task, measured
from theorylab.types import Array, Key, Real, Vector

__all__ = ["simulate_verified_groups", "simulate_verified_transition"]


def simulate_verified_groups(
    key: Key,
    spectrum: Vector,
    mu: Vector,
    n: Real | Numbers,
    lam: Real,
    p: Real | Numbers,
    phi: Real | Numbers,
    psi: Real | Numbers,
    n_real: Real = 0,
) -> dict[str, Array]:
    """`simulate_verified_mixture` at a cost that does not depend on n: one replicate, exact in law.

    Label times input, mu + Sigma^(1/2) z, has the same law for correct and for wrong labels. So the kept pairs are two
    binomial counts; rotating the rows of each group turns its sum into one row, sqrt(count) mu + Sigma^(1/2) zeta, and
    leaves rows of mean zero, whose Gram matrix is drawn by its triangular factor.

    Source: the setting of @feng2024beyond.
    Arguments, results and errors as for `simulate_verified_mixture`. n and n_real may be traced. Each of n, p, phi and
    psi is a number or several; all their combinations share the underlying draws.
    Returns accuracy and agreement [n, p, phi, psi], without the axes of those that are numbers.
    """
    ok = check_task(spectrum, mu, lam, p, phi, psi)
    n, n_real = jnp.asarray(n, float), jnp.asarray(n_real, float)
    some = ((n >= 0) & (n_real >= 0) & (n + n_real >= 1)).all()
    ok &= in_domain(some, "n, n_real", (n, n_real), ">= 0, not both 0")
    spectrum, mu = jnp.asarray(spectrum), jnp.asarray(mu)
    grid = [jnp.asarray(values, float) for values in (n, p, phi, psi)]
    shape = sum((values.shape for values in grid), ())
    points = jnp.meshgrid(*map(jnp.atleast_1d, grid), indexing="ij")
    one = lambda point: measured(_weights(key, spectrum, mu, lam, n_real, *point), spectrum, mu)
    found = jax.lax.map(one, tuple(values.ravel() for values in points))
    return nan_unless(ok, {name: value.reshape(shape) for name, value in found.items()})


def simulate_verified_transition(
    key: Key, spectrum: Vector, mu: Vector, n: Real | Numbers, lam: Real, phi: Real, psi: Real, width: Real
) -> dict[str, Array]:
    """Slope of the accuracy in the flip rate around phi / (phi + psi), by a difference: one replicate.

        slope = (accuracy(p + h) - accuracy(p - h)) / (2 h) ,   h = width sqrt(d / n)

    Source: the setting of @feng2024beyond.
    Domain: width > 0, and flip rates within [0, 1]. Other arguments and errors as for `simulate_verified_groups`.
    Returns slope, shaped as n.
    """
    ok = in_domain(width > 0, "width", width, "width > 0")
    n = jnp.asarray(n, float)
    centre, h = phi / (phi + psi), width * jnp.sqrt(len(spectrum) / n)
    ok &= in_domain(((h <= centre) & (h <= 1 - centre)).all(), "width", width, "flip rates within [0, 1]")

    def one(point: tuple[Array, Array]) -> Array:
        n, h = point
        rates = jnp.clip(centre + h * jnp.array([-1.0, 1.0]), 0.0, 1.0)
        accuracy = simulate_verified_groups(key, spectrum, mu, n, lam, rates, phi, psi)["accuracy"]
        return (accuracy[1] - accuracy[0]) / (2 * h)

    slope = jax.lax.map(one, (jnp.atleast_1d(n), jnp.atleast_1d(h)))
    return {"slope": nan_unless(ok, slope.reshape(n.shape))}


def _weights(
    key: Key, spectrum: Array, mu: Array, lam: Real, n_real: Array, n: Array, p: Array, phi: Array, psi: Array
) -> Array:
    """Weights from the rows [correct group; wrong group; rest], all divided by Sigma^(1/2) on the right."""
    key_counts, key_sums, key_rest = jax.random.split(key, 3)
    d, s = mu.size, jnp.sqrt(spectrum)

    def draw(left: Array, entry: tuple[Array, Array]) -> tuple[Array, Array]:
        key, share = entry
        count = jax.random.binomial(key, left, share, dtype=float)
        return left - count, count

    # wrong and kept, then correct and kept among the others; a scan compiles the binomial law once
    not_wrong = 1 - p * psi
    shares = jnp.stack([p * psi, phi * (1 - p) / jnp.where(not_wrong > 0, not_wrong, 1.0)])
    drawn = jax.lax.scan(draw, n, (jax.random.split(key_counts), jnp.clip(shares, 0.0, 1.0)))[1]
    counts = jnp.stack([n_real + drawn[1], drawn[0]])
    present = (counts > 0).astype(float)
    roots = jnp.sqrt(counts)
    sums = roots[:, None] * mu[None] + present[:, None] * jax.random.normal(key_sums, (2, d)) * s[None]
    rest = gram_rows(key_rest, jnp.sum(counts - present), d) * s[None]
    rows, total = jnp.concatenate([sums, rest]), n + n_real
    factor = jnp.linalg.cholesky(rows.T @ rows / total + lam * jnp.eye(d), symmetrize_input=False)
    return cho_solve((factor, True), (roots * jnp.array([1.0, -1.0])) @ sums / total)
