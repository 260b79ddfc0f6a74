"""`syncline get`: what is applied, or what is declared."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from syncline.cli.app import App, pass_app
from syncline.cli.commands.options import environment, output
from syncline.cli.exit import Exit
from syncline.cli.output.jsontext import to_json

if TYPE_CHECKING:
    from syncline.settings import Settings


_HEADS = {"applied": "APPLIED (UTC)"}


@click.command(short_help="List objects.")
@click.argument("kind", required=False, metavar="[KIND]")
@click.option("--tenant", metavar="TENANT", help="Of this tenant only.")
@click.option("--declared", is_flag=True, help="What is declared in the working tree, instead of what is applied.")
@output("text", "json")
@environment
@pass_app
def get(app: App, kind: str | None, tenant: str | None, form: str, *, declared: bool) -> Exit:
    """List what is applied (or declared): its name, where it was declared, at which revision, and since when.

    KIND is a kind in any spelling: Sync, sync or syncs.
    """
    from syncline.cli.output.table import render_table

    wanted = kind_named(kind) if kind else None
    settings = app.settings()
    rows = [
        row
        for row in (_declared(settings) if declared else _applied(settings))
        if wanted in {None, row["kind"]} and (tenant is None or row["tenant"] == tenant)
    ]
    if form == "json":
        app.say(to_json(rows))
    elif not rows:
        word = "declared" if declared else "applied"
        app.say(
            f"There is nothing {word}{f' among {kind}' if kind else ''}."
            + ("" if declared else " `syncline get --declared` lists manifests.")
            + ("" if declared else " `syncline get --declared` lists manifests.")
        )
    else:
        head = ["object", "place"] if declared else ["object", "generation", "revision", "applied", "place"]
        cells = [[_short(name, row[name]) for name in head] for row in rows]
        app.say(render_table([_HEADS.get(name, name.upper()) for name in head], cells, app.paint))
    return Exit.ok


def kind_named(text: str) -> str:
    from difflib import get_close_matches

    from syncline.kinds import KIND_BY_NAME

    spellings = {spelling.lower(): k.name for k in KIND_BY_NAME.values() for spelling in (k.name, k.plural)}
    found = spellings.get(text.lower())
    if found is None:
        near = get_close_matches(text.lower(), spellings, n=1)
        hint = f" Did you mean {spellings[near[0]]}?" if near else f" There are {', '.join(KIND_BY_NAME)}."
        raise click.UsageError(f"There is no kind {text!r}.{hint}")
    return found


def _applied(settings: Settings) -> list[dict[str, Any]]:
    from syncline import workflow

    return [
        {
            "object": str(a.key),
            "tenant": a.key.tenant,
            "kind": a.key.kind,
            "name": a.key.name,
            "generation": a.generation,
            "revision": a.revision,
            "plan": a.plan,
            "applied": a.applied,
            "digest": a.digest,
            "place": a.place,
        }
        for a in workflow.objects(settings)
    ]


def _declared(settings: Settings) -> list[dict[str, Any]]:
    from syncline.cli.seen import declared

    manifests = sorted(declared(settings)[0].manifests, key=lambda m: m.key)
    return [
        {
            "object": str(m.key),
            "tenant": m.key.tenant,
            "kind": m.key.kind,
            "name": m.key.name,
            "digest": m.digest,
            "place": str(m.place),
        }
        for m in manifests
    ]


def _short(name: str, value: Any) -> str:
    match name:
        case "revision":
            return str(value)[:12]
        case "applied":
            return str(value)[:19].replace("T", " ")
        case _:
            return str(value)
