"""Tests of schedules: the starts that cron, intervals, windows, jitter and missed times lead to."""

from __future__ import annotations

import datetime as dt
import time
from itertools import islice, pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from syncline.kinds.schedule import ScheduleSpec
from syncline.manifests.timetable import MAX_MISSED, Timetable, next_starts
from tests.examples import examples

NOW = dt.datetime(2026, 11, 26, 7, 10, tzinfo=dt.UTC)  # a Thursday
ZONES = (
    "UTC", "Europe/Berlin", "America/New_York", "America/St_Johns", "Australia/Lord_Howe", "Africa/Casablanca",
    "Asia/Kathmandu", "Pacific/Apia", "America/Sao_Paulo", "Asia/Tehran",
)  # fmt: skip


def spec(**fields):
    return ScheduleSpec.model_validate({"run": ("Sync/tickets",), **fields})


def starts(count, after=NOW, name="acme/Schedule/s", **fields):
    """The next starts in the schedule's own time zone."""
    made = spec(**fields)
    zone = ZoneInfo(made.time_zone)
    return [f"{fire.starts.astimezone(zone):%m-%d %H:%M}" for fire in next_starts(name, made, after, count)]


def berlin(month, day, hour=0, minute=0):
    return dt.datetime(2026, month, day, hour, minute, tzinfo=ZoneInfo("Europe/Berlin")).astimezone(dt.UTC)


@pytest.mark.parametrize(
    ("cron", "expected"),
    [
        ("*/15 * * * *", ["11-26 08:15", "11-26 08:30", "11-26 08:45"]),
        ("0 9 * * mon-fri", ["11-26 09:00", "11-27 09:00", "11-30 09:00"]),
        ("30 6 1,15 * *", ["12-01 06:30", "12-15 06:30", "01-01 06:30"]),
        ("0 0 * * 7", ["11-29 00:00", "12-06 00:00", "12-13 00:00"]),
        ("5 8 26 nov,dec *", ["12-26 08:05", "11-26 08:05", "12-26 08:05"]),
    ],
)
def test_cron_in_a_time_zone(cron, expected):
    """Cron is read in the schedule's time zone, with names, lists, steps and both numbers of Sunday."""
    assert starts(3, cron=cron, timeZone="Europe/Berlin") == expected


def test_a_time_that_is_skipped_starts_right_after():
    """At 2:30 on the day clocks go from 2:00 to 3:00, what is set for 2:30 starts at 3:00, once."""
    assert starts(2, after=berlin(3, 28, 12), cron="30 2 * * *", timeZone="Europe/Berlin") == [
        "03-29 03:00",
        "03-30 02:30",
    ]


def test_a_time_that_comes_twice_starts_once():
    """On the day clocks go back from 3:00 to 2:00, what is set for 2:30 starts at one of the two only."""
    found = next_starts("", spec(cron="30 2 * * *", timeZone="Europe/Berlin"), berlin(10, 24, 12), 2)

    assert [f"{fire.at:%d %H:%M}" for fire in found] == ["25 00:30", "26 01:30"]


def test_what_runs_often_goes_on_by_elapsed_time():
    """Every half hour stays every half hour over both changes of the clocks."""
    made = spec(cron="*/30 * * * *", timeZone="Europe/Berlin")
    for after in (berlin(3, 29), berlin(10, 25)):
        found = [fire.at for fire in next_starts("", made, after, 12)]
        assert {later - sooner for sooner, later in pairwise(found)} == {dt.timedelta(minutes=30)}


def test_intervals_count_from_the_epoch():
    """Two that look at different moments find the same starts, and a restart shifts none."""
    made = spec(every="25m")
    sooner = [fire.at for fire in next_starts("", made, NOW, 10)]
    later = [fire.at for fire in next_starts("", made, NOW + dt.timedelta(minutes=60), 8)]

    assert later == sooner[2:]
    assert {at.timestamp() % 1500 for at in sooner} == {0}


def test_windows():
    """Starts lie in an allowed window and in no denied one; one over midnight belongs to the day it begins on."""
    windows = {
        "allow": ({"days": ("thu", "fri"), "start": "22:00", "end": "02:00"},),
        "deny": ({"start": "23:00", "end": "23:30"},),
    }

    assert starts(9, cron="*/30 * * * *", windows=windows) == [
        "11-26 22:00", "11-26 22:30", "11-26 23:30", "11-27 00:00", "11-27 00:30", "11-27 01:00", "11-27 01:30",
        "11-27 22:00", "11-27 22:30",
    ]  # fmt: skip


def test_a_window_of_whole_days():
    """From 00:00 to 24:00 is all of a day, its last minute as well, and nothing of the next."""
    weekend = {"deny": ({"days": ("sat", "sun"), "start": "00:00", "end": "24:00"},)}
    found = next_starts("", spec(cron="59 23 * * *", windows=weekend), NOW, 14)
    assert {f"{fire.at:%a}" for fire in found} == {"Mon", "Tue", "Wed", "Thu", "Fri"}
    nightly = next_starts("", spec(cron="0 0 * * *", windows=weekend), NOW, 14)
    assert {f"{fire.at:%a}" for fire in nightly} == {"Mon", "Tue", "Wed", "Thu", "Fri"}


