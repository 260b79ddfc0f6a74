"""The list of kinds and what each says of itself."""

from __future__ import annotations

import importlib
import json
import pkgutil

import pytest
from pydantic import ValidationError

import syncline.kinds
from syncline.kinds import KIND_BY_NAME
from syncline.kinds.base import Spec
from syncline.kinds.integration import connector_name
from syncline.kinds.record import RecordSchema, logical_schema, text_schema
from syncline.kinds.sync import SyncSpec, endpoint
from syncline.model.kind import Kind

SHARED_MODULES = {
    "auth_details",
    "auth_type",
    "base",
    "carrying",
    "changes",
    "content",
    "drift",
    "erase",
    "file_stream",
    "handling",
    "http",
    "job",
    "reading",
    "record",
    "registering",
    "request",
    "rest_stream",
    "retention",
    "secret_refs",
    "rule",
    "table",
    "tls",
    "webhooks",
    "write",
    "suspend",
    "window",
}


def test_every_file_is_in_the_list():
    """Each file beside the list is a kind in it, except those that kinds share."""
    modules = {m.name.rstrip("_") for m in pkgutil.iter_modules(syncline.kinds.__path__)} - SHARED_MODULES

    assert {k.name.lower().removesuffix("config") for k in KIND_BY_NAME.values()} == modules


@pytest.mark.parametrize("module", [*pkgutil.iter_modules(syncline.kinds.__path__)], ids=lambda module: module.name)
def test_annotations_are_no_texts(module):
    """Annotations of specs are written to be read once: as texts they would be compiled whenever a command starts."""
    found = vars(importlib.import_module(f"syncline.kinds.{module.name}")).values()
    own = [m for m in found if isinstance(m, type) and issubclass(m, Spec) and m.__module__.endswith(module.name)]

    assert not [a for model in own for a in vars(model).get("__annotations__", {}).values() if isinstance(a, str)]


def test_names():
    """Names and plurals are distinct."""
    assert [k.name for k in KIND_BY_NAME.values()] == list(KIND_BY_NAME)
    assert len({k.plural for k in KIND_BY_NAME.values()}) == len(KIND_BY_NAME)


@pytest.mark.parametrize("kind", KIND_BY_NAME.values(), ids=lambda kind: kind.name)
def test_references(kind):
    """Whatever a kind refers to is of a kind that is applied before it, and its path is in the example's document."""
    from syncline.manifests.load import load_text

    (manifest,) = load_text(kind.example, "e.yaml").manifests
    for reference in kind.references(manifest.spec):
        assert KIND_BY_NAME[reference.kind].order <= kind.order
        value = manifest.source
        for step in reference.path:
            value = value[step]
        assert reference.name in value


@pytest.mark.parametrize("kind", KIND_BY_NAME.values(), ids=lambda kind: kind.name)
def test_specs_are_closed_and_frozen(kind):
    """A spec refuses unknown fields and can't be changed."""
    with pytest.raises(ValidationError):
        kind.spec.model_validate_json('{"noSuchField": 1}')
    assert kind.spec.model_config["frozen"]


def test_defaults_are_values():
    """A default that is a model is complete: its own defaults are there."""
    spec = SyncSpec.model_validate_json('{"from": "a/b", "mapping": "c", "to": "d/e"}')

    assert (spec.guards.max_rejects, spec.guards.min_rows, spec.write, spec.read) == (None, None, "upsert", "full")


@pytest.mark.parametrize("share", ['"1%"', '"0.5%"', '"500"', "500"])
def test_shares(share):
    """A share is a percentage or a count, written as text or as a number."""
    text = f'{{"from": "a/b", "mapping": "c", "to": "d/e", "guards": {{"maxRejects": {share}}}}}'

    assert SyncSpec.model_validate_json(text).guards.max_rejects == share.strip('"')


@pytest.mark.parametrize("share", ['"many"', '"-1%"', "-1", "1.5", "true"])
def test_not_shares(share):
    """Anything else is refused."""
    text = f'{{"from": "a/b", "mapping": "c", "to": "d/e", "guards": {{"maxRejects": {share}}}}}'
    with pytest.raises(ValidationError):
        SyncSpec.model_validate_json(text)


def test_names_in_parts():
    """Endpoints and connectors come apart into their parts."""
    assert endpoint("helpdesk/tickets") == ("helpdesk", "tickets")
    assert connector_name("helpdesk@^1.3") == ("helpdesk", "^1.3")
    assert connector_name("helpdesk") == ("helpdesk", "")


def test_logical_schema():
    """Declared types become logical ones: arrays and objects keep their inner fields, required ones aren't null."""
    record = RecordSchema.model_validate_json(
        """{"required": ["id"], "properties": {
            "id": {"type": "integer"}, "at": {"type": "string", "format": "date-time", "x-class": "pii.date"},
            "tags": {"type": "array", "items": {"type": "string"}}, "any": {"type": "any"},
            "who": {"type": "object", "properties": {"name": {"type": "string"}}}}}"""
    )
    schema = logical_schema(record, ("id",))
    found = [(f.name, str(f.type), f.nullable, f.repeated, f.data_class) for f in schema.fields]

    assert found == [
        ("id", "integer", False, False, ""),
        ("at", "string", True, False, "pii.date"),
        ("tags", "string", True, True, ""),
        ("any", "json", True, False, ""),
        ("who", "json", True, False, ""),
    ]
    assert [f.name for f in schema.fields[4].fields] == ["name"]
    assert schema.key == ("id",)
    assert [f.data_class for f in text_schema(("at", "x"), schema).fields] == ["pii.date", ""]


def test_no_class_is_lost():
    """Classes of elements, of lists of lists, and of what a text column holds are kept, however deep they stand."""
    record = RecordSchema.model_validate_json(
        """{"properties": {
            "mails": {"type": "array", "x-class": "contact", "items": {"type": "string", "x-class": "pii.email"}},
            "grid": {"type": "array", "items": {"type": "array", "items": {"type": "string", "x-class": "pci.pan"}}},
            "who": {"type": "object", "properties": {"name": {"type": "string", "x-class": "pii.name"}}}}}"""
    )
    schema = logical_schema(record)
    expected = [{"contact", "pii.email"}, {"pci.pan"}, {"pii.name"}]

    assert [set(f.classes) for f in schema.fields] == expected
    assert [set(f.classes) for f in text_schema(schema.names, schema).fields] == expected
    assert schema.fields[2].inner_classes == ()


@pytest.mark.parametrize("kind", [k for k in KIND_BY_NAME.values() if k.short is not None], ids=lambda kind: kind.name)
def test_what_a_short_model_lacks_may_be_left_out(kind: Kind):
    """What has no field beyond those of a short model is the same, read by either."""
    assert kind.short is not None
    assert kind.short.model_fields.keys() < kind.spec.model_fields.keys()
    beyond = kind.spec.model_fields.keys() - kind.short.model_fields.keys()
    assert not any(kind.spec.model_fields[name].is_required() for name in beyond)
    text = json.dumps({"version": "1.2.3", "runtime": "file", "auth": ["none", "basic"], "config": {"required": ["a"]}})
    whole, short = kind.spec.model_validate_json(text), kind.short.model_validate_json(text)
    made = kind.spec.model_construct(short.model_fields_set, **dict(short))
    assert made == whole
    assert made.model_fields_set == whole.model_fields_set
    assert made.model_dump_json(exclude_unset=True) == whole.model_dump_json(exclude_unset=True)
