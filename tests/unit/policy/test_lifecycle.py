"""Deprecated connectors: who uses them is told how many days are left, and refused after the end if so declared."""

from __future__ import annotations

import datetime as dt

import pytest

from syncline.model.diagnostic import Severity
from syncline.policy.rule import Subjects
from syncline.policy.rules.lifecycle import check
from tests.repository import desired

TEXT = """\
apiVersion: syncline/v1
kind: Tenant
metadata: {name: acme}
spec: {title: Acme}
---
apiVersion: syncline/v1
kind: Connector
metadata: {name: helpdesk}
spec:
  version: 1.3.0
  http: {url: 'https://api.example.com'}
  deprecated: {DEPRECATED}
---
apiVersion: syncline/v1
kind: Connector
metadata: {name: helpdesk}
spec: {version: 2.0.0, http: {url: 'https://api.example.com'}}
---
apiVersion: syncline/v1
kind: Integration
metadata: {name: old, tenant: acme}
spec: {connector: helpdesk@^1}
---
apiVersion: syncline/v1
kind: Integration
metadata: {name: new, tenant: acme}
spec: {connector: helpdesk@^2}
"""
FULL = "date: 2026-03-01, sunset: 2026-06-30, reason: API v1 ends, replacedBy: helpdesk@^2"


def found(deprecated: str, today: str) -> list[tuple[str, Severity]]:
    subjects = Subjects(
        desired({"a.yaml": TEXT.replace("DEPRECATED", deprecated)}), {}, (), dt.date.fromisoformat(today)
    )
    return [(v.message, v.severity) for v in check(subjects)]


@pytest.mark.parametrize(
    ("today", "said"),
    [
        ("2026-02-28", None),
        ("2026-03-01", "deprecated since 2026-03-01 and ends on 2026-06-30, in 121 days"),
        ("2026-06-29", "deprecated since 2026-03-01 and ends on 2026-06-30, in 1 day"),
        ("2026-06-30", "deprecated since 2026-03-01 and ends on 2026-06-30, today"),
        ("2026-07-02", "deprecated since 2026-03-01 and ended on 2026-06-30, 2 days ago"),
    ],
)
def test_days_are_counted(today, said):
    """From its date on, to its last day and past it; only who uses that version is told."""
    expected = [(f"Connector/helpdesk@1.3.0 is {said}: API v1 ends", Severity.warning)] if said else []

    assert found(FULL, today) == expected


def test_without_an_end():
    """A deprecation needs no date of an end."""
    assert found("date: 2026-03-01, reason: use v2", "2026-04-01") == [
        ("Connector/helpdesk@1.3.0 is deprecated since 2026-03-01: use v2", Severity.warning)
    ]


def test_refused_after_the_end_only_if_declared():
    """The last day still counts; the day after is an error where the connector says so."""
    assert [s for _, s in found(f"{FULL}, refuse: true", "2026-06-30")] == [Severity.warning]
    assert [s for _, s in found(f"{FULL}, refuse: true", "2026-07-01")] == [Severity.error]
