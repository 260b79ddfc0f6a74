"""
The core of W1's mapping on both candidates for the column engine: casts, lookups, defaults, checks over Arrow blocks.

    python benchmarks/column_engine.py [CUSTOMERS.csv]

Without a file, a million rows of the same shape are made. DuckDB is needed for this script alone and is no dependency:
`pip install duckdb` first. Reading the CSV is not measured; every contender gets the same Arrow blocks, must find the
same good and bad rows, and give the same exact sum of money. Also printed: what each engine's own casts do in silence.
"""

from __future__ import annotations

import os

os.environ.setdefault("POLARS_MAX_THREADS", "2")

import io
import random
import statistics
import sys
import time
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.compute
import pyarrow.csv as pc
import yaml

from syncline.kinds.mapping import MappingSpec
from syncline.kinds.record import text_schema
from syncline.mapping.columns import Columns, bind
from syncline.mapping.compile import compile_mapping
from syncline.model.diagnostic import Place
from syncline.model.key import ObjectKey
from syncline.model.manifest import Manifest

BLOCK = 16 << 20
RUNS = 5
NAMES = ("cust_id", "first", "last", "mail", "tel", "ctry", "town", "street", "zip", "born", "signup", "last_seen",
         "bal", "credit", "score", "st", "tier", "optin", "note", "ref")  # fmt: skip

#: Good rows, bad rows, and the sum of all good balances.
Result = tuple[int, int, Decimal]
STATUS = {"A": "active", "P": "pending", "S": "suspended", "C": "closed"}
TIER = {"1": "bronze", "2": "silver", "3": "gold", "4": "platinum"}
INSTANT = "%Y-%m-%dT%H:%M:%SZ"
EMAIL = r"^[^@\s]+@[^@\s]+\.[^@\s]+$"


def made(rows: int = 1_000_000) -> io.BytesIO:
    """Customers of the shape of W1, one in a hundred of them bad."""
    draw = random.Random(7)
    lines = [",".join(NAMES)]
    for n in range(1, rows + 1):
        bad = n % 100 == 0
        last = "" if bad and n % 3 == 0 else f"Last{n % 911}"
        mail = "nobody" if bad and n % 3 == 1 else f"a{n}@example.com"
        score = 500 if bad and n % 3 == 2 else n % 101
        born = f"{draw.randint(1, 28):02}/{draw.randint(1, 12):02}/{draw.randint(1950, 2005)}"
        seen = f"2024-0{n % 9 + 1}-11T10:{n % 60:02}:{n % 59:02}Z"
        lines.append(
            f"{n},First{n % 997},{last},{mail},+49 30 {n:07},de,Berlin,{n % 200} Street,{n % 90000:05},{born},"
            f"2021-0{n % 9 + 1}-15,{seen},{draw.randint(0, 99999)}.{n % 100:02},{n % 40}00,{score},{'APSC'[n % 4]},"
            f"{n % 4 + 1},{'true' if n % 2 else 'false'},note {n},r{n:x}"
        )
    return io.BytesIO("\n".join(lines).encode())


def blocks(source: str | io.BytesIO) -> list[pa.RecordBatch]:
    """The file as Arrow blocks of text."""
    convert = pc.ConvertOptions(
        column_types=dict.fromkeys(NAMES, pa.string()), strings_can_be_null=True, null_values=[""]
    )
    return list(pc.open_csv(source, read_options=pc.ReadOptions(block_size=BLOCK), convert_options=convert))


def bound() -> Columns:
    """W1's mapping as declared in `benchmarks/w1/mapping.yaml`."""
    text = (Path(__file__).parent / "w1" / "mapping.yaml").read_text()
    spec = MappingSpec.model_validate(yaml.safe_load(text)["spec"], strict=False)
    manifest = Manifest(ObjectKey("bench", "Mapping", "customer"), spec, "0" * 64, Place("mapping.yaml"))
    schema = text_schema(NAMES)
    return bind(compile_mapping(manifest, schema), schema, None)


def declared(batches: list[pa.RecordBatch]) -> Callable[[], Result]:
    """The mapping compiler: exact casts, rejects with field, rule, value and record."""
    columns = bound()
    frames = [pl.DataFrame(pl.from_arrow(batch)) for batch in batches]

    def run() -> Result:
        good, bad, money = 0, 0, Decimal(0)
        for frame in frames:
            mapped = columns.apply(frame)
            records = columns.record_json(frame, [reject.row for reject in mapped.rejects])
            good, bad = good + mapped.frame.height, bad + len(records)
            money += mapped.frame["balance"].sum()
        return good, bad, money

    return run


