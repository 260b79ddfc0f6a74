"""`syncline audit export`: the log for an auditor."""

from __future__ import annotations

import io
from pathlib import Path

import click

from syncline.cli.app import App, pass_app
from syncline.cli.commands.audit_log import open_log, witness_policy
from syncline.cli.commands.options import write_file
from syncline.cli.exit import Exit


@click.command(short_help="Write a bundle for an auditor.")
@click.option(
    "--out",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="The zip to write.",
)
@click.option(
    "--prove", "proofs", type=click.IntRange(min=0), multiple=True, metavar="ENTRY", help="Add a proof of an entry."
)
@pass_app
def export(app: App, out: Path, proofs: tuple[int, ...]) -> Exit:
    """Write the log, its key and a verifier of one short file into a zip that an auditor can check offline."""
    from syncline import workflow
    from syncline.audit.export import export as bundle
    from syncline.executor.access.roles import demand_all

    settings = app.settings()
    demand_all(settings)
    fetcher, key = open_log(settings, None)
    buffer = io.BytesIO()
    policy = settings.witnesses.read_bytes() if witness_policy(settings, None) is not None else None
    head = bundle(fetcher, key, buffer, proofs, policy)
    write_file(out, buffer.getvalue(), private=True)
    workflow.audit_exported(settings, f"{head.size} entries")
    app.say(f"{app.paint.green('Exported')} {head.size:,} entries to {out}. Verify it with the verify.py inside.")
    return Exit.ok
