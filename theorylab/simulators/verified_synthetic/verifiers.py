"""Linear generators, linear or tossed verifiers on inputs N(0, I): accuracies, and rates measured on labelled data."""

import jax
import jax.numpy as jnp

from theorylab.numerics.domain import in_domain, nan_unless
from theorylab.problems.verified_synthetic import cosine_accuracy, estimate_verifier_rates, verifier_directions
from theorylab.simulators.verified_synthetic._subspace import accumulate, sign, train
from theorylab.types import Array, Key, Real, Vector

__all__ = ["simulate_coin_verifier", "simulate_linear_verifier_rates", "simulate_verifier_panel"]


def simulate_coin_verifier(
    key: Key,
    d: int,
    lam: Real,
    p: Real,
    phi: Real,
    model: tuple[str, ...],
    n: tuple[int, ...],
    psi: Vector,
) -> dict[str, Array]:
    """Accuracy on labels that are wrong by chance, or wrong because their generator is linear: one replicate.

        x ~ N(0, I_d) ,   y = sign(x . w_star)
        "noise": y' = -y with probability p ,   "generator": y' = sign(x . g) ,  cos(g, w_star) = cos(pi p)
        a pair is kept with probability phi if y' = y, else psi

    All models, sizes and keep rates share their draws; smaller samples are parts of the larger ones.

    Source: the setting of @feng2024beyond.
    Domain: p, phi, psi in [0, 1], d > 2, lam >= 0, n >= 1; at least three pairs are kept, else NaN.

    d: dimension. lam: ridge; squared errors of the kept pairs are summed and divided by n. p: error rate of the labels.
    phi, psi: probability that a correct and a wrong pair is kept; several psi [S]. model: "noise", "generator".
    n: generated pairs.
    Returns accuracy [model, n, psi].
    Raises ValueError outside the domain.
    """
    _check_names("model", model, ("noise", "generator"))
    ok = _check(d, min(n), lam, 2)
    for name, value in dict(p=p, phi=phi, psi=psi).items():
        inside = ((jnp.asarray(value) >= 0) & (jnp.asarray(value) <= 1)).all()
        ok &= in_domain(inside, name, value, f"0 <= {name} <= 1")
    angle = jnp.pi * jnp.asarray(p, float)

    def labelling(x: Array, uniforms: Array) -> tuple[tuple[Array, Array], ...]:
        y = sign(x[:, 0])
        given = dict(noise=jnp.where(uniforms[:, 0] < p, -y, y),
                     generator=sign(jnp.cos(angle) * x[:, 0] + jnp.sin(angle) * x[:, 1]))  # fmt: skip
        rate = lambda label: jnp.where((label == y)[:, None], jnp.asarray(phi, float), jnp.asarray(psi)[None])
        return tuple((given[name], (uniforms[:, 1:] < rate(given[name])).astype(float)) for name in model)

    key_rows, key_rest = jax.random.split(key)
    moments = accumulate(key_rows, jnp.array(n), max(n), 2, labelling)
    w, perp = train(key_rest, moments, jnp.array(n)[:, None], lam, d)
    accuracy = cosine_accuracy(w[..., 0] / jnp.sqrt(jnp.sum(w**2, -1) + perp))
    return {"accuracy": nan_unless(ok, accuracy.reshape(len(n), len(model), -1).transpose(1, 0, 2))}


