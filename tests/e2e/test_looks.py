"""Looking makes nothing: where nothing was applied yet, no command that only shows leaves a file, nor a key."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from syncline.secrets.keys.ring import KeyRing
from tests import repository
from tests.api_server import Asked, Reply, api_server
from tests.e2e.api import helpdesk
from tests.e2e.test_secrets import shell

if TYPE_CHECKING:
    from pathlib import Path

SYNC = """\
apiVersion: syncline/v1
kind: Sync
metadata: {name: hashed, tenant: acme}
spec: {from: crm/customers, mapping: customer, to: warehouse/hashed, read: full, write: upsert}
"""
#: Values are hashed with the tenant's key, and people are told by a field.
TEXTS = repository.edited("mapping.yaml", "check: {format: email}}", "protect: {hash: tenant}}") | {"sync.yaml": SYNC}
TEXTS["mapping.yaml"] = TEXTS["mapping.yaml"].replace("  fields:\n", "  subject: {customer: id}\n  fields:\n")
FLOW = "acme/Sync/hashed"

LOOKS = (
    "validate",
    "plan",
    "plan --data 10",
    f"rehearse {FLOW}",
    "rehearse acme/Import/customers --values",
    f"run {FLOW} --dry-run",
    f"compare {FLOW}",
    "connector check Integration/crm",
    "connector discover Integration/crm",
    "connector sample Integration/crm customers",
    "status",
    "events",
    "get syncs",
    "history",
    "runs list",
    "runs show nothing",
    "runs rejects nothing",
    f"lineage {FLOW}",
    "schedules",
    "drift",
    "notifications",
    "secrets list",
    "secrets check",
    f"policy explain {FLOW}",
    "keys list",
    "audit show",
    "audit verify",
    "audit key",
    "tenant onboard acme",
    "tenant statistics",
    "doctor",
    "auth status",
    "privacy list",
    "privacy show nothing",
    "privacy suppressions",
    "privacy retain",
    "privacy erase --tenant acme --subject customer=1",
    "privacy export --tenant acme --subject customer=1",
    "reveal --tenant acme nothing",
    f"explain {FLOW}",
)


@pytest.mark.parametrize("command", LOOKS)
def test_a_look_makes_nothing(tmp_path, monkeypatch, command):
    """Before the first apply, no state, log or key is made, and no other file."""
    monkeypatch.setenv("SYNCLINE_ACTOR", "tests")
    monkeypatch.chdir(tmp_path)
    settings = repository.write(tmp_path, TEXTS)
    repository.customers(tmp_path, 5)
    before = sorted(tmp_path.rglob("*"))

    code, said = shell(*command.split())

    assert code in {0, 1}, said
    assert "SYN999" not in said
    assert sorted(tmp_path.rglob("*")) == before
    assert not settings.home.exists()


@pytest.mark.parametrize("command", ["plan --data 10", f"rehearse {FLOW}", f"run {FLOW} --dry-run", f"compare {FLOW}"])
def test_a_look_makes_no_key_where_there_are_others(tmp_path, monkeypatch, command):
    """What is applied, and not run yet, has no data key; a look at records makes none, and says what a run then does."""
    monkeypatch.setenv("SYNCLINE_ACTOR", "tests")
    monkeypatch.chdir(tmp_path)
    settings = repository.write(tmp_path, TEXTS)
    repository.customers(tmp_path, 5)
    assert shell("apply", "--yes")[0] == 0
    shutil.rmtree(settings.keys / "tenants", ignore_errors=True)  # whatever applying sealed
    keys = sorted(settings.keys.rglob("*"))

    assert shell(*command.split())[0] in {0, 1}

    assert sorted(settings.keys.rglob("*")) == keys


def test_a_look_at_an_api_keeps_no_token(tmp_path, monkeypatch):
    """A rehearsal that needs a token gets one, uses it, and leaves neither a state nor a key to seal it with."""
    asked: list[str] = []

    def api(request: Asked) -> Reply:
        asked.append(request.path)
        if request.path == "/token":
            return Reply({"access_token": "t0k3n-of-a-look", "token_type": "bearer", "expires_in": 3600})
        if request.headers.get("authorization") != "Bearer t0k3n-of-a-look":
            return Reply({}, status=401)
        return Reply({"data": [{"id": 1, "title": "good"}], "next": None})

    with api_server(api) as server:
        for name, value in {"SECRET": "s", "SYNCLINE_ACTOR": "tests"}.items():
            monkeypatch.setenv(name, value)
        monkeypatch.chdir(tmp_path)
        auth = "{type: oauth2, grant: client_credentials, clientId: app, clientSecret: {secretRef: {provider: env, key: SECRET}}}"
        texts = helpdesk(server.url, auth=auth)
        texts["connector.yaml"] = texts["connector.yaml"].replace(
            "auth: [none, bearer, basic, api_key]",
            'auth: [{type: oauth2, tokenUrl: "{{ config.url }}/token"}]',
        )
        settings = repository.write(tmp_path, texts)
        code, said = shell("rehearse", "acme/Sync/tickets")

    assert code == 0, said
    assert {"/token", "/tickets"} <= set(asked)
    assert not settings.home.exists()


def test_a_ring_for_looking_makes_nothing_and_stays_the_same(tmp_path: Path):
    """Its made-up keys hold as long as it does; what a real ring sealed it opens; and damage it tells as that does."""
    folder = tmp_path / "keys"
    look = KeyRing.look(folder)

    assert look.tenant_hash_key("acme") == look.tenant_hash_key("acme") != look.tenant_hash_key("beta")
    assert look.tenant_hash_key("acme") != KeyRing.look(folder).tenant_hash_key("acme")
    assert look.unseal("acme", look.seal("acme", b"plain", "p"), "p") == b"plain"
    assert look.envelope("acme", "part").open(look.envelope("acme", "part").seal(b"x", "p"), "p") == b"x"
    assert not look.exists("acme")
    assert not folder.exists()

    ring = KeyRing.open(folder)
    blob = ring.seal("acme", b"plain", "p")
    part = ring.envelope("acme", "run").seal(b"part", "p")
    before = sorted(folder.rglob("*"))
    look = KeyRing.look(folder)

    assert look.unseal("acme", blob, "p") == b"plain"
    assert look.envelope("acme", "run").open(part, "p") == b"part"
    assert look.tenant_hash_key("acme") == ring.tenant_hash_key("acme")
    look.envelope("acme", "another").seal(b"x", "p")
    look.seal("beta", b"x", "p")
    assert sorted(folder.rglob("*")) == before