def test_a_second_outside_of_windows_is_not_counted_one_by_one():
    """A schedule of seconds that may start on Sundays only finds its next start at the window's beginning."""
    windows = {"allow": ({"days": ("sun",), "start": "10:00", "end": "10:01"},)}

    assert starts(1, every="1s", windows=windows) == ["11-29 10:00"]
    assert len(next_starts("", spec(every="7s", windows=windows), NOW, 9)) == 9


@pytest.mark.parametrize(
    "fields",
    [
        {"on": {"event": "run.finish"}},
        {"cron": "0 12 * * *", "windows": {"deny": ({"start": "11:00", "end": "13:00"},)}},
        {"cron": "* * * * *", "windows": {"deny": ({"start": "00:00", "end": "24:00"},)}},
        {"cron": "0 9 29 2 *", "windows": {"deny": ({"start": "00:00", "end": "24:00"},)}},
        {"cron": "0 9 * * sat", "windows": {"allow": ({"days": ("mon",), "start": "01:00", "end": "02:00"},)}},
        {"every": "1s", "windows": {"deny": ({"start": "00:00", "end": "12:00"}, {"start": "12:00", "end": "24:00"})}},
        {"cron": "0 0 31 2 *"},
        {"every": "1h", "suspend": {"reason": "moving"}},
    ],
    ids=[
        "by an event",
        "never in its windows",
        "windows that are never open",
        "never in 8,000 years",
        "other days",
        "closed by seconds",
        "no such day",
        "suspended without an end",
    ],
)
def test_no_start(fields):
    """Where there never is a start, there is none, and finding that out takes a moment."""
    begun = time.process_time()
    assert next_starts("", spec(**fields), NOW, 5) == []
    assert time.process_time() - begun < 2.0


def test_a_day_that_seldom_lies_in_its_window():
    """The 29th of February is a Monday once in 28 years, and in the forty around 2100, where there is none."""
    windows = {"allow": ({"days": ("mon",), "start": "09:00", "end": "10:00"},)}
    found = next_starts("", spec(cron="0 9 29 2 *", windows=windows), NOW, 4)

    assert [fire.at.year for fire in found] == [2044, 2072, 2112, 2140]


def test_what_is_due_looks_no_further_than_now():
    """A tick of the daemon costs next to nothing for a schedule of minutes whose windows were closed for years."""
    table = Timetable("s", spec(cron="* * * * *", windows={"allow": ({"start": "03:00", "end": "03:01"},)}))
    since = NOW.replace(hour=3, minute=0)
    begun = time.process_time()
    for minute in range(60):
        assert table.due(since, NOW, NOW + dt.timedelta(minutes=minute)) == []

    assert time.process_time() - begun < 0.5
    shut = Timetable("s", spec(cron="* * * * *", windows={"deny": ({"start": "00:00", "end": "24:00"},)}))
    assert shut.due(NOW - dt.timedelta(days=4000), NOW, NOW) == []


@settings(max_examples=examples(60), deadline=None)
@given(
    zone=st.sampled_from(ZONES),
    cron=st.sampled_from(("*/20 * * * *", "30 2 * * *", "10 1-4 * * *", "0 */5 * * *")),
    day=st.integers(0, 364),
    allow=st.lists(
        st.tuples(st.integers(0, 47), st.integers(0, 47)).filter(lambda pair: pair[0] != pair[1]), max_size=2
    ),
    deny=st.lists(
        st.tuples(st.integers(0, 47), st.integers(0, 47)).filter(lambda pair: pair[0] != pair[1]), max_size=2
    ),
)
def test_leaping_over_closed_windows_finds_all_starts(zone, cron, day, allow, deny):
    """In any zone on any day, the starts within windows are those that are found by looking at each instant."""

    def window(pair):
        start, end = (f"{half // 2:02}:{half % 2 * 30:02}" for half in pair)
        return {"start": start, "end": end}

    windows = {"allow": tuple(map(window, allow)), "deny": tuple(map(window, deny))}
    after = dt.datetime(2026, 1, 1, tzinfo=dt.UTC) + dt.timedelta(days=day)
    until = after + dt.timedelta(days=3)
    each = Timetable("s", spec(cron=cron, timeZone=zone)).after(after, until)
    table = Timetable("s", spec(cron=cron, timeZone=zone, windows=windows))

    assert [f.at for f in table.after(after, until)] == [f.at for f in each if table._open(f.at)]


