"""What `doctor` says of how other machines are reached that are no integrations."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from syncline.reconciler.doctor import _transport
from syncline.settings import read_settings

if TYPE_CHECKING:
    from pathlib import Path

DATABASE = "postgresql://syncline:pw@db.example.com/state"


@pytest.mark.parametrize(
    ("environ", "verdicts"),
    [
        ({}, []),
        ({"SYNCLINE_STATE": DATABASE}, []),
        ({"SYNCLINE_STATE": DATABASE + "?sslmode=verify-full"}, []),
        ({"SYNCLINE_STATE": DATABASE, "PGSSLMODE": "verify-full"}, []),
        ({"SYNCLINE_STATE": "postgresql:///state?host=/run/postgresql"}, []),
        ({"SYNCLINE_STATE": "postgresql://u@localhost/state", "SYNCLINE_REDIS": "redis://127.0.0.1:6379/0"}, []),
        ({"SYNCLINE_REDIS": "rediss://cache.example.com:6379/0"}, []),
        ({"SYNCLINE_STATE": DATABASE, "PGSSLMODE": "prefer"}, [False]),
        ({"SYNCLINE_STATE": "postgresql://localhost,db.example.com/state?sslmode=prefer"}, [False]),
        ({"SYNCLINE_STATE": DATABASE + "?sslmode=disable", "PGSSLMODE": "verify-full"}, [False]),
        ({"SYNCLINE_STATE": DATABASE + "?sslmode=require"}, [None]),
        ({"SYNCLINE_REDIS": "redis://:pw@cache.example.com:6379/0"}, [False]),
    ],
)
def test_a_state_or_budgets_without_tls_are_told_of(
    tmp_path: Path, environ: dict[str, str], verdicts: list[bool | None]
):
    """On another machine, TLS that may be left out is a fault, and a server that isn't checked is said; no password is."""
    found = list(_transport(read_settings(tmp_path, environ)))

    assert [finding.ok for finding in found] == verdicts
    assert "pw" not in "".join(finding.message for finding in found)
