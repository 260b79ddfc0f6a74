"""What share of the streams in manifests of another engine the Connector language covers, and what the others lack.

    python benchmarks/connector_coverage.py FOLDER [--sample N] [--list]

FOLDER holds Airbyte's low-code manifests, `NAME.yaml` each. Every stream is taken apart into its components, and each
of them is looked up in `COMPONENTS`: the field of ours that does the same, or '' for none. Templates are parsed:
whether ours can say the same depends on where one stands, by `EXPRESSIONS` and what `_judged` says of each place.
A stream is covered if nothing of it is left. Nothing is run: this says what can be declared, and not that it
does the same.
"""

from __future__ import annotations

import argparse
import random
import re
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import yaml
from jinja2 import Environment, TemplateSyntaxError, nodes

from syncline.sdk import times
from syncline.sdk.template import FILTERS, TESTS

SEED = 77

#: Component → what does the same here; '' for nothing, which needs code.
COMPONENTS = {
    "DeclarativeStream": "streams.NAME",
    "SimpleRetriever": "streams.NAME",
    "AsyncRetriever": "job",
    "CustomRetriever": "",
    "HttpRequester": "get, post, query, headers, body, form",
    "CustomRequester": "",
    # authentication
    "NoAuth": "auth: none",
    "ApiKeyAuthenticator": "auth: api_key",
    "BasicHttpAuthenticator": "auth: basic",
    "BearerAuthenticator": "auth: bearer",
    "OAuthAuthenticator": "auth: oauth2",
    "JwtAuthenticator": "auth: jwt",
    "SelectiveAuthenticator": "auth: [...]",
    "SessionTokenAuthenticator": "auth: session, steps",
    "LegacySessionTokenAuthenticator": "auth: session, steps",
    "ApiKey": "auth: session, send",
    "Bearer": "auth: session, send",
    "CustomAuthenticator": "",
    # paging
    "NoPagination": "no page",
    "DefaultPaginator": "page",
    "CursorPagination": "page.cursor, page.next, page.link",
    "PageIncrement": "page.page",
    "OffsetIncrement": "page.offset",
    "RequestOption": "page.into, cursor.into, templates over `for`",
    "RequestPath": "page.next",
    # The other engine has no such component; the fields of it say what a cursor in the body does.
    "TokenBased": "page.cursor",
    "CustomPaginationStrategy": "",
    # reading on
    "DatetimeBasedCursor": "cursor",
    "MinMaxDatetime": "cursor.start",
    "IncrementingCountCursor": "cursor, type: integer",
    "CustomIncrementalSync": "",
    # partitions
    "ListPartitionRouter": "for.in",
    "SubstreamPartitionRouter": "for.each",
    "ParentStreamConfig": "for.each",
    "GroupingPartitionRouter": "for.group",
    "CustomPartitionRouter": "",
    # answers
    "RecordSelector": "records, filter",
    "DpathExtractor": "records",
    "CustomRecordExtractor": "",
    "RecordFilter": "filter",
    "CustomRecordFilter": "",
    "JsonDecoder": "decode: json",
    "JsonlDecoder": "decode: jsonl",
    "CsvDecoder": "decode: csv",
    "XmlDecoder": "decode: xml",
    "GzipDecoder": "compression",
    "ZipfileDecoder": "compression: zip",
    "CompositeRawDecoder": "decode",
    "CustomDecoder": "",
    "AddFields": "fields.add",
    "AddedFieldDefinition": "fields.add",
    "RemoveFields": "fields.remove",
    "FlattenFields": "flatten",
    "KeysToLower": "",
    "KeysToSnakeCase": "",
    "CustomTransformation": "",
    # errors
    "DefaultErrorHandler": "http.errors, streams.NAME.errors",
    "CompositeErrorHandler": "http.errors, a list",
    "HttpResponseFilter": "errors.when",
    "ConstantBackoffStrategy": "retry.backoff",
    "ExponentialBackoffStrategy": "retry.backoff",
    "WaitTimeFromHeader": "retry.honor, errors.wait",
    "WaitUntilTimeFromHeader": "retry.honor, errors.wait",
    "CustomErrorHandler": "",
    "CustomBackoffStrategy": "",
    # what a stream's fields are, and the other engine's own state
    "InlineSchemaLoader": "schema",
    "JsonFileSchemaLoader": "schema",
    "DynamicSchemaLoader": "no schema: fields by the mapping",
    "CustomSchemaLoader": "",
    "LegacyToPerPartitionStateMigration": "not needed",
    "CustomStateMigration": "not needed",
}

