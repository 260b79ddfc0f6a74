"""What a connector's declaration of an HTTP API demands beyond its models, but for templates and expressions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Final

from syncline.kinds.base import Spec
from syncline.kinds.erase import ERASING
from syncline.kinds.registering import REQUESTS
from syncline.kinds.request import METHODS
from syncline.kinds.rest_stream import RestStream, scope_fields
from syncline.kinds.write import VERBS
from syncline.manifests.demands import auth_expressions
from syncline.manifests.demands.api_writes import declared_erase, declared_writes
from syncline.manifests.demands.choices import exactly_one, unknown_names
from syncline.manifests.demands.content import check_content, pages_by_connection
from syncline.manifests.demands.names import check_names
from syncline.manifests.demands.origins import check_origins
from syncline.manifests.demands.partitions import check_cursor, check_partitions
from syncline.manifests.demands.record_schema import check_schema
from syncline.manifests.demands.texts import names_in, texts_of
from syncline.manifests.demands.windows import check_windows
from syncline.manifests.findings import Problem
from syncline.manifests.text import listed, nearest
from syncline.model.manifest import Path

if TYPE_CHECKING:
    from syncline.kinds.connector import ConnectorSpec
    from syncline.kinds.reading import Page

SPEC: Final[Path] = ("spec",)


def check_api(spec: ConnectorSpec) -> Iterator[Problem]:
    """Findings about requests, streams and ways of authenticating that a connector declares."""
    if spec.check is not None:
        yield from exactly_one(spec.check, METHODS, (*SPEC, "check"), "a request")
    for name in REQUESTS if spec.webhooks is not None else ():
        if (request := getattr(spec.webhooks, name)) is not None:
            yield from exactly_one(request, METHODS, (*SPEC, "webhooks", name), "a request")
    yield from check_content(spec)
    yield from check_names(spec)
    yield from check_origins(spec)
    for index, offer in enumerate(spec.auth):
        if isinstance(offer, Spec):
            yield from auth_expressions.problems(offer, (*SPEC, "auth", index))
    for name, stream in spec.streams.items():
        yield from _rest_stream(stream, spec.streams, (*SPEC, "streams", name))
        yield from check_partitions(spec, name, (*SPEC, "streams", name))


def _rest_stream(stream: RestStream, streams: Mapping[str, RestStream], path: Path) -> Iterator[Problem]:
    if stream.page is not None and not pages_by_connection(stream):
        yield from exactly_one(stream.page, ("cursor", "page", "offset", "next", "link"), (*path, "page"), "paging")
    if stream.page is not None:
        yield from _page(stream.page, (*path, "page"), read=_reads_page(stream))
    if stream.cursor is not None:
        yield from check_cursor(stream.cursor, (*path, "cursor"))
        yield from check_windows(stream, path)
    names = stream.record_schema.properties if stream.record_schema else None
    if stream.record_schema is not None:
        yield from check_schema(stream.record_schema.properties, stream.record_schema.required, (*path, "schema"))
    around = {field.name for field in scope_fields(streams, stream, grouped=True)}
    own_key = [k for k in stream.key if k.split(".")[0] not in around]
    if names is not None:
        yield from unknown_names(own_key, names, (*path, "key"), "field of the schema", nested=True)
        if stream.cursor is not None and stream.cursor.field and stream.cursor.field.split(".")[0] not in names:
            yield Problem(
                "SYN213",
                (*path, "cursor", "field"),
                f"the cursor {stream.cursor.field!r} is no field of the schema",
                expected=listed(names),
                suggestion=nearest(stream.cursor.field, names),
            )
    if stream.write is not None:
        for verb in VERBS:
            if (request := getattr(stream.write, verb)) is not None:
                yield from exactly_one(request, METHODS, (*path, "write", verb), "a request")
        yield from declared_writes(stream.write, (*path, "write"))
    if stream.erase is not None:
        for name in ERASING:
            if (request := getattr(stream.erase, name)) is not None:
                yield from exactly_one(request, METHODS, (*path, "erase", name), "a request")
        yield from declared_erase(stream.erase, (*path, "erase"))


def _reads_page(stream: RestStream) -> bool:
    """Whether a template of a stream's request puts the page's cursor in its place itself."""
    return any("page" in names_in(text) for _, text in texts_of(stream, ()))


def _page(page: Page, path: Path, *, read: bool) -> Iterator[Problem]:
    if page.cursor is not None and page.into is None and not read:
        yield Problem("SYN202", (*path, "into"), "paging by cursor needs the field 'into'", expected=_INTO)
    for field in ("page", "offset", "into"):
        target = getattr(page, field)
        if target is not None and not _is_target(target):
            yield Problem("SYN205", (*path, field), f"{target!r} is no part of a request", expected=_TARGETS)
    if page.pages is not None and page.page is None:
        yield Problem("SYN205", (*path, "pages"), "pages are counted where they have numbers", "page", at_key=True)
    if page.short != "next" and not page.size:
        yield Problem("SYN202", (*path, "size"), f"short: {page.short} needs the field 'size'", "{query.limit: 100}")
    for target in page.size:
        if not _is_target(target):
            yield Problem(
                "SYN205", (*path, "size", target), f"{target!r} is no part of a request", expected=_TARGETS, at_key=True
            )


_INTO: Final = "query.NAME, or a template of the request that reads {{ page.cursor }}"
_TARGETS: Final = "query.NAME, header.NAME, body.PATH or variables.NAME"


def _is_target(text: str) -> bool:
    part, dot, name = text.partition(".")
    return part in {"query", "header", "headers", "body", "variables"} and bool(dot and name)
