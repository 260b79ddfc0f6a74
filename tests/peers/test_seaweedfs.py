"""SeaweedFS: an S3 that checks every signature."""

from __future__ import annotations

from tests.peers.web import ask


def test_seaweedfs_refuses_unsigned_requests(seaweedfs):
    """Without a signature S3 answers 403."""
    assert ask("GET", f"{seaweedfs.url}/").status == 403
