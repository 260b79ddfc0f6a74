"""From a file through a mapping into a database: what comes out is what Python's Decimal and datetime make of it.

Each example writes a CSV and a JSON Lines file of the same records, runs both into a database, and reads that back
with the driver. A record is in the table with exactly its values, or it is a reject with a reason; never changed.
"""

from __future__ import annotations

import csv
import datetime as dt
import io
import json
import operator
import re
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from decimal import Decimal
from functools import reduce
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import psycopg
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from syncline import workflow
from syncline.executor.progress import Silent
from syncline.model.key import ObjectKey
from tests.e2e.house import POSTGRES_LOGIN, SQLITE, TENANT, build
from tests.examples import examples

if TYPE_CHECKING:
    from pathlib import Path

    from syncline.settings import Settings

BERLIN = ZoneInfo("Europe/Berlin")
EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)

COLUMNS = ("big", "money", "small", "day", "local", "moment", "note")

FIELDS = """\
  - {to: n, from: n, type: integer, required: true}
  - {to: big, from: big, type: integer}
  - {to: money, from: money, type: "decimal(14,2)"}
  - {to: small, from: small, type: "decimal(38,18)"}
  - {to: day, from: day, type: date}
  - {to: local, from: local, type: timestamp, zone: Europe/Berlin}
  - {to: moment, from: moment, type: timestamp}
  - {to: note, from: note}
"""

SOURCE = """\
apiVersion: syncline/v1
kind: Integration
metadata: {name: files, tenant: acme}
spec:
  connector: file@^1
  config: {root: data}
  streams:
    csv: {files: records.csv, key: [n]}
    jsonl:
      files: records.jsonl
      key: [n]
      schema:
        properties:
          n: {type: integer}
          big: {type: any}
          money: {type: number}
          small: {type: number}
          day: {type: string}
          local: {type: string}
          moment: {type: string}
          note: {type: string}
"""


@dataclass(frozen=True)
class Database:
    """Where the records go."""

    name: str
    settings: Settings
    url: str = ""

    def rows(self, table: str) -> dict[int, tuple[Any, ...]]:
        """The table as Python values, by `n`."""
        columns = ", ".join(("n", *COLUMNS))
        if self.url:
            with psycopg.connect(self.url, options="-c timezone=UTC") as connection:
                found = connection.execute(f"SELECT {columns} FROM exact.{table}").fetchall()
            return {row[0]: row[1:] for row in found}
        with closing(sqlite3.connect(self.settings.root / "warehouse.db")) as connection:
            found = connection.execute(f"SELECT {columns} FROM {table}").fetchall()
        return {row[0]: tuple(_python(name, v) for name, v in zip(COLUMNS, row[1:], strict=True)) for row in found}


def _python(column: str, value: Any) -> Any:
    """What SQLite keeps as text, by the documented formats."""
    if value is None:
        return None
    match column:
        case "money" | "small":
            return Decimal(value)
        case "day":
            return dt.date.fromisoformat(value)
        case "local" | "moment":
            return dt.datetime.fromisoformat(value)
        case _:
            return value


def manifests(warehouse: str) -> dict[str, str]:
    """A repository that moves both files into a database."""
    mapping = (
        "apiVersion: syncline/v1\nkind: Mapping\nmetadata: {name: record, tenant: acme}\nspec:\n  key: [n]\n  fields:\n"
    )
    syncs = "---\n".join(
        f"apiVersion: syncline/v1\nkind: Sync\nmetadata: {{name: {name}, tenant: acme}}\n"
        f"spec: {{from: files/{name}, mapping: record, to: warehouse/{name}_rows, read: full, write: replace, guards: {{minRows: 0}}}}\n"
        for name in ("csv", "jsonl")
    )
    head = "apiVersion: syncline/v1\nkind: Integration\nmetadata: {name: warehouse, tenant: acme}\nspec:\n  "
    login, _, spec = warehouse.rpartition("---\n")
    return {
        "tenant.yaml": TENANT,
        "source.yaml": SOURCE,
        "mapping.yaml": mapping + FIELDS,
        "syncs.yaml": syncs,
        "warehouse.yaml": (login + "---\n" if login else "") + head + spec + "\n",
    }


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Database:
    """A house whose warehouse is SQLite or PostgreSQL."""
    root = tmp_path_factory.mktemp("exact")
    (root / "data").mkdir()
    url, warehouse = "", SQLITE
    if request.param == "postgresql":
        url = request.getfixturevalue("postgres_url")
        parts = urlsplit(url)
        place = f"postgresql://{parts.hostname}:{parts.port or 5432}{parts.path}"
        login = POSTGRES_LOGIN.replace("USER", parts.username or "postgres")
        warehouse = f"{login}connector: postgresql@^1\n  auth: warehouse\n  config: {{url: {place!r}, schema: exact}}"
    made = build(root, manifests(warehouse))
    workflow.apply(made)
    return Database(request.param, made, url)


