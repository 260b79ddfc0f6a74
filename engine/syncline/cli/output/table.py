"""Tables in text: columns as wide as their widest cell, numbers to the right, no frames to be copied by accident."""

from __future__ import annotations

from collections.abc import Sequence

from syncline.cli.output.paint import Paint
from syncline.cli.output.text import cut, pad, visible, width


def render_table(
    head: Sequence[str],
    rows: Sequence[Sequence[str]],
    paint: Paint,
    *,
    right: frozenset[int] = frozenset(),
    cells: int = 60,
) -> str:
    """
    Rows under a head. `right` are the columns of numbers; longer cells than `cells` are cut.

    >>> print(render_table(("NAME", "ROWS"), [("a", "1,000")], Paint(), right=frozenset({1})), end="")
    NAME   ROWS
    a     1,000
    """
    shown = [[cut(visible(cell), cells) for cell in row] for row in (head, *rows)]
    widths = [max(width(row[i]) for row in shown) for i in range(len(head))]

    def line(row: Sequence[str]) -> str:
        filled = (
            " " * (widths[i] - width(cell)) + cell if i in right else pad(cell, widths[i]) for i, cell in enumerate(row)
        )
        return "  ".join(filled).rstrip()

    first, *others = map(line, shown)
    return "\n".join([paint.bold(first), *others]) + "\n"
