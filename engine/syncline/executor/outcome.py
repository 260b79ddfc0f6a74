"""Turns whatever ended a run into its outcome, once.

Connectors and stores raise freely. What may pass by itself (`Again`, `Waiting`, a signal) leaves a run interrupted: the
next one continues it. What needs a person leaves it failed.
"""

from __future__ import annotations

from msgspec import Struct

from syncline.model.errors import Again, Bug, SynclineError, Waiting, foreign


class Outcome(Struct, frozen=True):
    """How a run ended without finishing: the event of its state machine, and the error as shown."""

    event: str
    error: SynclineError

    @property
    def message(self) -> str:
        """One line."""
        return " ".join(self.error.told.split())


def outcome(error: BaseException) -> Outcome:
    """The outcome of an exception. Never raises."""
    match error:
        case Again() | Waiting():
            return Outcome("interrupt", error)
        case SynclineError():
            return Outcome("fail", error)
        case KeyboardInterrupt() | SystemExit():
            stopped = Again(
                "the run was stopped", code="SYN704", help="Run it again: it continues after its last commit."
            )
            return Outcome("interrupt", stopped)
        case MemoryError():
            return Outcome("interrupt", Again("out of memory", code="SYN704"))
        case _:
            return Outcome("fail", Bug(f"{type(error).__name__}: {foreign(str(error))}"))
