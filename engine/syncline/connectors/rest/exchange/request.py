"""Requests of a stream, compiled from their declaration: templates filled, paging and bounds put in their places."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any
from urllib.parse import urljoin

from msgspec import Struct

from syncline import __version__
from syncline.connectors.rest.exchange.body import BodyPlan, JsonBody, Variables, compile_body
from syncline.connectors.rest.exchange.multipart import with_type
from syncline.connectors.rest.exchange.parameters import Parameters, compile_parameters
from syncline.connectors.rest.exchange.templates import compiled
from syncline.kinds.connector import ConnectorSpec
from syncline.kinds.http import Http
from syncline.kinds.integration import IntegrationSpec
from syncline.kinds.request import Request as RequestSpec
from syncline.model.errors import Invalid
from syncline.sdk.http import Request, checked_url, same_origin, with_query
from syncline.sdk.source import Instance, plain
from syncline.sdk.template import Template
from syncline.sdk.uri import escaped, requoted

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_JOB_URL = re.compile(r"\s*\{\{\s*job\.url\s*\}\}")
_METHODS = ("get", "post", "put", "patch", "delete")
_AGENT = {"User-Agent": f"syncline/{__version__}"}


def connector_of(instance: Instance) -> tuple[ConnectorSpec, Http]:
    """The connector's spec and its `http` part. `Invalid` when it has none."""
    spec = instance.connector
    if not isinstance(spec, ConnectorSpec) or spec.http is None:
        raise Invalid(f"{instance.name}: its connector declares no http", code="SYN432")
    return spec, spec.http


def base_url(instance: Instance, http: Http) -> str:
    """The integration's endpoint in its region, else the connector's URL, filled from the configuration."""
    integration = instance.integration
    endpoints = integration.endpoints if isinstance(integration, IntegrationSpec) else ()
    if not endpoints:
        return _filled(http.url, tuple((name, type(value), value) for name, value in plain(instance.config).items()))
    for endpoint in endpoints:
        if not instance.region or endpoint.region == instance.region:
            return checked_url(escaped(endpoint.url))
    raise Invalid(
        f"{instance.name} has no endpoint in region {instance.region}",
        code="SYN432",
        help=f"It has endpoints in {', '.join(e.region for e in endpoints)}.",
    )


@lru_cache(maxsize=1_024)
def _filled(url: str, config: tuple[tuple[str, type, Any], ...]) -> str:
    """A connector's URL for a configuration, whose values are told apart by their types as well: 1 is not true."""
    # A value inside the URL stays in its part of it; one that is the whole URL is taken as it stands.
    template = compiled(url, quoted=not url.lstrip().startswith("{{"))
    return checked_url(escaped(template.render({"config": {name: value for name, _, value in config}}).strip()))


class RequestPlan(Struct, frozen=True):
    """A declared request, compiled. `names` are the variables that its templates read."""

    method: str
    base: str
    path: Template
    query: Parameters
    headers: Mapping[str, Template]
    body: BodyPlan | None
    names: frozenset[str]
    file: bool = False

    def build(self, variables: Variables, values: Mapping[str, str | int], url: str | None = None) -> Request:
        """
        The request, with `values` by place: `query.cursor`, `headers.X-Page`, `body.page.after`.

        A `url` (a next page's) is asked for as it stands. Parameters whose template gives nothing are left out.
        """
        query = self.query.render(variables)
        headers = _AGENT | {name: text for name, t in self.headers.items() if (text := t.render(variables))}
        inside: dict[str, str | int] = {}
        for place, value in values.items():
            area, _, name = place.partition(".")
            match area:
                case "query":
                    query[name] = str(value)
                case "headers" | "header":
                    headers[name] = str(value)
                case "variables":
                    inside[place] = value
                case _:
                    inside[name] = value
        if url is None:
            url = self._target(variables)
            # A file's URL is asked for as it stands: what is added to it could break its signature.
            url = url if self.file else with_query(url, query)
        _check_headers(headers)
        body = self.body or (JsonBody(None) if inside else None)
        if body is None:
            return Request(self.method, checked_url(url), headers)
        data, content_type = body.build(variables, inside)
        return Request(self.method, checked_url(url), with_type(headers, content_type), data)

    def _target(self, variables: Variables) -> str:
        path = self.path.render(variables)
        path = requoted(path) if self.file else escaped(path)  # a file's URL is a server's word
        if self.file:
            # A path is below the base, like any request's; whose host a URL may have is for who fetches it to say.
            under = "" if path.startswith("//") or _SCHEME.match(path) else self.base.rstrip("/") + "/"
            return checked_url(under + path.lstrip("/") if under else urljoin(self.base, path))
        if path.startswith(("http://", "https://")):
            if not same_origin(self.base, path):
                raise Invalid("a request must be at the origin of the connector's URL", code="SYN406")
            return path
        return self.base.rstrip("/") + "/" + path.lstrip("/") if path.strip("/") else self.base


def compile_request(
    spec: RequestSpec, base: str, http: Http, *, what: str, accept: str = "application/json", file: str = ""
) -> RequestPlan:
    """
    Compiles a declared request with what all requests of the API share. `accept` is the Accept header, unless one is
    declared; `file` is the URL of a file that is asked for instead. Raises `Invalid` (SYN430, SYN432).
    """
    methods = [(name, path) for name in _METHODS if (path := getattr(spec, name)) is not None]
    if file:
        methods.append(("get", file))
    if len(methods) != 1:
        raise Invalid(f"{what} needs exactly one of {', '.join(_METHODS)}", code="SYN432")
    method, path_text = methods[0]
    # A job's URL is one already.
    path = compiled(path_text, quoted=not (file or _JOB_URL.match(path_text)))
    query = compile_parameters({**http.query, **spec.query})
    declared = {**http.headers, **spec.headers}
    if not any(name.lower() == "accept" for name in declared):
        declared = {"Accept": accept, **declared}
    headers = {name: compiled(text) for name, text in declared.items()}
    names = path.names.union(query.names, *(template.names for template in headers.values()))
    body = compile_body(spec, what)
    names |= body.names if body else frozenset()
    return RequestPlan(method.upper(), base, path, query, headers, body, names, bool(file))


def check_place(place: str) -> str:
    """The place, if a value can be put there."""
    area, dot, name = place.partition(".")
    if area not in {"query", "headers", "header", "body", "variables"} or not dot or not name:
        raise Invalid(
            f"{place!r} is no place in a request",
            code="SYN432",
            help="Use query.NAME, headers.NAME, body.NAME, or variables.NAME of a GraphQL query.",
        )
    return place


def _check_headers(headers: Mapping[str, str]) -> None:
    for name, value in headers.items():
        if not value.isprintable() or not value.isascii():
            raise Invalid(f"header {name[:80]!a} would hold characters that a header cannot carry", code="SYN431")
