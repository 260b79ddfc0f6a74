"""The exported JSON Schema: complete, closed, and in agreement with the models on every example."""

from __future__ import annotations

import json
import re

import pytest

from syncline.kinds import KIND_BY_NAME
from syncline.manifests.envelope import Metadata
from syncline.manifests.schema import export, modeline


def references(value):
    match value:
        case dict():
            yield from ([value["$ref"]] if "$ref" in value else [])
            for inner in value.values():
                yield from references(inner)
        case list():
            for inner in value:
                yield from references(inner)
        case _:
            pass


def test_every_kind_has_a_branch():
    """One document has a branch for every kind, which leads to its spec."""
    schema = export()
    branches = {b["if"]["properties"]["kind"]["const"]: b["then"] for b in schema["allOf"]}

    assert set(branches) == set(KIND_BY_NAME) == set(schema["properties"]["kind"]["enum"])
    assert branches["Sync"]["properties"]["spec"] == {"$ref": "#/$defs/SyncSpec"}
    assert branches["Sync"]["properties"]["metadata"] == {"required": ["tenant"]}
    assert branches["Tenant"]["properties"]["metadata"] == {"not": {"required": ["tenant"]}}


@pytest.mark.parametrize("kind", [None, *KIND_BY_NAME])
def test_references_resolve(kind):
    """Every reference inside the document has its definition."""
    schema = export(kind)

    assert {r.removeprefix("#/$defs/") for r in references(schema)} <= set(schema["$defs"])


def test_objects_are_closed():
    """Every object with named fields refuses others, as the loader does."""
    open_ones = [
        n for n, d in export()["$defs"].items() if "properties" in d and d.get("additionalProperties") is not False
    ]

    assert open_ones == []


def test_names_are_those_of_yaml():
    """Fields have their names of YAML, and descriptions for the editor."""
    definitions = export()["$defs"]

    assert {"from", "to", "mapping"} <= set(definitions["SyncSpec"]["properties"])
    assert (
        definitions["Guards"]["properties"]["maxRejects"]["description"]
        == "Most records that may be rejected: a share of those read, or a count. Absent: any number."
    )
    assert set(definitions["Metadata"]["properties"]) == {f.alias for f in Metadata.model_fields.values()}


def test_units_have_patterns():
    """Editors check durations, rates and shares by a pattern, and let a share be a number."""
    schema = export()["$defs"]
    share = schema["Guards"]["properties"]["maxRejects"]["anyOf"][0]

    assert share["type"] == ["string", "integer"]
    assert re.search(schema["Keys"]["properties"]["rotation"]["anyOf"][0]["pattern"], "1h30m")


def test_one_kind():
    """The schema of one kind knows no other; an unknown one is a KeyError."""
    assert export("Sync")["properties"]["kind"] == {"enum": ["Sync"], "description": "What is declared."}
    with pytest.raises(KeyError):
        export("Snyc")


def test_plain_and_stable():
    """The export is JSON, the same each time, and the caller's own."""
    first = export()
    text = json.dumps(first)
    first["$defs"].clear()

    assert json.dumps(export()) == text


def test_modeline():
    """The comment for editors names the schema."""
    assert modeline("../s.json") == "# yaml-language-server: $schema=../s.json"
