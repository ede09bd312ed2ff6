"""Replace, accumulate, subsample: closed forms of least squares on the labels of earlier fits."""

from fractions import Fraction

import numpy as np
import pytest
from predictor_checks import Case, check_batching, check_derivatives, check_refusal
from scipy import special
from scipy.linalg import solve_triangular

from theorylab import cite, theory
from theorylab.theory import accumulation

SIZES, SIGMAS = np.array([60, 30, 90, 45]), np.array([1.0, 0.5, 0.7, 1.2])


def equal(T: float, fits: int) -> tuple[np.ndarray, np.ndarray]:
    return np.full(fits, float(T)), np.full(fits, 0.7)


# ------------------------------------------------------------------------------------------------ identities and limits


def test_increments_are_the_risks_of_the_noise_of_each_block():
    increments = np.diff(theory.accumulation_ols_risk(20, SIZES, SIGMAS), prepend=0.0)
    rows = np.cumsum(SIZES)
    np.testing.assert_allclose(increments * rows * (rows - 21) / (20 * SIGMAS**2), SIZES, rtol=1e-13)


def test_replacing_equals_a_chain_of_least_squares_generators():
    sizes, sigmas = equal(60, 5)
    chain = [theory.ols_collapse_risk(20, generations, 60, 60, 0.7, 0.7) for generations in range(5)]
    np.testing.assert_allclose(theory.replacement_ols_risk(20, sizes, sigmas), chain, rtol=1e-14)


def test_one_fit_is_least_squares_on_clean_labels():
    clean = theory.ols_collapse_risk(20, 0, 150, 60, 0.7, 0.0)
    one = (np.array([150.0]), np.array([0.7]))
    for risk in (theory.accumulation_ols_risk(20, *one), theory.replacement_ols_risk(20, *one)):
        np.testing.assert_allclose(risk, [clean], rtol=1e-14)
    np.testing.assert_allclose(theory.accumulation_ols_risk_shared_design(20, 150, one[1]), [clean], rtol=1e-14)
    np.testing.assert_allclose(theory.accumulation_ols_risk_equal_blocks(20, 150, 1, 0.7), clean, rtol=1e-14)


def test_an_empty_block_changes_nothing():
    risk = theory.accumulation_ols_risk(20, np.array([60, 0, 30]), np.array([1.0, 5.0, 0.5]))
    np.testing.assert_allclose(risk[1], risk[0], rtol=1e-15)
    np.testing.assert_allclose(risk[2], theory.accumulation_ols_risk(20, SIZES, SIGMAS)[1], rtol=1e-15)


@pytest.mark.parametrize("T", [22.0, 25.0, 60.0, 83.9, 84.1, 1e3, 1e7])
def test_equal_blocks_are_the_sum(T):
    fits = 50
    blocks = theory.accumulation_ols_risk(20, *equal(T, fits))
    closed = [theory.accumulation_ols_risk_equal_blocks(20, T, n, 0.7) for n in (1, 2, 3, 10, fits)]
    np.testing.assert_allclose(closed, blocks[np.array([1, 2, 3, 10, fits]) - 1], rtol=2e-13)


@pytest.mark.parametrize("d, T", [(20, 60), (20, 22), (5, 1e4)])
def test_limit_is_approached_as_one_over_the_number_of_fits(d, T):
    limit = theory.accumulation_ols_risk_limit(d, T, 0.7)
    for fits in (1e3, 1e6):
        rest = limit - theory.accumulation_ols_risk_equal_blocks(d, T, fits, 0.7)
        np.testing.assert_allclose(rest, 0.49 * d / T / fits, rtol=2 / fits + 1e-7)


def test_many_rows_give_pi_squared_over_six_in_both_settings():
    shared = theory.accumulation_ols_risk_shared_design(20, 60, np.full(20_000, 0.7))
    np.testing.assert_allclose(shared[-1] / shared[0], np.pi**2 / 6, rtol=1e-4)
    first = theory.accumulation_ols_risk_equal_blocks(20, 1e9, 1, 0.7)
    np.testing.assert_allclose(theory.accumulation_ols_risk_limit(20, 1e9, 0.7) / first, np.pi**2 / 6, rtol=1e-7)


