"""Threads of incidents: what is said, when, and that it is never more than is bearable."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from syncline.model.key import ObjectKey
from syncline.notify.incidents import Incident
from syncline.notify.position import Position
from syncline.notify.threads import REMEMBERED, UPDATE_EVERY, Rules, Standing, step

RULES = Rules(wait=30.0, repeat=3600.0, count=10, span=3600.0)


def incident(name: str, *waiting: str, code: str = "SYN401", severity: str = "error") -> Incident:
    keys = tuple(ObjectKey("acme", "Sync", one) for one in waiting)
    key = ObjectKey("acme", "Integration", name)
    return Incident(key, severity, "CheckFailed", code, "2026-11-26T01:00:00.000000Z", "r1", keys)


class World:
    """What is wrong, a clock, and what was said so far, as (phase, object or number of causes)."""

    def __init__(self, rules: Rules = RULES) -> None:
        self.rules = rules
        self.standing = Standing()
        self.wrong: dict[str, Incident] = {}
        self.now = 1_764_122_400.0
        self.said: list[tuple[str, str]] = []
        self.events: list[dict] = []
        self.dropped: list[str] = []

    def fails(self, *found: Incident) -> None:
        self.wrong |= {str(one.key): one for one in found}

    def works(self, *names: str) -> None:
        for name in names:
            del self.wrong[f"acme/Integration/{name}"]

    def passes(self, seconds: float, every: float = 10.0) -> list[tuple[str, str]]:
        """Time, with looks at it; what was said meanwhile."""
        before = len(self.said)
        end = self.now + seconds
        while self.now < end:
            self.now = min(self.now + every, end)
            # As it is kept and read again: after a restart at any moment.
            self.standing = Position.loads(Position(1, standing=self.standing).dumps()).standing
            self.standing, says, drop = step(
                self.standing, self.wrong, self.rules, self.now, fresh=self.wrong, name="acme/Subscription/ops"
            )
            self.dropped += drop
            self.events += [dict(say.event) for say in says]
            self.said += [(str(s.phase), s.event["object"] or str(len(s.event["causes"]))) for s in says]
        return self.said[before:]


@pytest.fixture
def world() -> World:
    return World()


def test_a_thread_opens_once_and_its_recovery_ends_it(world):
    """What is wrong is told after `wait`, once; that it is well, after as long; both by one id."""
    world.fails(incident("crm"))
    assert world.passes(20) == []
    assert world.passes(600) == [("open", "acme/Integration/crm")]
    world.works("crm")
    assert world.passes(20) == []
    assert world.passes(600) == [("resolve", "acme/Integration/crm")]
    assert len({event["id"] for event in world.events}) == 1
    assert world.passes(2 * REMEMBERED) == []
    assert world.standing.threads == ()


def test_what_passes_before_it_is_told_is_not_told(world):
    """A failure that is over within `wait` makes no message, nor does a recovery that doesn't last."""
    world.fails(incident("crm"))
    world.passes(20)
    world.works("crm")
    assert world.passes(600) == []
    world.fails(incident("crm"))
    world.passes(60)
    for _ in range(20):
        world.works("crm")
        world.passes(20)
        world.fails(incident("crm"))
        world.passes(60)
    assert world.said == [("open", "acme/Integration/crm")]


def test_the_cause_is_what_is_told_once_it_is_found(world):
    """Flows that fail and then turn out to wait for an integration are that integration's incident."""
    flows = {f"acme/Sync/s{n}": replace(incident("x"), key=ObjectKey("acme", "Sync", f"s{n}")) for n in range(50)}
    world.wrong = dict(flows)
    world.passes(20)
    world.wrong = {}
    world.fails(incident("crm", *(f"s{n}" for n in range(50))))
    assert world.passes(600) == [("open", "acme/Integration/crm")]
    assert world.events[0]["count"] == 50


