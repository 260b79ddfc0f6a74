"""`syncline schedules`: what is scheduled, and when it starts next."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import click

from syncline.cli.app import App, pass_app
from syncline.cli.commands.options import environment, output
from syncline.cli.exit import Exit
from syncline.cli.output.jsontext import to_json

if TYPE_CHECKING:
    from syncline.kinds.schedule import ScheduleSpec
    from syncline.model.key import ObjectKey
    from syncline.settings import Settings


@click.command(short_help="Show schedules and their next starts.")
@click.argument("name", required=False, metavar="[SCHEDULE]")
@click.option("--tenant", default="", metavar="TENANT", help="Of this tenant only.")
@click.option("--next", "count", type=click.IntRange(1, 1_000), default=3, show_default=True, help="Starts to show.")
@click.option("--declared", is_flag=True, help="What is declared in the working tree, instead of what is applied.")
@output("text", "json")
@environment
@pass_app
def schedules(app: App, name: str | None, tenant: str, count: int, form: str, *, declared: bool) -> Exit:
    """Show schedules with their next starts: jitter, windows and changes of the clocks included.

    Starts of schedules by events can't be told ahead.
    """
    from syncline.cli.names import find_object
    from syncline.cli.output.schedules import Shown, render_schedules, to_document
    from syncline.manifests.timetable import next_starts

    settings = app.settings()
    found = _declared(settings) if declared else _applied(settings)
    if name is not None:
        key = find_object(name, found, kinds=("Schedule",), tenant=tenant, declared=declared)
        found = {key: found[key]}
    now = dt.datetime.now(dt.UTC)
    shown = [
        Shown(str(key), spec, next_starts(str(key), spec, now, count), now)
        for key, spec in sorted(found.items())
        if tenant in {"", key.tenant}
    ]
    if form == "json":
        app.say(to_json([to_document(schedule) for schedule in shown]))
    elif not shown:
        word = "declared" if declared else "applied"
        hint = "" if declared else " `syncline schedules --declared` shows those of manifests."
        app.say(f"No schedule is {word}.{hint}")
    else:
        app.say(render_schedules(shown, now, app.paint))
    return Exit.ok


def _applied(settings: Settings) -> dict[ObjectKey, ScheduleSpec]:
    from syncline import workflow
    from syncline.manifests.load import from_document

    documents = (o.document for o in workflow.objects(settings) if o.key.kind == "Schedule")
    return _specs({(m := from_document(document)).key: m.spec for document in documents})


def _declared(settings: Settings) -> dict[ObjectKey, ScheduleSpec]:
    from syncline import workflow
    from syncline.cli.seen import keys_of

    desired = workflow.validate(settings, mapping_tests=False).desired
    return _specs({key: desired.objects[key].spec for key in keys_of(settings, desired)})


def _specs(found: dict[ObjectKey, object]) -> dict[ObjectKey, ScheduleSpec]:
    from syncline.kinds.schedule import ScheduleSpec

    return {key: spec for key, spec in found.items() if isinstance(spec, ScheduleSpec)}
