"""What the body of an answer holds, in the one form that the rest of the runtime reads: JSON.

A document stands as its bytes and as what was parsed of them. Formats whose lines are records give these, and archives
one part a file. What reads a body is a `Reading`; it also knows what the stream itself says answers mean.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from syncline.sdk.formats.json_document import Hide, check_document

if TYPE_CHECKING:
    from syncline.connectors.rest.exchange.answer import Answer, Rows
    from syncline.connectors.rest.exchange.rules import Rule
    from syncline.sdk.formats.schema_pages import SchemaPage
    from syncline.sdk.http import Response

#: Codes of errors that say that a body isn't what it should be: wrong format, damage, ambiguity, no records, a
#: dialect or columns that differ, bounds of XML and of archives. A sample of the body is kept with the run.
UNREADABLE = frozenset(
    {
        "SYN410",
        "SYN411",
        "SYN412",
        "SYN413",
        "SYN422",
        "SYN453",
        "SYN456",
        "SYN457",
        "SYN458",
        "SYN463",
        "SYN492",
        "SYN493",
    }
)


class Content(NamedTuple):
    """A body: bytes of checked JSON with its document, or `parts`, each JSON bytes or rows, or a decoded `page`."""

    body: bytes
    document: Any = None
    parts: tuple[bytes | Rows, ...] = ()
    page: SchemaPage | None = None


class Reading:
    """How the body of a good answer is read: as JSON, unless a subclass knows better.

    `rules` are the stream's own, which come before those of the API.
    """

    rules: tuple[Rule, ...] = ()
    accept = "application/json"

    def read(self, response: Response, hide: Hide) -> Content:
        """The content of a body. Raises `Again` for damage, and `Invalid` for what is none of the format."""
        return Content(*check_document(response.body, response.headers.get("content-type", ""), hide))

    def check(self, answer: Answer, hide: Hide) -> str:
        """Raises for an answer that no rule matches and that is an error all the same; what is accepted, in words."""
        del answer, hide
        return ""


class _Nothing(Reading):
    def read(self, response: Response, hide: Hide) -> Content:
        del hide
        return Content(response.body)


read_json = Reading()
#: For answers whose body nobody looks at.
read_nothing = _Nothing()
