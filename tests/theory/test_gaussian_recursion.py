"""Moments of a Gaussian that is fitted again and again to its own samples."""

from fractions import Fraction

import numpy as np
import pytest
from predictor_checks import Case, check_batching, check_derivatives, check_refusal
from scipy import integrate, special, stats

from theorylab import cite, theory

BOTH = pytest.mark.parametrize("unbiased", [True, False])


def replaced(n, refits, unbiased, var0=1.0):
    return theory.gaussian_replacement_moments(n, refits, var0, unbiased)


def accumulated(n, refits, unbiased, var0=1.0):
    return theory.gaussian_accumulation_moments(n, refits, var0, unbiased)


# ------------------------------------------------------------------------------------------------ identities and limits


@BOTH
def test_no_refit_is_the_start(unbiased):
    moments = replaced(10, 0, unbiased, 2.0)
    assert moments == (0.0, 2.0, 4.0, np.sqrt(2.0), np.log(2.0), 0.0)
    assert accumulated(10, 0, unbiased, 2.0) == (0.0, 2.0)


@BOTH
def test_one_refit_is_one_sample_however_the_next_ones_are_fitted(unbiased):
    np.testing.assert_allclose(accumulated(7, 1, unbiased), replaced(7, 1, unbiased)[:2], rtol=1e-15)


@BOTH
@pytest.mark.parametrize("moments", [replaced, accumulated])
def test_total_variance_by_maximum_likelihood(moments, unbiased):
    """E var_t + E (mu_t - mu0)^2 = var0 for maximum likelihood; more than that for the unbiased variance."""
    for n, refits in [(2, 1), (5, 7), (50, 300)]:
        mean_sq, var = moments(n, refits, unbiased)[:2]
        if unbiased:
            assert mean_sq + var > 1
        else:
            np.testing.assert_allclose(mean_sq + var, 1.0, rtol=1e-14)


@BOTH
def test_the_pool_has_the_average_second_moment_of_the_fits_that_filled_it(unbiased):
    for n, refits in [(2, 3), (5, 12), (10, 40)]:
        path = np.array([accumulated(n, t, unbiased, 1.7) for t in range(refits + 1)])
        mean_sq, var = path[-1]
        share = (refits * n - 1) / (refits * n) if unbiased else 1.0
        np.testing.assert_allclose(mean_sq + share * var, path[:-1].sum() / refits, rtol=1e-13)


@pytest.mark.parametrize("n", [2, 5, 10, 50])
def test_accumulated_variance_tends_to_its_limit_as_one_over_the_number_of_refits(n):
    limit = theory.gaussian_accumulation_variance_limit(n, 1.3)
    for refits in (1000, 100_000):
        excess = accumulated(n, refits, False, 1.3).var / limit - 1
        np.testing.assert_allclose(excess, 1 / (n * refits), rtol=2 / refits + 1e-5)


def test_many_samples_keep_everything():
    """To first order in t/n: E log var = -t/n, and less by E var - var0 for maximum likelihood."""
    for unbiased, log_var in ((True, -1e-10), (False, -2e-10)):
        moments = replaced(1e12, 100, unbiased)
        np.testing.assert_allclose(moments[1:4], 1.0, rtol=3e-10)
        np.testing.assert_allclose((moments.mean_sq, moments.log_var, moments.w2), (1e-10, log_var, 1.5e-10), rtol=2e-3)


def test_collapse_is_almost_sure_where_the_mean_stays():
    moments = replaced(5, 100, True)
    assert moments.var == 1.0
    assert moments.log_var < -20
    assert moments.std < 0.01


# --------------------------------------------------------------------------------- values, scaling, other computations


def test_stated_values():
    """Sums of exact fractions, SciPy's log-gamma and digamma; n = 10, twelve refits."""
    unbiased, likely = replaced(10, 12, True), replaced(10, 12, False)
    np.testing.assert_allclose(
        [unbiased.mean_sq, unbiased.std, unbiased.log_var, unbiased.w2],
        [1.2, 0.7170158973503205, -1.382477645000943, 1.7659682052993593],
        rtol=2e-14,
    )
    np.testing.assert_allclose(
        [likely.mean_sq, likely.var, likely.std, likely.w2],
        [0.7175704635189999, 0.2824295364810001, 0.38105164550375126, 1.2378967089924975],
        rtol=2e-14,
    )
    np.testing.assert_allclose(accumulated(10, 12, False).var, 0.8502075100520853, rtol=1e-14)
    expected = (0.15527296593968126, 0.9426788605908454)
    np.testing.assert_allclose(accumulated(10, 12, True), expected, rtol=1e-14)
    np.testing.assert_allclose(theory.gaussian_accumulation_variance_limit(10, 1.0), 0.843435857215594, rtol=1e-14)


