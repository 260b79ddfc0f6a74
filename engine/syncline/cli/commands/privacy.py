"""`syncline privacy`: what there is of a person, erasing it, and the certificate of that."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from syncline.cli.app import App, pass_app
from syncline.cli.commands.options import out, output, write_file
from syncline.cli.exit import Exit
from syncline.cli.output.jsontext import to_json

if TYPE_CHECKING:
    from syncline.model.subject import Subject

_TENANT = click.option("--tenant", required=True, metavar="TENANT", help="Whose data it is.")
_SUBJECT = click.option(
    "--subject",
    "text",
    required=True,
    metavar="KIND=VALUE",
    help="The person: customer=ada@example.com; '-' reads it from standard input, which leaves no trace in a shell.",
)
_OF_TENANT = click.option("--tenant", default="", metavar="TENANT", help="Of this tenant only.")
_LIMIT = click.option(
    "--limit", type=click.IntRange(min=1), metavar="N", default=20, show_default=True, help="How many at most."
)


@click.group(short_help="Export or erase a person's data.")
def privacy() -> None:
    """Answer requests of people about their data: where it is, a copy of it, and erasing it with a certificate.

    A person is found by the fields that mappings declare under `subject`, at the destinations of applied flows and in
    what their runs set aside. Evidence knows a person by a keyed hash only.
    """


@privacy.command(short_help="Export everything that there is of a person.")
@_TENANT
@_SUBJECT
@output("text", "json", help="text tells how much there is where; json has the rows themselves.")
@out("Write to a file that only you can read, instead of standard output.")
@pass_app
def export(app: App, tenant: str, text: str, form: str, out: Path | None) -> Exit:
    """Export the rows of a person at every destination, and the records of that person that runs set aside."""
    from syncline import privacy as page
    from syncline.cli.output.privacy import held_data, render_held

    found = page.export(app.settings(), tenant, _subject(text))
    shown = to_json([held_data(held) for held in found]) if form == "json" else render_held(found, app.paint)
    if out is not None:
        write_file(out, shown, private=True)
        app.note(f"Written to {out}.")
    else:
        app.say(shown)
    return Exit.failed if any(held.problem for held in found) else Exit.ok


@privacy.command(short_help="Erase a person.")
@_TENANT
@_SUBJECT
@click.option("--yes", is_flag=True, help="Do it; without, only what would be erased is shown.")
@click.option(
    "--certificate",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write the signed certificate to a file.",
)
@output("text", "json")
@pass_app
def erase(app: App, tenant: str, text: str, form: str, certificate: Path | None, *, yes: bool) -> Exit:
    """Erase a person at every destination that can, and from what runs set aside.

    Legal holds of the tenant are respected. APIs are asked by the requests that their connector declares, sources too;
    what they answer is noted. A destination that can't be searched or asked is left open: whoever erases the person
    there says so with `syncline privacy acknowledge`. The same command goes on where it was stopped.

    What the source still has doesn't come again: runs set it aside until the suppression is lifted.
    """
    from syncline import privacy as page
    from syncline.cli.output.privacy import render_expected, render_place, render_request
    from syncline.reconciler.keys import list_keys

    settings, subject = app.settings(), _subject(text)
    if certificate is not None and not certificate.absolute().parent.is_dir():
        raise click.BadParameter(f"there is no folder for {certificate}", param_hint="--certificate")
    if not yes:
        expected = page.expect(settings, tenant, subject)
        app.say(to_json(expected.to_json()) if form == "json" else render_expected(expected, app.paint))
        app.note("\nNothing was erased. To do it, add --yes.")
        return Exit.ok
    done = page.erase(settings, tenant, subject, lambda place: app.note(render_place(place, app.paint_errors)))
    app.say(to_json(done.to_json()) if form == "json" else render_request(done, app.paint))
    if list_keys(settings).in_files:
        app.note(
            "The key-encryption key is a file: copies of the key folder that have it, from before this, still open "
            "what was destroyed here. Destroy them too; `syncline keys rotate --to` keeps the key elsewhere."
        )
    if certificate is not None:
        write_file(certificate, page.certificate(settings, done.id))
        app.note(f"Certificate written to {certificate}. `syncline privacy key` shows the key that verifies it.")
    return Exit.ok if done.complete else Exit.failed


@privacy.command("list", short_help="List requests to erase somebody.")
@_OF_TENANT
@_LIMIT
@output("text", "json")
@pass_app
def list_(app: App, tenant: str, limit: int, form: str) -> Exit:
    """List requests, newest first."""
    from syncline import privacy as page
    from syncline.cli.output.privacy import render_requests

    found = page.listed(app.settings(), tenant, limit)
    app.say(to_json([request.to_json() for request in found]) if form == "json" else render_requests(found, app.paint))
    return Exit.ok


@privacy.command(short_help="Show a request and its places.")
@click.argument("request", metavar="REQUEST")
@output("text", "json")
@pass_app
def show(app: App, request: str, form: str) -> Exit:
    """Show what became of a request at each place."""
    from syncline import privacy as page
    from syncline.cli.output.privacy import render_request

    found = page.find(app.settings(), request)
    app.say(to_json(found.to_json()) if form == "json" else render_request(found, app.paint))
    return Exit.ok


@privacy.command(short_help="Say that something was erased by hand.")
@click.argument("request", metavar="REQUEST")
@click.argument("flow", metavar="TENANT/KIND/NAME")
@click.option("--by", required=True, metavar="NAME", help="Who did it, or whose answer says so.")
@click.option("--message", required=True, metavar="TEXT", help="What was done; it must not name the person.")
@pass_app
def acknowledge(app: App, request: str, flow: str, by: str, message: str) -> Exit:
    """Note that a person was erased at a destination that Syncline can't search. It comes on the certificate."""
    from syncline import privacy as page
    from syncline.cli.names import FLOWS, find_object
    from syncline.cli.output.privacy import render_request

    settings = app.settings()
    found = page.find(settings, request)
    key = find_object(flow, [place.key for place in found.places], kinds=(*FLOWS, "Integration"))
    app.say(render_request(page.acknowledge(settings, request, key, by, message), app.paint))
    return Exit.ok


