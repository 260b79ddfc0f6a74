"""Hosts of a PostgreSQL server within the bounds of a tenant: looked up once, and connected to at what was checked."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from syncline.model.errors import Denied
from syncline.sdk.dial import checked
from syncline.state.libpq import said

if TYPE_CHECKING:
    from syncline.connectors.sql.settings import PostgresSettings
    from syncline.sdk.http.egress import Egress

#: Seconds for a name to be looked up.
_LOOKUP: Final = 10.0


def hosts(settings: PostgresSettings) -> dict[str, str]:
    """
    The parameters of libpq that lead to checked addresses, of each host that the URL, or else the environment, names;
    none where nothing is bounded.

    Raises `Denied` (SYN460) where one of them, or one of its addresses, is out of bounds, and OSError where none is
    known by its name.
    """
    bounds = settings.bounds
    if bounds is None:
        return {}
    given = said(settings.url)
    if given.get("service"):
        raise Denied(
            "a file of services says where the database is, so that it can't be checked",
            code="SYN460",
            help="Name the host in the URL of the integration, and unset PGSERVICE.",
        )
    found: list[tuple[str, str, str]] = []
    missing: OSError | None = None
    for name, address, port in _named(given):
        try:
            found += ((name, at, port) for at in _addresses(bounds, name, address))
        except OSError as error:  # another one of them may be known
            missing = error
    if not found and missing is not None:
        raise missing
    names, addresses, ports = (",".join(parts) for parts in zip(*found, strict=True))
    asked = {"host": names, "hostaddr": addresses, "port": ports}
    return {name: value for name, value in asked.items() if value.strip(",")}


def _named(given: dict[str, str]) -> Iterator[tuple[str, str, str]]:
    """Name, address and port of each host, as libpq pairs them."""
    names, addresses, ports = (given.get(one, "").split(",") for one in ("host", "hostaddr", "port"))
    count = max(len(names), len(addresses))
    for index in range(count):
        # One port is for all of them. However lists that don't fit are paired, each address is checked.
        port = ports[0] if len(ports) == 1 else ports[index] if index < len(ports) else ""
        yield (
            names[index] if index < len(names) else "",
            addresses[index] if index < len(addresses) else "",
            port,
        )


def _addresses(bounds: Egress, name: str, address: str) -> tuple[str, ...]:
    if address:  # whatever name is written beside it
        bounds.check(address, (address,))
        return (address,)
    if not name or name.startswith(("/", "@")):  # a socket of this machine
        bounds.check("localhost", ("127.0.0.1",))
        return ("",)
    return checked(bounds, name, _LOOKUP)
