"""`syncline witness`: a witness, for somebody else's logs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from syncline.cli.app import App, pass_app
from syncline.cli.commands.listens import Files, scheme, secured, server_tls
from syncline.cli.commands.options import environment
from syncline.cli.commands.stopping import stopping
from syncline.cli.exit import Exit

if TYPE_CHECKING:
    from syncline.audit.note import VerifierKey
    from syncline.audit.signer import FileSigner
    from syncline.daemon.http.listening import Asked, Reply

KEY = "witness.pem"

_folder = click.option(
    "--folder",
    required=True,
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Where its key and what it has seen are kept.",
)
_name = click.option(
    "--name", metavar="NAME", help="Its name, such as witness.example.com/w1; needed once, when its key is made."
)


@click.group(short_help="Watch over other people's audit logs.")
def witness() -> None:
    """Cosign checkpoints of audit logs that continue what was seen before (C2SP tlog-witness).

    A witness belongs to somebody else than the log: what it has cosigned can't be replaced by another history, not even
    by whoever has the log's key.
    """


@witness.command(short_help="Show a witness's public key.")
@_folder
@_name
@click.option("--url", default="", metavar="URL", help="Where it is reached, for the line.")
@pass_app
def key(app: App, folder: Path, name: str | None, url: str) -> Exit:
    """Print the line that a log's witness policy has for this witness; makes its key at first use."""
    from syncline.audit.cosignature import cosigner

    found = cosigner(_signer(folder, name))
    short = found.name.replace("/", "-")
    app.say(f"witness {short} {found}{' ' + url if url else ''}")
    return Exit.ok


@witness.command(short_help="Answer requests to cosign.")
@_folder
@_name
@click.option(
    "--log",
    "logs",
    required=True,
    multiple=True,
    metavar="KEY",
    help="The public key of a log that it watches over, as `syncline audit verify` shows it; may be repeated.",
)
@click.option("--listen", default="127.0.0.1:8098", show_default=True, metavar="HOST:PORT", help="Where it answers.")
@secured
@environment
@pass_app
def serve(app: App, folder: Path, name: str | None, logs: tuple[str, ...], listen: str, tls: Files | None) -> Exit:
    """Answer POST /add-checkpoint until SIGTERM. Give it a certificate, or put a web server with TLS in front of it.

    \b
    Example:
      syncline witness serve --folder /srv/witness --name witness.example.com/w1 --log "$LOG_KEY"
    """  # noqa: D301 - click reads a backspace as: don't wrap what follows
    from syncline.audit.add_checkpoint import MAX_BODY, PATH
    from syncline.audit.witness import Witness
    from syncline.daemon.http.listening import Reply, address, listening

    host, port = address(listen)
    known = Witness(folder / "seen", _signer(folder, name), [_log_key(text) for text in logs])

    def answer(asked: Asked) -> Reply:
        if asked.path != PATH:
            return Reply(404, {"error": f"only {PATH} is answered here"})
        if asked.method != "POST":
            return Reply(405, {"error": "only POST is answered here"}, {"Allow": "POST"})
        found = known.add_checkpoint(asked.body)
        return Reply(found.status, {}, body=found.body, kind=found.kind)

    secure = server_tls(tls, app.note)
    with stopping(_nothing) as stop, listening((host, port), answer, max_body=MAX_BODY, tls=secure) as bound:
        app.note(f"answers at {scheme(secure)}://{host}:{bound}{PATH}")
        stop.wait()
    return Exit.ok


def _nothing() -> None:
    """Nobody sleeps who would have to be woken."""


def _signer(folder: Path, name: str | None) -> FileSigner:
    from syncline.audit.note import is_key_name
    from syncline.audit.signer import FileSigner

    path = folder / KEY
    if path.exists():
        return FileSigner.load(path)
    if name is None or not is_key_name(name):
        raise click.UsageError("A new witness needs --name: one word without spaces and plus signs.")
    return FileSigner.open(path, name)


def _log_key(text: str) -> VerifierKey:

    from syncline.audit.note import read_verifier

    try:
        return read_verifier(text)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--log") from None
