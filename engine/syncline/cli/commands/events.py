"""`syncline events`: what happened, newest last."""

from __future__ import annotations

import time

import click

from syncline.cli.app import App, pass_app
from syncline.cli.commands.options import output
from syncline.cli.exit import Exit
from syncline.cli.output.jsontext import to_json

#: Seconds between looks for new events.
EVERY = 1.0


@click.command(short_help="Show what happened.")
@click.argument("name", required=False, metavar="[[TENANT/]KIND/NAME]")
@click.option("--tenant", metavar="TENANT", help="Of this tenant only.")
@click.option(
    "--limit", type=click.IntRange(min=1), metavar="N", default=50, show_default=True, help="How many at most."
)
@click.option("-f", "--follow", is_flag=True, help="Go on with what happens from now on, until it is interrupted.")
@output("text", "json", help="How to write them; json is one object a line.")
@pass_app
def events(app: App, name: str | None, tenant: str | None, limit: int, form: str, *, follow: bool) -> Exit:
    """Show what happened to objects, newest last: applied, moved, retired; runs that started and how they ended; what
    stopped being ready, and was ready again. Of one object when NAME is given.

    The newest 10,000 events are kept. The audit log is the evidence, and keeps everything: `syncline audit`.
    """
    from syncline.cli.output.statuses import event_data, render_events
    from syncline.executor.access.roles import view

    settings = app.settings()
    last = 0
    with view(settings) as reader:
        key = None
        if name is not None:
            from syncline.cli.names import find_object

            known = {o.key for o in reader.objects()} | set(reader.statuses())
            key = find_object(name, known, tenant=tenant or "")
        while True:
            found = reader.events(key, tenant, last, limit)
            if form == "json":
                for event in found:
                    app.say(to_json(event_data(event), indent=None))
            elif text := render_events(found, app.paint, head=not follow and not last):
                app.say(text)
            if not follow:
                return Exit.ok
            last, limit = found[-1].number if found else last, 1_000
            time.sleep(EVERY)
