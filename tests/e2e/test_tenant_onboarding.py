"""A tenant before it runs: what it lacks is told from what is there, and a certificate says that all was rehearsed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

import syncline.audit.offline_verifier
from syncline import workflow
from syncline.audit.log_signer import log_verifier
from syncline.cli.main import cli
from syncline.model.errors import Invalid
from syncline.reconciler.doctor import Finding
from syncline.tenancy.certificate import certificate_path, certified_digest
from syncline.tenancy.certification import certify
from syncline.tenancy.checklist import checklist
from tests.e2e import house
from tests.flips import flips, refusal

VERIFIER = Path(syncline.audit.offline_verifier.__file__)
SCENARIO = house.Scenario("upsert")
READY = house.TENANT.replace(
    "spec: {",
    "spec: {owner: Ada, regions: [eu-*], policies: [gdpr-lite], "
    "quotas: {requests: 600/min, concurrentRuns: 2, rowsPerDay: 1000, spool: 1Gi}, ",
)
POLICY = """\
apiVersion: syncline/v1
kind: Policy
metadata: {name: gdpr-lite}
spec:
  rules:
  - {name: titled, on: manifest, kinds: [Import], deny: "false", message: nothing is denied}
"""


def declared(root, tenant=READY, **changes):
    """A house with a tenant that lacks nothing, and a few customers; texts may be changed."""
    regions = {
        name: text.replace("spec:\n  connector", "spec:\n  region: eu-west\n  connector")
        for name, text in SCENARIO.texts.items()
    }
    texts = regions | {"tenant.yaml": tenant, "policy.yaml": POLICY} | changes
    settings = house.build(root, texts)
    house.customers(root, 20)
    return settings


def looked(settings, **how):
    """What the checklist finds, by name; the first of each."""
    found: dict[str, Finding] = {}
    for finding in checklist(settings, workflow.validate(settings), "acme", **how):
        found.setdefault(finding.name, finding)
    return found


def verified(path, settings):
    """What the script that needs nothing of Syncline says of a file, and its exit status."""
    command = [sys.executable, "-I", str(VERIFIER), str(path), "--key", str(log_verifier(settings))]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def test_nothing_is_missing_of_a_tenant_that_has_all(tmp_path):
    """Each line is done, or advice; what was only declared so far is told as that."""
    found = looked(declared(tmp_path))
    assert {name for name, one in found.items() if one.ok is False} == set()
    assert found["applied"].ok is None
    assert found["key"].ok is None
    assert found["systems"].ok is True


@pytest.mark.parametrize(
    ("name", "tenant", "changes"),
    [
        ("owner", READY.replace("owner: Ada, ", ""), {}),
        ("residency", READY.replace("regions: [eu-*], ", ""), {}),
        ("quotas", READY.replace("concurrentRuns: 2, ", ""), {}),
        ("policies", READY.replace("policies: [gdpr-lite], ", ""), {"policy.yaml": "# none\n"}),
        ("manifests", READY, {"mapping.yaml": house.MAPPING.replace("type: date", "type: dates")}),
        (
            "secrets",
            READY,
            {
                "more.yaml": "apiVersion: syncline/v1\nkind: AuthConfig\nmetadata: {name: a, tenant: acme}\n"
                "spec: {type: bearer, token: {secretRef: {provider: env, key: NOT_THERE}}}\n"
            },
        ),
        (
            "systems",
            READY,
            {
                "more.yaml": "apiVersion: syncline/v1\nkind: Integration\nmetadata: {name: away, tenant: acme}\n"
                "spec: {connector: file@^1, region: eu-west, config: {root: nowhere}}\n"
            },
        ),
    ],
)
def test_what_is_missing_is_named_with_what_to_do(tmp_path, name, tenant, changes):
    """One line says what is missing, and how to get it done; the certificate is refused."""
    settings = declared(tmp_path, tenant, **changes)
    found = looked(settings)
    assert found[name].ok is False
    assert found[name].help
    if name != "manifests":
        assert not certify(settings, "acme", lambda _: None).ok


def test_a_place_of_another_tenant_is_told_without_the_other(tmp_path):
    """A shared place is missing isolation, and the other tenant isn't named to this one."""
    others = "---\n".join(
        text.replace("acme", "rivalco") for name, text in declared_texts().items() if name != "policy.yaml"
    )
    settings = declared(tmp_path, **{"other.yaml": others})
    found = looked(settings, connect=False)["isolation"]
    assert found.ok is False
    assert "rivalco" not in found.message + found.help


