"""The runtime `sql`, as the registry lists it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from syncline.connectors.runtime import Runtime
from syncline.connectors.sql.opening import open_database
from syncline.sdk.comparison import Compared, Proposed
from syncline.sdk.reached import Reached
from syncline.sdk.source import Instance, Source, SourceRequest

if TYPE_CHECKING:
    from syncline.sdk.destination import Destination, Limits, Target


def open_source(instance: Instance, request: SourceRequest) -> Source:
    """Opens a table or a query for reading."""
    from syncline.connectors.sql import source

    return source.open_source(instance, request)


def open_rows(instance: Instance, stream: str, names: tuple[str, ...], key: tuple[str, ...]) -> Source:
    """Opens a table that is written to, for reading."""
    from syncline.connectors.sql import source

    return source.open_rows(instance, stream, names, key)


def open_destination(instance: Instance) -> Destination:
    """Connects to a database to write to it."""
    from syncline.connectors.sql.destination import SqlDestination

    return SqlDestination(open_database(instance))


def check(instance: Instance) -> Reached:
    """Connects and says what answered; see `sql/check.py`."""
    from syncline.connectors.sql.check import check as look

    return look(instance)


def compare(instance: Instance, proposed: Proposed) -> Compared:
    """What a write would do; see `sql/compare.py`."""
    from syncline.connectors.sql.compare import compare as look

    return look(instance, proposed)


def limits(instance: Instance, target: Target) -> Limits:
    """Values that the database can't hold; see `sql/limits.py`."""
    from syncline.connectors.sql.opening import limits_of
    from syncline.connectors.sql.table import keyed
    from syncline.sdk.destination import Limits

    return Limits(limits_of(instance, target.schema, keyed=keyed(target)).refusals)


def held(instance: Instance, target: Target) -> Limits:
    """The same, and values that the columns of the table that is there don't hold; see `sql/compare.py`."""
    from syncline.connectors.sql.compare import held as look
    from syncline.sdk.destination import Limits

    return Limits(look(instance, target).refusals)


RUNTIME = Runtime(
    name="sql",
    open_source=open_source,
    open_destination=open_destination,
    check=check,
    compare=compare,
    open_rows=open_rows,
    limits=limits,
    held=held,
)
