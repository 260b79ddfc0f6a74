"""Reading a stream of files, in any format: which files, in which order, from where, and what a batch's position is."""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import PurePosixPath
from typing import Final, assert_never

from syncline.connectors.file.heads import Headed, Heads
from syncline.connectors.file.late import Late
from syncline.connectors.file.packed import Found, members, opened, way
from syncline.connectors.file.piece import Format, Piece
from syncline.connectors.file.places.choose import place_of
from syncline.connectors.file.places.place import Fed, Place
from syncline.connectors.file.position import Done, OpenFile, Progress
from syncline.kinds.file_stream import FileFormat, FileStream, format_by_name
from syncline.kinds.integration import IntegrationSpec
from syncline.model.errors import Invalid
from syncline.model.schema import Schema
from syncline.sdk.batch import Batch, Position
from syncline.sdk.offers import offers
from syncline.sdk.source import Instance, SourceRequest

#: The codes of what isn't there, and of what isn't any more what it was.
GONE: Final = "SYN450"
CHANGED: Final = "SYN455"
#: Files that a position has of a place that tells what is new.
REMEMBERED: Final = 1_000


class FileSource:
    """The files of a stream, in the order of their names, each from its start or from a position in it.

    A file that was read to its end is not read again from the same position. In an incremental read one whose content
    changed is, and of one that only grew, what was added.
    """

    def __init__(
        self,
        instance: Instance,
        place: Place,
        files: tuple[Found, ...],
        form: Format,
        stream: FileStream,
        *,
        encoding: str = "",
        incremental: bool,
        digests: bool = False,
    ) -> None:
        self._instance = instance
        self._place = place
        self._files = {found.name: found for found in files}
        self._format = form
        self._packing = stream.packing
        self._within = stream.members
        self._encoding = encoding
        self._digests: dict[tuple[str, int, int], str] = {}
        self._fed = place if isinstance(place, Fed) else None
        self._incremental = incremental or self._fed is not None
        self._digested = digests or incremental
        self._told = digests
        self._stream = stream
        self._looked = False

    @property
    def schema(self) -> Schema:
        """Schema of the records."""
        return self._format.schema

    @property
    def total_bytes(self) -> int | None:
        """Bytes of all files; None where one is packed or in UTF-16, or can't be looked at."""
        if self._encoding == "utf-16" or any(way(found, self._packing) != "none" for found in self._files.values()):
            return None
        sizes = [self._place.size(name) for name in self._files]
        return None if None in sizes else sum(filter(None, sizes))

    def read(self, position: Position | None) -> Iterator[Batch]:
        """Yields batches of about `batch_bytes`; see `Source.read`."""
        progress = Progress.from_json(position)
        if progress.file and self._fed is not None:
            self._again(progress.file)
        if progress.file and progress.file not in self._files:
            raise Invalid(
                f"{progress.file} was being read and is gone",
                code=CHANGED,
                help="Restore the file to go on where the run stopped, or reset the cursor to read everything again.",
            )
        self._check_heads(progress)
        rest = [name for name in self._files if name != progress.file]
        names = [progress.file, *rest] if progress.file else rest
        last = {self._files[name].file: name for name in names}  # of an archive, the member that is read last
        for name in names:
            found = self._files[name]
            with self._opened(found) as opening:
                if opening is None:
                    progress = progress.between() if progress.file == name else progress
                else:
                    file, content = opening
                    for piece in self._pieces(file, content, progress):
                        progress = self._after(file, content(), piece, progress)
                        self._instance.count("bytes", piece.size)
                        batch = [self._batch(piece, progress, name)]
                        del piece  # or it would be held until the next one is read
                        yield batch.pop()
            if self._fed is not None and last[found.file] == name:
                self._fed.settled(found.file)

    def _check_heads(self, progress: Progress) -> None:
        """Looks at the heads of several files, once; what a queue tells of is committed file by file."""
        if self._looked or self._fed is not None or len(self._files) < 2 or not offers(self._format, Headed):
            return
        self._looked = True
        kind = format_of(self._stream, tuple(self._files))
        Heads(
            self._place,
            self._files,
            self._format,
            kind,
            self._packing,
            self._encoding,
            self._incremental,
            self._same,
        ).check(progress)

    def _batch(self, piece: Piece, progress: Progress, name: str) -> Batch:
        return Batch(
            piece.frame,
            piece.spans,
            progress.to_json(),
            piece.malformed,
            digest=piece.digest,
            size=piece.size,
            settle=self._fed is not None and piece.last,
            file=name if self._told else "",
        )

    def _again(self, name: str) -> None:
        """A file that was being read is read on, whether or not its place tells of it again."""
        if name in self._files:
            return
        for file in (*(name[: at.start()] for at in re.finditer("/", name)), name):
            if file != name and way(Found(file, file), self._packing) != "zip":
                continue  # a folder
            with passing_over_gone(fed=True):
                again = members(self._place, (file,), self._packing, self._within)
                if name in {found.name for found in again}:
                    self._files |= {found.name: found for found in again if found.name not in self._files}
                    return

    @contextmanager
    def _opened(self, found: Found) -> Iterator[tuple[OpenFile, Callable[[], OpenFile]] | None]:
        """A file, open; None for one that its place told of, and that was deleted since."""
        with ExitStack() as stack:
            opening = None
            with passing_over_gone(fed=self._fed is not None):
                opening = stack.enter_context(opened(self._place, found, self._packing, self._encoding))
            if opening is None:
                self._instance.notice(f"{found.name} was deleted before it was read")
            yield opening

    def _pieces(self, file: OpenFile, content: Callable[[], OpenFile], progress: Progress) -> Iterator[Piece]:
        """What is to be read of a file, whose content may be packed."""
        if progress.file:
            try:
                content().check(progress)
            except Invalid as error:
                if self._fed is None or error.code != CHANGED:
                    raise
                self._instance.notice(f"{file.name} was replaced while it was read, and is read anew")
                return self._format.read(content(), {})
            return self._format.read(content(), progress.at)
        done = progress.done.get(file.name)
        if done is None:
            return self._format.read(content(), {})
        if not self._incremental or self._same(file, done):
            return iter(())
        grown = done.at and not file.version and file.size > done.size and file.digest(done.size) == done.digest
        return self._format.read(content(), done.at if grown else {})

    def _after(self, file: OpenFile, content: OpenFile, piece: Piece, progress: Progress) -> Progress:
        """Where reading stands after a piece."""
        if not piece.last:
            return progress.reading(file.name, piece.at, piece.upto, content.mark(piece.upto))
        file.finished()
        digest = self._digest(file) if self._digested and not file.version else ""
        grows = self._incremental and piece.growable and digest and content is file
        done = Done(file.size, file.mtime, digest, piece.at if grows else {}, file.version)
        # A place that tells what is new needs to be remembered for as long only as it may tell of something twice.
        return progress.read_to_its_end(file.name, done, REMEMBERED if self._fed is not None else None)

    def _digest(self, file: OpenFile) -> str:
        """The digest of a whole file; of an archive, once for all of its members."""
        known = (self._files[file.name].file, file.size, file.mtime)
        if known not in self._digests:
            self._digests = {known: file.digest(file.size)}
        return self._digests[known]

    def digests(self, position: Position | None) -> dict[str, str]:
        """Of files that were read to their end, where it was asked for; see `Digesting`."""
        return {name: done.digest for name, done in Progress.from_json(position).done.items() if done.digest}

    def sizes(self, position: Position | None) -> dict[str, int]:
        """Of files that were read to their end; see `Digesting`."""
        return {name: done.size for name, done in Progress.from_json(position).done.items()}

    def _same(self, file: OpenFile, done: Done) -> bool:
        """Whether a file has the content that was read: by its version, or its size and time, else by its digest."""
        if file.version or done.version:
            return file.version == done.version
        if file.size != done.size:
            return False
        return file.mtime == done.mtime or self._digest(file) == done.digest

    def close(self) -> None:
        """Releases what its place holds."""
        self._place.close()


