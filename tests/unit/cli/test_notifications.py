"""Tests of `syncline notifications`: what a person and a script see of messages, and a test that is really sent."""

from __future__ import annotations

import json
from contextlib import closing
from dataclasses import replace

import pytest

from syncline import workflow
from syncline.model.key import ObjectKey
from syncline.model.notice import NOTICES, Phase
from syncline.model.outbox import Message
from syncline.model.secret import Secret
from syncline.sdk.standard_webhooks import signed
from syncline.state.open import open_store
from tests import repository
from tests.api_server import Reply, api_server

OPS = ObjectKey("acme", "Subscription", "ops")
KEY = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
AT = "2026-11-26T02:00:00.000000Z"
FIRST = Message("m1", OPS, Phase.open, NOTICES["incident"], AT, AT, thread="t1")


def house(root, url: str = "https://hooks.example.com"):
    hook = f"""\
apiVersion: syncline/v1
kind: Subscription
metadata: {{name: ops, tenant: acme}}
spec: {{on: [incident], do: {{webhook: {{url: "{url}/a", secret: {{secretRef: {{provider: env, key: HOOK_SECRET}}}}}}}}}}
"""
    tenant = "apiVersion: syncline/v1\nkind: Tenant\nmetadata: {name: acme}\nspec: {egress: {private: [127.0.0.1]}}\n"
    return repository.write(root, {**repository.CUSTOMERS, "tenant.yaml": tenant, "ops.yaml": hook})


def test_what_a_person_and_a_script_see(tmp_path, shell):
    """Each message with how it stands and why; `--state` narrows, a name that isn't there is told."""
    settings = house(tmp_path)
    workflow.apply(settings)
    at = ("--root", str(tmp_path), "notifications")
    assert shell(*at).out == "No subscription has told anything yet.\n"
    with closing(open_store(settings.state_url)) as store:
        box = store.outbox()
        box.advance(OPS, "p", [FIRST, replace(FIRST, id="m2", phase=Phase.resolve)])
        box.claim("m1", AT)
        box.failed("m1", "the receiver answers 500", "SYN734", "2026-11-26T02:00:09.000000Z")

    text, data, narrow = shell(*at, "ops"), shell(*at, "-o", "json"), shell(*at, "--state", "sent")
    assert text.out == (
        "MADE (UTC)           SUBSCRIPTION           MESSAGE                                             STATE    "
        "TRIES  NEXT TRY  PROBLEM\n"
        "2026-11-26 02:00:00  acme/Subscription/ops  acme/Integration/crm: credentials refused (SYN401)  Pending  "
        "    1  02:00:09  [SYN734] the receiver answers 500\n"
        "2026-11-26 02:00:00  acme/Subscription/ops  Resolved: acme/Integration/crm is well again        Pending  "
        "    0\n"
        "\n"
        "2 pending.\n"
    )
    first, _ = (json.loads(line) for line in data.out.splitlines())
    assert (first["subscription"], first["attempts"], first["code"], first["thread"]) == (str(OPS), 1, "SYN734", "t1")
    assert narrow.out == "No subscription has told anything yet.\n"
    assert "there is no Subscription 'opps'" in shell(*at, "opps").err


def test_a_test_message_is_sent_as_others_are(tmp_path, shell, monkeypatch):
    """--test sends one signed message by what is declared, and the audit log tells of it; a failure is an error."""
    monkeypatch.setenv("HOOK_SECRET", KEY)
    with api_server(lambda asked: Reply({}, 200 if json.loads(asked.body)["type"] == "test" else 400)) as server:
        settings = house(tmp_path, server.url)
        found = shell("--root", str(tmp_path), "notifications", "ops", "--test")
        (asked,) = server.asked
    assert (found.code, found.out) == (0, f"A test message of acme/Subscription/ops was sent to {server.url}/a.\n")
    headers = asked.headers
    known = signed(headers["webhook-id"], int(headers["webhook-timestamp"]), asked.body, [Secret(KEY)])
    assert headers["webhook-signature"] == known["webhook-signature"]
    log = shell("--root", str(tmp_path), "audit", "show").out
    assert "notification.send" in log
    assert KEY not in log

    gone = shell("--root", str(tmp_path), "notifications", "ops", "--test")
    assert (gone.code, "SYN734" in gone.err) == (5, True)
    assert settings.audit.is_dir()


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [(("--test",), 2, "--test needs"), (("nobody", "--test"), 1, "there is no Subscription")],
)
def test_what_cannot_be_tested(tmp_path, shell, arguments, code, words):
    """A test needs a subscription that is declared."""
    house(tmp_path)
    found = shell("--root", str(tmp_path), "notifications", *arguments)
    assert (found.code, words in found.err) == (code, True)


def test_what_is_out_of_bounds_is_not_contacted(tmp_path, shell, monkeypatch):
    """A webhook at a private address that the tenant may not reach is denied, in a test as in all messages."""
    monkeypatch.setenv("HOOK_SECRET", KEY)
    with api_server(lambda _: Reply({})) as server:
        house(tmp_path, server.url)
        (tmp_path / "tenant.yaml").write_text(
            "apiVersion: syncline/v1\nkind: Tenant\nmetadata: {name: acme}\nspec: {}\n"
        )
        found = shell("--root", str(tmp_path), "notifications", "ops", "--test")
    assert (found.code, "SYN460" in found.err, server.asked) == (3, True, [])
