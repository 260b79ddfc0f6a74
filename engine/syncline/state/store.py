"""The state store as the rest of the program sees it: values and protocols, no database.

A `StateReader` is handed to whoever plans and shows; a `StateStore` only to whoever applies and runs. Every change of
an object raises the serial. All methods are atomic; a method that returns has made its effect durable: against the
death of the process always, against loss of power for all but what can be had again (see `state/database.py`). Where
the state is kept is `state/sql.py`'s business.

Every method may raise `Again` (the database is busy or out of reach) or `Stalled` (it is full, damaged or refuses us).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Final, Literal, Protocol

from msgspec import Struct

from syncline.model.budget import Budgets
from syncline.model.condition import Occurrence, Status
from syncline.model.delivery import Deliveries
from syncline.model.erasure import Erasures
from syncline.model.key import ObjectKey
from syncline.model.ledger import Ledger
from syncline.model.offboarding import Tenants
from syncline.model.outbox import Message, Outbox
from syncline.model.proposal import Proposals
from syncline.model.requests import Requests
from syncline.model.retired_flow import RetiredFlows
from syncline.model.run import Counts, RunState
from syncline.model.statistics import ToldStatistics
from syncline.model.suppression import Suppression, Suppressions
from syncline.model.tally import Tally


class AppliedObject(Struct, frozen=True):
    """A declaration as it was last applied: `document` is the manifest as canonical JSON, `place` `file:line:column` in
    `revision` (a declaration that only goes to another file is not applied again).

    `generation` starts at 1 and rises with each changed digest; the store counts it and ignores what a caller gives.
    `source` is the source that owns it; '' for the first, which declares the others.
    """

    key: ObjectKey
    digest: str
    document: str
    place: str
    revision: str
    plan: str
    generation: int
    applied: str
    source: str = ""


class Lease(Struct, frozen=True):
    """The right to write, until it expires. `token` rises with each holder (a fencing token): a write that carries an
    older token than the newest is refused. `serial` is the state's when it was taken.
    """

    name: str
    holder: str
    token: int
    expires: float
    serial: int = 0


class JournalEntry(Struct, frozen=True):
    """One step of an apply: its index, what it is (JSON of the step) and whether it was finished."""

    apply: str
    index: int
    step: str
    done: bool


class Author(Struct, frozen=True):
    """Whose commit it is (`Name <address>`), and its first line; '' where that isn't known."""

    name: str = ""
    subject: str = ""


class AppliedRevision(Struct, frozen=True):
    """A finished apply that changed something: of whose commit, to which serial, and how many objects it changed."""

    apply: str
    finished: str
    revision: str
    plan: str
    author: Author
    serial: int
    objects: int
    source: str = ""


class KeptPosition(Struct, frozen=True):
    """Where a sync was: its checkpoint then, when that was (RFC 3339 UTC), and what its runs have read since."""

    checkpoint: str
    taken: str
    runs: int = 0
    read: int = 0


class Wait(Struct, frozen=True):
    """That a run waits for a system, until when (RFC 3339 UTC), and why."""

    until: str
    why: str


class RunRecord(Struct, frozen=True):
    """A run. `trigger` is `manual`, `schedule`, `event`, `drift` (it heals), `retry` or `rollback`; `parent` the run
    that is retried or undone. Times are RFC 3339 UTC; `error` is one line, with its code; `receipt` is there when it
    is final; `wait` is the last one that was noted, and may be over. `requests` are those of one that didn't end
    well: of the others the receipt has them.
    """

    id: str
    key: ObjectKey
    state: RunState
    trigger: str
    revision: str
    plan: str
    started: str
    finished: str = ""
    counts: Counts = Counts()
    error: str = ""
    error_code: str = ""
    parent: str = ""
    receipt: dict[str, Any] | None = None
    wait: Wait | None = None
    requests: tuple[Requests, ...] = ()


