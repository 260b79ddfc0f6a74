"""What runs and rehearsals came to, and two of them side by side: the same import in staging and in production.

What is compared is what the data led to: records by outcome, rules that records broke, quality, control totals. How
rows divide into inserted and updated depends on what a table had before, and how long it took on the machine: both are
shown, and make no difference. Where the two didn't read the same, that is said first.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

from msgspec import Struct

from syncline.executor.batches.at_rest import is_shut
from syncline.executor.previews.quality import Quality
from syncline.model.key import ObjectKey
from syncline.model.run import PAGE, Counts, Receipt, RunState
from syncline.planner.diff import field_changes

if TYPE_CHECKING:
    from syncline.model.change import FieldChange
    from syncline.state.store import RunRecord

T = TypeVar("T")

#: What a rehearsal is called where a run has its id.
REHEARSAL: Final = "rehearsal"
#: Measures of a field's quality that are compared.
MEASURES: Final = ("completeness", "validity", "distinct", "consistency")
_UNENDED: Final = frozenset(RunState) - {RunState.succeeded, RunState.partial}


@dataclass(frozen=True, slots=True)
class RunOutcome:
    """
    What one run, or rehearsal, came to. `seen` are the records that were read, of which `counts` are those looked at.

    `rules` are rejects by what they broke (`field: rule`). `files` are SHA-256 by name, `read_digest` the chain over
    what was read; both are empty where they aren't known. `documents` are the manifests that it ran under, where they
    are at hand. `state` is empty of a rehearsal, `error` of what ended well. `onwards`: it read on from where another
    had ended; None for who may not see positions.
    """

    name: str
    object: str
    environment: str
    state: str
    counts: Counts
    seen: int
    rules: Mapping[str, int]
    error: str = ""
    started: str = ""
    seconds: float | None = None
    rows: int | None = None
    files: Mapping[str, str] = field(default_factory=dict)
    read_digest: str = ""
    sums: Mapping[str, str] = field(default_factory=dict)
    manifests: Mapping[str, str] = field(default_factory=dict)
    quality: Mapping[str, Quality] = field(default_factory=dict)
    onwards: bool | None = False
    documents: Mapping[str, str] = field(default_factory=dict, repr=False)


class Pair(Struct, Generic[T], frozen=True):
    """What both have of something; None where one has nothing of it."""

    name: str
    one: T | None
    other: T | None

    @property
    def equal(self) -> bool:
        """Whether there is no difference."""
        return self.one == self.other


class ManifestPair(Struct, frozen=True):
    """A manifest that isn't the same in both: its names with versions, and fields where both documents are known."""

    one: str
    other: str
    fields: tuple[FieldChange, ...]


class SideBySide(Struct, frozen=True):
    """
    Two outcomes. `reservations` say why they aren't of the same data or the same flow: where there are some, the
    figures are beside each other, and no judgement. `unknown` says what couldn't be compared, and why.
    """

    one: RunOutcome
    other: RunOutcome
    reservations: tuple[str, ...]
    unknown: tuple[str, ...]
    counts: tuple[Pair[int], ...]
    rules: tuple[Pair[int], ...]
    sums: tuple[Pair[Decimal], ...]
    quality: tuple[Pair[Quality], ...]
    files: tuple[Pair[str], ...]
    manifests: tuple[ManifestPair, ...]

    @property
    def comparable(self) -> bool:
        """Whether both are whole outcomes of one flow on the same data."""
        return not self.reservations

    @property
    def equal(self) -> bool:
        """Whether the data led to the same: in all that both have."""
        judged: tuple[Pair[Any], ...] = (*self.counts, *self.rules, *self.sums, *self.quality)
        return all(pair.equal for pair in judged) and bool(self.one.error) == bool(self.other.error)


def outcome_of_run(
    record: RunRecord, rules: Mapping[str, int], environment: str = "", documents: Mapping[str, str] | None = None
) -> RunOutcome:
    """What a run came to. `documents` are manifests by name and digest (`name digest`); those it ran under are kept."""
    found = RunOutcome(
        name=record.id,
        object=str(record.key),
        environment=environment,
        state=str(record.state),
        error=f"{record.error_code} {record.error}".strip(),
        counts=record.counts,
        seen=record.counts.read,
        started=record.started,
        rules={rule: count for rule, count in rules.items() if rule != PAGE},
    )
    if record.receipt is None:
        return found
    receipt, known = Receipt.from_json(record.receipt), documents or {}
    return replace(
        found,
        seconds=receipt.seconds,
        rows=receipt.rows,
        files=receipt.files,
        read_digest=receipt.read_digest,
        sums=receipt.sums,
        manifests=receipt.manifests,
        onwards=None if is_shut(receipt) else receipt.cursor_before is not None,
        documents={
            name: known[at] for name, digest in receipt.manifests.items() if (at := f"{name} {digest}") in known
        },
    )


