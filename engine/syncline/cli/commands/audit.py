"""`syncline audit`: the evidence. Show it, verify it, prove an entry, take a bundle for an auditor."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from syncline.cli.app import App, pass_app
from syncline.cli.commands.options import out, output, write_file
from syncline.cli.exit import Exit
from syncline.cli.output.jsontext import to_json
from syncline.model.errors import Invalid

if TYPE_CHECKING:
    from syncline.audit.fetch import DirectoryFetcher
    from syncline.audit.note import VerifierKey
    from syncline.settings import Settings


@click.group(short_help="Show, verify and export the audit log.")
def audit() -> None:
    """The audit log: what was planned, applied and run, by whom, signed, and verifiable without Syncline."""


@audit.command(short_help="Show entries.")
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    metavar="N",
    default=50,
    show_default=True,
    help="How many, counted from the end.",
)
@click.option("--object", "subject", metavar="OBJECT", help="Of this object only, such as acme/Sync/helpdesk-tasks.")
@click.option("--action", metavar="ACTION", help="Of this action only, such as run.finish.")
@output("text", "json", help="How to write them; json is the entries themselves (OCSF), one a line.")
@pass_app
def show(app: App, limit: int, subject: str | None, action: str | None, form: str) -> Exit:
    """Show the newest entries, oldest first. This doesn't verify them: `syncline audit verify` does."""
    from collections import deque

    from syncline.cli.output.audit_text import render_entries

    chosen: deque[tuple[int, dict[str, Any]]] = deque(maxlen=limit)
    for index, entry in enumerate(_entries(app.settings())):
        event = json.loads(entry)
        about = event["unmapped"].get("object") if isinstance(event.get("unmapped"), dict) else None
        if subject in {None, about} and action in {None, event["metadata"]["event_code"]}:
            chosen.append((index, event))
    if form == "json":
        for index, event in chosen:
            app.say(to_json({"index": index, **event}, indent=None))
    else:
        app.say(render_entries(tuple(chosen), app.paint))
    return Exit.ok


@audit.command(short_help="Verify the whole log.")
@click.option(
    "--key", "key_text", metavar="KEY", help="The log's public key that you trust; by default this home's own."
)
@click.option(
    "--since",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="An earlier checkpoint that you kept; the log must continue it.",
)
@output("text", "json")
@pass_app
def verify(app: App, key_text: str | None, since: Path | None, form: str) -> Exit:
    """Recompute the log from its entries, and hold it against its signed checkpoint.

    A finding names the first entry that is not what was signed. Exit code 1 when there is one.
    """
    from syncline.audit import verify as verifying
    from syncline.cli.output.audit_text import render_verification, verification_data

    fetcher, key = _log(app.settings(), key_text)
    earlier = _checkpoint(since, key) if since else None
    found = verifying.verify(fetcher, key.name, [key], earlier)
    if form == "json":
        app.say(to_json(verification_data(found, str(key))))
    else:
        app.say(render_verification(found, str(key), app.paint, since=earlier.size if earlier else None))
    return Exit.ok if found.ok else Exit.failed


@audit.command(short_help="Prove that an entry is in the log.")
@click.argument("index", type=click.IntRange(min=0), metavar="ENTRY")
@out("Write the proof to a file (by convention *.tlog-proof), instead of standard output.")
@pass_app
def prove(app: App, index: int, out: Path | None) -> Exit:
    """Write a proof (C2SP tlog-proof) that entry number ENTRY is in the log, to be checked without the log."""
    from syncline.audit.prove import prove_entry

    fetcher, _ = _log(app.settings(), None)
    _, proof = prove_entry(fetcher, index)
    if out is None:
        app.say(proof.encode().decode())
    else:
        write_file(out, proof.encode())
        app.note(f"Proof of entry {index} written to {out}.")
    return Exit.ok


@audit.command(short_help="Write a bundle for an auditor.")
@click.option(
    "--out",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="The zip to write.",
)
@click.option(
    "--prove", "proofs", type=click.IntRange(min=0), multiple=True, metavar="ENTRY", help="Add a proof of an entry."
)
@pass_app
def export(app: App, out: Path, proofs: tuple[int, ...]) -> Exit:
    """Write the log, its key and a verifier of one short file into a zip that an auditor can check offline."""
    from syncline import workflow
    from syncline.audit.export import export as bundle

    settings = app.settings()
    fetcher, key = _log(settings, None)
    buffer = io.BytesIO()
    head = bundle(fetcher, key, buffer, proofs)
    write_file(out, buffer.getvalue(), private=True)
    workflow.audit_exported(settings, f"{head.size} entries")
    app.say(f"{app.paint.green('Exported')} {head.size:,} entries to {out}. Verify it with the verify.py inside.")
    return Exit.ok


def _none(settings: Settings) -> Invalid:
    return Invalid(
        f"there is no audit log in {settings.audit} yet",
        code="SYN904",
        help="It begins with the first apply. SYNCLINE_HOME says where to look.",
    )


def _log(settings: Settings, key_text: str | None) -> tuple[DirectoryFetcher, VerifierKey]:
    """The log to read, and the key to trust: as given, else the public half of the key that signs here."""
    from syncline.audit.fetch import DirectoryFetcher
    from syncline.audit.note import VerifierKey
    from syncline.executor.facilities import SIGNER

    if not settings.audit.is_dir():
        raise _none(settings)
    if key_text is not None:
        try:
            return DirectoryFetcher(settings.audit), VerifierKey.parse(key_text)
        except ValueError as error:
            raise click.BadParameter(str(error), param_hint="--key") from None
    from syncline.audit.signer import FileSigner
    from syncline.executor.recorder import publish_pending

    publish_pending(settings.audit, settings.keys / SIGNER)
    return DirectoryFetcher(settings.audit), FileSigner.load(settings.keys / SIGNER).verifier


def _entries(settings: Settings) -> Iterator[bytes]:
    from syncline.audit import tiles
    from syncline.audit.checkpoint import Checkpoint
    from syncline.audit.fetch import fetch_tile

    fetcher, _ = _log(settings, None)
    note = fetcher.fetch(tiles.CHECKPOINT)
    head = Checkpoint.parse(note.decode().rpartition("\n\n")[0] + "\n")
    for tile in tiles.tiles_at(tiles.ENTRIES, head.size):
        yield from tiles.decode_bundle(fetch_tile(fetcher, tile)[1])


def _checkpoint(path: Path, key: VerifierKey) -> Any:
    from syncline.audit import checkpoint as checkpoints

    try:
        return checkpoints.verify(path.read_bytes(), key.name, [key])
    except ValueError as error:
        raise click.BadParameter(f"{path} is no checkpoint of this log: {error}", param_hint="--since") from None
