"""Which hosts may be reached (a guard against server-side request forgery): checked on the addresses that are used.

A name is looked up once, all of its addresses are checked, and the connection is made to a checked one, so that a
second answer of the DNS changes nothing. Addresses that hold an IPv4 address (mapped, NAT64, 6to4, Teredo) count as
what they hold. The lists are our own, from IANA's registries of special-purpose addresses: what `ipaddress` calls
global differs between versions of Python, and has had holes.
"""

from __future__ import annotations

import fnmatch
import ipaddress
import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from syncline.model.errors import Denied

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

#: Networks that are somebody's own: reached only where they are named.
_PRIVATE: tuple[Network, ...] = tuple(
    ipaddress.ip_network(text)
    for text in (
        "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "198.18.0.0/15", "127.0.0.0/8",
        "fc00::/7", "::1/128",
    )
)  # fmt: skip
#: Never reached, whoever names them: no hosts of an API, and the addresses where clouds hand out credentials.
_NEVER: tuple[Network, ...] = tuple(
    ipaddress.ip_network(text)
    for text in (
        "0.0.0.0/8", "169.254.0.0/16", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "198.51.100.0/24",
        "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4", "100.100.100.200/32", "168.63.129.16/32",
        "fd00:ec2::/32", "fd20:ce::/32", "2001::/23", "2001:db8::/32", "3fff::/20",
    )
)  # fmt: skip
_GLOBAL_V6 = ipaddress.IPv6Network("2000::/3")
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_TEREDO = ipaddress.IPv6Network("2001::/32")
_LOCALHOST = re.compile(r"(.+\.)?localhost")


class Egress(Struct, frozen=True):
    """
    Bounds of what may be reached. Entries are networks (`10.0.0.0/8`), addresses, and names (`*.corp.example`).

    Public hosts are, unless `allow` has entries: then only what these name, or `private` does. Private networks are
    reached only where `private` names them or the host, or `allow` names the network. `deny` wins over everything.
    With `literals`, private addresses that a manifest itself gives as a host (`declared`) are reached too: whoever
    wrote `http://127.0.0.1:8080` in it meant just that, while a name's owner can move it to any address.

    >>> Egress().check("api.example.com", ["93.184.215.14"])
    >>> Egress().check("api.example.com", ["127.0.0.1"])
    Traceback (most recent call last):
    syncline.model.errors.Denied: api.example.com is at 127.0.0.1, which is a private address
    """

    allow: tuple[str, ...] = ()
    private: tuple[str, ...] = ()
    deny: tuple[str, ...] = ()
    literals: bool = True
    declared: frozenset[str] = frozenset()

    def declaring(self, hosts: Iterable[str]) -> Egress:
        """The same, with hosts that manifests give.

        >>> Egress().declaring(["127.0.0.1"]).check("127.0.0.1", ["127.0.0.1"])
        """
        return replace(self, declared=self.declared | {_plain(host) for host in hosts}) if self.literals else self

    def check(self, host: str, addresses: Iterable[str]) -> None:
        """Raises `Denied` (SYN460) unless a host may be reached at each of these addresses."""
        host = _plain(host)
        if _ambiguous(host):
            raise _denied(f"{host[:80]!a} is an address in an unusual form", "Write it as four decimal numbers.")
        for text in addresses:
            self._check(host, ipaddress.ip_address(text))

    def check_name(self, host: str) -> None:
        """
        Raises `Denied` unless a host may be reached wherever its name leads, since somebody else looks it up.

        No address is known that could be checked: so the name itself has to be named, by `allow` or `private`, or by a
        manifest where those may. An address is checked as ever.

        >>> Egress(allow=("*.example.com",)).check_name("api.example.com")
        >>> Egress(literals=False).check_name("api.example.com")
        Traceback (most recent call last):
        syncline.model.errors.Denied: api.example.com isn't named as a host that may be reached
        """
        host = _plain(host)
        try:
            ipaddress.ip_address(host)
        except ValueError:
            self.check(host, ())  # an address in an unusual form
        else:
            self.check(host, (host,))
            return
        if _named(self.deny, host):
            raise _denied(f"{host} is denied", "Look at spec.egress.deny.")
        if not (_named(self.allow, host) or _named(self.private, host) or host in self.declared):
            raise Denied(
                f"{host} isn't named as a host that may be reached",
                code="SYN544",
                help="A proxy looks it up, so that its addresses can't be checked here. Name it in spec.egress.allow "
                "of the Tenant, or leave out proxy.lookup.",
            )

    def _check(self, host: str, address: Address) -> None:
        forms = tuple(_forms(address))
        at = host if host == str(address) else f"{host} is at {address}"
        if _named(self.deny, host) or _within(self.deny, forms):
            raise _denied(f"{at}, which is denied" if " " in at else f"{at} is denied", "Look at spec.egress.deny.")
        kind = max((_kind(form) for form in forms), key=("public", "private", "never").index)
        if kind == "never":
            raise _denied(
                f"{at}, which is no address of an API" if " " in at else f"{at} is no address of an API",
                "Link-local, reserved and cloud-metadata addresses are never reached.",
            )
        if kind == "private":
            own = _named(self.private, host) or _within(self.private, forms) or _within(self.allow, forms)
            if not own and not (host in self.declared and (host == str(address) or _LOCALHOST.fullmatch(host))):
                raise _denied(
                    f"{at}, which is a private address" if " " in at else f"{at} is a private address",
                    "Name the host or its network in spec.egress.private of the Tenant, or in "
                    "SYNCLINE_EGRESS_PRIVATE for everything that runs here.",
                )
        elif self.allow and not self._allowed(host, forms):
            raise _denied(f"{host} is not among the allowed hosts", "Add it to spec.egress.allow of the Tenant.")

    def _allowed(self, host: str, forms: tuple[Address, ...]) -> bool:
        return any(_named(entries, host) or _within(entries, forms) for entries in (self.allow, self.private))


