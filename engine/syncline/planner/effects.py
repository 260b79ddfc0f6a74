"""What changes do to data: worked out on flows, from compiled mappings and recorded runs, then hung on the changes.

Effects are found for flows (syncs and imports), since that is where data moves; each is hung on the change that causes
it: the flow's own, else its mapping's, its integrations' or connectors'.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from urllib.parse import urlsplit

from syncline.kinds.connector import ConnectorSpec
from syncline.kinds.integration import IntegrationSpec
from syncline.manifests.flow import Flow, Side
from syncline.model.change import Action, Change, Effect, EffectKind
from syncline.model.key import ObjectKey
from syncline.planner.compiled import CompiledFlow, Flows
from syncline.planner.observed import Observed
from syncline.planner.position import position_changes


def hosts(side: Side) -> tuple[str, ...]:
    """Hosts that an integration contacts, as far as its declaration tells, sorted."""
    spec, connector = side.integration.spec, side.connector.spec
    urls: list[str] = []
    if isinstance(spec, IntegrationSpec):
        urls += [endpoint.url for endpoint in spec.endpoints]
        urls += [value for value in spec.config.values() if isinstance(value, str) and "://" in value]
        if isinstance(connector, ConnectorSpec) and connector.http is not None and not urls:
            config = spec.config

            def fill(match: re.Match[str]) -> str:
                return str(config.get(match[1], match[0]))

            urls.append(re.sub(r"\{\{\s*config\.(\w+)\s*\}\}", fill, connector.http.url))
    return tuple(sorted({found for url in urls if (found := urlsplit(url).hostname)}))


def _plain_classes(item: CompiledFlow) -> dict[tuple[str, str], list[str]]:
    """Target fields by (class, integration), of fields that flow unprotected."""
    found: dict[tuple[str, str], list[str]] = {}
    target = item.flow.target.integration.key.name
    for f in item.compiled.flows:
        name = f.target_class or f.source_class
        if name and not f.protection and f.target not in found.setdefault((name, target), []):
            found[name, target].append(f.target)
    return found


def _table(flow: Flow) -> str:
    return f"{flow.target.integration.key.name}/{flow.target.stream}"


def _class_effects(after: CompiledFlow, before: CompiledFlow | None) -> Iterator[Effect]:
    old = _plain_classes(before) if before else {}
    for (name, target), fields in sorted(_plain_classes(after).items()):
        fresh = [f for f in fields if f not in old.get((name, target), [])]
        if fresh:
            what = f"{name} newly flows to {target} in the clear: {', '.join(fresh)}"
            yield Effect(EffectKind.class_flow, _table(after.flow), what, reversible=False)


def _host_effects(after: Flow, known: frozenset[str]) -> Iterator[Effect]:
    for side in (after.source, after.target):
        for host in hosts(side):
            if host not in known:
                yield Effect(
                    EffectKind.host_contacted, host, f"{host} is newly contacted, by {side.integration.key.name}"
                )


def _column_effects(before: CompiledFlow, after: CompiledFlow) -> Iterator[Effect]:
    old = {f.name: f.type for f in before.compiled.target.fields}
    new = {f.name: f.type for f in after.compiled.target.fields}
    table = _table(after.flow)
    for name, new_type in new.items():
        if name not in old:
            what = f"column {name} {new_type} is added to {table}; rows written before keep it null until read again"
            yield Effect(EffectKind.columns_added, table, what)
        elif old[name] != new_type:
            what = f"column {name} changes from {old[name]} to {new_type}; a run stops if {table} can't hold it"
            yield Effect(EffectKind.column_retyped, table, what, reversible=False)
    for name in old:
        if name not in new:
            what = f"column {name} of {table} is no longer written; it stays, with its last values"
            yield Effect(EffectKind.columns_dropped, table, what)


def _reset_effects(known: ObjectKey, key: ObjectKey, observed: Observed, parts: tuple[str, ...]) -> Iterator[Effect]:
    """`known` is the flow's name in the state, `key` the one that it gets."""
    why = ", ".join(parts)
    if parts and known in observed.cursors:
        yield Effect(
            EffectKind.cursor_reset,
            str(key),
            f"its saved position no longer applies ({why} changed)",
            "state",
            reversible=False,
        )
        if known in observed.last_read:
            rows = observed.last_read[known]
            what = f"the next run reads from the start (its last run read {rows:,} records)"
            yield Effect(EffectKind.rows_reread, str(key), what, "state")


def flow_effects(
    before: CompiledFlow | None, after: CompiledFlow | None, observed: Observed, known: frozenset[str]
) -> tuple[Effect, ...]:
    """Effects of one flow's change on data. `known` are the hosts already contacted by applied flows."""
    if after is None:
        if before is None:
            return ()
        kept = f"rows in {_table(before.flow)} stay; its saved position is forgotten"
        return (Effect(EffectKind.cursor_reset, str(before.flow.key), kept, reversible=False),)
    found: list[Effect] = []
    if before is None:
        table = _table(after.flow)
        columns = len(after.compiled.target.fields)
        found.append(
            Effect(EffectKind.table_created, table, f"{table} is created if it isn't there, {columns} columns")
        )
    else:
        changed = position_changes(before.flow, after.flow)
        found.extend(_reset_effects(before.flow.key, after.flow.key, observed, changed))
        found.extend(_column_effects(before, after))
        if before.flow.spec.write != after.flow.spec.write:
            what = f"writes by {after.flow.spec.write} instead of {before.flow.spec.write}"
            found.append(Effect(EffectKind.runs_changed, _table(after.flow), what))
    found.extend(_class_effects(after, before))
    found.extend(_host_effects(after.flow, known))
    return tuple(found)


def _causes(flow: Flow) -> tuple[ObjectKey, ...]:
    return (
        flow.key,
        flow.mapping.key,
        flow.source.integration.key,
        flow.target.integration.key,
        flow.source.connector.key,
        flow.target.connector.key,
    )


def with_effects(changes: tuple[Change, ...], before: Flows, after: Flows, observed: Observed) -> tuple[Change, ...]:
    """The changes with the effects they cause. A changed flow whose position no longer applies becomes a replace."""
    position_of = {change.key: index for index, change in enumerate(changes)}
    moved = {change.previous: change.key for change in changes if change.previous is not None}
    known = frozenset(h for item in before.values() for s in (item.flow.source, item.flow.target) for h in hosts(s))
    effects: dict[int, list[Effect]] = {}
    pairs = {moved.get(key, key): item for key, item in before.items()}
    for key in sorted({*pairs, *after}):
        old, new = pairs.get(key), after.get(key)
        found = flow_effects(old, new, observed, known)
        for cause in _causes((new or old).flow) if new or old else ():  # type: ignore[union-attr]
            if found and cause in position_of:
                effects.setdefault(position_of[cause], []).extend(found)
                break
    return tuple(_finish(change, tuple(dict.fromkeys(effects.get(i, ())))) for i, change in enumerate(changes))


def _finish(change: Change, effects: tuple[Effect, ...]) -> Change:
    if change.previous is not None:
        moved = Effect(EffectKind.history_moved, str(change.key), f"cursors and history of {change.previous} follow")
        effects = (moved, *effects)
    resets = any(e.kind is EffectKind.cursor_reset for e in effects)
    starts_over = resets and change.action is Action.update and change.key.kind in ("Sync", "Import")
    action = Action.replace if starts_over else change.action
    return replace(change, action=action, effects=effects)
