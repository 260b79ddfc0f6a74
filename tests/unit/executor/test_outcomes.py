"""Outcomes side by side: what makes two of them the same, others, or not comparable."""

from __future__ import annotations

from dataclasses import replace

import pytest
from msgspec import structs

from syncline.executor.previews.outcomes import RunOutcome, side_by_side
from syncline.executor.previews.quality import Quality
from syncline.model.run import Counts

ONE = RunOutcome(
    "20261125T181500-1f2e3d",
    "acme/Import/customers",
    "staging",
    "SucceededWithRejects",
    Counts(read=10, written=8, rejected=2, inserted=8),
    10,
    {"email: format": 2},
    seconds=1.0,
    rows=8,
    files={"a.csv": "aa", "b.csv": "bb"},
    read_digest="dd",
    sums={"balance": "1.50"},
    manifests={"acme/Import/customers": "m1", "Connector/file@1.0.0": "c1"},
)
REHEARSED = replace(ONE, name="rehearsal", state="", quality={"email": Quality("email", 0.8, 0.9)})


@pytest.mark.parametrize(
    "other",
    [
        replace(ONE, name="x", environment="production", seconds=99.0, rows=100),
        replace(ONE, counts=structs.replace(ONE.counts, inserted=1, updated=2, unchanged=5)),
        replace(ONE, files={"2026/a.csv": "aa", "2026/b.csv": "bb"}),
        replace(ONE, sums={"balance": "1.5"}),
        replace(ONE, manifests={"acme/Import/customers": "m2"}),
        REHEARSED,
    ],
    ids=["where and how long", "what was there", "names of files", "scale of a sum", "manifests", "a rehearsal"],
)
def test_what_makes_no_difference(other):
    """The same data that led to the same is the same outcome, wherever, however fast and into whatever table."""
    found = side_by_side(ONE, other)

    assert found.comparable
    assert found.equal


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (ONE, replace(ONE, counts=structs.replace(ONE.counts, written=7, rejected=3))),
        (ONE, replace(ONE, rules={"email: required": 2})),
        (ONE, replace(ONE, sums={"balance": "1.51"})),
        (REHEARSED, replace(REHEARSED, quality={"email": Quality("email", 0.7, 0.9)})),
        (REHEARSED, replace(REHEARSED, error="SYN701 too many are rejected")),
    ],
    ids=["counts", "rules", "sums", "quality", "a guard"],
)
def test_what_makes_a_difference(one, other):
    """Other counts, rules, sums or quality, and a guard that would refuse one of them, are another outcome."""
    found = side_by_side(one, other)

    assert found.comparable
    assert not found.equal


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"files": {"a.csv": "aa"}}, "files have other digests"),
        ({"files": {}, "read_digest": "de"}, "it has other digests"),
        ({"seen": 1_000}, "looked at a sample: 10 of 1,000"),
        ({"onwards": True}, "read on from where the run before it ended"),
        ({"state": "Failed", "error": "SYN701 many"}, "failed: SYN701 many"),
        ({"state": "Interrupted"}, "has not ended"),
        ({"object": "acme/Import/people"}, "different flows"),
    ],
)
def test_what_can_t_be_compared(change, reason):
    """Outcomes of other data, of a part of it, of another flow and of a run that didn't end are put beside each other with the reason."""
    found = side_by_side(ONE, replace(ONE, **change))

    assert not found.comparable
    assert any(reason in text for text in found.reservations)


def test_versions_of_a_connector_are_one_manifest_that_differs():
    """Fields are told where both documents are at hand, and only those that differ."""
    one = replace(
        ONE,
        manifests={"acme/Mapping/m": "1", "Connector/file@1.0.0": "c1"},
        documents={"acme/Mapping/m": '{"spec": {"key": ["id"], "fields": [{"to": "zip", "required": true}]}}'},
    )
    other = replace(
        ONE,
        manifests={"acme/Mapping/m": "2", "Connector/file@1.1.0": "c2"},
        documents={"acme/Mapping/m": '{"spec": {"key": ["id"], "fields": [{"to": "zip"}]}}'},
    )
    connector, mapping = side_by_side(one, other).manifests

    assert (connector.one, connector.other) == ("Connector/file@1.0.0", "Connector/file@1.1.0")
    assert [(change.path, change.before, change.after) for change in mapping.fields] == [
        ("spec.fields[zip].required", "true", "")
    ]


def test_what_is_not_known_is_said():
    """A run without digests, and one of an earlier version, are compared in what they have, and what is missing is named."""
    found = side_by_side(ONE, replace(ONE, files={}, read_digest="", manifests={}, sums={}))

    assert found.comparable
    assert [text.partition(":")[0] for text in found.unknown] == [
        "whether they read the same",
        "the sums of balance",
        "what they ran under",
    ]
    assert side_by_side(ONE, REHEARSED).unknown == ("quality by field: only rehearsals measure it",)
