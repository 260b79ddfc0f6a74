"""Reading a text file in blocks that end where a record ends. Memory is bounded by the block and the longest record."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise

from msgspec import Struct

from syncline.connectors.file.position import OpenFile
from syncline.sdk.batch import Span

#: The longest record that is read. A quote that is never closed must not pull a whole file into memory.
MAX_RECORD = 64 * 1024 * 1024
#: How much of a malformed record is kept.
MAX_RAW = 64 * 1024
_CONTROL_Z = b"\x1a"


class Block(Struct, frozen=True):
    """Whole records from `offset` on. `rest` is what follows when it can't become a record: the file ends inside it, or
    it is longer than `MAX_RECORD`; empty otherwise.
    """

    data: bytes
    offset: int
    last: bool
    rest: bytes = b""

    @property
    def text(self) -> bytes:
        """Its records, without what DOS ends a text with as the very last byte of a file."""
        return self.data.removesuffix(_CONTROL_Z) if self.last else self.data


def blocks(file: OpenFile, offset: int, size: int, end_of: Callable[[bytes, bool], int]) -> Iterator[Block]:
    """
    Yields blocks of about `size` bytes; at least one, and the last marked as such.

    `end_of(data, final)` says how many bytes of `data`, which starts where a record starts, are whole records; `final`
    that the file ends where `data` ends. Where a block ends depends on where it begins only, so that reading that
    resumes yields the same blocks.
    """
    while True:
        length = size
        while True:
            data = file.read(offset, min(length, file.size - offset))
            final = offset + len(data) == file.size
            end = end_of(data, final)
            if end or final or length >= MAX_RECORD:
                break
            length = min(2 * length, MAX_RECORD)
        stuck = end < len(data) if final else not end
        # Nothing of it is held here while it is used elsewhere.
        found = [Block(data[:end], offset, last=final and end == len(data), rest=data[end:] if stuck else b"")]
        del data
        yield found.pop()
        if final or stuck:
            return
        offset += end


def end_of_lines(data: bytes, final: bool) -> int:
    """How many bytes of `data` are whole lines."""
    return len(data) if final else data.rfind(b"\n") + 1


def count_of_lines(data: bytes) -> int:
    r"""How many lines there are, of which the last may have no end.

    >>> count_of_lines(b"a\n\nb")
    3
    """
    return data.count(b"\n") + (not data.endswith(b"\n") and bool(data))


def spans_of(name: str, numbers: Sequence[int], unit: str = "line") -> tuple[Span, ...]:
    """Runs of consecutive numbers, which rise."""
    if not numbers:
        return ()
    if numbers[-1] - numbers[0] == len(numbers) - 1:
        return (Span(name, unit, numbers[0], len(numbers)),)
    breaks = [0, *(i for i in range(1, len(numbers)) if numbers[i] != numbers[i - 1] + 1), len(numbers)]
    return tuple(Span(name, unit, numbers[a], b - a) for a, b in pairwise(breaks))


def raw_text(data: bytes) -> str:
    """A record's bytes for people: bounded, with what isn't UTF-8 as backslash escapes."""
    return data[:MAX_RAW].rstrip(b"\r\n").decode("utf-8", "backslashreplace")[:MAX_RAW]
