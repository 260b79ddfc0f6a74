"""Properties of the layout, over texts with comments wherever they may stand and blocks indented in every way."""

from __future__ import annotations

import re
from collections import Counter

import yaml
from hypothesis import given
from hypothesis import strategies as st

from syncline.manifests.format import fmt
from syncline.model.errors import Invalid

NAMES = st.from_regex(r"[a-z]{1,3}", fullmatch=True)
#: Scalars and collections in brackets as they are written; `%` stands for how far in a further line is.
WRITTEN = st.sampled_from(
    [
        "1",
        "no",
        "'single # no comment'",
        '"double"',
        "plain text",
        "",
        "[1,2,  3]",
        "{x:  1,y: [ 2 ]}",
        '"over\n%  two # no comment\n\n% lines"',
        "over\n% two",
        "[1, # ?\n%  # ?\n%2\n%]",
        "{x: 1,\n%# ?\n% y: {z: 2}}",
        "|\n%# no comment\n%  text\n\n%more",
        ">-  # ?\n%   folded\n%   text\n",
        "|+\n%kept\n\n",
    ]
)
TREES = st.recursive(
    WRITTEN,
    lambda inner: st.lists(inner, min_size=1, max_size=3) | st.dictionaries(NAMES, inner, min_size=1, max_size=3),
    max_leaves=6,
)


class Writer:
    """Writes a tree as a careless person does. `?` after a `#` becomes the comment's number."""

    def __init__(self, draw) -> None:
        self.draw = draw
        self.comments = 0
        self.above: set[str] = set()

    def number(self) -> str:
        self.comments += 1
        return f"#c{self.comments}."

    def between(self, column: int) -> list[str]:
        """Lines before a key or dash at a column: nothing, a blank line, a comment somewhere, a comment right there."""
        match self.draw(st.integers(0, 6)):
            case 0:
                return [" " * self.draw(st.integers(0, 12)) + self.number()]
            case 1:
                comment = self.number()
                self.above.add(comment)
                return [" " * column + comment]
            case 2:
                return ["", "   "]
            case _:
                return []

    def behind(self) -> str:
        return " " * self.draw(st.integers(1, 3)) + self.number() if self.draw(st.integers(0, 4)) == 0 else ""

    def value(self, text: str, column: int) -> list[str]:
        """A scalar or a collection in brackets, to be written behind what is at a column."""
        deeper = " " * (column + self.draw(st.integers(1, 5)))
        text = re.sub(r"# \?", lambda _: self.number(), text).replace("%", deeper)
        end = "" if "\n" in text else self.behind()
        return (text + end).split("\n")

    def block(self, tree, column: int) -> list[str]:
        items = [(f"{name}:", inner) for name, inner in tree.items()] if isinstance(tree, dict) else None
        lines: list[str] = []
        for head, inner in items or [("-", inner) for inner in tree]:
            lines += self.between(column)
            lines += self.item(" " * column + head, inner, column)
        return lines

    def item(self, head: str, inner, column: int) -> list[str]:
        if isinstance(inner, str):
            first, *more = self.value(inner, column)
            return [head + " " * self.draw(st.integers(1, 3)) + first, *more]
        if head.endswith("-") and self.draw(st.booleans()):
            at = column + 1 + self.draw(st.integers(1, 4))
            lines = self.block(inner, at)
            if lines[0].strip() and not lines[0].lstrip().startswith("#"):
                return [head + lines[0][len(head) :], *lines[1:]]
            return [head, *lines]
        least = 0 if isinstance(inner, list) and head.endswith(":") else 1
        return [head + self.behind(), *self.block(inner, column + self.draw(st.integers(least, 6)))]


@st.composite
def texts(draw):
    """A text, and the comments in it that stand right above what they are about."""
    writer = Writer(draw)
    tree = draw(st.dictionaries(NAMES, TREES, min_size=1, max_size=3))
    return "\n".join(writer.block(tree, 0)) + "\n", writer.above


@given(texts())
def test_no_comment_is_lost_and_all_is_read_as_before(written):
    """What is read stays, every comment stays once and in its order, and a second time changes nothing."""
    content, _ = written
    once = fmt(content)

    assert fmt(once) == once
    assert yaml.safe_load(once) == yaml.safe_load(content)
    assert re.findall(r"#c\d+\.", once) == re.findall(r"#c\d+\.", content)


@given(texts())
def test_a_comment_stands_where_what_it_is_about_stands(written):
    """A comment right above a key or a dash is right above it afterwards."""
    content, above = written
    lines = fmt(content).splitlines()
    for number, line in enumerate(lines):
        if line.strip() in above:
            below = next(x for x in lines[number + 1 :] if x.strip() and not x.lstrip().startswith("#c"))
            assert _indent(line) == _indent(below)


@given(texts())
def test_blocks_are_indented_by_two(written):
    """Whatever the indents were: the columns of keys are even, and never more than two further in than the line above."""
    content, _ = written
    composed = yaml.compose(fmt(content))
    _check(composed, 0)


def _check(node, column: int) -> None:
    if node.flow_style is not False:
        return
    assert node.start_mark.column == column
    if isinstance(node, yaml.MappingNode):
        for _, value in node.value:
            if isinstance(value, yaml.CollectionNode):
                _check(value, column if isinstance(value, yaml.SequenceNode) else column + 2)
    else:
        for value in node.value:
            if isinstance(value, yaml.CollectionNode):
                _check(value, column + 2)


@given(st.text(st.sampled_from(list("ab1:-[]{},#'\"|> \n")), max_size=40))
def test_any_text(content):
    """Any text at all is laid out for good, or refused; no `#` comes or goes."""
    try:
        once = fmt(content)
    except Invalid:
        return
    assert fmt(once) == once
    assert Counter(once)["#"] == Counter(content)["#"]


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())
