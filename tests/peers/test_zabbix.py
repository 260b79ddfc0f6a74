"""Zabbix: JSON-RPC, whose refusals are errors in a 200."""

from __future__ import annotations

from tests.peers.house import Flow, Warehouse, house
from tests.peers.web import ask

FIELDS = ("to: id, from: hostid, type: integer, required: true", "to: name, from: host")
AUTH = "{type: session, values: {user: Admin, password: {secretRef: {provider: env, key: ZABBIX_PASSWORD}}}}"


def made(root, zabbix, stream="hosts", password=None, warehouse=Warehouse()):  # noqa: B008 - a frozen value
    """A house that logs in and reads the monitored hosts."""
    flow = Flow(stream, FIELDS if stream == "hosts" else FIELDS[:1])
    secrets = {"ZABBIX_PASSWORD": password or zabbix.password}
    url = zabbix.url.removesuffix("/api_jsonrpc.php")
    return house(root, "zabbix", {"url": url}, flow, auth=AUTH, secrets=secrets, warehouse=warehouse)


def test_zabbix_refuses_in_a_200(zabbix):
    """A call with a token that it doesn't know is answered with 200 and an error."""
    request = {"jsonrpc": "2.0", "id": 1, "method": "host.get", "params": {}, "auth": "0" * 32}

    refused = ask("POST", zabbix.url, request)

    assert (refused.status, "error" in refused.json) == (200, True)
    assert zabbix.call("host.get", {}, zabbix.login()) is not None


def test_hosts_are_read_by_json_rpc_after_a_login(tmp_path, zabbix, warehouse):
    """A login gives the session that calls carry in their body; what isn't monitored is left out by the call's filter."""
    token = zabbix.login()
    names = [f"{warehouse.schema or 'host'}-{n}" for n in range(3)]
    ids = [int(zabbix.host(name, token)) for name in names]
    zabbix.call("host.update", {"hostid": str(ids[2]), "status": 1}, token)
    house = made(tmp_path, zabbix, warehouse=warehouse)

    house.run("hosts")

    found = house.rows(f"SELECT id, name FROM hosts WHERE id BETWEEN {ids[0]} AND {ids[2]} ORDER BY id")
    assert found == [(ids[0], names[0]), (ids[1], names[1])]
    house.proved()


def test_a_session_that_ended_is_renewed(tmp_path, zabbix):
    """A kept session that the server forgot is refused in a 200; the run logs in again, once, and goes on."""
    house = made(tmp_path, zabbix)
    house.run("hosts")
    zabbix.forget_sessions()

    counts = house.run("hosts")

    assert counts["read"] > 0
    house.proved()


def test_a_wrong_password_in_a_200_is_refused_credentials(tmp_path, zabbix):
    """A login that is refused in a 200 ends the run with the code of credentials."""
    house = made(tmp_path, zabbix, password="not-its-password")

    assert "SYN401" in house.fails("hosts")
    house.proved()


def test_a_wrong_call_in_a_200_ends_the_run(tmp_path, zabbix):
    """An error in a 200 that no session explains fails the run with the connector's message, and loads nothing."""
    house = made(tmp_path, zabbix, "wrong")

    assert "Zabbix refuses the call." in house.fails("wrong")
    house.proved()