def by_hand(batches: list[pa.RecordBatch]) -> Callable[[], Result]:
    """Polars written by hand with its own lenient casts: what rounds is rounded."""
    col = pl.col
    exprs = [
        col("cust_id").cast(pl.Int64, strict=False).alias("id"), col("first"), col("last"),
        pl.concat_str([col("first"), col("last")], separator=" ", ignore_nulls=True).alias("full"), col("mail"),
        col("tel").fill_null("n/a"), col("ctry").str.to_uppercase(), col("town"), col("street"), col("zip"),
        col("born").str.to_date("%d/%m/%Y", strict=False), col("signup").str.to_date("%Y-%m-%d", strict=False),
        col("last_seen").str.to_datetime(INSTANT, time_unit="us", strict=False).dt.replace_time_zone("UTC"),
        col("bal").cast(pl.Decimal(14, 2), strict=False), col("credit").fill_null("0").cast(pl.Int32, strict=False),
        col("score").cast(pl.Int32, strict=False), col("note"), col("ref"), (col("optin") == "true").alias("optin"),
        col("st").replace_strict(STATUS, default=None, return_dtype=pl.String),
        col("tier").replace_strict(TIER, default="bronze", return_dtype=pl.String),
    ]  # fmt: skip
    needed = ("id", "last", "born", "signup", "last_seen", "bal", "st")
    reason = (
        pl.when(pl.any_horizontal(col(n).is_null() for n in needed)).then(pl.lit("required"))
        .when(~col("mail").str.contains(EMAIL).fill_null(value=False)).then(pl.lit("mail"))
        .when(~col("score").is_between(0, 100).fill_null(value=False)).then(pl.lit("score"))
    )  # fmt: skip
    frames = [pl.DataFrame(pl.from_arrow(batch)) for batch in batches]

    def run() -> Result:
        good, bad, money = 0, 0, Decimal(0)
        for frame in frames:
            mapped = frame.select(exprs).with_columns(reason.alias("reason"))
            wrong = mapped["reason"].is_not_null()
            records = frame.filter(wrong).select(pl.struct(pl.all()).struct.json_encode())
            kept = mapped.filter(~wrong)
            good, bad, money = good + kept.height, bad + records.height, money + kept["bal"].sum()
        return good, bad, money

    return run


def _case(column: str, table: dict[str, str], otherwise: str) -> str:
    return f"CASE {column} " + " ".join(f"WHEN '{k}' THEN '{v}'" for k, v in table.items()) + f" ELSE {otherwise} END"


def _guarded(pattern: str, cast: str, column: str) -> str:
    return f"CASE WHEN regexp_full_match({column}, '{pattern}') THEN {cast.format(column)} END"


_DATE, _CLOCK = "[1-9][0-9]{3}-[0-9]{2}-[0-9]{2}", "[0-9]{2}:[0-5][0-9]:[0-5][0-9]"
_WHOLE, _MONEY = "[+-]?[0-9]+", r"[+-]?[0-9]{1,12}(\.[0-9]{1,2})?"
_CREDIT = "coalesce(credit, '0')"
_NEEDED = ("id", "last", "born", "signup", "last_seen", "bal", "st")

SQL = rf"""
WITH typed AS (
  SELECT {_guarded(_WHOLE, "try_cast({} AS BIGINT)", "cust_id")} AS id,
    first, last, concat_ws(' ', first, last) AS full_name, mail, coalesce(tel, 'n/a') AS tel, upper(ctry) AS ctry,
    town, street, zip,
    {_guarded("[0-9]{2}/[0-9]{2}/[1-9][0-9]{3}", "try_strptime({}, '%d/%m/%Y')::DATE", "born")} AS born,
    {_guarded(_DATE, "try_cast({} AS DATE)", "signup")} AS signup,
    {_guarded(f"{_DATE}T{_CLOCK}Z", "try_cast({} AS TIMESTAMPTZ)", "last_seen")} AS last_seen,
    {_guarded(_MONEY, "try_cast({} AS DECIMAL(14,2))", "bal")} AS bal,
    {_guarded(_WHOLE, "try_cast({} AS INTEGER)", _CREDIT)} AS credit,
    {_guarded(_WHOLE, "try_cast({} AS INTEGER)", "score")} AS score,
    {_case("st", STATUS, "NULL")} AS st, {_case("tier", TIER, "'bronze'")} AS tier,
    CASE optin WHEN 'true' THEN true WHEN 'false' THEN false END AS optin, note, ref, block AS source
  FROM block
)
SELECT * EXCLUDE (source), CASE
  WHEN {" OR ".join(f"{name} IS NULL" for name in _NEEDED)} THEN 'required'
  WHEN mail IS NULL OR NOT regexp_full_match(mail, '[^@\s]+@[^@\s]+\.[^@\s]+') THEN 'mail'
  WHEN score IS NULL OR score NOT BETWEEN 0 AND 100 THEN 'score' END AS reason,
  CASE WHEN reason IS NOT NULL THEN to_json(source) END AS record
FROM typed
"""


