"""The schema of a stream's records, as it is declared: the same for files, databases and APIs."""

from typing import Annotated, Literal

from pydantic import Field

from syncline.kinds.base import DataClass, Spec
from syncline.model.schema import DataType, Schema
from syncline.model.schema import Field as SchemaField

#: What `key` of a stream is.
KEY = "Fields that identify a record at the source, for people; an upsert goes by the key of its mapping."


class Property(Spec):
    """A field of a record, in the part of JSON Schema that has one meaning for data."""

    type: Annotated[
        Literal["string", "integer", "number", "boolean", "object", "array", "any"],
        Field(description="JSON type. `number` keeps its exact digits; `any` keeps the JSON text."),
    ]
    format: Annotated[
        Literal["date", "date-time", "time", "email", "uri", "uuid"] | None,
        Field(description="How a string is written, for people. It isn't checked: the mapping casts and checks."),
    ] = None
    nullable: Annotated[
        bool, Field(description="Whether it may be null or missing; where not, such a JSON record is rejected.")
    ] = True
    description: Annotated[str, Field(description="What it means, for people; it has no effect.")] = ""
    enum: Annotated[tuple[str, ...], Field(description="Values that it takes, for people; they aren't checked.")] = ()
    properties: Annotated[
        dict[str, "Property"], Field(description="Fields of an object by name; others aren't read.")
    ] = {}
    items: Annotated["Property | None", Field(description="What each element of an array is.")] = None
    data_class: Annotated[
        DataClass | None,
        Field(
            alias="x-class", description="Class of the data in it, such as pii.email; policy follows it to its targets."
        ),
    ] = None


class RecordSchema(Spec):
    """The schema of a stream's records. Fields that it doesn't list are not read."""

    type: Annotated[Literal["object"], Field(description="Always object: a record has named fields.")] = "object"
    properties: Annotated[
        dict[str, "Property"], Field(min_length=1, description="Fields of a record by name, with their types.")
    ]
    required: Annotated[
        tuple[str, ...], Field(description="Fields that every record has; a JSON record without one is rejected.")
    ] = ()


def _field(name: str, prop: Property, *, required: bool) -> SchemaField:
    inner = prop.items if prop.type == "array" and prop.items else prop
    repeated = prop.type == "array" and prop.items is not None
    type_name = {"object": "json", "array": "json", "any": "json"}.get(inner.type, inner.type)
    fields = tuple(_field(n, p, required=False) for n, p in inner.properties.items()) if inner.type == "object" else ()
    known = {prop.data_class}.union(*(field.classes for field in fields))
    return SchemaField(
        name,
        DataType(type_name),
        nullable=prop.nullable and not required,
        data_class=prop.data_class or "",
        fields=fields,
        repeated=repeated,
        inner_classes=tuple(sorted(_classes(prop) - known)),
    )


def _classes(prop: Property) -> set[str]:
    """Classes of everything in a field, however deep."""
    inner = [*prop.properties.values(), *([prop.items] if prop.items else [])]
    return ({prop.data_class} if prop.data_class else set()).union(*map(_classes, inner))


def logical_schema(record: RecordSchema, key: tuple[str, ...] = ()) -> Schema:
    """The logical schema of a declared record schema. Objects without properties, and `any`, are JSON text."""
    fields = tuple(_field(n, p, required=n in record.required) for n, p in record.properties.items())
    return Schema(fields, key)


#: Which columns a JSON type holds; `any` holds all. Numbers that a text holds keep their digits.
_HOLDS: dict[str, frozenset[str]] = {
    "string": frozenset({"string", "date", "time", "timestamp", "datetime", "binary", "decimal", "integer", "int32"}),
    "integer": frozenset({"integer", "int32"}),
    "number": frozenset({"integer", "int32", "decimal", "float"}),
    "boolean": frozenset({"boolean"}),
    "object": frozenset({"json"}),
    "array": frozenset({"json"}),
}


def misfit(column: DataType, prop: Property | None) -> str:
    """Why a column can't be written to a field (None: it isn't declared, and holds everything); empty if it can."""
    if column.name == "number" or prop is None or prop.type == "any":
        return "needs an exact type in the mapping, such as decimal(14,2)" if column.name == "number" else ""
    whole = column.name == "decimal" and column.scale == 0 and prop.type == "integer"
    if column.name in _HOLDS[prop.type] or whole:
        return ""
    return f"is {prop.type}, which can't hold {column}"


def text_schema(names: tuple[str, ...], declared: Schema | None = None) -> Schema:
    """The schema of a text file's columns: all strings, with the data classes of the declared schema."""
    found = {f.name: f for f in declared.fields} if declared else {}
    return Schema(tuple(_text(name, found.get(name)) for name in names))


def _text(name: str, declared: SchemaField | None) -> SchemaField:
    if declared is None:
        return SchemaField(name, DataType("string"))
    own = declared.data_class
    inner = tuple(sorted(declared.classes - {own}))
    return SchemaField(name, DataType("string"), data_class=own, inner_classes=inner)
