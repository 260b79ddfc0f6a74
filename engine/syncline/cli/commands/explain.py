"""`syncline explain`: what a code means, what a kind or a field is for, or why an object stands as it does."""

from __future__ import annotations

import datetime as dt
import re
from typing import TYPE_CHECKING

import click

from syncline.cli.app import App, pass_app
from syncline.cli.commands.options import output
from syncline.cli.exit import Exit
from syncline.cli.output.jsontext import to_json

if TYPE_CHECKING:
    from syncline.cli.output.schedules import Shown
    from syncline.model.key import ObjectKey
    from syncline.reconciler.explain import Explained

_CODE = re.compile(r"(?i)syn\d+")


@click.command(short_help="Explain a code, a kind, a field or an object.")
@click.argument("topic", metavar="CODE|KIND[.PATH]|[TENANT/]KIND/NAME")
@output("text", "json", help="How to write what is said of an object.")
@pass_app
def explain(app: App, topic: str, form: str) -> Exit:
    """Explain a code that a finding carries, a kind of manifest, one of its fields, or how an object stands.

    Of an object it says whether it is ready, and if not, why: from the object down through what it waits for to the
    cause, with what to do about it, the next attempt, and the next start of a flow.

    \b
    Examples:
      syncline explain SYN501
      syncline explain Sync
      syncline explain Mapping.fields.protect
      syncline explain acme/Sync/tickets
    """  # noqa: D301 - click reads a backspace as: don't wrap what follows
    if "/" in topic:
        return _object(app, topic, form)
    from syncline.cli.output.explain_text import render_code, render_explanation
    from syncline.manifests.explain import explain_code, explain_path

    if _CODE.fullmatch(topic):
        app.say(render_code(explain_code(topic), app.paint, app.columns))
    else:
        app.say(render_explanation(explain_path(topic), app.paint, app.columns))
    return Exit.ok


def _object(app: App, name: str, form: str) -> Exit:

    from syncline.cli.names import find_object
    from syncline.cli.output.explained import explained_data, render_explained
    from syncline.executor.access.roles import view
    from syncline.reconciler.explain import explain as explained

    with view(app.settings()) as reader:
        known = {o.key for o in reader.objects()} | set(reader.statuses())
        found = explained(reader, find_object(name, known))
    now = dt.datetime.now(dt.UTC)
    starts = _starts(found, found.status.key, now)
    if form == "json":
        app.say(to_json(explained_data(found, starts)))
    else:
        app.say(render_explained(found, starts, now, app.paint))
    return Exit.ok


def _starts(found: Explained, key: ObjectKey, now: dt.datetime) -> list[Shown]:
    """The schedules that start a flow, or the schedule itself, each with its next start."""
    from syncline.cli.output.schedules import Shown
    from syncline.daemon.scheduled import schedules
    from syncline.manifests.timetable import next_starts

    return [
        Shown(str(schedule), spec, next_starts(str(schedule), spec, now, 1), now)
        for schedule, spec in schedules(found.desired)
        if key == schedule or (key.tenant == schedule.tenant and f"{key.kind}/{key.name}" in spec.run)
    ]
