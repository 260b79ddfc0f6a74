"""What is demanded of bodies, formats, shapes, rules, chunks, files and jobs beyond their models."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from syncline.kinds.content import IN_GRAPHQL, SPREAD, SPREADING
from syncline.kinds.erase import ERASING
from syncline.kinds.request import BODIES, METHODS, Part, Request
from syncline.kinds.rest_stream import scope_fields
from syncline.kinds.write import VERBS
from syncline.manifests.demands.partitions import VARIABLES, inside
from syncline.manifests.demands.texts import names_in, paths_in, texts_of
from syncline.manifests.findings import Problem
from syncline.manifests.text import listed, nearest
from syncline.model import units

if TYPE_CHECKING:
    from syncline.kinds.connector import ConnectorSpec
    from syncline.kinds.content import Chunk, Fields
    from syncline.kinds.job import Job
    from syncline.kinds.record import Property
    from syncline.kinds.rest_stream import RestStream
    from syncline.kinds.rule import ErrorRule
    from syncline.model.manifest import Path
    from syncline.model.schema import Field

_WAYS: Final = ("cursor", "page", "offset", "next", "link")
#: Parts of `page` that are expressions over a body, which CSV and JSON Lines don't have.
_OVER_BODY: Final = ("cursor", "next", "last", "total", "pages")
#: Names of GraphQL, and a fragment with that of the spread which fields take the place of.
_NAME: Final = re.compile(r"[_A-Za-z][_0-9A-Za-z]*")
_FRAGMENT: Final = re.compile(rf"\bfragment\s+{SPREAD}\b")
_FACTS: Final = ("status", "headers", "body")


def check_content(spec: ConnectorSpec) -> Iterator[Problem]:
    """Everything that is wrong with what a connector's requests hold and its answers mean."""
    if spec.http is not None:
        yield from _rules(spec.http.errors, ("spec", "http", "errors"))
    if spec.check is not None:
        yield from _body(spec.check, ("spec", "check"), stream=False)
    for name, stream in spec.streams.items():
        path: Path = ("spec", "streams", name)
        yield from _one_of(stream, (*METHODS, "file", "job"), path, "a stream")
        yield from _body(stream, path, stream=True)
        yield from _rules(stream.errors, (*path, "errors"))
        yield from _format(stream, path)
        yield from _fields(stream.fields, (*path, "fields"))
        if stream.chunk is not None:
            yield from _chunk(stream, stream.chunk, (*path, "chunk"))
        if stream.job is not None:
            around = scope_fields(spec.streams, stream, (name,), grouped=True)
            yield from _job(stream, stream.job, around, path)
        for verb in VERBS:
            if (request := getattr(stream.write, verb, None)) is not None:
                yield from _body(request, (*path, "write", verb), stream=False)
        for verb in ERASING:
            if (request := getattr(stream.erase, verb, None)) is not None:
                yield from _body(request, (*path, "erase", verb), stream=False)


def pages_by_connection(stream: RestStream) -> bool:
    """Whether a GraphQL connection says how the pages of a stream follow each other."""
    page = stream.page
    by_itself = page is None or all(getattr(page, way) is None for way in _WAYS)
    return stream.graphql is not None and stream.graphql.connection is not None and by_itself


def _body(request: Request, path: Path, *, stream: bool) -> Iterator[Problem]:
    given = [name for name in BODIES if getattr(request, name) is not None]
    if len(given) > 1:
        message = f"a request can have only one of {listed(BODIES)}, not {' and '.join(given)}"
        yield Problem("SYN211", (*path, given[1]), message, help="Remove all but one.", at_key=True)
    if request.graphql is not None and request.graphql.connection is not None and not stream:
        message = "only a stream's answers are paged through a connection"
        yield Problem("SYN205", (*path, "graphql", "connection"), message, at_key=True)
    for number, part in enumerate(request.multipart or ()):
        yield from _part(part, (*path, "multipart", number))
    typed = next((name for name in request.headers if name.lower() == "content-type"), None)
    if request.multipart is not None and typed is not None:
        message = "a form with files says its Content-Type itself, with the boundary of its parts"
        help_ = "Remove the header; a part's own type is its contentType."
        yield Problem("SYN263", (*path, "headers", typed), message, help=help_, at_key=True)


