"""Schemas of live records: types, formats, nulls, likely classes, and how they differ from what is declared."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest

from syncline.kinds.record import RecordSchema
from syncline.manifests.compare import CONFLICTS, additions, compare, schema_of
from syncline.manifests.infer import MAX_DEPTH, MAX_NAMES, infer
from syncline.manifests.likely import likely_class


def declared(**properties) -> RecordSchema:
    """A declared record schema."""
    return RecordSchema.model_validate_json(json.dumps({"properties": properties}))


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([1, 2], "integer"),
        ([1, 2.5], "number"),
        ([Decimal("1.1")], "number"),
        ([2**63], "number"),
        ([True], "boolean"),
        ([1, True], "any"),
        (["a", None], "string"),
        ([None], "any"),
        ([{}], "object"),
        ([[]], "array"),
        ([1, "1"], "any"),
    ],
)
def test_types(values, expected):
    """The narrowest type that holds every value; mixtures are any."""
    assert infer({"a": value} for value in values).properties["a"].type == expected


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (["2026-01-31"], "date"),
        (["2026-02-31"], ""),
        (["2026-01-31T10:00:00Z", "2026-01-31 10:00:00.123+02:00"], "date-time"),
        (["2026-01-31T10:00:00Z", "yesterday"], ""),
        (["10:30", "10:30:15"], "time"),
        (["a@example.com", ""], "email"),
        (["", ""], ""),
        (["https://example.com/x"], "uri"),
        (["6f1c2a34-1b2c-4d5e-8f90-a1b2c3d4e5f6"], "uuid"),
        (["a" * 3000 + "@example.com"], ""),
    ],
)
def test_formats(texts, expected):
    """A format holds when every text that isn't empty is written in it."""
    assert infer({"a": text} for text in texts).properties["a"].format == expected


def test_nulls_and_missing_fields_count_alike():
    """A field that is null here and missing there is empty in both."""
    seen = infer([{"a": 1, "b": {"c": 1}}, {"a": None, "b": {}}, {"b": None}])

    assert (seen.properties["a"].empty, seen.properties["a"].of) == (2, 3)
    assert (seen.properties["b"].empty, seen.properties["b"].properties["c"].empty) == (1, 1)


def test_what_is_too_deep_or_too_wide_has_no_shape():
    """Hostile records cost no more than others: past the bounds they are JSON of any shape."""
    deep: dict = {}
    for _ in range(MAX_DEPTH * 2):
        deep = {"a": deep}
    wide = {"w": {str(n): n for n in range(MAX_NAMES * 3)}}

    found = schema_of(infer([deep | wide]))["properties"]

    assert found["w"] == {"type": "object"}
    assert json.dumps(found["a"]).count("properties") < MAX_DEPTH


def test_records_that_are_no_objects():
    """Numbers where records should be make no fields, and no defect."""
    assert infer([1, "a", None, []]).properties == {}


@pytest.mark.parametrize(
    ("name", "values", "expected"),
    [
        ("customerEmail", [None], "pii.email"),
        ("e-mail", ["x"], "pii.email"),
        ("contact", ["a@example.com", "b@example.com"], "pii.email"),
        ("home_phone", ["x"], "pii.phone"),
        ("last_name", ["x"], "pii.name"),
        ("name", ["x"], ""),
        ("birthDate", ["2000-01-01"], "pii.birth_date"),
        ("ref", ["4111 1111 1111 1111", "5500-0000-0000-0004"], "pci.pan"),
        ("ref", ["4111 1111 1111 1112", "5500-0000-0000-0005"], ""),
        ("ref", ["DE89 3704 0044 0532 0130 00", "GB82WEST12345698765432"], "pii.bank_account"),
        ("src", ["10.0.0.1", "2001:db8::1"], "pii.ip_address"),
        ("api_key", ["x"], "secret"),
        ("zip", [12345], "pii.address"),
        ("company", ["x"], ""),
        ("email", [True], ""),
        ("emailed_count", [1], ""),
    ],
)
def test_likely_classes(name, values, expected):
    """Names by whole words, values by their form and check digits."""
    assert likely_class(name, infer({"v": v} for v in values).properties["v"]) == expected


def test_differences():
    """Each kind of difference is told, with the figures."""
    schema = declared(
        id={"type": "integer", "nullable": False},
        gone={"type": "string"},
        price={"type": "string"},
        at={"type": "string", "format": "date-time"},
        who={"type": "object", "properties": {"email": {"type": "string"}}},
        tags={"type": "array", "items": {"type": "integer"}},
    )
    records = [
        {"id": 1, "price": 1.5, "at": "2026-01-01", "who": {"email": "a@example.com", "age": 3}, "tags": ["a"]},
        {"id": None, "price": "2", "at": "2026-01-01T00:00:00Z", "who": None, "new": 1},
    ]

    found = compare(schema, infer(records))

    assert {(d.what, d.field) for d in found} == {
        ("null", "id"),
        ("missing", "gone"),
        ("type", "price"),
        ("format", "at"),
        ("undeclared", "who.age"),
        ("type", "tags[]"),
        ("undeclared", "new"),
        ("class", "who.email"),
    }
    assert next(d.message for d in found if d.what == "null") == (
        "declared as never null, but null or missing in 1 of 2 records"
    )
    assert {d.what for d in found} & CONFLICTS == {"null", "missing", "type"}


def test_a_class_that_is_declared_is_not_asked_for_again():
    """A classified object covers what is in it."""
    schema = declared(who={"type": "object", "x-class": "pii.person"}, mail={"type": "string", "x-class": "pii.email"})
    records = [{"who": {"email": "a@example.com"}, "mail": "b@example.com"}]

    assert compare(schema, infer(records)) == ()


def test_texts_have_no_types():
    """Columns of CSV are text, whatever type is declared: only their names can differ."""
    assert compare(declared(id={"type": "integer"}), infer([{"id": "1"}]), texts=True) == ()


def test_no_records_no_differences():
    """Nothing was seen, so nothing is said to be missing."""
    assert compare(declared(id={"type": "integer"}), infer([])) == ()


def test_additions_are_a_schema_that_is_accepted():
    """What is proposed to be pasted is a valid record schema, keys not null, with likely classes."""
    seen = infer([{"id": 1, "who": {"email": "a@example.com"}, "at": "2026-01-01", "any": None}])

    proposed = additions(None, seen, ("id",))

    assert proposed == {
        "id": {"type": "integer", "nullable": False},
        "who": {
            "type": "object",
            "properties": {"email": {"type": "string", "format": "email", "x-class": "pii.email"}},
        },
        "at": {"type": "string", "format": "date"},
        "any": {"type": "any"},
    }
    assert compare(declared(**proposed), seen) == ()
