"""`syncline init`: a configuration repository that validates, plans and runs as it is."""

from __future__ import annotations

from pathlib import Path

import click

from syncline.cli.app import App, pass_app
from syncline.cli.exit import Exit
from syncline.cli.output.text import visible


@click.command(short_help="Start a configuration repository.")
@click.argument("directory", required=False, type=click.Path(file_okay=False, path_type=Path), metavar="[DIR]")
@pass_app
def init(app: App, directory: Path | None) -> Exit:
    """Write a small configuration repository into DIR (the current folder by default).

    It has a tenant, a policy, an import with its mapping and data, a CI workflow that validates and plans on every pull
    request, a pre-commit hook and editor settings. No file is ever replaced.
    """
    from syncline.manifests.scaffold import write

    folder = directory or app.root
    written = write(folder)
    for path in written:
        app.say(f"{app.paint.green('+')} {visible(str(path))}")
    go = "" if folder == Path() else f"  cd {folder}\n"
    app.note(
        f"\nNext:\n{go}  syncline validate\n  syncline plan\n  syncline apply --yes\n  syncline run Import/customers"
    )
    return Exit.ok
