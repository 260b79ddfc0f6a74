"""Places that are kept compactly are those of the nodes."""

from __future__ import annotations

import pytest

from syncline.manifests.node import Places
from syncline.manifests.positions import KeptPlaces, Positions
from syncline.manifests.text import Text
from syncline.manifests.yaml import compose

WIDE = "list:\n" + "".join(f"- {{to: n{n}, from: [a, b]}}\n" for n in range(300))
TEXTS = ["a: &x {b: [1, 2]}\nc: *x\n", "ä: [x, 'ö', {}]\nb:\n  c: |\n    t\n  '': []\n", WIDE]


def pair(text):
    """The places of a document's values and keys, by nodes and kept; one node of it is another file's."""
    root = compose(Text("a.yaml", text)).documents[0]
    next(iter(root.children.values())).file = "patch.yaml"
    kept = Positions("a.yaml", root)
    return [
        (Places("a.yaml", root), KeptPlaces(kept)),
        (Places("a.yaml", root, of_keys=True), KeptPlaces(kept, of_keys=True)),
    ]


@pytest.mark.parametrize("text", TEXTS)
def test_kept_places_are_those_of_the_nodes(text):
    """Every value and key has the same place, asked for one by one and all at once."""
    for nodes, kept in pair(text):
        assert {path: kept[path] for path in nodes} == dict(nodes)
        assert dict(kept) == dict(nodes)
        assert len(kept) == len(nodes)


def test_what_is_not_there_has_no_place():
    """A key of a list, a position of a mapping, and what is below a scalar."""
    for _, kept in pair("a: {b: [1]}\n"):
        for path in [("b",), ("a", 0), ("a", "b", "0"), ("a", "b", 1), ("a", "b", 0, "c")]:
            assert path not in kept


def test_asking_again_and_again_is_not_looking_through_the_document_each_time():
    """Findings about thousands of fields of one mapping don't take the square of their number."""
    root = compose(Text("a.yaml", WIDE)).documents[0]
    positions = Positions("a.yaml", root)
    for _ in range(30):
        for n in range(300):
            assert positions.place(("list", n), of_key=False).line == n + 2
    assert positions._looked < 50 * 300 * 5
