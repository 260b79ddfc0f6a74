"""The signature base of HTTP messages (RFC 9421, section 2), and Content-Digest (RFC 9530). Pure text, no keys."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping, Sequence
from urllib.parse import parse_qsl, quote, urlsplit

from msgspec import Struct, field

from syncline.model.errors import Invalid
from syncline.sdk.structured_fields import Structure, member, strict

Value = str | int
_NAME = re.compile(r"[a-z0-9!#$%&'*+.^_`|~-]+")
_DIGESTS = {"sha-256": hashlib.sha256, "sha-512": hashlib.sha512}


#: Parts of a request that a signature can cover.
DERIVED = frozenset(
    {"@method", "@target-uri", "@authority", "@scheme", "@request-target", "@path", "@query", "@query-param"}
)
#: What fields are whose structure is registered (IANA, HTTP Field Names), and which requests have.
STRUCTURES: Mapping[str, Structure] = {
    "accept-query": "list",
    "accept-signature": "dictionary",
    "client-cert": "item",
    "client-cert-chain": "list",
    "content-digest": "dictionary",
    "priority": "dictionary",
    "repr-digest": "dictionary",
    "signature": "dictionary",
    "signature-input": "dictionary",
    "want-content-digest": "dictionary",
    "want-repr-digest": "dictionary",
}


class Message(Struct, frozen=True):
    """What is signed: a request, or a response where `status` is given. Header names are in lower case.

    `structures`: what headers are as structured fields, besides `STRUCTURES`.

    >>> Message({"date": "Tue, 20 Apr 2021 02:07:55 GMT"}, "GET", "https://example.com/").method
    'GET'
    """

    headers: Mapping[str, str]
    method: str = ""
    url: str = ""
    status: int = 0
    structures: Mapping[str, Structure] = field(default_factory=dict)


def content_digest(body: bytes, algorithm: str = "sha-256") -> str:
    """The value of Content-Digest for a body (RFC 9530, section 2).

    >>> content_digest(b"")
    'sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:'
    """
    return f"{algorithm}=:{base64.b64encode(_DIGESTS[algorithm](body).digest()).decode()}:"


def item(value: Value) -> str:
    r"""A value as a structured field writes it (RFC 9651): a number, or a string in quotes.

    >>> print(item('a "b"'))
    "a \"b\""
    """
    if isinstance(value, int):
        return str(value)
    if not value.isascii() or not value.isprintable():
        raise Invalid("a parameter of a signature must be printable ASCII", code="SYN441")
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def name_of(component: str) -> str:
    """The name of a component without its parameters.

    >>> name_of("Content-Digest;sf")
    'content-digest'
    """
    return component.partition(";")[0].strip().lower()


def identifier(component: str) -> str:
    """A component's name with its parameters, as it is covered: `@query-param;name=Pet` in quotes.

    >>> identifier("@query-param;name=Pet")
    '"@query-param";name="Pet"'
    """
    written = [f";{key}" if value is None else f";{key}={item(value)}" for key, value in parameters_of(component)]
    return item(name_of(component)) + "".join(written)


def parameters_of(component: str) -> list[tuple[str, str | None]]:
    """The parameters of a component, in their order; one without a value has None.

    >>> parameters_of('cache-status;key="cache";sf')
    [('key', 'cache'), ('sf', None)]
    """
    parted = [text.strip().partition("=") for text in component.split(";")[1:]]
    return [(key, value.strip('"') if equals else None) for key, equals, value in parted]


def unfit(component: str) -> str:
    """Why a signature of a request can't cover a component, whatever the request; empty if it can.

    >>> unfit("date;key=a;bs")
    'bs stands alone: it excludes key'
    """
    name, found = name_of(component), parameters_of(component)
    given = {key for key, _ in found}
    if len(given) < len(found):
        return "a parameter is there twice"
    if name.startswith("@"):
        if name not in DERIVED:
            return f"no part of a request is called {name}"
        known = {"name"} if name == "@query-param" else set()
    else:
        if _NAME.fullmatch(name) is None:
            return "it is no header's name"
        known = {"sf", "key", "bs"}
    if given - known:
        return f"{name} has no parameter {min(given - known)}"
    if "bs" in given and len(given) > 1:
        return f"bs stands alone: it excludes {min(given - {'bs'})}"
    for key, value in found:
        if (key in {"key", "name"}) != bool(value):
            return f"{key} needs a value" if not value else f"{key} has no value"
        if value and not (value.isascii() and value.isprintable()):
            return f"the value of {key} isn't printable ASCII"
    if name == "@query-param" and not given:
        return "@query-param needs the parameter name"
    return ""


def signature_params(components: Sequence[str], parameters: Mapping[str, Value]) -> str:
    """The covered components and the parameters, as `Signature-Input` and `@signature-params` have them.

    >>> signature_params(["@method"], {"created": 1618884473, "keyid": "k"})
    '("@method");created=1618884473;keyid="k"'
    """
    covered = " ".join(map(identifier, components))
    return f"({covered})" + "".join(f";{name}={item(value)}" for name, value in parameters.items())


def signature_base(message: Message, components: Sequence[str], params: str) -> str:
    """The text that is signed: a line for each component, `@signature-params` last (section 2.5).

    >>> message = Message({}, "GET", "https://example.com/a?b")
    >>> print(signature_base(message, ["@method", "@path"], '("@method" "@path")'))
    "@method": GET
    "@path": /a
    "@signature-params": ("@method" "@path")
    """
    names = [identifier(component) for component in components]
    if len(set(names)) != len(names):
        raise Invalid("a signature covers a component twice", code="SYN441")
    lines = [f"{name}: {_value(message, component)}" for name, component in zip(names, components, strict=True)]
    return "\n".join([*lines, f'"@signature-params": {params}'])


def _value(message: Message, component: str) -> str:
    name, parameters = name_of(component), dict(parameters_of(component))
    if name == "@status" and message.status:
        return str(message.status)
    if why := unfit(component):
        raise Invalid(f"a signature can't cover {component[:80]!a} here: {why}", code="SYN441")
    if name.startswith("@"):
        return _derived(message, name, parameters)
    found = message.headers.get(name)
    if found is None:
        raise Invalid(f"the signature covers the header {name[:80]!a}, which isn't sent", code="SYN441")
    text = " ".join(line.strip() for line in found.splitlines()).strip()
    if "bs" in parameters:
        return f":{base64.b64encode(text.encode('latin-1')).decode()}:"
    if key := parameters.get("key"):
        return _member(name, text, key)
    return _strict(name, text, message.structures) if "sf" in parameters else text


def _strict(name: str, text: str, declared: Mapping[str, Structure]) -> str:
    """A header in its strict form (section 2.1.1)."""
    structure = declared.get(name) or STRUCTURES.get(name)
    if structure is None:
        raise Invalid(
            f"the signature covers {name[:80]!a} as a structured field, but of which structure isn't known",
            code="SYN441",
            help=f"Declare it: structures: {{{name[:80]}: dictionary}}.",
        )
    try:
        return strict(text, structure)
    except ValueError:
        raise _unstructured(name, structure) from None


def _member(name: str, text: str, key: str) -> str:
    """The value of one key of a dictionary (section 2.1.2)."""
    try:
        found = member(text, key)
    except ValueError:
        raise _unstructured(name, "dictionary") from None
    if found is None:
        raise Invalid(f"the signature covers {key[:80]!a} of {name[:80]!a}, which doesn't have it", code="SYN441")
    return found


def _unstructured(name: str, structure: Structure) -> Invalid:
    return Invalid(f"the header {name[:80]!a} is no structured field: no {structure} of RFC 9651", code="SYN441")


def _derived(message: Message, name: str, parameters: Mapping[str, str | None]) -> str:
    """A derived component (section 2.2)."""
    parts = urlsplit(message.url)
    match name:
        case "@method" if message.method:
            return message.method
        case "@target-uri" if message.url:
            return message.url
        case "@authority" if message.url:
            usual = {"http": 80, "https": 443}.get(parts.scheme)
            return (parts.hostname or "").lower() + (f":{parts.port}" if parts.port and parts.port != usual else "")
        case "@scheme" if message.url:
            return parts.scheme.lower()
        case "@request-target" if message.url:
            return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        case "@path" if message.url:
            return parts.path or "/"
        case "@query" if message.url:
            return f"?{parts.query}"
        case "@query-param" if message.url:
            found = [v for k, v in parse_qsl(parts.query, keep_blank_values=True) if k == parameters.get("name")]
            if len(found) != 1:
                raise Invalid("a covered query parameter must be there once", code="SYN441")
            return quote(found[0], safe="*-._")
    raise Invalid(f"a signature can't cover {name[:80]!a} here", code="SYN441")
