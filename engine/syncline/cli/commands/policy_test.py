"""`syncline policy test`: what rules allow and deny, by the tests that they carry."""

from __future__ import annotations

import click

from syncline.cli.app import App, pass_app
from syncline.cli.commands.options import environment, output
from syncline.cli.exit import Exit
from syncline.cli.output.jsontext import to_json


@click.command(short_help="Try the rules of policies and packs by their own tests.")
@click.argument("names", nargs=-1, metavar="[POLICY]...")
@output("text", "json")
@environment
@pass_app
def test(app: App, names: tuple[str, ...], form: str) -> Exit:
    """Try the tests that rules carry, of declared policies and of the packs that are shipped; or of those named.

    Exit code 1 where one fails. `validate` tries those of declared policies as well.
    """
    from syncline.cli.names import find_object
    from syncline.cli.output.policies import render_tests, tests_document
    from syncline.cli.seen import declared
    from syncline.manifests.catalog import catalog
    from syncline.policy.tests import try_policy

    settings = app.settings()
    found = {**catalog(), **{m.key: m for m in declared(settings)[0].manifests}}
    policies = {key: manifest for key, manifest in found.items() if key.kind == "Policy"}
    chosen = [find_object(name, policies, declared=True) for name in names] or sorted(policies)
    tried = {key: tuple(try_policy(policies[key])) for key in chosen}
    if form == "json":
        app.say(to_json(tests_document(tried)))
    else:
        app.say(render_tests(tried, app.paint))
    return Exit.failed if any(case.problem for cases in tried.values() for case in cases) else Exit.ok
