"""`fmt`: one layout, comments and quotes kept, data never changed."""

from __future__ import annotations

import pytest

from syncline.kinds import KIND_BY_NAME
from syncline.manifests.format import fmt
from syncline.manifests.scaffold import files
from syncline.model.errors import Invalid


def test_layout():
    """The envelope comes in its order, lists aren't indented, and comments, quotes, blank lines and flow style stay."""
    before = """\
# Head.
spec:
    title:   'Acme' # the name

    regions:
        - "eu-*"
        - us-1
kind: Tenant
apiVersion: syncline/v1
metadata: {name: acme,   labels: {a: "1"}}
"""

    assert (
        fmt(before)
        == """\
# Head.
apiVersion: syncline/v1
kind: Tenant
metadata: {name: acme, labels: {a: "1"}}
spec:
  title: 'Acme' # the name

  regions:
  - "eu-*"
  - us-1
"""
    )


def test_comments():
    """Comments move with what they are about, also where keys change places; none is lost, in brackets neither."""
    before = """\
# Head.

# What it does.
spec:
    # Above a key.
    fields:
        # Above a dash.
        -   to: a     # behind
            # Above a key in a list.
            const: [1, # in brackets
                    # alone
                    2]
            # At the end of an item.
        # At the end of the list.
    # At the end of the block.
    tests: []   # beside it,
                # and in line with it
# Whose it is.
metadata: {name: m}
kind: Mapping
apiVersion: syncline/v1
# At the end.
"""
    after = """\
# Head.

apiVersion: syncline/v1
kind: Mapping
# Whose it is.
metadata: {name: m}
# What it does.
spec:
  # Above a key.
  fields:
  # Above a dash.
  - to: a     # behind
    # Above a key in a list.
    const: [1, # in brackets
            # alone
            2]
    # At the end of an item.
  # At the end of the list.
  # At the end of the block.
  tests: []   # beside it,
              # and in line with it
# At the end.
"""
    assert fmt(before) == after
    assert fmt("# of the file\n---\n# of the document\na:  1\n") == "# of the file\n---\n# of the document\na: 1\n"


def test_lines_stay_lines():
    """Values that go on over several lines keep their lines, and move as far as they begin."""
    before = (
        'a:\n    b:   {x: 1,\n          y: [ 2,3 ]}\n    c: "one\n      two"\n    d: |\n        text\n          more\n'
    )

    assert fmt(before) == 'a:\n  b: {x: 1,\n      y: [2, 3]}\n  c: "one\n    two"\n  d: |\n    text\n      more\n'


@pytest.mark.parametrize(
    "content", [k.example for k in KIND_BY_NAME.values()] + [c for n, c in files().items() if n.endswith(".yaml")]
)
def test_what_we_write_is_formatted(content):
    """Examples and the files of `init` are in the layout already."""
    assert fmt(content) == content


def test_documents():
    """Several documents stay several."""
    content = "a: 1\n---\n# two\nb: [x,  y]\n"

    assert fmt(content) == "a: 1\n---\n# two\nb: [x, y]\n"
    assert fmt("---\na: 1\n") == "---\na: 1\n"


@pytest.mark.parametrize(
    "content",
    [
        "a: 010\nb: 12:30:45\nc: no\nd: 0x1F\ne: 1.50\nf: 1e3\ng: +5\nh: 1_000\ni: ~\nj: 2024-01-01\n",
        "# only a comment\n",
        "",
    ],
)
def test_scalars_stay(content):
    """Scalars stay as they are written."""
    assert fmt(content) == content


def test_line_endings_and_mark():
    """Windows' line ends and a byte order mark go."""
    assert fmt("\ufeffa: 1\r\nb: 2\r\n") == "a: 1\nb: 2\n"


def test_broken():
    """What can't be read isn't formatted: the findings come with the error."""
    with pytest.raises(Invalid) as caught:
        fmt("a: 1\na: 2\n", "a.yaml")

    assert [(d.code, str(d.place)) for d in caught.value.diagnostics] == [("SYN107", "a.yaml:2:1")]
