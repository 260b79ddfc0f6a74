"""`syncline auth` from outside: a person logs in at a certified server, runs renew by themselves, a logout ends it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from syncline import workflow
from syncline.settings import read_settings
from tests.peers.person import approve

MANIFESTS = """\
apiVersion: syncline/v1
kind: Tenant
metadata: {name: acme}
spec: {}
---
apiVersion: syncline/v1
kind: Connector
metadata: {name: items}
spec:
  version: 1.0.0
  auth:
  - type: oauth2
    tokenUrl: "{{ config.url }}/token"
    authorizationUrl: "{{ config.url }}/auth"
    deviceAuthorizationUrl: "{{ config.url }}/device/auth"
    revocationUrl: "{{ config.url }}/token/revocation"
    scopes: [api:read]
    authorizationParameters: {prompt: consent}
  config: {properties: {url: {format: uri}}, required: [url]}
  http: {url: "{{ config.url }}/api", retry: {attempts: 1}}
  streams:
    items:
      get: /items
      records: data[]
      key: [id]
      page: {page: query.page}
      schema: {properties: {id: {type: integer}, name: {type: string}}}
---
apiVersion: syncline/v1
kind: AuthConfig
metadata: {name: person, tenant: acme}
spec: {type: oauth2, grant: GRANT, clientId: native}
---
apiVersion: syncline/v1
kind: Integration
metadata: {name: items, tenant: acme}
spec: {connector: items@^1, auth: person, region: eu-west, config: {url: "URL"}}
---
apiVersion: syncline/v1
kind: Integration
metadata: {name: warehouse, tenant: acme}
spec: {connector: sqlite@^1, region: eu-west, config: {path: warehouse.db}}
---
apiVersion: syncline/v1
kind: Mapping
metadata: {name: items, tenant: acme}
spec: {fields: [{to: id, from: id, type: integer, required: true}, {to: name, from: name}], key: [id]}
---
apiVersion: syncline/v1
kind: Sync
metadata: {name: items, tenant: acme}
spec: {from: items/items, mapping: items, to: warehouse/items}
"""


def repository(folder: Path, oidc, grant: str):
    (folder / "acme.yaml").write_text(MANIFESTS.replace("GRANT", grant).replace("URL", oidc.url))
    settings = read_settings(folder, {"SYNCLINE_ACTOR": "ada", "SYNCLINE_EGRESS_PRIVATE": "127.0.0.0/8"})
    workflow.apply(settings, workflow.plan(settings))
    return settings


def syncline(folder: Path, *args: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *args], cwd=folder, env=ENVIRON, capture_output=True, text=True, timeout=300, check=False
    )


COMMAND = [sys.executable, "-m", "syncline"]
ENVIRON = {**os.environ, "SYNCLINE_ACTOR": "ada", "SYNCLINE_EGRESS_PRIVATE": "127.0.0.0/8", "NO_COLOR": "1"}


def login(folder: Path, answer=approve):
    """Logs in by the command, with `answer` as the person; its exit code and what it wrote."""
    process = subprocess.Popen(
        [*COMMAND, "auth", "login", "Integration/items", "--no-browser", "--timeout", "300"],
        cwd=folder,
        env=ENVIRON,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    lines: list[str] = []
    while not lines or not re.search(r"http\S+", "".join(lines)):
        line = process.stderr.readline()
        assert line, (lines, process.communicate())
        lines.append(line)
    url = re.search(r"http\S+", "".join(lines))[0]
    code = process.stderr.readline().rpartition(" ")[2].strip() if "/device" in url else ""
    landed = answer(f"{url}?user_code={code}" if code else url)
    if not code:
        threading.Thread(target=_visit, args=(landed,), daemon=True).start()
    out, err = process.communicate(timeout=300)
    return process.returncode, out + "".join(lines) + err


def _visit(url):
    from urllib.request import ProxyHandler, build_opener

    build_opener(ProxyHandler({})).open(url, timeout=60).close()


@pytest.mark.parametrize("grant", ["authorization_code", "device_code"])
def test_from_login_to_logout(oidc, tmp_path, grant):
    """A login gives tokens that runs use and renew; none of them is shown; after a logout a run asks for a login."""
    settings = repository(tmp_path, oidc, grant)
    before = syncline(tmp_path, "run", "Sync/items")
    assert before.returncode == 1
    assert "SYN442" in before.stderr
    assert "syncline auth login" in before.stderr

    code, said = login(tmp_path)
    assert code == 0, said
    assert "is renewed by itself" in said
    assert syncline(tmp_path, "run", "Sync/items").returncode == 0
    time.sleep(oidc.ttl + 0.5)
    ran = syncline(tmp_path, "run", "Sync/items")
    assert ran.returncode == 0, ran.stderr
    assert "12" in ran.stdout

    status = syncline(tmp_path, "auth", "status")
    assert "acme/AuthConfig/person" in status.stdout
    assert "yes" in status.stdout
    tokens = list(_secrets(settings))
    assert len(tokens) == 2
    everything = before.stderr + said + ran.stdout + ran.stderr + status.stdout
    everything += "".join(p.read_bytes().decode("latin-1") for p in tmp_path.rglob("*") if p.is_file())
    assert not [token for token in tokens if token in everything]

    logout = syncline(tmp_path, "auth", "logout", "Integration/items")
    assert (logout.returncode, logout.stdout) == (0, "Logged out of acme/Integration/items.\n")
    after = syncline(tmp_path, "run", "Sync/items", "--full-refresh")
    assert after.returncode == 1
    assert "SYN442" in after.stderr
    assert syncline(tmp_path, "audit", "verify").returncode == 0
    evidence = b"".join(path.read_bytes() for path in settings.audit.rglob("*") if path.is_file())
    assert b"auth.login" in evidence
    assert b"auth.logout" in evidence


def test_the_answer_to_another_login_is_refused(oidc, tmp_path):
    """A callback with another state ends the login, and nothing is stored."""
    repository(tmp_path, oidc, "authorization_code")

    def forged(url):
        landed = approve(url)
        return re.sub(r"state=[^&]+", "state=forged", landed)

    code, said = login(tmp_path, forged)
    assert code == 1
    assert "SYN444" in said
    assert "No token is stored" in syncline(tmp_path, "auth", "status").stdout


def _secrets(settings):
    from syncline.executor.services.tokens import opened
    from syncline.secrets.keys.ring import KeyRing
    from syncline.state.open import open_reader

    reader = open_reader(settings.state_url)
    try:
        for sealed in reader.tokens():
            token = opened(KeyRing.open(settings.keys), sealed)
            yield from (secret.reveal() for secret in token.secrets)
    finally:
        reader.close()
