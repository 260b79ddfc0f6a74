"""A rehearsal of a flow: as text, as plain data, and as a page of HTML that needs nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from msgspec import to_builtins

from syncline.cli.output.report import rejects_shown, render_page
from syncline.cli.output.table import render_table
from syncline.cli.output.text import number, plural, visible

if TYPE_CHECKING:
    from syncline.cli.output.paint import Paint
    from syncline.executor.previews.quality import Quality
    from syncline.executor.previews.rehearse import Rehearsal
    from syncline.executor.previews.repeats import Repeat

VERSION = "syncline/rehearsal/v1"


def rehearsal_data(found: Rehearsal) -> dict[str, Any]:
    """The rehearsal as plain data; shares are from 0 to 1, scores from 0 to 100."""
    fields = [{**to_builtins(quality), "score": quality.score} for quality in found.quality]
    plain = {name: value for name, value in to_builtins(found).items() if name != "secrets"}
    return {"version": VERSION} | plain | {"key": str(found.key), "quality": fields, "score": found.score}


def render_rehearsal(found: Rehearsal, paint: Paint, *, values: bool = False) -> str:
    """The rehearsal as text; `values`: rejects show values, and not only their shape."""
    return "\n".join(_lines(found, paint, values=values))


def render_rehearsal_page(found: Rehearsal, *, values: bool) -> str:
    """The rehearsal as HTML."""
    return render_page(
        "rehearsal.html",
        object=visible(str(found.key)),
        title=_title(found),
        refused=visible(found.refused),
        tiles=_tiles(found),
        notes=[(name, visible(text)) for name, text in _notes(found)],
        quality=[
            {"name": visible(quality.field), "width": round(quality.score or 0, 2)} | _shown(quality)
            for quality in found.quality
        ],
        **rejects_shown(found.rejects, values=values),
    )


def _lines(found: Rehearsal, paint: Paint, *, values: bool) -> Iterator[str]:
    yield f"{paint.bold(visible(str(found.key)))}: {_title(found)}. Nothing was written."
    if found.refused:
        yield paint.red(f"The run would be refused: {visible(found.refused)}")
    yield ""
    for tile in _tiles(found):
        yield f"  {tile['name']:<10} {tile['value']:>12}  {paint.dim(tile['note'])}".rstrip()
    for name, text in _notes(found):
        yield f"  {name:<10} {visible(text)}"
    yield ""
    names = ("FIELD", "SCORE", "COMPLETE", "VALID", "DISTINCT", "ALIKE", "SHAPE", "NEWEST")
    keys = ("score", "completeness", "validity", "distinct", "consistency", "shape", "newest")
    rows = []
    for quality in found.quality:
        shown = _shown(quality)
        rows.append((visible(quality.field), *(shown[key] for key in keys)))
    yield render_table(names, rows, paint, right=frozenset({1, 2, 3, 4, 5}))
    if found.rejects.broken:
        head = ("FIELD", "RULE", "RECORDS", "FIRST AT", "VALUE" if values else "SHAPE OF VALUE", "REASON")
        rejects = [
            (
                visible(rule.field),
                rule.rule,
                number(rule.count),
                *(visible(text) for text in (rule.samples[0].place, rule.samples[0].value, rule.samples[0].message)),
            )
            for rule in found.rejects.broken
        ]
        yield render_table(head, rejects, paint, right=frozenset({2}), cells=40)


def _title(found: Rehearsal) -> str:
    past = " past its position" if found.resumed else ""
    if found.counts.read == found.seen:
        return f"all {plural(found.seen, 'record')}{past} were read"
    return f"{number(found.counts.read)} of {plural(found.seen, 'record')}{past} were looked at"


def _tiles(found: Rehearsal) -> list[dict[str, str]]:
    counts = found.counts
    kinds = {"inserted": "to insert", "updated": "to update", "unchanged": "unchanged", "deleted": "to delete"}
    written = ", ".join(f"{number(n)} {words}" for kind, words in kinds.items() if (n := getattr(counts, kind)))
    rejected = f"{counts.rejected / counts.read:.2%}" if counts.read and counts.rejected else ""
    score = "none" if found.score is None else f"{found.score:.1f}"
    figures = [
        ("to write", number(counts.written), written),
        ("rejected", number(counts.rejected), rejected),
        ("duplicates", number(found.duplicates), "records whose key comes again" if found.duplicates else ""),
        ("skipped", number(counts.skipped), ""),
        ("quality", score, "of 100, the mean of the fields"),
    ]
    return [{"name": name, "value": value, "note": note} for name, value, note in figures]


def _notes(found: Rehearsal) -> list[tuple[str, str]]:
    compared = [("compared", f"no: {found.note}")] if not found.compared else []
    again = [("again", f"{_repeat(repeat)}: its key comes more than once") for repeat in found.again]
    there = [("there", f"{_repeat(repeat)}: a row has its key already") for repeat in found.there]
    return [*compared, *again, *there, *(("note", text) for text in found.notes)]


def _repeat(repeat: Repeat) -> str:
    return f"{repeat.place} ({repeat.key})" if repeat.key else repeat.place


def _shown(quality: Quality) -> dict[str, str]:
    return {
        "score": "" if quality.score is None else f"{quality.score:.1f}",
        "completeness": _share(quality.completeness),
        "validity": _share(quality.validity),
        "distinct": _share(quality.distinct),
        "consistency": _share(quality.consistency),
        "shape": visible(quality.shape),
        "newest": quality.newest,
    }


def _share(share: float | None) -> str:
    if share is None:
        return ""
    return "100%" if share == 1 else f"{min(share, 0.999):.1%}"
