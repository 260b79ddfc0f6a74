"""What is written to a database is what Python reads back: money, 64-bit ids, instants, texts, floats, bytes."""

from __future__ import annotations

import json
import math
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from syncline.model.errors import Invalid
from syncline.sdk.destination import refusals
from tests.contract.sql_places import DIALECTS, Place, frame_of, place_of, schema_of, sqlite_place, target_of
from tests.examples import examples

if TYPE_CHECKING:
    from collections.abc import Iterator

    from syncline.connectors.sql.destination import SqlDestination

TEXT = st.text(st.characters(codec="utf-8"), max_size=30)
ZONES = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))

CASES: dict[str, st.SearchStrategy[Any]] = {
    "integer": st.integers(-(2**63), 2**63 - 1),
    "int32": st.integers(-(2**31), 2**31 - 1),
    "decimal(14,2)": st.integers(-(10**14) + 1, 10**14 - 1).map(lambda n: Decimal(n).scaleb(-2)),
    "decimal(38,18)": st.integers(-(10**28), 10**28).map(lambda n: Decimal(n).scaleb(-18)),
    "decimal(20,0)": st.sampled_from(["-0", "1E+3", "0E-0", "12E17"]).map(Decimal),
    "float": st.floats(allow_nan=False),
    "boolean": st.booleans(),
    "date": st.dates(),
    "time": st.times(),
    "timestamp": st.datetimes(datetime(2, 1, 1), datetime(9998, 12, 31), timezones=ZONES),  # noqa: DTZ001 - bounds are naive
    "datetime": st.datetimes(),
    "string": TEXT,
    "binary": st.binary(max_size=30),
    "json": st.recursive(
        st.none() | st.booleans() | st.integers() | TEXT,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
        max_leaves=6,
    ),
}


