"""A log in a temporary directory, with its key."""

from __future__ import annotations

from pathlib import Path

import pytest

from syncline.audit.log import AuditLog
from syncline.audit.signer import FileSigner

ORIGIN = "syncline.test/log"


@pytest.fixture
def signer(tmp_path: Path) -> FileSigner:
    """A fresh key whose name is the log's origin."""
    return FileSigner.create(tmp_path / "keys" / "audit", ORIGIN)


@pytest.fixture
def log(tmp_path: Path, signer: FileSigner) -> AuditLog:
    """A fresh, empty log."""
    return AuditLog.open(tmp_path / "log", signer, ORIGIN)
