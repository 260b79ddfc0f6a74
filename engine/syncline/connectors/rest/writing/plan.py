"""Requests that write, compiled from their declaration: what is sent of a record, and what an answer says of it."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from syncline.connectors.rest.exchange.expressions import jmespath_of
from syncline.connectors.rest.exchange.multipart import MultipartPlan, compile_parts, with_type
from syncline.connectors.rest.exchange.request import RequestPlan, compile_request
from syncline.connectors.rest.reading.began import NOW
from syncline.connectors.rest.writing.values import Row, encode
from syncline.kinds.http import Http
from syncline.kinds.request import BODIES
from syncline.kinds.request import Request as RequestSpec
from syncline.kinds.write import VERBS, Find, ReadBack, WriteBatch, WriteRequest, Writes
from syncline.model.errors import Invalid
from syncline.sdk.http import Request
from syncline.sdk.template import Template, TemplateError, compile_template

#: A text that is nothing but one value stands for that value, with its JSON type.
_WHOLE = re.compile(r"\{\{\s*(record|id)(?:\.([A-Za-z_]\w*))?\s*\}\}")
#: Methods that may be sent again by their meaning (RFC 9110, section 9.2.2).
_IDEMPOTENT = frozenset({"GET", "PUT", "DELETE"})


class Step(Struct, frozen=True):
    """One thing that is to be asked about a row: `verb` is a request of `write`, the others what its templates read."""

    verb: str
    row: Row
    id: str = ""
    version: str = ""
    key: str = ""


Build = Callable[[Step, Mapping[str, Any]], Any]


class BatchPlan(Struct, frozen=True):
    """How several records share a request, and how results are told apart."""

    size: int
    into: tuple[str, ...]
    each: Build
    results: Any
    match: Any
    key: Template | None
    failed: Any
    message: Any
    status: Any


class Call(Struct, frozen=True):
    """A compiled request of a verb. `repeatable`: another attempt after an unknown outcome has no second effect.

    `id`, `version` and `record` are compiled expressions over an answer, or over a result where there is a `batch`.
    """

    verb: str
    request: RequestPlan
    names: frozenset[str]
    body: Build | None
    repeatable: bool
    id: Any = None
    version: Any = None
    record: Any = None
    batch: BatchPlan | None = None
    multipart: MultipartPlan[Build] | None = None

    def build(self, steps: Sequence[Step], config: Mapping[str, Any], now: str) -> Request:
        """The request for one step, or for those of a batch; `now` is when it is made, and stays out of its body."""
        if self.batch is None:
            (step,) = steps
            variables = _variables(step, config)
            body = self.body(step, variables) if self.body is not None else None
        else:
            key = steps[0].key if len(steps) == 1 else _joined(steps)
            step = replace(steps[0], key=key)
            variables = {"config": config, "idempotency_key": key}
            items = [self.batch.each(one, _variables(one, config)) for one in steps]
            body = _placed(self.body(step, variables) if self.body is not None else {}, self.batch.into, items)
        request = self.request.build({**variables, NOW: now}, {})
        if self.multipart is not None:
            data, content_type = self.multipart.build(variables, {}, lambda part: encode(part(step, variables)))
        elif body is not None:
            data, content_type = encode(body), "application/json"
        else:
            return request
        return replace(request, headers=with_type(request.headers, content_type), body=data)


class WritePlan(Struct, frozen=True):
    """Everything that is declared about writing to a stream, compiled."""

    spec: Writes
    calls: Mapping[str, Call]

    def __contains__(self, verb: object) -> bool:
        return verb in self.calls

    @classmethod
    def compile(cls, spec: Writes, base: str, http: Http, stream: str) -> WritePlan:
        """Compiles the declaration. Raises `Invalid` (SYN430, SYN432)."""
        calls: dict[str, Call] = {}
        for verb in VERBS:
            request = getattr(spec, verb)
            if request is not None:
                calls[verb] = _call(verb, request, spec, base, http, f"write.{verb} of stream {stream}")
        return cls(spec, calls)


def _call(verb: str, request: WriteRequest | Find | ReadBack, spec: Writes, base: str, http: Http, what: str) -> Call:
    bare = RequestSpec.model_validate(
        {n: getattr(request, n) for n in RequestSpec.model_fields if n in request.model_fields_set and n not in _OWN}
    )
    plan = compile_request(bare, base, http, what=what)
    names = set(plan.names)
    batch = request.batch if isinstance(request, WriteRequest) else None
    declared = request.body
    other = any(getattr(request, name) is not None for name in BODIES)
    sends = verb in _SENDING and plan.method in {"POST", "PUT", "PATCH"}
    if declared is None and batch is None and sends and not other:
        declared = "{{ record }}"
    body = _build(declared, names, what, omit=spec.nulls == "omit") if declared is not None else None
    multipart = None
    if request.multipart is not None:
        if batch is not None or declared is not None:
            raise Invalid(f"{what}: a form with files has no batch and no body", code="SYN432")
        multipart = compile_parts(request.multipart, lambda v: _build(v, names, what, omit=spec.nulls == "omit"), what)
        names |= multipart.names
    shared = _batch(batch, names, what, omit=spec.nulls == "omit") if batch is not None else None
    repeatable = verb != "create" or plan.method in _IDEMPOTENT or "idempotency_key" in names
    own_id = None if isinstance(request, ReadBack) else request.id
    own_record = None if isinstance(request, WriteRequest) else request.record
    found = batch if batch is not None else request
    return Call(
        verb,
        plan,
        frozenset(names),
        body,
        repeatable,
        id=jmespath_of((batch.id if batch else own_id) or (spec.id if batch is None and verb != "read" else None)),
        version=jmespath_of(found.version or (spec.version if batch is None and verb != "find" else None)),
        record=jmespath_of(own_record),
        batch=shared,
        multipart=multipart,
    )


_SENDING = frozenset({"create", "update", "upsert"})
#: What is sent of a record is compiled here, since its values keep their types.
_OWN = frozenset({"body", "multipart"})


def _batch(spec: WriteBatch, names: set[str], what: str, *, omit: bool) -> BatchPlan:
    if (spec.match is None) is not (spec.key is None):
        raise Invalid(f"{what}: batch.match and batch.key need each other", code="SYN432")
    return BatchPlan(
        spec.size,
        tuple(spec.into.split(".")[1:]),
        _build(spec.each, names, what, omit=omit),
        jmespath_of(spec.results),
        jmespath_of(spec.match),
        _template(spec.key, set(), what) if spec.key else None,
        jmespath_of(spec.failed),
        jmespath_of(spec.message),
        jmespath_of(spec.status),
    )


def _build(value: Any, names: set[str], what: str, *, omit: bool) -> Build:
    """A function that gives a JSON value, its templates filled."""
    match value:
        case str():
            if whole := _WHOLE.fullmatch(value):
                return _whole(whole[1], whole[2], omit=omit)
            template = _template(value, names, what)
            return lambda _step, variables: template.render(variables)
        case list():
            items = [_build(item, names, what, omit=omit) for item in value]
            return lambda step, variables: [item(step, variables) for item in items]
        case dict():
            fields = {name: _build(item, names, what, omit=omit) for name, item in value.items()}
            return lambda step, variables: {name: item(step, variables) for name, item in fields.items()}
        case _:
            return lambda _step, _variables: value


def _whole(name: str, field: str | None, *, omit: bool) -> Build:
    if name == "id":
        return lambda step, _: step.id
    if field is not None:
        return lambda step, _: _field(step.row.values, field)
    if omit:
        return lambda step, _: {n: v for n, v in step.row.values.items() if v is not None}
    return lambda step, _: dict(step.row.values)


def _field(values: Mapping[str, Any], name: str) -> Any:
    if name not in values:
        raise Invalid(
            f"the request needs the column {name!r}, which the mapping doesn't have",
            code="SYN431",
            help=f"It has {', '.join(values)}.",
        )
    return values[name]


def _variables(step: Step, config: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "config": config,
        "record": step.row.texts,
        "id": step.id,
        "version": step.version,
        "idempotency_key": step.key,
    }


def _placed(body: Any, into: tuple[str, ...], items: list[Any]) -> Any:
    if not into:
        return items
    node = body
    for name in into[:-1]:
        node = node.setdefault(name, {}) if isinstance(node, dict) else None
    if not isinstance(node, dict):
        raise Invalid(f"body.{'.'.join(into)}: the request's body has no object there", code="SYN432")
    node[into[-1]] = items
    return body


def _joined(steps: Sequence[Step]) -> str:
    """The idempotency key of a batch: of its records, in any order."""
    return uuid_of("batch", *sorted(step.key for step in steps))


def uuid_of(*parts: str) -> str:
    """A UUID made of texts: the same for the same, as many APIs want idempotency keys.

    >>> uuid_of("acme/Sync/contacts", "7") == uuid_of("acme/Sync/contacts", "7")
    True
    """
    digest = hashlib.sha256("\0".join(parts).encode()).digest()
    return str(UUID(bytes=digest[:16], version=5))


def _template(text: str, names: set[str], what: str) -> Template:
    try:
        template = compile_template(text)
    except TemplateError as error:
        raise Invalid(
            f"{what}: template {text[:200]!r}, line {error.line}, column {error.column}: {error.message}",
            code="SYN430",
        ) from error
    names |= template.names
    return template