def test_a_window_in_the_hour_that_is_skipped_is_open_right_after_it():
    """What is set for 2:30 and may start from 2 to 3 starts at 3:00 on the day that has no such hour, unless denied."""
    window = {"start": "02:00", "end": "03:00"}
    made = {"cron": "30 2 * * *", "timeZone": "Europe/Berlin", "after": berlin(3, 28, 12)}

    assert starts(2, **made, windows={"allow": (window,)}) == ["03-29 03:00", "03-30 02:30"]
    denied = {"allow": (window,), "deny": ({"start": "03:00", "end": "04:00"},)}
    assert starts(1, **made, windows=denied) == ["03-30 02:30"]


def test_a_suspension_ends():
    """The day after the last day of a suspension (UTC), starts go on."""
    made = spec(every="6h", suspend={"reason": "moving", "until": "2026-11-30"})

    assert [f"{fire.at:%m-%d %H}" for fire in next_starts("", made, NOW, 2)] == ["12-01 00", "12-01 06"]


def test_jitter_is_the_same_everywhere_and_differs_between_schedules():
    """A start is put off by less than the jitter, by the same time in every process, and others by other times."""
    made = spec(cron="0 * * * *", jitter="10m")
    found = [next_starts(f"acme/Schedule/{n}", made, NOW, 1)[0] for n in range(200)]
    put_off = [(fire.starts - fire.at).total_seconds() for fire in found]

    assert found == [next_starts(f"acme/Schedule/{n}", made, NOW, 1)[0] for n in range(200)]
    assert all(0 <= seconds < 600 for seconds in put_off)
    assert len(set(put_off)) > 190
    assert min(put_off) < 60
    assert max(put_off) > 540


def test_jitter_stays_in_the_windows():
    """A start that its jitter would put out of the window begins without it."""
    windows = {"allow": ({"start": "08:00", "end": "08:01"},)}
    found = next_starts("acme/Schedule/s", spec(cron="0 8 * * *", jitter="6h", windows=windows), NOW, 20)

    assert {f"{fire.starts:%H:%M}" for fire in found} == {"08:00"}


def test_due():
    """What is due now is what came since the last start that was dealt with; nothing comes twice."""
    table = Timetable("s", spec(every="10m"))
    watched = NOW - dt.timedelta(hours=1)
    first = table.due(NOW - dt.timedelta(minutes=25), watched, NOW)

    assert [f"{fire.at:%H:%M}" for fire in first] == ["06:50", "07:00", "07:10"]
    assert table.due(first[-1].at, watched, NOW) == []
    assert [f"{f.at:%H:%M}" for f in table.due(first[-1].at, watched, NOW + dt.timedelta(minutes=10))] == ["07:20"]


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("none", ["07:00", "07:10"]),
        ("last", ["06:50", "07:00", "07:10"]),
        ("all", ["06:20", "06:30", "06:40", "06:50", "07:00", "07:10"]),
    ],
)
def test_missed_starts_are_made_up_for_as_declared(rule, expected):
    """Of the starts before watching began, none, only the last or all are made up for."""
    table = Timetable("s", spec(every="10m", catchUp=rule))
    found = table.due(NOW - dt.timedelta(hours=1), NOW - dt.timedelta(minutes=15), NOW)

    assert [f"{fire.at:%H:%M}" for fire in found] == expected


def test_what_is_made_up_for_is_bounded():
    """After a year without a daemon, a schedule of minutes doesn't start half a million runs."""
    table = Timetable("s", spec(every="1m", catchUp="all"))

    assert len(table.due(NOW - dt.timedelta(days=5), NOW, NOW)) == MAX_MISSED + 1  # and the one that is due now


def test_a_start_that_waits_for_its_jitter_is_not_passed_over():
    """While a start waits, those after it wait too, so that dealing with them can't lose it."""
    table = Timetable("acme/Schedule/s", spec(every="1m", jitter="30m"))
    dealt, seen, now = NOW, [], NOW
    for _ in range(200):
        now += dt.timedelta(minutes=1)
        for fire in table.due(dealt, NOW, now):
            assert fire.starts <= now
            seen.append(fire.at)
            dealt = fire.at

    assert seen == [fire.at for fire in islice(table.after(NOW), len(seen))]
    assert len(seen) > 150


@settings(max_examples=examples(150), deadline=None)
@given(
    zone=st.sampled_from(ZONES),
    cron=st.sampled_from(("0 * * * *", "*/7 * * * *", "30 2 * * *", "0 0 * * *", "15 1-3 * * *", "59 23 * * sun")),
    day=st.integers(0, 364),
    minutes=st.integers(0, 1439),
)
def test_starts_only_go_forward_and_do_not_depend_on_when_one_looks(zone, cron, day, minutes):
    """In any zone on any day: starts rise strictly, and looking again from one of them gives those after it."""
    after = dt.datetime(2026, 1, 1, tzinfo=dt.UTC) + dt.timedelta(days=day, minutes=minutes)
    table = Timetable("s", spec(cron=cron, timeZone=zone))
    found = list(islice(table.after(after), 12))

    assert all(sooner.at < later.at for sooner, later in pairwise(found))
    assert all(fire.at > after for fire in found)
    assert list(islice(table.after(found[4].at), 7)) == found[5:]
