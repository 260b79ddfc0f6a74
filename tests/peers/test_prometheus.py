"""Prometheus: a range of too many points is refused, and halved until each part is answered; its answers come in gzip."""

from __future__ import annotations

from tests.peers.house import Flow, house
from tests.peers.web import ask

FIELDS = ("to: time, from: time, type: integer, required: true", "to: load, from: load")


def test_a_range_of_too_many_points_is_split(tmp_path, prometheus):
    """Half a day in seconds is more than Prometheus answers at once: each second comes, and none is lost where it is split."""
    asked = f"{prometheus.url}/query_range?query=load&step=1&start={prometheus.begin}"
    assert "maximum resolution" in ask("GET", f"{asked}&end={prometheus.begin + 12 * 3600}").json["error"]
    flow = Flow("load", FIELDS, key="time", read="incremental")
    made = house(tmp_path, "prometheus", {"url": prometheus.url, "since": prometheus.begin}, flow, quick=True)

    made.run("load")

    count, first, last = made.rows("SELECT count(*), min(time), max(time) FROM load")[0]
    assert first == prometheus.begin
    assert count == last - first + 1 > 11_000
    seconds = made.rows("SELECT time, load FROM load ORDER BY time")
    assert all(load == f"{(second - first) // 60}.5" for second, load in seconds)
    made.proved()


def test_answers_in_gzip(prometheus):
    """What the test above reads comes compressed to who takes it."""
    asked = f"{prometheus.url}/query_range?query=load&step=1&start={prometheus.begin}&end={prometheus.begin + 6000}"
    answer = ask("GET", asked, headers={"Accept-Encoding": "gzip"})
    assert (answer.headers["content-encoding"], answer.body[:2]) == ("gzip", b"\x1f\x8b")
