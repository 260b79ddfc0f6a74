"""The auditor's script reads a witness policy as strictly as the log's own side does."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from syncline.audit import note, offline_verifier, witness_policy
from syncline.audit.cosignature import cosigner
from syncline.audit.malformed import Malformed
from syncline.audit.signer import FileSigner


def _keys(folder: Path) -> dict[str, str]:
    """Verifier keys of two logs and two witnesses, by the names that the policies below have for them."""
    made = {name: FileSigner.create(folder / name, f"{name}.example") for name in ("log", "other", "n", "s")}
    return {name: str(cosigner(key) if name in {"n", "s"} else key.verifier) for name, key in made.items()}


def _log(key: str) -> offline_verifier.Keys:
    """The keys of a log that never changed them."""
    return offline_verifier.Keys(offline_verifier.Key(key), [])


@pytest.mark.parametrize(
    "text",
    [
        "witness a {n}\nwitness b {n}\ngroup g all a b\nquorum g\n",
        "witness a {n}\nwitness a {s}\nquorum a\n",
        "witness a {n}\ngroup g 0 a\nquorum g\n",
        "witness a {n}\ngroup g 2 a\nquorum g\n",
        "witness a {n}\ngroup g 2 a a\nquorum g\n",
        "witness a {n}\ngroup g any a\ngroup h any a\nquorum h\n",
        "witness a {n}\ngroup g any b\nquorum g\n",
        "witness a {n}\nquorum a\nquorum none\n",
        "witness a {n}\nquorum b\n",
        "witness none {n}\nquorum none\n",
        "witness a {n}\n",
        "log {log}\nlog {log}\nwitness a {n}\nquorum a\n",
        "witness a\x01 {n}\nquorum a\x01\n",
        "witness a {n}\nquorum a\x7f\n",
        "witness a {n}\r\nquorum a\r\n",
        "witness a {n}\x0bquorum a\n",
    ],
)
def test_a_policy_that_counts_wrongly_is_refused_by_both(tmp_path: Path, text: str) -> None:
    """One key under two names, a count outside its members, a second quorum, control characters: on neither side."""
    keys = _keys(tmp_path)
    text = text.format(**keys)

    with pytest.raises(Malformed):
        witness_policy.parse(text.encode())
    with pytest.raises((offline_verifier.Refused, ValueError)):
        offline_verifier.Policy(text, _log(keys["log"]))


@pytest.mark.parametrize("at", ["\x00", "\t", "\r", "\x0b", "\x1f"])
def test_a_note_with_control_characters_is_refused_by_both(tmp_path: Path, at: str) -> None:
    """Signed or not: a checkpoint with a control character, in its text or a signature line, is read by neither side."""
    signer = FileSigner.create(tmp_path / "key", "log.example")
    key = _log(str(signer.verifier))
    root = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="
    text = f"log.example\n0\n{root}\n{at}more\n"
    line = note.Signature("log.example", signer.verifier.key_id, signer.sign(text.encode())).line
    good = text.replace(at, "")
    right = note.Signature("log.example", signer.verifier.key_id, signer.sign(good.encode())).line
    assert offline_verifier.read_checkpoint(f"{good}\n{right}".encode(), key)[0] == 0

    for data in (f"{text}\n{line}", f"{good}\n{right[:-1]}{at}\n"):
        with pytest.raises(Malformed):
            note.verify(data.encode(), [signer.verifier])
        with pytest.raises((offline_verifier.Refused, ValueError)):
            offline_verifier.read_checkpoint(data.encode(), key)


def test_a_policy_is_about_the_logs_that_it_names(tmp_path: Path) -> None:
    """The bundle of another log doesn't pass, though the same witness cosigned it; without log lines, any may."""
    keys = _keys(tmp_path)
    text = "log {log}\nwitness a {n}\nwitness b {s}\ngroup g all a b\nquorum g\n".format(**keys)
    own, other = _log(keys["log"]), _log(keys["other"])

    policy = offline_verifier.Policy(text, own)
    assert (policy.met(["a"]), policy.met(["a", "b"])) == (False, True)
    with pytest.raises(offline_verifier.Refused, match="about other logs"):
        offline_verifier.Policy(text, other)
    assert offline_verifier.Policy(text.partition("\n")[2], other).met(["a", "b"])


def test_an_option_that_does_not_apply_to_a_file_is_refused(tmp_path: Path) -> None:
    """`--witnesses` with a single file says so; it isn't passed over."""
    file = tmp_path / "a.dsse.json"
    file.write_text("{}")
    command = [sys.executable, "-I", offline_verifier.__file__, str(file), "--key", _keys(tmp_path)["log"]]

    done = subprocess.run([*command, "--witnesses", str(file)], capture_output=True, text=True, check=False)

    assert done.returncode == 1
    assert "--witnesses is for a folder" in done.stderr
    with pytest.raises(offline_verifier.Refused, match="--since is for"):
        offline_verifier.verify_file(file, _log(_keys(tmp_path / "more")["log"]), file)
