"""The rows of a person in a written folder; see `SubjectRows`. A part that has some is written again without them."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import polars as pl
from msgspec import Struct
from msgspec.structs import replace

from syncline.connectors.file.listing import NEXT, Folder, Listing, Part, usable
from syncline.model.errors import Invalid
from syncline.sdk.subject_rows import MOST_ROWS, too_many, untold


class _Divided(Struct, frozen=True):
    """A part's rows: those of the person, and the bytes and number of the others."""

    found: list[dict[str, Any]]
    others: bytes
    left: int


def find(folder: Folder, column: str, value: str | int) -> list[dict[str, Any]]:
    """See `SubjectRows.find`. Rows of a replacement that is being gathered come last."""
    listing = folder.load()
    _check(folder, listing, column)
    found: list[dict[str, Any]] = []
    for _, part, path in _parts(folder, listing) if listing else ():
        found += _divided(path, part, column, value).found
        if len(found) > MOST_ROWS:
            raise too_many(column, folder.path.name)
    return found


def erase(folder: Folder, column: str, value: str | int) -> int:
    """Writes the parts anew that have rows of the person, under the folder's lock; the number of these rows.

    The list changes as a whole, and after it the old parts go: a kill between the two leaves files that aren't listed,
    which whoever opens the folder next removes.
    """
    listing = folder.recover()
    if listing is None:
        return 0
    _check(folder, listing, column)
    # What undoing runs needs may have the person's rows as well.
    changed, old, count = listing.forgetting(*listing.kept), list[Path](), 0
    for pending, part, path in _parts(folder, listing):
        divided = _divided(path, part, column, value)
        if not divided.found:
            continue
        count += len(divided.found)
        run = part.file.removeprefix("part-").rpartition("-")[0]
        new = folder.add(divided.others, divided.left, run, path.suffix[1:], pending=pending) if divided.left else None
        changed = _replaced(changed, part, new)
        old.append(path)
    if changed != listing:
        folder.save(changed)
        with usable(folder.path):
            for path in old:
                path.unlink(missing_ok=True)
        folder.clear_kept(changed)
    return count


def _check(folder: Folder, listing: Listing | None, column: str) -> None:
    """`Invalid` (SYN855) where no part ever had the column, and there are rows."""
    if listing is not None and listing.rows and column not in {name for name, _ in listing.columns}:
        raise untold(column, folder.path.name)


def _parts(folder: Folder, listing: Listing) -> Iterator[tuple[bool, Part, Path]]:
    """Every part with its path, and whether it is of a replacement that is being gathered."""
    yield from ((False, part, folder.path / part.file) for part in listing.parts)
    if listing.pending is not None:
        yield from ((True, part, folder.path / NEXT / part.file) for part in listing.pending.parts)


def _replaced(listing: Listing, part: Part, new: Part | None) -> Listing:
    def others(parts: tuple[Part, ...]) -> tuple[Part, ...]:
        return tuple(found for p in parts if (found := new if p == part else p) is not None)

    pending = listing.pending
    return replace(
        listing,
        parts=others(listing.parts),
        pending=replace(pending, parts=others(pending.parts)) if pending else None,
    )


def _divided(path: Path, part: Part, column: str, value: str | int) -> _Divided:
    with usable(path.parent):
        data = path.read_bytes()
    match path.suffix:
        case ".parquet":
            frame = pl.read_parquet(io.BytesIO(data))
        case ".jsonl":
            return _lines(data, column, value)
        case _:
            frame = pl.read_csv(io.BytesIO(data), infer_schema=False)
            if frame.write_csv(quote_style="necessary").encode() != data:
                raise Invalid(
                    f"{part.file} isn't as it was written, so it can't be written again without some of its rows",
                    code="SYN473",
                    help="Somebody changed the file: erase the person in it by hand.",
                )
    if column not in frame.columns:
        return _Divided([], data, part.rows)
    same = [str(value), f"'{value}"] if isinstance(value, str) else [str(value)]
    theirs = pl.col(column).cast(pl.String).is_in(same).fill_null(value=False)
    found, others = frame.filter(theirs), frame.filter(~theirs)
    if not found.height:
        return _Divided([], data, part.rows)
    buffer = io.BytesIO()
    if path.suffix == ".parquet":
        others.write_parquet(buffer, compression="zstd", statistics=True)
    else:
        others.write_csv(buffer, quote_style="necessary")
    return _Divided(found.to_dicts(), buffer.getvalue(), others.height)


def _lines(data: bytes, column: str, value: str | int) -> _Divided:
    """JSON Lines, of which the other lines stay as they are, every digit of theirs included."""
    found: list[dict[str, Any]] = []
    others: list[bytes] = []
    for line in data.splitlines(keepends=True):
        record = msgspec.json.decode(line, type=dict[str, msgspec.Raw])
        if column in record and msgspec.json.decode(record[column]) == value:
            found.append(msgspec.json.decode(line))
        else:
            others.append(line)
    return _Divided(found, b"".join(others), len(others))
