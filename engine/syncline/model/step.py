"""The closed set of steps that applying a plan takes. `reconciler/steps.py` executes them by one `match`.

Steps are values: `explain`, `plan` and `apply` walk the same list. Every step is idempotent: executing it again after
a crash has no second effect.
"""

from __future__ import annotations

from msgspec import Struct

from syncline.model.key import ObjectKey


class PutObject(Struct, frozen=True):
    """Records the declaration as applied. `spec` is the plain data of the manifest; `digest` its digest."""

    key: ObjectKey
    digest: str
    document: str
    place: str

    def describe(self) -> str:
        """One line for people."""
        return f"record {self.key} at {self.digest[:12]}"


class MoveObject(Struct, frozen=True):
    """Renames an applied object: its cursors, runs and rejects follow."""

    key: ObjectKey
    previous: ObjectKey

    def describe(self) -> str:
        """One line for people."""
        return f"move {self.previous} to {self.key} with its cursors and history"


class ResetCursor(Struct, frozen=True):
    """Forgets a sync's position, so that its next run reads from the start."""

    key: ObjectKey
    reason: str

    def describe(self) -> str:
        """One line for people."""
        return f"reset the cursor of {self.key}: {self.reason}"


class RestoreCursor(Struct, frozen=True):
    """Has the next run of a sync read on from where it was under an earlier commit, whose position the state keeps."""

    key: ObjectKey
    revision: str

    def describe(self) -> str:
        """One line for people."""
        return f"go back with {self.key} to where it was under {self.revision[:12]}"


class DropTable(Struct, frozen=True):
    """Drops the table of a flow that is about to be retired, at its destination, where a flow made it."""

    key: ObjectKey

    def describe(self) -> str:
        """One line for people."""
        return f"drop the table of {self.key}"


class DeleteObject(Struct, frozen=True):
    """Retires an applied object. Its runs and receipts stay; so does data at the destination, see `DropTable`."""

    key: ObjectKey

    def describe(self) -> str:
        """One line for people."""
        return f"retire {self.key}"


Step = PutObject | MoveObject | ResetCursor | RestoreCursor | DropTable | DeleteObject
