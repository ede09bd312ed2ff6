"""Claims and their verdicts: statistics that say whether theory and simulation agree."""

from theorylab._lazy import lazy_package

__getattr__, __dir__ = lazy_package(__name__, __path__)
