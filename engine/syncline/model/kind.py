"""What a manifest kind says of itself. Everything follows from the list of kinds, `kinds/__init__.py:KIND_BY_NAME`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Literal

from msgspec import Struct, field

from syncline.model.manifest import Path

if TYPE_CHECKING:
    from pydantic import BaseModel

#: Whether an object of the kind names a tenant: always, never, or it may (then it is shared when it doesn't).
Scope = Literal["tenant", "shared", "either"]


class Reference(Struct, frozen=True):
    """A name in a spec that must resolve to an object of `kind`, in the same tenant or shared.

    `path` is where it stands in the document (`("spec", "auth")`). `version` is a version range, if the reference pins
    one (`helpdesk@^1.3`). `part` is what is named inside the target (`tickets` in `helpdesk/tickets`).
    """

    kind: str
    name: str
    path: Path
    version: str = ""
    part: str = ""


def no_references(spec: BaseModel) -> tuple[Reference, ...]:
    """For kinds that refer to nothing."""
    del spec
    return ()


class Kind(Struct, frozen=True):
    """A manifest kind: name, plural (for listings and URLs), spec model, scope, references and explanation.

    `order` is the phase in which objects of the kind are applied (lower first; deletes run in reverse). `list_keys` are
    the lists of its spec, by dotted path, whose entries are told apart by a field: patches name entries by its value.
    `refers` says what its references may mean, for editors, where nothing is whole yet: kinds by the dotted path of the
    field; of several, the text begins with one (`Sync/tickets`). `short` is a model of fewer and simpler
    fields, for what fits it: to make the whole one takes a twentieth of a small repository's `validate`.
    """

    name: str
    plural: str
    spec: type[BaseModel]
    scope: Scope
    order: int
    summary: str
    references: Callable[[BaseModel], tuple[Reference, ...]] = no_references
    example: str = ""
    list_keys: Mapping[str, str] = field(default_factory=dict)
    refers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    short: type[BaseModel] | None = None
