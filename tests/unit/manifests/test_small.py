"""The small parts: cron, version ranges, suggestions, the catalogue, the Git revision, the files of `init`."""

from __future__ import annotations

import json
import random
import subprocess

import pytest
from pydantic import ValidationError

from syncline.kinds.connector import ConnectorSpec
from syncline.manifests import catalog, cron, versions
from syncline.manifests.flow import flows
from syncline.manifests.load import load_tree
from syncline.manifests.repository import Revision, revision
from syncline.manifests.resolve import resolve
from syncline.manifests.scaffold import files, write
from syncline.manifests.text import listed, nearest
from syncline.model.errors import Invalid


@pytest.mark.parametrize(
    "text",
    ["* * * * *", "*/15 * * * *", "0 6-18/2 * * mon-fri", "0,30 0 1 1 0", "59 23 31 dec 7", "5 4 * * SUN"],
)
def test_cron(text):
    """Stars, numbers, names, ranges, lists and steps are cron."""
    assert cron.problem(text) == ""


@pytest.mark.parametrize(
    "text",
    ["", "* * * *", "* * * * * *", "60 * * * *", "* 24 * * *", "* * 0 * *", "* * * 13 *", "* * * * 8", "*/0 * * * *",
     "5-1 * * * *", "0 0 31 2 *", "0 0 31 apr,jun *", "@daily", "a * * * *", "* * * mon *", "*-5 * * * *", "1/2/3 * * * *", ", * * * *", "-1 * * * *"],
)  # fmt: skip
def test_not_cron(text):
    """Everything else is not, and the reason says why."""
    assert cron.problem(text)


@pytest.mark.parametrize(
    ("wanted", "inside", "outside"),
    [
        ("", ["0.0.1", "9.9.9"], []),
        ("1.3.0", ["1.3.0"], ["1.3.1", "1.2.9"]),
        ("1.3", ["1.3.0", "1.3.9"], ["1.4.0"]),
        ("^1.3", ["1.3.0", "1.9.9"], ["1.2.9", "2.0.0"]),
        ("^0.3", ["0.3.5"], ["0.4.0", "1.0.0"]),
        ("^0.0.3", ["0.0.3"], ["0.0.4"]),
        ("^0", ["0.9.0"], ["1.0.0"]),
        ("~1.3.2", ["1.3.2", "1.3.9"], ["1.3.1", "1.4.0"]),
        ("~1", ["1.9.0"], ["2.0.0"]),
        (">=1.2 <2", ["1.2.0", "1.99.0"], ["1.1.9", "2.0.0"]),
        (">1.2", ["1.3.0"], ["1.2.9"]),
        ("<=1.2", ["1.2.9"], ["1.3.0"]),
        ("=1.2.3", ["1.2.3"], ["1.2.4"]),
        ("", ["1.4.0"], ["1.4.0-rc.1"]),
        ("^1.3", ["1.4.0"], ["1.4.0-rc.1", "2.0.0-rc.1"]),
        ("<2", ["1.4.0"], ["2.0.0-rc.1"]),
        ("1.4.0", ["1.4.0"], ["1.4.0-rc.1"]),
        ("1.4.0-rc.1", ["1.4.0-rc.1"], ["1.4.0-rc.2", "1.4.0-rc", "1.4.0"]),
        ("^1.4.0-rc.9", ["1.4.0-rc.9", "1.4.0-rc.10", "1.4.0", "1.9.0"], ["1.4.0-beta", "1.5.0-rc.1", "2.0.0"]),
        ("~1.4.0-rc.1", ["1.4.0-rc.1", "1.4.0", "1.4.9"], ["1.4.1-rc.1", "1.5.0"]),
        (">1.4.0-rc.1 <=1.5.0-beta.2", ["1.4.0-rc.2", "1.4.0", "1.5.0-beta.2"], ["1.4.0-rc.1", "1.5.0-rc.1", "1.5.0"]),
        (">=1.4.0-alpha <1.4.0", ["1.4.0-alpha", "1.4.0-alpha.beta", "1.4.0-rc.1"], ["1.4.0-1", "1.4.0", "1.3.0"]),
    ],
)
def test_versions(wanted, inside, outside):
    """Ranges include what npm's include."""
    assert [v for v in [*inside, *outside] if versions.includes(wanted, v)] == inside


