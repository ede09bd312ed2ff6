"""Finite-size experiments, one module per family, with the same names as in `theory`."""

from theorylab._lazy import lazy_package

__getattr__, __dir__ = lazy_package(__name__, __path__)
