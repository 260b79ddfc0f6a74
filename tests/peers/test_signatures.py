"""Signed requests, checked by libraries of others: Hawk and draft-cavage as declared canonical strings, and RFC 9421."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.peers.house import Flow, house

FIELDS = ("to: id, from: id, type: integer, required: true", "to: name, from: name")
SHARED = "{TYPE, keyId: KEY_ID, key: {secretRef: {provider: env, key: SIGNING_KEY}}}"
HAWK = {
    "type": "hmac",
    "canonical": "hawk.1.header\n{{ timestamp }}\n{{ nonce }}\n{{ method }}\n{{ path }}{{ '?' ~ query if query else '' }}\n"
    "{{ hostname }}\n{{ port }}\n\n\n",
    "encoding": "base64",
    "send": {
        "headers.Authorization": 'Hawk id="{{ key_id }}", ts="{{ timestamp }}", nonce="{{ nonce }}", mac="{{ signature }}"'
    },
}
CAVAGE = {
    "type": "hmac",
    "canonical": "(request-target): {{ method | lower }} {{ path }}{{ '?' ~ query if query else '' }}\nhost: {{ host }}\n"
    "date: {{ timestamp }}{{ '\ndigest: SHA-256=' ~ body_sha256_base64 if body else '' }}",
    "encoding": "base64",
    "timestamp": "http",
    "send": {
        "headers.Date": "{{ timestamp }}",
        "headers.Digest": "SHA-256={{ body_sha256_base64 }}",
        "headers.Authorization": 'Signature keyId="{{ key_id }}",algorithm="hmac-sha256",headers="(request-target) host date'
        "{{ ' digest' if body else '' }}\",signature=\"{{ signature }}\"",
    },
}
MESSAGE = {
    "type": "http_signature",
    "components": ["@method", "@target-uri", "content-digest", "content-type"],
    "tag": "syncline",
    "expires": "1m",
    "nonce": True,
}
ALGORITHMS = ["ed25519", "ecdsa-p256-sha256", "rsa-pss-sha512", "hmac-sha256"]


def made(root, system, way, offer, key, key_id=""):
    """A house that reads both streams below a way's path."""
    connector = {
        "apiVersion": "syncline/v1",
        "kind": "Connector",
        "metadata": {"name": "signed"},
        "spec": {
            "version": "1.0.0",
            "auth": [offer],
            "config": {"properties": {"url": {"type": "string", "format": "uri"}}, "required": ["url"]},
            "http": {"url": "{{ config.url }}"},
            "streams": {
                "items": _stream(
                    get="/things%20of/%C3%A4", query={"tag": ["b c", "a"], "f[x]": "d+e&f=ü"}, page="query"
                )
            }
            | {"searched": _stream(post="/search", body={"q": "ä & ü~"}, page="body")},
        },
    }
    auth = SHARED.replace("TYPE", f"type: {offer['type']}").replace("KEY_ID", key_id or system.id)
    flows = [Flow(stream, FIELDS) for stream in ("items", "searched")]
    config, secrets = {"url": f"{system.url}/{way}"}, {"SIGNING_KEY": key}
    return house(root, f"{json.dumps(connector)}\n", config, *flows, auth=auth, secrets=secrets, quick=True)


def _stream(*, page: str, **request: Any) -> dict[str, Any]:
    properties = {"id": {"type": "integer"}, "name": {"type": "string"}}
    paging = {"page": f"{page}.page"}
    return request | {"records": "data[]", "key": ["id"], "page": paging, "schema": {"properties": properties}}


@pytest.mark.parametrize(("way", "offer"), [("hawk", HAWK), ("cavage", CAVAGE)], ids=["hawk", "cavage"])
def test_a_declared_canonical_string_is_what_others_check(tmp_path, signatures, way, offer):
    """Each page, by GET and by POST, has a signature that the library takes: of paths and queries with what must be escaped."""
    house = made(tmp_path, signatures, way, offer, signatures.secret)

    for stream in ("items", "searched"):
        assert house.run(stream)["inserted"] == 6
        assert house.rows(f"SELECT name FROM {stream} WHERE id = 7") == [("ä & 1",)]
    house.proved()


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_message_signature_is_what_others_check(tmp_path, signatures, algorithm):
    """RFC 9421 by each kind of key: method, URL, content and its digest are covered, with a tag, an end and a nonce."""
    offer, key = {**MESSAGE, "algorithm": algorithm}, signatures.keys[algorithm]
    house = made(tmp_path, signatures, f"rfc9421/{algorithm}", offer, key, algorithm)

    assert [house.run(stream)["inserted"] for stream in ("items", "searched")] == [6, 6]
    house.proved()


@pytest.mark.parametrize(
    ("way", "offer", "key"),
    [
        ("hawk", HAWK, "another-canary-4711"),
        ("cavage", CAVAGE, "another-canary-4711"),
        ("rfc9421/hmac-sha256", {**MESSAGE, "algorithm": "hmac-sha256"}, "YW5vdGhlci1jYW5hcnktNDcxMQ=="),
        ("rfc9421/hmac-sha256", {**MESSAGE, "algorithm": "hmac-sha256", "components": ["@method"]}, ""),
    ],
    ids=["hawk", "cavage", "rfc9421", "too little covered"],
)
def test_a_wrong_signature_stalls(tmp_path, signatures, way, offer, key):
    """What is signed with another key, or covers too little, is refused, and the run says what to do."""
    key_id = "hmac-sha256" if "rfc9421" in way else ""
    house = made(tmp_path, signatures, way, offer, key or signatures.keys["hmac-sha256"], key_id)

    assert "SYN401" in house.fails("items")
    house.proved()
