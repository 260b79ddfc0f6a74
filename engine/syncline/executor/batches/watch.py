"""Policy inside a run: what turns up at run time is judged by the evaluator before it is written.

A source may say of a field that it is classified only once it is open, and values may show what nobody declared. Either
way policy is asked again, with the class that was found; what it denies ends the run before the batch is written. So it
is on each day that a run comes to (UTC), since an exception may have ended with the one before.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from threading import Lock
from typing import TYPE_CHECKING, Final

import polars as pl
from msgspec.structs import replace

from syncline.kinds.tenant import Detect, TenantSpec
from syncline.mapping.detect import found
from syncline.model.errors import Denied
from syncline.model.units import Share
from syncline.policy.check import Verdicts, check, diagnostics
from syncline.policy.facts import facts, facts_of
from syncline.policy.rule import FlowFact, Subjects

if TYPE_CHECKING:
    from pathlib import Path

    from syncline.executor.flows.applied import Applied
    from syncline.manifests.desired import Desired
    from syncline.manifests.flow import Flow
    from syncline.mapping.columns import Columns
    from syncline.model.key import ObjectKey
    from syncline.model.plan import PolicyResult
    from syncline.planner.compiled import CompiledFlow

#: Values by which a share is judged that are only a part of a run's: of fewer, one is more than a percent.
FEWEST: Final = 100

#: What policy is asked: `Subjects` with these facts of the flow.
Asked = Callable[[tuple[FlowFact, ...]], Subjects]


class Watched(Denied):
    """Policy denies what turned up in a run, by these rules."""

    def __init__(self, message: str, results: Sequence[PolicyResult], todo: str) -> None:
        super().__init__(
            message,
            code="SYN516",
            diagnostics=diagnostics(tuple(results)),
            help=f"Nothing of the batch was written. {todo}",
        )
        self.rules = tuple(sorted({result.rule for result in results}))


_PROTECT: Final = "Classify the field in the mapping and protect it, or drop it."
_ENDED: Final = "Declare what the rule demands; or have the exception that ended renewed by its owner, if it may be."


@dataclass(slots=True)
class Watch:
    """
    Watches the batches of one run. `facts` are those that were judged last, on `day` or since; `notes` tell what was
    found and allowed.

    Batches may be watched by several threads at once. What one of them is denied, the others are as well. A share is
    judged by at least `fewest` values: who looks at a part of what a run would read leaves fewer to `settle`.
    """

    flow: Flow
    asked: Asked
    facts: tuple[FlowFact, ...]
    detects: tuple[Detect, ...]
    day: dt.date
    notes: list[str] = field(default_factory=list)
    fewest: int = 0
    _held: dict[tuple[str, str], tuple[Detect, int, int]] = field(default_factory=dict)
    _seen: set[tuple[str, str]] = field(default_factory=set)
    _lock: Lock = field(default_factory=Lock)

    def source(self, columns: Columns) -> None:
        """
        `Denied` where the source, now that it is open, says of fields that they are of classes that may not flow, or of
        a type by which their protection doesn't make them as coarse as was taken for granted.
        """
        declared = self.flow.source.schema
        if declared is not None and not declared.open and columns.source == declared:
            return
        now = facts_of(self.flow, columns.compiled, columns.source)
        if [_judged(fact) for fact in now] == [_judged(fact) for fact in self.facts]:
            return
        self._judge(now, "what its source declares now that it is open")

    def batch(self, frame: pl.DataFrame) -> None:
        """
        `Denied` where values of fields in the clear show a class that nobody declared, and that may not flow; or where
        what was allowed on the day before isn't today.
        """
        if (today := _today()) != self.day:
            self._begin_day(today)
        for name, detect in self._open(frame):
            series = frame[name]
            count = found(series, detect)
            values = series.len() - series.null_count()
            if not count:
                continue
            if values < self.fewest and Share.parse(detect.at_least).percent is not None:
                with self._lock:
                    _, former, seen = self._held.get((name, detect.data_class), (detect, 0, 0))
                    self._held[name, detect.data_class] = (detect, former + count, seen + values)
            elif _enough(detect, count, values):
                self._found(name, detect, count)

    def settle(self, *, whole: bool) -> None:
        """
        Judges what was left, where what was looked at is all that there is (`whole`), or enough of it came together;
        else the notes say that it wasn't judged. `Denied` as `batch`.
        """
        held, self._held = self._held, {}
        for (name, data_class), (detect, count, values) in held.items():
            if not whole and values < self.fewest:
                self.notes.append(
                    f"{count:,} of {values:,} values of {name} look like {data_class}, which nothing declares: too few "
                    f"to judge `atLeast: {detect.at_least}` by, which takes {self.fewest}; a run judges each batch"
                )
            elif _enough(detect, count, values):
                self._found(name, detect, count)

    def _found(self, name: str, detect: Detect, count: int) -> None:
        what = f"{count:,} values of {name} that look like {detect.data_class}, which nothing declares"
        with self._lock:
            if (name, detect.data_class) not in self._seen:
                now = (_of_class(fact, detect.data_class) if fact.target == name else fact for fact in self.facts)
                self._judge(tuple(now), what)
                self._seen.add((name, detect.data_class))
                self.notes.append(f"policy allowed {what}")

    def _begin_day(self, today: dt.date) -> None:
        with self._lock:
            if today != self.day:
                self._judge(self.facts, f"what it moves, as of {today}", _ENDED)
                self.day = today

    def _open(self, frame: pl.DataFrame) -> Iterator[tuple[str, Detect]]:
        """Fields in the clear with what is still looked for in them."""
        if not self.detects:
            return
        known: dict[str, set[str]] = {}
        for fact in self.facts:
            if not fact.protection:
                known.setdefault(fact.target, set()).update(fact.classes)
        for name, dtype in frame.schema.items():
            if name in known and (dtype == pl.String or dtype.is_numeric()):
                for detect in self.detects:
                    if detect.data_class not in known[name] and (name, detect.data_class) not in self._seen:
                        yield name, detect

    def _judge(self, now: tuple[FlowFact, ...], what: str, todo: str = _PROTECT) -> None:
        results = Verdicts(check(self.asked(now))).of_flow(self.flow)
        denied = tuple(result for result in results if not result.allowed)
        if denied:
            raise Watched(f"policy denies {self.flow.key}, by {what}: {denied[0].message}", denied, todo)
        self.facts = now  # only what was allowed: of what was denied every batch is to be judged


def _judged(fact: FlowFact) -> object:
    return fact.source, fact.target, fact.classes, fact.grain


def _of_class(fact: FlowFact, name: str) -> FlowFact:
    return replace(fact, classes=tuple(sorted({*fact.classes, name})))


def _enough(detect: Detect, count: int, values: int) -> bool:
    share = Share.parse(detect.at_least)
    return count * 100 >= share.percent * values if share.percent is not None else count >= (share.count or 1)


def watch_of(
    item: CompiledFlow,
    applied: Applied,
    root: Path,
    *,
    facts: tuple[FlowFact, ...] | None = None,
    partly: bool = False,
    since: dt.date | None = None,
) -> Watch:
    """
    Policy for what turns up as a flow is read: asked again, today, with the facts that were found. `facts` are those
    that were judged before, where somebody has them at hand; policy allowed the flow on the day `since` (None: today),
    or later. Who reads it `partly` settles the watch at the end.
    """
    key = item.flow.key
    judged = facts_of(item.flow, item.compiled) if facts is None else facts

    def asked(now: tuple[FlowFact, ...]) -> Subjects:
        return Subjects(applied.desired, {**facts_in(applied), key: now}, (), _today(), root)

    detects = detects_of(applied.desired, key)
    return Watch(item.flow, asked, judged, detects, since or _today(), fewest=FEWEST if partly else 0)


def _today() -> dt.date:
    return dt.datetime.now(dt.UTC).date()


def facts_in(applied: Applied) -> dict[ObjectKey, tuple[FlowFact, ...]]:
    """What policy judges of every flow that is applied."""
    return facts({key: (other.flow, other.compiled) for key, other in applied.flows.items()})


def detects_of(desired: Desired, key: ObjectKey) -> tuple[Detect, ...]:
    """What the tenant of a flow has looked for."""
    tenant = desired.find("", "Tenant", key.tenant)
    return tenant.spec.detect if tenant is not None and isinstance(tenant.spec, TenantSpec) else ()
