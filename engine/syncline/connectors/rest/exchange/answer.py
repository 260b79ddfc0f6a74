"""An accepted answer of an API, and the records that a format tells apart by itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from msgspec import Struct

if TYPE_CHECKING:
    from syncline.connectors.rest.exchange.expressions import Reads
    from syncline.sdk.formats.json_records import BadRecord
    from syncline.sdk.formats.schema_pages import SchemaPage


class Rows(Struct, frozen=True):
    """Records that a format tells apart by itself: each as JSON, with its index (a line's number from 0)."""

    raws: Sequence[bytes]
    rows: Sequence[int]
    bad: tuple[BadRecord, ...] = ()
    size: int = 0


class Answer(Struct, frozen=True):
    """
    An accepted answer: the body as JSON and the checked document, or the `parts` that it is made of, or a `page`
    whose records are decoded already. `empty`: it counts as a page without records, because a rule says so, because
    it has no content (status 204), or because nothing has changed since the token that was sent (status 304).
    `note` says what is wrong with it and accepted all the same. `withheld`: the status where there may be records
    that it doesn't give, as where a rule passes over a refusal; or 0.
    """

    url: str
    status: int
    headers: Mapping[str, str]
    body: bytes = b""
    parsed: Any = None
    empty: bool = False
    parts: tuple[bytes | Rows, ...] = ()
    note: str = ""
    withheld: int = 0
    page: SchemaPage | None = None

    @property
    def document(self) -> Any:
        """The checked document; None where there is none. That of a `page` is parsed for it."""
        return self.parsed if self.page is None else self.page.document()

    def seen_by(self, reads: Reads) -> Any:
        """The document as far as an expression that looks at these paths needs it."""
        return self.parsed if self.page is None else self.page.beside_of(reads)