def open_source(instance: Instance, request: SourceRequest) -> FileSource:
    """Opens a stream of files; Invalid when it isn't declared, matches nothing, or its files don't fit together."""
    assert isinstance(instance.integration, IntegrationSpec)
    stream = instance.integration.streams.get(request.stream)
    if stream is None:
        known = ", ".join(sorted(instance.integration.streams)) or "none"
        raise Invalid(
            f"{instance.name} has no stream {request.stream!r}",
            code="SYN461",
            help=f"Its streams are: {known}. Add it under spec.streams of the Integration.",
        )
    place = place_of(instance, trial=request.trial)
    try:
        fed = place if isinstance(place, Fed) else None
        if fed is not None and request.schema is None:
            raise Invalid(
                f"{instance.name}: stream {request.stream} has no schema, and no file may have come",
                code="SYN331",
                help="Declare the stream's `schema`: what a queue tells of may be nothing.",
            )
        names = place.matching(stream.patterns)
        if fed is None:
            files = members(place, names, stream.packing, stream.members)
        else:
            files = _present(fed, names, stream, instance.notice)

        found_names = tuple(found.name for found in files)
        text = format_of(stream, found_names or stream.patterns) == "csv"
        encoding = stream.csv.encoding if text else ""

        def contents() -> Generator[OpenFile]:
            for found in files:
                opening = opened(place, found, stream.packing, encoding)
                with passing_over_gone(fed=fed is not None), opening as (_, content):
                    yield content()

        def formed(names: tuple[str, ...], files: Iterator[OpenFile]) -> Format:
            return _format(stream, request, names, files, instance.notice)

        if request.schema is not None and not files:
            known = format_of(stream, stream.patterns)
            form: Format = Late(known, request.schema, lambda file: formed((file.name,), iter((file,))))
        else:
            with closing(contents()) as opening:
                form = formed(found_names, opening)
    except BaseException:
        place.close()
        raise
    return FileSource(
        instance,
        place,
        files,
        form,
        stream,
        encoding=encoding,
        incremental=request.incremental,
        digests=request.digests,
    )


