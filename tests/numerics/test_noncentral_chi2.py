"""The noncentral chi-square distribution function against SciPy."""

import jax
import numpy as np
import pytest
from scipy import stats

from theorylab.numerics.noncentral_chi2 import noncentral_chi2_cdf


@pytest.mark.parametrize("nc, terms", [(0.0, 60), (1e-6, 128), (3.0, 128), (180.0, 512), (700.0, 1024)])
def test_equals_scipy(nc, terms):
    """Also at a mean beyond half the terms, where the window of the series moves."""
    df = np.array([1.0, 2.0, 7.5])[:, None]
    x = np.array([0.01, 0.5, 1.0, 1.5])[None] * (df + nc)
    ours = jax.jit(jax.vmap(jax.vmap(lambda x, df: noncentral_chi2_cdf(x, df, nc, terms), (0, None))))(x, df[:, 0])
    expected = stats.ncx2(df, nc).cdf(x) if nc else stats.chi2(df).cdf(x)
    np.testing.assert_allclose(ours, expected, rtol=1e-9, atol=1e-14)


@pytest.mark.parametrize("change, named", [
    (dict(x=-1.0), "x"), (dict(df=0.0), "df"), (dict(nc=-0.1), "nc"), (dict(terms=0), "terms"), (dict(nc=1e5), "nc"),
])  # fmt: skip
def test_refusals(change, named):
    with pytest.raises(ValueError, match=rf"^{named} = "):
        noncentral_chi2_cdf(**{**dict(x=1.0, df=2.0, nc=1.0, terms=64), **change})
    if named != "terms":
        value = jax.jit(lambda bad: noncentral_chi2_cdf(**{**dict(x=1.0, df=2.0, nc=1.0, terms=64), **bad}))(change)
        assert np.isnan(value)
