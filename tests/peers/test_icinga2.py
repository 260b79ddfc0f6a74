"""Icinga 2: a client that is known by its certificate."""

from __future__ import annotations

import shutil

from tests.peers.house import Flow, Warehouse, house
from tests.peers.web import ask

FIELDS = ("to: name, from: name, required: true", "to: address, from: attrs.address", "to: site, from: attrs.vars.site")
AUTH = (
    "{type: mtls, certificate: {secretRef: {provider: env, key: CERTIFICATE}}, "
    "certificateKey: {secretRef: {provider: env, key: CERTIFICATE_KEY}}}"
)


def made(root, icinga2, client, warehouse=Warehouse()):  # noqa: B008 - a frozen value
    """A house that reads the hosts of one site as a client with a certificate."""
    shutil.copy(icinga2.ca, root / "ca.crt")
    secrets = {"CERTIFICATE": client.certificate.read_text(), "CERTIFICATE_KEY": client.key.read_text()}
    flow = Flow("hosts", FIELDS, key="name")
    return house(root, "icinga2", {"url": icinga2.url}, flow, auth=AUTH, secrets=secrets, warehouse=warehouse)


def test_icinga2_knows_its_reader_by_certificate(icinga2):
    """A certificate may query and do nothing else (nothing is there for it to delete); a stranger's may do nothing."""
    hosts, accept = f"{icinga2.url}/objects/hosts", {"Accept": "application/json"}

    deleted = ask("DELETE", f"{hosts}/host-1?cascade=1", headers=accept, tls=icinga2.trusting)

    assert deleted.status == 404
    assert len(ask("GET", hosts, tls=icinga2.trusting).ok()["results"]) == 25
    assert ask("GET", hosts, tls=icinga2.authority.context(icinga2.stranger)).status == 401


def test_hosts_are_read_with_a_certificate(tmp_path, icinga2, warehouse):
    """A client certificate is the login; of 25 hosts the twelve of one site are kept, the others count as skipped."""
    house = made(tmp_path, icinga2, icinga2.reader, warehouse)

    counts = house.run("hosts")

    assert (counts["inserted"], counts["skipped"]) == (12, 13)
    assert house.rows("SELECT address, site FROM hosts WHERE name = 'host-4'") == [("10.0.0.4", "north")]
    house.proved()


def test_a_stranger_is_refused(tmp_path, icinga2):
    """A certificate of the same authority with another name is answered with 401."""
    house = made(tmp_path, icinga2, icinga2.stranger)

    assert "SYN401" in house.fails("hosts")
    house.proved()
