"""Finding out how a CSV file is written, and how sure that is: its encoding, and what separates its columns.

Bytes that are UTF-8 throughout hardly are anything else. What isn't is windows-1252 (of which latin-1 is a part, but
for controls that no text has), if it looks like a Western text when it is read so: accented letters inside words, signs
between them. Encodings that differ from it in few letters (windows-1250) can't be told apart in every language. UTF-16
is known by its byte order mark where files are opened (`packed.py`); from there on its text is UTF-8.

A delimiter is judged by how many records have the same number of columns, and by columns that hold no other delimiter.
"""

from __future__ import annotations

import codecs
import re
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import chain, islice
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from syncline.connectors.file.position import OpenFile
from syncline.kinds.file_stream import Csv, FileCsv
from syncline.model.encodings import codec_of
from syncline.model.errors import Invalid

#: How sure one has to be, from 0 to 1.
ENOUGH = 0.85
#: Bytes from a file's start that are looked at; of one on a disk, so many smaller pieces of the rest besides.
_HEAD, _PIECES, _PIECE = 256 * 1024, 4, 64 * 1024
#: Delimiters in the order in which one is taken where several fit alike, and records that are looked at.
_DELIMITERS, _RECORDS = ",;\t|", 1_000
#: What windows-1252 has besides letters that Western texts hold: quotes, dashes, currencies, units.
_SIGNS = frozenset("€‚„…‘’“”•–—™ «»§°©®´·£²³±µ½¼¾¿¡ªº")  # noqa: RUF001 - these very characters

Encoding = Literal["utf-8", "windows-1252"]


class Found(Struct, frozen=True):
    """What was found out, and how sure that is, from 0 to 1."""

    encoding: Encoding
    encoding_sure: float
    delimiter: str
    delimiter_sure: float


def resolved(
    options: FileCsv, files: Iterator[OpenFile], notice: Callable[[str], None]
) -> tuple[Csv, Iterator[OpenFile]]:
    """
    The dialect with what is `auto` found out from the first file that isn't empty, which is told; and all the files.

    Invalid (SYN562) where it isn't sure enough.
    """
    if options.encoding == "utf-16":
        options = options.model_copy(update={"encoding": "utf-8"})  # which it is by now
    wanted = {name for name in ("encoding", "delimiter") if getattr(options, name) == "auto"}
    if not wanted:
        return Csv(**dict(options)), files
    for file in files:
        if file.size:
            declared = "" if options.encoding == "auto" else options.encoding
            found = detect(*_sample(file), quote=options.quote, declared=declared)
            if file.recoded_from:
                found = replace(found, encoding_sure=1.0)
            values = _sure_enough(file.name, found, wanted)
            notice(_told(file, found, wanted))
            return Csv(**{**dict(options), **values}), chain((file,), files)
    defaults = {name: Csv.model_fields[name].default for name in wanted}
    return Csv(**{**dict(options), **defaults}), iter(())


def detect(head: bytes, more: bytes = b"", *, whole: bool = False, quote: str = '"', declared: str = "") -> Found:
    r"""
    How a text is written whose start is `head`, of whole lines. `more` are lines from elsewhere in it. `declared`: the
    encoding that it is in for certain.

    >>> found = detect("no;name\n1;Jörg\n2;Zoë\n3;André\n".encode("windows-1252"), whole=True)
    >>> found.encoding, found.delimiter
    ('windows-1252', ';')
    """
    encoding, sure = _encoding(head + more, whole=whole)
    codec = "utf-8-sig" if (declared or encoding) == "utf-8" else codec_of(declared or encoding)
    text = head.decode(codec, "replace")
    return Found(encoding, sure, *_delimiter(text, quote))


def _sample(file: OpenFile) -> tuple[bytes, bytes]:
    """Whole lines of a file's start, and of places further on."""
    head = file.read(0, min(file.size, _HEAD))
    if len(head) == file.size:
        return head, b""
    head = head[: head.rfind(b"\n") + 1] or head
    if file.far is not None:
        return head, b""
    step = (file.size - _HEAD) // _PIECES
    pieces = (file.read(_HEAD + index * step, min(_PIECE, step)) for index in range(_PIECES))
    return head, b"".join(piece[piece.find(b"\n") + 1 : piece.rfind(b"\n") + 1] for piece in pieces)


