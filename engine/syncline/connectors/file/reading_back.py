"""Reading a written folder back, value for value: each listed part, with the types that the list has of its columns.

The text formats are read as `render.py` writes them, and as nothing else: what doesn't parse so isn't what was written.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Final

import msgspec
import polars as pl

from syncline.connectors.file.folder import declared_root, locate
from syncline.connectors.file.listing import NEXT, Folder, Part
from syncline.connectors.file.render import FORMULA
from syncline.model.errors import Invalid
from syncline.model.schema import DataType, Field, Schema
from syncline.sdk.batch import Batch, Position
from syncline.sdk.frame import target_dtype

if TYPE_CHECKING:
    from syncline.sdk.source import Instance

#: Types whose JSON is a string; of the others the text of the value is what it is.
_QUOTED: Final = frozenset({"string", "date", "time", "timestamp", "datetime", "binary"})

_LINE = msgspec.json.Decoder(dict[str, msgspec.Raw])
_TEXT = msgspec.json.Decoder(str)

_VALUES: Final[dict[str, Callable[[pl.Expr], pl.Expr]]] = {
    "integer": lambda text: text.cast(pl.Int64),
    "int32": lambda text: text.cast(pl.Int32),
    "float": lambda text: text.cast(pl.Float64),
    "boolean": lambda text: text.replace_strict({"true": True, "false": False}, return_dtype=pl.Boolean),
    "date": lambda text: text.str.strptime(pl.Date, "%Y-%m-%d"),
    "time": lambda text: text.str.strptime(pl.Time, "%H:%M:%S%.6f"),
    "timestamp": lambda text: text.str.strptime(pl.Datetime("us"), "%Y-%m-%dT%H:%M:%S%.6fZ").dt.replace_time_zone(
        "UTC"
    ),
    "datetime": lambda text: text.str.strptime(pl.Datetime("us"), "%Y-%m-%dT%H:%M:%S%.6f"),
    "binary": lambda text: text.str.decode("base64"),
}


class WrittenFolder:
    """The rows of a written folder as a source, a part a batch; columns that it doesn't have are null."""

    def __init__(self, folder: Folder, names: tuple[str, ...], *, neutralised: bool) -> None:
        self._folder = folder
        self._neutralised = neutralised
        listing = folder.load()
        self._parts = listing.parts if listing is not None else ()
        types = dict(listing.columns) if listing is not None else {}
        self.schema = Schema(tuple(Field(name, DataType.parse(types.get(name, "string"))) for name in names))

    def read(self, position: Position | None) -> Iterator[Batch]:
        """Yields the parts; from the start, whatever the position."""
        del position
        for part in self._parts:
            frame = self._frame(part)
            missing = [f for f in self.schema.fields if f.name not in frame.columns]
            frame = frame.with_columns([pl.lit(None, target_dtype(f.type)).alias(f.name) for f in missing])
            yield Batch(frame.select(self.schema.names), (), {}, size=part.size)

    def close(self) -> None:
        """Nothing is held."""

    def _frame(self, part: Part) -> pl.DataFrame:
        try:
            data = self._bytes(part)
            match part.file.rpartition(".")[2]:
                case "parquet":
                    return pl.read_parquet(
                        io.BytesIO(data), columns=self._known(pl.read_parquet_schema(io.BytesIO(data)))
                    )
                case "jsonl":
                    return self._typed(self._of_lines(data))
                case _:
                    return self._typed(self._of_csv(data))
        except (OSError, msgspec.DecodeError, pl.exceptions.PolarsError) as error:
            # What a library says of a value may quote it.
            why = error.strerror if isinstance(error, OSError) else "it isn't as it was written"
            raise Invalid(
                f"part {part.file} of {self._folder.path.name} can't be read back: {why}",
                code="SYN767",
                help="Somebody changed or removed it. `syncline drift` tells which parts; run the flow again, or bring "
                "the part back.",
            ) from None

    def _bytes(self, part: Part) -> bytes:
        """A part's bytes, which lie beside the others until a replacement is completed."""
        try:
            return (self._folder.path / part.file).read_bytes()
        except FileNotFoundError:
            return (self._folder.path / NEXT / part.file).read_bytes()

    def _known(self, columns: dict[str, pl.DataType] | pl.Schema) -> list[str]:
        return [name for name in self.schema.names if name in columns]

    def _of_lines(self, data: bytes) -> dict[str, list[str | None]]:
        """The texts of a part's values by column."""
        records = [_LINE.decode(line) for line in data.split(b"\n")[:-1]]
        found: dict[str, list[str | None]] = {}
        for field in self.schema.fields:
            quoted = field.type.name in _QUOTED
            found[field.name] = [_text_of(record.get(field.name), quoted=quoted) for record in records]
        return found

    def _of_csv(self, data: bytes) -> pl.DataFrame:
        frame = pl.read_csv(io.BytesIO(data), infer_schema=False)
        frame = frame.select(self._known(frame.schema))
        if not self._neutralised:
            return frame
        texts = [f.name for f in self.schema.fields if f.type.name == "string" and f.name in frame.columns]
        return frame.with_columns(
            pl.when(pl.col(name).str.contains(f"^'{FORMULA[1:]}"))
            .then(pl.col(name).str.slice(1))
            .otherwise(pl.col(name))
            for name in texts
        )

    def _typed(self, texts: dict[str, list[str | None]] | pl.DataFrame) -> pl.DataFrame:
        """Texts as values of the columns' types."""
        frame = (
            texts if isinstance(texts, pl.DataFrame) else pl.DataFrame(texts, schema=dict.fromkeys(texts, pl.String))
        )
        exprs = []
        for field in self.schema.fields:
            if field.name not in frame.columns:
                continue
            text = pl.col(field.name)
            if field.type.name == "decimal":
                exprs.append(text.cast(target_dtype(field.type)))
            elif (value := _VALUES.get(field.type.name)) is not None:
                exprs.append(value(text))
        return frame.with_columns(exprs)


def _text_of(raw: msgspec.Raw | None, *, quoted: bool) -> str | None:
    if raw is None or bytes(raw) == b"null":
        return None
    return _TEXT.decode(raw) if quoted else bytes(raw).decode()


def open_rows(instance: Instance, stream: str, names: tuple[str, ...], key: tuple[str, ...]) -> WrittenFolder:
    """What a folder holds; none, where nothing was ever written."""
    del key
    folder = Folder(locate(declared_root(instance), stream, instance.home))
    return WrittenFolder(folder, names, neutralised=instance.config.get("formulas", "neutralise") == "neutralise")
