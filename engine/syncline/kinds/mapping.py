"""Mapping: source record to target record: fields, casts, lookups, checks, classification, protection, own tests."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, JsonValue, field_validator

from syncline.kinds.base import DataClass, Form, Identifier, Jmespath, Name, Spec, Template, shared
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
    Field(examples=["string", "decimal(14,2)"]),
    Form("string, integer, int32, decimal(p,s), float, boolean, date, time, timestamp, datetime, json or binary."),
]


class Check(Spec):
    """What a value must satisfy, after its cast; a null satisfies everything (see `required`)."""

    format: Annotated[
        Literal["email", "url", "uuid", "hostname", "ipv4", "ipv6", "phone", "country", "currency"] | None,
        Field(description="How the text must be written; country is ISO 3166-1 alpha-2 (DE), currency ISO 4217 (EUR)."),
    ] = None
    min: Annotated[
        int | float | str | None,
        Field(description="Smallest value, itself included: a number, date (ISO 8601) or time."),
    ] = None
    max: Annotated[
        int | float | str | None,
        Field(description="Largest value, itself included: a number, date (ISO 8601) or time."),
    ] = None
    min_length: Annotated[int | None, Field(ge=0, description="Fewest characters of a text.")] = None
    max_length: Annotated[int | None, Field(ge=0, description="Most characters of a text.")] = None
    pattern: Annotated[str | None, Field(description="Regular expression (RE2) that must match the whole text.")] = None
    enum: Annotated[tuple[str | int, ...], Field(description="The only values allowed; empty: any.")] = ()


class Mask(Spec):
    """Replaces characters, keeping some at the end."""

    mask: Annotated[
        dict[Literal["keep"], Annotated[int, Field(ge=0, le=64)]],
        Field(
            description="The value becomes ***; {keep: 4} leaves the last four characters where it has at least eight."
        ),
    ] = {}


class Hash(Spec):
    """A keyed hash (HMAC-SHA-256) that is stable inside the tenant, so that joins still work."""

    hash: Annotated[Literal["tenant"], Field(description="Whose key it is: one for each tenant, and no other choice.")]


class Tokenize(Spec):
    """A token (AES-SIV), stable inside the tenant; `syncline reveal` turns it back with the tenant's key."""

    tokenize: Annotated[
        Literal["tenant"], Field(description="Whose key it is: one for each tenant, and no other choice.")
    ]


class Preserve(Spec):
    """
    Encryption that keeps the format (FF1, NIST SP 800-38G), by a key of the tenant: a number of 16 digits becomes
    another one. Stable inside the tenant; `syncline reveal` turns it back.
    """

    preserve: Annotated[
        Literal["digits", "alphanumeric"],
        Field(
            description="Which characters are encrypted, while others stay: digits, six at least, or ASCII letters and "
            "digits, four at least. A record with fewer, or with those of other scripts, is rejected."
        ),
    ]


class Generalization(Spec):
    """How a value is made coarser; exactly one of date, prefix and bucket."""

    date: Annotated[
        Literal["year", "month"] | None,
        Field(description="What is left of a date or timestamp, as text: 1984, 1984-03."),
    ] = None
    prefix: Annotated[
        int | None,
        Field(ge=1, le=64, description="First characters that are left of a text; one that has no more shows nothing."),
    ] = None
    bucket: Annotated[
        int | None,
        Field(
            ge=2,
            le=1_000_000_000,
            description="Width of the buckets of a number, which becomes the lower bound of its.",
        ),
    ] = None
    top: Annotated[
        int | None, Field(description="With bucket: the lower bound of the topmost one, which has all that is above.")
    ] = None
    bottom: Annotated[
        int | None,
        Field(ge=1, le=9999, description="With date: year: the earliest year that is told; earlier ones become it."),
    ] = None


class Generalize(Spec):
    """Makes a value coarser, so that fewer people are told apart by it."""

    generalize: Annotated[
        Generalization,
        Field(description="How: {date: year}, {prefix: 3} or {bucket: 10}."),
    ]


Protect = Literal["drop", "mask"] | Mask | Hash | Tokenize | Preserve | Generalize