#: A wall clock has no zone, on purpose.
WALL = dt.datetime(1990, 1, 1), dt.datetime(2037, 12, 31)  # noqa: DTZ001 - wall-clock

# --- values, and what they must become -------------------------------------------------------------------------------

BAD = object()


def as_decimal(text: str | None, digits: int, scale: int) -> Any:
    """The decimal that a text states, if it fits; BAD if not."""
    if text is None:
        return None
    if not re.fullmatch(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?", text, re.ASCII):
        return BAD
    number = Decimal(text)
    _, numerals, exponent = number.as_tuple()
    while numerals and numerals[-1] == 0 and len(numerals) > 1:
        numerals, exponent = numerals[:-1], int(exponent) + 1
    if numerals == (0,):
        return Decimal(0)
    fits = -int(exponent) <= scale and len(numerals) + int(exponent) <= digits - scale
    return number if fits else BAD


def as_integer(text: str | None) -> Any:
    """The 64-bit integer that a text states; BAD if none."""
    if text is None:
        return None
    plain = re.fullmatch(r"[+-]?\d+", text, re.ASCII)
    return int(text) if plain and -(2**63) <= int(text) < 2**63 else BAD


def as_day(text: str | None) -> Any:
    """The date; BAD for days that never were."""
    if text is None:
        return None
    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        return BAD


def as_local(text: str | None) -> Any:
    """The instant of a wall clock in Berlin; BAD for times that the clock skipped or showed twice."""
    if text is None:
        return None
    wall = dt.datetime.fromisoformat(text)
    first, second = (wall.replace(tzinfo=BERLIN, fold=fold) for fold in (0, 1))
    if first.utcoffset() != second.utcoffset():
        return BAD
    return first.astimezone(dt.UTC)


def as_moment(text: str | None) -> Any:
    """The instant of a time with its offset."""
    return None if text is None else dt.datetime.fromisoformat(text).astimezone(dt.UTC)


numerals = st.text("0123456789", min_size=1, max_size=20)
money = st.one_of(
    st.integers(-(10**14), 10**14).map(lambda n: format(Decimal(n).scaleb(-2), "f")),
    st.builds("{}{}.{}e{}".format, st.sampled_from(["", "-"]), st.integers(0, 999), numerals, st.integers(-22, 22)),
    st.sampled_from(
        ["-0", "-0.00", "0.10", "1e2", "1.005", "999999999999.99", "1000000000000.00", "-999999999999.995"]
    ),
)
small = st.one_of(
    money,
    st.sampled_from(["1e-18", "1e-19", "99999999999999999999.999999999999999999", "100000000000000000000", "-1e-18"]),
)
big = st.one_of(
    st.integers(-(2**63) - 2, 2**63 + 1),
    st.sampled_from([2**53 + 1, -(2**53) - 1, 2**63 - 1, -(2**63), 2**63, 9007199254740993]),
).map(str)
days = st.one_of(
    st.dates(dt.date(1, 1, 2), dt.date(9999, 12, 30)).map(dt.date.isoformat),
    st.sampled_from(
        ["1969-12-31", "1900-02-29", "2000-02-29", "2024-02-29", "2023-02-29", "2024-02-30", "1582-10-10", "2024-13-01"]
    ),
)
local = st.one_of(
    st.datetimes(*WALL).map(lambda d: d.isoformat(timespec="microseconds")),
    st.sampled_from(
        [
            "2024-03-31T02:30:00",
            "2024-10-27T02:30:00",
            "2024-10-27T03:00:00",
            "2024-03-31T01:59:59",
            "1969-12-31T23:59:59",
            "2024-02-29T12:00:00",
        ]
    ),
)
moment = st.one_of(
    st.datetimes(
        dt.datetime(1900, 1, 1),  # noqa: DTZ001 - bounds are naive
        dt.datetime(2200, 1, 1),  # noqa: DTZ001 - wall-clock
        timezones=st.integers(-14 * 60, 14 * 60).map(lambda m: dt.timezone(dt.timedelta(minutes=m))),
    ).map(lambda d: d.isoformat(timespec="microseconds")),
    st.sampled_from(["1969-12-31T23:59:59.999999Z", "2016-12-31T23:59:59+00:00", "0001-01-02T00:00:00+00:00"]),
)
notes = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), min_size=1, max_size=12)


