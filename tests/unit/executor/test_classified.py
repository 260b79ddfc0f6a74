"""Masking of samples: every classified value, however deep, and nothing else."""

from __future__ import annotations

import json

from syncline.executor.previews.classified import classes_of, masked
from syncline.kinds.record import RecordSchema, logical_schema
from syncline.model.key import ObjectKey

DESK = ObjectKey("acme", "Integration", "desk")


def schema(**properties):
    return logical_schema(RecordSchema.model_validate_json(json.dumps({"properties": properties})))


def test_declared_classes_mask_at_any_depth():
    """Fields, fields of objects, elements of lists, and JSON text that holds something classified."""
    declared = schema(
        mail={"type": "string", "x-class": "pii.email"},
        who={
            "type": "object",
            "properties": {"name": {"type": "string", "x-class": "pii.name"}, "n": {"type": "integer"}},
        },
        notes={
            "type": "array",
            "items": {"type": "object", "properties": {"t": {"type": "any", "x-class": "pii.note"}}},
        },
        plain={"type": "string"},
    )
    record = {"mail": "a@example.com", "who": {"name": "Ada", "n": 1}, "notes": [{"t": 1}, None], "plain": "x"}

    classes = classes_of(declared, {}, DESK, "items", [record])

    assert masked(record, tuple(classes)) == {
        "mail": "***",
        "who": {"name": "***", "n": 1},
        "notes": [{"t": "***"}, None],
        "plain": "x",
    }


def test_without_a_schema_what_looks_personal_is_masked():
    """Nobody declared a class, so the likely ones count."""
    record = {"id": 1, "email": "a@example.com", "items": [{"phone": "1"}]}

    assert masked(record, tuple(classes_of(None, {}, DESK, "items", [record]))) == {
        "id": 1,
        "email": "***",
        "items": [{"phone": "***"}],
    }


def test_nulls_stay_and_other_shapes_are_hidden():
    """A null says that there is nothing; text where an object was declared is not shown."""
    assert masked({"a": None, "b": '{"c": "secret"}'}, ("a", "b.c")) == {"a": None, "b": "***"}
