"""Sweeps: what is varied, how it is bound to functions, executed, stored and read back."""

from theorylab._lazy import lazy_package

__getattr__, __dir__ = lazy_package(__name__, __path__)