@pytest.mark.parametrize(
    "text",
    ["2.0.0+build", "2.0.0-rc.1+build", "01.2.3", "1.02.3", "٢.0.0", "1.2", "1.2.3.4", "v1.2.3", "1.2.3\n", "1.2.3-",
     "1.2.3-rc..1", "1.2.3-01", "1.2.3-rc.01", "1.2.3-ä", "1.2-rc.1", "1.2.3-rc_1", f"1.2.{'9' * 61}"],
)  # fmt: skip
def test_what_is_no_version_of_a_connector(text):
    """Versions as semver writes them, without build metadata: two texts are never one version."""
    with pytest.raises(ValidationError, match="version"):
        ConnectorSpec.model_validate_json(json.dumps({"version": text, "http": {"url": "https://api.example.com"}}))


#: The order that section 11 of Semantic Versioning 2.0.0 shows, and cases of its rules.
ORDER = [
    "1.0.0-0", "1.0.0-2", "1.0.0-10", "1.0.0-0a", "1.0.0-A", "1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta", "1.0.0-beta",
    "1.0.0-beta.2", "1.0.0-beta.11", "1.0.0-beta.11.0", "1.0.0-rc.1", "1.0.0-rc-1", "1.0.0", "1.0.1-alpha", "1.0.1", "2.0.0-0", "2.0.0",
]  # fmt: skip


def test_the_order_of_versions():
    """As semver orders them, and each is one of a connector; `rc-1` is one word, after `rc`."""
    shuffled = random.Random(3).sample(ORDER, len(ORDER))

    assert sorted(shuffled, key=versions.version) == ORDER
    for text in ORDER:
        spec = {"version": text, "http": {"url": "https://api.example.com"}}
        assert ConnectorSpec.model_validate_json(json.dumps(spec)).version == text


@pytest.mark.parametrize(
    ("text", "others", "expected"),
    [
        ("1.4.0-rc.2", ["1.3.0", "1.4.0-rc.1", "2.0.0"], "1.3.0"),
        ("1.4.0", ["1.3.0", "1.4.0-rc.1"], "1.3.0"),
        ("1.0.0-rc.2", ["1.0.0-rc.1", "1.0.0"], "1.0.0-rc.1"),
        ("1.0.0-rc.1", ["1.0.0"], "1.0.0"),
    ],
)
def test_what_a_version_builds_on(text, others, expected):
    """On the release before it, which integrations use; on a pre-release only where there is no release."""
    assert versions.preceding(text, others) == expected


@pytest.mark.parametrize("wanted", ["^^1", "1.x", "latest", ">=", "1.2.3.4", "^1.2-rc.1", "1.2.3-", "1.2.3-rc..1"])
def test_not_versions(wanted):
    """What isn't a range is a ValueError that says what was expected."""
    with pytest.raises(ValueError, match="expected"):
        versions.includes(wanted, "1.0.0")


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("max_rejects", "maxRejects"),
        ("MAXREJECTS", "maxRejects"),
        ("maxReject", "maxRejects"),
        ("x", ""),
        ("form", "from"),
    ],
)
def test_nearest(word, expected):
    """Another way of writing and swapped letters win over a likeness; what is like nothing has no suggestion."""
    assert nearest(word, ["maxRejects", "format", "from", "minRows"]) == expected


def test_listed():
    """Names are joined as in a sentence, each once, and cut past the limit."""
    assert listed(["a"]) == "a"
    assert listed(["a", "b", "a", "c"]) == "a, b or c"
    assert listed(map(str, range(20)), 3) == "0, 1, 2, …"


def test_catalog():
    """Everything that is shipped is shared and valid, and connectors have the runtimes that they name."""
    shipped = catalog.catalog()
    runtimes = {key.base: m.spec.runtime for key, m in shipped.items() if isinstance(m.spec, ConnectorSpec)}

    assert all(key.tenant == "" for key in shipped)
    assert set(shipped.names("Policy")) >= {"baseline", "gdpr", "hipaa"}
    assert shipped.named("Connector", "nothing") is None
    assert runtimes.items() >= {"file": "file", "sqlite": "sql", "postgresql": "sql"}.items()


