"""Which secrets a tenant's manifests may refer to, and that the reference is found wherever it stands."""

from __future__ import annotations

import json

import pytest

from syncline.kinds import KIND_BY_NAME
from syncline.kinds.secret_refs import HOLDING, secret_refs
from syncline.policy.rules.secret_places import is_among
from tests.repository import CUSTOMERS, desired, edited
from tests.unit.policy.decisions import decide, denied

AUTH = """\
apiVersion: syncline/v1
kind: AuthConfig
metadata: {name: crm, tenant: TENANT}
spec: {type: basic, username: ada, password: {secretRef: {provider: env, key: KEY}}}
"""
OWN = edited("tenant.yaml", "spec:\n", 'spec:\n  secrets: ["env:ACME_*", "vault:secret/acme/*"]\n')


def referring(key: str, tenant: str = "acme", base: dict[str, str] = OWN) -> dict[str, str]:
    return {**base, "auth.yaml": AUTH.replace("KEY", key).replace("TENANT", tenant)}


@pytest.mark.parametrize(
    ("texts", "rules"),
    [
        (referring("ACME_TOKEN"), []),
        (referring("GLOBEX_TOKEN"), ["secret-places"]),
        (referring("GLOBEX_TOKEN", base=CUSTOMERS), []),  # nothing is said
        (referring("GLOBEX_TOKEN", "globex"), []),  # another tenant, which says nothing
    ],
)
def test_a_tenant_refers_to_its_own_secrets(texts, rules):
    """Where it says which these are; what it says binds nobody else."""
    texts["globex.yaml"] = "apiVersion: syncline/v1\nkind: Tenant\nmetadata: {name: globex}\nspec: {}\n"

    assert denied(texts) == rules


@pytest.mark.parametrize(("key", "rules"), [("ACME_HOOK", []), ("GLOBEX_HOOK", ["secret-places"])])
def test_a_webhook_is_proved_by_the_tenants_own_secret(key, rules):
    """Who could have another tenant's count for its schedule could try out what that one is."""
    texts = dict(OWN)
    texts["schedule.yaml"] = (
        "apiVersion: syncline/v1\nkind: Schedule\nmetadata: {name: changed, tenant: acme}\n"
        f"spec: {{on: {{webhook: {{secret: {{secretRef: {{provider: env, key: {key}}}}}}}}}, run: [Import/customers]}}\n"
    )

    assert denied(texts) == rules


@pytest.mark.parametrize(
    ("key", "rules"),
    [
        ("crm.token", []),
        ("secrets/acme.sops.yaml", []),
        ("secrets/common.sops.yaml", []),
        ("secrets.sops.yaml", []),
        ("secrets/globex.sops.yaml", ["secret-places"]),
        ("secrets/../secrets/./globex.sops.json", ["secret-places"]),
    ],
)
def test_a_sops_file_of_another_tenant_is_never_referred_to(key, rules):
    """Whatever the tenant says of its secrets, or doesn't."""
    texts = referring("ACME_TOKEN", base=CUSTOMERS)
    texts["auth.yaml"] = texts["auth.yaml"].replace(
        "{provider: env, key: ACME_TOKEN}", f"{{provider: sops, key: {key}, path: a}}"
    )
    texts["globex.yaml"] = "apiVersion: syncline/v1\nkind: Tenant\nmetadata: {name: globex}\nspec: {}\n"

    assert denied(texts) == rules


SHARED = """\
apiVersion: syncline/v1
kind: AuthConfig
metadata: {name: common}
spec: {type: basic, username: robot, password: {secretRef: {provider: env, key: COMMON_TOKEN}}}
---
apiVersion: syncline/v1
kind: Integration
metadata: {name: mail, OWNER}
spec: {connector: smtp@^1, auth: common, config: {host: mail.example.com, from: a@example.com}}
"""


@pytest.mark.parametrize(
    ("owner", "secrets", "rules"),
    [
        ("tenant: acme", '["env:ACME_*"]', ["secret-places"]),
        ("tenant: acme", '["env:ACME_*", "env:COMMON_*"]', []),
        ("tenant: acme", "[]", []),
        ("labels: {}", '["env:ACME_*"]', []),
    ],
)
def test_a_shared_credential_is_not_sent_where_a_tenant_says(owner, secrets, rules):
    """An integration of the tenant that uses a shared AuthConfig refers to its secrets; a shared one has its host."""
    texts = edited("tenant.yaml", "spec:\n", f"spec:\n  secrets: {secrets}\n")
    texts["shared.yaml"] = SHARED.replace("OWNER", owner)

    assert denied(texts) == rules


def test_the_finding_stands_at_the_reference(tmp_path):
    """It names the secret and both places, and never a value."""
    (found,) = [r for r in decide(referring("GLOBEX_TOKEN")) if not r.allowed]

    assert found.object == "acme/AuthConfig/crm"
    assert found.diagnostic.code == "SYN854"
    assert "env:GLOBEX_TOKEN, which is no secret of tenant acme" in found.message
    assert (found.diagnostic.place.file, found.diagnostic.place.line) == ("auth.yaml", 4)
    assert found.diagnostic.related[0].place.file == "tenant.yaml"


@pytest.mark.parametrize(
    ("provider", "key", "good"),
    [
        ("vault", "secret/acme/crm", True),
        ("vault", "secret/acme/deep/crm", True),
        ("vault", "secret/beta/crm", False),
        ("vault", "secret/acme/../beta/crm", False),
        ("vault", "secret/acme/./crm", False),
        ("vault", "secret/acme//crm", False),
        ("vault", "secret/acme", False),
        ("vault-dynamic", "secret/acme/crm", False),
        ("file", "/run/secrets/acme-crm", True),
        ("file", "/run/secrets/acme-../../etc/key", False),
        ("file", "/run/secrets/Acme-crm", False),
        ("file", "../exact", True),
    ],
)
def test_patterns_mean_what_they_say(provider, key, good):
    """A key that leads elsewhere by a way round is no pattern's, and is only allowed as it is written."""
    allowed = ("vault:secret/acme/*", "file:/run/secrets/acme-*", "file:../exact")

    assert is_among(allowed, provider, key) is good


def test_kinds_that_may_refer_to_secrets_are_all_known():
    """Those in whose schema there is a reference are looked through, and no others."""
    found = {kind.name for kind in KIND_BY_NAME.values() if "secretRef" in json.dumps(kind.spec.model_json_schema())}

    assert found == HOLDING


def test_references_are_found_with_their_paths():
    """In AuthConfigs, whose spec is one of several types, in maps of settings, and in lists."""
    integration = """\
apiVersion: syncline/v1
kind: Integration
metadata: {name: mail, tenant: acme}
spec:
  connector: smtp@^1
  proxy: {url: "http://proxy.example:3128", username: u, password: {secretRef: {provider: env, key: ACME_PROXY}}}
  config: {host: mail.example.com, port: 587, from: a@example.com, ca: {secretRef: {provider: env, key: ACME_CA}}}
"""
    declared = desired(referring("ACME_TOKEN"))
    (auth,) = declared.of_kind("AuthConfig")
    from syncline.manifests.load import load_text

    (mail,) = load_text(integration, "mail.yaml").manifests

    assert [path for path, _ in secret_refs(auth.spec)] == [("password",)]
    assert {path for path, _ in secret_refs(mail.spec)} == {("proxy", "password"), ("config", "ca")}
