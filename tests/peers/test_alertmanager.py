"""Alertmanager: a list without pages, whose records are the body itself."""

from __future__ import annotations

from tests.peers.house import Flow, house
from tests.peers.web import ask

FIELDS = (
    "to: fingerprint, from: fingerprint, required: true",
    "to: name, from: labels.alertname",
    "to: host, from: labels.host",
    "to: state, from: status.state",
    "to: since, from: startsAt, type: timestamp",
)


def test_alerts_without_labels_are_refused(alertmanager):
    """An alert without labels gets a 400; one with labels has a fingerprint."""
    assert ask("POST", f"{alertmanager.url}/alerts", [{"labels": {}}]).status == 400
    ask("POST", f"{alertmanager.url}/alerts", [{"labels": {"alertname": "Known"}}]).ok()

    known = [a for a in ask("GET", f"{alertmanager.url}/alerts").ok() if a["labels"]["alertname"] == "Known"]

    assert known[0]["fingerprint"]


def test_alerts_replace_the_table(tmp_path, alertmanager, warehouse):
    """All active alerts are in the table after each run, with their labels as columns."""
    flow = Flow("alerts", FIELDS, key="fingerprint", write="replace")
    made = house(tmp_path, "alertmanager", {"url": alertmanager.url}, flow, warehouse=warehouse)
    for host in ("a", "b", "c"):
        ask("POST", f"{alertmanager.url}/alerts", [{"labels": {"alertname": "Read", "host": host}}]).ok()

    made.run("alerts")

    found = made.rows("SELECT name, host, state FROM alerts WHERE name = 'Read' ORDER BY host")
    assert [(name, host) for name, host, _ in found] == [("Read", "a"), ("Read", "b"), ("Read", "c")]
    made.proved()


def test_rows_become_alerts(tmp_path, alertmanager):
    """Rows go out in one request; sent again with another text, they are the same alerts and no more."""
    columns = ("alertname", "host", "summary")
    flow = Flow("alerts", [f"to: {name}, from: {name}" for name in columns], key="alertname, host", to_api=True)
    made = house(tmp_path, "alertmanager", {"url": alertmanager.url}, flow)

    for text in ("Full", "Still full"):
        made.give(*({"alertname": "Disk", "host": f"h{n}", "summary": text} for n in range(3)))
        made.run("alerts")

    found = [a for a in ask("GET", f"{alertmanager.url}/alerts").ok() if a["labels"]["alertname"] == "Disk"]
    assert sorted(a["labels"]["host"] for a in found) == ["h0", "h1", "h2"]
    assert {a["annotations"]["summary"] for a in found} == {"Still full"}
    made.proved()
