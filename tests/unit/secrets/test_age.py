"""age files against the test kit of C2SP/CCTV, every file of it, and against the tests of age's own program."""

from __future__ import annotations

import hashlib
import io
import re
import zipfile
import zlib
from collections import Counter
from pathlib import Path

import pyrage  # type: ignore[import-untyped]  # the wheel has no stubs
import pytest

from syncline.model.errors import Invalid
from syncline.secrets import age, sops
from syncline.secrets.sops_file import _identities
from syncline.secrets.sops_tree import SopsError
from syncline.tenancy.archive import _recipients

#: What the kit has an implementation decrypt, and this one refuses: SOPS wraps keys for X25519 or for nobody we serve.
#: Passphrases have no place where nobody is asked, and the library knows no post-quantum keys.
NOT_OURS = {
    "scrypt": "passphrase", "armor_scrypt": "passphrase",
    "hybrid": "post-quantum", "armor_hybrid": "post-quantum", "hybrid_and_x25519": "post-quantum",
    "hybrid_grease": "post-quantum", "hybrid_multiple_recipients": "post-quantum",
}  # fmt: skip
#: An identity for files that come with a passphrase instead of one.
ANY = "AGE-SECRET-KEY-1EGTZVFFV20835NWYV6270LXYVK2VKNX2MMDKWYKLMGR48UAWX40Q2P2LM0"


def _read(data: bytes) -> tuple[dict[str, list[str]], bytes]:
    """Split a test file of the age test kit into its description and the age file."""
    head, _, body = data.partition(b"\n\n")
    fields: dict[str, list[str]] = {}
    for line in head.decode().split("\n"):
        name, _, value = line.partition(": ")
        fields.setdefault(name, []).append(value)
    return fields, zlib.decompress(body) if fields.get("compressed") == ["zlib"] else body


def _outcome(fields: dict[str, list[str]], body: bytes) -> str:
    """Decrypt as `sops.py` does, with those identities that are of X25519, or else with any one."""
    texts = [text for text in fields.get("identity", []) if not text.startswith("AGE-SECRET-KEY-PQ-")] or [ANY]
    try:
        plain = age.decrypt(body, [pyrage.x25519.Identity.from_str(text) for text in texts])
    except (pyrage.IdentityError, ValueError):
        return "refused"
    return "decrypted" if [hashlib.sha256(plain).hexdigest()] == fields["payload"] else "other text"


def test_every_file_of_the_test_kit_gets_its_verdict(shared: Path):
    """C2SP/CCTV: what must be decrypted is, but for `NOT_OURS`; all else is refused, and nothing gives other text."""
    verdicts, surprises = Counter[str](), {}
    for path in sorted((shared / "vectors/age-testkit/age/testdata").iterdir()):
        fields, body = _read(path.read_bytes())
        expected = "decrypted" if fields["expect"] == ["success"] and path.name not in NOT_OURS else "refused"
        verdicts[expected] += 1
        if (found := _outcome(fields, body)) != expected:
            surprises[path.name] = found

    assert surprises == {}
    assert verdicts.total() >= 141
    assert verdicts["decrypted"] >= 19


@pytest.mark.parametrize("name", NOT_OURS)
def test_what_is_not_ours_is_of_its_sort(shared: Path, name: str):
    """A file that we don't decrypt is one for a passphrase or for a post-quantum key, as its list says."""
    fields, _ = _read((shared / "vectors/age-testkit/age/testdata" / name).read_bytes())

    sort = "passphrase" if "passphrase" in fields else "post-quantum"
    assert sort == NOT_OURS[name]
    assert sort == "passphrase" or all(text.startswith("AGE-SECRET-KEY-PQ-") for text in fields["identity"])


# --- the tests of the program `age` ----------------------------------------------------------------------------------

#: Each script, and what of it is tried here. They drive a program, so that what holds for a library is taken from them.
SCRIPTS = {
    "x25519": "keys, recipients, an empty file",
    "armor": "blanks around an armored file",
    "duplicates": "recipients that are named twice",
    "hybrid": "keys that are refused",
    "plugin": "keys that are refused",
    "ed25519": "keys that are refused",
    "rsa": "keys that are refused",
    "pkcs8": "keys that are refused",
    "encrypted_keys": "keys that are refused",
    "scrypt": "nothing: a person types a passphrase at a terminal",
    "batchpass": "nothing: a passphrase from the environment",
    "terminal": "nothing: what that program asks at a terminal",
    "usage": "nothing: that program's options",
    "output_file": "nothing: that program's files for output",
    "keygen": "nothing: another program makes keys",
}


@pytest.fixture
def cli(shared: Path) -> Path:
    """The tests of the program age."""
    return shared / "vectors/age-cli-testdata"