def test_fresh_designs_lose_less_than_a_shared_one_from_the_second_fit_on():
    fresh = theory.accumulation_ols_risk(20, *equal(60, 30))
    shared = theory.accumulation_ols_risk_shared_design(20, 60, np.full(30, 0.7))
    assert abs(fresh[0] - shared[0]) < 1e-15
    assert np.all(np.asarray(fresh[1:] < shared[1:]))


def test_subsampling_tends_to_its_plateau_from_below():
    factor = np.asarray(theory.subsampled_accumulation_factor(2000))
    assert np.all(np.diff(factor) > 0)
    np.testing.assert_allclose(np.pi**2 / 2 - 2 - factor[-1], 3 / 2000.5, rtol=1e-6)


# --------------------------------------------------------------------------------- values, scaling, other computations


def test_stated_values():
    """From the closed forms in exact rational arithmetic, and the digamma form in SciPy; given to ten digits."""
    rounded = dict(rtol=0, atol=1e-10)
    np.testing.assert_allclose(
        theory.accumulation_ols_risk(20, SIZES, SIGMAS),
        [0.5128205128, 0.5369751022, 0.5677927123, 0.5960280064],
        **rounded,
    )
    np.testing.assert_allclose(
        theory.accumulation_ols_risk_shared_design(20, 60, SIGMAS),
        [0.5128205128, 0.5448717949, 0.5727920228, 0.6189458689],
        **rounded,
    )
    np.testing.assert_allclose(
        theory.replacement_ols_risk(20, SIZES, SIGMAS),
        [0.5128205128, 1.0683760684, 1.2104050538, 2.4104050538],
        **rounded,
    )
    np.testing.assert_allclose(
        theory.accumulation_ols_risk_equal_blocks(20, 60, 6, 0.7), 0.3443524707985819, rtol=1e-14
    )
    np.testing.assert_allclose(theory.accumulation_ols_risk_limit(20, 60, 0.7), 0.3701291047886496, rtol=1e-14)
    factors = [1, 1.75, 2.08333, 2.27083, 2.39083, 2.47417]
    np.testing.assert_allclose(theory.subsampled_accumulation_factor(6), factors, atol=5e-6)
    np.testing.assert_allclose(theory.subsampled_accumulation_factor(2000)[-1], 2.93330, atol=5e-6)


def test_risks_equal_exact_fractions():
    sizes, sigmas = [Fraction(int(T)) for T in SIZES], [Fraction(str(s)) for s in SIGMAS]
    replaced, accumulated, rows = Fraction(0), Fraction(0), Fraction(0)
    for n, (T, sigma) in enumerate(zip(sizes, sigmas)):
        rows += T
        replaced += 20 * sigma**2 / (T - 21)
        accumulated += 20 * sigma**2 * T / rows / (rows - 21)
        assert abs(theory.replacement_ols_risk(20, SIZES, SIGMAS)[n] / float(replaced) - 1) < 1e-15
        assert abs(theory.accumulation_ols_risk(20, SIZES, SIGMAS)[n] / float(accumulated) - 1) < 1e-15


def test_limit_equals_the_digamma_form_of_scipy():
    rng = np.random.default_rng(0)
    for _ in range(200):
        d = rng.integers(1, 200)
        T = (d + 1) * rng.uniform(1.001, 4)
        x = (d + 1) / T
        expected = 0.49 * d / (d + 1) * (special.digamma(1) - special.digamma(1 - x))
        np.testing.assert_allclose(theory.accumulation_ols_risk_limit(d, T, 0.7), expected, rtol=2e-13)


def test_subsampling_factor_is_the_variance_of_the_linear_recursion():
    """e_n = mean of e_0 = 0, e_1, .., e_{n-1} + xi_n with Cov(xi_m, xi_n) = 1/max(m, n) off the diagonal."""
    n = np.arange(1, 61)
    lower = np.eye(60) - np.tril(np.ones((60, 60)), -1) / n[:, None]
    noise = 1 / np.maximum(n[:, None], n[None])
    np.fill_diagonal(noise, 1.0)
    half = solve_triangular(lower, noise, lower=True)
    covariance = solve_triangular(lower, half.T, lower=True)
    np.testing.assert_allclose(theory.subsampled_accumulation_factor(60), np.diag(covariance), rtol=1e-13)


