"""
Systems that nobody in this project wrote, one fixture each: installed and started where they can be, else skipped.

A skip says what is missing; with `peers` in `SYNCLINE_TEST_REQUIRE` it is a failure. Each test process starts its own,
so a file of tests is about one system and runs in one process (`--dist loadfile`).
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

import tests.peers.systems.alertmanager as alertmanager_system
import tests.peers.systems.authlib as authlib_system
import tests.peers.systems.docker_registry as registry_system
import tests.peers.systems.faulty as faulty_system
import tests.peers.systems.git_servers as git_system
import tests.peers.systems.icinga2 as icinga2_system
import tests.peers.systems.kinto as kinto_system
import tests.peers.systems.mlflow as mlflow_system
import tests.peers.systems.moto as moto_system
import tests.peers.systems.mountebank as mountebank_system
import tests.peers.systems.nginx as nginx_system
import tests.peers.systems.oauthlib as oauthlib_system
import tests.peers.systems.oidc as oidc_system
import tests.peers.systems.openbao as openbao_system
import tests.peers.systems.postgraphile as postgraphile_system
import tests.peers.systems.prometheus as prometheus_system
import tests.peers.systems.proxies as proxies_system
import tests.peers.systems.redmine as redmine_system
import tests.peers.systems.rest_framework as rest_framework_system
import tests.peers.systems.rt as rt_system
import tests.peers.systems.scim2 as scim2_system
import tests.peers.systems.seaweedfs as seaweedfs_system
import tests.peers.systems.sftp as sftp_system
import tests.peers.systems.signatures as signatures_system
import tests.peers.systems.softhsm as softhsm_system
import tests.peers.systems.wiremock as wiremock_system
import tests.peers.systems.zabbix as zabbix_system
from tests.peers.house import Warehouse
from tests.servers import postgres_database

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.fixture(params=["sqlite", "postgresql"])
def warehouse(request: pytest.FixtureRequest) -> Warehouse:
    """Where a house writes to: each in turn."""
    if request.param == "sqlite":
        return Warehouse()
    return Warehouse(request.getfixturevalue("postgres_url"), f"w{uuid4().hex[:12]}")


@pytest.fixture(scope="session")
def alertmanager(tmp_path_factory: pytest.TempPathFactory) -> Iterator[alertmanager_system.Alertmanager]:
    """Alerts, posted as a list and read with fingerprints."""
    with alertmanager_system.alertmanager(tmp_path_factory.mktemp("alertmanager")) as system:
        yield system


@pytest.fixture(scope="session")
def authlib(tmp_path_factory: pytest.TempPathFactory) -> Iterator[authlib_system.AuthlibServer]:
    """An authorization server that takes JWTs as grants and as client credentials."""
    with authlib_system.authlib(tmp_path_factory.mktemp("authlib")) as system:
        yield system


@pytest.fixture(scope="session")
def docker_registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[registry_system.Registry]:
    """A registry of images whose catalogue is paged by Link headers."""
    with registry_system.docker_registry(tmp_path_factory.mktemp("docker_registry")) as system:
        yield system


@pytest.fixture(scope="session")
def git_https(tmp_path_factory: pytest.TempPathFactory) -> Iterator[git_system.GitServer]:
    """Git's own HTTP server, over TLS and with a password."""
    with git_system.git_https(tmp_path_factory.mktemp("git_https")) as server:
        yield server


@pytest.fixture(scope="session")
def git_ssh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[git_system.GitServer]:
    """Git over SSH, with a key."""
    with git_system.git_ssh(tmp_path_factory.mktemp("git_ssh")) as server:
        yield server


@pytest.fixture(scope="session")
def hsm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[softhsm_system.SoftHsm]:
    """A PKCS#11 module; this process is told of it, since a module reads its configuration when it is loaded."""
    with softhsm_system.softhsm(tmp_path_factory.mktemp("softhsm")) as system, pytest.MonkeyPatch.context() as patch:
        patch.setenv("SOFTHSM2_CONF", str(system.config))
        yield system


@pytest.fixture(scope="session")
def icinga2(tmp_path_factory: pytest.TempPathFactory) -> Iterator[icinga2_system.Icinga2]:
    """A monitoring API over TLS whose client is known by a certificate."""
    with icinga2_system.icinga2(tmp_path_factory.mktemp("icinga2")) as system:
        yield system


