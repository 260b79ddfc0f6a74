"""`syncline schema`: JSON Schema of the manifests, for editors and other tools."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from syncline.cli.app import App, pass_app
from syncline.cli.commands.options import write_file
from syncline.cli.exit import Exit
from syncline.cli.output.jsontext import to_json
from syncline.cli.output.text import plural, visible

if TYPE_CHECKING:
    from collections.abc import Iterator


@click.group(short_help="Export JSON Schema for editors.")
def schema() -> None:
    """JSON Schema of the manifests, and the comments by which editors find it."""


@schema.command(short_help="Write JSON Schema.")
@click.option("--kind", metavar="KIND", help="Of this kind only; without it one schema accepts all kinds.")
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path),
    metavar="FILE|DIR",
    help="Where to write it; into a folder one file for each kind, and one for all.",
)
@pass_app
def export(app: App, kind: str | None, out: Path | None) -> Exit:
    """Write the JSON Schema (draft 2020-12) of all kinds, or of one, to standard output, a file or a folder."""
    from syncline.kinds import KIND_BY_NAME
    from syncline.manifests.schema import export as exported

    if kind is not None and kind not in KIND_BY_NAME:
        raise click.BadParameter(f"there are {', '.join(KIND_BY_NAME)}.", param_hint="--kind")
    if out is None:
        app.say(_text(exported(kind)))
        return Exit.ok
    if not out.is_dir() and out.suffix != "":
        write_file(out, _text(exported(kind)))
        app.note(f"Written to {out}.")
        return Exit.ok
    out.mkdir(parents=True, exist_ok=True)
    chosen: list[str | None] = [kind] if kind else [None, *KIND_BY_NAME]
    for name in chosen:
        write_file(out / f"{(name or 'syncline').lower()}.schema.json", _text(exported(name)))
    app.note(f"{plural(len(chosen), 'schema')} written to {out}.")
    return Exit.ok


@schema.command(short_help="Add the comments by which editors find the schema.")
@click.option("--write", is_flag=True, help="Add them to the files; without it the files are only named.")
@pass_app
def modeline(app: App, *, write: bool) -> Exit:
    """Add a comment to every manifest that has none, so that an editor completes and checks its fields.

    The schema is written to `.vscode/syncline.schema.json`, where the comments point to. Exit code 1 when files lack
    the comment and --write isn't given.
    """
    from syncline.manifests.schema import SCHEMA_FILE, export, modeline

    root = app.settings().root
    lacking = list(_lacking(root))
    for path in lacking:
        app.say(visible(path.relative_to(root).as_posix()))
        if write:
            up = "../" * (len(path.relative_to(root).parts) - 1)
            line = modeline(f"{up}{SCHEMA_FILE}" if up else f"./{SCHEMA_FILE}")
            write_file(path, f"{line}\n{path.read_bytes().decode('utf-8').removeprefix(chr(0xFEFF))}")
    if write:
        (root / SCHEMA_FILE).parent.mkdir(parents=True, exist_ok=True)
        write_file(root / SCHEMA_FILE, _text(export()))
        app.note(f"{plural(len(lacking), 'file')} changed; the schema is in {SCHEMA_FILE}.")
        return Exit.ok
    app.note(f"{plural(len(lacking), 'file')} without the comment." + (" Add it with --write." if lacking else ""))
    return Exit.failed if lacking else Exit.ok


def _text(data: object) -> str:
    return to_json(data)


def _lacking(root: Path) -> Iterator[Path]:
    """Files that hold manifests, and no modeline."""
    from syncline.manifests.load import load_tree

    loaded = load_tree(root)
    for name in sorted({manifest.place.file for manifest in loaded.manifests}):
        if "yaml-language-server:" not in (root / name).read_text(encoding="utf-8", errors="replace")[:2000]:
            yield root / name
