"""A run of one sync or import: its closed state machine, its counts, its receipt.

All transitions live in `TRANSITIONS`; an unknown pair is a bug that names both. The receipt's arithmetic
(`read = written + rejected + skipped`) is checked when it is made, never assumed.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from operator import add
from typing import Any, Final

from msgspec import Struct, convert, field, to_builtins
from msgspec.structs import asdict, astuple

from syncline.model.errors import Bug
from syncline.model.latency import Latency
from syncline.model.requests import Requests, requests_from_json


class RunState(StrEnum):
    """Where a run stands. The last three are final."""

    pending = "Pending"
    running = "Running"
    interrupted = "Interrupted"
    succeeded = "Succeeded"
    partial = "SucceededWithRejects"
    failed = "Failed"


TRANSITIONS: Mapping[RunState, Mapping[str, RunState]] = {
    RunState.pending: {"start": RunState.running, "fail": RunState.failed},
    RunState.running: {
        "interrupt": RunState.interrupted,
        "succeed": RunState.succeeded,
        "finish-with-rejects": RunState.partial,
        "fail": RunState.failed,
    },
    RunState.interrupted: {"start": RunState.running, "fail": RunState.failed},
    RunState.succeeded: {},
    RunState.partial: {},
    RunState.failed: {},
}


def next_state(state: RunState, event: str) -> RunState:
    """The state after an event; Bug for a pair that the table doesn't have."""
    try:
        return TRANSITIONS[state][event]
    except KeyError:
        msg = f"a run that is {state} can't {event}"
        raise Bug(msg) from None


class Counts(Struct, frozen=True):
    """Records, cumulative over a run. `skipped` were not written on purpose (filtered, or older duplicates).

    `written` are inserted, updated, unchanged and deleted; a tombstone whose row isn't there left it unchanged.
    `absent` are rows that were deleted because no record of the read has their key. `suppressed` is how
    many of those that are skipped are about people who were erased.
    """

    read: int = 0
    written: int = 0
    rejected: int = 0
    skipped: int = 0
    inserted: int = 0
    updated: int = 0
    unchanged: int = 0
    deleted: int = 0
    absent: int = 0
    suppressed: int = 0

    def balanced(self) -> bool:
        """Whether every record read is accounted for."""
        return self.read == self.written + self.rejected + self.skipped

    def to_json(self) -> dict[str, int]:
        """The counts by name."""
        return asdict(self)

    def __add__(self, other: Counts) -> Counts:
        return Counts(*map(add, astuple(self), astuple(other)))


#: Files of a run that are told one by one; the records of all others are told together.
MAX_FILES: Final = 10_000
OTHER_FILES: Final = ""


class FileCounts(Struct, frozen=True):
    """Records of one file, or of all beyond `MAX_FILES` together; `size` in bytes, None where nobody knows it.

    >>> FileCounts(read=3, rejected=1).written
    2
    """

    read: int = 0
    rejected: int = 0
    skipped: int = 0
    size: int | None = None

    @property
    def written(self) -> int:
        """Those that were written."""
        return self.read - self.rejected - self.skipped


def with_counts(files: Mapping[str, FileCounts], file: str, counts: Counts) -> dict[str, FileCounts]:
    """The records of files, with those of a batch of one of them."""
    name = file if file in files or len(files) < MAX_FILES else OTHER_FILES
    had = files.get(name, FileCounts())
    more = FileCounts(had.read + counts.read, had.rejected + counts.rejected, had.skipped + counts.skipped)
    return {**files, name: more}


