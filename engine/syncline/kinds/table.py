"""Streams of a database: a table or a query, read in the order of a key."""

from typing import Annotated

from pydantic import Field

from syncline.kinds.base import Duration, Spec
from syncline.kinds.record import RecordSchema


class TableCursor(Spec):
    """How a table is read incrementally: past the greatest value of a column."""

    field: Annotated[
        str, Field(min_length=1, description="Column that grows with every change, such as updated_at; never null.")
    ]
    lookback: Annotated[
        Duration | None,
        Field(
            description="Time before the last value that is read again, for transactions that were committed late. The "
            "column has times then, or their ISO 8601 text."
        ),
    ] = None


class TableStream(Spec):
    """Rows of a table or view, or of a query; exactly one of `table` and `query`."""

    table: Annotated[
        str, Field(description="Table or view, in the schema of the integration. Absent: `query` says what is read.")
    ] = ""
    query: Annotated[
        str,
        Field(
            description="SELECT whose rows are read, in the database's own SQL, without a semicolon at its end. It is "
            "run again for each batch, past the key of the last row, in a transaction that only reads."
        ),
    ] = ""
    key: Annotated[
        tuple[str, ...],
        Field(
            description="Columns that identify a row, in the order of which rows are read; a query needs them. Absent: "
            "the primary key."
        ),
    ] = ()
    cursor: Annotated[
        TableCursor | None, Field(description="How it is read incrementally; read: incremental of a Sync needs it.")
    ] = None
    record_schema: Annotated[
        RecordSchema | None,
        Field(
            alias="schema",
            description="Columns that are read, with classes of data. Absent: all columns that the mapping reads, with "
            "the types of the database.",
        ),
    ] = None
