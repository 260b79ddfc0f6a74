"""Signatures of what people approve: made and checked by the real ssh-keygen."""

from __future__ import annotations

import subprocess

import pytest

from syncline.model.errors import Stalled
from syncline.reconciler.sshsig import NAMESPACE, key_of, sign, signed_by
from tests.people import allowing, person

DATA = b"effects\n"


@pytest.fixture(scope="module")
def ada(tmp_path_factory):
    return person(tmp_path_factory.mktemp("keys"), "ada")


@pytest.fixture
def signature(tmp_path, ada):
    """A file with Ada's signature."""
    path = tmp_path / "a.sig"
    path.write_bytes(sign(DATA, ada.key))
    return path


def test_who_signed(tmp_path, ada, signature):
    """The name that the file of signers gives the key, and its fingerprint."""
    found = signed_by(DATA, signature, allowing(tmp_path / "signers", ada))

    assert found.names == ("ada@example.com",)
    listed = subprocess.run(["ssh-keygen", "-lf", ada.key], check=True, capture_output=True, text=True).stdout
    assert found.key in listed


def test_other_data_other_people_and_other_uses_are_nobody(tmp_path, ada, signature):
    """Altered data, a key that isn't listed, a name with wildcards, and a signature made for Git."""
    signers, bob = allowing(tmp_path / "signers", ada), person(tmp_path, "bob")
    wild = tmp_path / "wild"
    wild.write_text(ada.allowed.replace("ada@example.com", "*@example.com"))
    git = subprocess.run(
        ["ssh-keygen", "-Y", "sign", "-n", "git", "-f", ada.key], input=DATA, check=True, capture_output=True
    ).stdout
    (tmp_path / "git.sig").write_bytes(git)
    (tmp_path / "junk.sig").write_bytes(b"junk")

    assert signed_by(DATA + b"x", signature, signers) is None
    assert signed_by(DATA, signature, allowing(tmp_path / "bobs", bob)) is None
    assert signed_by(DATA, signature, wild) is None
    assert signed_by(DATA, tmp_path / "git.sig", signers) is None
    assert signed_by(DATA, tmp_path / "junk.sig", signers) is None


def test_what_the_file_of_signers_restricts_holds(tmp_path, ada, signature):
    """A key that is listed for Git only, or until a day that is over, doesn't approve."""
    kind = ada.allowed.partition(" ")[2]
    for number, options in enumerate(('namespaces="git"', 'valid-before="20200101"')):
        signers = tmp_path / f"signers{number}"
        signers.write_text(f"ada@example.com {options} {kind}")
        assert signed_by(DATA, signature, signers) is None
    signers.write_text(f'ada@example.com namespaces="{NAMESPACE}" {kind}')
    assert signed_by(DATA, signature, signers) is not None


def test_the_key_names_the_file(ada, signature):
    """The same key gives the same name, whatever it signs; junk has none."""
    assert key_of(signature.read_bytes()) == key_of(sign(b"other", ada.key))
    with pytest.raises(ValueError, match="isn't an SSH signature"):
        key_of(b"-----BEGIN SSH SIGNATURE-----\nAAAA\n-----END SSH SIGNATURE-----\n")


def test_what_can_not_sign_or_be_checked_says_so(tmp_path, signature):
    """A file that is no key, and a file of signers that isn't there."""
    (tmp_path / "key").write_text("no key")
    (tmp_path / "key").chmod(0o600)
    with pytest.raises(Stalled, match="can't sign with") as error:
        sign(DATA, tmp_path / "key")
    assert error.value.code == "SYN723"
    with pytest.raises(Stalled, match="can't be read") as error:
        signed_by(DATA, signature, tmp_path / "nobody")
    assert error.value.code == "SYN724"
