"""`syncline fmt`: manifests in the one layout, with comments kept and meaning unchanged."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import click

from syncline.cli.app import App, pass_app
from syncline.cli.commands.options import write_file
from syncline.cli.exit import Exit
from syncline.cli.output.text import plural, visible
from syncline.model.diagnostic import Diagnostic
from syncline.model.errors import Invalid

_OURS = re.compile(rb"(?m)^[\"']?apiVersion[\"']?\s*:\s*[\"']?syncline/")


@click.command(short_help="Format manifests.")
@click.argument("paths", nargs=-1, type=click.Path(exists=True, path_type=Path), metavar="[PATH]...")
@click.option("--check", is_flag=True, help="Change nothing; exit with 1 and name the files that would change.")
@click.option("--ours", is_flag=True, help="Leave alone what holds no manifests, of the files named too (for hooks).")
@pass_app
def fmt(app: App, paths: tuple[Path, ...], *, check: bool, ours: bool) -> Exit:
    """Write manifests in the one layout: order of the envelope, indents, quotes. Comments stay.

    PATHs are files or folders; the whole repository when there is none. A file that can't be read, or whose meaning
    would change, is left as it is and reported.
    """
    from syncline.manifests.format import fmt as formatted

    changed, refused, seen = 0, list[Diagnostic](), 0
    for path in _files(paths or (app.root,)):
        if ours and not _OURS.search(path.read_bytes()):
            continue
        seen += 1
        try:
            before = path.read_bytes().decode("utf-8")
            after = formatted(before, str(path))
        except Invalid as error:
            refused += error.diagnostics
            continue
        except UnicodeDecodeError:
            refused += _undecodable(path)
            continue
        if after == before:
            continue
        changed += 1
        app.say(f"{'would change' if check else 'formatted'} {visible(str(path))}")
        if not check:
            write_file(path, after)
    if refused:
        from syncline.cli.output.excerpt import Sources
        from syncline.cli.output.findings_text import render_text

        app.note(render_text(refused, Sources(Path()), app.paint_errors))
    files = plural(seen, "file")
    if changed:
        app.note(f"{changed} of {files} {'would change' if check else 'changed'}.")
    else:
        app.note(f"{files}: nothing to change.")
    return Exit.failed if refused or (check and changed) else Exit.ok


def _files(paths: tuple[Path, ...]) -> Iterator[Path]:
    """Files as given; in folders those that hold manifests of ours, and not under names that begin with a dot."""
    for path in paths:
        if not path.is_dir():
            yield path
            continue
        for file in sorted(path.rglob("*")):
            hidden = any(part.startswith(".") for part in file.relative_to(path).parts)
            regular = not hidden and file.is_file() and not file.is_symlink()
            if regular and file.suffix in {".yaml", ".yml"} and _OURS.search(file.read_bytes()):
                yield file


def _undecodable(path: Path) -> list[Diagnostic]:
    from syncline.manifests.text import decode

    found = decode(path.read_bytes(), str(path))
    return [found] if isinstance(found, Diagnostic) else []
