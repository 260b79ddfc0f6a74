"""The reference pages: made from the code, complete, and the same every time."""

from __future__ import annotations

import re

import pytest

from syncline.kinds import KIND_BY_NAME
from syncline.manifests import fields
from syncline.model.codes import CODES
from tests.unit.cli.test_commands import COMMANDS
from tools import docs

PAGES = docs.pages()


def test_pages_are_reproducible():
    """Two makings give the same pages."""
    assert docs.pages() == PAGES


@pytest.mark.parametrize("path", COMMANDS)
def test_every_command_is_there(path):
    """Every command has a section with its options."""
    assert f"# {path}\n\n```sh\n{path}" in PAGES["cli.md"]


def test_every_code_is_there():
    """Every code has a section, once."""
    found = re.findall(r"^### (SYN\d{3}): ", PAGES["codes.md"], re.MULTILINE)

    assert found == sorted(CODES)


@pytest.mark.parametrize("kind", KIND_BY_NAME.values(), ids=lambda kind: kind.name)
def test_every_field_is_there(kind):
    """Every field of a kind, at any depth, is in its page; every link leads to a section."""
    page = PAGES[f"kinds/{kind.name.lower()}.md"]
    models = docs.nested(kind.spec)
    for model in models:
        models += [
            m for info in fields.by_alias(model).values() for m in docs.nested(info.annotation) if m not in models
        ]

    assert not [name for model in models for name in fields.by_alias(model) if f"| `{name}` |" not in page]
    sections = {title.lower() for title in re.findall(r"^## (\w+)$", page, re.MULTILINE)}
    assert set(re.findall(r"\(#(\w+)\)", page)) <= sections