class Standing(Struct, frozen=True):
    """Where a flow stands before a run of it: the copy of its checkpoint, and its newest run with those that are not
    final, newest first.
    """

    checkpoint: str | None = None
    runs: tuple[RunRecord, ...] = ()


class SealedRejects(Struct, frozen=True):
    """Rejects of one batch of a run: `blob` is an encrypted JSON list; `count` and `rules` (rule → count) are not."""

    run: str
    sequence: int
    count: int
    rules: dict[str, int]
    blob: bytes
    retried: str = ""


@dataclass(frozen=True, slots=True)
class LogLine:
    """What happened in a run, for people. `level` is `info`, `warning`, `error` or `success`; `time` RFC 3339 UTC."""

    run: str
    time: str
    level: str
    message: str
    operation: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)


class MetricsPeriod(Struct, frozen=True):
    """Counters of an object over the hour from `start` to `end` (RFC 3339 UTC). Counters are summed, so rates and
    averages are quotients of two of them: `errors` by `operations`, `seconds` by `operations`, `bytes` by `seconds`.
    """

    key: ObjectKey
    start: str
    end: str
    values: Mapping[str, float]


class TokenKey(Struct, frozen=True):
    """Whose token: the tenant and the name of an AuthConfig, and a digest of what the token is for."""

    tenant: str
    name: str
    basis: str


@dataclass(frozen=True, slots=True)
class SealedToken:
    """A token of an API: `sealed` is encrypted, None after a logout; `expires` Unix time, 0 where it isn't known."""

    key: TokenKey
    version: int
    sealed: bytes | None = field(repr=False)
    expires: float = 0.0
    changed: str = ""


class SeenCredential(Struct, frozen=True):
    """A keyed digest of a credential and when it was first seen (RFC 3339 UTC); `replaced`: it was another before."""

    digest: str
    seen: str
    replaced: bool = False


#: What the text of a checkpoint has in it that the next run of its flow is to go back to.
RESTORED: Final = '"restored":true'


#: From the statuses that there are, those to keep instead and what to tell of.
StatusChange = Callable[[Mapping[ObjectKey, Status]], tuple[Iterable[Status], Iterable[Occurrence]]]


class ApprovalUse(Struct, frozen=True):
    """An approval (SHA-256 of its file, in hex, and of the effects in it), who signed it, and what it is used for."""

    approval: str
    effects: str
    signers: tuple[str, ...]
    keys: tuple[ObjectKey, ...]


