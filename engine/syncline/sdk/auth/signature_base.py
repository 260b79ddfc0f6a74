"""The signature base of HTTP messages (RFC 9421, section 2), and Content-Digest (RFC 9530). Pure text, no keys."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import parse_qsl, quote, urlsplit

from syncline.model.errors import Invalid

Value = str | int
_DIGESTS = {"sha-256": hashlib.sha256, "sha-512": hashlib.sha512}


@dataclass(frozen=True, slots=True)
class Message:
    """What is signed: a request, or a response where `status` is given. Header names are in lower case.

    >>> Message({"date": "Tue, 20 Apr 2021 02:07:55 GMT"}, "GET", "https://example.com/").method
    'GET'
    """

    headers: Mapping[str, str]
    method: str = ""
    url: str = ""
    status: int = 0


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


def identifier(component: str) -> str:
    """A component's name with its parameters, as it is covered: `@query-param;name=Pet` in quotes.

    >>> identifier("@query-param;name=Pet")
    '"@query-param";name="Pet"'
    """
    name, *parameters = component.split(";")
    written = [f";{key}={item(value)}" if equals else f";{key}" for key, equals, value in map(_parted, parameters)]
    return item(name.lower()) + "".join(written)


def _parted(parameter: str) -> tuple[str, str, str]:
    key, equals, value = parameter.strip().partition("=")
    return key, equals, value.strip('"')


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
    name, _, rest = component.partition(";")
    parameters = {key: value for key, _, value in map(_parted, rest.split(";"))} if rest else {}
    if name.startswith("@"):
        return _derived(message, name, parameters)
    found = message.headers.get(name.lower())
    if found is None:
        raise Invalid(f"the signature covers the header {name[:80]!a}, which isn't sent", code="SYN441")
    if set(parameters) - {"bs"}:
        raise Invalid(f"component {component[:80]!a} has a parameter that isn't known", code="SYN441")
    text = " ".join(line.strip() for line in found.splitlines()).strip()
    return f":{base64.b64encode(text.encode('latin-1')).decode()}:" if "bs" in parameters else text


def _derived(message: Message, name: str, parameters: Mapping[str, str]) -> str:
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
        case "@status" if message.status:
            return str(message.status)
    raise Invalid(f"a signature can't cover {name[:80]!a} here", code="SYN441")
