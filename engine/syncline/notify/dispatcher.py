"""From what happens to messages in the outbox: reads events and conditions, and puts what each subscription is told.

Works under the daemon's lease, on a store that refuses whoever lost it. A subscription's position moves in the
transaction that puts its messages: a kill in between changes nothing, and whoever takes over goes on from there.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from msgspec.structs import replace

from syncline.kinds.source import SourceSpec
from syncline.model.errors import Denied
from syncline.model.key import FIRST
from syncline.model.notice import Phase
from syncline.model.outbox import Message
from syncline.notify.events import line_of, of_incidents, of_occurrence, time_of, type_of
from syncline.notify.incidents import Incident, incidents
from syncline.notify.position import NAMED, Held, Position
from syncline.notify.subscription import Subscription
from syncline.notify.threads import Say, identity, step
from syncline.reconciler.needs import Needs, needs

if TYPE_CHECKING:
    from collections.abc import Callable

    from syncline.executor.flows.applied import Applied
    from syncline.model.condition import Occurrence
    from syncline.model.key import ObjectKey
    from syncline.model.outbox import Outbox
    from syncline.state.store import StateStore

#: Events that one look reads.
AT_ONCE: Final = 500
#: Messages of a subscription that may be pending: of what comes while its channel doesn't work, a digest tells.
MOST_PENDING: Final = 500
#: Seconds between looks at conditions while nothing seems to change.
LOOK_EVERY: Final = 15.0
#: Seconds for which conditions are looked at after an event: what depends on it may follow a moment later.
FOLLOWS: Final = 3.0


class Dispatcher:
    """Used by one thread. `applied` gives what is applied now."""

    def __init__(self, store: StateStore, applied: Callable[[], Applied]) -> None:
        self._store = store
        self._outbox: Outbox = store.outbox()
        self._applied = applied
        self._serial = -1
        self._subscriptions: tuple[Subscription, ...] = ()
        self._positions: dict[ObjectKey, Position] = {}
        self._graph: Needs = {}
        self._declares: dict[str, tuple[str, ...]] = {}  # of each source but the first, whose objects it may
        self._incidents: dict[ObjectKey, Incident] = {}
        self._last = -1  # the newest event that was seen, by any subscription
        self._changed = self._looked = 0.0

    def tick(self, now: float) -> None:
        """Puts what is to be told now (Unix seconds) into the outbox."""
        applied = self._applied()
        if applied.serial != self._serial:
            self._read(applied)
        if not self._subscriptions:
            return
        last = self._outbox.last_event()
        if last != self._last:
            self._last, self._changed = last, now
        self._look(now)
        first: Exception | None = None
        for subscription in self._subscriptions:
            try:
                self._follow(subscription, now)
            except Denied:
                raise  # another daemon has taken over
            except Exception as error:  # what is wrong with one keeps nobody else from being told
                first = first or error
        if first is not None:
            raise first

    # --- What is subscribed to

    def _read(self, applied: Applied) -> None:
        found = [
            Subscription.of(manifest, applied.objects[manifest.key].generation)
            for manifest in applied.desired.of_kind("Subscription")
        ]
        keys = {subscription.key for subscription in found}
        for key in self._outbox.positions():
            if key not in keys:
                self._outbox.forget(key)
        changed = {s.key: s.generation for s in found} != {s.key: s.generation for s in self._subscriptions}
        if changed:
            self._outbox.hurry()  # what kept messages from arriving may be mended
        self._positions = {key: known for key, known in self._positions.items() if key in keys}
        self._subscriptions = tuple(found)
        self._graph = needs(applied.desired) if found else {}
        self._declares = {
            manifest.key.name: manifest.spec.declares.tenants
            for manifest in applied.desired.of_kind("Source")
            if isinstance(manifest.spec, SourceSpec)
        }
        self._serial = applied.serial
        self._looked = 0.0

    # --- What is wrong

    def _look(self, now: float) -> None:
        """Reads the conditions, where they may be others than before."""
        if not any(subscription.follows_incidents for subscription in self._subscriptions):
            return
        moving = any(
            not t.closed and (t.well or not t.opened) for p in self._positions.values() for t in p.standing.threads
        )
        if moving or now - self._changed <= FOLLOWS or not 0 <= now - self._looked < LOOK_EVERY:
            self._incidents = incidents(self._outbox.troubled(), self._graph)
            self._looked = now

    # --- One subscription

    def _follow(self, subscription: Subscription, now: float) -> None:
        before = self._positions.get(subscription.key)
        kept = before or self._known(subscription)
        position = kept
        if position.basis != subscription.basis:
            position = Position(position.after, position.missing, basis=subscription.basis)
        put: list[Message] = []
        drop: Sequence[str] = ()
        quiet = suspended(subscription, now)
        if subscription.follows_events:
            position = self._events(subscription, position, now, put, quiet=quiet)
        if subscription.follows_incidents and not quiet:
            position, drop = self._threads(subscription, position, now, put)
        if position != kept or put:
            self._outbox.advance(subscription.key, position.dumps(), put, drop)
        self._positions[subscription.key] = position

    def _known(self, subscription: Subscription) -> Position:
        """Where a subscription is; one that is new begins when it was applied."""
        text = self._outbox.position(subscription.key)
        if text is None:
            after = self._outbox.first_event(subscription.key) or self._last
            return Position(after)
        try:
            position = Position.loads(text)
        except (ValueError, KeyError, TypeError):  # another version of this program wrote it
            return Position(self._last)
        # A state that was restored from a backup gives its numbers again.
        return position if position.after <= self._last else replace(position, after=self._last, missing=())

    def _threads(
        self, subscription: Subscription, position: Position, now: float, put: list[Message]
    ) -> tuple[Position, Sequence[str]]:
        seen = {
            str(key): incident
            for key, found in self._incidents.items()
            if (incident := found.seen_by(subscription.tenant)) is not None
        }
        fresh = [cause for cause, incident in seen.items() if subscription.wants(of_incidents([incident], now))]
        if not fresh and not position.standing.threads:
            return position, ()
        standing, says, drop = step(
            position.standing, seen, subscription.rules, now, fresh=fresh, name=self._name(subscription)
        )
        put += [self._said(subscription, say, now) for say in says]
        return replace(position, standing=standing), drop

    def _events(
        self, subscription: Subscription, position: Position, now: float, put: list[Message], *, quiet: bool
    ) -> Position:
        if self._last > position.after or position.missing:
            rows = self._outbox.events(position.start, AT_ONCE)
            numbers = position.news([row.number for row in rows])
            wanted = (
                [] if quiet else [e for row in rows if row.number in numbers and (e := self._event(subscription, row))]
            )
            position = position.dealt(numbers, now)
        else:
            wanted = []
        if not wanted and not position.held.count:
            return position
        return self._told(subscription, position, wanted, now, put)

    def _event(self, subscription: Subscription, row: Occurrence) -> tuple[int, dict[str, Any]] | None:
        kind = type_of(row)
        if kind not in subscription.spec.on:
            return None
        if subscription.tenant and not self._concerns(row, subscription.tenant):
            return None
        run = self._store.run(row.run) if row.run else None
        event = of_occurrence(row, run, subscription.tenant)
        return (row.number, event) if subscription.wants(event) else None

    def _concerns(self, row: Occurrence, tenant: str) -> bool:
        """Whether it is the tenant's own; of commits: those of the first source, and of sources that declare for it."""
        if row.key.kind == "Source":
            return row.key.name == FIRST or tenant in self._declares.get(row.key.name, ())
        return row.key.tenant == tenant

    def _told(
        self,
        subscription: Subscription,
        position: Position,
        wanted: Sequence[tuple[int, dict[str, Any]]],
        now: float,
        put: list[Message],
    ) -> Position:
        """Events as messages of their own while there is room for them, and the rest as one."""
        rules, standing, held = subscription.rules, position.standing, position.held
        room = standing.room(rules, now)
        if self._outbox.pending(subscription.key) >= MOST_PENDING:
            room = 0
        alone = 0 if held.count else len(wanted) if len(wanted) <= room else max(room - 1, 0)
        made = [
            self._message(subscription, Phase.event, event, now, identity(self._name(subscription), str(number)))
            for number, event in wanted[:alone]
        ]
        for _, event in wanted[alone:]:
            lines = (*held.lines, line_of(event)) if len(held.lines) < NAMED else held.lines
            severity = "error" if "error" in (held.severity, event["severity"]) else "info"
            held = Held(lines, held.count + 1, severity)
        if held.count and room > len(made):
            event = {
                "type": "digest", "severity": held.severity, "time": time_of(now), "tenant": subscription.tenant,
                "count": held.count, "lines": list(held.lines),
            }  # fmt: skip
            name = identity(self._name(subscription), "digest", str(position.after), str(held.count))
            made.append(self._message(subscription, Phase.digest, event, now, name))
            held = Held()
        put += made
        sent = (*standing.sent, *[now] * len(made))
        return replace(position, held=held, standing=replace(standing, sent=sent).trimmed(rules, now))

    # --- Messages

    def _name(self, subscription: Subscription) -> str:
        return f"{self._store.lineage} {subscription.key}"

    def _said(self, subscription: Subscription, say: Say, now: float) -> Message:
        name = identity(say.thread.id, str(say.thread.number))
        return self._message(subscription, say.phase, say.event, now, name, say.thread.id)

    @staticmethod
    def _message(
        subscription: Subscription, phase: Phase, event: Mapping[str, Any], now: float, name: str, thread: str = ""
    ) -> Message:
        at = time_of(now)
        return Message(id=name, key=subscription.key, phase=phase, event=event, created=at, due=at, thread=thread)


def suspended(subscription: Subscription, now: float) -> bool:
    """Whether it is to be quiet."""
    suspend = subscription.spec.suspend
    return suspend is not None and suspend.holds(dt.datetime.fromtimestamp(now, dt.UTC).date())