def in_sql(batches: list[pa.RecordBatch], threads: int, *, at_once: bool = False) -> Callable[[], Result]:
    """DuckDB: one statement with the same guards as the compiler's fast paths, Arrow in and Arrow out.

    `at_once` gives it all blocks as one table, which is not how data arrives, but where it can use its threads.
    """
    connection = duckdb.connect()
    connection.execute(f"SET threads = {threads}")
    connection.execute("SET TimeZone = 'UTC'")
    tables = [pa.Table.from_batches(batches)] if at_once else [pa.Table.from_batches([batch]) for batch in batches]

    def run() -> Result:
        good, bad, money = 0, 0, Decimal(0)
        for table in tables:
            connection.register("block", table)
            mapped = connection.sql(SQL).to_arrow_table()
            wrong = pa.compute.is_valid(mapped["reason"])
            kept = mapped.filter(pa.compute.invert(wrong)).drop_columns(["reason", "record"])
            good, bad = good + kept.num_rows, bad + mapped.filter(wrong).num_rows
            money += pa.compute.sum(kept["bal"]).as_py()
        return good, bad, money

    return run


def measured(run: Callable[[], Result]) -> tuple[float, float, Result]:
    """Medians of CPU and wall seconds, after one run to warm up, and the result."""
    result = run()
    cpu, wall = [], []
    for _ in range(RUNS):
        c, w = time.process_time(), time.perf_counter()
        assert run() == result
        cpu.append(time.process_time() - c)
        wall.append(time.perf_counter() - w)
    return statistics.median(cpu), statistics.median(wall), result


def silences() -> list[tuple[str, str, str]]:
    """(text → type, polars, DuckDB): what the engines' own casts make of texts that don't fit."""
    cases: list[tuple[str, Any, str]] = [
        ("1.555", pl.Decimal(14, 2), "DECIMAL(14,2)"),
        ("1e-3", pl.Decimal(14, 2), "DECIMAL(14,2)"),
        (" 5 ", pl.Int64(), "BIGINT"),
        ("5.5", pl.Int64(), "BIGINT"),
        ("1_000", pl.Int64(), "BIGINT"),
        ("1e400", pl.Float64(), "DOUBLE"),
        ("nan", pl.Float64(), "DOUBLE"),
        ("2024-01-05 10:00:00", pl.Date(), "DATE"),
        ("2024-1-5", pl.Date(), "DATE"),
    ]
    rows = []
    for text, dtype, name in cases:
        series = pl.Series([text])
        ours = series.str.to_date("%Y-%m-%d", strict=False) if dtype == pl.Date() else series.cast(dtype, strict=False)
        theirs = duckdb.execute(f"SELECT try_cast('{text}' AS {name})").fetchone()
        rows.append((f"{text!r} → {name}", str(ours[0]), str(theirs[0] if theirs else None)))
    return rows


def main() -> None:
    """Prints both tables."""
    batches = blocks(sys.argv[1] if len(sys.argv) > 1 else made())
    print(f"{sum(b.num_rows for b in batches):,} rows in {len(batches)} blocks; medians of {RUNS}")
    print(f"polars {pl.__version__}, DuckDB {duckdb.__version__}, two threads\n")
    contenders = {
        "polars by hand, lenient casts": by_hand(batches),
        "polars, compiled from the manifest": declared(batches),
        "DuckDB SQL, guarded, block by block": in_sql(batches, 2),
        "DuckDB SQL, guarded, all at once": in_sql(batches, 2, at_once=True),
    }
    results = set()
    for name, run in contenders.items():
        cpu, wall, result = measured(run)
        results.add(result)
        print(f"{name:36} {cpu:6.2f} s CPU {wall:6.2f} s wall   {result[0]:,} good, {result[1]:,} bad, {result[2]:,}")
    assert len(results) == 1, results
    print("\nwhat the engines' own casts give (None: no value)")
    for case, ours, theirs in silences():
        print(f"{case:36} polars {ours:12} DuckDB {theirs}")


if __name__ == "__main__":
    main()
