"""The shipped checks of partitioned sources, run over the `rest` runtime; and that they find sources that break one."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import polars as pl
import pytest

from syncline.model.schema import STRING, DataType, Field, Schema
from syncline.sdk import conformance
from syncline.sdk.batch import Batch, Span
from syncline.sdk.conformance import Broken
from syncline.sdk.conformance_partitions import (
    PARTITION_CHECKS,
    PartitionedCase,
    each_partition_resumes_from_its_own_cursor,
    killed_anywhere_each_record_arrives,
    order_of_partitions_is_of_no_matter,
    width_is_of_no_matter,
)
from syncline.sdk.source import Source
from tests.api_server import Asked, Reply, api_server
from tests.rest_streams import FakeClock, instance, source

STREAMS = """
streams:
  orgs:
    get: /orgs
    records: data[]
    key: [id]
    page: {cursor: next, into: query.cursor}
    schema: {properties: {id: {type: integer}}}
  repos:
    for: {each: orgs, as: org}
    get: /orgs/{{ org.id }}/repos
    records: data[]
    key: [org.id, id]
    page: {cursor: next, into: query.cursor}
    schema: {properties: {id: {type: integer}}}
  items:
    for: FOR
    get: PATH
    records: data[]
    key: [id]
    page: {cursor: next, into: query.cursor}
    cursor: {field: at, into: {query.since: start}}
    schema: {properties: {id: {type: integer}, at: {type: string}}}
"""
WAYS = {
    "parents": ("{each: orgs, as: org}", "/orgs/{{ org.id }}/items"),
    "combinations": (
        "{each: orgs, as: org, times: [{in: [a, b], as: kind}, {in: [c], as: more}]}",
        "/orgs/{{ org.id }}/{{ kind }}/{{ more }}/items",
    ),
    "grandparents": ("{each: repos, as: repo}", "/orgs/{{ org.id }}/repos/{{ repo.id }}/items"),
    "a list and parents": (
        '[{in: ["2"], as: place}, {each: orgs, as: org, only: "id != `2`"}]',
        "/orgs/{{ place if place is defined else org.id }}/items",
    ),
    "two parents, some the same": (
        '[{each: orgs, as: org, only: "id > `1`"}, {each: orgs, as: org}]',
        "/orgs/{{ org.id }}/items",
    ),
}
#: A time after that of all records: what came in the last five minutes, a group reads again.
LATER = 1_800_000_000.0
#: How many parents a request is for.
GROUP = ("{each: orgs, as: org, group: 2}", "/items?of={{ org.id | join(',') }}")


class Forge:
    """An API of records below parents, in pages of two, that starts where it is asked to."""

    def __init__(self, way: str) -> None:
        self.way = way
        self.folders: dict[str, list[dict[str, Any]]] = {"/orgs": []}
        for org in (1, 2, 3):
            for number in range(5):
                self.add(org, {"id": 100 * org + number, "at": f"2024-0{org}-0{number + 1}T00:00:00Z"})
                if way == "combinations":
                    self.add(org, {"id": 1000 * org + number, "at": f"2024-0{org}-1{number}T00:00:00Z"}, "b")

    def add(self, org: int, item: dict[str, Any], kind: str = "a") -> None:
        """A record of an org; deeper ways keep it under the org's only repo, combined ones under a kind."""
        below = {"grandparents": f"/repos/{org}", "combinations": f"/{kind}/c"}.get(self.way, "")
        folder = f"/orgs/{org}{below}"
        if {"id": org} not in self.folders["/orgs"]:
            self.folders["/orgs"].append({"id": org})
            self.folders[f"/orgs/{org}/repos"] = [{"id": org}]
        self.folders.setdefault(f"{folder}/items", []).append(item)

    def turn(self) -> None:
        self.folders["/orgs"].reverse()

    def grow(self) -> None:
        """A record of the first org that is older than all of the third, and a new org of one that is older than all."""
        number = len(self.folders["/orgs"])
        self.add(1, {"id": 100 + number * 10, "at": f"2024-01-2{number}T00:00:00Z"})
        self.add(number + 1, {"id": 100 * (number + 1), "at": "2020-01-01T00:00:00Z"})

    def __call__(self, asked: Asked) -> Reply:
        of = asked.query.get("of", "")
        folders = [f"/orgs/{org}/items" for org in of.split(",")] if of else [asked.path]
        there = [record for folder in folders for record in self.folders.get(folder, [])]
        found = [record for record in there if record.get("at", "") >= asked.query.get("since", "")]
        start = int(asked.query.get("cursor", 0))
        following = str(start + 2) if start + 2 < len(found) else None
        return Reply({"data": found[start : start + 2], "next": following})


