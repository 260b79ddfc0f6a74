"""Connecting to a host that may be reached: looked up once, all its addresses checked, the first that accepts taken."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Final

from syncline.sdk.clients import Clients
from syncline.sdk.http import Lookups

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
    found = lookup(host, timeout)[:_ADDRESSES]
    instance.network.egress.declaring([host]).check(host, found)
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
