"""Looking at one declared integration: whether it answers, and its first records. Nothing is written anywhere.

It runs what is declared, applied or not, with the instances, secrets and connectors that a run would use.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from msgspec import Struct
from msgspec.structs import replace

from syncline.connectors.registry import runtime
from syncline.executor.flows.instance import Resolve, SecretUses, instance_of
from syncline.kinds.file_stream import SELF_DESCRIBING, TEXTS, FileStream
from syncline.kinds.table import TableStream
from syncline.manifests.flow import Side, side_of
from syncline.model.errors import Invalid
from syncline.planner.compiled import file_format
from syncline.sdk.formats.whole import COLUMN, WHOLE, as_record
from syncline.sdk.source import SourceRequest

if TYPE_CHECKING:
    from syncline.manifests.desired import Desired
    from syncline.model.schema import Schema
    from syncline.sdk.batch import Batch, Malformed
    from syncline.sdk.reached import Reached
    from syncline.sdk.source import Instance
    from syncline.settings import Settings

#: Bytes of a file that are read for a sample; an API gives whole pages.
SAMPLE_BYTES = 1024 * 1024


class Records(Struct, frozen=True):
    """The first records of a stream, as read: plain values, the place of each, and what could not be parsed.

    `texts`: the format has no types, so every value is text. `notes` are what was found out of how it is written.
    """

    stream: str
    rows: tuple[dict[str, Any], ...]
    places: tuple[str, ...]
    malformed: tuple[Malformed, ...] = ()
    texts: bool = False
    notes: tuple[str, ...] = ()


@dataclass(slots=True)
class Inspector:
    """Looks at the integration of a side. The instance is made, and its secrets resolved, by `open`."""

    side: Side
    desired: Desired
    settings: Settings
    resolve: Resolve
    secrets: SecretUses = field(init=False)
    instance: Instance | None = None
    notices: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.secrets = SecretUses(self.resolve, self.side.integration.key.tenant)

    def open(self) -> Instance:
        """The instance; `Stalled` when a secret can't be read."""
        if self.instance is None:
            self.instance = instance_of(
                self.side, self.desired, self.settings, self.secrets, _uncounted, notice=self.notices.append
            )
        return self.instance

    def check(self) -> Reached:
        """Whether the system answers; see `Runtime.check`."""
        return runtime(self.side.runtime).check(self.open())

    def read(self, stream: str, limit: int, *, whole: bool = False) -> Records:
        """
        Up to `limit` records of a stream from its start: by its declared schema, or whole.

        `Invalid` for a stream that isn't declared, and where the runtime can't be read from.
        """
        side = side_of(self.desired, self.side.integration, stream)
        opens = runtime(self.side.runtime).open_source
        if opens is None or side is None:
            raise Invalid(
                f"{self.side.connector.key.name} can't be read from in this version",
                code="SYN703",
                help="`syncline connector check` says whether it answers.",
            )
        if side.declaration is None:
            raise self._unknown(stream)
        texts = isinstance(side.declaration, FileStream) and file_format(side.declaration) in TEXTS
        schema = self._schema(side, whole=whole)
        self.notices.clear()
        request = SourceRequest(stream, schema, (), batch_rows=limit, batch_bytes=SAMPLE_BYTES, trial=True)
        with closing(opens(self.open(), request)) as source:
            records = self._read(stream, source.read(None), limit, texts=texts)
        return replace(records, notes=tuple(self.notices))

    @staticmethod
    def _schema(side: Side, *, whole: bool) -> Schema | None:
        """Tables, and files that describe themselves, are read as they are; others whole, unless by their schema."""
        found = side.declaration
        files = isinstance(found, FileStream) and file_format(found) in SELF_DESCRIBING
        if files or isinstance(found, TableStream):
            return None if whole else side.schema
        return WHOLE if whole or side.schema is None else side.schema

    @staticmethod
    def _read(stream: str, batches: Iterator[Batch], limit: int, *, texts: bool) -> Records:
        rows: list[dict[str, Any]] = []
        places: list[str] = []
        malformed: list[Malformed] = []
        for batch in batches:
            some = batch.frame.head(limit - len(rows) - len(malformed))
            rows += _rows(some)
            places += batch.places(range(some.height))
            malformed += batch.malformed[: limit - len(rows)]
            if len(rows) + len(malformed) >= limit:
                break
        return Records(stream, tuple(rows), tuple(places), tuple(malformed), texts)

    def _unknown(self, stream: str) -> Invalid:
        from syncline.manifests.text import listed, nearest

        names = self.side.streams
        near = nearest(stream, names)
        return Invalid(
            f"{self.side.integration.key.name} has no stream {stream!r}" + (f"; did you mean {near}?" if near else ""),
            code="SYN224",
            help=f"Its streams are {listed(names)}." if names else "Declare one under spec.streams.",
        )


def _rows(frame: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = frame.to_dicts()
    if COLUMN not in frame.columns:
        return found
    for row in found:  # beside the record there may be what it was read for
        record = as_record(row.pop(COLUMN))
        row.update(record if isinstance(record, dict) else {COLUMN: record})
    return found


def _uncounted(name: str, value: float) -> None:
    """Metrics belong to runs."""
    del name, value
