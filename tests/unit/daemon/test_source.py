"""Tests of Git sources, with real repositories: what is followed, what is refused, and that nothing gets out."""

from __future__ import annotations

import base64
import contextlib
import errno
import os
import resource
import shlex
import socket
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from syncline.daemon.git import source as module
from syncline.daemon.git.access import Access, address
from syncline.daemon.git.command import GitCommand
from syncline.daemon.git.source import GitSource, SourceRepository
from syncline.daemon.own_disk import own_disk
from syncline.model.errors import Again, Invalid, Stalled
from syncline.secrets.contract import Context, Reference
from tests.unit.daemon.upstream import files


def test_commits_are_followed(upstream, follow):
    """Each new commit of the branch is the head; its files are taken out as they are, and only ours can read them."""
    repository = follow()
    first = upstream.commit({"a.yaml": "a: 1\n", "deep/b.yaml": "b: é\n"})
    assert repository.head() == first
    tree = repository.snapshot(first)
    assert files(tree.root) == {"a.yaml": "a: 1\n", "deep/b.yaml": "b: é\n"}
    assert stat.S_IMODE((tree.root / "a.yaml").stat().st_mode) == 0o600

    second = upstream.commit({"a.yaml": "a: 2\n"})
    assert repository.head() == second
    assert files(repository.snapshot(second).root)["a.yaml"] == "a: 2\n"
    repository.check_history(first, second)


def test_a_commit_that_is_asked_for_by_its_id_may_be_an_earlier_one(upstream, follow):
    """Whoever names a commit goes to it, also backwards; a branch may not."""
    first, second = upstream.commit({"a.yaml": "a: 1\n"}), upstream.commit({"a.yaml": "a: 2\n"})
    pinned = follow(commit=first)
    assert pinned.head() == first
    pinned.check_history(second, first)
    branch = follow()
    branch.head()
    with pytest.raises(Stalled):
        branch.check_history(second, first)


def test_a_folder_a_tag_and_a_commit(upstream, follow):
    """A folder of a monorepo is a source, and so are a tag, also when it moves, and a commit."""
    first = upstream.commit({"team/a.yaml": "a: 1\n", "other/b.yaml": "b: 1\n"})
    upstream.git("tag", "v1")
    second = upstream.commit({"team/a.yaml": "a: 2\n"})

    assert files(follow(path="team").snapshot(follow(path="team").head()).root) == {"a.yaml": "a: 2\n"}
    assert follow(tag="v1").head() == first
    assert follow(commit=first).head() == first
    upstream.git("tag", "--force", "v1")
    assert follow(tag="v1").head() == second
    with pytest.raises(Invalid, match="no folder 'absent'"):
        follow(path="absent").snapshot(second)


def test_a_rewritten_history_is_refused(upstream, follow):
    """After a force-push, the new commit doesn't come after the one that is applied."""
    repository = follow()
    upstream.commit({"a.yaml": "a: 1\n"})
    first = upstream.commit({"a.yaml": "a: 2\n"})
    assert repository.head() == first
    rewritten = upstream.commit({"a.yaml": "a: 3\n"}, "--amend")
    assert repository.head() == rewritten
    with pytest.raises(Stalled, match="history was rewritten") as caught:
        repository.check_history(first, rewritten)
    assert caught.value.code == "SYN663"


def test_what_is_not_there(upstream, follow, tmp_path):
    """A branch that is deleted is one error, a repository that can't be reached another that may pass."""
    upstream.commit({"a.yaml": "a: 1\n"})
    with pytest.raises(Invalid, match="has no refs/heads/absent") as caught:
        follow(branch="absent").head()
    assert caught.value.code == "SYN662"
    gone = SourceRepository(GitSource(str(tmp_path / "nowhere")), tmp_path / "home")
    with pytest.raises(Again) as again:
        gone.head()
    assert again.value.code == "SYN661"


