"""Whose signatures of commits count: SSH keys in a file of allowed signers, and OpenPGP keys in a file of public keys.

OpenPGP signatures are checked by `gpg` with a ring of keys of its own, made from the file: what the account's own ring
has or trusts doesn't count, no key is looked for elsewhere, and no agent is started.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Final

from msgspec import Struct

from syncline.model.errors import Stalled

#: Seconds that reading the keys may take.
_TIMEOUT: Final = 30.0
_RING: Final = "openpgp-"
_SETTINGS: Final = """\
batch
no-tty
no-autostart
disable-dirmngr
no-auto-key-retrieve
no-auto-key-import
trust-model always
weak-digest SHA1
"""
_NO_PROGRAM: Final = "/bin/false"
#: What gpg says of a signature that doesn't count, in words for people.
_WHY: Final = (
    ("REVKEYSIG", "its key was revoked"),
    ("EXPKEYSIG", "its key has expired"),
    ("EXPSIG", "its signature has expired"),
    ("BADSIG", "its signature is of something else"),
    ("NO_PUBKEY", "its key is none of these"),
)


class Signatures(Struct, frozen=True):
    """What is demanded of commits; `home` is a folder of ours. The files are read at each use.

    `allowed_signers` is in the format of ssh-keygen(1), `openpgp_keys` has public keys in their armour or without it.

    >>> Signatures(Path("/home"), None, None).demanded
    False
    """

    home: Path
    allowed_signers: Path | None
    openpgp_keys: Path | None

    @property
    def demanded(self) -> bool:
        """Whether commits have to be signed."""
        return self.allowed_signers is not None or self.openpgp_keys is not None

    @property
    def names(self) -> str:
        """The files of those who may sign, for people."""
        return " or ".join(file.name for file in (self.allowed_signers, self.openpgp_keys) if file is not None)

    def settings(self) -> list[str]:
        """Settings of git, as arguments. Signatures of kinds that aren't declared start no program and don't count."""
        program = _NO_PROGRAM if self.openpgp_keys is None else "gpg"
        words = ["-c", f"gpg.program={program}", "-c", f"gpg.openpgp.program={program}"]
        words += ["-c", f"gpg.x509.program={_NO_PROGRAM}"]
        if self.allowed_signers is not None:
            words += ["-c", f"gpg.ssh.allowedSignersFile={self.allowed_signers.resolve()}"]
        return words

    def environment(self) -> dict[str, str]:
        """What git and gpg need besides. `Stalled` (SYN336) where the file of OpenPGP keys can't be used."""
        return {} if self.openpgp_keys is None else {"GNUPGHOME": str(self._ring(self.openpgp_keys))}

    def _ring(self, file: Path) -> Path:
        """The ring of these keys, made where it isn't there; those of former keys are removed."""
        try:
            content = file.read_bytes()
        except OSError as error:
            raise _unusable(file, error.strerror or "it can't be read") from None
        ring = self.home.resolve() / f"{_RING}{hashlib.sha256(_SETTINGS.encode() + content).hexdigest()[:16]}"
        if ring.is_dir():
            return ring
        draft = Path(tempfile.mkdtemp(dir=self.home))
        try:
            (draft / "gpg.conf").write_text(_SETTINGS, encoding="utf-8")
            _read_keys(file, content, draft)
            for former in self.home.glob(f"{_RING}*"):
                shutil.rmtree(former, ignore_errors=True)
            draft.rename(ring)
        finally:
            shutil.rmtree(draft, ignore_errors=True)
        return ring


def why_not(said: str) -> str:
    """Why an OpenPGP signature doesn't count, by what gpg said of it; '' where it said nothing of that."""
    return next((words for status, words in _WHY if f"[GNUPG:] {status} " in said), "")


def _read_keys(file: Path, content: bytes, ring: Path) -> None:
    try:
        done = subprocess.run(
            ["gpg", "--homedir", str(ring), "--quiet", "--import"],
            input=content,
            env={**os.environ, "LC_ALL": "C"},
            capture_output=True,
            timeout=_TIMEOUT,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise _unusable(file, f"gpg took more than {_TIMEOUT:g} s") from None
    except OSError as error:
        raise _unusable(file, f"the gpg command can't be started: {error.strerror}. Install GnuPG") from None
    if done.returncode:
        said = done.stderr.decode("utf-8", "replace").strip().splitlines() or ["gpg refuses it"]
        raise _unusable(file, said[0].removeprefix("gpg: ")[:200])


def _unusable(file: Path, why: str) -> Stalled:
    return Stalled(
        f"the OpenPGP keys in {file.name} can't be used: {why}",
        code="SYN336",
        help="Give public keys of those who may sign, as `gpg --armor --export NAME` writes them. Nothing is applied "
        "until then; what was applied keeps running.",
    )
