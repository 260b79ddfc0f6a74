"""Two outcomes side by side: as text and as plain data."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from msgspec import to_builtins

from syncline.cli.output.receipt_text import title
from syncline.cli.output.table import render_table
from syncline.cli.output.text import duration, number, plural, visible
from syncline.executor.previews.outcomes import MEASURES, REHEARSAL, called, same_files
from syncline.model.run import RunState

if TYPE_CHECKING:
    from syncline.cli.output.paint import Paint
    from syncline.executor.previews.outcomes import ManifestPair, Pair, RunOutcome, SideBySide
    from syncline.executor.previews.quality import Quality

VERSION = "syncline/outcomes/v1"
#: Files that are listed; all of them are in the plain data.
_FILES = 10


def outcomes_data(found: SideBySide) -> dict[str, Any]:
    """Both outcomes as plain data, without the manifests' documents; shares are from 0 to 1."""
    plain: dict[str, Any] = to_builtins(found, builtin_types=(Decimal,))
    for side in ("one", "other"):
        plain[side].pop("documents")
    for total in plain["sums"]:
        total |= {side: f"{total[side]:f}" for side in ("one", "other")}
    for pair, told in zip(found.quality, plain["quality"], strict=True):
        for side in ("one", "other"):
            if (quality := getattr(pair, side)) is not None:
                told[side]["score"] = quality.score
    return {"version": VERSION, "comparable": found.comparable, "equal": found.equal} | plain


def render_outcomes(found: SideBySide, paint: Paint) -> str:
    """Both outcomes as text: the verdict, figures beside each other, and then what differs."""
    return "\n".join(_lines(found, paint)).rstrip() + "\n"


def _lines(found: SideBySide, paint: Paint) -> Iterator[str]:
    one, other = found.one, found.other
    about = one.object if one.object == other.object else f"{one.object} and {other.object}"
    yield f"{paint.bold(visible(about))}: {_verdict(found, paint)}."
    yield from (f"  {paint.yellow('not comparable')}: {visible(text)}" for text in found.reservations)
    for side in (one, other):
        if side.name == REHEARSAL and side.error:
            yield f"  {paint.red('refused')}: {called(side)} would be: {visible(side.error)}"
    yield ""
    heads = ("", *_heads(one, other), "DIFFERENCE")
    yield render_table(heads, list(_figures(found)), paint, right=frozenset({1, 2, 3}))
    if found.rules:
        rules = [(pair.name, *_counted(pair)) for pair in found.rules]
        yield render_table(("REJECTED FOR", *heads[1:]), rules, paint, right=frozenset({1, 2, 3}))
    if found.quality:
        yield render_table(("QUALITY", "MEASURE", *heads[1:]), list(_quality(found)), paint, right=frozenset({2, 3, 4}))
    yield from _files(found, paint)
    yield from _manifests(found, paint)
    yield from (f"not compared: {visible(text)}" for text in found.unknown)


def _verdict(found: SideBySide, paint: Paint) -> str:
    if not found.comparable:
        return paint.yellow("they can't be compared, only be looked at")
    return paint.green("the same outcome") if found.equal else paint.red("the outcomes differ")


def _heads(one: RunOutcome, other: RunOutcome) -> tuple[str, str]:
    if one.environment and other.environment and one.environment != other.environment:
        return one.environment.upper(), other.environment.upper()
    return "ONE", "OTHER"


def _figures(found: SideBySide) -> Iterator[tuple[str, ...]]:
    one, other = found.one, found.other
    yield "outcome of", one.name, other.name, ""
    yield "ended", _ended(one), _ended(other), ""
    for pair in found.counts:
        if pair.one or pair.other or pair.name in {"read", "written", "rejected"}:
            yield (pair.name, *_counted(pair))
    for name in ("inserted", "updated", "unchanged", "deleted"):
        counts = getattr(one.counts, name), getattr(other.counts, name)
        if any(counts):
            yield f"  {name}", *map(number, counts), ""
    if one.rows is not None or other.rows is not None:
        yield "rows then", *("" if side.rows is None else number(side.rows) for side in (one, other)), ""
    for total in found.sums:
        yield (f"sum of {total.name}", *_summed(total))
    yield "took", *("" if side.seconds is None else duration(side.seconds) for side in (one, other)), ""


