"""Effective ridge, degrees of freedom, compression of spectra."""

from decimal import Decimal, getcontext

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import brentq

from theorylab.numerics import ridge
from theorylab.numerics.ridge import (
    compress_spectrum,
    degrees_of_freedom,
    effective_ridge,
    residual_degrees_of_freedom,
    shrinkage,
)

POWER_LAW = np.arange(1, 101.0) ** -1.5
solve = jax.jit(effective_ridge)


def random_points(count, d=30, seed=0):
    """Spectra of several shapes, n from far below to far above d and next to it, and ridges over 14 decades."""
    rng = np.random.default_rng(seed)
    shapes = [
        lambda: np.arange(1, d + 1.0) ** -rng.uniform(0.5, 4),
        lambda: 10 ** rng.uniform(-12, 0, d),
        lambda: np.where(np.arange(d) < d // 2, 1.0, 10 ** rng.uniform(-14, -1)),
        lambda: np.full(d, rng.uniform(0.1, 10)),
        lambda: rng.exponential(size=d) * (np.arange(d) < d - 3),
    ]
    for i in range(count):
        n = rng.choice([rng.uniform(1, 3 * d), d - 1, d, d + 1, 0.999 * d, 1.001 * d, d / 2, 1e6])
        yield shapes[i % 5](), n, 10 ** rng.uniform(-14, 2)


def exact_root(spectrum, n, lam, near):
    """Newton in 50 digits from a float64 solution."""
    getcontext().prec = 50
    s, n, lam, kappa = [Decimal(x) for x in spectrum.tolist()], Decimal(n), Decimal(lam), Decimal(near)
    for _ in range(4):
        df1, df2 = sum(x / (x + kappa) for x in s), sum((x / (x + kappa)) ** 2 for x in s)
        kappa -= (kappa - lam - kappa * df1 / n) / (1 - df2 / n)
    return kappa


def residual_error(solver, count=120):
    """Largest relative error of a solver against the root in 50 digits."""
    error = 0.0
    for spectrum, n, lam in random_points(count):
        kappa = float(solver(spectrum, n, lam))
        root = exact_root(spectrum, n, lam, float(solve(spectrum, n, lam)))
        error = max(error, float(abs(Decimal(kappa) / root - 1)))
    return error


def test_the_equation_holds_to_rounding_also_next_to_interpolation():
    assert residual_error(solve) < 4e-15


@pytest.mark.parametrize(
    "fault",
    [
        lambda s, n, lam: solve(s, n, 2 * lam),
        lambda s, n, lam: solve(s, s.size**2 / n, lam),
        lambda s, n, lam: solve(s, n, lam * n),
        lambda s, n, lam: lam + degrees_of_freedom(s, solve(s, n, lam), 1) / n,
        lambda s, n, lam: solve(s, n, lam) * (1 + 1e-12),
    ],
    ids=["lam doubled", "n inverted", "lam times n", "kappa dropped", "loose tolerance"],
)
def test_planted_faults_are_caught(fault):
    assert residual_error(fault, count=20) > 4e-13


@pytest.mark.parametrize("lam", [1e-9, 1e-3, 1.0])
@pytest.mark.parametrize("n", [5.0, 29.0, 30.0, 31.0, 200.0])
def test_steps_descend_to_the_root_and_never_pass_it(n, lam):
    for spectrum, _, _ in random_points(5, seed=1):
        arguments = (jnp.asarray(spectrum), jnp.asarray(n), jnp.asarray(lam), None)
        root, kappa = float(solve(spectrum, n, lam)), ridge._isotropic_bound(*arguments)
        for _ in range(12):
            assert kappa >= root * (1 - 1e-14)
            below = ridge._descend(*arguments, kappa)
            assert below <= kappa * (1 + 1e-14)
            kappa = below
        assert kappa <= root * (1 + 1e-14)


def test_values_of_the_theory_sheet():
    kappa = effective_ridge(POWER_LAW, 50, 1e-3)
    np.testing.assert_allclose(kappa, 0.005796357526834985, rtol=1e-13)
    np.testing.assert_allclose(degrees_of_freedom(POWER_LAW, kappa, 1), 41.37389304084185, rtol=1e-13)
    np.testing.assert_allclose(degrees_of_freedom(POWER_LAW, kappa, 2), 23.253695158190638, rtol=1e-13)
    kappa = effective_ridge(POWER_LAW, 50, 0)
    np.testing.assert_allclose(kappa, 0.0036664251383264844, rtol=1e-13)
    np.testing.assert_allclose(degrees_of_freedom(POWER_LAW, kappa, 1), 50, rtol=1e-13)
    np.testing.assert_allclose(degrees_of_freedom(POWER_LAW, kappa, 2), 30.60716843986816, rtol=1e-13)
    np.testing.assert_allclose(effective_ridge(np.ones(100), 200, 0.1), 0.17416573867739413, rtol=1e-13)


@pytest.mark.parametrize("n", [30.0, 99.0, 100.0, 101.0, 300.0])
def test_isotropic_root(n):
    for lam in (1e-12, 1e-3, 2.0):
        b = (n - 100) / n - lam
        root = (np.sqrt(b * b + 4 * lam) - b) / 2 if b < 0 else 2 * lam / (b + np.sqrt(b * b + 4 * lam))
        np.testing.assert_allclose(effective_ridge(np.ones(100), n, lam), root, rtol=1e-13)


def test_ridgeless_limits():
    np.testing.assert_allclose(effective_ridge(np.ones(100), 40, 0.0), 100 / 40 - 1, rtol=1e-14)
    for n in (100, 101, 1e9):
        assert effective_ridge(POWER_LAW, n, 0.0) == 0
    rank_90 = np.append(POWER_LAW[:90], np.zeros(10))
    assert effective_ridge(rank_90, 90, 0.0) == 0
    assert effective_ridge(rank_90, 89, 0.0) > 0
    assert effective_ridge(np.zeros(3), 2, 0.0) == 0
    assert effective_ridge(np.zeros(3), 2, 0.3) == 0.3
    np.testing.assert_allclose(
        effective_ridge(rank_90, 40, 0.01), effective_ridge(POWER_LAW[:90], 40, 0.01), rtol=1e-14
    )


def test_shrinkage_and_degrees_of_freedom_at_zero():
    g, missed = shrinkage(np.array([2.0, 0.0]), 0.0)
    assert g.tolist() == [1, 0] and missed.tolist() == [0, 1]
    g, missed = shrinkage(np.array([1.0]), 1e-20)
    np.testing.assert_allclose(missed, 1e-20, rtol=1e-14)
    assert degrees_of_freedom(np.array([2.0, 0.0]), 0.0, 2) == 1
    assert all(np.all(np.isfinite(x)) for x in jax.jacfwd(shrinkage, (0, 1))(jnp.array([2.0, 0.0]), 0.0)[0])


def test_residual_degrees_of_freedom():
    for spectrum, n, lam in random_points(40, seed=2):
        kappa = solve(spectrum, n, lam)
        direct = n - degrees_of_freedom(spectrum, kappa, 2)
        np.testing.assert_allclose(
            residual_degrees_of_freedom(spectrum, kappa, n, lam), direct, rtol=1e-12, atol=1e-12 * n
        )
    # next to interpolation the direct difference has lost six digits: compare with the isotropic closed form
    kappa = effective_ridge(np.ones(50), 50, 1e-12)
    exact = 50 * (1 - 1 / (1 + kappa)) * (1 + 1 / (1 + kappa))
    np.testing.assert_allclose(residual_degrees_of_freedom(np.ones(50), kappa, 50, 1e-12), exact, rtol=1e-9)


def test_multiplicity_is_repetition():
    repeated = np.repeat(POWER_LAW[:6], [1, 2, 3, 4, 5, 6])
    times = np.arange(1, 7.0)
    for n, lam in ((10, 0.0), (21, 0.0), (21, 1e-6), (40, 0.1)):
        kappa = effective_ridge(POWER_LAW[:6], n, lam, times)
        np.testing.assert_allclose(kappa, effective_ridge(repeated, n, lam), rtol=1e-14)
        for order in (1, 2):
            np.testing.assert_allclose(
                degrees_of_freedom(POWER_LAW[:6], kappa, order, times), degrees_of_freedom(repeated, kappa, order)
            )


def test_scaling_covariance():
    for spectrum, n, lam in random_points(40, seed=3):
        for c in (1e-6, 3.7, 1e8):
            np.testing.assert_allclose(solve(c * spectrum, n, c * lam), c * solve(spectrum, n, lam), rtol=1e-13)


def test_agrees_with_scipy_on_random_points():
    for spectrum, n, lam in random_points(200, seed=4):
        equation = lambda k: k - lam - k * np.sum(spectrum / (spectrum + k)) / n  # noqa: B023
        root = brentq(equation, lam, lam + spectrum.sum() / n, xtol=1e-300, rtol=1e-14)
        # brentq stops on the sign of a difference whose rounding error is 1e-16, 1/slope times that in the root
        slope = residual_degrees_of_freedom(spectrum, root, n, lam) / n
        np.testing.assert_allclose(solve(spectrum, n, lam), root, rtol=1e-13 + 4e-15 / slope)


def test_float32():
    for spectrum, n, lam in random_points(40, seed=5):
        if abs(n / spectrum.size - 1) > 0.01 and spectrum.min() > 1e-6 and lam > 1e-8:
            single = solve(jnp.asarray(spectrum, jnp.float32), n, lam)
            assert single.dtype == jnp.float32
            np.testing.assert_allclose(single, solve(spectrum, n, lam), rtol=1e-5)


def test_derivatives_are_the_implicit_ones():
    for n, lam in ((50.0, 1e-3), (50.0, 0.0), (150.0, 0.2), (100.0, 1e-6)):
        kappa = effective_ridge(POWER_LAW, n, lam)
        slope = 1 - degrees_of_freedom(POWER_LAW, kappa, 2) / n
        expected = (
            (kappa / (POWER_LAW + kappa)) ** 2 / n / slope,
            -kappa * degrees_of_freedom(POWER_LAW, kappa, 1) / n**2 / slope,
            1 / slope,
        )
        for gradient in (jax.grad, jax.jacfwd):
            got = gradient(effective_ridge, (0, 1, 2))(jnp.asarray(POWER_LAW), n, lam)
            for ours, formula in zip(got, expected):
                np.testing.assert_allclose(ours, formula, rtol=1e-11)


def test_derivatives_without_ridge_above_the_rank():
    spectrum = jnp.append(POWER_LAW, 0.0)
    by_spectrum, by_n, by_lam = jax.grad(effective_ridge, (0, 1, 2))(spectrum, 150.0, 0.0)
    np.testing.assert_allclose(by_lam, 1 / (1 - 100 / 150), rtol=1e-14)
    assert by_n == 0 and not by_spectrum.any()


@pytest.mark.parametrize(("n", "lam"), [(50.0, 1e-3), (130.0, 0.2), (50.0, 0.0), (150.0, 0.0)])
def test_derivatives_of_both_orders_against_differences(n, lam):
    root = jax.jit(lambda s, n, lam: effective_ridge(s, n, lam, jnp.full(100, 1.1)))
    gradient = jax.jit(jax.grad(root, (0, 1, 2)))
    point = (jnp.asarray(POWER_LAW), jnp.asarray(n), jnp.asarray(lam))
    tangents = jax.jit(lambda *v: jax.jvp(gradient, point, v)[1])
    zeros = [jnp.zeros_like(x) for x in point]
    for i, h in enumerate((1e-4 * POWER_LAW, 1e-4 * n, 1e-3 * lam or 1e-8 * (n > 110))):
        if np.all(h == 0):
            continue
        moved = lambda k: [x + (k * h if j == i else 0) for j, x in enumerate(point)]  # noqa: B023
        stencil = {-1: -0.5, 1: 0.5} if i < 2 or lam > 0 else {0: -1.5, 1: 2.0, 2: -0.5}
        first = sum(c * root(*moved(k)) for k, c in stencil.items())
        direction = tuple(jnp.asarray(h) if j == i else z for j, z in enumerate(zeros))
        np.testing.assert_allclose(jax.jvp(root, point, direction)[1], first, rtol=1e-6, atol=1e-12)
        for ours, *parts in zip(tangents(*direction), *(gradient(*moved(k)) for k in stencil)):
            expected = sum(c * part for c, part in zip(stencil.values(), parts))
            atol = max(1e-5 * float(jnp.max(jnp.abs(expected))), 1e-13)
            np.testing.assert_allclose(ours, expected, rtol=1e-5, atol=atol)


def test_derivative_in_the_multiplicity():
    times = np.linspace(0.5, 2, 100)
    function = lambda m: effective_ridge(POWER_LAW, 50.0, 1e-3, m)
    h = 1e-5 * times
    difference = (function(times + h) - function(times - h)) / 2
    np.testing.assert_allclose(jax.jvp(function, (times,), (h,))[1], difference, rtol=1e-7)


def test_batching_and_tracing():
    traces = []

    @jax.jit
    def program(n, lam):
        traces.append(1)
        return effective_ridge(POWER_LAW, n, lam)

    n, lam = np.array([20.0, 100.0, 99.9, 300.0]), np.array([0.0, 1e-9, 0.1, 0.0])
    loop = [effective_ridge(POWER_LAW, *point) for point in zip(n, lam)]
    np.testing.assert_allclose([program(*point) for point in zip(n, lam)], loop, rtol=1e-13)
    assert len(traces) == 1
    mapped = lambda: jax.vmap(lambda *p: effective_ridge(POWER_LAW, *p))(n, lam)
    np.testing.assert_allclose(mapped(), loop, rtol=1e-13)
    np.testing.assert_allclose(jax.jit(mapped)(), loop, rtol=1e-13)  # jax 0.10 fails on a bare custom_jvp here
    spectra = np.stack([POWER_LAW, 2 * POWER_LAW])
    both = jax.jit(lambda: jax.vmap(lambda s: effective_ridge(s, 20.0, 0.1))(spectra))()
    np.testing.assert_allclose(both, [effective_ridge(s, 20.0, 0.1) for s in spectra], rtol=1e-13)


def test_compression():
    spectrum = np.arange(1, 1e5 + 1) ** -1.5
    nodes, multiplicity = compress_spectrum(spectrum)
    assert nodes.size <= 144
    np.testing.assert_allclose(multiplicity.sum(), 1e5, rtol=1e-13)
    for n, lam in ((100.0, 1e-4), (1e3, 0.0), (9.9e4, 1e-9), (1e5, 1e-10), (1e4, 1e-3)):
        kappa = solve(spectrum, n, lam)
        np.testing.assert_allclose(solve(nodes, n, lam, multiplicity), kappa, rtol=1e-11)
        for order in (1, 2):
            full = degrees_of_freedom(spectrum, kappa, order)
            np.testing.assert_allclose(degrees_of_freedom(nodes, kappa, order, multiplicity), full, rtol=1e-11)
    assert effective_ridge(nodes, 1e5, 0.0, multiplicity) == 0


@pytest.mark.parametrize(
    ("spectrum", "size"), [(np.ones(500), 1), (np.append(POWER_LAW[:9], np.zeros(7)), 10), (np.zeros(4), 1)]
)
def test_compression_keeps_what_is_few(spectrum, size):
    few = compress_spectrum(spectrum)
    assert few.nodes.size == size
    assert few.multiplicity.sum() == spectrum.size
    np.testing.assert_allclose(few.nodes @ few.multiplicity, spectrum.sum(), rtol=1e-14)


BAD = [
    ("spectrum", dict(spectrum=np.array([1.0, -1e-9]))),
    ("spectrum", dict(spectrum=np.array([1.0, np.nan]))),
    ("spectrum", dict(spectrum=np.array([1.0, np.inf]))),
    ("n", dict(n=0.0)),
    ("n", dict(n=-3.0)),
    ("n", dict(n=np.inf)),
    ("n", dict(n=np.nan)),
    ("lam", dict(lam=-1e-9)),
    ("lam", dict(lam=np.inf)),
    ("lam", dict(lam=np.nan)),
]


@pytest.mark.parametrize(("name", "bad"), BAD)
def test_refusals(name, bad):
    good = dict(spectrum=POWER_LAW, n=50.0, lam=0.1)
    with pytest.raises(ValueError, match=f"^{name} = .* is outside its domain"):
        effective_ridge(**{**good, **bad})
    assert np.isnan(jax.jit(effective_ridge)(**{**good, **bad}))


@pytest.mark.parametrize("bad", [np.array([]), np.array([-1.0]), np.array([np.nan])])
def test_refusals_of_spectra(bad):
    for function in (compress_spectrum, lambda s: effective_ridge(s, 3, 0.1)):
        with pytest.raises(ValueError, match="spectrum"):
            function(bad)
    with pytest.raises(ValueError, match="order"):
        degrees_of_freedom(POWER_LAW, 0.1, 0)
    with pytest.raises(ValueError, match="kappa"):
        degrees_of_freedom(POWER_LAW, -0.1, 1)
