"""
`python -m tests.peers`: installs every system, several at a time, and says which ones can't be had here.

Tests install what they need themselves; this does it beforehand, so that nothing waits in the middle of a test.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.peers import install
from tests.peers.systems import (
    alertmanager,
    authlib,
    docker_registry,
    faulty,
    git_servers,
    icinga2,
    kinto,
    mlflow,
    moto,
    mountebank,
    oauthlib,
    oidc,
    openbao,
    postgraphile,
    prometheus,
    proxies,
    redmine,
    rest_framework,
    rt,
    scim2,
    seaweedfs,
    signatures,
    softhsm,
    wiremock,
    zabbix,
)

#: Installed side by side; the Debian packages by one call, since only one may run.
DEBIAN = (
    *alertmanager.PACKAGES,
    *docker_registry.PACKAGES,
    *git_servers.PACKAGES,
    *icinga2.PACKAGES,
    *prometheus.PACKAGES,
    *proxies.PACKAGES,
    *redmine.PACKAGES,
    *rt.PACKAGES,
    *softhsm.PACKAGES,
    *zabbix.PACKAGES,
)
INSTALLS: dict[str, Callable[[], object]] = {
    "Debian packages": lambda: install.debian(*DEBIAN),
    "authlib": authlib.install,
    "moto": moto.install,
    "faulty": faulty.install,
    "kinto": kinto.install,
    "mlflow": mlflow.install,
    "mountebank": mountebank.install,
    "oauthlib": oauthlib.install,
    "oidc-provider": oidc.install,
    "openbao": openbao.install,
    "postgraphile": postgraphile.install,
    "Django REST framework": rest_framework.install,
    "scim2-server": scim2.install,
    "seaweedfs": seaweedfs.install,
    "libraries that check signatures": signatures.install,
    "wiremock": wiremock.install,
}
AT_A_TIME = 3


def main() -> None:
    """Installs all; a failure is reported and left to the tests, which know whether it may be skipped."""
    with ThreadPoolExecutor(AT_A_TIME) as pool:
        for line in pool.map(_attempt, INSTALLS):
            sys.stdout.write(f"{line}\n")


def _attempt(name: str) -> str:
    start = time.monotonic()
    try:
        INSTALLS[name]()
    except (pytest.skip.Exception, pytest.fail.Exception) as reason:
        return f"{name}: not here: {reason}"
    return f"{name}: there after {time.monotonic() - start:.0f} s"


if __name__ == "__main__":
    main()