#: Functions of the other engine's templates → what says the same here, by the place that they stand at.
EXPRESSIONS = {
    ("now_utc", "end_datetime"): "a read ends now",
    ("today_utc", "end_datetime"): "a read ends now",
    ("strftime", "end_datetime"): "cursor.format",
    ("format_datetime", "end_datetime"): "cursor.format",
    ("day_delta", "end_datetime"): "a read ends now",
    ("day_delta", "start_datetime"): "cursor.start: -30d",
    ("max", "start_datetime"): "cursor.startWithin: 30d",
    ("format_datetime", "start_datetime"): "cursor.formats",
    ("strftime", "start_datetime"): "cursor.formats",
    ("timestamp", "start_datetime"): "cursor.type: epoch",
    ("isoformat", "end_datetime"): "cursor.format",
    ("now_utc", "request"): "now",
    ("today_utc", "request"): "now | date('%Y-%m-%d')",
    ("day_delta", "request"): "now | minus('7d') | date(…)",
    ("timestamp", "request"): "date('epoch')",
    ("strftime", "request"): "date(…), of the formats that it knows",
    ("format_datetime", "request"): "cursor.format of its bounds, date(…) of others",
    ("format_datetime", "field"): "date(…)",
    ("replace", "request"): "replace",
    ("replace", "field"): "replace",
    ("rstrip", "url"): "http.url: a slash at its end counts for nothing",
}
#: Methods of texts and lists → our filters, anywhere.
_METHODS = {"join": "join", "split": "split", "strip": "trim", "lower": "lower", "upper": "upper"}

#: Keys of a component whose templates are about something else than a request, and the place that they are.
_PLACES = {
    "end_datetime": "end_datetime",
    "start_datetime": "start_datetime",
    "cursor_value": "paging",
    "stop_condition": "stop",
    "url_base": "url",
    "predicate": "error",
    "error_message": "message",
    "condition": "filter",
    "transformations": "field",
    "step": "duration",
    "lookback_window": "duration",
    "field_path": "path",
    "authenticator": "auth",
    "page_size": "request",
    "name": "name",
}
#: What belongs to no stream's reading.
_PASSED = frozenset({"$parameters", "schema_loader", "primary_key", "spec", "schema", "state_migrations", "$ref"})
#: What holds data and no components, whatever is called `type` in it.
_DATA = frozenset({"request_body_json", "request_body_data", "request_parameters", "request_headers"})
_PLAIN = (
    nodes.Output, nodes.Template, nodes.TemplateData, nodes.Name, nodes.Const, nodes.Getattr, nodes.Getitem,
    nodes.CondExpr, nodes.Compare, nodes.Operand, nodes.And, nodes.Or, nodes.Not, nodes.List, nodes.Tuple, nodes.Dict,
    nodes.Pair, nodes.Concat, nodes.Slice,
)  # fmt: skip


