"""The audit log of a home, as its commands open it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from syncline.model.errors import Invalid

if TYPE_CHECKING:
    from syncline.audit.checkpoint import Checkpoint
    from syncline.audit.fetch import DirectoryFetcher, Fetcher
    from syncline.audit.note import VerifierKey
    from syncline.audit.witness_policy import WitnessPolicy
    from syncline.settings import Settings


def no_log(settings: Settings) -> Invalid:
    """What says that there is no log yet."""
    return Invalid(
        f"there is no audit log in {settings.audit} yet",
        code="SYN904",
        help="It begins with the first apply. SYNCLINE_HOME says where to look.",
    )


def open_log(settings: Settings, key_text: str | None) -> tuple[DirectoryFetcher, VerifierKey]:
    """The log to read, and the key to trust: as given, else the public half of the key that signs here."""
    from syncline.audit.fetch import DirectoryFetcher
    from syncline.audit.note import read_verifier

    if not settings.audit.is_dir():
        raise no_log(settings)
    if key_text is not None:
        try:
            return DirectoryFetcher(settings.audit), read_verifier(key_text)
        except ValueError as error:
            raise click.BadParameter(str(error), param_hint="--key") from None
    from syncline.audit.log_signer import load_signer, log_verifier
    from syncline.executor.services.recorder import publish_pending

    publish_pending(settings.audit, lambda: load_signer(settings))
    return DirectoryFetcher(settings.audit), log_verifier(settings)


def entries_of(settings: Settings) -> Iterator[bytes]:
    """All entries in order, not verified."""
    from syncline.audit.export import head_of
    from syncline.audit.fetch import read_entries

    fetcher, _ = open_log(settings, None)
    return read_entries(fetcher, head_of(fetcher).size)


def kept_checkpoint(path: Path, fetcher: Fetcher, key: VerifierKey, hint: str = "--since") -> Checkpoint:
    """A checkpoint of this log that somebody kept, verified: by the key that signed the log then."""
    from syncline.audit import checkpoint as checkpoints
    from syncline.audit.key_change import history_of

    data = path.read_bytes()
    try:
        try:
            return checkpoints.verify(data, key.name, [key])
        except ValueError:
            return history_of(fetcher, [key]).verify(data, key.name)
    except ValueError as error:
        raise click.BadParameter(f"{path} is no checkpoint of this log: {error}", param_hint=hint) from None


def witness_policy(settings: Settings, path: Path | None) -> WitnessPolicy | None:
    """The witness policy of a file, else the one that is declared, if any."""
    from syncline.audit.malformed import Malformed
    from syncline.audit.witness_policy import parse
    from syncline.executor.services.witnessing import read_policy

    if path is None:
        return read_policy(settings)
    try:
        return parse(path.read_bytes())
    except Malformed as error:
        raise Invalid(f"{path}: {error}", code="SYN906", help="See https://c2sp.org/tlog-policy.") from None