def test_a_thread_that_turns_out_to_be_part_of_another_ends_with_its_name(world):
    """A flow that was told of before its cause was found is said to be part of that, and not to be well."""
    world.fails(replace(incident("x"), key=ObjectKey("acme", "Sync", "s1")))
    world.passes(60)
    world.wrong = {}
    world.fails(incident("crm", "s1"))
    world.passes(60)
    assert world.said == [("open", "acme/Sync/s1"), ("resolve", "acme/Sync/s1"), ("open", "acme/Integration/crm")]
    assert world.events[1]["cause"] == "acme/Integration/crm"


def test_a_change_is_told_and_not_too_often(world):
    """Another reason or many more who wait make an update in the thread, at most every five minutes."""
    world.fails(incident("crm", "a"))
    world.passes(60)
    for n in range(30):
        world.fails(incident("crm", *map(str, range(n + 1)), code=f"SYN40{n % 3}"))
        world.passes(20)
    updates = [said for said in world.said if said[0] == "update"]
    assert 1 <= len(updates) <= 600 / UPDATE_EVERY


def test_reminders_come_at_their_time_only(world):
    """What stays wrong is repeated every `repeatEvery`, and not at all where that is none."""
    world.fails(incident("crm"))
    world.passes(60)
    assert world.passes(3.5 * 3600) == [("reminder", "acme/Integration/crm")] * 3
    silent = World(replace(RULES, repeat=0.0))
    silent.fails(incident("crm"))
    assert silent.passes(48 * 3600, every=60.0) == [("open", "acme/Integration/crm")]


def test_many_causes_at_once_are_one_message(world):
    """Where a thread each would be too many, the rest share one, which ends when all of them are well."""
    world.fails(*(incident(f"i{n:03}") for n in range(300)))
    world.passes(60)
    assert [phase for phase, _ in world.said] == ["open"] * 10
    together = world.events[-1]
    assert together["title"] == "291 objects are in trouble"
    assert len(together["causes"]) == 20
    world.works(*(f"i{n:03}" for n in range(299)))
    world.passes(2 * 3600)
    assert [event["id"] for event in world.events if event["phase"] == "resolve"].count(together["id"]) == 0
    world.works("i299")
    world.passes(2 * 3600)
    assert [event["id"] for event in world.events if event["phase"] == "resolve"].count(together["id"]) == 1


def test_never_more_than_the_limit_plus_recoveries_that_waited_long(world):
    """Whatever happens, an hour has at most `limit` messages while recoveries may wait for room."""
    import random

    chance = random.Random(7)
    times: list[float] = []
    for _ in range(600):
        name = f"i{chance.randrange(80)}"
        if f"acme/Integration/{name}" in world.wrong and chance.random() < 0.6:
            world.works(name)
        else:
            world.fails(incident(name, *(["a"] * chance.randrange(9)), code=f"SYN40{chance.randrange(9)}"))
        times += [world.now] * len(world.passes(30))
    for start in times:
        assert sum(start <= at < start + 3600 for at in times) <= RULES.count + 2
    opened = {event["id"] for event in world.events if event["phase"] == "open"}
    world.wrong.clear()
    world.passes(30 * 3600, every=60)
    assert opened == {event["id"] for event in world.events if event["phase"] == "resolve"}


def test_what_comes_back_goes_on_in_its_thread(world):
    """Within an hour, a cause that fails again opens the thread that it had; later, a new one."""
    world.fails(incident("crm"))
    world.passes(60)
    world.works("crm")
    world.passes(600)
    world.fails(incident("crm"))
    world.passes(60)
    assert len({event["id"] for event in world.events}) == 1
    world.works("crm")
    world.passes(2 * REMEMBERED)
    world.fails(incident("crm"))
    world.passes(60)
    assert [phase for phase, _ in world.said] == ["open", "resolve", "open", "resolve", "open"]
    assert len({event["id"] for event in world.events}) == 2