@pytest.mark.parametrize("n", [2, 3, 10, 51, 200])
@BOTH
def test_replacement_equals_moments_of_the_chi_square_law(n, unbiased):
    """var_t / var_{t-1} is chi-square with n - 1 degrees of freedom over n - 1 or n, independent at every refit."""
    law, divisor, t = stats.chi2(n - 1), n - unbiased, 7
    moments = replaced(n, t, unbiased, 1.7)
    np.testing.assert_allclose(moments.var, 1.7 * (law.mean() / divisor) ** t, rtol=1e-13)
    np.testing.assert_allclose(moments.var_sq, 1.7**2 * (law.moment(2) / divisor**2) ** t, rtol=1e-13)
    std = stats.chi(n - 1).mean() / np.sqrt(divisor)
    np.testing.assert_allclose(moments.std, np.sqrt(1.7) * std**t, rtol=1e-12)
    log_gamma_law = lambda y: y * np.exp((n - 1) / 2 * y - np.exp(y) - special.gammaln((n - 1) / 2))
    log = integrate.quad(log_gamma_law, -80, 12, epsabs=1e-13, epsrel=1e-13, limit=300, points=[np.log(n)])[0]
    np.testing.assert_allclose(moments.log_var, np.log(1.7) + t * (log + np.log(2 / divisor)), rtol=0, atol=2e-11)
    steps = 1.7 / n * (law.mean() / divisor) ** np.arange(t)
    np.testing.assert_allclose(moments.mean_sq, steps.sum(), rtol=1e-13)
    expected = steps.sum() + moments.var - 2 * np.sqrt(1.7) * moments.std + 1.7
    np.testing.assert_allclose(moments.w2, expected, rtol=1e-12)


def test_std_keeps_its_digits_for_many_samples():
    """n = 10^6: log c4 = -1/(4 n) (1 + O(1/n)), of which log-gamma functions of 10^6 leave nine digits."""
    np.testing.assert_allclose(np.log(replaced(1e6, 1000, True).std), -1000 / 4e6 * (1 + 1e-6), rtol=1e-9)


@BOTH
@pytest.mark.parametrize("n", [2, 10])
def test_accumulation_equals_exact_fractions_and_gamma_functions(n, unbiased):
    var, mean_sq, t = Fraction(1), Fraction(0), 25
    for s in range(1, t + 1):
        mean_sq += var / (s * s * n)
        var *= (1 - Fraction(1, s * (s * n - 1)) if s > 1 else 1) if unbiased else 1 - Fraction(1, n * s * s)
    np.testing.assert_allclose(accumulated(n, t, unbiased), (float(mean_sq), float(var)), rtol=1e-14)
    # both products by the roots of their numerators and denominators
    if unbiased:
        up, down = np.roots([n, -1, -1]), np.array([0, 1 / n])
        first = 2
    else:
        up, down, first = np.array([1, -1]) / np.sqrt(n), np.zeros(2), 1
    log = sum(
        sign * np.sum(special.gammaln(t + 1 - r) - special.gammaln(first - r)) for sign, r in ((1, up), (-1, down))
    )
    np.testing.assert_allclose(float(var), np.exp(log), rtol=1e-11)


def test_variance_scales_as_the_square():
    for unbiased in (True, False):
        one, four = replaced(10, 5, unbiased, 1.3), replaced(10, 5, unbiased, 4 * 1.3)
        scaled = (4 * one.mean_sq, 4 * one.var, 16 * one.var_sq, 2 * one.std, one.log_var + np.log(4), 4 * one.w2)
        np.testing.assert_allclose(four, scaled, rtol=1e-14)
        one, four = accumulated(10, 5, unbiased, 1.3), accumulated(10, 5, unbiased, 4 * 1.3)
        np.testing.assert_allclose(four, 4 * np.array(one), rtol=1e-14)


# ----------------------------------------------------------------------------------- derivatives, batching, bad input

CASES = [
    *(
        Case(theory.gaussian_replacement_moments, dict(n=n, refits=refits, var0=1.3), unbiased=unbiased)
        for n, refits in [(10.0, 12.0), (2.5, 3.0), (400.0, 50.0)]
        for unbiased in (True, False)
    ),
    *(
        Case(theory.gaussian_accumulation_moments, dict(n=5.0, var0=1.3), refits=6, unbiased=unbiased)
        for unbiased in (True, False)
    ),
    Case(theory.gaussian_accumulation_variance_limit, dict(n=5.0, var0=1.3)),
]
REPLACED, ACCUMULATED, LIMIT = CASES[0], CASES[6], CASES[8]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_derivatives(case):
    check_derivatives(case)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_batching(case):
    check_batching(case)


@pytest.mark.parametrize("case, named, bad", [
    (REPLACED, "n", dict(n=1.0)),
    (REPLACED, "refits", dict(refits=-1.0)),
    (REPLACED, "var0", dict(var0=0.0)),
    (REPLACED, "n", dict(n=np.nan)),
    (ACCUMULATED, "n", dict(n=1.5)),
    (ACCUMULATED, "var0", dict(var0=-1.0)),
    (LIMIT, "n", dict(n=1.0)),
    (LIMIT, "var0", dict(var0=0.0)),
])  # fmt: skip
def test_outside_the_domain(case, named, bad):
    check_refusal(case, named, **bad)


def test_a_negative_number_of_accumulating_refits_is_refused():
    with pytest.raises(ValueError, match="refits = -1"):
        accumulated(10, -1, True)


def test_every_predictor_names_its_source():
    for predict in (theory.gaussian_replacement_moments, theory.gaussian_accumulation_moments):
        assert "@article" in cite(predict)
    assert "kazdan" in cite(theory.gaussian_accumulation_variance_limit)
