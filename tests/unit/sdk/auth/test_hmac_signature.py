"""Requests signed with HMAC, as declared: what is signed is what is sent."""

from __future__ import annotations

import base64
import hashlib
import hmac

import pytest

from syncline.model.errors import Invalid
from syncline.model.secret import Secret
from syncline.sdk.auth.hmac_signature import hmac_signature
from syncline.sdk.http import Request
from syncline.sdk.source import Credentials
from tests.logins import NOW


def test_what_is_signed_is_what_is_sent_where_the_signature_is_in_the_query():
    """A signature that goes into the URL changes nothing of the parameters that it is of, names that repeat among them."""
    settings = {"canonical": "{{ query }}", "send": {"query.sig": "{{ signature }}"}}
    scheme = hmac_signature(Credentials("hmac", settings, {"key": Secret("k")}))
    query = "id=2&id=1&of=a+b%2Fc&flag"

    sent = scheme.sign(Request("GET", f"https://api.example.com/t?{query}"), 0.0)

    text, _, signature = sent.url.partition("?")[2].partition("&sig=")
    assert text == query
    assert signature == hmac.digest(b"k", query.encode(), "sha256").hex()


@pytest.mark.parametrize(
    ("query", "signed"),
    [
        ("b=2&a=2&a=10&a=1", "a=1&a=10&a=2&b=2"),
        ("a+b=c+d&f[]=1&%C3%A4=%7e&x", "%C3%A4=~&a%20b=c%20d&f%5B%5D=1&x="),
        ("", ""),
    ],
)
def test_a_sorted_query_is_signed(query, signed):
    """Parameters in the order and encoding that don't depend on how they are sent: names that repeat by their values."""
    settings = {"canonical": "{{ sorted_query }}", "send": {"headers.X-Sign": "{{ signature }}"}}
    scheme = hmac_signature(Credentials("hmac", settings, {"key": Secret("k")}))

    sent = scheme.sign(Request("GET", f"https://api.example.com/t?{query}"), 0.0)

    assert sent.headers["X-Sign"] == hmac.digest(b"k", signed.encode(), "sha256").hex()


@pytest.mark.parametrize(
    ("url", "signed"),
    [
        ("https://Api.example.com/a", "api.example.com 443 Api.example.com\n"),
        ("http://127.0.0.1:8080/a", "127.0.0.1 8080 127.0.0.1:8080\n"),
        ("http://api.example.com/a", "api.example.com 80 api.example.com\n"),
    ],
)
def test_the_host_in_parts_and_the_end_of_the_last_line(url, signed):
    """Host and port stand apart for schemes such as Hawk, and a text that ends with a line's end is signed with it."""
    settings = {"canonical": "{{ hostname }} {{ port }} {{ host }}\n", "send": {"headers.X-Sign": "{{ signature }}"}}
    scheme = hmac_signature(Credentials("hmac", settings, {"key": Secret("k")}))

    assert scheme.sign(Request("GET", url), 0.0).headers["X-Sign"] == hmac.digest(b"k", signed.encode(), "sha256").hex()


def test_a_body_that_is_no_text():
    """A file is signed by its hash; its text, which it hasn't, is an error where it is asked for."""
    request = Request("POST", "https://api.example.com/a", {}, b"\xff\x00")
    sent = {"headers.X-Sign": "{{ signature }}"}
    by_hash = hmac_signature(
        Credentials("hmac", {"canonical": "{{ body_sha256 }}", "send": sent}, {"key": Secret("k")})
    )
    by_text = hmac_signature(Credentials("hmac", {"canonical": "{{ body }}", "send": sent}, {"key": Secret("k")}))

    expected = hmac.digest(b"k", hashlib.sha256(request.body).hexdigest().encode(), "sha256").hex()
    assert by_hash.sign(request, 0.0).headers["X-Sign"] == expected
    with pytest.raises(Invalid) as caught:
        by_text.sign(request, 0.0)
    assert (caught.value.code, caught.value.help) == ("SYN441", "Sign body_sha256.")


def test_a_declared_canonical_string():
    """The declared text is hashed with the key, and what is declared is sent."""
    settings = {
        "canonical": "{{ timestamp }}\n{{ method }}\n{{ path }}?{{ query }}\n{{ body_sha256 }}",
        "send": {"headers.X-Sign": "{{ key_id }}:{{ signature }}", "headers.X-Time": "{{ timestamp }}"},
        "encoding": "base64",
        "timestamp": "unix_ms",
        "key_id": "k1",
    }
    made = hmac_signature(Credentials("hmac", settings, {"key": Secret("s3cret")}))
    request = Request("POST", "https://api.example.com/a?b=1", {}, b'{"x":1}')
    sent = made.sign(request, NOW)
    text = f"1700000000000\nPOST\n/a?b=1\n{hashlib.sha256(request.body).hexdigest()}"
    expected = base64.b64encode(hmac.digest(b"s3cret", text.encode(), "sha256")).decode()
    assert sent.headers["X-Sign"] == f"k1:{expected}"
    assert sent.headers["X-Time"] == "1700000000000"
