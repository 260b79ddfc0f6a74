"""Opt-out: who opted out, by the signal that a flow declares, is left out by its mapping."""

from __future__ import annotations

from collections.abc import Iterator

from syncline.model.diagnostic import Related
from syncline.policy.rule import Rule, Subjects, Violation


def check(subjects: Subjects) -> Iterator[Violation]:
    """A flow with `use.optOut` whose mapping's `where` isn't seen to leave these records out."""
    for flow in subjects.flows:
        field = flow.spec.use.opt_out
        facts = subjects.facts.get(flow.key, ())
        if field is None or not facts or facts[0].terms.honoured:
            continue
        yield Violation(
            rule="opt-out",
            code="SYN515",
            subject=flow.key,
            message=f"{flow.key.kind} {flow.key.name} passes on records of who opted out by {field}",
            place=flow.manifest.place_of("spec", "use", "optOut"),
            related=(Related(flow.mapping.place_of("spec", "where"), "the mapping's where"),),
            expected=f"where: '!{field}', alone or with others by &&",
            help="Leave these records out in the mapping.",
        )


RULE = Rule("opt-out", "SYN515", "Mappings leave out the records of who opted out.", check)
