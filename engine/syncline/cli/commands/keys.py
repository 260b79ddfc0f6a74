"""`syncline keys`: the keys that seal what is kept at rest. Their values are never shown."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
from msgspec import to_builtins

from syncline.cli.app import App, pass_app
from syncline.cli.commands.options import output
from syncline.cli.exit import Exit
from syncline.cli.output.jsontext import to_json

if TYPE_CHECKING:
    from syncline.reconciler.keys import Keys


@click.group(short_help="Care for the keys of what is kept sealed.")
def keys() -> None:
    """The key ring: one key-encryption key wraps a data key for each tenant, which seals rejects and tokens."""


@keys.command("list", short_help="List keys, without values.")
@output("text", "json")
@pass_app
def list_(app: App, form: str) -> Exit:
    """List the keys: where the key-encryption key is, whose data keys it wraps, whether a rotation is unfinished."""
    from syncline.reconciler.keys import list_keys

    found = list_keys(app.settings())
    app.say(to_json(to_builtins(found)) if form == "json" else _text(app, found))
    return Exit.ok


@keys.command(short_help="Replace the key-encryption key.")
@click.option(
    "--to",
    metavar="PLACE",
    default="",
    help="Where the new key is to be: file, vault:MOUNT/KEY (transit), or pkcs11:TOKEN. By default where the "
    "present one is.",
)
@pass_app
def rotate(app: App, to: str) -> Exit:
    """Make a new key-encryption key, have it wrap every data key, and destroy the old one.

    What is sealed stays as it is, and can be read all the time. After an interruption, run it again: it finishes what
    was begun.
    """
    from syncline.reconciler.keys import rotate_keys

    done = rotate_keys(app.settings(), to)
    if done.resumed:
        app.say("A rotation that was begun before is finished.")
    app.say(
        f"Key {done.entry.id} at {done.entry.place} wraps {done.count} data keys; the one at {done.former} is replaced."
    )
    for remaining in done.remains:
        app.say(f"Remains to do: {remaining}.")
    return Exit.ok


@keys.command(short_help="Destroy a tenant's data key.")
@click.argument("tenant")
@click.option("--yes", is_flag=True, help="Really do it.")
@pass_app
def destroy(app: App, tenant: str, *, yes: bool) -> Exit:
    """Destroy the data key of TENANT: what it sealed can't be read any more by anyone, in backups either.

    Its rejects, samples, stored tokens and keyed hashes are gone. Backups of the key folder are out of reach: destroy
    them too.
    """
    from syncline.reconciler.keys import destroy_key

    if not tenant:
        raise click.UsageError("TENANT is empty. The key of what is shared can't be destroyed.")
    if not yes:
        raise click.UsageError(f"This erases what is sealed for {tenant}, for good. Add --yes to do it.")
    there = destroy_key(app.settings(), tenant)
    app.say(f"The data key of {tenant} is destroyed." if there else f"{tenant} has no data key.")
    return Exit.ok


@keys.command(short_help="Go on without keys that are lost.")
@click.option("--gone", metavar="PLACE", multiple=True, help="A key-encryption key elsewhere that is gone for good.")
@click.option("--yes", is_flag=True, help="Really go on without them.")
@output("text", "json")
@pass_app
def lost(app: App, gone: tuple[str, ...], form: str, *, yes: bool) -> Exit:
    """Say which keys are lost, and what can't be read any more without them; with --yes, go on under new ones.

    Try a backup of the key folder first: with it, everything is as it was. What is found here of the lost keys isn't
    destroyed but set aside, and what they sealed stays where it is: it counts as destroyed (SYN823), and the audit log
    has how much it was.
    """
    from syncline.cli.output.lost_keys import render_loss
    from syncline.reconciler.lost_keys import acknowledge, find_loss

    loss = acknowledge(app.settings(), gone) if yes else find_loss(app.settings(), gone)
    app.say(to_json(to_builtins(loss)) if form == "json" else render_loss(loss, done=yes))
    return Exit.changes if loss.any_lost and not yes else Exit.ok


def _text(app: App, found: Keys) -> str:
    from syncline.cli.output.table import render_table

    if not found.keks:
        return "There are no keys yet: the first apply makes them."
    state = ["wraps now" if entry == found.keks[-1] and entry.ready else "being replaced" for entry in found.keks]
    if not found.keks[-1].ready:
        state[-1] = "being made"
    rows = [[e.id, e.place, e.made, s] for e, s in zip(found.keks, state, strict=True)]
    text = render_table(["KEY-ENCRYPTION KEY", "PLACE", "MADE", "STATE"], rows, app.paint)
    rows = [[key.tenant or "(shared)", key.kek] for key in found.data]
    if rows:
        text += "\n\n" + render_table(["DATA KEY OF", "WRAPPED BY"], rows, app.paint)
    if len(found.keks) > 1:
        text += "\n\nA rotation isn't finished: `syncline keys rotate` goes on with it."
    return text
