"""`syncline connector diff`: what changed between two versions of a connector, and the version that it demands."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

import click

from syncline.cli.app import App, pass_app
from syncline.cli.commands.options import output
from syncline.cli.exit import Exit, exit_code
from syncline.cli.output.jsontext import to_json
from syncline.model.errors import Invalid

if TYPE_CHECKING:
    from collections.abc import Sequence

    from syncline.manifests.demands.bumps import Bump
    from syncline.model.diagnostic import Diagnostic
    from syncline.model.manifest import Manifest
    from syncline.settings import Settings

_VERSION = re.compile(
    r"(?:(?P<tenant>[a-z0-9-]+)/)?(?P<name>[a-z0-9][-a-z0-9]*)@(?P<version>\d+\.\d+\.\d+(?:-[0-9A-Za-z.-]+)?)"
)


@click.command(short_help="Compare versions of a connector.")
@click.argument("old")
@click.argument("new")
@output("text", "json", "markdown", "github", "sarif")
@pass_app
def diff(app: App, old: str, new: str, form: str) -> Exit:
    """Compare two versions of a connector: what is breaking, additive or a fix, and the version that this demands.

    OLD and NEW are each a file or a folder; REVISION:PATH as in Git, relative to the repository; or
    [TENANT/]NAME@VERSION, which is declared in it or shipped. Of several connectors in them those of one name are
    compared: each version with itself, else with the one before it.

    Breaking changes demand the next major version, additions the next minor one, everything else the next patch; below
    1.0.0 the next minor version and the next patch. A pre-release of that version is enough; after a pre-release,
    whatever is higher is.

    Exit code: 0, or 1 when a version was raised too little (SYN260).

    \b
    Examples:
      syncline connector diff main:connectors/helpdesk.yaml connectors/helpdesk.yaml
      syncline connector diff helpdesk@1.3.0 helpdesk@2.0.0 -o markdown
    """  # noqa: D301 - click reads a backspace as: don't wrap what follows
    from syncline.manifests.demands import bumps

    settings = app.settings()
    before, after = _side(settings, old), _side(settings, new)
    alone = len(before) == len(after) == 1
    found = [bumps.bump(*pair) for pair in ([(before[0], after[0])] if alone else bumps.pairs(before, after))]
    findings = [f for f in map(bumps.finding, found) if f is not None]
    app.say(_render(app, found, findings, form))
    if form == "text":
        for finding in findings:
            app.note(f"{app.paint_errors.red(f'error[{finding.code}]')}: {finding.message}")
    return exit_code(findings)


def _render(app: App, found: Sequence[Bump], findings: Sequence[Diagnostic], form: str) -> str:
    from syncline.cli.output import evolution

    match form:
        case "json":
            return to_json(evolution.diff_data(found))
        case "markdown":
            return evolution.render_markdown(found)
        case "github" | "sarif":
            from syncline.cli.output.excerpt import Sources
            from syncline.cli.output.findings import Report, render

            files = sorted({f.place.file for f in findings if f.place})
            report = Report(files, len(found), findings)
            return render(report, "github" if form == "github" else "sarif", sources=Sources(Path()), paint=app.paint)
        case _:
            return evolution.render_diff(found, app.paint)


def _side(settings: Settings, text: str) -> tuple[Manifest, ...]:
    """The connectors that an argument means; `Invalid` (SYN262) where there are none."""
    path = Path(text)
    if text and path.exists():
        found = _files(path)
    elif match := _VERSION.fullmatch(text):
        found = _declared(settings, match["tenant"] or "", match["name"], match["version"])
    elif ":" in text:
        from syncline.manifests.revisions import connectors_at

        revision, _, below = text.partition(":")
        found = connectors_at(settings.root, revision, below.removeprefix("./") or ".")
    else:
        found = ()
    if found:
        return found
    raise Invalid(
        f"there is no connector in {text!r}" if text and (path.exists() or ":" in text) else f"there is no {text!r}",
        code="SYN262",
        help="Give a file or folder with connectors, REVISION:PATH, or NAME@VERSION of one that is declared.",
    )


def _files(path: Path) -> tuple[Manifest, ...]:
    """Connectors in a file or below a folder, which must be valid; places are of the current folder."""
    from syncline.manifests.load import load_text, load_tree
    from syncline.manifests.revisions import connectors_of
    from syncline.model.diagnostic import has_errors

    names = [Path(os.path.normpath(path / file)) for file in load_tree(path).files] if path.is_dir() else [path]
    texts = [(name.as_posix(), name.read_text(encoding="utf-8-sig", errors="replace")) for name in names]
    wrong = [d for name, text in texts for d in load_text(text, name).diagnostics] if not path.is_dir() else []
    if has_errors(wrong):
        raise Invalid(f"{path} is not valid", diagnostics=wrong)
    return connectors_of(texts)


def _declared(settings: Settings, tenant: str, name: str, version: str) -> tuple[Manifest, ...]:
    from syncline import workflow
    from syncline.cli.seen import keys_of

    desired = workflow.validate(settings, mapping_tests=False).desired
    unseen = desired.objects.keys() - keys_of(settings, desired)
    return tuple(m for m in desired.connectors(tenant, name) if m.key.version == version and m.key not in unseen)
