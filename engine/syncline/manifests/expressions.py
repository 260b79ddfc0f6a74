"""The small languages inside connectors, compiled at validate time.

JMESPath picks records and cursors, templates fill requests. Mappings and policies compile their own expressions.
Only what a repository declares is looked at: the catalogue is compiled by its tests.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from syncline.kinds.connector import ConnectorSpec
from syncline.kinds.request import Request
from syncline.kinds.stream import RestStream
from syncline.kinds.write import VERBS, Find, ReadBack, WriteRequest
from syncline.manifests.desired import Desired
from syncline.model.diagnostic import Diagnostic
from syncline.model.manifest import Manifest, Path

_METHODS = ("get", "post", "put", "patch", "delete")


def check_expressions(desired: Desired) -> list[Diagnostic]:
    """Findings of every template and JMESPath expression of the declared connectors."""
    found: list[Diagnostic] = []
    for manifest in desired.of_kind("Connector"):
        spec = manifest.spec
        if isinstance(spec, ConnectorSpec):
            for path, text in _templates(spec):
                found += _template(manifest, path, text)
            for path, text in _queries(spec):
                found += _query(manifest, path, text)
    return found


def _request(request: Request, path: Path) -> Iterator[tuple[Path, str]]:
    for method in _METHODS:
        text = getattr(request, method)
        if isinstance(text, str):
            yield (*path, method), text
    for part in ("query", "headers"):
        for name, text in getattr(request, part).items():
            yield (*path, part, name), text
    yield from _texts(request.body, (*path, "body"))


def _texts(value: Any, path: Path) -> Iterator[tuple[Path, str]]:
    match value:
        case str():
            yield path, value
        case dict():
            for name, inner in value.items():
                yield from _texts(inner, (*path, name))
        case list():
            for index, inner in enumerate(value):
                yield from _texts(inner, (*path, index))
        case _:
            pass


def _templates(spec: ConnectorSpec) -> Iterator[tuple[Path, str]]:
    if spec.http is not None:
        yield ("spec", "http", "url"), spec.http.url
        for part in ("headers", "query"):
            yield from _texts(getattr(spec.http, part), ("spec", "http", part))
    if spec.check is not None:
        yield from _request(spec.check, ("spec", "check"))
    for name, stream in spec.streams.items():
        path = ("spec", "streams", name)
        yield from _request(stream, path)
        for write, request in _writes(stream):
            yield from _request(request, (*path, "write", write))
            batch = request.batch if isinstance(request, WriteRequest) else None
            if batch is not None:
                yield from _texts(batch.each, (*path, "write", write, "batch", "each"))
                if batch.key is not None:
                    yield (*path, "write", write, "batch", "key"), batch.key


def _writes(stream: RestStream) -> Iterator[tuple[str, WriteRequest | Find | ReadBack]]:
    for verb in VERBS if stream.write else ():
        request = getattr(stream.write, verb)
        if request is not None:
            yield verb, request


def _queries(spec: ConnectorSpec) -> Iterator[tuple[Path, str]]:
    if spec.http is not None:
        for index, rule in enumerate(spec.http.errors):
            yield ("spec", "http", "errors", index, "when"), rule.when
    for name, stream in spec.streams.items():
        yield from _paging(stream, ("spec", "streams", name))
        yield from _written(stream, ("spec", "streams", name, "write"))


def _written(stream: RestStream, path: Path) -> Iterator[tuple[Path, str]]:
    """Expressions over the answers to writes."""
    places: list[tuple[Path, Any]] = [(path, stream.write)]
    for verb, request in _writes(stream):
        places.append(((*path, verb), request))
        if isinstance(request, WriteRequest):
            places.append(((*path, verb, "batch"), request.batch))
    for place, part in places:
        for name in ("id", "version", "record", "results", "match", "failed", "message"):
            text = getattr(part, name, None)
            if text is not None:
                yield (*place, name), text


def _paging(stream: RestStream, path: Path) -> Iterator[tuple[Path, str]]:
    yield (*path, "records"), stream.records
    if stream.deleted is not None:
        yield (*path, "deleted"), stream.deleted
    for part in ("cursor", "next", "last", "total", "pages"):
        text = getattr(stream.page, part) if stream.page else None
        if isinstance(text, str):
            yield (*path, "page", part), text
    if stream.cursor is not None and isinstance(stream.cursor.marker, str):
        yield (*path, "cursor", "marker"), stream.cursor.marker
    for at, item in stream.read_for_at:
        if item.only is not None:
            yield (*path, *at, "only"), item.only


def _template(manifest: Manifest, path: Path, text: str) -> Iterator[Diagnostic]:
    from syncline.sdk.template import TemplateError, compile_template

    try:
        compile_template(text)
    except TemplateError as error:
        yield Diagnostic(
            code="SYN430",
            message=f"the template {text[:80]!r} {str(error).removeprefix('a template ')}",
            place=manifest.place_of(*path),
            subject=str(manifest.key),
            expected="values, listed filters and inline conditions: {{ config.name | default('') }}",
        )


def _query(manifest: Manifest, path: Path, text: str) -> Iterator[Diagnostic]:
    import jmespath.exceptions

    try:
        jmespath.compile(text)
    except jmespath.exceptions.JMESPathError as error:
        yield Diagnostic(
            code="SYN253",
            message=f"{text[:80]!r} is not JMESPath: {str(error).splitlines()[0].removesuffix(', for expression:')}",
            place=manifest.place_of(*path),
            subject=str(manifest.key),
            expected="a JMESPath expression, such as data[] or meta.next",
        )
