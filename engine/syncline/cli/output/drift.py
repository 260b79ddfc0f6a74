"""What differs from how it was left, for people and for programs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from msgspec import to_builtins

from syncline.cli.output.text import pad, visible
from syncline.executor.drift.flow_drift import FlowDrift

if TYPE_CHECKING:
    from syncline.cli.output.paint import Paint
    from syncline.model.drift import ObjectDrift

_CAUSES = 8  # cells of the longest cause


def render_drift(flows: Sequence[ObjectDrift], paint: Paint) -> str:
    """Each flow with what differs, what could heal it, and at last how many of them differ."""
    lines: list[str] = []
    for flow in flows:
        sign = paint.red("✗") if flow.drifted else paint.yellow("?") if flow.unknown else paint.green("✓")
        why = f"  {paint.yellow(visible(flow.unknown))}" if flow.unknown else ""
        to = f" → {visible(flow.to)}" if flow.to else ""
        lines.append(f"{sign} {paint.bold(visible(str(flow.key)))}{to}{why}")
        for finding in flow.findings:
            cause = pad(finding.cause, _CAUSES)
            cause = cause if finding.cause == "noise" else paint.red(cause)
            lines.append(f"  {cause}  {visible(finding.place)}: {visible(finding.message)}")
        if rows := _rows(flow):
            lines.append(f"  {paint.dim(visible(rows))}")
        if flow.proposed:
            lines.append(f"  {' ' * _CAUSES}  {visible(flow.proposed)}")
        if advice := _advice(flow):
            lines.append(f"  {' ' * _CAUSES}  {paint.cyan(visible(advice))}")
    drifted = sum(flow.drifted for flow in flows)
    unknown = sum(bool(flow.unknown) for flow in flows)
    lines += ["", f"{len(flows)} looked at: {drifted} drifted, {unknown} can't be told."]
    return "\n".join(lines) + "\n"


def _rows(found: ObjectDrift) -> str:
    """What there is to say of rows that were compared."""
    return found.rows if isinstance(found, FlowDrift) else ""


def _advice(flow: ObjectDrift) -> str:
    if not isinstance(flow, FlowDrift):
        return _advice_besides(flow)
    if flow.healable:
        return f"syncline run --full-refresh {flow.key} brings it back" + _adoptable(flow)
    if flow.acted:
        return "restore it by hand, or declare it as it is now" + _adoptable(flow)
    if flow.drifted and all(finding.cause == "noise" for finding in flow.findings):
        return "map to it, have it taken away there, or declare drift: {noise: ignore}"
    if flow.drifted:
        return "correct the connector's schema or the mapping, or ask who runs the source"
    return ""


def _advice_besides(found: ObjectDrift) -> str:
    """What is no flow's."""
    if found.key.kind == "Tenant" and found.findings:
        return "`syncline keys list` shows the keys; `syncline keys rotate` finishes a rotation"
    if found.healable:
        return f"syncline drift {found.key} --heal brings it back"
    if found.acted:
        return "restore it by hand, or declare it as it is now"
    if found.drifted:
        return f"the daemon does so by itself; syncline drift {found.key} --heal does so now"
    return ""


def _adoptable(flow: ObjectDrift) -> str:
    """Besides: a commit that declares what was done on purpose."""
    if len(flow.adoptable) < len(flow.acted):
        return ""
    does = "declares it as it is now" if any(flow.adoptable.values()) else "declares it away"
    return f"; syncline drift {flow.key} --adopt {does}"


def drift_data(flow: ObjectDrift) -> dict[str, Any]:
    """A flow's drift as JSON."""
    return {
        "flow": str(flow.key),
        "to": flow.to,
        "drifted": flow.drifted,
        "unknown": flow.unknown,
        "rows": _rows(flow),
        "proposed": flow.proposed,
        "findings": [to_builtins(finding) for finding in flow.findings],
    }
