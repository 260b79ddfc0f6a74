"""Outcomes side by side, for the views: of one import in two environments, and of two that can't be compared."""

from __future__ import annotations

import json
from dataclasses import replace

from syncline.executor.previews.outcomes import RunOutcome, side_by_side
from syncline.executor.previews.quality import Quality
from syncline.model.run import Counts


def _mapping(check: str) -> str:
    fields = [{"to": "email", "check": {"format": check}}]
    return json.dumps({"metadata": {"name": "customer", "tenant": "acme"}, "spec": {"key": ["id"], "fields": fields}})


STAGING = RunOutcome(
    name="20261125T181500-1f2e3d",
    object="acme/Import/customers",
    environment="staging",
    state="SucceededWithRejects",
    counts=Counts(read=100_000, written=98_900, rejected=1_088, skipped=12, inserted=98_000, updated=900),
    seen=100_000,
    rules={"email: format": 912, "since: type": 90, "parse": 86},
    started="2026-11-25T18:15:00Z",
    seconds=12.4,
    rows=1_203_456,
    files={"customers.csv": "5b" * 32},
    read_digest="3f" * 32,
    sums={"balance": "1204.50"},
    manifests={"acme/Import/customers": "aa", "acme/Mapping/customer": "bb", "Connector/file@1.1.0": "cc"},
    documents={"acme/Mapping/customer": _mapping("email")},
)
PRODUCTION = replace(
    STAGING,
    name="20261126T090000-a1b2c3",
    environment="production",
    counts=Counts(
        read=100_000, written=99_800, rejected=188, skipped=12, inserted=2_000, updated=800, unchanged=97_000
    ),
    rules={"since: type": 90, "parse": 86, "email: required": 12},
    seconds=75.0,
    rows=1_300_000,
    sums={"balance": "1205"},
    manifests={"acme/Import/customers": "aa", "acme/Mapping/customer": "bd", "Connector/file@1.0.0": "c0"},
    documents={"acme/Mapping/customer": _mapping("hostname")},
)
DIFFERENT = side_by_side(STAGING, PRODUCTION)
SAME = side_by_side(STAGING, replace(STAGING, name="20261126T090000-a1b2c4", environment="production", seconds=11.0))

_SAMPLE = RunOutcome(
    name="rehearsal",
    object="acme/Import/customers",
    environment="staging",
    state="",
    counts=Counts(read=1_000, written=990, rejected=10),
    seen=100_000,
    rules={"email: format": 10},
    seconds=0.8,
    files={"customers\x1b[31m.csv": "5b" * 32},
    manifests={"acme/Import/customers": "aa" * 32},
    quality={
        "email": Quality("email", 0.98, 0.99, 0.9, 0.97, "aaa@aaa.aa"),
        "fax": Quality("fax", 0.5, 1.0),
    },
)
_REFUSED = replace(
    _SAMPLE,
    environment="production",
    seen=1_000,
    error="SYN701 10 of 1,000 records are rejected, more than maxRejects 0.5% allows",
    files={"customers.csv": "6c" * 32, "more.csv": "7d" * 32},
    manifests={"acme/Import/customers": "ab" * 32, "acme/AuthConfig/sftp": "ac" * 32},
    quality={"email": Quality("email", 0.97, 0.99, 0.9, 0.97, "aaa@aaa.aa")},
)
APART = side_by_side(_SAMPLE, _REFUSED)
FAILED = side_by_side(
    replace(
        STAGING,
        state="Failed",
        error="SYN701 2 of 3 records are rejected, more than maxRejects 50% allows",
        counts=Counts(),
        seen=0,
        rows=None,
        seconds=None,
        files={},
        read_digest="",
        sums={},
        manifests={},
    ),
    PRODUCTION,
)
