"""Connecting to a host that may be reached: looked up once, all its addresses checked, the first that accepts taken."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Final

from syncline.sdk.clients import Clients
from syncline.sdk.http import Egress, Lookups

if TYPE_CHECKING:
    from syncline.sdk.source import Instance

#: Addresses of a host that are tried, one after another.
_ADDRESSES: Final = 4


def dialled(instance: Instance, host: str, port: int, timeout: float) -> socket.socket:
    """
    A socket to a host that the instance may reach; `timeout` is in seconds, for connecting and for each answer.

    Raises `Denied` (SYN460) for an address out of bounds, and OSError.

    Example: `dialled(instance, "mail.example.com", 587, timeout=20.0)`.
    """
    clients = instance.keep.shared(Clients) if instance.keep is not None else None
    lookup = clients.lookup if clients is not None else Lookups()
    return dialled_within(instance.network.egress.declaring([host]), host, port, timeout, lookup)


def dialled_within(
    bounds: Egress, host: str, port: int, timeout: float, lookup: Lookups | None = None
) -> socket.socket:
    """
    As `dialled`, by bounds.

    Example: `dialled_within(Egress(allow=("db.example.com",)), "db.example.com", 3306, timeout=10.0)`.
    """
    found = checked(bounds, host, timeout, lookup)
    for index, address in enumerate(found):
        try:
            sock = socket.create_connection((address, port), timeout / len(found))
        except OSError:
            if index == len(found) - 1:
                raise
        else:
            sock.settimeout(timeout)  # the shorter one was for connecting
            return sock
    raise socket.gaierror(socket.EAI_NONAME, "no address")


def checked(bounds: Egress, host: str, timeout: float, lookup: Lookups | None = None) -> tuple[str, ...]:
    """
    The first addresses of a host, which is looked up within so many seconds, once each of them may be reached.

    Raises `Denied` (SYN460) for one that may not, and OSError.

    >>> checked(Egress(private=("127.0.0.1",)), "127.0.0.1", 1.0)
    ('127.0.0.1',)
    """
    bounds.check(host, ())  # an address in an unusual form is looked up nowhere
    found = (lookup or Lookups())(host.strip("[]"), timeout)[:_ADDRESSES]
    bounds.check(host, found)
    return found
