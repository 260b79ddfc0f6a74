"""Icinga 2: a client that is known by its certificate."""

from __future__ import annotations

from tests.peers.web import ask


def test_icinga2_knows_its_reader_by_certificate(icinga2):
    """A certificate may query and do nothing else (nothing is there for it to delete); a stranger's may do nothing."""
    hosts, accept = f"{icinga2.url}/objects/hosts", {"Accept": "application/json"}

    deleted = ask("DELETE", f"{hosts}/host-1?cascade=1", headers=accept, tls=icinga2.trusting)

    assert deleted.status == 404
    assert len(ask("GET", hosts, tls=icinga2.trusting).ok()["results"]) == 25
    assert ask("GET", hosts, tls=icinga2.authority.context(icinga2.stranger)).status == 401