def _encoding(data: bytes, *, whole: bool) -> tuple[Encoding, float]:
    if data.startswith(codecs.BOM_UTF8):
        return "utf-8", 1.0  # it says so itself: what isn't in it are records that can't be read
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return "windows-1252", _western(data)
    others = sum(not char.isascii() for char in text)
    # Another encoding that happens to be UTF-8 is likelier the fewer characters there are that tell.
    return "utf-8", 1 - 0.05**others if others else (1.0 if whole else 0.9)


def _western(data: bytes) -> float:
    """How sure a text is windows-1252: by the share of other characters than ASCII that stand where such do."""
    text = data.decode("windows-1252", "replace")
    good = bad = 0
    for index, char in enumerate(text):
        if char.isascii():
            continue
        around = text[index - 1 : index] + text[index + 1 : index + 2]
        inside = len(around) == 2 and around.isalpha()
        if char in _SIGNS:
            fits = not inside or char in "’·ªº"  # noqa: RUF001 - likewise
        elif char.isalpha() and char not in "ƒˆŸþÞðÐ":
            # Words of Western languages are mostly ASCII, and a capital hardly follows a small letter.
            plain = any(c.isascii() and c.isalpha() for c in around) or not any(c.isalpha() for c in around)
            fits = plain and not (char.isupper() and around[:1].islower())
        else:
            fits = False
        good, bad = good + fits, bad + (not fits)
    return (good + 1) / (good + bad + 2)


def _delimiter(text: str, quote: str) -> tuple[str, float]:
    mark = re.escape(quote)
    text = re.sub(f"{mark}(?:[^{mark}]|{mark}{mark})*{mark}", "x", text)  # what is quoted separates nothing
    scores = {delimiter: _score(text, delimiter) for delimiter in _DELIMITERS}
    best = max(scores, key=lambda delimiter: scores[delimiter])
    if not scores[best]:
        alone = not any(delimiter in text for delimiter in _DELIMITERS)
        return ",", 1.0 if alone else 0.0  # a single column
    rival = max(score for delimiter, score in scores.items() if delimiter != best)
    return best, scores[best] * (1 - rival**2 / 2)


def _score(text: str, delimiter: str) -> float:
    """The share of records with the commonest number of columns, times the share of cells without other delimiters."""
    others = [other for other in _DELIMITERS if other != delimiter]
    rows = [line.split(delimiter) for line in islice(filter(None, text.splitlines()), _RECORDS)]
    width, alike = Counter(map(len, rows)).most_common(1)[0] if rows else (0, 0)
    if width < 2:
        return 0.0
    cells = [cell for row in rows for cell in row]
    plain = sum(not any(_separates(other, cell) for other in others) for cell in cells)
    return alike / len(rows) * plain / len(cells)


def _separates(other: str, cell: str) -> bool:
    """Whether another delimiter may separate something in a cell. A comma in a number or before a blank doesn't."""
    before, found, after = cell.partition(other)
    harmless = other == "," and (after[:1] == " " or (before[-1:].isdigit() and after[:1].isdigit()))
    return bool(found) and not harmless


def _sure_enough(name: str, found: Found, wanted: set[str]) -> dict[str, str]:
    values = {"encoding": found.encoding, "delimiter": found.delimiter}
    sure = {"encoding": found.encoding_sure, "delimiter": found.delimiter_sure}
    for field in sorted(wanted):
        if sure[field] < ENOUGH:
            likely = f"csv.{field}: {_shown(values[field])}" if sure[field] > 0.5 else f"csv.{field}"
            raise Invalid(
                f"{name}: its {field} can't be told: {_shown(values[field])} is {_share(sure[field])} sure, and "
                f"{ENOUGH:.0%} is asked for",
                code="SYN562",
                help=f"Declare {likely}{' if that is right' if sure[field] > 0.5 else ''}.",
            )
    return {field: values[field] for field in wanted}


def _told(file: OpenFile, found: Found, wanted: set[str]) -> str:
    parts = {
        "encoding": f"encoding {file.recoded_from or found.encoding} ({_share(found.encoding_sure)} sure)",
        "delimiter": f"delimiter {_shown(found.delimiter)} ({_share(found.delimiter_sure)} sure)",
    }
    return f"detected in {file.name}: {', '.join(text for field, text in parts.items() if field in wanted)}"


def _shown(value: str) -> str:
    return repr(value) if len(value) == 1 else value


def _share(sure: float) -> str:
    return f"{min(int(sure * 100), 99)}%"  # nothing that is found out is certain
