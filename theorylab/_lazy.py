"""Packages whose modules load on first use (PEP 562), so that a command that needs no jax never imports it."""

import importlib
import pkgutil
from collections.abc import Callable
from typing import Any


def lazy_package(name: str, path: list[str]) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """`__getattr__` and `__dir__` for a package that offers its public modules and everything in their `__all__`.

    A new module is found without being listed anywhere. A public name that two modules share is an error.
    """
    modules = [info.name for info in pkgutil.iter_modules(path) if not info.name.startswith("_")]
    owners: dict[str, str] = {}

    def load_owners() -> dict[str, str]:
        if not owners:
            for module in modules:
                for public in importlib.import_module(f"{name}.{module}").__all__:
                    if owners.setdefault(public, module) != module:
                        raise ImportError(f"{name}: both {owners[public]} and {module} define {public}")
        return owners

    def getattribute(attribute: str) -> Any:
        if attribute in modules:
            return importlib.import_module(f"{name}.{attribute}")
        if attribute.startswith("_") or attribute not in load_owners():
            raise AttributeError(f"module {name!r} has no attribute {attribute!r}")
        return getattr(importlib.import_module(f"{name}.{owners[attribute]}"), attribute)

    return getattribute, lambda: sorted([*modules, *load_owners()])