def _ended(side: RunOutcome) -> str:
    if side.name == REHEARSAL:
        return "would be refused" if side.error else "nothing written"
    return title(RunState(side.state))


def _counted(pair: Pair[int]) -> tuple[str, str, str]:
    one, other = pair.one or 0, pair.other or 0
    return number(one), number(other), "" if pair.equal else f"{other - one:+,}"


def _summed(total: Pair[Decimal]) -> tuple[str, str, str]:
    one, other = total.one or Decimal(0), total.other or Decimal(0)
    return f"{one:,f}", f"{other:,f}", "" if total.equal else f"{other - one:+,f}"


def _quality(found: SideBySide) -> Iterator[tuple[str, ...]]:
    """Of each field its score, and the measures that differ."""
    for pair in found.quality:
        scores = [_points(each.score if each else None) for each in (pair.one, pair.other)]
        yield pair.name, "score", *scores, _differs(pair.one, pair.other)
        for measure in MEASURES:
            one, other = (getattr(each, measure) if each else None for each in (pair.one, pair.other))
            if one != other:
                yield "", measure, _share(one), _share(other), _apart(one, other, 100, "%")


def _differs(one: Quality | None, other: Quality | None) -> str:
    if one is None or other is None:
        return "no such field"
    return _apart(one.score, other.score, 1, "") if one.score != other.score else ""


def _apart(one: float | None, other: float | None, scale: float, unit: str) -> str:
    return "" if one is None or other is None else f"{(other - one) * scale:+.2f}{unit}"


def _points(score: float | None) -> str:
    return "" if score is None else f"{score:.1f}"


def _share(share: float | None) -> str:
    return "" if share is None else f"{share:.2%}"


def _files(found: SideBySide, paint: Paint) -> Iterator[str]:
    if not (found.one.files and found.other.files):
        return
    if same_files(found.one, found.other):
        yield f"{plural(len(found.one.files), 'file')}: the same in both, by SHA-256"
        yield ""
        return
    differing = [pair for pair in found.files if not pair.equal]
    heads = _heads(found.one, found.other)
    rows = [
        (pair.name, *(digest[:12] if digest else "not read" for digest in (pair.one, pair.other)))
        for pair in differing[:_FILES]
    ]
    yield render_table(("FILE THAT DIFFERS", *heads), rows, paint)
    if len(differing) > _FILES:
        yield f"… and {plural(len(differing) - _FILES, 'more file')}"
        yield ""


def _manifests(found: SideBySide, paint: Paint) -> Iterator[str]:
    if not (found.one.manifests and found.other.manifests):
        return
    if not found.manifests:
        yield f"{plural(len(found.one.manifests), 'manifest')}: the same in both"
        yield ""
        return
    rows = [row for pair in found.manifests for row in _manifest(pair, found)]
    yield render_table(("MANIFEST THAT DIFFERS", *_heads(found.one, found.other)), rows, paint)


def _manifest(pair: ManifestPair, found: SideBySide) -> Iterator[tuple[str, str, str]]:
    """A manifest with its fields that differ; with its digests, where they aren't known."""
    names = {pair.one, pair.other} - {""}
    cells = [
        "isn't there" if not name else name.partition("@")[2] if len(names) > 1 else _digest(side, name, pair)
        for side, name in ((found.one, pair.one), (found.other, pair.other))
    ]
    name = pair.one or pair.other
    yield name.partition("@")[0] if len(names) > 1 else name, cells[0], cells[1]
    for change in pair.fields:
        yield f"  {change.path}", change.before or "none", change.after or "none"


def _digest(side: RunOutcome, name: str, pair: ManifestPair) -> str:
    return "" if pair.fields else side.manifests[name][:12]
