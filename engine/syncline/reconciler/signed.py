"""Snapshots of the state on their way out and in: signed where the state is, verified where it isn't.

A snapshot is a signed note (C2SP signed-note, Ed25519) by a key of its own, so that whoever may publish snapshots can't
sign for the audit log. Who plans against one says which key they trust; nothing in the file is believed before that.
"""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING, Final

from syncline import __version__
from syncline.audit import note
from syncline.executor.services.facilities import signer_for
from syncline.manifests.credentials import form_of
from syncline.manifests.load import from_document
from syncline.model.diagnostic import Diagnostic, Severity
from syncline.model.errors import Bug, Invalid, Stalled
from syncline.model.event import Action
from syncline.reconciler.snapshot import Snapshot, parse, take

if TYPE_CHECKING:
    from syncline.executor.services.facilities import Facilities

#: What the key that signs snapshots is for.
PURPOSE: Final = "snapshot"
#: Longest snapshot that is written or read, in bytes: about 50,000 objects.
MAX_BYTES: Final = 64 * 1024 * 1024
#: Hours after which a snapshot is told to be old. A daemon renews its own each hour.
MAX_AGE: Final = 24.0


def export(facilities: Facilities, now: dt.datetime | None = None) -> bytes:
    """
    A signed snapshot of the state as it is, and evidence that it was taken.

    `Stalled` (SYN321) where something applied looks like a credential, or the snapshot would be too large to be read.
    """
    taken = (now or dt.datetime.now(dt.UTC)).strftime("%Y-%m-%dT%H:%M:%SZ")
    snapshot = take(facilities.store, taken, __version__)
    for applied in snapshot.objects:
        if what := form_of(applied.document):
            raise Stalled(
                f"no snapshot is taken: {applied.key} holds what looks like {what}",
                code="SYN321",
                help="Replace the value by a secretRef, apply that, and consider it known to whoever reads Git.",
            )
    data = note.sign(snapshot.text, [signer_for(facilities, PURPOSE)])
    if len(data) > MAX_BYTES:
        raise Stalled(f"a snapshot of {len(data):,} bytes is longer than {MAX_BYTES:,}", code="SYN321")
    event = facilities.recorder.event(Action.snapshot_export, serial=snapshot.serial, objects=len(snapshot.objects))
    facilities.recorder.record([event])
    return data


def read_snapshot(path: Path, key: str) -> Snapshot:
    """
    The snapshot in a file, which the key (a C2SP verifier key) has signed.

    `Invalid` (SYN318) where no key or none of that form is given, or another one signed it; (SYN319) where it is none.
    """
    try:
        trusted = note.VerifierKey.parse(key)
    except ValueError as error:
        raise Invalid(
            f"the key to verify snapshots with is none: {error}" if key else "no key is given to verify the snapshot",
            code="SYN318",
            help="Give --snapshot-key (or SYNCLINE_SNAPSHOT_KEY) what `syncline snapshot key` prints.",
        ) from None
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise Invalid(f"the snapshot {path} can't be read: {error.strerror}", code="SYN319") from None
    try:
        text = note.verify(data, [trusted], MAX_BYTES).text
    except ValueError as error:
        raise Invalid(
            f"the snapshot {path.name} isn't signed by the key that is trusted: {error}",
            code="SYN318",
            help="Fetch it again from where the daemon publishes it, or give the key of that state.",
        ) from None
    try:
        snapshot = parse(text)
        if snapshot.program != __version__:
            for applied in snapshot.objects:
                from_document(applied.document)
    except (ValueError, Bug) as error:
        why = error.message if isinstance(error, Bug) else str(error).partition("\n")[0]
        raise Invalid(
            f"the snapshot {path.name} can't be read: {why}",
            code="SYN319",
            help="Use the version of Syncline here that publishes it there.",
        ) from None
    return snapshot


def age(snapshot: Snapshot, now: dt.datetime, hours: float = MAX_AGE) -> Diagnostic | None:
    """A warning (SYN320) where a snapshot is older than so many hours."""
    old = (now - dt.datetime.fromisoformat(snapshot.taken)).total_seconds() / 3600
    if old <= hours:
        return None
    shown = f"{old:.0f} hours" if old < 72 else f"{old / 24:.0f} days"
    return Diagnostic(
        "SYN320",
        f"the snapshot of the state is {shown} old: what was applied since {snapshot.taken} isn't in this plan",
        severity=Severity.warning,
        help="Is the daemon running that publishes it? `syncline serve --snapshot FILE` renews it each hour.",
    )
