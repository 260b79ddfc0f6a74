"""A plan as Markdown, for a comment on a pull request. Everything that comes from manifests is escaped."""

from __future__ import annotations

from collections.abc import Iterator

from syncline.cli.output.forecasts import basis, outcome, reasons, work
from syncline.cli.output.markdown import at, code, escape
from syncline.cli.output.plan_text import counts, revision, verdict
from syncline.cli.output.text import cut, plural
from syncline.model.change import Action, Change
from syncline.model.diagnostic import Diagnostic
from syncline.model.plan import Plan, PolicyResult
from syncline.planner.approval import effects_digest, needs_approval

#: Rows of a table or list that are shown, and effects that can't be undone.
_ROWS, _LASTING = 100, 20
#: Characters that the fold itself takes, with a line about what is left out.
_FOLD = 150

_NAMES = {
    Action.create: "create",
    Action.update: "update",
    Action.replace: "replace",
    Action.move: "move",
    Action.delete: "**delete**",
    Action.none: "",
}


def _row(change: Change) -> str:
    lasting = sum(not e.reversible for e in change.effects)
    effects = plural(len(change.effects), "effect") if change.effects else ""
    if lasting:
        effects += f", **{lasting} can't be undone**"
    sign = f"{change.action.value} {_NAMES[change.action]}"
    return f"| {sign} | {code(str(change.key))} | {escape(change.reason)} | {effects} | {at(change.place)} |"


def _details(change: Change) -> Iterator[str]:
    if not change.fields and not change.effects:
        return
    yield f"\n**{change.action.value}** {code(str(change.key))}\n"
    for effect in change.effects:
        yield f"- {'' if effect.reversible else '⚠️ '}{escape(effect.message)}"
    for field in change.fields:
        before, after = (code(cut(value, 120)) if value else "*absent*" for value in (field.before, field.after))
        yield f"- {code(field.path)}: {before} → {after}"


def _denial(result: PolicyResult) -> Iterator[str]:
    found = result.diagnostic
    yield f"- ⛔ {code(result.object)} by {code(result.rule)}: {escape(result.message)}"
    if found is None:
        return
    if found.place:
        yield f"  - at {at(found.place)}"
    for related in found.related:
        yield f"  - {at(related.place)} {escape(related.message)}"
    if found.help:
        yield f"  - {escape(found.help)}"


def _lasting(plan: Plan) -> Iterator[str]:
    """Effects that can't be undone, in the open: what a reviewer must not miss."""
    found = [(change, effect) for change in plan.changes for effect in change.effects if not effect.reversible]
    if not found:
        return
    yield "\n**Can't be undone**\n"
    for change, effect in found[:_LASTING]:
        yield f"- ⚠️ {code(str(change.key))}: {escape(effect.message)}"
    if len(found) > _LASTING:
        yield f"- … and {plural(len(found) - _LASTING, 'more effect')}"


def _data(plan: Plan) -> Iterator[str]:
    """What the next runs would do to rows, where that was tried."""
    if not plan.data:
        return
    yield from ("", "| flow | rows | from |", "|---|---|---|")
    for found in plan.data[:_ROWS]:
        if found.problem:
            yield f"| {code(str(found.key))} | ⚠️ {escape(found.problem)} | not tried |"
            continue
        origin = "; ".join(filter(None, (basis(found), work(found))))
        yield f"| {code(str(found.key))} | {escape(outcome(found))} | {escape(origin)} |"
    yield from _left(len(plan.data) - _ROWS, "more flow")
    rejected = [(found, line) for found in plan.data for line in reasons(found)]
    if rejected:
        yield "\n**Would be rejected**\n"
        yield from (f"- {code(str(found.key))}: {escape(line)}" for found, line in rejected[:_LASTING])
        yield from _left(len(rejected) - _LASTING, "more")
    notes = [(found, note) for found in plan.data for note in found.notes]
    if notes:
        yield "\n**Told by connectors**\n"
        yield from (f"- {code(str(found.key))}: {escape(note)}" for found, note in notes[:_LASTING])
        yield from _left(len(notes) - _LASTING, "more")


def render_plan(plan: Plan, *, most: int = 60_000, whole: Plan | None = None) -> str:
    """
    A heading with the sum of it, what is denied, a table of changes, what can't be undone, and details folded away.

    Of at most so many characters: a comment on a code host has an end, and what is left out is counted. Approvals are
    of the `whole` plan, where this is a part of it.
    """
    refused = verdict(plan)
    title = counts(plan) or ("nothing of what is shown" if plan.steps else "nothing to do")
    lines = [f"### {'⛔ ' if refused else ''}Syncline plan: {title}", ""]
    where = f"Environment `{plan.basis.environment}`, revision" if plan.basis.environment else "Revision"
    lines += [f"{where} `{revision(plan.basis)}`, state at serial {plan.basis.serial}."]
    if plan.changes:
        risky = sum(needs_approval(change, "risky") for change in plan.changes)
        what = f"{plural(risky, 'change')} may need approval" if risky else "no change is risky"
        lines += ["", f"Effects `{effects_digest(whole or plan)}`: {what}."]
    if refused:
        lines += ["", f"**{refused}**"]
    if plan.denied:
        lines += ["", "#### Denied by policy", ""]
        lines += [line for result in plan.denied[:_ROWS] for line in _denial(result)]
        lines += _left(len(plan.denied) - _ROWS, "more denial")
    if plan.findings:
        lines += ["", "#### Findings", ""]
        lines += map(_finding, plan.findings[:_ROWS])
        lines += _left(len(plan.findings) - _ROWS, "more finding")
    if plan.changes:
        lines += ["", "| | object | reason | effects | place |", "|---|---|---|---|---|"]
        lines += map(_row, plan.changes[:_ROWS])
        lines += _left(len(plan.changes) - _ROWS, "more change")
        lines += _lasting(plan)
        lines += _data(plan)
        lines += _folded(plan, most - sum(len(line) + 1 for line in lines) - _FOLD)
    return "\n".join(lines) + "\n"


def _finding(found: Diagnostic) -> str:
    where = f" at {at(found.place)}" if found.place else ""
    does = f". {escape(found.help)}" if found.help else ""
    return f"- {found.severity} {code(found.code)}{where}: {escape(found.message)}{does}"


def _left(count: int, what: str) -> list[str]:
    return ["", f"… and {plural(count, what)}: `syncline plan`"] if count > 0 else []


def _folded(plan: Plan, room: int) -> list[str]:
    """Details of the changes, as many as there is room for."""
    blocks = [found for change in plan.changes if (found := list(_details(change)))]
    shown: list[str] = []
    for index, block in enumerate(blocks):
        room -= sum(len(line) + 1 for line in block)
        if room < 0:
            shown += _left(len(blocks) - index, "more change")
            break
        shown += block
    return ["", "<details><summary>Details</summary>", *shown, "", "</details>"] if shown else []
