"""What a client asks about a place of an open file, answered in the protocol's terms."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import takewhile
from typing import Final

from lsprotocol import types

from syncline.editor import hover as hovering
from syncline.editor.completion import Choice, choices
from syncline.editor.cursor import slots_at, spot_at
from syncline.editor.diagnostics import diagnostic
from syncline.editor.positions import Positions
from syncline.editor.references import declared_at, file_of
from syncline.editor.repository import Checked, Repository
from syncline.manifests.desired import Desired
from syncline.manifests.format import fmt
from syncline.manifests.node import Span
from syncline.manifests.replacement import replacement
from syncline.manifests.text import Text
from syncline.model.diagnostic import Diagnostic, Place

_WORD: Final = {True: types.CompletionItemKind.Field, False: types.CompletionItemKind.Value}


def hover(at: Positions, position: types.Position, found: Iterable[Diagnostic]) -> types.Hover | None:
    """What the field at a position means, and the codes of what was found there; `found` is of the file."""
    line, column = at.place_at(at.offset(position))
    spot = spot_at(at.content, line, column)
    here = [finding for finding in found if finding.place is not None and _covers(finding.place, line, column)]
    codes = hovering.of_findings(here, at.line(line))
    text = "\n\n---\n\n".join(filter(None, (hovering.of_spot(spot) if spot is not None else "", codes)))
    if not text:
        return None
    return types.Hover(
        types.MarkupContent(types.MarkupKind.Markdown, text), _range(at, spot.span) if spot is not None else None
    )


def complete(at: Positions, position: types.Position, declared: Iterable[Desired]) -> list[types.CompletionItem]:
    """What may be written at a position."""
    declared = tuple(declared)
    items: dict[str, types.CompletionItem] = {}
    for slot in slots_at(at.content, at.offset(position)):
        where = at.between(slot.begin, slot.end)
        ending = ": " if slot.of_key and not slot.colon else ""
        for number, choice in enumerate(choices(slot, declared)):
            edit = types.TextEdit(where, choice.label + ending)
            items.setdefault(choice.label, _item(choice, number, edit, slot.of_key))
    return list(items.values())


def _item(choice: Choice, number: int, edit: types.TextEdit, of_key: bool) -> types.CompletionItem:
    detail = f"{choice.detail}, required" if choice.required else choice.detail
    return types.CompletionItem(
        label=choice.label,
        kind=_WORD[of_key],
        detail=detail or None,
        documentation=choice.text or None,
        sort_text=f"{not choice.required:d}{number:04d}",
        filter_text=choice.label,
        text_edit=edit,
    )


def definition(
    at: Positions, position: types.Position, checked: Checked, repository: Repository
) -> types.Location | None:
    """Where the object that is named at a position is declared."""
    line, column = at.place_at(at.offset(position))
    spot = spot_at(at.content, line, column)
    found = declared_at(spot, checked.desired) if spot is not None and not spot.on_key else None
    if found is None:
        return None
    file = file_of(*found, checked.desired, repository.root)
    if file.is_relative_to(repository.root):
        name = file.relative_to(repository.root).as_posix()
        uri = repository.uri_of(name)
        content = checked.unsaved[name] if name in checked.unsaved else repository.text(name)
    else:  # shipped
        uri = file.as_uri()
        content = file.read_text(encoding="utf-8")
    return types.Location(uri, Positions(content, at.encoding).range(found[1]))


def formatted(at: Positions, name: str) -> list[types.TextEdit]:
    """
    What `syncline fmt` would change of a text that mentions the language; other programs' are left alone.

    `Invalid` where it can't be read, or would say something else.
    """
    if "syncline/" not in at.content:
        return []
    old, new = at.content.splitlines(keepends=True), fmt(at.content, name).splitlines(keepends=True)
    if old == new:
        return []
    begin = sum(1 for _ in takewhile(_same, zip(old, new, strict=False)))
    rest = min(len(old), len(new)) - begin
    after = min(rest, sum(1 for _ in takewhile(_same, zip(reversed(old), reversed(new), strict=False))))
    first = len("".join(old[:begin]))
    last = len(at.content) - len("".join(old[len(old) - after :]))
    return [types.TextEdit(at.between(first, last), "".join(new[begin : len(new) - after]))]


def _same(lines: tuple[str, str]) -> bool:
    return lines[0] == lines[1]


def actions(
    at: Positions, uri: str, wanted: types.Range, found: Iterable[Diagnostic], repository: Repository
) -> list[types.CodeAction]:
    """What findings in a range suggest to write instead; `found` is of the text as it is now."""
    offered = []
    for finding in found:
        place = finding.place
        if not finding.suggestion or place is None or not place.end_column:
            continue
        where = at.range(place)
        written = at.content[at.offset(where.start) : at.offset(where.end)]
        instead = replacement(written, finding.suggestion)
        if not instead or where.end < wanted.start or wanted.end < where.start:
            continue
        offered.append(
            types.CodeAction(
                title=f"Replace by {instead}",
                kind=types.CodeActionKind.QuickFix,
                diagnostics=[diagnostic(finding, lambda _: at, repository.uri_of)],
                edit=types.WorkspaceEdit(changes={uri: [types.TextEdit(where, instead)]}),
                is_preferred=True,
            )
        )
    return offered


def _covers(place: Place, line: int, column: int) -> bool:
    begin, end = (place.line - 1, place.column - 1), (place.end_line - 1, place.end_column - 1)
    return begin <= (line, column) <= (end if place.end_line else (place.line - 1, 2**31))


def _range(at: Positions, span: Span) -> types.Range:
    return at.range(Text("", "").place(span))
