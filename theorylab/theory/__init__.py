"""Closed-form predictors, one module per family. `theory.f` finds the predictor f whatever its family."""

from theorylab._lazy import lazy_package

__getattr__, __dir__ = lazy_package(__name__, __path__)
