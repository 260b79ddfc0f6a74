"""Snapshots of the state: the same plan as the state itself gives, nothing of its data, and no trust without a key."""

from __future__ import annotations

import datetime as dt
import json
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from syncline import workflow
from syncline.audit import note
from syncline.audit.signer import FileSigner
from syncline.executor.progress import Silent
from syncline.model.errors import Invalid, Stalled
from syncline.model.key import ObjectKey
from syncline.planner.serialize import dumps
from syncline.reconciler import signed
from syncline.reconciler.snapshot import VERSION, SnapshotState, parse
from tests import repository
from tests.e2e.house import audit_events
from tests.flips import flips
from tests.look import Look, copy_of
from tests.unit.reconciler.test_environments import settings as environment

if TYPE_CHECKING:
    from pathlib import Path

    from syncline.settings import Settings

IMPORT = ObjectKey("acme", "Import", "customers")
RESET = repository.edited("import.yaml", "warehouse/customers", "warehouse/clients")


@pytest.fixture
def home(tmp_path) -> Settings:
    """A repository that is applied and has run once, with two rejects."""
    settings = repository.write(tmp_path / "home", repository.CUSTOMERS)
    repository.customers(settings.root, 9, bad=(3, 4))
    workflow.apply(settings)
    workflow.run(settings, IMPORT, progress=Silent())
    return settings


def exported(settings: Settings) -> tuple[Path, str]:
    """A snapshot of a state, in a file, and the key that verifies it."""
    path = settings.root.parent / "state.snapshot"
    path.write_bytes(workflow.export_snapshot(settings))
    return path, workflow.snapshot_key(settings)


def test_a_plan_against_a_snapshot_is_that_against_the_state(home, tmp_path):
    """Byte for byte, with effects that only the state knows of: a position that is reset, and how much is read again."""
    path, key = exported(home)
    elsewhere = repository.write(tmp_path / "ci", RESET)
    repository.write(home.root, RESET)

    plan = workflow.plan(elsewhere, state=SnapshotState(signed.read_snapshot(path, key)))

    assert dumps(plan) == dumps(workflow.plan(home))
    assert "its last run read 9 records" in dumps(plan)
    assert "warehouse/customers had 7 rows when the last run ended at" in dumps(plan)
    assert not elsewhere.home.exists()


def test_a_plan_against_a_snapshot_can_be_applied(home, tmp_path):
    """It is pinned to the state's lineage and serial: applied where the state is, refused once that has moved."""
    path, key = exported(home)
    elsewhere = repository.write(tmp_path / "ci", RESET)
    plan = workflow.plan(elsewhere, state=SnapshotState(signed.read_snapshot(path, key)))

    workflow.apply(home, plan)

    with pytest.raises(Invalid) as caught:
        workflow.apply(home, plan)
    assert caught.value.code == "SYN641"


def test_nothing_of_the_data_is_in_a_snapshot(home):
    """Names, addresses, places and lines of records, cursors, runs and actors stay where they are."""
    store = Look(home.state_url)
    run = store.runs(IMPORT)[0]
    cursor = copy_of(home, IMPORT)
    text = exported(home)[0].read_text()

    assert cursor is not None
    assert "customers.csv" in cursor
    for canary in ("Name 1", "c1@example", "broken", "customers.csv", cursor[:40], run.id, "tests"):
        assert canary not in text, canary
    flows = json.loads(text.split("\n")[1])["flows"]
    counted = {"runs": 1, "whole": True, "read": 9, "inserted": 7, "deleted": 0, "left": 7, "counted": 7}
    assert flows == {
        str(IMPORT): {
            "counters": {"read": 9, "runs": 1},
            "read": 9,
            "rows": counted | {"ended": store.runs(IMPORT)[0].finished},
        }
    }


def test_taking_a_snapshot_leaves_evidence(home):
    """The log has the key that was made, and each snapshot that was taken."""
    exported(home)
    exported(home)

    actions = [(e["metadata"]["event_code"], e["unmapped"]["details"]) for e in audit_events(home)]
    assert [d["serial"] for a, d in actions if a == "snapshot.export"] == [5, 5]
    assert sum(a == "key.create" and d.get("purpose") == "snapshot" for a, d in actions) == 1


@pytest.mark.parametrize("key", ["", "nonsense", "a+00000000+AAAA"])
def test_a_snapshot_is_not_believed_without_a_key(home, key):
    """No key, or what is none, is SYN318."""
    with pytest.raises(Invalid) as caught:
        signed.read_snapshot(exported(home)[0], key)

    assert caught.value.code == "SYN318"