def streams(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """The streams of a manifest, with references resolved."""
    document = yaml.load(path.read_bytes(), yaml.CSafeLoader)
    for number, stream in enumerate(document.get("streams") or ()):
        found = _resolved(stream, document, ())
        name = found.get("name") or (found.get("$parameters") or {}).get("name") or f"stream {number}"
        yield str(name), found


def missing(stream: dict[str, Any]) -> set[str]:
    """What of a stream can't be declared; empty where all of it can."""
    found: set[str] = set()
    for component, place in _components(stream, "stream"):
        kind = component.get("type", "")
        if "class_name" in component and not kind.startswith("Custom"):
            kind = "class_name"
        if kind and not COMPONENTS.get(kind, "" if kind[:1].isupper() or kind == "class_name" else "no component"):
            found.add(kind)
        for key, value in component.items():
            if key not in _PASSED and key not in {"type", "class_name"}:
                for text in _texts(value):
                    found |= _judged(text, _PLACES.get(key, place))
    routers = stream.get("retriever", {}).get("partition_router")
    parents = [r for r in routers if r.get("type") == "SubstreamPartitionRouter"] if isinstance(routers, list) else []
    if not all(_read_for(inner, outer) for outer, inner in pairwise(parents)):
        found.add("combinations of two parents")
    return found


def _read_for(inner: dict[str, Any], outer: dict[str, Any]) -> bool:
    """Whether the parents of one router are themselves read for those of another: `for.each` of `for.each`."""
    routers = [parent["stream"]["retriever"].get("partition_router") for parent in inner["parent_stream_configs"]]
    around = [_parents(router) for listed in routers for router in (listed if isinstance(listed, list) else [listed])]
    return _parents(outer) in around


def _parents(router: dict[str, Any] | None) -> list[str]:
    """The names of the streams that a router is over."""
    return [str(parent["stream"].get("name")) for parent in (router or {}).get("parent_stream_configs", ())]


def needs_code(reason: str) -> bool:
    """Whether a stream has code beside its manifest, whose work a declaration doesn't tell."""
    return reason.startswith("Custom") or reason == "class_name"


def _judged(text: str, place: str) -> set[str]:
    """What a template says that ours can't say at this place."""
    if "{{" not in text and "{%" not in text:
        return set()
    # A number of days there is a setting that holds a duration here; other texts aren't.
    if place == "duration" and not re.fullmatch(r"PT?\{\{[^{}]*config[^{}]*\}\}[DHMS]", text):
        return {"duration: of another text"}
    try:
        tree = Environment(autoescape=True).parse(text)
    except TemplateSyntaxError:
        return {"template: syntax"}
    found: set[str] = set()
    names = {n.name for n in tree.find_all(nodes.Name)}
    before = [node.ops[0].expr for node in tree.find_all(nodes.Compare) if place == "stop" and _whole(node)]
    for node in tree.find_all(nodes.Node):
        found |= _of_node(node, place) if node not in before else set()
    if place == "filter" and "stream_state" in names:
        found.discard("filter: statements")  # a filter by what the last read reached is what `cursor.field` does
    # `filter` and `page.last` know settings.
    if place in {"paging", "error", "path"} and "config" in names:
        found.add(f"{place}: over config")
    if place == "path" and names & {"stream_slice", "stream_partition", "stream_interval"}:
        found.add("path: over a partition")
    return found


def _of_node(node: nodes.Node, place: str) -> set[str]:
    match node:
        case nodes.Call(node=nodes.Getattr(attr="get")):
            return set()  # a member with a default
        case nodes.Call():
            name = node.node.attr if isinstance(node.node, nodes.Getattr) else getattr(node.node, "name", "?")
            known = (name, place) in EXPRESSIONS or (isinstance(node.node, nodes.Getattr) and name in _METHODS)
            return (
                set() if known and not (place in {"request", "field"} and _odd_format(node)) else {f"{place}: {name}()"}
            )
        case nodes.Filter():
            return set() if node.name in FILTERS else {f"{place}: filter {node.name}"}
        case nodes.Test():
            return set() if node.name in TESTS else {f"{place}: test {node.name}"}
        case nodes.Neg(node=nodes.Const()):
            return set()  # a number below zero
        case nodes.Add() if place in {"paging", "stop"} or (place == "request" and _next_page(node)):
            return set()  # the next offset or page, which page.offset and page.page count by themselves
        case nodes.Add(left=left, right=right) if any(isinstance(n, nodes.Const | nodes.Add) for n in (left, right)):
            texts = [n.value for n in (left, right) if isinstance(n, nodes.Const)]
            # Texts stand beside each other in our templates.
            return set() if all(isinstance(text, str) for text in texts) else {f"{place}: arithmetic"}
        case nodes.Mul(left=nodes.Call(node=nodes.Name(name="timestamp")), right=nodes.Const(value=1000)):
            return set()  # date('epoch_ms')
        case nodes.BinExpr() if not isinstance(node, nodes.And | nodes.Or):
            return {f"{place}: arithmetic"}
        case nodes.If() | nodes.For() | nodes.Assign():
            return {f"{place}: statements"}
        case _ if isinstance(node, _PLAIN) or not isinstance(node, nodes.Expr | nodes.Stmt):
            return set()
        case _:
            return {f"{place}: {type(node).__name__}"}


def _whole(node: nodes.Compare) -> bool:
    """Whether whole numbers are compared by `a > b - 1`, which is `a >= b` of JMESPath."""
    match node.ops:
        case [nodes.Operand(op="gt", expr=nodes.Sub(right=nodes.Const(value=1)))]:
            return True
        case _:
            return False


def _next_page(node: nodes.Add) -> bool:
    """Whether a request counts pages by the one before: `(next_page_token or 0) + 1`."""
    return {name.name for name in node.find_all(nodes.Name)} == {"next_page_token"}


def _odd_format(call: nodes.Call) -> bool:
    """Whether a time is written in a format that `date` doesn't know. `%s` of some systems is its `epoch`."""
    given = [*call.args, *(keyword.value for keyword in call.kwargs)]
    formats = [arg.value for arg in given if isinstance(arg, nodes.Const) and "%" in str(arg.value)]
    return any(times.refusal("date", [text]) for text in formats if text != "%s")


def _components(value: Any, place: str) -> Iterator[tuple[dict[str, Any], str]]:
    """Each mapping inside, with the place that its templates stand at; of parents only how they are asked for."""
    if isinstance(value, list):
        for item in value:
            yield from _components(item, place)
    if not isinstance(value, dict):
        return
    yield {k: v for k, v in value.items() if not isinstance(v, dict | list) or k == "field_path"}, place
    for key, inner in value.items():
        if key == "schema_loader" and isinstance(inner, dict):
            yield {"type": inner.get("type", "")}, place
        elif key in _DATA:
            for text in _texts(inner):
                yield {"text": text}, "request"
        elif key not in _PASSED and key not in {"stream", "field_path"}:
            yield from _components(inner, _PLACES.get(key, "request" if key in {"requester", "retriever"} else place))
        elif key == "stream":  # a parent: what its own reading lacks, this stream lacks as well
            yield from _components(inner, "request")


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list | dict):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _texts(item)