def simulate_verifier_panel(
    key: Key,
    d: int,
    n: int,
    lam: Real,
    rho_g: Real,
    rho_v: Vector,
    r: Vector,
    phi: Vector,
    psi: Vector,
    labelled: int,
    kind: tuple[str, ...],
    verifier: tuple[int, ...],
) -> dict[str, Array]:
    """Final accuracy with each of several verifiers, and what labelled data say about them: one replicate.

        y' = sign(x . g) ;   "linear": kept if y' (x . v) > 0 ,   "coin": kept with probability phi if y' = y, else psi

    All verifiers see the same generated pairs; the labelled ones are others.

    Source: the setting of @feng2024beyond.
    Domain: cosines of three vectors, |rho_g| < 1; d > 3, lam >= 0; at least four pairs are kept, else NaN.

    d: dimension. n: generated pairs. lam: ridge, as in `simulate_coin_verifier`. rho_g: cosine of generator and truth.
    rho_v, r: cosines of the linear verifiers with truth and generator [V]. phi, psi: keep rates of the coins [V].
    labelled: pairs with known labels. kind: "linear", "coin". verifier: which of them [S].
    Returns accuracy [kind, S]; p_star, p_star_se and margin = p_star - p as measured for the linear verifiers [S].
    Raises ValueError outside the domain.
    """
    _check_names("kind", kind, ("linear", "coin"))
    ok = _check(d, n, lam, 3)
    in_domain(labelled >= 1, "labelled", labelled, "labelled >= 1")
    chosen = jnp.array(verifier)
    rho_v, r, phi, psi = (jnp.asarray(values)[chosen] for values in (rho_v, r, phi, psi))
    rho_g = jnp.asarray(rho_g, float)
    directions = jax.vmap(lambda rho_v, r: verifier_directions(rho_g, rho_v, r))(rho_v, r)
    g, v = directions[0, 1], directions[:, 2]

    def agrees(x: Array, given: Array) -> Array:
        return given[:, None] * (x @ v.T) > 0

    def labelling(x: Array, uniforms: Array) -> tuple[tuple[Array, Array], ...]:
        given = sign(x @ g)
        rate = jnp.where((given == sign(x[:, 0]))[:, None], phi[None], psi[None])
        kept = dict(linear=agrees(x, given), coin=uniforms[:, :1] < rate)
        return ((given, jnp.concatenate([kept[name].astype(float) for name in kind], 1)),)

    key_rows, key_rest, key_labelled = jax.random.split(key, 3)
    moments = accumulate(key_rows, jnp.array([n]), n, 3, labelling, chunk=1024)[0]
    w, perp = train(key_rest, moments, jnp.asarray(n), lam, d)
    accuracy = cosine_accuracy(w[:, 0] / jnp.sqrt(jnp.sum(w**2, -1) + perp))
    x = jax.random.normal(key_labelled, (labelled, 3))
    given = sign(x @ g)
    rates = jax.vmap(lambda keep: estimate_verifier_rates(sign(x[:, 0]), given, keep))(agrees(x, given).T)
    measured = dict(p_star=rates.p_star, p_star_se=rates.p_star_se, margin=rates.p_star - rates.p)
    return nan_unless(ok, dict(accuracy=accuracy.reshape(len(kind), -1), **measured))


def simulate_linear_verifier_rates(
    key: Key, rho_g: Real, rho_v: Real, r: Real, labelled: int, sets: int
) -> dict[str, Array]:
    """Rates of a linear verifier as measured on sets of labelled data: one replicate.

    Source: the proxy of @feng2024beyond.
    Domain: cosines of three vectors, |rho_g| < 1; labelled >= 1; sets even.

    rho_g, rho_v, r: cosines of generator and truth, verifier and truth, generator and verifier.
    labelled: pairs in a set. sets: independent sets.
    Returns the means over the sets of phi, psi and p_star, and calibration: the mean over pairs of sets of the squared
    difference of their p_star over the sum of their squared standard errors, 1 if the error bars are right.
    Raises ValueError outside the domain.
    """
    in_domain(labelled >= 1, "labelled", labelled, "labelled >= 1")
    in_domain(sets >= 2 and sets % 2 == 0, "sets", sets, "an even number of sets")
    truth, g, v = verifier_directions(rho_g, rho_v, r)

    def measure(key: Key) -> tuple[Array, ...]:
        x = jax.random.normal(key, (labelled, 3))
        given = sign(x @ g)
        rates = estimate_verifier_rates(sign(x @ truth), given, given * (x @ v) > 0)
        return rates.phi, rates.psi, rates.p_star, rates.p_star_se**2

    phi, psi, p_star, variance = jax.lax.map(measure, jax.random.split(key, sets))
    squares = (p_star[::2] - p_star[1::2]) ** 2 / (variance[::2] + variance[1::2])
    return dict(phi=jnp.mean(phi), psi=jnp.mean(psi), p_star=jnp.mean(p_star), calibration=jnp.mean(squares))


def _check(d: int, n: int, lam: Real, k: int) -> bool | Array:
    in_domain(d > k, "d", d, f"d > {k}")
    in_domain(n >= 1, "n", n, "n >= 1")
    return in_domain(lam >= 0, "lam", lam, "lam >= 0")


def _check_names(name: str, values: tuple[str, ...], known: tuple[str, ...]) -> None:
    in_domain(len(values) > 0 and set(values) <= set(known), name, values, f"some of {', '.join(known)}")
