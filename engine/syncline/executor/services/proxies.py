"""The proxies that an integration's requests go through: its own, else, where the operator says so, the environment's.

The manifest is the truth: variables such as HTTPS_PROXY, which many machines have set, change nothing by themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Final, Literal
from urllib.parse import unquote, urlsplit

from syncline.kinds.base import SecretRef
from syncline.model.errors import Invalid
from syncline.model.secret import Secret
from syncline.sdk.http import Proxy, Tls
from syncline.sdk.http.authorities import read_authorities
from syncline.sdk.http.socks import fits

if TYPE_CHECKING:
    from syncline.kinds.integration import Proxy as Declared
    from syncline.settings import Settings

#: What never goes through the environment's proxy: for a proxy, this machine is another one.
_LOCAL: Final = ("localhost", "*.localhost", "127.0.0.0/8", "::1")
_VARIABLES: Final = ("https_proxy", "http_proxy", "all_proxy")
#: How proxies are spoken to, and the port of each; `socks5h` has the proxy look names up.
_Protocol = Literal["http", "https", "socks5", "socks5h"]
_PORTS: Final[Mapping[_Protocol, int]] = {"http": 80, "https": 443, "socks5": 1080, "socks5h": 1080}
_SCHEMES: Final[tuple[Literal["http", "https"], ...]] = ("https", "http")


def proxies_of(
    declared: Declared | None, settings: Settings, secret: Callable[[SecretRef], Secret]
) -> tuple[Proxy, ...]:
    """The proxies of an integration. `Invalid` (SYN272) for one that can't be used, `Stalled` for a missing secret."""
    if declared is None:
        return environment_proxies(settings)
    username = declared.username
    protocol, host, port = _address(declared.url, "proxy.url")
    proxy = Proxy(
        host,
        port,
        username=secret(username).reveal() if isinstance(username, SecretRef) else username or "",
        password=secret(declared.password) if declared.password is not None else None,
        lookup="proxy" if protocol == "socks5h" else declared.lookup,
        bypass=declared.bypass,
        protocol="socks5" if protocol == "socks5h" else protocol,
        tls=Tls(
            declared.tls.min,
            read_authorities(settings.root, declared.tls.ca, "proxy.tls.ca"),
            pins=declared.tls.pins,
        ),
    )
    return (_checked(proxy, "proxy.username and proxy.password"),)


def environment_proxies(settings: Settings) -> tuple[Proxy, ...]:
    """The proxies of the environment, where the operator says that they count. `Invalid` as `proxies_of`."""
    return tuple(_of_environment(settings)) if settings.proxy else ()


def unheeded(settings: Settings) -> tuple[str, ...]:
    """Variables about proxies that are set and change nothing."""
    return tuple(name.upper() for name in _VARIABLES if _variable(settings.environ, name)) if not settings.proxy else ()


def _of_environment(settings: Settings) -> Iterator[Proxy]:
    environ, lookup = settings.environ, settings.proxy_lookup
    if settings.proxy != "environment":
        help_ = "The only value is `environment`; leave it out otherwise."
        raise _unusable(f"SYNCLINE_PROXY is {settings.proxy[:40]!a}", help_)
    if lookup not in {"here", "proxy"}:
        raise _unusable(f"SYNCLINE_PROXY_LOOKUP is {lookup[:40]!a}", "Its values are `here` and `proxy`.")
    bypass = (*_LOCAL, *_bypass(_variable(environ, "no_proxy")))
    for scheme in _SCHEMES:
        name = f"{scheme}_proxy"
        url = _variable(environ, name) or _variable(environ, "all_proxy")
        if not url:
            continue
        url = url if "://" in url else f"http://{url}"
        protocol, host, port = _address(url, name.upper())
        parts = urlsplit(url)
        proxy = Proxy(
            host,
            port,
            username=unquote(parts.username or ""),
            password=Secret(unquote(parts.password)) if parts.password is not None else None,
            lookup="proxy" if lookup == "proxy" or protocol == "socks5h" else "here",
            bypass=bypass,
            scheme=scheme,
            trusted=True,
            protocol="socks5" if protocol == "socks5h" else protocol,
        )
        yield _checked(proxy, name.upper())


def _variable(environ: Mapping[str, str], name: str) -> str:
    """As curl reads them: in lower case first."""
    return (environ.get(name) or environ.get(name.upper()) or "").strip()


def _bypass(text: str) -> Iterator[str]:
    """NO_PROXY as patterns: `example.com` and `.example.com` also mean every name below; `*` means everything."""
    for entry in filter(None, map(str.strip, text.split(","))):
        name = entry.removeprefix("*").removeprefix(".")
        yield name or "*"
        if name and "/" not in name:
            yield f"*.{name}"


def _address(url: str, where: str) -> tuple[_Protocol, str, int]:
    """How a proxy is spoken to, its host and its port, which is that of the protocol unless it is said."""
    try:
        parts = urlsplit(url)
        protocol = next(name for name in _PORTS if name == parts.scheme)
        host, port = parts.hostname or "", parts.port or _PORTS[protocol]
    except (ValueError, StopIteration):
        host = ""
    if not host:
        help_ = "A proxy is at http://HOST:PORT, https://HOST:PORT or socks5://HOST:PORT."
        raise _unusable(f"{where} isn't the URL of a proxy", help_)
    return protocol, host, port


def _checked(proxy: Proxy, where: str) -> Proxy:
    """SOCKS 5 has no way to send a user name without a password, nor long ones."""
    known = proxy.username or proxy.password is not None
    password = proxy.password.reveal() if proxy.password is not None else ""
    if proxy.protocol == "socks5" and known and not (fits(proxy.username) and fits(password)):
        raise _unusable(f"{where}: a SOCKS proxy is told both or none", "Each has from 1 to 255 bytes.")
    return proxy


def _unusable(message: str, help_: str) -> Invalid:
    return Invalid(message, code="SYN272", help=help_)
