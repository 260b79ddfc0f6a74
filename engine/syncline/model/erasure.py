"""Requests to erase a data subject: what became of them at each place, and the certificate that says so."""

from __future__ import annotations

from typing import Any, Final, Literal, Protocol

from msgspec import Struct

from syncline.model.key import ObjectKey

#: `begun`: rows were found, and may or may not be gone. `erased`: none is left. `held`: a legal hold keeps them.
#: `asked`: its system took a request to do it by itself. `open`: somebody has to do it by hand.
#: `acknowledged`: somebody did. `failed`: it was tried in vain.
PlaceState = Literal["begun", "erased", "asked", "held", "open", "acknowledged", "failed"]
#: States after which a request has nothing more to do at a place.
SETTLED: Final[frozenset[PlaceState]] = frozenset({"erased", "asked", "held", "acknowledged"})


class ErasurePlace(Struct, frozen=True):
    """
    One place of a request: a flow's destination, and the field by which the person is found there.

    `rows` and `rejects` are the most that were ever found for the request: a kill between a delete and its record
    doesn't make them fewer. `message` says why, or what an API answered.
    """

    key: ObjectKey
    to: str
    field: str
    state: PlaceState
    rows: int = 0
    rejects: int = 0
    message: str = ""


class Erasure(Struct, frozen=True):
    """
    A request. `subject` is a hash of the person under the tenant's key: equal for equal people, and of no use to
    others. `begun` and `finished` are RFC 3339 in UTC, `finished` empty while a place is left.
    """

    id: str
    tenant: str
    kind: str
    subject: str
    begun: str
    finished: str = ""
    places: tuple[ErasurePlace, ...] = ()

    @property
    def complete(self) -> bool:
        """Whether nothing is left to be done; what is held is none of it."""
        return all(place.state in SETTLED for place in self.places)

    def to_json(self) -> dict[str, Any]:
        """Plain data, for a certificate and `-o json`. It has no personal data."""
        return {
            "type": "syncline/erasure/v1",
            "request": self.id,
            "tenant": self.tenant,
            "subject": {"kind": self.kind, "hash": self.subject},
            "begun": self.begun,
            "finished": self.finished,
            "complete": self.complete,
            "places": [
                {
                    "flow": str(place.key),
                    "destination": place.to,
                    "field": place.field,
                    "state": place.state,
                    "rows": place.rows,
                    "rejects": place.rejects,
                    "message": place.message,
                }
                for place in self.places
            ],
        }


class Erasures(Protocol):
    """Where requests are kept. All methods may raise `Again` and `Stalled`, as those of the state's store."""

    def find(self, request: str) -> Erasure | None:
        """A request by its id; None where there is none."""

    def unfinished(self, tenant: str, subject: str) -> Erasure | None:
        """The request about a person that isn't finished; None where there is none."""

    def listed(self, tenant: str, limit: int) -> tuple[Erasure, ...]:
        """Requests of a tenant (all, for an empty name), newest first."""

    def put(self, erasure: Erasure) -> None:
        """Keeps a request, with the places that it has; durable when it returns."""
