"""What became of a tenant: certified or refused, exported, deleted; and figures over all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from syncline.cli.output.table import render_table
from syncline.cli.output.text import plural, visible
from syncline.tenancy.statistics import COUNTERS

if TYPE_CHECKING:
    from syncline.cli.output.paint import Paint
    from syncline.model.offboarding import LeavingStep, Offboarding
    from syncline.tenancy.certification import Certified, Tried
    from syncline.tenancy.offboarding import Expected
    from syncline.tenancy.statistics import Statistics


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


def render_expected(found: Expected, paint: Paint) -> str:
    """What would be taken out."""
    lines = [f"Tenant {paint.bold(visible(found.tenant))}, as declared by {found.revision[:12]}:", ""]
    lines += [f"  {visible(flow)}: {visible(fate)}" for flow, fate in found.flows]
    lines += [f"  webhook {visible(name)} is deleted at its system" for name in found.webhooks]
    lines += [f"  state: {plural(count, 'row')} of {table}" for table, count in sorted(found.counts.items())]
    lines.append(f"  key: {'is destroyed' if found.key else 'there is none'}")
    return "\n".join(lines) + "\n"


def render_step(step: LeavingStep, paint: Paint) -> str:
    """One line on a step."""
    name = visible(f"{step.what} {step.subject}".rstrip())
    message = visible(step.message)
    match step.state:
        case "failed":
            return f"  {paint.red('✗')} {name}: {message}"
        case "held":
            return f"  {paint.yellow('•')} {name} stays: {message}"
        case "left":
            return f"  {paint.yellow('•')} {name} is given up: {message}"
        case _:
            figures = f" ({step.count:,})" if step.count else ""
            return f"  {paint.green('✓')} {name}{figures}{': ' + message if message else ''}"


def render_left(done: Offboarding, paint: Paint) -> str:
    """Where it stands."""
    if done.finished:
        given_up = sum(step.state == "left" for step in done.steps)
        more = f", {plural(given_up, 'step')} given up" if given_up else ""
        return (
            f"{paint.green('Deleted')}: nothing of {visible(done.tenant)} is left{more}. Archive {done.archive[:12]}.\n"
        )
    failed = sum(step.state == "failed" for step in done.steps)
    if failed:
        return f"{paint.red('Not finished')}: {plural(failed, 'step')} to do. Run it again, or add --give-up.\n"
    return f"{paint.yellow('Held')}: what legal holds cover stays. Run it again when they have ended.\n"


def render_statistics(found: Statistics, paint: Paint) -> str:
    """Figures of a month; what isn't told is a dash."""
    kinds = sorted({kind for by_kind in found.kinds.values() for kind in by_kind})
    rows = []
    for name in COUNTERS:
        cells = [found.totals.get(name), *(found.kinds.get(name, {}).get(kind) for kind in kinds)]
        rows.append((name, *("-" if cell is None else f"{cell:,.0f}" for cell in cells)))
    who = "too few tenants to tell" if found.tenants is None else plural(found.tenants, "tenant")
    head = ("FIGURE", "ALL", *(kind.upper() for kind in kinds))
    right = frozenset(range(1, len(head)))
    return f"{found.month}, {who}\n\n{render_table(head, rows, paint, right=right)}"