@pytest.fixture(scope="session")
def kinto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[kinto_system.Kinto]:
    """A document store with paging tokens, ETags, `_since` and tombstones."""
    with kinto_system.kinto(tmp_path_factory.mktemp("kinto")) as system:
        yield system


@pytest.fixture(scope="session")
def mlflow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[mlflow_system.Mlflow]:
    """A registry of models that registers webhooks, and signs what it sends."""
    with mlflow_system.mlflow(tmp_path_factory.mktemp("mlflow")) as system:
        yield system


@pytest.fixture(scope="session")
def mountebank(tmp_path_factory: pytest.TempPathFactory) -> Iterator[mountebank_system.Mountebank]:
    """Servers made by a request, with answers in turn and faults."""
    with mountebank_system.mountebank(tmp_path_factory.mktemp("mountebank")) as system:
        yield system


@pytest.fixture(scope="session")
def moto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[moto_system.Aws]:
    """Amazon's APIs, which refuse what isn't signed."""
    with moto_system.moto(tmp_path_factory.mktemp("moto")) as system:
        yield system


@pytest.fixture(scope="session")
def nginx(tmp_path_factory: pytest.TempPathFactory) -> Iterator[nginx_system.FileServer]:
    """Files over HTTP, with ranges, behind a password."""
    with nginx_system.nginx(tmp_path_factory.mktemp("nginx")) as system:
        yield system


@pytest.fixture(scope="session")
def rest_framework(tmp_path_factory: pytest.TempPathFactory) -> Iterator[rest_framework_system.RestFramework]:
    """An API whose pages have numbers."""
    with rest_framework_system.rest_framework(tmp_path_factory.mktemp("rest-framework")) as system:
        yield system


@pytest.fixture(scope="session")
def oauthlib(tmp_path_factory: pytest.TempPathFactory) -> Iterator[oauthlib_system.OAuthLib]:
    """An API that checks signatures of OAuth 1.0."""
    with oauthlib_system.oauthlib(tmp_path_factory.mktemp("oauthlib")) as system:
        yield system


@pytest.fixture(scope="session")
def oidc(tmp_path_factory: pytest.TempPathFactory) -> Iterator[oidc_system.Oidc]:
    """An authorization server with every grant, and an API that takes its tokens."""
    with oidc_system.oidc(tmp_path_factory.mktemp("oidc")) as system:
        yield system


@pytest.fixture(scope="session")
def oidc_mtls(tmp_path_factory: pytest.TempPathFactory) -> Iterator[oidc_system.OidcMtls]:
    """An authorization server that knows its client by a certificate."""
    with oidc_system.oidc_mtls(tmp_path_factory.mktemp("oidc_mtls")) as system:
        yield system


@pytest.fixture(scope="session")
def openbao(tmp_path_factory: pytest.TempPathFactory) -> Iterator[openbao_system.OpenBao]:
    """A server of Vault's API, over TLS."""
    with openbao_system.openbao(tmp_path_factory.mktemp("openbao")) as system:
        yield system


@pytest.fixture(scope="session")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[prometheus_system.Prometheus]:
    """A store of time series that refuses to answer with too many points."""
    with prometheus_system.prometheus(tmp_path_factory.mktemp("prometheus")) as system:
        yield system


@pytest.fixture(scope="session")
def redmine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[redmine_system.Redmine]:
    """An issue tracker: offset paging, filters, API keys."""
    with redmine_system.redmine(tmp_path_factory.mktemp("redmine")) as system:
        yield system


@pytest.fixture(scope="session")
def request_tracker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[rt_system.RequestTracker]:
    """A ticket system: REST 2, ETags and 412."""
    with rt_system.request_tracker(tmp_path_factory.mktemp("request_tracker")) as system:
        yield system


@pytest.fixture(scope="session")
def scim2(tmp_path_factory: pytest.TempPathFactory) -> Iterator[scim2_system.Scim2]:
    """Users and groups over SCIM 2."""
    with scim2_system.scim2(tmp_path_factory.mktemp("scim2")) as system:
        yield system


