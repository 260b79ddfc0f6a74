"""The scanner of committed files. Secrets in here are put together, so that no file of this repository holds one."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from syncline.cli.main import main
from syncline.manifests.leaks import MAX_SIZE, scan, scan_text, tracked

if TYPE_CHECKING:
    from pathlib import Path

BODY = "q8Zr2Lw0Xv5Tn7Bk3Jd9"
SECRETS = {
    "GitHub": "ghp_" + BODY * 2,
    "GitLab": "glpat-" + BODY,
    "Slack": "xox" + "b-123456789012-" + BODY,
    "Slack webhook": "https://hooks.slack.com/services/T0" + "AAAAAA1/B0AAAAAA1/" + BODY,
    "Stripe": "sk_" + "live_" + BODY,
    "AWS": "AKI" + "AQ8ZR2LW0XV5TN7BK",
    "Google": "AIz" + "a" + BODY + "q8Zr2Lw0Xv5Tn7B",
    "Vault": "hvs." + BODY * 2,
    "private key": "-----BEGIN RSA " + "PRIVATE KEY-----",
    "age": "AGE-SECRET-" + "KEY-1QQQQQQQQQQQQQQQQQQQQQQQQQ",
    "Azure": "AccountKey=" + "Ab3" * 28 + "xy==",
    "database URL": "postgres://app:" + BODY + "@db.internal/app",
    "assigned": f'PASSWORD = "{BODY}"',
    "environment": f"export API_TOKEN={BODY}",
    "JSON": json.dumps({"client_secret": BODY}),
    "hexadecimal": "signing_key: 9f86d081884c7d65" + "9a2feaa0c55ad015",
    "base64": "secret-key = '" + "Zm9vYmFyYmF6MTIzNDU2Nzg5MA9x" + "'",
}
HARMLESS = (
    'token = os.environ["HELPDESK_TOKEN"]',
    "token: {secretRef: {provider: env, key: HELPDESK_TOKEN}}",
    "password: correct-horse-battery-staple",
    'password = "changeme-changeme-1"',
    "API_TOKEN=${API_TOKEN_FROM_THE_VAULT_1}",
    "API_TOKEN=<your token goes here 123>",
    'SECRET_KEY = "your-secret-key-123456"',
    "secret: arn:aws:secretsmanager:eu-west-1:123456789012:secret:acme/crm",
    "tokens: 4096",
    "token_url: https://login.example.com/oauth2/token",
    "client_secret = settings.clients.helpdesk.secret1",
    "sha256: 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "commit: 55ca6286e3e4f4fba5d0448333fa99fc5a404a73",
    "--hash=sha256:be4a0b195f149690c166e850609a477c532ddbfbaed96a404d4e43f8d5e2689f",
    "password=ENC[AES256_GCM,data:Zm9vYmFyMTIzNDU2,iv:abc,tag:def,type:str]",
    "postgres://app:password@db.example.com/app",
    "postgres://app:${DB_PASSWORD}@db/app",
    '{"config":{"url":"http://127.0.0.1:8080"},"connector":"helpdesk@^1"}',
    "The token is kept in /run/secrets/helpdesk/token-2026.",
    "def token(self, reference: Reference) -> Secret:",
    "secret = secrets.token_hex(32)",
    "passphrase = getpass.getpass('Passphrase1: ')",
    "token=0000000000000000000000",
    "password: ********************1a",
)


@pytest.mark.parametrize("name", SECRETS)
def test_a_secret_is_found_and_not_shown(name: str):
    """Known forms, and random values of what is named like a secret: its line, its column, and not a part of it."""
    text = f"first line\n  {SECRETS[name]} # end\n"

    found = list(scan_text("config.env", text))

    assert [(d.code, d.place.line) for d in found] == [("SYN831", 2)]
    shown = f"{found[0]}"
    assert BODY not in shown
    assert SECRETS[name] not in shown


@pytest.mark.parametrize("line", HARMLESS)
def test_what_is_no_secret_is_left_alone(line: str):
    """References, placeholders, names, addresses, digests and code that reads a secret."""
    assert list(scan_text("file", line)) == []


def test_a_line_may_say_that_it_holds_none():
    """The mark is on the line itself, where a review sees it."""
    assert not list(scan_text("file", f"{SECRETS['assigned']}  # syncline:allow-secret"))
    assert list(scan_text("file", f"# syncline:allow-secret\n{SECRETS['assigned']}"))


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r", "\f", "\u2028"])
def test_lines_are_counted_however_they_end(end: str):
    """Also behind letters that are two when they are made lower, and where a line has several signs of a secret."""
    secrets = f"token {SECRETS['GitHub']}", SECRETS["assigned"]
    text = end.join(["İstanbul " * 9, "the key", secrets[0], "", "İ", secrets[1]])

    assert [d.place.line for d in scan_text("notes.txt", text)] == [3, 6]


def test_this_project_raises_no_false_alarm():
    """All of this project's own code, documents, examples and tests, but for what its list says of made-up ones."""
    from tests.docs.blocks import ROOT

    files = tracked(ROOT)
    if not files:
        pytest.skip("not a Git checkout")
    assert [f"{d.place} {d.message}" for d in scan(ROOT, files)] == []


