"""What a run is asked to move, and what comes back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from syncline.executor.opening import Opener
from syncline.model.run import Receipt
from syncline.state.store import RunRecord

if TYPE_CHECKING:
    from collections.abc import Callable

    from syncline.kinds.sync import Guards
    from syncline.planner.compiled import CompiledFlow
    from syncline.sdk.destination import WriteMode
    from syncline.sdk.source import Source


@dataclass(frozen=True, slots=True)
class RunResult:
    """A run as recorded, and its receipt when it finished."""

    record: RunRecord
    receipt: Receipt | None


@dataclass(frozen=True, slots=True)
class Work:
    """
    What a run moves: by default a flow's source to its target, from where the destination's checkpoint says.

    A retry moves other batches (`source`) under a name of its own (`flow`), so that the flow's cursor stays put.
    """

    item: CompiledFlow
    flow: str
    mode: WriteMode
    trigger: str
    open_source: Callable[[Opener], Source]
    guards: Guards
    full_refresh: bool = False
    parent: str = ""


def flow_work(item: CompiledFlow, *, trigger: str = "manual", full_refresh: bool = False) -> Work:
    """The ordinary work of a flow."""
    spec = item.flow.spec
    return Work(item, str(item.flow.key), spec.write, trigger, Opener.source, spec.guards, full_refresh)