def _present(
    place: Fed, names: tuple[str, ...], stream: FileStream, notice: Callable[[str], None]
) -> tuple[Found, ...]:
    """The files of a stream that are there still."""
    found: list[Found] = []
    for name in names:
        inside: tuple[Found, ...] = ()
        with passing_over_gone(fed=True):
            inside = members(place, (name,), stream.packing, stream.members)
        if not inside:
            notice(f"{name} was deleted before it was read")
            place.settled(name)
        found += inside
    return tuple(found)


@contextmanager
def passing_over_gone(*, fed: bool) -> Iterator[None]:
    """Passes over a file that isn't there, if its place told of it: it was deleted since."""
    try:
        yield
    except Invalid as error:
        if not fed or error.code != GONE:
            raise


def format_of(stream: FileStream, names: tuple[str, ...]) -> FileFormat:
    """The declared format, or the one that every file's ending says."""
    if stream.format:
        return stream.format
    formats = {format_by_name(name) for name in names}
    if len(formats) == 1 and (known := formats.pop()):
        return known
    found = ", ".join(sorted({PurePosixPath(name).suffix.lower() or "none" for name in names}))
    raise Invalid(
        f"the files that {', '.join(map(repr, stream.patterns))} match don't end as one known format: {found}",
        code="SYN459",
        help="Declare the stream's format: csv, jsonl, json, parquet, excel, fixed or xml.",
    )


def _format(
    stream: FileStream,
    request: SourceRequest,
    names: tuple[str, ...],
    files: Iterator[OpenFile],
    notice: Callable[[str], None],
) -> Format:
    match format_of(stream, names):
        case "csv":
            from syncline.connectors.file.csv import CsvFormat

            return CsvFormat(stream.csv, request.schema, files, request.batch_bytes, notice, request.paths)
        case "jsonl":
            from syncline.connectors.file.jsonl import JsonlFormat

            return JsonlFormat(request.schema, request.paths, request.batch_bytes, request.needed or ())
        case "parquet":
            from syncline.connectors.file.parquet import ParquetFormat

            return ParquetFormat(request.schema, files, request.batch_rows, notice, request.paths)
        case "json":
            from syncline.connectors.file.json import JsonFormat

            return JsonFormat(stream.records, request.schema, request.paths, request.batch_rows)
        case "excel":
            from syncline.connectors.file.excel import ExcelFormat

            return ExcelFormat(stream.excel, request.schema, files, request.batch_rows, notice, request.paths)
        case "fixed":
            from syncline.connectors.file.fixed import FixedFormat

            return FixedFormat(stream.fixed, request.schema, request.batch_bytes)
        case "xml":
            from syncline.connectors.file.xml import XmlFormat

            return XmlFormat(stream.records, request)
        case other:
            assert_never(other)
