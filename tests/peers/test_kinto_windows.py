"""Kinto by windows of a calendar: readings by the local day that they were taken on, which their records don't say."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

import pytest

from tests.peers.house import Flow, house
from tests.peers.test_kinto import AUTH

#: Where days begin at 03:00 UTC.
ZONE = ZoneInfo("America/Sao_Paulo")
FIELDS = ("to: day, from: day, type: timestamp", "to: id, from: id", "to: value, from: value, type: integer")


def midnight(days):
    """The instant at which a day began, so many days ago."""
    return dt.datetime.combine(dt.datetime.now(ZONE).date() - dt.timedelta(days=days), dt.time(), ZONE)


def text(instant):
    """An instant as records and requests have it."""
    return f"{instant.astimezone(dt.UTC):%Y-%m-%dT%H:%M:%SZ}"


class Readings:
    """A collection of readings, and a house that reads it from five days ago on."""

    def __init__(self, root, kinto, warehouse, write):
        self.kinto, bucket = kinto, root.name.replace("_", "-")[-30:]
        config = {"url": kinto.url, "bucket": bucket, "since": f"{midnight(5):%Y-%m-%d}"}
        self.records = kinto.collection(bucket, "readings")
        flow = Flow("readings", FIELDS, key="day, id", read="incremental", write=write)
        secrets = {"KINTO_PASSWORD": kinto.password}
        self.house = house(root, "kinto", config, flow, auth=AUTH, secrets=secrets, quick=True, warehouse=warehouse)

    def taken(self, name, instant, value=1):
        """Writes one reading, whenever it was taken."""
        self.kinto.put(self.records, name, taken=text(instant), value=value)

    def listed(self):
        """What Kinto has of the days that are over: the day, the id and the value of each."""
        span = f"min_taken={text(midnight(5))}&lt_taken={text(midnight(0))}&_limit=3"
        answer, found = self.kinto.ask("GET", f"{self.records}?{span}"), []
        while True:
            found += answer.ok()["data"]
            if "next-page" not in answer.headers:
                break
            answer = self.kinto.ask("GET", answer.headers["next-page"].removeprefix(self.kinto.url))
        days = [(dt.datetime.fromisoformat(r["taken"]).astimezone(ZONE).date(), r["id"], r["value"]) for r in found]
        return sorted((str(day), name, value) for day, name, value in days)

    def rows(self):
        """The same of the table."""
        found = self.house.rows("SELECT day, id, value FROM readings")
        starts = [(dt.datetime.fromisoformat(str(day)), name, value) for day, name, value in found]
        utc = [(day if day.tzinfo else day.replace(tzinfo=dt.UTC), name, value) for day, name, value in starts]
        assert all(day.astimezone(ZONE).time() == dt.time() for day, _, _ in utc)
        return sorted((str(day.astimezone(ZONE).date()), name, value) for day, name, value in utc)


@pytest.mark.parametrize("write", ["upsert", "append"])
def test_each_local_day_has_what_kinto_lists_of_it(tmp_path, kinto, warehouse, write):
    """
    Readings at the first and last second of days of a zone, five in one day over two pages, and today's: the table is
    what Kinto lists of the days that are over, each once and with its own day, and a second run changes nothing.
    """
    made = Readings(tmp_path, kinto, warehouse, write)
    second = dt.timedelta(seconds=1)
    for days in (5, 3, 2, 1, 0):
        made.taken(f"first-{days}", midnight(days))
        made.taken(f"before-{days}", midnight(days) - second)
    for number in range(5):
        made.taken(f"noon-{number}", midnight(3) + dt.timedelta(hours=12))

    first = made.house.run("readings")

    assert made.rows() == made.listed()
    assert first["read"] == first["inserted"] == len(made.listed()) > 10
    if write == "upsert":  # an append would have again what is looked back to
        again = made.house.run("readings")
        assert (again["inserted"], again["updated"], again["unchanged"]) == (0, 0, again["read"])
        assert made.rows() == made.listed()
    made.house.proved()


def test_readings_that_come_late_are_read_while_their_day_is_looked_back_to(tmp_path, kinto, warehouse):
    """Of readings that are written later, those of the last two days come, one at their first second, too; older ones don't."""
    made = Readings(tmp_path, kinto, warehouse, "upsert")
    made.taken("early", midnight(2) + dt.timedelta(hours=1))
    made.house.run("readings")
    made.taken("early", midnight(2) + dt.timedelta(hours=1), value=7)
    for number in range(4):
        made.taken(f"late-{number}", midnight(2) + dt.timedelta(minutes=number))
    made.taken("too-late", midnight(2) - dt.timedelta(seconds=1))

    second = made.house.run("readings")

    assert (second["inserted"], second["updated"]) == (4, 1)
    assert made.rows() == [row for row in made.listed() if row[1] != "too-late"]
    made.house.run("readings", "--full-refresh")
    assert made.rows() == made.listed()
    made.house.proved()