@pytest.mark.parametrize(
    "fields",
    [
        {"url": "ext::sh -c true"}, {"url": "--upload-pack=true"}, {"url": "git://example.com/a"}, {"url": "relative"},
        {"url": "https://example.com/a b"}, {"url": "/a", "branch": "--upload-pack=true"}, {"url": "/a", "branch": "a..b"},
        {"url": "/a", "tag": "-x"}, {"url": "/a", "commit": "HEAD"}, {"url": "/a", "path": "../b"},
        {"url": "/a", "path": "/etc"}, {"url": "/a", "branch": "a:b"}, {"url": "fd::17"},
    ],
    ids=str,
)  # fmt: skip
def test_what_is_no_source(fields):
    """Other protocols, options in disguise and paths that lead elsewhere are refused before git is asked."""
    with pytest.raises(Invalid) as caught:
        GitSource(**fields)
    assert caught.value.code == "SYN660"


@pytest.mark.parametrize("url", ["https://me:can%21ary@example.com/a.git", "ssh://me:can%21ary@example.com/a.git"])
def test_a_password_in_a_url_is_refused(url):
    """A URL is on a command line, which others can read: a password in it is refused, not shown, and what to do said."""
    with pytest.raises(Invalid, match="given with a password") as caught:
        GitSource(url)
    assert caught.value.code == "SYN741"
    assert "ary" not in caught.value.message
    assert "--password env:" in caught.value.help


def test_a_user_name_in_a_url_is_not_shown(tmp_path):
    """What a message says of a URL has no user name in it, which some servers take tokens as."""
    repository = SourceRepository(GitSource("https://canary@127.0.0.1:1/config.git"), tmp_path / "home")
    with pytest.raises(Again) as caught:
        repository.head()
    assert "canary" not in str(caught.value)


@pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="reads the command lines that Linux shows")
def test_a_password_is_on_no_command_line(tmp_path):
    """While git waits for a server, no command line of the machine shows the password."""
    with socket.create_server(("127.0.0.1", 0)) as server, ThreadPoolExecutor(1) as pool:
        host = f"127.0.0.1:{server.getsockname()[1]}"
        access = Access(Context(tmp_path, {"TOKEN": "canary!"}), "me", Reference("env", "TOKEN"))
        repository = SourceRepository(GitSource(f"https://{host}/c.git"), tmp_path / "home", access, timeout=3)
        fetched = pool.submit(repository.head)
        server.settimeout(30)
        peer, _ = server.accept()
        with peer:
            lines = [line for line in command_lines() if host.encode() in line]
        assert lines
        assert not any(b"canary" in line for line in lines)
        with pytest.raises(Again):
            fetched.result()


def command_lines():
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            yield (process / "cmdline").read_bytes()


def test_a_password_logs_in_at_its_host_only(upstream, tmp_path):
    """Git takes the name and the password for the host and port of the URL, and for no other; a new one counts at once."""
    environ = {"TOKEN": "canary!\n"}
    access = Access(Context(tmp_path, environ), "", Reference("env", "TOKEN"))
    url = "https://me@example.com:8443/config.git"

    def header(asked):
        with access.environment(url) as more:
            command = GitCommand(upstream.path / ".git", 30, more)
            return command.run("config", "--get-urlmatch", "http.extraHeader", asked).output.decode().strip()

    assert address(url) == "https://example.com:8443/config.git"
    assert base64.b64decode(header(address(url)).removeprefix("Authorization: Basic ")) == b"me:canary!"
    for other in ("https://example.com/config.git", "https://example.org:8443/config.git"):
        assert header(other) == ""
    environ["TOKEN"] = "another"
    assert base64.b64decode(header(address(url)).removeprefix("Authorization: Basic ")) == b"me:another"


def test_a_key_is_in_no_file_that_others_can_read(tmp_path):
    """Ssh is given a file of ours with the key, ending in a newline, and it is gone after the fetch."""
    access = Access(Context(tmp_path, {"KEY": "a key"}), ssh_key=Reference("env", "KEY"))
    with access.environment("git@example.com:a.git") as more:
        path = Path(shlex.split(more["GIT_SSH_COMMAND"])[-1])
        assert path.read_text() == "a key\n"
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert not path.exists()