def maybe(values: st.SearchStrategy[str]) -> st.SearchStrategy[str | None]:
    return st.one_of(st.none(), values, values, values)


records = st.lists(
    st.fixed_dictionaries(
        {
            "big": maybe(big),
            "money": maybe(money),
            "small": maybe(small),
            "day": maybe(days),
            "local": maybe(local),
            "moment": maybe(moment),
            "note": maybe(notes),
        }
    ),
    min_size=1,
    max_size=25,
)


def expected(record: dict[str, str | None]) -> tuple[Any, ...]:
    """What a record must be in a database."""
    return (
        as_integer(record["big"]),
        as_decimal(record["money"], 14, 2),
        as_decimal(record["small"], 38, 18),
        as_day(record["day"]),
        as_local(record["local"]),
        as_moment(record["moment"]),
        record["note"],
    )


def write_files(root: Path, found: list[dict[str, str | None]]) -> None:
    """The records as CSV and as JSON Lines; numbers in JSON are numbers, with their digits as they are."""
    text = io.StringIO()
    writer = csv.writer(text, quoting=csv.QUOTE_MINIMAL, lineterminator="\n")
    writer.writerow(["n", *COLUMNS])
    lines = []
    for n, record in enumerate(found, 1):
        writer.writerow([n, *("" if record[name] is None else record[name] for name in COLUMNS)])
        parts = [f'"n": {n}']
        for name in COLUMNS:
            value = record[name]
            number = value is not None and name in {"money", "small", "big"}
            parts.append(f'"{name}": {_json_number(value) if number else json.dumps(value)}')
        lines.append(f"{{{', '.join(parts)}}}")
    (root / "data" / "records.csv").write_text(text.getvalue())
    (root / "data" / "records.jsonl").write_text("\n".join(lines) + "\n")


def _json_number(text: str | None) -> str:
    """A number as JSON writes it: no leading zeros (RFC 8259)."""
    return re.sub(r"^(-?)0+(?=\d)", r"\1", str(text))


@settings(max_examples=examples(30), phases=[Phase.generate])  # shrinking a whole house takes minutes
@given(records)
def test_what_comes_out_is_what_went_in(database, found):
    """Money, ids, days, wall clocks and instants arrive to the digit, or their record is a reject with a reason."""
    write_files(database.settings.root, found)
    wanted = {n: expected(record) for n, record in enumerate(found, 1)}
    good = {n: values for n, values in wanted.items() if BAD not in values}
    for name in ("csv", "jsonl"):
        result = workflow.run(database.settings, ObjectKey("acme", "Sync", name), progress=Silent(), full_refresh=True)
        counts = result.receipt.counts
        rejects = list(workflow.rejects(database.settings, result.record.id))
        stored = database.rows(f"{name}_rows")
        wrong = {n: (found[n - 1], stored.get(n), wanted[n]) for n in wanted if stored.get(n) != good.get(n)}
        assert not wrong, (name, [(r.record, r.field, r.message) for r in rejects])
        assert counts.read == len(found) == counts.written + counts.rejected + counts.skipped
        assert (counts.written, counts.rejected, len(rejects)) == (
            len(good),
            len(found) - len(good),
            len(found) - len(good),
        )
        for reject in rejects:
            n = int(json.loads(reject.record)["n"])
            assert wanted[n][COLUMNS.index(reject.field)] is BAD, (name, reject)
            assert reject.message


def test_a_float_sum_would_not_have_done(database):
    """A million cents that floats would get wrong add up in the database to what Decimal says."""
    amounts = [Decimal(n * 7 % 10_007).scaleb(-2) + Decimal("999999999.10") for n in range(3_000)]
    empty = dict.fromkeys(COLUMNS)
    write_files(database.settings.root, [{**empty, "money": str(a)} for a in amounts])
    workflow.run(database.settings, ObjectKey("acme", "Sync", "csv"), progress=Silent(), full_refresh=True)
    stored = [row[1] for row in database.rows("csv_rows").values()]
    assert sum(stored) == sum(amounts)
    naive = reduce(operator.add, map(float, amounts))  # `sum` compensates from Python 3.12 on
    assert naive != float(sum(amounts))
