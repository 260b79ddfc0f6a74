"""moto: Amazon's APIs with the check of signatures switched on."""

from __future__ import annotations

from tests.peers.web import ask


def test_moto_refuses_keys_that_it_does_not_know(moto):
    """Another key than the one that it gave gets a 403."""
    signed = f"AWS4-HMAC-SHA256 Credential=AKIAOTHER/20260101/{moto.region}/sqs/aws4_request, SignedHeaders=host, Signature=0"
    headers = {"Authorization": signed, "Content-Type": "application/x-www-form-urlencoded"}

    assert ask("POST", f"{moto.url}/", b"Action=ListQueues&Version=2012-11-05", headers=headers).status == 403