@pytest.fixture(scope="session")
def seaweedfs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[seaweedfs_system.SeaweedFs]:
    """An S3 that checks every signature."""
    with seaweedfs_system.seaweedfs(tmp_path_factory.mktemp("seaweedfs")) as system:
        yield system


@pytest.fixture(scope="session")
def sftp(tmp_path_factory: pytest.TempPathFactory) -> Iterator[sftp_system.SftpServer]:
    """Files over SSH, with keys."""
    with sftp_system.sftp(tmp_path_factory.mktemp("sftp")) as system:
        yield system


@pytest.fixture(scope="session")
def signatures(tmp_path_factory: pytest.TempPathFactory) -> Iterator[signatures_system.Signatures]:
    """An API that checks what is signed by Hawk, by draft-cavage-http-signatures and by RFC 9421."""
    with signatures_system.signatures(tmp_path_factory.mktemp("signatures")) as system:
        yield system


@pytest.fixture(scope="session")
def wiremock(tmp_path_factory: pytest.TempPathFactory) -> Iterator[wiremock_system.WireMock]:
    """Answers as it is told, with faults."""
    with wiremock_system.wiremock(tmp_path_factory.mktemp("wiremock")) as system:
        yield system


@pytest.fixture(scope="session")
def zabbix(tmp_path_factory: pytest.TempPathFactory, postgres_server_url: str) -> Iterator[zabbix_system.Zabbix]:
    """A monitoring API in JSON-RPC, with errors in a 200."""
    with (
        postgres_database(postgres_server_url) as database,
        zabbix_system.zabbix(tmp_path_factory.mktemp("zabbix"), database) as system,
    ):
        yield system


@pytest.fixture
def postgraphile(
    tmp_path_factory: pytest.TempPathFactory, postgres_server_url: str
) -> Callable[[str], AbstractContextManager[postgraphile_system.Postgraphile]]:
    """`postgraphile(sql)`: GraphQL over a new database that the SQL has filled."""
    return lambda sql: postgraphile_system.postgraphile(
        tmp_path_factory.mktemp("postgraphile"), postgres_server_url, sql
    )


@pytest.fixture
def faulty(tmp_path: Path) -> faulty_system.Faulty:
    """`faulty(url, "--delay", "100-200")`: the server at `url` behind a TCP proxy with these faults, while it lasts."""
    numbers = count(1)

    def behind(url: str, *faults: str) -> AbstractContextManager[str]:
        folder = tmp_path / f"faulty-{next(numbers)}"
        folder.mkdir()
        return faulty_system.faulty(folder, url, *faults)

    return behind


@pytest.fixture(scope="session")
def tinyproxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[proxies_system.ProxySystem]:
    """An HTTP proxy with a password."""
    with proxies_system.tinyproxy(tmp_path_factory.mktemp("tinyproxy")) as system:
        yield system


@pytest.fixture(scope="session")
def squid(tmp_path_factory: pytest.TempPathFactory) -> Iterator[proxies_system.ProxySystem]:
    """Another, with rules about ports."""
    with proxies_system.squid(tmp_path_factory.mktemp("squid")) as system:
        yield system


@pytest.fixture(scope="session")
def tinyproxy_tls(tmp_path_factory: pytest.TempPathFactory) -> Iterator[proxies_system.ProxySystem]:
    """An HTTP proxy that is spoken to over TLS."""
    with proxies_system.tinyproxy_tls(tmp_path_factory.mktemp("tinyproxy_tls")) as system:
        yield system


@pytest.fixture(scope="session")
def squid_tls(tmp_path_factory: pytest.TempPathFactory) -> Iterator[proxies_system.ProxySystem]:
    """Another, which speaks TLS itself."""
    with proxies_system.squid(tmp_path_factory.mktemp("squid_tls"), tls=True) as system:
        yield system


@pytest.fixture(scope="session")
def microsocks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[proxies_system.ProxySystem]:
    """A SOCKS 5 server with a password."""
    with proxies_system.microsocks(tmp_path_factory.mktemp("microsocks")) as system:
        yield system


@pytest.fixture(scope="session")
def dante(tmp_path_factory: pytest.TempPathFactory) -> Iterator[proxies_system.ProxySystem]:
    """Another, with rules."""
    with proxies_system.dante(tmp_path_factory.mktemp("dante")) as system:
        yield system
