"""Which commits of a source are signed by somebody who is declared: SSH keys and OpenPGP keys."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import pytest

from syncline.model.errors import Stalled
from tests.unit.daemon.upstream import files


def test_signatures(upstream, follow, tmp_path):
    """With allowed signers, a commit signed by one of them is taken; unsigned ones and those of others are not."""
    for name in ("ann", "eve"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / name)], check=True)
    allowed = tmp_path / "allowed"
    allowed.write_text("ann@example.com " + (tmp_path / "ann.pub").read_text())
    repository = follow(allowed_signers=allowed)

    def sign(name):
        upstream.git("config", "gpg.format", "ssh")
        upstream.git("config", "user.signingkey", str(tmp_path / f"{name}.pub"))
        return upstream.commit({"a.yaml": f"a: {name}\n"}, "-S")

    good = sign("ann")
    assert repository.head() == good
    assert files(repository.snapshot(good).root) == {"a.yaml": "a: ann\n"}
    for make in (lambda: sign("eve"), lambda: upstream.commit({"a.yaml": "a: 0\n"})):
        bad = make()
        assert repository.head() == bad
        with pytest.raises(Stalled) as caught:
            repository.snapshot(bad)
        assert caught.value.code == "SYN664"


@pytest.fixture
def pgp(tmp_path):
    """Makes an OpenPGP key without a passphrase; gives the folder of its ring and its public part in a file."""
    rings = []

    def make(name, *, expires="never"):
        ring = Path(tempfile.mkdtemp(dir="/tmp"))  # the agent's socket needs a short path
        rings.append(ring)
        gpg = ["gpg", "--homedir", str(ring), "--batch", "--quiet", "--passphrase", ""]
        identity = f"{name.title()} <{name}@example.com>"
        subprocess.run([*gpg, "--quick-generate-key", identity, "ed25519", "sign", expires], check=True)
        public = tmp_path / f"{name}.asc"
        public.write_bytes(subprocess.run([*gpg, "--armor", "--export"], check=True, capture_output=True).stdout)
        return ring, public

    yield make
    for ring in rings:
        subprocess.run(["gpgconf", "--homedir", str(ring), "--kill", "all"], check=False)
        shutil.rmtree(ring, ignore_errors=True)


def pgp_signed(upstream, ring, name, monkeypatch):
    """A commit that this key signed."""
    with monkeypatch.context() as patched:
        patched.setenv("GNUPGHOME", str(ring))
        upstream.git("config", "gpg.format", "openpgp")
        upstream.git("config", "user.signingkey", f"{name}@example.com")
        return upstream.commit({"a.yaml": f"a: {name}\n"}, "-S")


def not_signed(repository, commit):
    assert repository.head() == commit
    with pytest.raises(Stalled) as caught:
        repository.snapshot(commit)
    return caught.value


@pytest.mark.skipif(shutil.which("gpg") is None, reason="gpg isn't installed")
def test_openpgp_signatures(upstream, follow, pgp, tmp_path, monkeypatch):
    """Commits that a declared OpenPGP key signed are taken; others aren't, whatever the account's own ring trusts."""
    ring, ann = pgp("ann")
    others, _ = pgp("eve")
    repository = follow(openpgp_keys=ann)

    good = pgp_signed(upstream, ring, "ann", monkeypatch)
    assert repository.head() == good
    assert files(repository.snapshot(good).root) == {"a.yaml": "a: ann\n"}
    assert {"ann@example.com"} < repository.authors("", good)

    foreign = pgp_signed(upstream, others, "eve", monkeypatch)
    monkeypatch.setenv("GNUPGHOME", str(others))  # the ring of the account that the daemon runs as
    assert not_signed(repository, foreign).code == "SYN664"
    assert "not signed by anybody in ann.asc: its key is none of these" in str(not_signed(repository, foreign))
    assert not_signed(repository, upstream.commit({"a.yaml": "a: 0\n"})).code == "SYN664"


@pytest.mark.skipif(shutil.which("gpg") is None, reason="gpg isn't installed")
def test_a_changed_commit_has_no_openpgp_signature(upstream, follow, pgp, monkeypatch):
    """A good signature over another tree doesn't count."""
    ring, ann = pgp("ann")
    good = pgp_signed(upstream, ring, "ann", monkeypatch)
    upstream.commit({"a.yaml": "a: other\n"})
    tree = upstream.git("rev-parse", "HEAD^{tree}")
    text = upstream.git("cat-file", "commit", good) + "\n"
    former = upstream.git("rev-parse", f"{good}^{{tree}}")
    forged = upstream.git("hash-object", "-w", "-t", "commit", "--stdin", feed=text.replace(former, tree))
    upstream.git("update-ref", "refs/heads/main", forged)

    refused = not_signed(follow(openpgp_keys=ann), forged)
    assert (refused.code, "is of something else" in str(refused)) == ("SYN664", True), refused