def test_the_list_of_what_is_no_secret(tmp_path: Path):
    """
    A value of a file is passed over where the list has it with a reason, wherever its line moves; another value there,
    another file, and a second secret on the same line are found. An entry without a reason, and one that fits nothing,
    are findings of their own.
    """
    one, other = SECRETS["GitHub"], SECRETS["AWS"]
    (tmp_path / "a.txt").write_text(f"x\n{one}\n")
    (tmp_path / "b.txt").write_text(f"{one} {other}\n")
    (finding,) = scan(tmp_path, ["a.txt"])
    digits = finding.help.split()[-2]
    entry = f"a.txt {digits}  made up\nb.txt {digits} made up\n"
    listing = tmp_path / ".secrets-allowed"

    def found() -> list[tuple[str, str]]:
        return [(d.code, d.place.file) for d in scan(tmp_path, ["a.txt", "b.txt"])]

    listing.write_text("# why\n\n" + entry)
    assert found() == [("SYN831", "b.txt")]
    (tmp_path / "a.txt").write_text(f"\n\n\n{one}\n")
    assert found() == [("SYN831", "b.txt")]
    listing.write_text(f"a.txt {digits}\nb.txt {digits} made up\n")
    assert sorted(found()) == [("SYN831", "a.txt"), ("SYN831", "b.txt"), ("SYN858", ".secrets-allowed")]
    (tmp_path / "a.txt").write_text("clean\n")
    listing.write_text(entry)
    assert sorted(found()) == [("SYN831", "b.txt"), ("SYN858", ".secrets-allowed")]


def test_what_is_no_text_is_passed_over(tmp_path: Path):
    """Binary files, large ones, links, lock files and what isn't there."""
    line = SECRETS["GitHub"]
    (tmp_path / "binary").write_bytes(b"\0" + line.encode())
    (tmp_path / "large").write_text(line + " " * MAX_SIZE)
    (tmp_path / "poetry.lock").write_text(line)
    (tmp_path / "text").write_text(line)
    (tmp_path / "link").symlink_to("text")

    found = scan(tmp_path, ["binary", "large", "poetry.lock", "link", "absent", "text"])

    assert [d.place.file for d in found] == ["text"]


def git(root: Path, *args: str) -> None:
    subprocess.run(["git", "-C", str(root), *args], check=True, capture_output=True)


