"""
Kills an import into PostgreSQL at random times and has the next run go on, in real processes, until it ends.

    python -m tests.e2e.bulk_kills URL [--rows 1000000] [--points 200] [--batch 2097152] [--partitions 2] [--width 0]
        [--most 3] [--seed 1]

Prints a JSON line for an unbroken run, then one for each point: what came of it, how many attempts it took, what each
kill had read again (parts, bytes and rows), and the seconds of all attempts. The last line has the most that a kill had
read again, what a batch has, and what all attempts read and took, as parts of an unbroken run's: on average, and at
most. It ends with 1 where an outcome is another than that of an unbroken run, or more than a batch was read again.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import mean
from typing import TYPE_CHECKING, Any

import psycopg

from syncline import workflow
from syncline.executor.engine import Engine
from syncline.executor.flows.instance import resolver
from syncline.executor.flows.opening import Opener
from syncline.executor.progress import Silent
from syncline.executor.services.facilities import open_facilities
from syncline.executor.services.in_flight import PARTS
from syncline.executor.work import Work
from syncline.reconciler.apply import apply_plan
from tests import warm
from tests.e2e import house
from tests.look import Look

if TYPE_CHECKING:
    from syncline.executor.flows.applied import Applied
    from syncline.executor.flows.instance import Resolve
    from syncline.planner.compiled import CompiledFlow
    from syncline.sdk.batch import Batch, Position
    from syncline.sdk.keep import Keep
    from syncline.sdk.source import Source
    from syncline.settings import Settings

#: Points after which an unbroken run is timed again.
_EVERY = 10

#: A customer comes again this many records later, every so often: in another batch, and with another balance.
_AGAIN_AFTER, _AGAIN_EVERY = 5_000, 997


@dataclass(frozen=True)
class Bulk:
    """What is imported, and how; `width` characters more are in each record."""

    root: str
    url: str
    schema: str
    rows: int
    batch: int
    partitions: int
    width: int = 0

    @property
    def folder(self) -> Path:
        return Path(self.root)

    @property
    def settings(self) -> Settings:
        return house.settings_of(self.folder)

    @property
    def scenario(self) -> house.Scenario:
        return house.Scenario("upsert", self.url, self.schema, kind="Import")

    @property
    def log(self) -> Path:
        """What each attempt read; see `_Logged`."""
        return self.folder / "read.log"


def build(bulk: Bulk) -> None:
    """Its files and manifests: rejects, quotes that span lines, and customers who come again."""
    texts = bulk.scenario.texts
    flow = texts["sync.yaml"].replace("validate: before-commit", f"partitions: {bulk.partitions}")
    house.build(bulk.folder, {**texts, "sync.yaml": flow})
    path = bulk.folder / "data" / "customers.csv"
    path.parent.mkdir(exist_ok=True)
    with path.open("w") as file:
        file.write("id,name,email,balance,born\n")
        for n in range(1, bulk.rows + 1):
            again = n > _AGAIN_AFTER and n % _AGAIN_EVERY == 0
            number = n - _AGAIN_AFTER if again else n
            email = "nowhere" if n % 101 == 0 else f"c{n}@example.com"
            name = f'"Name\n""{n}"", and more"' if n % 13 == 0 else f"Name {n} of the house"
            if bulk.width and n % 13:
                name += " " + f"{n * 7919:x} " * (bulk.width // 8)
            file.write(f"{number},{name},{email},{n}.{n % 100:02d},19{n % 90 + 10}-02-{n % 28 + 1:02d}\n")


def reset(bulk: Bulk) -> None:
    """An applied configuration and an empty database."""
    with psycopg.connect(bulk.url, autocommit=True) as connection:
        connection.execute(f"DROP SCHEMA IF EXISTS {bulk.schema} CASCADE")
    subprocess.run(["rm", "-rf", str(bulk.settings.home)], check=True)
    bulk.log.write_text("")
    plan = workflow.plan(bulk.settings)
    with open_facilities(bulk.settings) as facilities:
        apply_plan(facilities, plan, lambda _: None)


class _Logged:
    """A source that writes down when it is asked for a part, and what it gives."""

    def __init__(self, source: Source, log: Path) -> None:
        self._source = source
        self._log = os.open(log, os.O_WRONLY | os.O_APPEND)
        self.schema = source.schema

    def read(self, position: Position | None) -> Iterator[Batch]:
        parts = iter(self._source.read(position))
        while True:
            os.write(self._log, b"begun\n")
            if (batch := next(parts, None)) is None:
                return
            part = hashlib.sha256(json.dumps(batch.position, sort_keys=True).encode()).hexdigest()
            os.write(self._log, f"part {part} {batch.size} {batch.read}\n".encode())
            yield batch

    def close(self) -> None:
        self._source.close()
        os.close(self._log)


@dataclass(frozen=True)
class Part:
    """A part of what was read, by the position after it."""

    position: str
    size: int
    rows: int


@dataclass(frozen=True)
class Amount:
    """So much of a source."""

    parts: int = 0
    bytes: int = 0
    rows: int = 0

    @classmethod
    def of(cls, parts: Sequence[Part]) -> Amount:
        return cls(len(parts), sum(part.size for part in parts), sum(part.rows for part in parts))


def attempts_in(log: str) -> list[tuple[list[Part], bool]]:
    """What each attempt was given, and whether it had begun to read one more."""
    found: list[tuple[list[Part], bool]] = []
    for line in log.splitlines():
        match line.split():
            case ["attempt"]:
                found.append(([], False))
            case ["begun"]:
                found[-1] = (found[-1][0], True)
            case ["part", position, size, rows]:
                found[-1] = ([*found[-1][0], Part(position, int(size), int(rows))], False)
            case other:
                raise AssertionError(other)
    return found


def read_again(attempts: Sequence[tuple[Sequence[Part], bool]], whole: Sequence[Part]) -> list[Amount]:
    """What each kill but the last attempt's end had read again, of the parts of an unbroken run.

    A part that was begun counts as read. An attempt that was killed before it was given any had nothing read again but
    that, where it had begun it.
    """
    places = {part.position: number for number, part in enumerate(whole)}
    starts = [places[given[0].position] if given else None for given, _ in attempts]
    found = []
    for number, (given, begun) in enumerate(attempts[:-1]):
        later = next((start for start in starts[number + 1 :] if start is not None), None)
        if later is None:  # everything had been committed
            found.append(Amount())
            continue
        start = starts[number] if given else later
        assert start is not None
        found.append(Amount.of(whole[later : start + len(given) + begun]))
    return found


def batch_of(bulk: Bulk, whole: Sequence[Part]) -> Amount:
    """What one batch has: as many bytes as its parts may have, and the rows of as many parts where they are most."""
    rows = max(Amount.of(whole[first : first + PARTS]).rows for first in range(len(whole)))
    return Amount(PARTS, PARTS * bulk.batch, rows)


def run(bulk: Bulk) -> None:
    """One attempt, in this process."""

    def opener(
        item: CompiledFlow, applied: Applied, settings: Settings, resolve: Resolve, keep: Keep | None = None
    ) -> Opener:
        return Opener(item, applied, settings, resolve, keep, batch_bytes=bulk.batch)

    with open_facilities(bulk.settings) as facilities:
        engine = Engine(facilities, resolver(bulk.settings), opener)
        engine.run(Work(bulk.scenario.key, open_source=lambda made: _Logged(made.source(), bulk.log)), Silent())


def attempt(bulk: Bulk, after: float | None) -> tuple[bool, float]:
    """One attempt in a process of its own, killed after so many seconds of its work; whether it was, and its time."""
    with bulk.log.open("a") as log:
        log.write("attempt\n")
    spec = json.dumps(asdict(bulk))
    command = [sys.executable, "-m", "tests.e2e.bulk_kills", "--child", spec]
    with warm.Popen(command, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()  # it has loaded, and begins
        began = time.perf_counter()
        if after is not None:
            try:
                child.wait(after)
            except subprocess.TimeoutExpired:
                child.send_signal(signal.SIGKILL)
        status = child.wait()
        took = time.perf_counter() - began
    if status not in {0, -signal.SIGKILL}:
        raise SystemExit(f"an attempt ended by itself: {status}")
    return status != 0, took


def ended(bulk: Bulk) -> bool:
    """Whether a run that was killed had ended already: then the next would be another one."""
    runs = Look(bulk.settings.state_url).runs(bulk.scenario.key)
    return bool(runs) and runs[0].receipt is not None


def outcome(bulk: Bulk) -> dict[str, Any]:
    """The table, the last run and its rejects, as plain data that is the same however often it was killed."""
    reader = Look(bulk.settings.state_url)
    last, *others = reader.runs(bulk.scenario.key)
    receipt = last.receipt or {}
    rejects = [(r.place, r.field, r.rule, r.value) for r in workflow.rejects(bulk.settings, last.id)]
    with psycopg.connect(bulk.url) as connection:
        table = connection.execute(
            f"SELECT count(*), md5(string_agg(md5(t::text), '' ORDER BY id)) FROM {bulk.schema}.customers AS t"
        ).fetchone()
    return {
        "table": table,
        "runs": 1 + len(others),
        "state": str(last.state),
        "totals": {name: receipt["counts"].get(name) for name in ("read", "written", "rejected", "skipped")},
        "digests": [receipt["read_digest"], receipt["written_digest"]],
        "batches": receipt["batches"],
        "rejects": [len(rejects), hash_of(rejects)],
        "audit": house.audit_ok(bulk.settings),
        "accounted": house.accounted(bulk.settings, bulk.scenario),
    }


def hash_of(rejects: list[Any]) -> str:
    return hashlib.sha256(json.dumps(rejects).encode()).hexdigest()


def kills(bulk: Bulk, points: int, seed: int, most: int = 3) -> Iterator[dict[str, Any]]:
    """An unbroken run's outcome, then that of each point: killed up to `most` times, at times up to an unbroken one's."""
    chance = random.Random(seed)
    build(bulk)
    reset(bulk)
    _, whole = attempt(bulk, None)
    unbroken = outcome(bulk)
    ((parts, _),) = attempts_in(bulk.log.read_text())
    yield {
        "seconds": whole,
        "outcome": unbroken,
        "read": asdict(Amount.of(parts)),
        "batch": asdict(batch_of(bulk, parts)),
    }
    for point in range(points):
        if point % _EVERY == 0:  # others use the machine, too, now more and now less
            reset(bulk)
            _, whole = attempt(bulk, None)
        reset(bulk)
        killed, took = attempt(bulk, chance.uniform(0, whole))
        attempts, seconds = 1, took
        while killed and not ended(bulk):
            again = chance.uniform(0, whole) if attempts < most and chance.random() < 1 / 4 else None
            killed, took = attempt(bulk, again)
            attempts, seconds = attempts + 1, seconds + took
        yield {
            "seconds": seconds,
            "unbroken": whole,
            "attempts": attempts,
            "again": [asdict(found) for found in read_again(attempts_in(bulk.log.read_text()), parts)],
            "outcome": outcome(bulk),
        }


@contextmanager
def bulk_at(url: str, root: Path, **how: int) -> Iterator[Bulk]:
    """A bulk in a folder and a schema of its own, which is dropped at the end."""
    bulk = Bulk(str(root), url, f"bulk_{os.getpid()}", **how)
    try:
        yield bulk
    finally:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(f"DROP SCHEMA IF EXISTS {bulk.schema} CASCADE")


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("url")
    arguments.add_argument("--rows", type=int, default=1_000_000)
    arguments.add_argument("--points", type=int, default=200)
    arguments.add_argument("--batch", type=int, default=2 * 1024 * 1024)
    arguments.add_argument("--partitions", type=int, default=2)
    arguments.add_argument("--width", type=int, default=0)
    arguments.add_argument("--seed", type=int, default=1)
    arguments.add_argument("--most", type=int, default=3)
    asked = arguments.parse_args()
    how = {"rows": asked.rows, "batch": asked.batch, "partitions": asked.partitions, "width": asked.width}
    with tempfile.TemporaryDirectory() as folder, bulk_at(asked.url, Path(folder), **how) as bulk:
        unbroken, *points = map(tell, kills(bulk, asked.points, asked.seed, asked.most))
    told = tell(summary(unbroken, points))
    sys.exit(bool(told["wrong"]) or told["again"]["bytes"] > told["batch"]["bytes"])


def summary(unbroken: dict[str, Any], points: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """What came of all points. `read` and `longer` are the mean and the most, as parts of an unbroken run's."""
    kills_of = [again for line in points for again in line["again"]]
    read = [1 + sum(again["bytes"] for again in line["again"]) / unbroken["read"]["bytes"] for line in points]
    longer = [line["seconds"] / line["unbroken"] for line in points if line["attempts"] > 1]
    return {
        "points": len(points),
        "killed": sum(line["attempts"] > 1 for line in points),
        "kills": len(kills_of),
        "wrong": sum(line["outcome"] != unbroken["outcome"] for line in points),
        "again": {name: max((again[name] for again in kills_of), default=0) for name in ("parts", "bytes", "rows")},
        "batch": unbroken["batch"],
        "whole": unbroken["read"],
        "read": [mean(read), max(read)],
        "longer": [mean(longer), max(longer)] if longer else [1.0, 1.0],
    }


def tell(found: dict[str, Any]) -> dict[str, Any]:
    """Prints a line of JSON."""
    sys.stdout.write(json.dumps(found) + "\n")
    sys.stdout.flush()
    return found


if __name__ == "__main__":
    if sys.argv[1] == "--child":
        asked = Bulk(**json.loads(sys.argv[2]))
        tell({})
        run(asked)
    else:
        main()
