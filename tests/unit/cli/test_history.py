"""`syncline history` and `rollback`, as a shell sees them."""

from __future__ import annotations

import json
import subprocess

import pytest

from syncline.manifests.scaffold import write

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


def git(folder, *arguments):
    """What a git command says."""
    command = ["git", "-C", str(folder), *WHO, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


@pytest.mark.parametrize("folder", [".", "conf/house"])
def test_a_rollback_is_a_commit_and_nothing_else(shell, tmp_path, monkeypatch, folder):
    """Its tree is HEAD's with the configuration as it was; branch, index, work tree and state stay; the plan goes back."""
    for name, value in (("AUTHOR", "Ada"), ("COMMITTER", "Ada")):
        monkeypatch.setenv(f"GIT_{name}_NAME", value)
        monkeypatch.setenv(f"GIT_{name}_EMAIL", "ada@example.com")
    root = tmp_path / folder
    write(root)
    monkeypatch.chdir(root)
    git(tmp_path, "init", "--quiet", "--initial-branch=main")
    first = commit(tmp_path, "first")
    assert shell("apply", "--yes").code == 0
    (root / "imports" / "customers.yaml").unlink()
    (tmp_path / "elsewhere").write_text("kept")
    second = commit(tmp_path, "second")
    assert shell("apply", "--yes").code == 0
    (root / "imports" / "draft.txt").parent.mkdir(exist_ok=True)
    (root / "imports" / "draft.txt").write_text("uncommitted")

    assert "SYN672" in shell("rollback", "HEAD").err
    made = shell("rollback", first[:10])
    assert made.code == 0, made.err
    assert "What it can't undo" in made.err
    branch = f"rollback-{first[:12]}"
    assert git(tmp_path, "rev-parse", f"{branch}^") == second
    assert git(tmp_path, "rev-parse", "HEAD", "--abbrev-ref", "HEAD").splitlines() == [second, "main"]
    assert (root / "imports" / "draft.txt").read_text() == "uncommitted"
    assert not git(tmp_path, "diff", "--cached", "--name-only")
    assert git(tmp_path, "diff", "--name-only", first, branch) == ("" if folder == "." else "elsewhere")
    assert "SYN673" in shell("rollback", first).err
    assert "SYN673" in shell("rollback", first, "--branch", "a..b").err
    assert "SYN262" in shell("rollback", "nowhere").err

    (root / "imports" / "draft.txt").unlink()
    git(tmp_path, "checkout", "--quiet", branch)
    assert "SYN671" not in shell("plan").err
    assert [line for line in shell("plan").out.splitlines() if "acme/Import/customers" in line]
    assert shell("apply", "--yes").code == 0
    git(tmp_path, "checkout", "--quiet", "--detach", first)
    assert "SYN671" in shell("rollback", second).err
