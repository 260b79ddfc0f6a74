"""A plan as Markdown, for a comment on a pull request. Everything that comes from manifests is escaped."""

from __future__ import annotations

from collections.abc import Iterator

from syncline.cli.output.markdown import at, code, escape
from syncline.cli.output.plan_text import counts, irreversible, revision, verdict
from syncline.cli.output.text import cut, plural
from syncline.model.change import Action, Change
from syncline.model.plan import Plan, PolicyResult

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


def render_plan(plan: Plan) -> str:
    """A heading with the sum of it, what is denied, a table of changes, and their details folded away."""
    refused = verdict(plan)
    title = counts(plan) or "nothing to do"
    lines = [f"### {'⛔ ' if refused else ''}Syncline plan: {title}", ""]
    lines += [f"Revision `{revision(plan.basis)}`, state at serial {plan.basis.serial}."]
    if refused:
        lines += ["", f"**{refused}**"]
    if plan.denied:
        lines += ["", "#### Denied by policy", ""]
        lines += [line for result in plan.denied for line in _denial(result)]
    if plan.findings:
        lines += ["", "#### Findings", ""]
        lines += [
            f"- {d.severity} {code(d.code)}: {escape(d.message)} {escape(d.help)}".rstrip() for d in plan.findings
        ]
    if plan.changes:
        lines += ["", "| | object | reason | effects | place |", "|---|---|---|---|---|", *map(_row, plan.changes)]
        details = [line for change in plan.changes for line in _details(change)]
        if details:
            lasting = irreversible(plan)
            note = f" ({plural(lasting, 'effect')} can't be undone)" if lasting else ""
            lines += ["", f"<details><summary>Details{note}</summary>", *details, "", "</details>"]
    return "\n".join(lines) + "\n"
