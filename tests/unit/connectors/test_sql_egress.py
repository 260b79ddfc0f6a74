"""Databases within a tenant's bounds: every host is checked before anything is sent, and connected to as it was checked."""

from __future__ import annotations

import socket
import threading
from contextlib import contextmanager

import pytest

from syncline.connectors.sql.mariadb import session as mariadb_session
from syncline.connectors.sql.postgresql import hosts as postgresql_hosts
from syncline.connectors.sql.postgresql import session as postgresql_session
from syncline.connectors.sql.settings import MariadbSettings, PostgresSettings, settings
from syncline.model.errors import Again, Denied
from syncline.sdk.clients import Network
from syncline.sdk.http import Egress
from syncline.sdk.source import Credentials, Instance
from tests.contract.sql_places import Spec

LOOPBACK = Egress(private=("127.0.0.0/8", "::1"), literals=False)
VENDOR = Egress(allow=("api.vendor.example",), literals=False)
NAMES = {"db.example.com": ("93.184.215.14", "93.184.215.15"), "inside.example.com": ("10.0.0.7",)}


@pytest.fixture(autouse=True)
def _known(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PGHOST", "PGHOSTADDR", "PGPORT", "PGSERVICE"):
        monkeypatch.delenv(name, raising=False)

    def lookup(self, host, timeout):
        if host not in NAMES:
            raise socket.gaierror(socket.EAI_NONAME, f"{host} isn't known")
        return NAMES[host]

    monkeypatch.setattr("syncline.sdk.http.lookup.Lookups._named", lookup)


@contextmanager
def listening():
    """A server that hangs up on everybody, its port, and how many came."""
    came: list[object] = []

    def serve():
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            came.append(connection)
            connection.close()

    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=serve, daemon=True).start()
        yield server.getsockname()[1], came
        server.shutdown(socket.SHUT_RDWR)


def hosts(url: str, bounds: Egress | None) -> dict[str, str]:
    return postgresql_hosts.hosts(PostgresSettings(f"postgresql://{url}", "public", bounds=bounds))


@pytest.mark.parametrize(
    ("url", "bounds", "found"),
    [
        ("db.example.com/lake", None, {}),
        ("10.0.0.7/lake", None, {}),
        ("/lake", LOOPBACK, {}),
        ("/lake?host=/run/postgresql", LOOPBACK, {"host": "/run/postgresql"}),
        ("127.0.0.1:5433/lake", LOOPBACK, {"host": "127.0.0.1", "hostaddr": "127.0.0.1", "port": "5433"}),
        ("[::1]/lake", LOOPBACK, {"host": "::1", "hostaddr": "::1"}),
        (
            "db.example.com:1,127.0.0.1:2/lake",
            LOOPBACK,
            {
                "host": "db.example.com,db.example.com,127.0.0.1",
                "hostaddr": "93.184.215.14,93.184.215.15,127.0.0.1",
                "port": "1,1,2",
            },
        ),
        ("db.example.com,nowhere.example/lake", LOOPBACK, None),
        ("nowhere.example,127.0.0.1/lake", LOOPBACK, {"host": "127.0.0.1", "hostaddr": "127.0.0.1"}),
        ("x/lake?host=localhost&hostaddr=127.0.0.1", LOOPBACK, {"host": "localhost", "hostaddr": "127.0.0.1"}),
        (
            "inside.example.com/lake",
            Egress(private=("10.0.0.0/8",), literals=False),
            {"host": "inside.example.com", "hostaddr": "10.0.0.7"},
        ),
    ],
)
def test_libpq_is_given_what_was_checked(url, bounds, found):
    """Of each host of a list libpq is given the addresses that were checked, beside the name; without bounds, nothing is looked up."""
    given = hosts(url, bounds)
    assert given == (
        found
        if found is not None
        else {"host": "db.example.com,db.example.com", "hostaddr": ",".join(NAMES["db.example.com"])}
    )


@pytest.mark.parametrize(
    ("url", "bounds"),
    [
        ("127.0.0.1/lake", VENDOR),
        ("10.0.0.7/lake", LOOPBACK),
        ("inside.example.com/lake", LOOPBACK),
        ("127.0.0.1,inside.example.com/lake", LOOPBACK),
        ("db.example.com/lake", VENDOR),
        ("api.vendor.example/lake?hostaddr=10.0.0.7", VENDOR),
        ("db.example.com/lake?host=10.0.0.7", LOOPBACK),
        ("169.254.169.254/lake", LOOPBACK),
        ("2130706433/lake", LOOPBACK),
        ("/lake", VENDOR),
        ("/lake?host=/run/postgresql", VENDOR),
        ("127.0.0.1/lake?service=other", LOOPBACK),
        ("db.example.com/lake", Egress(deny=("*.example.com",), literals=False)),
    ],
)
def test_a_host_out_of_bounds_is_refused(url, bounds):
    """A private address that isn't named, a host that isn't allowed or is denied, a socket and a file of services: none is connected to."""
    with pytest.raises(Denied) as caught:
        hosts(url, bounds)
    assert caught.value.code == "SYN460"


def test_libpq_s_variables_count(monkeypatch):
    """A host that only the environment names is checked like one of the URL."""
    monkeypatch.setenv("PGHOSTADDR", "10.0.0.7")
    with pytest.raises(Denied):
        hosts("127.0.0.1/lake", LOOPBACK)
    monkeypatch.delenv("PGHOSTADDR")
    monkeypatch.setenv("PGSERVICE", "other")
    with pytest.raises(Denied, match="services"):
        hosts("127.0.0.1/lake", LOOPBACK)


def test_nothing_is_sent_to_a_host_out_of_bounds():
    """Neither driver connects; within bounds both do, and say that the server hung up."""
    with listening() as (port, came):

        def postgresql(bounds):
            postgresql_session.connect(
                PostgresSettings(f"postgresql://127.0.0.1:{port}/lake", "public", "u", bounds=bounds)
            )

        def mariadb(bounds):
            mariadb_session.connect(MariadbSettings("127.0.0.1", port, "lake", "u", bounds=bounds))

        for connect in (postgresql, mariadb):
            with pytest.raises(Denied):
                connect(VENDOR)
        assert not came
        for connect in (postgresql, mariadb):
            for bounds in (LOOPBACK, None):
                with pytest.raises(Again):
                    connect(bounds)
        assert len(came) >= 4


def test_an_unknown_name_is_trouble_of_the_network():
    """A name that isn't known is tried again later, as without bounds."""
    for act in (
        lambda: postgresql_session.connect(
            PostgresSettings("postgresql://nowhere.example/lake", "public", bounds=LOOPBACK)
        ),
        lambda: mariadb_session.connect(MariadbSettings("nowhere.example", 3306, "lake", bounds=LOOPBACK)),
    ):
        with pytest.raises(Again, match="known"):
            act()


def test_bounds_are_of_whose_run_it_is(tmp_path):
    """A database has the bounds of the instance's network; a connection that was kept under others isn't used."""

    def found(bounds):
        config = {"url": "postgresql://db.example.com/lake"}
        return settings(
            Instance("x", Spec(), Spec(), config, tmp_path, Credentials(), network=Network(databases=bounds))
        )

    assert found(None).bounds is None
    assert found(VENDOR).bounds is VENDOR
    assert postgresql_session.identity_of(found(VENDOR)) != postgresql_session.identity_of(found(LOOPBACK))
