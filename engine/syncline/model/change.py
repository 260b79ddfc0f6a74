"""Changes between what is declared and what is applied, and their effects on data."""

from __future__ import annotations

from enum import Enum, StrEnum
from typing import Final

from msgspec import Struct, field

from syncline.model.diagnostic import Place
from syncline.model.key import ObjectKey


class Action(Enum):
    """What happens to an object; the value is the sign shown in a plan."""

    create = "+"
    update = "~"
    replace = "±"
    delete = "-"
    move = "→"
    none = " "


class EffectKind(StrEnum):
    """Kinds of effects on data and the outside, from the most to the least consequential."""

    table_dropped = "table-dropped"
    columns_dropped = "columns-dropped"
    cursor_reset = "cursor-reset"
    cursor_restored = "cursor-restored"
    rows_reread = "rows-reread"
    work_needed = "work-needed"
    rows_counted = "rows-counted"
    class_flow = "class-flow"
    class_dropped = "class-dropped"
    protection_changed = "protection-changed"
    account_changed = "account-changed"
    host_contacted = "host-contacted"
    columns_added = "columns-added"
    column_retyped = "column-retyped"
    values_changed = "values-changed"
    table_created = "table-created"
    table_adopted = "table-adopted"
    history_moved = "history-moved"
    runs_changed = "runs-changed"


#: Effects on the position of the flow that they name.
POSITIONS: Final = frozenset({EffectKind.cursor_reset, EffectKind.cursor_restored})


class Effect(Struct, frozen=True):
    """One effect on data: its kind, what it touches, how sure we are, and whether it can be undone.

    `basis` says where the figure comes from: `exact`, `state` (from recorded runs) or `declared` (from manifests only).
    """

    kind: EffectKind
    subject: str
    message: str
    basis: str = "declared"
    reversible: bool = True


class FieldChange(Struct, frozen=True):
    """A changed value in a spec: path in dotted form, old and new as compact JSON ('' when absent)."""

    path: str
    before: str
    after: str


class Change(Struct, frozen=True):
    """One object's change, with its reason, its place in Git and its effects."""

    action: Action
    key: ObjectKey
    reason: str
    place: Place | None = None
    fields: tuple[FieldChange, ...] = ()
    effects: tuple[Effect, ...] = field(default=())
    previous: ObjectKey | None = None