def git(root, *arguments):
    command = ["git", "-c", "user.name=t", "-c", "user.email=t@example.com", "-C", str(root), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def test_outside_git(tmp_path):
    """A folder outside Git has no commit and is dirty; so has one before its first commit."""
    assert revision(tmp_path) == Revision("", True, "")
    git(tmp_path, "init", "-q", "-b", "main")
    assert revision(tmp_path) == Revision("", True, "")
    assert revision(tmp_path / "missing") == Revision("", True, "")


def test_inside_git(tmp_path):
    """The revision follows commits, changes, new files and a detached head; ignored files change nothing."""
    git(tmp_path, "init", "-q", "-b", "main")
    (tmp_path / "a.yaml").write_text("a: 1")
    (tmp_path / ".gitignore").write_text(".syncline/\n")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-q", "-m", "one")
    commit = git(tmp_path, "rev-parse", "HEAD")
    clean = Revision(commit, False, "main")

    assert revision(tmp_path) == clean
    (tmp_path / ".syncline").mkdir()
    (tmp_path / ".syncline" / "x").write_text("")
    assert revision(tmp_path) == clean
    (tmp_path / "b.yaml").write_text("b: 1")
    assert revision(tmp_path) == Revision(commit, True, "main")
    (tmp_path / "b.yaml").unlink()
    (tmp_path / "a.yaml").write_text("a: 2")
    assert revision(tmp_path).dirty
    git(tmp_path, "checkout", "-q", "--", "a.yaml")
    git(tmp_path, "checkout", "-q", "--detach")
    assert revision(tmp_path) == Revision(commit, False, "")


def test_git_starts_nothing(tmp_path):
    """What a repository's own configuration names is not started."""
    git(tmp_path, "init", "-q")
    (tmp_path / "a").write_text("a")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-q", "-m", "one")
    hook = tmp_path / "hook.sh"
    hook.write_text(f"#!/bin/sh\ntouch {tmp_path}/started\n")
    hook.chmod(0o755)
    git(tmp_path, "config", "core.fsmonitor", str(hook))
    git(tmp_path, "config", "core.pager", str(hook))
    revision(tmp_path)

    assert not (tmp_path / "started").exists()


def test_environment_does_not_mislead(tmp_path, monkeypatch):
    """GIT_DIR in the environment, as hooks have it, doesn't make it look at another repository."""
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "other"))

    assert revision(tmp_path) == Revision()


def test_init(tmp_path):
    """What `init` writes validates without a finding, and holds one import that resolves."""
    written = write(tmp_path / "new")
    loaded = load_tree(tmp_path / "new")
    resolved = resolve(loaded.manifests, loaded.broken)

    assert sorted(p.relative_to(tmp_path / "new").as_posix() for p in written) == sorted(files())
    assert loaded.diagnostics == resolved.diagnostics == ()
    assert [str(flow.key) for flow in flows(resolved.desired)] == ["acme/Import/customers"]
    json.loads((tmp_path / "new/.vscode/syncline.schema.json").read_text())


def test_init_replaces_nothing(tmp_path):
    """Where one of the files is, `init` names it and writes nothing."""
    (tmp_path / "README.md").write_text("mine")
    with pytest.raises(Invalid) as caught:
        write(tmp_path)

    assert [(d.code, d.place.file) for d in caught.value.diagnostics] == [("SYN251", "README.md")]
    assert [p.name for p in tmp_path.iterdir()] == ["README.md"]
    assert (tmp_path / "README.md").read_text() == "mine"


def test_editor_files_match():
    """The modelines and the editor's settings lead to the schema that is written with them."""
    contents = files()
    schema = json.loads(contents[".vscode/settings.json"])["yaml.schemas"]

    assert set(schema) <= set(contents)
    for name, content in contents.items():
        if name.startswith(("tenants/", "policies/", "integrations/", "mappings/", "imports/")):
            assert content.startswith("# yaml-language-server: $schema=../.vscode/syncline.schema.json\n")
