"""Rules, their tests, and what they say of flows: for people and for programs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from syncline.cli.output.flow_yaml import to_yaml
from syncline.cli.output.table import render_table
from syncline.cli.output.text import plural, visible
from syncline.policy.subjects import EXAMPLES, NAMES, flow_values

if TYPE_CHECKING:
    from syncline.cli.output.paint import Paint
    from syncline.model.key import ObjectKey
    from syncline.model.plan import PolicyResult
    from syncline.policy.explain import FlowExplained, Known, Ruling
    from syncline.policy.rule import FlowFact
    from syncline.policy.tests import Tried

#: How a verdict is shown: a sign, and a word that says the same.
_SIGNS: Final = {"holds": "✓", "warned": "!", "excepted": "~", "denied": "✗"}


def render_tests(tried: Mapping[ObjectKey, Sequence[Tried]], paint: Paint) -> str:
    """A line for each policy, and one for each test that fails."""
    lines = []
    for key, cases in tried.items():
        failed = [case for case in cases if case.problem]
        if failed:
            lines.append(f"{paint.red('✗')} {key}: {len(failed)} of {plural(len(cases), 'test')} fail")
            lines += [f"    {visible(case.name)}: {visible(case.problem)} ({case.finding.place})" for case in failed]
        else:
            lines.append(f"{paint.green('✓')} {key}: {plural(len(cases), 'test')}")
    return "\n".join(lines) + "\n" if lines else "No policy is declared.\n"


def tests_document(tried: Mapping[ObjectKey, Sequence[Tried]]) -> list[dict[str, Any]]:
    """Every test with what is wrong; `problem` is '' where it passes."""
    return [
        {
            "policy": str(key),
            "rule": case.rule,
            "expected": case.expected,
            "number": case.number,
            "passed": not case.problem,
            "problem": case.problem,
            "place": str(case.finding.place),
        }
        for key, cases in tried.items()
        for case in cases
    ]


def render_rule(rule: Known, decided: Sequence[PolicyResult], paint: Paint) -> str:
    """What a rule demands, whom it binds, what it sees and what it decides."""
    lines = [paint.bold(rule.name) + (f"  {visible(rule.clause)}" if rule.clause else f"  {rule.code}")]
    lines.append(f"  {visible(rule.summary)}")
    if rule.declared is not None:
        lines += _declared(rule, paint)
    lines.append(f"  binds {_bound(rule)}")
    lines += [f"  {_sign(result.verdict, paint)} {visible(result.message)}" for result in decided]
    if not decided:
        lines.append(f"  {paint.green('✓')} nothing that is declared breaks it")
    return "\n".join(lines) + "\n"


def _declared(rule: Known, paint: Paint) -> Iterator[str]:
    declared = rule.declared
    assert declared is not None
    if declared.help:
        yield f"  {paint.cyan('help')}: {visible(declared.help)}"
    word, condition = ("denies where", declared.deny) if declared.deny else ("requires", declared.require)
    yield f"  {word}: {visible(condition or '')}"
    about = f" of {', '.join(declared.kinds)}" if declared.kinds else ""
    yield f"  looks at each {declared.on}{about}, such as:"
    example = to_yaml({NAMES[declared.on]: EXAMPLES[declared.on]})
    yield from (f"    {line}" for line in example.splitlines())


def _bound(rule: Known) -> str:
    if not rule.tenants:
        return "nobody: no tenant names its policy"
    return "everyone" if None in rule.tenants else ", ".join(sorted(t for t in rule.tenants if t))


def rule_document(rule: Known, decided: Sequence[PolicyResult]) -> dict[str, Any]:
    """A rule and its decisions as JSON. `binds` lists tenants; null stands for everyone."""
    declared = rule.declared
    return {
        "rule": rule.name,
        "code": rule.code,
        "summary": rule.summary,
        "clause": rule.clause,
        "policy": str(rule.policy.key) if rule.policy is not None else None,
        "on": declared.on if declared is not None else None,
        "deny": declared.deny if declared is not None else None,
        "require": declared.require if declared is not None else None,
        "binds": None if None in rule.tenants else sorted(t for t in rule.tenants if t),
        "decisions": [_decision(result) for result in decided],
    }


def render_flow(explained: FlowExplained, paint: Paint) -> str:
    """The facts of a flow, and what each rule says of it; those that hold are named in one line."""
    facts = explained.facts
    lines = [paint.bold(str(explained.flow.key))]
    if facts:
        lines += [*_terms(facts[0]), ""]
        rows = [(f.source or "(constant)", f.target, ", ".join(f.classes), f.protection) for f in facts]
        lines += render_table(("FROM", "TO", "CLASSES", "PROTECTION"), rows, paint).splitlines()
    lines.append("")
    for ruling in explained.rulings:
        if ruling.verdict != "holds":
            lines += _ruling(ruling, paint)
    held = [ruling.rule.name for ruling in explained.rulings if ruling.verdict == "holds"]
    if held:
        lines.append(f"{paint.green('✓')} {plural(len(held), 'rule')} {'holds' if len(held) == 1 else 'hold'}:")
        lines += [f"    {visible(name)}" for name in held]
    return "\n".join(lines) + "\n"


def _terms(fact: FlowFact) -> Iterator[str]:
    terms, end = fact.terms, fact.destination
    declared = {
        "purpose": terms.purpose,
        "basis": terms.basis,
        "condition": terms.condition,
        "transfer": terms.transfer,
        "opt-out": f"{terms.opt_out}, {'left out' if terms.honoured else 'not left out'}" if terms.opt_out else "",
    }
    said = ", ".join(f"{name}: {value}" for name, value in declared.items() if value)
    yield f"  {visible(said) if said else 'no use is declared'}"
    kept = f"deletes after {end.retention / 86_400:g} days" if end.retention else "no retention is declared"
    at_rest = {None: "encryption undeclared", True: "encrypted", False: "not encrypted"}[end.encrypted]
    whose = {
        "": "nobody says whose it is",
        "own": "own system",
        "processor": "a processor's",
        "third-party": "a third party's",
    }
    agreement = f" ({end.agreement})" if end.agreement else ""
    yield visible(
        f"  {fact.origin.integration} in {fact.origin.region or 'an undeclared region'} → {end.integration} in "
        f"{end.region or 'an undeclared region'}: {whose[end.party]}{agreement}, {at_rest}, {kept}"
    )


def _ruling(ruling: Ruling, paint: Paint) -> Iterator[str]:
    clause = f" ({ruling.rule.clause})" if ruling.rule.clause else ""
    yield visible(f"{_SIGNS[ruling.verdict]} {ruling.rule.name}{clause}: {ruling.verdict}")
    helps: dict[str, None] = {}
    for result in ruling.results:
        yield f"    {_sign(result.verdict, paint)} {visible(result.message)}"
        if result.diagnostic is not None:
            if result.diagnostic.place is not None:
                yield f"      {paint.blue(str(result.diagnostic.place))}"
            helps[result.diagnostic.help] = None
    yield from (f"    {paint.cyan('help')}: {visible(text)}" for text in helps if text)


def _sign(verdict: str, paint: Paint) -> str:
    colours = {"denied": paint.red, "warned": paint.yellow, "excepted": paint.yellow}
    return colours.get(verdict, paint.green)(_SIGNS.get(verdict, "✓"))


def flow_document(explained: FlowExplained) -> dict[str, Any]:
    """A flow with its facts, as conditions see them, and what each rule says."""
    return {
        "flow": str(explained.flow.key),
        "facts": [flow_values(fact) for fact in explained.facts],
        "rules": [
            {
                "rule": ruling.rule.name,
                "clause": ruling.rule.clause,
                "verdict": ruling.verdict,
                "decisions": [_decision(result) for result in ruling.results],
            }
            for ruling in explained.rulings
        ],
    }


def _decision(result: PolicyResult) -> dict[str, Any]:
    place = result.diagnostic.place if result.diagnostic is not None else None
    return {
        "object": result.object,
        "verdict": result.verdict,
        "message": result.message,
        "place": str(place) if place is not None else None,
    }