@pytest.mark.parametrize(
    ("url", "fields"),
    [("/a", {"password": Reference("env", "A")}), ("git@example.com:a", {"user": "me"}),
     ("https://example.com/a", {"ssh_key": Reference("env", "A")}), ("/a", {"known_hosts": Path("/dev/null")})],
)  # fmt: skip
def test_a_secret_that_is_never_asked_for_is_refused(tmp_path, url, fields):
    """A password for SSH, or a key for https, is a mistake that is told at once."""
    with pytest.raises(Invalid) as caught:
        SourceRepository(GitSource(url), tmp_path, Access(**fields))
    assert caught.value.code == "SYN742"


def test_a_secret_that_is_missing_is_told_of_and_nobody_is_asked(tmp_path):
    """Without its secret a fetch ends with the name of what is missing."""
    access = Access(Context(tmp_path, {}), password=Reference("env", "TOKEN"))
    repository = SourceRepository(GitSource("https://127.0.0.1:1/a.git"), tmp_path / "home", access)
    with pytest.raises(Stalled, match="env:TOKEN") as caught:
        repository.head()
    assert caught.value.code == "SYN801"


def test_many_fetches_do_not_leave_many_packs(upstream, follow, monkeypatch):
    """The packs of a mirror are made one when they are many, and the applied commit stays known."""
    monkeypatch.setattr(module, "MAX_PACKS", 3)
    repository = follow()
    commits = []
    for n in range(8):
        commits.append(upstream.commit({"a.yaml": f"a: {n}\n"}))
        assert repository.head() == commits[-1]
    assert len(list((repository._mirror / "objects" / "pack").glob("*.pack"))) <= 4
    repository.check_history(commits[0], commits[-1])


@pytest.mark.parametrize(
    ("mode", "name", "why"),
    [
        ("120000", "link", "symbolic link"),
        ("160000", "module", "submodule"),
        ("100644", ".GIT", "no path"),
        ("100644", "a\\b", "characters"),
        ("100644", "-rf", "begins with"),
        ("100644", "GIT~1", "no path"),
        ("100644", "a\x1b[31m", "characters"),
        ("100644", "a\u202eb", "characters"),
        ("100644", "a" * 256, "too long"),
        ("100644", "\u00e9" * 128, "too long"),
    ],
)
def test_hostile_entries_are_refused(upstream, follow, mode, name, why):
    """Links, submodules and names that mean something else somewhere are refused whole; nothing is written."""
    text = "/etc/passwd" if mode == "120000" else "x"
    digest = "1" * 40 if mode == "160000" else ""
    upstream.commit_entry(mode, name, text, digest)
    repository = follow()
    with pytest.raises((Invalid, Again), match=f"{why}|fsck|object") as caught:  # git itself refuses some when fetched
        repository.snapshot(repository.head())
    assert caught.value.code in {"SYN665", "SYN661"}
    assert not any(repository._trees.iterdir())


def test_names_that_differ_in_case_only_are_refused(upstream, follow):
    """Two files that are one on some systems are refused: which of them counts would depend on the machine."""
    commit = upstream.commit({"a.yaml": "a: 1\n", "A.yaml": "a: 2\n"})
    repository = follow()
    repository.head()
    with pytest.raises(Invalid, match="is the same as"):
        repository.snapshot(commit)


def test_folders_that_differ_in_case_or_form_only_are_refused(upstream, follow):
    """Two folders that are one on some systems are refused, whatever files they hold."""
    for one, other in (("Flows/a", "flows/b"), ("caf\u00e9/a", "cafe\u0301/b")):
        commit = upstream.commit({one: "a: 1\n", other: "a: 2\n"})
        repository = follow()
        repository.head()
        with pytest.raises(Invalid, match="is the same as"):
            repository.snapshot(commit)
        upstream.git("rm", "-r", "--quiet", ".")


