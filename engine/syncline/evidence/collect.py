"""What the log shows of a framework's controls over a span of time: counts, and a few entries of each as samples."""

from __future__ import annotations

import datetime as dt
import json
from collections import Counter, deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from msgspec import Struct

from syncline.audit.fetch import Fetcher, read_entries
from syncline.model.event import Action, EventOutcome

if TYPE_CHECKING:
    from syncline.audit.verify import Verification
    from syncline.evidence.framework import Control, Framework

#: Entries of each control that are shown and proved, the newest.
SAMPLES: Final = 3
#: Runs that are attested, the newest.
RUNS: Final = 5


class Span(Struct, frozen=True):
    """From the beginning of a day to the end of another, in UTC."""

    first: dt.date
    last: dt.date

    @property
    def start(self) -> str:
        """RFC 3339, inclusive."""
        return f"{self.first.isoformat()}T00:00:00Z"

    @property
    def end(self) -> str:
        """RFC 3339, exclusive."""
        return f"{(self.last + dt.timedelta(days=1)).isoformat()}T00:00:00Z"

    def __contains__(self, time: str) -> bool:
        return self.first.isoformat() <= time[:10] <= self.last.isoformat()


class Sample(Struct, frozen=True):
    """An entry that shows a control."""

    index: int
    time: str
    actor: str
    action: str
    object: str
    outcome: str


@dataclass(slots=True)
class Shown:
    """What shows a control: how many events, by how they ended, the newest of them, and which of its rules decided."""

    control: Control
    outcomes: Counter[str] = field(default_factory=Counter)
    samples: deque[Sample] = field(default_factory=lambda: deque(maxlen=SAMPLES))
    rules: Counter[str] = field(default_factory=Counter)

    @property
    def events(self) -> int:
        """How many events show it."""
        return self.outcomes.total()


class Report(Struct, frozen=True):
    """Everything that a pack says: of a framework, a span and a log."""

    framework: Framework
    span: Span
    made: str
    origin: str
    key: str
    size: int
    root: bytes
    verification: Verification
    shown: tuple[Shown, ...]
    totals: Mapping[str, int]
    runs: tuple[str, ...]

    @property
    def samples(self) -> list[int]:
        """Numbers of the entries that are samples of some control."""
        return sorted({sample.index for shown in self.shown for sample in shown.samples})


class Collected(Struct, frozen=True):
    """What a log shows: of each control, in total, and the newest runs that ended."""

    shown: tuple[Shown, ...]
    totals: Mapping[str, int]
    runs: tuple[str, ...]


def collect(fetcher: Fetcher, size: int, framework: Framework, span: Span) -> Collected:
    """Goes once through the entries of a log of `size`."""
    shown = tuple(Shown(control) for control in framework.controls)
    by_action: dict[str, list[Shown]] = {}
    for one in shown:
        for action in one.control.actions:
            by_action.setdefault(action.value, []).append(one)
    ruled: dict[str, list[Shown]] = {}
    for one in shown:
        for rule in one.control.rules:
            ruled.setdefault(rule, []).append(one)
    totals: Counter[str] = Counter()
    runs: deque[str] = deque(maxlen=RUNS)
    for index, event in _events(fetcher, size):
        if event["time_dt"] not in span:
            continue
        action, outcome = event["metadata"]["event_code"], event["status_code"]
        details = event["unmapped"]["details"]
        totals[action] += 1
        totals["denied" if outcome == EventOutcome.denied else "failed"] += outcome != EventOutcome.success
        for rule in details.get("rules") or ():
            for one in ruled.get(rule, ()):
                one.rules[rule] += 1
        for one in by_action.get(action, ()):
            one.outcomes[outcome] += 1
            one.samples.append(_sample(index, event))
        if action == Action.run_finish and "written_digest" in details:
            runs.append(details["run"])
    return Collected(shown, totals, tuple(dict.fromkeys(runs)))


def _sample(index: int, event: Mapping[str, Any]) -> Sample:
    return Sample(
        index,
        event["time_dt"],
        event["actor"]["user"]["name"],
        event["metadata"]["event_code"],
        event["unmapped"].get("object") or event["metadata"].get("tenant_uid") or "",
        event["status_code"],
    )


def _events(fetcher: Fetcher, size: int) -> Iterator[tuple[int, dict[str, Any]]]:
    for index, entry in enumerate(read_entries(fetcher, size)):
        yield index, json.loads(entry)
