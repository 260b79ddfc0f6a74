"""Lineage as people see it: text, Mermaid and SVG."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest

from syncline.mapping import lineage
from syncline.model.schema import DataType, Field, Schema
from tests.unit.mapping.manifests import compiled

STRING = DataType("string")
SOURCE = Schema(
    (Field("id", STRING), Field("email", STRING, data_class="pii.email"), Field("card", STRING, data_class="pci.pan"))
)
SPEC = """
fields:
- {to: id, from: id}
- {to: who, from: lower(email), protect: {hash: tenant}}
- {to: both, from: "join('-', [id, email])"}
- {to: card, from: card, protect: drop}
- {to: origin, const: crm}
"""


def test_text_is_one_line_a_flow():
    """Each flow stands in one line, with its protection and class."""
    assert lineage.to_text("crm/people", "dwh/people", compiled(SPEC, SOURCE)) == (
        "crm/people → dwh/people\n"
        "  id     →       id\n"
        "  email  ─hash→  who   pii.email\n"
        "  id     →       both  pii.email\n"
        "  email  →       both  pii.email\n"
        "  card   ─drop→  card  pci.pan\n"
    )


def test_mermaid_is_a_flowchart():
    """Both ends are subgraphs, links carry the protection, and classified ones their colour."""
    text = lineage.to_mermaid('crm/"people"', "dwh/people", compiled(SPEC, SOURCE))

    assert text.startswith('flowchart LR\n  subgraph source["crm/&quot;people&quot;"]\n    s0["id"]\n')
    assert "  s1 -- hash --> t1\n" in text
    assert "  linkStyle 1 stroke:#b4233c,stroke-width:2px\n" in text
    assert 't4["origin"]' in text


def test_svg_is_well_formed_and_draws_each_flow_once():
    """The drawing is XML, has a path a flow, and strikes through what is dropped."""
    root = ET.fromstring(lineage.to_svg("<crm> & co", "dwh/people", compiled(SPEC, SOURCE)))  # noqa: S314 - our own output
    space = "{http://www.w3.org/2000/svg}"

    assert len(root.findall(f"{space}path")) == 5
    assert root.get("aria-label") == "Lineage from <crm> & co to dwh/people"
    struck = [t.text for t in root.findall(f"{space}text") if t.get("class") == "struck"]
    assert struck == ["card"]
    titles = [p.find(f"{space}title").text for p in root.findall(f"{space}path")]
    assert "email (pii.email) reaches, hashed, who (pii.email)" in titles


@pytest.mark.parametrize(
    "spec", ["fields: [{to: a, const: 1, type: integer}]", "fields: [{to: a, from: '@', type: json}]"]
)
def test_mappings_without_named_sources_are_drawn(spec):
    """Constants only, or a whole record of unknown fields, give a drawing and no error."""
    found = compiled(spec)

    ET.fromstring(lineage.to_svg("a", "b", found))  # noqa: S314 - our own output
    assert lineage.to_mermaid("a", "b", found).startswith("flowchart LR")
    assert lineage.to_text("a", "b", found).startswith("a → b\n")
