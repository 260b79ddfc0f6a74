"""The heads of a stream's files: what columns they name, looked at before the first record of any is read.

A file that lacks a column would be found out once the files before it are written. Of files of another machine, and of
packed ones, only the first are looked at, since each takes a request, or is unpacked; formats that have no head
(JSON, XML, columns of fixed width) aren't.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from msgspec import Struct

from syncline.connectors.file.packed import beginning, way
from syncline.connectors.file.places.local import Local
from syncline.model.errors import Invalid, SynclineError

if TYPE_CHECKING:
    from syncline.connectors.file.packed import Found
    from syncline.connectors.file.places.place import Place
    from syncline.connectors.file.position import Done, OpenFile, Progress
    from syncline.kinds.file_stream import FileFormat, Packing

#: Bytes of a file that its columns are looked for in, and files that are looked at where each takes long.
HEAD, MOST_FAR = 64 * 1024, 100
#: Files, and columns of each, that a message names.
_SHOWN = 20
#: Formats of which a packed file's beginning tells the columns.
_BY_BEGINNING = frozenset({"csv", "jsonl"})
#: Codes of a head that can't be read as the stream's; other trouble is told when its file's turn comes.
_UNFIT = frozenset({"SYN453", "SYN457", "SYN462"})


@runtime_checkable
class Headed(Protocol):
    """A format whose files say what columns they have."""

    def lacking(self, file: OpenFile) -> tuple[str, ...]:
        """Columns that are read and that a file doesn't have; Invalid where its head can't be read."""


class Heads(Struct, frozen=True):
    """The files of a stream, whose heads `check` looks at. `same`: whether a file is as it was when it was read."""

    place: Place
    files: Mapping[str, Found]
    form: Headed
    kind: FileFormat
    packing: Packing
    encoding: str
    incremental: bool
    same: Callable[[OpenFile, Done], bool]

    def check(self, progress: Progress) -> None:
        """Raises Invalid (SYN454) with every file to be read that lacks columns, and what it lacks."""
        wrong = [(found.name, why) for found in self._looked_at(progress) if (why := self._wrong(found, progress))]
        if not wrong:
            return
        shown = "; ".join(f"{name} {why}" for name, why in wrong[:_SHOWN])
        more = f"; and {len(wrong) - _SHOWN:,} more files" if len(wrong) > _SHOWN else ""
        raise Invalid(
            f"{len(wrong):,} of {len(self.files):,} files can't be read like the others: {shown}{more}",
            code="SYN454",
            help="Nothing was read. Have the files made again, or make a stream of its own of them.",
        )

    def _looked_at(self, progress: Progress) -> Iterator[Found]:
        far = 0
        for name, found in self.files.items():
            done = name in progress.done
            if name == progress.file or (done and not self.incremental):
                continue
            packed = way(found, self.packing) != "none"
            if packed and self.kind not in _BY_BEGINNING:
                continue
            if packed or not isinstance(self.place, Local):
                far += not done
                if done or far > MOST_FAR:
                    continue
            yield found

    def _wrong(self, found: Found, progress: Progress) -> str:
        """What keeps a file from being read; '' where nothing does, or it isn't read since it hasn't changed."""
        try:
            with beginning(self.place, found, self.packing, self.encoding, HEAD) as (file, head):
                why = self._why(head)
                done = progress.done.get(found.name)
                return "" if why and done is not None and self.same(file, done) else why
        except SynclineError:
            return ""

    def _why(self, head: OpenFile) -> str:
        try:
            lacks = self.form.lacking(head)
        except Invalid as error:
            return f"({error.message})" if error.code in _UNFIT else ""
        return f"lacks {listed(lacks)}" if lacks else ""


class Columns:
    """
    The columns of a stream's files: without a declared schema, those that are read by `paths` may not be lacking.

    >>> columns = Columns(("id", "note"), ("id",), print)
    >>> columns.lacking(["note"])
    ('id',)
    >>> columns.tell("b.csv", ["id", "more"])
    b.csv: columns have come that nothing reads: 'more'
    """

    def __init__(self, names: Sequence[str], paths: Sequence[str], notice: Callable[[str], None]) -> None:
        needed = read_by(paths)
        self.needed = tuple(name for name in names if needed(name))
        self._known = set(names)
        self._notice = notice

    def lacking(self, columns: Collection[str]) -> tuple[str, ...]:
        """Those that a file with these columns lacks."""
        return tuple(name for name in self.needed if name not in columns)

    def tell(self, name: str, columns: Iterable[str]) -> None:
        """Tells which columns of a file nothing reads, each once."""
        new = [column for column in columns if column not in self._known]
        if new:
            self._known.update(new)
            shown = ", ".join(f"{column[:60]!a}" for column in new[:5])
            more = f" and {len(new) - 5} more" if len(new) > 5 else ""
            self._notice(f"{name}: columns have come that nothing reads: {shown}{more}")


def read_by(paths: Sequence[str]) -> Callable[[str], bool]:
    """Whether a column is among what is read of a record; without paths, or with the whole record, each is."""
    whole = not paths or "*" in paths
    return lambda name: whole or any(path == name or path.startswith(f"{name}.") for path in paths)


def listed(names: Sequence[str]) -> str:
    """Names of columns, in bounds."""
    shown = ", ".join(repr(name) for name in islice(names, _SHOWN))
    return f"{shown} and {len(names) - _SHOWN} more" if len(names) > _SHOWN else shown
