"""Lineage of a compiled mapping, for people: as text, as a Mermaid flowchart and as an SVG drawing.

Rendering only; the flows themselves are `Compiled.flows`. Names come from manifests and are escaped for each form.
"""

from __future__ import annotations

from html import escape
from typing import Final

from msgspec import Struct

from syncline.mapping.compile import Compiled, FieldFlow
from syncline.mapping.protection import Protection

#: Colour of a line by the first word of its class: on white they all have a contrast of 4.5 or more.
COLOURS = {"pii": "#b4233c", "phi": "#7a3e9d", "pci": "#b45309", "secret": "#9f1239"}
_OTHER_CLASS, _NO_CLASS = "#1d5fa8", "#8b95a1"

#: What becomes of a value on its way.
_HOW: Final[dict[Protection, str]] = {
    "": "reaches",
    "drop": "is dropped before",
    "mask": "reaches, masked,",
    "hash": "reaches, hashed,",
    "tokenize": "reaches, as a token,",
    "preserve": "reaches, encrypted,",
    "generalize": "reaches, generalised,",
}
_ROW, _BOX, _TOP, _GAP, _CHARACTER, _PAD = 34, 26, 64, 260, 7.3, 12


class _Node(Struct, frozen=True):
    name: str
    data_class: str
    left: float
    top: float
    width: float

    @property
    def middle(self) -> float:
        return self.top + _BOX / 2


def to_text(source: str, target: str, compiled: Compiled) -> str:
    """One line a flow, in columns: source field, protection, target field, class."""
    rows = [(f.source, _arrow(f), f.target, f.target_class) for f in compiled.flows]
    wide = [max([len(row[column]) for row in rows] or [0]) for column in range(3)]
    lines = [f"{source} → {target}"]
    lines += [
        "  " + "  ".join([*(t.ljust(w) for t, w in zip(row, wide, strict=False)), row[3]]).rstrip() for row in rows
    ]
    return "\n".join(lines) + "\n"


def _arrow(flow: FieldFlow) -> str:
    return f"─{flow.protection}→" if flow.protection else "→"


def to_mermaid(source: str, target: str, compiled: Compiled) -> str:
    """A Mermaid flowchart (https://mermaid.js.org/syntax/flowchart.html)."""
    sources, targets = _ends(compiled)
    lines = ["flowchart LR", f'  subgraph source["{_quoted(source)}"]']
    lines += [
        f'    s{n}["{_quoted(_label(name, data_class))}"]' for n, (name, data_class) in enumerate(sources.items())
    ]
    lines += ["  end", f'  subgraph target["{_quoted(target)}"]']
    lines += [
        f'    t{n}["{_quoted(_label(name, data_class))}"]' for n, (name, data_class) in enumerate(targets.items())
    ]
    lines += ["  end"]
    left, right = list(sources), list(targets)
    for flow in compiled.flows:
        link = f"-- {flow.protection} -->" if flow.protection else "-->"
        lines.append(f"  s{left.index(flow.source)} {link} t{right.index(flow.target)}")
    for number, flow in enumerate(compiled.flows):
        if flow.source_class or flow.target_class:
            lines.append(f"  linkStyle {number} stroke:{_colour(flow)},stroke-width:2px")
    return "\n".join(lines) + "\n"


def to_svg(source: str, target: str, compiled: Compiled) -> str:
    """A drawing: source fields at the left, target fields at the right, lines coloured by class, protection named."""
    sources, targets = _ends(compiled)
    left_width = _width([source, *map(_label, sources, sources.values())])
    right_width = _width([target, *map(_label, targets, targets.values())])
    width = 2 * _PAD + left_width + _GAP + right_width
    height = _TOP + _ROW * max(len(sources), len(targets), 1) + _PAD
    left = _column(sources, _PAD, left_width, height)
    right = _column(targets, _PAD + left_width + _GAP, right_width, height)
    label = escape(f"Lineage from {source} to {target}")
    size = f'viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" height="{height:.0f}"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" aria-label="{label}">',
        _STYLE,
        f'<rect class="paper" width="{width:.0f}" height="{height:.0f}" rx="10"/>',
        f'<text class="title" x="{_PAD}" y="32">{escape(source)}</text>',
        f'<text class="title" x="{_PAD + left_width + _GAP:.0f}" y="32">{escape(target)}</text>',
    ]
    # Plain lines first, so that those of a class are never hidden under them.
    for flow in sorted(compiled.flows, key=lambda f: bool(f.source_class or f.target_class)):
        parts += _line(left[flow.source], right[flow.target], flow)
    for node in left.values():
        parts += _box(node, dropped=False)
    for node in right.values():
        parts += _box(node, dropped=compiled.target.get(node.name) is None)
    return "\n".join([*parts, "</svg>"]) + "\n"


