"""GraphQL over HTTP: errors that come with status 200, and connections that are paged through their pageInfo."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final

from syncline.connectors.rest.exchange.rules import for_people
from syncline.kinds.content import SPREAD, SPREADING
from syncline.kinds.reading import Page
from syncline.kinds.rest_stream import RestStream
from syncline.model.errors import Invalid, foreign

if TYPE_CHECKING:
    from syncline.connectors.rest.exchange.answer import Answer
    from syncline.kinds.request import GraphQL
    from syncline.model.schema import Field
    from syncline.sdk.formats.json_document import Hide

#: Tokens of a document: texts and comments, which hold no other ones, spreads, names and the signs that matter here.
_TOKEN: Final = re.compile(r'"""(?:\\"""|(?!""").)*"""|"(?:\\.|[^"\\\n])*"|#[^\n]*|\.{3}|\w+|[{}():@$]', re.DOTALL)
_WAYS = ("cursor", "page", "offset", "next", "link")


def connected(stream: RestStream) -> RestStream:
    """A stream with what a declared connection means: where its records are, and how its pages follow each other."""
    graphql = stream.graphql
    if graphql is None or graphql.connection is None:
        return stream
    path = graphql.connection
    update: dict[str, Any] = {}
    if "records" not in stream.model_fields_set:
        update["records"] = f"{path}.nodes[]"
    page = stream.page or Page()
    if all(getattr(page, way) is None for way in _WAYS):
        update["page"] = page.model_copy(
            update={
                "cursor": f"{path}.pageInfo.endCursor",
                "last": f"{path}.pageInfo.hasNextPage == `false`",
                "into": page.into or f"variables.{graphql.after}",
            }
        )
    return stream.model_copy(update=update)


def checks_of(graphql: GraphQL) -> Callable[[Answer, Hide], str]:
    """
    What an answer must be beyond its status: raises `Invalid` (SYN494) for errors, and for pages without an end. Gives
    the errors that came beside data which is accepted.
    """

    def check(answer: Answer, hide: Hide) -> str:
        document = answer.document if isinstance(answer.document, dict) else {}
        errors, data = document.get("errors"), document.get("data")
        if errors and not (graphql.partial == "accept" and data is not None):
            raise Invalid(
                f"the GraphQL server answers with errors: {foreign(for_people(_told(errors), hide))}",
                code="SYN494",
                help="Nothing of the page was used. A rule in `errors` may say otherwise, by body.errors.",
            )
        if data is None:
            raise Invalid("the answer has neither data nor errors: it is none of GraphQL", code="SYN494")
        if graphql.connection is not None:
            _check_connection(document, graphql.connection)
        return f"partial data was accepted: {for_people(_told(errors), hide)}" if errors else ""

    return check


def selection(field: Field) -> str:
    """A field as a document selects it: an object whose fields the schema has with these, any other by its name.

    >>> from syncline.model.schema import DataType, Field
    >>> selection(Field("person", DataType("json"), fields=(Field("name", DataType("string")),)))
    'person { name }'
    """
    inner = " ".join(map(selection, field.fields))
    return f"{field.name} {{ {inner} }}" if inner else field.name


def selecting(document: str, selected: Sequence[str]) -> str:
    """A document that selects these in place of its spread `...chunk`.

    >>> selecting("{ items { ...chunk } }", ["id", "person { name }"])
    '{ items { id person { name } } }'
    """
    return SPREADING.sub(lambda _: " ".join(selected), document)


def beside(document: str) -> frozenset[str]:
    """Names that a document gives to fields beside its spread `...chunk`; beside each of them, where it has several.

    >>> sorted(beside("{ items(first: 3) { id new: labels(first: 9) { name } ...chunk } }"))
    ['id', 'new']
    """
    found: list[set[str]] = []
    open_sets: list[set[str]] = []
    before, arguments = "", 0
    tokens = [token for token in _TOKEN.findall(document) if token[0] not in '#"']
    for token, after in zip(tokens, [*tokens[1:], ""], strict=True):
        match token:
            case "(":
                arguments += 1
            case ")":
                arguments -= 1
            case _ if arguments:
                pass
            case "{":
                open_sets.append(set())
            case "}" if open_sets:
                open_sets.pop()
            case _ if not open_sets or not token[0].isidentifier():
                pass
            case _ if before == "...":
                found += open_sets[-1:] if token == SPREAD else []
            case _ if before not in {"@", ":"} and not (before == "on" and after in {"{", "@"}):
                open_sets[-1].add(token)
        before = token
    return frozenset.intersection(*map(frozenset, found)) if found else frozenset()


def _told(errors: Any) -> str:
    """The first errors of an answer in words: message and path."""
    found = []
    for error in errors[:3] if isinstance(errors, list) else [errors]:
        message = error.get("message") if isinstance(error, dict) else error
        path = error.get("path") if isinstance(error, dict) else None
        where = f" (at {'.'.join(map(str, path))})" if isinstance(path, list) and path else ""
        found.append(f"{message}{where}")
    return "; ".join(found)


def _check_connection(document: dict[str, Any], path: str) -> None:
    """A page whose answer doesn't say whether another follows must not pass for the last one."""
    node: Any = document
    for name in (*path.split("."), "pageInfo"):
        node = node.get(name) if isinstance(node, dict) else None
    following = node.get("hasNextPage") if isinstance(node, dict) else None
    if not isinstance(following, bool) or (following and not node.get("endCursor")):
        raise Invalid(
            f"{path}.pageInfo doesn't say whether there is another page",
            code="SYN494",
            help="Let the query ask for pageInfo { hasNextPage endCursor } of the connection.",
        )
