"""What every field says of itself: `explain`, editors and the reference have no other source."""

from __future__ import annotations

import importlib
import pkgutil
from typing import Annotated, Any, get_origin

import pytest

import syncline.kinds
from syncline.kinds import KIND_BY_NAME
from syncline.manifests import fields
from syncline.manifests.envelope import Metadata
from syncline.manifests.schema import export

#: Characters of a description at most: it stands in a table, and in an editor's hover.
LONGEST = 200


def models_in(annotation):
    found = fields.models(annotation)
    for entry in fields.entries(annotation):
        found += models_in(entry)
    return found


def every_model():
    queue: list[Any] = [Metadata, *(model for kind in KIND_BY_NAME.values() for model in fields.models(kind.spec))]
    seen: dict[Any, None] = {}
    while queue:
        model = queue.pop()
        if model not in seen:
            seen[model] = None
            queue += [inner for info in fields.by_alias(model).values() for inner in models_in(info.annotation)]
    return list(seen)


def of_types():
    """The descriptions of types: what a `Name` or a `Duration` is, whatever it is of."""
    modules = [
        importlib.import_module(f"syncline.kinds.{m.name}") for m in pkgutil.iter_modules(syncline.kinds.__path__)
    ]
    aliases = [value for module in modules for value in vars(module).values() if get_origin(value) is Annotated]
    return {fields.hint(alias) for alias in aliases} - {""}


FIELDS = [(model, name, info) for model in every_model() for name, info in fields.by_alias(model).items()]
IDS = [f"{model.__name__}.{name}" for model, name, _ in FIELDS]


def test_types_have_descriptions_to_compare_with():
    """The generic descriptions that a field's own is compared with are found."""
    assert {"A duration: 500ms, 30s, 1h30m, 7d.", "A CEL expression.", "integration/stream."} <= of_types()


@pytest.mark.parametrize(("model", "name", "info"), FIELDS, ids=IDS)
def test_every_field_has_its_own_description(model, name, info):
    """A field says what it means: a short sentence that isn't its type's, nor the docstring of the model in it."""
    docs = {" ".join((inner.__doc__ or "").split()) for inner in models_in(info.annotation)}

    assert info.description, f"{model.__name__}.{name} has no description"
    assert info.description not in of_types() | docs
    assert info.description.endswith(".")
    assert len(info.description) <= LONGEST


def test_editors_get_every_description():
    """In the exported JSON Schema too, every field's own description stands beside its type."""
    definitions = export()["$defs"]

    assert {model.__name__ for model in every_model()} <= set(definitions)
    for model, name, info in FIELDS:
        assert definitions[model.__name__]["properties"][name]["description"] == info.description


def test_every_model_has_a_docstring_that_is_a_sentence():
    """Models explain themselves as well: the reference shows it over the table of their fields."""
    for model in every_model():
        assert (model.__doc__ or "").rstrip().endswith("."), model.__name__
