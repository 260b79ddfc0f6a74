"""What became of a tenant: certified or refused, exported, deleted; and figures over all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from syncline.cli.output.text import plural, visible

if TYPE_CHECKING:
    from syncline.cli.output.paint import Paint
    from syncline.tenancy.certification import Certified, Tried


def render_tried(tried: Tried, paint: Paint) -> str:
    """One line on a flow that was rehearsed."""
    name = visible(str(tried.key))
    if tried.problem:
        return f"  {paint.red('✗')} {name}: {visible(tried.problem)}"
    counts = tried.found.counts if tried.found is not None else None
    figures = f"{plural(counts.read, 'record')} read, {counts.rejected:,} would be rejected" if counts else ""
    return f"  {paint.green('✓')} {name}: {figures}"


def render_certified(done: Certified, paint: Paint) -> str:
    """Whether it is certified."""
    if done.ok:
        return f"{paint.green('Certified')}: {visible(done.tenant)}, {plural(len(done.flows), 'flow')} rehearsed.\n"
    if not done.flows:
        return f"{paint.red('Refused')}: {visible(done.tenant)} has no flow that could be rehearsed.\n"
    missing = sum(finding.ok is False for finding in done.findings)
    refused = sum(bool(tried.problem) for tried in done.flows)
    return f"{paint.red('Refused')}: {missing} missing, {plural(refused, 'flow')} couldn't run.\n"