class MappedField(Spec):
    """One target field: exactly one of `from`, `const` and `template` says where it comes from.

    Order: source → lookup → default (where null) → cast to type → required and check → protect.
    """

    to: Annotated[Identifier, Field(description="Name of the target field: a column of the table, for databases.")]
    source: Annotated[
        Jmespath | None, Field(alias="from", description="Source field, or an expression over the source record.")
    ] = None
    const: Annotated[JsonValue, Field(description="The same value for every record.")] = None
    template: Annotated[
        Template | None, Field(description="Text with {{ expression }} parts over the source record.")
    ] = None
    type: Annotated[
        TypeName,
        Field(
            description="Type that the value is cast to, exactly or not at all: string, integer, int32, decimal(p,s), "
            "float, boolean, date, time, timestamp, datetime, json or binary."
        ),
    ] = "string"
    format: Annotated[
        str | None,
        Field(
            description="How a date or time is written at the source: iso8601 (the default), epoch, epoch_ms, or "
            "strptime codes such as %d.%m.%Y."
        ),
    ] = None
    zone: Annotated[
        str | None, Field(description="IANA time zone of timestamps that are written without one: Europe/Berlin.")
    ] = None
    lookup: Annotated[
        dict[str, str | int | bool | None] | None,
        Field(description="Target value by source value; one without an entry is rejected, unless there is a default."),
    ] = None
    default: Annotated[
        JsonValue, Field(description="Value that replaces null, and a value without an entry in `lookup`.")
    ] = None
    required: Annotated[
        bool, Field(description="Whether a record is rejected when the value is null; fields of the key always are so.")
    ] = False
    check: Annotated[
        Check | None, Field(description="What the value must satisfy after its cast, or the record is rejected.")
    ] = None
    data_class: Annotated[
        DataClass | None,
        Field(alias="class", description="Class of the data in it, added to those of the source fields that it reads."),
    ] = None
    protect: Annotated[
        Protect | None,
        Field(
            description="Done last: drop never writes it; mask writes ***; {hash: tenant} and {tokenize: tenant} still "
            "join; {preserve: digits} keeps the format; {generalize: {date: year}} says less."
        ),
    ] = None
    description: Annotated[str, Field(description="What the field means, for people; it has no effect.")] = ""


class MappingTest(Spec):
    """A record and what it must become; run by `validate`."""

    name: Annotated[str, Field(description="Name that findings call it by; without one, its number.")] = ""
    given: Annotated[dict[str, JsonValue], Field(description="The source record; fields left out are null.")]
    expect: Annotated[
        dict[str, JsonValue] | None,
        Field(description="Target fields with the values that they must have; others are not compared."),
    ] = None
    reject: Annotated[str | None, Field(description="Target field for which the record must be rejected.")] = None
    skip: Annotated[bool, Field(description="Whether the record must be skipped by `where`.")] = False


class MappingSpec(Spec):
    """How source records become target records."""

    description: Annotated[str, Field(description="What the mapping is for, for people; it has no effect.")] = ""
    key: Annotated[
        tuple[Identifier, ...],
        Field(description="Target fields that identify a record, never null; write: upsert finds rows by them."),
    ] = ()
    subject: Annotated[
        dict[Name, Identifier],
        Field(
            description="Whose record it is: by what kind of person, the target field that tells which one. `syncline "
            "privacy` finds a person's rows by it.",
            examples=[{"customer": "email"}],
        ),
    ] = {}
    where: Annotated[
        Jmespath | None,
        Field(description="Condition over the source record; records for which it isn't true are skipped."),
    ] = None
    fields: Annotated[
        tuple[MappedField, ...],
        Field(
            min_length=1,
            description="Target fields, in their order. Each has exactly one of from, const and template; then lookup, "
            "default, the cast to its type, required, check and protect apply.",
        ),
    ]
    tests: Annotated[
        tuple[MappingTest, ...],
        Field(description="Records and what must become of them; `syncline validate` runs them."),
    ] = ()

    @field_validator("fields")
    @classmethod
    def _share(cls, fields: tuple[MappedField, ...]) -> tuple[MappedField, ...]:
        return tuple(map(shared, fields))


KIND = Kind(
    name="Mapping",
    plural="mappings",
    spec=MappingSpec,
    scope="either",
    order=5,
    summary="Source record to target record: casts, lookups, checks, classes, protection, and its own tests.",
    list_keys={"fields": "to"},
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
