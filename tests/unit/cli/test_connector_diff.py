"""`syncline connector diff` and `validate --base`: a change that a version doesn't tell fails the pull request."""

from __future__ import annotations

import json
import subprocess

import pytest

CONNECTOR = """\
apiVersion: syncline/v1
kind: Connector
metadata: {name: helpdesk}
spec:
  version: 1.3.0
  auth: [bearer, api_key]
  http: {url: "https://api.example.com", timeout: 30s}
  streams:
    tickets:
      get: /tickets
      key: [id]
      schema: {properties: {id: {type: integer}, subject: {type: string}}}
"""


def git(folder, *arguments):
    command = ["git", "-c", "user.name=t", "-c", "user.email=t@example.com", "-C", str(folder), *arguments]
    subprocess.run(command, check=True, capture_output=True)


@pytest.fixture
def folder(tmp_path, monkeypatch, shell):
    """A repository with one committed connector on main."""
    (tmp_path / "connectors").mkdir()
    (tmp_path / "connectors" / "helpdesk.yaml").write_text(CONNECTOR, encoding="utf-8")
    git(tmp_path, "init", "-q", "-b", "main")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "one")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def edit(folder, *pairs, name="helpdesk.yaml"):
    """Changes the connector in the working tree."""
    path = folder / "connectors" / "helpdesk.yaml"
    text = path.read_text(encoding="utf-8")
    for before, after in pairs:
        assert before in text
        text = text.replace(before, after)
    (folder / "connectors" / name).write_text(text, encoding="utf-8")


def test_text(folder, shell):
    """What a person sees: every change with its level, and what the version should be."""
    edit(folder, ("1.3.0", "1.4.0"), (", subject: {type: string}", ""), ("30s", "60s"), ("api_key]", "api_key, basic]"))

    ended = shell("connector", "diff", "main:connectors/helpdesk.yaml", "connectors/helpdesk.yaml")

    assert ended.out == (
        "Connector/helpdesk 1.3.0 → 1.4.0: 1 breaking, 1 additive, 1 fix\n"
        "  ✗ breaking  streams.tickets.schema.properties.subject  field removed\n"
        "  + additive  auth                                       basic is offered\n"
        "  ~ fix       http.timeout                               changed\n"
        "  Too little: needs 2.0.0 or higher\n"
    )
    assert ended.err == ("error[SYN260]: Connector/helpdesk went from 1.3.0 to 1.4.0; 1 breaking change needs 2.0.0\n")
    assert ended.code == 1


def test_enough(folder, shell):
    """With the version raised it is OK, whatever changed."""
    edit(folder, ("1.3.0", "2.0.0"), ("/tickets", "/v2/tickets"))

    ended = shell("connector", "diff", "HEAD:connectors", "connectors")

    assert (ended.code, ended.err) == (0, "")
    assert ended.out.endswith("  OK: needs 1.3.1 or higher\n")


def test_declared_versions(folder, shell):
    """Two versions that live side by side, by their names; catalogue connectors have versions too."""
    edit(folder, ("1.3.0", "1.4.0"), ("30s", "60s"), name="next.yaml")

    ended = shell("connector", "diff", "helpdesk@1.3.0", "helpdesk@1.4.0", "-o", "json")

    (found,) = json.loads(ended.out)["connectors"]
    assert (found["from"], found["to"], found["demanded"], found["enough"]) == ("1.3.0", "1.4.0", "1.3.1", True)
    assert [(c["level"], c["place"]["file"]) for c in found["changes"]] == [("fix", "connectors/next.yaml")]
    assert shell("connector", "diff", "sqlite@1.0.0", "sqlite@1.0.0").code == 0


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        (
            "markdown",
            "### ⛔ Connector/helpdesk 1.3.0 → 1.3.0: 1 fix\n\nThese changes need `1.3.1` or higher, which it hasn't.\n",
        ),
        ("github", "::error file=connectors/helpdesk.yaml,line=5,"),
        ("sarif", '"ruleId": "SYN260"'),
    ],
)
def test_formats(folder, shell, form, expected):
    """The formats of pull requests name the place."""
    edit(folder, ("30s", "60s"))

    ended = shell("connector", "diff", "main:connectors/helpdesk.yaml", "connectors/helpdesk.yaml", "-o", form)

    assert ended.code == 1
    assert expected in ended.out


@pytest.mark.parametrize(
    "old", ["nowhere:connectors", "main:nowhere", "helpdesk@9.9.9", "nofile.yaml", "--help:x", "main^{commit}:x", ""]
)
def test_nothing_to_compare(folder, shell, old):
    """What isn't there is a mistake that says what can be given."""
    ended = shell("connector", "diff", "--", old, "connectors")

    assert (ended.code, "error[SYN262]" in ended.err) == (1, True)


