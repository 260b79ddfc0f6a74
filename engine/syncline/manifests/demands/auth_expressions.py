"""What is to be compiled, and what else is to be right, where connectors and AuthConfigs say how to authenticate."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from syncline.kinds.auth_details import HmacDetails, HttpSignatureDetails, HttpSignatureOffer, SessionDetails
from syncline.kinds.base import Spec
from syncline.kinds.connector import ConnectorSpec
from syncline.manifests.findings import Problem
from syncline.model.manifest import Manifest, Path
from syncline.sdk.auth.signature_base import STRUCTURES, identifier, name_of, parameters_of, unfit

_STEP: Final = ("get", "post", "put")
#: Where values may be sent.
_PLACES: Final = ("headers", "query", "cookies")
#: Fields of any type that are templates, or hold them.
_TEMPLATES: Final = (
    "token_url", "authorization_url", "device_authorization_url", "revocation_url", "audience", "resource",
    "parameters", "authorization_parameters", "authorization_issuer", "assertion_audience", "assertion_claims",
    "service", "region", "canonical", "send", "claims",
)  # fmt: skip
_IN_STEPS: Final = (*_STEP, "query", "headers", "body", "form")


def details(manifest: Manifest) -> Iterator[tuple[Path, Spec]]:
    """Every declaration of a way of authenticating in a manifest, with its path."""
    match manifest.spec:
        case ConnectorSpec(auth=offers):
            for index, offer in enumerate(offers):
                if isinstance(offer, Spec):
                    yield ("spec", "auth", index), offer
        case spec if manifest.key.kind == "AuthConfig":
            from syncline.kinds.auth import AuthConfigSpec

            assert isinstance(spec, AuthConfigSpec)
            yield ("spec",), spec.root
        case _:
            pass


def templates(manifest: Manifest) -> Iterator[tuple[Path, str]]:
    """The templates in them."""
    for path, found in details(manifest):
        yield from _texts(found, _TEMPLATES, path)
        for index, step in enumerate(found.steps) if isinstance(found, SessionDetails) else ():
            yield from _texts(step, _IN_STEPS, (*path, "steps", index))


def queries(manifest: Manifest) -> Iterator[tuple[Path, str]]:
    """The JMESPath expressions in them."""
    for path, found in details(manifest):
        for index, step in enumerate(found.steps) if isinstance(found, SessionDetails) else ():
            for name, text in step.take.items():
                yield (*path, "steps", index, "take", name), text


def problems(found: Spec, path: Path) -> Iterator[Problem]:
    """What is wrong with one that its model accepts: steps without one method, places where nothing can be sent."""
    if isinstance(found, SessionDetails | HmacDetails):
        # A signature of the body can't be put into it.
        body = isinstance(found, SessionDetails)
        for place in found.send:
            area, _, name = place.partition(".")
            if not name or (area not in _PLACES and not (body and area == "body")):
                message = f"{place!r} is no place in a request"
                expected = "headers.NAME, query.NAME or cookies.NAME" + (", body.NAME" if body else "")
                yield Problem("SYN216", (*path, "send", place), message, expected=expected, at_key=True)
    if isinstance(found, HttpSignatureDetails):
        yield from _components(found, path)
    for index, step in enumerate(found.steps) if isinstance(found, SessionDetails) else ():
        given = [method for method in _STEP if getattr(step, method) is not None]
        if len(given) != 1:
            message = f"a step of a login needs exactly one of get, post and put, not {len(given)}"
            yield Problem("SYN211", (*path, "steps", index), message)
        if step.form and step.body is not None:
            yield Problem("SYN211", (*path, "steps", index, "form"), "a step sends a form or a body", at_key=True)


def _components(found: HttpSignatureDetails, path: Path) -> Iterator[Problem]:
    """Components that no request has, twice, or as structured fields of an unknown structure."""
    structures = {name.lower() for name in found.structures} | STRUCTURES.keys()
    seen: set[str] = set()
    for index, component in enumerate(found.components):
        at = (*path, "components", index)
        if why := unfit(component):
            expected = "a header's name, @method, @target-uri, @authority, @scheme, @request-target, @path, @query"
            yield Problem("SYN270", at, f"a signature can't cover {component[:80]!r}: {why}", expected=expected)
            continue
        if identifier(component) in seen:
            yield Problem("SYN270", at, f"{component[:80]!r} is covered twice", help="Remove one of them.")
        seen.add(identifier(component))
        # An AuthConfig may leave structures to the connector that it is used with.
        strict = dict(parameters_of(component)).keys() == {"sf"} and isinstance(found, HttpSignatureOffer)
        if strict and (name := name_of(component)) not in structures:
            message = f"which structured field {name!r} is isn't known"
            yield Problem("SYN270", at, message, help=f"Declare it: structures: {{{name}: dictionary}}.")


def _texts(model: Spec, names: tuple[str, ...], path: Path) -> Iterator[tuple[Path, str]]:
    for name in names:
        info = type(model).model_fields.get(name)
        if info is not None:
            yield from _inside(getattr(model, name), (*path, info.alias or name))


def _inside(value: Any, path: Path) -> Iterator[tuple[Path, str]]:
    match value:
        case str():
            yield path, value
        case Mapping():
            for name, inner in value.items():
                yield from _inside(inner, (*path, name))
        case list() | tuple():
            for index, inner in enumerate(value):
                yield from _inside(inner, (*path, index))
        case _:
            pass
