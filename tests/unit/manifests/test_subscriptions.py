"""Findings about subscriptions: filters, texts and integrations that don't fit, each with its place and a suggestion."""

from __future__ import annotations

import pytest

from syncline import workflow
from tests import repository

BASE = """\
apiVersion: syncline/v1
kind: Integration
metadata: {name: chat, tenant: acme}
spec: {connector: slack@^1, region: eu-west}
---
apiVersion: syncline/v1
kind: Integration
metadata: {name: mail, tenant: acme}
spec: {connector: smtp@^1, region: eu-west, config: {host: mail.example.com, from: a@example.com}}
---
"""


def findings(root, spec: str) -> list[tuple[str, str, str]]:
    text = (
        f"{BASE}apiVersion: syncline/v1\nkind: Subscription\nmetadata: {{name: ops, tenant: acme}}\nspec: {{{spec}}}\n"
    )
    settings = repository.write(root, {**repository.CUSTOMERS, "ops.yaml": text})
    found = workflow.validate(settings, mapping_tests=False).diagnostics
    return [
        (d.code, d.message, d.suggestion)
        for d in found
        if d.severity == "error" and d.subject == "acme/Subscription/ops"
    ]


@pytest.mark.parametrize(
    ("spec", "code", "words", "suggestion"),
    [
        ("on: [incident], filter: event.cod == '', do: {notify: {integration: chat}}", "SYN730", "names", "event.code"),
        (
            "on: [incident, apply.finish], filter: event.code == '', do: {notify: {integration: chat}}",
            "SYN730",
            "names",
            "",
        ),
        ("on: [incident], filter: event.code, do: {notify: {integration: chat}}", "SYN730", "true or false", ""),
        ("on: [incident], do: {notify: {integration: crm}}", "SYN731", "file can't carry messages", ""),
        (
            "on: [incident], do: {notify: {integration: chat, message: '{{ event.objct }}'}}",
            "SYN732",
            "incident",
            "event.object",
        ),
        ("on: [incident], do: {notify: {integration: chat, title: '{% for a in b %}'}}", "SYN732", "the title", ""),
        ("on: [incident], repeatEvery: 5s, do: {notify: {integration: chat}}", "SYN205", "reminders", ""),
        ("on: [incident], objects: [sync/a], do: {notify: {integration: chat}}", "SYN205", "objects", ""),
        ("on: [incident], do: {run: [Sync/a]}", "SYN201", "run", ""),
    ],
)
def test_what_does_not_fit_is_told(tmp_path, spec, code, words, suggestion):
    """Each is one finding that names what is wrong."""
    found = findings(tmp_path, spec)
    assert [f[0] for f in found][:1] == [code], found
    assert words in found[0][1]
    assert suggestion in (found[0][2] or "")


@pytest.mark.parametrize(
    "spec",
    [
        "on: [incident], do: {notify: {integration: chat, channel: '#ops', message: '{{ text }} {{ event.since }}'}}",
        "on: [incident, run.finish], filter: 'event.severity == \"error\"', do: {notify: {integration: mail, channel: a@b.c}}",
        "on: [incident], repeatEvery: null, do: {notify: {integration: chat}}",
        "on: [run.finish], objects: ['*/crm', Sync/a-*], limit: 5/min, do: {notify: {integration: chat}}",
    ],
)
def test_what_fits_is_no_finding(tmp_path, spec):
    """Valid subscriptions have none."""
    assert findings(tmp_path, spec) == []


def test_mail_takes_no_records(tmp_path):
    """A flow into a mail server is a finding: it carries messages of subscriptions only."""
    text = f"""{BASE}apiVersion: syncline/v1
kind: Import
metadata: {{name: by-mail, tenant: acme}}
spec: {{from: crm/customers, mapping: customer, to: mail/customers, write: append}}
"""
    settings = repository.write(tmp_path, {**repository.CUSTOMERS, "flow.yaml": text})
    found = workflow.validate(settings, mapping_tests=False).diagnostics
    assert "SYN234" in {d.code for d in found if d.subject == "acme/Import/by-mail"}
