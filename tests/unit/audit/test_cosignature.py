from __future__ import annotations

from pathlib import Path

import pytest

from syncline.audit import cosignature, note
from syncline.audit.checkpoint import Checkpoint
from syncline.audit.cosignature import CosignerKey
from syncline.audit.malformed import Malformed
from syncline.audit.note import VerifierKey
from syncline.audit.signer import FileSigner

# A key as a public witness has it, and a cosignature with its time, from the tests of transparency-dev/formats.
REMORA = "remora.n621.de+da77ade7+BOvN63jn/bLvkieywe8R6UYAtVtNbZpXh34x7onlmtw2"
TIMED = "ZGhGuQAAAABm/qTPeyKXD+R2rzyQsxPiP8mXum7qq/iF0u4vanlqJyocWODBt97w9uL+8qT7S5gxEHWWOworDcFiEBYJXORmnFBOBA=="

# The example of the specification (c2sp.org/tlog-cosignature).
EXAMPLE = """\
example.com/behind-the-sofa
20852163
CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=

— example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=
— witness.example.com/w1 jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==
"""

HEAD = Checkpoint("example.com/log", 3, bytes(32))


@pytest.fixture
def witness(tmp_path: Path) -> FileSigner:
    return FileSigner.create(tmp_path / "witness", "witness.example/w1")


def test_a_published_key_reads_back():
    """A key of type 4 that others published reads back, and is none of type 1."""
    key = CosignerKey.parse(REMORA)

    assert (key.name, str(key)) == ("remora.n621.de", REMORA)
    with pytest.raises(Malformed, match="type 1"):
        VerifierKey.parse(REMORA)


def test_times_stand_where_others_put_them():
    """The time of a cosignature that another program made is read where it stands."""
    line = note.signature_of(f"— w {TIMED}")

    assert int.from_bytes(line.value[:8], "big") == 1_727_964_367
    assert len(line.value) == 8 + 64


def test_the_example_of_the_specification_parses():
    """Its two signatures are read, the second one with the time that the specification states for it."""
    found = note.parse(EXAMPLE.encode())

    assert Checkpoint.parse(found.text).size == 20_852_163
    assert [line.name for line in found.signatures] == ["example.com/behind-the-sofa", "witness.example.com/w1"]
    assert int.from_bytes(found.signatures[1].value[:8], "big") == 1_679_315_147


def test_what_is_signed_is_what_the_specification_says(witness: FileSigner):
    """The 64 bytes are the key's signature of header, time and the whole text of the checkpoint."""
    line = cosignature.cosign(HEAD.text, witness, 1_679_315_147)
    message = b"cosignature/v1\ntime 1679315147\n" + HEAD.text.encode()

    assert line.value[:8] == (1_679_315_147).to_bytes(8, "big")
    assert witness.verifier.verifies(message, line.value[8:])


def test_the_two_uses_of_a_key_are_kept_apart(witness: FileSigner):
    """A cosignature doesn't count as a signature of the text, nor the other way round: their key IDs differ."""
    key = cosignature.cosigner(witness)
    cosigned = HEAD.text + "\n" + cosignature.cosign(HEAD.text, witness, 7).line

    assert key.key_id != witness.verifier.key_id
    with pytest.raises(Malformed, match="no signature by"):
        note.verify(cosigned.encode(), [witness.verifier])
    assert cosignature.cosignatures(note.parse(note.sign(HEAD.text, [witness])), [key]) == ()


def test_no_byte_of_a_cosignature_can_change(witness: FileSigner):
    """Each flipped bit of the line, the time in it included, is refused or is no longer this witness's."""
    key = cosignature.cosigner(witness)
    line = cosignature.cosign(HEAD.text, witness, 1_700_000_000).line.encode()

    for at in range(len(line)):
        changed = line[:at] + bytes([line[at] ^ 1]) + line[at + 1 :]
        try:
            found = cosignature.cosignatures(note.parse(HEAD.text.encode() + b"\n" + changed), [key])
        except Malformed:
            continue
        assert found == ()


def test_the_latest_of_several_counts(witness: FileSigner):
    """A witness that cosigned twice counts once, with its latest time."""
    lines = "".join(cosignature.cosign(HEAD.text, witness, time).line for time in (9, 12, 10))
    found = cosignature.cosignatures(note.parse(f"{HEAD.text}\n{lines}".encode()), [cosignature.cosigner(witness)])

    assert [(one.key.name, one.time) for one in found] == [("witness.example/w1", 12)]


def test_a_time_beyond_the_bound_is_refused(witness: FileSigner):
    """A time beyond 2^63 - 1 is refused, whatever was signed."""
    line = cosignature.cosign(HEAD.text, witness, 2**63)

    assert not cosignature.cosigner(witness).verifies(HEAD.text.encode(), line.value)
