"""Mapping: source record to target record: fields, casts, lookups, checks, classification, protection, own tests."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, JsonValue

from syncline.kinds.base import DataClass, Identifier, Jmespath, Spec, Template
from syncline.model.kind import Kind
from syncline.model.schema import DataType


def _type(value: object) -> object:
    if isinstance(value, str):
        parsed = DataType.parse(value)
        if parsed.name == "number":
            msg = "number is a source type: a target needs integer, decimal(p,s) or float"
            raise ValueError(msg)
    return value


TypeName = Annotated[
    str,
    BeforeValidator(_type),
    Field(
        description="string, integer, int32, decimal(p,s), float, boolean, date, time, timestamp, datetime, json or "
        "binary.",
        examples=["string", "decimal(14,2)"],
    ),
]


class Check(Spec):
    """What a value must satisfy, after its cast; a null satisfies everything (see `required`)."""

    format: Annotated[
        Literal["email", "url", "uuid", "hostname", "ipv4", "ipv6", "phone", "country", "currency"] | None, Field()
    ] = None
    min: Annotated[int | float | str | None, Field(description="Smallest value (numbers, dates, times).")] = None
    max: Annotated[int | float | str | None, Field(description="Largest value (numbers, dates, times).")] = None
    min_length: Annotated[int | None, Field(ge=0)] = None
    max_length: Annotated[int | None, Field(ge=0)] = None
    pattern: Annotated[str | None, Field(description="A regular expression (RE2) that must match the whole value.")] = (
        None
    )
    enum: Annotated[tuple[str | int, ...], Field(description="The values allowed.")] = ()


class Mask(Spec):
    """Replaces characters, keeping some at the end."""

    mask: Annotated[
        dict[Literal["keep"], Annotated[int, Field(ge=0, le=64)]],
        Field(description="{keep: 4} leaves the last four of a value of eight characters or more, none of a shorter."),
    ] = {}


class Hash(Spec):
    """A keyed hash (HMAC-SHA-256) that is stable inside the tenant, so that joins still work."""

    hash: Literal["tenant"]


class MappedField(Spec):
    """One target field: exactly one of `from`, `const` and `template` says where it comes from.

    Order: source → lookup → default (where null) → cast to type → required and check → protect.
    """

    to: Identifier
    source: Annotated[Jmespath | None, Field(alias="from")] = None
    const: Annotated[JsonValue, Field(description="The same value for every record.")] = None
    template: Annotated[Template | None, Field(description="Text with {{ expression }} parts.")] = None
    type: TypeName = "string"
    format: Annotated[
        str | None, Field(description="How a date or time is written: iso8601, epoch, epoch_ms, or strftime codes.")
    ] = None
    zone: Annotated[str | None, Field(description="IANA time zone of timestamps written without one.")] = None
    lookup: Annotated[dict[str, str | int | bool | None] | None, Field(description="Replacement by source value.")] = (
        None
    )
    default: Annotated[JsonValue, Field(description="Instead of null, and for a lookup without a match.")] = None
    required: Annotated[bool, Field(description="Null is rejected.")] = False
    check: Check | None = None
    data_class: Annotated[DataClass | None, Field(alias="class", description="Class of the data in it.")] = None
    protect: Annotated[Literal["drop", "mask"] | Mask | Hash | None, Field(description="How it is protected.")] = None
    description: str = ""


class MappingTest(Spec):
    """A record and what it must become; run by `validate`."""

    name: str = ""
    given: Annotated[dict[str, JsonValue], Field(description="The source record.")]
    expect: Annotated[
        dict[str, JsonValue] | None, Field(description="The target record (fields given are compared).")
    ] = None
    reject: Annotated[str | None, Field(description="The target field for which the record must be rejected.")] = None
    skip: Annotated[bool, Field(description="The record must be skipped by `where`.")] = False


class MappingSpec(Spec):
    """How source records become target records."""

    description: str = ""
    key: Annotated[tuple[Identifier, ...], Field(description="Target fields that identify a record.")] = ()
    where: Annotated[Jmespath | None, Field(description="Records for which it is not true are skipped.")] = None
    fields: Annotated[tuple[MappedField, ...], Field(min_length=1)]
    tests: tuple[MappingTest, ...] = ()


KIND = Kind(
    name="Mapping",
    plural="mappings",
    spec=MappingSpec,
    scope="either",
    order=5,
    summary="Source record to target record: casts, lookups, checks, classes, protection, and its own tests.",
    example="""\
apiVersion: syncline/v1
kind: Mapping
metadata: {name: ticket-to-task, tenant: acme}
spec:
  key: [id]
  fields:
  - {to: id, from: id, type: integer, required: true}
  - {to: title, from: subject}
  - {to: reporter, from: email, check: {format: email}, class: pii.email, protect: {hash: tenant}}
  tests:
  - given: {id: 1, subject: Hello, email: a@example.com}
    expect: {id: 1, title: Hello}
""",
)