def test_a_hook_looks_at_what_is_staged(tmp_path: Path, monkeypatch, capsys):
    """What the commit will hold counts, not what is on disk; `validate` finds what is committed, and no value is shown."""
    monkeypatch.chdir(tmp_path)
    git(tmp_path, "init", "-q")
    (tmp_path / "app.env").write_text(f"{SECRETS['environment']}\n")
    assert main(["secrets", "scan", "--staged"]) == 0
    git(tmp_path, "add", "app.env")
    (tmp_path / "app.env").write_text("clean\n")

    assert main(["secrets", "scan", "--staged"]) == 1
    assert main(["secrets", "scan"]) == 0
    (tmp_path / "app.env").write_text(f"{SECRETS['environment']}\n")
    assert main(["secrets", "scan"]) == 1
    assert main(["secrets", "scan", "app.env"]) == 1
    assert main(["validate"]) == 1

    said = capsys.readouterr()
    assert said.out.count("error[SYN831]") == 4
    assert BODY not in said.out + said.err


@pytest.mark.parametrize("arguments", [("-a",), ("app.env",)])
def test_a_hook_sees_what_is_committed_without_being_staged_first(tmp_path: Path, arguments: tuple[str, ...]):
    """`git commit -a` and `git commit PATH` have an index of their own, which the hook looks at: the commit fails."""
    git(tmp_path, "init", "-q")
    git(tmp_path, "config", "user.name", "tests")
    git(tmp_path, "config", "user.email", "tests@example.com")
    (tmp_path / "app.env").write_text("clean\n")
    git(tmp_path, "add", "app.env")
    git(tmp_path, "commit", "-qm", "one")
    hook = tmp_path / ".git/hooks/pre-commit"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f"#!/bin/sh\nexec {sys.executable} -m syncline secrets scan --staged\n")
    hook.chmod(0o755)
    (tmp_path / "app.env").write_text(f"{SECRETS['environment']}\n")

    done = subprocess.run(
        ["git", "-C", str(tmp_path), "commit", "-qm", "two", *arguments], capture_output=True, text=True, check=False
    )

    assert done.returncode == 1
    assert "SYN831" in done.stdout + done.stderr
    (tmp_path / "app.env").write_text("also clean\n")
    git(tmp_path, "commit", "-qm", "two", *arguments)


def test_a_scan_of_nothing_is_no_success(tmp_path: Path, monkeypatch, capsys):
    """Outside Git, of a file that isn't there, of a folder, or of two choices at once: an error, and what to do."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "app.env").write_text("clean\n")

    assert main(["secrets", "scan"]) == 1
    assert "SYN832" in capsys.readouterr().err
    assert main(["secrets", "scan", "nofile.yaml"]) == 2
    assert main(["secrets", "scan", "."]) == 2
    assert main(["secrets", "scan", "app.env", "--staged"]) == 2
    capsys.readouterr()
    assert main(["secrets", "scan", "app.env"]) == 0
    assert capsys.readouterr().out == "No secret was found in 1 file.\n"


@pytest.mark.parametrize("before", [0, 4_990, 5_000, 20_000])
def test_a_long_line_is_looked_at_to_its_end(before: int) -> None:
    """JSON without ends of lines is a line of any length: a secret is found where it is, also over an edge of pieces."""
    line = "[" + "1234567, " * (before // 9) + '{"client_secret": "' + BODY + '"}]'

    found = list(scan_text("all.json", line))

    assert found
    assert {(f.place.column, f.place.end_column) for f in found if f.place} == {
        (line.index(BODY) + 1, line.index(BODY) + len(BODY) + 1)
    }


def test_what_stands_behind_an_example_is_found() -> None:
    """A URL with a password of an example doesn't hide the secret behind it."""
    line = '{"url": "postgres://app:password@db/app", "client_secret": "' + BODY + '"}'

    assert len(list(scan_text("x.json", line))) == 1


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_text_in_utf_16_is_text(tmp_path: Path, encoding: str) -> None:
    """Files that PowerShell writes have a NUL beside every letter, and are no binary files."""
    (tmp_path / "prod.env").write_bytes(f"\ufeffAPI_TOKEN={BODY}\n".encode(encoding))

    assert [f.code for f in scan(tmp_path, ["prod.env"])] == ["SYN831"]