@pytest.mark.parametrize(("name", "depth", "why"), [("a", 65, "more than 63 folders"), ("a" * 200, 11, "too long")])
def test_paths_that_no_disk_holds_are_refused(upstream, follow, name, depth, why):
    """Folders in folders without end, and paths that are too long as a whole, are refused before any is made."""
    entry, mode = upstream.git("hash-object", "-w", "--stdin", feed="x"), "100644 blob"
    for _ in range(depth):
        entry = upstream.git("mktree", feed=f"{mode} {entry}\t{name}\n")
        mode = "040000 tree"
    commit = upstream.git("commit-tree", entry, "-m", "deep")
    upstream.git("update-ref", "refs/heads/main", commit)
    repository = follow()
    repository.head()
    with pytest.raises(Invalid, match=why) as caught:
        repository.snapshot(commit)
    assert caught.value.code == "SYN665"
    assert not any(repository._trees.iterdir())


def test_the_longest_names_are_taken_out(upstream, follow):
    """A name of 255 bytes, in as many folders as may be, is a file like others."""
    name = "/".join(["d"] * (module.MAX_DEPTH - 1) + ["a" * 255])
    commit = upstream.commit({name: "a: 1\n"})
    repository = follow()
    repository.head()
    assert (repository.snapshot(commit).root / name).read_text() == "a: 1\n"


def test_a_disk_that_fails_is_trouble_of_the_source(upstream, follow):
    """Files that can't be written are told with a code, and nothing half written stays; later they are taken out."""
    commit = upstream.commit({"a.yaml": "a" * 100_000})
    repository = follow()
    repository.head()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, hard))
    try:
        with pytest.raises(Stalled, match="can't be kept on this machine: File too large") as caught:
            repository.snapshot(commit)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert caught.value.code == "SYN748"
    assert not any(repository._trees.iterdir())
    assert len(files(repository.snapshot(commit).root)["a.yaml"]) == 100_000


def test_a_fetch_into_a_folder_that_is_none_is_trouble_of_the_source(upstream, follow, tmp_path):
    """Where the mirror's folder can't be made, the fetch ends with a code, which is no defect."""
    upstream.commit({"a.yaml": "a: 1\n"})
    (tmp_path / "home").write_text("in the way")
    with pytest.raises(Stalled) as caught:
        follow().head()
    assert caught.value.code == "SYN748"


@pytest.mark.parametrize(("number", "kind"), [(errno.ENOSPC, Again), (errno.EMFILE, Again), (errno.EACCES, Stalled)])
def test_what_may_pass_of_a_disk_is_tried_again(number, kind):
    """A full disk may have room later; rights that are missing are for a person."""
    with pytest.raises(kind), own_disk():
        raise OSError(number, os.strerror(number), "/secret/path")


def test_a_tree_that_unfolds_without_end_is_refused(upstream, follow):
    """A few small trees that stand for ten thousand million files are refused by a bounded part of their list."""
    entry, mode = upstream.git("hash-object", "-w", "--stdin", feed="x"), "100644 blob"
    for _ in range(10):
        entry = upstream.git("mktree", feed="".join(f"{mode} {entry}\t{n}\n" for n in range(10)))
        mode = "040000 tree"
    commit = upstream.git("commit-tree", entry, "-m", "bomb")
    upstream.git("update-ref", "refs/heads/main", commit)
    repository = follow()
    repository.head()
    with pytest.raises(Invalid, match="more than 20,000 files"):
        repository.snapshot(commit)


def test_more_than_may_be_fetched_is_refused(upstream, follow, monkeypatch):
    """A pack above the bound ends the fetch, and nothing of it stays in the mirror."""
    upstream.commit({"big": os.urandom(1_500_000).hex()})
    monkeypatch.setattr(module, "MAX_PACK", 100_000)
    repository = follow()
    with pytest.raises(Invalid, match="to fetch") as caught:
        repository.head()
    assert caught.value.code == "SYN665"
    assert not any((repository._mirror / "objects" / "pack").iterdir())