class Receipt(Struct, frozen=True):
    """What a finished run did, in figures that others can check.

    `read_digest` and `written_digest` are hex SHA-256 chains over the batches: d₀ = 32 zero bytes, dₙ = SHA-256(dₙ₋₁ ‖
    SHA-256(batch bytes)), of what was read and of what was sent to the destination. `revision` is the commit and
    `plan` the digest of the plan that it ran under. Of an import, `files` has the SHA-256 of each file that was read to
    its end, in hex, and `rows` how many rows the table had afterwards, by a query (None where it wasn't asked).
    `latency` is None where no batch was committed since the run was begun, or continued; `requests` are those that were
    sent since then, by host. `manifests` has the digests of what it ran under by name, and `sums` what fields with a
    control total came to, as exact decimals. Of an import, `file_counts` has the records of each file by its name,
    those of files beyond `MAX_FILES` together under the empty one. They add up to `counts`.
    Times are RFC 3339 UTC; durations are in seconds.
    """

    run: str
    object: str
    state: RunState
    counts: Counts
    cursor_before: Any
    cursor_after: Any
    read_digest: str
    written_digest: str
    started: str
    finished: str
    seconds: float
    revision: str
    plan: str
    batches: int
    resumed: int = 0
    source: str = ""
    destination: str = ""
    notes: tuple[str, ...] = field(default=())
    files: Mapping[str, str] = field(default_factory=dict)
    rows: int | None = None
    latency: Latency | None = None
    manifests: Mapping[str, str] = field(default_factory=dict)
    sums: Mapping[str, str] = field(default_factory=dict)
    requests: tuple[Requests, ...] = ()
    file_counts: Mapping[str, FileCounts] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuses a receipt whose records don't add up."""
        if not self.counts.balanced():
            msg = f"the records of run {self.run} don't add up: {self.counts}"
            raise Bug(msg)
        told = [sum(getattr(each, name) for each in self.file_counts.values()) for name in _OF_FILES]
        if self.file_counts and told != [getattr(self.counts, name) for name in _OF_FILES]:
            msg = f"the records of the files of run {self.run} don't add up to {self.counts}"
            raise Bug(msg)

    def to_json(self) -> dict[str, Any]:
        """Plain data, for state, audit and `-o json`."""
        plain = {name: getattr(self, name) for name in _RECEIPT}
        return plain | {
            "counts": self.counts.to_json(),
            "state": str(self.state),
            "notes": list(self.notes),
            "files": dict(self.files),
            "manifests": dict(self.manifests),
            "sums": dict(self.sums),
            "latency": None if self.latency is None else to_builtins(self.latency),
            "requests": [to_builtins(each) for each in self.requests],
            "file_counts": {
                name: {"size": each.size} | {count: getattr(each, count) for count in _OF_FILES}
                for name, each in self.file_counts.items()
            },
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Receipt:
        """A receipt from what `to_json` gave."""
        counts, notes = Counts(**data["counts"]), tuple(data["notes"])
        latency = Latency.from_json(data["latency"]) if data.get("latency") else None
        requests = requests_from_json(data.get("requests", ()))
        files = convert(data.get("file_counts", {}), dict[str, FileCounts])
        made = {"state": RunState(data["state"]), "counts": counts, "notes": notes, "latency": latency}
        return cls(**{**data, **made, "requests": requests, "file_counts": files})


_RECEIPT = Receipt.__struct_fields__
_OF_FILES: Final = ("read", "written", "rejected", "skipped")


#: What started a run that undoes another, which is its parent.
UNDOING: Final = "rollback"

#: The rule of a reject that is a sample of an answer, which is no record: no count has it, and it can't be retried.
PAGE: Final = "page"


class Reason(Struct, frozen=True):
    """Why a record is set aside: the field, the rule that its value broke, the value as read, and a sentence."""

    field: str
    rule: str
    value: str
    message: str


class Reject(Struct, frozen=True):
    """A record set aside, and why: the field, the rule it broke, the value as read, and the place in the source.

    `also` is what is wrong with other fields of it, one reason a field. `record` is the source record as JSON text, or
    the raw line when it could not be parsed (`rule` is then `parse`). An answer that ended a run because it couldn't be
    read is kept as one as well: `rule` is `page`, `record` its sample.
    """

    place: str
    field: str
    rule: str
    value: str
    message: str
    record: str
    also: tuple[Reason, ...] = ()

    @property
    def reasons(self) -> tuple[Reason, ...]:
        """All that is wrong with it, in the order of the target's fields.

        >>> Reject("a.csv:7", "zip", "type", "x", "zip is not a number", "{}").reasons[0].rule
        'type'
        """
        return (Reason(self.field, self.rule, self.value, self.message), *self.also)

    @property
    def why(self) -> str:
        """The sentences of all reasons."""
        return "; ".join(reason.message for reason in self.reasons)