class StateReader(Protocol):
    """Everything that can be asked without changing anything."""

    @property
    def lineage(self) -> str:
        """Identity of this state since it was first made (a UUID)."""

    def serial(self) -> int:
        """Counts applied changes; a plan is stale when it has another."""

    def objects(self, tenant: str | None = None) -> tuple[AppliedObject, ...]:
        """Applied objects in key order; of one tenant (and not the shared ones), if it is given."""

    def object(self, key: ObjectKey) -> AppliedObject | None:
        """One applied object."""

    def cursor(self, key: ObjectKey) -> str | None:
        """The last known checkpoint of a flow (a copy; the destination's is the truth)."""

    def cursors(self) -> dict[ObjectKey, str]:
        """All of them."""

    def runs(self, key: ObjectKey | None = None, limit: int = 50) -> tuple[RunRecord, ...]:
        """Runs, newest first."""

    def tally(self, key: ObjectKey) -> Tally | None:
        """What the finished runs of a flow did to rows, added up; None where none has finished."""

    def open_runs(self, key: ObjectKey, among: int = 50) -> tuple[RunRecord, ...]:
        """Runs that are not final, newest first, among an object's newest."""

    def standing(self, key: ObjectKey, among: int = 50) -> Standing:
        """What a run of a flow begins with, read at once; runs are looked at as by `open_runs`."""

    def run_state(self, run_id: str) -> RunState | None:
        """Where a run stands, by its whole id; None if it isn't known."""

    def run(self, run_id: str) -> RunRecord | None:
        """One run, by its id or a unique prefix of at least 6 characters; `Invalid` lists the candidates of others."""

    def rejects(self, run_id: str) -> Iterator[SealedRejects]:
        """Sealed rejects of a run, in order."""

    def logs(self, run_id: str) -> tuple[LogLine, ...]:
        """What was logged in a run, in order."""

    def rows_since(self, tenant: str, hour: str) -> int:
        """How many rows a tenant's runs wrote that ended in that hour (its begin, RFC 3339 UTC) or later."""

    def rejects_size(self, tenant: str) -> int:
        """Bytes of all rejects that are kept of a tenant, as they are sealed."""

    def metrics(self, key: ObjectKey, limit: int = 168) -> tuple[MetricsPeriod, ...]:
        """Counters of an object by the hour, newest first; a week of them unless told otherwise."""

    def applied_under(self, source: str | None = None) -> tuple[str, str]:
        """The revision and the plan's digest of the last finished apply, of a source or (None) of any; empty where
        there was none.
        """

    def applied_before(self, revision: str, source: str = "") -> str:
        """The revision of a source's last finished apply of another one; empty where there was none."""

    def kept_revisions(self) -> tuple[str, ...]:
        """Revisions that positions are kept of, each once, newest first."""

    def positions(self, revision: str) -> dict[ObjectKey, KeptPosition]:
        """Where syncs were when this revision was last applied and another was about to be, of those that are elsewhere
        now; empty if nobody knows.
        """

    def history(self, limit: int = 20) -> tuple[AppliedRevision, ...]:
        """What was applied, newest first."""

    def environment(self) -> str:
        """The environment of the last apply that was begun; empty where there was none, or no environments."""

    def approval_base(self, source: str) -> str:
        """The revision from which on a source's commits count as those of what is held back; empty where nothing is."""

    def approval_uses(self, approvals: Sequence[str]) -> dict[tuple[str, ObjectKey], str]:
        """Of these approvals, which was used for which object, and the revision that it was used for."""

    def unfinished_apply(self) -> tuple[JournalEntry, ...]:
        """Entries of the apply that was begun and not finished, done and not done; empty if there is none."""

    def statuses(self, keys: Sequence[ObjectKey] | None = None) -> dict[ObjectKey, Status]:
        """How these objects stand (None: all), in key order; those of which nothing is known are left out."""

    def due(self, now: str) -> tuple[ObjectKey, ...]:
        """Objects whose next attempt is due at a time (RFC 3339 UTC), the longest overdue first."""

    def events(
        self, key: ObjectKey | None = None, tenant: str | None = None, after: int = 0, limit: int = 50
    ) -> tuple[Occurrence, ...]:
        """The newest events after a number, oldest first; of an object or a tenant, where one is given."""

    def messages(self, key: ObjectKey | None = None, tenant: str | None = None, limit: int = 50) -> tuple[Message, ...]:
        """The newest messages of subscriptions, oldest first; of a subscription or a tenant, where one is given."""

    def token(self, key: TokenKey) -> SealedToken | None:
        """A token as it is kept; None where there never was one."""

    def tokens(self) -> tuple[SealedToken, ...]:
        """Every token that is there, by tenant, name and basis."""

    def credentials(self) -> dict[ObjectKey, SeenCredential]:
        """Since when credentials are what they are, by their AuthConfigs; of those that were seen."""

    def left_before(
        self, tenant: str, what: Literal["rejects", "logs"], before: str, but: Sequence[ObjectKey] = ()
    ) -> int:
        """How many rejects, or log lines, are of finished runs of a tenant that began before a time (RFC 3339 UTC);
        none of runs of the objects in `but`.
        """

    def left_runs(self, tenant: str, before: str, but: Sequence[ObjectKey] = ()) -> tuple[RunRecord, ...]:
        """The runs whose rejects `left_before` counts."""

    def suppressed(self, tenant: str, kinds: Sequence[str]) -> tuple[Suppression, ...]:
        """Who of these kinds of people isn't to come back."""

    def close(self) -> None:
        """Releases connections."""