def test_a_snapshot_by_another_key_is_not_believed(home, tmp_path):
    """Another state's key, also one of the same name, has not signed it."""
    path, key = exported(home)
    other = FileSigner.create(tmp_path / "other.pem", key.partition("+")[0])

    with pytest.raises(Invalid) as caught:
        signed.read_snapshot(path, str(other.verifier))

    assert caught.value.code == "SYN318"


def test_no_byte_of_a_snapshot_can_change(home):
    """A serial, a digest, a signature, a line's end: each byte that is another one is SYN318, with a reason."""
    path, key = exported(home)
    for at, changed in flips(path.read_bytes(), 3):
        path.write_bytes(changed)
        with pytest.raises(Invalid, match="isn't signed by the key that is trusted: .") as caught:
            signed.read_snapshot(path, key)
        assert caught.value.code == "SYN318", at


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (VERSION, "syncline/snapshot/v2"),
        ('"serial":5', '"serial": 5'),
        ('"serial":5', '"serial":5,"zest":2'),
        ('"serial":5', '"serial":"5"'),
        ('"flows":{', '"flows":{"nonsense":{"counters":{},"read":1},'),
    ],
)
def test_another_form_is_no_snapshot(home, before, after):
    """Another version, spaces, unknown fields, other types and names that are none are refused, whoever signed them."""
    text = exported(home)[0].read_text().partition("\n\n")[0] + "\n"
    assert parse(text).serial == 5

    with pytest.raises(ValueError):  # noqa: PT011 - what is wrong differs
        parse(text.replace(before, after, 1))


def test_what_the_trusted_key_signed_may_be_no_snapshot(home, tmp_path):
    """A signed text of another kind, or of another program's kinds, is SYN319."""
    path, _ = exported(home)
    signer = FileSigner.create(tmp_path / "mine.pem", "mine")
    text = path.read_text().partition("\n\n")[0] + "\n"
    newer = text.replace('"kind\\":\\"Import', '"kind\\":\\"Portal').replace('"program":"', '"program":"9')
    for other in ("syncline/other\n1\n", newer):
        path.write_bytes(note.sign(other, [signer]))
        with pytest.raises(Invalid) as caught:
            signed.read_snapshot(path, str(signer.verifier))
        assert caught.value.code == "SYN319"


def test_reading_is_bounded(home, monkeypatch):
    """More bytes than a snapshot may have are not read, and such a snapshot isn't written."""
    path, key = exported(home)
    monkeypatch.setattr(signed, "MAX_BYTES", 500)

    with pytest.raises(Invalid, match="a note of 501 bytes is longer than 500"):
        signed.read_snapshot(path, key)
    with pytest.raises(Stalled) as caught:
        workflow.export_snapshot(home)
    assert caught.value.code == "SYN321"


def test_what_looks_like_a_credential_is_not_published(home):
    """Should something applied hold a token after all, no snapshot leaves the house, and the message doesn't show it."""
    token = "ghp_" + "a" * 36
    with closing(sqlite3.connect(home.home / "state.db")) as database, database:
        database.execute("UPDATE objects SET document = replace(document, 'crm/customers', ?)", (token,))

    with pytest.raises(Stalled) as caught:
        workflow.export_snapshot(home)

    assert (caught.value.code, token in caught.value.message) == ("SYN321", False)
    assert "acme/Import/customers holds what looks like a GitHub token" in caught.value.message


def test_an_old_snapshot_is_told(home):
    """After the hours that are allowed there is a warning, which says since when; not before."""
    path, key = exported(home)
    snapshot = signed.read_snapshot(path, key)
    taken = dt.datetime.fromisoformat(snapshot.taken)

    assert signed.age(snapshot, taken + dt.timedelta(hours=24)) is None
    found = signed.age(snapshot, taken + dt.timedelta(days=5))
    assert found is not None
    assert (found.code, str(found.severity)) == ("SYN320", "warning")
    assert f"5 days old: what was applied since {snapshot.taken}" in found.message


def test_a_snapshot_is_of_an_environment(tmp_path):
    """A plan of another environment against it is refused, as against the state itself."""
    staging = environment(tmp_path / "home", "staging")
    workflow.apply(staging, workflow.plan(staging))
    path, key = exported(staging)
    state = SnapshotState(signed.read_snapshot(path, key))

    assert workflow.plan(environment(tmp_path / "ci", "staging"), state=state).empty
    with pytest.raises(Invalid) as caught:
        workflow.plan(environment(tmp_path / "ci", "production"), state=state)
    assert caught.value.code == "SYN289"
