"""The small languages inside connectors, compiled at validate time.

JMESPath picks records and cursors, templates fill requests. Mappings and policies compile their own expressions.
Only what a repository declares is looked at: the catalogue is compiled by its tests.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from typing import Any, Final

from syncline.kinds.carrying import Say
from syncline.kinds.connector import ConnectorSpec
from syncline.kinds.erase import ERASING
from syncline.kinds.integration import IntegrationSpec
from syncline.kinds.registering import REQUESTS
from syncline.kinds.request import METHODS, Request
from syncline.kinds.rest_stream import RestStream
from syncline.kinds.rule import ErrorRule
from syncline.kinds.write import VERBS, Find, ReadBack, WriteRequest
from syncline.manifests.demands import auth_expressions, unread
from syncline.manifests.demands.texts import texts_in, texts_of
from syncline.manifests.desired import Desired
from syncline.manifests.findings import Problem
from syncline.model.diagnostic import Diagnostic
from syncline.model.errors import Invalid
from syncline.model.manifest import Manifest, Path

_BASE: Final = ("spec", "http", "url")
#: A value in a template, which may be written over several lines.
_VALUE: Final = re.compile(r"\{\{.*?\}\}", re.DOTALL)


def check_expressions(desired: Desired) -> list[Diagnostic]:
    """Findings of the templates, expressions and URLs that connectors, endpoints and what authenticates declare."""
    found: list[Diagnostic] = []
    for manifest in (*desired.of_kind("AuthConfig"), *desired.of_kind("Connector")):
        for path, text in auth_expressions.templates(manifest):
            found += _template(manifest, path, text)
        for path, text in auth_expressions.queries(manifest):
            found += _query(manifest, path, text)
        spec = manifest.spec
        if isinstance(spec, ConnectorSpec):
            secret = {f"config.{name}" for name, declared in spec.config.properties.items() if declared.secret}
            own = list(_templates(spec))
            for path, text in own:
                found += _template(manifest, path, text, secret)
            found += _unread(manifest, spec, [*auth_expressions.templates(manifest), *own])
            found += _conditions(manifest, spec)
            for path, text in _urls(spec):
                found += _url(manifest, path, text, whole=path == _BASE)
            configured = list(_with_settings(spec))
            for path, text in _queries(spec):
                found += _query(manifest, path, text, settings=(path, text) in configured)
    for manifest in desired.of_kind("Integration"):
        endpoints = manifest.spec.endpoints if isinstance(manifest.spec, IntegrationSpec) else ()
        for number, endpoint in enumerate(endpoints):
            found += _url(manifest, ("spec", "endpoints", number, "url"), endpoint.url, whole=True)
    return found


def _unread(manifest: Manifest, spec: ConnectorSpec, templates: list[tuple[Path, str]]) -> Iterator[Diagnostic]:
    """What its texts read that nothing gives."""
    problems = [*unread.settings(spec, templates, _with_settings(spec))]
    for path, offer in auth_expressions.details(manifest):
        problems += unread.signed(offer, path)
    if spec.http is not None:
        problems += _facts(spec.http.errors, ("spec", "http", "errors"))
    for name, stream in spec.streams.items():
        path = ("spec", "streams", name)
        problems += _facts(stream.errors, (*path, "errors"))
        if stream.job is not None:
            for part in ("done", "failed", "message"):
                if (text := getattr(stream.job.poll, part)) is not None:
                    problems += unread.facts(text, (*path, "job", "poll", part))
    for problem in problems:
        yield Diagnostic(
            code=problem.code,
            message=problem.message,
            place=manifest.place_of(*problem.path),
            expected=problem.expected,
            suggestion=problem.suggestion,
            subject=str(manifest.key),
        )


def _with_settings(spec: ConnectorSpec) -> Iterator[tuple[Path, str]]:
    """Expressions in which settings may stand: conditions of the connector itself, and none about an API's words."""
    for name, stream in spec.streams.items():
        path = ("spec", "streams", name)
        if stream.filter is not None:
            yield (*path, "filter"), stream.filter
        if stream.page is not None and stream.page.last is not None:
            yield (*path, "page", "last"), stream.page.last
        for at, item in stream.read_for_at:
            if item.only is not None:
                yield (*path, *at, "only"), item.only