def _part(part: Part, path: Path) -> Iterator[Problem]:
    ways = {"text": part.text, "json": part.content, "base64": part.base64}
    given = [name for name, value in ways.items() if value is not None]
    if not given:
        yield Problem("SYN211", path, f"a part needs one of {listed(ways)}")
    elif len(given) > 1:
        message = f"a part can have only one of {listed(ways)}, not {' and '.join(given)}"
        yield Problem("SYN211", (*path, given[1]), message, help="Remove all but one.", at_key=True)
    if not part.name.isprintable():
        yield Problem("SYN263", (*path, "name"), "the name of a part has control characters", "a field's name")
    if part.base64 is not None and "{{" not in part.base64 and not _is_base64(part.base64):
        message = "the content of this part is no base64"
        yield Problem("SYN263", (*path, "base64"), message, "base64 (RFC 4648, section 4), or a template that gives it")


def _is_base64(text: str) -> bool:
    try:
        return bool(base64.b64decode("".join(text.split()), validate=True))
    except (binascii.Error, ValueError):
        return False


def _rules(rules: Sequence[ErrorRule], path: Path) -> Iterator[Problem]:
    for number, rule in enumerate(rules):
        yield from _variables(rule.message, _FACTS, (*path, number, "message"))
        if rule.wait is not None and rule.do not in {"retry", "rate_limited"}:
            message = f"there is nothing to wait for where the rule says {rule.do}"
            yield Problem("SYN205", (*path, number, "wait"), message, expected="do: retry or rate_limited", at_key=True)


def _format(stream: RestStream, path: Path) -> Iterator[Problem]:
    if "csv" in stream.model_fields_set and stream.decode != "csv":
        message = f"answers are decoded as {stream.decode}, so they have no dialect of CSV"
        yield Problem("SYN205", (*path, "csv"), message, expected="decode: csv", at_key=True)
    if not stream.csv.header and not stream.csv.columns:
        message = "CSV without a header needs the field 'columns'"
        yield Problem("SYN202", (*path, "csv", "columns"), message, expected="names")
    if stream.decode not in {"csv", "jsonl"}:
        return
    if "records" in stream.model_fields_set:
        message = f"each line of {stream.decode} is a record, so there is nothing to look for"
        yield Problem("SYN205", (*path, "records"), message, at_key=True)
    for part in _OVER_BODY:
        if isinstance(getattr(stream.page, part, None), str):
            message = f"answers in {stream.decode} have no body that page.{part} could look at"
            yield Problem("SYN205", (*path, "page", part), message, expected="a header: {header: NAME}", at_key=True)


def _fields(fields: Fields, path: Path) -> Iterator[Problem]:
    for name, text in fields.add.items():
        if "{{" in text:
            yield from _variables(text, ("record", "config"), (*path, "add", name))
    for number, name in enumerate(fields.remove):
        if name in fields.rename:
            yield Problem("SYN205", (*path, "remove", number), f"{name!r} is renamed, so it isn't there to be removed")
    news = list(fields.rename.values())
    for old, new in fields.rename.items():
        if news.count(new) > 1:
            message = f"two fields would be called {new!r}"
            yield Problem("SYN212", (*path, "rename", old), message, at_key=True)


def _chunk(stream: RestStream, chunk: Chunk, path: Path) -> Iterator[Problem]:
    if chunk.fields is None and chunk.characters is None:
        yield Problem("SYN211", path, "a chunk needs one of fields and characters")
    area, _, name = chunk.into.partition(".")
    graphql = (stream.job.download if stream.job else stream).graphql
    if chunk.into == IN_GRAPHQL:
        if graphql is None or not SPREADING.search(graphql.query):
            message = f"no GraphQL document has the spread ...{SPREAD}, whose place the fields take"
            yield Problem("SYN205", (*path, "into"), message, expected='graphql: {query: "… nodes { ...chunk } …"}')
        elif _FRAGMENT.search(graphql.query):
            message = (
                f"the document has a fragment {SPREAD} of its own, whose spread the fields would take the place of"
            )
            yield Problem("SYN205", (*path, "into"), message, expected="another name of the fragment")
        if stream.record_schema is None:
            message = "a document that selects the fields of a stream needs its schema"
            yield Problem("SYN202", (*path[:-1], "schema"), message, expected="properties")
        else:
            yield from _selected(stream, chunk, stream.record_schema.properties, (*path[:-1], "schema", "properties"))
    elif area not in {"query", "body"} or not name:
        message = f"{chunk.into!r} is no part of a request that names of fields can go to"
        yield Problem("SYN205", (*path, "into"), message, expected=f"query.NAME, body.PATH or {IN_GRAPHQL}")
    if stream.decode != "json":
        message = f"answers in {stream.decode} can't be put together"
        yield Problem("SYN205", (*path, "into"), message, expected="decode: json")
    names = stream.record_schema.properties if stream.record_schema else {}
    if chunk.of is not None and names and not (chunk.of in names and names[chunk.of].properties):
        message = f"the schema has no object {chunk.of!r} with properties"
        objects = [name for name, field in names.items() if field.properties]
        yield Problem("SYN213", (*path, "of"), message, listed(objects), nearest(chunk.of, objects))


