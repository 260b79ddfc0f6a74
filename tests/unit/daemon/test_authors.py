"""Who made a change, from real repositories: nobody hides behind a merge, a folder or another branch."""

from __future__ import annotations

import pytest

from syncline.daemon.git.source import GitSource, SourceRepository
from tests.people import allowing, person
from tests.unit.daemon.upstream import Upstream


class Repository(Upstream):
    """A repository with commits of several people."""

    def by(self, name, files, *options):
        return self.commit(files, f"--author={name} <{name}@Example.com>", *options)

    def authors(self, home, base, commit, **source):
        repository = SourceRepository(GitSource(str(self.path), **source), home)
        repository.head()
        # All commits here are committed by one and the same.
        return {name.partition("@")[0] for name in repository.authors(base, commit)} - {"a"}


@pytest.fixture
def repository(tmp_path):
    return Repository(tmp_path)


def test_authors_of_a_range(repository, tmp_path):
    """Whoever made a commit after the base; addresses don't differ by case."""
    base = repository.by("ada", {"a.yaml": "1"})
    repository.by("bob", {"a.yaml": "2"})
    head = repository.by("cyd", {"a.yaml": "1"})  # what is undone counts as well

    assert repository.authors(tmp_path / "home", base, head) == {"bob", "cyd"}


@pytest.mark.parametrize("base", ["", "head", "00" * 20])
def test_without_a_base_everybody_counts(repository, tmp_path, base):
    """Nothing applied, nothing new, or a base that isn't in this history: the whole history is asked."""
    repository.by("ada", {"a.yaml": "1"})
    head = repository.by("bob", {"a.yaml": "2"})

    assert repository.authors(tmp_path / "home", head if base == "head" else base, head) == {"ada", "bob"}


def test_approvals_have_no_authors_and_other_files_there_have(repository, tmp_path):
    """Commits that only add approvals and signatures are left out; a manifest in their folder isn't, at any depth."""
    base = repository.by("dev", {"a.yaml": "1"})
    repository.by("ada", {"approvals/1.json": "{}", "approvals/1.x.sig": "s"})
    repository.by("bob", {"approvals/a.yaml": "1"})
    head = repository.by("cyd", {"approvals/deep/1.json": "{}"})

    assert repository.authors(tmp_path / "home", base, head) == {"bob", "cyd"}


def test_only_the_folder_that_is_followed_counts(repository, tmp_path):
    """Other folders of a monorepo have other authors, and approvals lie in the folder."""
    base = repository.by("dev", {"conf/a.yaml": "1", "other/a.yaml": "1"})
    repository.by("ada", {"other/a.yaml": "2"})
    repository.by("bob", {"conf/approvals/1.json": "{}"})
    head = repository.by("cyd", {"conf/a.yaml": "2", "approvals/1.json": "{}"})

    assert repository.authors(tmp_path / "home", base, head, path="conf") == {"cyd"}


def test_merges(repository, tmp_path):
    """Both sides of a merge count, who only joins them doesn't, and who changes something in the merge does."""
    base = repository.by("dev", {"a.yaml": "1"})
    repository.git("checkout", "--quiet", "-b", "side")
    repository.by("ada", {"b.yaml": "1"})
    repository.git("checkout", "--quiet", "main")
    repository.by("bob", {"c.yaml": "1"})
    repository.git("merge", "--quiet", "--no-commit", "--no-ff", "side")
    joined = repository.by("cyd", {})
    repository.git("checkout", "--quiet", "-b", "other", base)
    repository.by("ada", {"d.yaml": "1"})
    repository.git("checkout", "--quiet", "main")
    repository.git("merge", "--quiet", "--no-commit", "--no-ff", "other")
    evil = repository.by("eve", {"a.yaml": "evil"})

    assert repository.authors(tmp_path / "home", base, joined) == {"ada", "bob"}
    assert repository.authors(tmp_path / "home", base, evil) == {"ada", "bob", "eve"}


def test_who_committed_a_change_is_an_author_of_it(repository, tmp_path):
    """Whoever put a change there, under the name of somebody else, counts too."""
    base = repository.by("dev", {"a.yaml": "1"})
    head = repository.by("bob", {"a.yaml": "2"})
    source = SourceRepository(GitSource(str(repository.path)), tmp_path / "home")
    source.head()

    assert source.authors(base, head) == {"bob@example.com", "a@example.com"}


def test_who_signed_a_commit_is_an_author_of_it(repository, tmp_path):
    """An address can be anybody's; where signatures are demanded, the signer and the key count too."""
    ada = person(tmp_path / "keys", "ada")
    signers = allowing(tmp_path / "signers", ada)
    base = repository.by("dev", {"a.yaml": "1"})
    signing = ("-c", "gpg.format=ssh", "-c", f"user.signingkey={ada.key}")
    (repository.path / "a.yaml").write_text("2")
    repository.git("add", "--all")
    repository.git(*signing, "commit", "--quiet", "-S", "--message=change", "--author=bob <bob@example.com>")
    head = repository.git("rev-parse", "HEAD")
    source = SourceRepository(GitSource(str(repository.path), allowed_signers=signers), tmp_path / "home")
    source.head()
    found = source.authors(base, head)

    assert {"ada@example.com", "bob@example.com"} < found
    assert any(name.startswith("SHA256:") for name in found)
