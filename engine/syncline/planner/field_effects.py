"""What a changed mapping, or source, does to columns and their values: found by comparing two compilations."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from syncline.mapping.protection import words
from syncline.model.change import Effect, EffectKind

if TYPE_CHECKING:
    from collections.abc import Mapping

    from syncline.kinds.mapping import MappedField
    from syncline.manifests.flow import Flow
    from syncline.mapping.compile import Compiled
    from syncline.model.key import ObjectKey
    from syncline.planner.compiled import CompiledFlow, Flows

#: What makes a value, and what it is checked for. Its type is a column's business, its class policy's.
_MADE_BY: Final = ("source", "const", "template", "lookup", "default", "format", "zone")
_CHECKED_BY: Final = ("required", "check")


def column_effects(before: Compiled, after: Compiled, flow: Flow, table: str) -> Iterator[Effect]:
    """Columns added to a table that a flow writes to, no longer written, or of another type."""
    old = {f.name: f.type for f in before.target.fields}
    new = {f.name: f.type for f in after.target.fields}
    for name, new_type in new.items():
        if name not in old:
            what = f"column {name} {new_type} is added to {table}; rows written before keep it null until read again"
            yield Effect(EffectKind.columns_added, table, what)
        elif old[name] != new_type:
            what = f"column {name} changes from {old[name]} to {new_type}; a run stops if {table} can't hold it"
            yield Effect(EffectKind.column_retyped, table, what, reversible=False)
    for name in dropped_columns(before, after):
        yield _dropped(name, flow, table)


def dropped_columns(before: Compiled, after: Compiled) -> tuple[str, ...]:
    """The columns that are no longer written."""
    return tuple(name for name in before.target.names if name not in after.target.names)


def all_dropped(before: Flows, after: Flows, former: Mapping[ObjectKey, ObjectKey]) -> dict[ObjectKey, tuple[str, ...]]:
    """The columns that each flow wrote before, under its `former` name where it is moved, and doesn't any more."""
    known = {key: before.get(former.get(key, key)) for key in after}
    return {key: dropped_columns(old.compiled, after[key].compiled) for key, old in known.items() if old is not None}


def _dropped(name: str, flow: Flow, table: str) -> Effect:
    """What becomes of a column that is no longer written, and of the values in it."""
    again = "declared again, it is filled as records are read again"
    if flow.target.runtime == "rest":
        what = f"{name} is no longer sent to {table}; what was sent stays there"
    elif flow.spec.write == "replace":
        what = f"column {name} of {table} is no longer written: the values of all its rows go when the next run "
        what += "replaces it" + (
            ", and the column stays, empty" if flow.target.runtime == "sql" else ", with the column"
        )
        again = "declared again, it is filled with what the source gives then"
    elif flow.target.runtime == "sql":
        what = (
            f"column {name} of {table} is no longer written: it stays, rows keep their values, and new rows have none"
        )
    else:
        what = f"column {name} of {table} is no longer written: files that are there keep it, and new ones lack it"
    lost = flow.spec.write == "replace" and flow.target.runtime != "rest"
    return Effect(EffectKind.columns_dropped, table, f"{what}; {again}", reversible=not lost)


def value_effects(before: Compiled, after: Compiled, table: str) -> Iterator[Effect]:
    """Values that are made, checked or chosen differently from now on, while rows written before stay as they are."""
    old, new = _fields(before), _fields(after)
    both = [name for name in new if name in old]
    made = [name for name in both if _differ(old[name], new[name], _MADE_BY)]
    if made:
        what = f"values of {_listed(made)} in {table} change; rows written before keep their old ones until read again"
        yield Effect(EffectKind.values_changed, table, what)
    checked = [name for name in both if _differ(old[name], new[name], _CHECKED_BY)]
    if checked:
        what = f"checks of {_listed(checked)} in {table} change; rows written before stay as they are"
        yield Effect(EffectKind.values_changed, table, what)
    if before.spec.where != after.spec.where:
        what = (
            f"other records are skipped by where; rows of {table} that it would skip now stay, and records that it "
            "skipped before are written when they are read again"
        )
        yield Effect(EffectKind.values_changed, table, what)


def protection_effects(before: Compiled, after: Compiled, table: str) -> Iterator[Effect]:
    """Fields that are written in another form from now on."""
    old = {f.name: f for f in before.fields}
    for field in after.fields:
        known = old.get(field.name)
        if known is None or "drop" in (known.protection, field.protection):
            continue
        was, now = words(known.protect), words(field.protect)
        if was != now:
            what = f"{field.name} of {table} is written {now} instead of {was}; rows written before keep it {was}"
            stays = "" if field.protection else ", and what is written in the clear can't be taken back"
            yield Effect(
                EffectKind.protection_changed,
                table,
                f"{what} until read again{stays}",
                reversible=bool(field.protection),
            )


def class_effects(before: CompiledFlow | None, after: CompiledFlow, table: str) -> Iterator[Effect]:
    """Classes that newly flow in the clear; `before` is the same flow to the same place, None if there was none."""
    old = _plain(before.compiled) if before else {}
    integration = after.flow.target.integration.key.name
    for name, fields in sorted(_plain(after.compiled).items()):
        fresh = [f for f in fields if f not in old.get(name, ())]
        if fresh:
            what = f"{name} newly flows to {integration} in the clear: {', '.join(fresh)}"
            yield Effect(EffectKind.class_flow, table, what, reversible=False)


def lost_class_effects(before: Compiled, after: Compiled, table: str) -> Iterator[Effect]:
    """Fields that no longer count as of a class, so that what policy says of it no longer holds for them."""
    old, new = _classes(before), _classes(after)
    for field in after.target.names:
        for name in sorted(old.get(field, frozenset()) - new.get(field, frozenset())):
            what = f"{field} of {table} no longer counts as {name}: policy for {name} doesn't cover it any more"
            yield Effect(EffectKind.class_dropped, table, what, reversible=False)


def _fields(compiled: Compiled) -> Mapping[str, MappedField]:
    """Fields that are written, by name."""
    return {f.to: f for f in compiled.spec.fields if f.protect != "drop"}


def _differ(old: MappedField, new: MappedField, parts: tuple[str, ...]) -> bool:
    return any(getattr(old, part) != getattr(new, part) for part in parts)


def _plain(compiled: Compiled) -> dict[str, list[str]]:
    """Target fields by class, of fields that flow unprotected."""
    found: dict[str, list[str]] = {}
    for f in compiled.flows:
        name = f.target_class or f.source_class
        if name and not f.protection and f.target not in found.setdefault(name, []):
            found[name].append(f.target)
    return found


def _classes(compiled: Compiled) -> dict[str, frozenset[str]]:
    """Classes that a target field counts as: its own and those of its sources."""
    found: dict[str, frozenset[str]] = {}
    for f in compiled.flows:
        found[f.target] = found.get(f.target, frozenset()) | ({f.target_class, f.source_class} - {""})
    return found


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
