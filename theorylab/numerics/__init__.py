"""Roots, quadrature, spectra and random matrices: tools that know nothing of any paper."""

from theorylab._lazy import lazy_package

__getattr__, __dir__ = lazy_package(__name__, __path__)
