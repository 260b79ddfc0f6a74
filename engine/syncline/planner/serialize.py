"""The JSON form of a plan, version `syncline/plan/v1`: byte-reproducible, with its own digest, read back strictly."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from typing import Any

from msgspec import to_builtins

from syncline.model.change import Action, Change, Effect, EffectKind, FieldChange
from syncline.model.diagnostic import Diagnostic, Place, Related, Severity
from syncline.model.errors import Invalid
from syncline.model.forecast import Forecast, Reason
from syncline.model.key import ObjectKey
from syncline.model.plan import Basis, Plan, PolicyResult
from syncline.model.run import Counts
from syncline.model.step import DeleteObject, DropTable, MoveObject, PutObject, ResetCursor, RestoreCursor, Step
from syncline.planner.approval import effects_digest

VERSION = "syncline/plan/v1"


def _key(value: Any) -> ObjectKey:
    return ObjectKey.parse(value)


def _basis(basis: Basis) -> dict[str, Any]:
    data: dict[str, Any] = to_builtins(basis)
    for name in ("environment", "formerly", "source"):  # only where there are environments, or several sources
        if not data[name]:
            del data[name]
    return data


def _change(change: Change) -> dict[str, Any]:
    return {
        "action": change.action.name,
        "object": str(change.key),
        "previous": str(change.previous) if change.previous else None,
        "reason": change.reason,
        "place": to_builtins(change.place) if change.place else None,
        "fields": [to_builtins(f) for f in change.fields],
        "effects": [{**to_builtins(e), "kind": str(e.kind)} for e in change.effects],
    }


def step_data(step: Step) -> dict[str, Any]:
    """A step as plain data, for plans and the journal."""
    match step:
        case PutObject(key, digest, document, place):
            return {
                "step": "put",
                "object": str(key),
                "digest": digest,
                "document": json.loads(document),
                "place": place,
            }
        case MoveObject(key, previous):
            return {"step": "move", "object": str(key), "previous": str(previous)}
        case ResetCursor(key, reason):
            return {"step": "reset-cursor", "object": str(key), "reason": reason}
        case RestoreCursor(key, revision):
            return {"step": "restore-cursor", "object": str(key), "revision": revision}
        case DropTable(key):
            return {"step": "drop-table", "object": str(key)}
        case DeleteObject(key):
            return {"step": "delete", "object": str(key)}


def _diagnostic(found: Diagnostic) -> dict[str, Any]:
    return {**to_builtins(found), "severity": str(found.severity)}


def _forecast(found: Forecast) -> dict[str, Any]:
    return {**{name: value for name, value in to_builtins(found).items() if name != "key"}, "object": str(found.key)}


def _policy(result: PolicyResult) -> dict[str, Any]:
    return {
        "rule": result.rule,
        "object": result.object,
        "allowed": result.allowed,
        "message": result.message,
        "finding": _diagnostic(result.diagnostic) if result.diagnostic else None,
    }


def _head(plan: Plan) -> dict[str, Any]:
    return {"version": VERSION, "basis": _basis(plan.basis), "summary": dict(plan.summary)}


def _lists(plan: Plan) -> dict[str, Iterator[dict[str, Any]]]:
    """The lists of a plan, each item made when it is asked for."""
    data = {"data": map(_forecast, plan.data)} if plan.data else {}  # only of plans that looked at data
    return {
        **data,
        "changes": map(_change, plan.changes),
        "steps": map(step_data, plan.steps),
        "policy": map(_policy, plan.policy),
        "findings": map(_diagnostic, plan.findings),
    }


def to_data(plan: Plan) -> dict[str, Any]:
    """Plain data, without the digest."""
    return _head(plan) | {name: list(items) for name, items in _lists(plan).items()}


def _canonical(data: Any) -> str:
    return json.dumps(data, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def _pieces(plan: Plan) -> Iterator[str]:
    """`_canonical(to_data(plan))` in pieces: as plain data at once, a plan of 10,000 objects takes 50 MB."""
    head, lists = _head(plan), _lists(plan)
    for number, name in enumerate(sorted(head | lists)):
        yield f'{"," if number else "{"}"{name}":'
        if name in head:
            yield _canonical(head[name])
            continue
        yield "["
        for position, item in enumerate(lists[name]):
            yield ("," if position else "") + _canonical(item)
        yield "]"
    yield "}"


def digest(plan: Plan) -> str:
    """SHA-256 (hex) of the plan's canonical JSON."""
    found = hashlib.sha256()
    for piece in _pieces(plan):
        found.update(piece.encode())
    return found.hexdigest()


