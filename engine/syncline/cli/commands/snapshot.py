"""`syncline snapshot`: the state as a signed file without anything secret, for plans where it is out of reach."""

from __future__ import annotations

from pathlib import Path

import click

from syncline.cli.app import App, pass_app
from syncline.cli.commands.options import write_file
from syncline.cli.exit import Exit


@click.group(short_help="Export the state for plans elsewhere.")
def snapshot() -> None:
    """Snapshots of the state, signed and redacted: what `plan --snapshot` needs, and nothing more.

    In one are the applied declarations (which name secrets and hold none), which flows have a position, and how much
    their runs read. Positions, records, rejects, logs and tokens are never in it.
    """


@snapshot.command(short_help="Write a snapshot.")
@click.option(
    "--out",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="The file to write; a file that is there is replaced.",
)
@pass_app
def export(app: App, out: Path) -> Exit:
    """Write a signed snapshot of the state as it is now. `syncline serve --snapshot FILE` does it after each apply."""
    from syncline import workflow

    write_file(out, workflow.export_snapshot(app.settings()))
    app.say(f"{app.paint.green('Written')} to {out}. `syncline snapshot key` shows the key that verifies it.")
    return Exit.ok


@snapshot.command(short_help="Show the key that verifies snapshots.")
@pass_app
def key(app: App) -> Exit:
    """Print the public key of this state's snapshots: what `plan --snapshot-key` wants. It isn't secret."""
    from syncline import workflow

    app.say(workflow.snapshot_key(app.settings()))
    return Exit.ok
