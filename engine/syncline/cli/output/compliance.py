"""Evidence of a framework for people: a page of HTML that needs nothing else, and a few lines of text."""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from syncline.cli.output.report import render_page
from syncline.cli.output.table import render_table
from syncline.cli.output.text import number, plural, visible
from syncline.evidence.framework import Responsibility

if TYPE_CHECKING:
    from syncline.cli.output.paint import Paint
    from syncline.evidence.collect import Report, Shown
    from syncline.evidence.framework import Framework

#: What the page shows on top: a name, and the actions that it counts.
_TILES = (("runs ended", "run.finish"), ("plans applied", "apply.finish"), ("decisions of policy", "policy.decision"))


def render_compliance(report: Report) -> str:
    """The page: no script, nothing from elsewhere, every value escaped."""
    verification = report.verification
    cosigned = verification.cosigned
    return render_page(
        "compliance.html",
        title="Evidence",
        object=report.framework.title,
        first=report.span.first,
        last=report.span.last,
        ok=verification.ok,
        problem="" if verification.ok else visible(verification.findings[0].message),
        tiles=_tiles(report),
        facts=[
            ("log", visible(report.origin)),
            ("entries", number(report.size)),
            ("root", base64.b64encode(report.root).decode()),
            ("key", visible(report.key)),
            ("cosigned", f"up to {number(cosigned.size)} by {', '.join(cosigned.witnesses)}" if cosigned else "no"),
            ("made", report.made),
        ],
        groups=[
            {
                "name": str(whose),
                "about": _ABOUT[whose],
                "controls": [_control(s) for s in report.shown if s.control.responsibility is whose],
            }
            for whose in Responsibility
        ],
        runs=report.runs,
    )


_ABOUT = {
    Responsibility.software: "What Syncline does by itself, and what the log shows of it.",
    Responsibility.operator: "What whoever operates Syncline has to do; the log shows only a part of it.",
    Responsibility.organisation: "What people, contracts and procedures have to do; the log does not show it.",
}


def _tiles(report: Report) -> list[dict[str, str]]:
    found = [{"name": name, "value": number(report.totals.get(action, 0))} for name, action in _TILES]
    return [*found, {"name": "denied", "value": number(report.totals.get("denied", 0))}]


def _control(shown: Shown) -> dict[str, Any]:
    control = shown.control
    return {
        "id": control.id,
        "title": control.title,
        "does": control.does,
        "state": "shown" if shown.events else "not seen" if control.actions else "not in the log",
        "events": number(shown.events) if control.actions else "",
        "outcomes": ", ".join(f"{number(n)} {outcome}" for outcome, n in sorted(shown.outcomes.items())),
        "rules": [
            (rule, plural(n, "decision") if (n := shown.rules[rule]) else "not in force") for rule in control.rules
        ],
        "samples": [
            {
                "index": number(s.index),
                "proof": f"proofs/{s.index}.tlog-proof",
                "time": s.time[:19].replace("T", " "),
                "action": s.action,
                "object": visible(s.object),
                "actor": visible(s.actor),
                "outcome": s.outcome,
            }
            for s in reversed(shown.samples)
        ],
    }


def render_pack(report: Report, path: str, paint: Paint) -> str:
    """What was written, and whether the log verifies."""
    shown = sum(bool(one.events) for one in report.shown)
    whose = Counter(one.control.responsibility for one in report.shown)
    lines = [
        f"{paint.green('Exported')} {report.framework.title} to {visible(path)}.",
        "",
        f"  span          {report.span.first} to {report.span.last}",
        f"  log           {plural(report.size, 'entry', 'entries')}, {_state(report, paint)}",
        f"  controls      {shown} of {len(report.shown)} shown by the log; "
        + ", ".join(f"{whose[one]} the {one}'s" for one in Responsibility),
        f"  proofs        {len(report.samples)}",
        f"  attestations  {len(report.runs)}",
        "",
        "Verify it with the verify.py inside, and the key that `syncline audit key` prints.",
    ]
    return "\n".join(lines) + "\n"


def _state(report: Report, paint: Paint) -> str:
    if report.verification.ok:
        return "every byte as it was signed"
    return paint.red("not verified: ") + visible(report.verification.findings[0].message)


def frameworks_data(frameworks: Iterable[Framework]) -> list[dict[str, Any]]:
    """The frameworks with their controls as plain data."""
    return [
        {
            "name": one.name,
            "title": one.title,
            "controls": [
                {"id": c.id, "title": c.title, "responsibility": str(c.responsibility), "does": c.does}
                for c in one.controls
            ],
        }
        for one in frameworks
    ]


def render_frameworks(frameworks: Iterable[Framework], paint: Paint) -> str:
    """The frameworks as a table."""
    rows = []
    for one in frameworks:
        whose = Counter(control.responsibility for control in one.controls)
        rows.append((one.name, one.title, *(number(whose[who]) for who in Responsibility)))
    head = ("NAME", "TITLE", "SOFTWARE", "OPERATOR", "ORGANISATION")
    return render_table(head, rows, paint, right=frozenset({2, 3, 4}), cells=64)
