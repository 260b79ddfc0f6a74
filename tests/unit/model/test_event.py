from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any, cast

import pytest

from syncline.model.event import Action, Event, EventOutcome, digest, from_ocsf, rfc3339, to_ocsf
from syncline.model.secret import Secret

FULL: dict[str, Any] = {
    "time": "2026-01-02T03:04:05.678901Z",
    "actor": "ada",
    "tenant": "acme",
    "object": "acme/Sync/tasks",
    "details": {"rows": 3, "ratio": 0.5, "ok": True, "none": None, "names": ["a", "b"], "digest": digest("x")},
}


def _schema(shared: Path, class_uid: int) -> tuple[dict, dict]:
    """The attributes of an OCSF class with those it inherits, and its definition."""
    events = {}
    for path in (shared / "vectors/ocsf/events").rglob("*.json"):
        definition = json.loads(path.read_text())
        events[definition["name"]] = definition
    category = json.loads((shared / "vectors/ocsf/categories.json").read_text())["attributes"]["application"]["uid"]
    own = next(
        d for d in events.values() if category * 1000 + d.get("uid", -1) == class_uid and d["extends"] == "application"
    )
    attributes: dict = {}
    definition = own
    while definition is not None:
        for name, attribute in definition["attributes"].items():
            if name != "$include":
                attributes[name] = {**attribute, **attributes.get(name, {})}
                if "enum" in attribute:
                    attributes[name]["enum"] = {**attribute["enum"], **attributes[name].get("enum", {})}
        definition = events.get(definition.get("extends"))
    return attributes, own


def _check_object(shared: Path, kind: str, value: dict) -> None:
    """An object has its required attributes, no others, and one of those of which it needs one."""
    needs: dict = {}
    one_of: list[str] = []
    name: str | None = kind
    while name is not None:
        definition = json.loads((shared / f"vectors/ocsf/objects/{name}.json").read_text())
        needs = {**definition["attributes"], **needs}
        one_of = one_of or (definition.get("constraints") or {}).get("at_least_one", [])
        name = definition.get("extends")
    assert set(value) <= set(needs) | {"uid", "name"}, kind
    assert {n for n, a in needs.items() if n != "$include" and a.get("requirement") == "required"} <= set(value), kind
    assert not one_of or set(one_of) & set(value), kind


@pytest.mark.parametrize("action", Action)
@pytest.mark.parametrize("outcome", EventOutcome)
def test_every_action_gives_a_valid_ocsf_event(shared: Path, action: Action, outcome: EventOutcome):
    """All required attributes of the class and its objects are there, enumerated ones have values of the schema, and
    there is no attribute that the class does not have.
    """
    value = to_ocsf(Event(action=action, outcome=outcome, **FULL))
    attributes, definition = _schema(shared, value["class_uid"])
    dictionary = json.loads((shared / "vectors/ocsf/dictionary.json").read_text())["attributes"]

    required = {name for name, attribute in attributes.items() if attribute.get("requirement") == "required"}
    assert required <= set(value)
    host = {"actor", "device"}
    assert set(value) <= set(attributes) | host | {"time_dt"}
    for name in ("activity_id", "severity_id", "status_id"):
        known = {**dictionary[name].get("enum", {}), **attributes[name].get("enum", {})}
        assert str(value[name]) in known
        caption = known[str(value[name])]["caption"]
        assert (
            caption == value[name.removesuffix("_id") + ("_name" if name == "activity_id" else "")]
            or caption == "Other"
        )
    assert value["class_name"] == definition["caption"]
    assert value["type_uid"] == value["class_uid"] * 100 + value["activity_id"]
    assert value["class_uid"] // 1000 == value["category_uid"]
    assert not (definition.get("constraints") or {}).get("at_least_one") or "table" in value
    objects = {
        "metadata": "metadata",
        "actor": "actor",
        "api": "api",
        "src_endpoint": "network_endpoint",
        "app": "application",
        "table": "table",
    }
    for name, kind in objects.items():
        if name in value:
            _check_object(shared, kind, value[name])
    _check_object(shared, "product", value["metadata"]["product"])
    _check_object(shared, "user", value["actor"]["user"])


@pytest.mark.parametrize("action", Action)
def test_an_event_comes_back_from_its_ocsf_form(action: Action):
    """Through JSON and back it is the same event, with and without what is optional."""
    for event in (
        Event(action=action, outcome=EventOutcome.denied, **FULL),
        Event(time="2026-01-02T03:04:05Z", actor="timer", action=action),
    ):
        assert from_ocsf(json.loads(json.dumps(to_ocsf(event)))) == event


def test_the_time_is_in_milliseconds_too():
    """OCSF wants the time in milliseconds of Unix time; the exact time stands beside it."""
    value = to_ocsf(Event(action=Action.plan, **FULL))

    assert value["time"] == 1_767_323_045_679
    assert value["time_dt"] == FULL["time"]


@pytest.mark.parametrize(
    "time",
    [
        "2026-01-02 03:04:05Z",
        "2026-01-02T03:04:05",
        "2026-01-02T03:04:05+00:00",
        "2026-13-02T03:04:05Z",
        "2026-02-30T00:00:00Z",
        "",
    ],
)
def test_other_times_are_refused(time: str):
    """Only RFC 3339 in UTC is a time of an event."""
    with pytest.raises(ValueError):  # noqa: PT011 - two places raise it
        Event(time=time, actor="a", action=Action.plan)


def test_moments_are_written_in_utc():
    """A moment in another zone becomes UTC; one without a zone is refused; now is now."""
    moment = datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=timezone(timedelta(hours=2)))

    assert rfc3339(moment) == "2026-01-02T01:04:05.000006Z"
    assert abs(datetime.fromisoformat(rfc3339()) - datetime.now(UTC)) < timedelta(minutes=1)
    with pytest.raises(ValueError, match="zone"):
        rfc3339(moment.replace(tzinfo=None))


@pytest.mark.parametrize(
    "value",
    [
        Secret("canary"),
        b"canary",
        {"a": "canary"},
        [["canary"]],
        ["canary", 1],
        float("nan"),
        2**53,
        "x" * 2_001,
        object(),
    ],
)
def test_details_hold_small_scalars_only(value: Any):
    """Secrets, bytes, nested or long values and inexact numbers are refused, without being shown."""
    with pytest.raises(TypeError) as caught:
        Event(time=rfc3339(), actor="a", action=Action.plan, details={"value": cast("str", value)})

    assert "canary" not in str(caught.value)


def test_details_cannot_be_changed_afterwards():
    """An event keeps what it was made with."""
    details: dict[str, Any] = {"a": 1, "b": ["x"]}
    event = Event(time=rfc3339(), actor="a", action=Action.plan, details=details)
    details["a"] = 2

    assert event.details == {"a": 1, "b": ("x",)}
    with pytest.raises(TypeError):
        event.details["a"] = 2


@pytest.mark.parametrize(
    "field", [{"actor": ""}, {"action": "other"}, {"outcome": "maybe"}, {"details": {"Not a name": 1}}]
)
def test_other_fields_are_refused(field: dict):
    """Actions and outcomes are closed sets, and names of details are names."""
    with pytest.raises(ValueError):  # noqa: PT011 - several places raise it
        Event(**{"time": rfc3339(), "actor": "a", "action": Action.plan, **field})
