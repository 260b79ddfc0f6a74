"""Suppressions: people who were erased, and who aren't to come back from a source that still has them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True)
class Suppression:
    """
    One person of a tenant, by the id of the request that erased them. `subject` is a keyed hash, as requests have it.

    `sealed` has keyed hashes of the values that tell the person, and is None once the suppression was `lifted` (RFC
    3339 in UTC) by somebody, for a reason.
    """

    id: str
    tenant: str
    kind: str
    subject: str
    since: str
    sealed: bytes | None = field(repr=False)
    lifted: str = ""
    by: str = ""
    reason: str = ""

    def to_json(self) -> dict[str, Any]:
        """Plain data, for `-o json`. It has no personal data."""
        return {
            "request": self.id,
            "tenant": self.tenant,
            "subject": {"kind": self.kind, "hash": self.subject},
            "since": self.since,
            "lifted": self.lifted,
            "by": self.by,
            "reason": self.reason,
        }


class Suppressions(Protocol):
    """Where they are kept. All methods may raise `Again` and `Stalled`, as those of the state's store."""

    def find(self, request: str) -> Suppression | None:
        """A suppression by its request; None where there is none."""

    def about(self, tenant: str, subject: str) -> Suppression | None:
        """That of a person which isn't lifted; None where there is none."""

    def active(self, tenant: str, kinds: Sequence[str]) -> tuple[Suppression, ...]:
        """Those of these kinds of people which aren't lifted."""

    def listed(self, tenant: str, limit: int) -> tuple[Suppression, ...]:
        """Those of a tenant (all, for an empty name), lifted ones too, newest first."""

    def put(self, suppression: Suppression) -> None:
        """Keeps one; durable when it returns. One that was lifted stays so."""
