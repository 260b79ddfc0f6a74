"""OAuth 1.0 against the examples of RFC 5849."""

from __future__ import annotations

import base64
from urllib.parse import unquote

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA1

from syncline.model.errors import Stalled
from syncline.model.secret import Secret
from syncline.sdk.auth.oauth1 import OAuth1, base_string, form_pairs, oauth1
from syncline.sdk.http import Request
from syncline.sdk.source import Credentials

FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def test_the_base_string():
    """Section 3.4.1.1: method, base URI, and parameters of query, body and header, sorted and encoded twice."""
    url = "http://example.com/request?b5=%3D%253D&a3=a&c%40=&a2=r%20b"
    own = [
        ("oauth_consumer_key", "9djdj82h48djs9d2"),
        ("oauth_token", "kkk9d7dh3k39sjv7"),
        ("oauth_signature_method", "HMAC-SHA1"),
        ("oauth_timestamp", "137131201"),
        ("oauth_nonce", "7d8f3e4a"),
    ]
    body = form_pairs(Request("POST", url, FORM, b"c2&a3=2+q"))

    assert base_string("POST", url, [*own, *body]) == (
        "POST&http%3A%2F%2Fexample.com%2Frequest&a2%3Dr%2520b%26a3%3D2%2520q%26a3%3Da%26b5%3D%253D%25253D%26c%2540%3D%26"
        "c2%3D%26oauth_consumer_key%3D9djdj82h48djs9d2%26oauth_nonce%3D7d8f3e4a%26oauth_signature_method%3DHMAC-SHA1%26"
        "oauth_timestamp%3D137131201%26oauth_token%3Dkkk9d7dh3k39sjv7"
    )


def test_the_signature_of_the_introduction():
    """Section 1.2: the printer's request for a photo."""
    client = OAuth1("dpf43f3p2l4k3l03", Secret("kd94hf93k423kf44"), "nnch734d00sl2jdk", Secret("pfkkdhi9sl3r4s00"))
    request = Request("GET", "http://photos.example.net/photos?file=vacation.jpg&size=original")
    own = [
        ("oauth_consumer_key", "dpf43f3p2l4k3l03"),
        ("oauth_token", "nnch734d00sl2jdk"),
        ("oauth_signature_method", "HMAC-SHA1"),
        ("oauth_timestamp", "137131202"),
        ("oauth_nonce", "chapoH"),
    ]

    assert client.signature(request, own) == "MdpQcU8iPSUjWoN/UDMsK2sui9I="


def fields(request):
    text = request.headers["Authorization"].removeprefix("OAuth ")
    return {name: unquote(value.strip('"')) for name, _, value in (part.partition("=") for part in text.split(", "))}


@pytest.mark.parametrize("method", ["HMAC-SHA1", "HMAC-SHA256"])
def test_what_is_sent_is_what_was_signed(method):
    """The header's parameters are those of the signature, and no secret is among them."""
    client = OAuth1("key", Secret("consumer-secret"), "token", Secret("token-secret"), method, nonce=lambda: "n1")
    request = Request("POST", "https://api.example.com/a?x=1", FORM, b"y=2")
    sent = fields(client.sign(request, 1_700_000_000.0))
    signature = sent.pop("oauth_signature")

    assert signature == client.signature(request, sent.items())
    assert sent["oauth_timestamp"] == "1700000000"
    assert "secret" not in str(sent)


def test_rsa_sha1_verifies():
    """RSA-SHA1 signs the base string with the private key; the public one verifies it."""
    key = rsa.generate_private_key(65537, 2048)
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    settings = {"consumer_key": "key", "signature_method": "RSA-SHA1"}
    client = oauth1(Credentials("oauth1", settings, {"private_key": Secret(pem.decode())}))
    request = Request("GET", "https://api.example.com/a")
    sent = fields(client.sign(request, 0.0))
    signature = base64.b64decode(sent.pop("oauth_signature"))

    text = base_string("GET", request.url, sent.items()).encode()
    key.public_key().verify(signature, text, padding.PKCS1v15(), SHA1())  # noqa: S303 - the method that is tested


def test_plaintext_is_not_offered():
    """PLAINTEXT would send the secrets: it is refused."""
    settings = {"consumer_key": "key", "signature_method": "PLAINTEXT"}
    with pytest.raises(Stalled, match="PLAINTEXT"):
        oauth1(Credentials("oauth1", settings, {"consumer_secret": Secret("s")}))
