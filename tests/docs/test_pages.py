"""The other pages: their manifests validate, their commands print what is shown, their links and codes exist."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import yaml

from syncline.manifests.load import load_text
from syncline.mapping.functions import FUNCTIONS
from syncline.model.codes import CODES
from syncline.workflow import validate
from tests.docs.blocks import ROOT, blocks, differences
from tests.docs.house import house

DOCS = ROOT / "docs"
PAGES = sorted([*DOCS.glob("*.md"), *DOCS.glob("how-to/*.md"), *DOCS.glob("decisions/*.md"), ROOT / "README.md"])
#: Everything that people read, by whatever folder it is about: what a view prints in a test isn't.
WRITTEN = sorted({
    page
    for pattern in ("*.md", "docs/**/*.md", "examples/**/*.md", "benchmarks/*.md", "integrations/*.md", "mappings/*.md",
                    "policies/*.md", "tests/*/README.md")
    for page in ROOT.glob(pattern)
})  # fmt: skip
HOW_TO = sorted(DOCS.glob("how-to/*.md"))
POSTGRESQL = DOCS / "how-to" / "postgresql-state-and-warehouse.md"
_LINK = re.compile(r"(?<!\!)\[[^\]]*\]\(([^)\s]+)\)|!\[[^\]]*\]\(([^)\s]+)\)")
#: Code, which has no links; kept is what is the text of one.
_CODE = re.compile(r"^```.*?^```|(\[`[^`\n]*`\]\()|`[^`\n]*`", re.MULTILINE | re.DOTALL)
_HEADING = re.compile(r"^#+ (.*)$", re.MULTILINE)


def name(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def anchors(page: Path) -> set[str]:
    """The anchors that GitHub gives the headings of a page."""
    return {re.sub(r"[^\w\- ]", "", h.lower()).replace(" ", "-") for h in _HEADING.findall(page.read_text())}


def links(text: str) -> list[str]:
    """Where the links of a page lead to, besides those in code."""
    return [a or b for a, b in _LINK.findall(_CODE.sub(lambda found: found[1] or "", text))]


def test_links_are_found_beside_code():
    """A link whose text is code is one, whatever code is beside it; what only looks like a link in code is none."""
    text = "[`a`](a.md), `[x](no.md)` and [b](b.md)\n```\n[y](no.md)\n```\n`c` [`d` e](d.md), ![`f`](f.png)\n"
    assert links(text) == ["a.md", "b.md", "d.md", "f.png"]


@pytest.mark.parametrize("page", WRITTEN, ids=name)
def test_links_lead_somewhere(page: Path):
    """Every relative link leads to a file or folder that is there, and to a heading that it has."""
    for link in links(page.read_text()):
        target, _, anchor = link.partition("#")
        if "://" in link or link.startswith("mailto:"):
            continue
        path = page if not target else page.parent / target
        assert path.exists(), f"{link} leads nowhere"
        assert not anchor or anchor in anchors(path), f"{link} has no such heading"


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_codes_exist(page: Path):
    """Every code that a page mentions is one that `syncline explain` knows."""
    assert set(re.findall(r"\bSYN\d{3}\b", page.read_text())) <= set(CODES)


@pytest.mark.parametrize("page", HOW_TO, ids=name)
def test_yaml_is_a_manifest_or_said_to_be_a_fragment(page: Path):
    """Each YAML block is manifests without a finding, or is marked as a fragment (or of another program) and is YAML."""
    for block in blocks(page.read_text()):
        if block.language != "yaml":
            continue
        if "apiVersion: syncline/" in block.text:
            result = load_text(block.text, f"{page.name}:{block.line}")
            assert result.manifests
            assert not result.diagnostics
        else:
            assert {"fragment", "other"} & set(block.words) or block.file, f"{page.name}:{block.line} is unmarked"
            assert yaml.safe_load(block.text) is not None


@pytest.mark.parametrize("page", HOW_TO, ids=name)
def test_manifests_of_a_page_fit_together(page: Path, tmp_path: Path):
    """All manifests of a page validate together with the example house of `init`: references, types, own tests."""
    settings = house(tmp_path, applied=False)
    for index, block in enumerate(b for b in blocks(page.read_text()) if "apiVersion: syncline/" in b.text):
        (tmp_path / f"page-{index}.yaml").write_text(block.text)

    found = validate(settings).diagnostics

    allowed = set(re.findall(r"\bSYN\d{3}\b", page.read_text()))  # findings that the page is about
    assert [f"{d.place}: {d.code} {d.message}" for d in found if d.code not in allowed] == []


@pytest.mark.slow
@pytest.mark.parametrize("page", [p for p in HOW_TO if "```console" in p.read_text() and p != POSTGRESQL], ids=name)
def test_commands_print_what_is_shown(page: Path, tmp_path: Path):
    """Followed in the repository that `init` writes, every command prints what the page shows."""
    house(tmp_path)
    found = differences(page, tmp_path)

    assert not found, "\n\n".join(map(str, found))


def test_the_page_on_postgresql_works(postgres_url: str, tmp_path: Path):
    """State and warehouse are in PostgreSQL, as the page says, on a real server instead of the one that it names."""
    house(tmp_path, applied=False)
    parts = urlsplit(postgres_url)
    (tmp_path / "lake.password").write_text(parts.password or "none")
    server = parts._replace(netloc=f"{parts.hostname}:{parts.port}")
    names = {
        "postgresql://syncline@db.example.com/syncline_state": postgres_url,
        "postgresql://db.example.com:5432/lake": server.geturl(),
        "username: syncline": f"username: {parts.username}",
    }

    found = differences(POSTGRESQL, tmp_path, names)

    assert not found, "\n\n".join(map(str, found))


def test_the_example_connectors_keep_the_promises(tmp_path: Path):
    """The source and the destination of the page on connectors pass the shipped checks, run as the page says."""
    page = DOCS / "connector-development.md"
    found = differences(page, tmp_path)

    assert not found, "\n\n".join(map(str, found))


def test_the_table_of_functions_is_whole():
    """The page on mappings lists every function that expressions may call, as it is called, and no other."""
    page = (DOCS / "how-to" / "write-a-mapping.md").read_text()

    assert re.findall(r"^\| `(\w+\(.*?\))` \|", page, re.MULTILINE) == [f.signature for f in FUNCTIONS]
