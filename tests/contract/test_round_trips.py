"""What a run of unchanged rows says to PostgreSQL: each statement is a round trip, of which a tiny sync has little else."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from syncline.connectors.sql.postgresql.database import PostgresDatabase
from syncline.sdk.destination import Fence, Written
from tests.contract.sql_places import FLOW, frame_of, postgres_place, schema_of, target_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import pytest

ORDERS = schema_of({"id": "integer", "total": "decimal(14,2)"}, "id")
TRIGGER = """
CREATE FUNCTION same() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TRIGGER same BEFORE INSERT ON orders FOR EACH ROW EXECUTE FUNCTION same();
"""


def test_unchanged_rows_take_no_more_statements_than_they_need(
    postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """A flow that was taken before is taken by one, and no row is looked for as left out where no trigger could do it."""
    place = postgres_place(postgres_url, tmp_path)
    said: list[str] = []
    execute = PostgresDatabase.execute

    def heard(database: PostgresDatabase, statement: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        said.append(statement)
        return execute(database, statement, parameters)

    def run(token: int) -> Written:
        destination = place.open()
        said.clear()
        destination.fence(FLOW, Fence("state", token))
        destination.checkpoint(FLOW)
        written = destination.open(target_of(ORDERS)).write(frame_of(ORDERS, (1, Decimal("1.00"))), str(token))
        destination.close()
        return written

    try:
        run(1)
        monkeypatch.setattr(PostgresDatabase, "execute", heard)
        assert run(2) == Written(0, 0, 1)
        taking = ["ours", "taken", "checkpoint", "table"]
        writing = ["BEGIN", "stage", "merge", "held", "checkpoint", "COMMIT"]  # and COPY
        assert len(said) == len(taking + writing), said

        place.execute(TRIGGER)
        assert run(3) == Written(0, 0, 1)
        assert len(said) == len([*taking, *writing, "left out"]), said
    finally:
        place.close()
