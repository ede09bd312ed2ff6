"""What predictors and simulators share: data models and exact functionals of given weights."""

from theorylab._lazy import lazy_package

__getattr__, __dir__ = lazy_package(__name__, __path__)
