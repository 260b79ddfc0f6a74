"""The format of a stream of which no file is there yet: a queue may tell of none, and one that was being read may be
named by the position alone. It is made of the first file that is read; what its columns are is declared.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from syncline.connectors.file.piece import Format, Piece
from syncline.kinds.file_stream import FileFormat
from syncline.kinds.record import text_schema
from syncline.model.errors import Again
from syncline.model.schema import Schema

if TYPE_CHECKING:
    from syncline.connectors.file.position import OpenFile

#: Formats whose columns are texts, whatever is declared of them.
_TEXTS: Final = frozenset({"csv", "excel", "fixed"})


class Late:
    """Reads files by what `make` makes of the first of them."""

    def __init__(self, form: FileFormat, declared: Schema, make: Callable[[OpenFile], Format]) -> None:
        self.schema = text_schema(declared.names, declared) if form in _TEXTS else declared
        self._make = make
        self._made: Format | None = None

    def read(self, file: OpenFile, at: Mapping[str, int]) -> Iterator[Piece]:
        """See `Format`. `Again` for a file whose columns are of other types than the declared ones."""
        if self._made is None:
            self._made = self._make(file)
        if _types(self._made.schema) != _types(self.schema):
            raise Again(
                f"{file.name} was being read, and its queue doesn't tell of it yet",
                code="SYN333",
                help="It is read on once the queue gives its message again, within an hour.",
            )
        for piece in self._made.read(file, at):
            yield replace(piece, frame=piece.frame.select(self.schema.names))


def _types(schema: Schema) -> dict[str, object]:
    return {field.name: (field.type, field.repeated) for field in schema.fields}
