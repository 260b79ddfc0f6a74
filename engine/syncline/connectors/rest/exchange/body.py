"""Bodies of requests, compiled: JSON, forms, files, GraphQL and raw text, with values put in their places."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any, Protocol
from urllib.parse import urlencode

import orjson
from msgspec import Struct, field

from syncline.connectors.rest.exchange.multipart import MultipartPlan, compile_parts
from syncline.connectors.rest.exchange.parameters import Parameters, compile_parameters
from syncline.connectors.rest.exchange.templates import compiled, compiled_value
from syncline.kinds.request import BODIES, GraphQL
from syncline.kinds.request import Request as RequestSpec
from syncline.model.errors import Invalid
from syncline.sdk.template import Template

Variables = Mapping[str, Any]
#: Values by their places inside a body: {"page.after": "c2"}.
Places = Mapping[str, str | int]
_Fill = Callable[[Variables], Any]


class BodyPlan(Protocol):
    """A body, compiled. `names` are the variables that its templates read."""

    @property
    def names(self) -> frozenset[str]:
        """Variables that are read."""

    def build(self, variables: Variables, places: Places) -> tuple[bytes, str]:
        """The bytes and their Content-Type. `Invalid` (SYN431, SYN432) for what can't be filled."""


class JsonBody(Struct, frozen=True):
    """JSON; `fill` makes a value that is the caller's own. None: an object of what is placed."""

    fill: _Fill | None
    names: frozenset[str] = frozenset()

    def build(self, variables: Variables, places: Places) -> tuple[bytes, str]:
        body = self.fill(variables) if self.fill else None
        for place, value in places.items():
            body = placed(body, place.split("."), value)
        return orjson.dumps(body), "application/json"


class FormBody(Struct, frozen=True):
    """Fields as application/x-www-form-urlencoded."""

    fields: Parameters

    @property
    def names(self) -> frozenset[str]:
        return self.fields.names

    def build(self, variables: Variables, places: Places) -> tuple[bytes, str]:
        found = self.fields.render(variables) | {name: str(value) for name, value in places.items()}
        return urlencode(found, doseq=True).encode(), "application/x-www-form-urlencoded"


class MultipartBody(Struct, frozen=True):
    """Parts as multipart/form-data; a place is the name of a part of text."""

    plan: MultipartPlan[_Fill]
    names: frozenset[str]

    def build(self, variables: Variables, places: Places) -> tuple[bytes, str]:
        return self.plan.build(variables, places, lambda fill: orjson.dumps(fill(variables)))


class RawBody(Struct, frozen=True):
    """Text as it is written."""

    text: Template
    content_type: str
    names: frozenset[str]

    def build(self, variables: Variables, places: Places) -> tuple[bytes, str]:
        if places:
            raise Invalid(
                "nothing can be put into a raw body by its place",
                code="SYN432",
                help="Let the template of raw.text read it: {{ page.cursor }}, {{ start }}.",
            )
        return self.text.render(variables).encode(), self.content_type


class GraphQLBody(Struct, frozen=True):
    """A GraphQL request (GraphQL over HTTP): places are `variables.NAME`."""

    declared: GraphQL
    variables: Mapping[str, _Fill]
    names: frozenset[str] = field(default=frozenset())

    def build(self, variables: Variables, places: Places) -> tuple[bytes, str]:
        body: dict[str, Any] = {
            "query": self.declared.query,
            "variables": {name: fill(variables) for name, fill in self.variables.items()},
        }
        if self.declared.operation is not None:
            body["operationName"] = self.declared.operation
        for place, value in places.items():
            placed(body, place.split("."), value)
        return orjson.dumps(body), "application/json"


def compile_body(spec: RequestSpec, what: str) -> BodyPlan | None:
    """The body that a request declares; None when it declares none. Raises `Invalid` (SYN430, SYN432)."""
    if sum(getattr(spec, name) is not None for name in BODIES) > 1:
        raise Invalid(f"{what} can have only one of {', '.join(BODIES)}", code="SYN432")
    names: set[str] = set()
    if spec.form is not None:
        return FormBody(compile_parameters(spec.form))
    if spec.multipart is not None:
        plan = compile_parts(spec.multipart, lambda value: _filled(value, names), what)
        return MultipartBody(plan, plan.names | names)
    if spec.raw is not None:
        text = compiled(spec.raw.text, whole=True)
        return RawBody(text, spec.raw.content_type, text.names)
    if spec.graphql is not None:
        filled = {name: _filled(value, names) for name, value in spec.graphql.variables.items()}
        return GraphQLBody(spec.graphql, filled, frozenset(names))
    if spec.body is not None:
        fill = _filled(spec.body, names)
        return JsonBody(fill, frozenset(names))
    return None


def placed(body: Any, path: list[str], value: str | int) -> Any:
    """A JSON body with a value at a path, objects on the way there made. `Invalid` (SYN432) where something else is."""
    body = {} if body is None else body
    node = body
    for name in path[:-1]:
        node = node.setdefault(name, {}) if isinstance(node, dict) else None
    if not isinstance(node, dict):
        raise Invalid(f"body.{'.'.join(path)}: the request's body has no object there", code="SYN432")
    node[path[-1]] = value
    return body


def _filled(value: Any, names: set[str]) -> _Fill:
    """A function that fills the templates in a JSON value; a text that is one value alone keeps its type."""
    match value:
        case str():
            found = compiled_value(value)
            names |= found.template.names
            return found.find
        case list():
            items = [_filled(item, names) for item in value]
            return lambda variables: [item(variables) for item in items]
        case dict():
            fields = {name: _filled(item, names) for name, item in value.items()}
            return lambda variables: {name: item(variables) for name, item in fields.items()}
        case _:
            return lambda _: copy.copy(value)
