"""A plan as text: what changes and why, where in Git, what it does to data, what policy says, and the sum of it."""

from __future__ import annotations

from collections.abc import Iterator

from syncline.cli.output.excerpt import Sources
from syncline.cli.output.findings_text import render_text
from syncline.cli.output.forecasts import render_data
from syncline.cli.output.paint import Paint
from syncline.cli.output.text import cut, pad, plural, visible, width
from syncline.model.change import Action, Change, Effect, EffectKind, FieldChange
from syncline.model.diagnostic import Severity
from syncline.model.plan import Basis, Plan, PolicyResult

_VALUE = 60
_FLOWS = 10
_BASES = {"exact": "", "state": " (from recorded runs)", "declared": ""}

#: Every action with the words of the summary, in the order shown.
VERBS: dict[Action, str] = {
    Action.create: "to create",
    Action.update: "to update",
    Action.replace: "to replace",
    Action.move: "to move",
    Action.delete: "to delete",
}


def revision(basis: Basis) -> str:
    """The commit in short form, whether the work tree differs from it, and whose it is, where there are several."""
    of = f" of the source {visible(basis.source)}" if basis.source else ""
    if not basis.revision:
        return f"none (not in Git){of}"
    name = visible(basis.revision[:12])
    return f"{name}{of} with uncommitted changes" if basis.dirty else f"{name}{of}"


def counts(plan: Plan) -> str:
    """`3 to create, 1 to update`; empty when nothing changes."""
    return ", ".join(f"{n:,} {verb}" for action, verb in VERBS.items() if (n := plan.count(action)))


def irreversible(plan: Plan) -> int:
    """How many effects can't be undone."""
    return sum(not effect.reversible for change in plan.changes for effect in change.effects)


def verdict(plan: Plan) -> str:
    """Why the plan can't be applied, in one sentence; empty when it can, or when there is nothing to apply."""
    errors = [d for d in plan.findings if d.severity is Severity.error]
    reasons = []
    if plan.denied:
        reasons.append(
            f"{plural(len(plan.denied), 'policy decision')} {'denies' if len(plan.denied) == 1 else 'deny'} it"
        )
    if errors:
        reasons.append(f"{plural(len(errors), 'guard')} {'stops' if len(errors) == 1 else 'stop'} it")
    return f"It can't be applied: {' and '.join(reasons)}." if reasons else ""


def _signed(action: Action, text: str, paint: Paint) -> str:
    match action:
        case Action.create:
            return paint.green(text)
        case Action.update:
            return paint.yellow(text)
        case Action.replace:
            return paint.magenta(text)
        case Action.delete:
            return paint.red(text)
        case Action.move:
            return paint.cyan(text)
        case Action.none:
            return text


def _field(changed: FieldChange, paint: Paint) -> str:
    before, after = cut(visible(changed.before), _VALUE), cut(visible(changed.after), _VALUE)
    path = visible(changed.path)
    if not changed.before:
        return f"{paint.green('+')} {path}: {after}"
    if not changed.after:
        return f"{paint.red('-')} {path}: {before}"
    return f"{paint.yellow('~')} {path}: {before} {paint.dim('→')} {after}"


def _effect(effect: Effect, paint: Paint) -> str:
    text = visible(effect.message) + paint.dim(_BASES.get(effect.basis, f" ({visible(effect.basis)})"))
    if effect.kind is EffectKind.class_flow or not effect.reversible:
        return f"{paint.red('!')} {text}"
    return f"{paint.dim('·')} {text}"


def _change(change: Change, column: int, paint: Paint) -> Iterator[str]:
    name = visible(str(change.key))
    place = f"  {paint.blue(visible(str(change.place)))}" if change.place else ""
    title = f"{change.action.value} {pad(name, column) if place else name}"
    yield f"  {_signed(change.action, title, paint)}{place}"
    if change.action is not Action.create or change.fields:  # most creates have one reason: they are declared
        yield f"      {paint.dim(visible(change.reason))}"
    yield from (f"      {_field(f, paint)}" for f in change.fields)
    yield from (f"      {_effect(e, paint)}" for e in change.effects)


def _denial(result: PolicyResult, paint: Paint) -> Iterator[str]:
    found = result.diagnostic
    code = f" [{found.code}]" if found else ""
    yield f"  {paint.red('✗ denied')}  {paint.bold(visible(result.object))} by {visible(result.rule)}{code}"
    yield f"      {visible(result.message)}"
    if found is None:
        return
    if found.place:
        yield f"      {paint.blue('-->')} {visible(str(found.place))}"
    for related in found.related:
        yield f"      {paint.blue('-->')} {visible(str(related.place))} {paint.dim(visible(related.message))}"
    if found.help:
        yield f"      {paint.blue('=')} {paint.bold('help:')} {visible(' '.join(found.help.split()))}"


def _policy(plan: Plan, paint: Paint) -> Iterator[str]:
    """Denials first, with both places; then what is allowed but noteworthy; then how many passed."""
    if not plan.policy:
        return
    yield paint.bold("Policy")
    for result in plan.denied:
        yield from _denial(result, paint)
    allowed = [r for r in plan.policy if r.allowed]
    noted = [r for r in allowed if r.rule != "flows"]
    for result in noted:
        sign = paint.yellow("! allowed")
        yield f"  {sign} {visible(result.object)} by {visible(result.rule)}: {visible(result.message)}"
    flows = [r for r in allowed if r.rule == "flows"]
    for result in flows[:_FLOWS]:
        yield f"  {paint.green('✓ allowed')} {visible(result.object)}: {visible(result.message)}"
    if len(flows) > _FLOWS:
        yield f"  {paint.green('✓ allowed')} {plural(len(flows) - _FLOWS, 'more flow')}"
    yield ""


def render_plan(plan: Plan, paint: Paint, sources: Sources | None = None, *, limit: int = 120) -> str:
    """The whole plan. `sources` gives excerpts to findings that come without."""
    basis = plan.basis
    where = f"{paint.bold('Environment')} {visible(basis.environment)}, " if basis.environment else ""
    title = "revision" if where else "Revision"
    lines = [f"{where}{paint.bold(title)} {revision(basis)}, {paint.bold('state')} at serial {basis.serial}", ""]
    column = max((width(visible(str(c.key))) for c in plan.changes), default=0)
    before: list[str] = []
    for change in plan.changes:
        shown = list(_change(change, column, paint))
        if before and len(before) + len(shown) > 2:
            lines.append("")
        lines += shown
        before = shown
    lines += [""] if before else []
    lines += render_data(plan.data, paint)
    lines += _policy(plan, paint)
    text = "\n".join(lines) + "\n"
    if plan.findings:
        from pathlib import Path

        text += render_text(plan.findings, sources or Sources(Path()), paint, limit=limit)
    return text + summary(plan, paint) + "\n"


def summary(plan: Plan, paint: Paint) -> str:
    """The last lines: how many changes, what can't be undone, and whether it can be applied."""
    refused = verdict(plan)
    if not plan.changes and not plan.steps:
        done = f"{paint.green('Nothing to do:')} what is applied is what is declared."
        return f"{done}\n{paint.red(refused)}" if refused else done
    lines = [f"{paint.bold('Plan:')} {counts(plan) or 'nothing of what is shown'}."]
    lasting = irreversible(plan)
    if lasting:
        lines.append(paint.yellow(f"{plural(lasting, 'effect')} can't be undone (marked with !)."))
    if refused:
        lines.append(paint.red(refused))
    return "\n".join(lines)
