"""Opening both ends of a flow: instances from declarations, the source, its bound columns, the destination."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from functools import cache
from threading import Lock
from typing import TYPE_CHECKING

from syncline.connectors.registry import runtime
from syncline.executor.flows.instance import Resolve, SecretUses, instance_of
from syncline.executor.services.in_flight import PART_BYTES, PART_ROWS
from syncline.kinds.connector import ConnectorSpec
from syncline.kinds.import_ import ImportSpec
from syncline.kinds.sync import SyncSpec
from syncline.mapping.columns import bind
from syncline.mapping.expression import Current, Get
from syncline.mapping.protection import KEYED
from syncline.model.errors import Invalid
from syncline.model.requests import Requests, Traffic
from syncline.sdk.source import BATCH_BYTES, BATCH_ROWS, SourceRequest, patient, unwaited

if TYPE_CHECKING:
    from collections.abc import Callable

    from syncline.connectors.runtime import Runtime
    from syncline.executor.flows.applied import Applied
    from syncline.manifests.flow import Side
    from syncline.mapping.columns import Columns
    from syncline.planner.compiled import CompiledFlow
    from syncline.sdk.comparison import Compared, Proposed
    from syncline.sdk.destination import Destination, Limits, Target
    from syncline.sdk.keep import Keep
    from syncline.sdk.ledger import Ledger
    from syncline.sdk.source import Instance, Source
    from syncline.sdk.subject_requests import SubjectRequests
    from syncline.secrets.keys.ring import KeyRing
    from syncline.settings import Settings


#: Notices of systems that a receipt holds at most.
_MOST_NOTICES = 20


def _runtime(side: Side) -> Runtime:
    spec = side.connector.spec
    assert isinstance(spec, ConnectorSpec)
    return runtime(spec.runtime)


@dataclass(slots=True)
class Opener:
    """Opens the ends of one flow; notes the secrets it used and counts what connectors count.

    `strict`: a source whose schema breaks ends what reads it. `trial`: nothing of what is read is kept. `ledgers` gives
    what is remembered of a tenant's writes to an integration that has no transactions. `patience` is asked before a
    system that fails is waited for; `waits` hears for how long, and why, connectors wait.
    """

    item: CompiledFlow
    applied: Applied
    settings: Settings
    resolve: Resolve
    keep: Keep | None = None
    batch_bytes: int | None = None
    batch_rows: int | None = None
    strict: bool = True
    trial: bool = False
    ledgers: Callable[[str, str], Ledger] | None = None
    patience: Callable[[], bool] = patient
    waits: Callable[[float, str], None] = unwaited
    secrets: SecretUses = field(init=False)
    metrics: Counter[str] = field(default_factory=Counter)
    notices: list[str] = field(default_factory=list)
    traffic: Traffic = field(default_factory=Traffic)
    _counting: Lock = field(default_factory=Lock, init=False)

    def __post_init__(self) -> None:
        self.secrets = SecretUses(self.resolve, self.item.flow.key.tenant)

    def _count(self, name: str, value: float) -> None:
        with self._counting:  # several threads of a connector may
            self.metrics[name] += value  # type: ignore[assignment]  # counters may hold fractions of seconds

    def _took(self, host: str, seconds: float) -> None:
        with self._counting:
            self.traffic.took(host, seconds)

    def _notice(self, text: str) -> None:
        with self._counting:
            if text not in self.notices and len(self.notices) < _MOST_NOTICES:
                self.notices.append(text)

    def _instance(self, side: Side) -> Instance:
        found = instance_of(
            side, self.applied.desired, self.settings, self.secrets, self._count, self.keep, self._notice
        )
        return replace(found, patience=self.patience, took=self._took, waits=self.waits)

    def counted(self) -> dict[str, float]:
        """What connectors counted so far."""
        with self._counting:
            return dict(self.metrics)

    def requests(self) -> tuple[Requests, ...]:
        """The requests that connectors sent so far, by host."""
        with self._counting:
            return self.traffic.told(self.metrics)

    def source(self) -> Source:
        """The source, open, with its schema known."""
        flow = self.item.flow
        opens = _runtime(flow.source).open_source
        if opens is None:
            raise Invalid(
                f"{flow.source.connector.key} can't be read from", code="SYN703", help="Use it as a destination."
            )
        instance = self._instance(flow.source)
        in_parts = isinstance(flow.spec, ImportSpec)
        cursor = flow.source.of_api.cursor if flow.source.of_api is not None else None
        paths = dict.fromkeys((*self.item.compiled.reads, *((cursor.field,) if cursor and cursor.field else ())))
        return opens(
            instance,
            SourceRequest(
                stream=flow.source.stream,
                schema=flow.source.schema,
                paths=tuple(paths),
                incremental=flow.reads_on,
                tombstones=_deletes(self.item),
                digests=in_parts,
                batch_bytes=self.batch_bytes or (PART_BYTES if in_parts else BATCH_BYTES),
                batch_rows=self.batch_rows or (PART_ROWS if in_parts else BATCH_ROWS),
                needed=_needed(self.item) if self.strict else None,
                trial=self.trial,
            ),
        )

    def compare(self, proposed: Proposed) -> Compared | None:
        """What a write would do at the destination; None where that can't be known without writing."""
        flow = self.item.flow
        compares = _runtime(flow.target).compare
        if compares is None:
            return None
        instance = self._instance(flow.target)
        return compares(instance, proposed)

    def limits(self, target: Target) -> Limits | None:
        """What the destination can't hold, told without it; None where it holds every value of every type."""
        flow = self.item.flow
        limits = _runtime(flow.target).limits
        return None if limits is None else limits(self._instance(flow.target), target)

    def held(self, target: Target) -> Limits | None:
        """What the destination can't hold as it is now, which it is asked; None where it holds every value."""
        flow = self.item.flow
        held = _runtime(flow.target).held
        return self.limits(target) if held is None else held(self._instance(flow.target), target)

    def rows(self, names: tuple[str, ...], key: tuple[str, ...]) -> Source:
        """What is at the destination: these columns, of the rows that the key tells apart."""
        flow = self.item.flow
        opens = _runtime(flow.target).open_rows
        if opens is None:
            raise Invalid(
                f"rows of {flow.target.integration.key.name} can't be read back to be compared",
                code="SYN549",
                help="`syncline rehearse` tells what a run would do to them, where that can be known.",
            )
        return opens(self._instance(flow.target), flow.target.stream, names, key)

    def destination(self) -> Destination:
        """The destination, open. Call it in the thread that will use it."""
        flow = self.item.flow
        opens = _runtime(flow.target).open_destination
        if opens is None:
            raise Invalid(
                f"{flow.target.connector.key} can't be written to", code="SYN703", help="Choose another destination."
            )
        instance = self._instance(flow.target)
        if self.ledgers is not None and not _runtime(flow.target).transactional:
            instance = replace(instance, ledger=self.ledgers(flow.key.tenant, flow.target.integration.key.name))
        return opens(instance)

    def subjects(self, side: Side) -> SubjectRequests | None:
        """A system that is asked about people, open; None where its data is searched by us, or can't be."""
        opens = _runtime(side).open_subjects
        if opens is None:
            return None
        instance = self._instance(side)
        if self.ledgers is not None:
            instance = replace(instance, ledger=self.ledgers(self.item.flow.key.tenant, side.integration.key.name))
        return opens(instance)


