"""What the change of one flow does to data: where it reads and writes, from which position, as whom, and how."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from syncline.kinds.auth import AuthConfigSpec, urls_of
from syncline.kinds.auth_type import offer_of
from syncline.kinds.connector import ConnectorSpec
from syncline.kinds.integration import IntegrationSpec
from syncline.kinds.sync import SOFT_MARK, SyncSpec
from syncline.model.change import Effect, EffectKind
from syncline.planner.field_effects import (
    class_effects,
    column_effects,
    lost_class_effects,
    protection_effects,
    value_effects,
)
from syncline.planner.pace import needed
from syncline.planner.position import position_basis, position_changes, position_digest
from syncline.planner.row_effects import counted, rows_left
from syncline.planner.way_back import kept_of, way_back

if TYPE_CHECKING:
    from syncline.manifests.flow import Flow, Side
    from syncline.planner.compiled import CompiledFlow
    from syncline.planner.observed import Observed


def flow_effects(
    before: CompiledFlow | None, after: CompiledFlow | None, observed: Observed, known: frozenset[str]
) -> tuple[Effect, ...]:
    """Effects of one flow's change on data. `known` are the hosts already contacted by applied flows.

    A moved flow is compared with what it was under its former name, which is where the state has its position.
    """
    if after is None:
        return () if before is None else tuple(_retired(before.flow, observed))
    if before is None:
        return (
            *_created(after, observed),
            *class_effects(None, after, table_of(after.flow)),
            *_hosts(after.flow, known),
        )
    return (*_changed(before, after, observed), *_hosts(after.flow, known))


def hosts(side: Side) -> tuple[str, ...]:
    """Hosts that an integration contacts, as far as its declaration tells, sorted."""
    spec, connector = side.integration.spec, side.connector.spec
    urls: list[str] = []
    if isinstance(spec, IntegrationSpec):
        urls += [endpoint.url for endpoint in spec.endpoints]
        # A bucket is no host: what it is asked of is.
        texts = [value for value in spec.config.values() if isinstance(value, str) and not value.startswith("s3://")]
        urls += [value for value in texts if "://" in value]
        if isinstance(connector, ConnectorSpec) and connector.http is not None:
            properties = connector.config.properties.items()
            config = {name: p.default for name, p in properties if p.default is not None} | dict(spec.config)

            def fill(match: re.Match[str]) -> str:
                return str(config.get(match[1], match[0]))

            templates = [] if spec.endpoints else [connector.http.url]
            if side.auth is not None and isinstance(side.auth.spec, AuthConfigSpec):
                auth = side.auth.spec.root
                templates += urls_of(auth, offer_of(connector.auth, auth.type)).values()
            urls += [re.sub(r"\{\{\s*config\.(\w+)\s*\}\}", fill, template) for template in templates]
        if spec.proxy is not None:
            urls.append(spec.proxy.url)
        if isinstance(connector, ConnectorSpec) and connector.runtime == "smtp":
            urls.append(f"smtp://{spec.config.get('host', '')}")
    return tuple(sorted({found for url in urls if (found := urlsplit(url).hostname)}))


def table_of(flow: Flow) -> str:
    """The table that a flow writes to, for people."""
    return f"{flow.target.integration.key.name}/{flow.target.stream}"


def _retired(flow: Flow, observed: Observed) -> Iterator[Effect]:
    rows = f"it no longer runs; rows in {table_of(flow)} stay"
    if flow.spec.deletion == "delete":
        rows += " where another flow writes to it"
    if flow.key not in observed.cursors:
        yield Effect(EffectKind.runs_changed, str(flow.key), rows)
        return
    what = f"{rows}; its saved position is forgotten, so that it would start over if it is declared again"
    yield Effect(EffectKind.cursor_reset, str(flow.key), what, "state", reversible=False)


def _created(after: CompiledFlow, observed: Observed) -> Iterator[Effect]:
    table, columns = table_of(after.flow), len(after.compiled.target.fields)
    yield from _deletes("ignore", after.flow)
    yield from way_back(None, after.flow, observed)
    yield from _absent("keep", after.flow)
    if after.flow.target.runtime == "rest":
        what = f"records are written to {table} by {after.flow.spec.write}, {columns} fields each"
        yield Effect(EffectKind.runs_changed, table, what, reversible=False)
        return
    alone = ", and left alone if others have rows in it" if _guarded(after.flow) else ""
    yield Effect(EffectKind.table_created, table, f"{table} is created if it isn't there, {columns} columns{alone}")
    yield from _adopted(after.flow)


def _guarded(after: Flow) -> bool:
    """Whether a table with rows of others stops its first run."""
    return after.target.runtime == "sql" and after.spec.existing == "refuse"


def _adopted(after: Flow) -> Iterator[Effect]:
    """What becomes of a table that others have filled, where that isn't left alone."""
    if after.target.runtime == "sql" and after.spec.existing == "adopt":
        match after.spec.write:
            case "replace":
                what = "all of its rows are replaced"
            case "upsert":
                what = "rows with the keys of records are updated, and the others stay"
            case _:
                what = "its rows stay"
        table = table_of(after)
        message = f"{table} is adopted if it is there with rows of others: {what}"
        yield Effect(EffectKind.table_adopted, table, message, reversible=after.spec.write == "append")