def outcome_of_rehearsal(data: Mapping[str, Any]) -> RunOutcome:
    """What a rehearsal came to, from its plain data; `KeyError`, `TypeError` or `ValueError` where that isn't whole."""
    quality = [Quality(**{n: v for n, v in each.items() if n != "score"}) for each in data["quality"]]
    return RunOutcome(
        name=REHEARSAL,
        object=str(data["key"]),
        environment=data.get("environment", ""),
        state="",
        error=str(data["refused"]),
        counts=Counts(**data["counts"]),
        seen=int(data["seen"]),
        rules=_rules(data["rejects"]),
        seconds=data.get("seconds"),
        files=data.get("files", {}),
        sums=data.get("sums", {}),
        manifests=data.get("manifests", {}),
        quality={each.field: each for each in quality},
        onwards=bool(data["resumed"]),
    )


def outcome_of_report(data: Mapping[str, Any], record: RunRecord) -> RunOutcome:
    """What a run came to, from the plain data of its report, and the record that is made of it."""
    return outcome_of_run(record, _rules(data["rejects"]), data.get("environment", ""))


def _rules(rejects: Mapping[str, Any]) -> dict[str, int]:
    return {
        f"{each['field']}: {each['rule']}" if each["field"] else str(each["rule"]): int(each["count"])
        for each in rejects["broken"]
    }


def side_by_side(one: RunOutcome, other: RunOutcome) -> SideBySide:
    """Two outcomes beside each other."""
    sums = tuple(
        Pair(name, Decimal(one.sums[name]), Decimal(other.sums[name]))
        for name in sorted(one.sums.keys() & other.sums.keys())
    )
    both = one.quality and other.quality
    return SideBySide(
        one,
        other,
        tuple(_reservations(one, other)),
        tuple(_unknown(one, other)),
        tuple(
            Pair(name, getattr(one.counts, name), getattr(other.counts, name))
            for name in ("read", "written", "rejected", "skipped", "suppressed")
        ),
        tuple(
            sorted(
                (Pair(rule, one.rules.get(rule, 0), other.rules.get(rule, 0)) for rule in {*one.rules, *other.rules}),
                key=lambda pair: (-abs((pair.one or 0) - (pair.other or 0)), -(pair.one or 0), pair.name),
            )
        ),
        sums,
        _pairs(one.quality, other.quality) if both else (),
        _pairs(one.files, other.files),
        tuple(_manifests(one, other)),
    )


def _pairs(one: Mapping[str, T], other: Mapping[str, T]) -> tuple[Pair[T], ...]:
    names = [*one, *(name for name in other if name not in one)]
    return tuple(Pair(name, one.get(name), other.get(name)) for name in names)


def _reservations(one: RunOutcome, other: RunOutcome) -> Iterator[str]:
    if one.object != other.object:
        yield f"they are of different flows, {one.object} and {other.object}"
    for side in (one, other):
        if side.counts.read != side.seen:
            yield f"{called(side)} looked at a sample: {side.counts.read:,} of {side.seen:,} records"
        if side.state == RunState.failed:
            yield f"{called(side)} failed: {side.error}"
        elif side.state in _UNENDED:
            yield f"{called(side)} has not ended"
    if None not in (one.onwards, other.onwards) and one.onwards != other.onwards:
        on = one if one.onwards else other
        yield f"{called(on)} read on from where the run before it ended, and the other from the start"
    if one.files and other.files:
        if not same_files(one, other):
            yield "what they read differs: files have other digests"
    elif one.read_digest and other.read_digest and one.read_digest != other.read_digest:
        yield "what they read differs: it has other digests"


def same_files(one: RunOutcome, other: RunOutcome) -> bool:
    """Whether both read files of the same content, whatever they are called."""
    return sorted(one.files.values()) == sorted(other.files.values())


def called(side: RunOutcome) -> str:
    """An outcome in a sentence."""
    what = "the rehearsal" if side.name == REHEARSAL else f"run {side.name}"
    return f"{what} in {side.environment}" if side.environment else what


def _unknown(one: RunOutcome, other: RunOutcome) -> Iterator[str]:
    if any(side.state in _UNENDED for side in (one, other)):
        return
    if not (one.files and other.files) and not (one.read_digest and other.read_digest):
        yield "whether they read the same: no digests are known of one of them"
    if not (one.quality and other.quality) and (one.quality or other.quality):
        yield "quality by field: only rehearsals measure it"
    if missing := sorted(one.sums.keys() ^ other.sums.keys()):
        yield f"the sums of {', '.join(missing)}: only one of them tells a control total"
    if None in (one.onwards, other.onwards):
        yield "whether they read from the start: who may not see values isn't told positions"
    if not (one.manifests and other.manifests):
        yield "what they ran under: one of them was noted by an earlier version"


def _manifests(one: RunOutcome, other: RunOutcome) -> Iterator[ManifestPair]:
    """Manifests that differ; two versions of a connector are one that does."""
    if not (one.manifests and other.manifests):
        return
    here, there = _unversioned(one.manifests), _unversioned(other.manifests)
    for name in sorted({*here, *there}):
        mine, its = here.get(name, ""), there.get(name, "")
        if mine == its and one.manifests[mine] == other.manifests[its]:
            continue
        before, after = one.documents.get(mine), other.documents.get(its)
        changes = field_changes(json.loads(before), json.loads(after)) if before and after else ()
        yield ManifestPair(mine, its, changes)


def _unversioned(names: Mapping[str, str]) -> dict[str, str]:
    return {str(ObjectKey.parse(name).unversioned): name for name in names}
