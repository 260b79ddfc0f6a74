"""Bodies in CSV, read into content of the same form as those of `formats.py`.

Only a stream in CSV has this imported: it comes with Arrow, which takes longer to load than a small sync to run.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from msgspec import Struct

from syncline.connectors.rest.exchange.answer import Rows
from syncline.connectors.rest.exchange.content import Content
from syncline.connectors.rest.exchange.formats import Body, refuse_others
from syncline.model.errors import Again, Invalid
from syncline.sdk.formats.csv_records import count_lines, end_of_records, opening_quote
from syncline.sdk.formats.csv_text import CsvText, Lines, checked_columns
from syncline.sdk.formats.json_records import BadRecord

if TYPE_CHECKING:
    from syncline.kinds.file_stream import Csv


class CsvLines(Struct, frozen=True):
    """CSV. `columns` are their names where there is no header. `wanted` have to be there: a column that is gone must
    not pass for one of nulls.
    """

    text: CsvText
    columns: tuple[str, ...] | None
    wanted: tuple[str, ...] = ()

    def __call__(self, body: Body) -> Content:
        refuse_others(body)
        name, data = "the answer", body.data
        start = self.text.begin(data, name)
        columns, lines = self.columns or (), 0
        if self.columns is None:
            columns, start, lines = self.text.header(data, start, name, final=True)
        if not data[start:] and not columns:
            return Content(data, None, (Rows((), ()),))
        if missing := [column for column in self.wanted if column not in columns]:
            raise Invalid(
                f"the answer has no column {', '.join(map(repr, missing[:20]))}",
                code="SYN463",
                help=f"Its columns are {', '.join(map(repr, columns[:20]))}. Correct the stream's schema or `csv`.",
            )
        text = data[start:]
        if end_of_records(self.text.signs(text), self.text.dialect, final=True) != len(text):
            line = lines + count_lines(text[: opening_quote(self.text.signs(text), self.text.dialect)] + b"x")
            raise Again(
                f"the answer is damaged CSV: a quote that opens in line {line} or later is never closed",
                code="SYN411",
                help="Nothing of the page was used; the next run asks for it again.",
            )
        frame, spans, malformed = self.text.parse(name, text, Lines(lines, count_lines(text)), columns, columns)
        written = io.BytesIO()
        frame.write_ndjson(written)
        raws = written.getvalue().splitlines() if frame.height else []
        rows = [body.first + span.first - 1 + at for span in spans for at in range(span.count)]
        bad = tuple(
            BadRecord(body.first + int(m.place.rpartition(":")[2]) - 1, m.message, m.field, m.raw) for m in malformed
        )
        return Content(data, None, (Rows(raws, rows, bad, size=lines + count_lines(text)),))


def csv_lines(options: Csv, wanted: tuple[str, ...]) -> CsvLines:
    """CSV in a declared dialect."""
    text = CsvText(options.delimiter, options.quote, options.encoding, options.nulls)
    return CsvLines(text, None if options.header else checked_columns(options.columns, "csv.columns"), wanted)