def test_a_server_that_never_answers_is_given_up(tmp_path):
    """A server that accepts and stays silent may pass; what git started for it ends with it."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"https://127.0.0.1:{server.getsockname()[1]}/config.git"
        with pytest.raises(Again, match="took more than 2 s"):
            SourceRepository(GitSource(url), tmp_path / "home", timeout=2).head()
        peer, _ = server.accept()
        with peer:
            peer.settimeout(10)
            while peer.recv(65536):  # ends, as the process at the other end is gone
                pass


@pytest.mark.parametrize(("bound", "value"), [("MAX_FILES", 2), ("MAX_BYTES", 20), ("MAX_FILE", 8)])
def test_too_much_is_refused(upstream, follow, monkeypatch, bound, value):
    """A tree of too many files, or too large ones, is refused before a file of it is written."""
    commit = upstream.commit({"a": "12345678", "b": "12345678", "c": "123456789"})
    repository = follow()
    repository.head()
    monkeypatch.setattr(module, bound, value)
    with pytest.raises(Invalid) as caught:
        repository.snapshot(commit)
    assert caught.value.code == "SYN665"
    assert not any(repository._trees.iterdir())


def test_filters_and_hooks_of_a_repository_do_nothing(upstream, follow, tmp_path):
    """Attributes, filters and hooks start nothing and change nothing of a file."""
    touched = tmp_path / "touched"
    hook = upstream.path / ".git" / "hooks" / "pre-receive"
    hook.write_text(f"#!/bin/sh\ntouch {touched}\n")
    hook.chmod(0o755)
    upstream.git("config", "filter.x.smudge", f"touch {touched}")
    upstream.git("config", "uploadpack.packObjectsHook", f"touch {touched};")
    commit = upstream.commit({".gitattributes": "* text eol=crlf\n", "a.yaml": "a: $Id$\nb: 1\n"})
    repository = follow()
    repository.head()

    assert files(repository.snapshot(commit).root)["a.yaml"] == "a: $Id$\nb: 1\n"
    assert not touched.exists()


def test_a_draft_that_was_left_is_no_snapshot(upstream, follow):
    """Killed while files were taken out, the next one takes them out again; only a few old trees are kept."""
    repository = follow()
    commits = [upstream.commit({"a.yaml": f"a: {n}\n"}) for n in range(5)]
    repository.head()
    (repository._trees / "tmpleft").mkdir()
    (repository._trees / "tmpleft" / "a.yaml").write_text("half")
    for n, commit in enumerate(commits):
        assert files(repository.snapshot(commit).root) == {"a.yaml": f"a: {n}\n"}

    assert {p.name.split("-")[0] for p in repository._trees.iterdir()} == set(commits[-3:])


def test_a_snapshot_of_before_the_machine_s_start_is_taken_out_again(upstream, follow, monkeypatch):
    """Files that a loss of power may have cut are never read: after another start of the machine there is a new snapshot."""
    repository = follow()
    commit = upstream.commit({"a.yaml": "a: 1\n"})
    repository.head()
    cut = repository.snapshot(commit).root
    (cut / "a.yaml").chmod(0o600)
    (cut / "a.yaml").write_text("")
    assert files(repository.snapshot(commit).root) == {"a.yaml": ""}  # the same folder, while the machine runs

    monkeypatch.setattr(module, "_boot", lambda: "another start")
    assert files(repository.snapshot(commit).root) == {"a.yaml": "a: 1\n"}


def test_what_a_commit_says_of_positions_counts_after_what_is_applied(upstream, follow):
    """The newest trailer in between counts; of another history, or a commit that was never pushed, nothing follows."""
    first = upstream.commit({"a.yaml": "1"})
    earlier = upstream.commit({"a.yaml": "2"}, "--trailer", f"Syncline-Positions: {'0' * 40}")
    second = upstream.commit({"a.yaml": "3"}, "--trailer", f"Syncline-Positions: {first}", "--trailer", "Other: x")
    third = upstream.commit({"a.yaml": "4"})
    source = follow()
    source.head()

    assert source.back_to(first, third) == source.back_to(earlier, third) == first
    assert source.back_to(first, earlier) == "0" * 40
    assert [source.back_to(applied, third) for applied in (second, third, "", "f" * 40)] == [""] * 4
    assert source.back_to(third, first) == ""