def cased(way: str, url: str, forge: Forge) -> PartitionedCase:
    """A stream that is read in one of the ways, over a server."""
    each, path = GROUP if way == "group" else WAYS[way]
    path, _, of = path.partition("?of=")
    text = STREAMS.replace("FOR", each).replace("PATH", path + (f'\n    query: {{of: "{of}"}}' if of else ""))

    def opened(width: int) -> Source:
        made = instance(text, url=url, integration={"limits": {"concurrency": width}})
        return source(made, incremental=True, batch_rows=2, clock=FakeClock(LATER))

    def of_record(record: dict[str, Any]) -> Any:
        return (record.get("org") or {}).get("id", record.get("place")), record.get("kind")

    return PartitionedCase(opened, of_record, forge.turn, forge.grow)


@pytest.fixture(params=WAYS)
def case(request: pytest.FixtureRequest):
    """A stream for each of an API's records, over a real server."""
    forge = Forge(request.param)
    with api_server(forge) as api:
        yield cased(request.param, api.url, forge)


@pytest.mark.parametrize(
    "check", [killed_anywhere_each_record_arrives, width_is_of_no_matter], ids=lambda c: c.__name__
)
def test_groups_of_parents_keep_the_promises_that_they_can(check):
    """Read for two parents at once, a read that is killed goes on exactly, however many requests are under way."""
    forge = Forge("group")
    with api_server(forge) as api:
        check(cased("group", api.url, forge))


@pytest.mark.parametrize("check", PARTITION_CHECKS, ids=lambda check: check.__name__)
def test_rest_sources_keep_the_promises_of_partitions(case: PartitionedCase, check):
    """A REST source that is read for its parents passes every check of the shipped suite, at any depth."""
    check(case)