def _resolved(value: Any, document: dict[str, Any], seen: tuple[str, ...]) -> Any:
    if isinstance(value, list):
        return [_resolved(item, document, seen) for item in value]
    if isinstance(value, str):
        match = re.fullmatch(r"#/(.+)|\*ref\((.+)\)", value)
        if match and value not in seen and (found := _at(document, match[1] or match[2])) is not None:
            return _resolved(found, document, (*seen, value))
        return value
    if not isinstance(value, dict):
        return value
    own = {key: _resolved(item, document, seen) for key, item in value.items() if key != "$ref"}
    base = _resolved(value["$ref"], document, seen) if "$ref" in value else {}
    return _merged(base, own) if isinstance(base, dict) else own


def _merged(base: dict[str, Any], own: dict[str, Any]) -> dict[str, Any]:
    both = {k: _merged(base[k], v) for k, v in own.items() if isinstance(v, dict) and isinstance(base.get(k), dict)}
    return {**base, **own, **both}


def _at(document: Any, path: str) -> Any:
    for name in re.split(r"[/.]", path):
        document = document.get(name) if isinstance(document, dict) else None
    return document


def main() -> None:
    """Prints the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--sample", type=int, help=f"so many manifests at random, with the seed {SEED}; else all")
    parser.add_argument("--list", action="store_true", help="name the manifests, and of each stream what is missing")
    arguments = parser.parse_args()
    paths = sorted(arguments.folder.glob("*.yaml"))
    if arguments.sample:
        paths = sorted(random.Random(SEED).sample(paths, arguments.sample))
    lacking: Counter[str] = Counter()
    coding: Counter[str] = Counter()
    total = covered = whole = declared = coded = 0
    for path in paths:
        found = {name: missing(stream) for name, stream in streams(path)}
        declared += bool(found)
        total += len(found)
        covered += sum(not reasons for reasons in found.values())
        whole += bool(found) and not any(found.values())
        coded += sum(any(map(needs_code, reasons)) for reasons in found.values())
        for reasons in found.values():
            code = {reason for reason in reasons if needs_code(reason)}
            (coding if code else lacking).update(code or reasons)
        if arguments.list:
            print(f"{path.stem}: {sum(not r for r in found.values())} of {len(found)}")
            for name, reasons in found.items():
                if reasons:
                    print(f"  {name}: {', '.join(sorted(reasons))}")
    print(f"{len(paths)} manifests, {declared} with streams, {whole} of them covered whole ({whole / declared:.1%})")
    plain = total - coded
    print(f"{total} streams, {covered} covered ({covered / total:.1%})")
    print(f"{coded} of them have code of the other engine; of the {plain} without, {covered / plain:.1%} are covered")
    for title, counted, of in (("code", coding, total), ("what the others lack", lacking, plain)):
        print(title)
        for reason, count in counted.most_common():
            print(f"{count:5} {count / of:6.1%}  {reason}")


if __name__ == "__main__":
    main()
