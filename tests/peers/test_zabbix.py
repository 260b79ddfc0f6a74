"""Zabbix: JSON-RPC, whose refusals are errors in a 200."""

from __future__ import annotations

from tests.peers.house import Flow, house
from tests.peers.web import ask

FIELDS = ("to: id, from: hostid, type: integer, required: true", "to: name, from: host")


def made(root, zabbix, token, stream="hosts"):
    """A house that reads the monitored hosts with an API token."""
    config = {
        "url": zabbix.url.removesuffix("/api_jsonrpc.php"),
        "token": {"secretRef": {"provider": "env", "key": "TOKEN"}},
    }
    fields = FIELDS if stream == "hosts" else FIELDS[:1]
    return house(root, "zabbix", config, Flow(stream, fields), secrets={"TOKEN": token})


def test_zabbix_refuses_in_a_200(zabbix):
    """A call with a token that it doesn't know is answered with 200 and an error."""
    request = {"jsonrpc": "2.0", "id": 1, "method": "host.get", "params": {}, "auth": "0" * 32}

    refused = ask("POST", zabbix.url, request)

    assert (refused.status, "error" in refused.json) == (200, True)
    assert zabbix.call("host.get", {}, zabbix.login()) is not None


def test_hosts_are_read_by_json_rpc(tmp_path, zabbix):
    """Hosts come by a POST; those that aren't monitored are left out by the call's own filter."""
    token = zabbix.login()
    ids = [int(zabbix.host(f"host-{n}", token)) for n in range(3)]
    zabbix.call("host.update", {"hostid": str(ids[2]), "status": 1}, token)
    house = made(tmp_path, zabbix, token)

    house.run("hosts")

    assert house.rows("SELECT id, name FROM hosts WHERE name LIKE 'host-_' ORDER BY id") == [
        (ids[0], "host-0"),
        (ids[1], "host-1"),
    ]
    house.proved()


def test_an_ended_session_in_a_200_is_refused_credentials(tmp_path, zabbix):
    """A session that was logged out is answered with 200 and an error: the run ends with the code of credentials."""
    token = zabbix.login()
    house = made(tmp_path, zabbix, token)
    zabbix.call("user.logout", [], token)

    assert "SYN401" in house.fails("hosts")
    house.proved()


def test_a_wrong_call_in_a_200_ends_the_run(tmp_path, zabbix):
    """An error in a 200 that no session explains fails the run with the connector's message, and loads nothing."""
    house = made(tmp_path, zabbix, zabbix.login(), "wrong")

    assert "Zabbix refuses the call." in house.fails("wrong")
    house.proved()