class StateStore(StateReader, Protocol):
    """Everything, with changes. Changes of objects need the lease; its token is checked in the same transaction."""

    def lease(self, name: str, holder: str = "", ttl: float = 30.0) -> AbstractContextManager[Lease]:
        """Holds a lease, renewed in the background, until the block ends; `Waiting` names who holds it now.

        `holder` is what others are shown, `host:pid` if it is empty. A holder that died is followed after at most
        `ttl` seconds, or at once where its process is known to be gone. `Denied` in a store that is fenced by a lease
        which changed hands: this one isn't taken then.
        """

    def generations(self) -> dict[ObjectKey, tuple[int, str]]:
        """Generation and revision of each applied object, without its document."""

    def audit_head(self) -> tuple[int, str]:
        """The largest size of the audit log that was noted, and its root in hex; (0, '') where none was."""

    def note_audit_head(self, size: int, root: str, *, anew: bool = False) -> None:
        """Notes how large the audit log is; a smaller size changes nothing, unless the log begins `anew` from there."""

    def holds(self, lease: Lease) -> bool:
        """Whether nobody else can have a lease of ours yet: it was renewed in time. Asks nobody."""

    def fenced(self, lease: Lease) -> StateStore:
        """This store, with every change refused (`Denied`), in its own transaction, once the lease changed hands."""

    def prove(self, lease: Lease) -> None:
        """
        Refuses (`Denied`) unless the lease is held still: what was read under it before is then as it was read. For
        what is done outside of the state because of it, and can't be undone.
        """

    def use_approvals(self, lease: Lease, revision: str, uses: Sequence[ApprovalUse], base: str, source: str) -> None:
        """Notes, before anything is applied under them, that approvals are used for a revision; a note that is there
        stays. `base` is kept for `approval_base` of the source.
        """

    def begin_apply(
        self,
        lease: Lease,
        apply: str,
        plan: str,
        revision: str,
        steps: Sequence[str],
        environment: str = "",
        source: str = "",
    ) -> None:
        """Journals the steps of an apply before the first is taken, and gives up an earlier unfinished one. `source` is
        the one that `revision` is a commit of.

        Beginning an apply again by the same id and steps goes on where it stood.
        """

    def put_object(self, lease: Lease, apply: str, index: int, applied: AppliedObject) -> None:
        """Records a declaration and marks the step done, in one transaction. Idempotent by apply and index."""

    def move_object(self, lease: Lease, apply: str, index: int, previous: ObjectKey, key: ObjectKey) -> None:
        """Renames an object with its cursor, runs and rejects, and marks the step done."""

    def delete_object(self, lease: Lease, apply: str, index: int, key: ObjectKey) -> None:
        """
        Removes an object and its cursor; its runs stay. Marks the step done. A tenant's last document takes the place
        of its cursor: it says who may see what is left.
        """

    def note_dropped(self, lease: Lease, apply: str, index: int, key: ObjectKey, *, kept: str = "") -> None:
        """
        Tells that the table of a flow was dropped, or why it was `kept`, and marks the step done. The serial stays as
        it is.
        """

    def reset_cursor(self, lease: Lease, apply: str, index: int, key: ObjectKey) -> None:
        """Forgets a cursor and marks the step done."""

    def restore_cursor(self, lease: Lease, apply: str, index: int, key: ObjectKey, revision: str) -> None:
        """Has the next run of a sync go on from where it was under a revision, and marks the step done. Without effect
        on the position where that isn't kept any more.
        """

    def finish_apply(self, lease: Lease, apply: str, author: Author | None = None, objects: int = 0) -> int:
        """Closes the journal of an apply; returns the serial, which is the old one if nothing was changed.

        With the number of objects that it changed, it becomes part of the history, under the author of its commit.
        """

    def claim_token(self, key: TokenKey, version: int, seconds: float) -> bool:
        """Takes the right to replace a version of a token, for so long; False where another process has it, or the
        version has moved on. A process that is known to be gone loses its claim at once.
        """

    def unclaim_token(self, key: TokenKey, version: int) -> None:
        """Gives back a claim whose token could not be got."""

    def swap_token(self, key: TokenKey, version: int, sealed: bytes | None, expires: float) -> bool:
        """Replaces a claimed version, durably, and ends the claim; False where the version has moved on."""

    def see_credential(self, key: ObjectKey, digest: str, time: str) -> SeenCredential:
        """Notes that a credential has this keyed digest at a time; writes only when it is another than before."""

    def change_statuses(self, keys: Sequence[ObjectKey] | None, make: StatusChange) -> None:
        """Lets `make` decide from the statuses of these objects (None: of all), and keeps what it says, in one
        transaction. What it leaves as it is isn't written; a status without conditions is forgotten.
        """

    def put_cursor(self, key: ObjectKey, checkpoint: str) -> None:
        """Keeps a copy of a flow's last checkpoint."""

    def put_run(self, run: RunRecord, checkpoint: str | None = None) -> None:
        """Records a run or its new state; the transition must be in `model.run.TRANSITIONS` (or unchanged). With it, a
        copy of its flow's checkpoint (None: it keeps the one it has), as by `put_cursor`: both or neither.

        A run that was not seen before counts as `Pending` until now. The object of a recorded run doesn't change.
        """

    def note_wait(self, run_id: str, wait: Wait) -> None:
        """Notes that a run waits, where it is recorded. Nothing else of the run changes, and it need not last."""

    def finish_run(self, run: RunRecord, checkpoint: str | None, values: Mapping[str, float]) -> None:
        """Records a run in a final state, a copy of its flow's last checkpoint (None: it keeps the one it has) and what
        it adds to its object's counters: all of it or nothing. As `put_run`, `put_cursor` and `add_metrics`.
        """

    def put_rejects(self, rejects: SealedRejects) -> None:
        """Keeps the rejects of a batch of a recorded run; the same run and sequence again replaces them."""

    def drop_rejects(self, run_id: str, from_sequence: int) -> None:
        """Deletes rejects of batches that were never committed."""

    def mark_retried(self, run_id: str, by: str) -> None:
        """Notes that a run's rejects were retried by another run."""

    def log(
        self, run_id: str, level: str, message: str, *, operation: str = "", details: Mapping[str, Any] | None = None
    ) -> None:
        """Notes for people what happened in a recorded run; never a secret, never a record's values."""

    def add_metrics(self, key: ObjectKey, values: Mapping[str, float]) -> None:
        """Adds to the counters of an object in the hour that it is now."""

    def budgets(self) -> Budgets:
        """Budgets of requests that all processes on this state share."""

    def ledger(self, tenant: str, integration: str) -> Ledger:
        """What is remembered of a tenant's writes to an integration that has no transactions."""

    def erasures(self) -> Erasures:
        """Requests to erase a person."""

    def expire_left(
        self, tenant: str, what: Literal["rejects", "logs"], before: str, but: Sequence[ObjectKey] = ()
    ) -> int:
        """Deletes what `left_before` counts, and gives its number. Runs, their counts and receipts stay."""

    def suppressions(self) -> Suppressions:
        """Who isn't to come back."""

    def tenants(self) -> Tenants:
        """What there is of tenants, and the journal of those that leave."""

    def statistics(self) -> ToldStatistics:
        """What was told of all tenants together."""

    def deliveries(self) -> Deliveries:
        """Webhooks that were delivered for schedules."""

    def proposals(self) -> Proposals:
        """Commits that are proposed on branches."""

    def retired_flows(self) -> RetiredFlows:
        """What was applied of flows that are retired."""

    def outbox(self) -> Outbox:
        """Messages of subscriptions, and how far each subscription is."""
