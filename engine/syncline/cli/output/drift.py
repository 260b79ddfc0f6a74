"""Drift of flows, for people and for programs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from syncline.cli.output.text import pad, visible

if TYPE_CHECKING:
    from syncline.cli.output.paint import Paint
    from syncline.executor.drift import FlowDrift

_CAUSES = 8  # cells of the longest cause


def render_drift(flows: Sequence[FlowDrift], paint: Paint) -> str:
    """Each flow with what differs, what could heal it, and at last how many of them differ."""
    lines: list[str] = []
    for flow in flows:
        sign = paint.red("✗") if flow.drifted else paint.yellow("?") if flow.unknown else paint.green("✓")
        why = f"  {paint.yellow(visible(flow.unknown))}" if flow.unknown else ""
        lines.append(f"{sign} {paint.bold(visible(str(flow.key)))} → {visible(flow.to)}{why}")
        for finding in flow.findings:
            cause = pad(finding.cause, _CAUSES)
            cause = cause if finding.cause == "noise" else paint.red(cause)
            lines.append(f"  {cause}  {visible(finding.place)}: {visible(finding.message)}")
        if flow.rows:
            lines.append(f"  {paint.dim(visible(flow.rows))}")
        if advice := _advice(flow):
            lines.append(f"  {' ' * _CAUSES}  {paint.cyan(visible(advice))}")
    drifted = sum(flow.drifted for flow in flows)
    unknown = sum(bool(flow.unknown) for flow in flows)
    lines += ["", f"{len(flows)} looked at: {drifted} drifted, {unknown} can't be told."]
    return "\n".join(lines) + "\n"


def _advice(flow: FlowDrift) -> str:
    if flow.healable:
        return f"syncline run --full-refresh {flow.key} brings it back" + _adoptable(flow)
    if flow.acted:
        return "restore it by hand, or declare it as it is now"
    if flow.drifted:
        return "correct the connector's schema or the mapping, or ask who runs the source"
    return ""


def _adoptable(flow: FlowDrift) -> str:
    """Besides: a commit that gives up what was dropped on purpose."""
    if not all(finding.place.startswith("column ") for finding in flow.acted):
        return ""
    return f"; syncline drift {flow.key} --adopt declares it away"


def drift_data(flow: FlowDrift) -> dict[str, Any]:
    """A flow's drift as JSON."""
    return {
        "flow": str(flow.key),
        "to": flow.to,
        "drifted": flow.drifted,
        "unknown": flow.unknown,
        "rows": flow.rows,
        "findings": [asdict(finding) for finding in flow.findings],
    }