@pytest.fixture(scope="module", params=DIALECTS)
def place(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """A database of its own, of each dialect."""
    folder = tmp_path_factory.mktemp("sql")
    made = place_of(request.param, request, folder)
    yield made
    made.close()


@pytest.fixture(scope="module")
def destination(place: Place) -> SqlDestination:
    """One connection for all examples."""
    return place.open()


@pytest.mark.parametrize("declared", CASES)
def test_read_back(place: Place, destination: SqlDestination, declared: str):
    """Each value that isn't refused is read back equal, of the same type and sign of scale, beside nulls."""
    schema = schema_of({"id": "integer", "value": declared}, "id")
    stream = f"t_{declared}"
    encode = json.dumps if declared == "json" else lambda value: value

    @settings(max_examples=examples(30))
    @given(st.lists(st.none() | CASES[declared], min_size=1, max_size=40))
    def check(values: list[Any]) -> None:
        destination.forget("acme/Sync/orders")
        place.execute(f'DROP TABLE IF EXISTS "{stream}"')
        writer = destination.open(target_of(schema, stream=stream))
        frame = frame_of(schema, *((n, None if v is None else encode(v)) for n, v in enumerate(values)))
        refused = {refusal.row for refusal in refusals(writer, frame)}
        kept = [n for n in range(len(values)) if n not in refused]

        assert writer.write(frame[kept], "1").inserted == len(kept)
        assert writer.write(frame[kept], "2").unchanged == len(kept)

        for n in refused:
            nul = "\0" in repr(values[n]) or "\\x00" in repr(values[n])
            assert nul or (place.dialect == "mariadb" and math.isinf(values[n]))
        for n, (number, found) in zip(kept, place.read(stream, schema), strict=True):
            given = values[n]
            if isinstance(given, datetime) and given.tzinfo:
                given = given.astimezone(UTC)
            assert (number, found) == (n, given)
            assert type(found) is type(given)
            if isinstance(found, Decimal):
                _, scale = declared[8:-1].split(",")
                assert found.as_tuple().exponent == -int(scale)

    check()


def test_text_order_is_time_order(tmp_path):
    """In SQLite, instants and dates sort as text as they sort in time."""
    place = sqlite_place(tmp_path)
    schema = schema_of({"id": "integer", "at": "timestamp", "day": "date", "hour": "time"}, "id")
    instants = [
        datetime(1, 1, 1, tzinfo=UTC),
        datetime(999, 12, 31, 23, 59, 59, 1, UTC),
        datetime(1969, 12, 31, 23, 59, 59, 999999, UTC),
        datetime(1970, 1, 1, tzinfo=UTC),
        datetime(2024, 2, 29, 12, 0, 0, 500000, UTC),
        datetime(9999, 12, 31, tzinfo=UTC),
    ]
    rows = [(n, at, at.date(), time(n, 0, 0, n)) for n, at in enumerate(instants)]
    place.open().open(target_of(schema)).write(frame_of(schema, *reversed(rows)), "1")

    for column in ("at", "day", "hour"):
        assert [n for (n,) in place.execute(f"SELECT id FROM orders ORDER BY {column}, id")] == list(range(6))
    place.close()


def test_not_a_number(place: Place, destination: SqlDestination):
    """NaN is refused by SQLite, which would make it null; MariaDB has neither it nor infinities; others keep all."""
    schema = schema_of({"id": "integer", "value": "float"}, "id")
    writer = destination.open(target_of(schema, stream="floats"))
    frame = frame_of(schema, (1, math.inf), (2, -math.inf), (3, math.nan))
    refused = [refusal.row for refusal in refusals(writer, frame)]
    writer.write(frame.filter(~frame["id"].is_in([row + 1 for row in refused])), "1")

    found = [value for _, value in place.read("floats", schema)]
    assert refused == {"sqlite": [2], "mariadb": [0, 1, 2]}.get(place.dialect, [])
    assert found[:2] == ([] if place.dialect == "mariadb" else [math.inf, -math.inf])
    assert all(math.isnan(value) for value in found[2:])


POSTGRESQL_ONLY = pytest.mark.parametrize("place", ["postgresql"], indirect=True)


@POSTGRESQL_ONLY
@pytest.mark.parametrize(
    "text", ['"\\u0000"', '{"a\\u0000": 1}', '"\\ud800"', "1e1000000", "1" + "0" * 140_000, '["x", "\\udc00"]']
)
def test_json_beyond_jsonb(place: Place, destination: SqlDestination, text: str):
    """What `jsonb` can't hold is named by row, is all that is refused, and no part of it is in the error."""
    schema = schema_of({"id": "integer", "doc": "json"}, "id")
    writer = destination.open(target_of(schema, stream="documents"))
    frame = frame_of(schema, (1, '"\\\\u0000"'), (2, text), (3, "1e100"))
    with pytest.raises(Invalid, match="SQLSTATE 22|can't hold") as caught:
        writer.write(frame, "1")

    assert caught.value.code == "SYN485"
    assert [refusal.row for refusal in refusals(writer, frame)] == [1]
    writer.write(frame[[0, 2]], "1")


@POSTGRESQL_ONLY
@pytest.mark.parametrize("text", ["NaN", "{", "", "secret"])
def test_what_is_no_json(place: Place, destination: SqlDestination, text: str):
    """A column that breaks the promise of being JSON is refused as a batch, without being told."""
    schema = schema_of({"id": "integer", "doc": "json"}, "id")
    writer = destination.open(target_of(schema, stream="documents"))
    with pytest.raises(Invalid, match="SQLSTATE 22") as caught:
        writer.write(frame_of(schema, (1, text)), "1")

    assert "secret" not in str(caught.value)


@POSTGRESQL_ONLY
def test_long_keys(place: Place, destination: SqlDestination):
    """A key too long for PostgreSQL's index is refused however well it would compress; one at the limit is held."""
    schema = schema_of({"key": "string", "day": "date"}, "key", "day")
    writer = destination.open(target_of(schema, stream="keys"))
    random = "".join(chr(0x4E00 + (n * 7919) % 20000) for n in range(866))  # 2,598 bytes that don't compress
    frame = frame_of(schema, (random, date(2024, 1, 1)), ("a" * 2601, date(2024, 1, 1)))

    assert [refusal.row for refusal in refusals(writer, frame)] == [1]
    assert writer.write(frame.head(1), "1").inserted == 1