def names_host(entries: tuple[str, ...], host: str) -> bool:
    """Whether entries name a host: by its name, or, of an address, by a network. No name is looked up.

    >>> names_host(("*.corp.example", "10.0.0.0/8"), "10.1.2.3")
    True
    """
    host = _plain(host)
    if _named(entries, host):
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    return _within(entries, tuple(_forms(address)))


def _denied(message: str, help_: str) -> Denied:
    return Denied(message, code="SYN460", help=help_)


def _plain(host: str) -> str:
    return host.lower().strip("[]").rstrip(".")


def _ambiguous(host: str) -> bool:
    """Whether the system reads it as an IPv4 address though it isn't written as one: 2130706433, 0x7f.1, 0177.0.0.1."""
    last = host.rpartition(".")[2]
    if not re.fullmatch(r"[0-9]+|0x[0-9a-f]*", last):
        return False
    try:
        ipaddress.IPv4Address(host)
    except ValueError:
        return True
    return False


def _forms(address: Address) -> Iterator[Address]:
    """The address, and each IPv4 address that it holds."""
    yield address
    if isinstance(address, ipaddress.IPv4Address):
        return
    if address.ipv4_mapped is not None:
        yield address.ipv4_mapped
    if address in _NAT64:
        yield ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)
    if address.sixtofour is not None:
        yield address.sixtofour
    if address in _TEREDO and address.teredo is not None:
        yield from address.teredo
    if (int(address) >> 32) & 0xFDFF_FFFF == 0x5EFE:  # ISATAP, RFC 5214
        yield ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)


def _kind(address: Address) -> Literal["public", "private", "never"]:
    if any(address in network for network in _NEVER):
        return "never"
    if any(address in network for network in _PRIVATE):
        return "private"
    if isinstance(address, ipaddress.IPv6Address) and address not in _GLOBAL_V6:
        # What holds an IPv4 address is judged by that; the rest of IPv6 isn't handed out.
        return "public" if address.ipv4_mapped is not None or address in _NAT64 else "never"
    return "public"


def _named(entries: tuple[str, ...], host: str) -> bool:
    return any(fnmatch.fnmatchcase(host, name) for name in _compiled(entries)[0])


def _within(entries: tuple[str, ...], forms: tuple[Address, ...]) -> bool:
    return any(form in network for network in _compiled(entries)[1] for form in forms)


@lru_cache(maxsize=1024)
def _compiled(entries: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[Network, ...]]:
    """Entries as patterns of names and as networks."""
    names: list[str] = []
    networks: list[Network] = []
    for entry in entries:
        try:
            networks.append(ipaddress.ip_network(entry.strip("[]"), strict=False))
        except ValueError:
            names.append(_plain(entry))
    return tuple(names), tuple(networks)
