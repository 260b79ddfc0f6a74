"""A report as OSCAL assessment results (NIST OSCAL 1.1.3), for tools of governance and audit. Pure.

Only controls that the software answers for get a finding; what is the operator's or the organisation's is an
observation that says so. Identifiers are UUIDs of version 5 over the log's origin: the same report has the same ones.
"""

from __future__ import annotations

import re
import uuid
from typing import TYPE_CHECKING, Any, Final

from syncline import __version__
from syncline.evidence.framework import Responsibility

if TYPE_CHECKING:
    from syncline.evidence.collect import Report, Shown

VERSION: Final = "1.1.3"
#: The namespace of properties that OSCAL doesn't define.
NAMESPACE: Final = "urn:syncline:oscal"
_SPACE: Final = uuid.UUID("6f1d3f0e-7a3c-5d6b-9c55-0d2a5c1f6d10")


def assessment_results(report: Report) -> dict[str, Any]:
    """The document."""
    framework, span = report.framework, report.span
    controls = [{"control-id": control_id(framework.name, shown.control.id)} for shown in report.shown]
    plan = _uuid(report, "plan")
    result: dict[str, Any] = {
        "uuid": _uuid(report, "result"),
        "title": f"{framework.title}, {span.first} to {span.last}",
        "description": (
            f"What the audit log {report.origin} shows of {len(controls)} controls. {_log(report)} Of what the log was "
            "never told, it shows nothing."
        ),
        "start": span.start,
        "end": span.end,
        "reviewed-controls": {"control-selections": [{"include-controls": controls}]},
        "observations": [_observation(report, shown) for shown in report.shown],
    }
    if findings := [_finding(report, s) for s in report.shown if s.control.responsibility is Responsibility.software]:
        result["findings"] = findings
    return {
        "assessment-results": {
            "uuid": _uuid(report, "document"),
            "metadata": {
                "title": f"Assessment results from the audit log {report.origin}",
                "last-modified": report.made,
                "version": report.made,
                "oscal-version": VERSION,
                "props": [_prop("software", f"syncline {__version__}")],
            },
            "import-ap": {"href": f"#{plan}"},
            "results": [result],
            "back-matter": {
                "resources": [
                    {
                        "uuid": plan,
                        "title": f"Controls of {framework.title} and who answers for each",
                        "rlinks": [{"href": "../controls.json", "media-type": "application/json"}],
                    }
                ]
            },
        }
    }


def control_id(framework: str, name: str) -> str:
    """A control's identifier as OSCAL allows it: it begins with a letter, and has letters, digits and .-_ in it.

    >>> control_id("soc2", "CC6.1"), control_id("hipaa", "164.312.b")
    ('cc6.1', 'hipaa-164.312.b')
    """
    plain = re.sub(r"[^a-z0-9._-]", "-", name.lower())
    return plain if plain[:1].isalpha() else f"{framework}-{plain}"


def _observation(report: Report, shown: Shown) -> dict[str, Any]:
    control = shown.control
    found: dict[str, Any] = {
        "uuid": _uuid(report, f"observation {control.id}"),
        "title": f"{control.id} {control.title}",
        "description": f"{control.does} {_seen(shown)}",
        "props": [
            _prop("responsibility", str(control.responsibility)),
            _prop("events", str(shown.events)),
            *(_prop("rule", f"{rule}: {shown.rules[rule]} decisions") for rule in control.rules),
        ],
        "methods": ["EXAMINE"] if shown.events else ["UNKNOWN"],
        "types": ["control-objective"],
        "collected": report.made,
    }
    if shown.samples:
        found["relevant-evidence"] = [
            {
                "href": f"../proofs/{sample.index}.tlog-proof",
                "description": f"Entry {sample.index} of the log: {sample.action}, {sample.outcome}, {sample.time}",
            }
            for sample in shown.samples
        ]
    return found


def _finding(report: Report, shown: Shown) -> dict[str, Any]:
    control = shown.control
    satisfied = bool(shown.events) and report.verification.ok
    why = "pass" if satisfied else "fail" if not report.verification.ok else "other"
    return {
        "uuid": _uuid(report, f"finding {control.id}"),
        "title": f"{control.id} {control.title}",
        "description": _seen(shown) if report.verification.ok else "The log that would show it does not verify.",
        "target": {
            "type": "objective-id",
            "target-id": control_id(report.framework.name, control.id),
            "status": {"state": "satisfied" if satisfied else "not-satisfied", "reason": why},
        },
        "related-observations": [{"observation-uuid": _uuid(report, f"observation {control.id}")}],
    }


def _seen(shown: Shown) -> str:
    if not shown.control.actions:
        return "The log does not show it."
    if not shown.events:
        return "No event of this span of time shows it."
    parts = ", ".join(f"{count} {outcome}" for outcome, count in sorted(shown.outcomes.items()))
    return f"{shown.events} events show it: {parts}."


def _log(report: Report) -> str:
    if report.verification.ok:
        return f"Its {report.size} entries verify."
    return f"It does NOT verify: {report.verification.findings[0].message}."


def _prop(name: str, value: str) -> dict[str, str]:
    return {"name": name, "ns": NAMESPACE, "value": value}


def _uuid(report: Report, what: str) -> str:
    span = f"{report.span.first}/{report.span.last}"
    return str(uuid.uuid5(_SPACE, f"{report.origin} {report.root.hex()} {report.framework.name} {span} {what}"))
