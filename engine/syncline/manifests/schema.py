"""JSON Schema of the manifest language, for editors and other tools (draft 2020-12; nothing in it that draft-07 lacks).

It says what the models say. What they can't express (`checks.py`, `resolve.py`) only `syncline validate` finds.
"""

from __future__ import annotations

import json
from functools import cache
from typing import Any, Final

from pydantic.json_schema import GenerateJsonSchema, models_json_schema

from syncline.kinds import KIND_BY_NAME
from syncline.manifests.envelope import API_VERSION, Metadata
from syncline.model.kind import Kind

#: Where a configuration repository keeps the exported schema.
SCHEMA_FILE: Final = ".vscode/syncline.schema.json"
_DEFS: Final = "#/$defs/{model}"


def export(kind: str | None = None) -> dict[str, Any]:
    """The schema of all kinds in one document, or of one kind. KeyError for an unknown kind."""
    kinds = KIND_BY_NAME.values() if kind is None else (KIND_BY_NAME[kind],)
    definitions = _definitions()
    schema: dict[str, Any] = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Syncline manifest" if kind is None else f"Syncline {kind}",
        "type": "object",
        "required": ["apiVersion", "kind", "metadata", "spec"],
        "additionalProperties": False,
        "properties": {
            "apiVersion": {"const": API_VERSION, "description": "Version of the language."},
            "kind": {"enum": [k.name for k in kinds], "description": "What is declared."},
            "metadata": {"$ref": "#/$defs/Metadata"},
            "spec": {"type": "object"},
        },
        "allOf": [_branch(k) for k in kinds],
        "$defs": definitions,
    }
    # Plain data: what is returned may be changed without changing what the next caller gets.
    exported: dict[str, Any] = json.loads(json.dumps(schema))
    return exported


def modeline(location: str = SCHEMA_FILE) -> str:
    """The comment by which editors find the schema of a file."""
    return f"# yaml-language-server: $schema={location}"


def _branch(kind: Kind) -> dict[str, Any]:
    then: dict[str, Any] = {
        "description": kind.summary,
        "properties": {"spec": {"$ref": f"#/$defs/{kind.spec.__name__}"}},
    }
    if kind.scope == "tenant":
        then["properties"]["metadata"] = {"required": ["tenant"]}
    if kind.scope == "shared":
        then["properties"]["metadata"] = {"not": {"required": ["tenant"]}}
    return {"if": {"properties": {"kind": {"const": kind.name}}, "required": ["kind"]}, "then": then}


@cache
def _definitions() -> dict[str, Any]:
    models = [(Metadata, "validation"), *((kind.spec, "validation") for kind in KIND_BY_NAME.values())]
    _, document = models_json_schema(models, by_alias=True, ref_template=_DEFS, schema_generator=_Quiet)  # type: ignore[arg-type]  # a list is invariant
    definitions: dict[str, Any] = document["$defs"]
    return definitions


class _Quiet(GenerateJsonSchema):
    """Leaves out what helps nobody in an editor: a title made of the field's name."""

    # Defaults that are models which were never validated (`Guards.model_construct()`) can't be shown as JSON.
    ignored_warning_kinds = frozenset({"non-serializable-default", "skipped-choice"})  # type: ignore[assignment]  # a set there

    def field_title_should_be_set(self, schema: Any) -> bool:
        del schema
        return False
