"""Examples in docstrings: those that are there are true, and every public name of the SDK has one."""

from __future__ import annotations

import doctest
import importlib
import inspect
import pkgutil
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest

from syncline import sdk
from syncline.sdk import conformance, conformance_destination
from syncline.sdk.conformance import SOURCE_CHECKS
from syncline.sdk.conformance_destination import DESTINATION_CHECKS
from syncline.sdk.conformance_partitions import PARTITION_CHECKS
from syncline.sdk.conformance_reversal import REVERSAL_CHECKS
from tests.docs.blocks import ROOT

CHECKS = (*SOURCE_CHECKS, *DESTINATION_CHECKS, *PARTITION_CHECKS, *REVERSAL_CHECKS)
SDK = sorted(module.name for module in pkgutil.walk_packages(sdk.__path__, "syncline.sdk."))


def with_examples() -> list[str]:
    """The modules that have an example to run."""
    sources = ROOT / "engine"
    files = sorted((sources / "syncline").rglob("*.py"))
    found = [path.relative_to(sources).with_suffix("") for path in files if ">>> " in path.read_text(encoding="utf-8")]
    return [".".join(path.parts).removesuffix(".__init__") for path in found]


def public(module: ModuleType) -> Iterator[tuple[str, Any]]:
    """The classes and functions that a module defines for others, but the checks: its docstring shows those."""
    for name, value in vars(module).items():
        if name.startswith("_") or value in CHECKS:
            continue
        if (inspect.isclass(value) or inspect.isfunction(value)) and value.__module__ == module.__name__:
            yield name, value


@pytest.mark.parametrize("name", with_examples())
def test_examples_are_true(name: str):
    """Every `>>>` of the module gives what stands below it."""
    failed, tried = doctest.testmod(importlib.import_module(name))

    assert tried > 0
    assert failed == 0


@pytest.mark.parametrize("name", SDK)
def test_every_public_name_of_the_sdk_has_an_example(name: str):
    """Whoever writes a connector sees each class and function used."""
    module = importlib.import_module(name)

    assert [n for n, value in public(module) if not any(x in (value.__doc__ or "") for x in (">>> ", "Example:"))] == []


def test_the_checks_are_shown_once_for_all():
    """The modules of checks say in their own docstrings how all of them are run."""
    assert "SOURCE_CHECKS" in (conformance.__doc__ or "")
    assert "DESTINATION_CHECKS" in (conformance_destination.__doc__ or "")
