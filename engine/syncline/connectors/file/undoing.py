"""Undoing what a run wrote to a folder: the parts that it added go, and those that it replaced come back.

The list of parts says which these are, in the same change that makes a run's parts count. Parts of before a replacement
are kept sealed, in `.kept/<run>`, from just before the swap on. Undoing writes them back beside the others, where
nobody lists them yet, and then changes the list, the flow's checkpoint with it. So a kill leaves all of a run, or none,
and whatever isn't listed is removed by who opens the folder next.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from msgspec.structs import replace

from syncline.connectors.file.listing import Before, Folder, KeptRun, Listing, Part, usable, write_durably
from syncline.model.errors import Invalid
from syncline.sdk.reversal import Kept, Undone

if TYPE_CHECKING:
    from syncline.sdk.destination import Target
    from syncline.sdk.reversal import Crypt, Keeping, Undoing


def keep_batch(listing: Listing, target: Target, part: Part | None) -> Listing:
    """The list with one more batch of a run that appends; None: it had no rows."""
    if target.keeping is None:
        return listing
    known = listing.kept.get(target.run) or KeptRun(target.flow, "")
    parts = known.parts if part is None else (*known.parts, part)
    kept = replace(known, until=_until(target.keeping), parts=parts, batches=known.batches + 1)
    return listing.keeping(target.run, kept)


def keep_replaced(folder: Folder, listing: Listing, target: Target, parts: tuple[Part, ...]) -> Listing:
    """Seals the parts that a run is about to replace by these, and notes that in the list."""
    if target.keeping is None:
        return listing
    with usable(folder.path):
        for part in listing.parts:
            sealed = target.keeping.seal((folder.path / part.file).read_bytes(), _about(target.run, part))
            write_durably(folder.kept(target.run) / part.file, sealed)
    before = Before(listing.format, listing.columns, listing.parts)
    kept = KeptRun(target.flow, _until(target.keeping), parts, 1, before)
    return listing.keeping(target.run, kept)


def kept(folder: Folder, listing: Listing, run: str) -> Kept:
    """What is kept of a run that a list has; see `Reversing.kept`."""
    known = listing.kept[run]
    until = datetime.fromisoformat(known.until)
    before = 0 if known.before is None else _rows(known.before.parts)
    return Kept(folder.path.name, _rows(known.parts), before, until, known.batches, known.before is not None)


def undo(folder: Folder, undoing: Undoing, carried: Callable[[Listing], Listing]) -> Undone:
    """See `Reversing.undo`; the flow and the folder are held. `carried` gives a list the flow's current checkpoint."""
    listing = folder.recover()
    known = listing.kept.get(undoing.run) if listing is not None else None
    if listing is None or known is None:
        raise nothing_kept(undoing.run)
    if known.batches != undoing.batches:
        raise Invalid(
            f"of run {undoing.run}, {known.batches:,} batches are kept, and {undoing.batches:,} were written",
            code="SYN761",
        )
    left = {part: _as_left(folder, listing, part) for part in known.parts}
    if known.before is None:
        found = _of_added(listing, known, left)
        changed = replace(listing, parts=tuple(part for part in listing.parts if not left.get(part)))
    else:
        changed = _before(folder, listing, known.before, left)
        found = Undone(deleted=_rows(known.parts), restored=_rows(known.before.parts))
        for part in known.before.parts:
            data = _opened(folder, undoing.run, part, undoing.open)
            if not undoing.dry:
                write_durably(folder.path / part.file, data)
    undoing.advanced(found.deleted + found.restored + found.touched + found.gone)
    if undoing.dry:
        return found
    changed = carried(changed.forgetting(undoing.run))
    folder.save(changed.saved(undoing.flow, undoing.by, undoing.checkpoint(found)))
    folder.recover()  # the parts that went aren't listed any more, nor is what was kept
    return found


def expire(folder: Folder, now: datetime) -> int:
    """Removes what is kept of runs whose time is over; see `Reversing.expire`. The folder is held."""
    listing = folder.load()
    over = [run for run, known in listing.kept.items() if datetime.fromisoformat(known.until) < now] if listing else []
    if listing is not None and over:
        listing = listing.forgetting(*over)
        folder.save(listing)
        folder.clear_kept(listing)
    return len(over)


def nothing_kept(run: str) -> Invalid:
    """What undoing says of a run of which nothing is there."""
    return Invalid(f"nothing is kept of run {run}", code="SYN761")


def _of_added(listing: Listing, known: KeptRun, left: Mapping[Part, bool]) -> Undone:
    """What becomes of rows that were appended; a part that somebody changed stays."""
    found = Undone()
    for part in known.parts:
        if left[part]:
            found += Undone(deleted=part.rows)
        elif part in listing.parts:
            found += Undone(touched=part.rows)
        else:
            found += Undone(gone=part.rows)
    return found


def _before(folder: Folder, listing: Listing, before: Before, left: Mapping[Part, bool]) -> Listing:
    """The list with what there was before; `Invalid` (SYN578) where it can't stand beside what there is."""
    others = tuple(part for part in listing.parts if part not in left)
    if not all(left.values()):
        raise _changed(folder, "parts that the run wrote were changed, or replaced by another flow")
    if others and before.parts and (before.format, before.columns) != (listing.format, listing.columns):
        raise _changed(folder, "another flow has added rows to it, and those of before have other columns")
    if others:
        return replace(listing, parts=(*before.parts, *others))
    return replace(listing, format=before.format, columns=before.columns, parts=before.parts)


def _changed(folder: Folder, why: str) -> Invalid:
    return Invalid(
        f"what was in {folder.path.name} before can't be put back: {why}",
        code="SYN578",
        help="Undo what came since, or bring the folder back from a backup.",
    )


def _opened(folder: Folder, run: str, part: Part, opens: Crypt) -> bytes:
    """The bytes of a part of before."""
    try:
        sealed = (folder.kept(run) / part.file).read_bytes()
    except FileNotFoundError:
        raise Invalid(
            f"part {part.file} of {folder.path.name}, which was kept, is gone",
            code="SYN761",
            help="It can be brought back from a backup only.",
        ) from None
    return opens(sealed, _about(run, part))


def _as_left(folder: Folder, listing: Listing, part: Part) -> bool:
    """Whether a part is listed, and on the disk as it was written."""
    if part not in listing.parts:
        return False
    with usable(folder.path):
        return hashlib.sha256((folder.path / part.file).read_bytes()).hexdigest() == part.digest


def _about(run: str, part: Part) -> str:
    return f"{run}/{part.file}"


def _until(keeping: Keeping) -> str:
    return (datetime.now(UTC) + timedelta(seconds=keeping.seconds)).isoformat()


def _rows(parts: Iterable[Part]) -> int:
    return sum(part.rows for part in parts)
