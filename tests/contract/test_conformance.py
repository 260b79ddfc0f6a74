"""The shipped checks of destinations, run over each of ours; and that they find destinations that break a promise."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import cast

import polars as pl
import pytest
from msgspec.structs import replace

from syncline.executor.flows.sealed_ledger import SealedLedger
from syncline.model.errors import Again
from syncline.model.schema import Schema
from syncline.sdk import conformance_destination as conformance
from syncline.sdk import conformance_reversal
from syncline.sdk.conformance import Broken
from syncline.sdk.conformance_destination import DestinationCase
from syncline.sdk.destination import Destination, Target
from syncline.sdk.failing_destination import FailingDestination
from syncline.sdk.frame import target_frame_schema
from syncline.sdk.ledger import Ledger, MemoryLedger
from syncline.secrets.keys.ring import KeyRing
from syncline.state.open import open_store
from tests.contract import file_places, rest_places
from tests.contract.sql_places import DIALECTS, Place, place_of
from tests.writing_api import Contacts


def file_case(root: Path, form: str) -> DestinationCase:
    return DestinationCase(
        open=lambda: file_places.destination(root, format=form),
        rows=lambda stream, schema: file_places.rows(root, stream, schema),
        modes=("append", "replace"),
    )


@pytest.mark.parametrize("check", conformance.DESTINATION_CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("form", ["parquet", "jsonl", "csv"])
def test_file_destinations_keep_their_promises(check, form, tmp_path: Path):
    """Folders of parts pass every check of the shipped suite, in every format."""
    check(file_case(tmp_path, form))


@pytest.fixture(params=DIALECTS)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    """A database of its own, of each dialect."""
    made = place_of(request.param, request, tmp_path)
    yield made
    made.close()


def sql_case(place: Place) -> DestinationCase:
    def rows(stream: str, schema: Schema) -> pl.DataFrame:
        if stream not in place.tables():
            return pl.DataFrame(schema=target_frame_schema(schema))
        found = [list(row) for row in place.read(stream, schema)]
        for index, name in enumerate(schema.names):
            if schema.fields[index].type.name == "json":
                texts = place.execute(f'SELECT {place.text(name)} FROM "{stream}" ORDER BY "{schema.names[0]}"')
                for row, (text,) in zip(found, texts, strict=True):
                    row[index] = text
        return pl.DataFrame(found, schema=target_frame_schema(schema), orient="row")

    def guarded(stream: str) -> None:
        place.execute(f'CREATE UNIQUE INDEX guarded ON "{stream}" (small)')

    says = place.dialect != "duckdb"  # which has no savepoints
    return DestinationCase(place.open, rows, ("append", "upsert", "replace"), guarded=guarded if says else None)


@pytest.mark.parametrize("check", conformance.DESTINATION_CHECKS, ids=lambda check: check.__name__)
def test_sql_destinations_keep_their_promises(check, place: Place):
    """SQLite and PostgreSQL pass every check of the shipped suite."""
    check(sql_case(place))


@pytest.mark.parametrize("check", conformance_reversal.REVERSAL_CHECKS, ids=lambda check: check.__name__)
def test_sql_destinations_undo_runs(check, place: Place):
    """Databases of every dialect pass every check of undoing."""
    check(sql_case(place))


def test_a_destination_that_cannot_undo_is_found(tmp_path: Path):
    """A destination that only writes doesn't offer it, and the check says so."""

    class Writing:
        """What a folder does, but for undoing."""

        def __init__(self, folder: Destination) -> None:
            self.open, self.close = folder.open, folder.close

    case = file_case(tmp_path, "jsonl")
    writing = replace(case, open=lambda: cast("Destination", Writing(case.open())))
    with pytest.raises(Broken, match="doesn't offer"):
        conformance_reversal.keeps_for_so_long(writing)


@pytest.fixture
def ledger(way: str, tmp_path: Path) -> Iterator[Ledger]:
    """An empty ledger: in memory, and for one way in a state of its own."""
    if way != "search":
        yield MemoryLedger()
        return
    store = open_store(f"sqlite:///{tmp_path / 'state.db'}")
    yield SealedLedger.over(store.ledger("acme", "api"), KeyRing.open(tmp_path / "keys"), "acme")
    store.close()


@pytest.mark.parametrize("check", conformance.DESTINATION_CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("way", rest_places.WAYS)
def test_api_destinations_keep_their_promises(check, way, ledger: Ledger):
    """APIs pass every check of the shipped suite, whichever way they are written to; none can be replaced."""
    api = Contacts(unique="")
    check(
        DestinationCase(
            open=lambda: rest_places.destination(api, ledger, way),
            rows=lambda stream, schema: rest_places.rows(api, stream, schema),
            modes=("append", "upsert"),
            transactional=False,
            losing=lambda effect: rest_places.losing(api, ledger, way, effect),
        )
    )


@pytest.mark.parametrize("after", [False, True])
def test_failing_on_demand(after, tmp_path: Path):
    """The failing destination raises at the write it was told to, before or after that is durable, and only there."""
    case = file_case(tmp_path, "parquet")
    failing = FailingDestination(case.open(), at=2, after=after)
    writer = failing.open(Target("f", "r", "s", conformance.EVERY_TYPE, "append"))
    writer.write(conformance.sample([1]), "1")

    with pytest.raises(Again):
        writer.write(conformance.sample([2]), "2")

    assert failing.checkpoint("f") == ("2" if after else "1")
    writer.write(conformance.sample([3]), "3")
    assert case.rows("s", conformance.EVERY_TYPE).height == (3 if after else 2)


class Forgetful:
    """A destination whose checkpoints are those of another system: rows and checkpoints don't go together."""

    def __init__(self, inner):
        self.inner = inner

    def __getattr__(self, name):
        return getattr(self.inner, name)

    def checkpoint(self, flow):
        return None


def test_checks_find_broken_promises(tmp_path: Path):
    """A destination that keeps no checkpoint fails."""
    case = file_case(tmp_path, "parquet")
    broken = DestinationCase(lambda: Forgetful(case.open()), case.rows, case.modes)

    with pytest.raises(Broken, match="the checkpoint is None"):
        conformance.rows_and_checkpoint_appear_together(broken)
