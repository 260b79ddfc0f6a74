"""`syncline audit attest` and `key`: what others need to check a run without Syncline."""

from __future__ import annotations

from pathlib import Path

import click

from syncline.cli.app import App, pass_app
from syncline.cli.commands.audit_log import open_log
from syncline.cli.commands.options import out, output, write_file
from syncline.cli.exit import Exit
from syncline.cli.output.jsontext import to_json


@click.command(short_help="Attest what a run did.")
@click.argument("run", metavar="RUN")
@output(
    "sigstore", "dsse", help="A Sigstore bundle (v0.3) with the proof that the log notes it, or the envelope alone."
)
@out("Write it to a file (by convention *.sigstore.json), instead of standard output.")
@pass_app
def attest(app: App, run: str, form: str, out: Path | None) -> Exit:
    """Sign an in-toto Statement of what the log says of a RUN: commit, plan, policy's decision, counts and digests.

    The log notes it. Others check it with the key that `syncline audit key` prints.
    """
    from syncline import workflow

    settings = app.settings()
    record = workflow.find_run(settings, run)
    made = workflow.attest(settings, record, bundle=form == "sigstore")
    if out is None:
        app.say(made.decode())
    else:
        write_file(out, made)
        app.note(f"Attestation of run {record.id} written to {out}.")
    return Exit.ok


@click.command(short_help="Show the log's public key.")
@output(
    "text",
    "pem",
    "trusted-root",
    "changes",
    help="A verifier key (C2SP signed-note), PEM, Sigstore's trusted root, or the changes of the key so far.",
)
@pass_app
def key(app: App, form: str) -> Exit:
    """Print the public key of the log, for whoever verifies it.

    They have to get it from you by another way than the evidence: a key that comes with it proves nothing. Whoever has
    a former key needs no new one: each change of keys is signed by the former.
    """
    from syncline.audit import sigstore
    from syncline.audit.key_change import history_of

    fetcher, found = open_log(app.settings(), None)
    match form:
        case "pem":
            app.say(sigstore.pem(found).decode())
        case "trusted-root":
            app.say(to_json(sigstore.trusted_root(*history_of(fetcher, [found]).keys)))
        case "changes":
            changes = history_of(fetcher, [found]).changes
            app.say(to_json([change.note.decode() for change in changes]))
        case _:
            app.say(str(found))
    return Exit.ok
