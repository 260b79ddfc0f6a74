"""AWS Signature Version 4 against servers that check it: a real S3, and Amazon's APIs with signatures switched on."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from urllib.parse import quote

import pytest

from syncline.model.secret import Secret
from syncline.sdk.auth.authenticator import Authenticator
from syncline.sdk.auth.sigv4 import SigV4
from syncline.sdk.clock import SystemClock
from syncline.sdk.http import Egress, HttpTransport, Request

CLOCK = SystemClock()


@contextmanager
def api(system, service):
    """A function that sends signed requests, and what signs them."""
    transport = HttpTransport(CLOCK, 1 << 20, egress=Egress(private=("127.0.0.0/8",)))
    made = SigV4(system.access_key, Secret(system.secret_key), service, system.region)

    def ask(method, path, body=b"", scheme=made, **headers):
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        signed = Authenticator(scheme, CLOCK).apply(Request(method, f"{system.url}{path}", named, body))
        return transport.send(signed.request, 15)

    try:
        yield ask, made
    finally:
        transport.close()


LOCATION = b"<CreateBucketConfiguration><LocationConstraint>eu-west-1</LocationConstraint></CreateBucketConfiguration>"
NAMES = ["plain.txt", "a b.txt", "dir/one+two.txt", "umlaut-ü.txt", "100%.txt", "(odd)!'*.txt", "~tilde&and=eq.txt"]


@pytest.mark.parametrize("system", ["seaweedfs", "moto"])
def test_s3(system, request):
    """Objects with names of all kinds are written, read and listed: their paths and queries are signed as S3 reads them."""
    with api(request.getfixturevalue(system), "s3") as (ask, made):
        place = LOCATION if made.region != "us-east-1" else b""
        assert ask("PUT", "/signed", place).status == 200
        for name in NAMES:
            assert ask("PUT", f"/signed/{quote(name)}", name.encode()).status == 200, name
            assert ask("GET", f"/signed/{quote(name)}").body == name.encode()
        listed = ask("GET", "/signed?list-type=2&prefix=dir%2F&max-keys=5")
        assert b"dir/one" in listed.body


@pytest.mark.parametrize("system", ["seaweedfs", "moto"])
def test_a_wrong_secret_is_refused(system, request):
    """The servers do check: the same request with another secret gets a 403."""
    with api(request.getfixturevalue(system), "s3") as (ask, made):
        wrong = replace(made, secret_key=Secret("another-secret"))
        assert ask("GET", "/?x=1", scheme=wrong).status == 403


def test_a_query_api(moto):
    """A call with a form body, which the signature covers."""
    with api(moto, "sts") as (ask, _):
        body = b"Action=GetCallerIdentity&Version=2011-06-15"
        answer = ask("POST", "/", body, Content_Type="application/x-www-form-urlencoded; charset=utf-8")
        assert answer.status == 200
        assert b"GetCallerIdentityResponse" in answer.body