def dumps(plan: Plan) -> str:
    """
    The plan as indented JSON with its digest and that of its effects, ending in a newline: the same plan gives the same
    bytes.
    """
    about = {"digest": digest(plan), "effects": effects_digest(plan)}
    return json.dumps({**to_data(plan), **about}, ensure_ascii=False, sort_keys=True, indent=2) + "\n"


def _read_place(data: Any) -> Place | None:
    return Place(**data) if data else None


def _read_diagnostic(data: Any) -> Diagnostic:
    related = tuple(Related(Place(**r["place"]), r["message"]) for r in data["related"])
    return Diagnostic(
        **{**data, "severity": Severity(data["severity"]), "place": _read_place(data["place"]), "related": related}
    )


def _read_step(data: Any) -> Step:
    match data["step"]:
        case "put":
            return PutObject(_key(data["object"]), data["digest"], _canonical(data["document"]), data["place"])
        case "move":
            return MoveObject(_key(data["object"]), _key(data["previous"]))
        case "reset-cursor":
            return ResetCursor(_key(data["object"]), data["reason"])
        case "restore-cursor":
            return RestoreCursor(_key(data["object"]), data["revision"])
        case "drop-table":
            return DropTable(_key(data["object"]))
        case "delete":
            return DeleteObject(_key(data["object"]))
        case other:
            msg = f"unknown step {other!r}"
            raise ValueError(msg)


def _read_change(data: Any) -> Change:
    return Change(
        action=Action[data["action"]],
        key=_key(data["object"]),
        reason=data["reason"],
        place=_read_place(data["place"]),
        fields=tuple(FieldChange(**f) for f in data["fields"]),
        effects=tuple(Effect(**{**e, "kind": EffectKind(e["kind"])}) for e in data["effects"]),
        previous=_key(data["previous"]) if data["previous"] else None,
    )


def _read_forecast(data: Any) -> Forecast:
    plain = {name: value for name, value in data.items() if name != "object"}
    counts, reasons = Counts(**plain.pop("counts")), tuple(Reason(**r) for r in plain.pop("reasons"))
    notes = tuple(plain.pop("notes"))
    return Forecast(_key(data["object"]), counts=counts, reasons=reasons, notes=notes, **plain)


def loads(text: str) -> Plan:
    """Reads a saved plan. `Invalid` when it isn't one, was made by another version, or was altered since."""
    try:
        data = json.loads(text)
        if data["version"] != VERSION:
            raise Invalid(
                f"the plan has version {data['version']!r}; this program reads {VERSION}",
                code="SYN640",
                help="Make the plan again with this version of Syncline.",
            )
        plan = Plan(
            basis=Basis(**data["basis"]),
            changes=tuple(_read_change(c) for c in data["changes"]),
            steps=tuple(_read_step(s) for s in data["steps"]),
            policy=tuple(
                PolicyResult(
                    r["rule"],
                    r["object"],
                    r["allowed"],
                    r["message"],
                    _read_diagnostic(r["finding"]) if r["finding"] else None,
                )
                for r in data["policy"]
            ),
            findings=tuple(_read_diagnostic(d) for d in data["findings"]),
            summary=data["summary"],
            data=tuple(_read_forecast(r) for r in data.get("data", ())),
        )
        stated = data["digest"]
    except (KeyError, TypeError, ValueError) as error:
        raise Invalid(
            f"the file is not a plan ({error})", code="SYN640", help="Give a file written by `syncline plan --out`."
        ) from error
    if digest(plan) != stated:
        raise Invalid("the plan was altered after it was made", code="SYN640", help="Make the plan again.")
    return plan
