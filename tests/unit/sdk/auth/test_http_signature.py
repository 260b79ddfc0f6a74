"""HTTP message signatures against the examples of RFC 9421 (appendix B), and Content-Digest against RFC 9530."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from syncline.model.errors import Invalid, Stalled
from syncline.model.secret import Secret
from syncline.sdk.auth.http_signature import HttpSignature, http_signature, signer
from syncline.sdk.auth.keys import jwk
from syncline.sdk.auth.signature_base import Message, content_digest, signature_base, signature_params
from syncline.sdk.http import Request
from syncline.sdk.source import Credentials
from syncline.sdk.structured_fields import Structure

CASES: dict[str, tuple[list[str], dict[str, str | int]]] = {
    "sig-b21": ([], {"created": 1618884473, "keyid": "test-key-rsa-pss", "nonce": "b3k2pp5k7z-50gnwp.yemd"}),
    "sig-b22": (["@authority", "content-digest", "@query-param;name=Pet"], {"created": 1618884473, "keyid": "test-key-rsa-pss", "tag": "header-example"}),
    "sig-b23": (["date", "@method", "@path", "@query", "@authority", "content-type", "content-digest", "content-length"], {"created": 1618884473, "keyid": "test-key-rsa-pss"}),
    "sig-b24": (["@status", "content-type", "content-digest", "content-length"], {"created": 1618884473, "keyid": "test-key-ecc-p256"}),
    "sig-b25": (["date", "@authority", "content-type"], {"created": 1618884473, "keyid": "test-shared-secret"}),
    "sig-b26": (["date", "@method", "@path", "@authority", "content-type", "content-length"], {"created": 1618884473, "keyid": "test-key-ed25519"}),
}  # fmt: skip


@pytest.fixture(scope="module")
def vectors(shared: Path):
    return json.loads((shared / "vectors/http-sig-rfc9421/vectors.json").read_text())


def case(vectors, label):
    return next(case for case in vectors["cases"] if case["label"] == label)


def message(vectors, label, base):
    response = label == "sig-b24"
    head, _, _ = vectors["test-response" if response else "test-request"].partition("\n\n")
    first, *lines = head.strip().splitlines()
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    if response:
        # The digest of the response in the appendix isn't the one that its example signs.
        headers["content-digest"] = base.partition('"content-digest": ')[2].partition("\n")[0]
        return Message(headers, status=200)
    return Message(headers, "POST", f"https://example.com{first.split()[1]}")


def test_every_case_is_covered(vectors):
    """The table above has all cases of the vectors."""
    assert {case["label"] for case in vectors["cases"]} == set(CASES)


@pytest.mark.parametrize("label", CASES)
def test_bases_and_inputs(vectors, label):
    """The signature base and Signature-Input are those of the RFC, byte for byte."""
    expected = case(vectors, label)
    components, parameters = CASES[label]
    params = signature_params(components, parameters)

    assert f"{label}={params}" == expected["signature-input"]
    assert signature_base(message(vectors, label, expected["base"]), components, params) == expected["base"]


@pytest.mark.parametrize("label", CASES)
def test_signatures(vectors, label):
    """Deterministic algorithms give the RFC's signatures; of the others, its signatures and ours verify alike."""
    expected = case(vectors, label)
    base = expected["base"].encode()
    theirs = base64.b64decode(expected["signature"].partition("=:")[2].rstrip(":"))
    if expected["alg"] == "hmac-sha256":
        secret = Secret(vectors["shared_secret_b64"])
    else:
        secret = Secret(json.dumps(vectors["jwks"][expected["keyid"]]))
    ours = signer(expected["alg"], secret)(base)

    if expected["alg"] in {"ed25519", "hmac-sha256"}:
        assert ours == theirs
        return
    public = jwk(secret).private_key.public_key()
    for signature in (ours, theirs):
        if expected["alg"].startswith("rsa-pss"):
            pss = padding.PSS(padding.MGF1(hashes.SHA512()), salt_length=64)
            public.verify(signature, base, pss, hashes.SHA512())
        else:
            half = len(signature) // 2
            der = encode_dss_signature(*(int.from_bytes(part, "big") for part in (signature[:half], signature[half:])))
            public.verify(der, base, ec.ECDSA(hashes.SHA256()))


def test_the_digest_of_content(vectors):
    """Content-Digest is the one of the appendix's request (RFC 9530)."""
    body = vectors["test-request"].partition("\n\n")[2].strip().encode()
    assert content_digest(body, "sha-512") in vectors["test-request"]


def test_the_content_is_covered_by_its_digest():
    """A request with content carries a digest of it, and the signature covers that; one without has neither."""
    scheme = HttpSignature("k", lambda data: data, ("@method", "content-digest"))
    with_body = scheme.sign(Request("POST", "https://api.example.com/", {}, b"{}"), 0.0)
    without = scheme.sign(Request("GET", "https://api.example.com/"), 0.0)

    signed = base64.b64decode(with_body.headers["Signature"].removeprefix("sig1=:").rstrip(":")).decode()
    assert f'"content-digest": {content_digest(b"{}")}' in signed
    assert "content-digest" not in without.headers["Signature-Input"]


def test_parameters_of_a_declaration():
    """Expiry, nonce and tag are in the input where they are declared."""
    settings = {
        "algorithm": "hmac-sha256",
        "key_id": "k",
        "components": ["@method"],
        "expires": "60s",
        "nonce": True,
        "tag": "app",
    }
    scheme = http_signature(Credentials("http_signature", settings, {"key": Secret("a2V5")}))
    inputs = [scheme.sign(Request("GET", "https://h.example/"), 100.0).headers["Signature-Input"] for _ in range(2)]

    assert ';created=100;expires=160;keyid="k";nonce="' in inputs[0]
    assert inputs[0].endswith(';tag="app"')
    assert inputs[0] != inputs[1]