@pytest.mark.parametrize("predict", [
    lambda sigmas: theory.replacement_ols_risk(20, SIZES, sigmas),
    lambda sigmas: theory.accumulation_ols_risk(20, SIZES, sigmas),
    lambda sigmas: theory.accumulation_ols_risk_shared_design(20, 60, sigmas),
    lambda sigmas: theory.accumulation_ols_risk_equal_blocks(20, 60, 4, sigmas[0]),
    lambda sigmas: theory.accumulation_ols_risk_limit(20, 60, sigmas[0]),
])  # fmt: skip
def test_noise_times_c_multiplies_the_risk_by_c_squared(predict):
    np.testing.assert_allclose(predict(3 * SIGMAS), 9 * predict(SIGMAS), rtol=1e-14)


# ----------------------------------------------------------------------------------- derivatives, batching, bad input

BLOCKS = dict(d=20.0, sizes=SIZES.astype(float), sigmas=SIGMAS)
CASES = [
    Case(theory.replacement_ols_risk, BLOCKS),
    Case(theory.accumulation_ols_risk, BLOCKS),
    Case(theory.accumulation_ols_risk_shared_design, dict(d=20.0, T=60.0, sigmas=SIGMAS)),
    *(
        Case(theory.accumulation_ols_risk_equal_blocks, dict(d=d, T=T, fits=fits, sigma=0.7))
        for d, T, fits in [(20.0, 60.0, 6.0), (20.0, 22.5, 3.0), (3.0, 1e4, 100.0), (20.0, 90.0, 5.0)]
    ),
    *(Case(theory.accumulation_ols_risk_limit, dict(d=20.0, T=T, sigma=0.7)) for T in (22.5, 60.0, 1e4)),
]
REPLACE, ACCUMULATE, SHARED, EQUAL, *_, LIMIT = CASES


@pytest.mark.parametrize("case", CASES, ids=str)
def test_derivatives(case):
    check_derivatives(case)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_batching(case):
    check_batching(case)


@pytest.mark.parametrize("case, named, bad", [
    (REPLACE, "sizes", dict(sizes=np.array([60.0, 21.0, 90.0, 45.0]))),
    (ACCUMULATE, "sizes", dict(sizes=np.array([21.0, 60.0, 90.0, 45.0]))),
    (ACCUMULATE, "sizes", dict(sizes=np.array([60.0, -1.0, 90.0, 45.0]))),
    (ACCUMULATE, "d", dict(d=0.0)),
    (REPLACE, "sigmas", dict(sigmas=np.array([1.0, -1.0, 1.0, 1.0]))),
    (SHARED, "T", dict(T=21.0)),
    (SHARED, "sigmas", dict(sigmas=np.array([1.0, np.nan]))),
    (EQUAL, "T", dict(T=21.0)),
    (EQUAL, "fits", dict(fits=0.0)),
    (EQUAL, "sigma", dict(sigma=-1.0)),
    (LIMIT, "T", dict(T=20.5)),
    (LIMIT, "d", dict(d=-1.0)),
])  # fmt: skip
def test_outside_the_domain(case, named, bad):
    check_refusal(case, named, **bad)


@pytest.mark.parametrize("call, message", [
    (lambda: theory.replacement_ols_risk(20, np.array([60, 21]), np.ones(2)), "sizes .* no finite mean"),
    (lambda: theory.accumulation_ols_risk(20, np.array([21, 60]), np.ones(2)), "sizes .* no finite mean"),
    (lambda: theory.accumulation_ols_risk_limit(20, 21, 1.0), "T .* no finite mean"),
    (lambda: theory.replacement_ols_risk(20, np.array([60, 60]), np.ones(3)), "sizes has 2 entries, but sigmas has 3"),
    (lambda: theory.accumulation_ols_risk(20, np.array([60]), np.ones(2)), "sizes has 1 entries, but sigmas has 2"),
    (lambda: theory.accumulation_ols_risk(20, np.array([]), np.array([])), "sizes .* at least one block"),
    (lambda: theory.subsampled_accumulation_factor(0), "fits = 0"),
])  # fmt: skip
def test_messages(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_every_predictor_names_its_source():
    for name in accumulation.__all__:
        assert "@" in cite(getattr(accumulation, name))
