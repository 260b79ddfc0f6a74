"""What every state store promises of messages of subscriptions, tried on both databases."""

from __future__ import annotations

from dataclasses import replace

import pytest
from msgspec import structs

from syncline.model.condition import Condition, ConditionType, Mood, Occurrence, Status, Truth
from syncline.model.errors import Denied
from syncline.model.key import ObjectKey
from syncline.model.notice import Phase
from syncline.model.outbox import Message, MessageState
from syncline.notify.position import Position
from syncline.state import outbox, statuses
from tests.contract.state_places import APPLIED, ORDERS, apply

OPS = ObjectKey("acme", "Subscription", "ops")
NEAR = ObjectKey("acme", "Subscription", "near")
AT = "2026-11-26T02:00:00Z"
FIRST = Message("m1", OPS, Phase.open, {"type": "incident", "title": "ä"}, AT, AT, thread="t1")
TOLD = Occurrence(ORDERS, Mood.normal, "Applied")
SECOND = replace(FIRST, id="m2", phase=Phase.update)


def states(store, key=None):
    return [(m.id, m.state, m.attempts) for m in store.messages(key)]


def test_messages_are_put_with_the_position(store):
    """A position and its messages are kept together; a message that is known by its id isn't put again."""
    box = store.outbox()
    assert box.position(OPS) is None
    box.advance(OPS, "p1", [FIRST, SECOND])
    box.advance(OPS, "p2", [SECOND])
    assert (box.position(OPS), box.positions()) == ("p2", (OPS,))
    assert [replace(m, number=0) for m in store.messages()] == [FIRST, SECOND]
    assert store.messages(NEAR) == store.messages(tenant="other") == ()

    unstorable = replace(FIRST, id="m3", event={"a": object()})
    with pytest.raises(Exception, match="JSON serializable"):
        box.advance(OPS, "p3", [replace(FIRST, id="m4"), unstorable])
    assert (box.position(OPS), len(store.messages())) == ("p2", 2)


def test_of_each_subscription_the_oldest_is_due(store):
    """A later message never overtakes an earlier one that waits; those of others go on."""
    box = store.outbox()
    box.advance(OPS, "p", [FIRST, SECOND])
    box.advance(NEAR, "p", [replace(FIRST, id="n1", key=NEAR, due="2026-11-26T01:00:00Z")])
    assert [m.id for m in box.due(AT, 10)] == ["n1", "m1"]
    assert box.claim("m1", "2026-11-26T03:00:00Z")
    assert [m.id for m in box.due(AT, 10)] == ["n1"]
    box.sent("m1", "1764.1")
    assert [m.id for m in box.due(AT, 10)] == ["n1", "m2"]
    assert (box.ref(OPS, "t1"), box.ref(OPS, "t2"), box.ref(NEAR, "t1")) == ("1764.1", "", "")
    assert not box.claim("m1", AT)
    box.failed("m2", "refused\0", "SYN738", "", "<m2@example.com>")
    assert box.ref(OPS, SECOND.thread) == "<m2@example.com>"
    assert states(store, OPS) == [("m1", MessageState.sent, 1), ("m2", MessageState.failed, 0)]
    assert [m.id for m in box.due(AT, 10)] == ["n1"]


def test_an_attempt_is_counted_and_comes_again(store):
    """A failed attempt leaves a message pending until its next time, with why; hurrying makes that now."""
    box = store.outbox()
    box.advance(OPS, "p", [FIRST])
    box.claim("m1", "2026-11-26T03:00:00Z")
    box.failed("m1", "500", "SYN734", "9999-01-01T00:00:00Z")
    (kept,) = store.messages()
    assert (kept.state, kept.attempts, kept.error, kept.error_code) == (MessageState.pending, 1, "500", "SYN734")
    assert (box.due(AT, 10), box.pending(OPS)) == ((), 1)
    box.hurry()
    assert len(box.due("9998-01-01T00:00:00Z", 10)) == 1


def test_what_is_over_before_it_was_sent_is_dropped(store):
    """Of a thread of which nothing was tried, nothing is sent, its end included; else its end is."""
    box = store.outbox()
    end = replace(FIRST, id="m9", phase=Phase.resolve)
    box.advance(OPS, "p", [FIRST, SECOND])
    box.advance(OPS, "p", [end], drop=["t1"])
    assert states(store) == [("m1", MessageState.dropped, 0), ("m2", MessageState.dropped, 0)]

    box.advance(OPS, "p", [replace(FIRST, id="k1", thread="t2"), replace(SECOND, id="k2", thread="t2")])
    box.claim("k1", AT)
    box.advance(OPS, "p", [replace(end, id="k9", thread="t2")], drop=["t2"])
    assert [s for s in states(store) if s[0].startswith("k")] == [
        ("k1", MessageState.pending, 1), ("k2", MessageState.pending, 0), ("k9", MessageState.pending, 0),
    ]  # fmt: skip


