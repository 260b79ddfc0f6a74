"""`syncline secrets`: the secrets that manifests refer to. Values are never shown."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from syncline.cli.app import App, pass_app
from syncline.cli.commands.options import environment, output
from syncline.cli.exit import Exit
from syncline.cli.output.findings import FORMATS, Format, Report, relocate, render
from syncline.cli.output.jsontext import to_json
from syncline.cli.output.text import visible
from syncline.model.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Callable

    from syncline.reconciler.secrets import Looked
    from syncline.secrets.contract import Reference, Until


@click.group(short_help="Check secrets, and put them in place.")
def secrets() -> None:
    """The secrets that manifests refer to, by provider and key: PROVIDER:KEY, or PROVIDER:KEY#PATH."""


@secrets.command("list", short_help="List what is referred to.")
@output("text", "json")
@environment
@pass_app
def list_(app: App, form: str) -> Exit:
    """List every secret that is referred to, and by what. Nothing is read but the manifests."""
    from syncline import workflow
    from syncline.cli.output.table import render_table
    from syncline.reconciler.secrets import seen_uses

    settings = app.settings()
    found = seen_uses(settings, workflow.validate(settings, mapping_tests=False).desired)
    if form == "json":
        data = [{"secret": str(u.reference), "tenant": u.tenant, "objects": list(u.objects)} for u in found]
        app.say(to_json(data))
    elif not found:
        app.say("No secret is referred to.")
    else:
        rows = [[str(use.reference), use.tenant or "(shared)", ", ".join(use.objects)] for use in found]
        app.say(render_table(["SECRET", "TENANT", "USED BY"], rows, app.paint))
    return Exit.ok


@secrets.command(short_help="Resolve every secret.")
@output("text", "json")
@environment
@pass_app
def check(app: App, form: str) -> Exit:
    """Resolve every secret that is referred to, as a run would, and say what fails. No value is shown or kept.

    Stores of secrets are asked. Of a login that is made for who asks, it says when it would end, and gives it back.
    Exit code 1 when one can't be had.
    """
    from syncline import workflow
    from syncline.reconciler.secrets import check_secrets

    settings = app.settings()
    desired = workflow.validate(settings, mapping_tests=False).desired
    found = list(check_secrets(settings, desired))
    if form == "json":
        app.say(to_json([_data(looked) for looked in found]))
    else:
        for looked in found:
            _say(app, looked)
        if not found:
            app.say("No secret is referred to.")
    return Exit.ok if all(looked.ok for looked in found) else Exit.failed


def _writing(command: Callable[..., Exit]) -> Callable[..., Exit]:
    """What commands that write a secret have in common."""
    command = click.option("--generate", is_flag=True, help="A random value, which nobody sees.")(command)
    command = click.option("--tenant", metavar="TENANT", default="", help="For whom it is looked up.")(command)
    return click.argument("reference", metavar="PROVIDER:KEY")(command)


@secrets.command("set", short_help="Put a value in place.")
@_writing
@pass_app
def set_(app: App, reference: str, tenant: str, *, generate: bool) -> Exit:
    """Put a value in place, read from standard input, or asked for where that is a terminal.

    Providers that can be written to: sops, file, vault, aws, keyring, pkcs11. What was there is replaced at once;
    `rotate` keeps it for a while.
    """
    from syncline.reconciler.secrets import set_secret

    ref = _reference(reference)
    set_secret(app.settings(), ref, tenant, _value(generate=generate))
    app.say(f"{ref} is in place.")
    return Exit.ok


@secrets.command(short_help="Replace a value, with a window in which both count.")
@_writing
@click.option("--finish", is_flag=True, help="End the window: the former value counts no more, and is forgotten.")
@pass_app
def rotate(app: App, reference: str, tenant: str, *, generate: bool, finish: bool) -> Exit:
    """Replace a value by another, and keep the former one beside it until `--finish`.

    Meanwhile `syncline serve` takes deliveries that are signed with either. After an interruption, run it again: the
    value that counted still does. A second replacement before --finish is refused.
    """
    from syncline.reconciler.secrets import finish_rotation, rotate_secret

    ref, settings = _reference(reference), app.settings()
    if finish:
        there = finish_rotation(settings, ref, tenant)
        app.say(f"The former value of {ref} is forgotten." if there else f"{ref} has no former value.")
        return Exit.ok
    if rotate_secret(settings, ref, tenant, _value(generate=generate)):
        app.say(f"{ref} is replaced. The former value is kept until `syncline secrets rotate {ref} --finish`.")
    else:
        app.say(f"{ref} is in place; there was none before.")
    return Exit.ok


@secrets.command(short_help="Look for secrets in committed files.")
@click.argument("files", nargs=-1, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--staged", is_flag=True, help="What is staged for the next commit, as a hook wants it.")
@output(*FORMATS, help="How to write the findings.")
@pass_app
def scan(app: App, files: tuple[Path, ...], form: Format, *, staged: bool) -> Exit:
    """Look for secrets in FILES, or in all files of the repository that Git has: known forms of tokens and keys, and
    random values of what is named like a secret. No value is shown.

    A line that says `syncline:allow-secret` is passed over, and so is what `.secrets-allowed` lists. Exit code 1 when
    something is found.
    """
    from syncline.cli.output.excerpt import Sources
    from syncline.manifests import leaks

    if files and staged:
        raise click.UsageError("Give FILES, or --staged for those of the next commit, and not both.")
    root = app.settings().root
    if staged:
        names: tuple[str, ...] = leaks.to_be_committed(root)
    else:
        names = tuple(os.path.relpath(file, root) for file in files) or leaks.tracked(root)
    found = leaks.scan(root, names, staged=staged)
    if found or form not in {"text", "concise"}:
        shown = Report(names, 0, relocate(found, os.path.relpath(root)))
        app.say(render(shown, form, sources=Sources(root), paint=app.paint, limit=app.columns))
    else:
        app.say(f"No secret was found in {'1 file' if len(names) == 1 else f'{len(names):,} files'}.")
    return Exit.failed if found else Exit.ok


def _reference(text: str) -> Reference:
    from syncline.secrets.contract import Reference

    return Reference.parse(text)


def _value(*, generate: bool) -> Secret:
    from syncline.reconciler.secrets import random_secret

    if generate:
        return random_secret()
    if sys.stdin.isatty():
        return Secret(click.prompt("Value", hide_input=True, confirmation_prompt=True))
    value = Secret(sys.stdin.read().removesuffix("\n").removesuffix("\r"))
    if not value:
        raise click.UsageError("Standard input is empty: give the value there, or --generate.")
    return value


def _say(app: App, looked: Looked) -> None:
    sign = app.paint.green("✓") if looked.ok else app.paint.red("✗")
    name = f"{looked.use.reference} ({looked.use.tenant or 'shared'})"
    said = "" if looked.ok else f"  {looked.code}  {visible(looked.message)}"
    if looked.until is not None:
        said = f"  made for us until {_time(looked.until)}" + (", renewable" if looked.until.renewable else "")
    app.say(f"{sign} {visible(name)}{said}")
    if looked.help:
        app.say(f"    {app.paint.cyan(visible(looked.help))}")


def _data(looked: Looked) -> dict[str, object]:
    return {
        "secret": str(looked.use.reference),
        "tenant": looked.use.tenant,
        "objects": list(looked.use.objects),
        "ok": looked.ok,
        "code": looked.code,
        "message": looked.message,
        "expires": _time(looked.until),
    }


def _time(until: Until | None) -> str:
    return f"{until.ends:%Y-%m-%dT%H:%M:%SZ}" if until is not None else ""
