"""CEL conditions: compiled once, evaluated on plain data.

Only the compiled module of `common-expression-language` is loaded: importing the package itself brings in the libraries
of its command line (typer, prompt_toolkit), 0.1 s that every `validate` would pay.
"""

from __future__ import annotations

import importlib.machinery
import importlib.util
from collections.abc import Mapping
from functools import cache
from types import ModuleType
from typing import Any

#: What evaluating a condition raises when a name is missing or types don't fit.
ERRORS = (ValueError, TypeError, RuntimeError, KeyError)


@cache
def _module() -> ModuleType:
    package = importlib.util.find_spec("cel")
    spec = package and importlib.machinery.PathFinder.find_spec("cel.cel", package.submodule_search_locations)
    if not spec or not spec.loader:  # another layout of the package: the slow way works with any
        import cel

        return cel
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Condition:
    """A compiled condition. ValueError says where the text isn't CEL."""

    def __init__(self, text: str) -> None:
        self._program = _module().compile(text)

    def __call__(self, values: Mapping[str, Any]) -> object:
        """Its value on some data; raises one of `ERRORS` when it can't be evaluated there."""
        return self._program.execute(dict(values))
