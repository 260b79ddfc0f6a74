"""What every state store promises of statuses and events, tried on both databases."""

from __future__ import annotations

import pytest
from msgspec import structs

from syncline.model.condition import Condition, ConditionType, Mood, Occurrence, Status, Truth
from syncline.model.key import ObjectKey
from syncline.model.run import Counts, RunState
from syncline.state import statuses
from syncline.state.store import Author
from tests.contract.state_places import APPLIED, ORDERS, RUN, apply

READY = Condition(ConditionType.ready, Truth.true, "Applied", "ä\0", "r1", "2026-11-26T01:00:00Z")
STATUS = Status(ORDERS, (READY,), 4, 2, "2026-11-26T02:00:00Z")
OTHER = structs.replace(STATUS, key=ObjectKey("", "Source", "main"), retry="")
TOLD = Occurrence(ORDERS, Mood.warning, "Unreachable", "it doesn't answer", "r1")


def keep(store, *kept, told=()):
    """Keeps statuses, whatever there was."""
    store.change_statuses(None, lambda _: (kept, told))


def test_what_is_kept_is_read_back(store):
    """Statuses come back as they were, of all objects or of some; text that no database can keep is made fit."""
    keep(store, STATUS, OTHER)

    kept = structs.replace(STATUS, conditions=(structs.replace(READY, message="ä\ufffd"),))
    assert store.statuses([ORDERS, ObjectKey("x", "Sync", "nobody")]) == {ORDERS: kept}
    assert list(store.statuses()) == [OTHER.key, ORDERS]


def test_a_change_is_made_from_what_is_there(store):
    """`make` is given what is there; what it leaves out stays, and a status without conditions is forgotten."""
    keep(store, STATUS, OTHER)
    seen = {}

    def change(before):
        seen.update(before)
        return [structs.replace(before[ORDERS], attempts=3)], ()

    store.change_statuses([ORDERS], change)
    assert list(seen) == [ORDERS]
    assert store.statuses()[ORDERS].attempts == 3
    keep(store, Status(ORDERS))
    assert list(store.statuses()) == [OTHER.key]


@pytest.mark.parametrize("keys", [None, [ORDERS]], ids=["all", "some"])
@pytest.mark.parametrize(
    "other",
    [
        structs.replace(STATUS, attempts=9),
        structs.replace(STATUS, conditions=(structs.replace(READY, reason="Other"),)),
    ],
    ids=["figures", "conditions"],
)
def test_a_change_that_another_one_came_before_is_made_again(store, where, keys, other):
    """Where somebody keeps something between the look and the change, `make` decides from that, and nothing is lost."""
    keep(store, STATUS)
    seen = []

    def change(before):
        seen.append(before[ORDERS])
        if len(seen) == 1:
            keep(where.store(), other)
        return [structs.replace(before[ORDERS], generation=5)], ()

    store.change_statuses(keys, change)
    assert [(s.attempts, s.conditions[0].reason) for s in seen] == [
        (STATUS.attempts, READY.reason),
        (other.attempts, other.conditions[0].reason),
    ]
    after = store.statuses()[ORDERS]
    assert (after.attempts, after.conditions[0].reason, after.generation) == (
        other.attempts,
        other.conditions[0].reason,
        5,
    )


def test_nothing_is_kept_of_a_change_that_fails(store):
    """Statuses and events change together, or not at all."""
    unstorable = structs.replace(TOLD, key=None)
    with pytest.raises(AttributeError):
        store.change_statuses(None, lambda _: ([STATUS], [TOLD, unstorable]))
    assert (store.statuses(), store.events()) == ({}, ())


def test_what_is_due_comes_in_order(store):
    """Objects are due once their time has come, the longest overdue first; those without a time never."""
    later = structs.replace(STATUS, key=ObjectKey("acme", "Sync", "b"), retry="2026-11-26T01:59:00Z")
    keep(store, STATUS, later, OTHER)

    assert store.due("2026-11-26T01:58:59Z") == ()
    assert store.due("2026-11-26T02:00:00Z") == (later.key, ORDERS)


