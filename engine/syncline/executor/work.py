"""What a run is asked to move, and what comes back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from msgspec import Struct

from syncline.executor.batches.halt import Halt
from syncline.executor.flows.opening import Opener
from syncline.model.run import Receipt
from syncline.sdk.source import patient
from syncline.state.store import RunRecord

if TYPE_CHECKING:
    from syncline.model.key import ObjectKey
    from syncline.sdk.source import Source
    from syncline.state.store import StateStore


class RunResult(Struct, frozen=True):
    """A run as recorded, and its receipt when it finished."""

    record: RunRecord
    receipt: Receipt | None


def work_name(key: ObjectKey, parent: str) -> str:
    """What the checkpoint of a flow is kept under, or that of a retry of one of its runs."""
    return f"{key}/retry/{parent}" if parent else str(key)


@dataclass(frozen=True, slots=True)
class Work:
    """
    What to run: an applied flow, from where the destination's checkpoint says.

    A retry (`parent` is the run that it retries) moves other batches to the same table, under a name of its own, so
    that the flow's cursor stays put. `halt` is how whoever starts it may have it end early. `asked` is who asked for
    it, where that is somebody else than who runs it; `patience` is asked before a system that fails is waited for:
    without it, the run ends with `Again`. `store` is what the flow's lease is taken by, where that isn't the engine's:
    a daemon's, which refuses once another daemon has followed it. `corrected` the SHA-256 of the file that corrects
    what is retried.
    """

    key: ObjectKey
    trigger: str = "manual"
    full_refresh: bool = False
    parent: str = ""
    open_source: Callable[[Opener], Source] = Opener.source
    asked: str = ""
    corrected: str = ""
    store: StateStore | None = field(default=None, compare=False)
    halt: Halt = field(default_factory=Halt, compare=False)
    patience: Callable[[], bool] = field(default=patient, compare=False)

    @property
    def name(self) -> str:
        """What its checkpoint is kept under."""
        return work_name(self.key, self.parent)