@pytest.mark.skipif(shutil.which("gpg") is None, reason="gpg isn't installed")
def test_openpgp_keys_that_are_taken_out_of_the_file_no_longer_count(upstream, follow, pgp, monkeypatch):
    """The file is read each time: a key that was put in counts, one that is gone doesn't."""
    ring, ann = pgp("ann")
    _, bob = pgp("bob")
    repository = follow(openpgp_keys=ann)
    commit = pgp_signed(upstream, ring, "ann", monkeypatch)
    repository.head()
    repository.snapshot(commit)

    ann.write_bytes(bob.read_bytes())
    assert not_signed(repository, commit).code == "SYN664"


@pytest.mark.skipif(shutil.which("gpg") is None, reason="gpg isn't installed")
def test_an_openpgp_signature_counts_only_where_such_keys_are_declared(upstream, follow, pgp, tmp_path, monkeypatch):
    """With SSH signers only, an OpenPGP signature is none; with both files, either will do."""
    ring, ann = pgp("ann")
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / "bob")], check=True)
    allowed = tmp_path / "allowed"
    allowed.write_text("bob@example.com " + (tmp_path / "bob.pub").read_text())
    commit = pgp_signed(upstream, ring, "ann", monkeypatch)
    monkeypatch.setenv("GNUPGHOME", str(ring))

    assert not_signed(follow(allowed_signers=allowed), commit).code == "SYN664"
    both = follow(allowed_signers=allowed, openpgp_keys=ann)
    both.head()
    both.snapshot(commit)
    upstream.git("config", "gpg.format", "ssh")
    upstream.git("config", "user.signingkey", str(tmp_path / "bob.pub"))
    by_ssh = upstream.commit({"a.yaml": "a: ssh\n"}, "-S")
    both.head()
    both.snapshot(by_ssh)
    assert not_signed(follow(openpgp_keys=ann), by_ssh).code == "SYN664"


@pytest.mark.skipif(shutil.which("gpg") is None, reason="gpg isn't installed")
def test_an_openpgp_key_that_has_expired_does_not_count(upstream, follow, pgp, monkeypatch):
    """What it signed while it was good isn't taken any more, either."""
    ring, ann = pgp("ann", expires="seconds=4")
    commit = pgp_signed(upstream, ring, "ann", monkeypatch)
    repository = follow(openpgp_keys=ann)
    time.sleep(5)
    refused = not_signed(repository, commit)
    assert (refused.code, "its key has expired" in str(refused)) == ("SYN664", True), refused


@pytest.mark.parametrize("content", [b"", b"no key\n"])
@pytest.mark.skipif(shutil.which("gpg") is None, reason="gpg isn't installed")
def test_a_file_without_openpgp_keys_lets_nothing_through(upstream, follow, tmp_path, content):
    """It is told as what it is, and nothing is applied."""
    file = tmp_path / "keys.asc"
    file.write_bytes(content)
    assert not_signed(follow(openpgp_keys=file), upstream.commit({"a.yaml": "a: 0\n"})).code == "SYN336"