def _conditions(manifest: Manifest, spec: ConnectorSpec) -> Iterator[Diagnostic]:
    """Secrets in conditions, which would tell of them by what they leave out."""
    for path, text in _with_settings(spec):
        for name in sorted(unread.settings_of(text)):
            if (declared := spec.config.properties.get(name)) is not None and declared.secret:
                yield Diagnostic(
                    code="SYN254",
                    message=f"config.{name} is a secret, which a condition's outcome would tell of",
                    place=manifest.place_of(*path),
                    subject=str(manifest.key),
                    help="Don't declare the setting as secret, or decide by another one.",
                )


def _facts(rules: Iterable[ErrorRule], path: Path) -> Iterator[Problem]:
    for at, text in _rules(rules, path):
        yield from unread.facts(text, at)


def _templates(spec: ConnectorSpec) -> Iterator[tuple[Path, str]]:
    if spec.http is not None:
        yield from (
            (("spec", "http", "errors", number, "message"), rule.message)
            for number, rule in enumerate(spec.http.errors)
        )
        yield _BASE, spec.http.url
        for part in ("headers", "query"):
            yield from texts_in(getattr(spec.http, part), ("spec", "http", part))
    for path, request in _requests(spec):
        yield from texts_of(request, path)
    for name, stream in spec.streams.items():
        path = ("spec", "streams", name)
        yield from _content_templates(stream, path)
        for write, written in _writes(stream):
            batch = written.batch if isinstance(written, WriteRequest) else None
            if batch is not None:
                yield from texts_in(batch.each, (*path, "write", write, "batch", "each"))
                if batch.key is not None:
                    yield (*path, "write", write, "batch", "key"), batch.key


def _requests(spec: ConnectorSpec) -> Iterator[tuple[Path, Request]]:
    """Every request of a connector, with its place."""
    if spec.check is not None:
        yield ("spec", "check"), spec.check
    for name, say in _says(spec):
        yield ("spec", "notify", name), say
    for name in REQUESTS if spec.webhooks is not None else ():
        if (request := getattr(spec.webhooks, name)) is not None:
            yield ("spec", "webhooks", name), request
    for name, stream in spec.streams.items():
        path = ("spec", "streams", name)
        yield path, stream
        for part in ("create", "poll", "download", "delete") if stream.job is not None else ():
            if (request := getattr(stream.job, part)) is not None:
                yield (*path, "job", part), request
        for erasing, asked in _erasing(stream):
            yield (*path, "erase", erasing), asked
        for write, written in _writes(stream):
            yield (*path, "write", write), written


def _urls(spec: ConnectorSpec) -> Iterator[tuple[Path, str]]:
    """The base URL, and the paths that requests add to it."""
    if spec.http is not None:
        yield _BASE, spec.http.url.strip()
    for path, request in _requests(spec):
        for method in METHODS:
            if (text := getattr(request, method)) is not None:
                yield (*path, method), text


def _says(spec: ConnectorSpec) -> Iterator[tuple[str, Say]]:
    """The requests that send messages."""
    for name in ("send", "reply", "resolve") if spec.notify is not None else ():
        request = getattr(spec.notify, name)
        if request is not None:
            yield name, request


def _writes(stream: RestStream) -> Iterator[tuple[str, WriteRequest | Find | ReadBack]]:
    for verb in VERBS if stream.write else ():
        request = getattr(stream.write, verb)
        if request is not None:
            yield verb, request


def _erasing(stream: RestStream) -> Iterator[tuple[str, WriteRequest | Find]]:
    for name in ERASING if stream.erase else ():
        request = getattr(stream.erase, name)
        if request is not None:
            yield name, request


def _queries(spec: ConnectorSpec) -> Iterator[tuple[Path, str]]:
    if spec.http is not None:
        yield from _rules(spec.http.errors, ("spec", "http", "errors"))
    for name, say in _says(spec):
        if say.ref is not None:
            yield ("spec", "notify", name, "ref"), say.ref
    for name in ("id", "url", "events", "active") if spec.webhooks is not None else ():
        if (text := getattr(spec.webhooks, name)) is not None:
            yield ("spec", "webhooks", name), text
    for name, stream in spec.streams.items():
        yield from _paging(stream, ("spec", "streams", name))
        yield from _content_queries(stream, ("spec", "streams", name))
        yield from _written(stream, ("spec", "streams", name, "write"))


def _rules(rules: Iterable[ErrorRule], path: Path) -> Iterator[tuple[Path, str]]:
    for index, rule in enumerate(rules):
        yield (*path, index, "when"), rule.when
        if rule.wait is not None:
            yield (*path, index, "wait"), rule.wait


