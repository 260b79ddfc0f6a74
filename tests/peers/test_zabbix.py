"""Zabbix: JSON-RPC, whose refusals are errors in a 200."""

from __future__ import annotations

from tests.peers.web import ask


def test_zabbix_refuses_in_a_200(zabbix):
    """A call with a token that it doesn't know is answered with 200 and an error."""
    request = {"jsonrpc": "2.0", "id": 1, "method": "host.get", "params": {}, "auth": "0" * 32}

    refused = ask("POST", zabbix.url, request)

    assert (refused.status, "error" in refused.json) == (200, True)
    assert zabbix.call("host.get", {}, zabbix.login()) is not None