def _script(cli: Path, name: str) -> tuple[str, dict[str, str]]:
    """The commands of a script, and its files by name."""
    commands, *rest = re.split(
        r"^-- (\S+) --\n", (cli / f"cmd/age/testdata/{name}.txt").read_text(), flags=re.MULTILINE
    )
    return commands, dict(zip(rest[::2], rest[1::2], strict=True))


def _keys(text: str) -> list[pyrage.x25519.Identity]:
    """The identities of a key file, read as `SOPS_AGE_KEY_FILE` is."""
    return [pyrage.x25519.Identity.from_str(identity.reveal()) for identity in _identities(text)]


def test_every_script_has_its_place(cli: Path):
    """No test of the program age is left out of the list."""
    assert {path.stem for path in (cli / "cmd/age/testdata").iterdir()} == set(SCRIPTS)
    assert {path.name for path in (cli / "testdata").iterdir()} == {
        "example.age",
        "example.zip.age",
        "example_keys.txt",
    }


def test_the_published_examples_are_decrypted(cli: Path):
    """With the published key file, the published files give their text and their archive."""
    keys = _keys((cli / "testdata/example_keys.txt").read_text())
    text, archive = (
        age.decrypt((cli / "testdata" / name).read_bytes(), keys) for name in ("example.age", "example.zip.age")
    )

    assert text == zipfile.ZipFile(io.BytesIO(archive)).read("example.txt") == b"Black lives matter."


def test_x25519(cli: Path):
    """What is encrypted for the recipient opens with its key file; what is for another, or is empty, doesn't."""
    commands, files = _script(cli, "x25519")
    keys = _keys(files["key.txt"])
    recipient, other = dict.fromkeys(re.findall(r"-r (age1\S+)", commands))
    assert recipient in files["key.txt"]

    assert age.decrypt(pyrage.encrypt(files["input"].encode(), _recipients((recipient,))), keys) == b"test\n"
    with pytest.raises(ValueError, match="No matching keys"):
        age.decrypt(pyrage.encrypt(b"test\n", _recipients((other,))), keys)
    with pytest.raises(ValueError, match="."):
        age.decrypt(files["empty"].encode(), keys)


def test_blanks_around_armor(cli: Path):
    """An armored file may have blanks before and after it."""
    _, files = _script(cli, "armor")

    (armored,) = (text for name, text in files.items() if name.startswith("armored"))
    assert age.decrypt(armored.encode(), _keys(files["key.txt"])) == b"test\n"


def test_recipients_named_twice(cli: Path):
    """Who is named twice may open a file, as may the other one."""
    commands, files = _script(cli, "duplicates")
    recipients = re.findall(r"-r (age1\S+)", commands.splitlines()[1])
    assert (len(recipients), len(set(recipients))) == (3, 2)

    sealed = pyrage.encrypt(b"test data", _recipients(tuple(recipients)))

    for name in ("key1.txt", "key2.txt"):
        assert age.decrypt(sealed, _keys(files[name])) == b"test data"


REFUSED = [name for name, what in SCRIPTS.items() if what == "keys that are refused"]


@pytest.mark.parametrize("script", REFUSED)
def test_keys_of_other_kinds_are_refused(shared: Path, cli: Path, script: str):
    """An SSH key, an encrypted one, a plugin's or a post-quantum one is refused by name, as is its recipient: no plugin
    is started, and nothing of a key is shown.
    """
    commands, files = _script(cli, script)
    sealed = (shared / "vectors/sops/generated/enc.yaml").read_bytes()
    recipients = {
        *re.findall(r"-r (age1(?:pq1|test1|pwn/|nonexistent)\S+)", commands),
        *(text.strip() for name, text in files.items() if name.endswith(".pub") or "recipient" in name),
    }
    keys = [text for name, text in files.items() if "PRIVATE KEY" in text or re.search("^AGE-", text, re.MULTILINE)]
    assert keys
    assert recipients or script == "pkcs8"

    for text in keys:
        with pytest.raises(SopsError, match=r"is not an X25519 identity \(AGE-SECRET-KEY-1…\)") as caught:
            sops.decrypt(sealed, _identities(text), is_json=False)
        assert text.splitlines()[-1] not in str(caught.value)
    for text in recipients:
        with pytest.raises(Invalid) as refused:
            _recipients((text,))
        assert refused.value.code == "SYN863"


def test_no_recipient_beside_a_passphrase(shared: Path):
    """A file for a passphrase and a key is refused even with that key, and so is one for a passphrase alone."""
    folder = shared / "vectors/age-testkit/age/testdata"
    for name in ("scrypt", "scrypt_and_x25519"):
        fields, body = _read((folder / name).read_bytes())
        keys = [pyrage.x25519.Identity.from_str(text) for text in fields.get("identity", [ANY])]
        with pytest.raises(ValueError, match="."):
            age.decrypt(body, keys)
