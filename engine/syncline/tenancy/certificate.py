"""A tenant's certificate: a signed statement of what was tried, beside the log that notes it, one file a tenant."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from syncline.audit.fetch import DirectoryFetcher
from syncline.audit.key_change import history_of
from syncline.audit.log_signer import log_verifier
from syncline.audit.malformed import Malformed
from syncline.audit.offline_verifier import Key, Keys, Refused, check_attestation
from syncline.sdk.whole_file import write_whole

if TYPE_CHECKING:
    from pathlib import Path

    from syncline.settings import Settings

#: What a certificate states, and a proof of deletion.
CERTIFIED: Final = "urn:syncline:attestation:tenant-certification:v1"
DELETED: Final = "urn:syncline:attestation:tenant-deletion:v1"
_FOLDER: Final = "tenants"


def certificate_path(settings: Settings, tenant: str) -> Path:
    """Where a tenant's certificate is kept."""
    return settings.home / _FOLDER / f"{tenant}.certificate.sigstore.json"


def proof_path(settings: Settings, tenant: str) -> Path:
    """Where the proof that a tenant was deleted is kept."""
    return settings.home / _FOLDER / f"{tenant}.deletion.sigstore.json"


def keep(path: Path, bundle: bytes) -> None:
    """Keeps a bundle, whole or not at all."""
    path.parent.mkdir(mode=0o700, exist_ok=True)
    write_whole(path, [bundle], mode=0o600)


def read_statement(settings: Settings, path: Path, kind: str) -> dict[str, Any] | None:
    """The statement of a kept bundle; None for a file that isn't there, or that an auditor's script would refuse."""
    try:
        trusted = log_verifier(settings)
        changes = [change.note for change in history_of(DirectoryFetcher(settings.audit), [trusted]).changes]
        keys = Keys(Key(str(trusted)), changes)
        statement = check_attestation(path.read_bytes(), keys)
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError, Malformed, Refused):
        return None
    return statement if statement.get("predicateType") == kind else None


def certified_digest(settings: Settings, tenant: str) -> str | None:
    """The digest of what was certified of a tenant; None where nothing was, or it failed."""
    path = certificate_path(settings, tenant)
    found = read_statement(settings, path, CERTIFIED) if path.is_file() else None
    if found is None or found["predicate"].get("outcome") != "certified":
        return None
    return str(found["subject"][0]["digest"]["sha256"])
