"""Every public predictor names its source, and the bibliography has it."""

import inspect

import pytest

import theorylab
from theorylab import theory


def predictors():
    return [f for f in (getattr(theory, name) for name in dir(theory)) if inspect.isfunction(f)]


def test_there_are_predictors():
    assert len(predictors()) > 15
    assert all(f.__name__ in dir(theory) for f in predictors())


@pytest.mark.parametrize("predictor", predictors(), ids=lambda f: f.__name__)
def test_every_predictor_is_cited(predictor):
    entry = theorylab.cite(predictor)
    assert entry.startswith("@")
    for field in ("title", "author", "year"):
        assert field in entry


def test_cite_by_key_and_module():
    entry = theorylab.cite("dohmatob2024model")
    assert "Model Collapse Demystified" in entry
    assert entry == theorylab.cite(theory.regression_collapse)
    both = theorylab.cite(theory.ridge_bias_variance)
    assert "hastie2022surprises" in both and "dobriban2018high" in both


def test_missing_sources_are_refused():
    def unsourced():
        """No source here."""

    def unknown():
        """Source: @nobody1900nothing."""

    with pytest.raises(ValueError, match=r"unsourced.*names no source"):
        theorylab.cite(unsourced)
    with pytest.raises(ValueError, match="no entry 'nobody1900nothing'"):
        theorylab.cite(unknown)