def declared_texts():
    """The manifests of a house, as they are written."""
    return SCENARIO.texts | {"tenant.yaml": READY}


def test_a_certificate_is_for_what_is_declared(tmp_path):
    """It is signed, noted in the log, verified by the script alone, holds no values, and ends with the next change."""
    settings = declared(tmp_path)
    done = certify(settings, "acme", lambda _: None)
    assert done.ok
    assert house.rows(tmp_path, SCENARIO) is None, "a rehearsal writes nothing"
    path = certificate_path(settings, "acme")
    assert path.read_bytes() == done.bundle
    code, said = verified(path, settings)
    assert (code, "tenant-certification" in said) == (0, True), said
    (told,) = [e for e in house.audit_events(settings) if e.get("metadata", {}).get("event_code") == "tenant.certify"]
    assert told["metadata"]["tenant_uid"] == "acme"
    assert told["unmapped"]["details"]["flows"] == 1
    assert looked(settings)["certificate"].ok is True
    assert looked(settings)["key"].ok is True
    mapping = tmp_path / "mapping.yaml"
    mapping.write_text(mapping.read_text().replace("{to: name, from: name}", "{to: name, from: upper(name)}"))
    assert looked(settings)["certificate"].ok is None
    assert "changed since" in looked(settings)["certificate"].message


def test_every_flipped_byte_of_a_certificate_is_refused(tmp_path):
    """Neither the script nor the checklist takes a certificate that isn't as it was signed."""
    settings = declared(tmp_path)
    certify(settings, "acme", lambda _: None)
    path = certificate_path(settings, "acme")
    data = path.read_bytes()
    assert certified_digest(settings, "acme")
    for at, changed in flips(data, 3):
        path.write_bytes(changed)
        refusal(path, "--key", log_verifier(settings))
        assert certified_digest(settings, "acme") is None, f"byte {at}"
    statement = json.loads(data)
    statement["dsseEnvelope"]["payload"] = statement["dsseEnvelope"]["payload"].replace("A", "B", 1)
    path.write_text(json.dumps(statement))
    assert certified_digest(settings, "acme") is None


def test_a_flow_that_a_guard_would_stop_is_refused(tmp_path):
    """The rehearsal's guards count: the certificate says refused, with the code and no message of the data."""
    sync = SCENARIO.texts["sync.yaml"].replace("read: full", "read: full, guards: {maxRejects: 1%}")
    settings = declared(tmp_path, **{"sync.yaml": sync})
    done = certify(settings, "acme", lambda _: None)
    assert not done.ok
    assert [tried.problem.split()[0] for tried in done.flows] == ["SYN701"]
    assert certified_digest(settings, "acme") is None
    assert verified(certificate_path(settings, "acme"), settings)[0] == 0


def test_the_commands(tmp_path):
    """`scaffold` writes what validates, `onboard` ends with 1 while something is missing, `certify` with 0 when ready."""
    settings = declared(tmp_path)
    runner = CliRunner()

    def run(*words):
        return runner.invoke(cli, ["--root", str(tmp_path), "tenant", *words])

    file = tmp_path / "new.yaml"
    assert run("scaffold", "globex", "--owner", 'Bob: the "builder"', "--out", str(file)).exit_code == 0
    assert run("scaffold", "globex", "--owner", "Bob", "--out", str(file)).exit_code == 2
    assert workflow.validate(settings).ok
    assert run("scaffold", "Not_a_name", "--owner", "Bob").exit_code == 1
    assert run("onboard", "globex").exit_code == 0
    refused = run("certify", "globex")
    assert (refused.exit_code, "no flow" in refused.output) == (1, True)
    certified = run("certify", "acme", "--out", str(tmp_path / "acme.sigstore.json"))
    assert (certified.exit_code, "Certified" in certified.output) == (0, True)
    assert verified(tmp_path / "acme.sigstore.json", settings)[0] == 0
    with pytest.raises(Invalid, match="did you mean acme"):
        certify(settings, "acm", lambda _: None)
    assert json.loads(run("onboard", "acme", "-o", "json").stdout)[0]["ok"] is True
