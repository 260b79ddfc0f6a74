"""`syncline audit show` and `verify`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from syncline.cli.app import App, pass_app
from syncline.cli.commands.audit_log import entries_of, kept_checkpoint, open_log, witness_policy
from syncline.cli.commands.options import output
from syncline.cli.exit import Exit
from syncline.cli.output.jsontext import to_json


@click.command(short_help="Show entries.")
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    metavar="N",
    default=50,
    show_default=True,
    help="How many, counted from the end.",
)
@click.option("--object", "subject", metavar="OBJECT", help="Of this object only, such as acme/Sync/helpdesk-tasks.")
@click.option("--action", metavar="ACTION", help="Of this action only, such as run.finish.")
@output("text", "json", help="How to write them; json is the entries themselves (OCSF), one a line.")
@pass_app
def show(app: App, limit: int, subject: str | None, action: str | None, form: str) -> Exit:
    """Show the newest entries, oldest first. This doesn't verify them: `syncline audit verify` does."""
    from collections import deque

    from syncline.cli.output.audit_text import render_entries
    from syncline.executor.access.roles import hidden, tells_of

    chosen: deque[tuple[int, dict[str, Any]]] = deque(maxlen=limit)
    unseen = hidden(app.settings())
    for index, entry in enumerate(entries_of(app.settings())):
        event = json.loads(entry)
        if unseen and tells_of(event, unseen):
            continue
        about = event["unmapped"].get("object") if isinstance(event.get("unmapped"), dict) else None
        if subject in {None, about} and action in {None, event["metadata"]["event_code"]}:
            chosen.append((index, event))
    if form == "json":
        for index, event in chosen:
            app.say(to_json({"index": index, **event}, indent=None))
    else:
        app.say(render_entries(tuple(chosen), app.paint))
    return Exit.ok


@click.command(short_help="Verify the whole log.")
@click.option(
    "--key", "key_text", metavar="KEY", help="The log's public key that you trust; by default this home's own."
)
@click.option(
    "--since",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="An earlier checkpoint that you kept; the log must continue it.",
)
@click.option(
    "--witnesses",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Demand the cosignatures that this policy does; by default witnesses.policy, where there is one.",
)
@output("text", "json")
@pass_app
def verify(app: App, key_text: str | None, since: Path | None, witnesses: Path | None, form: str) -> Exit:
    """Recompute the log from its entries, and hold it against its signed checkpoint and what witnesses cosigned.

    A finding names the first entry that is not what was signed. Exit code 1 when there is one.
    """
    from syncline.audit import verify as verifying
    from syncline.cli.output.audit_text import render_verification, verification_data

    settings = app.settings()
    fetcher, key = open_log(settings, key_text)
    policy = witness_policy(settings, witnesses)
    earlier = kept_checkpoint(since, fetcher, key) if since else None
    found = verifying.verify(fetcher, key.name, [key], earlier, policy)
    if form == "json":
        app.say(to_json(verification_data(found, str(key))))
    else:
        app.say(render_verification(found, str(key), app.paint, since=earlier.size if earlier else None))
    return Exit.ok if found.ok else Exit.failed
