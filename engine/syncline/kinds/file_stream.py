"""Streams of files: globs, formats, and how texts in them are written."""

from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Annotated, Literal

from pydantic import Field

from syncline.kinds.base import Jmespath, Spec
from syncline.kinds.record import KEY, RecordSchema
from syncline.model.encodings import Encoding


class _Dialect(Spec):
    """What dialects of CSV have in common."""

    quote: Annotated[
        str,
        Field(min_length=1, max_length=1, description="ASCII character around texts; doubled, it stands for itself."),
    ] = '"'
    header: Annotated[bool, Field(description="Whether the first line names the columns.")] = True
    columns: Annotated[
        tuple[str, ...], Field(description="Names of the columns in their order, when there is no header.")
    ] = ()
    nulls: Annotated[tuple[str, ...], Field(description="Texts that mean null where they aren't quoted.")] = ("",)


class Csv(_Dialect):
    """The dialect of CSV (RFC 4180 by default)."""

    delimiter: Annotated[
        str, Field(min_length=1, max_length=1, description="ASCII character between the columns of a line.")
    ] = ","
    encoding: Annotated[
        Encoding,
        Field(description="Encoding of the text; a record that isn't in it is rejected."),
    ] = "utf-8"


class FileCsv(_Dialect):
    """The dialect of a CSV file (RFC 4180 by default). What is `auto` is found out from the first file of a read."""

    delimiter: Annotated[
        Literal["auto"] | Annotated[str, Field(min_length=1, max_length=1)],
        Field(
            description="ASCII character between the columns of a line; auto finds out which of , ; | and tab it is."
        ),
    ] = ","
    encoding: Annotated[
        Literal["auto", "utf-16", Encoding],
        Field(
            description="Encoding of the text; a record that isn't in it is rejected. auto finds out whether it is "
            "utf-8, windows-1252, or utf-16 by its byte order mark."
        ),
    ] = "utf-8"


class Excel(Spec):
    """A table in a workbook (.xlsx, ISO/IEC 29500)."""

    sheet: Annotated[str, Field(description="Name of the worksheet; absent, the first one.")] = ""
    header: Annotated[
        int, Field(ge=1, le=1000, description="Number of the row that names the columns; records follow it.")
    ] = 1


class FixedColumn(Spec):
    """A column of a line of fixed width."""

    name: Annotated[str, Field(min_length=1, description="Name of the column.")]
    start: Annotated[int, Field(ge=1, description="Its first character in the line, counted from 1.")]
    width: Annotated[int, Field(ge=1, description="How many characters it has.")]


class Fixed(Spec):
    """The layout of a file of fixed width: columns by their positions in each line."""

    columns: Annotated[
        tuple[FixedColumn, ...], Field(min_length=1, description="Columns; characters that none covers aren't read.")
    ]
    encoding: Annotated[
        Encoding,
        Field(description="Encoding of the text; a line that isn't in it is rejected."),
    ] = "utf-8"
    skip: Annotated[int, Field(ge=0, le=1000, description="Lines at the start that are no records.")] = 0
    trim: Annotated[bool, Field(description="Whether blanks around a value are taken off.")] = True


#: How a file is packed; `auto` goes by its ending.
Packing = Literal["auto", "none", "gzip", "zstd", "zip"]
#: Endings of packed files.
PACKED: Mapping[str, Packing] = {".gz": "gzip", ".gzip": "gzip", ".zst": "zstd", ".zstd": "zstd", ".zip": "zip"}

FileFormat = Literal["csv", "jsonl", "json", "parquet", "excel", "fixed", "xml"]
_ENDINGS: Mapping[str, FileFormat] = {
    ".csv": "csv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "json",
    ".parquet": "parquet",
    ".xlsx": "excel",
    ".xml": "xml",
}
#: Formats whose values are all text, whatever a schema says of their type; and those that name their own columns.
TEXTS: frozenset[str] = frozenset({"csv", "excel", "fixed"})
SELF_DESCRIBING: frozenset[str] = frozenset({"csv", "excel", "fixed", "parquet"})


def format_by_name(name: str) -> FileFormat | None:
    """The format that a file's or a pattern's ending says, packed or not; None for one that says nothing.

    >>> format_by_name("customers-*.csv.gz"), format_by_name("export.zip/a.jsonl"), format_by_name("export")
    ('csv', 'jsonl', None)
    """
    path = PurePosixPath(name)
    if path.suffix.lower() in PACKED:
        path = path.with_suffix("")
    return _ENDINGS.get(path.suffix.lower())


#: A glob over names of files.
Pattern = Annotated[str, Field(min_length=1)]


class FileStream(Spec):
    """Records in files: globs under the integration's root."""

    files: Annotated[
        Pattern | Annotated[tuple[Pattern, ...], Field(min_length=1)],
        Field(description="Glob under the integration's root, or a list: customers-*.csv, read in the order of names."),
    ]
    format: Annotated[
        FileFormat | None,
        Field(description="Format of all its files; absent, the files' ending says it."),
    ] = None
    packing: Annotated[
        Packing,
        Field(
            description="How its files are packed; auto goes by their ending: .gz, .zst, .zip. The files of a zip "
            "archive are read in its order; declare their format."
        ),
    ] = "auto"
    members: Annotated[
        str,
        Field(
            description="Glob over the files inside zip archives: the others are passed over. Absent: all of them, at "
            "any depth. Example: **/*.csv."
        ),
    ] = ""
    csv: Annotated[FileCsv, Field(description="Dialect, where the format is csv.")] = FileCsv.model_construct()
    excel: Annotated[Excel, Field(description="Where the table is, where the format is excel.")] = (
        Excel.model_construct()
    )
    fixed: Annotated[Fixed | None, Field(description="Layout of a line, where the format is fixed.")] = None
    records: Annotated[
        Jmespath,
        Field(
            description="Where the records are in a document, where the format is json: data[]. In XML, the path of "
            "their elements: catalog.item[]."
        ),
    ] = "@"
    key: Annotated[tuple[str, ...], Field(description=KEY)] = ()
    record_schema: Annotated[
        RecordSchema | None,
        Field(
            alias="schema",
            description="Fields that are read, with types and classes of data; columns of a CSV file, a worksheet and "
            "of fixed width stay text. Absent: what the files themselves say.",
        ),
    ] = None

    @property
    def patterns(self) -> tuple[str, ...]:
        """Its globs."""
        return (self.files,) if isinstance(self.files, str) else self.files
