"""`syncline notifications`: what subscriptions have told, and what they couldn't; a test of one."""

from __future__ import annotations

import click

from syncline.cli.app import App, pass_app
from syncline.cli.commands.options import environment, output
from syncline.cli.exit import Exit
from syncline.cli.output.jsontext import to_json


@click.command(short_help="Show what was told to whom; test a subscription.")
@click.argument("name", required=False, metavar="[SUBSCRIPTION]")
@click.option("--tenant", metavar="TENANT", help="Of this tenant only.")
@click.option(
    "--limit", type=click.IntRange(min=1), metavar="N", default=50, show_default=True, help="How many at most."
)
@click.option(
    "--state",
    type=click.Choice(["pending", "sent", "failed", "dropped"]),
    help="Only those that stand so, among the newest.",
)
@click.option("--test", is_flag=True, help="Send a test message the way that the declared SUBSCRIPTION does.")
@output("text", "json", help="How to write them; json is one object a line.")
@environment
@pass_app
def notifications(
    app: App, name: str | None, tenant: str | None, limit: int, state: str | None, form: str, *, test: bool
) -> Exit:
    """Show messages of subscriptions, newest last: sent, pending with the next attempt and what the last one failed of,
    failed for good, or dropped since they were no longer true before anything was sent. Of one subscription when
    SUBSCRIPTION is given.

    With --test, a test message is sent by what is declared, applied or not.
    """
    from syncline.cli.names import find_object
    from syncline.cli.output.notifications import message_data, render_messages
    from syncline.executor.access.roles import view

    if test:
        if name is None:
            raise click.UsageError("--test needs the SUBSCRIPTION to test.")
        return _test(app, name, tenant or "")
    settings = app.settings()
    with view(settings) as reader:
        key = None
        if name is not None:
            known = {o.key for o in reader.objects()} | {m.key for m in reader.messages(limit=10_000)}
            key = find_object(name, known, kinds=("Subscription",), tenant=tenant or "")
        found = reader.messages(key, tenant, 10_000 if state else limit)
    shown = [message for message in found if state in {None, str(message.state).lower()}][-limit:]
    if form == "json":
        for message in shown:
            app.say(to_json(message_data(message), indent=None))
    else:
        app.say(render_messages(shown, app.paint))
    return Exit.ok


def _test(app: App, name: str, tenant: str) -> Exit:
    from syncline import inspection, workflow
    from syncline.cli.names import find_object
    from syncline.cli.seen import keys_of

    settings = app.settings()
    validation = workflow.validate(settings, mapping_tests=False)
    key = find_object(
        name, keys_of(settings, validation.desired), kinds=("Subscription",), tenant=tenant, declared=True
    )
    app.say(f"A test message of {key} was sent to {inspection.try_subscription(settings, validation, key)}.")
    return Exit.ok
