"""What is applied, ready to run: the only thing that runs. Built from the state, compiled once for each serial."""

from __future__ import annotations

import difflib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from msgspec import Struct

from syncline.manifests.desired import Desired
from syncline.manifests.load import from_document
from syncline.manifests.resolve import desired_of
from syncline.model.errors import Invalid
from syncline.planner.compiled import CompiledFlow, Flows, compile_flows

if TYPE_CHECKING:
    from collections.abc import Mapping

    from syncline.model.key import ObjectKey
    from syncline.policy.decisions import Decided
    from syncline.state.store import AppliedObject, StateReader


@dataclass(frozen=True, slots=True)
class Applied:
    """Applied objects, resolved and compiled, at a serial of the state; the first source's commit and plan that made
    it so.

    `below` remembers what objects stand on, once somebody found it out. `decided` is what policy decided of it where
    this process has applied it.
    """

    serial: int
    revision: str
    plan: str
    objects: Mapping[ObjectKey, AppliedObject]
    desired: Desired
    flows: Flows
    #: The last commit, and the plan, of each source but the first.
    others: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    #: Whether an apply was under way when this was read, so that its commit is not yet among those that were applied.
    partial: bool = False
    below: dict[ObjectKey, tuple[ObjectKey, ...]] = field(default_factory=dict, compare=False, repr=False)
    decided: Decided | None = field(default=None, compare=False, repr=False)

    def under(self, key: ObjectKey) -> tuple[str, str]:
        """The commit of its source that was applied last, and that plan's digest."""
        known = self.objects.get(key)
        return self.others.get(known.source if known else "", (self.revision, self.plan))

    def flow(self, key: ObjectKey) -> CompiledFlow:
        """An applied sync or import; `Invalid` with a suggestion where there is none."""
        found = self.flows.get(key)
        if found is None:
            near = difflib.get_close_matches(str(key), [str(k) for k in self.flows if k.tenant == key.tenant], 1)
            raise Invalid(
                f"{key} is not applied" + (f"; did you mean {near[0]}?" if near else ""),
                code="SYN630",
                help="Apply the configuration first: `syncline apply`. `syncline get` lists what is applied.",
            )
        return found


class Led(Struct, frozen=True):
    """What an apply led to, and what policy decided of it, where that is known."""

    desired: Desired
    flows: Flows
    decided: Decided | None = None


class Latest:
    """What the last apply of this process led to, for whoever reads next what is applied: it is resolved, compiled and
    judged already. Shared in a `Keep`; safe for threads.
    """

    def __init__(self) -> None:
        self._known: Led | None = None

    def led_to(self, desired: Desired, flows: Flows, decided: Decided | None = None) -> None:
        """Remembers it until the next apply; declarations and flows are of documents, as what is applied is."""
        self._known = Led(desired, flows, decided)

    def of(self, objects: Mapping[ObjectKey, AppliedObject]) -> Led | None:
        """What it led to, where these objects are exactly that."""
        known = self._known
        if known is None or len(known.desired.objects) != len(objects):
            return None
        same = all(
            (applied := objects.get(key)) is not None and applied.digest == manifest.digest
            for key, manifest in known.desired.objects.items()
        )
        return known if same else None

    def close(self) -> None:
        """Forgets it."""
        self._known = None


def read_applied(reader: StateReader, latest: Latest | None = None, before: Applied | None = None) -> Applied:
    """Reads and compiles what is applied now, but for what `latest` knows; it shares what is as it was `before`."""
    serial, partial = reader.serial(), bool(reader.unfinished_apply())
    former = before.objects if before is not None else {}
    objects = {new.key: old if (old := former.get(new.key)) == new else new for new in reader.objects()}
    led = latest.of(objects) if latest is not None else None
    if led is None:
        desired = desired_of(from_document(applied.document) for applied in objects.values())
        led = Led(desired, compile_flows(desired))
    others = {source: reader.applied_under(source) for source in {known.source for known in objects.values()} - {""}}
    revision, plan = reader.applied_under("" if others else None)
    return Applied(serial, revision, plan, objects, led.desired, led.flows, others, partial, decided=led.decided)
