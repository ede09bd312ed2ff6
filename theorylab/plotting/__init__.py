"""One style and the overlay of theory and simulation; nothing here knows a paper."""

from theorylab._lazy import lazy_package

__getattr__, __dir__ = lazy_package(__name__, __path__)
