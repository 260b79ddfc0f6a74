"""Redmine by windows of a calendar: entries of time day by day, issues by the quarter of a day they were changed in."""

from __future__ import annotations

import datetime as dt

from tests.peers.house import Flow, Warehouse, house
from tests.peers.test_redmine import AUTH

HOURS = (
    "to: day, from: day, type: date",
    "to: id, from: id, type: integer",
    "to: hours, from: hours, type: 'decimal(8,2)'",
    "to: spent, from: spent_on, type: date",
)
CHANGES = ("to: since, from: since, type: timestamp", "to: id, from: id, type: integer")


def days_ago(days):
    """A day in UTC, which is the zone of the windows, in ISO 8601."""
    return (dt.datetime.now(dt.UTC).date() - dt.timedelta(days=days)).isoformat()


def made(root, redmine, warehouse, since, *flows):
    """A house that reads Redmine by windows from a day on."""
    config, secrets = {"url": redmine.url, "since": since}, {"REDMINE_KEY": redmine.key}
    return house(root, "redmine", config, *flows, auth=AUTH, secrets=secrets, quick=True, warehouse=warehouse)


def listed(redmine, *, before=""):
    """What Redmine itself lists of entries: their day, id and hours; all, or those of days before one."""
    found = redmine.all("/time_entries.json", "time_entries")
    return sorted((e["spent_on"], e["id"], e["hours"]) for e in found if not before or e["spent_on"] < before)


def read(house):
    """The same as the table has it; the day of each row is the one that it was read for."""
    found = house.rows("SELECT day, id, hours, spent FROM hours")
    assert all(str(day) == str(spent) for day, _, _, spent in found)
    return sorted((str(day), number, float(hours)) for day, number, hours, _ in found)


def test_entries_are_read_day_by_day_and_late_ones_by_looking_back(tmp_path, redmine, warehouse):
    """
    Days from the first to yesterday, one of three pages and some empty: the table is what Redmine lists, without
    tomorrow's. Entries that are written down, changed or moved late come while their day is looked back to; what is
    older comes by a full refresh, and nothing is there twice.
    """
    for days, hours in ((9, 1), (8, 2.25), (6, 8), (3, 1.5), (2, 3), (1, 0.75), (-1, 6)):
        redmine.worked(days_ago(days), hours)
    for part in range(4):
        redmine.worked(days_ago(6), part + 1)
    house = made(tmp_path, redmine, warehouse, days_ago(9), Flow("hours", HOURS, key="day, id", read="incremental"))

    first = house.run("hours")
    assert read(house) == listed(redmine, before=days_ago(0))
    assert first["read"] == first["inserted"] == len(read(house))

    late, older = redmine.worked(days_ago(2), 4), redmine.worked(days_ago(8), 5)
    corrected = max(number for day, number, _ in listed(redmine) if day == days_ago(3))
    looked_back_to = sum(day >= days_ago(3) for day, _, _ in read(house))
    redmine.ask("PUT", f"/time_entries/{corrected}.json", {"time_entry": {"hours": 7}}).ok()
    second = house.run("hours")

    assert (second["inserted"], second["updated"], second["unchanged"]) == (1, 1, looked_back_to - 1)
    assert {number for _, number, _ in read(house)} >= {late, corrected}
    assert read(house) == [row for row in listed(redmine, before=days_ago(0)) if row[1] != older]
    third = house.run("hours", "--full-refresh")
    assert (third["inserted"], third["updated"]) == (1, 0)
    assert read(house) == listed(redmine, before=days_ago(0))
    house.proved()


def test_changes_at_the_border_of_windows_are_read_once(tmp_path, redmine):
    """
    Redmine includes both bounds. Issues changed in the last second of a window, in the first one of the next, between
    the two and seven in one window are appended once each; nothing of the same windows is left to a second run.
    """
    day = days_ago(2)
    borders = ("00:00:00", "05:59:59", "05:59:59.750000", "06:00:00", "06:00:00.250000", "23:59:59", "23:59:59.999999")
    times = [f"{day} {time}" for time in (*borders, *(f"13:00:0{n}" for n in range(7)))]
    issues = [redmine.issue(f"Changed at {time}") for time in times]
    for issue, time in zip(issues, times, strict=True):
        redmine.changed_at(issue, time)
    house = made(tmp_path, redmine, Warehouse(), day, Flow("changes", CHANGES, read="incremental", write="append"))

    house.run("changes")
    second = house.run("changes")

    of_day = redmine.all(f"/issues.json?status_id=*&updated_on=%3E%3C{day}T00:00:00Z%7C{day}T23:59:59Z", "issues")
    read = sorted(number for (number,) in house.rows("SELECT id FROM changes"))
    assert read == sorted(issues)
    # The very last one is none of that day's to Redmine: it comes with the next window.
    assert sorted(issue["id"] for issue in of_day) == sorted(
        {*issues} - {issues[times.index(f"{day} 23:59:59.999999")]}
    )
    assert second["read"] == 0
    house.proved()
