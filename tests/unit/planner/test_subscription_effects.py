"""What plans say of subscriptions: hosts that are told of things from then on, once, with who tells them."""

from __future__ import annotations

import pytest

from syncline.manifests.load import from_document
from syncline.manifests.resolve import resolve
from syncline.planner.compiled import compile_flows
from syncline.planner.make import changes_of
from tests.repository import CUSTOMERS, desired
from tests.unit.planner.states import applied

HOOK = """\
apiVersion: syncline/v1
kind: Subscription
metadata: {name: ops, tenant: acme}
spec: {on: [incident], do: {webhook: {url: "https://hooks.example.com/a", secret: {secretRef: {provider: env, key: K}}}}}
"""
CHAT = """\
apiVersion: syncline/v1
kind: AuthConfig
metadata: {name: chat, tenant: acme}
spec: {type: bearer, token: {secretRef: {provider: env, key: T}}}
---
apiVersion: syncline/v1
kind: Integration
metadata: {name: chat, tenant: acme}
spec: {connector: slack@^1, region: eu-west, auth: chat}
---
apiVersion: syncline/v1
kind: Integration
metadata: {name: mail, tenant: acme}
spec: {connector: smtp@^1, region: eu-west, config: {host: mail.example.com, from: a@example.com}}
---
apiVersion: syncline/v1
kind: Subscription
metadata: {name: chat, tenant: acme}
spec: {on: [incident], do: {notify: {integration: chat}}}
---
apiVersion: syncline/v1
kind: Subscription
metadata: {name: mail, tenant: acme}
spec: {on: [incident], do: {notify: {integration: mail}}}
"""
END = "told of what happens, not of data"


def contacted(before: dict[str, str], after: dict[str, str]) -> list[str]:
    """What a plan says of hosts, each with the change that it hangs on."""
    state = applied({**CUSTOMERS, **before})
    former = resolve([from_document(o.document) for o in state.objects.values()]).desired
    wanted = desired({**CUSTOMERS, **after})
    changes = changes_of(wanted, state, compile_flows(former), compile_flows(wanted), former)
    return [f"{c.key}: {e.message}" for c in changes for e in c.effects if e.kind == "host-contacted"]


def test_new_subscriptions_name_their_hosts():
    """A webhook's host, an API's and a mail server's are each told of once, at the change that brings them."""
    assert contacted({}, {"hook.yaml": HOOK, "chat.yaml": CHAT}) == [
        f"acme/Subscription/chat: slack.com is newly contacted, by Subscription/chat: {END}",
        f"acme/Subscription/mail: mail.example.com is newly contacted, by Subscription/mail: {END}",
        f"acme/Subscription/ops: hooks.example.com is newly contacted, by Subscription/ops: {END}",
    ]


@pytest.mark.parametrize(
    ("file", "old", "new", "told"),
    [
        ("hook.yaml", "on: [incident]", "on: [run.finish]", []),
        ("hook.yaml", "hooks.example.com", "elsewhere.example", ["acme/Subscription/ops: elsewhere.example"]),
        ("chat.yaml", "mail.example.com", "post.example", ["acme/Integration/mail: post.example"]),
    ],
)
def test_a_change_names_what_is_new(file, old, new, told):
    """A host that was contacted before isn't told of; another one is, at the object that was changed."""
    before = {"hook.yaml": HOOK, "chat.yaml": CHAT}
    found = contacted(before, {**before, file: before[file].replace(old, new)})
    assert [text.partition(" is newly")[0] for text in found] == told