@pytest.mark.parametrize("component", ["x-missing", "@status", "@query-param;name=none", "date;sf", "@unknown"])
def test_what_cannot_be_covered_is_refused(component):
    """A component that isn't there is an error before anything is sent."""
    with pytest.raises(Invalid):
        signature_base(Message({"date": "x"}, "GET", "https://h.example/?a=1"), [component], "()")


#: The examples of RFC 9421, sections 2.1.1 to 2.1.3, and one of RFC 9651 for each type of value.
FIELDS = {
    "cache-control": "max-age=60,    must-revalidate",
    "example-dict": " a=1,    b=2;x=1;y=2,   c=(a   b   c)",
    "example-flags": "a=?0,   b, c; foo=bar",
    "example-values": '"a \\"b\\"", tok/en:x ,  :aGVsbG8=:,?1,  -00.50;q=?1, @1659578233, %"f%c3%bc", (  "x"  y )',
}
STRUCTURES: dict[str, Structure] = {
    "cache-control": "dictionary",
    "example-dict": "dictionary",
    "example-flags": "dictionary",
    "example-values": "list",
    "broken": "dictionary",
}


@pytest.mark.parametrize(
    ("component", "line"),
    [
        ("cache-control", '"cache-control": max-age=60,    must-revalidate'),
        ("cache-control;sf", '"cache-control";sf: max-age=60, must-revalidate'),
        ("example-dict", '"example-dict": a=1,    b=2;x=1;y=2,   c=(a   b   c)'),
        ("example-dict;sf", '"example-dict";sf: a=1, b=2;x=1;y=2, c=(a b c)'),
        ('example-dict;key="a"', '"example-dict";key="a": 1'),
        ("example-dict;key=b", '"example-dict";key="b": 2;x=1;y=2'),
        ("Example-Dict;key=c", '"example-dict";key="c": (a b c)'),
        ("example-flags;key=a", '"example-flags";key="a": ?0'),
        ("example-flags;key=b", '"example-flags";key="b": ?1'),
        ("example-flags;key=c;sf", '"example-flags";key="c";sf: ?1;foo=bar'),
        ("example-flags;sf", '"example-flags";sf: a=?0, b, c;foo=bar'),
        (
            "example-values;sf",
            '"example-values";sf: "a \\"b\\"", tok/en:x, :aGVsbG8=:, ?1, -0.5;q, @1659578233, %"f%c3%bc", ("x" y)',
        ),
    ],
)
def test_components_of_structured_fields(component, line):
    """A header is covered as it stands, in its strict form, or by one member of it (sections 2.1, 2.1.1, 2.1.2)."""
    message = Message(FIELDS, "GET", "https://h.example/", structures=STRUCTURES)
    assert signature_base(message, [component], "()") == f'{line}\n"@signature-params": ()'


@pytest.mark.parametrize(
    "component",
    [
        "example-dict;key=z",
        "example-dict;key",
        "example-dict;sf;sf",
        "example-dict;bs;sf",
        "example-dict;key=a;bs",
        "example-dict;tr",
        "undeclared;sf",
        "broken;sf",
        "broken;key=a",
        "@query-param",
        "@path;sf",
        "no header",
    ],
)
def test_structured_fields_that_cannot_be_covered(component):
    """A member that isn't there, parameters that exclude each other, and text of another structure are refused."""
    fields = {**FIELDS, "undeclared": "a", "broken": "a=1,"}
    message = Message(fields, "GET", "https://h.example/", structures=STRUCTURES)
    with pytest.raises(Invalid) as caught:
        signature_base(message, [component], "()")
    assert caught.value.code == "SYN441"


def test_a_request_is_signed_over_what_is_declared_of_its_headers():
    """Structures come from the declaration; a digest that is covered in its strict form is sent like any other."""
    settings = {
        "algorithm": "hmac-sha256",
        "key_id": "k",
        "components": ("x-trace;sf", "content-digest;key=sha-256"),
        "structures": {"X-Trace": "list"},
    }
    scheme = http_signature(Credentials("http_signature", settings, {"key": Secret("a2V5")}))
    sent = scheme.sign(Request("POST", "https://h.example/", {"X-Trace": "a,b"}, b"{}"), 100.0)
    digest = content_digest(b"{}").removeprefix("sha-256=")
    covered = '("x-trace";sf "content-digest";key="sha-256");created=100;keyid="k"'
    base = f'"x-trace";sf: a, b\n"content-digest";key="sha-256": {digest}\n"@signature-params": {covered}'

    assert sent.headers["Signature-Input"] == f"sig1={covered}"
    made = base64.b64encode(signer("hmac-sha256", Secret("a2V5"))(base.encode())).decode()
    assert sent.headers["Signature"] == f"sig1=:{made}:"


def test_a_component_is_covered_once():
    """The same component twice is an error (section 2.5)."""
    with pytest.raises(Invalid, match="twice"):
        signature_base(Message({}, "GET", "https://h.example/"), ["@method", "@method"], "()")


def test_a_key_of_another_kind_is_refused(vectors):
    """An algorithm takes no key of another one."""
    secret = Secret(json.dumps(vectors["jwks"]["test-key-ecc-p256"]))
    for algorithm in ("ed25519", "rsa-pss-sha512", "ecdsa-p384-sha384"):
        with pytest.raises(Stalled):
            signer(algorithm, secret)