def test_what_is_no_longer_subscribed_to_is_forgotten(store):
    """Forgetting a subscription drops what is pending and keeps what was sent."""
    box = store.outbox()
    box.advance(OPS, "p", [FIRST, SECOND])
    box.claim("m1", AT)
    box.sent("m1", "")
    box.forget(OPS)
    assert (box.position(OPS), [s for _, s, _ in states(store)]) == (None, [MessageState.sent, MessageState.dropped])


def test_a_renamed_subscription_takes_its_messages_along(store):
    """Position and messages follow a move, so that nothing is told twice."""
    ops = structs.replace(APPLIED, key=OPS)
    apply(store, ops)
    store.outbox().advance(OPS, "p", [FIRST])
    with store.lease("apply") as lease:
        store.begin_apply(lease, "a2", "p", "r", ["move"])
        store.move_object(lease, "a2", 0, OPS, NEAR)
    assert (store.outbox().position(NEAR), [m.key for m in store.messages()]) == ("p", [NEAR])


def test_only_the_newest_messages_are_kept(store, monkeypatch):
    """Messages that are over go when many newer ones have come; those that are pending stay."""
    monkeypatch.setattr(outbox, "KEPT_MESSAGES", 50)
    box = store.outbox()
    box.advance(OPS, "p", [replace(FIRST, id="stays")])
    for start in range(0, 300, 30):
        some = [replace(FIRST, id=f"x{n}") for n in range(start, start + 30)]
        box.advance(OPS, "p", some)
        for message in some:
            box.sent(message.id, "")
    kept = store.messages(limit=1000)
    assert kept[0].id == "stays"
    assert len(kept) < 200


def test_events_and_trouble_are_read(store):
    """Events come oldest first after a number; of statuses, those that aren't ready or have drifted."""
    box = store.outbox()

    def status(name, *conditions):
        return Status(ObjectKey("acme", "Sync", name), conditions)

    ready = Condition(ConditionType.ready, Truth.true, "Applied", 'it says "type": "Ready", "status": "False"')
    failing = structs.replace(ready, status=Truth.false, message="")
    drifted = Condition(ConditionType.drifted, Truth.true, "SourceChanged")
    told = [Occurrence(ORDERS, Mood.normal, f"E{n}") for n in range(5)]
    kept = [
        status("a", ready),
        status("b", failing),
        status("c", ready, drifted),
        status("d", structs.replace(ready, message="")),
    ]
    assert box.last_event() == 0
    store.change_statuses(None, lambda _: (kept, told))
    assert {"b", "c"} <= {key.name for key in box.troubled()} <= {"a", "b", "c"}
    numbers = [event.number for event in box.events(0, 100)]
    assert numbers == sorted(numbers)
    assert [event.reason for event in box.events(numbers[0], 3)] == ["E1", "E2", "E3"]
    assert (box.last_event(), box.first_event(ORDERS)) == (numbers[-1], 0)


def test_who_lost_the_lease_changes_nothing(store):
    """Through a store of a lease that another daemon has taken over, nothing is put, claimed or settled."""
    store.outbox().advance(OPS, "p", [FIRST])
    with store.lease("daemon", ttl=30.0) as lease:
        fenced = store.fenced(lease).outbox()
        assert fenced.claim("m1", AT)
    with store.lease("daemon", "another"):
        for act in (
            lambda: fenced.advance(OPS, "q", []),
            lambda: fenced.claim("m1", AT),
            lambda: fenced.sent("m1", ""),
            lambda: fenced.failed("m1", "", "", ""),
        ):
            with pytest.raises(Denied):
                act()
    assert (store.outbox().position(OPS), states(store)) == ("p", [("m1", MessageState.pending, 1)])


def test_events_of_a_transaction_that_ends_late_are_not_passed_over(where):
    """An event whose transaction ends after one with a higher number is dealt with then, and once."""
    store, other = where.store(), where.store()
    box, position = store.outbox(), Position(0)
    dealt: list[str] = []

    def look(now: float) -> Position:
        rows = {event.number: event.reason for event in box.events(position.start, 100)}
        news = position.news(list(rows))
        dealt.extend(rows[number] for number in news)
        return position.dealt(news, now)

    if where.url.startswith("sqlite"):  # one writer at a time: numbers appear in their order
        store.change_statuses(
            None, lambda _: ((), [structs.replace(TOLD, reason="early"), structs.replace(TOLD, reason="late")])
        )
        position = look(1.0)
        assert (dealt, position.missing) == (["early", "late"], ())
        return
    with other._database.write() as slow:
        statuses.tell(slow, structs.replace(TOLD, reason="late"))
        store.change_statuses(None, lambda _: ((), [structs.replace(TOLD, reason="early")]))
        position = look(1.0)
        assert dealt == ["early"]
        assert len(position.missing) == 1
    position = look(2.0)
    position = look(3.0)
    assert (dealt, position.missing) == (["early", "late"], ())
