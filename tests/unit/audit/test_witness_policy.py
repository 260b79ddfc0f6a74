from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from syncline.audit import witness_policy
from syncline.audit.cosignature import CosignerKey
from syncline.audit.malformed import Malformed

KEYS = {
    name: CosignerKey(name, Ed25519PrivateKey.from_private_bytes(bytes([number] * 32)).public_key().public_bytes_raw())
    for number, name in enumerate(("X1", "X2", "X3", "Y1", "Y2", "Y3"), 1)
}
# The example of the specification (c2sp.org/tlog-policy), with keys.
EXAMPLE = "".join(f"witness {name} {key}\n" for name, key in KEYS.items()) + (
    "# a comment\n\n"
    "group X-witnesses 2 X1 X2 X3\n"
    "  group\tY-witnesses any Y1 Y2 Y3\n"
    "group X-and-Y all X-witnesses Y-witnesses\n"
    "quorum X-and-Y\n"
)


@pytest.mark.parametrize(
    ("cosigned", "met"),
    [("", False), ("X1 X2", False), ("X1 X2 X3", False), ("Y1 Y2 Y3", False), ("X1 Y1", False), ("X1 X3 Y2", True),
     ("X1 X2 X3 Y1 Y2 Y3", True)],
)  # fmt: skip
def test_the_example_of_the_specification(cosigned: str, met: bool):
    """Two of three and one of three are demanded together."""
    policy = witness_policy.parse(EXAMPLE.encode())

    assert policy.met(KEYS[name] for name in cosigned.split()) is met


def test_none_is_a_quorum():
    """`quorum none` demands nobody."""
    policy = witness_policy.parse(b"quorum none\n")

    assert policy.met(())
    assert policy.demand() == "no witness"


def test_one_witness_is_a_quorum():
    """A quorum may be a single witness, which has its URL."""
    policy = witness_policy.parse(f"witness w {KEYS['X1']} https://w.example/a/\nquorum w\n".encode())

    assert [w.url for w in policy.witnesses] == ["https://w.example/a"]
    assert (policy.met([KEYS["X1"]]), policy.met([KEYS["X2"]])) == (True, False)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "quorum NAME"),
        ("quorum a", "line 1: no witness or group 'a'"),
        ("quorum none\nquorum none", "line 2: there is a quorum already"),
        ("quorum none extra", "line 1: 'quorum none extra' is no line"),
        ("witness none {X1}", "'none' is taken"),
        ("witness a {X1}\nwitness a {X2}", "line 2: the name 'a' is taken"),
        ("witness a {X1}\nwitness b {X1}", "line 2: witness b has the key of another"),
        ("witness a {X1}\ngroup g 2 a", "'2' of 1"),
        ("witness a {X1}\ngroup g 0 a", "'0' of 1"),
        ("witness a {X1}\ngroup g +1 a", "of 1 is no number"),
        ("group g all a\nwitness a {X1}", "line 1: no witness"),
        ("witness a {X1}\ngroup g any a a", "member already"),
        ("witness a {X1}\ngroup g any a\ngroup h any a", "line 3: a is a member already"),
        ("witness a nokey", "line 1"),
        ("witness a {X1}\rquorum a", "control characters"),
    ],
)
def test_other_texts_are_no_policy(text: str, message: str):
    """What the format doesn't allow is refused with its line."""
    with pytest.raises(Malformed, match=message):
        witness_policy.parse(text.replace("{X1}", str(KEYS["X1"])).replace("{X2}", str(KEYS["X2"])).encode())
