"""What people read: the exact text of messages in Slack and by e-mail, of each phase and type."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from syncline.connectors.rest.notifier import RestNotifier
from syncline.connectors.smtp.notifier import mail
from syncline.kinds.subscription import SubscriptionSpec
from syncline.model.condition import Mood, Occurrence
from syncline.model.key import ObjectKey
from syncline.model.notice import Phase
from syncline.model.outbox import Message
from syncline.model.run import Counts, RunState
from syncline.notify.channels import notice_of
from syncline.notify.events import of_incidents, of_occurrence, time_of
from syncline.notify.incidents import Incident
from syncline.sdk.clock import SystemClock
from syncline.state.store import RunRecord
from tests.rest_streams import FunctionTransport, answer
from tests.unit.catalog.test_vendors import instance

FOLDER = Path(__file__).parent / "notifications"
OPS = ObjectKey("acme", "Subscription", "ops")
NOW = 1_795_655_731.0
SPEC = SubscriptionSpec.model_validate(
    {
        "on": ("incident", "run.finish", "apply.finish", "apply.step"),
        "do": {"notify": {"integration": "x", "channel": "#ops"}},
    }
)


def incident(name: str, waiting: int = 0, code: str = "SYN401", **more: Any) -> Incident:
    found = {"severity": "error", "reason": "CheckFailed", "since": "2026-11-26T01:00:00.000000Z", **more}
    keys = tuple(ObjectKey("acme", "Sync", f"s{n:02}") for n in range(waiting))
    return Incident(ObjectKey("acme", "Integration", name), code=code, revision="r1", waiting=keys, **found)


def run(state: RunState, code: str = "") -> dict[str, Any]:
    key = ObjectKey("acme", "Sync", "tickets")
    counts = Counts(100, 97, 3)
    record = RunRecord("20261126T020000-1f2e3d", key, state, "schedule", "r1", "p1", "", counts=counts, error_code=code)
    told = Occurrence(key, Mood.normal, f"Run{state}", "free text", "r1", record.id, 7, time_of(NOW))
    return of_occurrence(told, record, "acme")


def event(*incidents: Incident, **more: Any) -> dict[str, Any]:
    return {**of_incidents(incidents, NOW), **more}


MANY = [incident(f"i{n}", code=f"SYN40{n % 3}") for n in range(3)]
CASES: dict[str, tuple[Phase, dict[str, Any]]] = {
    "one of many": (Phase.open, event(incident("crm", 50))),
    "may pass": (Phase.open, event(incident("lake", 1, "SYN402", severity="warning", reason="Unreachable"))),
    "suspected": (Phase.open, event(incident("crm", 7, "SYN405", reason="FlowsFail"))),
    "no code": (Phase.open, event(incident("lake", code="", reason="Unreachable"))),
    "several": (Phase.open, event(*MANY)),
    "changed": (Phase.update, event(incident("crm", 2, "SYN404"))),
    "reminder": (Phase.reminder, event(incident("crm"))),
    "well again": (Phase.resolve, event(incident("crm"))),
    "several well again": (Phase.resolve, event(*MANY)),
    "part of another": (Phase.resolve, event(incident("crm"), cause="acme/AuthConfig/crm")),
    "source": (Phase.open, event(Incident(ObjectKey("", "Source", "main"), "error", "Invalid", "SYN200", "2026-11-26T01:00:00Z", "r1"))),
    "a run failed": (Phase.event, run(RunState.failed, "SYN401")),
    "a run had rejects": (Phase.event, run(RunState.partial)),
    "applied": (Phase.event, {"type": "apply.finish", "severity": "info", "time": time_of(NOW), "tenant": "acme", "revision": "3122ecca342b5f6b2c1d"}),
    "applied of a source": (Phase.event, {"type": "apply.finish", "severity": "info", "time": time_of(NOW), "tenant": "acme", "source": "acme-team", "revision": "3122ecca342b5f6b2c1d"}),
    "digest": (Phase.digest, {"type": "digest", "severity": "error", "time": time_of(NOW), "tenant": "acme", "count": 43, "lines": ["a run of acme/Sync/a ended, Failed", "a run of acme/Sync/b ended, Succeeded"]}),
    "test": (Phase.test, {"type": "test", "severity": "info", "time": time_of(NOW), "tenant": "acme"}),
}  # fmt: skip


def message(phase: Phase, about: dict[str, Any]) -> Message:
    thread = "t1" if about["type"] == "incident" else ""
    return Message("m1", OPS, phase, about, time_of(NOW), time_of(NOW), thread=thread)


def slack(phase: Phase, about: dict[str, Any]) -> str:
    transport = FunctionTransport(lambda _: answer({"ok": True, "ts": "1764.1"}))
    notifier = RestNotifier(instance("slack"), transport=transport, clock=SystemClock())
    ref = "1764.1" if phase in {Phase.update, Phase.reminder, Phase.resolve} else ""
    notifier.send(notice_of(message(phase, about), SPEC, ref, notifier.escape))
    return json.loads(transport.sent[0].body)["text"]


def by_mail(phase: Phase, about: dict[str, Any]) -> str:
    ref = "<m0@example.com>" if phase in {Phase.update, Phase.reminder, Phase.resolve} else ""
    spec = SPEC.model_copy(
        update={
            "do": SPEC.do.model_copy(
                update={"notify": SPEC.do.notify.model_copy(update={"channel": "ops@example.com"})}
            )
        }
    )
    made = mail(notice_of(message(phase, about), spec, ref, str), "Syncline <alerts@example.com>")
    heads = [f"{name}: {made[name]}" for name in ("Subject", "In-Reply-To") if made[name]]
    return "\n".join([*heads, "", made.get_content().rstrip()])


@pytest.mark.parametrize(("name", "say"), [("slack", slack), ("mail", by_mail)], ids=["slack", "mail"])
def test_texts(name, say):
    """The texts of all phases and types are these."""
    found = "".join(f"--- {case}\n{say(*CASES[case])}\n\n" for case in CASES)
    golden = FOLDER / f"{name}.txt"
    if os.environ.get("UPDATE_GOLDEN"):
        FOLDER.mkdir(exist_ok=True)
        golden.write_text(found, encoding="utf-8")
    assert found == golden.read_text(encoding="utf-8")
    assert "free text" not in found
