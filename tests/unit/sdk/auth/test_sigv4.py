"""AWS Signature Version 4 against the examples that AWS publishes: its test suite, and its documentation of S3 and IAM."""

from __future__ import annotations

from calendar import timegm
from time import strptime

import pytest

from syncline.model.secret import Secret
from syncline.sdk.auth.sigv4 import SigV4
from syncline.sdk.http import Request

SUITE = ("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "20150830T123600Z")
S3 = ("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "20130524T000000Z")
FORM = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}
UNRESERVED = "-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

EXAMPLES = {
    "get-vanilla": ("GET", "https://example.amazonaws.com/", {}, b"", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
    "get-vanilla-query-order": ("GET", "https://example.amazonaws.com/?Param2=value2&Param1=value1", {}, b"", "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"),
    "get-vanilla-query-unreserved": ("GET", f"https://example.amazonaws.com/?{UNRESERVED}={UNRESERVED}", {}, b"", "9c3e54bfcdf0b19771a7f523ee5669cdf59bc7cc0884027167c21bb143a40197"),
    "get-utf8": ("GET", "https://example.amazonaws.com/ሴ", {}, b"", "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85"),
    "post-vanilla": ("POST", "https://example.amazonaws.com/", {}, b"", "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"),
    "post-form": ("POST", "https://example.amazonaws.com/", {"Content-Type": "application/x-www-form-urlencoded"}, b"Param1=value1", "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a"),
}  # fmt: skip
OF_S3 = {
    "get an object": ("GET", "/test.txt", {"Range": "bytes=0-9"}, "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"),
    "get the lifecycle": ("GET", "/?lifecycle", {}, "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"),
    "list objects": ("GET", "/?max-keys=2&prefix=J", {}, "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"),
}  # fmt: skip


def at(stamp):
    return float(timegm(strptime(stamp, "%Y%m%dT%H%M%SZ")))


def signature(request):
    return request.headers["Authorization"].rpartition("Signature=")[2]


@pytest.mark.parametrize(("method", "url", "headers", "body", "expected"), EXAMPLES.values(), ids=EXAMPLES)
def test_the_test_suite(method, url, headers, body, expected):
    """Requests of the published suite get the published signatures."""
    key, secret, stamp = SUITE
    scheme = SigV4(key, Secret(secret), "service", "us-east-1", body_header=False)

    assert signature(scheme.sign(Request(method, url, headers, body), at(stamp))) == expected


def test_the_documented_example():
    """The worked example of the documentation, a call of IAM."""
    key, secret, stamp = SUITE
    scheme = SigV4(key, Secret(secret), "iam", "us-east-1", body_header=False)
    request = Request("GET", "https://iam.amazonaws.com/?Action=ListUsers&Version=2010-05-08", FORM)

    expected = "5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7"
    assert signature(scheme.sign(request, at(stamp))) == expected


@pytest.mark.parametrize(("method", "path", "headers", "expected"), OF_S3.values(), ids=OF_S3)
def test_the_examples_of_s3(method, path, headers, expected):
    """S3's paths are encoded once, and the body's hash is signed with the rest."""
    key, secret, stamp = S3
    scheme = SigV4(key, Secret(secret), "s3", "us-east-1")
    request = Request(method, f"https://examplebucket.s3.amazonaws.com{path}", headers)

    assert signature(scheme.sign(request, at(stamp))) == expected


def test_temporary_credentials_are_signed():
    """The token of a session goes along, covered by the signature, and is hidden wherever it is shown."""
    scheme = SigV4("AKID", Secret("secret-1"), "s3", "eu-west-1", Secret("session-1"))
    sent = scheme.sign(Request("GET", "https://h.example/"), 0.0)

    assert sent.headers["X-Amz-Security-Token"] == "session-1"
    assert "x-amz-security-token" in sent.headers["Authorization"]
    assert {"secret-1", "session-1"} <= {secret.reveal() for secret in scheme.hidden}
    assert "secret-1" not in str(sent.headers)
