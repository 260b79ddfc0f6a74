"""Flows that are retired: what was applied of each when it was, so that it is known later what it wrote, and where."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Protocol

from msgspec import Struct

from syncline.model.key import ObjectKey


class RetiredFlow(Struct, frozen=True):
    """
    The documents (canonical JSON) of a flow and of what it stood on, as they were before the apply that retires it.
    `applied` is when the flow itself was applied last, RFC 3339 UTC: it tells two flows of one name apart.
    """

    key: ObjectKey
    applied: str
    documents: tuple[str, ...]


class RetiredFlows(Protocol):
    """What is kept of flows that are retired, one for a name. All methods may raise `Again` and `Stalled`."""

    def of(self, key: ObjectKey) -> RetiredFlow | None:
        """What is kept of a flow; None where nothing is."""

    def keep(self, retiring: Sequence[RetiredFlow], standing: Collection[ObjectKey]) -> None:
        """
        Keeps these, each as it was kept first since it was `applied`: an apply that is made again after a kill finds
        some of its changes done. What is kept of those that are `standing` goes. Durable.
        """
