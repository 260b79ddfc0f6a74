"""JSON Lines: one record a line, decoded exactly, each line by itself.

What isn't one JSON object, has a name twice, or doesn't fit the declared schema is set aside with its line number; the
lines around it are read. Lines that are empty are no records.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterator, Mapping, Sequence

import msgspec

from syncline.connectors.file.blocks import MAX_RECORD, blocks, count_of_lines, end_of_lines, raw_text, spans_of
from syncline.connectors.file.heads import HEAD
from syncline.connectors.file.piece import Piece
from syncline.connectors.file.position import OpenFile
from syncline.model.errors import Invalid
from syncline.model.schema import Schema
from syncline.sdk.batch import Malformed
from syncline.sdk.formats.json_lines import numbered_lines, sound_lines
from syncline.sdk.formats.json_records import PageRecords, untyped_schema
from syncline.sdk.formats.record_decoder import record_decoder

#: First records of a file that tell which fields it has.
_TELLING = 100
_KEYS = msgspec.json.Decoder(dict[str, msgspec.Raw])


class JsonlFormat:
    """
    JSON Lines with a declared schema, or with the top-level fields that are used, as JSON text. No record of use lacks
    a field of `needed`.
    """

    def __init__(self, declared: Schema | None, paths: Sequence[str], block: int, needed: Sequence[str] = ()) -> None:
        self.schema = declared or untyped_schema(paths)
        self._decoder = record_decoder(self.schema, "@")
        self._block = block
        self._needed = needed

    def lacking(self, file: OpenFile) -> tuple[str, ...]:
        """
        See `Headed`. A field is lacking where none of the first records has it, and there are enough to tell: where
        some have it, those without it are rejected one by one.
        """
        if not self._needed:
            return ()
        lines = file.read(0, min(file.size, HEAD)).removeprefix(codecs.BOM_UTF8).splitlines()[:_TELLING]
        found: set[str] = set()
        for line in lines if len(lines) == _TELLING else ():
            try:
                found.update(_KEYS.decode(line))
            except msgspec.DecodeError:
                return ()
        return tuple(name for name in self._needed if name not in found) if found else ()

    def read(self, file: OpenFile, at: Mapping[str, int]) -> Iterator[Piece]:
        """Yields the records of a file, block by block."""
        head = b""
        if not at:
            head = codecs.BOM_UTF8 if file.read(0, min(3, file.size)) == codecs.BOM_UTF8 else b""
            at = {"offset": len(head), "line": 0}
        line = at["line"]
        for block in blocks(file, at["offset"], self._block, end_of_lines):
            if block.rest:
                number = line + block.data.count(b"\n") + 1
                raise Invalid(
                    f"{file.name}:{number}: a line longer than {MAX_RECORD:,} bytes",
                    code="SYN456",
                    help="JSON Lines has one record a line; a JSON array in one file isn't JSON Lines.",
                )
            lines = numbered_lines(block.data, line)
            try:
                numbers, malformed, page = self._decode(file.name, lines, alone=False)
            except msgspec.DecodeError:
                # A line that is no document by itself, only together with its neighbours.
                numbers, malformed, page = self._decode(file.name, lines, alone=True)
            malformed += [
                Malformed(f"{file.name}:{numbers[bad.index]}", bad.message, bad.raw, bad.field) for bad in page.bad
            ]
            line += count_of_lines(block.data)
            yield Piece.of(
                block,
                head,
                line,
                self._decoder.frame(page.good),
                spans_of(file.name, [numbers[row] for row in page.rows]),
                tuple(sorted(malformed, key=lambda m: int(m.place.rsplit(":", 1)[1]))),
            )
            head = b""

    def _decode(
        self, name: str, lines: list[tuple[int, bytes]], *, alone: bool
    ) -> tuple[list[int], list[Malformed], PageRecords]:
        """The numbers of the lines that are objects with one meaning, the lines that aren't, and the decoded records.

        `alone` looks at each line by itself; else only those are that don't pass together.
        """
        found = sound_lines(lines, alone=alone)
        malformed = [Malformed(f"{name}:{number}", why, raw_text(line)) for number, line, why in found.faults]
        return [n for n, _ in found.sound], malformed, self._decoder.decode_each([line for _, line in found.sound])