_STYLE = """<style>
text{font:12px ui-sans-serif,system-ui,sans-serif;fill:#1f2933}
.title{font-weight:600;font-size:14px}
.class{font-size:11px}
.paper{fill:#fff}
.box{fill:#f4f6f8;stroke:#cbd2d9}
.gone{fill:#fff;stroke-dasharray:4 3}
.struck{text-decoration:line-through;fill:#6b7783}
.flow{fill:none;stroke-width:1.6}
.pill{fill:#fff}
@media (prefers-color-scheme:dark){
text{fill:#e4e7eb}.paper{fill:#12181f}.box{fill:#1f2933;stroke:#3e4c59}.gone{fill:#12181f}.pill{fill:#12181f}}
</style>"""


def _ends(compiled: Compiled) -> tuple[dict[str, str], dict[str, str]]:
    """Source and target fields with their classes, in order; target fields without a source (constants) last."""
    sources: dict[str, str] = {}
    targets: dict[str, str] = {}
    for flow in compiled.flows:
        sources[flow.source] = sources.get(flow.source) or flow.source_class
        targets[flow.target] = targets.get(flow.target) or flow.target_class
    for field in compiled.target.fields:
        targets.setdefault(field.name, field.data_class)
    return sources, targets


def _column(names: dict[str, str], left: float, width: float, height: float) -> dict[str, _Node]:
    """The boxes of one side, centred in height."""
    top = _TOP + (height - _TOP - _PAD - _ROW * len(names)) / 2
    return {
        name: _Node(name, data_class, left, top + _ROW * number, width)
        for number, (name, data_class) in enumerate(names.items())
    }


def _line(start: _Node, end: _Node, flow: FieldFlow) -> list[str]:
    x1, y1, x2, y2 = start.left + start.width, start.middle, end.left, end.middle
    bend = (x2 - x1) * 0.45
    colour = _colour(flow)
    dashes = ' stroke-dasharray="5 4"' if flow.protection == "drop" else ""
    curve = f"M{x1:.1f} {y1:.1f}C{x1 + bend:.1f} {y1:.1f} {x2 - bend:.1f} {y2:.1f} {x2:.1f} {y2:.1f}"
    title = f"<title>{escape(_sentence(flow))}</title>"
    parts = [f'<path class="flow" stroke="{colour}"{dashes} d="{curve}">{title}</path>']
    if flow.protection:
        # Near the target end, where lines are level and no longer cross.
        x, y, wide = x2 - 46, y2, len(flow.protection) * 6.6 + 14
        box = f'x="{x - wide / 2:.1f}" y="{y - 9:.1f}" width="{wide:.1f}" height="18" rx="9"'
        parts += [
            f'<rect class="pill" stroke="{colour}" {box}/>',
            f'<text class="class" x="{x:.1f}" y="{y + 4:.1f}" text-anchor="middle">{flow.protection}</text>',
        ]
    return parts


def _box(node: _Node, *, dropped: bool) -> list[str]:
    x, y = node.left, node.top
    style, text = ("box gone", ' class="struck"') if dropped else ("box", "")
    parts = [
        f'<rect class="{style}" x="{x:.1f}" y="{y:.1f}" width="{node.width:.1f}" height="{_BOX}" rx="6"/>',
        f'<text{text} x="{x + 10:.1f}" y="{y + 17:.1f}">{escape(node.name)}</text>',
    ]
    if node.data_class:
        colour = _class_colour(node.data_class)
        parts.append(
            f'<text class="class" style="fill:{colour}" x="{x + node.width - 10:.1f}" y="{y + 17:.1f}" '
            f'text-anchor="end">{escape(node.data_class)}</text>'
        )
    return parts


def _sentence(flow: FieldFlow) -> str:
    how = _HOW[flow.protection]
    return f"{_label(flow.source, flow.source_class)} {how} {_label(flow.target, flow.target_class)}"


def _colour(flow: FieldFlow) -> str:
    return _class_colour(flow.source_class or flow.target_class)


def _class_colour(data_class: str) -> str:
    if not data_class:
        return _NO_CLASS
    return COLOURS.get(data_class.split(".", maxsplit=1)[0], _OTHER_CLASS)


def _label(name: str, data_class: str) -> str:
    return f"{name} ({data_class})" if data_class else name


def _width(labels: list[str]) -> float:
    return max(120.0, max(map(len, labels)) * _CHARACTER + 28)


def _quoted(text: str) -> str:
    """Text inside a Mermaid label: quotes and brackets as entities."""
    return escape(text).replace("#", "&num;")