def _selected(stream: RestStream, chunk: Chunk, properties: Mapping[str, Property], path: Path) -> Iterator[Problem]:
    """Fields of a stream's schema that no document can select."""
    before = {new: old for old, new in stream.fields.rename.items()}
    for name, field in properties.items():
        if name not in stream.fields.add and chunk.of in {None, name}:
            yield from _selectable(before.get(name, name), field, (*path, name))


def _selectable(name: str, field: Property, path: Path) -> Iterator[Problem]:
    if not _NAME.fullmatch(name):
        yield Problem(
            "SYN205", path, f"{name!r} is no name of a field in GraphQL", "letters, digits and _", at_key=True
        )
    depth = 0
    while field.type == "array" and field.items is not None:
        field, path, depth = field.items, (*path, "items"), depth + 1
    if depth > 1 and field.properties:
        yield Problem("SYN205", path, "objects in lists of lists can't be selected by a schema", "type: any")
    for inner, declared in field.properties.items():
        yield from _selectable(inner, declared, (*path, "properties", inner))


def _job(stream: RestStream, job: Job, around: tuple[Field, ...], path: Path) -> Iterator[Problem]:
    at = (*path, "job")
    if any(field.name == "job" for field in around):
        yield Problem("SYN205", at, "'job' is a job in its templates, and what the stream is read for", "another name")
    if job.download.url is not None and stream.chunk is not None:
        yield Problem("SYN205", (*path, "chunk"), "files that a job gives are read whole", expected="job.download.get")
    yield from _one_of(job.download, (*METHODS, "url"), (*at, "download"), "a download")
    for name, wait in (("every", job.poll.every), ("maxEvery", job.poll.max_every)):
        if not units.duration(wait):
            yield Problem("SYN205", (*at, "poll", name), "polls without a wait would never stop asking", "1s or more")
    if job.download.url is not None and stream.page is not None:
        yield Problem("SYN205", (*path, "page"), "files that a job gives have no pages", expected="job.download.get")
    requests = {"create": job.create, "poll": job.poll, "download": job.download, "delete": job.delete}
    for name, request in requests.items():
        if request is None:
            continue
        if name != "download":
            yield from _one_of(request, METHODS, (*at, name), "a request")
        yield from _body(request, (*at, name), stream=False)
        known = (*VARIABLES, "job") if name == "create" else ("config", "page", "job", "now")
        there = ("key",) if name == "create" else ("id", "key") if job.url is None else ("id", "key", "url")
        for where, text in texts_of(request, (*at, name)):
            yield from _variables(text, (*known, *(field.name for field in around)), where)
            yield from _of_job(text, there, where)
            for field in around:
                for value in sorted(p for p in paths_in(text) if p.split(".")[0] == field.name):
                    yield from inside(value, field, where)


def _of_job(text: str, there: tuple[str, ...], path: Path) -> Iterator[Problem]:
    """A finding for what a request reads of a job and isn't there: before its creation, all it has is its key."""
    for found in sorted(paths_in(text)):
        if found.split(".")[0] == "job" and found.partition(".")[2] not in there:
            message = f"the template {text[:80]!r} reads {found!r}, which isn't there"
            yield Problem("SYN213", path, message, listed([f"job.{name}" for name in there]))


def _variables(text: str, known: Sequence[str], path: Path) -> Iterator[Problem]:
    """A finding for each name that a template reads and that isn't there."""
    for name in sorted(names_in(text) - set(known)):
        message = f"the template {text[:80]!r} reads {name!r}, which isn't there"
        yield Problem("SYN213", path, message, listed(known), nearest(name, known))


def _one_of(model: object, names: Sequence[str], path: Path, what: str) -> Iterator[Problem]:
    given = [name for name in names if getattr(model, name) is not None]
    if len(given) > 1:
        message = f"{what} can have only one of {listed(names)}, not {' and '.join(given)}"
        yield Problem("SYN211", (*path, given[1]), message, help="Remove all but one.", at_key=True)
    elif not given:
        yield Problem("SYN211", path, f"{what} needs one of {listed(names)}")