def _content_templates(stream: RestStream, path: Path) -> Iterator[tuple[Path, str]]:
    """Templates of what a stream's answers become and mean, and of its file."""
    for number, rule in enumerate(stream.errors):
        yield (*path, "errors", number, "message"), rule.message
    for name, text in stream.fields.add.items():
        if "{{" in text:
            yield (*path, "fields", "add", name), text
    if stream.file is not None:
        yield (*path, "file", "url"), stream.file.url


def _content_queries(stream: RestStream, path: Path) -> Iterator[tuple[Path, str]]:
    yield from _rules(stream.errors, (*path, "errors"))
    if stream.filter is not None:
        yield (*path, "filter"), stream.filter
    for name, text in stream.fields.add.items():
        if "{{" not in text:
            yield (*path, "fields", "add", name), text
    job = stream.job
    if job is not None:
        yield (*path, "job", "id"), job.id
        if job.url is not None:
            yield (*path, "job", "url"), job.url
        for part in ("done", "failed", "message"):
            if (text := getattr(job.poll, part)) is not None:
                yield (*path, "job", "poll", part), text
        if job.download.url is not None:
            yield (*path, "job", "download", "url"), job.download.url


def _written(stream: RestStream, path: Path) -> Iterator[tuple[Path, str]]:
    """Expressions over the answers to writes."""
    places: list[tuple[Path, Any]] = [(path, stream.write)]
    places += [((*path[:-1], "erase", name), request) for name, request in _erasing(stream)]
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


def _template(manifest: Manifest, path: Path, text: str, secret: Collection[str] = ()) -> Iterator[Diagnostic]:
    """What is wrong with a template; `secret` are the values that it may not show."""
    from syncline.sdk.template import TemplateError, compile_template

    try:
        for name in sorted(compile_template(text).paths & set(secret)):
            yield Diagnostic(
                code="SYN254",
                message=f"{name} is a secret, which a request's text would show",
                place=manifest.place_of(*path),
                subject=str(manifest.key),
                help="Send it by an AuthConfig (api_key puts it in a header, the query or a cookie), or don't declare "
                "the setting as secret.",
            )
    except TemplateError as error:
        yield Diagnostic(
            code="SYN430",
            message=f"the template {text[:80]!r} {str(error).removeprefix('a template ')}",
            place=manifest.place_of(*path),
            subject=str(manifest.key),
            expected="values, listed filters and inline conditions: {{ config.name | default('') }}",
        )


def _url(manifest: Manifest, path: Path, text: str, *, whole: bool) -> Iterator[Diagnostic]:
    """What is wrong with a URL's own text, besides its values: it would be refused (SYN406) by every run."""
    from syncline.sdk.http import checked_url
    from syncline.sdk.uri import escaped

    own = _VALUE.sub("", text)
    message = expected = ""
    if any(character < " " or character == "\x7f" for character in own):
        message, expected = "a URL can't hold an end of line, a tab or another control character", "text on one line"
    elif whole and own == text:
        try:
            checked_url(escaped(text))
        except Invalid:
            message = f"{text[:80]!r} is no URL that can be asked"
            expected = "http or https, a host in ASCII (bücher.example is xn--bcher-kva.example), and no user name"
    if message:
        place, subject = manifest.place_of(*path), str(manifest.key)
        yield Diagnostic(code="SYN205", message=message, place=place, subject=subject, expected=expected)


def _query(manifest: Manifest, path: Path, text: str, *, settings: bool = False) -> Iterator[Diagnostic]:
    """What is wrong with a JMESPath expression; `settings`: whether they may stand in it."""
    import jmespath.exceptions

    from syncline.sdk.configured import ConfiguredError, settings_in

    expected = "a JMESPath expression, such as data[] or meta.next"
    try:
        read = list(settings_in(jmespath.compile(text).parsed))
    except jmespath.exceptions.JMESPathError as error:
        message = f"{text[:80]!r} is not JMESPath: {str(error).splitlines()[0].removesuffix(', for expression:')}"
    except ConfiguredError as error:
        message, expected = f"{text[:80]!r} can't be read: {error}", "a setting: config('NAME'), split(config('NAME'))"
    else:
        if settings or not read:
            return
        message, expected = f"config({read[0]!r}) isn't known here", "settings in `filter`, `page.last` and `for.only`"
    place, subject = manifest.place_of(*path), str(manifest.key)
    yield Diagnostic(code="SYN253", message=message, place=place, subject=subject, expected=expected)
