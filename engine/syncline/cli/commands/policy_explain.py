"""`syncline policy explain`: what a rule demands and decides, or which rules bear on a flow and what each says."""

from __future__ import annotations

import click
from msgspec.structs import replace

from syncline.cli.app import App, pass_app
from syncline.cli.commands.options import environment, output
from syncline.cli.exit import Exit
from syncline.cli.names import FLOWS, find_object
from syncline.cli.output.jsontext import to_json
from syncline.model.errors import Invalid


@click.command(short_help="Explain a rule, or why a flow is allowed or denied.")
@click.argument("name", metavar="RULE|FLOW")
@click.option("--tenant", default="", metavar="TENANT", help="Look for the flow in this tenant only.")
@output("text", "json")
@environment
@pass_app
def explain(app: App, name: str, tenant: str, form: str) -> Exit:
    """Explain a rule: what it demands, whom it binds, what it sees, and what it decides today. Or a declared flow:
    the facts of its fields, and what each rule that bears on it says.

    It is decided by the same evaluator as plans, applies and runs.

    \b
    Examples:
      syncline policy explain residency
      syncline policy explain gdpr/transfers
      syncline policy explain acme/Sync/orders
    """  # noqa: D301 - click reads a backspace as: don't wrap what follows
    from syncline import workflow
    from syncline.cli.output.policies import flow_document, render_flow, render_rule, rule_document
    from syncline.executor.access.seen import KEPT_BACK, unseen_of
    from syncline.manifests.catalog import catalog
    from syncline.policy.explain import decisions_of, explain_flow, find_rule, known_rules
    from syncline.validation import policy_subjects

    settings = app.settings()
    validation = workflow.validate(settings, mapping_tests=False)
    subjects = policy_subjects(settings.root, validation.desired, validation.flows)
    unseen = unseen_of(settings, validation.desired.objects.values())
    rules = known_rules(subjects, catalog())
    rules = tuple(rule.without(unseen.tenants) for rule in rules if rule.policy is None or unseen.sees(rule.policy.key))
    if name not in {rule.name for rule in rules}:
        try:
            key = find_object(name, filter(unseen.sees, validation.flows), kinds=FLOWS, tenant=tenant, declared=True)
        except Invalid:
            if not any(kind.lower() in name.lower().split("/") for kind in FLOWS):
                find_rule(name, rules)  # says which rule was meant
            raise
        explained = explain_flow(subjects, validation.flows[key].flow, rules)
        rulings = tuple(replace(one, results=unseen.results(one.results)) for one in explained.rulings)
        explained = replace(explained, rulings=rulings)
        app.say(to_json(flow_document(explained)) if form == "json" else render_flow(explained, app.paint))
        return Exit.ok
    found = [(rule, unseen.results(decisions_of(subjects, rule))) for rule in find_rule(name, rules)]
    if form == "json":
        app.say(to_json([rule_document(rule, decided) for rule, decided in found]))
    else:
        app.say("\n".join(render_rule(rule, decided, app.paint) for rule, decided in found))
    if unseen:
        app.note(KEPT_BACK)
    return Exit.ok