def test_events_come_oldest_first_and_on(store):
    """The newest events, oldest first; after a number, and of an object or a tenant."""
    keep(store, told=[structs.replace(TOLD, message=str(n)) for n in range(5)])
    keep(store, told=[structs.replace(TOLD, key=OTHER.key)])

    assert [e.message for e in store.events(ORDERS, limit=2)] == ["3", "4"]
    last = store.events(ORDERS)[-1]
    assert [e.key for e in store.events(after=last.number)] == [OTHER.key]
    assert [e.key for e in store.events(tenant="")] == [OTHER.key]
    assert (last.mood, last.reason, last.revision, last.time[-1]) == (Mood.warning, "Unreachable", "r1", "Z")


def test_only_the_newest_events_are_kept(store, monkeypatch):
    """Old events go once enough of them have piled up, so that the state doesn't grow for ever."""
    monkeypatch.setattr(statuses, "KEPT_EVENTS", 50)
    for _ in range(5):
        keep(store, told=[TOLD] * 50)

    assert 50 <= len(store.events(limit=1_000)) <= 150
    assert store.events(limit=1_000)[-1].number == 250


def test_runs_and_applies_tell_what_they_do(store):
    """Each step of an apply and each new state of a run is told once, however often it is repeated."""
    with store.lease("apply") as lease:
        store.begin_apply(lease, "1", "p", "r", ["put"])
        for _ in range(2):
            store.put_object(lease, "1", 0, APPLIED)
    store.put_run(RUN)
    for state in (RunState.running, RunState.running, RunState.interrupted, RunState.running):
        store.put_run(
            structs.replace(RUN, state=state, error="gone" * (state is RunState.interrupted), error_code="SYN700")
        )
    store.finish_run(structs.replace(RUN, state=RunState.succeeded, counts=Counts(3, 2, 1)), None, {})

    told = [(e.reason, e.mood, e.message, e.run) for e in store.events()]
    assert told == [
        ("Applied", "Normal", "recorded at d1", ""),
        ("RunStarted", "Normal", f"manual run {RUN.id}", RUN.id),
        ("RunInterrupted", "Warning", "[SYN700] gone", RUN.id),
        ("RunStarted", "Normal", f"manual run {RUN.id}", RUN.id),
        ("RunSucceeded", "Normal", "3 read, 2 written, 1 rejected", RUN.id),
    ]


def test_a_status_goes_with_its_object(store):
    """A move carries the status along, and a retired object has none."""
    apply(store, APPLIED)
    keep(store, STATUS)
    new = ObjectKey("acme", "Sync", "new")
    with store.lease("apply") as lease:
        store.begin_apply(lease, "2", "p", "r2", ["move", "delete"])
        store.move_object(lease, "2", 0, ORDERS, new)
        assert list(store.statuses()) == [new]
        store.delete_object(lease, "2", 1, new)
    assert store.statuses() == {}
    assert [e.reason for e in store.events()][-2:] == ["Moved", "Retired"]


def test_the_history_is_of_applies_that_changed_something(store):
    """Each is kept once, under its author; one that changed nothing, or was not finished, is none."""
    author = Author("Ada <ada@example.com>", "say\0 it")
    with store.lease("apply") as lease:
        for name, revision, objects in (("1", "r1", 1), ("2", "r2", 0), ("3", "r3", 2)):
            store.begin_apply(lease, name, "p", revision, [])
            for _ in range(2):
                store.finish_apply(lease, name, author, objects)
        store.begin_apply(lease, "4", "p", "r4", ["put"])

    assert [(r.revision, r.objects) for r in store.history()] == [("r3", 2), ("r1", 1)]
    assert [r.author for r in store.history(1)] == [Author(author.name, "say\ufffd it")]