@privacy.command(short_help="List who isn't to come back.")
@_OF_TENANT
@_LIMIT
@output("text", "json")
@pass_app
def suppressions(app: App, tenant: str, limit: int, form: str) -> Exit:
    """List people who were erased and whose records runs set aside, newest first, and suppressions that were lifted."""
    from syncline import privacy as page
    from syncline.cli.output.privacy import render_suppressions

    found = page.suppressions(app.settings(), tenant, limit)
    app.say(to_json([one.to_json() for one in found]) if form == "json" else render_suppressions(found, app.paint))
    return Exit.ok


@privacy.command(short_help="Let somebody come back.")
@click.argument("request", metavar="REQUEST")
@click.option("--by", required=True, metavar="NAME", help="Who decided it.")
@click.option("--reason", required=True, metavar="TEXT", help="Why; it must not name the person.")
@pass_app
def lift(app: App, request: str, by: str, reason: str) -> Exit:
    """Lift the suppression of a request: runs write the person's records again, such as of a customer who returned.

    Syncs that read on don't go back for what they passed over; `syncline run FLOW --full-refresh` does.
    """
    from syncline import privacy as page

    done = page.lift(app.settings(), request, by, reason)
    app.say(f"{app.paint.green('Lifted')}: who was erased by request {done.id} may come back.")
    return Exit.ok


@privacy.command(short_help="Delete what is older than it is kept.")
@click.argument("names", metavar="[FLOW|TENANT]...", nargs=-1)
@_OF_TENANT
@click.option("--yes", is_flag=True, help="Do it; without, only what would be deleted is shown.")
@output("text", "json")
@pass_app
def retain(app: App, names: tuple[str, ...], tenant: str, form: str, *, yes: bool) -> Exit:
    """Delete rows that are older than their flow's `retention`, and what runs of a tenant left for longer than its own.

    A daemon does so once an hour. Legal holds keep what they cover, and guards.maxDeletes of a flow bounds how much.
    """
    from syncline import privacy as page
    from syncline.cli.names import FLOWS, find_object
    from syncline.cli.output.retention import render_retained

    settings = app.settings()
    known = page.kept_for_a_time(settings, tenant)
    keys = tuple(find_object(name, known, kinds=(*FLOWS, "Tenant")) for name in names) if names else known
    found = page.retain(settings, keys, doing=yes)
    app.say(to_json([one.to_json() for one in found]) if form == "json" else render_retained(found, app.paint))
    if not yes and any(one.count for one in found):
        app.note("\nNothing was deleted. To do it, add --yes.")
    return Exit.failed if any(one.state in {"failed", "refused", "busy"} for one in found) else Exit.ok


@privacy.command(short_help="Write the certificate of a request.")
@click.argument("request", metavar="REQUEST")
@click.option(
    "--out", required=True, type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help="The file to write."
)
@pass_app
def certificate(app: App, request: str, out: Path) -> Exit:
    """Write the signed certificate of a request as it stands. It has no personal data, and may be handed on."""
    from syncline import privacy as page

    write_file(out, page.certificate(app.settings(), request))
    app.say(f"{app.paint.green('Written')} to {out}. `syncline privacy key` shows the key that verifies it.")
    return Exit.ok


@privacy.command(short_help="Verify a certificate.")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="FILE")
@click.option(
    "--key", required=True, metavar="KEY", help="The key that signed it, as `syncline privacy key` prints it."
)
@pass_app
def verify(app: App, file: Path, key: str) -> Exit:
    """Verify a certificate and print what it says. This needs no state: anybody may do it anywhere."""
    from syncline import privacy as page

    app.say(to_json(page.verify(file.read_bytes(), key)))
    return Exit.ok


@privacy.command(short_help="Show the key that verifies certificates.")
@pass_app
def key(app: App) -> Exit:
    """Print the public key of this state's certificates. It isn't secret."""
    from syncline import privacy as page

    app.say(page.certificate_key(app.settings()))
    return Exit.ok


def _subject(text: str) -> Subject:
    from syncline.model.subject import Subject

    return Subject.parse(sys.stdin.readline().rstrip("\r\n") if text == "-" else text)
