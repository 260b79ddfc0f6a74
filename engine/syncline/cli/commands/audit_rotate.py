"""`syncline audit rotate`: another key signs the log."""

from __future__ import annotations

import click

from syncline.cli.app import App, pass_app
from syncline.cli.exit import Exit


@click.command(short_help="Replace the key that signs the log.")
@click.option(
    "--to",
    metavar="PLACE",
    default="",
    help="Where the new key is to be: file, pkcs11:TOKEN/ed25519 or pkcs11:TOKEN/p256. By default where the present "
    "one is. A rotation that was begun before is finished where it was begun to.",
)
@pass_app
def rotate(app: App, to: str) -> Exit:
    """Make a new key, have it sign the log from now on, and destroy the former one.

    The log says so in an entry that both keys sign: whoever trusts the former key goes on with it. A daemon that runs
    takes up the new key by itself. After an interruption, run it again: it finishes what was begun.
    """
    from syncline import workflow

    done = workflow.rotate_audit_key(app.settings(), to)
    if done.resumed:
        app.say("A rotation that was begun before is finished.")
        if to and to != done.place:
            app.say(f"It had begun to {done.place}, so --to {to} did nothing: run this again to have the key there.")
    app.say(f"The log is signed by a new key ({done.place}), which the former one signed; that one is destroyed:\n")
    app.say(str(done.verifier))
    return Exit.ok
