"""`syncline history`, as a shell sees it."""

from __future__ import annotations

import json
import subprocess

WHO = ("-c", "user.name=Ada \x1b[2J", "-c", "user.email=ada@example.com")


def commit(folder, subject):
    """Commits everything; the commit."""
    for arguments in (("add", "-A"), ("commit", "--quiet", "--no-gpg-sign", "-m", subject)):
        subprocess.run(["git", "-C", str(folder), *WHO, *arguments], check=True)
    found = subprocess.run(["git", "-C", str(folder), "rev-parse", "HEAD"], check=True, capture_output=True, text=True)
    return found.stdout.strip()


def test_what_was_applied_is_listed(shell, repository):
    """Each apply that changed something, newest first, with its commit, author, serial and number of objects."""
    assert shell("history").out == "Nothing is applied yet.\n"
    subprocess.run(["git", "init", "--quiet", str(repository)], check=True)
    first = commit(repository, "first")
    shell("apply", "--yes")
    (repository / "imports" / "customers.yaml").unlink()
    second = commit(repository, "drop\x07 it")
    shell("apply", "--yes")
    shell("apply", "--yes")  # nothing to do

    found = json.loads(shell("history", "-o", "json").out)
    assert [(r["revision"], r["serial"], r["objects"]) for r in found] == [(second, 7, 1), (first, 6, 6)]
    assert found[1]["author"]["name"].endswith("<ada@example.com>")
    assert found[1]["author"]["subject"] == "first"
    shown = shell("history", "--limit", "1").out
    assert second[:12] in shown
    assert first[:12] not in shown
    assert "\x07" not in shown
    assert "\x1b[2J" not in shown