@pytest.mark.parametrize("check", conformance.SOURCE_CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("width", [1, 3])
def test_they_keep_the_promises_of_sources(case: PartitionedCase, width, check):
    """The checks of all sources hold for partitions as well, one at a time and several."""
    check(lambda: case.open(width))


WINDOWS = """
streams:
  orgs: {get: /orgs, records: "data[]", key: [id], schema: {properties: {id: {type: integer}}}}
  items:
    for: {each: orgs, as: org}
    get: /orgs/{{ org.id }}/report
    records: data[]
    key: [org.id, day, id]
    page: {cursor: next, into: query.cursor}
    cursor: {type: date, start: "2026-01-01", into: {query.day: start}, windows: {every: 1d, columns: {day: start}}}
    schema: {properties: {id: {type: integer}}}
"""


class Reports:
    """An API of reports by day, below orgs, whose rows carry no date: three a day, in pages of two."""

    def __init__(self) -> None:
        self.orgs = [1, 2, 3]
        self.clock = dt.datetime(2026, 1, 4, tzinfo=dt.UTC).timestamp()

    def __call__(self, asked: Asked) -> Reply:
        if asked.path == "/orgs":
            return Reply({"data": [{"id": org} for org in self.orgs]})
        start = int(asked.query.get("cursor", 0))
        return Reply({"data": [{"id": n} for n in range(3)][start : start + 2], "next": None if start else "2"})

    def grow(self) -> None:
        """A day is over, and there is an org whose days nobody has read."""
        self.clock += 86_400
        self.orgs.append(len(self.orgs) + 1)

    def case(self, url: str) -> PartitionedCase:
        def opened(width: int) -> Source:
            made = instance(WINDOWS, url=url, integration={"limits": {"concurrency": width}})
            return source(made, incremental=True, batch_rows=2, clock=FakeClock(self.clock))

        return PartitionedCase(opened, lambda record: record["org"]["id"], self.orgs.reverse, self.grow)


@pytest.mark.parametrize("check", PARTITION_CHECKS, ids=lambda check: check.__name__)
def test_windows_keep_the_promises_of_partitions(check):
    """Windows below a parent: killed anywhere each record arrives, and each partition goes on with its own window."""
    reports = Reports()
    with api_server(reports) as api:
        check(reports.case(api.url))


@pytest.mark.parametrize("check", conformance.SOURCE_CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("width", [1, 3])
def test_windows_keep_the_promises_of_sources(width, check):
    """The checks of all sources hold for windows as well."""
    reports = Reports()
    with api_server(reports) as api:
        case = reports.case(api.url)
        check(lambda: case.open(width))


@dataclass
class Shelf:
    """Partitions of numbered records in memory, read by a source that keeps all promises or breaks one."""

    fault: str = "none"
    partitions: list[tuple[str, list[int]]] = field(
        default_factory=lambda: [("a", [1, 2, 3]), ("b", [11, 12, 13]), ("c", [21, 22, 23])]
    )

    def turn(self) -> None:
        self.partitions.reverse()

    def grow(self) -> None:
        self.partitions[0][1].append(self.partitions[0][1][-1] + 1)
        self.partitions.append((f"new {len(self.partitions)}", [0]))

    def case(self) -> PartitionedCase:
        return PartitionedCase(partial(_Reader, self), lambda record: record["of"], self.turn, self.grow)


class _Reader:
    """Reads a shelf, a record a batch; its position is a cursor of each partition."""

    schema = Schema((Field("of", STRING), Field("n", DataType("integer"))))

    def __init__(self, shelf: Shelf, width: int) -> None:
        self.shelf, self.width = shelf, width

    def read(self, position):
        fault, cursors = self.shelf.fault, dict(position or {})
        partitions = list(enumerate(self.shelf.partitions))
        if fault == "races" and self.width > 1:
            partitions.reverse()
        for index, (name, numbers) in partitions:
            key = {"indexed": str(index), "shared": "all"}.get(fault, name)
            if (
                fault == "skips"
                and position
                and key in cursors
                and cursors[key] < max(numbers)
                and not self._whole(cursors)
            ):
                continue  # a partition that was begun counts as done
            for number in [n for n in numbers if n > cursors.get(key, -1)]:
                cursors = {**cursors, key: number}
                frame = pl.DataFrame({"of": [name], "n": [number]}, schema={"of": pl.String, "n": pl.Int64})
                yield Batch(frame, (Span(name, "row", number + 1, 1),), dict(cursors))

    def _whole(self, cursors: dict[str, int]) -> bool:
        return all(name in cursors for name, _ in self.shelf.partitions)

    def close(self) -> None:
        pass


@pytest.mark.parametrize("check", PARTITION_CHECKS, ids=lambda check: check.__name__)
def test_a_source_that_keeps_them_passes(check):
    """A source with a cursor for each partition passes every check."""
    check(Shelf().case())


@pytest.mark.parametrize(
    ("fault", "check"),
    [
        ("skips", killed_anywhere_each_record_arrives),
        ("races", width_is_of_no_matter),
        ("indexed", order_of_partitions_is_of_no_matter),
        ("shared", each_partition_resumes_from_its_own_cursor),
    ],
)
def test_checks_find_broken_promises(fault, check):
    """A source that loses the rest of a partition, races, or keeps cursors by place or for all, fails the check of it."""
    with pytest.raises(Broken):
        check(Shelf(fault).case())
