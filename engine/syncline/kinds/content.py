"""What the answers of a stream hold: their format, and the shape that their records get."""

import re
from typing import Annotated, Final, Literal

from pydantic import Field

from syncline.kinds.base import Spec

Format = Literal["json", "jsonl", "csv", "xml"]
Compression = Literal["auto", "none", "gzip", "zstd", "zip"]

#: An expression (`customer.email`), or a template (`{{ config.site }}`) where it has `{{`.
AddedValue = Annotated[str, Field(min_length=1, max_length=4096)]


class Fields(Spec):
    """Fields of a record that are added, removed and renamed, in this order. The schema is of the result."""

    add: Annotated[
        dict[str, AddedValue],
        Field(
            description="Fields by name: a JMESPath expression over the record, or a template over record and config "
            "where it has {{. An expression that finds nothing gives null."
        ),
    ] = {}
    remove: Annotated[tuple[str, ...], Field(description="Names of fields that are left out.")] = ()
    rename: Annotated[dict[str, str], Field(description="New names of fields by their old ones: {old: new}.")] = {}


#: The place of fields that are selected by a GraphQL document, and the name of the spread whose place they take in it.
IN_GRAPHQL: Final = "graphql.query"
SPREAD: Final = "chunk"
SPREADING: Final = re.compile(rf"\.\.\.\s*{SPREAD}\b")


class Chunk(Spec):
    """A stream's fields, asked for in several requests a page, whose records are put together by a key."""

    fields: Annotated[int | None, Field(ge=1, description="Most fields that a request asks for.")] = None
    characters: Annotated[
        int | None, Field(ge=1, description="Longest list of fields of a request, in characters with its commas.")
    ] = None
    into: Annotated[
        str,
        Field(
            description="Where the names go: query.fields, joined with commas; a list where it is in the body; "
            "graphql.query: in place of the document's spread ...chunk, objects with the schema's fields of them."
        ),
    ]
    by: Annotated[
        str, Field(min_length=1, description="Field that identifies a record in every answer; always asked for.")
    ]
    of: Annotated[
        str | None,
        Field(description="Field whose own fields are asked for, such as properties. Absent: those of the record."),
    ] = None
