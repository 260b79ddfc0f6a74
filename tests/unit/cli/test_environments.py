"""Commands in a repository with environments: which one is meant, and what it declares."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncline.cli.output.flow_yaml import to_yaml
from syncline.manifests.load import load_text
from syncline.manifests.overlay import declared
from syncline.manifests.text import Text, checked
from syncline.manifests.yaml import compose
from tests.unit.reconciler.test_environments import BASE

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with environments, as the current folder."""
    for name, text in BASE.items():
        (tmp_path / name).write_text(text)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SYNCLINE_ENVIRONMENT", raising=False)
    return tmp_path


def test_render_shows_what_is_declared(shell, house):
    """The manifests of an environment, each a manifest of its own with the same digest; exit code 0."""
    ended = shell("render", "--environment", "production")

    assert ended.code == 0
    assert ended.out.count("# files.yaml:") == 2
    found = {m.key: m.digest for m in load_text(ended.out, "rendered.yaml").manifests}
    assert found == {m.key: m.digest for m in declared(house, "production").manifests}
    assert len(found) == 5


def test_render_tells_what_is_wrong(shell, house):
    """What doesn't fit goes to standard error, with exit code 1; the rest is shown."""
    (house / "mapping.yaml").write_text(BASE["mapping.yaml"].replace("key: [id]", 'key: "${regio}"'))

    ended = shell("render", "--environment", "staging", "-o", "json")

    assert ended.code == 1
    assert "SYN282" in ended.err
    assert [document["kind"] for document in json.loads(ended.out)] == [
        "Tenant",
        "Import",
        "Integration",
        "Integration",
    ]


def test_the_environment_by_option_and_by_variable(shell, house, monkeypatch):
    """Both choose; the option wins; without one, what needs one says which there are."""
    assert "Environment staging, revision" in shell("plan", "--environment", "staging").out
    monkeypatch.setenv("SYNCLINE_ENVIRONMENT", "production")
    assert "Environment production, revision" in shell("plan").out
    assert "Environment staging, revision" in shell("plan", "--environment", "staging").out
    monkeypatch.delenv("SYNCLINE_ENVIRONMENT")

    ended = shell("plan")

    assert ended.code == 1
    assert "Give --environment staging or production." in ended.err
    assert shell("validate").out.startswith("Valid: 5 objects in 5 files.")
    assert house.is_dir()


SCALARS = (
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)
)
TEXTS = st.text().filter(lambda text: isinstance(checked(Text("", text)), Text))
VALUES = st.recursive(
    SCALARS | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(TEXTS, VALUES, min_size=1, max_size=5))
def test_what_is_shown_as_yaml_is_read_as_the_same(data):
    """Whatever a manifest may hold, written out in narrow lines or wide ones, is read back with its types."""
    for width in (20, 110):
        composed = compose(Text("", to_yaml(data, width=width)))

        assert composed.diagnostics == []
        assert repr(composed.documents[0].data) == repr(data)
