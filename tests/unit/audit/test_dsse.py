from __future__ import annotations

import json
from pathlib import Path

import pytest

from syncline.audit import dsse
from syncline.audit.dsse import Envelope
from syncline.audit.malformed import Malformed
from syncline.audit.signer import FileSigner

TYPE = "http://example.com/HelloWorld"


def test_what_is_signed_is_the_example_of_the_specification():
    """The pre-authentication encoding is that of the DSSE protocol's own test vector."""
    assert dsse.pre_authentication(TYPE, b"hello world") == b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"


def test_an_envelope_holds_what_was_signed(signer: FileSigner):
    """An envelope reads back from its bytes and gives its payload to whoever trusts the key."""
    envelope = dsse.sign(TYPE, b"hello \xff world", signer)

    assert Envelope.parse(envelope.encode()) == envelope
    assert dsse.verify(envelope, TYPE, [signer.verifier]) == b"hello \xff world"


def test_no_byte_of_an_envelope_can_change(signer: FileSigner):
    """Each flipped bit of an envelope, also of what isn't signed in it, is refused."""
    data = dsse.sign(TYPE, b"hello world", signer).encode()

    for at in range(len(data)):
        for bit in range(8):
            changed = data[:at] + bytes([data[at] ^ (1 << bit)]) + data[at + 1 :]
            with pytest.raises(Malformed):
                dsse.verify(Envelope.parse(changed), TYPE, [signer.verifier])


def test_only_the_key_and_the_type_that_are_asked_for_count(signer: FileSigner, tmp_path: Path):
    """Another's key, another type, no signature, and one of two signatures by a stranger are refused."""
    stranger = FileSigner.create(tmp_path / "stranger", "syncline.test/log")
    envelope = dsse.sign(TYPE, b"x", signer)
    other = dsse.sign(TYPE, b"x", stranger)

    for wrong, kind, message in (
        (other, TYPE, "isn't trusted"),
        (envelope, "text/plain", "not 'text/plain'"),
        (Envelope(TYPE, b"x", ()), TYPE, "no signature"),
        (Envelope(TYPE, b"x", envelope.signatures + other.signatures), TYPE, "isn't trusted"),
        (Envelope(TYPE, b"y", envelope.signatures), TYPE, "does not verify"),
    ):
        with pytest.raises(Malformed, match=message):
            dsse.verify(wrong, kind, [signer.verifier])


@pytest.mark.parametrize(
    "data", [b"", b"{}", b"[]", b"[" * 100_000, b'{"payload": "", "payloadType": "", "signatures": []}']
)
def test_other_bytes_are_no_envelope(data: bytes):
    """Only the one form of an envelope is read."""
    with pytest.raises(Malformed):
        Envelope.parse(data)


def test_other_programs_read_it(signer: FileSigner):
    """It is the JSON of the specification: base64 of payload and signatures, and the type."""
    found = json.loads(dsse.sign(TYPE, b"hello world", signer).encode())

    assert (found["payload"], found["payloadType"]) == ("aGVsbG8gd29ybGQ=", TYPE)
    assert [set(one) for one in found["signatures"]] == [{"keyid", "sig"}]
