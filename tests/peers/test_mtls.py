"""Client certificates through the `rest` runtime: alone, and beside another way of authenticating."""

from __future__ import annotations

import shutil
from dataclasses import replace

import pytest

from syncline.model.errors import Stalled
from syncline.model.secret import Secret
from syncline.sdk.clients import Network
from syncline.sdk.clock import SystemClock
from syncline.sdk.http import Egress
from syncline.sdk.source import Credentials
from tests.rest_streams import instance, read, rows, source

TEXT = """
auth: [mtls]
http: {tls: {ca: ca.crt}, headers: {Accept: application/json}, retry: {attempts: 1}}
streams:
  hosts: {get: /objects/hosts, records: "results[]", key: [name], schema: {properties: {name: {type: string}}}}
"""


def hosts(icinga2, folder, certificate):
    shutil.copy(icinga2.ca, folder / "ca.crt")
    secrets = {}
    if certificate is not None:
        pair = (certificate.certificate, certificate.key)
        secrets = dict(zip(("certificate", "certificate_key"), (Secret(p.read_text()) for p in pair), strict=True))
    made = instance(TEXT, url=icinga2.url, credentials=Credentials("mtls", {}, secrets))
    made = replace(made, root=folder, network=Network(egress=Egress(private=("127.0.0.0/8",))))
    return rows(read(source(made, "hosts", clock=SystemClock())))


def test_a_certificate_is_all_that_is_needed(icinga2, tmp_path):
    """The API knows its reader by the certificate of the connection."""
    assert len(hosts(icinga2, tmp_path, icinga2.reader)) == 25


@pytest.mark.parametrize("who", ["stranger", "nobody"])
def test_others_are_refused(icinga2, tmp_path, who):
    """Another certificate, or none, is refused; the run stalls."""
    with pytest.raises(Stalled):
        hosts(icinga2, tmp_path, icinga2.stranger if who == "stranger" else None)