def hash_key_of(settings: Settings) -> Callable[[str], bytes]:
    """The tenants' keys for hashes, for who looks; see `ring_of`."""
    ring = ring_of(settings)
    return lambda tenant: ring().tenant_hash_key(tenant)


def ring_of(settings: Settings) -> Callable[[], KeyRing]:
    """The key ring of the folder of keys, for who looks: opened at first use, and nothing is made in it."""
    from syncline.secrets.keys.ring import KeyRing

    return cache(lambda: KeyRing.look(settings.keys, settings.environ))


def _deletes(item: CompiledFlow) -> bool:
    return isinstance(item.flow.spec, SyncSpec) and item.flow.spec.deletes != "ignore"


def _needed(item: CompiledFlow) -> tuple[str, ...]:
    """Top-level source fields that required target fields and the key are taken from as they are.

    Where tombstones delete, only the key's: a page may have nothing else of its records.
    """
    deletes = _deletes(item)
    found = dict.fromkeys(
        field.expression.name
        for field in item.compiled.fields
        if ((field.required and not deletes) or field.name in item.flow.target_key)
        and field.default is None
        and isinstance(field.expression, Get)
        and isinstance(field.expression.of, Current)
    )
    return tuple(found)


def bind_columns(item: CompiledFlow, source: Source, hash_key: Callable[[str], bytes]) -> Columns:
    """The flow's mapping bound to the schema that the source turned out to have; `Invalid` with every misfit.

    `hash_key` gives a tenant's key for protection; it is asked only where something is protected with one.
    """
    keyed = any(f.protection in KEYED for f in item.compiled.fields)
    return bind(item.compiled, source.schema, hash_key(item.flow.key.tenant) if keyed else None)
