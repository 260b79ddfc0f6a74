"""Which messages a subscription's incidents make: a thread for each cause, from its opening to its recovery.

Pure. `step` looks at how things stand now and at what was told before, so that it doesn't matter how often it is asked,
or for how long nobody asked:

    waiting → open → (update, reminder)* → resolve → closed → (open again)*

What is wrong for less than `wait` isn't told, nor is a recovery that doesn't last as long. What comes back within an
hour goes on in its thread. Messages are bounded by `limit`: when it is nearly used up, what would open further threads
opens one for all of them, and what would only repeat something waits.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final
from uuid import NAMESPACE_URL, uuid5

from msgspec import Struct, structs

from syncline.model.notice import Phase
from syncline.notify.events import of_incidents, time_of
from syncline.notify.incidents import Incident

#: Seconds for which a thread that is over is remembered.
REMEMBERED: Final = 3600.0
#: Fewest seconds between two messages of one thread about a change of what is still wrong.
UPDATE_EVERY: Final = 300.0
#: Causes that one thread names at most; the others are counted.
NAMED: Final = 200


class Rules(Struct, frozen=True):
    """What a subscription declares, in seconds; `count` messages in any `span`. `repeat` 0: no reminders."""

    wait: float
    repeat: float
    count: int
    span: float


@dataclass(frozen=True, slots=True)
class Thread:
    """
    One conversation. Times are Unix seconds, 0 for "not yet": `seen` is when its cause was seen, `opened` when that was
    told, `well` since when nothing of it is left, `closed` when that was told, `last` when anything was.

    `told` is what was said last, to tell whether there is something new, and `event` that as data; `number` counts its
    messages.
    """

    id: str
    causes: tuple[str, ...]
    seen: float
    opened: float = 0.0
    last: float = 0.0
    well: float = 0.0
    closed: float = 0.0
    told: str = ""
    event: Mapping[str, Any] = field(default_factory=dict, hash=False)
    number: int = 0


@dataclass(frozen=True, slots=True)
class Say:
    """A message of a thread, as data."""

    thread: Thread
    phase: Phase
    event: Mapping[str, Any] = field(hash=False)


class Standing(Struct, frozen=True):
    """All threads of a subscription, and when its last messages were made."""

    threads: tuple[Thread, ...] = ()
    sent: tuple[float, ...] = ()

    def room(self, rules: Rules, now: float) -> int:
        """Messages that may still be made now."""
        return rules.count - sum(1 for at in self.sent if at > now - rules.span)

    def trimmed(self, rules: Rules, now: float) -> Standing:
        """Without what no longer counts."""
        return structs.replace(self, sent=tuple(at for at in self.sent if at > now - rules.span)[-rules.count :])


@dataclass(slots=True)
class _Step:
    """One step under way."""

    rules: Rules
    now: float
    found: Mapping[str, Incident]
    standing: Standing
    says: list[Say] = field(default_factory=list)
    drop: list[str] = field(default_factory=list)

    @property
    def room(self) -> int:
        return self.standing.room(self.rules, self.now)

    def say(self, thread: Thread, phase: Phase, about: Sequence[Incident], cause: str = "") -> Thread:
        """Makes a message, about what is left or, where nothing is, what was said last; the thread after it."""
        known = of_incidents(about, self.now) if about else dict(thread.event)
        event = {**known, "id": thread.id, "phase": str(phase), "time": time_of(self.now), "cause": cause}
        told = replace(thread, last=self.now, told=_told(about), event=event, number=thread.number + 1)
        self.says.append(Say(told, phase, event))
        self.standing = structs.replace(self.standing, sent=(*self.standing.sent, self.now))
        return told


def identity(*parts: str) -> str:
    """A UUID of parts: the same for the same."""
    return str(uuid5(NAMESPACE_URL, "\n".join(parts)))


def step(
    standing: Standing,
    found: Mapping[str, Incident],
    rules: Rules,
    now: float,
    *,
    fresh: Iterable[str],
    name: str,
) -> tuple[Standing, Sequence[Say], Sequence[str]]:
    """
    How the threads stand after a look at what is wrong `now`; what there is to say; threads of which nothing needs to
    be said any more, if nothing of them was sent yet.

    `found` is by cause. `fresh` are those of `found` that may open a thread, and `name(cause, seen)` names one.
    """
    doing = _Step(rules, now, found, standing)
    threads = [_gone_on(doing, thread) for thread in standing.threads]
    known = {cause for thread in threads if thread is not None and not thread.closed for cause in thread.causes}
    kept = [thread for thread in threads if thread is not None]
    for cause in fresh:
        if cause not in known:
            kept = [*(t for t in kept if not (t.closed and t.causes == (cause,))), _seen(cause, kept, now, name)]
    kept = _opened(doing, kept, name)
    return structs.replace(doing.standing.trimmed(rules, now), threads=tuple(kept)), doing.says, doing.drop


# --- Parts -----------------------------------------------------------------------------------------------------------


def _gone_on(doing: _Step, thread: Thread) -> Thread | None:
    """A thread that was there before; None for one that is forgotten."""
    rules, now = doing.rules, doing.now
    about = [doing.found[cause] for cause in thread.causes if cause in doing.found]
    if thread.closed:
        return thread if now - thread.closed < REMEMBERED else None
    if not thread.opened:
        return thread if about else _unsaid(thread)
    if not about:
        part_of = _part_of(thread, doing.found)
        since = thread.well or now
        if part_of or now - since >= rules.wait:
            if doing.room <= 0 and now - since < rules.wait + rules.span:
                return replace(thread, well=since)
            doing.drop.append(thread.id)
            return replace(doing.say(thread, Phase.resolve, (), part_of), well=since, closed=now)
        return replace(thread, well=since)
    thread = replace(thread, well=0.0)
    if doing.room <= 1:
        return thread  # what is left is for what is new
    if _told(about) != thread.told and now - thread.last >= UPDATE_EVERY:
        return doing.say(thread, Phase.update, about)
    if rules.repeat and now - thread.last >= rules.repeat:
        return doing.say(thread, Phase.reminder, about)
    return thread


def _unsaid(thread: Thread) -> Thread | None:
    """A thread whose cause passed before it was told: as if it had never been, but for one that is open again."""
    return replace(thread, closed=thread.last) if thread.last else None


def _seen(cause: str, threads: Sequence[Thread], now: float, name: str) -> Thread:
    """A thread for a cause: a new one, or the one that it had before."""
    for thread in threads:
        if thread.closed and thread.causes == (cause,):
            return replace(thread, seen=now, opened=0.0, well=0.0, closed=0.0)
    return Thread(identity(name, cause, repr(now)), (cause,), now)


def _opened(doing: _Step, threads: list[Thread], name: str) -> list[Thread]:
    """Opens the threads whose time has come: each for itself, or, where that would be too many, the rest as one."""
    rules, now = doing.rules, doing.now
    ripe = [t for t in threads if not t.opened and not t.closed and now - t.seen >= rules.wait]
    room = doing.room
    if not ripe or room <= 0:
        return threads
    alone = ripe if len(ripe) <= room else ripe[: room - 1]
    rest = ripe[len(alone) :]
    opened: dict[str, Thread] = {}
    for thread in alone:
        about = [doing.found[cause] for cause in thread.causes]
        opened[thread.id] = replace(doing.say(thread, Phase.open, about), opened=now)
    kept = [opened.get(t.id, t) for t in threads if t not in rest]
    if rest:
        causes = tuple(cause for thread in rest for cause in thread.causes)
        together = Thread(identity(name, str(len(causes)), repr(now)), causes, rest[0].seen)
        about = [doing.found[cause] for cause in causes]
        kept.append(replace(doing.say(together, Phase.open, about), opened=now))
    return kept


def _part_of(thread: Thread, found: Mapping[str, Incident]) -> str:
    """The cause that what a thread is about turned out to have; '' where it is well."""
    for cause, incident in found.items():
        if any(str(key) in thread.causes for key in incident.waiting):
            return cause
    return ""


def _told(incidents: Sequence[Incident]) -> str:
    """What makes a message about the same incidents worth saying: others, another reason, many more who wait."""
    parts = [f"{i.key} {i.severity} {i.reason} {i.code} {len(i.waiting).bit_length()}" for i in incidents[:NAMED]]
    return f"{len(incidents)} {'; '.join(parts)}"