def _changed(before: CompiledFlow, after: CompiledFlow, observed: Observed) -> Iterator[Effect]:
    parts = position_changes(before.flow, after.flow)
    old, new = table_of(before.flow), table_of(after.flow)
    yield from _reset(before.flow, after.flow, observed, parts)
    yield from way_back(before.flow, after.flow, observed)
    if "target" in parts:
        is_new = f"{new} is created if it isn't there" if new != old else f"{new} is in another place from now on"
        kind = EffectKind.table_created
        if after.flow.target.runtime == "rest":
            is_new, kind = f"records are written to {new}, where none of theirs is known", EffectKind.runs_changed
        yield Effect(kind, new, f"{is_new}; rows in the old {old} stay")
        yield from _adopted(after.flow)
    else:
        yield from column_effects(before.compiled, after.compiled, after.flow, new)
        yield from protection_effects(before.compiled, after.compiled, new)
        yield from value_effects(before.compiled, after.compiled, new)
        yield from _key(before, after)
    if before.flow.spec.write != after.flow.spec.write:
        what = f"writes by {after.flow.spec.write} instead of {before.flow.spec.write}"
        yield Effect(EffectKind.runs_changed, new, what)
    yield from _deletes(before.flow.spec.deletes if isinstance(before.flow.spec, SyncSpec) else "ignore", after.flow)
    yield from _absent(before.flow.spec.absent if isinstance(before.flow.spec, SyncSpec) else "keep", after.flow)
    yield from _accounts(before.flow, after.flow)
    yield from lost_class_effects(before.compiled, after.compiled, new)
    yield from class_effects(before if _database(before.flow) == _database(after.flow) else None, after, new)


def _deletes(before: str, after: Flow) -> Iterator[Effect]:
    """What becomes of rows whose records were deleted at the source, where that is new."""
    deletes = after.spec.deletes if isinstance(after.spec, SyncSpec) else "ignore"
    if deletes == before:
        return
    table = table_of(after)
    match deletes:
        case "hard":
            what = f"rows of {table} are deleted where the source says that their record was"
        case "soft":
            what = f"rows of {table} are marked in {SOFT_MARK} where the source says that their record was deleted"
        case _:
            what = f"rows of {table} stay as they are where the source says that their record was deleted"
    yield Effect(EffectKind.runs_changed, table, what, reversible=deletes != "hard")


def _absent(before: str, after: Flow) -> Iterator[Effect]:
    """What becomes of rows whose records a full read no longer has, where that is new."""
    absent = after.spec.absent if isinstance(after.spec, SyncSpec) else "keep"
    if absent == before:
        return
    table = table_of(after)
    what = f"rows of {table} stay as they are where a read no longer has their record"
    if absent == "delete":
        bound = after.spec.guards.max_deletes
        what = f"rows of {table} are deleted where a read no longer has their record, at most {bound} in a run"
    yield Effect(EffectKind.runs_changed, table, what, reversible=absent == "keep")


def _reset(before: Flow, after: Flow, observed: Observed, parts: tuple[str, ...]) -> Iterator[Effect]:
    if not parts or before.key not in observed.cursors:
        return
    if kept_of(before, after, observed) or observed.restored.get(after.key) == position_digest(after):
        return  # it goes back, or has gone back, to one that does apply
    what = f"its saved position no longer applies ({', '.join(parts)} changed)"
    yield Effect(EffectKind.cursor_reset, str(after.key), what, "state", reversible=False)
    known = observed.tally(before.key)
    if before.key in observed.last_read:
        rows = observed.last_read[before.key]
        past = before.reads_on
        read = f"its last run read {rows:,} records" + (" past its position" if past else "")
        if past and known is not None and known.runs > 1:
            runs = counted(known.runs, "run") if known.whole else f"newest {counted(known.runs, 'run')}"
            read += f", its {runs} {known.read:,}"
        yield Effect(EffectKind.rows_reread, str(after.key), f"the next run reads from the start ({read})", "state")
        takes, basis = ("", "") if past else needed(after, rows, observed.counters.get(before.key, {}))
        if takes:
            yield Effect(EffectKind.work_needed, str(after.key), f"reading these takes {takes}", basis)
    yield rows_left(before, after, known, elsewhere="target" in parts)


def _key(before: CompiledFlow, after: CompiledFlow) -> Iterator[Effect]:
    """A table keeps the primary key that it was made with; one that is replaced is made anew."""
    if after.flow.target.runtime != "sql" or after.flow.spec.write != "upsert":
        return
    # A log that is appended to has no key.
    old = () if before.flow.spec.write == "append" else before.flow.target_key
    if set(old) != set(after.flow.target_key):
        table, key = table_of(after.flow), ", ".join(after.flow.target_key)
        what = (
            f"the next run stops (SYN486) if {table} is there without a unique key on ({key}), as it is after earlier "
            "runs: give it one by hand, or write to another table"
        )
        yield Effect(EffectKind.runs_changed, table, what)


def _accounts(before: Flow, after: Flow) -> Iterator[Effect]:
    sides = ((before.source, after.source, "read"), (before.target, after.target, "written to"))
    for old, new, done in sides:
        if _account(old) != _account(new):
            name = new.integration.key.name
            stays = "; its saved position stays, so what only this account sees isn't caught up on"
            what = f"{name} is {done} as another account, if the credentials are another's" + (
                stays if done == "read" else ""
            )
            yield Effect(EffectKind.account_changed, name, what)


def _account(side: Side) -> Any:
    """What credentials are declared: references and names; when they are to be replaced doesn't matter."""
    if side.auth is None or not isinstance(side.auth.spec, AuthConfigSpec):
        return None
    return side.auth.spec.root.model_dump(mode="json", exclude={"rotation"})


def _hosts(after: Flow, known: frozenset[str]) -> Iterator[Effect]:
    for side in (after.source, after.target):
        for host in hosts(side):
            if host not in known:
                what = f"{host} is newly contacted, by {side.integration.key.name}"
                yield Effect(EffectKind.host_contacted, host, what)


def _database(flow: Flow) -> Any:
    """Where a flow writes, but for the table."""
    return {**position_basis(flow)["target"], "stream": None}
