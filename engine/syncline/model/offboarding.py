"""A tenant that leaves: what was taken away of it step by step, and what is left in the state."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final, Literal, Protocol

from msgspec import Struct, to_builtins

from syncline.model.key import ObjectKey

#: `begun`: it was found, and may or may not be gone. `done`: nothing is left of it. `held`: a legal hold keeps it.
#: `left`: it was given up on purpose. `failed`: it was tried in vain, and is tried again.
StepState = Literal["begun", "done", "held", "left", "failed"]
#: States after which a step has nothing more to do.
SETTLED: Final[frozenset[StepState]] = frozenset({"done", "left"})


class LeavingStep(Struct, frozen=True):
    """
    A step: `export`, `files`, `state`, `key`, or `destination` with the flow (`acme/Sync/orders`) as its `subject`;
    of `state` the subject is a table, of `webhook` a webhook of an integration (`acme/Integration/forge/push`).
    `superseded` ends an offboarding that was not gone on with, since the tenant came back.

    `count` is how many of what it is about were taken away, the most that was ever found; `message` says why in all
    states but `done`, and then what, where that isn't clear.
    """

    what: str
    subject: str
    state: StepState
    count: int = 0
    message: str = ""


class Offboarding(Struct, frozen=True):
    """
    A tenant on its way out. `revision` is the commit that its manifests were last applied of; `archive` the SHA-256 of
    its export, '' before that. `begun` and `finished` are RFC 3339 in UTC, `finished` empty while something is left.
    """

    id: str
    tenant: str
    revision: str
    begun: str
    finished: str = ""
    archive: str = ""
    steps: tuple[LeavingStep, ...] = ()

    def step(self, what: str, subject: str = "") -> LeavingStep | None:
        """A step that was taken or tried."""
        return next((step for step in self.steps if (step.what, step.subject) == (what, subject)), None)

    def settled(self, what: str, subject: str = "") -> bool:
        """Whether a step has nothing more to do."""
        step = self.step(what, subject)
        return step is not None and step.state in SETTLED

    def to_json(self) -> dict[str, Any]:
        """Plain data, for people and scripts."""
        return {
            "request": self.id,
            "tenant": self.tenant,
            "revision": self.revision,
            "begun": self.begun,
            "finished": self.finished,
            "archive": self.archive,
            "steps": [to_builtins(step) for step in self.steps],
        }


class Tenants(Protocol):
    """What the state has of tenants, and the journal of those that leave."""

    def newest(self, tenant: str) -> Offboarding | None:
        """The last time that a tenant was taken out, finished or not; None where it never was."""

    def put(self, offboarding: Offboarding) -> None:
        """Keeps it, with the steps that it has; durable when it returns."""

    def counts(self, tenant: str, keep: Iterable[ObjectKey] = ()) -> dict[str, int]:
        """Rows of a tenant by table, where there are any; of the objects `keep` none are counted."""

    def runs(self, tenant: str, keep: Iterable[ObjectKey] = ()) -> Iterator[str]:
        """Ids of a tenant's runs, in order, but for those of `keep`."""

    def objects(self, tenant: str) -> tuple[ObjectKey, ...]:
        """A tenant's objects of which there is anything."""

    def last_run(self, tenant: str) -> str:
        """When the last run of a tenant began (RFC 3339 UTC); '' where none is known."""

    def rows(self, tenant: str) -> Iterator[tuple[str, dict[str, Any]]]:
        """Every row of a tenant with its table, page by page; without what is sealed."""

    def sealed(self) -> Iterator[tuple[str, str, str, bytes]]:
        """Everything that is sealed: what, the tenant, the run or name that it is kept under, and the blob."""

    def delete(self, tenant: str, table: str, keep: Iterable[ObjectKey] = ()) -> int:
        """Deletes a tenant's rows of a table, but for those of `keep`; how many. Durable when it returns."""
