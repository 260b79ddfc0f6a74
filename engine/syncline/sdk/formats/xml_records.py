"""Records of an XML document of any length, one at a time: the elements at a path, each as an object.

The rules by which an element becomes an object are those of whole documents (`xml_document.py`), and so is what is
refused: document types, and with them all entities. What is around the records is passed over, not kept.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any
from xml.parsers import expat

from syncline.model.errors import Invalid
from syncline.sdk.formats.xml_document import MAX_DEPTH, Builder, Path

#: Most elements and attributes of a record.
MAX_NODES = 100_000
#: Most bytes of a record; and of what the parser can't look at before it ends, such as a tag: it begins it anew each
#: time that more of it comes.
MAX_RECORD, MAX_TAG = 64 * 1024 * 1024, 1024 * 1024


class XmlRecords:
    """Reads a document piece by piece. `lists` are paths of elements inside a record that are lists however often
    they are there.

    >>> reader = XmlRecords(("a", "b"))
    >>> reader.feed(b"<a><x>0</x><b><id>1</id></b><b><i"), reader.feed(b"d>2</id></b></a>", last=True)
    ([{'id': '1'}], [{'id': '2'}])
    """

    def __init__(self, path: Path, lists: Collection[Path] = ()) -> None:
        self._path = path
        self._lists = frozenset((path[-1], *inner) for inner in lists)
        self._around: list[str] = []
        self._record: Builder | None = None
        self._began = 0
        self._fed = 0
        self._found: list[Any] = []
        #: Whether the element that records are in was there.
        self.reached = len(path) == 1
        self._parser = expat.ParserCreate(namespace_separator=" ")
        self._parser.buffer_text = True
        self._parser.StartDoctypeDeclHandler = self._doctype
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._text

    def feed(self, data: bytes, *, last: bool = False) -> list[Any]:
        """
        The records that end in a piece of the document; `last`: the document ends with it.

        Raises `Invalid` (SYN565) for what is no XML, (SYN493) for document types and what is past the bounds.
        """
        self._found = []
        self._fed += len(data)
        try:
            self._parser.Parse(data, last)
        except expat.ExpatError as error:
            raise Invalid(
                f"it is no well-formed XML: {expat.ErrorString(error.code)} at line {error.lineno}, column "
                f"{error.offset + 1}",
                code="SYN565",
                help="The file is damaged, cut, or no XML. What was read of it before is told above.",
            ) from None
        except LookupError as error:
            raise Invalid(f"its encoding is unknown: {error}", code="SYN565", help="Convert it to UTF-8.") from None
        tag = self._fed - self._parser.CurrentByteIndex > MAX_TAG
        if tag or (self._record is not None and self._fed - self._began > MAX_RECORD):
            raise Invalid(
                f"a tag has more than {MAX_TAG:,} bytes" if tag else f"a record has more than {MAX_RECORD:,} bytes",
                code="SYN493",
                help="Look at the path of the records: it should lead to each of them, not to what is around them all.",
            )
        return self._found

    def _doctype(self, *_: object) -> None:
        raise Invalid(
            "it has a document type (DOCTYPE)",
            code="SYN493",
            help="Entities that it may define can read files or exhaust memory, so none of the file was used.",
        )

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        if self._record is not None:
            self._record.start(name, attributes)
            return
        if len(self._around) >= MAX_DEPTH:
            raise Invalid(f"it is nested deeper than {MAX_DEPTH} levels", code="SYN493")
        self._around.append(name.rpartition(" ")[2])
        around = tuple(self._around)
        self.reached = self.reached or around == self._path[:-1]
        if around == self._path:
            self._record, self._began = Builder(self._lists, MAX_NODES), self._parser.CurrentByteIndex
            self._record.start(name, attributes)

    def _text(self, text: str) -> None:
        if self._record is not None:
            self._record.text(text)

    def _end(self, name: str) -> None:
        if self._record is None:
            self._around.pop()
            return
        self._record.end(name)
        if self._record.done:
            self._found.append(self._record.document[self._around.pop()])
            self._record = None