def test_base_fails_the_pull_request(folder, shell):
    """`validate --base` finds the version that wasn't raised, at its place; raised, it passes."""
    edit(folder, (", subject: {type: string}", ""))
    assert shell("validate").code == 0

    ended = shell("validate", "--base", "main", "-o", "concise")
    assert ended.code == 1
    assert ended.out.startswith(
        "connectors/helpdesk.yaml:5:12: error[SYN260]: Connector/helpdesk 1.3.0 changed without another version; "
        "1 breaking change needs 2.0.0 (did you mean 2.0.0?)\n"
    )

    edit(folder, ("1.3.0", "2.0.0"))
    assert shell("validate", "--base", "main").code == 0


def test_base_looks_at_connectors_only(folder, shell):
    """What else changed, what is new and what went away is no matter of versions."""
    (folder / "t.yaml").write_text("apiVersion: syncline/v1\nkind: Tenant\nmetadata: {name: a}\nspec: {title: A}\n")
    (folder / "connectors" / "helpdesk.yaml").write_text(CONNECTOR.replace("helpdesk", "desk"), encoding="utf-8")

    assert shell("validate", "--base", "main").code == 0


def test_base_that_isnt_there(folder, shell):
    """A shallow clone hasn't the revision: said, and no comparison is pretended."""
    ended = shell("validate", "--base", "origin/main")

    assert (ended.code, "there is no revision 'origin/main'" in ended.err) == (1, True)


def test_two_versions_in_one_repository(folder, shell):
    """A version that is put beside the old one is compared with it, without a base."""
    edit(folder, ("1.3.0", "1.4.0"), ("/tickets\n      key: [id]", "/tickets\n      key: [subject]"), name="next.yaml")

    ended = shell("validate", "-o", "concise")

    assert (ended.code, "connectors/next.yaml:5:12: error[SYN260]" in ended.out) == (1, True)


INTEGRATION = """\
apiVersion: syncline/v1
kind: Integration
metadata: {name: desk, tenant: acme}
spec: {connector: RANGE, auth: desk}
---
apiVersion: syncline/v1
kind: AuthConfig
metadata: {name: desk, tenant: acme}
spec: {type: bearer, token: {secretRef: {provider: env, key: TOKEN}}}
---
apiVersion: syncline/v1
kind: Tenant
metadata: {name: acme}
spec: {}
"""


def test_candidates_for_release(folder, shell):
    """Beside the release, reached only by who names one, and compared with it; each has a name of its own."""
    edit(
        folder, ("1.3.0", "2.0.0-rc.1"), ("/tickets\n      key: [id]", "/tickets\n      key: [subject]"), name="rc.yaml"
    )
    told = {}
    for wanted in ("helpdesk", "helpdesk@<2", "helpdesk@^2", "helpdesk@^2.0.0-rc.1", "helpdesk@2.0.0-beta"):
        (folder / "desk.yaml").write_text(INTEGRATION.replace("RANGE", f'"{wanted}"'), encoding="utf-8")
        ended = shell("validate", "-o", "json")
        told[wanted] = [(d["code"], d["suggestion"]) for d in json.loads(ended.out)["findings"]]

    assert told == {
        "helpdesk": [],
        "helpdesk@<2": [],
        "helpdesk@^2": [("SYN223", "helpdesk@^1.3.0")],
        "helpdesk@^2.0.0-rc.1": [],
        "helpdesk@2.0.0-beta": [("SYN223", "helpdesk@^1.3.0")],
    }
    diff = shell("connector", "diff", "helpdesk@1.3.0", "helpdesk@2.0.0-rc.1")
    assert (diff.code, diff.out.splitlines()[0]) == (0, "Connector/helpdesk 1.3.0 → 2.0.0-rc.1: 1 breaking")
    edit(
        folder, ("1.3.0", "1.4.0-rc.1"), ("/tickets\n      key: [id]", "/tickets\n      key: [subject]"), name="rc.yaml"
    )
    assert "from 1.3.0 to 1.4.0-rc.1; 1 breaking change needs 2.0.0" in shell("validate").out


def test_a_connector_without_a_release(folder, shell):
    """Who names no pre-release gets none, and is told how to."""
    edit(folder, ("1.3.0", "2.0.0-rc.1"))
    (folder / "desk.yaml").write_text(INTEGRATION.replace("RANGE", "helpdesk"), encoding="utf-8")

    ended = shell("validate")

    assert (
        "error[SYN223]: the connector 'helpdesk' has the version 2.0.0-rc.1, a pre-release that isn't named"
        in ended.out
    )
    assert "did you mean helpdesk@^2.0.0-rc.1?" in ended.out
