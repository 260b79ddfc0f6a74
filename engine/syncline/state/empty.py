"""The state of a repository where nothing was ever applied: what there is to read before the first apply.

It makes no file and needs no database, so that `plan` works where state is out of reach on purpose, such as in CI.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from syncline.model.condition import Occurrence, Status
from syncline.model.key import ObjectKey
from syncline.model.outbox import Message
from syncline.model.run import RunState
from syncline.model.suppression import Suppression
from syncline.model.tally import Tally
from syncline.state.store import (
    AppliedObject,
    AppliedRevision,
    JournalEntry,
    KeptPosition,
    LogLine,
    MetricsPeriod,
    RunRecord,
    SealedRejects,
    SealedToken,
    SeenCredential,
    Standing,
    TokenKey,
)


class EmptyState:
    """A `StateReader` without anything in it. Its lineage is empty, so a plan made from it fits any new state."""

    lineage = ""

    def serial(self) -> int:
        return 0

    def objects(self, tenant: str | None = None) -> tuple[AppliedObject, ...]:  # noqa: ARG002 - the protocol's
        return ()

    def object(self, key: ObjectKey) -> AppliedObject | None:  # noqa: ARG002 - the protocol's
        return None

    def cursor(self, key: ObjectKey) -> str | None:  # noqa: ARG002 - the protocol's
        return None

    def cursors(self) -> dict[ObjectKey, str]:
        return {}

    def runs(self, key: ObjectKey | None = None, limit: int = 50) -> tuple[RunRecord, ...]:  # noqa: ARG002 - the protocol's
        return ()

    def tally(self, key: ObjectKey) -> Tally | None:  # noqa: ARG002 - the protocol's
        return None

    def open_runs(self, key: ObjectKey, among: int = 50) -> tuple[RunRecord, ...]:  # noqa: ARG002 - the protocol's
        return ()

    def standing(self, key: ObjectKey, among: int = 50) -> Standing:  # noqa: ARG002 - the protocol's
        return Standing()

    def run_state(self, run_id: str) -> RunState | None:  # noqa: ARG002 - the protocol's
        return None

    def run(self, run_id: str) -> RunRecord | None:  # noqa: ARG002 - the protocol's
        return None

    def rejects(self, run_id: str) -> Iterator[SealedRejects]:  # noqa: ARG002 - the protocol's
        return iter(())

    def logs(self, run_id: str) -> tuple[LogLine, ...]:  # noqa: ARG002 - the protocol's
        return ()

    def metrics(self, key: ObjectKey, limit: int = 168) -> tuple[MetricsPeriod, ...]:  # noqa: ARG002 - the protocol's
        return ()

    def applied_under(self, source: str | None = None) -> tuple[str, str]:  # noqa: ARG002 - the protocol's
        return "", ""

    def applied_before(self, revision: str, source: str = "") -> str:  # noqa: ARG002 - the protocol's
        return ""

    def kept_revisions(self) -> tuple[str, ...]:
        return ()

    def positions(self, revision: str) -> dict[ObjectKey, KeptPosition]:  # noqa: ARG002 - the protocol's
        return {}

    def history(self, limit: int = 20) -> tuple[AppliedRevision, ...]:  # noqa: ARG002 - the protocol's
        return ()

    def environment(self) -> str:
        return ""

    def approval_base(self, source: str) -> str:  # noqa: ARG002 - the protocol's
        return ""

    def approval_uses(self, approvals: Sequence[str]) -> dict[tuple[str, ObjectKey], str]:  # noqa: ARG002 - the protocol's
        return {}

    def unfinished_apply(self) -> tuple[JournalEntry, ...]:
        return ()

    def statuses(self, keys: Sequence[ObjectKey] | None = None) -> dict[ObjectKey, Status]:  # noqa: ARG002 - the protocol's
        return {}

    def due(self, now: str) -> tuple[ObjectKey, ...]:  # noqa: ARG002 - the protocol's
        return ()

    def events(
        self,
        key: ObjectKey | None = None,  # noqa: ARG002 - the protocol's
        tenant: str | None = None,  # noqa: ARG002 - the protocol's
        after: int = 0,  # noqa: ARG002 - the protocol's
        limit: int = 50,  # noqa: ARG002 - the protocol's
    ) -> tuple[Occurrence, ...]:
        return ()

    def rejects_size(self, tenant: str) -> int:  # noqa: ARG002 - the protocol's
        return 0

    def rows_since(self, tenant: str, hour: str) -> int:  # noqa: ARG002 - the protocol's
        return 0

    def messages(
        self,
        key: ObjectKey | None = None,  # noqa: ARG002 - the protocol's
        tenant: str | None = None,  # noqa: ARG002 - the protocol's
        limit: int = 50,  # noqa: ARG002 - the protocol's
    ) -> tuple[Message, ...]:
        return ()

    def token(self, key: TokenKey) -> SealedToken | None:  # noqa: ARG002 - the protocol's
        return None

    def tokens(self) -> tuple[SealedToken, ...]:
        return ()

    def credentials(self) -> dict[ObjectKey, SeenCredential]:
        return {}

    def left_before(self, tenant: str, what: str, before: str, but: Sequence[ObjectKey] = ()) -> int:  # noqa: ARG002 - the protocol's
        return 0

    def left_runs(self, tenant: str, before: str, but: Sequence[ObjectKey] = ()) -> tuple[RunRecord, ...]:  # noqa: ARG002 - the protocol's
        return ()

    def suppressed(self, tenant: str, kinds: Sequence[str]) -> tuple[Suppression, ...]:  # noqa: ARG002 - the protocol's
        return ()

    def close(self) -> None:
        """Nothing to release."""
