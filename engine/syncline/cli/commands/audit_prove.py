"""`syncline audit prove` and `consistency`: proofs that are checked without the log."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TextIO

import click

from syncline.cli.app import App, pass_app
from syncline.cli.commands.audit_log import kept_checkpoint, open_log
from syncline.cli.commands.options import out, write_file
from syncline.cli.exit import Exit


@click.command(short_help="Prove that an entry is in the log.")
@click.argument("index", type=click.IntRange(min=0), metavar="ENTRY")
@out("Write the proof to a file (by convention *.tlog-proof), instead of standard output.")
@pass_app
def prove(app: App, index: int, out: Path | None) -> Exit:
    """Write a proof (C2SP tlog-proof) that entry number ENTRY is in the log, to be checked without the log."""
    from syncline.audit.prove import prove_entry
    from syncline.executor.access.roles import demand_all

    demand_all(app.settings())
    fetcher, _ = open_log(app.settings(), None)
    _, proof = prove_entry(fetcher, index)
    if out is None:
        app.say(proof.encode().decode())
    else:
        write_file(out, proof.encode())
        app.note(f"Proof of entry {index} written to {out}.")
    return Exit.ok


@click.command("prove-record", short_help="Prove that a run wrote a record.")
@click.argument("run", metavar="RUN")
@click.argument("record", type=click.File(encoding="utf-8"), metavar="FILE")
@out("Write the proof to a file (by convention *.record.json), instead of standard output.")
@pass_app
def prove_record(app: App, run: str, record: TextIO, out: Path | None) -> Exit:
    """Write a proof that the record in FILE (JSON, - for standard input) was among those that RUN wrote.

    The record is the row as it was written: all of its columns, dates and decimals as texts. The proof shows nothing of
    other records. The flow needs `evidence: records`.
    """
    from syncline import workflow

    settings = app.settings()
    try:
        row = json.load(record)
    except ValueError as error:
        raise click.BadParameter(f"not JSON: {error}", param_hint="FILE") from None
    if not isinstance(row, dict):
        raise click.BadParameter("give one record, as a JSON object", param_hint="FILE")
    found = workflow.find_run(settings, run)
    proof = workflow.prove_record(settings, found, row)
    if out is None:
        app.say(proof.decode())
    else:
        write_file(out, proof, private=True)
        app.note(f"Proof that run {found.id} wrote this record written to {out}.")
    return Exit.ok


@click.command(short_help="Prove that the log continues an earlier checkpoint.")
@click.argument("earlier", type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="CHECKPOINT")
@out("Write the proof to a file (by convention *.consistency), instead of standard output.")
@pass_app
def consistency(app: App, earlier: Path, out: Path | None) -> Exit:
    """Write a proof that the log as it is now continues an earlier CHECKPOINT of it, which somebody kept.

    It is what a witness is sent (C2SP tlog-witness): the earlier size, the hashes, and the checkpoint of now. Whoever
    has the earlier checkpoint checks it with the verify.py of an evidence bundle, without the log.
    """
    from syncline.audit.prove import prove_consistency

    fetcher, key = open_log(app.settings(), None)
    old = kept_checkpoint(earlier, fetcher, key, "CHECKPOINT")
    head, proof = prove_consistency(fetcher, key, old)
    if out is None:
        app.say(proof.encode().decode())
    else:
        write_file(out, proof.encode())
        app.note(f"Proof that {head.size:,} entries continue {old.size:,} written to {out}.")
    return Exit.ok
