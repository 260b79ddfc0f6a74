"""What a run did, as an in-toto Statement (v1) that anybody can check against the log.

Pure. Everything in it is taken from entries of the log, whose numbers and hashes it states: no other record has a say.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from msgspec import Struct

from syncline.audit import canonical_json, tree
from syncline.model.errors import Invalid
from syncline.model.event import Action, Event, EventOutcome

STATEMENT: Final = "https://in-toto.io/Statement/v1"
PAYLOAD: Final = "application/vnd.in-toto+json"
PREDICATE: Final = "urn:syncline:attestation:run:v1"
CHAIN: Final = "syncline-batch-chain-sha256"
"""The digest of a subject: a SHA-256 chain over the batches as they were sent (`model.run.Receipt`)."""

_TOLD: Final = frozenset({Action.run_start, Action.run_commit, Action.run_reject, Action.run_finish, Action.secret_use})
_COUNTS: Final = ("read", "written", "rejected", "skipped", "deleted", "absent")


class Logged(Struct, frozen=True):
    """An entry of the log: its number, its bytes, and the event that they are."""

    index: int
    entry: bytes
    event: Event


def entries_of_run(entries: Iterable[Logged], run: str) -> tuple[Logged, ...]:
    """A run's entries in order, with the decision of policy that stands before its start.

    `Invalid` (SYN911) where the log has no end of such a run.
    """
    decisions: dict[str | None, Logged] = {}
    found: list[Logged] = []
    for logged in entries:
        event = logged.event
        if event.action is Action.policy_decision and event.details.get("at") == "run":
            decisions[event.object] = logged
        if event.details.get("run") != run or event.action not in _TOLD:
            continue
        if event.action is Action.run_start and event.object in decisions:
            found.append(decisions.pop(event.object))
        found.append(logged)
    if not any(logged.event.action is Action.run_finish for logged in found):
        raise Invalid(
            f"the audit log has no end of a run {run}",
            code="SYN911",
            help="`syncline runs list` shows the runs; one that is under way is attested when it has ended.",
        )
    return tuple(sorted(found, key=lambda logged: logged.index))


def statement(found: Sequence[Logged], run: str, log: str, destination: str) -> dict[str, Any]:
    """The statement about a run, from its entries. `destination` names what was written."""
    finish = next(one.event for one in reversed(found) if one.event.action is Action.run_finish)
    start = next((one.event for one in found if one.event.action is Action.run_start), None)
    decision = next((one.event for one in found if one.event.action is Action.policy_decision), None)
    details = finish.details
    return {
        "_type": STATEMENT,
        "subject": [{"name": destination, "digest": {CHAIN: str(details.get("written_digest", ""))}}],
        "predicateType": PREDICATE,
        "predicate": {
            "run": run,
            "object": finish.object or "",
            "outcome": str(details.get("state", finish.outcome)),
            "code": str(details.get("code", "")),
            "commit": _text(details, "revision") or (_text(start.details, "revision") if start else ""),
            "plan": _text(details, "plan") or (_text(start.details, "plan") if start else ""),
            "actor": finish.actor,
            "trigger": _text(start.details, "trigger") if start else "",
            "startedOn": start.time if start else "",
            "finishedOn": finish.time,
            "policy": _policy(decision),
            "counts": {name: details[name] for name in _COUNTS if name in details},
            "digests": {
                "read": _text(details, "read_digest"),
                "written": _text(details, "written_digest"),
                "algorithm": CHAIN,
            },
            "secrets": sorted({str(e.details["secret"]) for e in _events(found) if e.action is Action.secret_use}),
            "log": {
                "origin": log,
                "entries": [{"index": one.index, "leafHash": tree.leaf_hash(one.entry).hex()} for one in found],
            },
        },
    }


def encode(made: Mapping[str, Any]) -> bytes:
    """A statement as canonical JSON."""
    return canonical_json.dumps(made)


def _events(found: Iterable[Logged]) -> Iterable[Event]:
    return (one.event for one in found)


def _text(details: Mapping[str, Any], name: str) -> str:
    return str(details.get(name) or "")


def _policy(decision: Event | None) -> dict[str, Any]:
    if decision is None:
        return {"decided": False}
    rules = decision.details.get("rules")
    return {
        "decided": True,
        "allowed": decision.outcome is EventOutcome.success,
        "decisions": decision.details.get("decisions", 0),
        "rules": [str(rule) for rule in rules] if isinstance(rules, list | tuple) else [],
        "at": decision.time,
    }
