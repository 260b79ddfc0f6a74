"""What a repository was found to declare when it was validated last, for who validates again and again: the daemon."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct, field

from syncline.manifests.desired import Desired
from syncline.manifests.kept import Kept
from syncline.manifests.load import LoadResult
from syncline.model.diagnostic import Diagnostic
from syncline.model.schema import Schema
from syncline.planner.compiled import Flows

#: A mapping with the schema of the source that its tests are run with, by the digest of its declaration.
Tested = tuple[str, Schema | None]


class Judged(Struct, frozen=True):
    """What was loaded, and what was found about it; policy isn't, which is of a day, and of what changes."""

    loaded: LoadResult
    desired: Desired
    flows: Flows
    findings: tuple[Diagnostic, ...]


class Known(Struct):
    """
    What needn't be found out again, as long as it is declared as it was. Used by one thread.

    While it is kept, what is applied shares the parts that are declared the same (`from_document`, `compile_flow`).
    """

    files: Kept = field(default_factory=Kept)
    judged: Judged | None = None
    passed: frozenset[Tested] = frozenset()
    _applied: tuple[int, Desired, Flows] | None = None

    def applies(self, serial: int, desired: Desired, flows: Flows) -> None:
        """Remembers what is applied at a serial of the state, for the next plan."""
        self._applied = serial, desired, flows

    def applied(self, serial: int) -> tuple[Desired, Flows] | None:
        """What is applied at a serial, where that is remembered. It is forgotten: the plan may be applied."""
        known, self._applied = self._applied, None
        return known[1:] if known is not None and known[0] == serial else None

    def of(self, loaded: LoadResult) -> Judged | None:
        """What was found about the very same value."""
        return self.judged if self.judged is not None and self.judged.loaded is loaded else None

    def keep(self, judged: Judged, passed: Iterable[Tested]) -> None:
        """Keeps what was found, and the mappings whose own tests pass; what was kept before is forgotten."""
        self.judged, self.passed = judged, frozenset(passed)
